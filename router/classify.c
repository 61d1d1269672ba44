/*
 * classify.c - from an outcome to what it means and what follows.
 *
 * First what the rules know of a receiving system (`reply` lines, such as those of
 * conf/carriers.rules): they say what is to be done. Else the class of the code says that, and the
 * table of reasons (router/reasons.h) what it means. SES has a table of its own in
 * router/ses/replies.c.
 */
#include "router/classify.h"

#include "router/ses/replies.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MINUTES(n) ((int64_t)(n) * 60 * 1000)

/* -- what anybody says ---------------------------------------------------------------------------- */

/* group NULL: it is not the recipient's system that says so, and its words are not read. */
static struct reasons_query
query_of(const char *group, const struct outcome *o)
{
	return (struct reasons_query){
		.group = group != NULL ? group : "",
		.host = "",
		/* Of a recipient of no carrier the group is the domain. */
		.domain = group != NULL ? group : "",
		.stage = o->stage,
		.code = o->code,
		.enhanced = o->enhanced,
		/* Without a code they are our own words, whatever they sound like. */
		.text = group != NULL && o->code != 0 ? o->text : "",
		.reporter = "",
	};
}

static const char *
reason_of(const struct reasons *reasons, const char *group, const struct outcome *o)
{
	struct reasons_query q = query_of(group, o);
	struct reasons *builtin = NULL;
	struct reasons_answer answer;

	if (reasons == NULL)
		reasons = builtin = reasons_builtin();
	reasons_find(reasons, &q, &answer);
	reasons_unref(&builtin);
	return answer.reason;
}

/* Where the class of the code does not say what is best done. */
static void
know_better(const struct outcome *o, struct verdict *v)
{
	if (o->stage == STAGE_RCPT && o->code / 100 == 5 &&
	    strcasestr(o->text, "greylist") != NULL)
		v->action = VERDICT_RETRY;
	if (o->code == 421 && strcasestr(o->text, "too many") != NULL)
		v->slow = true;
}

/* -- what the rules know ------------------------------------------------------------------------- */

/* What happened before anybody was asked is no reply. */
static const enum rules_stage stages[STAGE_MAX] = {
	[STAGE_CONNECT] = RULES_STAGE_CONNECT,
	[STAGE_EHLO] = RULES_STAGE_EHLO,
	[STAGE_TLS] = RULES_STAGE_TLS,
	[STAGE_AUTH] = RULES_STAGE_AUTH,
	[STAGE_MAIL] = RULES_STAGE_MAIL,
	[STAGE_RCPT] = RULES_STAGE_RCPT,
	[STAGE_DATA] = RULES_STAGE_DATA,
	[STAGE_BODY] = RULES_STAGE_BODY,
	[STAGE_DOT] = RULES_STAGE_DOT,
};

static const enum verdict_action actions[] = {
	[RULES_REPLY_RETRY] = VERDICT_RETRY,
	[RULES_REPLY_BOUNCE] = VERDICT_BOUNCE,
	[RULES_REPLY_FILTERED] = VERDICT_FILTERED,
	[RULES_REPLY_SPLIT] = VERDICT_RETRY,
	[RULES_REPLY_RESEND] = VERDICT_RETRY,
	[RULES_REPLY_REQUOTE] = VERDICT_RETRY,
};

static bool
find_in_rules(const struct ruleset *rules, const char *group,
    const struct outcome *o, struct verdict *v)
{
	const struct rules_reply *r;
	struct rules_reply_query q = {
		.group = group,
		.stage = stages[o->stage],
		.code = o->code > 0 ? (unsigned)o->code : 0,
		.reset = o->reset,
		.text = o->text,
	};

	if (rules == NULL || q.stage == 0 || (o->code == 0 && o->permanent) ||
	    (r = ruleset_reply(rules, &q)) == NULL)
		return false;
	*v = (struct verdict){
		.action = actions[r->action],
		.reason = r->reason,
		.at_expiry = r->at_expiry,
		.pause = (int64_t)r->pause * 1000,
		.pause_source = r->pause_source,
		.slow = r->slow,
		.split = r->action == RULES_REPLY_SPLIT ||
		    r->action == RULES_REPLY_RESEND,
		.resend = r->action == RULES_REPLY_RESEND,
		.requote = r->action == RULES_REPLY_REQUOTE,
	};
	return true;
}

/* As recipient_set_last has it: "421 text", "550 5.1.1 text". */
static unsigned
code_of(const char *last)
{
	char *end;
	unsigned long n = strtoul(last, &end, 10);

	return end == last + 3 && n >= 200 && n < 600 ? (unsigned)n : 0;
}

static const char *
text_of(const char *last)
{
	const char *p = last + 3;

	p += strspn(p, " ");
	if (*p >= '2' && *p <= '5' && p[1] == '.')
		p += strcspn(p, " ");
	return p + strspn(p, " ");
}

const char *
classify_expired(
    const struct ruleset *rules, const char *group, const char *last)
{
	struct rules_reply_query q = { .group = group, .code = code_of(last) };
	const struct rules_reply *r;

	if (rules == NULL || q.code == 0)
		return "expired";
	q.text = text_of(last);
	/* The stage is not kept: a reply that never changes means the same at each. */
	for (size_t i = 0; i < STAGE_MAX; i++) {
		q.stage = stages[i];
		r = q.stage != 0 ? ruleset_reply(rules, &q) : NULL;
		if (r != NULL && r->at_expiry != NULL)
			return r->at_expiry;
	}
	return "expired";
}

/* -- what nobody knows -------------------------------------------------------------------------------- */

/* The class of the code for the action, the table of reasons for the reason. */
static void
classify_plain(const struct reasons *reasons, const char *group,
    const struct outcome *o, struct verdict *v)
{
	int class = outcome_class(o);

	*v = (struct verdict){ .action = class == 2 ? VERDICT_SENT
		: class == 5			    ? VERDICT_BOUNCE
						    : VERDICT_RETRY };
	if (class == 2) {
		v->reason = "delivered";
		return;
	}
	v->reason = reason_of(reasons, group, o);
	know_better(o, v);
	/* Not what we refused ourselves, such as a message too large for the peer. */
	if (o->code == 0 && o->stage >= STAGE_MAIL && !o->permanent)
		v->reason = "networkerror";
	if (o->reset && o->stage == STAGE_CONNECT) {
		v->reason = "blocked"; /* au says no more than that */
		v->pause = MINUTES(5);
	}
	/* A refusal of the connection or of the greeting says nothing of a recipient. */
	if (v->action == VERDICT_BOUNCE && o->scope >= SCOPE_SESSION &&
	    o->stage != STAGE_DNS)
		v->action = VERDICT_RETRY;
}

/* Our rules refuse it: whatever their text says, it is our word and says nothing of the address. */
static const struct verdict rejected = { .action = VERDICT_BOUNCE,
	.reason = "policyviolation" };

/* The source address is not (or no longer) one of this machine: nothing can leave by this path. */
static const struct verdict unbound = { .action = VERDICT_HOLD,
	.reason = "networkerror" };

static bool
is_unbound(enum path_kind kind, const struct outcome *o)
{
	return kind == PATH_MTA && o->code == 0 && o->scope == SCOPE_PATH &&
	    o->stage == STAGE_CONNECT;
}

static const struct verdict *
find_by_kind(enum path_kind kind, const struct outcome *o)
{
	if (kind == PATH_REJECT)
		return &rejected;
	if (is_unbound(kind, o))
		return &unbound;
	return kind == PATH_SES ? ses_classify(o) : NULL;
}

void
classify(const struct ruleset *rules, const struct reasons *reasons,
    enum path_kind kind, const char *group, const struct outcome *o,
    struct verdict *v)
{
	const struct verdict *known =
	    outcome_class(o) == 2 ? NULL : find_by_kind(kind, o);

	if (known != NULL)
		*v = *known;
	else if (kind != PATH_MTA)
		classify_plain(reasons, NULL, o, v);
	else if (outcome_class(o) == 2 || !find_in_rules(rules, group, o, v))
		classify_plain(reasons, group, o, v);
}

static const struct {
	const char *reason;
	const char *temporary, *permanent;
} reason_status[] = {
	{ "userunknown", "4.1.1", "5.1.1" },
	{ "hostunknown", "4.1.2", "5.1.2" },
	{ "hasmoved", "4.1.6", "5.1.6" },
	{ "mailboxfull", "4.2.2", "5.2.2" },
	{ "filtered", "4.7.1", "5.7.1" },
	{ "mesgtoobig", "4.3.4", "5.3.4" },
	{ "networkerror", "4.4.1", "5.4.1" },
	{ "blocked", "4.7.1", "5.7.1" },
	{ "expired", "4.4.7", "5.4.7" },
	{ "securityerror", "4.7.5", "5.7.5" },
	{ "syntaxerror", "4.5.2", "5.5.2" },
	{ "contenterror", "4.6.0", "5.6.0" },
	{ "toomanyconn", "4.5.3", "5.5.3" },
	{ "norelaying", "4.7.1", "5.7.1" },
};

const char *
classify_status(const struct outcome *o, const struct verdict *v)
{
	bool permanent = v->action == VERDICT_BOUNCE ||
	    v->action == VERDICT_FILTERED;

	if (o->enhanced[0] != '\0')
		return o->enhanced;
	if (v->action == VERDICT_SENT)
		return "2.0.0";
	for (size_t i = 0; i < sizeof(reason_status) / sizeof(reason_status[0]);
	     i++)
		if (strcmp(reason_status[i].reason, v->reason) == 0)
			return permanent ? reason_status[i].permanent
					 : reason_status[i].temporary;
	return permanent ? "5.0.0" : "4.0.0";
}
