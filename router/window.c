/*
 * window.c - which stretch of time a question is about.
 */
#include "router/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/config_int.h"
#include "router/store/store.h"

#define LAST	 "last:"
#define LAST_MAX 1000000000
#define DAYS_MAX 3660

static int
parse_last(const char *text, struct window *w)
{
	char *end;

	errno = 0;
	w->kind = WINDOW_LAST;
	w->n = strtoll(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
		       w->n >= 1 && w->n <= LAST_MAX
		   ? 0
		   : -1;
}

int
window_parse(const char *text, struct window *w, struct err *e)
{
	struct window got = { .kind = WINDOW_TIME };
	double ms;

	if (strcmp(text, "all") == 0) {
		got.kind = WINDOW_ALL;
	} else if (strncmp(text, LAST, strlen(LAST)) == 0) {
		if (parse_last(text + strlen(LAST), &got) != 0)
			return err_set(e,
			    "expected last:N, N from 1 to %d, not '%.40s'",
			    LAST_MAX, text);
	} else if (strlen(text) > 40 || config_value_ms(text, &ms, NULL) != 0 ||
		   ms < WINDOW_MINUTE || ms > DAYS_MAX * (double)WINDOW_DAY) {
		return err_set(e,
		    "expected a window such as 1h, 24h, 7d, last:1000 or all, "
		    "not '%.40s'",
		    text);
	} else {
		got.ms = (int64_t)ms;
	}
	*w = got;
	return 0;
}

/* -- where it begins ------------------------------------------------------- */

static int64_t
round_down(int64_t at, int64_t now)
{
	int64_t back = now - at + WINDOW_MINUTE; /* the store asks later */
	int64_t to = back < WINDOW_MINUTES ? WINDOW_MINUTE
		     : back < WINDOW_HOURS ? WINDOW_HOUR
					   : WINDOW_DAY;

	return at > 0 ? at - at % to : 0;
}

/* Counts back until there are enough. */
struct search {
	int64_t wanted, found;
	int64_t since; /* the period that is being added up, */
	bool enough;   /* and those after it are enough without it */
};

static void
add_sent(void *arg, const struct tally_row *row)
{
	struct search *s = arg;

	if (row->at != s->since) {
		s->enough = s->enough || s->found >= s->wanted;
		if (!s->enough)
			s->since = row->at;
	}
	if (!s->enough)
		s->found += row->tally->n[COUNT_SENT];
}

/* By short periods while they go far enough back: each step reads anew. */
static int64_t
find_last(const struct window *w, const struct tally_filter *of, int64_t now,
    struct store_reader *reader)
{
	static const struct {
		enum tally_step step;
		int64_t back; /* 0: as far as there is anything */
	} steps[] = {
		{ TALLY_MINUTE, WINDOW_HOUR },
		{ TALLY_MINUTE, WINDOW_MINUTES },
		{ TALLY_HOUR, WINDOW_HOURS },
		{ TALLY_DAY, 0 },
	};
	struct search s;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct tally_filter f = *of;

		s = (struct search){ .wanted = w->n };
		f.step = steps[i].step;
		f.since = steps[i].back != 0
			      ? round_down(now - steps[i].back, now)
			      : 0;
		store_read_tallies(reader, &f, add_sent, &s);
		if (s.found >= w->n)
			return s.since;
	}
	return 0;
}

int64_t
window_since(const struct window *w, const struct tally_filter *of, int64_t now,
    struct store_reader *reader)
{
	switch (w->kind) {
	case WINDOW_TIME:
		return round_down(now - w->ms, now);
	case WINDOW_ALL:
		return 0;
	case WINDOW_LAST:
		return find_last(w, of, now, reader);
	}
	return 0;
}
