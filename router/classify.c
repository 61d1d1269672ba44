/*
 * classify.c - from an outcome to what it means and what follows.
 *
 * First match wins: what the rules know of a receiving system (`reply` lines, such as those of
 * conf/carriers.rules), then what anybody says, then the enhanced status, then the code alone. SES
 * has a table of its own in router/ses/replies.c.
 */
#include "router/classify.h"

#include "router/ses/replies.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AT(stage)  (1u << (stage))
#define ANYWHERE   (~0u)
#define MINUTES(n) ((int64_t)(n) * 60 * 1000)

struct row {
	unsigned stages;
	int code;          /* 4 and 5: any of that class */
	const char *text;  /* found anywhere in the reply without regard to case; NULL: any */
	struct verdict verdict;
};

/* clang-format off */
static const struct row anybody[] = {
	{ AT(STAGE_RCPT), 5, "user unknown",        { .action = VERDICT_BOUNCE, .reason = "userunknown" } },
	{ AT(STAGE_RCPT), 5, "unknown user",        { .action = VERDICT_BOUNCE, .reason = "userunknown" } },
	{ AT(STAGE_RCPT), 5, "no such user",        { .action = VERDICT_BOUNCE, .reason = "userunknown" } },
	{ AT(STAGE_RCPT), 5, "mailbox unavailable", { .action = VERDICT_BOUNCE, .reason = "userunknown" } },
	{ AT(STAGE_RCPT), 5, "relay access denied", { .action = VERDICT_BOUNCE, .reason = "norelaying" } },
	{ AT(STAGE_RCPT), 5, "relaying denied",     { .action = VERDICT_BOUNCE, .reason = "norelaying" } },
	{ AT(STAGE_RCPT), 5, "greylist",            { .action = VERDICT_RETRY,  .reason = "onhold" } },
	{ AT(STAGE_RCPT), 452, NULL,                { .action = VERDICT_RETRY,  .reason = "toomanyconn" } },
	{ ANYWHERE,       421, "too many",          { .action = VERDICT_RETRY,  .reason = "toomanyconn", .slow = true } },
};

/* RFC 3463. The class digit is left to the reply code. */
static const struct {
	const char *tail;
	const char *reason;
} statuses[] = {
	{ ".1.0", "userunknown" }, { ".1.1", "userunknown" }, { ".1.2", "hostunknown" },
	{ ".1.3", "syntaxerror" }, { ".1.6", "hasmoved" },    { ".1.7", "rejected" },
	{ ".1.8", "rejected" },    { ".1.10", "hostunknown" },{ ".2.0", "filtered" },
	{ ".2.1", "suspend" },     { ".2.2", "mailboxfull" }, { ".2.3", "mesgtoobig" },
	{ ".3.4", "mesgtoobig" },  { ".4.1", "networkerror" },{ ".4.2", "networkerror" },
	{ ".4.4", "networkerror" },{ ".4.6", "networkerror" },{ ".4.7", "expired" },
	{ ".5.3", "toomanyconn" }, { ".6.0", "contenterror" },{ ".6.7", "contenterror" },
	{ ".7.0", "policyviolation" }, { ".7.1", "policyviolation" }, { ".7.7", "spamdetected" },
	{ ".7.20", "authfailure" },{ ".7.23", "authfailure" },{ ".7.25", "requireptr" },
	{ ".7.26", "authfailure" },
};

/* When nothing else is known: by what broke. */
static const char *const by_stage[STAGE_MAX] = {
	[STAGE_NONE] = "undefined",    [STAGE_DNS] = "networkerror", [STAGE_CONNECT] = "networkerror",
	[STAGE_EHLO] = "blocked",      [STAGE_TLS] = "securityerror",[STAGE_AUTH] = "securityerror",
	[STAGE_MAIL] = "rejected",     [STAGE_RCPT] = "undefined",   [STAGE_DATA] = "undefined",
	[STAGE_BODY] = "networkerror", [STAGE_DOT] = "undefined",    [STAGE_QUIT] = "undefined",
};
/* clang-format on */

static bool
row_matches(const struct row *row, const struct outcome *o)
{
	if ((row->stages & AT(o->stage)) == 0)
		return false;
	if (row->code != o->code && row->code != o->code / 100)
		return false;
	return row->text == NULL || strcasestr(o->text, row->text) != NULL;
}

static const struct verdict *
find_for_anybody(const struct outcome *o)
{
	for (size_t i = 0; i < sizeof(anybody) / sizeof(anybody[0]); i++)
		if (row_matches(&anybody[i], o))
			return &anybody[i].verdict;
	return NULL;
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

static const char *
reason_of_status(const char *enhanced)
{
	const char *tail = strchr(enhanced, '.');

	if (tail == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (strcmp(statuses[i].tail, tail) == 0)
			return statuses[i].reason;
	return NULL;
}

/* No table knows it: class of the code for the action, status or stage for the reason. */
static void
classify_plain(const struct outcome *o, struct verdict *v)
{
	int class = outcome_class(o);

	*v = (struct verdict){ .action = class == 2 ? VERDICT_SENT
		: class == 5			    ? VERDICT_BOUNCE
						    : VERDICT_RETRY };
	if (class == 2) {
		v->reason = "delivered";
		return;
	}
	if ((v->reason = reason_of_status(o->enhanced)) == NULL)
		v->reason = by_stage[o->stage];
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
classify(const struct ruleset *rules, enum path_kind kind, const char *group,
    const struct outcome *o, struct verdict *v)
{
	const struct verdict *known;

	if (outcome_class(o) == 2) {
		classify_plain(o, v);
		return;
	}
	known = find_by_kind(kind, o);
	if (known == NULL && kind == PATH_MTA) {
		if (find_in_rules(rules, group, o, v))
			return;
		known = find_for_anybody(o);
	}
	if (known != NULL)
		*v = *known;
	else
		classify_plain(o, v);
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
