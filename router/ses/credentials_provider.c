/*
 * credentials_provider.c - keeps the keys that AWS is called with fresh.
 *
 * A round looks for keys where the settings say; one of them may have to wait
 * for the metadata service. What it finds goes under the lock, where other
 * threads take it. The time of the next round follows from what the last one
 * found, and is looked at anew every minute, for the wall clock may jump.
 */
#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"
#include "router/config.h"
#include "router/ses/credentials_int.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)

#define EARLY	    (5 * MINUTE) /* before they expire; by then AWS has new ones */
#define RETRY_FIRST (1 * SECOND) /* after a failure, and doubled */
#define RETRY_LAST  (1 * MINUTE)
#define SOON	    (15 * SECOND) /* the same keys again, though they end */
#define JUST_DONE   (10 * SECOND)
#define LOOK	    (1 * MINUTE)

struct credentials_provider {
	/* as the settings say */
	enum credentials_kind kind;
	char *file, *profile;

	struct imds *imds; /* NULL: no role is asked for */
	struct event *timer;
	bool busy;	  /* waits for imds */
	bool told;	  /* `changed` knows what was found last */
	int64_t next;	  /* wall ms of the next round; 0: none is due */
	int64_t began;	  /* monotonic ms of the last round */
	int64_t retry;	  /* ms until the next try, should this one fail */
	struct err local; /* auto: why environment and file had none */
	void (*changed)(void *);
	void *arg;

	pthread_mutex_t lock; /* of the two below */
	struct credentials *keys;
	struct err trouble; /* of the last round; "" when it found some */
};

/* -- a round ----------------------------------------------------------- */

static void
wait_for(struct credentials_provider *p, int64_t ms)
{
	const struct timeval tv = { .tv_sec = ms / SECOND,
		.tv_usec = ms % SECOND * 1000 };

	event_add(p->timer, &tv);
}

/* Until the next round, or the next look at the clock. */
static void
arm(struct credentials_provider *p)
{
	int64_t left = p->next - clock_wall();

	if (!p->told)
		wait_for(p, 0);
	else if (p->next != 0)
		wait_for(p, left < 0 ? 0 : left > LOOK ? LOOK : left);
}

/* For keys that end: five minutes before, or soon when that is over. */
static int64_t
next_round(const struct credentials *c)
{
	int64_t now = clock_wall();

	if (c->expires == 0)
		return 0;
	return c->expires - EARLY > now ? c->expires - EARLY : now + SOON;
}

static void
put_keys(struct credentials_provider *p, struct credentials *c)
{
	struct credentials *old;

	pthread_mutex_lock(&p->lock);
	old = p->keys;
	p->keys = c;
	p->trouble.text[0] = '\0';
	pthread_mutex_unlock(&p->lock);
	credentials_unref(&old);
	p->retry = RETRY_FIRST;
	p->next = next_round(c);
}

/* Neither the settings nor the environment change while we run. */
static bool
may_change(const struct credentials_provider *p)
{
	return p->kind != CREDENTIALS_STATIC &&
	       p->kind != CREDENTIALS_ENVIRONMENT;
}

/* What we have stays, for as long as it is good. */
static void
put_trouble(struct credentials_provider *p, const struct err *why)
{
	pthread_mutex_lock(&p->lock);
	p->trouble = *why;
	pthread_mutex_unlock(&p->lock);
	p->next = may_change(p) ? clock_wall() + p->retry : 0;
	p->retry = p->retry * 2 < RETRY_LAST ? p->retry * 2 : RETRY_LAST;
}

/* The round is over; takes over the keys. */
static void
settle(struct credentials_provider *p, struct credentials *c,
    const struct err *why)
{
	struct err late = ERR_INIT;

	if (c != NULL && c->expires != 0 && c->expires <= clock_wall()) {
		err_set(&late, "the keys of the role have expired already");
		credentials_unref(&c);
		why = &late;
	}
	if (c != NULL)
		put_keys(p, c);
	else
		put_trouble(p, why);
	p->told = false;
	arm(p);
}

static void
on_role(void *arg, struct credentials *c, const struct err *why)
{
	struct credentials_provider *p = arg;
	struct err all = ERR_INIT;

	p->busy = false;
	if (c == NULL && p->local.text[0] != '\0') {
		err_set(&all, "%s; %s", p->local.text, why->text);
		why = &all;
	}
	settle(p, c, why);
}

/* Where keys are found at once: the environment, then the file. */
static struct credentials *
read_local(struct credentials_provider *p, struct err *e)
{
	struct credentials *c = NULL;
	struct err file = ERR_INIT;

	e->text[0] = '\0';
	if (p->kind != CREDENTIALS_FILE)
		c = credentials_of_environment(e);
	if (c != NULL || p->kind == CREDENTIALS_ENVIRONMENT)
		return c;
	c = credentials_read(p->file, p->profile, &file);
	if (c == NULL && e->text[0] != '\0')
		err_set(e, "%s; %s", e->text, file.text);
	else if (c == NULL)
		*e = file;
	return c;
}

static void
begin_round(struct credentials_provider *p)
{
	struct credentials *c = NULL;

	p->began = clock_mono();
	p->next = 0;
	if (p->kind != CREDENTIALS_ROLE)
		c = read_local(p, &p->local);
	if (c != NULL || p->imds == NULL) {
		settle(p, c, &p->local);
		return;
	}
	p->busy = true;
	imds_fetch(p->imds, on_role, p);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct credentials_provider *p = arg;

	(void)fd;
	(void)what;
	if (!p->told) {
		p->told = true;
		arm(p);
		if (p->changed != NULL)
			p->changed(p->arg);
	} else if (p->next != 0 && clock_wall() >= p->next)
		begin_round(p);
	else
		arm(p);
}

/* -- the provider ------------------------------------------------------ */

static void
take_settings(
    struct credentials_provider *p, const struct config_credentials *config)
{
	struct err e = ERR_INIT;
	struct credentials *c =
	    credentials_take(config->access_key, config->secret_key.value, NULL,
		0, "settings", "the settings file", &e);

	settle(p, c, &e);
}

struct credentials_provider *
credentials_provider_new(struct https *https,
    const struct config_credentials *config, void (*changed)(void *arg),
    void *arg)
{
	struct credentials_provider *p = xcalloc(1, sizeof(*p));
	bool role = config->kind == CREDENTIALS_ROLE ||
		    config->kind == CREDENTIALS_AUTO;

	assert(config->kind != CREDENTIALS_NONE);
	p->kind = config->kind;
	p->file = xstrdup(config->file);
	p->profile = xstrdup(config->profile);
	p->imds = role ? imds_new(https, config->imds) : NULL;
	p->timer = event_new(https_base(https), -1, 0, on_timer, p);
	if (p->timer == NULL)
		abort(); /* out of memory */
	p->told = true;
	p->retry = RETRY_FIRST;
	p->changed = changed;
	p->arg = arg;
	pthread_mutex_init(&p->lock, NULL);
	if (p->kind == CREDENTIALS_STATIC)
		take_settings(p, config);
	else
		begin_round(p);
	return p;
}

void
credentials_provider_free(struct credentials_provider **pp)
{
	struct credentials_provider *p = *pp;

	if (p == NULL)
		return;
	imds_free(&p->imds);
	event_free(p->timer);
	credentials_unref(&p->keys);
	pthread_mutex_destroy(&p->lock);
	free(p->file);
	free(p->profile);
	free(p);
	*pp = NULL;
}

static bool
is_good(const struct credentials *c)
{
	return c != NULL && (c->expires == 0 || clock_wall() < c->expires);
}

struct credentials *
credentials_now(struct credentials_provider *p, struct err *e)
{
	struct credentials *c = NULL;
	const char *trouble;

	pthread_mutex_lock(&p->lock);
	trouble = p->trouble.text;
	if (is_good(p->keys))
		c = credentials_ref(p->keys);
	else if (p->keys != NULL)
		err_set(e, "the keys of the %s have expired%s%s", p->keys->from,
		    trouble[0] != '\0' ? ": " : "", trouble);
	else
		err_set(e, "%s",
		    trouble[0] != '\0' ? trouble
				       : "the keys are not there yet");
	pthread_mutex_unlock(&p->lock);
	return c;
}

void
credentials_refresh(struct credentials_provider *p)
{
	if (!may_change(p) || p->busy || clock_mono() - p->began < JUST_DONE)
		return;
	begin_round(p);
}
