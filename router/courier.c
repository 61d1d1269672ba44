/*
 * courier.c - the I/O side of an outgoing session: call, greet, carry one delivery after another.
 *
 * A courier lives in its I/O thread. A delivery goes back to the core when two things are known:
 * how the dialogue ended, and that the store has answered `begin` (the store still holds that
 * request until then). The final dot waits for that answer, see session.h and store.h.
 */
#include "router/session.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/smtp/address.h"
#include "router/body.h"
#include "router/config.h"
#include "router/io.h"
#include "router/path.h"
#include "router/tls_policy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum courier_state {
	COURIER_RESOLVING,
	COURIER_CONNECTING,
	COURIER_READY,   /* a transaction may start */
	COURIER_SENDING, /* a transaction is in hand */
	COURIER_LEAVING, /* QUIT said, or the peer is of no more use: takes nothing more */
	COURIER_CLOSED,  /* no connection, but a delivery that waits for the store */
	COURIER_GONE,    /* the core has been told; gives back what still arrives */
};

struct courier {
	enum courier_state state;
	struct session *session;
	const struct path_class *path;
	struct mx_lookup *lookup;
	struct tls_policy *tls;   /* mta: of the targets, which are in it */
	struct smtp_client_target *endpoint; /* ses: the targets */
	const struct smtp_client_target *targets;
	size_t ntargets;
	bool without_tls;         /* opportunistic TLS failed: once more in clear where that may be */
	struct smtp_client *client;
	struct delivery *delivery;
	struct smtp_transaction transaction;
	struct str head;
};

static void connect_targets(struct courier *);
static void start(struct courier *);

/* -- giving back ------------------------------------------------------------------------------- */

static void
tell_closed(struct courier *c)
{
	c->state = COURIER_GONE;
	session_closed(c->session);
}

static void
free_text(const char *text)
{
	free((void *)(uintptr_t)text);
}

/* Hands the delivery to the core once nobody here or in the store holds it any more. */
static void
give_back(struct courier *c)
{
	struct delivery *d = c->delivery;

	if (d == NULL || !d->finished || !d->begun)
		return;
	for (size_t i = 0; i < d->n; i++) {
		free_text(d->rcpt[i].address);
		d->rcpt[i].address = NULL;
	}
	free_text(c->transaction.from);
	memset(&c->transaction, 0, sizeof(c->transaction));
	c->delivery = NULL;
	d->usable = c->state == COURIER_READY;
	session_done(d);
	if (c->state == COURIER_CLOSED)
		tell_closed(c);
}

static void
finish(struct courier *c)
{
	c->delivery->finished = true;
	c->delivery->ended = clock_mono();
	give_back(c);
}

static void
finish_untried(struct courier *c)
{
	c->delivery->untried = true;
	finish(c);
}

/* Every recipient of a delivery that never got to talk has the fate of its session. */
static void
finish_all(struct courier *c, const struct outcome *why)
{
	for (size_t i = 0; i < c->delivery->n; i++)
		c->delivery->rcpt[i].outcome = *why;
	finish(c);
}

/*
 * The session is over. A delivery that waits for it shares its fate; one that is only waiting for
 * the store keeps the session alive until it has gone back.
 */
static void
closed(struct courier *c, const struct outcome *why)
{
	bool calling =
	    c->state == COURIER_RESOLVING || c->state == COURIER_CONNECTING;

	c->state = COURIER_CLOSED;
	c->session->why = *why;
	if (c->delivery == NULL)
		tell_closed(c);
	else if (c->delivery->finished)
		give_back(c);
	else if (calling)
		finish_all(c, why); /* the attempt is what failed */
	else
		finish_untried(c); /* the peer went away between two */
}

/* -- the transaction --------------------------------------------------------------------------- */

static char *
wire_address(const char *plain, bool raw)
{
	char buf[ADDRESS_TEXT_MAX];
	const char *at = strrchr(plain, '@');
	struct address a = { .null = at == NULL };

	if (at != NULL) {
		size_t n = (size_t)(at - plain);
		assert(n < sizeof(a.local) && strlen(at + 1) < sizeof(a.domain));
		memcpy(a.local, plain, n);
		strcpy(a.domain, at + 1);
	}
	return xstrdup(address_format(
	    &a, raw ? QUOTE_RAW : QUOTE_IRREGULAR, buf));
}

static void
report_peer(struct courier *c)
{
	struct delivery *d = c->delivery;

	if (c->client == NULL)
		return;
	snprintf(d->peer, sizeof(d->peer), "%s", smtp_client_peer(c->client));
	snprintf(d->tls, sizeof(d->tls), "%s", smtp_client_tls(c->client));
	d->relayed_dsn = smtp_client_offers_dsn(c->client);
}

static char *
wire_from(const struct courier *c)
{
	const struct delivery *d = c->delivery;
	struct str ours = STR_INIT;
	char *from;

	if (c->path->from != NULL)
		c->path->from(c->session, d, &ours);
	from = wire_address(
	    ours.len > 0 ? ours.data : d->message->from, d->raw);
	str_release(&ours);
	return from;
}

/* What is not sent for a reason of our own: nothing is said to the peer. */
static void
cannot_send(struct courier *c, const struct err *e)
{
	struct outcome why;

	log_text(LOG_ERROR, "content", "%s", e->text);
	outcome_set(&why, SCOPE_MESSAGE, STAGE_NONE, false, "%s", e->text);
	finish_all(c, &why);
}

static void
start(struct courier *c)
{
	struct delivery *d = c->delivery;
	struct smtp_transaction *t = &c->transaction;
	struct err e = ERR_INIT;

	str_clear(&c->head);
	memset(t, 0, sizeof(*t));
	report_peer(c);
	if (c->path->content(c->session, d, &t->content, &c->head, &e) != 0) {
		cannot_send(c, &e);
		return;
	}
	t->rcpt = d->rcpt;
	t->nrcpt = d->n;
	for (size_t i = 0; i < d->n; i++)
		d->rcpt[i].address =
		    wire_address(d->recipients[i]->address, d->raw);
	t->from = wire_from(c);
	t->envid = d->message->envid;
	t->ret = d->message->ret;
	t->body_8bit = d->message->body_8bit;
	t->smtputf8 = d->message->smtputf8;
	t->size = t->content.head_len + t->content.length;
	c->state = COURIER_SENDING;
	smtp_client_send(c->client, t);
	if (d->begun)
		smtp_client_permit(c->client);
}

/* Starts when there is a session, a delivery and its body. */
static void
start_if_ready(struct courier *c)
{
	if (c->state == COURIER_READY && c->delivery != NULL &&
	    !c->delivery->finished && c->delivery->body != NULL)
		start(c);
}

static void
on_done(void *arg, struct smtp_transaction *t)
{
	struct courier *c = arg;

	(void)t;
	c->state =
	    smtp_client_usable(c->client) ? COURIER_READY : COURIER_LEAVING;
	finish(c);
}

static void
on_ready(void *arg)
{
	struct courier *c = arg;

	if (c->delivery == NULL || c->delivery->finished) {
		/* Its first could not be recorded and has gone back: nobody knows of us. */
		c->state = COURIER_LEAVING;
		smtp_client_quit(c->client);
		return;
	}
	c->state = COURIER_READY;
	c->delivery->connected = clock_mono();
	start_if_ready(c);
}

static void
on_closed(void *arg, const struct outcome *why)
{
	struct courier *c = arg;

	if (c->delivery != NULL && c->delivery->peer[0] == '\0')
		report_peer(c);
	c->client = NULL;
	if (why->stage == STAGE_TLS && why->scope == SCOPE_SESSION &&
	    c->state == COURIER_CONNECTING && c->tls != NULL &&
	    !c->without_tls && tls_policy_give_up(c->tls)) {
		c->without_tls = true;
		connect_targets(c);
		return;
	}
	closed(c, why);
}

static void
on_tls(void *arg, size_t target, enum tls_result result)
{
	struct courier *c = arg;

	if (c->tls != NULL)
		tls_policy_note(c->tls, target, result);
}

static const struct smtp_client_events events = {
	.ready = on_ready,
	.tls = on_tls,
	.done = on_done,
	.closed = on_closed,
};

/* -- connecting -------------------------------------------------------------------------------- */

static void
connect_targets(struct courier *c)
{
	struct smtp_client_config terms = {
		.targets = c->targets,
		.ntargets = c->ntargets,
		.timeouts = smtp_client_default_timeouts,
	};

	c->path->terms(c->session, &terms);
	c->state = COURIER_CONNECTING;
	c->client =
	    smtp_client_new(c->session->io->base, &terms, &events, c);
}

static void
on_policy(void *arg)
{
	struct courier *c = arg;
	const struct outcome *why;

	c->ntargets = tls_policy_targets(c->tls, &c->targets, &why);
	if (c->ntargets == 0)
		closed(c, why);
	else
		connect_targets(c);
}

/* One endpoint, whatever address was found for it. */
static void
connect_endpoint(
    struct courier *c, const struct mx_result *result, const char *name)
{
	size_t n = result->ntargets;

	c->endpoint = xcalloc(n, sizeof(*c->endpoint));
	memcpy(c->endpoint, result->targets, n * sizeof(*c->endpoint));
	for (size_t i = 0; i < n; i++)
		snprintf(c->endpoint[i].host, sizeof(c->endpoint[i].host), "%s",
		    name);
	c->targets = c->endpoint;
	c->ntargets = n;
	connect_targets(c);
}

static void
on_resolved(void *arg, const struct mx_result *result)
{
	struct courier *c = arg;
	const char *endpoint = c->path->endpoint(c->session);

	c->lookup = NULL;
	if (endpoint == NULL)
		c->tls = tls_policy_new(c->session, result);
	if (result->ntargets == 0)
		closed(c, &result->why);
	else if (endpoint != NULL)
		connect_endpoint(c, result, endpoint);
	else if (!tls_policy_ask(c->tls, on_policy, c))
		on_policy(c);
}

/* -- asked for by the core ----------------------------------------------------------------------- */

static void
on_begun(struct store_request *req)
{
	struct store_begin *begin = container_of(req, struct store_begin, req);
	struct delivery *d = container_of(begin, struct delivery, begin);
	struct courier *c = d->session->courier;

	d->begun = true;
	if (begin->body != NULL)
		d->body = begin->body;
	if (d->finished) {
		give_back(c);
	} else if (req->status != STORE_OK || d->body == NULL) {
		log_text(LOG_WARN, "begin", "attempt not recorded: %s",
		    req->err.text);
		if (c->state == COURIER_SENDING) {
			d->untried = true;
			smtp_client_abort(c->client);
		} else {
			finish_untried(c);
		}
	} else if (c->state == COURIER_SENDING) {
		smtp_client_permit(c->client);
	} else {
		start_if_ready(c);
	}
}

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

static void
on_open(struct task *t)
{
	struct session *s = container_of(t, struct session, task);
	struct courier *c = xcalloc(1, sizeof(*c));

	c->session = s;
	c->path = path_class(s->path->kind);
	str_init(&c->head);
	c->state = COURIER_RESOLVING;
	s->courier = c;
	take_delivery(c, s->delivery);
	c->lookup = c->path->lookup(s, s->io->resolver, on_resolved, c);
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
	struct session *s = container_of(t, struct session, close);

	if (s->courier->client == NULL)
		return;
	if (s->courier->state == COURIER_READY)
		s->courier->state = COURIER_LEAVING;
	smtp_client_quit(s->courier->client);
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
	tls_policy_free(&c->tls);
	free(c->endpoint);
	str_release(&c->head);
	free(c);
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
