/*
 * report_stage.c - the SMTP stage that a diagnosis tells of, by what mail
 * systems say around the reply.
 *
 * docomo's and au's 550 mean one thing after RCPT and another after the
 * message, so their bounces cannot be understood without it.
 */
#include <string.h>
#include <strings.h>

#include "router/feedback/report_int.h"

#define VERB_NEAR 48 /* bytes behind the lead in which the verb stands */

/* Behind one of these stands the command that was answered. */
static const char *const leads[] = { "in reply to", "in response to",
	"response to", "not like our", "error from remote mail server after",
	"server after", "after ", "while sending", "while performing",
	"while receiving", "during ", ">>> ", "reply to ", "rejected our",
	"refused our", "response from" };

struct stage_word {
	const char *word;
	enum smtp_stage stage;
};

/* clang-format off */
/* In the order of being looked for: "end of data" before "data". */
static const struct stage_word verbs[] = {
	{ "rcpt",                 STAGE_RCPT },
	{ "mail from",            STAGE_MAIL },
	{ "pipelined mail",       STAGE_MAIL },
	{ "mail command",         STAGE_MAIL },
	{ "end of data",          STAGE_DOT },
	{ "end-of-data",          STAGE_DOT },
	{ "end of message",       STAGE_DOT },
	{ "end of mail",          STAGE_DOT },
	{ "message body",         STAGE_DOT },
	{ "message content",      STAGE_DOT },
	{ "i sent the message",   STAGE_DOT },
	{ ".\n",                  STAGE_DOT },
	{ "data",                 STAGE_DATA },
	{ "starttls",             STAGE_TLS },
	{ "tls handshake",        STAGE_TLS },
	{ "ehlo",                 STAGE_EHLO },
	{ "helo",                 STAGE_EHLO },
	{ "lhlo",                 STAGE_EHLO },
	{ "auth ",                STAGE_AUTH },
	{ "initial server",       STAGE_CONNECT },
	{ "initial connection",   STAGE_CONNECT },
	{ "server greeting",      STAGE_CONNECT },
	{ "banner",               STAGE_CONNECT },
	{ "quit",                 STAGE_QUIT },
};

/* These say it by themselves. */
static const struct stage_word phrases[] = {
	{ "refused to talk to me",              STAGE_CONNECT },
	{ "but greeting failed",                STAGE_CONNECT },
	{ "but my name was rejected",           STAGE_EHLO },
	{ "but sender was rejected",            STAGE_MAIL },
	{ "does not like recipient",            STAGE_RCPT },
	{ "failed on data command",             STAGE_DATA },
	{ "failed after i sent the message",    STAGE_DOT },
	{ "connect to ",                        STAGE_CONNECT },
	{ "connection refused",                 STAGE_CONNECT },
	{ "connection timed out",               STAGE_CONNECT },
	{ "no route to host",                   STAGE_CONNECT },
	{ "network is unreachable",             STAGE_CONNECT },
	{ "able to establish an smtp connection", STAGE_CONNECT },
	{ "name service error",                 STAGE_DNS },
	{ "host or domain name not found",      STAGE_DNS },
	{ "find any host named",                STAGE_DNS },
	{ "unrouteable mail domain",            STAGE_DNS },
	{ "unrouteable address",                STAGE_DNS },
	{ "dns error",                          STAGE_DNS },
	{ "dns lookup",                         STAGE_DNS },
	{ "host unknown",                       STAGE_DNS },
	{ "nxdomain",                           STAGE_DNS },
};
/* clang-format on */

/* Of all leads and phrases the second letters by the first. */
static const char *const seconds[256] = { ['>'] = ">",
	['a'] = "bf",
	['b'] = "u",
	['c'] = "o",
	['d'] = "nou",
	['e'] = "r",
	['f'] = "ai",
	['h'] = "o",
	['i'] = "n",
	['n'] = "aeox",
	['r'] = "e",
	['s'] = "e",
	['u'] = "n",
	['w'] = "h" };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static enum smtp_stage
verb_near(const char *p, const char *end)
{
	size_t near =
	    (size_t)(end - p) < VERB_NEAR ? (size_t)(end - p) : VERB_NEAR;
	const char *best = NULL, *hit;
	enum smtp_stage stage = STAGE_NONE;

	for (size_t i = 0; i < COUNT(verbs); i++) {
		hit = memmem(p, near, verbs[i].word, strlen(verbs[i].word));
		if (hit != NULL && (best == NULL || hit < best)) {
			best = hit;
			stage = verbs[i].stage;
			/* "end of data" also holds "data". */
			near = (size_t)(hit - p) + strlen(verbs[i].word);
		}
	}
	return stage;
}

/* The text in lower case, its blanks one each, line ends kept only where a lone
 * dot was sent. */
static void
lower(struct str *out, const char *text, size_t len)
{
	str_reserve(out, len);
	for (const char *p = text; p < text + len; p++) {
		char c = *p == '\t' || *p == '\r' || *p == '\n' ? ' ' : *p;

		if (*p == '\n' && p - text >= 5 &&
		    memcmp(p - 5, ">>> .", 5) == 0)
			c = '\n';
		if (c == ' ' && out->len > 0 && out->data[out->len - 1] == ' ')
			continue;
		out->data[out->len++] =
		    c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	out->data[out->len] = '\0';
}

static bool
begins(const char *p, const char *end, const char *with, size_t *len)
{
	if (p[0] != with[0] || p[1] != with[1])
		return false;
	*len = strlen(with);
	return (size_t)(end - p) >= *len && memcmp(p, with, *len) == 0;
}

/* What a lead here leads to. */
static enum smtp_stage
stage_led_to(const char *p, const char *end)
{
	enum smtp_stage stage;
	size_t n;

	for (size_t i = 0; i < COUNT(leads); i++) {
		stage = begins(p, end, leads[i], &n) ? verb_near(p + n, end)
						     : STAGE_NONE;
		if (stage != STAGE_NONE)
			return stage;
	}
	return STAGE_NONE;
}

static enum smtp_stage
stage_said(const char *p, const char *end)
{
	size_t n;

	for (size_t i = 0; i < COUNT(phrases); i++)
		if (begins(p, end, phrases[i].word, &n))
			return phrases[i].stage;
	return STAGE_NONE;
}

/* The command that is named counts for more than what a phrase says. */
enum smtp_stage
stage_of_text(const char *text, size_t len)
{
	struct str low = STR_INIT;
	enum smtp_stage led = STAGE_NONE, said = STAGE_NONE;
	const char *end;

	lower(&low, text, len);
	end = low.data + low.len;
	for (const char *p = low.data; p < end && led == STAGE_NONE; p++) {
		const char *second = seconds[(unsigned char)*p];

		if (second == NULL || p[1] == '\0' ||
		    strchr(second, p[1]) == NULL)
			continue;
		if (p > low.data &&
		    ((p[-1] >= 'a' && p[-1] <= 'z') || p[-1] == '>'))
			continue;
		led = stage_led_to(p, end);
		if (said == STAGE_NONE)
			said = stage_said(p, end);
	}
	str_release(&low);
	return led != STAGE_NONE ? led : said;
}
