/*
 * test_route.c - decisions carry what they were made of, and stay the same for
 * the same mail.
 */
#include "router/route.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/path.h"
#include "router/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_route.XXXXXX";

static void
put(const char *name, const char *text)
{
	FILE *fp = fopen(name, "w");

	assert_non_null(fp);
	fputs(text, fp);
	assert_int_equal(fclose(fp), 0);
}

static const char settings[] =
    "hostname = mail.example.jp\nadmin-socket = sock\nrules = t.rules\n"
    "state-directory = .\n"
    "listener r { type = relay address = \"127.0.0.1:2525\" "
    "networks = { 127.0.0.0/8 } }\n"
    "source s1 { hostname = s1.example.jp }\n"
    "source s2 { hostname = s2.example.jp }\n"
    "source s3 { hostname = s3.example.jp }\n"
    "pool default { sources = { s1 } }\n"
    "pool keitai { sources = { s1, s2, s3 } }\n"
    "path ses { type = ses transport = smtp host = h.example.com user = u password-file = p }\n"
    "path sink { type = discard }\n";
static const char mta[] = "path mta { type = mta pool = keitai }\n";
static const char rules[] =
    "carrier docomo group docomo docomo.ne.jp\n"
    "carrier ymobile group yahoo yahoo.ne.jp\n"
    "route keitai to carrier * via mta\n"
    "route narrow to example.com via mta pool default\n"
    "route set to example.org via ses configuration-set marketing\n"
    "route sink to example.net via sink\n"
    "route odd to any and local-part irregular via mta\n"
    "route default to any via ses\n"
    "shape default recipients 7/message\n"
    "shape carrier docomo recipients 1/message\n";
static const char rules_ses[] =
    "route odd to any and local-part irregular via sink\n"
    "route default to any via ses\n";

static struct config *
load(const char *paths, const char *text)
{
	struct str report = STR_INIT, all = STR_INIT;
	struct config *c;

	str_adds(&all, settings);
	str_adds(&all, paths);
	put("t.conf", all.data);
	put("t.rules", text);
	c = config_load_part("t.conf", CONFIG_RULES, &report);
	assert_string_equal(report.data, "");
	assert_non_null(c);
	str_release(&report);
	str_release(&all);
	return c;
}

struct decided {
	struct message *m;
	struct recipient *r;
	struct route route;
};

static void
decide(
    const struct config *c, struct decided *d, const char *from, const char *to)
{
	d->m = message_new(1);
	message_set_from(d->m, from);
	d->r = recipient_new(d->m, 0, to);
	route_decide(c, d->m, d->r, &d->route);
}

static void
end(struct decided *d)
{
	recipient_free(&d->r);
	message_unref(&d->m);
}

static void
what_it_was_made_of(void **state)
{
	static const struct {
		const char *from, *to;
		const char *path, *pool, *carrier, *group, *rule, *set;
	} row[] = {
		{ "a@example.jp", "u@docomo.ne.jp", "mta", "keitai", "docomo",
		    "docomo", "keitai", "" },
		{ "a@example.jp", "a..b@docomo.ne.jp", "mta", "keitai",
		    "docomo", "docomo", "keitai", "" },
		{ "a@example.jp", "u@yahoo.ne.jp", "mta", "keitai", "ymobile",
		    "yahoo", "keitai", "" },
		{ "a@example.jp", "u@example.com", "mta", "default", "",
		    "example.com", "narrow", "" },
		{ "a@example.jp", "u@example.org", "ses", "", "", "example.org",
		    "set", "marketing" },
		{ "a@example.jp", "u@example.net", "sink", "", "",
		    "example.net", "sink", "" },
		{ "a@example.jp", "u@gmail.com", "ses", "", "", "gmail.com",
		    "default", "" },
		/* The null reverse-path: its rule, but never SES. */
		{ "", "u@gmail.com", "mta", "keitai", "", "gmail.com",
		    "default", "" },
		{ "", "u@docomo.ne.jp", "mta", "keitai", "docomo", "docomo",
		    "keitai", "" },
		{ "", "u@example.com", "mta", "default", "", "example.com",
		    "narrow", "" },
		{ "", "u@example.net", "sink", "", "", "example.net", "sink",
		    "" },
	};
	struct config *c = load(mta, rules);

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct decided d;

		decide(c, &d, row[i].from, row[i].to);
		assert_string_equal(d.route.path, row[i].path);
		assert_string_equal(d.route.pool, row[i].pool);
		assert_string_equal(d.route.carrier, row[i].carrier);
		assert_string_equal(d.route.group, row[i].group);
		assert_string_equal(d.route.rule, row[i].rule);
		assert_string_equal(d.route.configuration_set, row[i].set);
		assert_string_equal(d.route.ruleset, ruleset_version(c->rules));
		assert_int_equal(
		    d.route.source[0] != '\0', strcmp(row[i].path, "mta") == 0);
		end(&d);
	}
	config_unref(&c);
}

/* One sender domain, one group: one source; and all sources are used. */
static void
sources_are_stable_and_shared(void **state)
{
	struct config *c = load(mta, rules), *again = load(mta, rules);
	unsigned used[4] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		char a[64], b[64];
		struct decided d, same, other;

		snprintf(a, sizeof(a), "a@d%u.example.jp", i);
		snprintf(b, sizeof(b), "b@d%u.example.jp", i);
		decide(c, &d, a, "u@docomo.ne.jp");
		decide(again, &same, b, "v@docomo.ne.jp");
		decide(c, &other, a, "u@yahoo.ne.jp");
		assert_string_equal(d.route.source, same.route.source);
		assert_true(route_equal(&d.route, &same.route));
		assert_false(route_equal(&d.route, &other.route));
		assert_int_equal(d.route.source[0], 's');
		used[d.route.source[1] - '0']++;
		end(&d);
		end(&same);
		end(&other);
	}
	for (unsigned i = 1; i <= 3; i++)
		assert_in_range(used[i], 60, 140);
	config_unref(&c);
	config_unref(&again);
}

/* Without an mta path a notice keeps the rule's, which then refuses it. */
static void
a_notice_where_only_ses_is(void **state)
{
	struct config *c = load("", rules_ses);
	struct outcome why;
	struct decided d;
	bool has_mta = false;

	(void)state;
	for (size_t i = 0; i < c->npaths; i++)
		has_mta = has_mta || c->paths[i].kind == PATH_MTA;
	decide(c, &d, "", "u@gmail.com");
	assert_string_equal(d.route.path, has_mta ? "mta" : "ses");
	assert_false(path_carries(PATH_SES, d.r, &why));
	assert_true(why.permanent);
	assert_int_equal(why.stage, STAGE_NONE);
	assert_string_equal(why.enhanced, "5.1.7");
	end(&d);
	config_unref(&c);
}

static void
what_a_path_carries(void **state)
{
	static const struct {
		bool irregular, utf8;
		const char *enhanced; /* NULL: SES takes it */
	} row[] = {
		{ false, false, NULL },
		{ true, false, "5.1.3" },
		{ false, true, "5.6.7" },
	};
	struct message *m = message_new(1);

	(void)state;
	message_set_from(m, "a@example.jp");
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct recipient *r = recipient_new(m, 0, "u@example.org");
		struct outcome why;

		r->irregular = row[i].irregular;
		r->utf8 = row[i].utf8;
		assert_true(path_carries(PATH_MTA, r, &why));
		assert_true(path_carries(PATH_DISCARD, r, &why));
		assert_true(path_carries(PATH_HOLD, r, &why));
		assert_true(path_carries(PATH_REJECT, r, &why));
		assert_int_equal(
		    path_carries(PATH_SES, r, &why), row[i].enhanced == NULL);
		if (row[i].enhanced != NULL)
			assert_string_equal(why.enhanced, row[i].enhanced);
		recipient_free(&r);
	}
	message_unref(&m);
	assert_non_null(path_class(PATH_MTA));
	assert_non_null(path_class(PATH_SES));
	assert_null(path_class(PATH_DISCARD));
	assert_null(path_class(PATH_HOLD));
	assert_null(path_class(PATH_REJECT));
}

static unsigned
shelf(const struct config *c, const char *from, const char *to)
{
	struct decided d;
	unsigned n;

	decide(c, &d, from, to);
	n = route_shelf(c, &d.route, d.m->from_domain);
	end(&d);
	assert_in_range(n, 0, STORE_SHELVES - 1);
	return n;
}

static void
shelves(void **state)
{
	struct config *c = load(mta, rules), *again = load(mta, rules);
	unsigned differ = 0, spread = 0;
	char from[64], last[64] = "a@example.jp";

	(void)state;
	/* The same lane and sender: the same shelf, in every process. */
	assert_int_equal(shelf(c, "a@example.jp", "u@docomo.ne.jp"),
	    shelf(again, "b@example.jp", "v@docomo.ne.jp"));
	/* SES is one lane whatever the domain, and however the rule is named.
	 */
	assert_int_equal(shelf(c, "a@example.jp", "u@gmail.com"),
	    shelf(c, "a@example.jp", "u@example.org"));
	/* Another sender, another group: mostly another shelf. */
	for (unsigned i = 0; i < 50; i++) {
		snprintf(from, sizeof(from), "a@d%u.example.jp", i);
		differ += shelf(c, from, "u@docomo.ne.jp") !=
			  shelf(c, from, "u@yahoo.ne.jp");
		spread += shelf(c, from, "u@docomo.ne.jp") !=
			  shelf(c, last, "u@docomo.ne.jp");
		strcpy(last, from);
	}
	assert_true(differ >= 40);
	assert_true(spread >= 40);
	config_unref(&c);
	config_unref(&again);
}

static void
a_path_that_is_no_more(void **state)
{
	struct config *c = load(mta, rules);
	static const struct route old = { .path = "gone",
		.pool = "",
		.source = "s9",
		.carrier = "",
		.group = "example.com",
		.rule = "r",
		.ruleset = "",
		.configuration_set = "" };

	(void)state;
	assert_in_range(
	    route_shelf(c, &old, "example.jp"), 0, STORE_SHELVES - 1);
	config_unref(&c);
}

static void
shapes(void **state)
{
	struct config *c = load(mta, rules);
	struct rules_shape shape;
	struct decided d;

	(void)state;
	decide(c, &d, "a@example.jp", "u@docomo.ne.jp");
	route_shape(c, &d.route, d.r->domain, &shape);
	assert_int_equal(shape.recipients_per_message, 1);
	end(&d);
	decide(c, &d, "a@example.jp", "u@example.com");
	route_shape(c, &d.route, d.r->domain, &shape);
	assert_int_equal(shape.recipients_per_message, 7);
	end(&d);
	config_unref(&c);
}

/* -- what else the rules are asked, and what else they say */

static const char all_rules[] =
    "route by-listener listener other via mta\n"
    "route by-user user app via mta\n"
    "route by-tag tag kind=bulk via sink\n"
    "route author header-from author.example via mta pool default\n"
    "route large size > 1MB reject \"too large for you\"\n"
    "route never to never.example reject \"nobody here\"\n"
    "route kept to kept.example hold\n"
    "route gone to gone.example discard\n"
    "route quoted to quoted.example via mta quote\n"
    "route as-is to raw.example via mta raw\n"
    "route odd to any and local-part irregular via mta fallback ses\n"
    "route patient to patient.example via ses fallback hold\n"
    "route stubborn to stubborn.example via ses fallback none\n"
    "route narrow to narrow.example via mta pool default fallback ses\n"
    "route default to any via ses configuration-set s fallback mta\n";

static struct config *
load_all(void)
{
	return load("path mta { type = mta pool = keitai }\n"
		    "listener other { type = relay address = "
		    "\"127.0.0.1:2526\" networks = { 127.0.0.0/8 } }\n",
	    all_rules);
}

static void
set(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

static void
what_the_rules_are_asked(void **state)
{
	static const struct {
		const char *user, *listener, *tags, *header_from;
		uint64_t size;
		const char *to, *rule, *path, *reject;
	} row[] = {
		{ "", "r", "", "", 1, "u@x.example", "default", "ses", NULL },
		{ "", "other", "", "", 1, "u@x.example", "by-listener", "mta",
		    NULL },
		{ "app", "r", "", "", 1, "u@x.example", "by-user", "mta",
		    NULL },
		{ "App", "r", "", "", 1, "u@x.example", "default", "ses",
		    NULL },
		{ "", "r", "a=b,kind=bulk", "", 1, "u@x.example", "by-tag",
		    "sink", NULL },
		{ "", "r", "a=b,kind=bulky", "", 1, "u@x.example", "default",
		    "ses", NULL },
		{ "", "r", "", "author.example", 1, "u@x.example", "author",
		    "mta", NULL },
		{ "", "r", "", "", (1 << 20) + 1, "u@x.example", "large",
		    "reject", "too large for you" },
		{ "", "r", "", "", 1 << 20, "u@x.example", "default", "ses",
		    NULL },
		{ "", "r", "", "", 1, "u@never.example", "never", "reject",
		    "nobody here" },
		{ "", "r", "", "", 1, "u@kept.example", "kept", "hold", NULL },
		{ "", "r", "", "", 1, "u@gone.example", "gone", "discard",
		    NULL },
	};
	struct config *c = load_all();

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct message *m = message_new(1);
		struct recipient *r = recipient_new(m, 0, row[i].to);
		struct route route;

		message_set_from(m, "a@example.jp");
		set(&m->user, row[i].user);
		set(&m->listener, row[i].listener);
		set(&m->tags, row[i].tags);
		set(&m->header_from, row[i].header_from);
		m->size = row[i].size;
		route_decide(c, m, r, &route);
		assert_string_equal(route.rule, row[i].rule);
		assert_string_equal(route.path, row[i].path);
		assert_int_equal(route.reject != NULL, row[i].reject != NULL);
		if (row[i].reject != NULL)
			assert_string_equal(route.reject, row[i].reject);
		recipient_free(&r);
		message_unref(&m);
	}
	config_unref(&c);
}

static const char early_rules[] =
    "route friend from friend@x.example to never.example via mta\n"
    "route never to never.example reject \"nobody here\"\n"
    "route bulk tag kind=bulk to bulk.example reject \"no bulk\"\n"
    "route by-user user app to bulk.example reject \"not you\"\n"
    "route large size > 1MB reject \"too large\"\n"
    "route odd to any and local-part irregular via mta\n"
    "route default to any via ses\n";

/* At RCPT only what no content could change is refused. */
static void
rejected_early(void **state)
{
	static const struct {
		const char *from, *user, *to;
		const char *reject; /* NULL: not yet */
	} row[] = {
		{ "a@x.example", "", "u@never.example", "nobody here" },
		{ "friend@x.example", "", "u@never.example", NULL },
		{ "", "", "u@never.example", "nobody here" },
		{ "a@x.example", "app", "u@never.example", "nobody here" },
		/* Rejected with or without that tag, and so by which rule is
		   open. */
		{ "a@x.example", "", "u@bulk.example", NULL },
		{ "a@x.example", "app", "u@bulk.example", NULL },
		{ "a@x.example", "", "u@y.example", NULL },
	};
	struct config *c = load(mta, early_rules);

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct message *m = message_new(1);
		struct recipient *r = recipient_new(m, 0, row[i].to);
		struct route route = { .path = NULL };

		message_set_from(m, row[i].from);
		set(&m->user, row[i].user);
		assert_int_equal(route_rejects_early(c, m, r, &route),
		    row[i].reject != NULL);
		if (row[i].reject != NULL) {
			assert_string_equal(route.reject, row[i].reject);
			assert_string_equal(route.path, "reject");
			assert_string_equal(route.rule, "never");
		} else {
			assert_null(route.path);
		}
		recipient_free(&r);
		message_unref(&m);
	}
	config_unref(&c);
}

static void
what_paths_without_a_dialogue_carry_along(void **state)
{
	static const char *const to[] = { "u@never.example", "u@kept.example",
		"u@gone.example" };
	struct config *c = load_all();

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		struct decided d;

		decide(c, &d, "a@example.jp", to[i]);
		assert_string_equal(d.route.pool, "");
		assert_string_equal(d.route.source, "");
		assert_string_equal(d.route.configuration_set, "");
		assert_null(d.route.instead);
		assert_in_range(route_shelf(c, &d.route, "example.jp"), 0,
		    STORE_SHELVES - 1);
		end(&d);
		/* A notice of ours is kept, dropped and refused like any other.
		 */
		decide(c, &d, "", to[i]);
		assert_null(
		    path_class(config_path_find(c, d.route.path)->kind));
		end(&d);
	}
	config_unref(&c);
}

static void
local_parts(void **state)
{
	struct config *c = load_all();
	struct decided d;

	(void)state;
	decide(c, &d, "a@example.jp", "a..b@quoted.example");
	assert_int_equal(d.route.local_part, LOCAL_PART_QUOTE);
	end(&d);
	decide(c, &d, "a@example.jp", "a..b@raw.example");
	assert_int_equal(d.route.local_part, LOCAL_PART_RAW);
	end(&d);
	decide(c, &d, "a@example.jp", "a..b@x.example");
	assert_int_equal(d.route.local_part, LOCAL_PART_SHAPE);
	end(&d);
	config_unref(&c);
}

/* By its rule or its tag; what it is decides its lane on a path of type ses
 * only. */
static void
transactional_mail(void **state)
{
	static const char text[] =
	    "route odd to any and local-part irregular via mta\n"
	    "route pin from otp@example.jp via ses transactional fallback mta\n"
	    "route own to a.example via mta transactional\n"
	    "route default to any via ses\n";
	static const struct {
		const char *from, *to, *tags;
		bool transactional, own_lane;
	} cases[] = {
		{ "otp@example.jp", "u@x.example", "", true, true },
		{ "a@example.jp", "u@x.example", "", false, false },
		{ "a@example.jp", "u@a.example", "", true, false },
		{ "a@example.jp", "u@x.example", "priority=transactional",
		    true, true },
		{ "a@example.jp", "u@x.example",
		    "a=b,priority=transactional,c=d", true, true },
		{ "a@example.jp", "u@x.example", "priority=bulk", false,
		    false },
		{ "a@example.jp", "u@x.example", "priority=transactional2",
		    false, false },
		{ "a@example.jp", "u@x.example", "xpriority=transactional",
		    false, false },
		{ "a@example.jp", "u@x.example", "Priority=transactional",
		    false, false },
		{ "a@example.jp", "u@x.example", ",,", false, false },
		{ "a@example.jp", "u@a.example", "priority=bulk", true, false },
	};
	struct config *c = load(mta, text);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decided d;
		struct route other;

		d.m = message_new(1);
		message_set_from(d.m, cases[i].from);
		free(d.m->tags);
		d.m->tags = strdup(cases[i].tags);
		d.r = recipient_new(d.m, 0, cases[i].to);
		route_decide(c, d.m, d.r, &d.route);
		assert_int_equal(
		    d.route.transactional, cases[i].transactional);
		other = d.route;
		other.transactional = false;
		assert_int_equal(route_lane_hash(c, &other) !=
				     route_lane_hash(c, &d.route),
		    cases[i].own_lane);
		assert_true(route_equal(&other, &d.route));
		d.r->route = d.route;
		if (route_fallback(c, d.r, &other))
			assert_int_equal(
			    other.transactional, d.route.transactional);
		end(&d);
	}
	config_unref(&c);
}

static void
fallbacks(void **state)
{
	static const struct {
		const char *from, *to;
		bool irregular, utf8, unread;
		const char *path, *fallback; /* NULL: none is taken */
	} row[] = {
		{ "a@x.example", "u@y.example", false, false, false, "ses",
		    "mta" },
		{ "a@x.example", "u@y.example", false, false, true, "ses",
		    NULL },
		{ "a@x.example", "a..b@y.example", true, false, false, "mta",
		    NULL },
		{ "a@x.example", "u@narrow.example", false, false, false, "mta",
		    "ses" },
		{ "a@x.example", "u@narrow.example", false, true, false, "mta",
		    NULL },
		{ "a@x.example", "u@narrow.example", false, false, true, "mta",
		    NULL },
		{ "", "u@narrow.example", false, false, false, "mta", NULL },
		/* A notice went by mta already, which is its fallback. */
		{ "", "u@y.example", false, false, false, "mta", NULL },
		{ "a@x.example", "u@patient.example", false, false, false,
		    "ses", NULL },
		{ "a@x.example", "u@stubborn.example", false, false, false,
		    "ses", NULL },
		{ "a@x.example", "u@kept.example", false, false, false, "hold",
		    NULL },
	};
	struct config *c = load_all();

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct route route = { .path = NULL };
		struct decided d;

		d.m = message_new(1);
		message_set_from(d.m, row[i].from);
		d.r = recipient_new(d.m, 0, row[i].to);
		d.r->irregular = row[i].irregular;
		d.r->utf8 = row[i].utf8;
		d.r->unread = row[i].unread;
		route_decide(c, d.m, d.r, &d.r->route);
		assert_string_equal(d.r->route.path, row[i].path);
		assert_int_equal(
		    route_fallback(c, d.r, &route), row[i].fallback != NULL);
		if (row[i].fallback == NULL) {
			assert_null(route.path);
			end(&d);
			continue;
		}
		assert_string_equal(route.path, row[i].fallback);
		assert_string_equal(route.instead, row[i].path);
		assert_string_equal(route.rule, d.r->route.rule);
		assert_string_equal(route.group, d.r->route.group);
		assert_string_equal(route.configuration_set, "");
		assert_string_equal(route.pool,
		    strcmp(row[i].fallback, "mta") == 0 ? "keitai" : "");
		assert_int_equal(route.source[0] != '\0',
		    strcmp(row[i].fallback, "mta") == 0);
		assert_false(route_equal(&route, &d.r->route));
		/* And no further. */
		d.r->route = route;
		assert_false(route_fallback(c, d.r, &route));
		end(&d);
	}
	config_unref(&c);
}

static void
what_waits_for_its_path(void **state)
{
	struct config *c = load_all();
	struct decided d;

	(void)state;
	decide(c, &d, "a@x.example", "u@patient.example");
	assert_string_equal(d.route.fallback, "hold");
	end(&d);
	decide(c, &d, "a@x.example", "u@stubborn.example");
	assert_null(d.route.fallback);
	end(&d);
	config_unref(&c);
}

static unsigned
lines_of(const char *file, const char *with)
{
	FILE *fp = fopen(file, "r");
	char line[2048];
	unsigned n = 0;

	assert_non_null(fp);
	while (fgets(line, sizeof(line), fp) != NULL)
		n += strstr(line, with) != NULL;
	fclose(fp);
	return n;
}

/* Each pattern that is given up is counted, and told of once a second at most.
 */
static void
patterns_given_up(void **state)
{
	struct config *c =
	    load(mta, "route evil to /^(a+)+$/ via mta\n"
		      "route odd to any and local-part irregular "
		      "via mta\nroute default to any via ses\n");
	char to[80];
	struct err e = ERR_INIT;
	uint64_t before = route_pattern_limits();
	unsigned told;
	time_t began = time(NULL);

	(void)state;
	memset(to, 'a', 60);
	strcpy(to + 60, "@example.com");
	assert_int_equal(log_open("t.log", &e), 0);
	for (unsigned i = 0; i < 50; i++) {
		struct decided d;

		decide(c, &d, "x@example.jp", to);
		assert_string_equal(d.route.rule, "default");
		end(&d);
	}
	assert_int_equal(log_open(NULL, &e), 0);
	assert_int_equal(route_pattern_limits(), before + 50);
	told = lines_of("t.log", " pattern_limit ");
	assert_in_range(told, 1, (unsigned)(time(NULL) - began) + 2);
	assert_int_equal(lines_of("t.log", " rule=evil "), told);
	assert_int_equal(lines_of("t.log", to), told);
	unlink("t.log");
	config_unref(&c);
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink("t.conf") != 0 || unlink("t.rules") != 0 ||
	       rmdir(folder) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_was_made_of),
		cmocka_unit_test(sources_are_stable_and_shared),
		cmocka_unit_test(a_notice_where_only_ses_is),
		cmocka_unit_test(what_a_path_carries),
		cmocka_unit_test(shelves),
		cmocka_unit_test(a_path_that_is_no_more),
		cmocka_unit_test(shapes),
		cmocka_unit_test(what_the_rules_are_asked),
		cmocka_unit_test(rejected_early),
		cmocka_unit_test(what_paths_without_a_dialogue_carry_along),
		cmocka_unit_test(local_parts),
		cmocka_unit_test(transactional_mail),
		cmocka_unit_test(fallbacks),
		cmocka_unit_test(what_waits_for_its_path),
		cmocka_unit_test(patterns_given_up),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
