/*
 * fates.c - what becomes of a recipient that SES has accepted, as a table.
 *
 * The forms are those of AWS's guide and of public captures; where a receiving
 * carrier's own words are wanted, they come from carriers.h, so that a bounce
 * through SES says what the carrier itself would have said.
 */
#include "tests/sandbox/fates.h"

#include "tests/sandbox/carriers.h"

#include <ctype.h>
#include <string.h>

#define SIMULATOR  "@simulator.amazonses.com"
#define DOMAIN_MAX 255

/* clang-format off */
#define MTA    "dns; a8-86.smtp-out.amazonses.com"
#define SENDER "a8-86.smtp-out.amazonses.com"
#define SES    "dns; amazonses.com"
#define GUIDE  "https://docs.aws.amazon.com/ses/latest/DeveloperGuide/sending-email-suppression-list.html"

static const struct fate ordinary[] = {
	{ "", EVENT_DELIVERY, NULL, NULL, NULL, NULL, SENDER, NULL },
	{ NULL, EVENT_NONE, NULL, NULL, NULL, NULL, NULL, NULL },
};

static const struct fate suppressed[] = {
	{ "bounce", EVENT_BOUNCE, "Permanent", "OnAccountSuppressionList", "5.1.1",
	    "Amazon SES did not send the message to this address because it is on the suppression list for "
	    "your account. For more information about removing addresses from the suppression list, see the "
	    "Amazon SES Developer Guide at " GUIDE, SES, NULL },
	{ "complaint", EVENT_COMPLAINT, NULL, "OnAccountSuppressionList", NULL, NULL, NULL, NULL },
	{ NULL, EVENT_NONE, NULL, NULL, NULL, NULL, NULL, NULL },
};

static const struct fate by_word[] = {
	{ "bounce", EVENT_BOUNCE, "Permanent", "General", "5.1.1",
	    "smtp; 550 5.1.1 {addr}: Recipient address rejected: User unknown", MTA, NULL },
	{ "unknown",  EVENT_BOUNCE, "Permanent", "General", "5.1.1", NULL, MTA, NULL },
	{ "filtered", EVENT_BOUNCE, "Permanent", "General", "5.7.1", NULL, MTA, NULL },
	{ "nomail", EVENT_BOUNCE, "Permanent", "NoEmail", "5.1.1", "smtp; 550 5.1.1 user unknown", MTA, NULL },
	{ "full", EVENT_BOUNCE, "Transient", "MailboxFull", "5.2.2",
	    "smtp; 552 5.2.2 {addr}: mailbox full", MTA, NULL },
	{ "toolarge", EVENT_BOUNCE, "Transient", "MessageTooLarge", "5.3.4",
	    "smtp; 552 5.3.4 message too big", MTA, NULL },
	{ "content", EVENT_BOUNCE, "Transient", "ContentRejected", "5.7.1",
	    "smtp; 554 5.7.1 Message looks like spam", MTA, NULL },
	{ "attachment", EVENT_BOUNCE, "Transient", "AttachmentRejected", "5.7.0",
	    "smtp; 552 5.7.0 attachment not allowed", MTA, NULL },
	{ "expired", EVENT_BOUNCE, "Transient", "General", "4.4.7",
	    "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes."
	    "<421 4.4.1 Failed to establish connection>", MTA, NULL },
	{ "expiredcustom", EVENT_BOUNCE, "Transient", "CustomTimeoutExceeded", "4.4.7",
	    "smtp; 550 4.4.7 Message expired", MTA, NULL },
	{ "undetermined", EVENT_BOUNCE, "Undetermined", "Undetermined", NULL, NULL, NULL, NULL },
	{ "suppressedglobal", EVENT_BOUNCE, "Permanent", "Suppressed", "5.1.1",
	    "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as "
	    "an invalid address. For more information about how to remove an address from the suppression "
	    "list, see the Amazon SES Developer Guide: http://docs.aws.amazon.com/ses/latest/DeveloperGuide/"
	    "remove-from-suppressionlist.html ", SES, NULL },
	{ "suppressedtenant", EVENT_BOUNCE, "Permanent", "OnTenantSuppressionList", "5.1.1",
	    "Amazon SES did not send the message", SES, NULL },
	{ "suppressedinvalid", EVENT_BOUNCE, "Permanent", "EmailValidationSuppressed", "5.1.1",
	    "Amazon SES did not send the message", SES, NULL },
	{ "complaint", EVENT_DELIVERY, NULL, NULL, NULL, NULL, SENDER, NULL },
	{ "complaint", EVENT_COMPLAINT, "abuse", NULL, NULL, NULL, NULL, "Sandbox Feedback Loop" },
	{ "notspam", EVENT_DELIVERY, NULL, NULL, NULL, NULL, SENDER, NULL },
	{ "notspam", EVENT_COMPLAINT, "not-spam", NULL, NULL, NULL, NULL, "Sandbox Feedback Loop" },
	{ "ooto", EVENT_DELIVERY, NULL, NULL, NULL, NULL, SENDER, NULL },
	{ "ooto", EVENT_BOUNCE, "Transient", "General", NULL, NULL, NULL, NULL },
	{ "delay", EVENT_DELAY, "TransientCommunicationFailure", NULL, "4.4.1",
	    "smtp; 421 4.4.1 Unable to connect to remote host", NULL, NULL },
	{ "delay", EVENT_DELIVERY, NULL, NULL, NULL, NULL, SENDER, NULL },
	{ "delayfull", EVENT_DELAY, "MailboxFull", NULL, "4.2.2", "smtp; 452 4.2.2 mailbox full", SENDER, NULL },
	{ "delayfull", EVENT_DELIVERY, NULL, NULL, NULL, NULL, SENDER, NULL },
	{ "delayip", EVENT_DELAY, "IPFailure", NULL, "4.7.1", "smtp; 421 4.7.1 IP throttled", SENDER, NULL },
	{ "delayip", EVENT_DELIVERY, NULL, NULL, NULL, NULL, SENDER, NULL },
	{ "reject", EVENT_REJECT, NULL, NULL, NULL, "Bad content", NULL, NULL },
	{ "nothing", EVENT_NONE, NULL, NULL, NULL, NULL, NULL, NULL },
	{ NULL, EVENT_NONE, NULL, NULL, NULL, NULL, NULL, NULL },
};

/* AWS's mailbox simulator: facts of its guide, details of captures. */
static const struct fate simulated[] = {
	{ "success", EVENT_DELIVERY, NULL, NULL, NULL, "250 Ok", SENDER, NULL },
	{ "bounce", EVENT_BOUNCE, "Permanent", "General", "5.1.1",
	    "smtp; 550 5.1.1 As requested: user unknown {addr}", MTA, NULL },
	{ "ooto", EVENT_DELIVERY, NULL, NULL, NULL, "250 Ok", SENDER, NULL },
	{ "ooto", EVENT_BOUNCE, "Transient", "General", NULL, NULL, NULL, NULL },
	{ "complaint", EVENT_DELIVERY, NULL, NULL, NULL, "250 Ok", SENDER, NULL },
	{ "complaint", EVENT_COMPLAINT, "abuse", NULL, NULL, NULL, NULL, "Amazon SES Mailbox Simulator" },
	{ "suppressionlist", EVENT_BOUNCE, "Permanent", "Suppressed", "5.1.1",
	    "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as "
	    "an invalid address. For more information about how to remove an address from the suppression "
	    "list, see the Amazon SES Developer Guide: http://docs.aws.amazon.com/ses/latest/DeveloperGuide/"
	    "remove-from-suppressionlist.html ", SES, NULL },
	{ NULL, EVENT_NONE, NULL, NULL, NULL, NULL, NULL, NULL },
};

static const struct fate simulated_today[] = {
	{ "suppressionlist", EVENT_BOUNCE, "Permanent", "General", "5.1.1",
	    "smtp; 550 5.1.1 As requested: user unknown (suppressed address: "
	    "suppressionlist@simulator.amazonses.com)", "dns; a48-89.smtp-out.amazonses.com", NULL },
	{ NULL, EVENT_NONE, NULL, NULL, NULL, NULL, NULL, NULL },
};
/* clang-format on */

static bool today;

void
fate_simulator_today(bool on)
{
	today = on;
}

static const struct fate *
find(const struct fate *f, const char *word)
{
	for (; f->word != NULL; f++)
		if (strcmp(f->word, word) == 0)
			return f;
	return NULL;
}

const struct fate *
fate_of(const char *address)
{
	const char *at = strrchr(address, '@');
	bool simulator = at != NULL && strcasecmp(at, SIMULATOR) == 0;
	const struct fate *f = NULL;
	char word[SCENARIO_WORD];
	bool digits;

	(void)scenario_word(address, word, &digits);
	if (simulator && today)
		f = find(simulated_today, word);
	if (f == NULL)
		f = find(simulator ? simulated : by_word, word);
	return f != NULL ? f : ordinary;
}

const struct fate *
fate_suppressed(bool complaint)
{
	return find(suppressed, complaint ? "complaint" : "bounce");
}

const struct fate *
fate_next(const struct fate *f)
{
	return f[1].word != NULL && strcmp(f[1].word, f->word) == 0 ? f + 1
								    : NULL;
}

/* --- in the receiving system's words --- */

static const struct system *
system_of(const char *address)
{
	const char *at = strrchr(address, '@'), *name;
	char domain[DOMAIN_MAX + 1];
	const struct system *s;
	size_t i;

	for (i = 0; at != NULL && at[i + 1] != '\0' && i < DOMAIN_MAX; i++)
		domain[i] = (char)tolower((unsigned char)at[i + 1]);
	domain[i] = '\0';
	name = domain_system(domain);
	if (name == NULL)
		name = "ordinary";
	for (s = systems; s->name != NULL && strcmp(s->name, name) != 0; s++)
		continue;
	return s;
}

static void
add_expanded(struct str *o, const char *text, const char *address)
{
	const char *at = strstr(text, "{addr}");

	if (at == NULL) {
		str_adds(o, text);
		return;
	}
	str_add(o, text, (size_t)(at - text));
	str_addf(o, "<%s>", address);
	str_adds(o, at + strlen("{addr}"));
}

static const char *
refusal(const struct fate *f, const char *address, struct str *o)
{
	unsigned number;
	const struct scenario *s =
	    scenario_find(system_of(address)->name, address, &number);

	if (s == NULL || s->action != DO_REPLY || s->answer.code < 500) {
		str_addf(o, "smtp; 550 %s refused", f->status);
		return f->status;
	}
	str_addf(o, "smtp; %d ", s->answer.code);
	if (s->answer.enhanced != NULL)
		str_addf(o, "%s ", s->answer.enhanced);
	add_expanded(o, s->answer.text, address);
	return s->answer.enhanced != NULL ? s->answer.enhanced : "5.0.0";
}

const char *
fate_text(const struct fate *f, const char *address, struct str *o)
{
	if (f->text != NULL)
		add_expanded(o, f->text, address);
	else if (f->type == EVENT_DELIVERY)
		str_addf(o, "250 %s", system_of(address)->accepted);
	else
		return refusal(f, address, o);
	return f->status;
}
