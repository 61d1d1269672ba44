/*
 * test_route.c - decisions carry what they were made of, and stay the same for
 * the same mail.
 */
#include "router/route.h"

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
    "path ses { type = ses host = h.example.com user = u password-file = p }\n"
    "path sink { type = discard }\n";
static const char mta[] = "path mta { type = mta pool = keitai }\n";
static const char rules[] =
    "carrier docomo group docomo docomo.ne.jp\n"
    "carrier ymobile group yahoo yahoo.ne.jp\n"
    "route keitai to carrier * via mta\n"
    "route narrow to example.com via mta pool default\n"
    "route set to example.org via ses configuration-set marketing\n"
    "route sink to example.net via sink\n"
    "route default to any via ses\n"
    "shape default recipients 7/message\n"
    "shape carrier docomo recipients 1/message\n";
static const char rules_ses[] = "route default to any via ses\n";

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
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
