/*
 * courier_smtp.c - carries deliveries by SMTP: call, greet, one transaction
 * after another.
 *
 * Whom to call, on which terms, and what to change in the message on the way is
 * the path's (path.h). A transaction may set out before the store has recorded
 * it, all but its final dot.
 */
#include "router/courier.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "router/body.h"
#include "router/config.h"
#include "router/io.h"
#include "router/path.h"
#include "router/tls_policy.h"

#include <stdlib.h>
#include <string.h>

struct smtp {
	struct courier courier;
	const struct path_class *path;
	struct mx_lookup *lookup;
	struct tls_policy *tls; /* mta: of the targets, which are in it */
	struct smtp_client_target *endpoint; /* ses: the targets */
	const struct smtp_client_target *targets;
	size_t ntargets;
	bool without_tls; /* opportunistic TLS failed: once more in clear where
			     that may be */
	struct smtp_client *client;
	struct smtp_transaction transaction;
	struct str head;
};

static void connect_targets(struct smtp *);

static struct smtp *
smtp_of(struct courier *c)
{
	return container_of(c, struct smtp, courier);
}

/* -- the transaction ------------------------------------------------------ */

static void
free_text(const char *text)
{
	free((void *)(uintptr_t)text);
}

/* The client has done with it. */
static void
forget_transaction(struct smtp *c)
{
	struct smtp_transaction *t = &c->transaction;

	for (size_t i = 0; i < t->nrcpt; i++) {
		free_text(t->rcpt[i].address);
		t->rcpt[i].address = NULL;
	}
	free_text(t->from);
	memset(t, 0, sizeof(*t));
}

static void
report_peer(struct smtp *c)
{
	struct delivery *d = c->courier.delivery;

	if (c->client == NULL)
		return;
	snprintf(d->peer, sizeof(d->peer), "%s", smtp_client_peer(c->client));
	snprintf(d->tls, sizeof(d->tls), "%s", smtp_client_tls(c->client));
	d->relayed_dsn = smtp_client_offers_dsn(c->client);
}

static char *
wire_from(const struct smtp *c)
{
	const struct delivery *d = c->courier.delivery;
	struct str ours = STR_INIT;
	char *from;

	if (c->path->from != NULL)
		c->path->from(c->courier.session, d, &ours);
	from = courier_address(
	    ours.len > 0 ? ours.data : d->message->from, d->raw);
	str_release(&ours);
	return from;
}

static void
fill_transaction(struct smtp *c)
{
	struct smtp_transaction *t = &c->transaction;
	const struct delivery *d = c->courier.delivery;

	t->rcpt = d->rcpt;
	t->nrcpt = d->n;
	for (size_t i = 0; i < d->n; i++)
		d->rcpt[i].address =
		    courier_address(d->recipients[i]->address, d->raw);
	t->from = wire_from(c);
	t->envid = d->message->envid;
	t->ret = d->message->ret;
	t->body_8bit = d->message->body_8bit;
	t->smtputf8 = d->message->smtputf8;
	t->size = t->content.head_len + t->content.length;
}

/* What is not sent for a reason of our own: nothing is said to the peer. */
static bool
make_content(struct smtp *c)
{
	struct courier *base = &c->courier;
	struct err e = ERR_INIT;
	struct outcome why;
	int rc;

	str_clear(&c->head);
	rc = c->path->content(base->session, base->delivery,
	    &c->transaction.content, &c->head, &why, &e);
	if (rc == 0)
		return true;
	if (rc < 0) {
		log_text(LOG_ERROR, "content", "%s", e.text);
		outcome_set(
		    &why, SCOPE_MESSAGE, STAGE_NONE, false, "%s", e.text);
	}
	courier_finish_all(base, &why);
	return false;
}

static void
smtp_start(struct courier *base)
{
	struct smtp *c = smtp_of(base);

	report_peer(c);
	if (!make_content(c))
		return;
	fill_transaction(c);
	base->state = COURIER_SENDING;
	smtp_client_send(c->client, &c->transaction);
	if (base->delivery->begun)
		smtp_client_permit(c->client);
}

static void
smtp_permit(struct courier *base)
{
	smtp_client_permit(smtp_of(base)->client);
}

static void
smtp_abort(struct courier *base)
{
	smtp_client_abort(smtp_of(base)->client);
}

static void
judge(const struct smtp *c)
{
	const struct courier *base = &c->courier;
	struct delivery *d = base->delivery;

	for (size_t i = 0; c->path->judge != NULL && i < d->n; i++)
		c->path->judge(base->session, d, &d->rcpt[i].outcome);
}

static void
on_done(void *arg, struct smtp_transaction *t)
{
	struct smtp *c = arg;

	(void)t;
	judge(c);
	forget_transaction(c);
	c->courier.state =
	    smtp_client_usable(c->client) ? COURIER_READY : COURIER_LEAVING;
	courier_finish(&c->courier);
}

static bool
on_dot(void *arg)
{
	struct smtp *c = arg;

	return courier_holds(&c->courier);
}

static void
on_ready(void *arg)
{
	struct smtp *c = arg;

	if (!courier_ready(&c->courier))
		smtp_client_quit(c->client);
}

static void
on_closed(void *arg, const struct outcome *why)
{
	struct smtp *c = arg;
	struct courier *base = &c->courier;

	if (base->delivery != NULL && base->delivery->peer[0] == '\0')
		report_peer(c);
	c->client = NULL;
	if (why->stage == STAGE_TLS && why->scope == SCOPE_SESSION &&
	    base->state == COURIER_CALLING && c->tls != NULL &&
	    !c->without_tls && tls_policy_give_up(c->tls)) {
		c->without_tls = true;
		connect_targets(c);
		return;
	}
	courier_closed(base, why);
}

static void
on_tls(void *arg, size_t target, enum tls_result result)
{
	struct smtp *c = arg;

	if (c->tls != NULL)
		tls_policy_note(c->tls, target, result);
}

/* Of a node among others; one that is alone holds what it has. */
static const struct smtp_client_events shared_events = {
	.ready = on_ready,
	.tls = on_tls,
	.done = on_done,
	.dot = on_dot,
	.closed = on_closed,
};

static const struct smtp_client_events events = {
	.ready = on_ready,
	.tls = on_tls,
	.done = on_done,
	.closed = on_closed,
};

/* -- connecting ----------------------------------------------------------- */

static void
connect_targets(struct smtp *c)
{
	struct session *s = c->courier.session;
	struct smtp_client_config terms = {
		.targets = c->targets,
		.ntargets = c->ntargets,
		.timeouts = smtp_client_default_timeouts,
	};

	c->path->terms(s, &terms);
	c->client = smtp_client_new(s->io->base, &terms,
	    store_is_shared(s->io->store) ? &shared_events : &events, c);
}

static void
on_policy(void *arg)
{
	struct smtp *c = arg;
	const struct outcome *why;

	c->ntargets = tls_policy_targets(c->tls, &c->targets, &why);
	if (c->ntargets == 0)
		courier_closed(&c->courier, why);
	else
		connect_targets(c);
}

/* One endpoint, whatever address was found for it. */
static void
connect_endpoint(
    struct smtp *c, const struct mx_result *result, const char *name)
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
	struct smtp *c = arg;
	struct session *s = c->courier.session;
	const char *endpoint = c->path->endpoint(s);

	c->lookup = NULL;
	if (endpoint == NULL)
		c->tls = tls_policy_new(s, result);
	if (result->ntargets == 0)
		courier_closed(&c->courier, &result->why);
	else if (endpoint != NULL)
		connect_endpoint(c, result, endpoint);
	else if (!tls_policy_ask(c->tls, on_policy, c))
		on_policy(c);
}

static struct courier *
smtp_new(void)
{
	struct smtp *c = xcalloc(1, sizeof(*c));

	str_init(&c->head);
	return &c->courier;
}

static void
smtp_open(struct courier *base)
{
	struct smtp *c = smtp_of(base);
	struct session *s = base->session;

	c->path = path_class(s->path->kind);
	c->lookup = c->path->lookup(s, s->io->resolver, on_resolved, c);
}

static void
smtp_close(struct courier *base)
{
	struct smtp *c = smtp_of(base);

	if (c->client == NULL)
		return;
	if (base->state == COURIER_READY)
		base->state = COURIER_LEAVING;
	smtp_client_quit(c->client);
}

static void
smtp_free(struct courier *base)
{
	struct smtp *c = smtp_of(base);

	tls_policy_free(&c->tls);
	free(c->endpoint);
	str_release(&c->head);
	free(c);
}

const struct courier_class courier_smtp = {
	.new = smtp_new,
	.open = smtp_open,
	.start = smtp_start,
	.permit = smtp_permit,
	.abort = smtp_abort,
	.close = smtp_close,
	.free = smtp_free,
};
