/*
 * test_suppression.c - what operators do with the account's suppression list,
 * against a server that has one, and with a real store.
 *
 * The Amazon thread's things run on the test's own thread here.
 */
#include "router/ses/amazon_int.h"

#include "tests/unit/store_fixture.h"

#include <signal.h>

#include "router/config_int.h"
#include "rules/rules.h"
#include "tests/unit/ses_server.h"

static const char rules_text[] = "carrier docomo group docomo docomo.ne.jp\n"
				 "carrier au group kddi .au.com\n"
				 "route default to any via ses\n";

static struct amazon *amazon;
static struct ses_server ses;

static struct ruleset *
load_rules(void)
{
	struct rules_file file = { .name = "test.rules",
		.text = rules_text,
		.len = sizeof(rules_text) - 1 };
	struct rules_report report;
	struct ruleset *rules;

	rules_report_init(&report);
	rules = ruleset_parse(&file, 1, NULL, &report);
	assert_non_null(rules);
	rules_report_clear(&report);
	return rules;
}

/* path: the line of a section, or "". */
static struct config *
settings(const char *path)
{
	struct str text = STR_INIT, report = STR_INIT;
	struct config *c;

	str_addf(&text,
	    "hostname = mail.example.jp\n"
	    "listener r { type = relay address = \"127.0.0.1:2525\" "
	    "networks = { 127.0.0.0/8 } }\n%s",
	    path);
	c = config_parse("t.conf", text.data, text.len, &report);
	if (c == NULL)
		fail_msg("%s", report.data);
	c->rules = load_rules();
	str_release(&text);
	str_release(&report);
	return c;
}

/* The server stands on the base that amazon_new makes, and the path is told of
 * it afterwards. */
static void
configure(void)
{
	struct str path = STR_INIT;
	struct config *c;

	str_addf(&path,
	    "path ses { type = ses region = ap-northeast-1 endpoint = \"%s\" "
	    "credentials = static access-key = AKID secret-key = secret "
	    "account-check = 0 }\n",
	    ses.endpoint);
	c = settings(path.data);
	amazon_configure(amazon, c);
	config_unref(&c);
	str_release(&path);
}

static int
begin(void **state)
{
	struct err e = ERR_INIT;
	struct config *c;

	(void)state;
	log_open("/dev/null", NULL);
	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	fixture_open("/tmp", 0);
	c = settings("");
	amazon = amazon_new(NULL, the->store, c, &e);
	assert_non_null(amazon);
	config_unref(&c);
	amazon->turn = 0;
	ses_start(&ses, amazon->base);
	configure();
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	ses_stop(&ses);
	amazon_free(&amazon);
	fixture_close();
	return 0;
}

/* ------ asking */

struct question {
	struct amazon_ask ask;
	bool answered;
};

static void
on_answered(struct amazon_ask *ask)
{
	container_of(ask, struct question, ask)->answered = true;
}

static void
pose(struct question *q, const char *what, json_t *args)
{
	*q = (struct question){ .ask = { .what = what,
				    .args = args,
				    .reply_to = amazon->inbox,
				    .done = on_answered } };
	amazon_put(amazon, &q->ask);
}

static void
wait_for(struct question *q)
{
	while (!q->answered)
		event_base_loop(amazon->base, EVLOOP_ONCE);
	json_decref(q->ask.args);
}

/* The answer, whose status must be that; takes over args. */
static json_t *
ask(const char *what, json_t *args, int status)
{
	struct question q;

	pose(&q, what, args);
	wait_for(&q);
	if (q.ask.status != status)
		fail_msg("%s: %d: %s", what, q.ask.status,
		    json_string_value(json_object_get(q.ask.reply, "error")));
	return q.ask.reply;
}

static void
expect(const json_t *reply, const char *key, int64_t want)
{
	json_int_t n = json_integer_value(json_object_get(reply, key));

	if (n != want)
		fail_msg("%s is %" JSON_INTEGER_FORMAT ", not %lld", key, n,
		    (long long)want);
}

/* ------ the store's side */

struct here {
	struct store_query query;
	struct str text; /* "address state cause\n" of each */
	bool done;
};

static const char *const states[] = {
	[SUPPRESSION_SYNCED] = "synced",
	[SUPPRESSION_LOCAL] = "local",
	[SUPPRESSION_GONE] = "gone",
};

static void
add_row(void *arg, const struct suppression *s)
{
	str_addf(arg, "%s %s %s\n", s->address, states[s->state], s->cause);
}

static void
read_here(struct store_query *q, struct store_reader *reader)
{
	store_read_suppression(reader, "ses", "", 7, 1000, add_row,
	    &container_of(q, struct here, query)->text);
}

static void
on_here(struct store_query *q)
{
	container_of(q, struct here, query)->done = true;
}

static void
expect_here(const char *want)
{
	struct here h = { .query = { .reply_to = amazon->inbox,
			      .run = read_here,
			      .done = on_here },
		.text = STR_INIT };

	store_query(the->store, &h.query);
	while (!h.done)
		event_base_loop(amazon->base, EVLOOP_ONCE);
	assert_string_equal(h.text.data, want);
	str_release(&h.text);
}

struct putting {
	struct store_suppress op;
	bool done;
};

static void
on_put(struct store_request *req)
{
	struct store_suppress *op =
	    container_of(req, struct store_suppress, req);

	assert_int_equal(req->status, STORE_OK);
	container_of(op, struct putting, op)->done = true;
}

static void
put_here(const char *address, enum suppression_state state)
{
	struct suppression s = { .scope = "ses",
		.address = address,
		.cause = "manual",
		.who = "root",
		.state = state,
		.at = 1 };
	struct putting p = { .op = { .n = 1,
				 .list = &s,
				 .req.reply_to = amazon->inbox,
				 .req.done = on_put } };

	store_suppress(the->store, &p.op);
	while (!p.done)
		event_base_loop(amazon->base, EVLOOP_ONCE);
}

/* ------ single entries */

static void
test_list(void **state)
{
	json_t *first, *reply, *rows;
	char *text;

	(void)state;
	ses_set(&ses, "One@example.com", "BOUNCE");
	ses_set(&ses, "two@example.com", "COMPLAINT");
	ses_set(&ses, "three@example.com", "BOUNCE");
	ses.page = 2;
	first = ask("suppression list", json_pack("{s:s}", "path", "ses"), 200);
	rows = json_object_get(first, "rows");
	text = json_dumps(rows, JSON_COMPACT);
	assert_string_equal(text,
	    "[{\"address\":\"One@example.com\",\"reason\":\"BOUNCE\","
	    "\"at\":\"2020-04-01T17:23:15.000Z\"},"
	    "{\"address\":\"two@example.com\",\"reason\":\"COMPLAINT\","
	    "\"at\":\"2020-04-01T17:23:15.000Z\"}]");
	free(text);
	reply = json_pack(
	    "{s:o}", "after", json_incref(json_object_get(first, "next")));
	json_decref(first);
	reply = ask("suppression list", reply, 200);
	assert_int_equal(json_array_size(json_object_get(reply, "rows")), 1);
	assert_true(json_is_null(json_object_get(reply, "next")));
	json_decref(reply);
	reply = ask(
	    "suppression list", json_pack("{s:s}", "reason", "COMPLAINT"), 200);
	assert_int_equal(json_array_size(json_object_get(reply, "rows")), 1);
	json_decref(reply);
}

static void
test_single(void **state)
{
	json_t *reply;

	(void)state;
	reply = ask("suppression add",
	    json_pack(
		"{s:s, s:s}", "address", "A+b/c@Example.com", "who", "root"),
	    200);
	json_decref(reply);
	assert_int_equal(ses.n, 1);
	assert_string_equal(ses.list[0].address, "A+b/c@Example.com");
	expect_here("a+b/c@example.com synced BOUNCE\n");
	reply = ask("suppression show",
	    json_pack("{s:s}", "address", "a+b/c@example.com"), 200);
	assert_string_equal(
	    json_string_value(json_object_get(reply, "message_id")), "m-1");
	json_decref(reply);
	reply = ask("suppression remove",
	    json_pack("{s:s}", "address", "a+b/c@example.com"), 200);
	assert_true(json_is_true(json_object_get(reply, "was_there")));
	json_decref(reply);
	assert_int_equal(ses.n, 0);
	expect_here("");
	reply = ask("suppression remove",
	    json_pack("{s:s}", "address", "a@example.com"), 200);
	assert_true(json_is_false(json_object_get(reply, "was_there")));
	json_decref(reply);
	json_decref(ask("suppression show",
	    json_pack("{s:s}", "address", "a@example.com"), 404));
	expect_here("");
}

static void
test_refused(void **state)
{
	(void)state;
	json_decref(ask(
	    "suppression add", json_pack("{s:s}", "address", "nobody"), 400));
	json_decref(ask(
	    "suppression add", json_pack("{s:s}", "address", "a\r\n@b"), 400));
	json_decref(ask("suppression add", json_object(), 400));
	json_decref(ask("suppression add",
	    json_pack("{s:s, s:s}", "address", "a@b", "reason", "OTHER"), 400));
	json_decref(
	    ask("suppression list", json_pack("{s:i}", "limit", 1001), 400));
	json_decref(
	    ask("suppression list", json_pack("{s:s}", "path", "mta"), 404));
	json_decref(ask("suppression whatever", json_object(), 404));
	assert_int_equal(ses.requests, 0);
}

/* Not taken by SES: kept here, and done at the next sync. */
static void
test_trouble(void **state)
{
	json_t *reply;

	(void)state;
	ses.bad = 1;
	ses.bad_status = 403;
	ses.bad_type = "AccessDeniedException";
	json_decref(ask("suppression add",
	    json_pack("{s:s}", "address", "a@example.com"), 502));
	expect_here("a@example.com local BOUNCE\n");
	/* What passes is tried again. */
	ses.bad = 1;
	ses.bad_status = 429;
	ses.bad_type = "TooManyRequestsException";
	reply = ask("suppression sync", json_object(), 200);
	expect(reply, "put_there", 1);
	json_decref(reply);
	assert_int_equal(ses.n, 1);
	expect_here("a@example.com synced BOUNCE\n");
}

/* ------ sync */

static void
set_both_sides(void)
{
	ses.page = 2;
	ses_set(&ses, "both@example.com", "BOUNCE");
	ses_set(&ses, "There@example.com", "COMPLAINT");
	ses_set(&ses, "Unwanted@example.com", "BOUNCE");
	ses_set(&ses, "added-twice@example.com", "BOUNCE");
	ses_set(&ses, "there2@example.com", "BOUNCE");
	put_here("both@example.com", SUPPRESSION_SYNCED);
	put_here("not-there@example.com", SUPPRESSION_SYNCED);
	put_here("unwanted@example.com", SUPPRESSION_GONE);
	put_here("unwanted-gone@example.com", SUPPRESSION_GONE);
	put_here("added@example.com", SUPPRESSION_LOCAL);
	put_here("added-twice@example.com", SUPPRESSION_LOCAL);
}

static void
expect_counts(const json_t *reply)
{
	expect(reply, "there", 5);
	expect(reply, "put_here", 2);
	expect(reply, "removed_here", 1);
	expect(reply, "put_there", 1);
	expect(reply, "removed_there", 1);
	expect(reply, "failed", 0);
}

static void
test_sync(void **state)
{
	static const char in_sync[] = "added-twice@example.com synced manual\n"
				      "added@example.com synced manual\n"
				      "both@example.com synced manual\n"
				      "there2@example.com synced BOUNCE\n"
				      "there@example.com synced COMPLAINT\n";
	json_t *reply;
	unsigned puts;

	(void)state;
	set_both_sides();
	reply = ask("suppression sync", json_pack("{s:b}", "dry_run", 1), 200);
	expect_counts(reply);
	json_decref(reply);
	assert_int_equal(ses.puts + ses.deletes, 0);
	assert_int_equal(ses.n, 5);
	reply = ask("suppression sync", json_object(), 200);
	expect_counts(reply);
	json_decref(reply);
	assert_int_equal(ses.n, 5);
	assert_true(ses_find(&ses, "added@example.com") >= 0);
	assert_true(ses_find(&ses, "unwanted@example.com") < 0);
	expect_here(in_sync);
	/* And once more: nothing is to be done. */
	puts = ses.puts;
	reply = ask("suppression sync", json_object(), 200);
	expect(reply, "there", 5);
	expect(reply, "put_here", 0);
	expect(reply, "removed_here", 0);
	json_decref(reply);
	assert_int_equal(ses.puts, puts);
	assert_int_equal(ses.deletes, 1);
	expect_here(in_sync);
}

static void
test_sync_ends(void **state)
{
	struct question sync;
	json_t *reply;

	(void)state;
	ses.page = 1;
	ses_set(&ses, "a@example.com", "BOUNCE");
	ses_set(&ses, "b@example.com", "BOUNCE");
	ses.same_page = true;
	json_decref(ask("suppression sync", json_object(), 502));
	assert_true(ses.requests <= 3);
	/* No two at a time; others may look. */
	ses.same_page = false;
	pose(&sync, "suppression sync", json_object());
	json_decref(ask("suppression prune-carriers", json_object(), 409));
	reply = ask("suppression list", json_object(), 200);
	json_decref(reply);
	wait_for(&sync);
	assert_int_equal(sync.ask.status, 200);
	json_decref(sync.ask.reply);
	json_decref(ask("suppression prune-carriers", json_object(), 200));
}

/* ------ carriers */

static void
test_prune(void **state)
{
	json_t *reply;
	char *text;

	(void)state;
	ses.page = 2;
	ses_set(&ses, "keep@example.com", "BOUNCE");
	ses_set(&ses, "a..b@docomo.ne.jp", "BOUNCE");
	ses_set(&ses, "complaint@docomo.ne.jp", "COMPLAINT");
	ses_set(&ses, "x@biz.au.com", "BOUNCE");
	ses_set(&ses, "y@notdocomo.ne.jp", "BOUNCE");
	put_here("a..b@docomo.ne.jp", SUPPRESSION_SYNCED);
	put_here("keep@example.com", SUPPRESSION_SYNCED);
	reply = ask("suppression prune-carriers",
	    json_pack("{s:b}", "dry_run", 1), 200);
	expect(reply, "found", 2);
	expect(reply, "removed", 0);
	text = json_dumps(json_object_get(reply, "addresses"), JSON_COMPACT);
	assert_string_equal(text, "[\"a..b@docomo.ne.jp\",\"x@biz.au.com\"]");
	free(text);
	json_decref(reply);
	assert_int_equal(ses.n, 5);
	reply = ask("suppression prune-carriers", json_object(), 200);
	expect(reply, "looked_at", 4);
	expect(reply, "found", 2);
	expect(reply, "removed", 2);
	json_decref(reply);
	assert_int_equal(ses.n, 3);
	assert_true(ses_find(&ses, "complaint@docomo.ne.jp") >= 0);
	expect_here("keep@example.com synced manual\n");
}

static void
test_not_allowed(void **state)
{
	json_t *reply;

	(void)state;
	ses_set(&ses, "a@docomo.ne.jp", "BOUNCE");
	ses.bad = 1;
	ses.bad_status = 403;
	ses.bad_type = "AccessDeniedException";
	reply = ask("suppression prune-carriers", json_object(), 502);
	assert_string_equal(json_string_value(json_object_get(reply, "error")),
	    "AccessDeniedException: as the test wants it");
	json_decref(reply);
}

/* ------ status, and the end */

static void
test_status(void **state)
{
	json_t *reply, *path;
	char *text;

	(void)state;
	reply = ask("status", json_object(), 200);
	path = json_array_get(json_object_get(reply, "paths"), 0);
	json_object_del(path, "endpoint");
	text = json_dumps(path, JSON_COMPACT);
	assert_string_equal(text,
	    "{\"path\":\"ses\",\"transport\":\"api\",\"region\":"
	    "\"ap-northeast-1\",\"credentials\":{\"from\":\"settings\","
	    "\"access_key\":\"AKID\",\"expires\":null,\"trouble\":null},"
	    "\"clock_skew\":0.0,\"clock_wrong\":false,\"account\":null}");
	free(text);
	assert_int_equal(
	    json_array_size(json_object_get(reply, "operations")), 0);
	json_decref(reply);
	json_decref(ask("check", json_object(), 404));
}

/* An operation that is under way when the daemon stops is answered, and so is
 * what comes after. */
static void
test_stop(void **state)
{
	struct question sync, late;
	struct inbox *inbox = inbox_new(the->base);

	(void)state;
	set_both_sides();
	pose(&sync, "suppression sync", json_object());
	sync.ask.reply_to = inbox;
	while (LIST_EMPTY(&amazon->operations) || ses.requests == 0)
		event_base_loop(amazon->base, EVLOOP_ONCE);
	pose(&late, "status", json_object());
	late.ask.reply_to = inbox;
	ses_stop(&ses);
	amazon_free(&amazon);
	inbox_free(&inbox);
	assert_true(sync.answered);
	assert_int_equal(sync.ask.status, 503);
	assert_true(late.answered);
	assert_int_equal(late.ask.status, 503);
	json_decref(sync.ask.args);
	json_decref(sync.ask.reply);
	json_decref(late.ask.args);
	json_decref(late.ask.reply);
}

static int
finish_stopped(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list),
		TEST(test_single),
		TEST(test_refused),
		TEST(test_trouble),
		TEST(test_sync),
		TEST(test_sync_ends),
		TEST(test_prune),
		TEST(test_not_allowed),
		TEST(test_status),
		cmocka_unit_test_setup_teardown(
		    test_stop, begin, finish_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
