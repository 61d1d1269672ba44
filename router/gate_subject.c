/*
 * gate_subject.c - what is checked: sources and sending domains, and when each
 * has its turn.
 *
 * What settings name stays. Other domains are met in the mail, and a client may
 * make up any number of them: of those the one that was looked for longest ago
 * goes when there are too many.
 */
#include "router/gate_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"
#include "router/message.h"

/* The n-th word of a key, from 0; NULL: it has fewer. The caller frees. */
static char *
word_of(const char *key, unsigned n)
{
	while (n > 0 && *key != '\0')
		n -= *key++ == ' ';
	return *key != '\0' ? xstrndup(key, strcspn(key, " ")) : NULL;
}

static struct gate_subject *
subject_new(const char *key)
{
	struct gate_subject *s = xcalloc(1, sizeof(*s));
	char *name = word_of(key, 1);

	s->key = xstrdup(key);
	s->turn = TURN_NEW;
	if (strncmp(key, "source ", 7) == 0) {
		s->source = intern(name);
		free(name);
	} else {
		s->domain = name;
		s->envelope = word_of(key, 2);
	}
	return s;
}

static void
leave_room(struct gate *g)
{
	struct gate_subject *s = TAILQ_FIRST(&g->used);

	while (s != NULL && s->turn == TURN_CHECKING)
		s = TAILQ_NEXT(s, used);
	if (s == NULL)
		return;
	g->missed |= s->waited_for;
	gate_forget(g, s);
	gate_subject_remove(g, s);
}

struct gate_subject *
gate_subject_get(struct gate *g, const char *key)
{
	struct gate_subject *s = map_get(g->subjects, key);

	if (s != NULL)
		return s;
	s = subject_new(key);
	map_put(g->subjects, s->key, s);
	TAILQ_INSERT_TAIL(&g->turns[s->turn], s, turns);
	TAILQ_INSERT_TAIL(&g->used, s, used);
	g->nused++;
	return s;
}

static bool
is_unknown(const struct gate_subject *s)
{
	for (size_t i = 0; i < s->findings.n; i++)
		if (s->findings.list[i].f.level == FINDING_UNKNOWN)
			return true;
	return false;
}

static enum gate_turn
turn_of(const struct gate_subject *s)
{
	if (!s->known)
		return TURN_NEW;
	if (gate_findings_closed(&s->findings) != 0 || is_unknown(s))
		return TURN_FAILING;
	return TURN_FINE;
}

void
gate_subject_wait(struct gate *g, struct gate_subject *s)
{
	TAILQ_REMOVE(&g->turns[s->turn], s, turns);
	s->turn = turn_of(s);
	if (s->configured && s->round != g->round)
		TAILQ_INSERT_HEAD(&g->turns[s->turn], s, turns);
	else
		TAILQ_INSERT_TAIL(&g->turns[s->turn], s, turns);
}

void
gate_subject_touch(struct gate *g, struct gate_subject *s)
{
	if (s->configured)
		return;
	TAILQ_REMOVE(&g->used, s, used);
	TAILQ_INSERT_TAIL(&g->used, s, used);
	if (g->nused > GATE_USED_MAX)
		leave_room(g);
}

void
gate_subject_remove(struct gate *g, struct gate_subject *s)
{
	TAILQ_REMOVE(&g->turns[s->turn], s, turns);
	if (!s->configured) {
		TAILQ_REMOVE(&g->used, s, used);
		g->nused--;
	}
	map_remove(g->subjects, s->key);
	gate_findings_clear(&s->findings);
	free(s->key);
	free(s->domain);
	free(s->envelope);
	free(s);
}

void
gate_subject_name(const struct gate_subject *s, struct str *out)
{
	str_clear(out);
	str_addf(out, "%s %s", s->source != NULL ? "source" : "domain",
	    s->source != NULL ? s->source : s->domain);
	if (s->envelope != NULL)
		str_addf(out, " with reverse-paths at %s", s->envelope);
}
