/*
 * hook_tell.c - from a hook's window to the application, and when to look
 * again.
 */
#include "router/events/hooks_int.h"

#include "mta/base/clock.h"

#include <event2/event.h>

void
hook_told(struct hook *h, struct hook_item **item)
{
	pthread_mutex_lock(&h->hooks->lock);
	h->shown.told++;
	pthread_mutex_unlock(&h->hooks->lock);
	hook_end_of_trouble(h);
	hook_leave_window(h, item);
}

static void
post_all(struct hook *h, int64_t now)
{
	unsigned most = h->failures > 0 ? 1 : h->config->connections;
	struct hook_item *items[HOOK_BATCH];
	size_t n;

	while (h->nposts < most && (n = hook_pick(h, items, now)) > 0)
		hook_post(h, items, n);
}

/* -- when -------------------------------------------------------------------
 */

void
hook_again_after(struct hook *h, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	event_add(h->timer, &tv);
}

/* The next moment at which something may go that may not now. */
static void
set_timer(struct hook *h, int64_t now)
{
	const struct hook_item *item;
	int64_t at = INT64_MAX;

	TAILQ_FOREACH(item, &h->window, link)
	if (!item->flying && item->not_before > now && item->not_before < at)
		at = item->not_before;
	if (h->next > now && h->n > 0)
		at = at == INT64_MAX || at < h->next ? h->next : at;
	if (at != INT64_MAX)
		hook_again_after(h, at - now);
}

/* A row may be told as several events. */
static int64_t
rows_of(const struct hook *h)
{
	const struct hook_item *item;
	int64_t n = 0, last = 0;

	TAILQ_FOREACH(item, &h->window, link)
	{
		n += item->seq != last;
		last = item->seq;
	}
	return n;
}

static void
show_cursor(struct hook *h)
{
	int64_t waiting = rows_of(h);

	pthread_mutex_lock(&h->hooks->lock);
	h->shown.cursor = hook_cursor(h);
	h->shown.read_to = h->read_to;
	h->shown.waiting = waiting;
	pthread_mutex_unlock(&h->hooks->lock);
}

void
hook_tell(struct hook *h)
{
	int64_t now = clock_mono();

	if (!h->known || h->gone || h->hooks->stopping || hook_keep_first(h))
		return;
	if (now >= h->next && h->config->kind == HOOK_FILE)
		hook_file_tell(h);
	else if (now >= h->next)
		post_all(h, now);
	set_timer(h, clock_mono());
	show_cursor(h);
	hook_read(h);
}
