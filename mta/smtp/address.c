/*
 * address.c - mailboxes in envelopes.
 *
 * The local part is kept unquoted, so that `a..b`@d and a..b@d are one address;
 * what quotes it needs is found again when it is written. command.c hands in
 * what stands between the angle brackets; client code writes addresses with
 * address_format.
 */
#include "mta/smtp/address.h"

#include "mta/smtp/utf8.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */

/* What a local part is once its quotes are off. */
enum local_form {
	LOCAL_DOT_ATOM,
	LOCAL_IRREGULAR, /* a dot-atom but for where its dots stand */
	LOCAL_SPECIAL,	 /* legal only inside quotes */
};

/* Bytes of an atom (RFC 5322 3.2.3) and of a label of a host name. */
enum { ATEXT = 1, LABEL = 2 };

/* clang-format off */
#define A ATEXT
#define B (ATEXT | LABEL)
static const uint8_t classes[128] = {
	['!'] = A, ['#'] = A, ['$'] = A, ['%'] = A, ['&'] = A, ['\''] = A, ['*'] = A, ['+'] = A,
	['/'] = A, ['='] = A, ['?'] = A, ['^'] = A, ['`'] = A, ['{'] = A, ['|'] = A, ['}'] = A,
	['~'] = A, ['-'] = B, ['_'] = B,
	['0'] = B, ['1'] = B, ['2'] = B, ['3'] = B, ['4'] = B, ['5'] = B, ['6'] = B, ['7'] = B,
	['8'] = B, ['9'] = B,
	['A'] = B, ['B'] = B, ['C'] = B, ['D'] = B, ['E'] = B, ['F'] = B, ['G'] = B, ['H'] = B,
	['I'] = B, ['J'] = B, ['K'] = B, ['L'] = B, ['M'] = B, ['N'] = B, ['O'] = B, ['P'] = B,
	['Q'] = B, ['R'] = B, ['S'] = B, ['T'] = B, ['U'] = B, ['V'] = B, ['W'] = B, ['X'] = B,
	['Y'] = B, ['Z'] = B,
	['a'] = B, ['b'] = B, ['c'] = B, ['d'] = B, ['e'] = B, ['f'] = B, ['g'] = B, ['h'] = B,
	['i'] = B, ['j'] = B, ['k'] = B, ['l'] = B, ['m'] = B, ['n'] = B, ['o'] = B, ['p'] = B,
	['q'] = B, ['r'] = B, ['s'] = B, ['t'] = B, ['u'] = B, ['v'] = B, ['w'] = B, ['x'] = B,
	['y'] = B, ['z'] = B,
};
#undef A
#undef B
/* clang-format on */

struct cursor {
	const unsigned char *p, *end;
};

static bool
is_class(unsigned char c, unsigned class)
{
	return c >= 0x80 || (classes[c] & class) != 0;
}

static bool
is_control(unsigned char c)
{
	return c < ' ' || c == 0x7f;
}

static enum local_form
local_form(const char *local)
{
	enum local_form form = LOCAL_DOT_ATOM;
	char before = '.';

	for (const char *p = local; *p != '\0'; before = *p++) {
		if (*p == '.') {
			if (before == '.')
				form = LOCAL_IRREGULAR;
		} else if (!is_class((unsigned char)*p, ATEXT)) {
			return LOCAL_SPECIAL;
		}
	}
	return before == '.' ? LOCAL_IRREGULAR : form;
}

static int
add_local(struct address *a, size_t *n, unsigned char c, struct err *e)
{
	if (*n == ADDRESS_LOCAL_MAX)
		return err_set(
		    e, "local part is longer than %d bytes", ADDRESS_LOCAL_MAX);
	a->local[(*n)++] = (char)c;
	return 0;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; the cursor stands behind the
 * first quote. */
static int
parse_quoted(struct address *a, struct cursor *c, struct err *e)
{
	size_t n = 0;

	for (; c->p < c->end && *c->p != '"'; c->p++) {
		if (*c->p == '\\' && ++c->p == c->end)
			break;
		if (is_control(*c->p))
			return err_set(e, "control character in local part");
		if (add_local(a, &n, *c->p, e) == -1)
			return -1;
	}
	if (c->p >= c->end)
		return err_set(e, "quoted local part has no end");
	c->p++;
	a->local[n] = '\0';
	return 0;
}

static int
parse_atoms(struct address *a, struct cursor *c, struct err *e)
{
	size_t n = 0;

	for (; c->p < c->end && *c->p != '@'; c->p++) {
		if (is_control(*c->p))
			return err_set(e, "control character in local part");
		if (*c->p != '.' && !is_class(*c->p, ATEXT))
			return err_set(e, "unquoted '%c' in local part", *c->p);
		if (add_local(a, &n, *c->p, e) == -1)
			return -1;
	}
	a->local[n] = '\0';
	return 0;
}

static int
parse_local(struct address *a, struct cursor *c, struct err *e)
{
	int r;

	if (c->p < c->end && *c->p == '"') {
		c->p++;
		r = parse_quoted(a, c, e);
	} else {
		r = parse_atoms(a, c, e);
	}
	if (r == -1)
		return -1;
	if (a->local[0] == '\0')
		return err_set(e, "local part is empty");
	if (!utf8_check(a->local, strlen(a->local), &a->utf8))
		return err_set(e, "local part is not UTF-8");
	a->irregular = local_form(a->local) == LOCAL_IRREGULAR;
	return 0;
}

/* Labels of letters, digits, hyphens, underscores (hosts with them exist) and
 * UTF-8. */
static int
check_labels(const char *domain, struct err *e)
{
	const char *start = domain, *p = domain;

	for (;; p++) {
		if (*p != '.' && *p != '\0') {
			if (!is_class((unsigned char)*p, LABEL))
				return err_set(e, "bad character in domain");
			continue;
		}
		if (p == start || p - start > LABEL_MAX)
			return err_set(e, "bad length of a label in domain");
		if (*start == '-' || p[-1] == '-')
			return err_set(
			    e, "a label in domain has a hyphen at its edge");
		if (*p == '\0')
			return 0;
		start = p + 1;
	}
}

/* "[192.0.2.1]" and "[ipv6:2001:db8::1]", already lower case. */
static int
check_literal(const char *domain, size_t len, struct err *e)
{
	static const char tag[] = "ipv6:";
	char text[INET6_ADDRSTRLEN];
	unsigned char addr[sizeof(struct in6_addr)];
	bool v6 = strncmp(domain + 1, tag, strlen(tag)) == 0;
	size_t skip = v6 ? 1 + strlen(tag) : 1;

	if (len < skip + 2 || domain[len - 1] != ']' ||
	    len - skip - 1 >= sizeof(text))
		return err_set(e, "bad address literal");
	memcpy(text, domain + skip, len - skip - 1);
	text[len - skip - 1] = '\0';
	if (inet_pton(v6 ? AF_INET6 : AF_INET, text, addr) != 1)
		return err_set(e, "bad address literal");
	return 0;
}

/* Takes the rest of the text. */
static int
parse_domain(struct address *a, struct cursor *c, struct err *e)
{
	size_t n = (size_t)(c->end - c->p);

	if (n > 1 && c->end[-1] == '.')
		n--;
	if (n == 0 || n > ADDRESS_DOMAIN_MAX)
		return err_set(
		    e, "domain is %s", n == 0 ? "empty" : "too long");
	for (size_t i = 0; i < n; i++) {
		unsigned char b = c->p[i];

		if (is_control(b))
			return err_set(e, "control character in domain");
		a->domain[i] = (char)(b >= 'A' && b <= 'Z' ? b + 'a' - 'A' : b);
	}
	a->domain[n] = '\0';
	c->p = c->end;
	if (a->domain[0] == '[')
		return check_literal(a->domain, n, e);
	if (!utf8_check(a->domain, n, &a->utf8))
		return err_set(e, "domain is not UTF-8");
	return check_labels(a->domain, e);
}

/* "@a,@b:" before the mailbox: checked for shape, then forgotten. */
static int
skip_route(struct cursor *c, struct err *e)
{
	bool start = true;

	for (; c->p < c->end && *c->p != ':'; c->p++) {
		if (start != (*c->p == '@'))
			break;
		if (!start && *c->p != '.' && *c->p != ',' &&
		    !is_class(*c->p, LABEL))
			break;
		start = *c->p == ',';
	}
	if (start || c->p >= c->end || *c->p != ':')
		return err_set(e, "bad source route");
	c->p++;
	return 0;
}

int
address_parse(struct address *a, const char *text, size_t len, struct err *e)
{
	struct cursor c = { (const unsigned char *)text,
		(const unsigned char *)text + len };

	a->local[0] = a->domain[0] = '\0';
	a->null = a->irregular = a->utf8 = false;
	if (len > 0 && *c.p == '@' && skip_route(&c, e) == -1)
		return -1;
	if (parse_local(a, &c, e) == -1)
		return -1;
	if (c.p >= c.end || *c.p != '@')
		return err_set(e, "'@' expected after the local part");
	c.p++;
	return parse_domain(a, &c, e);
}

int
address_parse_reverse_path(
    struct address *a, const char *text, size_t len, struct err *e)
{
	if (len > 0)
		return address_parse(a, text, len, e);
	a->local[0] = a->domain[0] = '\0';
	a->irregular = a->utf8 = false;
	a->null = true;
	return 0;
}

static bool
needs_quotes(const char *local, enum address_quoting quoting)
{
	switch (local_form(local)) {
	case LOCAL_DOT_ATOM:
		return false;
	case LOCAL_IRREGULAR:
		return quoting == QUOTE_IRREGULAR;
	case LOCAL_SPECIAL:
		return true;
	}
	return true;
}

char *
address_format(const struct address *a, enum address_quoting quoting,
    char buf[static ADDRESS_TEXT_MAX])
{
	bool quotes;
	char *p = buf;

	if (a->null) {
		*p = '\0';
		return buf;
	}
	quotes = needs_quotes(a->local, quoting);
	if (quotes)
		*p++ = '"';
	for (const char *l = a->local; *l != '\0'; l++) {
		if (quotes && (*l == '"' || *l == '\\'))
			*p++ = '\\';
		*p++ = *l;
	}
	if (quotes)
		*p++ = '"';
	*p++ = '@';
	strcpy(p, a->domain);
	return buf;
}
