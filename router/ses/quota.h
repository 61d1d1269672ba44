/*
 * quota.h - what each ses path may still send: recipients per second and in any 24 hours.
 *
 * The rate is the account's (GetAccount) or the settings', the lower one. The 24-hour window is exact however long
 * a submission takes (pace.h), counts recipients, survives restarts, and yields to what AWS says was sent when
 * others use the account too. Simulator addresses count for the rate alone. What is left near the end of the
 * quota is for transactional mail. Core thread only.
 */
#ifndef ROUTER_SES_QUOTA_H
#define ROUTER_SES_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mta/base/str.h"
#include "router/ses/account.h"

struct config;
struct core;
struct quota;
struct quotas;

struct quotas *quotas_new(struct core *);
void quotas_free(struct quotas **);
/* Reads what is kept; before the store's first request. */
void quotas_load(struct quotas *);
/* Settings have changed, or are there at all: limits are those of core->config. */
void quotas_configure(struct quotas *);

/* News of an account: as its answer, or, with `trouble` set and `at` as before, that there was none. Lanes are woken. */
void quotas_account(struct quotas *, const char *path, const struct ses_account *);
/* SES says that the day's quota is spent, whatever we know: nothing leaves until GetAccount says otherwise or
 * an hour has gone. Nothing where the account is not seen: then the path is probed as after other faults. */
void quotas_spent(struct quotas *, const char *path);

/*
 * How many recipients may leave by that path now; *at: when to ask again, mono ms, when it is 0: INT64_MAX: when
 * something has come back, or the account is better, either of which wakes the lanes. UINT_MAX: no limit, or not
 * a ses path.
 */
unsigned quotas_room(struct quotas *, const char *path, bool transactional, int64_t now, int64_t *at);

/* Mail on its way; the caller's from quotas_start to quotas_end. */
struct quota_ticket {
	TAILQ_ENTRY(quota_ticket) link;
	struct quota *quota;          /* NULL: the path has none */
	uint64_t second, day;
	unsigned n;
	bool counted;                 /* in the day's window: no simulator address */
};
/* n leave. `scale`: of the rate, as the lane's AIMD has it. */
void quotas_start(struct quotas *, const char *path, unsigned n, bool simulator, double scale,
    int64_t now, struct quota_ticket *);
void quotas_end(struct quota_ticket *, int64_t now);

/* Once a second: paths that the account or the quota has closed or opened since are told to the lanes. */
void quotas_review(struct quotas *, int64_t now);

/* Why mail waits by the quota, added to *why. False: it does not. */
bool quotas_why(struct quotas *, const char *path, bool transactional, int64_t now, struct str *why);

struct quota_row {
	const char *path;
	struct ses_account account;   /* at 0: not known */
	double rate;                  /* in force, recipients/s; 0: no limit */
	uint64_t quota;               /* in force for 24 hours; 0: no limit */
	uint64_t used;                /* of it, by us or as AWS says, the higher one */
	bool bulk_waits, spent;
	const char *closed;           /* why the account closes the path; NULL */
};
void quotas_each(struct quotas *, int64_t now, void (*each)(void *arg, const struct quota_row *), void *arg);

/* Whether that address is SES's mailbox simulator. */
bool ses_is_simulator(const char *address);

#endif
