/*
 * top_int.h - what `oiwake top` has asked, and the screen it becomes.
 */
#ifndef ROUTER_CLI_TOP_INT_H
#define ROUTER_CLI_TOP_INT_H

#include <jansson.h>
#include <stdio.h>

/* Answers of the daemon, each an object. */
struct top {
	json_t *status, *series, *pauses, *guard, *queue, *events;
};

void top_print(const struct top *, FILE *);
/*
 * A reply of each lane that has got one, first of those whose mail waits for another attempt: {"what", "at", "path",
 * "source", "group", "to", "text"}; what is "again", and at the time of that attempt, or "bounced", and when.
 */
json_t *top_replies(const struct top *);
/* The lanes with the most to do first. */
json_t *top_lanes(const json_t *status);

#endif
