/*
 * event_json_int.h - inside of telling an event: its values, and the member that its type names.
 */
#ifndef ROUTER_EVENTS_EVENT_JSON_INT_H
#define ROUTER_EVENTS_EVENT_JSON_INT_H

#include "router/events/event_json.h"

struct event_telling {
	const struct event_row *row;
	const struct event_json_context *ctx;
	bool ours; /* no path of SES's sent it */
};

/* A text that need not be UTF-8. */
json_t *event_string(const char *);
void event_put(json_t *object, const char *name, const char *text);
void event_put_time(json_t *object, const char *name, int64_t wall);

/* event_detail.c */
json_t *event_detail_send(const struct event_telling *);
json_t *event_detail_delivery(const struct event_telling *);
json_t *event_detail_bounce(const struct event_telling *);
json_t *event_detail_delay(const struct event_telling *);
json_t *event_detail_complaint(const struct event_telling *);
json_t *event_detail_reject(const struct event_telling *);
json_t *event_detail_open(const struct event_telling *);
json_t *event_detail_click(const struct event_telling *);
json_t *event_detail_rendering(const struct event_telling *);
json_t *event_detail_subscription(const struct event_telling *);
json_t *event_detail_guard(const struct event_telling *);

#endif
