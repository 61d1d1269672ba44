/*
 * courier.c - the I/O side of an outgoing session: one delivery after another,
 * each with the store's leave.
 *
 * A courier lives in its I/O thread. A delivery goes back to the core when two
 * things are known: how the dialogue ended, and that the store has answered
 * `begin` (the store still holds that request until then). The submission is
 * not completed before that answer, see session.h and store.h.
 */
#include "router/courier.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/smtp/address.h"
#include "router/config.h"
#include "router/io.h"
#include "router/path.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* -- giving back ---------------------------------------------------------- */

static void
tell_closed(struct courier *c)
{
	c->state = COURIER_GONE;
	session_closed(c->session);
}

/* Hands the delivery to the core once nobody here or in the store holds it any
 * more. */
static void
give_back(struct courier *c)
{
	struct delivery *d = c->delivery;

	if (d == NULL || !d->finished || !d->begun)
		return;
	c->delivery = NULL;
	d->usable = c->state == COURIER_READY;
	session_done(d);
	if (c->state == COURIER_CLOSED)
		tell_closed(c);
}

void
courier_finish(struct courier *c)
{
	c->delivery->finished = true;
	c->delivery->ended = clock_mono();
	give_back(c);
}

static void
finish_untried(struct courier *c)
{
	c->delivery->untried = true;
	courier_finish(c);
}

void
courier_finish_all(struct courier *c, const struct outcome *why)
{
	for (size_t i = 0; i < c->delivery->n; i++)
		c->delivery->rcpt[i].outcome = *why;
	courier_finish(c);
}

void
courier_closed(struct courier *c, const struct outcome *why)
{
	bool calling = c->state == COURIER_CALLING;

	c->state = COURIER_CLOSED;
	c->session->why = *why;
	if (c->delivery == NULL)
		tell_closed(c);
	else if (c->delivery->finished)
		give_back(c);
	else if (calling)
		courier_finish_all(c, why); /* the attempt is what failed */
	else
		finish_untried(c); /* the peer went away between two */
}

/* -- starting ------------------------------------------------------------- */

char *
courier_address(const char *plain, bool raw)
{
	char buf[ADDRESS_TEXT_MAX];
	const char *at = strrchr(plain, '@');
	struct address a = { .null = at == NULL };

	if (at != NULL) {
		size_t n = (size_t)(at - plain);
		assert(
		    n < sizeof(a.local) && strlen(at + 1) < sizeof(a.domain));
		memcpy(a.local, plain, n);
		strcpy(a.domain, at + 1);
	}
	return xstrdup(
	    address_format(&a, raw ? QUOTE_RAW : QUOTE_IRREGULAR, buf));
}

/* Starts when there is a session, a delivery and its body. */
static void
start_if_ready(struct courier *c)
{
	if (c->state == COURIER_READY && c->delivery != NULL &&
	    !c->delivery->finished && c->delivery->body != NULL)
		c->class->start(c);
}

bool
courier_ready(struct courier *c)
{
	if (c->delivery == NULL || c->delivery->finished) {
		c->state = COURIER_LEAVING;
		return false;
	}
	c->state = COURIER_READY;
	c->delivery->connected = clock_mono();
	start_if_ready(c);
	return true;
}

static bool
any_suppressed(const struct store_begin *begin)
{
	for (size_t i = 0; begin->suppressed != NULL && i < begin->n; i++)
		if (begin->suppressed[i] != NULL)
			return true;
	return false;
}

/* The core settles those that are suppressed; the others go again. */
static void
not_recorded(struct courier *c, const struct store_begin *begin)
{
	enum store_status st = begin->req.status;

	/* That the database is away is told once, by the core. */
	if (!any_suppressed(begin))
		log_text(st == STORE_AWAY || st == STORE_FENCED ? LOG_DEBUG
								: LOG_WARN,
		    "begin", "attempt not recorded: %s",
		    begin->req.err.text);
	if (c->state == COURIER_SENDING) {
		c->delivery->untried = true;
		c->class->abort(c);
	} else {
		finish_untried(c);
	}
}

bool
courier_holds(struct courier *c)
{
	unsigned term = store_term(c->session->io->store);

	if (term != 0 && term == c->delivery->term)
		return true;
	if (!c->delivery->untried)
		log_text(LOG_WARN, "begin",
		    "attempt not completed: this node was not heard of for "
		    "too long, and others may have the mail");
	c->delivery->untried = true;
	return false;
}

static void
permit(struct courier *c)
{
	if (courier_holds(c))
		c->class->permit(c);
	else
		c->class->abort(c);
}

static void
on_begun(struct store_request *req)
{
	struct store_begin *begin = container_of(req, struct store_begin, req);
	struct delivery *d = container_of(begin, struct delivery, begin);
	struct courier *c = d->session->courier;

	d->begun = true;
	if (begin->body != NULL)
		d->body = begin->body;
	if (d->finished)
		give_back(c);
	else if (req->status != STORE_OK || d->body == NULL)
		not_recorded(c, begin);
	else if (c->state == COURIER_SENDING)
		permit(c);
	else
		start_if_ready(c);
}

/* -- asked for by the core ------------------------------------------------ */

static void
take_delivery(struct courier *c, struct delivery *d)
{
	assert(c->delivery == NULL);
	c->delivery = d;
	d->started = clock_mono();
	d->begin.req.reply_to = c->session->io->inbox;
	d->begin.req.done = on_begun;
	store_begin(c->session->io->store, &d->begin);
	if (c->state >= COURIER_LEAVING)
		finish_untried(c);
	else
		start_if_ready(c);
}

static const struct courier_class *
class_for(const struct config_path *path)
{
	return path->kind == PATH_SES && path->transport == SES_API
		   ? &courier_api
		   : &courier_smtp;
}

static void
on_open(struct task *t)
{
	struct session *s = container_of(t, struct session, task);
	const struct courier_class *class = class_for(s->path);
	struct courier *c = class->new ();

	c->class = class;
	c->session = s;
	c->state = COURIER_CALLING;
	s->courier = c;
	take_delivery(c, s->delivery);
	class->open(c);
}

void
courier_open(struct session *s)
{
	s->task.run = on_open;
	inbox_post(s->io->inbox, &s->task);
}

static void
on_deliver(struct task *t)
{
	struct delivery *d = container_of(t, struct delivery, task);

	take_delivery(d->session->courier, d);
}

void
courier_deliver(struct session *s, struct delivery *d)
{
	d->task.run = on_deliver;
	inbox_post(s->io->inbox, &d->task);
}

static void
on_close(struct task *t)
{
	struct courier *c = container_of(t, struct session, close)->courier;

	c->class->close(c);
}

void
courier_close(struct session *s)
{
	s->close.run = on_close;
	inbox_post(s->io->inbox, &s->close);
}

static void
on_bury(struct task *t)
{
	struct session *s = container_of(t, struct session, task);
	struct courier *c = s->courier;

	assert(c->state == COURIER_GONE && c->delivery == NULL);
	c->class->free(c);
	config_unref(&s->config);
	free(s->domain);
	free(s);
}

void
courier_bury(struct session *s)
{
	s->task.run = on_bury;
	inbox_post(s->io->inbox, &s->task);
}
