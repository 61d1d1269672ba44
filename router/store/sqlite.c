/*
 * sqlite.c - the SQLite engine: the connection, its transactions and its
 * errors.
 *
 * Write-ahead logging with a sync of the log at every commit. Checkpoints are
 * made here, between transactions, and not by SQLite inside a commit: there a
 * failed sync would go unnoticed, and here nobody waits for them.
 */
#include "router/store/sqlite_int.h"

#include "mta/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_SIZE                                                              \
	"4096" /* measured with bench_store: larger costs the same CPU, writes \
		  more */
#define CHECKPOINT_AFTER 2000 /* pages in the log */
#define CHECK_ALL_BELOW                                                        \
	(64 * 1024 * 1024) /* bytes; quick_check then takes < 0.2 s */

/* -- statements ---------------------------------------------------------- */

static enum store_status
sqlite_error(struct sqlite *q, const char *what, struct err *e)
{
	int code = sqlite3_extended_errcode(q->db);
	int sys = sqlite3_system_errno(q->db);

	err_set(e, "cannot %s: %s%s%s", what, sqlite3_errmsg(q->db),
	    (code & 0xff) == SQLITE_IOERR ? ": " : "",
	    (code & 0xff) == SQLITE_IOERR ? strerror(sys) : "");
	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
		return STORE_FAILED;
	switch (code & 0xff) {
	case SQLITE_FULL:
	case SQLITE_BUSY:
		return STORE_FULL;
	case SQLITE_IOERR:
		return sys == ENOSPC || sys == EDQUOT ? STORE_FULL
						      : STORE_FAILED;
	case SQLITE_CONSTRAINT:
		return STORE_REJECTED;
	default:
		return STORE_FAILED;
	}
}

static sqlite3_stmt *
of(struct stmt *st)
{
	return container_of(st, struct sqlite_stmt, stmt)->s;
}

static struct sqlite *
sqlite_of(struct sql *q)
{
	return container_of(q, struct sqlite, sql);
}

static bool
next(struct sql *q, struct stmt *st, const char *what,
    enum store_status *status, struct err *e)
{
	int rc = sqlite3_step(of(st));

	*status = rc == SQLITE_ROW || rc == SQLITE_DONE
		      ? STORE_OK
		      : sqlite_error(sqlite_of(q), what, e);
	if (rc != SQLITE_ROW)
		sqlite3_reset(of(st));
	return rc == SQLITE_ROW;
}

static enum store_status
run(struct sql *q, struct stmt *st, const char *what, struct err *e)
{
	enum store_status status;

	while (next(q, st, what, &status, e))
		;
	return status;
}

static uint64_t
changes(struct sql *q)
{
	return (uint64_t)sqlite3_changes(sqlite_of(q)->db);
}

static int64_t
last_id(struct sql *q)
{
	return sqlite3_last_insert_rowid(sqlite_of(q)->db);
}

static void
ahead(struct sql *q, struct stmt *st, const char *what)
{
	(void)q;
	(void)st;
	(void)what;
}

static void
set_int(struct stmt *st, int i, int64_t value)
{
	sqlite3_bind_int64(of(st), i, value);
}

static void
set_chars(struct stmt *st, int i, const char *s, size_t len)
{
	sqlite3_bind_text64(of(st), i, s, len, SQLITE_STATIC, SQLITE_UTF8);
}

static void
set_blob(struct stmt *st, int i, const void *data, size_t len)
{
	sqlite3_bind_blob64(of(st), i, data, len, SQLITE_STATIC);
}

static int64_t
get_int(struct stmt *st, int i)
{
	return sqlite3_column_int64(of(st), i);
}

static const char *
get_text(struct stmt *st, int i)
{
	const unsigned char *s = sqlite3_column_text(of(st), i);

	return s != NULL ? (const char *)s : "";
}

static const void *
get_blob(struct stmt *st, int i)
{
	const void *data = sqlite3_column_blob(of(st), i);

	return data != NULL ? data : "";
}

static size_t
get_bytes(struct stmt *st, int i)
{
	return (size_t)sqlite3_column_bytes(of(st), i);
}

static void
reset(struct stmt *st)
{
	sqlite3_reset(of(st));
}

static struct stmt *other(struct sql *, const char *text, struct err *);
static void finish(struct stmt *);
static int script(struct sql *, const char *text, struct err *);
static int begin_other(struct sql *, struct err *);
static int commit_other(struct sql *, struct err *);
static void roll_back_other(struct sql *);
static void disconnect(struct sql *);

static const struct sql_ops ops = {
	.bind_int = set_int,
	.bind_chars = set_chars,
	.bind_blob = set_blob,
	.next = next,
	.run = run,
	.changes = changes,
	.last_id = last_id,
	.ahead = ahead,
	.column_int = get_int,
	.column_text = get_text,
	.column_blob = get_blob,
	.column_bytes = get_bytes,
	.reset = reset,
	.prepare = other,
	.finish = finish,
	.script = script,
	.begin = begin_other,
	.commit = commit_other,
	.roll_back = roll_back_other,
	.disconnect = disconnect,
};

/* -- opening ------------------------------------------------------------- */

/* SQLite's word on why, after "store 'x': ". Returns -1. */
static int
refuse(struct sqlite *q, const char *file, struct err *e)
{
	int code = sqlite3_errcode(q->db);

	if (code == SQLITE_NOTADB)
		return err_set(e, "store '%s' is not a database", file);
	if (code == SQLITE_CORRUPT)
		return err_set(e, "store '%s' is corrupt: %s", file,
		    sqlite3_errmsg(q->db));
	return err_set(
	    e, "cannot open store '%s': %s", file, sqlite3_errmsg(q->db));
}

int
sqlite_ask(struct sqlite *q, const char *file, const char *sql,
    struct str *answer, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(q->db, sql, -1, &st, NULL);

	str_clear(answer);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		str_adds(answer, (const char *)sqlite3_column_text(st, 0));
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		refuse(q, file, e);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

int
sqlite_script(
    struct sqlite *q, const char *file, const char *sql, struct err *e)
{
	if (sqlite3_exec(q->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return refuse(q, file, e);
	return 0;
}

/* A look at every page while that is quick; a large file is checked as it is
 * read. */
static int
check_pages(struct sqlite *q, const char *file, struct err *e)
{
	struct str answer = STR_INIT;
	struct stat st;
	int ret;

	if (stat(file, &st) == 0 && st.st_size > CHECK_ALL_BELOW)
		return 0;
	ret = sqlite_ask(q, file, "PRAGMA quick_check(1)", &answer, e);
	if (ret == 0 && strcmp(answer.data, "ok") != 0)
		ret =
		    err_set(e, "store '%s' is corrupt: %s", file, answer.data);
	str_release(&answer);
	return ret;
}

static int
prepare(struct sqlite *q, const char *file, struct err *e)
{
	for (int i = 0; i < SQL_MAX; i++) {
		if (sqlite_sql[i] == NULL)
			continue;
		if (sqlite3_prepare_v3(q->db, sqlite_sql[i], -1,
			SQLITE_PREPARE_PERSISTENT, &q->prepared[i].s,
			NULL) != SQLITE_OK)
			return err_set(e, "store '%s' is damaged: %s", file,
			    sqlite3_errmsg(q->db));
		q->prepared[i].stmt.ops = &ops;
		q->sql.stmt[i] = &q->prepared[i].stmt;
	}
	return 0;
}

/* SQLite would make it readable for all; it gives the log and its index the
 * same mode. */
static int
create_private(const char *file, struct err *e)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "cannot open store '%s'", file);
	close(fd);
	return 0;
}

static int
open_database(struct sqlite *q, const char *file, struct err *e)
{
	int rc = sqlite3_open_v2(
	    file, &q->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc != SQLITE_OK)
		return refuse(q, file, e);
	sqlite3_extended_result_codes(q->db, 1);
	sqlite3_busy_timeout(q->db, 2000);
	q->sql.ops = &ops;
	q->sql.parameter = '?';
	return 0;
}

static void
close_database(struct sqlite *q)
{
	for (int i = 0; i < SQL_MAX; i++)
		sqlite3_finalize(q->prepared[i].s);
	sqlite3_close(q->db);
}

static char *
file_in(const char *directory)
{
	struct str s = STR_INIT;

	str_addf(&s, "%s/oiwake.db", directory);
	return str_detach(&s);
}

/* secure_delete is on in Debian's SQLite: it would write every page that a
 * message leaves. */
static const char writer_settings[] = "PRAGMA page_size = " PAGE_SIZE ";"
				      "PRAGMA journal_mode = WAL;"
				      "PRAGMA synchronous = FULL;"
				      "PRAGMA wal_autocheckpoint = 0;"
				      "PRAGMA journal_size_limit = 67108864;"
				      "PRAGMA secure_delete = OFF;"
				      "PRAGMA cache_size = -12000;"
				      "PRAGMA temp_store = MEMORY";

static const char reader_settings[] = "PRAGMA query_only = ON;"
				      "PRAGMA cache_size = -2000;"
				      "PRAGMA temp_store = MEMORY";

static int
open_writer(struct sqlite *q, const char *file, struct err *e)
{
	if (create_private(file, e) < 0 || open_database(q, file, e) < 0 ||
	    sqlite_script(q, file, writer_settings, e) < 0 ||
	    sqlite_schema_check(q, file, e) < 0 || check_pages(q, file, e) < 0)
		return -1;
	return prepare(q, file, e);
}

struct sqlite_engine {
	struct sql_engine eng;
	struct sqlite q;
	int wal_frames; /* written since the last full checkpoint */
};

static struct sqlite_engine *
engine_of(struct engine *base)
{
	return container_of(sql_of(base), struct sqlite_engine, eng);
}

static int
on_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct sqlite_engine *eng = arg;

	(void)db;
	(void)name;
	eng->wal_frames = frames;
	return SQLITE_OK;
}

static void
engine_close(struct engine **ep)
{
	struct sqlite_engine *eng;

	if (*ep == NULL)
		return;
	eng = engine_of(*ep);
	close_database(&eng->q);
	sql_engine_release(&eng->eng);
	free(eng);
	*ep = NULL;
}

/* Counting every allocation takes a lock each time. Refused, and no harm done,
 * when SQLite is in use already. */
static void
configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static struct engine *
engine_open(const struct store_config *config, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sqlite_engine *eng = xcalloc(1, sizeof(*eng));
	struct engine *base = &eng->eng.engine;
	struct str spool = STR_INIT;
	char *file = file_in(config->directory);

	pthread_once(&once, configure);
	str_addf(&spool, "%s/spool", config->directory);
	sql_engine_init(&eng->eng, &sqlite_engine, config, spool.data);
	str_release(&spool);
	eng->eng.q = &eng->q.sql;
	if (open_writer(&eng->q, file, e) < 0 ||
	    sql_engine_load(&eng->eng, e) != STORE_OK)
		engine_close(&base);
	else
		sqlite3_wal_hook(eng->q.db, on_commit, eng);
	free(file);
	return base;
}

/* -- transactions -------------------------------------------------------- */

static enum store_status
engine_begin(struct engine *base, struct err *e)
{
	struct sql *q = sql_of(base)->q;

	return sql_run(q, sql_stmt(q, SQL_BEGIN), "begin a transaction", e);
}

static enum store_status
engine_commit(struct engine *base, struct err *e)
{
	struct sql_engine *eng = sql_of(base);
	enum store_status st = sql_engine_flush(eng, e);

	if (st == STORE_OK)
		st = sql_run(eng->q, sql_stmt(eng->q, SQL_COMMIT), "commit", e);
	if (st == STORE_OK)
		sql_engine_committed(eng);
	return st;
}

static void
engine_rollback(struct engine *base)
{
	struct sqlite_engine *eng = engine_of(base);
	struct err ignored;

	sql_engine_forget(&eng->eng);
	for (int i = 0; i < SQL_MAX; i++)
		sqlite3_reset(eng->q.prepared[i].s);
	/* SQLite has rolled back by itself after some errors. */
	if (!sqlite3_get_autocommit(eng->q.db))
		sql_run(eng->eng.q, sql_stmt(eng->eng.q, SQL_ROLLBACK),
		    "roll back", &ignored);
}

/* A log that is copied whole is written again from its start: it needs no more
 * space. */
static enum store_status
engine_tidy(struct engine *base, bool at_once, struct err *e)
{
	struct sqlite_engine *eng = engine_of(base);
	int rc;

	if (eng->wal_frames < (at_once ? 1 : CHECKPOINT_AFTER))
		return STORE_OK;
	rc = sqlite3_wal_checkpoint_v2(
	    eng->q.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	eng->wal_frames = 0;
	return rc == SQLITE_OK ? STORE_OK
			       : sqlite_error(&eng->q, "checkpoint", e);
}

/* -- other statements ------------------------------------------------------ */

static struct stmt *
other(struct sql *base, const char *text, struct err *e)
{
	struct sqlite *q = sqlite_of(base);
	struct sqlite_stmt *st = xcalloc(1, sizeof(*st));

	st->stmt.ops = &ops;
	if (sqlite3_prepare_v2(q->db, text, -1, &st->s, NULL) == SQLITE_OK)
		return &st->stmt;
	err_set(e, "cannot prepare a statement: %s", sqlite3_errmsg(q->db));
	free(st);
	return NULL;
}

static void
finish(struct stmt *base)
{
	struct sqlite_stmt *st = container_of(base, struct sqlite_stmt, stmt);

	sqlite3_finalize(st->s);
	free(st);
}

static int
script(struct sql *base, const char *text, struct err *e)
{
	struct sqlite *q = sqlite_of(base);

	if (sqlite3_exec(q->db, text, NULL, NULL, NULL) != SQLITE_OK)
		return err_set(e, "%s", sqlite3_errmsg(q->db));
	return 0;
}

static int
begin_other(struct sql *q, struct err *e)
{
	return script(q, "BEGIN IMMEDIATE", e);
}

static int
commit_other(struct sql *q, struct err *e)
{
	if (script(q, "COMMIT", e) == 0)
		return 0;
	roll_back_other(q);
	return -1;
}

static void
roll_back_other(struct sql *q)
{
	struct err ignored = ERR_INIT;

	script(q, "ROLLBACK", &ignored);
}

static void
disconnect(struct sql *base)
{
	struct sqlite *q = sqlite_of(base);

	close_database(q);
	if (q->lock_fd >= 0)
		close(q->lock_fd);
	free(q);
}

struct sql *
sqlite_connect(const struct store_config *config, struct err *e)
{
	struct sqlite *q = xcalloc(1, sizeof(*q));
	char *file = file_in(config->directory);
	bool open = false;

	q->lock_fd = store_lock(config->directory, e);
	if (q->lock_fd >= 0)
		open = create_private(file, e) == 0 &&
		       open_database(q, file, e) == 0 &&
		       sqlite_script(q, file, writer_settings, e) == 0;
	free(file);
	if (open)
		return &q->sql;
	disconnect(&q->sql);
	return NULL;
}

/* -- the reading side ---------------------------------------------------- */

struct sqlite_reader {
	struct sql_reader reader;
	struct sqlite q;
};

static struct sqlite_reader *
reader_of(struct store_reader *r)
{
	return container_of(r, struct sqlite_reader, reader.reader);
}

static void
reader_close(struct store_reader **rp)
{
	struct sqlite_reader *r;

	if (*rp == NULL)
		return;
	r = reader_of(*rp);
	close_database(&r->q);
	free(r);
	*rp = NULL;
}

static struct store_reader *
reader_open(const struct store_config *config, struct err *e)
{
	struct sqlite_reader *r = xcalloc(1, sizeof(*r));
	struct store_reader *base = &r->reader.reader;
	char *file = file_in(config->directory);

	r->reader.reader.ops = &sqlite_engine;
	r->reader.q = &r->q.sql;
	if (open_database(&r->q, file, e) < 0 ||
	    sqlite_script(&r->q, file, reader_settings, e) < 0 ||
	    prepare(&r->q, file, e) < 0)
		reader_close(&base);
	free(file);
	return base;
}

static void
reader_begin(struct store_reader *r)
{
	sqlite3_exec(reader_of(r)->q.db, "BEGIN", NULL, NULL, NULL);
}

static void
reader_end(struct store_reader *r)
{
	sqlite3_exec(reader_of(r)->q.db, "COMMIT", NULL, NULL, NULL);
}

const struct engine_ops sqlite_engine = {
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
};
