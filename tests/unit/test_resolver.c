/*
 * test_resolver.c - the resolver against a DNS server that misbehaves, and the
 * message reader against bytes that no good server sends.
 */
#include "mta/dns/resolver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mta/base/clock.h"
#include "tests/unit/dns_server.h"

static const struct dns_row rows[] = {
	{ "a.example", DNS_A, "192.0.2.1", 0 },
	{ "a.example", DNS_MX, "10 MX.a.example", 0 },
	{ "a.example", DNS_MX, "20 mx2.a.example", 0 },
	{ "alias.example", DNS_CNAME, "a.example", 0 },
	{ "loop1.example", DNS_CNAME, "loop2.example", 0 },
	{ "loop2.example", DNS_CNAME, "loop1.example", 0 },
	{ "dangling.example", DNS_CNAME, "missing.example", 0 },
	{ "fail.example", DNS_A, "!servfail", 0 },
	{ "refused.example", DNS_A, "!refused", 0 },
	{ "silent.example", DNS_A, "!silent", 0 },
	{ "garbage.example", DNS_A, "!garbage", 0 },
	{ "big.example", DNS_A, "!truncated", 0 },
	{ "big.example", DNS_A, "198.51.100.0", 250 },
	{ "txt.example", DNS_TXT, "v=spf1 -all", 0 },
	{ "name.test", DNS_A, "192.0.2.9", 0 },
	{ NULL, 0, NULL, 0 },
};

struct fixture {
	struct event_base *base;
	struct dns_server server;
	struct resolver *resolver;
	struct resolver_query *query;
	struct dns_answer answer; /* pointers are dead after the callback */
	char canonical[DNS_NAME_TEXT_MAX];
	uint8_t first[300];
	size_t first_len;
	int calls;
	bool inside; /* resolver_query_new has not returned */
	bool free_inside;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = ERR_INIT;

	f->base = event_base_new();
	dns_server_start(&f->server, f->base, rows);
	f->resolver = resolver_new(f->base,
	    &(struct resolver_config){
		.servers = (const char *const[]){ f->server.address },
		.nservers = 1,
		.timeout = 3000 },
	    &e);
	assert_string_equal(e.text, "");
	assert_non_null(f->resolver);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	resolver_query_free(&f->query);
	resolver_free(&f->resolver);
	dns_server_stop(&f->server);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void
on_done(void *arg, const struct dns_answer *a)
{
	struct fixture *f = arg;

	assert_false(f->inside);
	f->calls++;
	f->answer = *a;
	snprintf(f->canonical, sizeof(f->canonical), "%s",
	    a->canonical ? a->canonical : "");
	f->first_len = 0;
	if (a->nrdata > 0) {
		f->first_len = a->rdata_len[0];
		memcpy(f->first, a->rdata[0], f->first_len);
	}
	if (f->free_inside)
		resolver_query_free(&f->query);
	event_base_loopbreak(f->base);
}

static void
ask(struct fixture *f, const char *name, int type)
{
	resolver_query_free(&f->query);
	f->calls = 0;
	f->inside = true;
	f->query = resolver_query_new(f->resolver, name, type, on_done, f);
	f->inside = false;
	event_base_dispatch(f->base);
	assert_int_equal(f->calls, 1);
}

static void
test_statuses(void **state)
{
	char label64[70], longest[300];
	const struct {
		const char *name;
		int type;
		enum dns_status status;
		size_t nrdata;
		const char *canonical;
	} cases[] = {
		{ "a.example", DNS_A, DNS_OK, 1, "" },
		{ "A.EXAMPLE", DNS_A, DNS_OK, 1, "" },
		{ "a.example.", DNS_MX, DNS_OK, 2, "" },
		{ "a.example", DNS_AAAA, DNS_NODATA, 0, "" },
		{ "missing.example", DNS_A, DNS_NXDOMAIN, 0, "" },
		{ "alias.example", DNS_A, DNS_OK, 1, "a.example" },
		{ "alias.example", DNS_AAAA, DNS_NODATA, 0, "a.example" },
		{ "alias.example", DNS_CNAME, DNS_OK, 1, "" },
		{ "loop1.example", DNS_A, DNS_TEMPFAIL, 0, "" },
		{ "dangling.example", DNS_A, DNS_NXDOMAIN, 0,
		    "missing.example" },
		{ "fail.example", DNS_A, DNS_TEMPFAIL, 0, "" },
		{ "refused.example", DNS_A, DNS_TEMPFAIL, 0, "" },
		{ "garbage.example", DNS_A, DNS_TEMPFAIL, 0, "" },
		{ "silent.example", DNS_A, DNS_TEMPFAIL, 0, "" },
		{ "txt.example", DNS_TXT, DNS_OK, 1, "" },
		{ "name.test", DNS_A, DNS_OK, 1, "" },
		{ "big.example", DNS_A, DNS_OK, DNS_MAX_RECORDS, "" },
		{ "", DNS_A, DNS_NXDOMAIN, 0, "" },
		{ "a..example", DNS_A, DNS_NXDOMAIN, 0, "" },
		{ ".a.example", DNS_A, DNS_NXDOMAIN, 0, "" },
		{ "a b.example", DNS_A, DNS_NXDOMAIN, 0, "" },
		{ "a\r\n.example", DNS_A, DNS_NXDOMAIN, 0, "" },
		{ "a\\046example", DNS_A, DNS_NXDOMAIN, 0, "" },
		{ "\343\201\202.example", DNS_A, DNS_NXDOMAIN, 0, "" },
		{ label64, DNS_A, DNS_NXDOMAIN, 0, "" },
		{ longest, DNS_A, DNS_NXDOMAIN, 0, "" },
	};
	struct fixture *f = *state;

	snprintf(label64, sizeof(label64), "%064d.jp", 0);
	snprintf(longest, sizeof(longest), "%050d.%050d.%050d.%050d.%050d", 0,
	    0, 0, 0, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask(f, cases[i].name, cases[i].type);
		assert_int_equal(f->answer.status, cases[i].status);
		assert_int_equal(f->answer.nrdata, cases[i].nrdata);
		assert_string_equal(f->canonical, cases[i].canonical);
		assert_false(f->answer.secure);
		if (cases[i].status == DNS_TEMPFAIL)
			assert_string_not_equal(f->answer.why, "");
	}
}

static void
test_truncated_answer_comes_by_tcp(void **state)
{
	struct fixture *f = *state;

	ask(f, "big.example", DNS_A);
	assert_int_equal(f->answer.status, DNS_OK);
	assert_int_equal(f->server.tcp_questions, 1);
}

static void
test_mx_rdata_is_expanded(void **state)
{
	struct fixture *f = *state;
	char host[DNS_NAME_TEXT_MAX];
	unsigned preference;

	ask(f, "a.example", DNS_MX);
	assert_int_equal(
	    dns_mx_read(f->first, f->first_len, &preference, host), 0);
	assert_true(preference == 10 ? strcmp(host, "mx.a.example") == 0
				     : strcmp(host, "mx2.a.example") == 0);
}

static void
test_free_inside_callback(void **state)
{
	struct fixture *f = *state;

	f->free_inside = true;
	ask(f, "a.example", DNS_A);
	assert_null(f->query);
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

/* The cancelled query's answer arrives while the other's is waited for. */
static void
test_freed_query_does_not_call(void **state)
{
	struct fixture *f = *state, other = { .base = f->base };
	struct resolver_query *q = resolver_query_new(
	    f->resolver, "a.example", DNS_A, on_done, &other);

	resolver_query_free(&q);
	assert_null(q);
	ask(f, "a.example", DNS_A);
	ask(f, "txt.example", DNS_TXT);
	assert_int_equal(other.calls, 0);
}

static void
test_silence_ends_in_time(void **state)
{
	struct fixture *f = *state;
	int64_t start = clock_mono();

	ask(f, "silent.example", DNS_A);
	assert_int_equal(f->answer.status, DNS_TEMPFAIL);
	assert_in_range(clock_mono() - start, 0, 6000);
}

/* A dead server must be found alive again soon after it is. */
static void
test_recovery(void **state)
{
	struct fixture *f = *state;
	int64_t start;
	int tries = 0;

	f->server.dead = true;
	for (int i = 0; i < 4; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%d.example", i);
		ask(f, name, DNS_A);
		assert_int_equal(f->answer.status, DNS_TEMPFAIL);
	}
	f->server.dead = false;
	start = clock_mono();
	do {
		ask(f, "a.example", DNS_A);
		tries++;
	} while (
	    f->answer.status == DNS_TEMPFAIL && clock_mono() - start < 15000);
	print_message("alive after %d tries, %lld ms\n", tries,
	    (long long)(clock_mono() - start));
	assert_int_equal(f->answer.status, DNS_OK);
}

static void
test_closed_port(void **state)
{
	struct fixture *f = *state;
	struct resolver_config config = {
		.servers = (const char *const[]){ "127.0.0.1@1" },
		.nservers = 1,
		.timeout = 1000
	};
	struct resolver *r = resolver_new(f->base, &config, NULL);
	int64_t start = clock_mono();

	assert_non_null(r);
	f->query = resolver_query_new(r, "a.example", DNS_A, on_done, f);
	event_base_dispatch(f->base);
	print_message("refused after %lld ms: %s\n",
	    (long long)(clock_mono() - start), f->answer.why);
	assert_int_equal(f->answer.status, DNS_TEMPFAIL);
	resolver_query_free(&f->query);
	resolver_free(&r);
}

static void
test_bad_configuration(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	struct resolver_config bad_server = {
		.servers = (const char *const[]){ "dns.example" }, .nservers = 1
	};
	struct resolver_config no_anchor = {
		.servers = (const char *const[]){ f->server.address },
		.nservers = 1,
		.trust_anchor_file = "/nonexistent/root.key"
	};

	assert_null(resolver_new(f->base, &bad_server, &e));
	assert_string_equal(
	    e.text, "not a DNS server's address: 'dns.example'");
	assert_null(resolver_new(f->base, &no_anchor, &e));
	assert_string_equal(e.text,
	    "cannot read trust anchors '/nonexistent/root.key': "
	    "No such file or directory");
}

/* Many at once: all are answered, none twice. */
#define MANY 300
static int many_done;

static void
on_many(void *arg, const struct dns_answer *a)
{
	assert_int_equal(a->status, DNS_NXDOMAIN);
	if (++many_done == MANY)
		event_base_loopbreak(arg);
}

static void
test_many(void **state)
{
	struct fixture *f = *state;
	struct resolver_query *q[MANY];
	char name[32];

	many_done = 0;
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many%d.example", i);
		q[i] = resolver_query_new(
		    f->resolver, name, DNS_A, on_many, f->base);
	}
	event_base_dispatch(f->base);
	for (int i = 0; i < MANY; i++)
		resolver_query_free(&q[i]);
	assert_int_equal(many_done, MANY);
}

/* Freed while libunbound still works on them, and the resolver right after. */
static void
test_teardown_with_work_in_hand(void **state)
{
	struct fixture *f = *state;
	struct resolver_query *q[20];
	struct timeval soon = { .tv_usec = 50000 };
	struct event *stop = evtimer_new(f->base, on_stop, f->base);

	for (int i = 0; i < 20; i++)
		q[i] = resolver_query_new(
		    f->resolver, "silent.example", DNS_A, on_done, f);
	evtimer_add(stop, &soon);
	event_base_dispatch(f->base);
	event_free(stop);
	for (int i = 0; i < 20; i++)
		resolver_query_free(&q[i]);
	assert_int_equal(f->calls, 0);
}

static void
test_message_reader(void **state)
{
	/* Question "a" MX, then answers as given. */
#define HEAD(flags, n)	       "\0\1" flags "\0\1\0" n "\0\0\0\0\1a\0\0\17\0\1"
#define RR(owner, type, rdlen) owner "\0" type "\0\1\0\0\0\0\0" rdlen
#define CASE(result, n, bytes)                                                 \
	{                                                                      \
		bytes, sizeof(bytes) - 1, result, n                            \
	}
	static const struct {
		const char *bytes;
		size_t len;
		int result;
		size_t nrdata;
	} cases[] = {
		CASE(-1, 0, ""),
		CASE(-1, 0, "\0\1\201\200\0\1\0\0\0\0\0"),
		CASE(0, 0, HEAD("\201\200", "\0")),
		CASE(0, 0, HEAD("\201\203", "\0")),
		/* a query; truncated to nothing; one answer promised, none
		   there */
		CASE(-1, 0, HEAD("\1\0", "\0")),
		CASE(-1, 0, HEAD("\203\200", "\0")),
		CASE(-1, 0, HEAD("\201\200", "\1")),
		CASE(0, 1,
		    HEAD("\201\200", "\1")
			RR("\300\14", "\17", "\5") "\0\12\1b\0"),
		/* compressed exchange; pointer to itself, forward, past the end
		 */
		CASE(0, 1,
		    HEAD("\201\200", "\1")
			RR("\300\14", "\17", "\4") "\0\12\300\14"),
		CASE(-1, 0,
		    HEAD("\201\200", "\1")
			RR("\300\14", "\17", "\4") "\0\12\300\41"),
		CASE(-1, 0,
		    HEAD("\201\200", "\1")
			RR("\300\23", "\17", "\4") "\0\12\1b"),
		CASE(-1, 0,
		    HEAD("\201\200", "\1")
			RR("\300\14", "\17", "\4") "\0\12\377\377"),
		/* RDATA longer than the packet; name past, and short of, its
		   end */
		CASE(-1, 0,
		    HEAD("\201\200", "\1")
			RR("\300\14", "\17", "\77") "\0\12\1b\0"),
		CASE(-1, 0,
		    HEAD("\201\200", "\1")
			RR("\300\14", "\17", "\4") "\0\12\1b\0"),
		CASE(-1, 0,
		    HEAD("\201\200", "\1")
			RR("\300\14", "\17", "\6") "\0\12\1b\0x"),
		CASE(-1, 0,
		    HEAD("\201\200", "\1") RR("\300\14", "\17", "\1") "\0"),
		/* label types that no one uses; another owner; another type */
		CASE(-1, 0,
		    HEAD("\201\200", "\1")
			RR("\101a\0", "\17", "\5") "\0\12\1b\0"),
		CASE(0, 0,
		    HEAD("\201\200", "\1")
			RR("\1c\0", "\17", "\5") "\0\12\1b\0"),
		CASE(0, 0,
		    HEAD("\201\200", "\1")
			RR("\300\14", "\1", "\4") "\1\2\3\4"),
		/* an alias of itself */
		CASE(-1, 0,
		    HEAD("\201\200", "\1") RR("\300\14", "\5", "\2") "\300\14"),
	};
	struct dns_message m;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    dns_message_read(&m, (const uint8_t *)cases[i].bytes,
			cases[i].len, DNS_MX),
		    cases[i].result);
		if (cases[i].result != 0)
			continue;
		assert_int_equal(m.nrdata, cases[i].nrdata);
		dns_message_clear(&m);
	}
}

static void
test_name_text(void **state)
{
	char text[DNS_NAME_TEXT_MAX];
	uint8_t worst[DNS_NAME_MAX];

	(void)state;
	assert_string_equal(dns_name_text((const uint8_t *)"", text), ".");
	assert_string_equal(
	    dns_name_text((const uint8_t *)"\3a.b\4\r\n\\\"\1c", text),
	    "a\\046b.\\013\\010\\092\\034.c");
	memset(worst, 1, sizeof(worst));
	worst[254] = 0;
	assert_int_equal(strlen(dns_name_text(worst, text)), 127 * 5 - 1);
}

static void
test_host_names(void **state)
{
	(void)state;
	assert_true(dns_name_is_host("mfsmax.docomo.ne.jp"));
	assert_true(dns_name_is_host("_x-1.jp"));
	assert_false(dns_name_is_host("mx.jp."));
	assert_false(dns_name_is_host("."));
	assert_false(dns_name_is_host("mx\\013.jp"));
	assert_false(dns_name_is_host("m/x.jp"));
	assert_true(dns_name_is_valid("mx.jp."));
	assert_false(dns_name_is_valid("."));
	assert_false(dns_name_is_valid("mx.jp.."));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_reader),
		cmocka_unit_test(test_name_text),
		cmocka_unit_test(test_host_names),
		cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_truncated_answer_comes_by_tcp, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_mx_rdata_is_expanded, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_free_inside_callback, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_freed_query_does_not_call, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_silence_ends_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recovery, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_closed_port, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_bad_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_teardown_with_work_in_hand, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
