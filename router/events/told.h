/*
 * told.h - the event log, read as the application is told of it: filtered, with what was kept of the mail.
 */
#ifndef ROUTER_EVENTS_TOLD_H
#define ROUTER_EVENTS_TOLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/store/store.h"

struct config;

/* SES's names of types; paths; domains of senders. None: all. Borrowed. */
struct told_filter {
	char *const *events, *const *paths, *const *senders;
	size_t nevents, npaths, nsenders;
	bool guard;                   /* what the guard does, too; else only where `events` names it: it is no
					 type of SES's, and of no message */
};

struct told_reading {
	const struct config *config;  /* whose hostname and shapes are told */
	struct told_filter filter;
	int64_t after;                /* in: seq; out: of the last row that was gone through */
	int64_t until;                /* seq of the last row to go through; 0: none */
	size_t rows;                  /* of the log to go through at most */
	size_t room;                  /* events to tell at most, or one more: a row is told as a whole */
	void (*each)(void *arg, const struct event_row *, enum event_type, json_t *event); /* borrowed */
	void *arg;

	size_t told;                  /* out: events */
	bool more;                    /* out: there may be more rows */
};
/* In the store's reading thread. */
void told_read(struct store_reader *, struct told_reading *);

#endif
