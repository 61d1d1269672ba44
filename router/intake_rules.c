/*
 * intake_rules.c - what the rules say of mail that comes in.
 *
 * intake.c asks at RCPT, where the envelope may decide, and at the end of DATA,
 * when all is known.
 */
#include "router/intake_int.h"

#include "mta/base/log.h"
#include "mta/smtp/server.h"
#include "router/core.h"
#include "router/core_nodes.h"
#include "router/io.h"
#include "router/queue.h"
#include "router/route.h"

#include <assert.h>

static void
log_rejected(const struct message *m, const struct recipient *r,
    const struct route *route, const char *reply)
{
	struct logline l;

	if (!log_start(&l, LOG_INFO, "rejected"))
		return;
	log_str(&l, "rule", route->rule);
	log_str(&l, "ruleset", route->ruleset);
	log_str(&l, "from", m->from);
	log_str(&l, "to", r->address);
	log_str(&l, "listener", m->listener);
	log_str(&l, "client", m->client);
	if (m->user[0] != '\0')
		log_str(&l, "user", m->user);
	if (m->message_id[0] != '\0')
		log_str(&l, "message_id", m->message_id);
	log_str(&l, "reply", reply);
	log_end(&l);
}

/*
 * Rules are those of the thread and not of the session, which may have been
 * open for days: a reload holds for its next command.
 */
static const struct config *
rules_of(const struct intake *in)
{
	return in->io->config;
}

bool
intake_rejects_early(
    struct intake *in, const struct recipient *r, struct smtp_reply *reply)
{
	struct route route;

	if (!route_rejects_early(rules_of(in), in->message, r, &route))
		return false;
	log_rejected(in->message, r, &route, route.reject);
	smtp_reply_set(reply, 550, "5.7.1", "%s", route.reject);
	/* A list may hold any number of them, and the others are to have their mail. */
	reply->no_error = true;
	return true;
}

bool
intake_plan(struct intake *in)
{
	struct queue *queue = core_queue(in->io->core);
	const struct config *config = rules_of(in);
	struct recipient *r;
	bool room = true;

	in->refused = 0;
	TAILQ_FOREACH (r, &in->recipients, link) {
		struct rules_shape shape;
		route_decide(config, in->message, r, &r->route);
		route_shape(config, &r->route, r->domain, &shape);
		intake_judge_form(in, config, r, &shape);
		in->refused +=
		    r->unfit != FIT && shape.unfit == RULES_UNFIT_REFUSE;
		r->shelf =
		    route_shelf(config, &r->route, in->message->from_domain);
		r->due = in->message->received;
		r->expires =
		    in->message->received + (int64_t)shape.expiry * 1000;
		room = room && queue_has_room(queue, r->shelf) &&
		    nodes_can_send(core_nodes(in->io->core), config, &r->route);
	}
	return room;
}

/* Why it is not taken: its rule's word, else its carrier's. */
static const char *
refusal(const struct recipient *r)
{
	return r->route.reject != NULL ? r->route.reject : r->last;
}

static const char *
refusal_status(const struct recipient *r)
{
	return r->route.reject != NULL ? "5.7.1" : unfit_status(r->unfit);
}

bool
intake_rejects(struct intake *in, struct smtp_reply *reply)
{
	const struct recipient *r;
	unsigned rejected = 0;

	TAILQ_FOREACH (r, &in->recipients, link)
		rejected += r->route.reject != NULL;
	if (rejected + in->refused < in->message->nrcpt)
		return false;
	TAILQ_FOREACH (r, &in->recipients, link)
		log_rejected(in->message, r, &r->route, refusal(r));
	r = TAILQ_FIRST(&in->recipients);
	assert(r != NULL); /* no DATA without RCPT */
	smtp_reply_set(reply, 550, refusal_status(r), "%s", refusal(r));
	return true;
}
