/*
 * compare_int.h - what compare.c gathers, compare_judge.c weighs and compare_words.c says.
 */
#ifndef ROUTER_COMPARE_INT_H
#define ROUTER_COMPARE_INT_H

#include "router/compare.h"
#include "router/store/tally.h"

/* How much of a side's mail is of what sender, or of what period. */
struct part {
	char *name; /* a sender's domain; a period's first ms in digits */
	int64_t n;
};
struct mix {
	struct map *map; /* struct part by name */
	struct part **parts;
	size_t n, room;
	int64_t total;
};
enum { MIX_SENDERS, MIX_PERIODS, MIXES };

/* One path's mail to one carrier by one rule. */
struct side {
	char *path;
	bool ses;
	struct tally tally;
	struct mix mix[MIXES];
};

struct split {
	char *rule, *carrier, *text; /* text: its key */
	struct side **sides;
	size_t n;
};

/* The part by which two mixes differ most; NULL: they are alike as far as can be told. */
const char *mix_differs(const struct mix *, const struct mix *, double share[static 2]);
int64_t mix_of(const struct mix *, const char *name);

void compare_judge(struct compare_row *, const struct side *, const struct side *);

/* What became of them can lie between these. */
void compare_bounds(const struct compare_row *, double *low, double *high);
/* The share of a side that is neither delivered nor failed. */
double compare_pending(const struct compare_side *);

void compare_say(struct compare_row *);
void compare_warn_split(struct compare_row *, const char *path);
void compare_warn_senders(struct compare_row *, const char *sender, const double share[static 2]);
void compare_warn_periods(struct compare_row *, int64_t at, bool days, const double share[static 2]);
void compare_warn_pending(struct compare_row *);

#endif
