/*
 * admin_rows.h - what several answers show alike: a recipient in the queue, an event, a lane.
 *
 * Any thread, but for admin_lanes.
 */
#ifndef ROUTER_HTTP_ADMIN_ROWS_H
#define ROUTER_HTTP_ADMIN_ROWS_H

#include <jansson.h>

#include "router/store/store.h"

/* Each is a new object. "held" is who holds it, why and since when, or null. */
json_t *admin_queue_row(const struct queue_row *);
json_t *admin_event_row(const struct event_row *);
/* Of the lanes of admin_lanes the one that a row of the queue waits in, null when it is not in use. A reference. */
json_t *admin_lane_of(const json_t *lanes, const json_t *row);

/* "ID" or "ID.n", *index -1 for all. 0, or -1 when it is none. */
int admin_recipient_id(const char *text, int64_t *message, int *index);

/* recipient.held: who, why. Free it. */
char *admin_held_text(const char *who, const char *why);

#endif
