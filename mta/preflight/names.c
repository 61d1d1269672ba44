/*
 * names.c - addresses and domain names as the checks compare them.
 */
#include "mta/preflight/preflight_int.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

void
source_subject(struct str *out, const struct preflight_source *s)
{
	str_addf(out, "%s (%s)", s->name,
	    s->address != NULL ? s->address : "no public address");
}

bool
address_is_ipv6(const char *address)
{
	return strchr(address, ':') != NULL;
}

int
address_type(const char *address)
{
	return address_is_ipv6(address) ? DNS_AAAA : DNS_A;
}

/* Returns the length of the address, 0 when it is none. */
static size_t
address_bytes(const char *address, unsigned char bytes[static 16])
{
	bool six = address_is_ipv6(address);

	if (inet_pton(six ? AF_INET6 : AF_INET, address, bytes) != 1)
		return 0;
	return six ? 16 : 4;
}

int
address_reverse(const char *address, struct str *out)
{
	unsigned char b[16];
	size_t len = address_bytes(address, b);

	if (len == 0)
		return -1;
	for (size_t i = len; i-- > 0;) {
		if (len == 4)
			str_addf(out, "%u.", b[i]);
		else
			str_addf(out, "%x.%x.", b[i] & 15u, b[i] >> 4);
	}
	str_adds(out, len == 4 ? "in-addr.arpa" : "ip6.arpa");
	return 0;
}

bool
address_among(const char *address, const struct dns_answer *a)
{
	unsigned char b[16];
	size_t len = address_bytes(address, b);

	for (size_t i = 0; len > 0 && i < a->nrdata; i++)
		if (a->rdata_len[i] == len && memcmp(a->rdata[i], b, len) == 0)
			return true;
	return false;
}

bool
answer_is_ours(const struct preflight_request *r, const struct dns_answer *a)
{
	for (size_t i = 0; i < r->nsources; i++)
		if (r->sources[i].address != NULL &&
		    address_among(r->sources[i].address, a))
			return true;
	return false;
}

static size_t
name_len(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && name[len - 1] == '.' ? len - 1 : len;
}

bool
name_is(const char *a, const char *b)
{
	size_t len = name_len(a);

	return len == name_len(b) && strncasecmp(a, b, len) == 0;
}

bool
name_is_below(const char *name, const char *above)
{
	size_t n = name_len(name), a = name_len(above);

	if (n == a || a == 0)
		return n == a && name_is(name, above);
	return n > a && name[n - a - 1] == '.' &&
	       strncasecmp(name + n - a, above, a) == 0;
}

static const char *
last_labels(const char *name, unsigned n)
{
	const char *p = name + name_len(name);

	while (p > name && (p[-1] != '.' || --n > 0))
		p--;
	return p;
}

const char *
name_organization(const char *name)
{
	static const char *const seconds[] = { "ac", "ad", "co", "com", "ed",
		"edu", "go", "gob", "gov", "gr", "lg", "mil", "ne", "net", "or",
		"org" };
	const char *two = last_labels(name, 2), *top = last_labels(name, 1);
	size_t second = strcspn(two, ".");

	if (two == top || name_len(top) != 2)
		return two;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		if (strlen(seconds[i]) == second &&
		    strncasecmp(two, seconds[i], second) == 0)
			return last_labels(name, 3);
	return two;
}
