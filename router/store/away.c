/*
 * away.c - what the store does while its database is away.
 *
 * A connection that breaks is made again at once, and the group is tried again:
 * nobody notices. When that does not help within GRACE the database is away.
 * Then requests are refused as they come, settlements wait, and the committer
 * looks now and then whether it is back.
 *
 *	there -- STORE_AWAY, and not back within GRACE --> away
 *	away  -- a transaction has been committed --> there
 *
 * A group whose commit may have happened is answered when that is known, and
 * nothing else is tried before.
 */
#include "router/store/store_int.h"

#include "mta/base/clock.h"
#include "mta/base/log.h"

#include <time.h>

#define GRACE 3000 /* ms until the database is said to be away */
#define TRIES 8	   /* of one group, one after the other */
#define LOOK  50   /* ms between looks for a connection, or for a verdict */
#define RETRY                                                                  \
	500 /* ms until what a database refused that is there is tried again   \
	     */
#define CLOSING 5000 /* ms at the end for a verdict */

static void
sleep_ms(int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Not the same for each node: they may have stood in each other's way. */
static int64_t
short_while(unsigned tries)
{
	return 1 + clock_wall() % (5 << tries);
}

static void
go_away(struct store *s, const struct err *why)
{
	s->away_why = *why;
	if (s->away)
		return;
	s->away = true;
	s->away_since = clock_mono();
	log_text(LOG_ERROR, "database-away",
	    "new mail is refused, what was sent is recorded later: %s",
	    why->text);
	store_tell_changes(s, STORE_WENT_AWAY);
}

void
away_is_over(struct store *s)
{
	if (!s->away)
		return;
	s->away = false;
	log_text(LOG_WARN, "database-back", "the database was away for %lld ms",
	    (long long)(clock_mono() - s->away_since));
	store_tell_changes(s, STORE_CAME_BACK);
}

/* -- in doubt ----------------------------------------------------------------
 */

enum verdict { UNDECIDED, HAPPENED, DID_NOT_HAPPEN };

/* What did not happen is in front of *list, to be tried again. */
static enum verdict
decide(struct store *s, struct task_list *list, int64_t ms, struct err *why)
{
	enum store_status st = s->ops->come_back(s->engine, ms, why);

	if (st == STORE_OK)
		st = s->ops->resolve(s->engine, why);
	if (st == STORE_OK) {
		commit_happened(s, &s->doubt);
		return HAPPENED;
	}
	if (st != STORE_REJECTED)
		return UNDECIDED;
	commit_did_not_happen(s, &s->doubt);
	STAILQ_CONCAT(&s->doubt, list);
	STAILQ_CONCAT(list, &s->doubt);
	return DID_NOT_HAPPEN;
}

static enum verdict
decide_within(
    struct store *s, struct task_list *list, int64_t ms, struct err *why)
{
	int64_t until = clock_mono() + ms;
	enum verdict v;

	while ((v = decide(s, list, ms, why)) == UNDECIDED &&
	       (ms = until - clock_mono()) > 0)
		sleep_ms(ms < LOOK ? ms : LOOK);
	return v;
}

void
away_close(struct store *s)
{
	static const struct err unknown = {
		.text = "nobody knows whether it happened"
	};
	struct task_list again = STAILQ_HEAD_INITIALIZER(again);
	struct err why = s->away_why;

	if (s->engine->in_doubt)
		decide_within(s, &again, CLOSING, &why);
	store_refuse(&s->doubt, ~0u, STORE_FAILED, &unknown);
	store_refuse(&again, ~0u, STORE_AWAY, &why);
}

/* -- failures ----------------------------------------------------------------
 */

/* Settlements wait, all else is told. */
static void
keep(struct store *s, struct task_list *list)
{
	store_refuse(list, ~(1u << STORE_SETTLE), STORE_AWAY, &s->away_why);
	STAILQ_CONCAT(&s->stuck, list);
}

static bool
is_to_be_done_again(struct store *s, struct task_list *list, struct err *why)
{
	enum verdict v;

	STAILQ_CONCAT(&s->doubt, list);
	v = decide_within(s, list, s->away ? 0 : GRACE, why);
	if (v == UNDECIDED) {
		go_away(s, why);
		s->retry_at = clock_mono() + LOOK;
	}
	return v == DID_NOT_HAPPEN;
}

bool
away_try_again(
    struct store *s, struct task_list *list, unsigned tries, struct err *why)
{
	bool there = s->engine->again;

	if (s->engine->in_doubt)
		return is_to_be_done_again(s, list, why);
	if (!there && !s->away)
		there = s->ops->come_back(s->engine, GRACE, why) == STORE_OK;
	if (there && tries < TRIES) {
		sleep_ms(short_while(tries));
		return true;
	}
	go_away(s, why);
	keep(s, list);
	s->retry_at = clock_mono() + RETRY;
	return false;
}

/* -- while it is away -------------------------------------------------------
 */

static void
take_stuck(struct store *s, struct task_list *list)
{
	struct task *t;

	for (int n = 0; n < STORE_GROUP_MAX; n++) {
		t = STAILQ_FIRST(&s->stuck);
		if (t == NULL)
			break;
		STAILQ_REMOVE_HEAD(&s->stuck, link);
		STAILQ_INSERT_TAIL(list, t, link);
	}
}

/* What waits, and first what is in *list. Without any of that an empty
 * transaction tells whether the database is back. */
static void
try_all(struct store *s, struct task_list *list)
{
	do {
		take_stuck(s, list);
		commit_group(s, list);
	} while (!s->away && !STAILQ_EMPTY(&s->stuck));
}

void
away_run(struct store *s, struct task_list *list)
{
	struct err why = s->away_why;
	bool there;

	keep(s, list);
	if (clock_mono() < s->retry_at)
		return;
	if (s->engine->in_doubt)
		there = decide(s, list, 0, &why) != UNDECIDED;
	else
		there = s->ops->come_back(s->engine, 0, &why) == STORE_OK;
	s->away_why = why;
	s->retry_at = clock_mono() + LOOK;
	if (there)
		try_all(s, list);
}
