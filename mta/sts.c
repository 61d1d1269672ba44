/*
 * sts.c - reads what a domain publishes for MTA-STS (RFC 8461).
 *
 * What the grammar allows is taken, and no more: a record or a policy that
 * breaks it counts as none. Fields that are not known are passed over, and of
 * a field that may stand once the first counts (RFC 8461 3.2).
 */
#include "mta/sts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "mta/dns/message.h"

#define VERSION	   "STSv1"
#define AGE_DIGITS 10

static const char *const mode_names[] = {
	[STS_NONE] = "none",
	[STS_TESTING] = "testing",
	[STS_ENFORCE] = "enforce",
};

const char *
sts_mode_name(enum sts_mode mode)
{
	return mode_names[mode];
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A piece of text, not its own. */
struct piece {
	const char *at;
	size_t len;
};

static bool
piece_is(struct piece p, const char *text)
{
	return p.len == strlen(text) && memcmp(p.at, text, p.len) == 0;
}

static struct piece
trim(struct piece p)
{
	while (p.len > 0 && is_blank(p.at[0])) {
		p.at++;
		p.len--;
	}
	while (p.len > 0 && is_blank(p.at[p.len - 1]))
		p.len--;
	return p;
}

/* What comes before the next `end` (or before the text's), which *rest is moved
 * behind. False: nothing is left. */
static bool
take_until(struct piece *rest, char end, struct piece *out)
{
	const char *found;

	if (rest->len == 0)
		return false;
	found = memchr(rest->at, end, rest->len);
	out->at = rest->at;
	out->len = found != NULL ? (size_t)(found - rest->at) : rest->len;
	rest->len -= out->len + (found != NULL);
	rest->at += out->len + (found != NULL);
	return true;
}

/* ------ the record */

/* The strings of a TXT record as one. -1: malformed. */
static int
join_strings(const uint8_t *rdata, size_t len, struct str *out)
{
	for (size_t at = 0; at < len; at += 1u + rdata[at]) {
		if (rdata[at] >= len - at)
			return -1;
		str_add(out, rdata + at + 1, rdata[at]);
	}
	return 0;
}

static bool
is_id(struct piece p)
{
	if (p.len == 0 || p.len > STS_ID_MAX)
		return false;
	for (size_t i = 0; i < p.len; i++)
		if (!isalnum((unsigned char)p.at[i]))
			return false;
	return true;
}

/* The grammar of RFC 8461 3.1 for the field's name; of its value only what no
 * extension may hold. */
static bool
is_field(struct piece name, struct piece value)
{
	if (name.len == 0 || name.len > 32 || value.len == 0)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.at[i]) &&
		    (i == 0 || strchr("_-.", name.at[i]) == NULL))
			return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] <= ' ' || value.at[i] > '~' ||
		    value.at[i] == '=')
			return false;
	return true;
}

/* The fields behind the version. */
static int
read_fields(struct piece rest, char id[static STS_ID_MAX + 1])
{
	struct piece field, name = rest;
	bool found = false;

	while (take_until(&rest, ';', &field)) {
		field = trim(field);
		if (field.len == 0 && trim(rest).len == 0)
			break;
		if (!take_until(&field, '=', &name) || !is_field(name, field))
			return -1;
		if (found || !piece_is(name, "id"))
			continue;
		if (!is_id(field))
			return -1;
		memcpy(id, field.at, field.len);
		id[field.len] = '\0';
		found = true;
	}
	return found ? 0 : -1;
}

static bool
is_record(const struct str *s, struct piece *rest)
{
	struct piece first;

	*rest = (struct piece){ s->data, s->len };
	return memchr(s->data, ';', s->len) != NULL &&
	       take_until(rest, ';', &first) && s->data[0] == 'v' &&
	       piece_is(trim(first), "v=" VERSION);
}

int
sts_record_read(const uint8_t *const *rdata, const size_t *rdata_len, size_t n,
    char id[static STS_ID_MAX + 1])
{
	struct str text = STR_INIT;
	struct piece rest;
	unsigned records = 0;
	int rc = -1;

	for (size_t i = 0; i < n; i++) {
		str_clear(&text);
		if (join_strings(rdata[i], rdata_len[i], &text) != 0 ||
		    !is_record(&text, &rest))
			continue;
		records++;
		rc = read_fields(rest, id);
	}
	str_release(&text);
	return records == 1 ? rc : -1;
}

/* ------ the policy */

struct reading {
	bool version, mode, max_age;
	struct str mx;
	struct sts_policy *policy;
};

static int
take_version(struct reading *r, struct piece value, struct err *e)
{
	if (!r->version && !piece_is(value, VERSION))
		return err_set(e, "unknown version");
	r->version = true;
	return 0;
}

static int
take_mode(struct reading *r, struct piece value, struct err *e)
{
	if (r->mode)
		return 0;
	for (size_t i = 0; i < sizeof(mode_names) / sizeof(mode_names[0]); i++)
		if (piece_is(value, mode_names[i])) {
			r->policy->mode = (enum sts_mode)i;
			r->mode = true;
			return 0;
		}
	return err_set(e, "unknown mode");
}

static int
take_max_age(struct reading *r, struct piece value, struct err *e)
{
	int64_t age = 0;

	if (r->max_age)
		return 0;
	if (value.len == 0 || value.len > AGE_DIGITS)
		return err_set(e, "max_age is no number of seconds");
	for (size_t i = 0; i < value.len; i++) {
		if (!isdigit((unsigned char)value.at[i]))
			return err_set(e, "max_age is no number of seconds");
		age = age * 10 + (value.at[i] - '0');
	}
	r->policy->max_age = age < STS_AGE_MAX ? age : STS_AGE_MAX;
	r->max_age = true;
	return 0;
}

static int
take_mx(struct reading *r, struct piece value, struct err *e)
{
	char pattern[DNS_NAME_MAX + 2], *host = pattern;

	if (value.len > DNS_NAME_MAX)
		return err_set(e, "mx is no host name");
	for (size_t i = 0; i < value.len; i++)
		pattern[i] = (char)tolower((unsigned char)value.at[i]);
	pattern[value.len] = '\0';
	if (strlen(pattern) != value.len)
		return err_set(e, "mx is no host name");
	if (strncmp(pattern, "*.", 2) == 0)
		host += 2;
	if (!dns_name_is_host(host))
		return err_set(e, "mx is no host name");
	str_addf(&r->mx, "%s\n", pattern);
	return 0;
}

static const struct {
	const char *name;
	int (*take)(struct reading *, struct piece value, struct err *e);
} fields[] = {
	{ "version", take_version },
	{ "mode", take_mode },
	{ "max_age", take_max_age },
	{ "mx", take_mx },
};

static int
read_line(struct reading *r, struct piece line, struct err *e)
{
	struct piece name = line;

	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	if (trim(line).len == 0)
		return 0;
	if (memchr(line.at, ':', line.len) == NULL)
		return err_set(e, "a line without a colon");
	take_until(&line, ':', &name);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (piece_is(name, fields[i].name))
			return fields[i].take(r, trim(line), e);
	return 0;
}

static int
read_lines(struct reading *r, struct piece text, struct err *e)
{
	struct piece line;

	while (take_until(&text, '\n', &line))
		if (read_line(r, line, e) != 0)
			return -1;
	if (!r->version || !r->mode || !r->max_age)
		return err_set(e, "%s is missing",
		    !r->version ? "version"
		    : !r->mode	? "mode"
				: "max_age");
	if (r->mx.len == 0 && r->policy->mode != STS_NONE)
		return err_set(e, "mx is missing");
	return 0;
}

int
sts_policy_read(
    struct sts_policy *p, const char *text, size_t len, struct err *e)
{
	struct reading r = { .policy = p, .mx = STR_INIT };

	memset(p, 0, sizeof(*p));
	if (len > STS_POLICY_MAX)
		return err_set(e, "longer than %d bytes", STS_POLICY_MAX);
	if (read_lines(&r, (struct piece){ text, len }, e) != 0) {
		str_release(&r.mx);
		return -1;
	}
	p->mx = str_detach(&r.mx);
	return 0;
}

char *
sts_policy_text(const struct sts_policy *p)
{
	struct str out = STR_INIT;
	struct piece rest = { p->mx, strlen(p->mx) }, mx;

	str_addf(&out, "version:%s\nmode:%s\nmax_age:%lld\n", VERSION,
	    sts_mode_name(p->mode), (long long)p->max_age);
	while (take_until(&rest, '\n', &mx)) {
		str_adds(&out, "mx:");
		str_add(&out, mx.at, mx.len);
		str_addc(&out, '\n');
	}
	return str_detach(&out);
}

void
sts_policy_copy(struct sts_policy *to, const struct sts_policy *from)
{
	*to = *from;
	to->mx = xstrdup(from->mx);
}

void
sts_policy_clear(struct sts_policy *p)
{
	free(p->mx);
	memset(p, 0, sizeof(*p));
}

/* RFC 8461 4.1: "*." stands for one label, the leftmost. */
static bool
matches(struct piece pattern, const char *host, size_t len)
{
	const char *dot;

	if (pattern.len > 2 && pattern.at[0] == '*') {
		dot = memchr(host, '.', len);
		if (dot == NULL || dot == host)
			return false;
		len -= (size_t)(dot - host);
		host = dot;
		pattern.at++;
		pattern.len--;
	}
	return pattern.len == len && strncasecmp(pattern.at, host, len) == 0;
}

bool
sts_policy_allows(const struct sts_policy *p, const char *host)
{
	struct piece rest = { p->mx, strlen(p->mx) }, pattern;
	size_t len = strlen(host);

	if (len > 0 && host[len - 1] == '.')
		len--;
	while (take_until(&rest, '\n', &pattern))
		if (matches(pattern, host, len))
			return true;
	return false;
}
