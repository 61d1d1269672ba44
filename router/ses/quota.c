/*
 * quota.c - what each ses path may still send: recipients per second and in any
 * 24 hours.
 *
 * Of each path there is a pace by the second, as SES counts: by what it is
 * asked; and one by the day, whose recipients count from their start until 24
 * hours after their end, so that no window measured at SES holds more than the
 * quota. SES counts for us what others send by the account: what its
 * SentLast24Hours has more than we do is theirs, and taken off.
 *
 * Where several nodes share the store both limits hold for all of them together
 * (share.h): what all have sent in 24 hours is known there, and what may leave
 * here now is reserved for this node. SES's numbers are the whole account's, so
 * they are compared with those of all nodes, as of one moment.
 */
#include "router/ses/quota.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"
#include "router/core_int.h"
#include "router/keep.h"
#include "router/pace.h"

#define KIND	   "quota" /* in the store */
#define DAY	   (INT64_C(24) * 3600 * 1000)
#define SPENT	   3600000 /* ms that SES's word on a spent quota is believed */
#define FIRST_LOOK 10000   /* ms that mail waits for the first answer */
#define UNKNOWN	   1.0	   /* recipients/s of an account that tells nothing */
#define RATE_MOST  1e8	   /* recipients/s: what a pace can count */
#define RATE_LEAST 1e-5

struct quota {
	LIST_ENTRY(quota) link;
	struct quotas *quotas;
	char *name;
	const struct config_path
	    *path; /* of the configuration in force; NULL: gone */
	struct ses_account account;
	int64_t began; /* mono ms: known since */
	struct pace second, day;
	/* This node's part of both; NULL: it is alone. */
	struct shared *second_part, *day_part;
	bool told_is_news; /* SES's count is, and our nodes' own is asked for */
	double rate;	 /* in force */
	uint64_t others; /* recipients of the last 24 hours that are not ours */
	/* Of ours, those that a lower quota had no place for: they count again
	 * when it is higher than that. */
	uint64_t lost;
	unsigned lost_by;   /* the lowest such quota */
	int64_t lost_until; /* mono ms */
	int64_t spent_until; /* mono ms: SES has said so; 0 */
	TAILQ_HEAD(, quota_ticket) out;
	char *kept; /* text from the store, until the day's pace is known */
	char *shut; /* why the lanes were told that the path is closed; NULL:
		       open */
};

struct quotas {
	struct core *core;
	LIST_HEAD(, quota) list;
	int64_t reviewed; /* mono ms */
};

bool
ses_is_simulator(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL && strcasecmp(at + 1, "simulator.amazonses.com") == 0;
}

static struct quota *
find(const struct quotas *qs, const char *path)
{
	struct quota *q;

	LIST_FOREACH(q, &qs->list, link)
	if (strcmp(q->name, path) == 0)
		return q;
	return NULL;
}

/* In force, or NULL: the path has none. */
static struct quota *
quota_of(const struct quotas *qs, const char *path)
{
	struct quota *q = find(qs, path);

	return q != NULL && q->path != NULL ? q : NULL;
}

/* -- other nodes ----------------------------------------------------------- */

static void count_others(struct quota *q, int64_t now);

static uint64_t
second_demand(void *arg)
{
	const struct quota *q = arg;

	return q->shut != NULL || q->path == NULL
		   ? 0
		   : lanes_path_waiting(q->quotas->core->lanes, q->name);
}

/* One that is shut would send nothing, but is to know when it may. */
static uint64_t
day_demand(void *arg)
{
	const struct quota *q = arg;

	if (q->path == NULL)
		return 0;
	return q->shut != NULL
		   ? 1
		   : lanes_path_waiting(q->quotas->core->lanes, q->name);
}

static void
on_changed(void *arg)
{
	struct quota *q = arg;

	if (q->told_is_news)
		count_others(q, clock_mono());
	q->told_is_news = false;
	if (q->path != NULL && q->shut == NULL)
		lanes_wake(q->quotas->core->lanes);
}

static struct shared *
join(struct quota *q, const char *what, uint64_t (*demand)(void *))
{
	const struct share_user user = { demand, on_changed, q };
	struct str name = STR_INIT;
	struct shared *s;

	str_addf(&name, "ses %s %s", q->name, what);
	s = shares_join(q->quotas->core->shares, name.data, &user);
	str_release(&name);
	return s;
}

static struct quota *
get(struct quotas *qs, const char *path)
{
	struct quota *q = find(qs, path);

	if (q != NULL)
		return q;
	q = xcalloc(1, sizeof(*q));
	q->quotas = qs;
	q->name = xstrdup(path);
	q->began = clock_mono();
	q->day.bursts = true;
	q->second_part = join(q, "rate", second_demand);
	q->day_part = join(q, "quota", day_demand);
	TAILQ_INIT(&q->out);
	LIST_INSERT_HEAD(&qs->list, q, link);
	return q;
}

/* -- its life -------------------------------------------------------------- */

struct quotas *
quotas_new(struct core *core)
{
	struct quotas *qs = xcalloc(1, sizeof(*qs));

	qs->core = core;
	LIST_INIT(&qs->list);
	return qs;
}

void
quotas_free(struct quotas **qsp)
{
	struct quotas *qs = *qsp;
	struct quota *q;

	if (qs == NULL)
		return;
	while ((q = LIST_FIRST(&qs->list)) != NULL) {
		LIST_REMOVE(q, link);
		shares_part(&q->second_part);
		shares_part(&q->day_part);
		pace_clear(&q->second);
		pace_clear(&q->day);
		free(q->kept);
		free(q->shut);
		free(q->name);
		free(q);
	}
	free(qs);
	*qsp = NULL;
}

/* -- the day's window, kept ------------------------------------------------ */

static void
take_kept(void *arg, const struct kept *k)
{
	struct quota *q = get(arg, k->key);

	free(q->kept);
	q->kept = xstrdup(k->value);
}

void
quotas_load(struct quotas *qs)
{
	/* Where other nodes are, what was sent counts in the store. */
	if (qs->core->shares == NULL)
		store_each_kept(qs->core->store, KIND, take_kept, qs);
	quotas_configure(qs);
}

/* Ahead of what leaves: the store is told before the delivery is, see keep.h.
 */
static void
keep(struct quota *q, int64_t now)
{
	int64_t wall = clock_wall();
	struct str text = STR_INIT;

	if (q->day_part != NULL || !pace_opened(&q->day))
		return;
	pace_write(&q->day, wall - now, &text);
	keep_put(q->quotas->core, KIND, q->name, text.data, wall + 2 * DAY,
	    NULL, NULL);
	str_release(&text);
}

/* Until the last of them is a day old. */
static void
note_lost(struct quota *q, unsigned held, int64_t now)
{
	unsigned left = pace_held(&q->day, now);

	if (left >= held)
		return;
	if (now >= q->lost_until) {
		q->lost = 0;
		q->lost_by = UINT_MAX;
	}
	q->lost += held - left;
	if (q->day.count < q->lost_by)
		q->lost_by = q->day.count;
	q->lost_until = now + DAY;
}

static uint64_t
lost_now(const struct quota *q, int64_t now)
{
	uint64_t more =
	    q->day.count > q->lost_by ? q->day.count - q->lost_by : 0;

	if (now >= q->lost_until)
		return 0;
	return q->lost < more ? q->lost : more;
}

/* Recipients of the last 24 hours, by this node or, where there are others, by
 * all. */
static uint64_t
ours(const struct quota *q, int64_t now)
{
	uint64_t used;

	if (q->day_part == NULL)
		return pace_held(&q->day, now) + lost_now(q, now);
	return shared_used(q->day_part, &used) ? used : 0;
}

static void
set_day(struct quota *q, double most)
{
	unsigned count = most <= 0	   ? 0
			 : most >= INT_MAX ? 0 /* as good as none */
			 : most < 1	   ? 1
					   : (unsigned)most;
	struct quota_ticket *t;
	int64_t now = clock_mono();
	unsigned held = pace_held(&q->day, now);

	if (!pace_set(&q->day, count, DAY, false))
		return;
	TAILQ_FOREACH(t, &q->out, link)
	if (t->counted && q->day_part == NULL)
		pace_resume(&q->day, t->day, t->n);
	note_lost(q, held, now);
	if (q->kept == NULL || count == 0)
		return;
	pace_read(&q->day, q->kept, now, clock_wall() - now);
	free(q->kept);
	q->kept = NULL;
}

/* -- limits ---------------------------------------------------------------- */

/* The lower of two limits, of which 0 and less mean none. */
static double
lower(double a, double b)
{
	if (a <= 0 || b <= 0)
		return a > b ? a : b;
	return a < b ? a : b;
}

static bool
is_watched(const struct quota *q)
{
	return q->path->account_check > 0;
}

static bool
is_slowed(const struct quota *q)
{
	return q->account.enforcement == SES_PROBATION &&
	       q->path->probation == PROBATION_SLOW;
}

static double
rate_now(const struct quota *q)
{
	double rate = q->path->rate;

	if (q->account.at > 0)
		rate = lower(rate, q->account.rate);
	else if (is_watched(q) && rate <= 0)
		rate = UNKNOWN;
	return is_slowed(q) ? rate / 2 : rate;
}

/* A rate may have a fraction. */
static void
set_rate(struct quota *q, double rate)
{
	q->rate = rate;
	if (rate > RATE_MOST)
		rate = RATE_MOST;
	if (rate > 0 && rate < RATE_LEAST)
		rate = RATE_LEAST;
	if (rate >= 1 && rate <= (unsigned)rate)
		pace_set(&q->second, (unsigned)rate, 1000, true);
	else if (rate >= 0.1)
		pace_set(&q->second, (unsigned)(rate * 10), 10000, true);
	else if (rate > 0)
		pace_set(&q->second, 1, (int64_t)(1000 / rate), true);
	else
		pace_set(&q->second, 0, 0, true);
}

/* What others than our nodes use of the account is not ours to divide. */
static void
set_parts(struct quota *q)
{
	uint64_t most = q->day.count;
	int64_t now = clock_mono();

	if (most > 0)
		most = most > q->others ? most - q->others : 1;
	shared_set(q->second_part, q->second.count, q->second.period, now);
	shared_set(q->day_part, most, DAY, now);
}

static void
set_limits(struct quota *q)
{
	double most = q->path->quota;

	set_rate(q, rate_now(q));
	if (q->account.at > 0)
		most = lower(most, q->account.max_24_hours);
	/* What the store has kept is not forgotten for want of an answer. */
	if (most > 0 || q->account.at > 0 || !is_watched(q))
		set_day(q, most);
	set_parts(q);
}

/* What it said once would hold for ever when nobody looks any more. */
static void
forget_account(struct quota *q)
{
	memset(&q->account, 0, sizeof(q->account));
	q->others = 0;
	q->spent_until = 0;
}

void
quotas_configure(struct quotas *qs)
{
	const struct config *config = qs->core->config;
	struct quota *q;

	LIST_FOREACH(q, &qs->list, link)
	q->path = NULL;
	for (size_t i = 0; i < config->npaths; i++) {
		if (config->paths[i].kind != PATH_SES)
			continue;
		q = get(qs, config->paths[i].name);
		q->path = &config->paths[i];
		if (!is_watched(q))
			forget_account(q);
		set_limits(q);
	}
}

/* -- the account ----------------------------------------------------------- */

static const char *
closed_by_account(const struct quota *q)
{
	if (q->account.at == 0)
		return NULL;
	if (q->account.enforcement == SES_PROBATION &&
	    q->path->probation == PROBATION_STOP)
		return "SES has the account under review (PROBATION), and "
		       "probation = stop";
	return ses_account_closed(&q->account);
}

/* What SES has counted more than we have is others'. It hears of ours a little
 * later than we do, so that less means nothing. */
static void
count_others(struct quota *q, int64_t now)
{
	double more = q->account.sent_24_hours - (double)ours(q, now);

	q->others = more > 0 ? (uint64_t)more : 0;
	set_parts(q);
}

/* The count of all nodes may be old: it is asked for first. */
static void
judge_others(struct quota *q, int64_t now)
{
	q->told_is_news = q->day_part != NULL && q->day.count > 0;
	if (q->told_is_news)
		shared_ask(q->day_part);
	else
		count_others(q, now);
}

void
quotas_account(
    struct quotas *qs, const char *path, const struct ses_account *news)
{
	struct quota *q = quota_of(qs, path);

	if (q == NULL)
		return;
	q->account = *news;
	set_limits(q);
	if (news->trouble[0] == '\0') {
		judge_others(q, clock_mono());
		if (q->account.max_24_hours < 0 ||
		    q->account.sent_24_hours + 1 <= q->account.max_24_hours)
			q->spent_until = 0;
	}
	q->quotas->reviewed = 0;
	quotas_review(qs, clock_mono());
	lanes_wake(qs->core->lanes);
	core_wake(qs->core);
}

void
quotas_spent(struct quotas *qs, const char *path)
{
	struct quota *q = quota_of(qs, path);

	/* Where no account is seen nobody would tell: the path is probed. */
	if (q == NULL || !is_watched(q) || q->account.at == 0)
		return;
	q->spent_until = clock_mono() + SPENT;
	qs->reviewed = 0;
}

/* -- what may leave -------------------------------------------------------- */

static uint64_t
reserve_of(const struct quota *q, bool transactional)
{
	return transactional
		   ? 0
		   : (uint64_t)(q->path->quota_reserve * q->day.count);
}

/* Recipients of the day that are left for mail of that class, of all nodes. */
static uint64_t
day_left(const struct quota *q, bool transactional, int64_t now)
{
	uint64_t kept = q->others + reserve_of(q, transactional);
	uint64_t room = q->day.count;

	if (q->day.count == 0)
		return UINT_MAX;
	if (q->day_part != NULL) {
		kept += ours(q, now);
	} else {
		kept += lost_now(q, now);
		room = pace_room(&q->day, now);
	}
	return room > kept ? room - kept : 0;
}

/* And how many of them may leave here now. */
static uint64_t
day_room(const struct quota *q, bool transactional, int64_t now)
{
	uint64_t left = day_left(q, transactional, now);
	uint64_t part = left > 0 ? shared_room(q->day_part, now) : 0;

	return part < left ? part : left;
}

static unsigned
second_room(const struct quota *q, int64_t now)
{
	unsigned room = pace_room(&q->second, now);
	uint64_t part = shared_room(q->second_part, now);

	return part < room ? (unsigned)part : room;
}

static int64_t
second_open_at(const struct quota *q, int64_t now)
{
	int64_t at = pace_open_at(&q->second, now);
	int64_t part = shared_open_at(q->second_part, now);

	return part > at ? part : at;
}

/* A rate is spaced by the part of it that is this node's. */
static double
part_of_rate(const struct quota *q, int64_t now)
{
	uint64_t reserved = shared_reserved(q->second_part, now);

	return reserved > 0 && reserved < q->second.count
		   ? (double)reserved / q->second.count
		   : 1;
}

/* Mail waits a moment for what the account allows. */
static bool
is_undecided(const struct quota *q, int64_t now)
{
	return is_watched(q) && q->account.at == 0 &&
	       q->account.trouble[0] == '\0' && now < q->began + FIRST_LOOK;
}

unsigned
quotas_room(struct quotas *qs, const char *path, bool transactional,
    int64_t now, int64_t *at)
{
	const struct quota *q = quota_of(qs, path);
	uint64_t day;
	unsigned second;

	if (q == NULL)
		return UINT_MAX;
	*at = INT64_MAX;
	if (is_undecided(q, now)) {
		*at = now + 100;
		return 0;
	}
	if (q->shut != NULL)
		return 0;
	day = day_room(q, transactional, now);
	second = second_room(q, now);
	if (day == 0)
		*at = now + 1000; /* others' share is news as well */
	else if (second == 0)
		*at = second_open_at(q, now);
	return day < second ? (unsigned)day : second;
}

static void
start_day(struct quota_ticket *t, unsigned n, int64_t now)
{
	if (t->quota->day_part == NULL)
		t->day = pace_start(&t->quota->day, n, now, 1);
	else
		shared_start(t->quota->day_part, n);
}

void
quotas_start(struct quotas *qs, const char *path, unsigned n, bool simulator,
    double scale, int64_t now, struct quota_ticket *t)
{
	*t = (struct quota_ticket){
		.quota = quota_of(qs, path), .n = n, .counted = !simulator
	};
	if (t->quota == NULL)
		return;
	t->second = pace_start(&t->quota->second, n, now,
	    scale * part_of_rate(t->quota, now));
	shared_start(t->quota->second_part, n);
	if (t->counted)
		start_day(t, n, now);
	TAILQ_INSERT_TAIL(&t->quota->out, t, link);
	keep(t->quota, now);
}

void
quotas_end(struct quota_ticket *t, int64_t now)
{
	if (t->quota == NULL)
		return;
	TAILQ_REMOVE(&t->quota->out, t, link);
	pace_end(&t->quota->second, t->second, t->n, now);
	shared_end(t->quota->second_part, t->n, now);
	if (t->counted && t->quota->day_part == NULL)
		pace_end(&t->quota->day, t->day, t->n, now);
	else if (t->counted)
		shared_end(t->quota->day_part, t->n, now);
	t->quota = NULL;
}

/* -- closed and open ------------------------------------------------------- */

static bool
is_spent(const struct quota *q, int64_t now)
{
	return now < q->spent_until || day_left(q, true, now) == 0;
}

static const char *
why_shut(const struct quota *q, int64_t now)
{
	const char *why = closed_by_account(q);

	if (why == NULL && is_spent(q, now))
		why = "the quota of 24 hours is spent";
	return why;
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
review(struct quota *q, int64_t now)
{
	const char *why = q->path != NULL ? why_shut(q, now) : NULL;

	if (same(why, q->shut))
		return;
	free(q->shut);
	q->shut = why != NULL ? xstrdup(why) : NULL;
	lanes_shut(q->quotas->core->lanes, q->name, q->shut);
	core_paths_changed(q->quotas->core);
}

void
quotas_review(struct quotas *qs, int64_t now)
{
	struct quota *q;

	if (qs->reviewed > 0 && now < qs->reviewed + 1000)
		return;
	qs->reviewed = now;
	LIST_FOREACH(q, &qs->list, link)
	{
		review(q, now);
		/* When it may send again is told by the store alone. */
		if (q->shut != NULL && q->day.count > 0)
			shared_ask(q->day_part);
	}
}

/* -- for people ------------------------------------------------------------ */

bool
quotas_why(struct quotas *qs, const char *path, bool transactional, int64_t now,
    struct str *why)
{
	const struct quota *q = quota_of(qs, path);

	if (q == NULL || q->shut != NULL)
		return false;
	if (is_undecided(q, now))
		str_adds(why, "waiting for what the account allows");
	else if (day_left(q, transactional, now) == 0)
		str_addf(why,
		    "waiting: %.0f %% of the quota of 24 hours is kept for "
		    "transactional mail",
		    q->path->quota_reserve * 100);
	else
		return false;
	return true;
}

static void
fill_row(const struct quota *q, int64_t now, struct quota_row *row)
{
	*row = (struct quota_row){
		.path = q->name,
		.account = q->account,
		.rate = q->rate,
		.quota = q->day.count,
		.used = ours(q, now) + q->others,
		.spent = is_spent(q, now),
		.bulk_waits = day_left(q, false, now) == 0,
		.closed = q->shut,
	};
}

void
quotas_each(struct quotas *qs, int64_t now,
    void (*each)(void *, const struct quota_row *), void *arg)
{
	struct quota_row row;
	struct quota *q;

	LIST_FOREACH(q, &qs->list, link)
	{
		if (q->path == NULL)
			continue;
		fill_row(q, now, &row);
		each(arg, &row);
	}
}
