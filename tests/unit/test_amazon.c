/*
 * test_amazon.c - the Amazon thread, running: accounts that it looks at and
 * tells the core of, sites by path, other configurations, its end.
 *
 * The server is on the test's own thread, and so is the core.
 */
#include "router/ses/amazon.h"

#include "tests/unit/core_fixture.h"

#include <signal.h>

#include "router/config_int.h"
#include "router/ses/call.h"
#include "router/ses/quota.h"
#include "tests/unit/ses_server.h"

static struct amazon *amazon;
static struct ses_server ses;

/* name: of the path, NULL: there is none. */
static struct config *
settings(const char *name, const char *region, const char *more)
{
	struct str text = STR_INIT, report = STR_INIT;
	struct config *c;

	str_adds(&text,
	    "hostname = mail.example.jp\n"
	    "listener r { type = relay address = \"127.0.0.1:2525\" "
	    "networks = { 127.0.0.0/8 } }\n");
	if (name != NULL)
		str_addf(&text,
		    "path %s { type = ses region = %s endpoint = \"%s\" "
		    "credentials = static access-key = AKID "
		    "secret-key = secret %s }\n",
		    name, region, ses.endpoint, more);
	c = config_parse("t.conf", text.data, text.len, &report);
	if (c == NULL)
		fail_msg("%s", report.data);
	str_release(&text);
	str_release(&report);
	return c;
}

static void
configure(const char *name, const char *region, const char *more)
{
	struct config *c = settings(name, region, more);

	config_unref(&core.config);
	core.config = c;
	amazon_configure(amazon, c);
	quotas_configure(core.quotas);
}

static int
begin(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	log_open("/dev/null", NULL);
	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	fixture_open("/tmp", 0);
	ses_start(&ses, the->base);
	core_set_up(settings("ses", "ap-northeast-1", "account-check = 60s"));
	quotas_configure(core.quotas);
	amazon = amazon_new(&core, the->store, core.config, &e);
	assert_non_null(amazon);
	return 0;
}

static void
start(void)
{
	struct err e = ERR_INIT;

	assert_int_equal(amazon_start(amazon, &e), 0);
}

static int
finish(void **state)
{
	(void)state;
	amazon_free(&amazon);
	ses_stop(&ses);
	event_base_loop(the->base, EVLOOP_NONBLOCK); /* the last news */
	core_tear_down();
	config_unref(&core.config);
	fixture_close();
	return 0;
}

static void
find_row(void *arg, const struct quota_row *row)
{
	struct ses_account *a = arg;

	if (strcmp(row->path, "ses") == 0)
		*a = row->account;
}

/* As the core knows it. */
static struct ses_account
account(void)
{
	struct ses_account a = { .at = 0 };

	quotas_each(core.quotas, clock_mono(), find_row, &a);
	return a;
}

struct question {
	struct amazon_ask ask;
	bool answered;
};

static void
on_answered(struct amazon_ask *ask)
{
	container_of(ask, struct question, ask)->answered = true;
}

static json_t *
ask(const char *what, json_t *args, int status)
{
	struct question q = { .ask = { .what = what,
				  .args = args,
				  .reply_to = the->inbox,
				  .done = on_answered } };

	amazon_put(amazon, &q.ask);
	while (!q.answered)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_int_equal(q.ask.status, status);
	json_decref(args);
	return q.ask.reply;
}

/* The account in an answer with the status of all paths. */
static json_t *
account_in(const json_t *reply)
{
	return json_object_get(
	    json_array_get(json_object_get(reply, "paths"), 0), "account");
}

/* ------ accounts */

static void
test_account(void **state)
{
	json_t *reply;

	(void)state;
	start();
	while (account().at == 0)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_true(account().rate == 14);
	assert_true(account().sent_24_hours == 7);
	assert_int_equal(ses.accounts, 1);
	ses.account = "{\"SendQuota\":{\"MaxSendRate\":3},"
		      "\"EnforcementStatus\":\"PROBATION\"}";
	reply = ask("check", json_pack("{s:s}", "path", "ses"), 200);
	assert_int_equal(ses.accounts, 2);
	assert_string_equal(json_string_value(json_object_get(
				account_in(reply), "enforcement")),
	    "PROBATION");
	json_decref(reply);
	while (account().rate != 3)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_int_equal(account().enforcement, SES_PROBATION);
}

static void
test_refused(void **state)
{
	json_t *reply;

	(void)state;
	start();
	ses.account_status = 403;
	ses.account = "{\"message\":\"User x is not authorized\"}";
	while (account().trouble[0] == '\0')
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_true(account().refused);
	assert_int_equal(account().at, 0);
	assert_string_equal(account().trouble,
	    "AccessDeniedException: User x is not authorized");
	/* What is no account says nothing of it either. */
	ses.account_status = 200;
	ses.account = "{\"SendQuota\":17}";
	reply = ask("check", json_object(), 200);
	assert_true(
	    json_is_false(json_object_get(account_in(reply), "refused")));
	json_decref(reply);
	while (account().refused)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_string_equal(
	    account().trouble, "the answer to GetAccount has no SendQuota");
	assert_int_equal(account().at, 0);
	/* Good again. */
	ses.account = "{\"SendQuota\":{}}";
	amazon_look(amazon, "ses");
	amazon_look(amazon, "nobody");
	while (account().at == 0)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_string_equal(account().trouble, "");
}

/* ------ sites */

static void
test_sites(void **state)
{
	struct aws_site *first, *other;

	(void)state;
	first = amazon_site(amazon, "ses"); /* before it runs, too */
	assert_non_null(first);
	assert_string_equal(first->region, "ap-northeast-1");
	assert_string_equal(first->endpoint, ses.endpoint);
	assert_null(amazon_site(amazon, "mta"));
	start();
	configure("ses", "ap-northeast-1", "account-check = 1h");
	assert_ptr_equal(amazon_site(amazon, "ses"), first);
	configure("ses", "us-east-1", "");
	other = amazon_site(amazon, "ses");
	assert_string_equal(other->region, "us-east-1");
	assert_string_equal(first->region, "ap-northeast-1");
	assert_ptr_equal(other->credentials, first->credentials);
	configure("ses2", "us-east-1", "");
	assert_ptr_equal(amazon_site(amazon, "ses2"), other);
	/* Who works under an older configuration still finds it. */
	configure(NULL, NULL, NULL);
	assert_ptr_equal(amazon_site(amazon, "ses"), other);
	json_decref(ask("check", json_object(), 404));
}

/* As I/O threads do. */
static _Atomic bool enough;

static void *
look_up(void *arg)
{
	(void)arg;
	while (!enough)
		assert_non_null(amazon_site(amazon, "ses"));
	return NULL;
}

static void
test_sites_of_others(void **state)
{
	pthread_t thread;

	(void)state;
	start();
	enough = false;
	assert_int_equal(pthread_create(&thread, NULL, look_up, NULL), 0);
	for (int i = 0; i < 20; i++)
		configure("ses", i % 2 == 0 ? "us-east-1" : "us-west-2", "");
	enough = true;
	pthread_join(thread, NULL);
}

/* ------ the end */

/* It never ran; it ran and looked at nothing; a question is on its way. */
static void
test_never_ran(void **state)
{
	(void)state;
}

static void
test_ended_at_once(void **state)
{
	(void)state;
	start();
}

static void
test_late_question(void **state)
{
	struct question q = { .ask = { .what = "check",
				  .args = json_object(),
				  .reply_to = the->inbox,
				  .done = on_answered } };

	(void)state;
	start();
	amazon_put(amazon, &q.ask);
	amazon_free(&amazon);
	while (!q.answered)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_int_equal(q.ask.status, 503);
	json_decref(q.ask.args);
	json_decref(q.ask.reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_account),
		TEST(test_refused),
		TEST(test_sites),
		TEST(test_sites_of_others),
		TEST(test_never_ran),
		TEST(test_ended_at_once),
		TEST(test_late_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
