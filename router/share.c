/*
 * share.c - the budgets that this node shares with others, and the questions
 * that it asks the store about them.
 *
 * One question is under way at a time, of at most AT_ONCE budgets: those that
 * are due, and those that soon will be. What a budget is, is in budget.c.
 */
#include "router/share.h"

#include "mta/base/alloc.h"
#include "mta/base/map.h"
#include "router/budget.h"
#include "router/core_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#define AT_ONCE	 128
#define TOGETHER 200  /* ms: who is due so soon goes along */
#define SWEEP	 1000 /* ms between looks for what nobody needs */

struct shared {
	TAILQ_ENTRY(shared) link;
	struct shares *shares;
	char *name;
	struct budget budget;
	struct share_user user;
	bool has_user;
	int64_t starved_since; /* mono ms; 0: there was room */
};

struct shares {
	struct core *core;
	struct map *by_name;
	TAILQ_HEAD(shared_list, shared) list;
	int64_t next; /* mono ms: nothing is due before */
	int64_t swept;
	int64_t leaving; /* mono ms; 0: not */
	uint32_t chance;
	bool asking;
	struct store_share question;
	struct share share[AT_ONCE];
	struct shared *asked[AT_ONCE];
};

/* -- its life -------------------------------------------------------------- */

struct shares *
shares_new(struct core *core)
{
	struct shares *ss;

	if (!store_is_shared(core->store))
		return NULL;
	ss = xcalloc(1, sizeof(*ss));
	ss->core = core;
	ss->by_name = map_new();
	TAILQ_INIT(&ss->list);
	if (getrandom(&ss->chance, sizeof(ss->chance), GRND_NONBLOCK) < 0)
		ss->chance = (uint32_t)store_epoch(core->store);
	return ss;
}

static void
forget(struct shares *ss, struct shared *s)
{
	TAILQ_REMOVE(&ss->list, s, link);
	map_remove(ss->by_name, s->name);
	budget_clear(&s->budget);
	free(s->name);
	free(s);
}

void
shares_free(struct shares **ssp)
{
	struct shares *ss = *ssp;
	struct shared *s;

	if (ss == NULL)
		return;
	while ((s = TAILQ_FIRST(&ss->list)) != NULL)
		forget(ss, s);
	map_free(&ss->by_name);
	free(ss);
	*ssp = NULL;
}

static void
sweep(struct shares *ss, int64_t now)
{
	struct shared *s, *next;

	if (now < ss->swept + SWEEP)
		return;
	ss->swept = now;
	for (s = TAILQ_FIRST(&ss->list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (!s->has_user && budget_is_idle(&s->budget, now))
			forget(ss, s);
	}
}

/* -- users ----------------------------------------------------------------- */

struct shared *
shares_join(struct shares *ss, const char *name, const struct share_user *user)
{
	struct shared *s;

	if (ss == NULL)
		return NULL;
	s = map_get(ss->by_name, name);
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->shares = ss;
		s->name = xstrdup(name);
		budget_init(&s->budget);
		map_put(ss->by_name, s->name, s);
		TAILQ_INSERT_TAIL(&ss->list, s, link);
	}
	s->user = *user;
	s->has_user = true;
	return s;
}

/* It stays until it is known in the store that nothing is wanted any more. */
void
shares_part(struct shared **sp)
{
	if (*sp != NULL)
		(*sp)->has_user = false;
	*sp = NULL;
}

static void
note_due(struct shared *s)
{
	int64_t due = budget_due(&s->budget);

	if (due < s->shares->next)
		s->shares->next = due;
}

void
shared_set(struct shared *s, uint64_t limit, int64_t period, int64_t now)
{
	if (s != NULL)
		budget_set(&s->budget, limit, period, now);
}

uint64_t
shared_room(struct shared *s, int64_t now)
{
	uint64_t room;

	if (s == NULL)
		return UINT64_MAX;
	room = budget_room(&s->budget, now);
	if (room > 0)
		s->starved_since = 0;
	else if (s->starved_since == 0)
		s->starved_since = now;
	if (room == 0)
		note_due(s);
	return room;
}

int64_t
shared_open_at(struct shared *s, int64_t now)
{
	return s != NULL ? budget_open_at(&s->budget, now) : now;
}

void
shared_start(struct shared *s, uint64_t n)
{
	if (s != NULL)
		budget_start(&s->budget, n);
}

void
shared_end(struct shared *s, uint64_t n, int64_t now)
{
	if (s != NULL)
		budget_end(&s->budget, n, now);
}

uint64_t
shared_reserved(const struct shared *s, int64_t now)
{
	if (s == NULL || s->budget.limit == 0)
		return UINT64_MAX;
	return now < s->budget.valid ? s->budget.reserved : 0;
}

void
shared_ask(struct shared *s)
{
	if (s == NULL)
		return;
	s->budget.is_short = true;
	note_due(s);
}

bool
shared_is_known(const struct shared *s)
{
	return s == NULL || s->budget.limit == 0 ||
	       budget_was_answered(&s->budget);
}

uint64_t
shared_others(const struct shared *s)
{
	return s != NULL ? s->budget.others : 0;
}

int64_t
shared_starved(const struct shared *s, int64_t now)
{
	return s != NULL && s->starved_since > 0 ? now - s->starved_since : 0;
}

bool
shared_used(const struct shared *s, uint64_t *used)
{
	if (s == NULL || !budget_was_answered(&s->budget))
		return false;
	*used = s->budget.used;
	return true;
}

/* -- questions ------------------------------------------------------------- */

/* What many nodes began at one moment does not stay together. */
static int64_t
some_of(struct shares *ss, int64_t ms)
{
	ss->chance = ss->chance * 1664525u + 1013904223u;
	return ms < INT64_MAX
		   ? ms - ms / 5 + ms / 5 * (ss->chance >> 16) / 32768
		   : ms;
}

static void
take_answer(struct shares *ss, struct shared *s, const struct share *answer)
{
	if (answer == NULL) {
		budget_no_answer(&s->budget);
		return;
	}
	budget_answer(&s->budget, answer);
	s->budget.again = some_of(ss, s->budget.again);
	if (s->has_user)
		s->user.changed(s->user.arg);
}

static void
on_answer(struct store_request *req)
{
	struct store_share *q = container_of(req, struct store_share, req);
	struct shares *ss = container_of(q, struct shares, question);

	ss->asking = false;
	ss->next = 0;
	for (size_t i = 0; i < q->n; i++)
		take_answer(ss, ss->asked[i],
		    req->status == STORE_OK ? &ss->share[i] : NULL);
	core_wake(ss->core);
}

static int
by_name(const void *a, const void *b)
{
	const struct shared *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void
ask(struct shares *ss, size_t n, int64_t now)
{
	uint64_t demand;

	qsort(ss->asked, n, sizeof(struct shared *), by_name);
	for (size_t i = 0; i < n; i++) {
		struct shared *s = ss->asked[i];

		demand = s->has_user && ss->leaving == 0
			     ? s->user.demand(s->user.arg)
			     : 0;
		budget_ask(&s->budget, demand, now, &ss->share[i]);
		ss->share[i].name = s->name;
		/* The next question begins with others. */
		TAILQ_REMOVE(&ss->list, s, link);
		TAILQ_INSERT_TAIL(&ss->list, s, link);
	}
	ss->asking = true;
	ss->question = (struct store_share){
		.req = { .reply_to = ss->core->inbox, .done = on_answer },
		.n = n,
		.shares = ss->share
	};
	store_share(ss->core->store, &ss->question);
}

static int64_t
due_of(const struct shares *ss, const struct shared *s)
{
	if (ss->leaving == 0)
		return budget_due(&s->budget);
	return budget_was_asked(&s->budget) && s->budget.asked < ss->leaving
		   ? ss->leaving
		   : INT64_MAX;
}

/* Those that are due or soon will be, when one is; and when the others are. */
static size_t
collect(struct shares *ss, int64_t now)
{
	int64_t first = INT64_MAX, others = INT64_MAX;
	struct shared *s;
	size_t n = 0;

	TAILQ_FOREACH(s, &ss->list, link)
	{
		int64_t due = due_of(ss, s);

		first = due < first ? due : first;
		if (due <= now + TOGETHER && n < AT_ONCE)
			ss->asked[n++] = s;
		else
			others = due < others ? due : others;
	}
	ss->next = first <= now ? others : first;
	return first <= now ? n : 0;
}

void
shares_run(struct shares *ss, int64_t now)
{
	size_t n;

	if (ss == NULL || ss->asking)
		return;
	sweep(ss, now);
	if (now < ss->next)
		return;
	n = collect(ss, now);
	if (n > 0)
		ask(ss, n, now);
}

bool
shares_stop(struct shares *ss, int64_t now)
{
	const struct shared *s;

	if (ss == NULL)
		return true;
	if (ss->leaving == 0) {
		ss->leaving = now;
		ss->next = 0;
	}
	shares_run(ss, now);
	if (ss->asking)
		return false;
	TAILQ_FOREACH(s, &ss->list, link)
	if (due_of(ss, s) <= now)
		return false;
	return true;
}

/* -- for people ------------------------------------------------------------ */

void
shares_each(struct shares *ss, int64_t now,
    void (*each)(void *, const struct shared_row *), void *arg)
{
	struct shared *s;

	if (ss == NULL)
		return;
	TAILQ_FOREACH(s, &ss->list, link)
	each(arg, &(struct shared_row){ .name = s->name,
		      .limit = s->budget.limit,
		      .reserved = shared_reserved(s, now),
		      .held = budget_held(&s->budget, now),
		      .others = s->budget.others,
		      .used = s->budget.used,
		      .period = s->budget.period });
}
