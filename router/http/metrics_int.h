/*
 * metrics_int.h - the inside of /metrics: each file writes families of its own.
 *
 * metrics_mail.c what was counted, metrics_lanes.c lanes, metrics_queue.c queue and store, metrics_paths.c paths,
 * sources, their readiness and pauses, metrics_ses.c accounts, metrics_guard.c the guard, metrics_doors.c what comes
 * in and what is told, metrics_process.c this process.
 */
#ifndef ROUTER_HTTP_METRICS_INT_H
#define ROUTER_HTTP_METRICS_INT_H

#include "router/core.h"
#include "router/http/metrics.h"
#include "router/http/metrics_rows.h"
#include "router/http/metrics_text.h"
#include "router/store/store.h"

struct config;
struct event;

/* Label sets of their own; what comes later shares the row "other". */
#define METRICS_MAIL_MAX    256  /* path x carrier */
#define METRICS_REASONS_MAX 2000 /* of those, x counter x reason */
#define METRICS_LANES_MAX   2000 /* path x source x group */
#define METRICS_DOMAINS_MAX 1000 /* of these, while there are no more, for groups that are plain domains */
#define METRICS_WARM_MAX    500  /* source x group */
#define METRICS_GUARD_MAX   500  /* scope x kind */

struct metrics_mail {
	struct metrics_rows series, reasons;
};

struct oldest_query;

struct metrics {
	struct core *core;
	struct listener *const *listeners;
	size_t nlisteners;
	int64_t began;               /* wall ms */
	struct counters_watch watch;
	struct metrics_mail mail;
	struct metrics_rows lanes, warm, guard;
	struct event *tick;          /* looks at the queue's oldest */
	struct oldest_query *asking; /* under way; or NULL */
	int64_t oldest;              /* wall ms of its message; 0: the queue is empty */

	/* While a text is made. */
	struct str *out;
	struct config *config;
	struct str labels;           /* of the sample in hand */
};

/* Labels of a sample with one label; valid until the next call. */
const char *metrics_only(struct metrics *, const char *name, const char *value);
/* As a label: "" is "none". */
const char *metrics_or_none(const char *);

void metrics_mail_start(struct metrics *);
void metrics_mail_end(struct metrics *);
void metrics_add_mail(struct metrics *);
void metrics_lanes_start(struct metrics *);
void metrics_lanes_end(struct metrics *);
void metrics_add_lanes(struct metrics *);
void metrics_queue_start(struct metrics *);
void metrics_queue_end(struct metrics *);
void metrics_add_queue(struct metrics *);
void metrics_paths_start(struct metrics *);
void metrics_paths_end(struct metrics *);
void metrics_add_paths(struct metrics *);
void metrics_add_ses(struct metrics *);
void metrics_guard_start(struct metrics *);
void metrics_guard_end(struct metrics *);
void metrics_add_guard(struct metrics *);
void metrics_add_doors(struct metrics *);
void metrics_add_process(struct metrics *);


#endif
