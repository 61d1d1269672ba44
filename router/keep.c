/*
 * keep.c - small things of the core's that must outlive a restart.
 */
#include "router/keep.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "router/core_int.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_TEXTS 13 /* of an event_row */

struct keeping {
	LIST_ENTRY(keeping) link; /* in core->keeping or core->kept */
	struct store_keep op;
	struct kept kept;
	struct event_row event;
	char *texts[EVENT_TEXTS];
	struct core *core;
	char *kind, *key, *value;
	void (*done)(void *arg, const char *why);
	void *arg;
};

static void
keeping_free(struct keeping *k)
{
	LIST_REMOVE(k, link);
	for (size_t i = 0; i < EVENT_TEXTS; i++)
		free(k->texts[i]);
	free(k->kind);
	free(k->key);
	free(k->value);
	free(k);
}

static void
tell(struct keeping *k, const char *why)
{
	if (k->done != NULL)
		k->done(k->arg, why);
	k->done = NULL;
}

/* Who asked hears that it waits, and no more. */
static void
keep_later(struct keeping *k)
{
	struct core *c = k->core;

	LIST_REMOVE(k, link);
	if (core_is_stopping(c))
		LIST_INSERT_HEAD(&c->kept, k, link);
	else
		LIST_INSERT_HEAD(&c->keep_later, k, link);
	tell(k, KEEP_LATER);
	if (core_is_stopping(c))
		keeping_free(k);
}

/* A reading that was asked for before may show what was there before. */
static void
on_kept(struct store_request *req)
{
	struct store_keep *op = container_of(req, struct store_keep, req);
	struct keeping *k = container_of(op, struct keeping, op);
	struct core *c = k->core;

	c->edits--;
	core_store_answered(c, req);
	core_wake(c);
	if (req->status == STORE_AWAY) {
		keep_later(k);
		return;
	}
	tell(k, req->status == STORE_OK ? NULL : req->err.text);
	if (c->keep_readings == 0 || req->status != STORE_OK) {
		keeping_free(k);
		return;
	}
	LIST_REMOVE(k, link);
	LIST_INSERT_HEAD(&c->kept, k, link);
}

static void
submit(struct keeping *k)
{
	struct core *c = k->core;

	k->op.req.reply_to = c->inbox;
	k->op.req.done = on_kept;
	c->edits++;
	LIST_INSERT_HEAD(&c->keeping, k, link);
	store_keep(c->store, &k->op);
}

static bool
is_of(const struct keeping *k, const char *kind, const char *key)
{
	return strcmp(k->kind, kind) == 0 && strcmp(k->key, key) == 0;
}

static struct keeping *
find_later(const struct core *c, const char *kind, const char *key)
{
	struct keeping *k;

	LIST_FOREACH(k, &c->keep_later, link)
	if (is_of(k, kind, key))
		break;
	return k;
}

void
keep_go_on(struct core *c)
{
	LIST_HEAD(, keeping) in_order = LIST_HEAD_INITIALIZER(in_order);
	struct keeping *k;

	while ((k = LIST_FIRST(&c->keep_later)) != NULL) {
		LIST_REMOVE(k, link);
		LIST_INSERT_HEAD(&in_order, k, link);
	}
	while ((k = LIST_FIRST(&in_order)) != NULL) {
		LIST_REMOVE(k, link);
		submit(k);
	}
}

void
keep_stop(struct core *c)
{
	struct keeping *k;

	while ((k = LIST_FIRST(&c->keep_later)) != NULL)
		keeping_free(k);
	while ((k = LIST_FIRST(&c->kept)) != NULL)
		keeping_free(k);
}

bool
keep_is_ours(const struct core *c, const char *kind, const char *key)
{
	const struct keeping *k;

	LIST_FOREACH(k, &c->keeping, link)
	if (is_of(k, kind, key))
		return true;
	LIST_FOREACH(k, &c->kept, link)
	if (is_of(k, kind, key))
		return true;
	return find_later(c, kind, key) != NULL;
}

void
keep_reading_begins(struct core *c)
{
	c->keep_readings++;
}

void
keep_reading_ends(struct core *c)
{
	struct keeping *k;

	if (--c->keep_readings > 0)
		return;
	while ((k = LIST_FIRST(&c->kept)) != NULL)
		keeping_free(k);
}

/* With texts of its own. */
static void
take_event(struct keeping *k, const struct event_row *event)
{
	struct event_row *e = &k->event;
	const char **const texts[] = { &e->sender, &e->recipient, &e->path,
		&e->carrier, &e->group, &e->source, &e->rule, &e->enhanced,
		&e->stage, &e->reason, &e->text, &e->peer, &e->remote_id };
	size_t n = sizeof(texts) / sizeof(texts[0]);

	_Static_assert(sizeof(texts) / sizeof(texts[0]) == EVENT_TEXTS,
	    "each is to be freed");
	*e = *event;
	for (size_t i = 0; i < n; i++)
		*texts[i] = k->texts[i] = xstrdup(*texts[i]);
}

static void
keep(struct core *c, const char *kind, const char *key, const char *value,
    int64_t expires, const struct event_row *event,
    void (*done)(void *, const char *), void *arg)
{
	struct keeping *k = xcalloc(1, sizeof(*k)), *older;

	k->core = c;
	k->done = done;
	k->arg = arg;
	k->kind = xstrdup(kind);
	k->key = xstrdup(key);
	k->value = value != NULL ? xstrdup(value) : NULL;
	k->kept = (struct kept){ k->kind, k->key, k->value, expires };
	k->op.n = 1;
	k->op.kept = &k->kept;
	if (event != NULL) {
		take_event(k, event);
		k->op.event = &k->event;
	}
	older = find_later(c, kind, key);
	if (older != NULL && older->op.event == NULL)
		keeping_free(older);
	submit(k);
}

void
keep_put(struct core *c, const char *kind, const char *key, const char *value,
    int64_t expires, void (*done)(void *, const char *), void *arg)
{
	keep(c, kind, key, value, expires, NULL, done, arg);
}

static void
tell_failure(void *arg, const char *why)
{
	(void)arg;
	if (why != NULL)
		log_text(LOG_WARN, "keep", "not kept: %s", why);
}

void
keep_put_event(struct core *c, const char *kind, const char *key,
    const char *value, int64_t expires, const struct event_row *event)
{
	keep(c, kind, key, value, expires, event, tell_failure, NULL);
}
