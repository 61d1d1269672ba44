/*
 * PostgreSQL alone: with SQLite a store has one node.
 *
 * Two stores of one process are two nodes: `a` is the fixture's, with a short
 * lease, `b` has one so long that it beats but once in a test, so that its row
 * can be made to say that it has not been heard of.
 */
#include "store_fixture.h"

#include "router/store/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define LEASE_A 500 /* ms */
#define LEASE_B INT64_C(60000)
#define LIMIT	20000 /* ms for what must happen */

/* -- the other node ------------------------------------------------------ */

struct other {
	struct store_config config;
	struct store *store, *a;
	struct store_recovery found;
	char dir[64];
	struct changes_watch watch;
	unsigned changes;
};

static void
on_changes(struct changes_watch *w, unsigned changes)
{
	container_of(w, struct other, watch)->changes |= changes;
}

static struct other *
other_open(const char *name)
{
	struct other *b = xcalloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	snprintf(b->dir, sizeof(b->dir), "/tmp/store.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->config = the->config;
	b->config.directory = b->dir;
	b->config.node = name;
	b->config.lease = LEASE_B;
	b->store = store_open(&b->config, &b->found, &e);
	if (b->store == NULL)
		fail_msg("%s", e.text);
	b->a = the->store;
	b->watch.inbox = the->inbox;
	b->watch.told = on_changes;
	store_watch_changes(b->store, &b->watch);
	return b;
}

static void
other_close(struct other *b)
{
	char command[100];

	store_unwatch_changes(b->store, &b->watch);
	store_close(&b->store);
	snprintf(command, sizeof(command), "rm -rf '%s'", b->dir);
	assert_int_equal(system(command), 0);
	/* What was posted before lies in the inbox. */
	event_base_loop(the->base, EVLOOP_NONBLOCK);
	free(b);
}

/* The helpers of the fixture ask this one from now on. */
static void
ask(struct store *s)
{
	the->store = s;
}

static void
turn(void)
{
	static const struct timeval soon = { .tv_usec = 20000 };

	event_base_loopexit(the->base, &soon);
	event_base_loop(the->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

#define WAIT_UNTIL(condition)                                                  \
	for (int64_t by_ = clock_mono() + LIMIT; !(condition); turn())         \
		if (clock_mono() > by_)                                        \
	fail_msg("it never came: %s", #condition)

/* -- what nodes there are ------------------------------------------------ */

struct seen_nodes {
	struct store_query query;
	size_t n, told;
	struct seen_node {
		char name[32], ruleset[32], sources[32], trouble[64];
		int64_t epoch, lag;
		unsigned slot;
		uint64_t leases;
		bool draining, lost;
	} node[8];
};

static void
see_node(void *arg, const struct node_row *row)
{
	struct seen_nodes *v = arg;
	struct seen_node *n = &v->node[v->n++];

	assert_true(v->n <= 8);
	*n = (struct seen_node){ .epoch = row->epoch,
		.lag = row->lag,
		.slot = row->slot,
		.leases = row->leases,
		.draining = row->draining,
		.lost = row->lost };
	copy(n->name, sizeof(n->name), row->name);
	copy(n->ruleset, sizeof(n->ruleset), row->ruleset);
	copy(n->sources, sizeof(n->sources), row->sources);
	copy(n->trouble, sizeof(n->trouble), row->trouble);
}

static void
run_nodes(struct store_query *q, struct store_reader *r)
{
	struct seen_nodes *v = container_of(q, struct seen_nodes, query);

	v->told = store_read_nodes(r, see_node, v);
}

static struct seen_nodes
look_at_nodes(void)
{
	struct seen_nodes v = { .query = { .reply_to = the->inbox,
				    .run = run_nodes,
				    .done = on_query_answer } };

	store_query(the->store, &v.query);
	await(1);
	assert_int_equal(v.told, v.n);
	return v;
}

static int64_t
nodes_named(const char *name)
{
	char text[200];

	snprintf(text, sizeof(text),
	    "SELECT count(*) FROM node WHERE name = '%s'", name);
	return fixture_sql(text);
}

/* -- set up -------------------------------------------------------------- */

static int
set_up_nodes(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	log_set_level(LOG_ERROR);
	fixture_open("/tmp", 0);
	the->config.node = "a";
	the->config.lease = LEASE_A;
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	return 0;
}

/* -- tests --------------------------------------------------------------- */

static void
test_join_and_leave(void **state)
{
	struct other *b = other_open("b"), *c;
	struct seen_nodes v = look_at_nodes();
	int64_t epoch;

	(void)state;
	assert_int_equal(v.n, 2);
	assert_string_equal(v.node[0].name, "a");
	assert_string_equal(v.node[1].name, "b");
	assert_int_equal(v.node[0].slot, 0);
	assert_int_equal(v.node[1].slot, 1);
	assert_int_equal(v.node[1].slot, store_slot(b->store));
	assert_int_equal(v.node[1].epoch, store_epoch(b->store));
	assert_true(store_is_shared(b->store));
	assert_string_equal(store_node_name(b->store), "b");
	assert_true(store_holds(b->store));
	c = other_open("c");
	assert_int_equal(store_slot(c->store), 2);
	epoch = store_epoch(c->store);
	other_close(b);
	assert_int_equal(nodes_named("b"), 0);
	b = other_open("b");
	assert_int_equal(store_slot(b->store), 1);
	assert_true(store_epoch(b->store) > epoch);
	other_close(b);
	other_close(c);
}

static void
test_what_a_node_says(void **state)
{
	static const struct node_says says = { .ruleset = "r1",
		.sources = "s1,s2",
		.trouble = "it rains",
		.leases = 17,
		.draining = true };
	struct seen_nodes v;

	(void)state;
	store_say(the->store, &says);
	WAIT_UNTIL((v = look_at_nodes()).node[0].leases == 17);
	assert_string_equal(v.node[0].ruleset, "r1");
	assert_string_equal(v.node[0].sources, "s1,s2");
	assert_string_equal(v.node[0].trouble, "it rains");
	assert_true(v.node[0].draining);
	assert_false(v.node[0].lost);
	assert_true(v.node[0].lag >= 0 && v.node[0].lag < LIMIT);
}

/* One whose process nobody can know to be gone. */
static void
forge(const char *name, const char *heard_and_until)
{
	char text[400];

	snprintf(text, sizeof(text),
	    "INSERT INTO node(epoch, slot, name, host, process, version,"
	    " started, heard, until, buried, ruleset, sources, trouble, leases,"
	    " leaving, draining) SELECT nextval('node_epoch'), 90, '%s',"
	    " 'elsewhere', '', '', 0, %s, 0, '', '', '', 0, 0, 0",
	    name, heard_and_until);
	fixture_sql(text);
}

static _Atomic(bool) beating;

static void *
beat(void *url)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	while (atomic_load(&beating)) {
		pg_sql_number(url, "UPDATE node SET heard = heard + 1"
				   " WHERE name = 'twin'");
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void
test_name_in_use(void **state)
{
	struct store_config config = the->config;
	struct store_recovery found;
	struct err e = ERR_INIT;
	struct store *twin;
	pthread_t thread;
	char dir[] = "/tmp/store.XXXXXX", command[100];

	(void)state;
	forge("twin", "oiwake_now(), oiwake_now() + 600000");
	assert_non_null(mkdtemp(dir));
	config.directory = dir;
	config.node = "twin";
	atomic_store(&beating, true);
	assert_int_equal(pthread_create(&thread, NULL, beat, the->url), 0);
	twin = store_open(&config, &found, &e);
	atomic_store(&beating, false);
	pthread_join(thread, NULL);
	assert_null(twin);
	assert_string_equal(e.text,
	    "there is a node 'twin' already, on host 'elsewhere'; each needs a "
	    "name of its own (store node)");
	assert_int_equal(nodes_named("twin"), 1);
	/* One that has not been heard of for long is no hindrance. */
	fixture_sql("UPDATE node SET until = oiwake_now() - 1"
		    " WHERE name = 'twin'");
	twin = store_open(&config, &found, &e);
	assert_non_null(twin);
	store_close(&twin);
	assert_int_equal(nodes_named("twin"), 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

/* What b held when it was given up; it knows nothing of that yet. */
static void
test_death(void **state)
{
	struct other *b = other_open("b");
	struct store_lease lease;
	const struct seen_recipient *r;
	struct settlement s;
	int64_t waiting, leased, sending, now = clock_wall();
	struct view *v;

	(void)state;
	ask(b->store);
	leased = put(3, now, true);
	sending = put(2, now, true);
	assert_int_equal(ask_begin(sending, 1, &to_docomo, NULL), STORE_OK);
	waiting = put(1, now + 1000000, false);
	assert_int_equal(fixture_sql("SELECT count(*) FROM recipient"
				     " WHERE holder <> 0"),
	    5);
	fixture_sql("UPDATE node SET until = heard WHERE name = 'b'");
	ask(b->a);
	WAIT_UNTIL(nodes_named("b") == 0);
	assert_int_equal(fixture_sql("SELECT count(*) FROM recipient"
				     " WHERE holder <> 0"),
	    0);
	v = look();
	assert_int_equal(v->nrecipients, 6);
	for (size_t i = 0; i < v->nrecipients; i++) {
		r = &v->recipient[i];
		assert_int_equal(r->state, RCPT_WAITING);
		assert_int_equal(
		    r->unread, r->message == sending && r->index == 1);
		assert_int_equal(r->attempts, r->unread);
		assert_true(r->message == waiting || r->due <= now);
	}
	assert_int_equal(v->nevents, 1);
	assert_int_equal(v->event[0].type, EVENT_UNREAD);
	assert_int_equal(v->event[0].message, sending);
	assert_int_equal(count_of(v, "mta", COUNT_UNREAD), 1);
	assert_int_equal(v->queue_size, 6);
	look_away(v);

	/* It comes back, and can neither settle nor begin nor take anything. */
	ask(b->store);
	s = settlement(leased, 0, SETTLE_FINAL, 1u << COUNT_SENT);
	assert_int_equal(ask_settle(&s, NULL), STORE_FENCED);
	assert_int_equal(ask_begin(leased, 1, &to_docomo, NULL), STORE_FENCED);
	WAIT_UNTIL(b->changes & STORE_FENCED_OUT);
	assert_false(store_holds(b->store));
	ask(b->a);
	ask_lease(&lease, 7, clock_wall(), 10);
	assert_int_equal(lease.n, 5);
	free_recipients(&lease.recipients);
	assert_true(store_holds(b->a));
	other_close(b);
	assert_int_equal(fixture_sql("SELECT count(*) FROM recipient"
				     " WHERE holder <> 0"),
	    5);
}

/* A million leases are no giant transaction: more than one slice of each kind.
 */
static void
test_death_in_slices(void **state)
{
	struct other *b = other_open("b");
	int64_t now = clock_wall();

	(void)state;
	ask(b->store);
	put(4500, now, true);
	put(450, now, true);
	fixture_sql("UPDATE recipient SET state = 2 WHERE message ="
		    " (SELECT max(id) FROM message)");
	fixture_sql("UPDATE node SET until = heard WHERE name = 'b'");
	ask(b->a);
	WAIT_UNTIL(nodes_named("b") == 0);
	assert_int_equal(
	    fixture_sql("SELECT count(*) FROM recipient WHERE holder = 0"
			" AND state = 0"),
	    4950);
	assert_int_equal(fixture_sql("SELECT count(*) FROM recipient"
				     " WHERE unread = 1"),
	    450);
	assert_int_equal(fixture_sql("SELECT count(*) FROM event"), 450);
	other_close(b);
}

/* Nobody buries who has not been heard himself for a lease. */
static void
test_all_have_a_lease_to_come_back(void **state)
{
	struct err e = ERR_INIT;
	int64_t joined;

	(void)state;
	store_close(&the->store);
	joined = clock_mono();
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	forge("gone", "0, 1");
	WAIT_UNTIL(nodes_named("gone") == 0);
	assert_true(clock_mono() - joined >= LEASE_A);
}

/* A connection that hangs in the middle of a transaction does not keep its
 * node from being buried. */
static void
test_hanging_transaction(void **state)
{
	PGconn *conn;
	struct str url = STR_INIT;

	(void)state;
	forge("stuck", "oiwake_now(), oiwake_now() + 600000");
	str_addf(
	    &url, "%s&application_name=oiwake%%20stuck%%20store", the->url);
	conn = PQconnectdb(url.data);
	PQclear(PQexec(conn, "BEGIN"));
	PQclear(PQexec(
	    conn, "SELECT 1 FROM node WHERE name = 'stuck' FOR KEY SHARE"));
	assert_int_equal(PQtransactionStatus(conn), PQTRANS_INTRANS);
	fixture_sql("UPDATE node SET until = oiwake_now()"
		    " WHERE name = 'stuck'");
	WAIT_UNTIL(nodes_named("stuck") == 0);
	PQclear(PQexec(conn, "SELECT 1"));
	assert_int_equal(PQstatus(conn), CONNECTION_BAD);
	PQfinish(conn);
	str_release(&url);
}

static enum store_status
ask_drain(const char *name, bool undo)
{
	struct store_drain r = { .name = name, .undo = undo };

	prepare_request(&r.req);
	store_drain(the->store, &r);
	await(1);
	return r.req.status;
}

static void
test_drain(void **state)
{
	struct other *b = other_open("b");
	struct seen_nodes v;

	(void)state;
	assert_int_equal(ask_drain("nobody", false), STORE_REJECTED);
	assert_false(store_is_draining(b->store));
	assert_int_equal(ask_drain("b", false), STORE_OK);
	WAIT_UNTIL(store_is_draining(b->store));
	WAIT_UNTIL(b->changes & STORE_CHANGED_NODES);
	v = look_at_nodes();
	assert_false(v.node[0].draining);
	assert_true(v.node[1].draining);
	assert_int_equal(ask_drain("b", true), STORE_OK);
	WAIT_UNTIL(!store_is_draining(b->store));
	assert_false(store_is_draining(the->store));
	other_close(b);
}

static void
keep(const char *key)
{
	const struct kept kept = { .kind = "k", .key = key, .value = "v" };
	struct store_keep r = { .n = 1, .kept = &kept };

	prepare_request(&r.req);
	store_keep(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
}

static void
put_rules(void)
{
	struct store_ruleset r = {
		.at = clock_wall(), .who = "test", .version = "v9"
	};

	prepare_request(&r.req);
	store_ruleset(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
}

/* b is told all when it begins to listen. */
static void
calm(struct other *b)
{
	WAIT_UNTIL(b->changes & STORE_CHANGED_KEPT);
	b->changes = 0;
}

static void
test_changes_are_told(void **state)
{
	struct other *b = other_open("b");

	(void)state;
	calm(b);
	keep("one");
	WAIT_UNTIL(b->changes & STORE_CHANGED_KEPT);
	assert_false(b->changes & (STORE_CHANGED_RULES | STORE_CHANGED_QUEUE));
	put_rules();
	WAIT_UNTIL(b->changes & STORE_CHANGED_RULES);
	put(1, clock_wall(), true);
	put(1, clock_wall(), false);
	WAIT_UNTIL(b->changes & STORE_CHANGED_QUEUE);
	other_close(b);
}

/* As behind a proxy that passes none on. */
static void
test_marks_tell_without_notifications(void **state)
{
	struct other *b = other_open("b");

	(void)state;
	calm(b);
	fixture_sql("INSERT INTO change_mark(node, kind, n)"
		    " VALUES(0, 'rules', 1)");
	WAIT_UNTIL(b->changes & STORE_CHANGED_RULES);
	assert_false(b->changes & STORE_CHANGED_KEPT);
	b->changes = 0;
	fixture_sql("UPDATE change_mark SET n = 2 WHERE node = 0");
	WAIT_UNTIL(b->changes & STORE_CHANGED_RULES);
	other_close(b);
}

/* A namesake that has certainly ended is not waited for, and what it held comes
 * back at once; here it is this very process, as after exec. */
static void
test_namesake_is_gone(void **state)
{
	int64_t id = put(2, clock_wall(), true);
	struct settlement s;
	struct other *b;

	(void)state;
	assert_int_equal(ask_begin(id, 0, &to_docomo, NULL), STORE_OK);
	b = other_open("a"); /* who waits hears it beat, and is refused */
	assert_int_equal(b->found.returned, 1);
	assert_int_equal(b->found.unread, 1);
	assert_int_equal(b->found.queued, 2);
	s = settlement(id, 1, SETTLE_FINAL, 1u << COUNT_SENT);
	assert_int_equal(ask_settle(&s, NULL), STORE_FENCED);
	WAIT_UNTIL(!store_holds(the->store));
	assert_true(store_holds(b->store));
	other_close(b);
}

/* -- not heard of for a while -------------------------------------------- */

/* It is the same node still, but between there was a time without it. */
static void
test_terms(void **state)
{
	PGconn *conn = PQconnectdb(the->url);
	unsigned before = store_term(the->store);

	(void)state;
	assert_int_not_equal(before, 0);
	assert_int_equal(store_term(the->store), before);
	PQclear(PQexec(conn, "BEGIN"));
	PQclear(PQexec(conn, "LOCK TABLE node IN SHARE MODE")); /* no beats */
	WAIT_UNTIL(store_term(the->store) == 0);
	assert_false(store_holds(the->store));
	PQfinish(conn);
	WAIT_UNTIL(store_term(the->store) > before);
}

/* -- whether a process runs
 * ----------------------------------------------------- */

static void
test_process(void **state)
{
	char *self = process_identity(), other[200];
	const char *start = strrchr(self, ' ');
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(start);
	assert_true(process_is_gone(self));
	assert_false(process_is_gone(""));
	assert_false(process_is_gone("1 2 3 4"));
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	snprintf(other, sizeof(other), "%.*s", (int)(start - self), self);
	*strrchr(other, ' ') = '\0';
	snprintf(other + strlen(other), sizeof(other) - strlen(other),
	    " %ld 12345", (long)pid);
	assert_true(process_is_gone(other));
	/* The number is another's now: our parent's. */
	*strrchr(other, ' ') = '\0';
	*strrchr(other, ' ') = '\0';
	snprintf(other + strlen(other), sizeof(other) - strlen(other), " %ld 0",
	    (long)getppid());
	assert_true(process_is_gone(other));
	free(self);
}

#define NODES_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, set_up_nodes, tear_down)

int
main(void)
{
	static const struct CMUnitTest anywhere[] = {
		cmocka_unit_test(test_process),
	};
	static const struct CMUnitTest tests[] = {
		NODES_TEST(test_join_and_leave),
		NODES_TEST(test_what_a_node_says),
		NODES_TEST(test_name_in_use),
		NODES_TEST(test_death),
		NODES_TEST(test_death_in_slices),
		NODES_TEST(test_all_have_a_lease_to_come_back),
		NODES_TEST(test_hanging_transaction),
		NODES_TEST(test_drain),
		NODES_TEST(test_changes_are_told),
		NODES_TEST(test_marks_tell_without_notifications),
		NODES_TEST(test_namesake_is_gone),
		NODES_TEST(test_terms),
	};
	int failed = cmocka_run_group_tests(anywhere, NULL, NULL);

	if (fixture_database() != NULL)
		failed += cmocka_run_group_tests(tests, NULL, NULL);
	return failed;
}
