/*
 * test_rules.c - decisions, carriers, splits, shapes, and the rules that ship.
 *
 * Run from the top of the source: reads conf/. The facts that carriers.rules is
 * checked against are in $OIWAKE_FACTS, default ../shared/facts; without them
 * that one test is skipped.
 */
#include "tests/unit/rules_help.h"

#include <pthread.h>

#define S "s@sender.example"

/* ---- selection ---- */

static const char selection[] =
    "carrier docomo docomo.ne.jp\n"
    "carrier au group kddi ezweb.ne.jp .biz.ezweb.ne.jp\n"
    "route bounces  from <> to carrier *               via mta pool null\n"
    "route person   to Taro@docomo.ne.jp               via person\n"
    "route quoted   to \"a b\"@example.jp              via quoted\n"
    "route pair     from domain news.example to carrier docomo via pair\n"
    "route below    to domain .example.jp              via below\n"
    "route self     to example.co.jp .example.co.jp    via self\n"
    "route sender   from boss@corp.example .corp.example via sender\n"
    "route docomo   to carrier docomo domain extra.example via mta\n"
    "route keitai   to carrier *                       via mta pool keitai\n"
    "route default  to any  via ses configuration-set main\n";

static void
test_selection(void **state)
{
	static const struct {
		const char *from, *to, *rule;
	} cases[] = {
		{ "", "x@docomo.ne.jp", "bounces" },
		{ "", "x@gmail.com", "default" },
		{ S, "taro@docomo.ne.jp", "person" },
		{ S, "TARO@docomo.ne.jp", "person" },
		{ S, "taro2@docomo.ne.jp", "docomo" },
		{ S, "a b@example.jp", "quoted" },
		{ S, "A B@example.jp", "quoted" },
		{ S, "ab@example.jp", "default" },
		{ "a@news.example", "x@docomo.ne.jp", "pair" },
		{ "a@news.example", "x@ezweb.ne.jp", "keitai" },
		{ "a@sub.news.example", "x@docomo.ne.jp", "docomo" },
		{ S, "x@a.example.jp", "below" },
		{ S, "x@b.a.example.jp", "below" },
		{ S, "x@example.jp", "default" },
		{ S, "x@notexample.jp", "default" },
		{ S, "x@example.co.jp", "self" },
		{ S, "x@www.example.co.jp", "self" },
		{ S, "x@xexample.co.jp", "default" },
		{ "boss@corp.example", "x@gmail.com", "sender" },
		{ "BOSS@corp.example", "x@gmail.com", "sender" },
		{ "clerk@corp.example", "x@gmail.com", "default" },
		{ "clerk@a.corp.example", "x@gmail.com", "sender" },
		{ "boss@corp.example", "x@ezweb.ne.jp", "sender" },
		{ S, "x@extra.example", "docomo" },
		{ S, "a..b@docomo.ne.jp", "docomo" },
		{ S, "a.@ezweb.ne.jp", "keitai" },
		{ S, "x@shop.biz.ezweb.ne.jp", "keitai" },
		{ S, "x@biz.ezweb.ne.jp", "default" },
		{ S, "x@[192.0.2.1]", "default" },
		{ S, "x@", "default" },
		{ S, "x@.", "default" },
		{ S, "x@..jp", "default" },
		{ S, "x@.example.jp", "below" },
	};
	struct ruleset *rs = parse(selection);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rules_decision d =
		    decide(rs, cases[i].from, cases[i].to);

		if (strcmp(d.rule->name, cases[i].rule) != 0)
			fail_msg("from '%s' to '%s': rule %s, expected %s",
			    cases[i].from, cases[i].to, d.rule->name,
			    cases[i].rule);
	}
	ruleset_unref(rs);
}

static void
test_decision_is_complete(void **state)
{
	struct ruleset *rs = parse(selection);
	struct rules_decision d = decide(rs, S, "x@ezweb.ne.jp");

	(void)state;
	assert_string_equal(d.rule->name, "keitai");
	assert_string_equal(d.rule->file, "test.rules");
	assert_int_equal(d.rule->line, 11);
	assert_int_equal(d.action, RULES_VIA);
	assert_string_equal(d.path, "mta");
	assert_string_equal(d.pool, "keitai");
	assert_null(d.configuration_set);
	assert_int_equal(d.share, 10000);
	assert_string_equal(d.carrier, "au");
	assert_string_equal(d.group, "kddi");
	assert_null(d.hint);
	d = decide(rs, S, "x@gmail.com");
	assert_string_equal(d.configuration_set, "main");
	assert_null(d.pool);
	assert_null(d.carrier);
	assert_null(d.group);
	ruleset_unref(rs);
}

/* It is an option, and no word that a path could not be called. */
static void
test_transactional(void **state)
{
	static const struct {
		const char *to, *path, *fallback;
		bool transactional;
	} cases[] = {
		{ "u@a.jp", "ses", NULL, true },
		{ "u@b.jp", "transactional", NULL, false },
		{ "u@c.jp", "transactional", "ses", true },
		{ "u@d.jp", "ses", "transactional", true },
		{ "u@e.jp", "transactional", NULL, true },
		{ "u@f.jp", "ses", "hold", true },
		{ "u@g.jp", "ses", NULL, false },
	};
	struct ruleset *rs = parse(
	    "route a to a.jp via ses pool transactional transactional\n"
	    "route b to b.jp via transactional\n"
	    "route c to c.jp via transactional transactional fallback ses\n"
	    "route d to d.jp via ses transactional fallback transactional raw\n"
	    "route e to e.jp via ses 0% transactional 100% transactional\n"
	    "route f to f.jp via ses raw fallback hold transactional\n"
	    "route g to any via ses\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rules_decision d = decide(rs, S, cases[i].to);

		assert_string_equal(d.path, cases[i].path);
		assert_int_equal(d.transactional, cases[i].transactional);
		assert_int_equal(d.fallback == NULL, cases[i].fallback == NULL);
		if (d.fallback != NULL)
			assert_string_equal(d.fallback, cases[i].fallback);
	}
	ruleset_unref(rs);
}

/* The most specific line says whose a domain is, wherever it stands. */
static void
test_carrier_by_most_specific(void **state)
{
	struct ruleset *rs = parse("carrier wide .example.jp\n"
				   "carrier near group n .a.example.jp\n"
				   "carrier self b.a.example.jp\n"
				   "hint .a.example.jp \"near\"\n"
				   "hint b.a.example.jp \"say \\\"b\\\"\"\n"
				   "route all to any via ses\n");

	(void)state;
	assert_string_equal(ruleset_carrier_of(rs, "x.example.jp"), "wide");
	assert_string_equal(ruleset_carrier_of(rs, "x.a.example.jp"), "near");
	assert_string_equal(ruleset_group_of(rs, "x.a.example.jp"), "n");
	assert_string_equal(ruleset_carrier_of(rs, "b.a.example.jp"), "self");
	assert_string_equal(ruleset_carrier_of(rs, "a.example.jp"), "wide");
	assert_string_equal(ruleset_group_of(rs, "a.example.jp"), "wide");
	assert_null(ruleset_carrier_of(rs, "example.jp"));
	assert_null(ruleset_group_of(rs, "example.jp"));
	assert_string_equal(ruleset_hint_of(rs, "c.a.example.jp"), "near");
	assert_string_equal(ruleset_hint_of(rs, "b.a.example.jp"), "say \"b\"");
	assert_null(ruleset_hint_of(rs, "a.example.jp"));
	ruleset_unref(rs);
}

/* More labels than any real domain has: bounded, and the ends of it still
 * match. */
static void
test_absurd_domains(void **state)
{
	struct ruleset *rs = parse("route deep to domain .x via deep\n"
				   "route default to any via ses\n");
	char to[4096] = "u@";

	(void)state;
	for (size_t i = 2; i < 2002; i += 2) {
		to[i] = 'a';
		to[i + 1] = '.';
	}
	to[2002] = 'x';
	{
		struct rules_query q = { .to_local = "u", .to_domain = to + 2 };
		struct rules_decision d;

		ruleset_decide(rs, &q, &d);
		assert_string_equal(d.path, "deep");
	}
	ruleset_unref(rs);
}

/* ---- the files that ship ---- */

static void
test_shipped_rules(void **state)
{
	struct ruleset *rs = load("conf/oiwake.rules");
	struct rules_decision d;

	(void)state;
	d = decide(rs, S, "taro@docomo.ne.jp");
	assert_string_equal(d.path, "mta");
	assert_string_equal(d.pool, "keitai");
	assert_string_equal(d.group, "docomo");
	d = decide(rs, S, "x@mopera.net");
	assert_string_equal(d.carrier, "docomo");
	assert_string_equal(d.group, "mopera");
	assert_string_equal(decide(rs, S, "x@uqmobile.jp").group, "kddi");
	assert_string_equal(decide(rs, S, "x@dj.pdx.ne.jp").group, "softbank");
	assert_string_equal(decide(rs, S, "x@yahoo.ne.jp").group, "yahoo");
	assert_string_equal(decide(rs, S, "x@rakumail.jp").group, "rakuten");
	d = decide(rs, S, "x@docomo.co.jp");
	assert_string_equal(d.path, "ses");
	assert_null(d.carrier);
	assert_non_null(strstr(d.hint, "corporate"));
	assert_non_null(ruleset_hint_of(rs, "nttdocomo.co.jp"));
	assert_non_null(ruleset_hint_of(rs, "k2.dion.ne.jp"));
	assert_non_null(ruleset_hint_of(rs, "m1.auone-net.jp"));
	assert_non_null(ruleset_hint_of(rs, "mineo.jp"));
	assert_non_null(strstr(ruleset_hint_of(rs, "kct.dion.ne.jp"), "DDI"));
	assert_null(ruleset_hint_of(rs, "docomo.ne.jp"));
	ruleset_unref(rs);
}

static FILE *
open_facts(void)
{
	const char *dir = getenv("OIWAKE_FACTS");
	char path[4096];

	snprintf(path, sizeof(path), "%s/carrier_domains.tsv",
	    dir != NULL ? dir : "../shared/facts");
	return fopen(path, "r");
}

static void
check_fact(const struct ruleset *rs, const char *carrier, const char *pattern,
    const char *in_service)
{
	bool yes =
	    strcmp(in_service, "yes") == 0 && strcmp(carrier, "other") != 0;
	struct rules_decision d;
	char to[512];

	snprintf(to, sizeof(to), "someone@%s%s", pattern[0] == '.' ? "x" : "",
	    pattern);
	d = decide(rs, S, to);
	if (yes) {
		if (d.carrier == NULL || strcmp(d.carrier, carrier) != 0)
			fail_msg("%s: carrier %s, expected %s", to,
			    d.carrier != NULL ? d.carrier : "none", carrier);
		assert_string_equal(d.path, "mta");
	} else if (strcmp(in_service, "unknown") != 0 ||
		   strcmp(carrier, "not-carrier") == 0) {
		if (d.carrier != NULL)
			fail_msg(
			    "%s: carrier %s, expected none", to, d.carrier);
		assert_string_equal(d.path, "ses");
		assert_non_null(d.hint);
	}
}

static void
test_every_fact(void **state)
{
	FILE *facts = open_facts();
	char *line = NULL, *carrier, *pattern, *in_service, *save;
	size_t room = 0, rows = 0;
	struct ruleset *rs;

	(void)state;
	if (facts == NULL)
		skip();
	rs = load("conf/oiwake.rules");
	assert_true(getline(&line, &room, facts) > 0);
	while (getline(&line, &room, facts) > 0) {
		carrier = strtok_r(line, "\t", &save);
		pattern = strtok_r(NULL, "\t", &save);
		in_service = strtok_r(NULL, "\t", &save);
		assert_non_null(in_service);
		check_fact(rs, carrier, pattern, in_service);
		rows++;
	}
	assert_true(rows > 80);
	assert_null(decide(rs, S, "x@notdocomo.ne.jp").carrier);
	assert_null(decide(rs, S, "x@docomo.ne.jp.example").carrier);
	assert_null(decide(rs, S, "x@a.docomo.ne.jp").carrier);
	free(line);
	fclose(facts);
	ruleset_unref(rs);
}

/* ---- splits ---- */

static size_t
count_ses(const struct ruleset *rs, char *out, size_t n)
{
	size_t ses = 0;
	char to[64];

	for (size_t i = 0; i < n; i++) {
		snprintf(to, sizeof(to), "user%zu@docomo.ne.jp", i);
		out[i] = decide(rs, S, to).path[0];
		ses += out[i] == 's';
	}
	return ses;
}

static void
test_split(void **state)
{
	static const char text[] = "route one to domain docomo.ne.jp "
				   "via mta 95% pool keitai ses 5%\n"
				   "route default to any via ses\n";
	enum { N = 100000 };
	char *a = malloc(N), *b = malloc(N), *c = malloc(N);
	struct ruleset *one = parse(text), *again = parse(text);
	struct ruleset *two = parse("route two to domain docomo.ne.jp "
				    "via mta 95% ses 5%\n"
				    "route default to any via ses\n");
	size_t differ = 0;

	(void)state;
	assert_in_range(count_ses(one, a, N), 4700, 5300);
	assert_in_range(count_ses(again, b, N), 4700, 5300);
	assert_in_range(count_ses(two, c, N), 4700, 5300);
	assert_memory_equal(a, b, N);
	for (size_t i = 0; i < N; i++)
		differ += a[i] != c[i];
	/* Independent throws differ in 2 x 5 % x 95 %. */
	assert_in_range(differ, 9000, 10000);
	assert_string_equal(decide(one, S, "user1@docomo.ne.jp").path,
	    decide(one, "", "USER1@docomo.ne.jp").path);
	free(a);
	free(b);
	free(c);
	ruleset_unref(one);
	ruleset_unref(again);
	ruleset_unref(two);
}

/* Who goes where must survive every release: these were drawn once and are
 * fixed. */
static void
test_split_is_pinned(void **state)
{
	struct ruleset *rs = parse("route half to any via a 50% b 37.5% "
				   "configuration-set x c 12.5%\n");
	char drawn[25];
	char to[64];

	(void)state;
	for (int i = 0; i < 24; i++) {
		snprintf(to, sizeof(to), "u%d@example.jp", i);
		drawn[i] = decide(rs, S, to).path[0];
	}
	drawn[24] = '\0';
	assert_string_equal(drawn, "acbabbabaabbaacbaaaaabba");
	ruleset_unref(rs);
}

static void
test_whole_shares(void **state)
{
	struct ruleset *rs = parse("route all to any via never 0% ses 100%\n");
	char to[64];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(to, sizeof(to), "u%d@example.jp", i);
		assert_string_equal(decide(rs, S, to).path, "ses");
	}
	assert_int_equal(decide(rs, S, to).share, 10000);
	ruleset_unref(rs);
}

/* ---- shapes ---- */

static const char shapes[] =
    "carrier docomo docomo.ne.jp\n"
    "carrier docomo group mopera mopera.net\n"
    "route default to any via ses\n"
    "shape default connections 7 rate 100/h expiry 2d\n"
    "shape path mta connections 6 messages 9\n"
    "shape carrier docomo connections 5 recipients 100/session \\\n"
    "   recipients 2/message retry 30s,5min,1h,2d raw unknown-users 2.5%\n"
    "shape group mopera connections 4\n"
    "shape domain .ne.jp connections 3 quote\n"
    "shape domain docomo.ne.jp example.jp connections 2 rate 30/min\n";

static void
assert_shape(const struct rules_shape *s, enum rules_shape_key key,
    const char *value, unsigned line)
{
	char *got = rules_shape_value(s, key);

	assert_string_equal(got, value);
	assert_int_equal(s->origin[key].line, line);
	if (line > 0)
		assert_string_equal(s->origin[key].file, "test.rules");
	else
		assert_null(s->origin[key].file);
	free(got);
}

static void
test_shape(void **state)
{
	struct ruleset *rs = parse(shapes);
	struct rules_shape s;

	(void)state;
	ruleset_shape(rs, "docomo", "docomo", "docomo.ne.jp", "mta", &s);
	assert_shape(&s, SHAPE_CONNECTIONS, "2", 10);
	assert_shape(&s, SHAPE_MESSAGES, "9", 5);
	assert_shape(&s, SHAPE_RECIPIENTS_SESSION, "100/session", 6);
	assert_shape(&s, SHAPE_RECIPIENTS_MESSAGE, "2/message", 7);
	assert_shape(&s, SHAPE_RATE, "30/min", 10);
	assert_shape(&s, SHAPE_RETRY, "30s,5min,1h,2d", 7);
	assert_shape(&s, SHAPE_EXPIRY, "2d", 4);
	assert_shape(&s, SHAPE_LOCAL_PART, "quote", 9);
	assert_shape(&s, SHAPE_UNKNOWN_USERS, "2.50%", 7);
	assert_int_equal(s.rate_count, 30);
	assert_int_equal(s.rate_seconds, 60);
	assert_int_equal(s.nretry, 4);
	assert_int_equal(s.retry[3], 172800);
	assert_int_equal(s.expiry, 172800);
	assert_int_equal(s.unknown_users, 250);

	ruleset_shape(rs, "docomo", "mopera", "mopera.net", "ses", &s);
	assert_shape(&s, SHAPE_CONNECTIONS, "4", 8);
	assert_shape(&s, SHAPE_MESSAGES, "100", 0);
	assert_shape(&s, SHAPE_LOCAL_PART, "raw", 7);
	assert_true(s.raw);

	ruleset_shape(rs, NULL, NULL, "x.ne.jp", "other", &s);
	assert_shape(&s, SHAPE_CONNECTIONS, "3", 9);
	assert_shape(&s, SHAPE_RATE, "100/h", 4);

	ruleset_shape(rs, NULL, NULL, NULL, NULL, &s);
	assert_shape(&s, SHAPE_CONNECTIONS, "7", 4);
	assert_shape(&s, SHAPE_RETRY, "5min,15min,30min,1h,2h,4h", 0);
	assert_shape(&s, SHAPE_UNKNOWN_USERS, "no limit", 0);
	assert_string_equal(rules_shape_key_name(SHAPE_RATE), "rate");
	ruleset_unref(rs);
}

/* What a message may look like: each key by itself, as the others. */
static void
test_shape_of_messages(void **state)
{
	struct ruleset *rs = parse(
	    "route z any via mta\n"
	    "carrier c group g c.jp d.jp\n"
	    "shape default max-size 10MB max-line 998 unfit hold\n"
	    "shape path mta max-header 12KB require-tls yes\n"
	    "shape carrier c max-size 3MiB unfit send\n"
	    "shape group g max-line 0 max-header 1000 max-size 1GB\n"
	    "shape domain d.jp max-size none require-tls no unfit refuse\n");
	struct rules_shape s;

	(void)state;
	ruleset_shape(rs, NULL, NULL, NULL, NULL, &s);
	assert_shape(&s, SHAPE_MAX_SIZE, "10MB", 3);
	assert_shape(&s, SHAPE_MAX_HEADER, "none", 0);
	assert_shape(&s, SHAPE_MAX_LINE, "998", 3);
	assert_shape(&s, SHAPE_UNFIT, "hold", 3);
	assert_shape(&s, SHAPE_REQUIRE_TLS, "no", 0);
	assert_int_equal(s.max_size, 10 << 20);

	ruleset_shape(rs, "c", "g", "c.jp", "mta", &s);
	assert_shape(&s, SHAPE_MAX_SIZE, "1GB", 6);
	assert_shape(&s, SHAPE_MAX_HEADER, "1000", 6);
	assert_shape(&s, SHAPE_MAX_LINE, "none", 6);
	assert_shape(&s, SHAPE_UNFIT, "send", 5);
	assert_shape(&s, SHAPE_REQUIRE_TLS, "yes", 4);
	assert_int_equal(s.max_size, 1 << 30);
	assert_int_equal(s.unfit, RULES_UNFIT_SEND);
	assert_true(s.require_tls);

	ruleset_shape(rs, "c", "other", "x.c.jp", "ses", &s);
	assert_shape(&s, SHAPE_MAX_SIZE, "3MB", 5);

	ruleset_shape(rs, "c", "g", "d.jp", "mta", &s);
	assert_shape(&s, SHAPE_MAX_SIZE, "none", 7);
	assert_shape(&s, SHAPE_UNFIT, "refuse", 7);
	assert_shape(&s, SHAPE_REQUIRE_TLS, "no", 7);
	assert_int_equal(s.max_size, 0);
	ruleset_unref(rs);

	rs = parse("route z any via mta\n");
	ruleset_shape(rs, NULL, NULL, "a.jp", "mta", &s);
	assert_shape(&s, SHAPE_UNFIT, "refuse", 0);
	assert_shape(&s, SHAPE_MAX_SIZE, "none", 0);
	assert_shape(&s, SHAPE_WARM_UP, "none", 0);
	ruleset_unref(rs);
}

/* ---- what the configuration must know ---- */

static void
test_uses(void **state)
{
	static const char *const known[] = { "mta", "ses" };
	struct ruleset *rs = parse("route a to x.example via mta pool p\n"
				   "route b to any via sess "
				   "configuration-set c\n"
				   "shape path mta rate 1/s\n");
	const struct rules_use *use;
	struct rules_report r;
	char *text;

	(void)state;
	assert_int_equal(ruleset_uses(rs, &use), 5);
	assert_int_equal(use[0].kind, RULES_USE_PATH);
	assert_string_equal(use[0].name, "mta");
	assert_int_equal(use[1].kind, RULES_USE_POOL);
	assert_string_equal(use[1].name, "p");
	assert_string_equal(use[1].path, "mta");
	assert_int_equal(use[3].kind, RULES_USE_CONFIGURATION_SET);
	assert_string_equal(use[3].name, "c");
	assert_string_equal(use[3].path, "sess");
	assert_int_equal(use[4].line, 3);
	rules_report_init(&r);
	ruleset_report_unknown(rs, &use[2], known, 2, &r);
	text = rules_report_string(&r);
	assert_string_equal(text,
	    "test.rules:2:20: unknown path 'sess', did you mean 'ses'?\n"
	    "    route b to any via sess configuration-set c\n"
	    "                       ^\n");
	free(text);
	rules_report_clear(&r);
	ruleset_unref(rs);
}

static void
test_rules_are_listed(void **state)
{
	struct ruleset *rs = parse(selection);
	const struct rule *const *rule;
	size_t n = ruleset_rules(rs, &rule);

	(void)state;
	assert_int_equal(n, 10);
	assert_string_equal(rule[0]->name, "bounces");
	assert_string_equal(rule[9]->name, "default");
	assert_int_equal(rule[9]->line, 12);
	ruleset_unref(rs);
}

static void
test_version(void **state)
{
	struct ruleset *a = parse("route all to any via ses\n");
	struct ruleset *b = parse("route all to any via ses\n");
	struct ruleset *c = parse("route all to any via ses \n");

	(void)state;
	assert_int_equal(strlen(ruleset_version(a)), 12);
	assert_string_equal(ruleset_version(a), ruleset_version(b));
	assert_string_not_equal(ruleset_version(a), ruleset_version(c));
	assert_ptr_equal(ruleset_ref(a), a);
	ruleset_unref(a);
	assert_int_equal(strlen(ruleset_version(a)), 12);
	ruleset_unref(a);
	ruleset_unref(b);
	ruleset_unref(c);
	ruleset_unref(NULL);
}

/* ---- threads ---- */

/* Each thread has a reference of its own; whoever is last frees the set. */
static void *
ask_and_drop(void *arg)
{
	struct ruleset *rs = arg;
	struct rules_shape s;

	for (int i = 0; i < 2000; i++) {
		struct rules_decision d = decide(rs, S, "x@ezweb.ne.jp");

		ruleset_shape(rs, d.carrier, d.group, NULL, d.path, &s);
		ruleset_unref(ruleset_ref(rs));
	}
	ruleset_unref(rs);
	return NULL;
}

static void
test_threads(void **state)
{
	struct ruleset *rs = parse(selection);
	pthread_t thread[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, ask_and_drop,
				     ruleset_ref(rs)),
		    0);
	ruleset_unref(rs);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_decision_is_complete),
		cmocka_unit_test(test_transactional),
		cmocka_unit_test(test_carrier_by_most_specific),
		cmocka_unit_test(test_absurd_domains),
		cmocka_unit_test(test_shipped_rules),
		cmocka_unit_test(test_every_fact),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_is_pinned),
		cmocka_unit_test(test_whole_shares),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_shape_of_messages),
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_rules_are_listed),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
