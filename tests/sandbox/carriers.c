/*
 * carriers.c - the receiving systems: who they are, their domains, limits and
 * own words.
 *
 * Replies come from the carriers' notices and from real bounces; where a
 * carrier's words for a case are not known, the text is the one Postfix would
 * use. scenarios.c says what they do when.
 */
#include "tests/sandbox/carriers.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define CARRIER_FEATURES (FEATURE_STARTTLS | FEATURE_PIPELINING | FEATURE_SIZE | \
	FEATURE_8BITMIME | FEATURE_RAWDOTS | FEATURE_QUOTED)
#define ORDINARY_FEATURES (CARRIER_FEATURES | FEATURE_DSN | FEATURE_SMTPUTF8 | \
	FEATURE_ENHANCED)

#define BUSY     { 421, "4.3.2", "Service not available, closing transmission channel" }
#define NO_RCPT  { 554, "5.5.1", "Error: no valid recipients" }
#define TOO_MANY { 452, "4.5.3", "Error: too many recipients" }
#define LONG     { 500, "5.5.2", "Line too long" }

const struct feature_row features[] = {
	{ FEATURE_PIPELINING, "pipelining", "PIPELINING" },
	{ FEATURE_SIZE,       "size",       "SIZE" },
	{ FEATURE_8BITMIME,   "8bitmime",   "8BITMIME" },
	{ FEATURE_DSN,        "dsn",        "DSN" },
	{ FEATURE_SMTPUTF8,   "smtputf8",   "SMTPUTF8" },
	{ FEATURE_ENHANCED,   "enhanced",   "ENHANCEDSTATUSCODES" },
	{ FEATURE_STARTTLS,   "starttls",   "STARTTLS" },
	{ FEATURE_RAWDOTS,    "rawdots",    NULL },
	{ FEATURE_QUOTED,     "quoted",     NULL },
	{ FEATURE_SENDER,     "sender",     NULL },
	{ 0, NULL, NULL },
};

const struct system systems[] = {
	{ .name = "docomo", .host = "mfsmax.docomo.ne.jp", .address = "127.0.10.1",
	  .features = CARRIER_FEATURES, .greeting = "{host} ESMTP",
	  .limits = { .size = 10485760, .line = 1000, .rcpts_message = 100, .rcpts_session = 100 },
	  .accepted = "Requested mail action okay, completed", .busy = BUSY,
	  .no_rcpt = { 503, NULL, "Bad sequence of commands" },
	  .too_many = { 552, NULL, "Too many recipients" },
	  .long_line = { 500, NULL, "Line Too Long" } },
	{ .name = "ezweb", .host = "lsean.ezweb.ne.jp", .address = "127.0.10.2",
	  .features = CARRIER_FEATURES, .greeting = "{host} ESMTP",
	  .limits = { .size = 3145728, .line = 1000, .rcpts_message = 100 },
	  .accepted = "Ok", .busy = BUSY, .no_rcpt = NO_RCPT, .too_many = TOO_MANY,
	  .long_line = LONG },
	{ .name = "au", .host = "msmx.au.com", .address = "127.0.10.3",
	  .features = CARRIER_FEATURES, .greeting = "{host} ESMTP",
	  .limits = { .size = 3145728, .line = 1000, .rcpts_message = 100 },
	  .accepted = "Ok", .busy = BUSY, .no_rcpt = NO_RCPT, .too_many = TOO_MANY,
	  .long_line = LONG },
	{ .name = "softbank", .host = "mx.softbank.ne.jp", .address = "127.0.10.4",
	  .needs_headers = true, .features = CARRIER_FEATURES, .greeting = "{host} ESMTP",
	  .limits = { .size = 1048576, .line = 1000, .rcpts_message = 100 },
	  .accepted = "Ok", .busy = BUSY, .no_rcpt = NO_RCPT, .too_many = TOO_MANY,
	  .long_line = LONG },
	{ .name = "ymobile", .host = "ymx1.softbank.ne.jp", .address = "127.0.10.5",
	  .features = CARRIER_FEATURES, .greeting = "{host} ESMTP",
	  .limits = { .size = 1048576, .line = 1000, .rcpts_message = 100 },
	  .accepted = "Ok", .busy = BUSY, .no_rcpt = NO_RCPT, .too_many = TOO_MANY,
	  .long_line = LONG },
	{ .name = "yahoo", .host = "mx1.mail.yahoo.ne.jp", .address = "127.0.10.6",
	  .features = CARRIER_FEATURES, .greeting = "{host} ESMTP YSmtp",
	  .limits = { .size = 20971520, .line = 1000, .rcpts_message = 100 },
	  .accepted = "ok dirdel", .busy = BUSY, .no_rcpt = NO_RCPT, .too_many = TOO_MANY,
	  .long_line = LONG },
	{ .name = "rakuten", .host = "mx.rakumail.jp", .address = "127.0.10.7",
	  .features = CARRIER_FEATURES, .greeting = "{host} ESMTP",
	  .limits = { .size = 10485760, .line = 1000, .rcpts_message = 100 },
	  .accepted = "Ok", .busy = BUSY, .no_rcpt = NO_RCPT, .too_many = TOO_MANY,
	  .long_line = LONG },
	{ .name = "mopera", .host = "mx.mopera.net", .address = "127.0.10.8",
	  .features = CARRIER_FEATURES, .greeting = "{host} ESMTP",
	  .limits = { .size = 10485760, .line = 1000, .rcpts_message = 100 },
	  .accepted = "Ok", .busy = BUSY, .no_rcpt = NO_RCPT, .too_many = TOO_MANY,
	  .long_line = LONG },
	{ .name = "ordinary", .host = "mx.example.com", .address = "127.0.10.20",
	  .any_domain = true, .features = ORDINARY_FEATURES, .greeting = "{host} ESMTP",
	  .limits = { .size = 52428800, .line = 1000, .rcpts_message = 1000 },
	  .accepted = "Ok: queued", .busy = BUSY, .no_rcpt = NO_RCPT, .too_many = TOO_MANY,
	  .long_line = LONG },
	{ .name = "second", .host = "mx2.example.com", .address = "127.0.10.22",
	  .any_domain = true, .features = ORDINARY_FEATURES, .greeting = "{host} ESMTP",
	  .limits = { .size = 52428800, .line = 1000, .rcpts_message = 1000 },
	  .accepted = "Ok: queued", .busy = BUSY, .no_rcpt = NO_RCPT, .too_many = TOO_MANY,
	  .long_line = LONG },
	{ .name = "ses", .host = "email-smtp.ap-northeast-1.amazonaws.com",
	  .address = "127.0.10.50", .any_domain = true, .ses = true,
	  .features = FEATURE_STARTTLS | FEATURE_8BITMIME | FEATURE_RAWDOTS | FEATURE_QUOTED,
	  .greeting = "email-smtp.amazonaws.com ESMTP SimpleEmailService-d-GI38EMLB2 "
	              "hkD7YwduxMJw9KrXpof7",
	  .limits = { .size = 41943040, .line = 1000, .messages = 1000, .connections = 1000 },
	  .accepted = "Ok", .busy = { 421, NULL, "Too many concurrent SMTP connections" },
	  .no_rcpt = { 503, NULL, "Error: need RCPT command" }, .too_many = TOO_MANY,
	  .long_line = { 554, NULL, "Transaction failed: Line too long." } },
	{ .name = NULL },
};

const struct domain_row domains[] = {
	{ "docomo.ne.jp", "docomo" },
	{ "mopera.net", "mopera" },
	{ "ezweb.ne.jp", "ezweb" },
	{ ".biz.ezweb.ne.jp", "ezweb" },
	{ "uqmobile.jp", "ezweb" },
	{ "au.com", "au" },
	{ ".biz.au.com", "au" },
	{ "softbank.ne.jp", "softbank" },
	{ "i.softbank.jp", "softbank" },
	{ "d.vodafone.ne.jp", "softbank" },
	{ "h.vodafone.ne.jp", "softbank" },
	{ "t.vodafone.ne.jp", "softbank" },
	{ "c.vodafone.ne.jp", "softbank" },
	{ "r.vodafone.ne.jp", "softbank" },
	{ "k.vodafone.ne.jp", "softbank" },
	{ "n.vodafone.ne.jp", "softbank" },
	{ "s.vodafone.ne.jp", "softbank" },
	{ "q.vodafone.ne.jp", "softbank" },
	{ "jp-d.ne.jp", "softbank" },
	{ "jp-h.ne.jp", "softbank" },
	{ "jp-t.ne.jp", "softbank" },
	{ "jp-c.ne.jp", "softbank" },
	{ "jp-r.ne.jp", "softbank" },
	{ "jp-k.ne.jp", "softbank" },
	{ "jp-n.ne.jp", "softbank" },
	{ "jp-s.ne.jp", "softbank" },
	{ "jp-q.ne.jp", "softbank" },
	{ "disney.ne.jp", "softbank" },
	{ "ymobile.ne.jp", "ymobile" },
	{ "y-mobile.ne.jp", "ymobile" },
	{ "emobile-s.ne.jp", "ymobile" },
	{ "wcm.ne.jp", "ymobile" },
	{ "willcom.com", "ymobile" },
	{ "pdx.ne.jp", "ymobile" },
	{ ".pdx.ne.jp", "ymobile" },
	{ "yahoo.ne.jp", "yahoo" },
	{ "rakumail.jp", "rakuten" },
	{ NULL, NULL },
};
/* clang-format on */

static bool
domain_matches(const char *pattern, const char *domain)
{
	size_t plen = strlen(pattern), dlen = strlen(domain);

	if (*pattern != '.')
		return strcmp(pattern, domain) == 0;
	return dlen > plen && strcmp(domain + dlen - plen, pattern) == 0;
}

const char *
domain_system(const char *domain)
{
	const struct domain_row *d;

	for (d = domains; d->name != NULL; d++)
		if (domain_matches(d->name, domain))
			return d->system;
	return NULL;
}

const char *
stage_name(enum stage stage)
{
	static const char *const names[] = { "connect", "auth", "mail", "rcpt",
		"data", "body", "dot" };

	return names[stage];
}
