/*
 * envelope.c - MAIL and RCPT: what is refused on sight, and what a recipient's
 * local part asks for.
 */
#include "tests/sandbox/envelope.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/command.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/mail.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/session.h"
#include "tests/sandbox/zone.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* clang-format off */
static const struct answer
	SENDER_OK   = { 250, "2.1.0", "Ok" },
	RCPT_OK     = { 250, "2.1.5", "Ok" },
	SEQUENCE    = { 503, "5.5.1", "Bad sequence of commands" },
	NEED_TLS    = { 530, NULL,    "Must issue a STARTTLS command first" },
	NEED_AUTH   = { 530, NULL,    "Authentication required" },
	SYNTAX      = { 501, "5.5.4", "Syntax error in parameters" },
	PARAMETER   = { 555, "5.5.4", "Unsupported parameter" },
	TOO_BIG     = { 552, "5.3.4", "Message size exceeds fixed limit" },
	NO_DOMAIN   = { 553, "5.1.8", "{domain} does not exist" },
	RELAY       = { 554, "5.7.1", "{addr}: Relay access denied" },
	BAD_ADDRESS = { 501, "5.1.3", "Bad recipient address syntax" },
	UTF8        = { 553, "5.6.7", "Address needs SMTPUTF8" },
	NULL_SENDER = { 501, NULL,    "Invalid MAIL FROM address provided" },
	SES_ENOUGH  = { 421, NULL,
	    "Connection closed by server. Maximum message count per session reached." };

static const struct parameter {
	const char *name;
	enum feature feature;
	enum stage stage;
} parameters[] = {
	{ "SIZE",     FEATURE_SIZE,     AT_MAIL },
	{ "BODY",     FEATURE_8BITMIME, AT_MAIL },
	{ "SMTPUTF8", FEATURE_SMTPUTF8, AT_MAIL },
	{ "RET",      FEATURE_DSN,      AT_MAIL },
	{ "ENVID",    FEATURE_DSN,      AT_MAIL },
	{ "NOTIFY",   FEATURE_DSN,      AT_RCPT },
	{ "ORCPT",    FEATURE_DSN,      AT_RCPT },
	{ NULL, 0, 0 },
};
/* clang-format on */

/* "FROM:<path> parameters": a copy of the path, *rest at the parameters; NULL
 * when malformed. */
static char *
take_path(const char *args, const char *prefix, const char **rest)
{
	const char *p = args, *start;
	bool quoted = false;

	if (strncasecmp(args, prefix, strlen(prefix)) != 0)
		return NULL;
	p += strlen(prefix);
	if (*p++ != '<')
		return NULL;
	for (start = p; *p != '\0' && (quoted || *p != '>'); p++) {
		if (*p == '\\' && quoted && p[1] != '\0')
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && (*p == ' ' || *p == '<'))
			return NULL;
	}
	if (*p != '>' || (p[1] != '\0' && p[1] != ' '))
		return NULL;
	*rest = p + 1 + strspn(p + 1, " ");
	return xstrndup(start, (size_t)(p - start));
}

/* Every parameter must have been announced for this command. */
static bool
parameters_known(const struct session *s, enum stage stage, const char *text)
{
	const struct parameter *p;
	size_t n, name;

	for (; *text != '\0'; text += n + strspn(text + n, " ")) {
		n = strcspn(text, " ");
		name = strcspn(text, "= ");
		for (p = parameters; p->name != NULL; p++)
			if (p->stage == stage && strlen(p->name) == name &&
			    strncasecmp(p->name, text, name) == 0)
				break;
		if (p->name == NULL ||
		    (s->host->features & (unsigned)p->feature) == 0)
			return false;
	}
	return true;
}

/* The value of a parameter, "" when it has none, NULL when it is absent. */
static const char *
parameter(const char *text, const char *name)
{
	size_t n = strlen(name), len;

	for (; *text != '\0'; text += len + strspn(text + len, " ")) {
		len = strcspn(text, " ");
		if (strncasecmp(text, name, n) != 0)
			continue;
		if (text[n] == '=')
			return text + n + 1;
		if (n == len)
			return text + n;
	}
	return NULL;
}

/* MAIL or a sender that this host refuses before it looks at anything else;
 * NULL: go on. */
static const struct answer *
mail_refusal(const struct session *s)
{
	const struct host *h = s->host;

	if (h->system->ses && s->ssl == NULL)
		return &NEED_TLS;
	if (h->system->ses && s->user == NULL)
		return &NEED_AUTH;
	if (s->ehlo == NULL || s->mail.open)
		return &SEQUENCE;
	if (h->limits.messages > 0 && s->messages >= h->limits.messages)
		return h->system->ses ? &SES_ENOUGH : &h->system->busy;
	return NULL;
}

/* The part after the last '@' in lower case, "" when there is none. */
static const char *
domain_of(const char *address, char lower[static ZONE_NAME_MAX + 1])
{
	const char *at = strrchr(address, '@');
	size_t i;

	if (at == NULL || strlen(at) > ZONE_NAME_MAX)
		return "";
	for (i = 0; at[1 + i] != '\0'; i++)
		lower[i] = (char)tolower((unsigned char)at[1 + i]);
	lower[i] = '\0';
	return lower;
}

static bool
sender_unknown(const struct session *s)
{
	char lower[ZONE_NAME_MAX + 1];
	const char *domain = domain_of(s->mail.from, lower);

	return (s->host->features & FEATURE_SENDER) != 0 && *domain != '\0' &&
	       zone_find(s->sandbox->zone, domain) == NULL;
}

static bool
has_8bit(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text > 127)
			return true;
	return false;
}

static const struct answer *
sender_refusal(const struct session *s, const char *params)
{
	const char *size = parameter(params, "SIZE");
	size_t most = s->host->limits.size;

	if (!parameters_known(s, AT_MAIL, params))
		return &PARAMETER;
	if (size != NULL && most > 0 && strtoull(size, NULL, 10) > most)
		return &TOO_BIG;
	if (s->host->system->ses && *s->mail.from == '\0')
		return &NULL_SENDER;
	if (has_8bit(s->mail.from) && parameter(params, "SMTPUTF8") == NULL)
		return &UTF8;
	return sender_unknown(s) ? &NO_DOMAIN : NULL;
}

static void
refuse_sender(struct session *s, const struct answer *a)
{
	session_expand(s, a, NULL);
	mail_journal_refused(s, AT_MAIL, NULL, a->code);
	session_answer(s, a, NULL);
	mail_clear(s);
}

static void
open_mail(struct session *s, const char *params)
{
	const char *body = parameter(params, "BODY");

	s->mail.open = true;
	s->mail.utf8 = parameter(params, "SMTPUTF8") != NULL;
	s->mail.eight_bit =
	    body != NULL && strncasecmp(body, "8BITMIME", 8) == 0;
	if (*params != '\0')
		s->mail.params = xstrdup(params);
	session_answer(s, &SENDER_OK, NULL);
}

void
envelope_mail(struct session *s, const char *args)
{
	const struct mood *m = s->host->mood;
	const struct answer *refusal = mail_refusal(s);
	const char *params = "";

	if (refusal != NULL) {
		session_answer(s, refusal, NULL);
		return;
	}
	s->mail.from = take_path(args, "FROM:", &params);
	if (s->mail.from == NULL) {
		session_answer(s, &SYNTAX, NULL);
		return;
	}
	refusal = sender_refusal(s, params);
	if (refusal != NULL)
		refuse_sender(s, refusal);
	else if (m != NULL && m->stage == AT_MAIL) {
		session_expand(s, &m->answer, NULL);
		mail_journal_refused(s, AT_MAIL, NULL, m->answer.code);
		(void)command_mood(s, AT_MAIL);
		mail_clear(s);
	} else
		open_mail(s, params);
}

static bool
is_ours(const struct system *system, const char *address)
{
	char lower[ZONE_NAME_MAX + 1];
	const char *name;

	if (system->any_domain)
		return true;
	name = domain_system(domain_of(address, lower));
	return name != NULL && strcmp(name, system->name) == 0;
}

/* A local part with dots where RFC 5321 4.1.2 (Dot-string) has none. */
static bool
has_raw_dots(const char *address)
{
	const char *at = strrchr(address, '@'), *p;

	if (at == NULL || *address == '"')
		return false;
	for (p = address; p < at; p++)
		if (*p == '.' && (p == address || p[1] == '.' || p[1] == '@'))
			return true;
	return false;
}

static const struct answer *
rcpt_refusal(const struct session *s, const char *to, const char *params)
{
	const struct host *h = s->host;

	if (!parameters_known(s, AT_RCPT, params))
		return &PARAMETER;
	if (has_8bit(to) && !s->mail.utf8)
		return &UTF8;
	if (h->limits.rcpts_message > 0 &&
	    s->mail.accepted >= h->limits.rcpts_message)
		return &h->system->too_many;
	if (h->system->ses)
		return NULL;
	if (*to == '\0' || strrchr(to, '@') == NULL)
		return &BAD_ADDRESS;
	if (!is_ours(h->system, to))
		return &RELAY;
	if ((has_raw_dots(to) && (h->features & FEATURE_RAWDOTS) == 0) ||
	    (*to == '"' && (h->features & FEATURE_QUOTED) == 0))
		return &BAD_ADDRESS;
	return NULL;
}

static void
refuse_rcpt(struct session *s, struct rcpt *r, enum action action,
    const struct answer *a)
{
	session_expand(s, a, r->to);
	r->code = a->code;
	r->text = xstrdup(s->reply.data);
	mail_journal_refused(s, AT_RCPT, r->to, a->code);
	session_act(s, action, a, r->to);
}

static void
accept_rcpt(struct session *s, struct rcpt *r)
{
	session_expand(s, &RCPT_OK, NULL);
	r->accepted = true;
	r->what = "delivered";
	r->code = RCPT_OK.code;
	r->text = xstrdup(s->reply.data);
	s->mail.accepted++;
	s->rcpts++;
	session_answer(s, &RCPT_OK, NULL);
}

/* What the recipient's local part asks for. */
static void
play_rcpt(struct session *s, struct rcpt *r)
{
	unsigned number = 0;
	const struct scenario *sc =
	    scenario_find(s->host->system->name, r->to, &number);

	if (sc != NULL && host_spent(s->host, sc, number, r->to))
		sc = NULL;
	if (sc != NULL && (sc->action == DO_SLOW || sc->action == DO_DRIP)) {
		s->pace = sc->action == DO_SLOW ? PACE_SLOW : PACE_DRIP;
		s->pace_ms = number;
	} else if (sc != NULL && sc->stage == AT_RCPT) {
		host_happened(s->host, sc, r->to);
		refuse_rcpt(s, r, sc->action, &sc->answer);
		return;
	} else {
		r->scenario = sc;
	}
	accept_rcpt(s, r);
}

/* docomo: from the 101st recipient of a session on all of it is lost. */
static void
cut_session(struct session *s)
{
	static const char reply[] = "554:Transaction failed\r\n";

	str_clear(&s->reply);
	str_add(&s->reply, reply, sizeof(reply) - 3);
	mail_withdraw(s);
	mail_journal_refused(s, AT_RCPT, s->mail.rcpts[s->mail.n - 1].to, 554);
	session_send(s, reply, sizeof(reply) - 1);
	session_close(s, "too many recipients in the session");
}

void
envelope_rcpt(struct session *s, const char *args)
{
	unsigned most = s->host->limits.rcpts_session;
	const struct mood *m = s->host->mood;
	const struct answer *refusal;
	const char *params = "";
	struct rcpt *r;
	char *to;

	if (!s->mail.open) {
		session_answer(s, &SEQUENCE, NULL);
		return;
	}
	to = take_path(args, "TO:", &params);
	if (to == NULL) {
		session_answer(s, &SYNTAX, NULL);
		return;
	}
	refusal = rcpt_refusal(s, to, params);
	r = mail_add(s, to, params);
	if (most > 0 && s->rcpts >= most)
		cut_session(s);
	else if (refusal != NULL)
		refuse_rcpt(s, r, DO_REPLY, refusal);
	else if (m != NULL && m->stage == AT_RCPT)
		refuse_rcpt(s, r, m->action, &m->answer);
	else
		play_rcpt(s, r);
}
