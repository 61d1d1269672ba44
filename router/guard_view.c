/*
 * guard_view.c - what a scope is judged by, and what speaks against it.
 *
 * What is narrower is stopped first. A path or a carrier is judged without the
 * senders that are themselves as bad as the level in question; where it is bad
 * without them, without the users that are. A user is judged without those of
 * his senders that are. Whether a narrower scope is bad is asked of all that it
 * did, also before it was let go anew: the wider one still carries that.
 *
 * The wider one comes to the least volume first. Where it is over, a fifth of
 * that is enough for a narrower one to be judged, and stopped in its place.
 * Many that are smaller still are nobody's explanation.
 */
#include "router/guard_int.h"

#include <string.h>

#include "router/config.h"
#include "router/route.h"

/* -- what kind of scope -------------------------------------------------- */

static bool
is_sender(const struct reputation_scope *s)
{
	return s->of.sender[0] != '\0' && s->of.user[0] == '\0';
}

static bool
is_user(const struct reputation_scope *s)
{
	return s->of.user[0] != '\0' && s->of.sender[0] == '\0';
}

/* A sender's mail of one user: counted to tell which of the two is bad. */
static bool
is_part(const struct reputation_scope *s)
{
	return s->of.user[0] != '\0' && s->of.sender[0] != '\0';
}

/* -- by what it is judged ------------------------------------------------ */

#define BLAMED_SHARE 5
#define BLAMED_FOR   INT64_C(3600000) /* ms */

static void
blame(struct guard_rules *rules)
{
	rules->minimum = (rules->minimum + BLAMED_SHARE - 1) / BLAMED_SHARE;
}

/* One that was let go anew has its full measure first. */
static void
put_blame(struct reputation_scope *s, int64_t now)
{
	if (s->own.at > 0 && now - s->own.at < BLAMED_FOR)
		return;
	s->changed |= s->blamed == 0 || now - s->blamed >= BLAMED_FOR;
	s->blamed = now;
}

static bool
is_blamed(const struct reputation_scope *s, int64_t now)
{
	return s->blamed > 0 && s->blamed <= now &&
	       now - s->blamed < BLAMED_FOR;
}

/* Shares of the budget that the carrier's shape has for unknown users. */
static bool
take_unknown(const struct config *c, const struct mail_scope *of,
    struct guard_rules *rules)
{
	struct rules_shape shape;

	if (of->carrier[0] == '\0')
		return false;
	ruleset_shape(c->rules, of->carrier, NULL, NULL, of->path, &shape);
	for (size_t i = 0; i < GUARD_LEVELS; i++)
		rules->limit[RATE_UNKNOWN][i] =
		    c->guard.unknown[i] * shape.unknown_users / 10000;
	return shape.unknown_users > 0;
}

bool
guard_rules_of(const struct guard *g, const struct reputation_scope *s,
    struct guard_rules *rules)
{
	const struct config *c = g->core->config;
	const struct config_path *path = config_path_find(c, s->of.path);

	*rules = (struct guard_rules){
		.ses = path != NULL && path->kind == PATH_SES,
		.minimum = c->guard.minimum_volume,
		.last = c->guard.last,
		.probe = c->guard.probe,
		.pause = c->guard.pause,
		.pause_max = c->guard.pause_max,
		.enforce = c->guard.enforce,
	};
	if (path == NULL || is_part(s))
		return false;
	if (path->kind == PATH_MTA)
		return take_unknown(c, &s->of, rules);
	for (size_t i = 0; i < GUARD_LEVELS; i++) {
		rules->limit[RATE_BOUNCE][i] = c->guard.bounce[i];
		rules->limit[RATE_COMPLAINT][i] = c->guard.complaint[i];
	}
	return path->kind == PATH_SES;
}

/* -- its counts ---------------------------------------------------------- */

struct spans {
	struct reputation_span in[GUARD_WINDOWS];
};

static struct spans
spans_of(const struct guard_rules *rules, const struct reputation_scope *s,
    const struct reputation_cut *cut, int64_t now)
{
	return (struct spans){ { [GUARD_HOUR] = { REPUTATION_MINUTES, 60 },
	    [GUARD_DAY] = { REPUTATION_HOURS, 24 },
	    [GUARD_LAST] = reputation_last(
		s, guard_volume(rules->ses), rules->last, cut, now) } };
}

static void
count(const struct reputation_scope *s, const struct spans *spans,
    const struct reputation_cut *cut, int64_t now, struct guard_counts *out)
{
	for (size_t w = 0; w < GUARD_WINDOWS; w++)
		reputation_sum(s, spans->in[w], cut, now, out->n[w]);
}

void
guard_view_own(
    const struct reputation_scope *s, int64_t now, int64_t n[static COUNT_MAX])
{
	reputation_sum(s, (struct reputation_span){ REPUTATION_HOURS, 24 },
	    &s->own, now, n);
}

/* -- what narrower ones explain ------------------------------------------ */

static enum guard_level
held_level(const struct reputation_scope *s)
{
	enum guard_level level =
	    s->watch != NULL ? s->watch->s.level : GUARD_OK;

	return level == GUARD_PROBE ? GUARD_PAUSE : level;
}

/* By all that it did; a part is as bad as its sender. */
static enum guard_level
badness(struct guard *g, const struct guard_rules *rules,
    const struct reputation_scope *s, int64_t now)
{
	struct mail_scope sender = s->of;
	struct guard_rules few = *rules;
	struct guard_counts counts = { 0 };
	struct guard_judged j;
	struct spans spans;

	sender.user = "";
	if (is_part(s))
		s = reputation_find(&g->rep, &sender, false);
	if (s == NULL)
		return GUARD_OK;
	spans = spans_of(rules, s, NULL, now);
	count(s, &spans, NULL, now, &counts);
	blame(&few);
	guard_judge(&few, &counts, NULL, GUARD_OK, &j);
	return j.level > held_level(s) ? j.level : held_level(s);
}

static void
add(struct guard_counts *to, const struct guard_counts *from)
{
	for (size_t w = 0; w < GUARD_WINDOWS; w++)
		for (size_t i = 0; i < COUNT_MAX; i++)
			to->n[w][i] += from->n[w][i];
}

/* Of the narrower ones of that kind, into explained[] up to the level of each.
 */
static void
explain(struct guard *g, const struct guard_rules *rules,
    const struct reputation_scope *s, const struct spans *spans,
    bool (*kind)(const struct reputation_scope *), int64_t now,
    struct guard_counts explained[static GUARD_LEVELS])
{
	struct reputation_scope *part;
	struct guard_counts counts = { 0 };
	enum guard_level bad;

	memset(explained, 0, GUARD_LEVELS * sizeof(explained[0]));
	TAILQ_FOREACH(part, &g->rep.scopes, link)
	{
		if (part->wider != s || !kind(part))
			continue;
		bad = badness(g, rules, part, now);
		if (bad == GUARD_OK)
			continue;
		put_blame(part, now);
		count(part, spans, &part->in_wider, now, &counts);
		for (enum guard_level l = GUARD_WARN; l <= bad; l++)
			add(&explained[l - GUARD_WARN], &counts);
	}
}

void
guard_view(struct guard *g, const struct guard_rules *rules,
    const struct reputation_scope *s, int64_t now, struct guard_judged *out)
{
	static bool (*const kinds[])(
	    const struct reputation_scope *) = { is_sender, is_user, is_part };
	struct guard_counts counts = { 0 }, explained[GUARD_LEVELS];
	struct spans spans = spans_of(rules, s, &s->own, now);
	enum guard_level held = held_level(s);
	struct guard_rules mine = *rules;
	struct guard_judged j;

	if (is_blamed(s, now))
		blame(&mine);
	count(s, &spans, &s->own, now, &counts);
	guard_judge(&mine, &counts, NULL, held, out);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (out->level == GUARD_OK || s->narrower == 0)
			return;
		explain(g, rules, s, &spans, kinds[i], now, explained);
		guard_judge(&mine, &counts, explained, held, &j);
		if (j.level < out->level)
			*out = j;
	}
}
