/*
 * store_fixture.h - a store in a directory of its own, asked one thing at a
 * time.
 *
 * The store answers through an inbox; here each ask_* waits for its answer, so
 * that a test reads from top to bottom.
 *
 * With a database's URL in $OIWAKE_STORE it is on that server, in a database of
 * the process and a schema of the fixture; else SQLite. tests/run runs all with both. What is SQLite's own
 * says so, and why, where it is listed: SQLITE_OWN, and `SQLite alone` on top
 * of a file of which nothing is about the other.
 */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include "router/store/store.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/body.h"

#include <event2/event.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ms; of a process that was killed, what it held comes back after that. */
#define FIXTURE_LEASE 2000

struct fixture {
	char dir[64];
	char schema[40]; /* of the database; "": it is SQLite */
	char *url;	 /* with that schema */
	struct event_base *base;
	struct inbox *inbox;
	struct store *store;
	struct store_config config;
	struct store_recovery recovery;
	struct id_maker ids;
	unsigned answers;
};

static struct fixture *the; /* of the test that runs */

/* NULL: SQLite. */
static inline const char *
fixture_database(void)
{
	return getenv("OIWAKE_STORE");
}

/* -- what the store itself does not tell --------------------------------- */

/* The first number that the database answers; 0: it answers nothing. */
static inline int64_t
pg_number(PGconn *conn, const char *text)
{
	PGresult *result = PQexec(conn, text);
	ExecStatusType status = PQresultStatus(result);
	int64_t n = 0;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", text, PQerrorMessage(conn));
	if (PQntuples(result) > 0 && PQnfields(result) > 0)
		n = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return n;
}

static inline int64_t
pg_sql_number(const char *url, const char *text)
{
	PGconn *conn = PQconnectdb(url);
	int64_t n = pg_number(conn, text);

	PQfinish(conn);
	return n;
}

/* Readers of events see what no older transaction of the whole server can come
 * before: one of another test's may take its time. */
static inline void
await_transactions_of(const char *url)
{
	char text[120];
	int64_t now;
	PGconn *conn = PQconnectdb(url);

	now = pg_number(
	    conn, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text");
	snprintf(text, sizeof(text),
	    "SELECT 1 WHERE pg_snapshot_xmin(pg_current_snapshot())"
	    "::text::bigint >= %lld",
	    (long long)now);
	while (pg_number(conn, text) != 1)
		usleep(1000);
	PQfinish(conn);
}

static inline void
await_older_transactions(void)
{
	if (the->url != NULL)
		await_transactions_of(the->url);
}

/* Every query of a test is one of what has been committed before. */
#define store_query(store, query)                                              \
	(await_older_transactions(), (store_query)(store, query))

static inline int64_t
sqlite_sql_number(const char *text)
{
	sqlite3_stmt *st = NULL;
	char path[200];
	sqlite3 *db;
	int64_t n = 0;
	int rc;

	snprintf(path, sizeof(path), "%s/oiwake.db", the->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	if ((rc = sqlite3_step(st)) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	else
		assert_int_equal(rc, SQLITE_DONE);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

/* One statement, by a connection of its own. */
static inline int64_t
fixture_sql(const char *text)
{
	return the->url != NULL ? pg_sql_number(the->url, text)
				: sqlite_sql_number(text);
}

static char *process_url; /* of the database of this process */
static pid_t process_pid; /* its children have it as well */

/* One who may not end the server's own vacuuming of it waits for its end. */
static inline void
drop_database(void)
{
	PGconn *conn;
	char text[60];

	if (getpid() != process_pid)
		return;
	conn = PQconnectdb(fixture_database());
	snprintf(text, sizeof(text), "DROP DATABASE t_%d WITH (FORCE)",
	    (int)process_pid);
	for (int tries = 0; tries < 1000; tries++) {
		PGresult *r = PQexec(conn, text);
		bool dropped = PQresultStatus(r) == PGRES_COMMAND_OK;

		PQclear(r);
		if (dropped)
			break;
		usleep(20000);
	}
	PQfinish(conn);
	free(process_url);
}

/* A database, for what nodes tell each other by locks and notices is for all
 * of one. */
static inline void
make_database(void)
{
	const char *url = fixture_database();
	const char *path = strchr(strstr(url, "://") + 3, '/');
	struct str text = STR_INIT;

	process_pid = getpid();
	str_addf(&text, "CREATE DATABASE t_%d", (int)process_pid);
	pg_sql_number(url, text.data);
	str_clear(&text);
	assert_non_null(path);
	str_addf(&text, "%.*s/t_%d%s", (int)(path - url), url, (int)process_pid,
	    path + strcspn(path, "?"));
	process_url = str_detach(&text);
	atexit(drop_database);
}

static inline void
make_schema(void)
{
	static unsigned number;
	struct str text = STR_INIT;

	if (process_url == NULL)
		make_database();
	snprintf(the->schema, sizeof(the->schema), "t_%u", ++number);
	str_addf(&text, "CREATE SCHEMA %s", the->schema);
	pg_sql_number(process_url, text.data);
	str_clear(&text);
	str_addf(&text, "%s%coptions=-csearch_path%%3D%s", process_url,
	    strchr(process_url, '?') != NULL ? '&' : '?', the->schema);
	the->url = str_detach(&text);
}

/* -- its life ------------------------------------------------------------ */

static inline int
fixture_reopen(struct err *e)
{
	store_close(&the->store);
	the->store = store_open(&the->config, &the->recovery, e);
	return the->store == NULL ? -1 : 0;
}

/* With the lease of the default: by it a database limits its statements, and
 * what is large takes its time. */
static inline void
fixture_take_time(void)
{
	struct err e = ERR_INIT;

	the->config.lease = 30000;
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
}

/* In a fresh directory under `parent`. */
static inline void
fixture_open(const char *parent, uint64_t reserve)
{
	struct err e = ERR_INIT;

	the = xcalloc(1, sizeof(*the));
	snprintf(the->dir, sizeof(the->dir), "%s/store.XXXXXX", parent);
	assert_non_null(mkdtemp(the->dir));
	the->base = event_base_new();
	the->inbox = inbox_new(the->base);
	if (fixture_database() != NULL)
		make_schema();
	the->config = (struct store_config){ .directory = the->dir,
		.url = the->url,
		.node = "test",
		.lease = FIXTURE_LEASE,
		.reserve_bytes = reserve,
		.event_keep = 1000000000,
		.tally_keep = INT64_C(90) * 86400 * 1000,
		.traffic_keep = 200000 };
	the->ids.maker = 1;
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
}

static inline void
fixture_close(void)
{
	char command[100];

	store_close(&the->store);
	inbox_free(&the->inbox);
	event_base_free(the->base);
	snprintf(command, sizeof(command), "rm -rf '%s'", the->dir);
	assert_int_equal(system(command), 0);
	free(the->url);
	free(the);
	the = NULL;
}

static inline int
set_up(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	fixture_open("/tmp", 0);
	return 0;
}

static inline int
tear_down(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

/* -- tests that are not for every database -------------------------------- */

#define STORE_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)
/* `why` is for whoever reads the list, and marks it. */
#define SQLITE_OWN_WITH(name, up, down, why)                                   \
	{                                                                      \
		#name, name, up, down, (void *)(uintptr_t)(why)                \
	}
#define SQLITE_OWN(name, why) SQLITE_OWN_WITH(name, set_up, tear_down, why)

static inline int
run_store_tests(const struct CMUnitTest *tests, size_t n)
{
	struct CMUnitTest *some = xcalloc(n, sizeof(*some));
	size_t k = 0;
	int failed;

	for (size_t i = 0; i < n; i++)
		if (fixture_database() == NULL ||
		    tests[i].initial_state == NULL)
			some[k++] = tests[i];
	failed = _cmocka_run_group_tests("store", some, k, NULL, NULL);
	free(some);
	return failed;
}

#define RUN_STORE_TESTS(tests)                                                 \
	run_store_tests(tests, sizeof(tests) / sizeof((tests)[0]))

/* -- waiting ------------------------------------------------------------- */

static inline void
on_answer(struct store_request *req)
{
	(void)req;
	the->answers++;
}

static inline void
on_query_answer(struct store_query *q)
{
	(void)q;
	the->answers++;
}

static inline void
await(unsigned answers)
{
	while (the->answers < answers)
		event_base_loop(the->base, EVLOOP_ONCE);
	assert_int_equal(the->answers, answers);
	the->answers = 0;
}

static inline void
prepare_request(struct store_request *req)
{
	req->reply_to = the->inbox;
	req->done = on_answer;
}

/* -- messages ------------------------------------------------------------ */

static const struct route to_docomo = { .path = "mta", .pool = "keitai", .source = "s1",
	.carrier = "docomo", .group = "docomo", .rule = "keitai", .ruleset = "v1",
	.configuration_set = "" };
static const struct route to_ses = { .path = "ses", .pool = "", .source = "",
	.carrier = "", .group = "example.com", .rule = "default", .ruleset = "v1",
	.configuration_set = "set1" };

/* With n recipients user0@docomo.ne.jp, ... due at `due` on shelf 7. */
static inline struct store_enqueue *
new_message(unsigned n, int64_t due, size_t size)
{
	struct store_enqueue *r = xcalloc(1, sizeof(*r));
	struct message *m =
	    message_new(message_id_new(&the->ids, clock_wall()));
	char *data = xmalloc(size), name[MESSAGE_ID_TEXT], address[40];
	struct recipient *rcpt;

	memset(data, 'x', size);
	message_set_from(m, "news@example.jp");
	m->received = due;
	m->size = size;
	m->nrcpt = n;
	m->body = body_new(
	    store_spool_directory(the->store), message_id_text(m->id, name));
	assert_int_equal(body_add(m->body, data, size, NULL), 0);
	free(data);
	TAILQ_INIT(&r->recipients);
	for (unsigned i = 0; i < n; i++) {
		snprintf(address, sizeof(address), "user%u@docomo.ne.jp", i);
		rcpt = recipient_new(m, i, address);
		rcpt->route = to_docomo;
		rcpt->shelf = 7;
		rcpt->due = due;
		rcpt->expires = due + 1000000;
		TAILQ_INSERT_TAIL(&r->recipients, rcpt, link);
	}
	r->message = m;
	prepare_request(&r->req);
	return r;
}

static inline void
free_recipients(struct recipient_list *list)
{
	struct recipient *r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, link);
		recipient_free(&r);
	}
}

static inline void
free_message(struct store_enqueue *r)
{
	free_recipients(&r->recipients);
	message_unref(&r->message);
	free(r);
}

static inline enum store_status
ask_enqueue(struct store_enqueue *r)
{
	store_enqueue(the->store, r);
	await(1);
	return r->req.status;
}

/* Stores a message and returns its id. */
static inline int64_t
put(unsigned n, int64_t due, bool leased)
{
	struct store_enqueue *r = new_message(n, due, 5000);
	int64_t id = r->message->id;

	r->leased = leased;
	assert_int_equal(ask_enqueue(r), STORE_OK);
	free_message(r);
	return id;
}

static inline enum store_status
ask_begin(
    int64_t id, unsigned index, const struct route *route, struct body **body)
{
	struct store_begin r = { .message = id,
		.n = 1,
		.index = &index,
		.route = route,
		.want_body = body != NULL };

	prepare_request(&r.req);
	store_begin(the->store, &r);
	await(1);
	if (body != NULL)
		*body = r.body;
	return r.req.status;
}

static inline struct settlement
settlement(int64_t id, unsigned index, enum settle_as as, unsigned counters)
{
	return (struct settlement){ .message = id,
		.index = index,
		.as = as,
		.route = &to_docomo,
		.sender = "example.jp",
		.address = "user@docomo.ne.jp",
		.counters = counters,
		.at = clock_wall(),
		.reason = "",
		.peer = "",
		.remote_id = "" };
}

static inline enum store_status
ask_settle(struct settlement *s, unsigned *skipped)
{
	struct store_settle r = { .skipped = 99 };

	STAILQ_INIT(&r.settlements);
	STAILQ_INSERT_TAIL(&r.settlements, s, link);
	prepare_request(&r.req);
	store_settle(the->store, &r);
	await(1);
	if (skipped != NULL)
		*skipped = r.skipped;
	return r.req.status;
}

static inline void
settle_final(int64_t id, unsigned index)
{
	struct settlement s =
	    settlement(id, index, SETTLE_FINAL, 1u << COUNT_SENT);

	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
}

/* Fills r; its recipients are the caller's. */
static inline void
ask_lease(struct store_lease *r, unsigned shelf, int64_t now, size_t max)
{
	*r = (struct store_lease){ .shelf = shelf, .now = now, .max = max };
	prepare_request(&r->req);
	store_lease(the->store, r);
	await(1);
	assert_int_equal(r->req.status, STORE_OK);
}

static inline uint64_t
ask_edit(struct queue_filter filter, bool delete, int64_t now)
{
	struct store_queue_edit r = {
		.filter = filter, .delete = delete, .now = now
	};

	prepare_request(&r.req);
	store_queue_edit(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	return r.changed;
}

/* -- reading ------------------------------------------------------------- */

struct seen_recipient {
	int64_t message, due, expires;
	unsigned index, shelf, attempts, state, notify, nrcpt;
	bool unread, delay_told, irregular, utf8;
	char address[64], last[64], orcpt[64], path[16], pool[16], group[32],
	    ruleset[16], set[16], from[64], envid[32], user[32], client[32];
	char ret;
	uint64_t size;
};

struct seen_event {
	int64_t seq, message;
	unsigned index;
	enum event_type type;
	int code;
	char recipient[64], path[16], group[32], stage[16], text[128],
	    reason[32], peer[64], remote_id[64], enhanced[12], sender[32];
};

#define SEEN_MAX 4096

struct view {
	struct store_query query;
	struct queue_filter filter;
	int64_t events_of, events_after;
	size_t nrecipients, nevents, ncounters;
	struct seen_recipient *recipient;
	struct seen_event *event;
	struct counter_row *counter; /* strings interned */
	uint64_t queue_size;
};

static inline void
copy(char *to, size_t room, const char *from)
{
	assert_true(snprintf(to, room, "%s", from) < (int)room);
}

static inline void
see_recipient(void *arg, const struct queue_row *row)
{
	struct view *v = arg;
	const struct recipient *r = row->recipient;
	const struct message *m = r->message;
	struct seen_recipient *s = &v->recipient[v->nrecipients++];

	assert_true(v->nrecipients < SEEN_MAX);
	*s = (struct seen_recipient){ .message = m->id,
		.due = r->due,
		.expires = r->expires,
		.index = r->index,
		.shelf = r->shelf,
		.attempts = r->attempts,
		.state = row->state,
		.notify = r->notify,
		.nrcpt = m->nrcpt,
		.unread = r->unread,
		.delay_told = r->delay_told,
		.irregular = r->irregular,
		.utf8 = r->utf8,
		.ret = m->ret,
		.size = m->size };
	copy(s->address, sizeof(s->address), r->address);
	copy(s->last, sizeof(s->last), r->last);
	copy(s->orcpt, sizeof(s->orcpt), r->orcpt);
	copy(s->path, sizeof(s->path), r->route.path);
	copy(s->pool, sizeof(s->pool), r->route.pool);
	copy(s->group, sizeof(s->group), r->route.group);
	copy(s->ruleset, sizeof(s->ruleset), r->route.ruleset);
	copy(s->set, sizeof(s->set), r->route.configuration_set);
	copy(s->from, sizeof(s->from), m->from);
	copy(s->envid, sizeof(s->envid), m->envid);
	copy(s->user, sizeof(s->user), m->user);
	copy(s->client, sizeof(s->client), m->client);
}

static inline void
see_event(void *arg, const struct event_row *e)
{
	struct view *v = arg;
	struct seen_event *s = &v->event[v->nevents++];

	assert_true(v->nevents < SEEN_MAX);
	*s = (struct seen_event){ .seq = e->seq,
		.message = e->message,
		.index = e->index,
		.type = e->type,
		.code = e->code };
	copy(s->recipient, sizeof(s->recipient), e->recipient);
	copy(s->path, sizeof(s->path), e->path);
	copy(s->group, sizeof(s->group), e->group);
	copy(s->stage, sizeof(s->stage), e->stage);
	copy(s->text, sizeof(s->text), e->text);
	copy(s->reason, sizeof(s->reason), e->reason);
	copy(s->peer, sizeof(s->peer), e->peer);
	copy(s->remote_id, sizeof(s->remote_id), e->remote_id);
	copy(s->enhanced, sizeof(s->enhanced), e->enhanced);
	copy(s->sender, sizeof(s->sender), e->sender);
}

static inline void
see_counter(void *arg, const struct counter_row *row)
{
	struct view *v = arg;
	struct counter_row *c = &v->counter[v->ncounters++];

	assert_true(v->ncounters < SEEN_MAX);
	*c = *row;
	c->path = intern(row->path);
	c->carrier = intern(row->carrier);
	c->group = intern(row->group);
	c->sender = intern(row->sender);
	c->source = intern(row->source);
	c->rule = intern(row->rule);
	c->configuration_set = intern(row->configuration_set);
}

static inline void
run_view(struct store_query *q, struct store_reader *r)
{
	struct view *v = container_of(q, struct view, query);

	store_read_queue(r, &v->filter, see_recipient, v);
	store_read_events(
	    r, v->events_of, v->events_after, SEEN_MAX - 1, see_event, v);
	store_read_counters(r, see_counter, v);
	v->queue_size = store_read_queue_size(r);
}

static inline void
look_at(struct view *v)
{
	v->recipient = xcalloc(SEEN_MAX, sizeof(*v->recipient));
	v->event = xcalloc(SEEN_MAX, sizeof(*v->event));
	v->counter = xcalloc(SEEN_MAX, sizeof(*v->counter));
	v->query.reply_to = the->inbox;
	v->query.run = run_view;
	v->query.done = on_query_answer;
	store_query(the->store, &v->query);
	await(1);
}

/* Everything there is. */
static inline struct view *
look(void)
{
	struct view *v = xcalloc(1, sizeof(*v));

	v->filter.index = -1;
	look_at(v);
	return v;
}

static inline void
look_away(struct view *v)
{
	free(v->recipient);
	free(v->event);
	free(v->counter);
	free(v);
}

/* The counter under a path, all other keys added up. */
static inline int64_t
count_of(const struct view *v, const char *path, enum counter c)
{
	int64_t n = 0;

	for (size_t i = 0; i < v->ncounters; i++)
		if (strcmp(v->counter[i].path, path) == 0)
			n += v->counter[i].n[c];
	return n;
}

static inline bool
counted_under(const struct seen_recipient *s, const struct counter_row *c)
{
	const char *at = strrchr(s->from, '@');

	return strcmp(s->path, c->path) == 0 &&
	       strcmp(s->group, c->group) == 0 &&
	       strcmp(s->set, c->configuration_set) == 0 &&
	       strcmp(at != NULL ? at + 1 : "", c->sender) == 0;
}

/* accepted + returned = sent + bounced + ... + queued, for every key. */
static inline void
assert_equation(const struct view *v)
{
	static const enum counter ends[] = { COUNT_SENT, COUNT_BOUNCED,
		COUNT_FILTERED, COUNT_EXPIRED, COUNT_SUPPRESSED,
		COUNT_REMOVED };
	int64_t total = 0;

	for (size_t i = 0; i < v->ncounters; i++) {
		const struct counter_row *c = &v->counter[i];
		int64_t queued =
		    c->n[COUNT_ACCEPTED] + c->n[COUNT_RETURNED];

		for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++)
			queued -= c->n[ends[k]];
		assert_true(queued >= 0);
		for (size_t k = 0; k < v->nrecipients; k++)
			if (counted_under(&v->recipient[k], c))
				queued--;
		assert_int_equal(queued, 0);
		total += c->n[COUNT_ACCEPTED];
	}
	assert_true(total >= (int64_t)v->nrecipients);
	assert_int_equal(v->queue_size, v->nrecipients);
}

#endif
