/*
 * ses.c - what only Amazon SES's SMTP endpoint does.
 *
 * SES says 250 to any sender and recipient and judges the whole message after
 * its final dot, so a refusal there hits every recipient. Texts are those of
 * AWS's guide and of public captures.
 */
#include "tests/sandbox/ses.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "tests/sandbox/command.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/message.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/session.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define REGION_PREFIX	"0106" /* ap-northeast-1 */
#define RECIPIENTS_MOST 50

/* clang-format off */
static const struct answer
	AUTH_OK      = { 235, NULL, "Authentication successful." },
	AUTH_BAD     = { 535, NULL, "Authentication Credentials Invalid" },
	AUTH_SYNTAX  = { 501, NULL, "Syntax error in parameters or arguments" },
	AUTH_AGAIN   = { 503, NULL, "Bad sequence of commands" },
	AUTH_CLEAR   = { 530, NULL, "Must issue a STARTTLS command first" },
	AUTH_METHOD  = { 504, NULL, "Unrecognized authentication type" },
	ASK_USER     = { 334, NULL, "VXNlcm5hbWU6" },
	ASK_PASSWORD = { 334, NULL, "UGFzc3dvcmQ6" };

/* Fields that may stand in a message once. */
static const char *const single_fields[] = { "From", "Sender", "Reply-To", "Subject", "Date",
	"To", "Cc", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"Content-Disposition", "DKIM-Signature", "List-Unsubscribe", "List-Unsubscribe-Post",
	"References", "In-Reply-To", "Precedence", "Return-Path", "Auto-Submitted" };
#define N_SINGLE (sizeof(single_fields) / sizeof(single_fields[0]))
/* clang-format on */

bool
ses_set(struct ses *x, const char *key, const char *value)
{
	const struct {
		const char *name;
		unsigned *number;
		char **text;
	} rows[] = {
		{ "rate", &x->rate, NULL },
		{ "quota", &x->quota, NULL },
		{ "sent", &x->sent, NULL },
		{ "verified", NULL, &x->verified },
		{ "user", NULL, &x->user },
		{ "password", NULL, &x->password },
	};
	size_t i;

	if (strcmp(key, "sandbox") == 0) {
		x->sandbox = strcmp(value, "on") == 0;
		return true;
	}
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, key) != 0)
			continue;
		if (rows[i].number != NULL) {
			*rows[i].number = (unsigned)strtoul(value, NULL, 10);
			x->filled = 0;
		} else {
			free(*rows[i].text);
			*rows[i].text = xstrdup(value);
		}
		return true;
	}
	return false;
}

/* --- AUTH (RFC 4954; PLAIN is RFC 4616) --- */

/* False when the text is not base64 (RFC 4648). */
static bool
decode(const char *text, struct str *out)
{
	size_t len = strlen(text), padding;
	int n;

	padding =
	    len >= 2 ? (text[len - 1] == '=') + (text[len - 2] == '=') : 0;
	str_clear(out);
	str_reserve(out, len);
	if (len % 4 != 0)
		return false;
	n = EVP_DecodeBlock(
	    (unsigned char *)out->data, (const unsigned char *)text, (int)len);
	if (n < (int)padding)
		return false;
	out->len = (size_t)n - padding;
	out->data[out->len] = '\0';
	return true;
}

/* During AUTH LOGIN s->user is only who the client says it is. */
static void
forget_user(struct session *s)
{
	free(s->user);
	s->user = NULL;
}

static void
finish_auth(struct session *s, const char *user, const char *password)
{
	const struct ses *x = s->sandbox->ses;

	s->phase = PHASE_COMMAND;
	if (command_mood(s, AT_AUTH)) {
		forget_user(s);
	} else if (user == NULL || strcmp(user, x->user) != 0 ||
		   strcmp(password, x->password) != 0) {
		forget_user(s);
		session_answer(s, &AUTH_BAD, NULL);
	} else {
		if (s->user == NULL)
			s->user = xstrdup(user);
		session_answer(s, &AUTH_OK, NULL);
	}
}

/* "authorization identity NUL user NUL password" */
static void
auth_plain(struct session *s, const char *line)
{
	struct str text = STR_INIT;
	const char *user, *password;

	if (decode(line, &text) &&
	    (user = memchr(text.data, '\0', text.len)) != NULL &&
	    (password = memchr(user + 1, '\0',
		 text.len - (size_t)(user + 1 - text.data))) != NULL)
		finish_auth(s, user + 1, password + 1);
	else
		finish_auth(s, NULL, NULL);
	str_release(&text);
}

static void
auth_user(struct session *s, const char *line)
{
	struct str text = STR_INIT;

	forget_user(s);
	s->user = decode(line, &text) ? str_detach(&text) : NULL;
	str_release(&text);
	s->phase = PHASE_AUTH_PASSWORD;
	session_answer(s, &ASK_PASSWORD, NULL);
}

static void
auth_password(struct session *s, const char *line)
{
	struct str text = STR_INIT;

	if (decode(line, &text))
		finish_auth(s, s->user, text.data);
	else
		finish_auth(s, NULL, NULL);
	str_release(&text);
}

void
ses_auth_line(struct session *s, const char *line)
{
	if (strcmp(line, "*") == 0) {
		s->phase = PHASE_COMMAND;
		forget_user(s);
		session_answer(s, &AUTH_SYNTAX, NULL);
	} else if (s->phase == PHASE_AUTH_PLAIN) {
		auth_plain(s, line);
	} else if (s->phase == PHASE_AUTH_USER) {
		auth_user(s, line);
	} else {
		auth_password(s, line);
	}
}

/* RFC 4954 4: the space stays when there is nothing to say. */
static void
ask_first(struct session *s, bool plain)
{
	s->phase = plain ? PHASE_AUTH_PLAIN : PHASE_AUTH_USER;
	if (plain)
		session_send(s, "334 \r\n", 6);
	else
		session_answer(s, &ASK_USER, NULL);
}

void
ses_auth(struct session *s, const char *args)
{
	const char *initial = args + strcspn(args, " ");
	bool plain = strncasecmp(args, "PLAIN", 5) == 0;

	if (*initial == ' ')
		initial++;
	if (s->ssl == NULL)
		session_answer(s, &AUTH_CLEAR, NULL);
	else if (s->ehlo == NULL || s->mail.open || s->user != NULL)
		session_answer(s, &AUTH_AGAIN, NULL);
	else if (!plain && strncasecmp(args, "LOGIN", 5) != 0)
		session_answer(s, &AUTH_METHOD, NULL);
	else if (*initial != '\0' && plain)
		auth_plain(s, initial);
	else if (*initial != '\0')
		auth_user(s, initial);
	else
		ask_first(s, plain);
}

/* --- the verdict --- */

/* An address is verified itself, or its domain is, or a domain above that. */
static bool
is_verified(const struct ses *x, const char *address)
{
	const char *at = strrchr(address, '@'), *p, *domain;
	size_t n, d;

	domain = at != NULL ? at + 1 : address;
	for (p = x->verified; *p != '\0'; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		d = strlen(domain);
		if ((n == 1 && *p == '*') ||
		    (strlen(address) == n && strncmp(address, p, n) == 0))
			return true;
		if (d >= n && n > 0 && strncasecmp(domain + d - n, p, n) == 0 &&
		    (d == n || domain[d - n - 1] == '.'))
			return true;
	}
	return false;
}

static void
check_identity(const struct ses *x, const char *address, struct str *failed)
{
	if (is_verified(x, address) || strstr(failed->data, address) != NULL)
		return;
	if (failed->len > 0)
		str_adds(failed, ", ");
	str_adds(failed, address);
}

static bool
identities_fail(struct session *s, struct str *text)
{
	static const char *const fields[] = { "From", "Sender", "Return-Path" };
	const struct ses *x = s->sandbox->ses;
	struct str value = STR_INIT, address = STR_INIT, failed = STR_INIT;
	bool fail;
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!message_field(s->body.bytes.data, s->body.bytes.len,
			fields[i], 0, &value))
			continue;
		message_address(value.data, &address);
		check_identity(x, address.data, &failed);
	}
	check_identity(x, s->mail.from, &failed);
	for (i = 0; x->sandbox && i < s->mail.n; i++)
		check_identity(x, s->mail.rcpts[i].to, &failed);
	fail = failed.len > 0;
	if (fail)
		str_addf(text,
		    "Message rejected: Email address is not verified. The "
		    "following identities failed the check in region "
		    "AP-NORTHEAST-1: %s",
		    failed.data);
	str_release(&value);
	str_release(&address);
	str_release(&failed);
	return fail;
}

static bool
header_fails(struct session *s, struct str *text)
{
	size_t i;

	for (i = 0; i < N_SINGLE; i++) {
		if (message_count(s->body.bytes.data, s->body.bytes.len,
			single_fields[i]) < 2)
			continue;
		str_addf(text, "Transaction failed: Duplicate header '%s'.",
		    single_fields[i]);
		return true;
	}
	return false;
}

/* JavaMail's words for what it does not take as an address. */
static const char *
address_fault(const char *address)
{
	const char *at = strrchr(address, '@'), *p;

	if (at == NULL)
		return "Missing final '@domain'";
	if (at == address)
		return "Missing local name";
	if (at[1] == '\0')
		return "Missing domain";
	if (*address == '"')
		return NULL;
	if (*address == '.')
		return "Local address starts with dot";
	if (at[-1] == '.')
		return "Local address ends with dot";
	for (p = address; p < at; p++) {
		if (p[0] == '.' && p[1] == '.')
			return "Local address contains dot-dot";
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127)
			return "Local address contains control or whitespace";
	}
	return NULL;
}

static bool
recipients_fail(struct session *s, struct str *text)
{
	const char *fault = NULL;
	size_t i;

	if (s->mail.n > RECIPIENTS_MOST) {
		str_addf(text,
		    "Transaction failed: Recipient count exceeds %d.",
		    RECIPIENTS_MOST);
		return true;
	}
	for (i = 0; fault == NULL && i < s->mail.n; i++)
		fault = address_fault(s->mail.rcpts[i].to);
	if (fault != NULL)
		str_addf(text, "Transaction failed: %s", fault);
	return fault != NULL;
}

/* A bucket that holds one second's worth. A message passes when any is left and
 * may leave a debt, which is what SES does with many recipients. */
static bool
rate_fails(struct ses *x)
{
	int64_t now = clock_mono();

	if (x->rate == 0)
		return false;
	if (x->filled == 0)
		x->tokens = x->rate;
	else
		x->tokens += (double)(now - x->filled) * x->rate / 1000.0;
	x->filled = now;
	if (x->tokens > x->rate)
		x->tokens = x->rate;
	return x->tokens < 1.0;
}

/* 0106, milliseconds since 1970 in 12 hex digits, a UUID (RFC 9562 version 4),
 * -000000. */
static void
make_id(struct str *id)
{
	unsigned char r[16];
	size_t i;

	RAND_bytes(r, sizeof(r));
	r[6] = (r[6] & 0x0f) | 0x40;
	r[8] = (r[8] & 0x3f) | 0x80;
	str_addf(
	    id, "Ok " REGION_PREFIX "%012" PRIx64 "-", (uint64_t)clock_wall());
	for (i = 0; i < sizeof(r); i++)
		str_addf(id, "%s%02x",
		    i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
	str_adds(id, "-000000");
}

static const char *
throttle(struct ses *x)
{
	if (x->quota > 0 && x->sent >= x->quota)
		return "Throttling failure: Daily message quota exceeded.";
	if (rate_fails(x))
		return "Throttling failure: Maximum sending rate exceeded.";
	return NULL;
}

bool
ses_judge(struct session *s, struct answer *answer, struct str *text)
{
	struct ses *x = s->sandbox->ses;
	const char *throttled;

	if (recipients_fail(s, text) || header_fails(s, text) ||
	    identities_fail(s, text)) {
		*answer = (struct answer){ 554, NULL, text->data };
		return false;
	}
	throttled = throttle(x);
	if (throttled != NULL) {
		*answer = (struct answer){ 454, NULL, throttled };
		return false;
	}
	x->tokens -= (double)s->mail.n;
	x->sent += (unsigned)s->mail.n;
	make_id(text);
	return true;
}
