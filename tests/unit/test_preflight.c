/*
 * test_preflight.c - one zone per fault: each is found under its name, and the
 * records that come with it, published as they are, mend it.
 *
 * Zones are served on loopback, and SPF is judged by the real library in its
 * child, which is this program under another name. All else is one thread.
 */
#include "mta/preflight/preflight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"
#include "mta/dkim.h"
#include "mta/dkim_record.h"
#include "mta/dns/resolver.h"
#include "mta/spf/spf.h"
#include "tests/unit/dns_server.h"

#define HOST	  "mx1.oiwake.test"
#define ADDRESS	  "203.0.113.5"
#define REVERSE	  "5.113.0.203.in-addr.arpa"
#define SPF	  "v=spf1 ip4:" ADDRESS " include:amazonses.com ~all"
#define DMARC	  "v=DMARC1; p=none; rua=mailto:d@example.jp"
#define KEY	  "s1._domainkey.example.jp"
#define ROWS_MAX  80
#define FOUND_MAX 64

static struct dkim_signer *signer, *other_signer;

/* All is well. */
static const struct dns_row good_zone[] = {
	{ REVERSE, DNS_PTR, HOST, 0 },
	{ HOST, DNS_A, ADDRESS, 0 },
	{ HOST, DNS_TXT, "v=spf1 a -all", 0 },
	{ "mail.oiwake.test", DNS_A, "203.0.113.9", 0 },
	{ "example.jp", DNS_MX, "10 mail.oiwake.test", 0 },
	{ "example.jp", DNS_TXT, SPF, 0 },
	{ "example.jp", DNS_TXT, "some-verification=1", 0 },
	{ "b.example.jp", DNS_MX, "10 mail.oiwake.test", 0 },
	{ "b.example.jp", DNS_TXT, "v=spf1 ip4:" ADDRESS " -all", 0 },
	{ "amazonses.com", DNS_TXT, "v=spf1 ip4:199.255.192.0/22 ~all", 0 },
	{ "_dmarc.example.jp", DNS_TXT, DMARC, 0 },
	{ NULL, 0, NULL, 0 },
};

enum keys { KEY_GOOD, KEY_OTHER, KEY_NONE, KEY_STANDBY, KEY_UNREAD };

struct fault {
	const char *name;
	enum { SOURCE, DOMAIN } about;
	/* In place of the good zone's records of the same name and type; data
	 * NULL: none. */
	struct dns_row rows[14];
	const char *found; /* all but good ones, sorted: "bad ptr, note dkim" */
	const char *record; /* a line that one of them prints; NULL */
	/* Published, its records leave nothing or this. */
	bool mends;
	const char *left;
	bool no_bounce, no_ses;
	const char *envelope;
	enum keys keys;
	const char *address; /* of the source */
	const char *domain;
};

#define GONE(name, type)                                                       \
	{                                                                      \
		name, type, NULL, 0                                            \
	}

/* clang-format off */
static const struct fault faults[] = {
	{ .name = "all well, of a source", .about = SOURCE, .found = "" },
	{ .name = "all well, of a domain", .about = DOMAIN, .found = "" },

	/* reverse DNS and the EHLO name */
	{ .name = "no reverse name", .about = SOURCE,
	  .rows = { GONE(REVERSE, DNS_PTR) }, .found = "bad ptr",
	  .record = REVERSE ". IN PTR " HOST ".", .mends = true },
	{ .name = "EC2's own reverse name", .about = SOURCE,
	  .rows = { { REVERSE, DNS_PTR, "ec2-203-0-113-5.compute.test", 0 },
		    { "ec2-203-0-113-5.compute.test", DNS_A, ADDRESS, 0 } },
	  .found = "bad ehlo-name", .record = REVERSE ". IN PTR " HOST ".", .mends = true },
	{ .name = "reverse name leads elsewhere", .about = SOURCE,
	  .rows = { { REVERSE, DNS_PTR, "old.oiwake.test", 0 },
		    { "old.oiwake.test", DNS_A, "203.0.113.77", 0 } },
	  .found = "bad ehlo-name, bad ptr", .mends = true },
	{ .name = "EHLO name leads elsewhere", .about = SOURCE,
	  .rows = { { HOST, DNS_A, "203.0.113.77", 0 } },
	  .found = "bad ehlo-address, bad ptr, bad spf-ehlo",
	  .record = HOST ". IN A " ADDRESS, .mends = true },
	{ .name = "EHLO name without address", .about = SOURCE,
	  .rows = { GONE(HOST, DNS_A), GONE(HOST, DNS_TXT) },
	  .found = "bad ehlo-address, bad ptr, note spf-ehlo",
	  .record = HOST ". IN A " ADDRESS, .mends = true },
	{ .name = "two reverse names", .about = SOURCE,
	  .rows = { { REVERSE, DNS_PTR, HOST, 0 }, { REVERSE, DNS_PTR, "other.oiwake.test", 0 } },
	  .found = "note ptr-several", .mends = true },
	{ .name = "reverse DNS does not answer", .about = SOURCE,
	  .rows = { { REVERSE, DNS_PTR, "!servfail", 0 } }, .found = "unknown ptr" },
	{ .name = "the reverse name's address does not answer", .about = SOURCE,
	  .rows = { { HOST, DNS_A, "!servfail", 0 } },
	  .found = "unknown ehlo-address, unknown ptr, unknown spf-ehlo" },
	{ .name = "no public address", .about = SOURCE, .address = "", .found = "bad public-address" },

	/* SPF of the EHLO name */
	{ .name = "EHLO name without SPF", .about = SOURCE, .rows = { GONE(HOST, DNS_TXT) },
	  .found = "note spf-ehlo", .record = HOST ". IN TXT \"v=spf1 a -all\"", .mends = true },
	{ .name = "SPF of the EHLO name forbids", .about = SOURCE,
	  .rows = { { HOST, DNS_TXT, "v=spf1 -all", 0 } }, .found = "bad spf-ehlo",
	  .record = HOST ". IN TXT \"v=spf1 ip4:" ADDRESS " -all\"", .mends = true },

	/* SPF of domains */
	{ .name = "no SPF", .about = DOMAIN, .rows = { GONE("example.jp", DNS_TXT) },
	  .found = "bad spf-header-from",
	  .record = "example.jp. IN TXT \"v=spf1 ip4:" ADDRESS " include:amazonses.com ~all\"",
	  .mends = true },
	{ .name = "SPF without our address", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 include:amazonses.com ip4:192.0.2.1 -all", 0 } },
	  .found = "bad spf-header-from",
	  .record = "example.jp. IN TXT \"v=spf1 ip4:" ADDRESS " include:amazonses.com ip4:192.0.2.1 "
		    "-all\"", .mends = true },
	{ .name = "SPF softly without our address", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 include:amazonses.com ~all", 0 } },
	  .found = "bad spf-header-from", .mends = true },
	{ .name = "SPF neutral", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 include:amazonses.com ?all", 0 } },
	  .found = "bad spf-header-from", .mends = true },
	{ .name = "two SPF records", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 include:amazonses.com ~all", 0 },
		    { "example.jp", DNS_TXT, "v=spf1 ip4:" ADDRESS " -all", 0 } },
	  .found = "bad spf-header-from, bad spf-records",
	  .record = "example.jp. IN TXT \"" SPF "\"", .mends = true },
	{ .name = "v-spf1", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v-spf1 ip4:" ADDRESS " include:amazonses.com ~all", 0 } },
	  .found = "bad spf-header-from, bad spf-syntax",
	  .record = "example.jp. IN TXT \"" SPF "\"", .mends = true },
	{ .name = "no blank behind the version", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1ip4:" ADDRESS " include:amazonses.com ~all", 0 } },
	  .found = "bad spf-header-from, bad spf-syntax",
	  .record = "example.jp. IN TXT \"" SPF "\"", .mends = true },
	{ .name = "semicolons", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1; ip4:" ADDRESS "; include:amazonses.com; ~all", 0 } },
	  .found = "bad spf-header-from, bad spf-syntax",
	  .record = "example.jp. IN TXT \"" SPF "\"", .mends = true },
	{ .name = "v-spf1 beside a good one", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, SPF, 0 }, { "example.jp", DNS_TXT, "v-spf1 mx -all", 0 } },
	  .found = "note spf-syntax", .mends = true },
	{ .name = "ipv4:", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 ipv4:" ADDRESS " include:amazonses.com ~all", 0 } },
	  .found = "bad spf-header-from, bad spf-syntax",
	  .record = "example.jp. IN TXT \"" SPF "\"", .mends = true },
	{ .name = "ip4=", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 ip4=" ADDRESS " include:amazonses.com ~all", 0 } },
	  .found = "bad spf-header-from, note spf-syntax",
	  .record = "example.jp. IN TXT \"" SPF "\"", .mends = true },
	{ .name = "+all", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 include:amazonses.com +all", 0 } },
	  .found = "note spf-plus-all", .record = "example.jp. IN TXT \"v=spf1 "
	  "include:amazonses.com ~all\"", .mends = true, .left = "bad spf-header-from" },
	{ .name = "SES forgotten", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 ip4:" ADDRESS " ~all", 0 } },
	  .found = "note spf-ses",
	  .record = "example.jp. IN TXT \"" SPF "\"",
	  .mends = true },
	{ .name = "SES not used", .about = DOMAIN, .no_ses = true,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 ip4:" ADDRESS " ~all", 0 } }, .found = "" },
	{ .name = "too many look-ups", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 include:amazonses.com include:i.test "
		      "include:j.test ip4:" ADDRESS " ~all", 0 },
		    { "i.test", DNS_TXT, "v=spf1 a:1.test a:2.test a:3.test a:4.test a:5.test ~all", 0 },
		    { "j.test", DNS_TXT, "v=spf1 mx:1.test mx:2.test mx:3.test mx:4.test ~all", 0 },
		    { "1.test", DNS_A, "192.0.2.1", 0 }, { "2.test", DNS_A, "192.0.2.1", 0 },
		    { "3.test", DNS_A, "192.0.2.1", 0 }, { "4.test", DNS_A, "192.0.2.1", 0 },
		    { "5.test", DNS_A, "192.0.2.1", 0 }, { "1.test", DNS_MX, "1 1.test", 0 },
		    { "2.test", DNS_MX, "1 1.test", 0 }, { "3.test", DNS_MX, "1 1.test", 0 },
		    { "4.test", DNS_MX, "1 1.test", 0 } },
	  .found = "bad spf-header-from, bad spf-lookups",
	  .record = "example.jp. IN TXT \"v=spf1 ip4:" ADDRESS " include:amazonses.com include:i.test "
		    "include:j.test ~all\"", .mends = true, .left = "note spf-lookups" },
	{ .name = "an include of nothing", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 include:gone.test include:amazonses.com ip4:"
		      ADDRESS " ~all", 0 } },
	  .found = "bad spf-header-from, bad spf-syntax",
	  .record = "example.jp. IN TXT \"v=spf1 ip4:" ADDRESS " include:amazonses.com ~all\"",
	  .mends = true },
	{ .name = "SPF does not answer", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "!servfail", 0 } }, .found = "unknown spf-header-from" },
	{ .name = "an include does not answer", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_TXT, "v=spf1 include:amazonses.com include:slow.test ~all", 0 },
		    { "slow.test", DNS_TXT, "!servfail", 0 } }, .found = "unknown spf-header-from" },
	{ .name = "envelope without SPF", .about = DOMAIN, .rows = { GONE("b.example.jp", DNS_TXT) },
	  .found = "bad spf-envelope",
	  .record = "b.example.jp. IN TXT \"v=spf1 ip4:" ADDRESS " -all\"", .mends = true },

	/* DKIM */
	{ .name = "key not published", .about = DOMAIN, .rows = { GONE(KEY, DNS_TXT) },
	  .found = "bad dkim", .mends = true },
	{ .name = "another key published", .about = DOMAIN, .keys = KEY_OTHER,
	  .found = "bad dkim", .mends = true },
	{ .name = "key revoked", .about = DOMAIN,
	  .rows = { { KEY, DNS_TXT, "v=DKIM1; k=ed25519; p=", 0 } }, .found = "bad dkim", .mends = true },
	{ .name = "standby key not published", .about = DOMAIN, .keys = KEY_STANDBY,
	  .rows = { GONE(KEY, DNS_TXT) }, .found = "note dkim, note dkim, note dmarc-alignment",
	  .mends = true, .left = "note dkim, note dmarc-alignment" },
	{ .name = "key cannot be read here", .about = DOMAIN, .keys = KEY_UNREAD,
	  .found = "unknown dkim" },
	{ .name = "no key", .about = DOMAIN, .keys = KEY_NONE, .found = "note dkim, note dmarc-alignment" },
	{ .name = "DKIM does not answer", .about = DOMAIN, .rows = { { KEY, DNS_TXT, "!servfail", 0 } },
	  .found = "unknown dkim" },

	/* DMARC */
	{ .name = "no DMARC", .about = DOMAIN, .rows = { GONE("_dmarc.example.jp", DNS_TXT) },
	  .found = "bad dmarc",
	  .record = "_dmarc.example.jp. IN TXT \"v=DMARC1; p=none; rua=mailto:dmarc@example.jp; "
		    "adkim=r; aspf=r\"", .mends = true },
	{ .name = "two DMARC records", .about = DOMAIN,
	  .rows = { { "_dmarc.example.jp", DNS_TXT, "v=DMARC1; p=reject", 0 },
		    { "_dmarc.example.jp", DNS_TXT, "v=DMARC1; p=none", 0 } },
	  .found = "bad dmarc", .record = "_dmarc.example.jp. IN TXT \"v=DMARC1; p=none\"",
	  .mends = true },
	{ .name = "DMARC without policy", .about = DOMAIN,
	  .rows = { { "_dmarc.example.jp", DNS_TXT, "v=DMARC1; rua=mailto:a@example.jp", 0 } },
	  .found = "bad dmarc", .record = "_dmarc.example.jp. IN TXT \"v=DMARC1; p=none; "
	  "rua=mailto:a@example.jp\"", .mends = true },
	{ .name = "DMARC version not first", .about = DOMAIN,
	  .rows = { { "_dmarc.example.jp", DNS_TXT, "p=none; v=DMARC1", 0 } },
	  .found = "bad dmarc", .mends = true },
	{ .name = "DMARC with a mistyped tag", .about = DOMAIN,
	  .rows = { { "_dmarc.example.jp", DNS_TXT, "v=DMARC1; p=none; ruf=postmaster", 0 } },
	  .found = "note dmarc", .record = "_dmarc.example.jp. IN TXT \"v=DMARC1; p=none\"",
	  .mends = true },
	{ .name = "DMARC at the parent", .about = DOMAIN, .domain = "shop.example.jp",
	  .envelope = "shop.example.jp", .no_bounce = true,
	  .rows = { { "shop.example.jp", DNS_MX, "10 mail.oiwake.test", 0 },
		    { "shop.example.jp", DNS_TXT, SPF, 0 } }, .found = "" },
	{ .name = "DMARC does not answer", .about = DOMAIN,
	  .rows = { { "_dmarc.example.jp", DNS_TXT, "!servfail", 0 } }, .found = "unknown dmarc" },
	{ .name = "some other text where DMARC stands", .about = DOMAIN,
	  .rows = { { "_dmarc.example.jp", DNS_TXT, DMARC, 0 },
		    { "_dmarc.example.jp", DNS_TXT, "v=spf1 -all", 0 } }, .found = "" },
	{ .name = "aspf=s", .about = DOMAIN,
	  .rows = { { "_dmarc.example.jp", DNS_TXT, "v=DMARC1; p=none; aspf=s", 0 } },
	  .found = "note dmarc-alignment, note dmarc-ses" },
	{ .name = "aspf=s and no key", .about = DOMAIN, .keys = KEY_NONE,
	  .rows = { { "_dmarc.example.jp", DNS_TXT, "v=DMARC1; p=none; aspf=s", 0 } },
	  .found = "bad dmarc-alignment, note dkim, note dmarc-ses" },
	{ .name = "adkim=s and the parent's key", .about = DOMAIN, .domain = "shop.example.jp",
	  .rows = { { "shop.example.jp", DNS_MX, "10 mail.oiwake.test", 0 },
		    { "shop.example.jp", DNS_TXT, SPF, 0 },
		    { "_dmarc.example.jp", DNS_TXT, "v=DMARC1; p=none; adkim=s", 0 } },
	  .found = "note dmarc-alignment" },
	{ .name = "envelope of another company, no key", .about = DOMAIN, .keys = KEY_NONE,
	  .envelope = "bounce.test", .no_bounce = true,
	  .rows = { { "bounce.test", DNS_MX, "10 mail.oiwake.test", 0 },
		    { "bounce.test", DNS_TXT, "v=spf1 ip4:" ADDRESS " -all", 0 } },
	  .found = "bad dmarc-alignment, note dkim" },

	/* names in the DNS */
	{ .name = "header From not in the DNS", .about = DOMAIN,
	  .rows = { GONE("example.jp", DNS_MX) }, .found = "bad from-dns",
	  .record = "example.jp. IN MX 10 mail.oiwake.test.", .mends = true },
	{ .name = "header From with an address alone", .about = DOMAIN,
	  .rows = { GONE("example.jp", DNS_MX), { "example.jp", DNS_A, "192.0.2.8", 0 } },
	  .found = "" },
	{ .name = "header From with a null MX", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_MX, "0 .", 0 } }, .found = "bad from-dns", .mends = true },
	{ .name = "header From does not answer", .about = DOMAIN,
	  .rows = { { "example.jp", DNS_MX, "!servfail", 0 } }, .found = "unknown from-dns" },
	{ .name = "envelope not in the DNS", .about = DOMAIN, .no_bounce = true,
	  .envelope = "e.example.jp", .rows = { { "e.example.jp", DNS_TXT, SPF, 0 } },
	  .found = "bad envelope-dns", .record = "e.example.jp. IN MX 10 mail.oiwake.test.",
	  .mends = true },
	{ .name = "bounce domain without MX", .about = DOMAIN, .rows = { GONE("b.example.jp", DNS_MX) },
	  .found = "bad bounce-mx", .record = "b.example.jp. IN MX 10 mail.oiwake.test.", .mends = true },
	{ .name = "bounce domain with our address alone", .about = DOMAIN,
	  .rows = { GONE("b.example.jp", DNS_MX), { "b.example.jp", DNS_A, ADDRESS, 0 } },
	  .found = "note bounce-mx", .mends = true },
	{ .name = "bounce MX is another's", .about = DOMAIN,
	  .rows = { { "b.example.jp", DNS_MX, "10 elsewhere.test", 0 },
		    { "elsewhere.test", DNS_A, "192.0.2.3", 0 } },
	  .found = "bad bounce-mx", .mends = true },
	{ .name = "bounce MX is SES's", .about = DOMAIN,
	  .rows = { { "b.example.jp", DNS_MX, "10 feedback-smtp.eu-west-1.amazonses.com", 0 },
		    { "feedback-smtp.eu-west-1.amazonses.com", DNS_A, "192.0.2.3", 0 } },
	  .found = "bad bounce-mx", .mends = true },
	{ .name = "bounce MX is ours by its address", .about = DOMAIN,
	  .rows = { { "b.example.jp", DNS_MX, "10 in.test", 0 }, { "in.test", DNS_A, ADDRESS, 0 } },
	  .found = "" },
	{ .name = "bounce MX has our name and no address", .about = DOMAIN,
	  .rows = { GONE("mail.oiwake.test", DNS_A) }, .found = "bad bounce-mx" },
	{ .name = "bounce MX does not answer", .about = DOMAIN,
	  .rows = { { "b.example.jp", DNS_MX, "!servfail", 0 } }, .found = "unknown bounce-mx" },
};
/* clang-format on */

/* ------ the zone of a case */

struct zone {
	struct dns_row rows[ROWS_MAX];
	size_t n;
	char *texts[2 * ROWS_MAX]; /* owned */
	size_t ntexts;
};

static void
zone_add(struct zone *z, const char *name, int type, const char *data)
{
	assert_true(z->n < ROWS_MAX - 1);
	z->rows[z->n++] = (struct dns_row){ name, type, data, 0 };
	z->rows[z->n] = (struct dns_row){ NULL, 0, NULL, 0 };
}

static void
zone_remove(struct zone *z, const char *name, int type)
{
	size_t kept = 0;

	for (size_t i = 0; i < z->n; i++)
		if (z->rows[i].type != type ||
		    strcasecmp(z->rows[i].name, name) != 0)
			z->rows[kept++] = z->rows[i];
	z->n = kept;
	z->rows[kept].name = NULL;
}

static const char *
zone_own(struct zone *z, char *text)
{
	z->texts[z->ntexts++] = text;
	return text;
}

static void
zone_build(struct zone *z, const struct fault *f)
{
	memset(z, 0, sizeof(*z));
	for (const struct dns_row *r = good_zone; r->name != NULL; r++)
		zone_add(z, r->name, r->type, r->data);
	zone_add(z, KEY, DNS_TXT,
	    zone_own(z, dkim_signer_record(
			    f->keys == KEY_OTHER ? other_signer : signer)));
	for (const struct dns_row *r = f->rows; r->name != NULL; r++)
		zone_remove(z, r->name, r->type);
	for (const struct dns_row *r = f->rows; r->name != NULL; r++)
		if (r->data != NULL)
			zone_add(z, r->name, r->type, r->data);
}

static void
zone_release(struct zone *z)
{
	while (z->ntexts > 0)
		free(z->texts[--z->ntexts]);
}

/* ------ what is found */

struct found {
	char *what[FOUND_MAX]; /* "bad ptr" */
	size_t n, good;
	struct str mends;
	struct event_base *base;
	bool done;
};

static void
on_finding(void *arg, const struct finding *f)
{
	static const char *const levels[] = { "good", "note", "unknown",
		"bad" };
	struct found *out = arg;
	struct str s = STR_INIT;

	assert_false(out->done);
	assert_true(*f->check != '\0' && *f->subject != '\0');
	assert_true(*f->what != '\0');
	assert_int_equal(f->level == FINDING_GOOD, *f->why == '\0');
	assert_true(f->carriers != 0);
	if (f->level == FINDING_GOOD) {
		assert_string_equal(f->mend, "");
		out->good++;
		return;
	}
	if (f->level == FINDING_BAD)
		assert_string_not_equal(f->mend, "");
	str_addf(&s, "%s %s", levels[f->level], f->check);
	assert_true(out->n < FOUND_MAX);
	out->what[out->n++] = str_detach(&s);
	str_adds(&out->mends, f->mend);
}

static void
on_done(void *arg)
{
	struct found *out = arg;

	out->done = true;
	event_base_loopbreak(out->base);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *
joined(struct found *out)
{
	struct str s = STR_INIT;

	qsort(out->what, out->n, sizeof(*out->what), compare);
	for (size_t i = 0; i < out->n; i++)
		str_addf(&s, "%s%s", i > 0 ? ", " : "", out->what[i]);
	return str_detach(&s);
}

static void
found_release(struct found *out)
{
	while (out->n > 0)
		free(out->what[--out->n]);
	str_release(&out->mends);
}

static struct resolver *
resolver_for(struct event_base *base, const struct dns_server *server)
{
	const struct resolver_config rc = {
		.servers = (const char *const[]){ server->address },
		.nservers = 1,
		.timeout = 5000,
	};
	struct err e = ERR_INIT;
	struct resolver *r = resolver_new(base, &rc, &e);

	assert_string_equal(e.text, "");
	return r;
}

static void
run_request(const struct preflight_request *r, const struct dns_row *rows,
    struct found *out)
{
	struct event_base *base = event_base_new();
	struct dns_server server;
	struct resolver *resolver;
	struct preflight *p;

	memset(out, 0, sizeof(*out));
	str_init(&out->mends);
	out->base = base;
	dns_server_start(&server, base, rows);
	resolver = resolver_for(base, &server);
	p = preflight_new(resolver, r, on_finding, on_done, out);
	assert_non_null(p);
	assert_int_equal(out->n + out->good, 0); /* from the loop alone */
	event_base_dispatch(base);
	assert_true(out->done);
	resolver_free(&resolver);
	dns_server_stop(&server);
	event_base_free(base);
}

static void
examine(const struct fault *f, const struct zone *z, struct found *out)
{
	static const char *const hosts[] = { "mail.oiwake.test" };
	const char *address = f->address == NULL    ? ADDRESS
			      : *f->address == '\0' ? NULL
						    : f->address;
	const struct preflight_source source = {
		.name = "tokyo1", .hostname = HOST, .address = address
	};
	const struct preflight_key key = { .domain = "example.jp",
		.selector = "s1",
		.signer = f->keys == KEY_UNREAD ? NULL : signer,
		.standby = f->keys == KEY_STANDBY };
	const struct preflight_request r = { .sources = &source,
		.nsources = 1,
		.check_sources = f->about == SOURCE,
		.domain = f->about == SOURCE ? NULL
			  : f->domain	     ? f->domain
					     : "example.jp",
		.envelope = f->envelope,
		.bounce = f->no_bounce ? NULL : "b.example.jp",
		.our_hosts = hosts,
		.nour_hosts = 1,
		.by_ses = !f->no_ses,
		.keys = &key,
		.nkeys = f->keys != KEY_NONE,
		.allow_private = true,
		.timeout = 5000 };

	run_request(&r, z->rows, out);
}

/* ------ publishing what was printed */

static const struct {
	const char *name;
	int type;
} types[] = { { "A", DNS_A }, { "AAAA", DNS_AAAA }, { "PTR", DNS_PTR },
	{ "MX", DNS_MX }, { "TXT", DNS_TXT } };

/* The strings of a zone file's TXT data, as one. */
static char *
unquoted(const char *data)
{
	struct str s = STR_INIT;
	bool inside = false;

	for (; *data != '\0'; data++) {
		if (*data == '"')
			inside = !inside;
		else if (inside && *data == '\\')
			str_addc(&s, *++data);
		else if (inside)
			str_addc(&s, *data);
	}
	assert_false(inside);
	return str_detach(&s);
}

static char *
without_dot(const char *text)
{
	size_t len = strlen(text);

	return xstrndup(text, len - (len > 0 && text[len - 1] == '.'));
}

/* An SPF or DMARC record takes the place of its like; the rest stays. */
static void
publish_over(struct zone *z, const char *name, int type, const char *data)
{
	size_t kept = 0;

	for (size_t i = 0; i < z->n; i++) {
		const struct dns_row *r = &z->rows[i];
		bool same = r->type == type && strcasecmp(r->name, name) == 0;

		if (!same ||
		    (type == DNS_TXT && strncmp(r->data, "some-", 5) == 0))
			z->rows[kept++] = *r;
	}
	z->n = kept;
	zone_add(z, name, type, data);
}

static void
publish_line(struct zone *z, char *line)
{
	char *in = strstr(line, ". IN "), *type, *data;

	if (in == NULL)
		return;
	*in = '\0';
	type = in + strlen(". IN ");
	data = type + strcspn(type, " ");
	*data++ = '\0';
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, type) == 0)
			publish_over(z, zone_own(z, xstrdup(line)),
			    types[i].type,
			    zone_own(z, types[i].type == DNS_TXT
					    ? unquoted(data)
					    : without_dot(data)));
}

static void
publish(struct zone *z, const char *mends)
{
	char *copy = xstrdup(mends), *rest = copy, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		publish_line(z, line);
	free(copy);
}

static void
check_mended(const struct fault *f, struct zone *z, const struct found *before)
{
	struct found after;
	char *got;

	publish(z, before->mends.data);
	examine(f, z, &after);
	got = joined(&after);
	if (strcmp(got, f->left != NULL ? f->left : "") != 0)
		fail_msg("%s: after its records were published: '%s'\n%s",
		    f->name, got, before->mends.data);
	free(got);
	found_release(&after);
}

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault *f = &faults[i];
		struct zone zone;
		struct found found;
		char *got;

		zone_build(&zone, f);
		examine(f, &zone, &found);
		got = joined(&found);
		if (strcmp(got, f->found) != 0)
			fail_msg(
			    "%s: found '%s', not '%s'", f->name, got, f->found);
		if (f->record != NULL &&
		    strstr(found.mends.data, f->record) == NULL)
			fail_msg("%s: no '%s' in\n%s", f->name, f->record,
			    found.mends.data);
		if (f->mends)
			check_mended(f, &zone, &found);
		free(got);
		found_release(&found);
		zone_release(&zone);
	}
}

/* ------ addresses of the other kind, and many sources */

static void
test_ipv6(void **state)
{
	static const char reverse[] =
	    "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
	    "ip6.arpa";
	const struct dns_row rows[] = {
		{ reverse, DNS_PTR, HOST, 0 },
		{ HOST, DNS_AAAA, "2001:db8::5", 0 },
		{ HOST, DNS_A, ADDRESS, 0 },
		{ HOST, DNS_TXT, "v=spf1 ip4:" ADDRESS " -all", 0 },
		{ NULL, 0, NULL, 0 },
	};
	const struct preflight_source source = {
		.name = "tokyo6", .hostname = HOST, .address = "2001:db8::5"
	};
	const struct preflight_request r = { .sources = &source,
		.nsources = 1,
		.check_sources = true,
		.allow_private = true };
	struct found found;
	char *got;

	(void)state;
	run_request(&r, rows, &found);
	got = joined(&found);
	assert_string_equal(got, "bad spf-ehlo");
	assert_int_equal(found.good, 3);
	assert_non_null(strstr(found.mends.data,
	    HOST ". IN TXT \"v=spf1 ip6:2001:db8::5 ip4:" ADDRESS " -all\""));
	free(got);
	found_release(&found);
}

static void
test_special_address(void **state)
{
	const struct dns_row rows[] = { { NULL, 0, NULL, 0 } };
	const struct preflight_source source = {
		.name = "tokyo1", .hostname = HOST, .address = "10.1.2.3"
	};
	const struct preflight_request r = {
		.sources = &source, .nsources = 1, .check_sources = true
	};
	struct found found;
	char *got;

	(void)state;
	run_request(&r, rows, &found);
	got = joined(&found);
	assert_string_equal(got, "bad public-address");
	free(got);
	found_release(&found);
}

/* One record for all that are missing, and nothing of those that pass. */
static void
test_many_sources(void **state)
{
	struct fault f = { .name = "many", .about = DOMAIN };
	struct zone zone;
	const struct preflight_source sources[] = {
		{ .name = "a", .hostname = HOST, .address = ADDRESS },
		{ .name = "b", .hostname = HOST, .address = "203.0.113.6" },
		{ .name = "c", .hostname = HOST, .address = "203.0.113.7" },
	};
	const struct preflight_request r = { .sources = sources,
		.nsources = 3,
		.domain = "example.jp",
		.allow_private = true };
	struct found found;
	char *got;

	(void)state;
	zone_build(&zone, &f);
	run_request(&r, zone.rows, &found);
	got = joined(&found);
	assert_string_equal(
	    got, "bad spf-header-from, note dkim, note dmarc-alignment");
	assert_non_null(strstr(found.mends.data,
	    "example.jp. IN TXT \"v=spf1 ip4:203.0.113.6 ip4:203.0.113.7 "
	    "ip4:" ADDRESS " include:amazonses.com ~all\"\n"));
	free(got);
	found_release(&found);
	zone_release(&zone);
}

/* Nobody answers: nothing is bad, and it ends in time. */
static void
test_dead_dns(void **state)
{
	struct event_base *base = event_base_new();
	const struct dns_row rows[] = { { NULL, 0, NULL, 0 } };
	const struct preflight_source source = {
		.name = "a", .hostname = HOST, .address = ADDRESS
	};
	const struct preflight_request r = { .sources = &source,
		.nsources = 1,
		.check_sources = true,
		.domain = "example.jp",
		.bounce = "b.example.jp",
		.allow_private = true,
		.timeout = 300 };
	struct dns_server server;
	struct found found = { .base = base };
	struct resolver *resolver;

	(void)state;
	str_init(&found.mends);
	dns_server_start(&server, base, rows);
	server.dead = true;
	resolver = resolver_for(base, &server);
	preflight_new(resolver, &r, on_finding, on_done, &found);
	event_base_dispatch(base);
	assert_true(found.done);
	assert_true(found.n >= 6);
	for (size_t i = 0; i < found.n; i++)
		if (strcmp(found.what[i], "note dkim") != 0)
			assert_int_equal(
			    strncmp(found.what[i], "unknown ", 8), 0);
	found_release(&found);
	resolver_free(&resolver);
	dns_server_stop(&server);
	event_base_free(base);
}

static void
never_finding(void *arg, const struct finding *f)
{
	(void)arg;
	fail_msg("%s", f->what);
}

static void
never_done(void *arg)
{
	(void)arg;
	fail();
}

/* With questions, children and connections under way. */
static void
test_cancel(void **state)
{
	struct fault f = { .name = "cancel", .about = DOMAIN };
	static const char *const ports[] = { "example.jp" };
	const struct preflight_source source = {
		.name = "a", .hostname = HOST, .address = ADDRESS
	};
	const struct preflight_key key = {
		.domain = "example.jp", .selector = "s1", .signer = signer
	};
	const struct preflight_request r = { .sources = &source,
		.nsources = 1,
		.check_sources = true,
		.domain = "example.jp",
		.bounce = "b.example.jp",
		.keys = &key,
		.nkeys = 1,
		.port_hosts = ports,
		.nport_hosts = 1,
		.allow_private = true };
	struct event_base *base = event_base_new();
	struct dns_server server;
	struct resolver *resolver;
	struct preflight *p;
	struct zone zone;

	(void)state;
	zone_build(&zone, &f);
	dns_server_start(&server, base, zone.rows);
	server.dead = true;
	resolver = resolver_for(base, &server);
	p = preflight_new(resolver, &r, never_finding, never_done, NULL);
	while (server.questions < 5)
		event_base_loop(base, EVLOOP_ONCE);
	preflight_free(&p);
	assert_null(p);
	p = preflight_new(resolver, &r, never_finding, never_done, NULL);
	preflight_free(&p);
	event_base_loop(base, EVLOOP_NONBLOCK);
	resolver_free(&resolver);
	dns_server_stop(&server);
	event_base_free(base);
	zone_release(&zone);
}

/* ------ port 25 */

enum mood { GREETS, SAYS_421, CUTS, MUTE, SHUT, MOODS };

struct mail_hosts {
	struct event_base *base;
	struct evconnlistener *listeners[MOODS];
	unsigned port;
	int quits; /* read behind a greeting */
	int held[8];
	size_t nheld;
};

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer,
    int len, void *arg)
{
	const struct linger cut = { .l_onoff = 1 };
	struct mail_hosts *m = arg;

	(void)peer;
	(void)len;
	if (l == m->listeners[MUTE]) {
		m->held[m->nheld++] = fd;
		return;
	}
	if (l == m->listeners[GREETS])
		assert_int_equal(send(fd, "220 hello\r\n", 11, 0), 11);
	if (l == m->listeners[SAYS_421])
		assert_int_equal(send(fd, "421 not now\033[2J\r\n", 17, 0), 17);
	if (l == m->listeners[GREETS]) {
		m->held[m->nheld++] = fd;
		return;
	}
	if (l == m->listeners[CUTS])
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut));
	close(fd);
}

/* 127.0.30.1 greets, .2 says 421, ... all on one port; at .5 nobody listens. */
static void
hosts_start(struct mail_hosts *m, struct event_base *base)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);

	memset(m, 0, sizeof(*m));
	m->base = base;
	for (int i = 0; i < SHUT; i++) {
		sin.sin_addr.s_addr = htonl(0x7f001e01u + (unsigned)i);
		m->listeners[i] = evconnlistener_new_bind(base, on_accept, m,
		    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 16,
		    (struct sockaddr *)&sin, sizeof(sin));
		assert_non_null(m->listeners[i]);
		assert_int_equal(
		    getsockname(evconnlistener_get_fd(m->listeners[i]),
			(struct sockaddr *)&sin, &len),
		    0);
	}
	m->port = ntohs(sin.sin_port);
}

static void
hosts_stop(struct mail_hosts *m)
{
	char buf[64];

	for (size_t i = 0; i < m->nheld; i++) {
		fcntl(m->held[i], F_SETFL, O_NONBLOCK);
		if (recv(m->held[i], buf, sizeof(buf), 0) == 6 &&
		    memcmp(buf, "QUIT\r\n", 6) == 0)
			m->quits++;
		close(m->held[i]);
	}
	for (int i = 0; i < SHUT; i++)
		evconnlistener_free(m->listeners[i]);
}

static const struct dns_row port_zone[] = {
	{ "docomo.ne.jp", DNS_A, "127.0.30.1", 0 },
	{ "au.com", DNS_A, "127.0.30.2", 0 },
	{ "cut.test", DNS_A, "127.0.30.3", 0 },
	{ "mute.test", DNS_A, "127.0.30.4", 0 },
	{ "shut.test", DNS_A, "127.0.30.5", 0 },
	{ "shut2.test", DNS_A, "127.0.30.6", 0 },
	{ "second.test", DNS_MX, "10 shut.test", 0 },
	{ "second.test", DNS_MX, "20 docomo.ne.jp", 0 },
	{ "lost.test", DNS_MX, "!servfail", 0 },
	{ REVERSE, DNS_PTR, HOST, 0 },
	{ HOST, DNS_A, ADDRESS, 0 },
	{ HOST, DNS_TXT, "v=spf1 a -all", 0 },
	{ NULL, 0, NULL, 0 },
};

static const struct port_case {
	const char *name;
	const char *hosts[5];
	const char *bind;
	const char *found;
	size_t good; /* four are of the source itself */
	int quits;
	bool form; /* AWS's */
} port_cases[] = {
	{ "open", { "docomo.ne.jp" }, "127.0.30.9", "", 5, 1, false },
	{ "the second host answers", { "second.test" }, NULL, "", 5, 1, false },
	{ "refused in words", { "docomo.ne.jp", "au.com" }, NULL,
	    "bad port-25-blocked", 5, 1, false },
	{ "cut off", { "cut.test" }, NULL, "bad port-25-blocked", 4, 0, false },
	{ "reset at once where others answer", { "docomo.ne.jp", "shut.test" },
	    NULL, "bad port-25-blocked", 5, 1, false },
	{ "connected and no word", { "docomo.ne.jp", "mute.test" }, NULL,
	    "unknown port-25", 5, 1, false },
	{ "nobody anywhere", { "shut.test", "shut2.test" }, NULL, "bad port-25",
	    4, 0, true },
	{ "DNS does not lead there", { "lost.test" }, NULL, "unknown port-25",
	    4, 0, false },
	{ "an address that is not here", { "docomo.ne.jp" }, "192.0.2.77",
	    "bad port-25", 4, 0, false },
};

static void
run_port_case(const struct port_case *c)
{
	struct event_base *base = event_base_new();
	struct mail_hosts hosts;
	struct dns_server server;
	struct found found = { .base = base };
	struct sockaddr_storage from;
	struct preflight_source source = {
		.name = "tokyo1", .hostname = HOST, .address = ADDRESS
	};
	struct preflight_request r = { .sources = &source,
		.nsources = 1,
		.check_sources = true,
		.allow_private = true,
		.port_hosts = c->hosts,
		.timeout = 1500 };
	struct resolver *resolver;
	char *got;

	str_init(&found.mends);
	hosts_start(&hosts, base);
	dns_server_start(&server, base, port_zone);
	resolver = resolver_for(base, &server);
	while (c->hosts[r.nport_hosts] != NULL)
		r.nport_hosts++;
	r.port = (uint16_t)hosts.port;
	if (c->bind != NULL) {
		assert_int_equal(net_parse_address(
				     c->bind, 0, &from, &source.bind_len, NULL),
		    0);
		source.bind = (struct sockaddr *)&from;
	}
	preflight_new(resolver, &r, on_finding, on_done, &found);
	event_base_dispatch(base);
	got = joined(&found);
	if (strcmp(got, c->found) != 0 || found.good != c->good)
		fail_msg("%s: '%s', %zu good", c->name, got, found.good);
	assert_int_equal(c->form,
	    strstr(found.mends.data, "Use case description: ") != NULL &&
		strstr(found.mends.data, "Elastic IP address: " ADDRESS) &&
		strstr(found.mends.data, HOST ". IN A " ADDRESS));
	free(got);
	found_release(&found);
	resolver_free(&resolver);
	dns_server_stop(&server);
	hosts_stop(&hosts);
	assert_int_equal(hosts.quits, c->quits);
	event_base_free(base);
}

static void
test_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(port_cases) / sizeof(port_cases[0]); i++)
		run_port_case(&port_cases[i]);
}

static void
test_carriers(void **state)
{
	(void)state;
	assert_int_equal(preflight_carrier("docomo"), PREFLIGHT_DOCOMO);
	assert_int_equal(preflight_carrier("au"), PREFLIGHT_AU);
	assert_int_equal(preflight_carrier("ymobile"), PREFLIGHT_SOFTBANK);
	assert_int_equal(preflight_carrier("rakuten"), PREFLIGHT_ALL);
}

/* ------ */

static struct dkim_signer *
make_signer(const char *selector)
{
	char path[] = "/tmp/test_preflight.XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct err e = ERR_INIT;
	struct dkim_signer *s;

	assert_non_null(f);
	assert_int_equal(
	    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	EVP_PKEY_free(key);
	s = dkim_signer_new("example.jp", selector, path, &e);
	unlink(path);
	assert_string_equal(e.text, "");
	return s;
}

static int
make_signers(void **state)
{
	(void)state;
	signer = make_signer("s1");
	other_signer = make_signer("s1");
	return 0;
}

static int
free_signers(void **state)
{
	(void)state;
	dkim_signer_free(&signer);
	dkim_signer_free(&other_signer);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_special_address),
		cmocka_unit_test(test_many_sources),
		cmocka_unit_test(test_dead_dns),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_carriers),
	};

	spf_child_main(argc, argv);
	return cmocka_run_group_tests(tests, make_signers, free_signers);
}
