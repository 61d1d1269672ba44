/*
 * command.c - reads command lines: verb, path and parameters.
 *
 * server_command.c calls it with one line at a time and sends the reply it
 * names.
 */
#include "mta/smtp/command.h"

#include "mta/smtp/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* strcspn and strncasecmp need a NUL; our texts are runs inside the line. */
static struct command_text
take_until(struct command_text *rest, const char *stop)
{
	struct command_text head = { rest->p, 0 };

	while (head.len < rest->len && strchr(stop, head.p[head.len]) == NULL)
		head.len++;
	rest->p += head.len;
	rest->len -= head.len;
	return head;
}

static void
skip_blanks(struct command_text *t)
{
	while (t->len > 0 && is_blank(*t->p)) {
		t->p++;
		t->len--;
	}
}

void
command_split(struct command *c, const char *line, size_t len)
{
	struct command_text rest = { line, len };

	while (rest.len > 0 && is_blank(rest.p[rest.len - 1]))
		rest.len--;
	c->verb = take_until(&rest, " \t");
	skip_blanks(&rest);
	c->args = rest;
}

bool
command_is(const struct command_text *t, const char *name, size_t len)
{
	return t->len == len && strncasecmp(t->p, name, len) == 0;
}

bool
command_helo(
    char name[static COMMAND_HELO_MAX + 1], const struct command_text *args)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:[]";

	if (args->len == 0 || args->len > COMMAND_HELO_MAX)
		return false;
	memcpy(name, args->p, args->len);
	name[args->len] = '\0';
	return strspn(name, allowed) == args->len;
}

/*
 * "FROM:<path> parameters": *path is what stands between the brackets, *rest
 * what follows them. Blanks after the colon break the RFC and are common.
 */
static bool
take_path(
    struct command_text *rest, const char *keyword, struct command_text *path)
{
	size_t n = strlen(keyword);
	bool quoted = false;

	if (rest->len < n || strncasecmp(rest->p, keyword, n) != 0)
		return false;
	rest->p += n;
	rest->len -= n;
	skip_blanks(rest);
	if (rest->len == 0 || *rest->p != '<')
		return false;
	for (size_t i = 1; i < rest->len; i++) {
		if (rest->p[i] == '"')
			quoted = !quoted;
		else if (quoted && rest->p[i] == '\\')
			i++;
		else if (!quoted && rest->p[i] == '>') {
			*path = (struct command_text){ rest->p + 1, i - 1 };
			rest->p += i + 1;
			rest->len -= i + 1;
			return rest->len == 0 || is_blank(*rest->p);
		}
	}
	return false;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * xtext (RFC 3461 4) to printable text, NUL ended. Bytes beyond ASCII are those
 * of an international address that came unencoded (RFC 6533 3), where the
 * message may hold one.
 */
static bool
decode_xtext(char *out, size_t room, struct command_text in, bool utf8)
{
	size_t n = 0;
	bool beyond = false;

	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];

		if (c == '+') {
			int high, low;

			if (in.len - i < 3 ||
			    (high = hex_digit(in.p[i + 1])) < 0 ||
			    (low = hex_digit(in.p[i + 2])) < 0)
				return false;
			c = (char)(high << 4 | low);
			if (c < ' ' || c > '~')
				return false;
			i += 2;
		} else if ((c >= 0 && c <= ' ') || c == '=' || c == 0x7f) {
			return false;
		}
		if (n + 1 >= room)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return utf8_check(out, n, &beyond) && (utf8 || !beyond);
}

/* What a parameter's reader may fill in. */
struct target {
	struct smtp_mail *mail;
	struct smtp_rcpt *rcpt;
	bool smtputf8;
	bool has_value; /* there was a '=' */
};

static bool
read_size(struct target *t, struct command_text v)
{
	size_t n = 0;

	if (v.len == 0 || v.len > 20) /* RFC 1870 3 */
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(n, (size_t)10, &n) ||
		    __builtin_add_overflow(n, (size_t)(v.p[i] - '0'), &n))
			n = SIZE_MAX / 10; /* too big either way */
	}
	t->mail->size = n;
	return true;
}

static bool
read_body(struct target *t, struct command_text v)
{
	t->mail->body_8bit = command_is(&v, "8BITMIME", 8);
	return t->mail->body_8bit || command_is(&v, "7BIT", 4);
}

static bool
read_smtputf8(struct target *t, struct command_text v)
{
	(void)v;
	t->mail->smtputf8 = true;
	return !t->has_value;
}

static bool
read_ret(struct target *t, struct command_text v)
{
	if (command_is(&v, "FULL", 4))
		t->mail->ret = 'F';
	else if (command_is(&v, "HDRS", 4))
		t->mail->ret = 'H';
	return t->mail->ret != 0;
}

static bool
read_envid(struct target *t, struct command_text v)
{
	return v.len > 0 &&
	       decode_xtext(t->mail->envid, sizeof(t->mail->envid), v, false);
}

/* AUTH=<> or a mailbox in xtext (RFC 4954 5): well formed, and of no use to us.
 */
static bool
read_auth(struct target *t, struct command_text v)
{
	char text[ADDRESS_TEXT_MAX];

	(void)t;
	return v.len > 0 && decode_xtext(text, sizeof(text), v, true);
}

static bool
read_notify(struct target *t, struct command_text v)
{
	/* clang-format off */
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = {
		{ "NEVER", NOTIFY_NEVER },     { "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE }, { "DELAY", NOTIFY_DELAY },
	};
	/* clang-format on */
	unsigned bits = 0;

	for (;;) {
		struct command_text word = take_until(&v, ",");
		unsigned bit = 0;

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (command_is(
				&word, names[i].name, strlen(names[i].name)))
				bit = names[i].bit;
		if (bit == 0)
			return false;
		bits |= bit;
		if (v.len == 0)
			break;
		v.p++;
		v.len--;
	}
	t->rcpt->notify = bits;
	return bits == NOTIFY_NEVER || (bits & NOTIFY_NEVER) == 0;
}

/* addr-type ";" xtext (RFC 3461 4.2); the type is an atom. */
static bool
read_orcpt(struct target *t, struct command_text v)
{
	struct command_text whole = v, type = take_until(&v, ";");

	for (size_t i = 0; i < type.len; i++)
		if (strchr("()<>@,:\\\"/[]?=+.", type.p[i]) != NULL)
			return false;
	return type.len > 0 && v.len > 1 &&
	       decode_xtext(
		   t->rcpt->orcpt, sizeof(t->rcpt->orcpt), whole, t->smtputf8);
}

struct param {
	const char *name;
	size_t len;
	bool (*read)(struct target *, struct command_text value);
};

/* clang-format off */
#define PARAM(name, read) { name, sizeof(name) - 1, read }
static const struct param mail_params[] = {
	PARAM("SIZE", read_size),
	PARAM("BODY", read_body),
	PARAM("SMTPUTF8", read_smtputf8),
	PARAM("RET", read_ret),
	PARAM("ENVID", read_envid),
	PARAM("AUTH", read_auth),
};
static const struct param rcpt_params[] = {
	PARAM("NOTIFY", read_notify),
	PARAM("ORCPT", read_orcpt),
};
#undef PARAM
/* clang-format on */

static enum server_reply
read_param(struct target *t, const struct param *params, size_t nparams,
    struct command_text word, unsigned *seen)
{
	struct command_text name = take_until(&word, "=");

	t->has_value = word.len > 0;
	if (t->has_value) {
		word.p++;
		word.len--;
	}
	for (size_t i = 0; i < nparams; i++) {
		if (!command_is(&name, params[i].name, params[i].len))
			continue;
		if ((*seen & 1u << i) != 0)
			return R_PARAM_TWICE;
		*seen |= 1u << i;
		return params[i].read(t, word) ? R_NONE : R_PARAM_VALUE;
	}
	return R_PARAM_UNKNOWN;
}

static enum server_reply
read_params(struct target *t, const struct param *params, size_t nparams,
    struct command_text rest)
{
	unsigned seen = 0;

	for (;;) {
		enum server_reply r;

		skip_blanks(&rest);
		if (rest.len == 0)
			return R_NONE;
		r = read_param(
		    t, params, nparams, take_until(&rest, " \t"), &seen);
		if (r != R_NONE)
			return r;
	}
}

enum server_reply
command_mail(struct smtp_mail *mail, const struct command_text *args)
{
	struct target t = { .mail = mail };
	struct command_text rest = *args, path;
	enum server_reply r;

	if (!take_path(&rest, "FROM:", &path))
		return R_MAIL_SYNTAX;
	if (address_parse_reverse_path(&mail->from, path.p, path.len, NULL) ==
	    -1)
		return R_MAIL_ADDRESS;
	mail->size = 0;
	mail->body_8bit = mail->smtputf8 = false;
	mail->ret = mail->envid[0] = '\0';
	r = read_params(&t, mail_params,
	    sizeof(mail_params) / sizeof(mail_params[0]), rest);
	if (r == R_NONE && mail->from.utf8 && !mail->smtputf8)
		return R_NEEDS_SMTPUTF8;
	return r;
}

/* RFC 5321 4.5.1: the one mailbox that needs no domain. */
static int
parse_forward_path(
    struct address *a, const struct command_text *path, const char *hostname)
{
	char text[ADDRESS_TEXT_MAX];
	int n;

	if (!command_is(path, "POSTMASTER", 10) ||
	    strlen(hostname) > ADDRESS_DOMAIN_MAX)
		return address_parse(a, path->p, path->len, NULL);
	n = snprintf(text, sizeof(text), "%.*s@%s", (int)path->len, path->p,
	    hostname);
	return address_parse(a, text, (size_t)n, NULL);
}

enum server_reply
command_rcpt(struct smtp_rcpt *rcpt, const struct command_text *args,
    bool smtputf8, const char *hostname)
{
	struct target t = { .rcpt = rcpt, .smtputf8 = smtputf8 };
	struct command_text rest = *args, path;
	enum server_reply r;

	if (!take_path(&rest, "TO:", &path))
		return R_RCPT_SYNTAX;
	if (parse_forward_path(&rcpt->to, &path, hostname) == -1)
		return R_RCPT_ADDRESS;
	rcpt->notify = 0;
	rcpt->orcpt[0] = '\0';
	r = read_params(&t, rcpt_params,
	    sizeof(rcpt_params) / sizeof(rcpt_params[0]), rest);
	if (r == R_NONE && rcpt->to.utf8 && !smtputf8)
		return R_NEEDS_SMTPUTF8;
	return r;
}
