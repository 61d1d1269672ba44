/*
 * test_preflight_text.c - SPF and DMARC records as people type them; one thread.
 */
#include "mta/preflight/spf_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mta/preflight/dmarc.h"

/* clang-format off */
static const struct {
	const char *txt;
	enum spf_text_kind kind;
} kinds[] = {
	{ "v=spf1", SPF_TEXT_RECORD },
	{ "v=spf1 -all", SPF_TEXT_RECORD },
	{ "V=SPF1 -all", SPF_TEXT_RECORD },
	{ "v=spf1;-all", SPF_TEXT_ATTEMPT },
	{ "v=spf10 -all", SPF_TEXT_ATTEMPT },
	{ "v=spf1ip4:192.0.2.1", SPF_TEXT_ATTEMPT },
	{ " v=spf1 -all", SPF_TEXT_ATTEMPT },
	{ "\"v=spf1 -all\"", SPF_TEXT_ATTEMPT },
	{ "v-spf1 -all", SPF_TEXT_ATTEMPT },
	{ "v=spf -all", SPF_TEXT_ATTEMPT },
	{ "spf1 -all", SPF_TEXT_ATTEMPT },
	{ "v = spf1 -all", SPF_TEXT_ATTEMPT },
	{ "spf2.0/pra -all", SPF_TEXT_OTHER },
	{ "google-site-verification=v=spf1", SPF_TEXT_OTHER },
	{ "", SPF_TEXT_OTHER },
};

/* A record, what is wrong with it ("!": fatal), its look-ups, and what to
 * publish in its place when nothing is to be added. */
static const struct {
	const char *txt, *faults;
	unsigned lookups;
	const char *mended;
} texts[] = {
	{ "v=spf1 -all", "", 0, "v=spf1 -all" },
	{ "v=spf1 a mx ptr include:a.jp exists:%{i}.b.jp ip4:192.0.2.0/24 ip6:2001:db8::/32 ?all", "", 5,
	  "v=spf1 a mx ptr include:a.jp exists:%{i}.b.jp ip4:192.0.2.0/24 ip6:2001:db8::/32 ?all" },
	{ "v=spf1 a:x.jp/24 mx:x.jp/24//64 a/24 mx//64 redirect=_spf.a.jp", "", 5,
	  "v=spf1 a:x.jp/24 mx:x.jp/24//64 a/24 mx//64 redirect=_spf.a.jp" },
	{ "v=spf1 exp=why.a.jp future=1 -all", "", 0, "v=spf1 exp=why.a.jp future=1 -all" },
	{ "v=spf1  ip4:192.0.2.1  -all ", "", 0, "v=spf1 ip4:192.0.2.1 -all" },
	{ "v=spf1 IP4:192.0.2.1 -ALL", "", 0, "v=spf1 IP4:192.0.2.1 -ALL" },
	{ "v=spf1 ipv4:192.0.2.1 -all", "!'ipv4:192.0.2.1' is not a term of SPF", 0,
	  "v=spf1 ip4:192.0.2.1 -all" },
	{ "v=spf1 ip4:2001:db8::1 -all", "!'ip4:2001:db8::1' is not a term of SPF", 0,
	  "v=spf1 ip6:2001:db8::1 -all" },
	{ "v=spf1 ip:192.0.2.1/32 -all", "!'ip:192.0.2.1/32' is not a term of SPF", 0,
	  "v=spf1 ip4:192.0.2.1/32 -all" },
	{ "v=spf1 ip4:192.0.2.1/33 -all", "!'ip4:192.0.2.1/33' is not a term of SPF", 0, "v=spf1 -all" },
	{ "v=spf1 192.0.2.1 -all", "!'192.0.2.1' is not a term of SPF", 0, "v=spf1 ip4:192.0.2.1 -all" },
	{ "v=spf1 +192.0.2.1 -all", "!'+192.0.2.1' is not a term of SPF", 0,
	  "v=spf1 +ip4:192.0.2.1 -all" },
	{ "v=spf1 ip4: 192.0.2.1 -all", "!'ip4: 192.0.2.1' has a blank in it", 0,
	  "v=spf1 ip4:192.0.2.1 -all" },
	{ "v=spf1 ip4=192.0.2.1 -all", "'ip4=192.0.2.1' is mistyped and passed over", 0,
	  "v=spf1 ip4:192.0.2.1 -all" },
	{ "v=spf1 include=a.jp -all", "'include=a.jp' is mistyped and passed over", 1,
	  "v=spf1 include:a.jp -all" },
	{ "v=spf1 inlcude:a.jp -all", "!'inlcude:a.jp' is not a term of SPF", 1,
	  "v=spf1 include:a.jp -all" },
	{ "v=spf1 redirect:a.jp", "!'redirect:a.jp' is not a term of SPF", 1, "v=spf1 redirect=a.jp" },
	{ "v=spf1 include:192.0.2.1 -all", "", 1, "v=spf1 include:192.0.2.1 -all" },
	{ "v=spf1 include -all", "!'include' is not a term of SPF", 0, "v=spf1 -all" },
	{ "v=spf1 -redirect=a.jp", "!'-redirect=a.jp' is not a term of SPF", 0, "v=spf1 ~all" },
	{ "v=spf1 all:x -all", "!'all:x' is not a term of SPF", 0, "v=spf1 -all" },
	{ "v=spf1 \xe2\x80\x93""all", "!'\xe2\x80\x93""all' is not a term of SPF", 0, "v=spf1 -all" },
	{ "v=spf1 a -all.", "!'-all.' is not a term of SPF", 1, "v=spf1 a -all" },
	{ "v=spf1 nonsense -all", "!'nonsense' is not a term of SPF", 0, "v=spf1 -all" },
	{ "v=spf1, a, -all", "!'v=spf1, ' does not begin with 'v=spf1' and a blank; "
	  "',' stands between terms, not a blank", 1, "v=spf1 a -all" },
	{ "v=spf1 a; -all", "!';' stands between terms, not a blank", 1, "v=spf1 a -all" },
	{ "v=spf1 exists:%{d,}.a.jp -all", "", 1, "v=spf1 exists:%{d,}.a.jp -all" },
	{ "v=spf1 -all ip4:192.0.2.1", "'ip4:192.0.2.1' stands behind 'all' and is never read", 0,
	  "v=spf1 ip4:192.0.2.1 -all" },
	{ "v=spf1 ~all -all", "'-all' stands behind 'all' and is never read", 0, "v=spf1 ~all" },
	{ "v=spf1 a +all", "", 1, "v=spf1 a ~all" },
	{ "v=spf1 a all", "", 1, "v=spf1 a ~all" },
	{ "v=spf1 a", "", 1, "v=spf1 a ~all" },
	{ "v-spf1 a -all", "!'v-spf1 ' does not begin with 'v=spf1' and a blank", 1, "v=spf1 a -all" },
	{ "v=spf1a:x.jp -all", "!'v=spf1' does not begin with 'v=spf1' and a blank", 1,
	  "v=spf1 a:x.jp -all" },
	{ "v=spf1 a a mx a", "", 4, "v=spf1 a mx ~all" },
};

/* What is added to what. */
static const struct {
	const char *txts[3], *addresses[3], *include, *without, *all, *mended;
} mends[] = {
	{ { NULL }, { "192.0.2.1", "2001:db8::1" }, "amazonses.com", NULL, "~all",
	  "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 include:amazonses.com ~all" },
	{ { "x=1" }, { NULL }, NULL, NULL, "a -all", "v=spf1 a -all" },
	{ { "v=spf1 mx -all", "x=1" }, { "192.0.2.1" }, NULL, NULL, "~all",
	  "v=spf1 ip4:192.0.2.1 mx -all" },
	{ { "v=spf1 ip4:192.0.2.1 mx -all" }, { "192.0.2.1" }, "b.jp", NULL, "~all",
	  "v=spf1 ip4:192.0.2.1 mx include:b.jp -all" },
	{ { "v=spf1 INCLUDE:B.jp -all" }, { NULL }, "b.jp", NULL, "~all",
	  "v=spf1 INCLUDE:B.jp -all" },
	{ { "v=spf1 redirect=a.jp" }, { "192.0.2.1" }, NULL, NULL, "~all",
	  "v=spf1 ip4:192.0.2.1 redirect=a.jp" },
	{ { "v=spf1 mx ~all", "v=spf1 mx ip4:192.0.2.2 -all" }, { NULL }, NULL, NULL, "~all",
	  "v=spf1 mx ip4:192.0.2.2 ~all" },
	{ { "v=spf1 include:gone.jp a -all" }, { NULL }, NULL, "gone.jp", "~all", "v=spf1 a -all" },
};

static const struct {
	const char *txt;
	enum dmarc_state state;
	const char *policy, *faults, *mended;
} dmarcs[] = {
	{ "v=DMARC1; p=none", DMARC_GOOD, "none", "", "v=DMARC1; p=none" },
	{ "v=DMARC1;p=Reject;", DMARC_GOOD, "Reject", "", "v=DMARC1; p=Reject" },
	{ "v = DMARC1 ; p = quarantine ; sp=none; pct=20; adkim=s; aspf=r; fo=1:d:s; ri=86400; rf=afrf; "
	  "rua=mailto:a@x.jp!10m, mailto:b@y.jp; ruf=https://x.jp/r; np=none; psd=u; t=n",
	  DMARC_GOOD, "quarantine", "",
	  "v=DMARC1; p=quarantine; sp=none; pct=20; adkim=s; aspf=r; fo=1:d:s; ri=86400; rf=afrf; "
	  "rua=mailto:a@x.jp!10m, mailto:b@y.jp; ruf=https://x.jp/r; np=none; psd=u; t=n" },
	{ "v=DMARC1", DMARC_BROKEN, NULL,
	  "'p' is missing, or none of none, quarantine, reject", "v=DMARC1; p=none" },
	{ "v=DMARC1; p=no", DMARC_BROKEN, NULL, "'p' is no value that it can have; "
	  "'p' is missing, or none of none, quarantine, reject", "v=DMARC1; p=none" },
	{ "v=DMARC1, p=none", DMARC_BROKEN, NULL, "'v' is no value that it can have; "
	  "'v=DMARC1' is not what it begins with; "
	  "'p' is missing, or none of none, quarantine, reject", "v=DMARC1; p=none" },
	{ "p=none; v=DMARC1", DMARC_BROKEN, "none", "'v=DMARC1' is not what it begins with",
	  "v=DMARC1; p=none" },
	{ "v=dmarc1; p=none", DMARC_BROKEN, "none", "'v' is no value that it can have; "
	  "'v=DMARC1' is not what it begins with", "v=DMARC1; p=none" },
	{ "v=DMARC1; p=none; sp=never; rua=a@x.jp", DMARC_GOOD, "none",
	  "'sp' is no value that it can have; 'rua' is no value that it can have", "v=DMARC1; p=none" },
	{ "v=DMARC1; p=none; pct=101; fo=1:x; aspf=strict", DMARC_GOOD, "none",
	  "'pct' is no value that it can have; 'fo' is no value that it can have; "
	  "'aspf' is no value that it can have", "v=DMARC1; p=none" },
	{ "v=DMARC1; p=none; p=reject; ruaa=mailto:a@x.jp", DMARC_GOOD, "none",
	  "'p' is there twice; 'ruaa' is no tag of DMARC", "v=DMARC1; p=none" },
	{ "v=DMARC1; p=none; rua=mailto:a@x.jp,", DMARC_GOOD, "none",
	  "'rua' is no value that it can have", "v=DMARC1; p=none" },
	{ "v=spf1 -all", DMARC_OTHER, NULL, "", NULL },
	{ "", DMARC_OTHER, NULL, "", NULL },
};
/* clang-format on */

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void
test_spf_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(kinds); i++)
		if (spf_text_kind(kinds[i].txt) != kinds[i].kind)
			fail_msg("'%s'", kinds[i].txt);
}

static void
test_spf_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(texts); i++) {
		const struct spf_wanted none = { .all = "~all" };
		struct str got = STR_INIT, mended = STR_INIT;
		struct spf_text t;
		unsigned lookups = 0;

		spf_text_read(&t, texts[i].txt);
		str_addf(&got, "%s%s", t.fatal ? "!" : "", t.faults.data);
		for (size_t k = 0; k < t.nterms; k++)
			lookups += t.terms[k].lookup;
		spf_text_mend(&mended, &texts[i].txt, 1, &none);
		if (strcmp(got.data, texts[i].faults) != 0 ||
		    lookups != texts[i].lookups ||
		    strcmp(mended.data, texts[i].mended) != 0)
			fail_msg("'%s': '%s', %u, '%s'", texts[i].txt, got.data,
			    lookups, mended.data);
		spf_text_release(&t);
		str_release(&got);
		str_release(&mended);
	}
}

static void
test_spf_plus_all(void **state)
{
	static const char *const plus[] = { "v=spf1 +all", "v=spf1 all",
		"v=spf1 ALL", "v=spf1 a +ALL" };
	struct spf_text t;

	(void)state;
	for (size_t i = 0; i < LEN(plus); i++) {
		spf_text_read(&t, plus[i]);
		assert_true(t.plus_all);
		spf_text_release(&t);
	}
	spf_text_read(&t, "v=spf1 a ~all");
	assert_false(t.plus_all);
	spf_text_release(&t);
}

static void
test_spf_mends(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(mends); i++) {
		struct spf_wanted w = { .addresses = mends[i].addresses,
			.include = mends[i].include,
			.without = &mends[i].without,
			.nwithout = mends[i].without != NULL,
			.all = mends[i].all };
		struct str got = STR_INIT;
		size_t n = 0;

		while (n < 3 && mends[i].txts[n] != NULL)
			n++;
		while (mends[i].addresses[w.naddresses] != NULL)
			w.naddresses++;
		spf_text_mend(&got, mends[i].txts, n, &w);
		assert_string_equal(got.data, mends[i].mended);
		str_release(&got);
	}
}

/* More terms than are kept, and terms without end. */
static void
test_spf_long(void **state)
{
	struct str s = STR_INIT;
	struct spf_text t;

	(void)state;
	str_adds(&s, "v=spf1");
	for (int i = 0; i < 1000; i++)
		str_addf(&s, " ip4:10.0.%d.%d", i / 250, i % 250);
	spf_text_read(&t, s.data);
	assert_int_equal(t.nterms, SPF_TERMS_MAX);
	assert_true(t.fatal);
	spf_text_release(&t);
	str_clear(&s);
	str_adds(&s, "v=spf1 include:");
	for (int i = 0; i < 60000; i++)
		str_addc(&s, 'a');
	spf_text_read(&t, s.data);
	assert_int_equal(t.nterms, 0);
	assert_true(t.fatal && t.faults.len < 300);
	spf_text_release(&t);
	str_release(&s);
}

static void
test_dmarc(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(dmarcs); i++) {
		struct str mended = STR_INIT;
		struct dmarc d;

		dmarc_read(&d, dmarcs[i].txt);
		if (d.state != dmarcs[i].state ||
		    strcmp(d.faults.data, dmarcs[i].faults) != 0)
			fail_msg("'%s': %d, '%s'", dmarcs[i].txt, d.state,
			    d.faults.data);
		if (dmarcs[i].policy != NULL)
			assert_string_equal(d.policy, dmarcs[i].policy);
		else
			assert_null(d.policy);
		if (dmarcs[i].mended != NULL) {
			dmarc_mend(&mended, &d, "x.jp");
			assert_string_equal(mended.data, dmarcs[i].mended);
		}
		dmarc_release(&d);
		str_release(&mended);
	}
}

static void
test_dmarc_values(void **state)
{
	struct dmarc d;

	(void)state;
	dmarc_read(&d, "v=DMARC1; p=none; adkim=S; aspf=s; psd=N; "
		       "rua=mailto:a@x.jp");
	assert_true(d.adkim_strict && d.aspf_strict && d.reports);
	assert_int_equal(d.psd, 'n');
	assert_string_equal(d.subdomain_policy, "none");
	dmarc_release(&d);
	dmarc_read(&d, "v=DMARC1; p=reject; sp=none");
	assert_false(d.adkim_strict || d.aspf_strict || d.reports);
	assert_int_equal(d.psd, 'u');
	assert_string_equal(d.subdomain_policy, "none");
	dmarc_release(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spf_kinds),
		cmocka_unit_test(test_spf_texts),
		cmocka_unit_test(test_spf_plus_all),
		cmocka_unit_test(test_spf_mends),
		cmocka_unit_test(test_spf_long),
		cmocka_unit_test(test_dmarc),
		cmocka_unit_test(test_dmarc_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
