/*
 * metrics.h - what monitoring asks: /metrics for Prometheus, /healthz and /readyz for whoever restarts or
 * balances.
 *
 * /metrics is Prometheus' text format 0.0.4. Names, labels and units are a stable interface (oiwake(8), METRICS).
 * What was counted is read once at the start and kept by watching the store's deltas, so a scrape reads no
 * database. Every label has a bounded set of values: what comes beyond is under "other", and counted as folded.
 * Core thread only.
 */
#ifndef ROUTER_HTTP_METRICS_H
#define ROUTER_HTTP_METRICS_H

#include <stddef.h>

struct core;
struct listener;
struct metrics;
struct web;

/* Reads what was counted: after core_new, before the store's first request. Borrows all. */
struct metrics *metrics_new(struct core *, struct listener *const *, size_t nlisteners);
/* Before the store is closed; its listeners are gone. */
void metrics_free(struct metrics **);

/* GET /metrics on a listener in the core's event base. */
void metrics_serve(struct web *, struct metrics *);
/*
 * GET /healthz: 200 as long as the core thread answers. GET /readyz: 200 while new mail is taken; 503 with one
 * sentence while the daemon stops, its store has failed, or there is no space left. On a listener in the core's
 * event base. Both say nothing of anybody's mail.
 */
void health_serve(struct web *, struct core *);

#endif
