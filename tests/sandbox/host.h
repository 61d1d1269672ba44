/*
 * host.h - a receiving system at run time: its listeners, mood, switches and counts.
 */
#ifndef TESTS_SANDBOX_HOST_H
#define TESTS_SANDBOX_HOST_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "tests/sandbox/carriers.h"

struct evconnlistener;
struct map;
struct sandbox;
struct session;
LIST_HEAD(session_list, session);

struct port {
	struct host *host;
	struct evconnlistener *listener; /* NULL while down */
	unsigned number;
	bool tls_first; /* implicit TLS (RFC 8314) */
};

struct counts {
	uint64_t connections;
	uint64_t messages;   /* accepted */
	uint64_t recipients; /* of accepted messages */
	uint64_t refused;    /* recipients refused at RCPT */
	uint64_t rejected;   /* messages refused at the end */
	uint64_t withdrawn;  /* recipients, accepted and then dropped with their session */
};

struct host {
	struct sandbox *sandbox;
	const struct system *system;
	const struct mood *mood; /* NULL: normal */
	unsigned features;
	struct limits limits;
	unsigned delay; /* ms before each reply */
	struct port ports[2];
	unsigned n_ports;
	struct session_list sessions;
	unsigned open;
	unsigned peak;
	struct counts counts;
	struct map *happened; /* "word address" -> how often, see host_spent */
};

struct host *host_new(struct sandbox *, const struct system *);
struct host *host_find(struct sandbox *, const char *name); /* NULL when there is none */

/* Opens one more port; number 0: a free one. 0 or -1. */
int host_listen(struct host *, unsigned number, bool tls_first, struct err *);
void host_unlisten(struct host *); /* closes and forgets all ports */

/* A mood by name, "normal" included. 0, or -1 when the host knows no such mood. */
int host_set_mood(struct host *, const char *name, struct err *);
/* A switch ("starttls" "on"), a limit ("connections" "5") or "delay" "200". 0 or -1. */
int host_set(struct host *, const char *key, const char *value, struct err *);
void host_show(const struct host *, struct str *); /* one JSON object */
void host_cut(struct host *);                      /* resets every open session */
void host_forget(struct host *);                   /* every address is new again */

/* Has a scenario that happens `times` times for an address happened so often already? */
bool host_spent(const struct host *, const struct scenario *, unsigned times, const char *address);
void host_happened(struct host *, const struct scenario *, const char *address);

#endif
