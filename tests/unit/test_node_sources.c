/*
 * test_node_sources.c - which sources a machine has, and where a database is.
 */
#include "router/node_sources.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/config_int.h"
#include "router/store/pg_url.h"

/* 192.0.2.0/24 is nobody's (RFC 5737); all of 127.0.0.0/8 is everybody's. */
#define SOURCES                                                                \
	"hostname = mail.example.jp\n"                                         \
	"listener r { type = relay address = \"127.0.0.1:2525\" "              \
	"networks = { 127.0.0.0/8 } }\n"                                       \
	"source near { address = 127.0.20.1 }\n"                               \
	"source far { address = 192.0.2.1 }\n"                               \
	"source any { }\n"                                                     \
	"source near6 { address = \"::ffff:127.0.20.2\" }\n"
#define DATABASE "store = \"postgresql:///d\"\n"

static struct config *
parse(const char *text)
{
	struct str report = STR_INIT;
	struct config *cfg = config_parse("t", text, strlen(text), &report);

	assert_string_equal(report.data, "");
	assert_non_null(cfg);
	return cfg;
}

struct row {
	const char *name, *config, *ours;
};

static const struct row rows[] = {
	{ "with SQLite all", SOURCES, "near,far,any,near6" },
	{ "what can be bound", SOURCES DATABASE, "near,any,near6" },
	{ "what is named, and only that",
	    SOURCES DATABASE "node-sources = { far, any }\n", "far,any" },
	{ "one source, made of nothing",
	    DATABASE "hostname = mail.example.jp\nlistener r { type = relay "
		     "address = \"127.0.0.1:2525\" networks = { 127.0.0.0/8 } "
		     "}\n",
	    "default" },
};

static void
a_node_has_sources(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *cfg = parse(rows[i].config);
		struct node_sources *ns = node_sources_new(cfg);

		print_message("# %s\n", rows[i].name);
		assert_string_equal(node_sources_text(ns), rows[i].ours);
		for (size_t k = 0; k < cfg->nsources; k++)
			assert_int_equal(
			    node_sources_have(ns, cfg->sources[k].name),
			    strstr(rows[i].ours, cfg->sources[k].name) != NULL);
		assert_false(node_sources_have(ns, "other"));
		node_sources_free(&ns);
		assert_null(ns);
		config_unref(&cfg);
	}
}

static void
a_look_sees_changes(void **state)
{
	struct config *some = parse(SOURCES DATABASE);
	struct config *all = parse(SOURCES);
	struct node_sources *ns = node_sources_new(some);

	(void)state;
	assert_false(node_sources_look(ns, some));
	assert_true(node_sources_look(ns, all));
	assert_true(node_sources_have(ns, "far"));
	assert_false(node_sources_look(ns, all));
	assert_true(node_sources_look(ns, some));
	assert_false(node_sources_have(ns, "far"));
	node_sources_free(&ns);
	config_unref(&some);
	config_unref(&all);
}

/* shown NULL: refused. */
struct url_row {
	const char *url, *shown;
	bool password;
};

static const struct url_row urls[] = {
	{ "postgresql://", "postgresql://", false },
	{ "postgres://u@h/d", "postgresql://u@h/d", false },
	{ "postgresql://u:geheim@h:5433/d?sslmode=verify-full",
	    "postgresql://u@h:5433/d", true },
	{ "postgresql://u@h/d?password=geheim", "postgresql://u@h/d", true },
	{ "postgresql://u:ge%2Fheim@/d?host=%2Frun%2Fpg&port=1",
	    "postgresql://u@:1/d?host=/run/pg", true },
	{ "postgresql://u:geheim@a:1,b:2/d", "postgresql://u@a,b:1,2/d", true },
	{ "postgresql://u@h/d?options=-csearch_path%3Dx", "postgresql://u@h/d",
	    false },
	{ "", NULL, false },
	{ "host=h password=geheim", NULL, false },
	{ "mysql://u:geheim@h/d", NULL, false },
	{ "postgresql://u:geheim@h:x/d", NULL, false },
	{ "postgresql://u:g/eheim@h/d", NULL, false },
	{ "postgresql://u:geheim%@h/d", NULL, false },
	{ "postgresql://u:geheim@[::1/d", NULL, false },
	{ "postgresql://u:geheim@h/d?ssl-mode=x", NULL, false },
};

static void
a_url_is_shown_without_its_password(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const struct url_row *row = &urls[i];
		struct err e = ERR_INIT;
		char *shown;

		print_message("# %s\n", row->url);
		if (row->shown == NULL) {
			assert_int_equal(pg_url_check(row->url, &e), -1);
			assert_null(strstr(e.text, "eheim"));
			continue;
		}
		assert_int_equal(pg_url_check(row->url, &e), 0);
		assert_int_equal(pg_url_has_password(row->url), row->password);
		shown = pg_url_text(row->url);
		assert_string_equal(shown, row->shown);
		free(shown);
	}
}

static void
an_option_that_is_none_is_named(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(
	    pg_url_check("postgresql://u:geheim@h/d?ssl-mode=x", &e), -1);
	assert_string_equal(
	    e.text, "not an option of a database's URL: \"ssl-mode\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_has_sources),
		cmocka_unit_test(a_look_sees_changes),
		cmocka_unit_test(a_url_is_shown_without_its_password),
		cmocka_unit_test(an_option_that_is_none_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
