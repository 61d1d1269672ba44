/*
 * guard_show.c - the guard's levels and budgets, for people.
 */
#include "router/guard_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"

/* A scope as it stands, with what its texts are in. */
struct shown {
	struct guard_row row;
	struct str name, window, evidence, left, left_ja;
	double share; /* of its first threshold */
};

/* -- one row ------------------------------------------------------------- */

/* The level after the one it is at. */
static void
show_left(struct shown *s, const struct guard_rules *rules)
{
	enum guard_level next = s->row.level + 1;

	s->row.left = -1;
	if (s->row.level >= GUARD_PAUSE || !s->row.rate.known)
		return;
	s->row.left = guard_left(rules, s->row.kind, &s->row.rate, next);
	guard_text_left(&s->left, &s->left_ja, s->row.kind, s->row.left, next);
}

static void
show_level(struct shown *s, const struct guard_judged *j,
    const struct guard_watch *w, int64_t last)
{
	struct guard_row *row = &s->row;
	bool stopped = w != NULL && w->s.level >= GUARD_PAUSE;

	row->level = w != NULL ? w->s.level : GUARD_OK;
	row->kind = stopped ? w->s.kind : j->kind;
	row->rate = stopped ? w->s.rate : j->rate;
	guard_text_window(&s->window, stopped ? w->s.window : j->window, last);
	row->since = w != NULL ? w->s.since : 0;
	row->until = w != NULL ? w->s.until : 0;
	str_adds(&s->evidence, w != NULL ? w->evidence : "");
}

static void
show(struct guard *g, const struct guard_rules *rules,
    const struct reputation_scope *scope, int64_t now, struct shown *s)
{
	struct guard_row *row = &s->row;
	struct guard_judged j;

	*s = (struct shown){ .row = { .scope = scope->of },
		.name = STR_INIT,
		.window = STR_INIT,
		.evidence = STR_INIT,
		.left = STR_INIT,
		.left_ja = STR_INIT };
	guard_view(g, rules, scope, now, &j);
	mail_scope_add(&s->name, &scope->of);
	show_level(s, &j, scope->watch, rules->last);
	row->warn = rules->limit[row->kind][0];
	row->slow = rules->limit[row->kind][GUARD_SLOW - GUARD_WARN];
	row->pause = rules->limit[row->kind][GUARD_PAUSE - GUARD_WARN];
	show_left(s, rules);
	s->share = row->warn > 0 ? row->rate.rate / row->warn : 0;
	row->name = s->name.data;
	row->window = s->window.data;
	row->evidence = s->evidence.data;
	row->left_text = s->left.data;
	row->left_text_ja = s->left_ja.data;
}

static void
shown_release(struct shown *s)
{
	str_release(&s->name);
	str_release(&s->window);
	str_release(&s->evidence);
	str_release(&s->left);
	str_release(&s->left_ja);
}

/* -- all of them --------------------------------------------------------- */

static int
worse_first(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	if (x->row.level != y->row.level)
		return x->row.level > y->row.level ? -1 : 1;
	if (x->share != y->share)
		return x->share > y->share ? -1 : 1;
	return strcmp(x->name.data, y->name.data);
}

static bool
is_of_interest(const struct reputation_scope *s, bool all)
{
	return all || (s->watch != NULL && s->watch->s.level != GUARD_OK);
}

void
guard_each(struct guard *g, bool all,
    void (*each)(void *, const struct guard_row *), void *arg)
{
	struct shown *list = xcalloc(REPUTATION_SCOPES, sizeof(*list));
	const struct reputation_scope *scope;
	int64_t now = clock_wall();
	struct guard_rules rules;
	size_t n = 0;

	TAILQ_FOREACH(scope, &g->rep.scopes, link)
	if (n < REPUTATION_SCOPES && is_of_interest(scope, all) &&
	    guard_rules_of(g, scope, &rules)) {
		show(g, &rules, scope, now, &list[n]);
		if (list[n].row.rate.known || list[n].row.level != GUARD_OK)
			n++;
		else
			shown_release(&list[n]);
	}
	qsort(list, n, sizeof(*list), worse_first);
	for (size_t i = 0; i < n; i++) {
		each(arg, &list[i].row);
		shown_release(&list[i]);
	}
	free(list);
}

/* -- budgets ------------------------------------------------------------- */

static void
each_budget_of(struct guard *g, const char *path, enum rate_kind kind,
    void (*each)(void *, const struct guard_budget *), void *arg)
{
	const struct mail_scope of = { path, "", "", "" };
	const struct reputation_scope *s = reputation_find(&g->rep, &of, false);
	struct rate_limits limits = rate_limits_of(kind, true);
	struct guard_budget b = { .path = path,
		.kind = kind,
		.review = limits.review,
		.stop = limits.stop };
	struct str text = STR_INIT, ja = STR_INIT;
	int64_t n[COUNT_MAX] = { 0 };

	if (s != NULL)
		reputation_sum(s,
		    (struct reputation_span){ REPUTATION_HOURS, 24 }, NULL,
		    clock_wall(), n);
	rate_of(kind, n, true, &b.rate);
	b.left_review = rate_left(&b.rate, b.review);
	b.left_stop = rate_left(&b.rate, b.stop);
	guard_text_budget(&text, &ja, &b);
	b.text = text.data;
	b.text_ja = ja.data;
	each(arg, &b);
	str_release(&text);
	str_release(&ja);
}

void
guard_each_budget(struct guard *g,
    void (*each)(void *, const struct guard_budget *), void *arg)
{
	static const enum rate_kind kinds[] = { RATE_BOUNCE, RATE_COMPLAINT };
	const struct config *c = g->core->config;

	for (size_t i = 0; i < c->npaths; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (c->paths[i].kind == PATH_SES)
				each_budget_of(
				    g, c->paths[i].name, kinds[k], each, arg);
}
