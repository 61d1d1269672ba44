/*
 * judge.c - from a report that came by mail to what it does to our recipients.
 *
 * bounce_in.c has the report read (report.h) and looks up the recipients that
 * may be meant; what a diagnosis means is the table of reasons', what
 * suppresses the policy's (suppress.h). Here it is decided who is meant, and
 * how far that is believed.
 */
#include "router/feedback/judge.h"

#include "mta/base/alloc.h"
#include "mta/return_path.h"
#include "router/config.h"
#include "router/feedback/meaning.h"
#include "router/feedback/report.h"
#include "router/suppress.h"
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LATEST_PAST (INT64_C(30) * 24 * 3600 * 1000) /* ms */

/* -- who says whose it is -------------------------------------------------- */

static const char *const proofs[] = {
	[PROOF_NONE] = "",
	[PROOF_ADDRESS] = "address",
	[PROOF_RETURN_PATH] = "return-path",
	[PROOF_ID] = "x-oiwake-id",
	[PROOF_MESSAGE_ID] = "message-id",
};

const char *
judge_proof_name(enum judge_proof proof)
{
	return proofs[proof];
}

bool
judge_is_proved(enum judge_proof proof)
{
	return proof != PROOF_NONE && proof != PROOF_MESSAGE_ID;
}

/* A token of ours in the report, still good. */
static bool
quotes(const struct config *c, const char *text, int64_t now,
    enum judge_proof proof, struct judge_claim *out)
{
	const struct config_return_path *ours = &c->return_path;
	struct return_path rp;

	if (text[0] == '\0' || ours->domain == NULL || ours->key == NULL ||
	    return_path_read_text(ours->key, ours->domain, text, now, &rp) !=
		RETURN_PATH_GOOD)
		return false;
	*out = (struct judge_claim){ proof, rp.message, rp.index };
	return true;
}

void
judge_claim(const struct config *c, const struct report *r,
    const struct return_path *to, int64_t now, struct judge_claim *out)
{
	*out = (struct judge_claim){ .index = RETURN_PATH_MESSAGE };
	if (to != NULL) {
		out->proof = PROOF_ADDRESS;
		out->message = to->message;
		out->index = to->index;
		return;
	}
	if (quotes(c, r->return_path, now, PROOF_RETURN_PATH, out) ||
	    quotes(c, r->our_id, now, PROOF_ID, out))
		return;
	if (r->message_id[0] != '\0')
		out->proof = PROOF_MESSAGE_ID;
}

/* -- which part is about whom ---------------------------------------------- */

static bool
part_names(const struct report_part *p, const char *address)
{
	return strcasecmp(p->recipient, address) == 0 ||
	       strcasecmp(p->alias, address) == 0;
}

bool
judge_names(const struct report *r, const char *address)
{
	for (size_t i = 0; i < r->n; i++)
		if (part_names(&r->part[i], address))
			return true;
	return false;
}

/* The most serious part that names the address (NULL: any, or nobody); of two
 * equal ones the first. */
static const struct report_part *
most_serious(const struct report *r, const char *address)
{
	const struct report_part *best = NULL;

	for (size_t i = 0; i < r->n; i++) {
		const struct report_part *p = &r->part[i];

		if (address != NULL && p->recipient[0] != '\0' &&
		    !part_names(p, address))
			continue;
		if (best == NULL || p->kind > best->kind)
			best = p;
	}
	return best;
}

/*
 * The part about the one recipient that a token names. Others than he may be
 * named all the same: his mail went on to them. Their failure is his, for the
 * mail did not arrive; that it arrived or waits there is nothing of his.
 */
static const struct report_part *
part_of_one(const struct report *r, const struct judge_known *who)
{
	const struct report_part *p;

	if (who == NULL)
		return most_serious(r, NULL);
	p = most_serious(r, who->address);
	if (p == NULL) {
		p = most_serious(r, NULL);
		if (p != NULL && p->kind < REPORT_COMPLAINT)
			p = NULL;
	}
	return p;
}

static const char *
domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : "";
}

/* A complaint may hide the local part and leave the domain (RFC 6590): good
 * when only one recipient is there. */
static const struct judge_known *
only_one_at(
    const struct judge_known *known, size_t n, const struct report_part *p)
{
	const struct judge_known *one = NULL;
	const char *domain = domain_of(p->recipient);

	if (p->kind != REPORT_COMPLAINT || domain[0] == '\0')
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(domain_of(known[i].address), domain) != 0)
			continue;
		if (one != NULL)
			return NULL;
		one = &known[i];
	}
	return one;
}

static const struct judge_known *
find(const struct judge_known *known, size_t n, const struct report_part *p,
    bool proved)
{
	for (size_t i = 0; i < n; i++)
		if (part_names(p, known[i].address))
			return &known[i];
	if (!proved)
		return NULL;
	return n == 1 ? &known[0] : only_one_at(known, n, p);
}

/* -- what is told ---------------------------------------------------------- */

struct court {
	const struct config *config;
	const struct report *report;
	const struct judge_claim *claim;
	int64_t now;
	struct judgement *out;
};

/* Not later than now, and no older than such reports may be: else now. */
static int64_t
time_of(const struct court *c)
{
	int64_t at = c->report->at;

	return at > c->now - LATEST_PAST && at <= c->now ? at : c->now;
}

/* clang-format off */
static const struct {
	const char *reason;
	enum counter counter;
	enum event_type event;
} ends[] = {
	{ "filtered", COUNT_FILTERED, EVENT_BOUNCE },
	{ "expired",  COUNT_EXPIRED,  EVENT_EXPIRED },
	{ "",         COUNT_BOUNCED,  EVENT_BOUNCE }, /* any other */
};
/* clang-format on */

static const char *
group_of(
    const struct court *c, const struct judge_known *who, const char *domain)
{
	const char *group = NULL;

	if (who != NULL && who->carrier[0] != '\0')
		return who->group;
	if (c->config->rules != NULL)
		group = ruleset_group_of(c->config->rules, domain);
	return group != NULL ? group : "";
}

static const char *
carrier_of(const struct court *c, const char *domain)
{
	const char *carrier = c->config->rules != NULL
				  ? ruleset_carrier_of(c->config->rules, domain)
				  : NULL;

	return carrier != NULL ? carrier : "";
}

static void
find_meaning(const struct court *c, const struct judge_known *who,
    const struct report_part *p, struct meaning *m)
{
	const char *domain =
	    domain_of(who != NULL ? who->address : p->recipient);

	meaning_find(c->config->reasons, c->report, p, domain,
	    group_of(c, who, domain), m);
}

static bool
tell_end(const struct court *c, const struct judge_known *who,
    const struct report_part *p, struct judged *j)
{
	struct meaning m;
	size_t i = 0;

	find_meaning(c, who, p, &m);
	if (meaning_is_no_end(m.reason))
		return false;
	while (
	    ends[i].reason[0] != '\0' && strcmp(ends[i].reason, m.reason) != 0)
		i++;
	j->feedback.kind = FEEDBACK_ENDED;
	j->feedback.counter = ends[i].counter;
	j->feedback.event = ends[i].event;
	j->feedback.reason = m.reason;
	if (m.hard)
		j->feedback.also |= 1u << COUNT_HARD;
	if (strcmp(m.reason, "userunknown") == 0)
		j->feedback.also |= 1u << COUNT_UNKNOWN;
	j->hard = m.hard;
	j->outcome.permanent = true;
	return true;
}

static bool
tell_delay(const struct court *c, const struct judge_known *who,
    const struct report_part *p, struct judged *j)
{
	struct meaning m;

	find_meaning(c, who, p, &m);
	j->feedback.kind = FEEDBACK_NOTE;
	j->feedback.event = EVENT_DELAY;
	j->feedback.reason = m.reason;
	return true;
}

/* It takes soft entries off the list: a stranger's word does not. */
static bool
tell_delivery(const struct court *c, struct judged *j)
{
	if (!judge_is_proved(c->claim->proof))
		return false;
	j->feedback.kind = FEEDBACK_DELIVERED;
	j->feedback.event = EVENT_DELIVERY;
	j->feedback.reason = "delivered";
	return true;
}

static bool
tell_complaint(const struct court *c, struct judged *j)
{
	const char *type = c->report->feedback_type;

	if (!meaning_is_complaint(type))
		return false;
	j->feedback.kind = FEEDBACK_COMPLAINT;
	j->feedback.event = EVENT_COMPLAINT;
	j->feedback.reason = "feedback";
	outcome_set(&j->outcome, SCOPE_RECIPIENT, STAGE_NONE, false, "%s",
	    type[0] != '\0' ? type : "abuse");
	return true;
}

static bool
tell(const struct court *c, const struct judge_known *who,
    const struct report_part *p, struct judged *j)
{
	switch (p->kind) {
	case REPORT_BOUNCE:
		return tell_end(c, who, p, j);
	case REPORT_COMPLAINT:
		return tell_complaint(c, j);
	case REPORT_DELAYED:
		return tell_delay(c, who, p, j);
	case REPORT_DELIVERED:
		return tell_delivery(c, j);
	case REPORT_REPLY:
	case REPORT_NONE:
		break;
	}
	return false;
}

/* Only what is proved. */
static void
suppress(const struct court *c, const struct judge_known *who,
    const struct report_part *p, struct judged *j)
{
	const char *domain =
	    domain_of(who != NULL ? who->address : p->recipient);
	bool complaint = j->feedback.kind == FEEDBACK_COMPLAINT;
	const struct suppress_ask ask = {
		.path = who != NULL ? who->path : "",
		.carrier = carrier_of(c, domain),
		.reason = complaint ? SUPPRESS_COMPLAINT : j->feedback.reason,
		.soft = !complaint && !j->hard,
		.outcome = complaint ? NULL : &j->outcome,
		.at = j->feedback.at,
	};

	if (!judge_is_proved(c->claim->proof) ||
	    (j->feedback.kind != FEEDBACK_ENDED && !complaint) ||
	    !suppress_by_outcome(c->config, &ask, &j->cause))
		return;
	j->cause.source = complaint ? "arf" : "dsn";
	j->cause.evidence = j->evidence = outcome_reply(&j->outcome);
	j->feedback.suppress = &j->cause;
}

/* Our own MTA hands over to whom it delivers to. */
static bool
is_by_mta(const struct court *c, const struct judge_known *who)
{
	const struct config_path *path =
	    who != NULL ? config_path_find(c->config, who->path) : NULL;

	return path != NULL && path->kind == PATH_MTA;
}

/* `who` NULL: nobody remembers him, or he is in the queue yet. */
static void
add(const struct court *c, const struct judge_known *who,
    const struct report_part *p)
{
	struct judged *j = &c->out->told[c->out->n];
	bool any = who == NULL && c->claim->index == RETURN_PATH_MESSAGE;

	*j = (struct judged){ .outcome = p->outcome, .part = p };
	j->feedback = (struct feedback){
		.message = who != NULL ? who->message : c->claim->message,
		.index = who != NULL ? who->index
			 : any	     ? FEEDBACK_ANY
				     : c->claim->index,
		.remote_id = "",
		.address = p->recipient,
		.is_delivered = is_by_mta(c, who),
		.alone = !any,
		.at = time_of(c),
		.outcome = &j->outcome,
		.peer = p->host,
	};
	if (!tell(c, who, p, j))
		return;
	suppress(c, who, p, j);
	c->out->n++;
}

static void
judge_message(
    const struct court *c, const struct judge_known *known, size_t nknown)
{
	bool proved = judge_is_proved(c->claim->proof);
	bool meant = false;

	for (size_t i = 0; i < c->report->n; i++) {
		const struct report_part *p = &c->report->part[i];
		const struct judge_known *who = find(known, nknown, p, proved);

		if (who == NULL && (!proved || nknown > 0))
			continue;
		meant = true;
		add(c, who, p);
	}
	if (!meant)
		c->out->why = "it names no recipient of the message";
}

void
judge(const struct config *config, const struct report *r,
    const struct judge_claim *claim, const struct judge_known *known,
    size_t nknown, int64_t now, struct judgement *out)
{
	const struct court c = { config, r, claim, now, out };
	const struct report_part *p;

	*out = (struct judgement){ .why = NULL };
	out->told = xcalloc(r->n + 1, sizeof(*out->told));
	if (r->kind == REPORT_REPLY)
		return;
	if (r->kind == REPORT_NONE)
		out->why = "no report that can be understood";
	else if (claim->proof == PROOF_NONE)
		out->why = "it does not show whose mail it is about";
	else if (claim->index == RETURN_PATH_MESSAGE)
		judge_message(&c, known, nknown);
	else if ((p = part_of_one(r, nknown > 0 ? known : NULL)) != NULL)
		add(&c, nknown > 0 ? known : NULL, p);
}

void
judgement_clear(struct judgement *out)
{
	for (size_t i = 0; i < out->n; i++)
		free(out->told[i].evidence);
	free(out->told);
	*out = (struct judgement){ .why = NULL };
}
