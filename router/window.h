/*
 * window.h - which stretch of time a question is about: "24h", "all", "last:1000".
 *
 * Counts are kept by the minute for two days, by the hour for ten, by the day (UTC) after that, so a window that goes
 * back as far begins at the full hour or day. Pure but for window_since.
 */
#ifndef ROUTER_WINDOW_H
#define ROUTER_WINDOW_H

#include <stdint.h>

#include "mta/base/err.h"

struct store_reader;
struct tally_filter;

#define WINDOW_MINUTE  INT64_C(60000)
#define WINDOW_HOUR    (60 * WINDOW_MINUTE)
#define WINDOW_DAY     (24 * WINDOW_HOUR)
#define WINDOW_MINUTES (2 * WINDOW_DAY)  /* how far back there are minutes, */
#define WINDOW_HOURS   (10 * WINDOW_DAY) /* and hours */

enum window_kind {
	WINDOW_TIME, /* from `ms` ago to now */
	WINDOW_ALL,  /* as far back as there is anything */
	WINDOW_LAST, /* the newest periods that together hold `n` sent messages */
};

struct window {
	enum window_kind kind;
	int64_t ms, n;
};

/* From a minute to ten years, or last:1 to last:1000000000. -1 with *e. */
int window_parse(const char *text, struct window *, struct err *e);
/* Where the window begins, wall ms, by the periods that are kept; 0: at the beginning. In the store's reading
 * thread; the filter says of which mail the last n are. */
int64_t window_since(const struct window *, const struct tally_filter *, int64_t now, struct store_reader *);

#endif
