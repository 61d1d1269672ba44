/*
 * watch.c - looks at the SES account of a path at each interval, and tells the
 * core what it sees.
 *
 * The account is asked by call.c and read by account.c. What follows from it is
 * the core's to decide (quota.c).
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/core.h"
#include "router/ses/amazon_int.h"

#define SECOND ((int64_t)1000)

struct ses_watch {
	LIST_ENTRY(ses_watch) link;
	struct amazon *amazon;
	char *path;
	struct aws_site *site;
	int64_t interval;
	struct ses_account account;
	struct event *timer;
	struct aws_call *call; /* under way */
	bool waits_for_keys, has_turn, again;
	unsigned failures; /* in a row */
	STAILQ_HEAD(, ses_waiter) waiters;
};

/* ------ the log */

static bool
is_new(const struct ses_account *old, const struct ses_account *a)
{
	return old->at == 0 || old->trouble[0] != '\0' ||
	       old->enforcement != a->enforcement || old->rate != a->rate ||
	       old->max_24_hours != a->max_24_hours ||
	       old->sending_enabled != a->sending_enabled ||
	       old->production != a->production;
}

static const char *
remark(const struct ses_account *a)
{
	const char *closed = ses_account_closed(a);

	if (closed != NULL)
		return closed;
	if (a->enforcement == SES_PROBATION)
		return "Amazon SES has put the account on probation";
	if (!a->production)
		return "the account is in the SES sandbox: mail goes to "
		       "verified recipients only";
	return NULL;
}

static enum log_level
level_of(const struct ses_account *a)
{
	if (ses_account_closed(a) != NULL)
		return LOG_ERROR;
	return remark(a) != NULL ? LOG_WARN : LOG_INFO;
}

static void
log_account(const struct ses_watch *w)
{
	const struct ses_account *a = &w->account;
	struct logline l;

	if (!log_start(&l, level_of(a), "account"))
		return;
	log_str(&l, "path", w->path);
	log_str(&l, "enforcement", a->enforcement_text);
	log_int(&l, "rate", (int64_t)a->rate);
	log_int(&l, "quota", (int64_t)a->max_24_hours);
	log_int(&l, "sent", (int64_t)a->sent_24_hours);
	log_str(&l, "text", remark(a));
	log_end(&l);
}

static void
log_trouble(const struct ses_watch *w)
{
	struct logline l;

	if (!log_start(&l, LOG_WARN, "account"))
		return;
	log_str(&l, "path", w->path);
	log_str(&l, "text", "cannot look at the SES account");
	log_str(&l, "error", w->account.trouble);
	log_end(&l);
}

/* ------ what was seen */

static void
tell_core(const struct ses_watch *w)
{
	struct amazon_news *news = xcalloc(1, sizeof(*news));

	news->task.run = core_take_account;
	news->core = w->amazon->core;
	news->path = xstrdup(w->path);
	news->account = w->account;
	inbox_post(core_inbox(w->amazon->core), &news->task);
}

static void
tell_waiters(struct ses_watch *w)
{
	struct ses_waiter *waiter;

	while ((waiter = STAILQ_FIRST(&w->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&w->waiters, link);
		waiter->run(waiter);
	}
}

static void
note_trouble(
    struct ses_watch *w, const struct aws_answer *a, const struct err *why)
{
	struct ses_account *account = &w->account;
	bool new = account->trouble[0] == '\0';

	snprintf(
	    account->trouble, sizeof(account->trouble), "%.255s", why->text);
	account->trouble_at = clock_wall();
	account->refused = aws_answer_refuses_us(a);
	w->failures++;
	if (new)
		log_trouble(w);
	if (account->refused && !a->no_credentials)
		credentials_refresh(w->site->credentials);
}

static void
note_account(struct ses_watch *w, const struct ses_account *now)
{
	struct ses_account old = w->account;

	w->account = *now;
	w->failures = 0;
	if (is_new(&old, now))
		log_account(w);
}

static void
read_answer(struct ses_watch *w, const struct aws_answer *a)
{
	struct ses_account now;
	struct err why = ERR_INIT;

	if (a->status != 200) {
		aws_answer_say(a, &why);
		note_trouble(w, a, &why);
	} else if (ses_account_read(a->json, clock_wall(), &now, &why) != 0) {
		note_trouble(w, a, &why);
	} else {
		note_account(w, &now);
	}
}

/* ------ when it looks */

static void
look_after(struct ses_watch *w, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / SECOND,
		.tv_usec = ms % SECOND * 1000 };

	event_add(w->timer, &tv);
}

/* In trouble sooner than at the next interval, but less and less so. */
static int64_t
until_next(const struct ses_watch *w)
{
	static const int64_t delays[] = { 5 * SECOND, 10 * SECOND,
		30 * SECOND };
	size_t most = sizeof(delays) / sizeof(delays[0]);

	if (w->failures == 0 || w->failures > most ||
	    delays[w->failures - 1] > w->interval)
		return w->interval;
	return delays[w->failures - 1];
}

static void
on_answer(void *arg, const struct aws_answer *a)
{
	struct ses_watch *w = arg;

	w->call = NULL;
	read_answer(w, a);
	tell_core(w);
	look_after(w, w->again ? 0 : until_next(w));
	w->again = false;
	tell_waiters(w);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct aws_request get = { .method = "GET",
		.path = "/v2/email/account" };
	struct ses_watch *w = arg;
	int64_t wait = w->has_turn ? 0 : amazon_turn(w->amazon, w->site);

	(void)fd;
	(void)what;
	w->waits_for_keys = false;
	w->has_turn = wait > 0;
	if (wait > 0)
		look_after(w, wait);
	else
		w->call =
		    aws_call_new(w->amazon->https, w->site, &get, on_answer, w);
}

void
ses_watch_now(struct ses_watch *w)
{
	if (w->call != NULL)
		w->again = true;
	else if (!w->has_turn)
		look_after(w, 0);
}

/* Only who has no answer because of them gains by looking before its time. */
void
ses_watch_keys(struct ses_watch *w, const struct credentials_provider *keys)
{
	if (w->site->credentials == keys && w->call == NULL &&
	    (w->waits_for_keys || w->account.refused))
		ses_watch_now(w);
}

/* ------ its life */

/* At the start keys may still be on their way: on_keys in amazon_sites.c tells
 * when they are here. */
static void
first_look(struct ses_watch *w)
{
	struct credentials *keys = credentials_now(w->site->credentials, NULL);

	w->waits_for_keys = keys == NULL;
	look_after(w, keys == NULL ? 5 * SECOND : 0);
	credentials_unref(&keys);
}

struct ses_watch *
ses_watch_new(struct amazon *a, const char *path)
{
	const struct config_path *c = config_path_find(a->config, path);
	struct ses_watch *w = xcalloc(1, sizeof(*w));

	w->amazon = a;
	w->path = xstrdup(path);
	w->site = amazon_site(a, path);
	w->interval = c->account_check;
	STAILQ_INIT(&w->waiters);
	w->timer = evtimer_new(a->base, on_timer, w);
	if (w->timer == NULL)
		abort(); /* out of memory */
	LIST_INSERT_HEAD(&a->watches, w, link);
	first_look(w);
	return w;
}

void
ses_watch_free(struct ses_watch **watch)
{
	struct ses_watch *w = *watch;

	*watch = NULL;
	if (w == NULL)
		return;
	LIST_REMOVE(w, link);
	tell_waiters(w);
	aws_call_free(&w->call);
	event_free(w->timer);
	free(w->path);
	free(w);
}

const struct ses_account *
ses_watch_account(const struct ses_watch *w)
{
	return &w->account;
}

struct ses_watch *
ses_watch_find(struct amazon *a, const char *path)
{
	struct ses_watch *w;

	LIST_FOREACH(w, &a->watches, link)
	if (strcmp(w->path, path) == 0)
		break;
	return w;
}

struct ses_watch *
ses_watch_next(struct ses_watch *w)
{
	return LIST_NEXT(w, link);
}

void
ses_watch_wait(struct ses_watch *w, struct ses_waiter *waiter)
{
	STAILQ_INSERT_TAIL(&w->waiters, waiter, link);
}
