/*
 * courier_api.c - carries deliveries by SES's API: one SendEmail at a time for
 *each session.
 *
 * A session is one request in flight at most; the connection it goes by is the
 *https client's, shared by all sessions of the thread. A request begins only
 *when the store has recorded the attempt, for its end is nobody's to hold back;
 *it is never made twice from here. What goes wrong when all of it may have
 * reached SES is "final dot sent, reply unread", as over SMTP.
 *
 *	open: keys -> READY -> start: content, hash (in pieces) -> SENDING: call
 *-> answer
 */
#include "router/courier.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/core.h"
#include "router/io.h"
#include "router/ses/amazon.h"
#include "router/ses/call.h"
#include "router/ses/content.h"
#include "router/ses/credentials.h"
#include "router/ses/replies.h"
#include "router/ses/send_email.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* After a start the keys of a role take a moment to come: that is no reason to
 * close the path. */
#define KEYS_WAIT 5000 /* ms */
#define KEYS_LOOK 100  /* ms between two looks */

struct api {
	struct courier courier;
	struct aws_site *site;
	struct event *timer; /* looks for keys, or hashes on */
	int64_t keys_by;     /* mono ms: waits for keys until then */
	struct ses_content content;
	struct send_email email;
	bool made; /* both of them */
	struct aws_call *call;
};

static struct api *
api_of(struct courier *c)
{
	return container_of(c, struct api, courier);
}

static void
forget_email(struct api *c)
{
	if (!c->made)
		return;
	c->made = false;
	send_email_clear(&c->email);
	ses_content_clear(&c->content);
}

/* -- the end of a delivery ------------------------------------------------ */

/* In good order. */
static void
closed(struct api *c)
{
	struct outcome why;

	outcome_set(&why, SCOPE_SESSION, STAGE_QUIT, false, "%s", "");
	courier_closed(&c->courier, &why);
}

/* Trouble that is wider than a message ends the session, so that no more go out
 * than the lane opens anew. */
static void
finish(struct api *c, const struct outcome *why)
{
	struct courier *base = &c->courier;
	bool over = why->scope >= SCOPE_SESSION;

	forget_email(c);
	base->state = over ? COURIER_CLOSED : COURIER_READY;
	if (over)
		base->session->why = *why;
	courier_finish_all(base, why);
}

/* What is not sent for a reason of our own. */
static void
cannot_send(struct api *c, const struct err *e)
{
	struct outcome why;

	log_text(LOG_ERROR, "content", "%s", e->text);
	outcome_set(&why, SCOPE_MESSAGE, STAGE_NONE, false, "%s", e->text);
	finish(c, &why);
}

static void
on_answer(void *arg, const struct aws_answer *a)
{
	struct api *c = arg;
	const struct session *s = c->courier.session;
	struct outcome o;

	ses_api_outcome(a, &o);
	/* The message could not be read to its end, or its line was too slow.
	 */
	if (o.stage == STAGE_CONNECT && c->email.at > 0)
		o.stage = STAGE_BODY;
	ses_blame(&o, c->courier.delivery->route.configuration_set,
	    s->path->configuration_set);
	finish(c, &o);
}

/* -- sending -------------------------------------------------------------- */

static void
look_again(struct api *c, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	evtimer_add(c->timer, &tv);
}

/* Without its last bytes SES does nothing. */
static ssize_t
read_while_held(void *arg, char *buf, size_t room)
{
	struct api *c = arg;

	return courier_holds(&c->courier)
		   ? send_email_read(&c->email, buf, room)
		   : -1;
}

static void
rewind_email(void *arg)
{
	struct api *c = arg;

	send_email_rewind(&c->email);
}

static void
call(struct api *c)
{
	struct aws_request request;

	send_email_request(&c->email, &request);
	if (store_is_shared(c->courier.session->io->store)) {
		request.body = NULL;
		request.read = read_while_held;
		request.rewind = rewind_email;
		request.read_arg = c;
	}
	aws_call_new(
	    c->courier.session->io->https, c->site, &request, on_answer, c);
}

/* A large message is hashed between other work of the thread. */
static void
hash(struct api *c)
{
	struct err e = ERR_INIT;
	int rc = send_email_hash(&c->email, &e);

	if (rc < 0)
		cannot_send(c, &e);
	else if (rc > 0)
		look_again(c, 0);
	else
		call(c);
}

static int
make_email(struct api *c, struct err *e)
{
	const struct delivery *d = c->courier.delivery;
	char *from = courier_address(d->message->from, d->raw);
	char *to = courier_address(d->recipients[0]->address, d->raw);
	int rc = send_email_make(&c->email, &c->content, from, to, e);

	c->made = true;
	free(from);
	free(to);
	return rc;
}

/* "email.ap-northeast-1.amazonaws.com" */
static void
report_peer(struct api *c)
{
	struct delivery *d = c->courier.delivery;
	const char *host = strstr(c->site->endpoint, "://");

	host = host != NULL ? host + 3 : c->site->endpoint;
	snprintf(
	    d->peer, sizeof(d->peer), "%.*s", (int)strcspn(host, "/"), host);
}

static void
api_start(struct courier *base)
{
	struct api *c = api_of(base);
	struct delivery *d = base->delivery;
	struct err e = ERR_INIT;
	struct outcome why;
	int rc;

	if (!d->begun)
		return;
	assert(d->n == 1); /* the lane's: one recipient per submission */
	base->state = COURIER_SENDING;
	report_peer(c);
	rc = ses_content_make(base->session, d, &c->content, &why, &e);
	if (rc != 0)
		ses_content_clear(&c->content);
	if (rc > 0)
		finish(c, &why);
	else if (rc < 0 || make_email(c, &e) != 0)
		cannot_send(c, &e);
	else
		hash(c);
}

/* -- opening and closing -------------------------------------------------- */

static bool
has_keys(const struct api *c)
{
	struct credentials *keys = credentials_now(c->site->credentials, NULL);
	bool has = keys != NULL;

	credentials_unref(&keys);
	return has;
}

static void
wait_for_keys(struct api *c)
{
	if (!has_keys(c) && clock_mono() < c->keys_by)
		look_again(c, KEYS_LOOK);
	else if (!courier_ready(&c->courier))
		closed(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct api *c = arg;

	(void)fd;
	(void)what;
	if (c->courier.state == COURIER_CALLING)
		wait_for_keys(c);
	else if (c->courier.state == COURIER_SENDING)
		hash(c);
}

static struct courier *
api_new(void)
{
	struct api *c = xcalloc(1, sizeof(*c));

	return &c->courier;
}

static void
api_open(struct courier *base)
{
	struct api *c = api_of(base);
	const struct session *s = base->session;

	c->site = amazon_site(core_amazon(s->core), s->path->name);
	c->timer = evtimer_new(s->io->base, on_timer, c);
	if (c->timer == NULL)
		abort(); /* out of memory */
	c->keys_by = clock_mono() + KEYS_WAIT;
	wait_for_keys(c);
}

/* A request begins with permission, so there is nothing to hold back or to
 * stop. */
static void
api_permit(struct courier *base)
{
	(void)base;
	assert(!"a request without permission");
}

static void
api_close(struct courier *base)
{
	if (base->state == COURIER_READY)
		closed(api_of(base));
}

static void
api_free(struct courier *base)
{
	struct api *c = api_of(base);

	forget_email(c);
	event_free(c->timer);
	free(c);
}

const struct courier_class courier_api = {
	.new = api_new,
	.open = api_open,
	.start = api_start,
	.permit = api_permit,
	.abort = api_permit,
	.close = api_close,
	.free = api_free,
};
