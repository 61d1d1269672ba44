/*
 * test_gate.c - who may go, with preflight, the store and the rest of the core
 * played by this file: what closes and opens, what outlives a restart, what is
 * bounded, and a stop while checks hang.
 */
#include "router/gate_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/map.h"
#include "mta/dns/resolver.h"
#include "router/config.h"
#include "router/core_int.h"
#include "router/keep.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_gate.XXXXXX";

/* -- preflight, as far as the gate asks it; in the gate's thread ----------- */

/* What checks find from now on. */
enum play {
	PLAY_GOOD,
	PLAY_BAD, /* of the domains bad.* and of sources: for every carrier */
	PLAY_DOCOMO,  /* the same, for docomo alone */
	PLAY_UNKNOWN, /* DNS is down */
	PLAY_HANG,    /* they never end */
};
static _Atomic int play;
static _Atomic unsigned begun, cancelled;

struct preflight {
	struct event *event;
	const struct preflight_request *request;
	void (*each)(void *, const struct finding *);
	void (*done)(void *);
	void *arg;
};

static void
play_finding(struct preflight *p, int as)
{
	struct finding f = { .level = FINDING_GOOD,
		.check = "played",
		.subject = p->request->domain,
		.what = "as it should be",
		.why = "",
		.mend = "",
		.carriers = PREFLIGHT_ALL };

	if (f.subject == NULL)
		f.subject = p->request->sources[0].name;
	if (as == PLAY_DOCOMO)
		f.carriers = PREFLIGHT_DOCOMO;
	if (as == PLAY_UNKNOWN) {
		f.level = FINDING_UNKNOWN;
		f.what = "cannot be looked up";
	} else if (as != PLAY_GOOD && strncmp(f.subject, "good", 4) != 0) {
		f.level = FINDING_BAD;
		f.what = "not\nas it should be";
	}
	p->each(p->arg, &f);
}

static void
on_played(evutil_socket_t fd, short what, void *arg)
{
	struct preflight *p = arg;
	int as = play;

	(void)fd;
	(void)what;
	if (as == PLAY_HANG)
		return;
	play_finding(p, as);
	p->done(p->arg);
	event_free(p->event);
	free(p);
}

struct preflight *
preflight_new(struct resolver *resolver, const struct preflight_request *q,
    void (*each)(void *, const struct finding *), void (*done)(void *),
    void *arg)
{
	struct preflight *p = xcalloc(1, sizeof(*p));

	begun++;
	p->request = q;
	p->each = each;
	p->done = done;
	p->arg = arg;
	p->event = event_new(resolver_base(resolver), -1, 0, on_played, p);
	event_active(p->event, EV_TIMEOUT, 0);
	return p;
}

void
preflight_free(struct preflight **pp)
{
	cancelled++;
	event_free((*pp)->event);
	free(*pp);
	*pp = NULL;
}

const char *const *
preflight_port_hosts(size_t *n)
{
	static const char *const hosts[] = { "docomo.ne.jp" };

	*n = 1;
	return hosts;
}

unsigned
preflight_carrier(const char *carrier)
{
	return strcmp(carrier, "docomo") == 0 ? PREFLIGHT_DOCOMO
	       : strcmp(carrier, "au") == 0   ? PREFLIGHT_AU
					      : PREFLIGHT_ALL;
}

/* -- the rest of the core -------------------------------------------------- */

static struct core core;
static struct event *tick;
static unsigned changed, changed_closed;

void
core_gates_changed(struct core *c, bool closed)
{
	assert_ptr_equal(c, &core);
	changed++;
	changed_closed += closed;
}

/* What the store holds, of every process of a test. */
static struct {
	char *key, *value;
	int64_t expires;
} kept[64];
static size_t nkept;
static unsigned written;

void
keep_put(struct core *c, const char *kind, const char *key, const char *value,
    int64_t expires, void (*done)(void *, const char *), void *arg)
{
	size_t i = 0;

	(void)c;
	assert_string_equal(kind, "preflight");
	written++;
	while (i < nkept && strcmp(kept[i].key, key) != 0)
		i++;
	if (i == nkept && nkept < sizeof(kept) / sizeof(kept[0]))
		kept[nkept++].key = xstrdup(key);
	if (i < nkept) {
		free(kept[i].value);
		kept[i].value = xstrdup(value);
		kept[i].expires = expires;
	}
	done(arg, NULL);
}

void
store_each_kept(struct store *store, const char *kind,
    void (*each)(void *, const struct kept *), void *arg)
{
	struct kept k = { .kind = kind };

	(void)store;
	for (size_t i = 0; i < nkept; i++) {
		k.key = kept[i].key;
		k.value = kept[i].value;
		k.expires = kept[i].expires;
		if (k.value != NULL)
			each(arg, &k);
	}
}

static void
forget_all(void)
{
	for (size_t i = 0; i < nkept; i++) {
		free(kept[i].key);
		free(kept[i].value);
		kept[i].value = NULL;
	}
	nkept = 0;
	written = 0;
}

/* -- a daemon -------------------------------------------------------------- */

static const char settings[] =
    "hostname = mail.example.jp\nadmin-socket = sock\nrules = t.rules\n"
    "state-directory = .\ndns { servers = { \"127.0.0.1@9\" } }\n"
    "listener r { type = relay address = \"127.0.0.1:2525\" "
    "networks = { 127.0.0.0/8 } }\n"
    "source good1 { hostname = s1.example.jp address = \"127.0.0.2\" }\n"
    "source s2 { hostname = s2.example.jp address = \"127.0.0.3\" }\n"
    "source s3 { hostname = s3.example.jp address = \"127.0.0.4\" }\n"
    "pool one { sources = { good1 } }\npool two { sources = { s2 } }\n"
    "pool three { sources = { s3 } }\n"
    "path off { type = mta pool = three preflight = off }\n"
    "path sink { type = discard }\npreflight { interval = 1s }\n";
static const char rules[] = "route a to a.test via mta pool two\n"
			    "route default to any via mta\n";

static void
put(const char *name, const char *text)
{
	FILE *fp = fopen(name, "w");

	assert_non_null(fp);
	fputs(text, fp);
	assert_int_equal(fclose(fp), 0);
}

static struct config *
load(const char *paths)
{
	struct str report = STR_INIT, all = STR_INIT;
	struct config *c;

	str_adds(&all, settings);
	str_adds(&all, paths);
	put("t.conf", all.data);
	put("t.rules", rules);
	c = config_load_part("t.conf", CONFIG_RULES, &report);
	assert_string_equal(report.data, "");
	assert_non_null(c);
	str_release(&report);
	str_release(&all);
	return c;
}

#define ENFORCE "path mta { type = mta pool = one }\n"
#define WARN	"path mta { type = mta pool = one preflight = warn }\n"

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
up(const char *paths, enum play as)
{
	static const struct timeval five_ms = { .tv_usec = 5000 };

	play = as;
	begun = cancelled = changed = changed_closed = 0;
	core = (struct core){ .base = event_base_new() };
	core.inbox = inbox_new(core.base);
	tick = event_new(core.base, -1, EV_PERSIST, on_tick, NULL);
	event_add(tick, &five_ms);
	core.config = load(paths);
	core.gate = gate_new(&core);
	gate_start(core.gate);
}

static void
down(void)
{
	gate_stop(core.gate);
	inbox_free(&core.inbox);
	gate_free(&core.gate);
	config_unref(&core.config);
	event_free(tick);
	event_base_free(core.base);
}

static void
on_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

/* Turns the loop until the condition holds, which may be of the gate's thread.
 */
#define UNTIL(condition)                                                       \
	do {                                                                   \
		static const struct timeval patience = { .tv_sec = 30 };       \
		bool over = false;                                             \
		struct event *late =                                           \
		    evtimer_new(core.base, on_patience, &over);                \
		event_add(late, &patience);                                    \
		while (!(condition) && !over)                                  \
			event_base_loop(core.base, EVLOOP_ONCE);               \
		event_free(late);                                              \
		assert_false(over);                                            \
	} while (0)

static struct gate_subject *
subject(const char *key)
{
	return map_get(core.gate->subjects, key);
}

static bool
is_known(const char *key)
{
	struct gate_subject *s = subject(key);

	return s != NULL && s->known;
}

#define GOOD1 "source good1 s1.example.jp 127.0.0.2"
#define S2    "source s2 s2.example.jp 127.0.0.3"

/* One with that author and reverse-path, by that source, to that carrier. */
struct mail {
	const char *author, *from, *source, *carrier;
};

static bool
lets(const struct mail *mail, const char **why)
{
	struct message *m = message_new(1);
	struct route route = {
		.path = "mta", .source = mail->source, .carrier = mail->carrier
	};
	bool open;

	free(m->header_from);
	m->header_from = xstrdup(mail->author);
	message_set_from(m, mail->from);
	open = gate_lets(core.gate, m, &route, why);
	message_unref(&m);
	return open;
}

static bool
lets_domain(const char *domain)
{
	struct mail mail = { domain, "", "good1", "" };
	char from[300];
	const char *why;

	snprintf(from, sizeof(from), "x@%s", domain);
	mail.from = from;
	return lets(&mail, &why);
}

/* -- findings -------------------------------------------------------------- */

struct row {
	enum finding_level level;
	const char *check, *subject;
	unsigned carriers;
};

static void
fill(struct gate_findings *fs, const struct row *rows, bool closes)
{
	for (; rows->check != NULL; rows++) {
		struct finding f = { rows->level, rows->check, rows->subject,
			"what", "why", "mend", rows->carriers };
		gate_findings_add(fs, &f, closes);
	}
}

#define ALL PREFLIGHT_ALL

static void
laid_over(void **state)
{
	static const struct {
		const char *what;
		bool known;
		struct row before[3], now[4];
		unsigned closed;
	} cases[] = {
		{ "first, good", false, { { 0 } },
		    { { FINDING_GOOD, "a", "x", ALL },
			{ FINDING_NOTE, "b", "x", ALL } },
		    0 },
		{ "first, bad", false, { { 0 } },
		    { { FINDING_BAD, "a", "x", PREFLIGHT_AU } }, PREFLIGHT_AU },
		{ "first, unknown", false, { { 0 } },
		    { { FINDING_UNKNOWN, "a", "x", ALL } }, GATE_ALL },
		{ "unknown closes nothing open", true, { { 0 } },
		    { { FINDING_UNKNOWN, "a", "x", ALL } }, 0 },
		{ "unknown opens nothing closed", true,
		    { { FINDING_BAD, "a", "x", PREFLIGHT_AU } },
		    { { FINDING_UNKNOWN, "a", "x", ALL } }, PREFLIGHT_AU },
		{ "good opens", true, { { FINDING_BAD, "a", "x", ALL } },
		    { { FINDING_GOOD, "a", "x", ALL } }, 0 },
		{ "good of another thing, own unknown", true,
		    { { FINDING_BAD, "a", "x", PREFLIGHT_AU } },
		    { { FINDING_GOOD, "a", "y", ALL },
			{ FINDING_UNKNOWN, "a", "x", ALL } },
		    PREFLIGHT_AU },
		{ "good itself, another unknown", true,
		    { { FINDING_BAD, "a", "x", ALL } },
		    { { FINDING_GOOD, "a", "x", ALL },
			{ FINDING_UNKNOWN, "a", "y", ALL } },
		    0 },
		{ "it did not come to it", true,
		    { { FINDING_BAD, "a", "x", PREFLIGHT_DOCOMO } },
		    { { FINDING_UNKNOWN, "b", "x", ALL } }, PREFLIGHT_DOCOMO },
		{ "no longer asked", true, { { FINDING_BAD, "a", "x", ALL } },
		    { { FINDING_GOOD, "b", "x", ALL } }, 0 },
		{ "never decided yet", true,
		    { { FINDING_UNKNOWN, "a", "x", ALL } },
		    { { FINDING_UNKNOWN, "a", "x", ALL } }, GATE_ALL },
		{ "decided at last", true,
		    { { FINDING_UNKNOWN, "a", "x", ALL } },
		    { { FINDING_GOOD, "a", "x", ALL } }, 0 },
		{ "two carriers, two reasons", true,
		    { { FINDING_BAD, "a", "x", PREFLIGHT_AU } },
		    { { FINDING_UNKNOWN, "a", "x", ALL },
			{ FINDING_BAD, "b", "x", PREFLIGHT_DOCOMO } },
		    PREFLIGHT_AU | PREFLIGHT_DOCOMO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gate_findings before = { .n = 0 }, now = { .n = 0 };
		fill(&before, cases[i].before, true);
		fill(&now, cases[i].now, false);
		gate_findings_decide(&now, &before, cases[i].known);
		if (gate_findings_closed(&now) != cases[i].closed)
			fail_msg("%s: closed %u", cases[i].what,
			    gate_findings_closed(&now));
		gate_findings_clear(&before);
		gate_findings_clear(&now);
	}
}

static void
against_whom(void **state)
{
	static const struct row rows[] = {
		{ FINDING_BAD, "a", "x", PREFLIGHT_DOCOMO },
		{ FINDING_BAD, "b", "x", PREFLIGHT_DOCOMO | PREFLIGHT_AU },
		{ 0 },
	};
	struct gate_findings fs = { .n = 0 };

	(void)state;
	fill(&fs, rows, true);
	assert_string_equal(
	    gate_findings_against(&fs, PREFLIGHT_DOCOMO)->check, "a");
	assert_string_equal(
	    gate_findings_against(&fs, PREFLIGHT_AU)->check, "b");
	assert_null(gate_findings_against(&fs, PREFLIGHT_SOFTBANK));
	assert_null(gate_findings_against(&fs, PREFLIGHT_ALL));
	gate_findings_clear(&fs);
}

static void
as_text(void **state)
{
	static const struct row rows[] = {
		{ FINDING_BAD, "a", "x \"y\"", PREFLIGHT_DOCOMO },
		{ FINDING_UNKNOWN, "b", "z", PREFLIGHT_ALL },
		{ 0 },
	};
	static const char *const wrong[] = { "", "[]", "{}", "{\"at\":1}",
		"{\"at\":\"1\",\"closed\":[]}", "{\"at\":1,\"closed\":[{}]}",
		"{\"at\":1,\"closed\":[{\"level\":0,\"check\":\"\",\"subject\":"
		"\"\",\"what\":\"\",\"why\":\"\",\"mend\":\"\",\"carriers\":7}"
		"]}",
		"{\"at\":1,\"closed\":[{\"level\":3,\"check\":\"\",\"subject\":"
		"\"\",\"what\":\"\",\"why\":\"\",\"mend\":\"\",\"carriers\":8}"
		"]}" };
	struct gate_findings fs = { .n = 0 }, read = { .n = 0 };
	int64_t at = 0;
	char *text;

	(void)state;
	fill(&fs, rows, true);
	fill(&fs, rows, false); /* these are not kept */
	text = gate_findings_text(&fs, 12345);
	assert_int_equal(gate_findings_read(text, &read, &at), 0);
	assert_int_equal(at, 12345);
	assert_int_equal(read.n, 2);
	assert_string_equal(read.list[0].f.subject, "x \"y\"");
	assert_int_equal(read.list[0].f.carriers, PREFLIGHT_DOCOMO);
	assert_int_equal(read.list[1].f.level, FINDING_UNKNOWN);
	assert_true(read.list[1].closes);
	free(text);
	gate_findings_clear(&fs);
	gate_findings_clear(&read);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(gate_findings_read(wrong[i], &read, &at), -1);
		assert_int_equal(read.n, 0);
	}
}

/* -- who may go ------------------------------------------------------------ */

static void
good_goes(void **state)
{
	(void)state;
	up(ENFORCE, PLAY_GOOD);
	assert_false(lets_domain("good.jp"));
	UNTIL(lets_domain("good.jp"));
	UNTIL(changed > 0); /* it was waited for, and is open */
	assert_int_equal(changed_closed, 0);
	assert_null(subject("source s3 s3.example.jp 127.0.0.4"));
	down();
	forget_all();
}

static void
what_counts(void **state)
{
	static const struct {
		struct mail mail;
		bool open;
	} cases[] = {
		{ { "good.jp", "a@good.jp", "good1", "docomo" }, true },
		{ { "good.jp", "a@good.jp", "s2", "docomo" }, false },
		{ { "good.jp", "a@good.jp", "s2", "au" }, true },
		{ { "good.jp", "a@good.jp", "s2", "" }, true },
		{ { "bad.jp", "a@bad.jp", "good1", "docomo" }, false },
		{ { "bad.jp", "a@bad.jp", "good1", "au" }, true },
		{ { "bad.jp", "a@bad.jp", "good1", "rakuten" }, true },
		{ { "BAD.jp", "a@bad.JP", "good1", "docomo" }, false },
		{ { "bad.jp", "", "good1", "docomo" }, true },
		{ { "bad.jp", "", "s2", "docomo" }, false },
		{ { "", "a@bad.jp", "good1", "docomo" }, true },
		{ { "bad jp", "a@bad.jp", "good1", "docomo" }, true },
		{ { "bad.jp", "a@b.jp", "good1", "docomo" }, false },
		{ { "good.jp", "a@b.jp", "good1", "docomo" }, true },
		{ { "good.jp", "a@[192.0.2.1]", "good1", "docomo" }, true },
		{ { "good.jp", "a@good.jp", "s9", "docomo" }, true },
	};
	const char *why;

	(void)state;
	up(ENFORCE, PLAY_DOCOMO);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		lets(&cases[i].mail, &why);
	UNTIL(core.gate->checking == 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (lets(&cases[i].mail, &why) != cases[i].open)
			fail_msg("case %zu: %s", i, why);
	assert_non_null(subject("domain bad.jp"));
	assert_non_null(subject("domain bad.jp b.jp"));
	assert_null(subject("domain BAD.jp"));
	assert_null(subject("domain good.jp [192.0.2.1]"));
	down();
	forget_all();
}

static void
says_why(void **state)
{
	const struct mail by_s2 = { "", "", "s2", "docomo" };
	const char *why;

	(void)state;
	up(ENFORCE, PLAY_BAD);
	assert_false(lets(&by_s2, &why));
	assert_string_equal(why, "preflight: being checked");
	UNTIL(is_known(S2));
	assert_false(lets(&by_s2, &why));
	assert_string_equal(why, "preflight: s2: not?as it should be");
	down();
	forget_all();
}

static void
opens_when_mended(void **state)
{
	(void)state;
	up(ENFORCE, PLAY_BAD);
	assert_false(lets_domain("bad.jp"));
	UNTIL(changed > 0 && !evtimer_pending(core.gate->tell, NULL));
	assert_false(lets_domain("bad.jp"));
	play = PLAY_UNKNOWN;
	changed = 0;
	gate_check_all(core.gate);
	UNTIL(core.gate->checking == 0);
	assert_false(lets_domain("bad.jp"));
	assert_int_equal(changed, 0);
	play = PLAY_GOOD;
	UNTIL(changed > 0); /* by its timer */
	UNTIL(lets_domain("bad.jp"));
	down();
	forget_all();
}

static void
closes_when_broken(void **state)
{
	(void)state;
	up(ENFORCE, PLAY_GOOD);
	lets_domain("bad.jp");
	UNTIL(lets_domain("bad.jp"));
	play = PLAY_UNKNOWN;
	gate_check_all(core.gate);
	UNTIL(core.gate->checking == 0);
	assert_true(lets_domain("bad.jp"));
	play = PLAY_BAD;
	UNTIL(!lets_domain("bad.jp")); /* by its timer */
	UNTIL(changed_closed > 0);
	down();
	forget_all();
}

static void
warns_only(void **state)
{
	(void)state;
	up(WARN, PLAY_BAD);
	assert_true(lets_domain("bad.jp"));
	UNTIL(is_known("domain bad.jp"));
	assert_true(lets_domain("bad.jp"));
	assert_false(core.gate->enforces);
	down();
	forget_all();
}

static void
nothing_to_check(void **state)
{
	static const char *const paths[] = {
		"path mta { type = mta pool = one preflight = off }\n",
		"path mta { type = mta pool = one relay-host = h.test }\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		up(paths[i], PLAY_BAD);
		assert_true(lets_domain("bad.jp"));
		assert_null(core.gate->thread);
		assert_int_equal(map_count(core.gate->subjects), 0);
		down();
	}
	forget_all();
}

/* -- over a restart -------------------------------------------------------- */

static void
stays_over_a_restart(void **state)
{
	(void)state;
	up(ENFORCE, PLAY_BAD);
	lets_domain("bad.jp");
	lets_domain("good.jp");
	UNTIL(is_known("domain bad.jp") && is_known("domain good.jp"));
	down();
	assert_int_equal(begun, 4);
	up(ENFORCE, PLAY_UNKNOWN);
	assert_false(lets_domain("bad.jp"));
	assert_true(lets_domain("good.jp"));
	UNTIL(core.gate->checking == 0);
	assert_false(lets_domain("bad.jp"));
	assert_true(lets_domain("good.jp"));
	down();
	forget_all();
}

static void
writes_what_changes(void **state)
{
	unsigned n;

	(void)state;
	up(ENFORCE, PLAY_GOOD);
	UNTIL(is_known(GOOD1) && is_known(S2));
	n = written;
	assert_int_equal(n, 2);
	gate_check_all(core.gate);
	UNTIL(core.gate->checking == 0);
	assert_int_equal(written, n);
	play = PLAY_BAD;
	gate_check_all(core.gate);
	UNTIL(core.gate->checking == 0);
	assert_int_equal(written, n + 1); /* s2 */
	for (size_t i = 0; i < nkept; i++)
		assert_in_range(kept[i].expires - clock_wall(),
		    INT64_C(7) * 86400000 - 60000, INT64_C(7) * 86400000);
	down();
	forget_all();
}

static void
on_kept(void *arg, const char *why)
{
	assert_null(arg);
	assert_null(why);
}

/* What cannot be read, and what is of no use any more. */
static void
kept_by_others(void **state)
{
	static const char bad[] =
	    "{\"at\":1,\"closed\":[{\"level\":3,\"check\":\"played\","
	    "\"subject\":\"x\",\"what\":\"w\",\"why\":\"\",\"mend\":\"\","
	    "\"carriers\":7}]}";
	const struct mail mail = { "", "", "s2", "" };
	const char *why;

	(void)state;
	keep_put(&core, "preflight", GOOD1, "{", 0, on_kept, NULL);
	keep_put(&core, "preflight", S2, bad, 0, on_kept, NULL);
	keep_put(&core, "preflight", "source s2 other.jp 127.0.0.3", bad, 0,
	    on_kept, NULL);
	up(ENFORCE, PLAY_HANG);
	assert_false(is_known(GOOD1));
	assert_true(is_known(S2));
	assert_null(subject("source s2 other.jp 127.0.0.3"));
	assert_false(lets(&mail, &why));
	assert_string_equal(why, "preflight: x: w");
	down();
	forget_all();
}

/* -- a reload -------------------------------------------------------------- */

static void
reload(const char *paths)
{
	struct config *old = core.config;

	core.config = load(paths);
	gate_configure(core.gate);
	config_unref(&old);
}

static void
another_source(void **state)
{
	(void)state;
	up(ENFORCE, PLAY_GOOD);
	UNTIL(is_known(GOOD1) && is_known(S2));
	reload("path mta { type = mta pool = three }\n");
	assert_non_null(subject("source s3 s3.example.jp 127.0.0.4"));
	assert_null(subject(GOOD1));
	assert_non_null(subject(S2)); /* by a rule */
	UNTIL(is_known("source s3 s3.example.jp 127.0.0.4"));
	reload("path mta { type = mta pool = one preflight = off }\n");
	assert_true(lets_domain("bad.jp"));
	assert_int_equal(core.gate->nsources, 0);
	down();
	forget_all();
}

/* Checks of settings that are gone decide nothing. */
static void
reload_under_way(void **state)
{
	(void)state;
	up(ENFORCE, PLAY_BAD);
	lets_domain("bad.jp");
	play = PLAY_GOOD;
	reload(ENFORCE);
	UNTIL(core.gate->checking == 0);
	assert_true(lets_domain("bad.jp"));
	down();
	forget_all();
}

/* -- bounds ---------------------------------------------------------------- */

static void
many_domains(void **state)
{
	char domain[64];

	(void)state;
	up(ENFORCE, PLAY_GOOD);
	UNTIL(is_known(GOOD1) && is_known(S2));
	play = PLAY_HANG;
	for (int i = 0; i < GATE_USED_MAX + 500; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		assert_false(lets_domain(domain));
		assert_in_range(core.gate->nused, 0, GATE_USED_MAX);
	}
	assert_int_equal(
	    map_count(core.gate->subjects), GATE_USED_MAX + 2); /* sources */
	assert_non_null(subject(GOOD1));
	assert_in_range(core.gate->checking, 1, 8);
	assert_true(core.gate->missed);
	down();
	forget_all();
}

static void
stops_while_checks_hang(void **state)
{
	int64_t began;

	(void)state;
	up(ENFORCE, PLAY_HANG);
	lets_domain("bad.jp");
	UNTIL(begun >= 3);
	began = clock_mono();
	down();
	assert_int_equal(cancelled, 3);
	assert_in_range(clock_mono() - began, 0, 5000);
	forget_all();
}

static int
into_folder(void **state)
{
	(void)state;
	evthread_use_pthreads();
	return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int
out_of_folder(void **state)
{
	(void)state;
	unlink("t.conf");
	unlink("t.rules");
	return chdir("/") != 0 || rmdir(folder) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(laid_over),
		cmocka_unit_test(against_whom),
		cmocka_unit_test(as_text),
		cmocka_unit_test(good_goes),
		cmocka_unit_test(what_counts),
		cmocka_unit_test(says_why),
		cmocka_unit_test(opens_when_mended),
		cmocka_unit_test(closes_when_broken),
		cmocka_unit_test(warns_only),
		cmocka_unit_test(nothing_to_check),
		cmocka_unit_test(stays_over_a_restart),
		cmocka_unit_test(writes_what_changes),
		cmocka_unit_test(kept_by_others),
		cmocka_unit_test(another_source),
		cmocka_unit_test(reload_under_way),
		cmocka_unit_test(many_domains),
		cmocka_unit_test(stops_while_checks_hang),
	};

	return cmocka_run_group_tests(tests, into_folder, out_of_folder);
}
