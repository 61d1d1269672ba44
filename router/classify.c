/*
 * classify.c - from an outcome to what it means and what follows.
 *
 * Tables, first match wins: what a carrier is known to say, then what anybody says, then the
 * enhanced status, then the code alone. SES has a table of its own in router/ses/replies.c.
 */
#include "router/classify.h"

#include "router/ses/replies.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define AT(stage)  (1u << (stage))
#define ANYWHERE   (~0u)
#define ENVELOPE   (AT(STAGE_MAIL) | AT(STAGE_RCPT))
#define CONTENT    (AT(STAGE_DATA) | AT(STAGE_BODY) | AT(STAGE_DOT))
#define OPENING    (AT(STAGE_CONNECT) | AT(STAGE_EHLO))
#define MINUTES(n) ((int64_t)(n) * 60 * 1000)

struct row {
	const char *group; /* NULL: any */
	unsigned stages;
	int code;          /* 0: any; 4 and 5: any of that class */
	const char *text;  /* found anywhere in the reply without regard to case; NULL: any */
	struct verdict verdict;
};

/* Sources: facts/carrier_replies.tsv. */
/* clang-format off */
static const struct row carriers[] = {
	{ "docomo", AT(STAGE_RCPT),  550, "unknown user",        { VERDICT_BOUNCE,   "userunknown", 0, false, false } },
	{ "docomo", CONTENT,         550, "unknown user",        { VERDICT_FILTERED, "filtered",    0, false, false } },
	{ "docomo", ANYWHERE,        552, "too much mail data",  { VERDICT_RETRY,    "mailboxfull", 0, false, false } },
	{ "docomo", ANYWHERE,        552, "too many recipients", { VERDICT_RETRY,    "toomanyconn", 0, false, true } },
	{ "docomo", ANYWHERE,        554, "transaction failed",  { VERDICT_RETRY,    "toomanyconn", 0, false, true } },
	{ "docomo", CONTENT,         500, "line too long",       { VERDICT_BOUNCE,   "syntaxerror", 0, false, false } },
	{ "docomo", CONTENT,         504, NULL,                  { VERDICT_BOUNCE,   "syntaxerror", 0, false, false } },
	{ "docomo", CONTENT,         503, NULL,                  { VERDICT_RETRY,    "systemerror", 0, false, false } },
	{ "docomo", OPENING,         421, NULL,                  { VERDICT_RETRY,    "blocked",     MINUTES(5), true, false } },
	{ "kddi",   AT(STAGE_RCPT),  550, "user unknown",        { VERDICT_BOUNCE,   "userunknown", 0, false, false } },
	{ "kddi",   CONTENT,         550, "user unknown",        { VERDICT_FILTERED, "filtered",    0, false, false } },
	{ "kddi",   CONTENT,         554, "no valid recipients", { VERDICT_RETRY,    "systemerror", 0, false, false } },
	{ "kddi",   AT(STAGE_RCPT),  554, "relay access denied", { VERDICT_BOUNCE,   "hostunknown", 0, false, false } },
	{ "softbank", AT(STAGE_RCPT),550, "invalid recipient",   { VERDICT_BOUNCE,   "userunknown", 0, false, false } },
	{ "softbank", ENVELOPE,      553, "does not exist",      { VERDICT_BOUNCE,   "rejected",    0, false, false } },
	{ "softbank", AT(STAGE_RCPT),421, NULL,                  { VERDICT_RETRY,    "onhold",      0, false, false } },
	{ "yahoo",  ANYWHERE,        421, "[tss04]",             { VERDICT_RETRY,    "blocked",     MINUTES(60), true, false } },
	{ "yahoo",  ANYWHERE,        421, "[ipts04]",            { VERDICT_RETRY,    "blocked",     MINUTES(60), true, false } },
	{ "yahoo",  ANYWHERE,        553, "vs98-ip0 deferred",   { VERDICT_RETRY,    "blocked",     MINUTES(60), true, false } },
};

static const struct row anybody[] = {
	{ NULL, AT(STAGE_RCPT), 5, "user unknown",            { VERDICT_BOUNCE, "userunknown", 0, false, false } },
	{ NULL, AT(STAGE_RCPT), 5, "unknown user",            { VERDICT_BOUNCE, "userunknown", 0, false, false } },
	{ NULL, AT(STAGE_RCPT), 5, "no such user",            { VERDICT_BOUNCE, "userunknown", 0, false, false } },
	{ NULL, AT(STAGE_RCPT), 5, "mailbox unavailable",     { VERDICT_BOUNCE, "userunknown", 0, false, false } },
	{ NULL, AT(STAGE_RCPT), 5, "relay access denied",     { VERDICT_BOUNCE, "norelaying",  0, false, false } },
	{ NULL, AT(STAGE_RCPT), 5, "relaying denied",         { VERDICT_BOUNCE, "norelaying",  0, false, false } },
	{ NULL, AT(STAGE_RCPT), 5, "greylist",                { VERDICT_RETRY,  "onhold",      0, false, false } },
	{ NULL, AT(STAGE_RCPT), 452, NULL,                    { VERDICT_RETRY,  "toomanyconn", 0, false, false } },
	{ NULL, ANYWHERE,       421, "too many",              { VERDICT_RETRY,  "toomanyconn", 0, true,  false } },
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
row_matches(const struct row *row, const char *group, const struct outcome *o)
{
	if (row->group != NULL && strcmp(row->group, group) != 0)
		return false;
	if ((row->stages & AT(o->stage)) == 0)
		return false;
	if (row->code != 0 && row->code != o->code &&
	    row->code != o->code / 100)
		return false;
	return row->text == NULL || strcasestr(o->text, row->text) != NULL;
}

static const struct verdict *
find(const struct row *rows, size_t n, const char *group,
    const struct outcome *o)
{
	for (size_t i = 0; i < n; i++)
		if (row_matches(&rows[i], group, o))
			return &rows[i].verdict;
	return NULL;
}

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
static const struct verdict rejected = { VERDICT_BOUNCE, "policyviolation", 0,
	false, false };

/* The source address is not (or no longer) one of this machine: nothing can leave by this path. */
static const struct verdict unbound = { VERDICT_HOLD, "networkerror", 0, false,
	false };

static bool
is_unbound(enum path_kind kind, const struct outcome *o)
{
	return kind == PATH_MTA && o->code == 0 && o->scope == SCOPE_PATH &&
	    o->stage == STAGE_CONNECT;
}

void
classify(enum path_kind kind, const char *group, const struct outcome *o,
    struct verdict *v)
{
	const struct verdict *known = NULL;

	if (outcome_class(o) != 2) {
		if (kind == PATH_REJECT)
			known = &rejected;
		else if (is_unbound(kind, o))
			known = &unbound;
		else if (kind == PATH_SES)
			known = ses_classify(o);
		else if ((known = find(carriers,
			      sizeof(carriers) / sizeof(carriers[0]), group,
			      o)) == NULL)
			known = find(anybody,
			    sizeof(anybody) / sizeof(anybody[0]), group, o);
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
