/*
 * gate_findings.c - what a check found, and what of it closes a gate.
 *
 * DNS that does not answer decides nothing: what was found before stands until
 * a check can look again. So each answer of preflight is laid over the last
 * one.
 */
#include "router/gate_int.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

void
gate_findings_add(
    struct gate_findings *fs, const struct finding *f, bool closes)
{
	struct gate_finding *new;

	fs->list = xrealloc(fs->list, (fs->n + 1) * sizeof(*fs->list));
	new = &fs->list[fs->n++];
	*new = (struct gate_finding){ .f = *f, .closes = closes };
	new->f.check = xstrdup(f->check);
	new->f.subject = xstrdup(f->subject);
	new->f.what = xstrdup(f->what);
	new->f.why = xstrdup(f->why != NULL ? f->why : "");
	new->f.mend = xstrdup(f->mend != NULL ? f->mend : "");
}

static void
free_text(const char *text)
{
	free((void *)(uintptr_t)text);
}

void
gate_findings_clear(struct gate_findings *fs)
{
	for (size_t i = 0; i < fs->n; i++) {
		free_text(fs->list[i].f.check);
		free_text(fs->list[i].f.subject);
		free_text(fs->list[i].f.what);
		free_text(fs->list[i].f.why);
		free_text(fs->list[i].f.mend);
	}
	free(fs->list);
	*fs = (struct gate_findings){ .n = 0 };
}

/* -- laid over what was before --------------------------------------------- */

static bool
is_unknown(const struct gate_finding *f)
{
	return f->f.level == FINDING_UNKNOWN;
}

static bool
same_check(const struct gate_finding *a, const struct gate_finding *b)
{
	return strcmp(a->f.check, b->f.check) == 0;
}

static bool
same_thing(const struct gate_finding *a, const struct gate_finding *b)
{
	return same_check(a, b) && strcmp(a->f.subject, b->f.subject) == 0;
}

/*
 * It has not been looked at again: its own check did not come to an end, or did
 * not come to begin because another did not.
 */
static bool
still_stands(
    const struct gate_findings *now, size_t n, const struct gate_finding *old)
{
	bool unknown = false, own_unknown = false, own = false;

	for (size_t i = 0; i < n; i++) {
		const struct gate_finding *f = &now->list[i];
		if (!is_unknown(f) && same_thing(f, old))
			return false;
		unknown |= is_unknown(f);
		own |= same_check(f, old);
		own_unknown |= is_unknown(f) && same_check(f, old);
	}
	return own_unknown || (unknown && !own);
}

/* Its check has never come to an end yet. */
static bool
was_never_decided(
    const struct gate_findings *before, const struct gate_finding *f)
{
	for (size_t i = 0; i < before->n; i++)
		if (before->list[i].closes && is_unknown(&before->list[i]) &&
		    same_check(&before->list[i], f))
			return true;
	return false;
}

void
gate_findings_decide(
    struct gate_findings *now, const struct gate_findings *before, bool known)
{
	size_t n = now->n;

	for (size_t i = 0; i < n; i++) {
		struct gate_finding *f = &now->list[i];
		f->closes =
		    f->f.level == FINDING_BAD ||
		    (is_unknown(f) && (!known || was_never_decided(before, f)));
	}
	for (size_t i = 0; i < before->n; i++) {
		const struct gate_finding *old = &before->list[i];
		if (old->closes && !is_unknown(old) &&
		    still_stands(now, n, old))
			gate_findings_add(now, &old->f, true);
	}
}

unsigned
gate_finding_bits(const struct gate_finding *f)
{
	if (!f->closes)
		return 0;
	return f->f.carriers == PREFLIGHT_ALL ? GATE_ALL : f->f.carriers;
}

unsigned
gate_findings_closed(const struct gate_findings *fs)
{
	unsigned closed = 0;

	for (size_t i = 0; i < fs->n; i++)
		closed |= gate_finding_bits(&fs->list[i]);
	return closed;
}

const struct finding *
gate_findings_against(const struct gate_findings *fs, unsigned carriers)
{
	for (size_t i = 0; i < fs->n; i++)
		if (fs->list[i].closes &&
		    (fs->list[i].f.carriers & carriers) == carriers)
			return &fs->list[i].f;
	return NULL;
}

/* -- as text --------------------------------------------------------------- */

char *
gate_findings_text(const struct gate_findings *fs, int64_t at)
{
	json_t *o = json_object(), *list = json_array();
	char *text;

	for (size_t i = 0; i < fs->n; i++) {
		const struct finding *f = &fs->list[i].f;
		if (fs->list[i].closes)
			json_array_append_new(list,
			    json_pack("{s:i s:s s:s s:s s:s s:s s:i}", "level",
				(int)f->level, "check", f->check, "subject",
				f->subject, "what", f->what, "why", f->why,
				"mend", f->mend, "carriers", (int)f->carriers));
	}
	json_object_set_new(o, "at", json_integer(at));
	json_object_set_new(o, "closed", list);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static int
read_one(struct gate_findings *fs, json_t *o)
{
	struct finding f;
	int level, carriers;

	if (json_unpack(o, "{s:i s:s s:s s:s s:s s:s s:i}", "level", &level,
		"check", &f.check, "subject", &f.subject, "what", &f.what,
		"why", &f.why, "mend", &f.mend, "carriers", &carriers) != 0)
		return -1;
	if ((level != FINDING_BAD && level != FINDING_UNKNOWN) ||
	    carriers < 0 || carriers > PREFLIGHT_ALL)
		return -1;
	f.level = (enum finding_level)level;
	f.carriers = (unsigned)carriers;
	gate_findings_add(fs, &f, true);
	return 0;
}

int
gate_findings_read(const char *text, struct gate_findings *fs, int64_t *at)
{
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *list = json_object_get(o, "closed");
	json_t *time = json_object_get(o, "at");
	int rc = json_is_array(list) && json_is_integer(time) ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
		rc = read_one(fs, json_array_get(list, i));
	if (rc == 0)
		*at = json_integer_value(time);
	else
		gate_findings_clear(fs);
	json_decref(o);
	return rc;
}
