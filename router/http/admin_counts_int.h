/*
 * admin_counts_int.h - what the questions about counters share: /v1/stats, /v1/series, /v1/reasons and
 * /v1/compare.
 *
 * Which dimensions, which window, which mail: read once from the query string. Reading and adding up happen
 * in the store's reading thread, and what is answered is written there as text.
 */
#ifndef ROUTER_HTTP_ADMIN_COUNTS_INT_H
#define ROUTER_HTTP_ADMIN_COUNTS_INT_H

#include "router/http/admin_int.h"
#include "router/stats.h"
#include "router/store/store.h"
#include "router/window.h"

struct series;
struct compare;

struct admin_counts {
	unsigned by;
	struct window window;
	const char *window_text;    /* as asked for; in the request's args, as the filter's strings */
	struct tally_filter filter; /* since: once admin_counts_begin has run */
	int64_t now;                /* wall ms */
	struct stats *stats;
	struct series *series;
	struct compare *compare;
};

/* Reads the query string into r->counts, and holds r->config. False: the request has been refused. */
bool admin_counts_read(struct admin_request *, const char *by, const char *window);
/* `limit` of the query string, from 1 to `most`, into r->limit. False: the request has been refused. */
bool admin_counts_read_limit(struct admin_request *, size_t otherwise, size_t most);
/* Hands over to `run`, and answers with what it leaves in r->text. */
void admin_counts_ask(struct admin_request *, void (*run)(struct store_query *, struct store_reader *));

/* -- in the reading thread ------------------------------------------------------------------- */

/* Finds where the window begins. */
void admin_counts_begin(struct admin_request *, struct store_reader *);
/* Adds up in counts->stats what the filter and the window let through, from tallies. */
void admin_counts_add_up(struct admin_request *, struct store_reader *);
bool admin_counts_is_ses(const struct admin_request *, const char *path);
/* "window":"24h","since":"...Z" */
void admin_counts_add_window(const struct admin_request *, struct str *out);
/* "path":"mta","carrier":"docomo", */
void admin_counts_add_keys(struct str *out, const struct stats_row *);
/* A value as JSON, quoted. */
void admin_counts_add_text(struct str *out, const char *text);
void admin_counts_add_rate(struct str *out, bool known, double value);

#endif
