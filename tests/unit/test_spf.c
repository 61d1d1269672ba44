/*
 * test_spf.c - SPF checks through the confined child, against a loopback DNS
 * server; children that misbehave; and what confinement forbids.
 *
 * This program is its own child: as SPF_CHILD it is the real one, and started
 * through a link named as a row of `bad_children` it is that one.
 */
#include "mta/spf/spf_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "mta/base/clock.h"
#include "mta/dns/resolver.h"
#include "mta/spf/spf_pipe.h"
#include "tests/unit/dns_server.h"

#define TIMEOUT 20000 /* ms; never reached unless something hangs */

/* clang-format off */
static const struct dns_row rows[] = {
	{ "ip4.example", DNS_TXT, "v=spf1 ip4:192.0.2.0/28 -all", 0 },
	{ "ip4.example", DNS_TXT, "v=spfx not this one", 0 },
	{ "ip6.example", DNS_TXT, "v=spf1 ip6:2001:db8::/32 -all", 0 },
	{ "soft.example", DNS_TXT, "v=spf1 ~all", 0 },
	{ "neutral.example", DNS_TXT, "v=spf1 ?all", 0 },
	{ "nothing.example", DNS_TXT, "v=spf1", 0 },
	{ "upper.example", DNS_TXT, "V=SPF1 +ALL", 0 },
	{ "other.example", DNS_TXT, "some-verification=1", 0 },
	{ "nodata.example", DNS_A, "192.0.2.1", 0 },
	{ "a.example", DNS_TXT, "v=spf1 a -all", 0 },
	{ "a.example", DNS_A, "192.0.2.1", 0 },
	{ "a.example", DNS_AAAA, "2001:db8::1", 0 },
	{ "mx.example", DNS_TXT, "v=spf1 mx -all", 0 },
	{ "mx.example", DNS_MX, "10 mx1.example", 0 },
	{ "mx.example", DNS_MX, "20 a.example", 0 },
	{ "mx1.example", DNS_A, "192.0.2.9", 0 },
	{ "manymx.example", DNS_TXT, "v=spf1 mx:ten.example a:ghost.example "
	  "include:ip4.example -all", 0 },
	{ "ten.example", DNS_MX, "10 ten.example", 10 },
	{ "m0.ten.example", DNS_A, "192.0.2.60", 0 },
	{ "m1.ten.example", DNS_A, "192.0.2.61", 0 },
	{ "m2.ten.example", DNS_A, "192.0.2.62", 0 },
	{ "m3.ten.example", DNS_A, "192.0.2.63", 0 },
	{ "m4.ten.example", DNS_A, "192.0.2.64", 0 },
	{ "m5.ten.example", DNS_A, "192.0.2.65", 0 },
	{ "m6.ten.example", DNS_A, "192.0.2.66", 0 },
	{ "m7.ten.example", DNS_A, "192.0.2.67", 0 },
	{ "m8.ten.example", DNS_A, "192.0.2.68", 0 },
	{ "m9.ten.example", DNS_A, "192.0.2.69", 0 },
	{ "toomanymx.example", DNS_TXT, "v=spf1 mx:eleven.example -all", 0 },
	{ "eleven.example", DNS_MX, "10 ten.example", 11 },
	{ "m10.ten.example", DNS_A, "192.0.2.70", 0 },
	{ "ptr.example", DNS_TXT, "v=spf1 ptr -all", 0 },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, "host.ptr.example", 0 },
	{ "host.ptr.example", DNS_A, "192.0.2.1", 0 },
	{ "include.example", DNS_TXT, "v=spf1 include:ip4.example -all", 0 },
	{ "redirect.example", DNS_TXT, "v=spf1 redirect=ip4.example", 0 },
	{ "explain.example", DNS_TXT, "v=spf1 exp=words.example -all", 0 },
	{ "words.example", DNS_TXT, "go away", 0 },
	{ "macro.example", DNS_TXT, "v=spf1 exists:%{i}._ip.%{d} -all", 0 },
	{ "192.0.2.1._ip.macro.example", DNS_A, "127.0.0.2", 0 },
	{ "local.example", DNS_TXT,
	  "v=spf1 exists:%{l}.%{o}.%{h}.who.example -all", 0 },
	{ "alice.local.example.mta.example.who.example", DNS_A, "127.0.0.2", 0 },
	{ "long.example", DNS_TXT, "v=spf1 exists:"
	  "%{l}.%{l}.%{l}.%{l}.%{l}.%{l}.%{l}.%{l}.%{l}.%{l}.end.example -all", 0 },
	{ "syntax.example", DNS_TXT, "v=spf1 ip4:300.1.1.1 -all", 0 },
	{ "unknown.example", DNS_TXT, "v=spf1 ipv4:192.0.2.1 -all", 0 },
	{ "two.example", DNS_TXT, "v=spf1 ip4:192.0.2.1 -all", 0 },
	{ "two.example", DNS_TXT, "v=spf1 -all", 0 },
	{ "twoinside.example", DNS_TXT, "v=spf1 include:two.example -all", 0 },
	{ "loop.example", DNS_TXT, "v=spf1 include:loop2.example -all", 0 },
	{ "loop2.example", DNS_TXT, "v=spf1 include:loop.example -all", 0 },
	{ "missing.example", DNS_TXT, "v=spf1 include:no.such.example -all", 0 },
	{ "tenlook.example", DNS_TXT, "v=spf1 a:h a:h a:h a:h a:h a:h a:h a:h "
	  "a:h a:a.example -all", 0 },
	{ "elevenlook.example", DNS_TXT, "v=spf1 a:h a:h a:h a:h a:h a:h a:h a:h "
	  "a:h a:h a:a.example", 0 },
	{ "h", DNS_A, "192.0.2.200", 0 },
	{ "spread.example", DNS_TXT, "v=spf1 include:five1.example "
	  "include:five2.example a:a.example", 0 },
	{ "five1.example", DNS_TXT, "v=spf1 a:h a:h a:h a:h a:h", 0 },
	{ "five2.example", DNS_TXT, "v=spf1 a:h a:h a:h a:h a:h", 0 },
	{ "void.example", DNS_TXT, "v=spf1 a:no1.example a:no2.example "
	  "a:a.example -all", 0 },
	{ "voids.example", DNS_TXT, "v=spf1 a:no1.example a:no2.example "
	  "a:no3.example a:a.example -all", 0 },
	{ "servfail.example", DNS_TXT, "!servfail", 0 },
	{ "innerfail.example", DNS_TXT, "v=spf1 a:fails.example -all", 0 },
	{ "fails.example", DNS_A, "!servfail", 0 },
	{ "silent.example", DNS_TXT, "!silent", 0 },
	{ "mta.example", DNS_TXT, "v=spf1 a -all", 0 },
	{ "mta.example", DNS_A, "192.0.2.1", 0 },
	{ "home.example", DNS_TXT, "v=spf1 ip4:127.0.0.3 -all", 0 },
	{ NULL, 0, NULL, 0 },
};
/* clang-format on */

struct fixture {
	struct event_base *base;
	struct dns_server server;
	struct resolver *resolver;
	struct spf_check *check;
	struct spf_answer answer;
	int calls;
	char dir[64];
};

static void
start_resolver(struct fixture *f, int64_t timeout)
{
	struct err e = ERR_INIT;

	f->resolver = resolver_new(f->base,
	    &(struct resolver_config){
		.servers = (const char *const[]){ f->server.address },
		.nservers = 1,
		.timeout = timeout },
	    &e);
	assert_string_equal(e.text, "");
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	dns_server_start(&f->server, f->base, rows);
	start_resolver(f, 2000);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	spf_check_free(&f->check);
	resolver_free(&f->resolver);
	dns_server_stop(&f->server);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void
on_done(void *arg, const struct spf_answer *a)
{
	struct fixture *f = arg;

	f->calls++;
	f->answer = *a;
	f->check = NULL;
	event_base_loopbreak(f->base);
}

static void
run_check(struct fixture *f, const char *program, const char *address,
    const char *mail_from, int64_t timeout)
{
	f->calls = 0;
	f->check = spf_check_new_with(program, f->resolver, address,
	    "mta.example", mail_from, timeout, on_done, f);
	assert_int_equal(f->calls, 0);
	event_base_dispatch(f->base);
	assert_int_equal(f->calls, 1);
	/* No zombie, and no child that still runs. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
expect(struct fixture *f, const char *address, const char *mail_from,
    enum spf_result result, const char *why)
{
	run_check(f, SPF_PROGRAM, address, mail_from, TIMEOUT);
	if (f->answer.result != result || strstr(f->answer.why, why) == NULL)
		fail_msg("%s from %s: %s, \"%s\"", mail_from, address,
		    spf_result_name(f->answer.result), f->answer.why);
}

#define GOOD "192.0.2.1"
#define BAD  "198.51.100.1"

static void
test_results(void **state)
{
	static const struct {
		const char *address, *mail_from;
		enum spf_result result;
	} table[] = {
		{ GOOD, "a@ip4.example", SPF_PASS },
		{ "192.0.2.16", "a@ip4.example", SPF_FAIL },
		{ BAD, "a@ip4.example", SPF_FAIL },
		{ "2001:db8::1", "a@ip4.example", SPF_FAIL },
		{ "2001:db8::1", "a@ip6.example", SPF_PASS },
		{ "2001:db9::1", "a@ip6.example", SPF_FAIL },
		{ GOOD, "a@soft.example", SPF_SOFTFAIL },
		{ GOOD, "a@neutral.example", SPF_NEUTRAL },
		{ GOOD, "a@nothing.example", SPF_NEUTRAL },
		{ GOOD, "a@upper.example", SPF_PASS },
		{ GOOD, "a@other.example", SPF_NONE },
		{ GOOD, "a@nodata.example", SPF_NONE },
		{ GOOD, "a@no.such.example", SPF_NONE },
		{ GOOD, "a@not a domain", SPF_NONE },
		{ GOOD, "a@a.example", SPF_PASS },
		{ BAD, "a@a.example", SPF_FAIL },
		{ "2001:db8::1", "a@a.example", SPF_PASS },
		{ GOOD, "a@mx.example", SPF_PASS },
		{ "192.0.2.9", "a@mx.example", SPF_PASS },
		{ BAD, "a@mx.example", SPF_FAIL },
		{ GOOD, "a@ptr.example", SPF_PASS },
		{ BAD, "a@ptr.example", SPF_FAIL },
		{ GOOD, "a@include.example", SPF_PASS },
		{ BAD, "a@include.example", SPF_FAIL },
		{ GOOD, "a@redirect.example", SPF_PASS },
		{ BAD, "a@redirect.example", SPF_FAIL },
		{ BAD, "a@explain.example", SPF_FAIL },
		{ GOOD, "a@macro.example", SPF_PASS },
		{ BAD, "a@macro.example", SPF_FAIL },
		{ GOOD, "alice@local.example", SPF_PASS },
		{ GOOD, "bob@local.example", SPF_FAIL },
		{ GOOD, "", SPF_PASS },
		{ BAD, "", SPF_FAIL },
		/* No free pass for loopback. */
		{ "127.0.0.1", "a@home.example", SPF_FAIL },
		{ "127.0.0.3", "a@home.example", SPF_PASS },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		expect(*state, table[i].address, table[i].mail_from,
		    table[i].result, "");
}

static void
test_broken_records(void **state)
{
	static const struct {
		const char *mail_from, *why;
	} table[] = {
		{ "a@syntax.example", "Invalid" },
		{ "a@unknown.example", "Unknown mechanism" },
		{ "a@two.example", "more than one SPF record" },
		{ "a@twoinside.example", "more than one SPF record" },
		{ "a@loop.example", "more than 10 look-ups" },
		{ "a@missing.example", "" },
		{ "a@elevenlook.example", "more than 10 look-ups" },
		/* Counted over all included records. */
		{ "a@spread.example", "more than 10 look-ups" },
		{ "a@voids.example", "more than 2 look-ups that find nothing" },
		{ "a@toomanymx.example", "" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		expect(*state, GOOD, table[i].mail_from, SPF_PERMERROR,
		    table[i].why);
}

/* As many as are allowed: one less than what the test above refuses. */
static void
test_limits_from_below(void **state)
{
	expect(*state, GOOD, "a@tenlook.example", SPF_PASS, "");
	expect(*state, GOOD, "a@void.example", SPF_PASS, "");
	/* 1 + 10 addresses are one look-up; two more follow. */
	expect(*state, GOOD, "a@manymx.example", SPF_PASS, "");
}

/* RFC 7208 7.3: labels go from the left until it fits. */
static void
test_name_too_long(void **state)
{
	struct fixture *f = *state;
	const char *mail_from =
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuv"
	    "@long.example";
	int before = f->server.questions;

	expect(f, GOOD, mail_from, SPF_FAIL, "");
	assert_int_equal(f->server.questions - before, 2);
}

static void
test_dns_trouble(void **state)
{
	struct fixture *f = *state;

	expect(f, GOOD, "a@servfail.example", SPF_TEMPERROR, "");
	expect(f, GOOD, "a@innerfail.example", SPF_TEMPERROR, "");
	expect(f, GOOD, "a@silent.example", SPF_TEMPERROR, "");
}

/* The check's own limit comes first. */
static void
test_time_limit(void **state)
{
	struct fixture *f = *state;

	run_check(f, SPF_PROGRAM, GOOD, "a@silent.example", 500);
	assert_int_equal(f->answer.result, SPF_TEMPERROR);
	assert_string_equal(f->answer.why, "DNS did not answer in time");
}

static void
test_words(void **state)
{
	struct fixture *f = *state;

	expect(f, GOOD, "a@ip4.example", SPF_PASS,
	    "domain of ip4.example designates 192.0.2.1 as permitted sender");
	expect(f, BAD, "a@ip4.example", SPF_FAIL,
	    "domain of ip4.example does not designate 198.51.100.1");
	expect(f, GOOD, "a@no.such.example", SPF_NONE, "no.such.example");
	expect(f, "not an address", "a@ip4.example", SPF_CRASHED,
	    "the check ended early (status ");
}

static void
test_many_at_once(void **state)
{
	struct fixture f[8];
	struct fixture *one = *state;

	for (size_t i = 0; i < 8; i++) {
		f[i] = *one;
		f[i].check = spf_check_new(one->resolver, GOOD, "mta.example",
		    i % 2 ? "a@mx.example" : "a@soft.example", TIMEOUT, on_done,
		    &f[i]);
	}
	for (size_t left = 8; left > 0; left--)
		event_base_dispatch(one->base);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(f[i].calls, 1);
		assert_int_equal(
		    f[i].answer.result, i % 2 ? SPF_PASS : SPF_SOFTFAIL);
	}
}

static void
test_cancel(void **state)
{
	struct fixture *f = *state;

	for (int spins = 0; spins < 20; spins++) {
		f->calls = 0;
		f->check = spf_check_new(f->resolver, GOOD, "mta.example",
		    "a@mx.example", TIMEOUT, on_done, f);
		for (int i = 0; i < spins && f->calls == 0; i++)
			event_base_loop(f->base, EVLOOP_ONCE);
		if (f->calls == 0)
			spf_check_free(&f->check);
		assert_null(f->check);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
	spf_check_free(&f->check);
}

static void
test_no_program(void **state)
{
	struct fixture *f = *state;

	run_check(f, "/nonexistent/program", GOOD, "a@ip4.example", TIMEOUT);
	assert_int_equal(f->answer.result, SPF_CRASHED);
	assert_string_equal(
	    f->answer.why, "cannot start the check: No such file or directory");
}

/* -- children that misbehave -- */

static void
say(const void *data, size_t len)
{
	if (write(STDOUT_FILENO, data, len) < 0)
		_exit(1);
}

static void
say_question(int type, const char *name)
{
	struct spf_question q = { .type = type };
	struct str s = STR_INIT;

	snprintf(q.name, sizeof(q.name), "%s", name);
	spf_pipe_put_question(&s, &q);
	say(s.data, s.len);
	str_release(&s);
}

static void
child_crash(void)
{
	signal(SIGSEGV, SIG_DFL); /* a sanitizer would make it an exit */
	raise(SIGSEGV);
}

static void
child_exit(void)
{
	_exit(7);
}

static void
child_hang(void)
{
	for (;;)
		pause();
}

static void
child_deaf(void)
{
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	child_hang();
}

static void
child_noise(void)
{
	say("hello", 5);
	child_hang();
}

static void
child_shout(void)
{
	static char big[60000];

	big[0] = 'E';
	say(big, sizeof(big));
	child_hang();
}

static void
child_type(void)
{
	say("Q\0\3name", 7); /* type 3 is not one to ask for */
	child_hang();
}

static void
child_nul(void)
{
	say("Q\0\1na\0me", 8);
	child_hang();
}

static void
child_long(void)
{
	char frame[3 + SPF_NAME_MAX + 1];

	memset(frame, 'a', sizeof(frame));
	memcpy(frame, "Q\0\1", 3);
	say(frame, sizeof(frame));
	child_hang();
}

static void
child_curious(void)
{
	char answer[100];

	for (;;) {
		say_question(DNS_TXT, "ip4.example");
		if (read(STDIN_FILENO, answer, sizeof(answer)) <= 0)
			_exit(1);
	}
}

/* A million addresses of a million hosts, all "of one MX". */
static void
child_mx(void)
{
	char answer[4000], name[40];

	for (int i = 0;; i = i == 9 ? -1 : i + 1) {
		snprintf(name, sizeof(name), "m%d.ten.example", i);
		say_question(
		    i < 0 ? DNS_MX : DNS_A, i < 0 ? "ten.example" : name);
		if (read(STDIN_FILENO, answer, sizeof(answer)) <= 0)
			_exit(1);
	}
}

static void
child_hasty(void)
{
	for (int i = 0; i < 3; i++)
		say_question(DNS_TXT, "ip4.example");
	say("E\2", 2);
	child_hang();
}

static void
child_escape(void)
{
	say("E\2a\r\nb\0\x1b[31mc", 13);
	child_hang();
}

static void
child_result(void)
{
	say("E\x63zz", 4);
	child_hang();
}

/* Nothing is inherited but the two ends of the pipe. */
static void
child_inherited(void)
{
	char words[] = "E\2clean";

	for (int fd = 2; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			say("E\3leaked", 8);
	say(environ[0] == NULL ? words : "E\3env", environ[0] == NULL ? 7 : 5);
	child_hang();
}

static const struct bad_child {
	const char *name;
	void (*run)(void);
	int64_t timeout;
	enum spf_result result;
	const char *why;
} bad_children[] = {
	{ "crash", child_crash, TIMEOUT, SPF_CRASHED,
	    "the check died (signal 11)" },
	{ "exit", child_exit, TIMEOUT, SPF_CRASHED,
	    "the check ended early (status 7)" },
	{ "hang", child_hang, 300, SPF_CRASHED, "the check took too long" },
	{ "deaf", child_deaf, TIMEOUT, SPF_CRASHED,
	    "the check died (signal 9)" },
	{ "noise", child_noise, TIMEOUT, SPF_CRASHED, "the check babbles" },
	{ "shout", child_shout, TIMEOUT, SPF_CRASHED, "the check babbles" },
	{ "type", child_type, TIMEOUT, SPF_CRASHED, "the check babbles" },
	{ "nul", child_nul, TIMEOUT, SPF_CRASHED, "the check babbles" },
	{ "long", child_long, TIMEOUT, SPF_CRASHED, "the check babbles" },
	{ "curious", child_curious, TIMEOUT, SPF_PERMERROR,
	    "more than 10 look-ups" },
	{ "mx", child_mx, TIMEOUT, SPF_PERMERROR, "more than 10 look-ups" },
	{ "hasty", child_hasty, TIMEOUT, SPF_PASS, "" },
	{ "escape", child_escape, TIMEOUT, SPF_PASS, "a??b??[31mc" },
	{ "result", child_result, TIMEOUT, SPF_CRASHED, "the check babbles" },
	{ "inherited", child_inherited, TIMEOUT, SPF_PASS, "clean" },
};
#define NBAD (sizeof(bad_children) / sizeof(bad_children[0]))

static const struct bad_child *
bad_child_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < NBAD; i++)
		if (slash != NULL &&
		    strcmp(slash + 1, bad_children[i].name) == 0)
			return &bad_children[i];
	return NULL;
}

static void
test_bad_children(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/test_spf.XXXXXX", self[PATH_MAX] = "", path[128];

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < NBAD; i++) {
		const struct bad_child *b = &bad_children[i];

		snprintf(path, sizeof(path), "%s/%s", dir, b->name);
		assert_int_equal(symlink(self, path), 0);
		run_check(f, path, GOOD, "a@ip4.example", b->timeout);
		unlink(path);
		if (f->answer.result != b->result ||
		    strcmp(f->answer.why, b->why) != 0)
			fail_msg("%s: %s, \"%s\"", b->name,
			    spf_result_name(f->answer.result), f->answer.why);
	}
	rmdir(dir);
}

/* -- confinement -- */

static void
do_nothing(void)
{
}

static void
do_memory(void)
{
	for (size_t i = 1; i < 1000; i++)
		free(realloc(malloc(i * 1000), i));
}

static void
do_socket(void)
{
	(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void
do_open(void)
{
	(void)open("/etc/passwd", O_RDONLY);
}

static void
do_fork(void)
{
	(void)fork();
}

static void
do_exec(void)
{
	char *argv[] = { NULL };

	execve("/bin/true", argv, argv);
}

static void
do_code(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
do_kill(void)
{
	kill(getppid(), 0);
}

static void
do_write_elsewhere(void)
{
	if (write(STDERR_FILENO, "x", 1) < 0)
		_exit(0);
}

static void
do_dup(void)
{
	_exit(dup(STDIN_FILENO) < 0);
}

static void
do_unlimit(void)
{
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 });
}

/* Wait status of a process that is confined and then does that. */
static int
confined(void (*act)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		if (spf_confine(NULL) != 0)
			_exit(2);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_confinement(void **state)
{
	static const struct {
		const char *name;
		void (*act)(void);
		bool allowed;
	} table[] = {
		{ "nothing", do_nothing, true },
		{ "memory", do_memory, true },
		{ "socket", do_socket, false },
		{ "open", do_open, false },
		{ "fork", do_fork, false },
		{ "exec", do_exec, false },
		{ "code", do_code, false },
		{ "kill", do_kill, false },
		{ "write", do_write_elsewhere, false },
		{ "dup", do_dup, false },
		{ "unlimit", do_unlimit, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int status = confined(table[i].act);

		if (table[i].allowed
			? status != 0
			: !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg(
			    "%s: status %x", table[i].name, (unsigned)status);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_results, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_broken_records, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_limits_from_below, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_name_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_dns_trouble, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_time_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_words, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_many_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_no_program, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_bad_children, setup, teardown),
		cmocka_unit_test(test_confinement),
	};
	const struct bad_child *bad =
	    bad_child_of((const char *)getauxval(AT_EXECFN));

	if (bad != NULL)
		bad->run();
	spf_child_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
