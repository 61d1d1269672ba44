/*
 * session.h - an outgoing session and the deliveries it carries, as core and I/O thread share them.
 *
 *	core                                   I/O thread
 *	session_new, delivery       -- open -->  courier: resolve, connect, greet
 *	                                         courier: transaction
 *	settle, next delivery       <-- done --
 *	                            -- deliver ->
 *	session forgotten           <- closed --
 *	                            -- bury -->  freed
 *
 * Ownership travels with the task: what is marked "core" is touched by the core thread only,
 * "courier" by the I/O thread only, the rest is fixed when it is handed over.
 */
#ifndef ROUTER_SESSION_H
#define ROUTER_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mta/base/inbox.h"
#include "mta/outcome.h"
#include "mta/smtp/client.h"
#include "router/message.h"
#include "router/resend.h"
#include "router/ses/quota.h"
#include "router/store/store.h"

struct config;
struct config_path;
struct config_source;
struct core;
struct courier;
struct dest;
struct io;
struct lane;

#define PEER_TEXT_MAX 400

/* One transaction: a message and those of its recipients that go along. */
struct delivery {
	struct task task;
	TAILQ_ENTRY(delivery) link;        /* core: in its lane */
	uint64_t number;                   /* core: of its first recipient, see pace.h */
	struct session *session;
	struct message *message;           /* a reference */
	struct body *body;                 /* a reference; NULL until `begin` has fetched it */
	size_t n;
	struct recipient **recipients;     /* core's; the courier reads their addresses */
	struct smtp_client_rcpt *rcpt;     /* n; address formatted by the courier */
	struct quota_ticket quota;         /* core: of a ses path, see quota.h */
	unsigned term;                     /* core: what it counts in is reserved in that one, see store_term */
	struct route route;                /* of all n; strings outlive it */
	bool raw;                          /* rule or shape: irregular local parts unquoted */

	struct store_begin begin;          /* permission for the final dot; what it found suppressed */
	bool begun;                        /* courier: begin has been answered */
	bool finished;                     /* courier: outcomes are final */

	/* The courier's report. */
	bool untried;                      /* nothing came of it for a reason of our own: not an
					      attempt */
	bool usable;                       /* the session can take another */
	bool relayed_dsn;                  /* the next hop does DSN itself */
	char peer[PEER_TEXT_MAX], tls[64];
	int64_t started, connected, ended; /* mono ms; connected 0: the session was open already */
};

TAILQ_HEAD(delivery_list, delivery);

struct session {
	struct task task;                  /* open, and closed */
	struct task close;                 /* core -> courier: no more work; posted once */
	struct core *core;
	struct io *io;
	struct config *config;             /* a reference */
	const struct config_path *path;    /* inside config */
	const struct config_source *source;/* inside config; NULL but for mta paths */
	char *domain;                      /* destination; "" where the path has one endpoint */
	bool require_tls;                  /* verified TLS, or no mail */

	struct courier *courier;           /* courier */
	struct outcome why;                /* of closed: the courier's last word */

	struct lane *lane;                 /* core, as all below */
	struct dest *dest;
	TAILQ_ENTRY(session) link;
	struct delivery *delivery;         /* handed over and not back yet */
	bool gone;                         /* closed; waits for its delivery to come back */
	unsigned messages, recipients;
	struct resend_list delivered;      /* what the peer may yet take back: see resend.h */
	int64_t started;                   /* mono ms: of its last delivery */
	int64_t idle_since;                /* mono ms */
};
TAILQ_HEAD(session_list, session);

/* core -> I/O thread */
void courier_open(struct session *);               /* with session->delivery as its first */
void courier_deliver(struct session *, struct delivery *);
void courier_close(struct session *);              /* QUIT; closed follows */
void courier_bury(struct session *);               /* after closed: frees it, behind all else */

/* I/O thread -> core; both post to the core's inbox */
void session_done(struct delivery *);
void session_closed(struct session *);

#endif
