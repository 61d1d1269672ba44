/*
 * sources_warm.c - how much a new source may send, and what it has sent.
 *
 * What is stored about a source and a group is ahead of what has left: the
 * store is told before the delivery goes to its session, which asks the same
 * store before the final dot (keep.h). When the store refuses, nothing more
 * leaves until it has taken it.
 *
 * Where several nodes send from one source, its day to that group is a budget
 * of theirs (share.h), of a name that has the number of the day: what all of
 * them have sent counts.
 */
#include "router/sources_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/keep.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define KIND   "warm-up" /* in the store */
#define DAY    (INT64_C(86400) * 1000)
#define FORGET (90 * DAY) /* a source not used so long is new again */
#define BLOCKS 50	  /* in a day's allowance */
#define RETRY  1000	  /* ms until a store that refused is asked again */
#define SHARED                                                                 \
	(DAY + 3600 * 1000) /* of a day's budget: nodes agree on when it       \
			       begins, but for a moment */
#define LOOK 60 /* s between looks for a new day; the clock may jump */

/* clang-format off */
/* One source to one group. Whatever it was told stays in memory, so that the
 * store's answers find it. */
struct warm {
	TAILQ_ENTRY(warm) link;
	char *key;                  /* source, tab, group */
	const char *source, *group; /* source: its own; group: inside key */
	const char *plan;           /* interned; "" */
	bool used_up;               /* today; those who wait may be with another source */
	bool kept;                  /* sources_kept has met it */
	bool told, warm;            /* an operator has said so: that it is warm, else new */
	unsigned day;               /* from 1 */
	int64_t begin;              /* wall ms of its first recipient; 0: none yet */
	int64_t since;              /* wall ms: it has been new since an operator said so; 0: nobody has */
	unsigned sent, stored;      /* today */
	int64_t expires;            /* wall ms; 0: never */
	int64_t kept_at;            /* wall ms: when it was stored last */
	unsigned pending;           /* answers of the store to come */
	int64_t retry_at;           /* mono ms; 0: the store has taken all */
	struct sources *sources;
	struct shared *part;        /* this node's of today; NULL: it is alone, or was not asked yet */
	unsigned part_day, part_of; /* of that day, of so many */
	int64_t part_since;
};
/* clang-format on */

/* -- finding ------------------------------------------------------------- */

static const char *
key_of(struct sources *ss, const char *source, const char *group)
{
	str_clear(&ss->key);
	str_addf(&ss->key, "%s\t%s", source, group);
	return ss->key.data;
}

static void
begin_anew(struct warm *w)
{
	w->plan = "";
	w->told = w->warm = false;
	w->day = 1;
	w->begin = w->since = 0;
	w->sent = w->stored = 0;
	w->used_up = false;
	w->expires = 0;
}

static struct warm *
find(struct sources *ss, const char *source, const char *group)
{
	struct warm *w = map_get(ss->by_key, key_of(ss, source, group));

	if (w != NULL && w->expires != 0 && w->expires <= clock_wall())
		begin_anew(w);
	return w;
}

static void
warm_free(struct warm *w)
{
	shares_part(&w->part);
	free((void *)(uintptr_t)w->source);
	free(w->key);
	free(w);
}

static void
forget(struct sources *ss, struct warm *w)
{
	TAILQ_REMOVE(&ss->warms, w, link);
	map_remove(ss->by_key, w->key);
	warm_free(w);
}

/* Groups may be anybody's domains: those not used for long go. */
static void
sweep(struct sources *ss)
{
	int64_t now = clock_wall();
	struct warm *w, *next;

	if (clock_mono() < ss->swept + DAY)
		return;
	ss->swept = clock_mono();
	for (w = TAILQ_FIRST(&ss->warms); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->expires != 0 && w->expires <= now && w->pending == 0)
			forget(ss, w);
	}
}

static struct warm *
get(struct sources *ss, const char *source, const char *group)
{
	struct warm *w = find(ss, source, group);

	if (w != NULL)
		return w;
	sweep(ss);
	w = xcalloc(1, sizeof(*w));
	w->sources = ss;
	w->source = xstrdup(source);
	w->key = xstrdup(key_of(ss, source, group));
	w->group = w->key + strlen(source) + 1;
	begin_anew(w);
	map_put(ss->by_key, w->key, w);
	TAILQ_INSERT_TAIL(&ss->warms, w, link);
	return w;
}

static bool
is_known(const struct warm *w)
{
	return w != NULL && (w->told || w->day > 1 || w->begin != 0);
}

/* Whoever is new to one group may be warm to all others. */
static bool
is_called_warm(struct sources *ss, const struct warm *w, const char *source)
{
	if (!is_known(w))
		w = find(ss, source, "");
	return w != NULL && w->warm;
}

static void
note_used_up(struct sources *ss, struct warm *w)
{
	static const struct timeval look = { .tv_sec = LOOK };

	w->used_up = true;
	if (!evtimer_pending(ss->renewed, NULL))
		evtimer_add(ss->renewed, &look);
}

/* -- storing ------------------------------------------------------------- */

static void
on_kept(void *arg, const char *why)
{
	struct warm *w = arg;

	w->pending--;
	if (why == NULL && w->pending == 0)
		w->retry_at = 0;
	if (why == NULL)
		return;
	if (w->retry_at == 0)
		log_text(LOG_WARN, "warm_up",
		    "nothing leaves from '%s' to '%s' while it cannot be "
		    "recorded: %s",
		    w->source, w->group, why);
	w->retry_at = clock_mono() + RETRY;
}

static char *
value_of(const struct warm *w)
{
	json_t *o = w->warm ? json_pack("{s:b}", "warm", 1)
			    : json_pack("{s:i, s:I, s:I, s:i, s:s}", "day",
				  (int)w->day, "begin", (json_int_t)w->begin,
				  "since", (json_int_t)w->since, "sent",
				  (int)w->stored, "plan", w->plan);
	char *value = json_dumps(o, JSON_COMPACT);

	json_decref(o);
	return value;
}

static void
keep(struct sources *ss, struct warm *w, void (*done)(void *, const char *),
    void *arg)
{
	char *value = value_of(w);

	w->kept_at = clock_wall();
	w->expires = w->warm ? 0 : w->kept_at + FORGET;
	keep_put(ss->core, KIND, w->key, value, w->expires, done, arg);
	free(value);
}

static void
keep_progress(struct sources *ss, struct warm *w)
{
	w->pending++;
	keep(ss, w, on_kept, w);
}

static unsigned
whole_number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 && n <= INT_MAX ? (unsigned)n : 0;
}

static void
load(void *arg, const struct kept *k)
{
	struct sources *ss = arg;
	json_t *o = json_loads(k->value, 0, NULL);
	const char *plan = json_string_value(json_object_get(o, "plan"));
	size_t len = strcspn(k->key, "\t");
	char *source = xstrndup(k->key, len);
	struct warm *w;

	if (k->key[len] == '\t') {
		w = get(ss, source, k->key + len + 1);
		w->told = true;
		w->warm = json_is_true(json_object_get(o, "warm"));
		w->day = whole_number(o, "day");
		w->day += w->day == 0;
		w->begin = json_integer_value(json_object_get(o, "begin"));
		w->since = json_integer_value(json_object_get(o, "since"));
		w->sent = w->stored = whole_number(o, "sent");
		w->plan = plan != NULL ? intern(plan) : "";
		w->expires = k->expires;
		if (w->begin != 0)
			note_used_up(ss, w); /* it may be */
	}
	json_decref(o);
	free(source);
}

/* -- other nodes' part of a day ------------------------------------------ */

static uint64_t
part_demand(void *arg)
{
	const struct warm *w = arg;

	return lanes_source_waiting(
	    w->sources->core->lanes, w->source, w->group);
}

/* What others have sent may have used it up. */
static void
on_part_changed(void *arg)
{
	struct warm *w = arg;
	uint64_t used;

	if (!w->used_up && shared_used(w->part, &used) && used >= w->part_of) {
		note_used_up(w->sources, w);
		event_active(w->sources->used_up, EV_TIMEOUT, 1);
	}
	lanes_wake(w->sources->core->lanes);
}

/* Who is new again has another first day: what was sent on the one before does
 * not count in it. */
static bool
is_part_of_today(const struct warm *w)
{
	return w->part_day == w->day && w->part_since == w->since;
}

static struct shared *
part_of_day(struct warm *w, unsigned allowed)
{
	const struct share_user user = { part_demand, on_part_changed, w };
	struct str name = STR_INIT;

	if (w->part != NULL && !is_part_of_today(w))
		shares_part(&w->part);
	if (w->part == NULL) {
		str_addf(&name, "warm %s %lld %u", w->key, (long long)w->since,
		    w->day);
		w->part =
		    shares_join(w->sources->core->shares, name.data, &user);
		str_release(&name);
	}
	w->part_day = w->day;
	w->part_since = w->since;
	w->part_of = allowed;
	shared_set(w->part, allowed, SHARED, clock_mono());
	return w->part;
}

/* As far as this node knows. */
static unsigned
left_today(const struct warm *w, unsigned allowed)
{
	uint64_t used = 0;

	if (!is_part_of_today(w) || !shared_used(w->part, &used) ||
	    used < w->sent)
		used = w->sent;
	return used < allowed ? allowed - (unsigned)used : 0;
}

/* -- days ---------------------------------------------------------------- */

/* Brings it up to today. Returns what is allowed today; 0: there is no limit
 * any more. */
static unsigned
allowed_today(struct warm *w, const struct rules_warm_up *plan)
{
	int64_t now = clock_wall();

	/* The clock was set back: the day goes on, and no longer than one. */
	if (w->begin > now)
		w->begin = now;
	if (w->begin != 0 && now - w->begin >= DAY) {
		w->day++;
		w->begin = 0;
		w->sent = w->stored = 0;
	}
	return rules_warm_up_allowance(plan, w->day);
}

static void
tell(const struct warm *w, const struct rules_warm_up *plan, unsigned allowed,
    const char *what)
{
	struct logline l;

	if (!log_start(&l, LOG_INFO, "warm_up"))
		return;
	log_str(&l, "source", w->source);
	log_str(&l, "group", w->group);
	log_str(&l, "plan", plan->name);
	log_int(&l, "day", w->day);
	log_int(&l, "allowed", allowed);
	log_str(&l, "what", what);
	log_end(&l);
}

unsigned
sources_allowance(struct sources *ss, const char *source, const char *group,
    const struct rules_warm_up *plan, int64_t *again)
{
	struct warm *w;
	unsigned allowed;

	*again = clock_wall() + DAY;
	if (plan == NULL || source[0] == '\0')
		return UINT_MAX;
	w = find(ss, source, group);
	if (is_called_warm(ss, w, source))
		return UINT_MAX;
	if (w == NULL)
		return rules_warm_up_allowance(plan, 1);
	if (w->retry_at != 0 && w->pending == 0) {
		*again = clock_wall() + RETRY;
		if (clock_mono() >= w->retry_at)
			keep_progress(ss, w);
		return 0;
	}
	allowed = allowed_today(w, plan);
	if (allowed == 0)
		return UINT_MAX;
	if (w->begin != 0)
		*again = w->begin + DAY;
	return left_today(w, allowed);
}

unsigned
sources_room(struct sources *ss, const char *source, const char *group,
    const struct rules_warm_up *plan, int64_t now)
{
	int64_t again;
	unsigned left = sources_allowance(ss, source, group, plan, &again);
	struct warm *w;
	uint64_t part;

	if (left == 0 || left == UINT_MAX || ss->core->shares == NULL)
		return left;
	w = get(ss, source, group);
	part = shared_room(part_of_day(w, allowed_today(w, plan)), now);
	return part < left ? (unsigned)part : left;
}

/* A plan that is over: that the source is in use. */
static void
keep_alive(struct sources *ss, struct warm *w)
{
	if (clock_wall() - w->kept_at >= DAY || clock_wall() < w->kept_at)
		keep_progress(ss, w);
}

static void
spend(struct sources *ss, struct warm *w, const struct rules_warm_up *plan,
    unsigned allowed, unsigned n)
{
	unsigned block = allowed >= BLOCKS ? allowed / BLOCKS : 1;
	uint64_t ahead;

	if (w->begin == 0) {
		w->begin = clock_wall();
		tell(w, plan, allowed, "begun");
	}
	w->plan = intern(plan->name);
	w->sent = n < UINT_MAX - w->sent ? w->sent + n : UINT_MAX;
	shared_start(w->part, n);
	shared_end(w->part, n, clock_mono());
	if (w->sent > w->stored) {
		ahead = ((uint64_t)w->sent + block - 1) / block * block;
		if (ahead > allowed)
			ahead = w->sent > allowed ? w->sent : allowed;
		w->stored = (unsigned)ahead;
		keep_progress(ss, w);
	}
	if (w->sent >= allowed) {
		tell(w, plan, allowed, "used up");
		if (!plan->wait) {
			note_used_up(ss, w);
			event_active(ss->used_up, EV_TIMEOUT, 1);
		}
	}
}

void
sources_spend(struct sources *ss, const char *source, const char *group,
    const struct rules_warm_up *plan, unsigned n)
{
	struct warm *w;
	unsigned allowed;

	if (plan == NULL || source[0] == '\0' || n == 0)
		return;
	w = find(ss, source, group);
	if (is_called_warm(ss, w, source))
		return;
	if (w == NULL)
		w = get(ss, source, group);
	allowed = allowed_today(w, plan);
	if (allowed == 0)
		keep_alive(ss, w);
	else
		spend(ss, w, plan, allowed, n);
}

/* -- an operator's word -------------------------------------------------- */

/* All groups of the source, and what was said of the source itself. */
static void
forget_source(struct sources *ss, const char *source,
    void (*done)(void *, const char *), void *arg)
{
	struct warm *w;

	TAILQ_FOREACH(w, &ss->warms, link)
	{
		if (strcmp(w->source, source) != 0)
			continue;
		begin_anew(w);
		keep_put(ss->core, KIND, w->key, NULL, 0, NULL, NULL);
	}
	keep_put(ss->core, KIND, key_of(ss, source, ""), NULL, 0, done, arg);
}

void
sources_set_warm(struct sources *ss, const char *source, const char *group,
    bool warm, void (*done)(void *, const char *), void *arg)
{
	struct warm *w;

	if (group[0] == '\0')
		forget_source(ss, source, warm ? NULL : done, arg);
	if (warm || group[0] != '\0') {
		w = get(ss, source, group);
		begin_anew(w);
		w->told = true;
		w->warm = warm;
		w->since = warm ? 0 : clock_wall();
		keep(ss, w, done, arg);
	}
	core_pauses_changed(ss->core);
}

/* -- other nodes --------------------------------------------------------- */

/* A later state of it, by somebody else: an operator's word, or by whom the
 * source was used before it came here. What this node has sent stays counted.
 */
static bool
take_over(struct sources *ss, const struct kept *k)
{
	size_t len = strcspn(k->key, "\t");
	char *source = xstrndup(k->key, len);
	struct warm *w =
	    k->key[len] == '\t' ? get(ss, source, k->key + len + 1) : NULL;
	struct warm was;

	free(source);
	if (w == NULL)
		return false;
	was = *w;
	load(ss, k);
	w->kept = true;
	if (w->warm != was.warm || w->day != was.day || w->since != was.since ||
	    (w->begin == 0) != (was.begin == 0))
		return true;
	/* Of two that begin a day at once the earlier one counts. */
	if (was.begin < w->begin)
		w->begin = was.begin;
	/* What is stored is ahead of what was sent. */
	if (w->stored <= was.stored) {
		w->stored = was.stored;
		w->sent = was.sent;
	}
	return false;
}

void
sources_kept(struct core *c, const struct kept *kept, size_t n)
{
	struct sources *ss = c->sources;
	bool changed = false;
	struct warm *w;

	TAILQ_FOREACH(w, &ss->warms, link)
	w->kept = keep_is_ours(c, KIND, w->key) || w->pending > 0;
	for (size_t i = 0; i < n; i++) {
		w = map_get(ss->by_key, kept[i].key);
		if (w == NULL || !w->kept)
			changed |= take_over(ss, &kept[i]);
	}
	TAILQ_FOREACH(w, &ss->warms, link)
	if (!w->kept && is_known(w)) {
		begin_anew(w); /* an operator said that it is new */
		changed = true;
	}
	if (changed)
		core_pauses_changed(c);
}

/* -- for people ---------------------------------------------------------- */

static void
describe(struct sources *ss, struct warm *w, struct warm_row *row)
{
	const struct rules_warm_up *plan =
	    ruleset_warm_up(ss->core->config->rules, w->plan);

	*row = (struct warm_row){ .source = w->source,
		.group = w->group,
		.plan = plan != NULL ? plan->name : "",
		.warm = w->warm,
		.day = w->day };
	if (w->warm || plan == NULL)
		return;
	row->allowed = allowed_today(w, plan);
	row->day = w->day;
	row->sent = w->sent;
	row->warm = row->allowed == 0;
	row->again = w->begin != 0 ? w->begin + DAY : 0;
}

static int
by_source_and_group(const void *a, const void *b)
{
	const struct warm *const *x = a, *const *y = b;
	int order = strcmp((*x)->source, (*y)->source);

	return order != 0 ? order : strcmp((*x)->group, (*y)->group);
}

void
sources_each_warm(struct sources *ss,
    void (*each)(void *, const struct warm_row *), void *arg)
{
	size_t n = 0, i = 0;
	struct warm **all, *w;
	struct warm_row row;

	TAILQ_FOREACH(w, &ss->warms, link)
	n++;
	all = xcalloc(n + 1, sizeof(struct warm *));
	TAILQ_FOREACH(w, &ss->warms, link)
	all[i++] = w;
	qsort(all, n, sizeof(struct warm *), by_source_and_group);
	for (i = 0; i < n; i++) {
		/* Nothing is known of one that is new. */
		if (!is_known(all[i]))
			continue;
		describe(ss, all[i], &row);
		each(arg, &row);
	}
	free(all);
}

/* -- its life ------------------------------------------------------------ */

static void
on_used_up(evutil_socket_t fd, short what, void *arg)
{
	struct sources *ss = arg;

	(void)fd;
	(void)what;
	core_pauses_changed(ss->core);
}

/* Who waits for another source, for none had any allowance left, may go by one
 * whose new day has begun: nothing else would tell them. */
static void
on_renewed(evutil_socket_t fd, short what, void *arg)
{
	struct sources *ss = arg;
	int64_t now = clock_wall();
	bool changed = false;
	struct warm *w;

	(void)fd;
	(void)what;
	TAILQ_FOREACH(w, &ss->warms, link)
	{
		if (!w->used_up)
			continue;
		if (w->begin != 0 && now - w->begin < DAY) {
			note_used_up(ss, w);
			continue;
		}
		w->used_up = false;
		changed = true;
	}
	if (changed)
		core_pauses_changed(ss->core);
}

void
warm_start(struct sources *ss)
{
	TAILQ_INIT(&ss->warms);
	ss->by_key = map_new();
	ss->swept = clock_mono();
	str_init(&ss->key);
	ss->used_up = event_new(ss->core->base, -1, 0, on_used_up, ss);
	ss->renewed = evtimer_new(ss->core->base, on_renewed, ss);
	store_each_kept(ss->core->store, KIND, load, ss);
}

void
warm_stop(struct sources *ss)
{
	struct warm *w, *next;

	for (w = TAILQ_FIRST(&ss->warms); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		warm_free(w);
	}
	map_free(&ss->by_key);
	str_release(&ss->key);
	event_free(ss->used_up);
	event_free(ss->renewed);
}
