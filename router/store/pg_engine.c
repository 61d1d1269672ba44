/*
 * pg_engine.c - the PostgreSQL engine: its connections, its transactions, and
 * what is done when a connection is gone.
 *
 * A thread of its own connects again (pg_dial.c), for that may take seconds, in
 * which the committer has answers to give. When the connection went while the
 * commit was out, the transaction's number tells the next one what became of it
 * (PostgreSQL's manual, 9.26.1: pg_xact_status).
 *
 * But a server that crashed gives numbers again that had not come to its log,
 * and then another transaction may have committed under ours. So each leaves a
 * mark of this node in what it commits, and only who finds it believes that it
 * has happened.
 */
#include "router/store/pg.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"

#include <stdlib.h>
#include <string.h>

struct pg_engine {
	struct sql_engine eng;
	struct pg *pg;
	struct pg_dial *dial;
	/* Of the transaction whose commit is in doubt. */
	int64_t doubtful, mark;
};

static struct pg_engine *
engine_of(struct engine *base)
{
	return container_of(sql_of(base), struct pg_engine, eng);
}

struct pg *
pg_of_engine(struct engine *base)
{
	return engine_of(base)->pg;
}

/* -- opening and closing --------------------------------------------------- */

static void
engine_close(struct engine **ep)
{
	struct pg_engine *eng;

	if (*ep == NULL)
		return;
	eng = engine_of(*ep);
	pg_dial_free(&eng->dial);
	pg_free(&eng->pg);
	sql_engine_release(&eng->eng);
	free(eng);
	*ep = NULL;
}

static int
load(struct pg_engine *eng, struct err *e)
{
	enum store_status st;

	pg_begin(eng->pg, 0);
	st = sql_engine_load(&eng->eng, e);
	if (st == STORE_OK)
		st = pg_commit(eng->pg, e);
	if (st != STORE_OK)
		pg_roll_back(eng->pg);
	return st == STORE_OK ? 0 : -1;
}

static int
connect_engine(
    struct pg_engine *eng, const struct store_config *config, struct err *e)
{
	PGconn *conn = pg_connect(config, PG_WRITE, e);

	if (conn == NULL)
		return -1;
	if (pg_schema_open(conn, e) < 0) {
		PQfinish(conn);
		return -1;
	}
	return pg_attach(eng->pg, conn, e) < 0 ? -1 : load(eng, e);
}

static struct engine *
engine_open(const struct store_config *config, struct err *e)
{
	struct pg_engine *eng = xcalloc(1, sizeof(*eng));
	struct engine *base = &eng->eng.engine;

	sql_engine_init(&eng->eng, &pg_engine, config, NULL);
	eng->pg = pg_new(PG_WRITE);
	pg_watch_request(eng->pg, &base->running);
	eng->dial = pg_dial_new(config, PG_WRITE);
	eng->eng.q = pg_sql_of(eng->pg);
	if (connect_engine(eng, config, e) < 0)
		engine_close(&base);
	return base;
}

/* -- transactions ---------------------------------------------------------- */

static enum store_status
engine_begin(struct engine *base, struct err *e)
{
	struct pg_engine *eng = engine_of(base);

	base->culprit = NULL;
	base->again = base->in_doubt = false;
	pg_begin(eng->pg, base->epoch);
	if (pg_fault(eng->pg)->status != STORE_OK)
		*e = pg_fault(eng->pg)->err;
	return pg_fault(eng->pg)->status;
}

static void
note_fault(struct pg_engine *eng)
{
	const struct pg_fault *f = pg_fault(eng->pg);
	struct engine *base = &eng->eng.engine;

	base->culprit = f->culprit;
	base->again = f->again;
	base->in_doubt = f->in_doubt;
}

static enum store_status
engine_commit(struct engine *base, struct err *e)
{
	struct pg_engine *eng = engine_of(base);
	enum store_status st;

	st = sql_engine_flush(&eng->eng, e);
	if (st == STORE_OK)
		st = pg_commit(eng->pg, e);
	if (st == STORE_OK)
		sql_engine_committed(&eng->eng);
	note_fault(eng);
	if (base->in_doubt) {
		eng->doubtful = pg_transaction(eng->pg);
		eng->mark = pg_mark(eng->pg);
	}
	return st;
}

static void
engine_rollback(struct engine *base)
{
	struct pg_engine *eng = engine_of(base);

	sql_engine_forget(&eng->eng);
	pg_roll_back(eng->pg);
	note_fault(eng);
	base->in_doubt = false;
}

/* The server sees to that itself. */
static enum store_status
engine_tidy(struct engine *base, bool at_once, struct err *e)
{
	(void)base;
	(void)at_once;
	(void)e;
	return STORE_OK;
}

/* -- away --------------------------------------------------------------------
 */

static enum store_status
engine_come_back(struct engine *base, int64_t ms, struct err *e)
{
	struct pg_engine *eng = engine_of(base);
	PGconn *conn;

	if (pg_is_attached(eng->pg))
		return STORE_OK;
	conn = pg_dial(eng->dial, ms, e);
	if (conn == NULL || pg_attach(eng->pg, conn, e) < 0)
		return STORE_AWAY;
	return STORE_OK;
}

/* Of a transaction that this server has never heard of, as when a standby has
 * taken over that was behind, nothing is there. */
static const char fate[] =
    "SELECT CASE WHEN $1::bigint >="
    "  pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN 'aborted'"
    " ELSE coalesce(pg_xact_status($1::bigint::text::xid8), 'aborted') END";

/* The server does not know yet that we are gone. One that waits for us, and not
 * for its disk or a standby, will never commit. In the middle of a pipeline it
 * does not count as idle. */
static const char give_up[] =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE backend_xid = ($1::bigint & 4294967295)::text::xid"
    " AND wait_event = 'ClientRead'";

static const char marked[] = "SELECT count(*) FROM change_mark"
			     " WHERE node = $1 AND kind = 'commit' AND n = $2";

/* Asked when its number is said to have committed: what it wrote is seen then. */
static enum store_status
look_for_mark(struct pg_engine *eng, struct err *e)
{
	const int64_t mark[] = { eng->eng.engine.epoch, eng->mark };
	struct str answer = STR_INIT;
	enum store_status st = STORE_AWAY;

	if (eng->mark == 0)
		return STORE_OK;
	if (pg_ask(eng->pg, marked, mark, 2, &answer, e) == 0)
		st = strcmp(answer.data, "0") != 0 ? STORE_OK : STORE_REJECTED;
	str_release(&answer);
	return st;
}

static enum store_status
engine_resolve(struct engine *base, struct err *e)
{
	struct pg_engine *eng = engine_of(base);
	struct str answer = STR_INIT;
	enum store_status st = STORE_AWAY;

	if (pg_ask(eng->pg, fate, &eng->doubtful, 1, &answer, e) == 0) {
		if (strcmp(answer.data, "committed") == 0)
			st = look_for_mark(eng, e);
		else if (strcmp(answer.data, "aborted") == 0)
			st = STORE_REJECTED;
		else if (pg_ask(eng->pg, give_up, &eng->doubtful, 1, &answer,
			     e) == 0)
			err_set(e, "the last commit is not decided yet");
	}
	if (st == STORE_OK)
		sql_engine_committed(&eng->eng);
	base->in_doubt = st == STORE_AWAY;
	str_release(&answer);
	return st;
}

/* -- the reading side ---------------------------------------------------- */

struct pg_reader {
	struct sql_reader reader;
	struct pg *pg;
	struct store_config *config;
	unsigned attempts; /* in vain */
	int64_t retry_at;  /* mono ms */
};

static struct pg_reader *
reader_of(struct store_reader *r)
{
	return container_of(r, struct pg_reader, reader.reader);
}

struct pg *
pg_of_reader(struct store_reader *r)
{
	return reader_of(r)->pg;
}

static void
reader_close(struct store_reader **rp)
{
	struct pg_reader *r;

	if (*rp == NULL)
		return;
	r = reader_of(*rp);
	pg_free(&r->pg);
	pg_config_free(&r->config);
	free(r);
	*rp = NULL;
}

static int
connect_reader(struct pg_reader *r, struct err *e)
{
	PGconn *conn = pg_connect(r->config, PG_READ, e);

	return conn == NULL ? -1 : pg_attach(r->pg, conn, e);
}

static struct store_reader *
reader_open(const struct store_config *config, struct err *e)
{
	struct pg_reader *r = xcalloc(1, sizeof(*r));
	struct store_reader *base = &r->reader.reader;

	base->ops = &pg_engine;
	r->pg = pg_new(PG_READ);
	r->reader.q = pg_sql_of(r->pg);
	r->config = pg_config_new(config);
	if (connect_reader(r, e) < 0)
		reader_close(&base);
	return base;
}

/* Not for each query: they would wait for one connection after the other. */
static void
connect_again(struct pg_reader *r)
{
	struct err e = ERR_INIT;

	if (pg_is_attached(r->pg) || clock_mono() < r->retry_at)
		return;
	if (connect_reader(r, &e) == 0) {
		r->attempts = 0;
		return;
	}
	if (r->attempts == 0)
		log_text(LOG_WARN, "store-read",
		    "nothing can be read for people: %s", e.text);
	r->retry_at = clock_mono() + pg_back_off(r->attempts++);
}

/* That the server has gone since the last query shows at the first answer. */
static void
reader_begin(struct store_reader *base)
{
	struct pg_reader *r = reader_of(base);

	for (int i = 0; i < 2; i++) {
		connect_again(r);
		pg_begin(r->pg, 0);
		pg_transaction(r->pg);
		if (pg_fault(r->pg)->status == STORE_OK ||
		    !pg_fault(r->pg)->reconnect)
			break;
		pg_drop(r->pg);
	}
}

static void
reader_end(struct store_reader *base)
{
	struct pg_reader *r = reader_of(base);
	struct err e;

	if (pg_commit(r->pg, &e) != STORE_OK)
		pg_roll_back(r->pg);
}

static void
asked(struct engine *engine, struct store_reader *reader, struct store_asked *a)
{
	const struct pg_counts *c[] = { pg_counts(pg_of_engine(engine)),
		pg_counts(pg_of_reader(reader)) };

	for (size_t i = 0; i < 2; i++) {
		a->statements += atomic_load(&c[i]->statements);
		a->trips += atomic_load(&c[i]->trips);
	}
}

const struct engine_ops pg_engine = {
	.open = engine_open,
	.close = engine_close,
	.begin = engine_begin,
	.commit = engine_commit,
	.rollback = engine_rollback,
	.add_counters = sql_add_counters,
	.tidy = engine_tidy,
	.reader_open = reader_open,
	.reader_close = reader_close,
	.reader_begin = reader_begin,
	.reader_end = reader_end,
	.come_back = engine_come_back,
	.resolve = engine_resolve,
	.asked = asked,
};
