/*
 * settle_notice.c - the notice that a settlement sends to the sender, and the
 * body that it quotes.
 */
#include "router/settle_int.h"

#include "mta/base/alloc.h"
#include "router/body.h"
#include "router/config.h"
#include "router/route.h"

#include <string.h>

/* Our own message goes by the rules like any other. */
static struct recipient *
address_notice(struct core *core, struct message *m, const char *to)
{
	struct recipient *r = recipient_new(m, 0, to);
	struct rules_shape shape;

	route_decide(core->config, m, r, &r->route);
	route_shape(core->config, &r->route, r->domain, &shape);
	r->shelf = route_shelf(core->config, &r->route, m->from_domain);
	r->due = m->received;
	r->expires = m->received + (int64_t)shape.expiry * 1000;
	return r;
}

static void
write_dsn(struct job *j)
{
	struct core *core = j->settler->core;
	struct dsn_report report = {
		.kind = j->dsn,
		.hostname = core->config->hostname,
		.status = j->status,
		.outcome = &j->outcome,
		.remote = j->peer,
		.at = j->s.at,
		.retry_until = j->r->expires,
	};

	j->s.notice = dsn_new(
	    message_id_new(&core->makers[0], j->s.at), j->r, j->body, &report);
	j->s.notice_to = address_notice(core, j->s.notice, j->r->message->from);
}

void
job_gather(struct job *j)
{
	job_remember(j);
	if (j->wants_dsn)
		write_dsn(j);
	STAILQ_INSERT_TAIL(&j->settler->gathered, &j->s, link);
	core_wake(j->settler->core);
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	struct job *j = arg;

	(void)fd;
	(void)what;
	store_begin(j->settler->core->store, &j->fetch);
}

/* Nothing of it is settled before the database is back anyway. */
static void
fetch_later(struct job *j)
{
	static const struct timeval second = { .tv_sec = 1 };

	if (event_base_once(j->settler->core->base, -1, EV_TIMEOUT, on_later,
		j, &second) != 0)
		abort(); /* out of memory */
}

static void
on_fetched(struct store_request *req)
{
	struct store_begin *op = container_of(req, struct store_begin, req);
	struct job *j = container_of(op, struct job, fetch);

	core_store_answered(j->settler->core, req);
	if (req->status == STORE_AWAY &&
	    !core_is_stopping(j->settler->core)) {
		fetch_later(j);
		return;
	}
	j->body = op->body; /* NULL when the store has trouble: a DSN without it */
	job_gather(j);
}

void
job_submit(struct job *j, const struct delivery *d)
{
	struct body *at_hand = d != NULL && d->body != NULL
	    ? d->body
	    : j->r->message->body;

	if (j->wants_dsn && at_hand == NULL) {
		j->fetch.req.reply_to = j->settler->core->inbox;
		j->fetch.req.done = on_fetched;
		j->fetch.message = j->r->message->id;
		j->fetch.want_body = true;
		store_begin(j->settler->core->store, &j->fetch);
		return;
	}
	if (j->wants_dsn)
		j->body = body_ref(at_hand);
	job_gather(j);
}

void
job_want_dsn(struct job *j, enum dsn_kind kind)
{
	j->dsn = kind;
	j->wants_dsn = dsn_is_wanted(kind, j->r);
}