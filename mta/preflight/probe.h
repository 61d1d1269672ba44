/*
 * probe.h - does a mail server answer? Connects, waits for the greeting, says QUIT.
 */
#ifndef MTA_PREFLIGHT_PROBE_H
#define MTA_PREFLIGHT_PROBE_H

#include <stdint.h>

#include "mta/smtp/client.h"

struct event_base;
struct probe;

enum probe_result {
	PROBE_SILENT,   /* no connection: time-out, no route */
	PROBE_CLOSED,   /* the connection was refused with a reset */
	PROBE_UNBOUND,  /* the source's own address cannot be used here */
	PROBE_MUTE,     /* connected, and no greeting in time */
	PROBE_RESET,    /* connected, and cut off without a word */
	PROBE_REFUSED,  /* connected, and told to go away */
	PROBE_GREETED,  /* 220 */
};

/*
 * `done` comes once, from the event loop; `text` is the greeting or why there is none, printable and
 * valid for the call. The probe frees itself after it; probe_free before that cancels it. Time limit:
 * `timeout` ms for the connection, and the same for the greeting.
 */
struct probe *probe_new(struct event_base *, const struct sockaddr *bind, socklen_t bind_len,
    const struct smtp_client_target *, int64_t timeout,
    void (*done)(void *arg, enum probe_result, const char *text), void *arg);
void probe_free(struct probe **);

#endif
