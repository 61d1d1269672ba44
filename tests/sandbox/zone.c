/*
 * zone.c - the names of the fake internet: what is built in, and what a test
 * adds.
 *
 * Carrier domains and hosts come from the tables of carriers.c; the odd ones,
 * each for one question about MX look-up, stand below. dns.c puts the records
 * on the wire.
 */
#include "tests/sandbox/zone.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/carriers.h"
#include "tests/sandbox/map.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct zone {
	struct map *names;
};

/* clang-format off */
static const char *const built_in[] = {
	"localhost A 127.0.0.1",
	"1.0.0.127.in-addr.arpa PTR localhost",
	/* ordinary domains: senders and recipients */
	"example.com MX 10 mx.example.com", "example.com A 127.0.10.20",
	"example.net MX 10 mx.example.com", "example.net A 127.0.10.20",
	"example.org MX 10 mx.example.com", "example.org A 127.0.10.20",
	"example.jp MX 10 mx.example.com",  "example.jp A 127.0.10.20",
	"example.com TXT v=spf1 ip4:127.0.0.0/8 include:amazonses.com -all",
	"example.net TXT v=spf1 ip4:127.0.0.0/8 include:amazonses.com -all",
	"example.org TXT v=spf1 ip4:127.0.0.0/8 include:amazonses.com -all",
	"example.jp TXT v=spf1 ip4:127.0.0.0/8 include:amazonses.com -all",
	"amazonses.com TXT v=spf1 ip4:127.0.10.50 -all",
	/* look like carriers and are not */
	"docomo.co.jp MX 10 mx.example.com",
	"nttdocomo.co.jp MX 10 mx.example.com",
	"mineo.jp MX 10 mx.example.com",
	"dion.ne.jp MX 10 mx.example.com",
	"auone-net.jp MX 10 mx.example.com",
	"yahoo.co.jp MX 10 mx.example.com",
	"gmail.com MX 10 mx.example.com",
	/* ways to have no or an odd MX */
	"nullmx.example MX 0 .",
	"implicit.example A 127.0.10.20",
	"cname.example CNAME example.com",
	"cnamemx.example MX 10 alias.cnamemx.example",
	"alias.cnamemx.example CNAME mx.example.com",
	"loop.example CNAME loop2.example", "loop2.example CNAME loop.example",
	"multi.example MX 10 dead.multi.example", "multi.example MX 20 mx.example.com",
	"dead.multi.example A 127.0.10.21",
	"allmx.example MX 10 dead.multi.example",
	"equal.example MX 10 mx.example.com", "equal.example MX 10 mx2.example.com",
	"twoaddr.example MX 10 mx.twoaddr.example",
	"mx.twoaddr.example A 127.0.10.21", "mx.twoaddr.example A 127.0.10.20",
	"partial.example MX 10 mx.nx.example", "partial.example MX 20 mx.example.com",
	"lostmx.example MX 10 mx.nx.example",
	"nomx.example TXT a name without MX and address",
	"private.example MX 10 mx.private.example", "mx.private.example A 10.1.2.3",
	"loopback.example MX 10 mx.loopback.example", "mx.loopback.example A 127.0.0.1",
	"linklocal.example MX 10 mx.linklocal.example", "mx.linklocal.example A 169.254.169.254",
	"zeromx.example MX 10 mx.zeromx.example", "mx.zeromx.example A 0.0.0.0",
	"ipmx.example MX 10 127.0.10.20",
	"servfail.example SERVFAIL",
	"timeout.example TIMEOUT",
	"nx.example NXDOMAIN",
	"servfailmx.example MX 10 mx.servfail.example", "mx.servfail.example SERVFAIL",
	NULL,
};
/* clang-format on */

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
}

int
zone_wire_name(const char *name, struct str *out)
{
	size_t start = out->len, len;

	if (strcmp(name, ".") == 0)
		name = "";
	while (*name != '\0') {
		len = strcspn(name, ".");
		if (len == 0 || len > 63)
			return -1;
		str_addc(out, (char)len);
		str_add(out, name, len);
		name += len;
		if (*name == '.')
			name++;
	}
	str_addc(out, '\0');
	return out->len - start > ZONE_NAME_MAX ? -1 : 0;
}

static struct name *
make_name(struct zone *z, const char *text)
{
	void **at = map_at(z->names, text);

	if (*at == NULL)
		*at = xcalloc(1, sizeof(struct name));
	return *at;
}

/* A name that was deleted is there again. */
static void
append_record(struct name *n, uint16_t type, const struct str *rdata)
{
	struct record *r = xmalloc(sizeof(*r) + rdata->len), **end;

	if (n->mood == NAME_NXDOMAIN)
		n->mood = NAME_NORMAL;
	r->next = NULL;
	r->type = type;
	r->rdlen = (uint16_t)rdata->len;
	memcpy(r->rdata, rdata->data, rdata->len);
	for (end = &n->records; *end != NULL;)
		end = &(*end)->next;
	*end = r;
}

static int
rdata_name(const char *value, struct str *out)
{
	return zone_wire_name(value, out);
}

static int
rdata_a(const char *value, struct str *out)
{
	struct in_addr a;

	if (inet_pton(AF_INET, value, &a) != 1)
		return -1;
	str_add(out, &a, sizeof(a));
	return 0;
}

static int
rdata_aaaa(const char *value, struct str *out)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, value, &a) != 1)
		return -1;
	str_add(out, &a, sizeof(a));
	return 0;
}

static int
rdata_mx(const char *value, struct str *out)
{
	char *end;
	unsigned long preference = strtoul(value, &end, 10);

	if (end == value || preference > 65535 || *end != ' ')
		return -1;
	str_addc(out, (char)(preference >> 8));
	str_addc(out, (char)(preference & 255));
	return zone_wire_name(end + strspn(end, " "), out);
}

/* RFC 7208 3.3 and RFC 6376 3.6.2.2: a reader joins the pieces of 255 bytes
 * again. */
static int
rdata_txt(const char *value, struct str *out)
{
	size_t len = strlen(value), piece;

	if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
		value++;
		len -= 2;
	}
	if (len > 16000)
		return -1;
	do {
		piece = len > 255 ? 255 : len;
		str_addc(out, (char)piece);
		str_add(out, value, piece);
		value += piece;
		len -= piece;
	} while (len > 0);
	return 0;
}

/* clang-format off */
static const struct {
	const char *name;
	uint16_t type;
	int (*parse)(const char *, struct str *);
} types[] = {
	{ "A", TYPE_A, rdata_a },         { "AAAA", TYPE_AAAA, rdata_aaaa },
	{ "MX", TYPE_MX, rdata_mx },      { "TXT", TYPE_TXT, rdata_txt },
	{ "PTR", TYPE_PTR, rdata_name },  { "NS", TYPE_NS, rdata_name },
	{ "CNAME", TYPE_CNAME, rdata_name },
};
/* clang-format on */

static const struct {
	const char *name;
	enum name_mood mood;
} name_moods[] = {
	{ "SERVFAIL", NAME_SERVFAIL },
	{ "TIMEOUT", NAME_TIMEOUT },
	{ "NXDOMAIN", NAME_NXDOMAIN },
};

static int
add_parsed(struct zone *z, const char *name, const char *type,
    const char *value, struct err *e)
{
	struct str rdata = STR_INIT;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(name_moods) / sizeof(name_moods[0]); i++) {
		if (strcmp(name_moods[i].name, type) == 0) {
			make_name(z, name)->mood = name_moods[i].mood;
			return 0;
		}
	}
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, type) == 0)
			break;
	if (i == sizeof(types) / sizeof(types[0]))
		return err_set(e, "unknown record type '%s'", type);
	rc = types[i].parse(value, &rdata);
	if (rc == 0)
		append_record(make_name(z, name), types[i].type, &rdata);
	else
		err_set(e, "bad value for %s record: '%s'", type, value);
	str_release(&rdata);
	return rc;
}

static void
make_ancestors(struct zone *z, const char *name)
{
	while ((name = strchr(name, '.')) != NULL)
		(void)make_name(z, ++name);
}

static char *
next_field(char **rest)
{
	char *field = *rest + strspn(*rest, " \t");
	size_t len = strcspn(field, " \t");

	*rest = field + len;
	if (**rest != '\0')
		*(*rest)++ = '\0';
	*rest += strspn(*rest, " \t");
	return field;
}

int
zone_add(struct zone *z, const char *line, struct err *e)
{
	char *copy = xstrdup(line), *rest = copy;
	char *name = next_field(&rest), *type = next_field(&rest);
	size_t len = strlen(name);
	int rc;

	if (len > 1 && name[len - 1] == '.')
		name[--len] = '\0';
	lower(name);
	if (len == 0 || len >= ZONE_NAME_MAX || *type == '\0')
		rc = err_set(e, "expected 'NAME TYPE VALUE', not '%s'", line);
	else
		rc = add_parsed(z, name, type, rest, e);
	if (rc == 0)
		make_ancestors(z, name);
	free(copy);
	return rc;
}

int
zone_load(struct zone *z, const char *path, struct err *e)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	int rc = 0;

	if (f == NULL)
		return err_sys(e, "cannot open '%s'", path);
	while (rc == 0 && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0' && line[0] != '#')
			rc = zone_add(z, line, e);
	}
	free(line);
	fclose(f);
	return rc;
}

static void
free_records(struct name *n)
{
	struct record *r;

	while ((r = n->records) != NULL) {
		n->records = r->next;
		free(r);
	}
}

void
zone_delete(struct zone *z, const char *text)
{
	char *key = xstrdup(text);
	struct name *n;

	lower(key);
	n = map_get(z->names, key);
	if (n != NULL) {
		free_records(n);
		n->mood = NAME_NXDOMAIN;
	}
	free(key);
}

const struct name *
zone_find(const struct zone *z, const char *text)
{
	char wild[ZONE_NAME_MAX + 3];
	const struct name *n = map_get(z->names, text);
	const char *dot = text;

	while (n == NULL && (dot = strchr(dot, '.')) != NULL) {
		snprintf(wild, sizeof(wild), "*%s", dot++);
		n = map_get(z->names, wild);
		/* RFC 4592 3.3.1: an existing encloser ends the search. */
		if (n == NULL && map_get(z->names, dot) != NULL)
			return NULL;
	}
	return n == NULL || n->mood == NAME_NXDOMAIN ? NULL : n;
}

static void
must_add(struct zone *z, const char *line)
{
	struct err e = ERR_INIT;

	if (zone_add(z, line, &e) < 0) {
		fprintf(stderr, "oiwake-sandbox: built-in zone: %s\n", e.text);
		abort();
	}
}

static void
add_system(struct zone *z, const struct system *s)
{
	struct str line = STR_INIT;
	struct in_addr a;

	str_addf(&line, "%s A %s", s->host, s->address);
	must_add(z, line.data);
	(void)inet_pton(AF_INET, s->address, &a);
	a.s_addr = ntohl(a.s_addr);
	str_clear(&line);
	str_addf(&line, "%u.%u.%u.%u.in-addr.arpa PTR %s", a.s_addr & 255,
	    a.s_addr >> 8 & 255, a.s_addr >> 16 & 255, a.s_addr >> 24, s->host);
	must_add(z, line.data);
	str_release(&line);
}

static void
add_domain(struct zone *z, const struct domain_row *d)
{
	const struct system *s = systems;
	struct str line = STR_INIT;

	while (strcmp(s->name, d->system) != 0)
		s++;
	str_addf(&line, "%s%s MX 10 %s", *d->name == '.' ? "*" : "", d->name,
	    s->host);
	must_add(z, line.data);
	str_release(&line);
}

/* Too many for a datagram: a resolver must ask again over TCP. */
static void
add_many(struct zone *z)
{
	struct str line = STR_INIT;
	int i;

	for (i = 0; i < 60; i++) {
		str_clear(&line);
		str_addf(
		    &line, "many.example MX %d mx%02d.many.example", 10 + i, i);
		must_add(z, line.data);
		str_clear(&line);
		str_addf(&line, "mx%02d.many.example A 127.0.10.%d", i,
		    i < 2 ? 21 : 20);
		must_add(z, line.data);
	}
	str_release(&line);
}

struct zone *
zone_new(void)
{
	struct zone *z = xcalloc(1, sizeof(*z));
	const struct system *s;
	const struct domain_row *d;
	size_t i;

	z->names = map_new();
	(void)make_name(z, "");
	for (s = systems; s->name != NULL; s++)
		add_system(z, s);
	for (d = domains; d->name != NULL; d++)
		add_domain(z, d);
	for (i = 0; built_in[i] != NULL; i++)
		must_add(z, built_in[i]);
	add_many(z);
	return z;
}
