/*
 * hook_fail.c - what a failure means: for the event, for the hook, for people.
 *
 * What fails waits by itself, longer each time. When the application as a whole
 * seems to be in trouble the hook waits as well. An event is set aside when it
 * has been refused often while others got through. An error of the
 * application's own weighs less: it may be repaired.
 */
#include "router/events/hooks_int.h"

#include "mta/base/clock.h"

#include <stdio.h>

#define REFUSALS_MOST  100
#define WEIGHT_REFUSED 10
#define WEIGHT_ERROR   1

#define QUIET INT64_C(60000) /* ms between "well again" and "failing" */

/* -- for people ----------------------------------------------------------- */

void
hook_log(const struct hook *h, enum log_level level, const char *result,
    const char *id, const char *why)
{
	struct logline l;

	if (!log_start(&l, level, "hook"))
		return;
	log_str(&l, "name", h->name);
	log_str(&l, "result", result);
	log_str(&l, "event_id", id);
	log_str(&l, "why", why);
	log_end(&l);
}

/* An application that fails now and then is told of now and then. */
static void
say_failing(struct hook *h, const struct hook_item *item, const char *why)
{
	if (h->said || clock_mono() < h->quiet_until)
		return;
	hook_log(h, LOG_WARN, "failing", item->id, why);
	h->said = true;
}

static void
say_well(struct hook *h)
{
	pthread_mutex_lock(&h->hooks->lock);
	h->shown.failing_since = 0;
	h->shown.why[0] = '\0';
	pthread_mutex_unlock(&h->hooks->lock);
	if (!h->said)
		return;
	hook_log(h, LOG_INFO, "well again", NULL, NULL);
	h->said = false;
	h->quiet_until = clock_mono() + QUIET;
}

/* What fails while something has failed already is no news. */
static void
show_failure(struct hook *h, const struct hook_item *item, const char *why)
{
	bool is_news = h->troubled == 0;

	say_failing(h, item, why);
	pthread_mutex_lock(&h->hooks->lock);
	if (is_news)
		h->shown.failing_since = clock_wall();
	snprintf(h->shown.why, sizeof(h->shown.why), "%s", why);
	pthread_mutex_unlock(&h->hooks->lock);
}

/* -- the end of it --------------------------------------------------------- */

void
hook_leave_window(struct hook *h, struct hook_item **item)
{
	TAILQ_REMOVE(&h->window, *item, link);
	h->n--;
	if ((*item)->tries > 0 && --h->troubled == 0)
		say_well(h);
	hook_item_free(item);
	hook_keep_soon(h, 1);
}

/* It had been down: what failed meanwhile need not wait any longer. */
void
hook_end_of_trouble(struct hook *h)
{
	struct hook_item *item;

	if (h->failures > 1)
		TAILQ_FOREACH(item, &h->window, link)
	item->not_before = 0;
	h->failures = 0;
	h->next = 0;
}

/* -- a failure ------------------------------------------------------------- */

/* One of them, perhaps: each for itself, at once. */
static void
part(struct hook_item *const *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		items[i]->flying = false;
		items[i]->alone = true;
	}
}

static void
wait_longer(struct hook *h, struct hook_item *item, int64_t now)
{
	if (item->tries++ == 0) {
		h->troubled++;
		item->told_then = h->shown.told;
	}
	item->flying = false;
	item->not_before = now + hook_backoff(h->config, item->tries);
}

/* True: it is to be set aside. */
static bool
weigh(const struct hook *h, struct hook_item *item, int status)
{
	if (h->shown.told > item->told_then)
		item->refusals += hook_is_refusal(status) ? WEIGHT_REFUSED
				  : status >= 500	  ? WEIGHT_ERROR
							  : 0;
	return item->refusals >= REFUSALS_MOST;
}

/* Posts that fail together are one failure. */
static void
hold_back(struct hook *h, int64_t now, int64_t wait)
{
	int64_t ms;

	if (now < h->next)
		return;
	ms = hook_backoff(h->config, ++h->failures);
	h->next = now + (wait > ms ? wait : ms);
}

void
hook_failed(struct hook *h, struct hook_item *const *items, size_t n,
    int status, int64_t wait, const char *why)
{
	int64_t now = clock_mono();

	pthread_mutex_lock(&h->hooks->lock);
	h->shown.failed++;
	pthread_mutex_unlock(&h->hooks->lock);
	if (hook_is_refusal(status) && n > 1) {
		part(items, n);
		return;
	}
	show_failure(h, items[0], why);
	for (size_t i = 0; i < n; i++)
		wait_longer(h, items[i], now);
	if (!hook_is_refusal(status))
		hold_back(h, now, wait);
	else
		hook_end_of_trouble(h);
	if (n == 1 && weigh(h, items[0], status))
		hook_bury(h, items[0], why);
}
