/*
 * reputation.c - whose mail is counted: scopes, the wider ones they belong to,
 * and which are forgotten.
 */
#include "router/reputation.h"

#include "mta/base/alloc.h"
#include "mta/base/map.h"

#include <stdlib.h>

void
reputation_init(struct reputation *rep)
{
	rep->by_key = map_new();
	TAILQ_INIT(&rep->scopes);
}

static void
forget(struct reputation *rep, struct reputation_scope *s)
{
	map_remove(rep->by_key, s->key);
	TAILQ_REMOVE(&rep->scopes, s, link);
	if (s->wider != NULL)
		s->wider->narrower--;
	str_release(&s->words);
	free(s->key);
	free(s);
}

void
reputation_clear(struct reputation *rep)
{
	struct reputation_scope *s;

	TAILQ_FOREACH(s, &rep->scopes, link)
	s->wider = NULL;
	while ((s = TAILQ_FIRST(&rep->scopes)) != NULL)
		forget(rep, s);
	map_free(&rep->by_key);
}

/* Idle for longest, watched by nobody, and with nothing narrower that counts on
 * it. */
static bool
make_room(struct reputation *rep)
{
	struct reputation_scope *s;

	if (map_count(rep->by_key) < REPUTATION_SCOPES)
		return true;
	TAILQ_FOREACH(s, &rep->scopes, link)
	if (s->watch == NULL && s->narrower == 0) {
		forget(rep, s);
		return true;
	}
	return false;
}

static struct reputation_scope *
scope_new(struct reputation *rep, char *key)
{
	struct reputation_scope *s = xcalloc(1, sizeof(*s));

	s->key = key;
	str_init(&s->words);
	mail_scope_read(key, &s->of, &s->words, NULL);
	for (size_t i = 0; i < REPUTATION_CELLS; i++)
		s->cells[i].period = -1;
	map_put(rep->by_key, s->key, s);
	TAILQ_INSERT_TAIL(&rep->scopes, s, link);
	return s;
}

/* What has no name that could be read again, as a domain with a blank, has no
 * scope. */
static bool
can_be_read(const char *key)
{
	struct mail_scope scope;
	struct str words = STR_INIT;
	bool good = mail_scope_read(key, &scope, &words, NULL) == 0;

	str_release(&words);
	return good;
}

struct reputation_scope *
reputation_find(struct reputation *rep, const struct mail_scope *of, bool make)
{
	struct reputation_scope *s;
	struct str key = STR_INIT;

	mail_scope_add(&key, of);
	s = map_get(rep->by_key, key.data);
	if (s == NULL && make && can_be_read(key.data) && make_room(rep))
		s = scope_new(rep, str_detach(&key));
	str_release(&key);
	return s;
}

struct reputation_scope *
reputation_within(struct reputation *rep, const struct mail_scope *of,
    struct reputation_scope *wider)
{
	struct reputation_scope *s;

	if (wider == NULL)
		return NULL;
	wider->narrower++; /* not to be the one that makes room */
	s = reputation_find(rep, of, true);
	wider->narrower--;
	if (s != NULL && s->wider == NULL) {
		s->wider = wider;
		s->in_wider = wider->own;
		for (size_t i = 0; i < REPUTATION_RINGS; i++)
			for (size_t k = 0; k < REPUTATION_COUNTED; k++)
				s->in_wider.before[i][k] = 0;
		wider->narrower++;
	}
	return s;
}

void
reputation_anew(
    struct reputation *rep, struct reputation_scope *scope, int64_t at)
{
	struct reputation_scope *s;

	reputation_cut(scope, &scope->own, at);
	scope->changed = true;
	scope->blamed = 0;
	if (scope->narrower == 0)
		return;
	TAILQ_FOREACH(s, &rep->scopes, link)
	if (s->wider == scope)
		reputation_cut(s, &s->in_wider, at);
}
