/*
 * event_bounce.c - what bounces and delays mean.
 *
 * SES says which kind of bounce it was and, mostly, what the receiving system
 * answered. Where the kind leaves it open, that answer is judged as one to our
 * own MTA would be (router/classify.h).
 */
#include "router/ses/event_int.h"

#include "router/classify.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* clang-format off */
enum judge {
	AS_SAID,   /* counter and reason of the row */
	BY_REPLY,
	BY_PATIENCE, /* it has expired, or is BY_REPLY, or no bounce at all */
	BY_EXPIRY,
};

static const struct {
	const char *type, *sub_type; /* NULL: any */
	enum judge judge;
	enum counter counter;
	const char *reason;
} bounces[] = {
	/* SES's own list of addresses that bounced for anybody; counts in the account's bounce rate. */
	{ "Permanent", "Suppressed",                AS_SAID, COUNT_BOUNCED, "suppressed" },
	/* The account's or the sender's own lists: SES sent nothing, and leaves it out of its rates. */
	{ "Permanent", "OnAccountSuppressionList",  AS_SAID, COUNT_SUPPRESSED, "suppressed" },
	{ "Permanent", "OnTenantSuppressionList",   AS_SAID, COUNT_SUPPRESSED, "suppressed" },
	{ "Permanent", "EmailValidationSuppressed", AS_SAID, COUNT_SUPPRESSED, "suppressed" },
	{ "Permanent", "UnsubscribedRecipient",     AS_SAID, COUNT_SUPPRESSED, "suppressed" },
	{ "Permanent", "NoEmail",                   BY_REPLY, COUNT_BOUNCED, "userunknown" },
	{ "Permanent", NULL,                        BY_REPLY, COUNT_BOUNCED, "undefined" },
	{ "Transient", "MailboxFull",               AS_SAID, COUNT_BOUNCED, "mailboxfull" },
	{ "Transient", "MessageTooLarge",           AS_SAID, COUNT_BOUNCED, "mesgtoobig" },
	{ "Transient", "ContentRejected",           AS_SAID, COUNT_FILTERED, "contenterror" },
	{ "Transient", "AttachmentRejected",        AS_SAID, COUNT_FILTERED, "contenterror" },
	{ "Transient", "CustomTimeoutExceeded",     BY_EXPIRY, COUNT_EXPIRED, "expired" },
	{ "Transient", NULL,                        BY_PATIENCE, COUNT_BOUNCED, "undefined" },
	{ NULL, NULL,                               AS_SAID, COUNT_BOUNCED, "undefined" },
};

static const struct {
	const char *type, *reason;
} delays[] = {
	{ "MailboxFull", "mailboxfull" },
	{ "SpamDetected", "spamdetected" },
	{ "IPFailure", "blocked" },
	{ "RecipientServerError", "networkerror" },
	{ "TransientCommunicationFailure", "networkerror" },
};
/* clang-format on */

/* -- the reply ------------------------------------------------------------ */

static const char *
group_of(const struct event_reading *r, const struct ses_event_part *part)
{
	const char *at = strrchr(part->address, '@'), *group;

	if (r->rules == NULL || at == NULL)
		return "";
	group = ruleset_group_of(r->rules, at + 1);
	return group != NULL ? group : "";
}

/*
 * SES does not tell at which stage the refusal came, and carriers say the same
 * of unknown users, at RCPT, as of filtered mail, at the end of DATA. A reply
 * that names an address answers RCPT: au's filter names none, and docomo's has
 * refused nothing any more since 2025-03-13 (facts/carriers.md, section 2).
 * What at RCPT would mean too many recipients does not: SES sends to one at a
 * time.
 */
static bool
is_rather(const struct verdict *late, const struct verdict *early,
    const struct outcome *o)
{
	if (early->action == VERDICT_BOUNCE)
		return late->action == VERDICT_FILTERED &&
		       strchr(o->text, '@') == NULL;
	return early->action == VERDICT_RETRY && early->at_expiry == NULL &&
	       strcmp(late->reason, "undefined") != 0;
}

static void
judge_reply(const struct event_reading *r, struct ses_event_part *part,
    struct verdict *v)
{
	const char *group = group_of(r, part);
	struct outcome *o = &part->outcome;
	struct verdict late;

	o->stage = STAGE_DOT;
	classify(r->rules, r->reasons, PATH_MTA, group, o, &late);
	o->stage = STAGE_RCPT;
	classify(r->rules, r->reasons, PATH_MTA, group, o, v);
	if (is_rather(&late, v, o)) {
		*v = late;
		o->stage = STAGE_DOT;
	}
}

/* What SES says when there was nobody to ask. */
static const char *
words_of_ses(const struct outcome *o)
{
	return strcasecmp(o->text, "Invalid domain") == 0 ? "hostunknown"
							  : NULL;
}

/* SES has given up: what might have changed did not. */
static const char *
final_reason(const struct verdict *v, const char *otherwise)
{
	if (v->action == VERDICT_RETRY && v->at_expiry != NULL)
		return v->at_expiry;
	return strcmp(v->reason, "undefined") != 0 ? v->reason : otherwise;
}

static void
end_by_reply(const struct event_reading *r, struct ses_event_part *part,
    const char *otherwise)
{
	const char *known = words_of_ses(&part->outcome);
	struct verdict v;

	if (known != NULL) {
		event_part_end(part, COUNT_BOUNCED, known);
		return;
	}
	judge_reply(r, part, &v);
	event_part_end(part,
	    v.action == VERDICT_FILTERED ? COUNT_FILTERED : COUNT_BOUNCED,
	    final_reason(&v, otherwise));
}

/* -- patience ------------------------------------------------------------- */

static bool
is_expired(const struct outcome *o)
{
	return strcmp(o->enhanced, "4.4.7") == 0 ||
	       strcmp(o->enhanced, "5.4.7") == 0 ||
	       strcasestr(o->text, "unable to deliver in") != NULL;
}

/* SES quotes the last answer: "...in 840 minutes.<421 4.4.1 no connection>". */
static const char *
last_answer(const struct outcome *o)
{
	const char *p = strrchr(o->text, '<');

	return p != NULL && isdigit((unsigned char)p[1]) ? p + 1 : "";
}

static void
end_by_expiry(const struct event_reading *r, struct ses_event_part *part)
{
	char last[sizeof(part->outcome.text)], *end;

	snprintf(last, sizeof(last), "%s", last_answer(&part->outcome));
	if ((end = strrchr(last, '>')) != NULL)
		*end = '\0';
	event_part_end(part, COUNT_EXPIRED,
	    classify_expired(r->rules, group_of(r, part), last));
}

/* Says nothing but whom: somebody's automatic reply, which came as mail. */
static bool
is_bare(const json_t *item)
{
	return event_member(item, "action")[0] == '\0' &&
	       event_member(item, "status")[0] == '\0' &&
	       event_member(item, "diagnosticCode")[0] == '\0';
}

static void
end_by_patience(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part, const char *otherwise)
{
	if (is_expired(&part->outcome))
		end_by_expiry(r, part);
	else if (is_bare(item))
		event_copy(part->reason, sizeof(part->reason), "vacation");
	else
		end_by_reply(r, part, otherwise);
}

/* -- bounces and delays --------------------------------------------------- */

static void
read_outcome(const json_t *item, bool permanent, struct ses_event_part *part)
{
	struct outcome *o = &part->outcome;
	const char *status = event_member(item, "status");

	o->permanent = permanent;
	if (event_status_length(status) == strlen(status))
		event_copy(o->enhanced, sizeof(o->enhanced), status);
	event_diagnostic(o, event_member(item, "diagnosticCode"));
}

/*
 * NoEmail is SES's word for a bad address. General is any other refusal for
 * good: the address is meant when the status says so, or nothing else (x.0.0).
 * Of a refusal that SES quotes from a gateway the status is the gateway's guess,
 * and left out: "5.3.0 - Other mail system problem 550-'Unknown user ...'" is
 * what a carrier's filter looks like.
 */
static bool
names_address(const char *type, const char *sub_type, const struct outcome *o)
{
	return strcasecmp(type, "Permanent") == 0 &&
	       (strcasecmp(sub_type, "NoEmail") == 0 ||
		   strncmp(o->enhanced, "5.1.", 4) == 0 ||
		   strcmp(o->enhanced, "5.0.0") == 0 ||
		   words_of_ses(o) != NULL);
}

static bool
is_one(const char *wanted, const char *told)
{
	return wanted == NULL || strcasecmp(wanted, told) == 0;
}

/*
 * What SES's rate of bounces is made of: what is permanent, however we take the
 * reply, but for the account's own lists (facts/aws.md, section 4).
 */
static void
count_in_rate(struct ses_event_part *part, const char *type,
    enum counter counter)
{
	if (part->feedback.kind != FEEDBACK_ENDED)
		return;
	if (counter == COUNT_SUPPRESSED)
		part->feedback.also |= 1u << COUNT_EXEMPT;
	else if (strcasecmp(type, "Permanent") == 0)
		part->feedback.also |= 1u << COUNT_HARD;
}

void
event_read_bounce(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	const char *type = event_member(r->detail, "bounceType");
	const char *sub_type = event_member(r->detail, "bounceSubType");
	size_t i = 0;

	read_outcome(item, true, part);
	part->names_it = names_address(type, sub_type, &part->outcome);
	/* The last row takes any. */
	while (!is_one(bounces[i].type, type) ||
	       !is_one(bounces[i].sub_type, sub_type))
		i++;
	switch (bounces[i].judge) {
	case AS_SAID:
		event_part_end(part, bounces[i].counter, bounces[i].reason);
		break;
	case BY_REPLY:
		end_by_reply(r, part, bounces[i].reason);
		break;
	case BY_PATIENCE:
		end_by_patience(r, item, part, bounces[i].reason);
		break;
	case BY_EXPIRY:
		end_by_expiry(r, part);
		break;
	}
	count_in_rate(part, type, bounces[i].counter);
}

void
event_read_delay(const struct event_reading *r, const json_t *item,
    struct ses_event_part *part)
{
	const char *type = event_member(r->detail, "delayType");
	const char *reason = "systemerror";

	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++)
		if (strcasecmp(delays[i].type, type) == 0)
			reason = delays[i].reason;
	read_outcome(item, false, part);
	part->feedback.event = EVENT_DELAY;
	event_copy(part->reason, sizeof(part->reason), reason);
}
