/*
 * test_mx.c - from domains to addresses, against a DNS server with every kind
 * of domain that recipients have.
 */
#include "mta/dns/mx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "mta/base/net.h"
#include "mta/dns/resolver.h"
#include "tests/unit/dns_server.h"

#define LABEL63                                                                \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct dns_row rows[] = {
	{ "one.example", 15, "10 mx.one.example", 0 },
	{ "mx.one.example", 1, "1.0.0.1", 0 },
	{ "two.example", 15, "20 b.two.example", 0 },
	{ "two.example", 15, "10 a.two.example", 0 },
	{ "two.example", 15, "5 gone.two.example", 0 },
	{ "a.two.example", 1, "1.0.0.1", 0 },
	{ "b.two.example", 1, "1.0.0.2", 0 },
	{ "dual.example", 15, "10 mx.dual.example", 0 },
	{ "mx.dual.example", 1, "1.0.0.1", 0 },
	{ "mx.dual.example", 28, "2606:4700::1", 0 },
	{ "shared.example", 15, "10 mx.one.example", 0 },
	{ "shared.example", 15, "20 mx2.shared.example", 0 },
	{ "shared.example", 15, "30 MX.ONE.example", 0 },
	{ "mx2.shared.example", 1, "1.0.0.1", 0 },
	{ "implicit.example", 1, "1.0.0.9", 0 },
	{ "alias.example", 5, "one.example", 0 },
	{ "implicit-alias.example", 5, "implicit.example", 0 },
	{ "empty.example", 16, "no mail here", 0 },
	{ "null.example", 15, "0 .", 0 },
	{ "null-and.example", 15, "0 .", 0 },
	{ "null-and.example", 15, "10 mx.one.example", 0 },
	{ "cname.example", 15, "10 c.cname.example", 0 },
	{ "c.cname.example", 5, "mx.one.example", 0 },
	{ "cname-and.example", 15, "10 c.cname.example", 0 },
	{ "cname-and.example", 15, "20 mx.one.example", 0 },
	{ "dead.example", 15, "10 gone.dead.example", 0 },
	{ "private.example", 15, "10 mx.private.example", 0 },
	{ "mx.private.example", 1, "10.0.0.1", 0 },
	{ "mx.private.example", 1, "127.0.0.1", 0 },
	{ "mx.private.example", 28, "::1", 0 },
	{ "half-private.example", 15, "10 mx.private.example", 0 },
	{ "half-private.example", 15, "20 mx.one.example", 0 },
	{ "localhost.example", 15, "10 localhost", 0 },
	{ "mapped.example", 15, "10 mx.mapped.example", 0 },
	{ "mx.mapped.example", 28, "::ffff:127.0.0.1", 0 },
	{ "fail.example", 15, "!servfail", 0 },
	{ "fail.example", 1, "1.0.0.1", 0 },
	{ "host-fail.example", 15, "10 mx.host-fail.example", 0 },
	{ "mx.host-fail.example", 1, "!servfail", 0 },
	{ "half-fail.example", 15, "10 mx.host-fail.example", 0 },
	{ "half-fail.example", 15, "20 mx.one.example", 0 },
	{ "fail-private.example", 15, "10 mx.host-fail.example", 0 },
	{ "fail-private.example", 15, "20 mx.private.example", 0 },
	{ "silent.example", 15, "!silent", 0 },
	{ "evil.example", 15, "10 a\r\nb.example", 0 },
	{ "evil-and.example", 15, "10 a/b.example", 0 },
	{ "evil-and.example", 15, "20 mx.one.example", 0 },
	{ "address.example", 15, "10 1.0.0.1", 0 },
	{ "many.example", 15, "10 many.example", 400 },
	{ "wide.example", 15, "10 mx.wide.example", 0 },
	{ "mx.wide.example", 1, "1.1.0.0", 60 },
	{ "equal.example", 15, "10 e1.equal.example", 0 },
	{ "equal.example", 15, "10 e2.equal.example", 0 },
	{ "e1.equal.example", 1, "1.0.0.1", 0 },
	{ "e2.equal.example", 1, "1.0.0.2", 0 },
	{ "_under.example", 1, "1.0.0.1", 0 },
	{ "us.example", 15, "10 mx.us.example", 0 },
	{ "mx.us.example", 1, "1.0.0.7", 0 },
	{ "named.example", 15, "10 OURS.example", 0 },
	{ "named.example", 15, "20 mx.one.example", 0 },
	{ "ours.example", 1, "1.0.0.8", 0 },
	{ "backup.example", 15, "5 mx.one.example", 0 },
	{ "backup.example", 15, "10 mx.us.example", 0 },
	{ "backup.example", 15, "10 b.two.example", 0 },
	{ "backup.example", 15, "20 a.two.example", 0 },
	{ "equal-us.example", 15, "10 mx.us.example", 0 },
	{ "equal-us.example", 15, "10 mx.one.example", 0 },
	{ "down.example", 15, "5 mx.host-fail.example", 0 },
	{ "down.example", 15, "10 mx.us.example", 0 },
	{ "worse-down.example", 15, "5 mx.us.example", 0 },
	{ "worse-down.example", 15, "10 mx.host-fail.example", 0 },
	{ "itself.example", 1, "1.0.0.7", 0 },
	{ NULL, 0, NULL, 0 },
};

struct fixture {
	struct event_base *base;
	struct dns_server server;
	struct resolver *resolver;
	struct mx_policy policy;
	char targets[2048]; /* "host[address]:port ..." */
	size_t ntargets;
	struct outcome why;
	bool mx_present;
	int calls;
	bool inside;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	dns_server_start(&f->server, f->base, rows);
	f->resolver = resolver_new(f->base,
	    &(struct resolver_config){
		.servers = (const char *const[]){ f->server.address },
		.nservers = 1,
		.timeout = 3000 },
	    NULL);
	assert_non_null(f->resolver);
	f->policy =
	    (struct mx_policy){ .ipv4 = true, .ipv6 = true, .port = 25 };
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	resolver_free(&f->resolver);
	dns_server_stop(&f->server);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void
on_done(void *arg, const struct mx_result *r)
{
	struct fixture *f = arg;
	char text[NET_TEXT_MAX];

	assert_false(f->inside);
	f->calls++;
	f->why = r->why;
	f->mx_present = r->mx_present;
	f->ntargets = r->ntargets;
	f->targets[0] = '\0';
	for (size_t i = 0; i < r->ntargets; i++) {
		size_t n = strlen(f->targets);

		snprintf(f->targets + n, sizeof(f->targets) - n, "%s%s/%s",
		    n > 0 ? " " : "", r->targets[i].host,
		    net_endpoint_text(
			(const struct sockaddr *)&r->targets[i].addr, text));
	}
	event_base_loopbreak(f->base);
}

static void
look_up(struct fixture *f, const char *domain)
{
	f->calls = 0;
	f->inside = true;
	mx_lookup_new(f->resolver, domain, &f->policy, on_done, f);
	f->inside = false;
	event_base_dispatch(f->base);
	assert_int_equal(f->calls, 1);
}

static void
test_targets(void **state)
{
	static const struct {
		const char *domain, *targets;
		bool implicit;
	} cases[] = {
		{ "one.example", "mx.one.example/1.0.0.1:25", false },
		{ "One.Example", "mx.one.example/1.0.0.1:25", false },
		{ "two.example",
		    "a.two.example/1.0.0.1:25 b.two.example/1.0.0.2:25",
		    false },
		{ "shared.example", "mx.one.example/1.0.0.1:25", false },
		{ "implicit.example", "implicit.example/1.0.0.9:25", true },
		{ "alias.example", "mx.one.example/1.0.0.1:25", false },
		{ "implicit-alias.example", "implicit-alias.example/1.0.0.9:25",
		    true },
		{ "null-and.example", "mx.one.example/1.0.0.1:25", false },
		{ "cname-and.example", "mx.one.example/1.0.0.1:25", false },
		{ "half-private.example", "mx.one.example/1.0.0.1:25", false },
		{ "half-fail.example", "mx.one.example/1.0.0.1:25", false },
		{ "evil-and.example", "mx.one.example/1.0.0.1:25", false },
		{ "_under.example", "_under.example/1.0.0.1:25", true },
		{ "[1.0.0.1]", "[1.0.0.1]/1.0.0.1:25", true },
		{ "[IPv6:2606:4700::1]",
		    "[IPv6:2606:4700::1]/[2606:4700::1]:25", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		look_up(*state, cases[i].domain);
		assert_string_equal(
		    ((struct fixture *)*state)->targets, cases[i].targets);
		assert_int_equal(
		    ((struct fixture *)*state)->mx_present, !cases[i].implicit);
	}
}

static void
test_failures(void **state)
{
	static const struct {
		const char *domain, *enhanced, *text;
	} cases[] = {
		{ "gone.example", "5.1.2",
		    "domain does not exist: 'gone.example'" },
		{ "null.example", "5.1.10",
		    "domain takes no mail (null MX): 'null.example'" },
		{ "empty.example", "5.4.4", NULL },
		{ "cname.example", "5.4.4",
		    "all mail hosts of domain are aliases: 'cname.example'" },
		{ "dead.example", "5.4.4", NULL },
		{ "private.example", "5.4.4",
		    "domain has only addresses that mail must not be sent to: "
		    "'private.example'" },
		{ "localhost.example", "5.4.4", NULL },
		{ "mapped.example", "5.4.4", NULL },
		{ "evil.example", "5.4.4", NULL },
		{ "address.example", "5.4.4", NULL },
		{ "many.example", "5.4.4", NULL },
		{ "fail.example", "4.4.3",
		    "cannot look up MX of domain: 'fail.example': server "
		    "failure" },
		{ "host-fail.example", "4.4.3", NULL },
		{ "fail-private.example", "4.4.3", NULL },
		{ "silent.example", "4.4.3",
		    "cannot look up MX of domain: 'silent.example': "
		    "no answer in time" },
		{ "", "5.1.2", NULL },
		{ ".", "5.1.2", NULL },
		{ "a..example", "5.1.2", NULL },
		{ "a\r\nb.example", "5.1.2",
		    "not a domain name: 'a  b.example'" },
		{ "a b.example", "5.1.2", NULL },
		{ "a" LABEL63 ".example", "5.1.2", NULL },
		{ LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, "5.1.2", NULL },
		{ "\346\227\245\346\234\254.example", "5.6.7", NULL },
		{ "[10.0.0.1]", "5.4.4", NULL },
		{ "[IPv6:::1]", "5.4.4", NULL },
		{ "[IPv6:::ffff:10.0.0.1]", "5.4.4", NULL },
		{ "[1.0.0]", "5.1.2", NULL },
		{ "[1.0.0.1", "5.1.2", NULL },
		{ "[", "5.1.2", NULL },
		{ "[]", "5.1.2", NULL },
		{ "[IPv6:", "5.1.2", NULL },
		{ "[IPv6:1.0.0.1]", "5.1.2", NULL },
		{ "[2606:4700::1]", "5.1.2", NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		look_up(f, cases[i].domain);
		assert_int_equal(f->ntargets, 0);
		assert_string_equal(f->why.enhanced, cases[i].enhanced);
		assert_int_equal(f->why.permanent, cases[i].enhanced[0] == '5');
		assert_int_equal(f->why.stage, STAGE_DNS);
		assert_int_equal(f->why.code, 0);
		if (cases[i].text != NULL)
			assert_string_equal(f->why.text, cases[i].text);
	}
}

/* A host of ours: never a permanent failure, never an MX question. */
static void
test_hosts(void **state)
{
	static const struct {
		const char *host, *targets, *enhanced;
	} cases[] = {
		{ "mx.one.example", "mx.one.example/1.0.0.1:25", "" },
		{ "one.example", "", "4.4.4" },
		{ "alias.example", "", "4.4.4" },
		{ "c.cname.example", "c.cname.example/1.0.0.1:25", "" },
		{ "1.0.0.1", "1.0.0.1/1.0.0.1:25", "" },
		{ "2606:4700::1", "2606:4700::1/[2606:4700::1]:25", "" },
		{ "[1.0.0.1]", "[1.0.0.1]/1.0.0.1:25", "" },
		{ "127.0.0.1", "", "4.4.4" },
		{ "localhost", "", "4.4.4" },
		{ "gone.example", "", "4.4.4" },
		{ "bad name", "", "4.4.4" },
		{ "", "", "4.4.4" },
		{ "mx.host-fail.example", "", "4.4.3" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f->calls = 0;
		f->inside = true;
		mx_lookup_host(
		    f->resolver, cases[i].host, &f->policy, on_done, f);
		f->inside = false;
		event_base_dispatch(f->base);
		assert_int_equal(f->calls, 1);
		assert_string_equal(f->targets, cases[i].targets);
		assert_string_equal(f->why.enhanced, cases[i].enhanced);
		assert_false(f->why.permanent);
		if (f->ntargets == 0)
			assert_int_equal(f->why.scope, SCOPE_PATH);
	}
}

static void
test_policy(void **state)
{
	struct fixture *f = *state;

	f->policy.port = 2525;
	f->policy.ipv6 = false;
	look_up(f, "dual.example");
	assert_string_equal(f->targets, "mx.dual.example/1.0.0.1:2525");
	look_up(f, "[IPv6:2606:4700::1]");
	assert_int_equal(f->ntargets, 0);
	f->policy.ipv6 = true;
	f->policy.ipv4 = false;
	look_up(f, "dual.example");
	assert_string_equal(f->targets, "mx.dual.example/[2606:4700::1]:2525");
	f->policy.ipv4 = true;
	f->policy.allow_private = true;
	look_up(f, "private.example");
	assert_int_equal(f->ntargets, 3);
	look_up(f, "[127.0.0.1]");
	assert_string_equal(f->targets, "[127.0.0.1]/127.0.0.1:2525");
}

static void
test_hostile_sizes(void **state)
{
	struct fixture *f = *state;
	int before;

	look_up(f, "wide.example");
	assert_int_equal(f->ntargets, 10);
	f->policy.max_targets = 3;
	look_up(f, "wide.example");
	assert_int_equal(f->ntargets, 3);
	before = f->server.questions;
	look_up(f, "many.example");
	/* 400 hosts: no more than 16 of them are asked for, twice each. */
	assert_in_range(f->server.questions - before, 1, 16 * 2 + 2);
}

static void
test_equal_preference_is_shuffled(void **state)
{
	struct fixture *f = *state;
	int first = 0;

	for (int i = 0; i < 64; i++) {
		look_up(f, "equal.example");
		assert_int_equal(f->ntargets, 2);
		first += strncmp(f->targets, "e1.", 3) == 0;
	}
	assert_in_range(first, 1, 63);
}

static bool
is_us(const void *arg, const char *host, const struct sockaddr *sa)
{
	char text[NET_TEXT_MAX];

	(void)arg;
	if (host != NULL)
		return strcmp(host, "ours.example") == 0;
	return strcmp(net_endpoint_text(sa, text), "1.0.0.7:25") == 0;
}

/* RFC 5321 5.1: ourselves, and all that are no better, are no way out. */
static void
test_ourselves(void **state)
{
	static const struct {
		const char *domain, *targets, *enhanced;
	} cases[] = {
		{ "us.example", "", "5.4.6" },
		{ "named.example", "", "5.4.6" },
		{ "equal-us.example", "", "5.4.6" },
		{ "itself.example", "", "5.4.6" },
		{ "[1.0.0.7]", "", "5.4.6" },
		{ "worse-down.example", "", "5.4.6" },
		{ "down.example", "", "4.4.3" },
		{ "backup.example", "mx.one.example/1.0.0.1:25", "" },
		{ "one.example", "mx.one.example/1.0.0.1:25", "" },
	};
	struct fixture *f = *state;

	f->policy.is_us = is_us;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		look_up(f, cases[i].domain);
		assert_string_equal(f->targets, cases[i].targets);
		assert_string_equal(f->why.enhanced, cases[i].enhanced);
	}
	/* On another port it is another server. */
	f->policy.port = 2525;
	look_up(f, "us.example");
	assert_string_equal(f->targets, "mx.us.example/1.0.0.7:2525");
	/* A relay that the configuration names may be on this host. */
	f->policy.port = 25;
	mx_lookup_host(f->resolver, "1.0.0.7", &f->policy, on_done, f);
	event_base_dispatch(f->base);
	assert_string_equal(f->targets, "1.0.0.7/1.0.0.7:25");
}

static void
test_cancel(void **state)
{
	struct fixture *f = *state;
	static const char *const domains[] = { "one.example", "[1.0.0.1]",
		"silent.example" };
	struct mx_lookup *l;

	for (size_t i = 0; i < 3; i++) {
		l = mx_lookup_new(
		    f->resolver, domains[i], &f->policy, on_done, f);
		mx_lookup_free(&l);
		assert_null(l);
	}
	assert_int_equal(f->calls, 0);
	look_up(f, "two.example");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_hostile_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_equal_preference_is_shuffled, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_ourselves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
