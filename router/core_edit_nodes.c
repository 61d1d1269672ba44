/*
 * core_edit_nodes.c - an operator's edit of the queue finds what other nodes
 * have in memory, too.
 *
 * The store's part of an edit sees those that wait there. So the others are
 * asked first, by a small thing that is kept (keep.h), to give back what the
 * edit is about and no session of theirs has in hand; each says that it has,
 * behind what it gave back. Who says nothing for a while is not waited for.
 */
#include "router/core_int.h"

#include <event2/event.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/core_nodes.h"
#include "router/keep.h"

#define KIND	  "give-back"
#define PATIENCE  3	/* s */
#define EXPIRES	  60000 /* ms */
#define STAYS	  5000	/* ms: so long nobody takes what was given back */
#define SEEN	  64	/* requests that are remembered */
#define ID_MAX	  64

struct core_call {
	LIST_ENTRY(core_call) link;
	struct core *core;
	char id[ID_MAX]; /* "EPOCH.NUMBER.TIME" */
	unsigned answers;
	struct event *timer;
	void (*then)(void *arg);
	void *arg;
};

struct core_calls {
	LIST_HEAD(, core_call) list;
	unsigned number;
	char seen[SEEN][ID_MAX];
	unsigned nseen;
};

/* -- asking ---------------------------------------------------------------- */

static void
finish(struct core_call *call)
{
	struct core *c = call->core;

	LIST_REMOVE(call, link);
	event_free(call->timer);
	c->edits--;
	call->then(call->arg);
	free(call);
	core_wake(c);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg);
}

static char *
write_filter(const struct queue_filter *f)
{
	json_t *o = json_pack("{s:I, s:i, s:s, s:s, s:s, s:s, s:s}", "message",
	    (json_int_t)f->message, "index", f->index, "to", f->to, "domain",
	    f->domain, "sender", f->sender, "path", f->path, "carrier",
	    f->carrier);
	char *text = json_dumps(o, JSON_COMPACT);

	json_decref(o);
	return text;
}

static void
put(struct core *c, const char *key, const char *value)
{
	keep_put(c, KIND, key, value, clock_wall() + EXPIRES, NULL, NULL);
}

void
core_call_back(struct core *c, const struct queue_filter *f,
    void (*then)(void *), void *arg)
{
	static const struct timeval patience = { .tv_sec = PATIENCE };
	char *text = nodes_count(c->nodes) > 1 ? write_filter(f) : NULL;
	char key[ID_MAX + 8];
	struct core_call *call;

	/* What is no UTF-8 is no recipient's either. */
	if (text == NULL) {
		then(arg);
		return;
	}
	if (c->calls == NULL)
		c->calls = xcalloc(1, sizeof(*c->calls));
	call = xcalloc(1, sizeof(*call));
	call->core = c;
	call->then = then;
	call->arg = arg;
	snprintf(call->id, sizeof(call->id), "%" PRId64 ".%u.%" PRId64,
	    store_epoch(c->store), c->calls->number++, clock_wall());
	call->timer = evtimer_new(c->base, on_time, call);
	evtimer_add(call->timer, &patience);
	c->edits++;
	LIST_INSERT_HEAD(&c->calls->list, call, link);
	snprintf(key, sizeof(key), "ask %s", call->id);
	put(c, key, text);
	free(text);
}

/* -- being asked ----------------------------------------------------------- */

struct asked {
	struct core *core;
	struct queue_filter filter;
};

static bool
is_wanted(void *arg, const struct recipient *r)
{
	return core_is_wanted(&((const struct asked *)arg)->filter, r);
}

static void
give_back(void *arg, struct recipient *r)
{
	struct asked *a = arg;

	settle_return(a->core->settler, r, clock_wall() + STAYS);
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

/* True: it was. */
static bool
note_seen(struct core_calls *calls, const char *id)
{
	for (unsigned i = 0; i < SEEN; i++)
		if (strcmp(calls->seen[i], id) == 0)
			return true;
	snprintf(calls->seen[calls->nseen++ % SEEN], ID_MAX, "%s", id);
	return false;
}

static void
answer(struct core *c, const char *id, const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	struct asked a = { c,
		{ .message = json_integer_value(json_object_get(o, "message")),
		    .index =
			(int)json_integer_value(json_object_get(o, "index")),
		    .to = text_of(o, "to"),
		    .domain = text_of(o, "domain"),
		    .sender = text_of(o, "sender"),
		    .path = text_of(o, "path"),
		    .carrier = text_of(o, "carrier") } };
	char key[2 * ID_MAX];

	if (o != NULL)
		lanes_take(c->lanes, is_wanted, give_back, &a);
	json_decref(o);
	settle_flush(c->settler);
	snprintf(key, sizeof(key), "did %s %" PRId64, id,
	    store_epoch(c->store));
	put(c, key, "1");
}

static void
note_answer(struct core *c, const char *id)
{
	struct core_call *call;
	size_t len;

	LIST_FOREACH(call, &c->calls->list, link)
	{
		len = strlen(call->id);
		if (strncmp(id, call->id, len) == 0 && id[len] == ' ')
			call->answers++;
	}
}

static bool
is_own(const struct core *c, const char *id)
{
	return strtoll(id, NULL, 10) == store_epoch(c->store);
}

void
core_called_back(struct core *c, const struct kept *kept, size_t n)
{
	struct core_call *call, *next;

	if (n == 0)
		return;
	if (c->calls == NULL)
		c->calls = xcalloc(1, sizeof(*c->calls));
	LIST_FOREACH(call, &c->calls->list, link)
	call->answers = 0;
	for (size_t i = 0; i < n; i++) {
		const char *id = kept[i].key + 4;

		if (strncmp(kept[i].key, "ask ", 4) == 0 &&
		    strlen(id) < ID_MAX && !is_own(c, id) &&
		    !note_seen(c->calls, id))
			answer(c, id, kept[i].value);
		else if (strncmp(kept[i].key, "did ", 4) == 0)
			note_answer(c, id);
	}
	for (call = LIST_FIRST(&c->calls->list); call != NULL; call = next) {
		next = LIST_NEXT(call, link);
		if (call->answers + 1 >= nodes_count(c->nodes))
			finish(call);
	}
}

void
core_calls_free(struct core *c)
{
	free(c->calls);
	c->calls = NULL;
}
