/*
 * hook_pick.c - who of a hook's window goes next.
 *
 * Events of one recipient go in their order, each when the one before it has
 * been told or together with it. When the application seems to be in trouble,
 * one event is tried, one that has failed least: an event that it chokes on
 * must not look like an application that is down.
 */
#include "router/events/hooks_int.h"

static bool
same_recipient(const struct hook_item *a, const struct hook_item *b)
{
	return a->message == b->message && a->index == b->index;
}

static bool
is_among(struct hook_item *const *items, size_t n, const struct hook_item *item)
{
	for (size_t i = 0; i < n; i++)
		if (items[i] == item)
			return true;
	return false;
}

/* An earlier event of its recipient has not been told, nor goes with it. */
static bool
must_wait(const struct hook *h, const struct hook_item *item,
    struct hook_item *const *with, size_t n)
{
	const struct hook_item *e;

	TAILQ_FOREACH(e, &h->window, link)
	{
		if (e == item)
			return false;
		if (same_recipient(e, item) && !is_among(with, n, e))
			return true;
	}
	return false;
}

static bool
may_go(const struct hook *h, const struct hook_item *item, int64_t now)
{
	return !item->flying && item->not_before <= now &&
	       !must_wait(h, item, NULL, 0);
}

/* The first of those that have failed least. */
static struct hook_item *
pick_one(struct hook *h, int64_t now)
{
	struct hook_item *item, *best = NULL;

	TAILQ_FOREACH(item, &h->window, link)
	if ((best == NULL || item->tries < best->tries) && may_go(h, item, now))
		best = item;
	return best;
}

size_t
hook_pick(struct hook *h, struct hook_item *out[static HOOK_BATCH], int64_t now)
{
	struct hook_item *item;
	size_t n = 0;

	if (h->failures > 0) {
		out[0] = pick_one(h, now);
		return out[0] != NULL;
	}
	TAILQ_FOREACH(item, &h->window, link)
	{
		if (n == h->config->batch || n == HOOK_BATCH)
			break;
		if (item->flying || item->not_before > now ||
		    must_wait(h, item, out, n))
			continue;
		if (item->alone && n > 0)
			continue;
		out[n++] = item;
		if (item->alone)
			break;
	}
	return n;
}
