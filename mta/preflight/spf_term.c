/*
 * spf_term.c - one term of an SPF record (RFC 7208 5, 6 and 12).
 *
 * A word is first written as it was probably meant, then judged by the grammar;
 * when the grammar takes it only after the correction, that is the fault.
 */
#include "mta/preflight/spf_term.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/preflight/spf_text.h"

enum value { NO_VALUE, DOMAIN, DOMAIN_OR_NONE, ADDRESS4, ADDRESS6 };

/* clang-format off */
static const struct term {
	const char *name;
	enum value value;
	char separator;
	bool prefix; /* a /length may follow */
	bool lookup, follow;
} terms[] = {
	{ "all",      NO_VALUE,       ':', false, false, false },
	{ "include",  DOMAIN,         ':', false, true,  true },
	{ "a",        DOMAIN_OR_NONE, ':', true,  true,  false },
	{ "mx",       DOMAIN_OR_NONE, ':', true,  true,  false },
	{ "ptr",      DOMAIN_OR_NONE, ':', false, true,  false },
	{ "ip4",      ADDRESS4,       ':', true,  false, false },
	{ "ip6",      ADDRESS6,       ':', true,  false, false },
	{ "exists",   DOMAIN,         ':', false, true,  false },
	{ "redirect", DOMAIN,         '=', false, true,  true },
	{ "exp",      DOMAIN,         '=', false, false, false },
};

static const struct {
	const char *typed, *meant;
} typed[] = {
	{ "ipv4", "ip4" },        { "ipv6", "ip6" },        { "ip", "ip4" },
	{ "ip-4", "ip4" },        { "ip-6", "ip6" },        { "ipv-4", "ip4" },
	{ "includes", "include" },{ "inlcude", "include" }, { "incude", "include" },
	{ "inclde", "include" },  { "incldue", "include" }, { "inculde", "include" },
	{ "mx4", "mx" },          { "redirct", "redirect" },{ "al", "all" },
	{ "alll", "all" },
};
/* clang-format on */

#define NTERMS (sizeof(terms) / sizeof(terms[0]))
#define NTYPED (sizeof(typed) / sizeof(typed[0]))

static bool
is_name(const char *name, const char *word, size_t len)
{
	return strlen(name) == len && strncasecmp(name, word, len) == 0;
}

static const struct term *
find_term(const char *word, size_t len)
{
	for (size_t i = 0; i < NTERMS; i++)
		if (is_name(terms[i].name, word, len))
			return &terms[i];
	return NULL;
}

static const struct term *
find_meant(const char *word, size_t len)
{
	const struct term *t = find_term(word, len);

	for (size_t i = 0; t == NULL && i < NTYPED; i++)
		if (is_name(typed[i].typed, word, len))
			t = find_term(typed[i].meant, strlen(typed[i].meant));
	return t;
}

/* "/24", "//64", "/24//64" where both families may be meant. */
static bool
is_prefix(const char *p, bool both)
{
	char *end;
	long n;

	if (*p == '\0')
		return true;
	if (both && p[0] == '/' && p[1] == '/')
		p++;
	if (*p != '/' || p[1] < '0' || p[1] > '9')
		return false;
	n = strtol(p + 1, &end, 10);
	if (n > 128)
		return false;
	return *end == '\0' || (both && end[0] == '/' && end[1] == '/' &&
				   is_prefix(end + 1, false));
}

/* 4 or 6; 0 when it is no address, with or without /length. */
static int
address_family(const char *text)
{
	size_t len = strcspn(text, "/");
	unsigned char bytes[16];
	char address[64];
	long most = 0;

	if (len >= sizeof(address))
		return 0;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, bytes) == 1)
		most = 32;
	else if (inet_pton(AF_INET6, address, bytes) == 1)
		most = 128;
	if (most == 0 || !is_prefix(text + len, false) ||
	    (text[len] == '/' && strtol(text + len + 1, NULL, 10) > most))
		return 0;
	return most == 32 ? 4 : 6;
}

/* Light: what is refused here no resolver could look up, either. */
static bool
is_domain(const char *text, size_t len)
{
	bool dot = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '@')
			return false;
		if (text[i] == '.' && (i == 0 || text[i - 1] == '.'))
			return false;
		dot = dot || text[i] == '.' || text[i] == '%';
	}
	return dot && len <= 253;
}

static bool
is_value(const struct term *t, const char *value)
{
	size_t len = t->prefix ? strcspn(value, "/") : strlen(value);

	switch (t->value) {
	case NO_VALUE:
		return false;
	case DOMAIN:
	case DOMAIN_OR_NONE:
		return is_domain(value, len) && is_prefix(value + len, true);
	case ADDRESS4:
		return address_family(value) == 4;
	case ADDRESS6:
		return address_family(value) == 6;
	}
	return false;
}

static bool
is_qualifier(char c)
{
	return c == '+' || c == '-' || c == '~' || c == '?';
}

/* RFC 7208 12: name "=" macro-string, whatever its name. */
static bool
is_unknown_modifier(const char *word)
{
	size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789-_.");

	if (len == 0 || strchr("0123456789-_.", *word) || word[len] != '=')
		return false;
	for (const char *p = word + len; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return true;
}

/* The grammar of one term, and which it is. */
static const struct term *
judge(const char *word)
{
	bool qualified = is_qualifier(*word);
	const char *name = word + qualified;
	size_t len = strcspn(name, ":=/");
	const struct term *t = find_term(name, len);

	if (t == NULL || (qualified && t->separator == '='))
		return NULL;
	if (name[len] == '\0')
		return t->value == NO_VALUE || t->value == DOMAIN_OR_NONE
			   ? t
			   : NULL;
	if (name[len] == '/')
		return t->value == DOMAIN_OR_NONE && t->prefix &&
			       is_prefix(name + len, true)
			   ? t
			   : NULL;
	return name[len] == t->separator && is_value(t, name + len + 1) ? t
									: NULL;
}

/* What an editor makes of "-all" when it is helpful. */
static size_t
skip_dash(const char *word)
{
	static const char *const dashes[] = { "\xe2\x80\x90", "\xe2\x80\x91",
		"\xe2\x80\x92", "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x88\x92",
		"\xef\xbc\x8d" };

	for (size_t i = 0; i < sizeof(dashes) / sizeof(dashes[0]); i++)
		if (strncmp(word, dashes[i], 3) == 0)
			return 3;
	return 0;
}

static void
write_meant(struct str *out, const struct term *t, const char *value)
{
	int family = address_family(value);

	if (*value == '\0' || *value == '/') {
		str_addf(out, "%s%s", t->name, value);
		return;
	}
	if (family != 0 && (t->value == ADDRESS4 || t->value == ADDRESS6))
		t = find_term(family == 4 ? "ip4" : "ip6", 3);
	str_addf(out, "%s%c%s", t->name, t->separator, value);
}

/* The word as it was probably meant. */
static void
correct(struct str *out, const char *word)
{
	size_t dash = skip_dash(word), len;
	const struct term *t;

	if (dash > 0)
		str_addc(out, '-');
	else if (is_qualifier(*word))
		str_addc(out, *word++);
	word += dash;
	if (address_family(word) != 0) {
		str_addf(out, "ip%d:%s", address_family(word), word);
		return;
	}
	len = strcspn(word, ":=/");
	t = find_meant(word, len);
	if (t == NULL)
		str_adds(out, word);
	else if (word[len] == ':' || word[len] == '=')
		write_meant(out, t, word + len + 1);
	else
		write_meant(out, t, word + len);
}

static void
fill(struct spf_term *out, char *text, const struct term *t)
{
	out->text = text;
	out->target = NULL;
	out->lookup = t != NULL && t->lookup;
	out->all = t != NULL && t->value == NO_VALUE;
	out->redirect = t != NULL && strcmp(t->name, "redirect") == 0;
	if (t != NULL && t->follow)
		out->target = strpbrk(text, ":=") + 1;
}

enum spf_term_verdict
spf_term_read(const char *word, size_t len, struct spf_term *out)
{
	char *copy = xstrndup(word, len);
	const struct term *t = judge(copy);
	struct str meant = STR_INIT;
	bool ignored;

	if (t != NULL) {
		fill(out, copy, t);
		return SPF_TERM_GOOD;
	}
	ignored = is_unknown_modifier(copy);
	while (len > 0 && strchr("\"'.", copy[len - 1]) != NULL)
		copy[--len] = '\0';
	correct(&meant, copy + strspn(copy, "\"'"));
	t = judge(meant.data);
	free(copy);
	if (t != NULL) {
		fill(out, str_detach(&meant), t);
		return ignored ? SPF_TERM_IGNORED : SPF_TERM_FATAL;
	}
	str_release(&meant);
	fill(out, ignored ? xstrndup(word, len) : NULL, NULL);
	return ignored ? SPF_TERM_GOOD : SPF_TERM_FATAL;
}

bool
spf_term_is_torn(const char *word, size_t len)
{
	return len > 0 && word[len - 1] == ':' &&
	       find_meant(word, len - 1) != NULL;
}
