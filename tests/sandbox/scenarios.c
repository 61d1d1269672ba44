/*
 * scenarios.c - what a receiving system does for which recipient, and in which
 * mood.
 *
 * A system's own rows stand before the rows for all, so that they are found
 * first.
 */
#include "tests/sandbox/carriers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define TSS04  "[TSS04] Messages from {ip} temporarily deferred due to unexpected volume " \
	"or user complaints"
#define IPTS04 "[IPTS04] Messages from {ip} temporarily deferred due to unexpected volume " \
	"or user complaints"

static const struct scenario scenarios[] = {
	{ "unknown",  "docomo", AT_RCPT, DO_REPLY, { 550, NULL, "Unknown user {addr}" }, 0, 0 },
	{ "filtered", "docomo", AT_DOT,  DO_REPLY, { 550, NULL, "Unknown user {addr}" }, 0, 0 },
	{ "full",     "docomo", AT_RCPT, DO_REPLY, { 552, NULL, "Too much mail data {addr}" }, 0, 0 },
	{ "toomany",  "docomo", AT_RCPT, DO_REPLY, { 552, NULL, "Too many recipients" }, 0, 0 },
	{ "syntax",   "docomo", AT_DOT,  DO_REPLY,
	    { 504, NULL, "Command parameter not implemented" }, 0, 0 },
	{ "busy",     "docomo", AT_RCPT, DO_CUT,
	    { 421, NULL, "Service not available, closing transmission channel" }, NUM_TIMES, 0 },

	{ "unknown",  "ezweb", AT_RCPT, DO_REPLY, { 550, NULL, "{addr}: User unknown" }, 0, 0 },
	{ "filtered", "ezweb", AT_DOT,  DO_REPLY, { 550, NULL, ": User unknown" }, 0, 0 },
	{ "relay",    "ezweb", AT_RCPT, DO_REPLY, { 554, NULL, "{addr}: Relay access denied" }, 0, 0 },
	{ "unknown",  "au",    AT_RCPT, DO_REPLY, { 550, NULL, "{addr}: User unknown" }, 0, 0 },
	{ "filtered", "au",    AT_DOT,  DO_REPLY, { 550, NULL, ": User unknown" }, 0, 0 },
	{ "relay",    "au",    AT_RCPT, DO_REPLY, { 554, NULL, "{addr}: Relay access denied" }, 0, 0 },

	{ "unknown",  "softbank", AT_RCPT, DO_REPLY, { 550, NULL, "Invalid recipient: {addr}" }, 0, 0 },
	{ "filtered", "softbank", AT_DOT,  DO_NOTE,  { 0, NULL, "dropped" }, 0, 0 },
	{ "nodomain", "softbank", AT_RCPT, DO_REPLY, { 553, NULL, "{domain} does not exist" }, 0, 0 },

	{ "unknown",  "ymobile",  AT_RCPT, DO_CUT,   { 421, NULL, "" }, 0, 0 },
	{ "filtered", "ymobile",  AT_DOT,  DO_NOTE,  { 0, NULL, "dropped" }, 0, 0 },

	{ "tss",      "yahoo",    AT_RCPT, DO_CUT,   { 421, NULL, TSS04 }, NUM_TIMES, 0 },
	{ "ipts",     "yahoo",    AT_RCPT, DO_CUT,   { 421, NULL, IPTS04 }, NUM_TIMES, 0 },
	{ "vs",       "yahoo",    AT_RCPT, DO_REPLY,
	    { 553, NULL, "Mail from {ip} not allowed - VS98-IP0 deferred" }, NUM_TIMES, 0 },

	/* Amazon SES judges nothing before the end of the message. */
	{ "unknown",  "ses", AT_DOT, DO_NOTE,  { 0, NULL, "bounced" }, 0, 0 },
	{ "full",     "ses", AT_DOT, DO_NOTE,  { 0, NULL, "bounced" }, 0, 0 },
	{ "filtered", "ses", AT_DOT, DO_NOTE,  { 0, NULL, "bounced" }, 0, 0 },
	{ "toomany",  "ses", AT_DOT, DO_REPLY,
	    { 554, NULL, "Transaction failed: Recipient count exceeds 50." }, 0, 0 },
	{ "defer",    "ses", AT_DOT, DO_REPLY, { 454, NULL, "Temporary service failure" }, NUM_TIMES, 1 },
	{ "greylist", "ses", AT_DOT, DO_REPLY, { 454, NULL, "Temporary service failure" }, NUM_TIMES, 1 },
	{ "temp",     "ses", AT_DOT, DO_REPLY, { 451, NULL, "Temporary service failure" }, NUM_TIMES, 1 },
	{ "never",    "ses", AT_DOT, DO_REPLY, { 451, NULL, "Temporary service failure" }, 0, 0 },
	{ "busy",     "ses", AT_DOT, DO_CUT,   { 421, NULL, "Connection closed by server." }, NUM_TIMES, 0 },

	{ "unknown",  NULL, AT_RCPT, DO_REPLY,
	    { 550, "5.1.1", "{addr}: Recipient address rejected: User unknown" }, 0, 0 },
	{ "filtered", NULL, AT_DOT,  DO_REPLY, { 550, "5.7.1", "Message content rejected" }, 0, 0 },
	{ "full",     NULL, AT_RCPT, DO_REPLY, { 552, "5.2.2", "{addr}: mailbox full" }, 0, 0 },
	{ "toomany",  NULL, AT_RCPT, DO_REPLY, { 452, "4.5.3", "Error: too many recipients" }, 0, 0 },
	{ "syntax",   NULL, AT_RCPT, DO_REPLY, { 501, "5.1.3", "Bad recipient address syntax" }, 0, 0 },
	{ "relay",    NULL, AT_RCPT, DO_REPLY, { 554, "5.7.1", "{addr}: Relay access denied" }, 0, 0 },
	{ "spam",     NULL, AT_DOT,  DO_REPLY, { 554, "5.7.1", "Message looks like spam" }, 0, 0 },
	{ "busy",     NULL, AT_RCPT, DO_CUT,
	    { 421, "4.3.2", "Service not available, closing transmission channel" }, NUM_TIMES, 0 },

	{ "drop",     NULL, AT_DOT,  DO_NOTE,  { 0, NULL, "dropped" }, 0, 0 },
	{ "junk",     NULL, AT_DOT,  DO_NOTE,  { 0, NULL, "junked" }, 0, 0 },

	{ "greylist", NULL, AT_RCPT, DO_REPLY,
	    { 451, "4.7.1", "{addr}: Greylisted, try again later" }, NUM_TIMES, 1 },
	{ "defer",    NULL, AT_RCPT, DO_REPLY,
	    { 451, "4.3.0", "{addr}: Temporary lookup failure" }, NUM_TIMES, 1 },
	{ "temp",     NULL, AT_RCPT, DO_REPLY,
	    { 451, "4.3.0", "{addr}: Temporary lookup failure" }, NUM_TIMES, 1 },
	{ "never",    NULL, AT_RCPT, DO_REPLY,
	    { 451, "4.3.0", "{addr}: Temporary lookup failure" }, 0, 0 },
	{ "tempdot",  NULL, AT_DOT,  DO_REPLY,
	    { 451, "4.3.0", "Error: queue file write error" }, NUM_TIMES, 0 },
	{ "permdot",  NULL, AT_DOT,  DO_REPLY, { 550, "5.6.0", "Message refused" }, 0, 0 },

	{ "slow",     NULL, AT_RCPT, DO_SLOW,    { 0, NULL, NULL }, NUM_MS, 1000 },
	{ "drip",     NULL, AT_RCPT, DO_DRIP,    { 0, NULL, NULL }, NUM_MS, 20 },
	{ "endless",  NULL, AT_RCPT, DO_ENDLESS, { 250, NULL, NULL }, NUM_TIMES, 0 },
	{ "huge",     NULL, AT_RCPT, DO_HUGE,    { 250, NULL, NULL }, NUM_TIMES, 0 },
	{ "longline", NULL, AT_RCPT, DO_LONG,    { 250, NULL, NULL }, NUM_TIMES, 0 },
	{ "garbage",  NULL, AT_RCPT, DO_REPLY,   { 999, NULL, "\001\377 what" }, NUM_TIMES, 0 },
	{ "silent",   NULL, AT_RCPT, DO_SILENCE, { 0, NULL, NULL }, NUM_TIMES, 0 },
	{ "rstrcpt",  NULL, AT_RCPT, DO_RESET,   { 0, NULL, "reset-at-rcpt" }, NUM_TIMES, 0 },
	{ "354close", NULL, AT_DATA, DO_CUT,
	    { 354, NULL, "End data with <CR><LF>.<CR><LF>" }, NUM_TIMES, 0 },
	{ "rstdata",  NULL, AT_BODY, DO_RESET,   { 0, NULL, "reset-in-data" }, NUM_TIMES, 0 },
	{ "silentdot",NULL, AT_DOT,  DO_SILENCE, { 0, NULL, "silent-after-dot" }, NUM_TIMES, 0 },
	{ "closedot", NULL, AT_DOT,  DO_CLOSE,   { 0, NULL, "closed-after-dot" }, NUM_TIMES, 0 },
	{ "rstdot",   NULL, AT_DOT,  DO_RESET,   { 0, NULL, "reset-after-dot" }, NUM_TIMES, 0 },
	{ NULL, NULL, 0, 0, { 0, NULL, NULL }, 0, 0 },
};

static const struct mood moods[] = {
	{ "tss04",      "yahoo", AT_CONNECT, DO_CUT,   { 421, NULL, TSS04 } },
	{ "ipts04",     "yahoo", AT_CONNECT, DO_CUT,   { 421, NULL, IPTS04 } },
	{ "vs98",       "yahoo", AT_MAIL,    DO_REPLY,
	    { 553, NULL, "Mail from {ip} not allowed - VS98-IP0 deferred" } },
	{ "badauth",    "ses", AT_AUTH, DO_REPLY, { 535, NULL, "Authentication Credentials Invalid" } },
	{ "unsubscribed", "ses", AT_AUTH, DO_REPLY, { 535, NULL, "Account not subscribed to SES" } },
	{ "authtemp",   "ses", AT_AUTH, DO_REPLY, { 454, NULL, "Temporary authentication failure" } },
	{ "throttle",   "ses", AT_DOT,  DO_REPLY,
	    { 454, NULL, "Throttling failure: Maximum sending rate exceeded." } },
	{ "quota",      "ses", AT_DOT,  DO_REPLY,
	    { 454, NULL, "Throttling failure: Daily message quota exceeded." } },
	{ "paused",     "ses", AT_DOT,  DO_REPLY,
	    { 554, NULL, "Message rejected: Sending paused for this account." } },
	{ "notverified", "ses", AT_DOT, DO_REPLY,
	    { 554, NULL, "Message rejected: Email address is not verified. The following "
	    "identities failed the check in region AP-NORTHEAST-1: {from}" } },
	{ "mailfrom",   "ses", AT_DOT, DO_REPLY,
	    { 554, NULL, "MAIL FROM domain not verified: DNS setup for MAIL FROM domain is invalid." } },
	{ "denied",     "ses", AT_DOT, DO_REPLY,
	    { 554, NULL, "Access denied: User `arn:aws:iam::123456789012:user/oiwake' is not authorized "
	    "to perform `ses:SendRawEmail' on resource `*'" } },
	{ "temporary",  "ses", AT_DOT, DO_REPLY, { 451, NULL, "Temporary service failure" } },

	{ "reset",      NULL, AT_CONNECT, DO_RESET,   { 0, NULL, "reset" } },
	{ "blackhole",  NULL, AT_CONNECT, DO_SILENCE, { 0, NULL, "blackhole" } },
	{ "down",       NULL, AT_CONNECT, DO_DOWN,    { 0, NULL, NULL } },
	{ "close",      NULL, AT_CONNECT, DO_CLOSE,   { 0, NULL, "closed" } },
	{ "refuse421",  NULL, AT_CONNECT, DO_CUT,
	    { 421, "4.3.2", "Service not available, closing transmission channel" } },
	{ "refuse554",  NULL, AT_CONNECT, DO_CUT,     { 554, "5.7.1", "No SMTP service here for {ip}" } },
	{ "busy",       NULL, AT_MAIL,    DO_CUT,
	    { 421, "4.3.2", "Service not available, closing transmission channel" } },
	{ "blocked",    NULL, AT_RCPT,    DO_REPLY,
	    { 550, "5.7.1", "Blocked: {ip} has a bad reputation" } },
	{ "tempmail",   NULL, AT_MAIL,    DO_REPLY,   { 451, "4.3.0", "Temporary failure" } },
	{ "permmail",   NULL, AT_MAIL,    DO_REPLY,   { 550, "5.7.1", "Sender refused" } },
	{ "tempdot",    NULL, AT_DOT,     DO_REPLY,   { 451, "4.3.0", "Error: queue file write error" } },
	{ "permdot",    NULL, AT_DOT,     DO_REPLY,   { 550, "5.6.0", "Message refused" } },
	{ "closedot",   NULL, AT_DOT,     DO_CLOSE,   { 0, NULL, "closed-after-dot" } },
	{ "rstdot",     NULL, AT_DOT,     DO_RESET,   { 0, NULL, "reset-after-dot" } },
	{ NULL, NULL, 0, 0, { 0, NULL, NULL } },
};
/* clang-format on */

static bool
is_for(const char *row_system, const char *system)
{
	return row_system == NULL || strcmp(row_system, system) == 0;
}

/* The word of a local part: up to '+', '-', '_', '.', '@' or the digits before
 * one of these. */
unsigned
scenario_word(
    const char *address, char word[static SCENARIO_WORD], bool *digits)
{
	size_t len, end;

	if (*address == '"')
		address++;
	end = strcspn(address, "+-_.@\"");
	for (len = end; len > 0 && isdigit((unsigned char)address[len - 1]);)
		len--;
	*digits = len < end;
	if (len >= SCENARIO_WORD)
		len = 0;
	for (end = 0; end < len; end++)
		word[end] = (char)tolower((unsigned char)address[end]);
	word[len] = '\0';
	return *digits ? (unsigned)strtoul(address + len, NULL, 10) : 0;
}

const struct scenario *
scenario_find(const char *system, const char *address, unsigned *number)
{
	char word[SCENARIO_WORD];
	bool digits;
	unsigned n = scenario_word(address, word, &digits);
	const struct scenario *s;

	for (s = scenarios; s->word != NULL; s++) {
		if (strcmp(s->word, word) == 0 && is_for(s->system, system)) {
			*number = digits ? n : s->preset;
			return s;
		}
	}
	return NULL;
}

const struct mood *
mood_find(const char *system, const char *name, bool *known)
{
	const struct mood *m;

	*known = true;
	if (strcmp(name, "normal") == 0)
		return NULL;
	for (m = moods; m->name != NULL; m++)
		if (strcmp(m->name, name) == 0 && is_for(m->system, system))
			return m;
	*known = false;
	return NULL;
}
