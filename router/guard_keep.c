/*
 * guard_keep.c - what the guard has done, on disk and among the events; and
 * taken up again after a restart.
 *
 * A scope lies under its canonical text. Its counts are not kept: they are read
 * from the store's tallies, all but those of users, which begin anew.
 */
#include "router/guard_int.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"
#include "router/keep.h"

#define KIND "guard" /* in the store */

/* -- on disk ------------------------------------------------------------- */

static char *
value_of(const struct guard_watch *w)
{
	const struct guard_state *s = &w->s;
	json_t *o = json_pack(
	    "{s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}",
	    "level", (int)s->level, "judged", (int)s->judged, "kind",
	    (int)s->kind, "window", (int)s->window, "hits",
	    (json_int_t)s->rate.hits, "volume", (json_int_t)s->rate.volume,
	    "since", (json_int_t)s->since, "until", (json_int_t)s->until,
	    "length", (json_int_t)s->length, "reopened",
	    (json_int_t)s->reopened, "anew", (json_int_t)w->scope->own.at,
	    "asked", (json_int_t)s->asked, "pace", w->pace);
	json_t *evidence = json_string(w->evidence);
	char *text;

	/* Text that is no UTF-8 has no place in JSON; the state has. */
	if (evidence != NULL)
		json_object_set_new(o, "evidence", evidence);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		abort(); /* out of memory */
	return text;
}

/* A scope that is in order is of interest as long as its last pause is. */
static int64_t
expiry_of(const struct guard_watch *w)
{
	return w->s.level == GUARD_OK ? w->s.reopened + GUARD_GOOD_TIME : 0;
}

void
guard_keep(struct guard *g, const struct guard_watch *w,
    enum guard_action action, int64_t now)
{
	const struct mail_scope *of = &w->scope->of;
	const struct event_row event = {
		.at = now,
		.type = EVENT_GUARD,
		.sender = of->sender,
		.recipient = "",
		.path = of->path,
		.carrier = of->carrier,
		.group = "",
		.source = "",
		.rule = "",
		.enhanced = "",
		.stage = "",
		.reason = guard_action_name(action),
		.text = w->evidence,
		.peer = of->user, /* an event has no other place for it */
		.remote_id = "",
	};
	char *value = value_of(w);

	keep_put_event(g->core, KIND, w->name, value, expiry_of(w),
	    action != GUARD_NOTHING ? &event : NULL);
	free(value);
}

void
guard_forget(struct guard *g, const struct guard_watch *w)
{
	keep_put_event(g->core, KIND, w->name, NULL, 0, NULL);
}

/* -- after a restart ----------------------------------------------------- */

static int64_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static int
within(const json_t *o, const char *key, int n)
{
	int64_t value = number(o, key);

	return value >= 0 && value < n ? (int)value : 0;
}

static void
read_state(const json_t *o, struct guard_state *s)
{
	s->level = (enum guard_level)within(o, "level", GUARD_PROBE + 1);
	s->judged = (enum guard_level)within(o, "judged", GUARD_PAUSE + 1);
	s->kind = (enum rate_kind)within(o, "kind", RATE_KINDS);
	s->window = (enum guard_window)within(o, "window", GUARD_WINDOWS + 1);
	s->since = number(o, "since");
	s->until = number(o, "until");
	s->length = number(o, "length");
	s->reopened = number(o, "reopened");
	rate_of_hits(number(o, "hits"), number(o, "volume"), &s->rate);
}

struct guard_watch *
guard_watch_of(struct guard *g, const char *name)
{
	struct reputation_scope *scope = NULL;
	struct str words = STR_INIT;
	struct mail_scope of;

	if (mail_scope_read(name, &of, &words, NULL) == 0)
		scope = reputation_find(&g->rep, &of, true);
	str_release(&words);
	return scope != NULL ? guard_watch_get(g, scope) : NULL;
}

/* A pause of ours of which nothing else is known. */
static void
adopt(void *arg, const struct pause *p)
{
	struct guard *g = arg;
	struct guard_watch *w;

	if (p->kind != PAUSE_MAIL || strcmp(p->who, PAUSE_GUARD) != 0)
		return;
	w = guard_watch_of(g, p->name);
	if (w == NULL || w->s.level != GUARD_OK)
		return;
	w->s.level = w->s.judged = GUARD_PAUSE;
	w->s.kind =
	    w->scope->of.carrier[0] != '\0' ? RATE_UNKNOWN : RATE_BOUNCE;
	w->s.since = p->at;
	w->s.until = p->until;
	w->s.length = g->core->config->guard.pause;
	free(w->evidence);
	w->evidence = xstrdup(p->why);
}

struct guard_watch *
guard_take(struct guard *g, const struct kept *k)
{
	struct guard_watch *w = guard_watch_of(g, k->key);
	json_t *o = json_loads(k->value, 0, NULL);
	const char *evidence =
	    json_string_value(json_object_get(o, "evidence"));
	double pace = json_real_value(json_object_get(o, "pace"));

	if (w != NULL) {
		g->slowed -= w->s.level == GUARD_SLOW;
		read_state(o, &w->s);
		w->s.asked = number(o, "asked");
		w->pace = pace > 0 ? pace : 1;
		free(w->evidence);
		w->evidence = xstrdup(evidence != NULL ? evidence : "");
		w->scope->own.at = number(o, "anew");
		g->slowed += w->s.level == GUARD_SLOW;
	}
	json_decref(o);
	return w;
}

/* Whoever had been let go for a probe waits for being asked for again. */
static void
load_watch(void *arg, const struct kept *k)
{
	struct guard_watch *w = guard_take(arg, k);

	if (w != NULL)
		w->s.asked = 0;
}

/* What was counted in the hour and the day of the cut before the restart is
 * left out as a whole: nobody knows any more which part of it was before. */
void
guard_cut_again(struct guard *g)
{
	struct reputation_scope *s;

	TAILQ_FOREACH(s, &g->rep.scopes, link)
	if (s->own.at > 0)
		reputation_anew(&g->rep, s, s->own.at);
}

struct loading {
	struct guard *guard;
	enum reputation_ring ring;
	int64_t now;
};

static void
load_row(void *arg, const struct tally_row *row)
{
	struct loading *l = arg;

	guard_feed(l->guard, row, &l->ring, l->now);
}

struct tally_filter
guard_window_of(enum reputation_ring ring, int64_t now)
{
	static const struct {
		enum tally_step step;
		int64_t unit, periods; /* ms */
	} steps[REPUTATION_RINGS] = {
		[REPUTATION_MINUTES] = { TALLY_MINUTE, 60000, 60 },
		[REPUTATION_HOURS] = { TALLY_HOUR, 3600000, 24 },
		[REPUTATION_DAYS] = { TALLY_DAY, 86400000, 7 },
	};

	return (struct tally_filter){
		.since = (now / steps[ring].unit - steps[ring].periods + 1) *
			 steps[ring].unit,
		.step = steps[ring].step,
		.no_reasons = true,
	};
}

void
guard_load(struct guard *g)
{
	int64_t now = clock_wall();

	store_each_kept(g->core->store, KIND, load_watch, g);
	pauses_each(g->core->pauses, adopt, g);
	for (unsigned i = 0; i < REPUTATION_RINGS; i++) {
		struct loading l = { g, (enum reputation_ring)i, now };
		const struct tally_filter f = guard_window_of(l.ring, now);

		store_each_tally(g->core->store, &f, load_row, &l);
	}
	guard_cut_again(g);
}
