/*
 * settle_int.h - inside the settler: one recipient's settlement on its way.
 *
 *	settle.c         what becomes of an attempt, and all other ends
 *	settle_notice.c  the DSN that goes with it, and the body that a DSN quotes
 *	settle_list.c    what it does to the suppression list; how long it is remembered
 *	settle_batch.c   to the store, together with others, and let go
 *	settle_log.c     its line in the log
 */
#ifndef ROUTER_SETTLE_INT_H
#define ROUTER_SETTLE_INT_H

#include "router/core_int.h"
#include "router/dsn.h"
#include "router/ses/replies.h"
#include "router/session.h"
#include "router/settle.h"

struct body;

struct settler {
	struct core *core;
	struct settlement_list gathered;
	unsigned pending; /* jobs that are not done, gathered ones included */
};

/* One recipient's settlement and what its log line will say. */
struct job {
	struct settlement s;
	struct settler *settler;
	struct recipient *r;
	const char *event; /* name of the log line; NULL: none */
	struct outcome outcome;
	const char *status, *reason;
	char peer[PEER_TEXT_MAX], tls[64], remote_id[SES_ID_MAX];
	int64_t queued, connecting, talking; /* ms */
	enum dsn_kind dsn;
	bool wants_dsn;
	struct body *body;
	struct store_begin fetch;
	struct suppress_cause suppress;
	char *evidence; /* of suppress */
};

struct job *job_new(struct settler *, struct recipient *, enum settle_as);
/* The path that tried it: the session's, which a reload may have taken out of the configuration meanwhile. */
enum path_kind job_path(const struct job *, const struct delivery *);

/* It wants that DSN if its sender does. */
void job_want_dsn(struct job *, enum dsn_kind);
/* With its body at hand, or asked for, when a DSN is to quote it. */
void job_submit(struct job *, const struct delivery *);
/* Complete: goes with the next batch. */
void job_gather(struct job *);

/* It was refused for good for that reason, by whom it was sent to. */
void job_suppress(struct job *, enum path_kind);
/* Feedback of it may come. */
void job_remember(struct job *);

void job_log(const struct job *);

#endif
