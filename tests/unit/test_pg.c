/*
 * test_pg.c - a store on PostgreSQL when the connection breaks, here and there,
 * and what only a connection to a server has: passwords, a pipeline, texts that
 * are no UTF-8. PostgreSQL alone.
 */
#include "tests/unit/store_fixture.h"

#include "router/store/pg.h"
#include "tests/unit/pg_proxy.h"

#include <fcntl.h>

#define DUE INT64_C(1767225600000)

static struct proxy *proxy;

static int
set_up_proxied(void **state)
{
	struct err e = ERR_INIT;

	set_up(state);
	log_set_level(LOG_ERROR + 1);
	proxy = proxy_start(the->url, the->dir);
	the->config.url = proxy->url;
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	return 0;
}

static int
tear_down_proxied(void **state)
{
	atomic_store(&proxy->mode, PROXY_PASS);
	store_close(&the->store);
	proxy_stop(proxy);
	return tear_down(state);
}

static int64_t
stored(void)
{
	return fixture_sql("SELECT count(*) FROM recipient");
}

static int64_t
count_of_sent(void)
{
	struct view *v = look();
	int64_t n = count_of(v, "mta", COUNT_SENT);

	look_away(v);
	return n;
}

static enum store_status
enqueue(unsigned n, int64_t *id)
{
	struct store_enqueue *r = new_message(n, clock_wall(), 100);
	enum store_status st = ask_enqueue(r);

	if (id != NULL)
		*id = r->message->id;
	free_message(r);
	return st;
}

/* -- a connection breaks ------------------------------------------------- */

static void
cut(void)
{
	fixture_sql("SELECT count(pg_terminate_backend(pid))"
		    " FROM pg_stat_activity WHERE datname = current_database()"
		    " AND application_name IN"
		    " ('oiwake test store', 'oiwake test reader')");
}

static void
between_transactions_nobody_notices(void **state)
{
	(void)state;
	assert_int_equal(enqueue(1, NULL), STORE_OK);
	cut();
	assert_int_equal(enqueue(1, NULL), STORE_OK);
	cut();
	look_away(look());
	assert_int_equal(stored(), 2);
}

static void
broken_in_the_middle_it_is_done_again(void **state)
{
	int64_t id;

	(void)state;
	atomic_store(&proxy->mode, PROXY_LOSE_COMMIT);
	assert_int_equal(enqueue(3, &id), STORE_OK);
	assert_int_equal(atomic_load(&proxy->mode), PROXY_PASS);
	assert_int_equal(stored(), 3);
	atomic_store(&proxy->mode, PROXY_LOSE_COMMIT);
	settle_final(id, 1);
	assert_int_equal(stored(), 2);
	assert_int_equal(count_of_sent(), 1);
}

/* A server that has crashed may have given it again, to one who committed. */
static void
the_number_of_another_is_not_believed(void **state)
{
	struct str url = STR_INIT;
	struct err e = ERR_INIT;

	(void)state;
	fixture_sql("CREATE FUNCTION pg_xact_status(xid8) RETURNS text"
		    " LANGUAGE sql AS $$ SELECT 'committed'::text $$");
	str_addf(&url, "%s&options=-csearch_path%%3D%s%%2Cpg_catalog",
	    proxy->url, the->schema);
	the->config.url = url.data;
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	atomic_store(&proxy->mode, PROXY_LOSE_COMMIT);
	assert_int_equal(enqueue(3, NULL), STORE_OK);
	assert_int_equal(atomic_load(&proxy->mode), PROXY_PASS);
	assert_int_equal(stored(), 3);
	the->config.url = proxy->url;
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	str_release(&url);
}

static void
what_was_committed_is_not_done_again(void **state)
{
	int64_t id;

	(void)state;
	atomic_store(&proxy->mode, PROXY_LOSE_ANSWER);
	assert_int_equal(enqueue(3, &id), STORE_OK);
	assert_int_equal(atomic_load(&proxy->mode), PROXY_PASS);
	assert_int_equal(stored(), 3);
	atomic_store(&proxy->mode, PROXY_LOSE_ANSWER);
	settle_final(id, 1);
	assert_int_equal(stored(), 2);
	assert_int_equal(count_of_sent(), 1);
}

/* What it hands out is there even so. */
static void
a_lease_whose_answer_was_lost_is_whole(void **state)
{
	struct store_lease l;

	(void)state;
	put(3, DUE, false);
	atomic_store(&proxy->mode, PROXY_LOSE_ANSWER);
	ask_lease(&l, 7, DUE, 10);
	assert_int_equal(l.n, 3);
	free_recipients(&l.recipients);
	ask_lease(&l, 7, DUE, 10);
	assert_int_equal(l.n, 0);
}

static void
a_server_that_waits_for_the_commit_is_told_not_to(void **state)
{
	(void)state;
	atomic_store(&proxy->mode, PROXY_HOLD);
	assert_int_equal(enqueue(1, NULL), STORE_OK);
	assert_int_equal(atomic_load(&proxy->mode), PROXY_PASS);
	assert_int_equal(stored(), 1);
}

/* -- the database is away ------------------------------------------------- */

static void
settlements_wait_and_all_else_is_told(void **state)
{
	int64_t id = put(2, DUE, true);
	struct settlement s = settlement(id, 0, SETTLE_FINAL, 1u << COUNT_SENT);
	struct store_settle r = { .skipped = 99 };

	(void)state;
	atomic_store(&proxy->mode, PROXY_REFUSE);
	assert_int_equal(enqueue(1, NULL), STORE_AWAY);
	STAILQ_INIT(&r.settlements);
	STAILQ_INSERT_TAIL(&r.settlements, &s, link);
	prepare_request(&r.req);
	store_settle(the->store, &r);
	assert_int_equal(ask_begin(id, 1, &to_docomo, NULL), STORE_AWAY);
	assert_int_equal(enqueue(1, NULL), STORE_AWAY);
	assert_int_equal(the->answers, 0);
	atomic_store(&proxy->mode, PROXY_PASS);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	assert_int_equal(r.skipped, 0);
	assert_int_equal(stored(), 1);
}

static unsigned changes;

static void
on_change(struct changes_watch *w, unsigned what)
{
	(void)w;
	changes |= what;
}

static void
await_change(unsigned which)
{
	while ((changes & which) == 0)
		event_base_loop(the->base, EVLOOP_ONCE);
	changes = 0;
}

static void
whoever_watches_is_told_so(void **state)
{
	struct changes_watch *w = xcalloc(1, sizeof(*w));

	(void)state;
	changes = 0;
	w->inbox = the->inbox;
	w->told = on_change;
	store_watch_changes(the->store, w);
	atomic_store(&proxy->mode, PROXY_REFUSE);
	assert_int_equal(enqueue(1, NULL), STORE_AWAY);
	await_change(STORE_WENT_AWAY);
	atomic_store(&proxy->mode, PROXY_PASS);
	await_change(STORE_CAME_BACK);
	assert_int_equal(enqueue(1, NULL), STORE_OK);
	store_unwatch_changes(the->store, w);
	store_close(&the->store);
	while (event_base_loop(the->base, EVLOOP_NONBLOCK) == 0)
		break;
	free(w);
}

static void
let_it_write(bool may)
{
	struct str sql = STR_INIT, url = STR_INIT;

	str_addf(&url, "%s&options=-cdefault_transaction_read_only%%3Doff",
	    process_url);
	str_addf(&sql,
	    "ALTER DATABASE t_%d SET default_transaction_read_only = %s",
	    (int)getpid(), may ? "off" : "on");
	pg_sql_number(url.data, sql.data);
	str_release(&sql);
	str_release(&url);
	cut();
}

static void
one_that_only_reads_is_away(void **state)
{
	enum store_status st;

	(void)state;
	let_it_write(false);
	assert_int_equal(enqueue(1, NULL), STORE_AWAY);
	let_it_write(true);
	while ((st = enqueue(1, NULL)) == STORE_AWAY)
		usleep(1000);
	assert_int_equal(st, STORE_OK);
	assert_int_equal(stored(), 1);
}

/* -- a group -------------------------------------------------------------- */

#define MANY 60

/* That it is shows long after it was sent. */
static void
only_the_culprit_is_rejected(void **state)
{
	struct store_enqueue *r[MANY];
	int64_t taken = put(1, DUE, false);

	(void)state;
	for (int i = 0; i < MANY; i++) {
		r[i] = new_message(1, DUE, 100);
		if (i == MANY / 2)
			r[i]->message->id = taken;
		prepare_request(&r[i]->req);
	}
	for (int i = 0; i < MANY; i++)
		store_enqueue(the->store, r[i]);
	await(MANY);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(r[i]->req.status,
		    i == MANY / 2 ? STORE_REJECTED : STORE_OK);
		free_message(r[i]);
	}
	assert_int_equal(stored(), MANY);
}

static struct settlement last[MANY];
static struct store_settle settles[MANY];

/* A few trips for all of them, and what each does is done once. */
static void
many_of_one_message_leave_at_once(void **state)
{
	int64_t id = put(MANY, DUE, true);
	struct store_asked before, after;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		last[i] = settlement(id, i, SETTLE_FINAL, 1u << COUNT_SENT);
		last[i].remember = INT64_MAX;
		settles[i] = (struct store_settle){ .skipped = 99 };
		STAILQ_INIT(&settles[i].settlements);
		STAILQ_INSERT_TAIL(&settles[i].settlements, &last[i], link);
		prepare_request(&settles[i].req);
	}
	before = store_asked(the->store);
	for (unsigned i = 0; i < MANY; i++)
		store_settle(the->store, &settles[i]);
	await(MANY);
	after = store_asked(the->store);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(settles[i].req.status, STORE_OK);
		assert_int_equal(settles[i].skipped, 0);
	}
	assert_true(after.trips - before.trips < MANY / 2);
	assert_int_equal(stored(), 0);
	assert_int_equal(fixture_sql("SELECT count(*) FROM message"), 0);
	assert_int_equal(fixture_sql("SELECT count(*) FROM body"), 0);
	assert_int_equal(fixture_sql("SELECT count(*) FROM sent"), MANY);
	assert_int_equal(count_of_sent(), MANY);
}

#define LARGE (40u << 20)

static void
a_large_body_comes_back(void **state)
{
	struct store_enqueue *r = new_message(1, DUE, LARGE);
	struct body *body = NULL;

	(void)state;
	fixture_take_time();
	assert_int_equal(ask_enqueue(r), STORE_OK);
	assert_int_equal(
	    ask_begin(r->message->id, 0, &to_docomo, &body), STORE_OK);
	assert_non_null(body);
	assert_int_equal(body_size(body), LARGE);
	assert_memory_equal(
	    body_data(body), body_data(r->message->body), LARGE);
	body_unref(&body);
	free_message(r);
}

/* Of the newest connection: one that has been closed may still be seen. */
static int64_t
server_process(void)
{
	return fixture_sql("SELECT pid FROM pg_stat_activity WHERE"
			   " datname = current_database() AND"
			   " application_name LIKE '% store'"
			   " ORDER BY backend_start DESC LIMIT 1");
}

/* Whatever piece of them the server takes at a time: a transaction that waits
 * for an answer nobody has asked for ends with its connection. */
static void
large_bodies_need_one_connection(void **state)
{
	int64_t process;

	(void)state;
	fixture_take_time();
	process = server_process();
	assert_true(process > 0);
	for (unsigned i = 1; i <= 8; i++) {
		struct store_enqueue *r = new_message(1, DUE, i * (5u << 20));

		assert_int_equal(ask_enqueue(r), STORE_OK);
		assert_int_equal(server_process(), process);
		free_message(r);
	}
}

/* PostgreSQL takes no such bytes. */
static void
bytes_that_are_no_text_stop_nothing(void **state)
{
	static const char *const bad[] = { "\xff", "\xc0\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xe3\x81", "a\x80z" };
	static const char *const good[] = { "?", "??", "???", "????", "??",
		"a?z" };
	struct settlement s;
	int64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		id = put(1, DUE, true);
		s = settlement(id, 0, SETTLE_FINAL, 1u << COUNT_SENT);
		s.event = EVENT_SEND;
		s.peer = bad[i];
		assert_int_equal(ask_settle(&s, NULL), STORE_OK);
		assert_int_equal(
		    fixture_sql("SELECT count(*) FROM event"), i + 1);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct str sql = STR_INIT;

		str_addf(&sql, "SELECT count(*) FROM event WHERE peer = '%s'",
		    good[i]);
		assert_true(fixture_sql(sql.data) > 0);
		str_release(&sql);
	}
}

/* -- passwords --------------------------------------------------------------
 */

/* Of the URL of the test. */
static char *
password_of(const char *url)
{
	PQconninfoOption *all = PQconninfoParse(url, NULL);
	char *password = NULL;

	for (PQconninfoOption *o = all; o->keyword != NULL; o++)
		if (strcmp(o->keyword, "password") == 0)
			password = xstrdup(o->val);
	PQconninfoFree(all);
	return password;
}

static void
assert_connects(const struct store_config *c, const char *why)
{
	struct err e = ERR_INIT;
	PGconn *conn = pg_connect(c, PG_WRITE, &e);

	if (why == NULL && conn == NULL)
		fail_msg("%s", e.text);
	if (why != NULL)
		assert_null(conn);
	if (why != NULL && strstr(e.text, why) == NULL)
		fail_msg("'%s' is not said in '%s'", why, e.text);
	assert_null(strstr(e.text, "s3cret"));
	PQfinish(conn);
}

static char *
write_password(const char *text, mode_t mode)
{
	struct str file = STR_INIT;
	int fd;

	str_addf(&file, "%s/password", the->dir);
	unlink(file.data);
	fd = open(file.data, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return str_detach(&file);
}

static void
a_password_is_in_a_file_of_its_own(void **state)
{
	char *password = password_of(the->url), *file;
	struct store_config c = the->config;
	struct str text = STR_INIT;

	(void)state;
	str_addf(&text, "%s\nand more\n", password != NULL ? password : "x");
	c.password_file = file = write_password(text.data, 0600);
	assert_connects(&c, NULL);
	free(file);
	c.password_file = file = write_password(text.data, 0644);
	assert_connects(&c, "others have access");
	free(file);
	c.password_file = file = write_password("\n", 0600);
	assert_connects(&c, "gives no password");
	free(file);
	c.password_file = "/nonexistent/password";
	assert_connects(&c, "cannot open");
	str_release(&text);
	free(password);
}

static void
a_wrong_password_is_not_said(void **state)
{
	char *file = write_password("s3cret-and-wrong", 0600);
	struct store_config c = the->config;

	(void)state;
	c.password_file = file;
	assert_connects(&c, "authentication failed");
	free(file);
}

static void
a_token_comes_from_a_command(void **state)
{
	static const struct {
		const char *command, *why;
	} bad[] = {
		{ "exit 3", "failed" },
		{ "echo s3cret; exit 1", "failed" },
		{ "kill -9 $$", "failed" },
		{ "true", "gives no password" },
		{ "echo", "gives no password" },
		{ "cat /dev/zero", "too much" },
		{ "yes s3cret", "too much" },
		{ "/nonexistent/aws rds 2>/dev/null", "failed" },
		{ "echo s3cret", "authentication failed" },
	};
	char *password = password_of(the->url);
	struct store_config c = the->config;
	struct str good = STR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c.token_command = bad[i].command;
		assert_connects(&c, bad[i].why);
	}
	str_addf(&good, "printf '  %s \\r\\nrest'; sleep 0 &",
	    password != NULL ? password : "x");
	c.token_command = good.data;
	assert_connects(&c, NULL);
	str_release(&good);
	free(password);
}

static void
nobody_is_in_step_with_others(void **state)
{
	int64_t sum = 0, most = 0, n;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		n = pg_back_off(30);
		assert_in_range(n, 1, 5000);
		assert_in_range(pg_back_off(0), 1, 100);
		sum += n;
		most = n > most ? n : most;
	}
	assert_in_range(sum / 1000, 1500, 3500);
	assert_in_range(most, 4000, 5000);
}

#define PROXIED(name)                                                          \
	cmocka_unit_test_setup_teardown(name, set_up_proxied, tear_down_proxied)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(between_transactions_nobody_notices),
		PROXIED(broken_in_the_middle_it_is_done_again),
		PROXIED(the_number_of_another_is_not_believed),
		PROXIED(what_was_committed_is_not_done_again),
		PROXIED(a_lease_whose_answer_was_lost_is_whole),
		PROXIED(a_server_that_waits_for_the_commit_is_told_not_to),
		PROXIED(settlements_wait_and_all_else_is_told),
		PROXIED(whoever_watches_is_told_so),
		PROXIED(one_that_only_reads_is_away),
		STORE_TEST(only_the_culprit_is_rejected),
		STORE_TEST(many_of_one_message_leave_at_once),
		STORE_TEST(a_large_body_comes_back),
		STORE_TEST(large_bodies_need_one_connection),
		STORE_TEST(bytes_that_are_no_text_stop_nothing),
		STORE_TEST(a_password_is_in_a_file_of_its_own),
		STORE_TEST(a_wrong_password_is_not_said),
		STORE_TEST(a_token_comes_from_a_command),
		STORE_TEST(nobody_is_in_step_with_others),
	};

	if (fixture_database() == NULL) {
		puts("no PostgreSQL in $OIWAKE_STORE");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
