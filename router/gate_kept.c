/*
 * gate_kept.c - what was found outlives a restart: kind "preflight" of the
 * store's kept things.
 *
 * Without it a start would close every gate until DNS has answered, and with
 * DNS out of order for as long as that lasts. A week later it is no longer
 * believed.
 */
#include "router/gate_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/base/map.h"
#include "router/core_int.h"
#include "router/keep.h"

#define KIND   "preflight"
#define HOUR   INT64_C(3600000)
#define BELIEF (7 * 24 * HOUR)
#define RENEW  (12 * HOUR)

static void
on_kept(void *arg, const char *why)
{
	(void)arg;
	if (why != NULL)
		log_text(
		    LOG_WARN, "gate", "what was found is not kept: %s", why);
}

/* Whether all was looked at: else what stands has not been renewed. */
static bool
is_sure(const struct gate_findings *fs)
{
	for (size_t i = 0; i < fs->n; i++)
		if (fs->list[i].f.level == FINDING_UNKNOWN)
			return false;
	return true;
}

/* Of what closes, whenever it was found. */
static uint64_t
hash_of(const struct gate_findings *fs)
{
	char *text = gate_findings_text(fs, 0);
	uint64_t hash = hash_text(HASH_START, text);

	free(text);
	return hash;
}

void
gate_keep(struct gate *g, struct gate_subject *s)
{
	uint64_t hash = hash_of(&s->findings);
	bool old = s->at - s->kept > RENEW && is_sure(&s->findings);
	char *text;

	if (s->kept != 0 && s->kept_hash == hash && !old)
		return;
	s->kept = s->at;
	s->kept_hash = hash;
	text = gate_findings_text(&s->findings, s->at);
	keep_put(g->core, KIND, s->key, text, s->at + BELIEF, on_kept, NULL);
	free(text);
}

void
gate_forget(struct gate *g, struct gate_subject *s)
{
	if (s->kept != 0)
		keep_put(g->core, KIND, s->key, NULL, 0, on_kept, NULL);
}

/* A source is told by what it was then; a domain may be met again. */
static bool
is_of_use(struct gate *g, const char *key)
{
	return map_get(g->subjects, key) != NULL ||
	       strncmp(key, "domain ", 7) == 0;
}

static void
load_one(void *arg, const struct kept *kept)
{
	struct gate *g = arg;
	struct gate_findings found = { .n = 0 };
	struct gate_subject *s;
	int64_t at;

	if (!is_of_use(g, kept->key))
		return;
	if (gate_findings_read(kept->value, &found, &at) != 0) {
		log_text(LOG_WARN, "gate", "cannot read what was kept of '%s'",
		    kept->key);
		return;
	}
	s = gate_subject_get(g, kept->key);
	gate_findings_clear(&s->findings);
	s->findings = found;
	s->known = true;
	s->at = s->kept = at;
	s->kept_hash = hash_of(&s->findings);
	gate_subject_wait(g, s);
	gate_subject_touch(g, s);
}

void
gate_load(struct gate *g)
{
	store_each_kept(g->core->store, KIND, load_one, g);
}
