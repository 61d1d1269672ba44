/*
 * reasons_value.c - stages, codes and statuses as a table writes them, and
 * texts as all of them are compared.
 */
#include "router/reasons_int.h"

#include <ctype.h>
#include <string.h>

/* clang-format off */
static const char *const stages[STAGE_MAX] = {
	[STAGE_NONE] = "unknown", [STAGE_DNS] = "dns",   [STAGE_CONNECT] = "connect",
	[STAGE_EHLO] = "ehlo",    [STAGE_TLS] = "tls",   [STAGE_AUTH] = "auth",
	[STAGE_MAIL] = "mail",    [STAGE_RCPT] = "rcpt", [STAGE_DATA] = "data",
	[STAGE_BODY] = "body",    [STAGE_DOT] = "dot",   [STAGE_QUIT] = "quit",
};

static const struct {
	const char *name;
	enum outcome_scope scope;
} scopes[] = {
	{ "recipient", SCOPE_RECIPIENT }, { "message", SCOPE_MESSAGE },
	{ "lane", SCOPE_LANE },           { "path", SCOPE_PATH },
};
/* clang-format on */

/* The name has n bytes. */
static bool
stage_named(const char *name, size_t n, enum smtp_stage *stage)
{
	for (size_t i = 0; i < STAGE_MAX; i++)
		if (strlen(stages[i]) == n && strncmp(stages[i], name, n) == 0) {
			*stage = (enum smtp_stage)i;
			return true;
		}
	return false;
}

bool
reasons_stage(const char *name, enum smtp_stage *stage)
{
	return stage_named(name, strlen(name), stage);
}

bool
reasons_read_stages(const char *word, uint32_t *mask)
{
	*mask = 0;
	for (;; word++) {
		size_t n = strcspn(word, ",");
		enum smtp_stage stage;

		if (!stage_named(word, n, &stage))
			return false;
		*mask |= 1u << stage;
		word += n;
		if (*word == '\0')
			return true;
	}
}

/* 550, 55x or 5xx; what replies can be (RFC 5321, 4.2). */
bool
reasons_read_code(const char *word, size_t len, struct code_range *r)
{
	short step = 100;

	*r = (struct code_range){ 0, 0 };
	if (len != 3 || word[0] < '2' || word[0] > '5' ||
	    (word[1] == 'x' && word[2] != 'x'))
		return false;
	for (size_t i = 0; i < 3; i++, step /= 10) {
		if (word[i] != 'x' && !isdigit((unsigned char)word[i]))
			return false;
		r->least +=
		    word[i] == 'x' ? 0 : (short)((word[i] - '0') * step);
		r->most += (short)((word[i] == 'x' ? 9 : word[i] - '0') * step);
	}
	return true;
}

/* Up to three digits, or with `any` also an x; the length, 0: neither. */
static size_t
read_part(const char *p, size_t len, bool any, short *part)
{
	size_t n = 0;

	if (any && len > 0 && *p == 'x') {
		*part = -1;
		return 1;
	}
	for (*part = 0; n < len && n < 3 && isdigit((unsigned char)p[n]); n++)
		*part = (short)(*part * 10 + p[n] - '0');
	return n;
}

static size_t
read_parts(const char *p, size_t len, bool any, short part[3])
{
	size_t used = 0, n;

	for (size_t i = 0; i < 3; i++) {
		if (i > 0 && (used >= len || p[used++] != '.'))
			return 0;
		if ((n = read_part(p + used, len - used, any, &part[i])) == 0)
			return 0;
		used += n;
	}
	return used;
}

bool
reasons_read_status(const char *word, size_t len, struct status_pattern *s)
{
	return read_parts(word, len, true, s->part) == len && len > 0;
}

bool
reasons_status_parts(const char *enhanced, short part[3])
{
	size_t len = strlen(enhanced);

	return len > 0 && read_parts(enhanced, len, false, part) == len;
}

bool
reasons_status_fits(const struct status_pattern *s, const short part[3])
{
	for (size_t i = 0; i < 3; i++)
		if (s->part[i] != -1 && s->part[i] != part[i])
			return false;
	return true;
}

bool
reasons_read_scope(const char *word, enum outcome_scope *scope)
{
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++)
		if (strcmp(scopes[i].name, word) == 0) {
			*scope = scopes[i].scope;
			return true;
		}
	return false;
}

static bool
is_apostrophe(const char *p, size_t left)
{
	return left >= 3 && memcmp(p, "\xe2\x80\x99", 3) == 0;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

size_t
reasons_fold(char *out, size_t room, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < room; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' && (n == 0 || out[n - 1] == ' '))
			continue;
		if (c <= ' ') {
			out[n++] = ' ';
		} else if (c == 0xe2 && is_apostrophe(text + i, len - i)) {
			out[n++] = '\'';
			i += 2;
		} else {
			out[n++] = lower(text[i]);
		}
	}
	out[n] = '\0';
	return n;
}

/* What separates in a text ends it here, whatever RFC 5321 has room for: "to=taro@example.jp", "宛先taro@example.jp". */
static bool
is_of_address(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("._+-", c) != NULL);
}

void
reasons_blank_addresses(char *text, size_t len)
{
	char *end = text + len, *p = text, *at;

	for (; (at = memchr(p, '@', (size_t)(end - p))) != NULL; p = at + 1) {
		char *local = at, *last = at + 1;

		while (local > text && is_of_address(local[-1]))
			local--;
		/* "taro@example.jp... User unknown" */
		while (last < end && is_of_address(*last) &&
		       strncmp(last, "..", 2) != 0)
			last++;
		if (local == at || last == at + 1)
			continue;
		memset(local, 'x', (size_t)(at - local));
		memset(at + 1, 'x', (size_t)(last - at - 1));
	}
}
