/*
 * hook_bury.c - an event that the application will not have goes to the dead
 * letters, for people to look at; it has left its window when it lies there.
 */
#include "router/events/hooks_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN 1000 /* ms until a store that did not take it is asked again */

struct hook_letter {
	struct store_feedback op;
	struct dead_letter letter;
	struct hook *hook;
	struct hook_item
	    *item; /* of the window, unless that has been forgotten */
	unsigned generation;
	char *source, *id, *body, why[300];
};

static void
on_buried(struct store_request *req)
{
	struct store_feedback *op =
	    container_of(req, struct store_feedback, req);
	struct hook_letter *b = container_of(op, struct hook_letter, op);
	struct hook *h = b->hook;
	bool here = b->generation == h->generation;

	h->burying--;
	if (here) {
		b->item->flying = false;
		b->item->not_before =
		    req->status == STORE_OK ? 0 : clock_mono() + AGAIN;
	}
	if (req->status == STORE_OK)
		hook_log(h, LOG_ERROR, "dead letter", b->id, b->why);
	if (here && req->status == STORE_OK)
		hook_leave_window(h, &b->item);
	free(b->source);
	free(b->id);
	free(b->body);
	free(b);
	if (h->gone || h->hooks->stopping)
		hooks_look_for_end(h->hooks);
	else
		hook_tell(h);
}

void
hook_bury(struct hook *h, struct hook_item *item, const char *why)
{
	struct hook_letter *b = xcalloc(1, sizeof(*b));
	struct str source = STR_INIT;

	str_addf(&source, "hook:%s", h->name);
	b->hook = h;
	b->item = item;
	b->generation = h->generation;
	b->source = str_detach(&source);
	b->id = xstrdup(item->id);
	b->body = xstrndup(item->text, item->len);
	snprintf(b->why, sizeof(b->why), "refused by the application: %s", why);
	b->letter = (struct dead_letter){ .source = b->source,
		.id = b->id,
		.why = b->why,
		.body = b->body,
		.len = item->len };
	b->op.req.reply_to = h->hooks->inbox;
	b->op.req.done = on_buried;
	STAILQ_INIT(&b->op.list);
	b->op.now = clock_wall();
	b->op.letter = &b->letter;
	b->op.bury = true;
	item->flying = true;
	h->burying++;
	store_feedback(h->hooks->store, &b->op);
}
