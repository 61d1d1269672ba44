/*
 * hook_keep.c - how far hooks have come, on disk.
 *
 * What is kept of one is the number of the last row that was read, and the rows
 * up to it that have not been told: one event that the application chokes on
 * for hours does not have everything behind it told again. It is put there when
 * something has been told, a moment later or as soon as there is much; when
 * there is more of that than a crash may repeat, telling waits for the disk.
 */
#include "router/events/hooks_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SOON	   200 /* ms */
#define MANY	   100 /* events: at once */
#define MOST	   250 /* events: nothing is told before they are on disk */
#define KEEP_AGAIN INT64_C(3600000) /* so that it does not expire: ms */
#define KEEP_LEAST INT64_C(86400000)

/* -- as text --------------------------------------------------------------- */

/* "1041 1030 1037": all up to 1041 but for two. */
void
hook_place_add(struct str *out, const struct hook *h)
{
	const struct hook_item *item;
	int64_t last = 0;

	str_addf(out, "%" PRId64, h->read_to);
	TAILQ_FOREACH(item, &h->window, link)
	{
		if (item->seq != last)
			str_addf(out, " %" PRId64, item->seq);
		last = item->seq;
	}
}

/* The next number of such a text; -1: no more, or no number. */
int64_t
hook_place_next(const char **text)
{
	char *end;
	int64_t n;

	if (**text == '\0')
		return -1;
	n = strtoll(*text, &end, 10);
	if (end == *text || n < 0)
		return -1;
	*text = end;
	return n;
}

/* -- to disk --------------------------------------------------------------- */

struct keeping {
	struct store_keep op;
	struct hooks *hooks;
	struct kept *kept;
	struct str *values;
	size_t n;
};

static void
free_keeping(struct keeping *k)
{
	for (size_t i = 0; i < k->n; i++)
		str_release(&k->values[i]);
	free(k->values);
	free(k->kept);
	free(k);
}

/* A disk that takes nothing is asked again after a while, not at once. */
static void
go_on(struct hooks *hooks, bool good)
{
	struct hook *h;

	LIST_FOREACH(h, &hooks->list, link)
	{
		if (!good) {
			h->moved = true;
			h->unkept = 0;
		} else if (h->moved) {
			hook_keep_soon(h, 0);
		}
		hook_tell(h);
	}
}

/* Not kept: all of them again. */
static void
on_kept(struct store_request *req)
{
	struct store_keep *op = container_of(req, struct store_keep, req);
	struct keeping *k = container_of(op, struct keeping, op);
	struct hooks *hooks = k->hooks;
	bool good = req->status == STORE_OK;

	hooks->keep_pending = false;
	free_keeping(k);
	if (!hooks->stopping)
		go_on(hooks, good);
	else if (good)
		hooks_keep(hooks);
	hooks_look_for_end(hooks);
}

static void
add(struct keeping *k, struct hook *h, int64_t now)
{
	int64_t keep = k->hooks->config->event_keep;

	str_init(&k->values[k->n]);
	hook_place_add(&k->values[k->n], h);
	k->kept[k->n] = (struct kept){ .kind = "hook",
		.key = h->name,
		.value = k->values[k->n].data,
		.expires = now + (keep > KEEP_LEAST ? keep : KEEP_LEAST) };
	k->n++;
	h->moved = false;
	h->unkept = 0;
	h->kept_at = now;
}

static size_t
count(const struct hooks *hooks)
{
	const struct hook *h;
	size_t n = 0;

	LIST_FOREACH(h, &hooks->list, link)
	n++;
	return n;
}

void
hooks_keep(struct hooks *hooks)
{
	int64_t now = clock_wall();
	size_t most = count(hooks);
	struct keeping *k;
	struct hook *h;

	if (hooks->keep_pending || most == 0)
		return;
	k = xcalloc(1, sizeof(*k));
	k->hooks = hooks;
	k->kept = xcalloc(most, sizeof(*k->kept));
	k->values = xcalloc(most, sizeof(*k->values));
	LIST_FOREACH(h, &hooks->list, link)
	if (h->known && !h->gone &&
	    (h->moved || now - h->kept_at >= KEEP_AGAIN))
		add(k, h, now);
	if (k->n == 0) {
		free_keeping(k);
		return;
	}
	k->op.req.reply_to = hooks->inbox;
	k->op.req.done = on_kept;
	k->op.kept = k->kept;
	k->op.n = k->n;
	hooks->keep_pending = true;
	store_keep(hooks->store, &k->op);
}

/* -- when ------------------------------------------------------------------ */

void
hook_keep_soon(struct hook *h, unsigned told)
{
	static const struct timeval soon = { .tv_usec = SOON * 1000 };
	struct hooks *hooks = h->hooks;

	h->moved = true;
	h->unkept += told;
	if (hooks->stopping || hooks->keep_pending)
		return;
	if (h->unkept >= MANY)
		hooks_keep(hooks);
	else if (!event_pending(hooks->soon, EV_TIMEOUT, NULL))
		event_add(hooks->soon, &soon);
}

/* While the disk takes nothing at all, telling goes on. */
bool
hook_keep_first(const struct hook *h)
{
	return h->unkept >= MOST && h->hooks->keep_pending;
}
