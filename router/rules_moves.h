/*
 * rules_moves.h - who would go another way under other rules: two sets are asked about the same
 * recipients.
 *
 * Any thread, one at a time. Memory is bounded however much mail there is.
 */
#ifndef ROUTER_RULES_MOVES_H
#define ROUTER_RULES_MOVES_H

#include <jansson.h>
#include <stdint.h>

#include "rules/rules.h"

#define MOVE_SAMPLES 3

struct config;
struct str;
struct traffic_row;

struct move {
	struct rules_decision from, to; /* pool and configuration set are what the path's are, too */
	const char *carrier;            /* NULL: none */
	char *domain;                   /* "" for those that are counted together */
	uint64_t count;
	char *sample[MOVE_SAMPLES];     /* addresses; NULL after the last */
	char *key;
};

struct moves;

struct moves_total {
	uint64_t recipients, moved, other_path;
	uint64_t beyond;                  /* moved, and in no row */
	uint64_t limited;                 /* decided by NEW with a pattern given up at a limit */
	const struct rule *limited_rule;  /* the first such rule; NULL: none */
};

/* Borrows all three. */
struct moves *moves_new(const struct config *, const struct ruleset *from, const struct ruleset *to);
void moves_free(struct moves **);
/* Asks both sets. `address` is how the recipient is shown. */
void moves_add(struct moves *, const struct rules_query *, const char *address);
/* The same of a recipient of recent mail; one whose address is none is left out. */
void moves_add_mail(struct moves *, const struct traffic_row *);
/* Most first. */
size_t moves_rows(struct moves *, struct move *const **);
const struct moves_total *moves_total(const struct moves *);
/* Rule and path, and whatever else is not the same in the other one. */
void moves_describe(struct str *, const struct rules_decision *, const struct rules_decision *other);
/* rule, file, line, action, path, pool, configuration_set, fallback, local_part. */
json_t *moves_decision_json(const struct rules_decision *);
/* The addresses of its samples. */
json_t *moves_samples_json(const struct move *);

#endif
