/*
 * path.h - what differs between the ways out, on the I/O thread's side.
 *
 * A courier (courier.h) carries deliveries by the transport of its path. When that is SMTP the path says
 * whom to call, on which terms, and what to change in the message on the way.
 */
#ifndef ROUTER_PATH_H
#define ROUTER_PATH_H

#include "mta/base/str.h"
#include "mta/dns/mx.h"
#include "mta/smtp/client.h"
#include "router/config.h"

struct delivery;
struct recipient;
struct resolver;
struct session;

struct path_class {
	/* Looks up the hosts to call for the session's destination. */
	struct mx_lookup *(*lookup)(struct session *, struct resolver *,
	    void (*done)(void *arg, const struct mx_result *), void *arg);
	/* The name to verify and to log whatever address was dialled; NULL: as looked up. */
	const char *(*endpoint)(const struct session *);
	/* Fills in everything but the targets. */
	void (*terms)(const struct session *, struct smtp_client_config *);
	/*
	 * What goes out for this delivery: content, with head in *head (kept by the courier until the
	 * transaction has ended). 1: the peer would refuse it, *why says so; -1 with *e set: it cannot be
	 * sent now. Nothing has been said to the peer then.
	 */
	int (*content)(const struct session *, const struct delivery *, struct smtp_content *,
	    struct str *head, struct outcome *why, struct err *e);
	/* The reverse-path to give, local@domain, added to the empty *out; left empty, as the function
	 * may be NULL: the application's own. */
	void (*from)(const struct session *, const struct delivery *, struct str *out);
	/* NULL: nothing to add. What was said of a recipient, before it is reported. */
	void (*judge)(const struct session *, const struct delivery *, struct outcome *);
};

/* NULL for a path that opens no connection (discard, hold, reject). */
const struct path_class *path_class(enum path_kind);
/* How long the peer bears a session without work, ms; INT64_MAX: nobody knows of a limit. */
int64_t path_idle_most(const struct config_path *);

/*
 * Whether a path of that kind can carry the recipient at all; false with *why, a permanent outcome.
 * Irregular and non-ASCII local parts never go to SES: one bad recipient fails the whole message
 * there, and so spends the account's reputation.
 */
bool path_carries(enum path_kind, const struct recipient *, struct outcome *why);

extern const struct path_class path_mta;
extern const struct path_class path_ses; /* router/ses/path_ses.c */

#endif
