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

enum store_status
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

sqlite3_stmt *
sqlite_stmt(struct sqlite *q, enum sql which)
{
	return q->stmt[which];
}

int
sqlite_next(struct sqlite *q, sqlite3_stmt *st, const char *what,
    enum store_status *status, struct err *e)
{
	int rc = sqlite3_step(st);

	*status = STORE_OK;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		*status = sqlite_error(q, what, e);
		sqlite3_reset(st);
	}
	return rc;
}

enum store_status
sqlite_run(struct sqlite *q, sqlite3_stmt *st, const char *what, struct err *e)
{
	enum store_status status;

	while (sqlite_next(q, st, what, &status, e) == SQLITE_ROW)
		;
	if (status == STORE_OK)
		sqlite3_reset(st);
	return status;
}

void
sqlite_bind_route(sqlite3_stmt *st, int i, const struct route *r)
{
	const char *column[] = { r->path, r->pool, r->source, r->carrier,
		r->group, r->rule, r->ruleset, r->configuration_set };

	for (size_t k = 0; k < sizeof(column) / sizeof(column[0]); k++)
		bind_text(st, i + (int)k, column[k]);
}

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
		str_adds(answer, column_text(st, 0));
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
	for (int i = 0; i < SQL_MAX; i++)
		if (sqlite3_prepare_v3(q->db, sqlite_sql[i], -1,
			SQLITE_PREPARE_PERSISTENT, &q->stmt[i],
			NULL) != SQLITE_OK)
			return err_set(e, "store '%s' is damaged: %s", file,
			    sqlite3_errmsg(q->db));
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
	return 0;
}

static void
close_database(struct sqlite *q)
{
	for (int i = 0; i < SQL_MAX; i++)
		sqlite3_finalize(q->stmt[i]);
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
	eng = sqlite_of(*ep);
	close_database(&eng->q);
	str_release(&eng->text);
	str_release(&eng->packed);
	free(eng->spool_directory);
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
	struct engine *base = &eng->engine;
	struct str spool = STR_INIT;
	char *file = file_in(config->directory);

	pthread_once(&once, configure);
	eng->engine.ops = &sqlite_engine;
	eng->traffic_keep = config->traffic_keep;
	str_init(&eng->text);
	str_init(&eng->packed);
	str_addf(&spool, "%s/spool", config->directory);
	eng->spool_directory = str_detach(&spool);
	if (open_writer(&eng->q, file, e) < 0 ||
	    sqlite_traffic_load(eng, e) != STORE_OK)
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
	struct sqlite *q = &sqlite_of(base)->q;

	return sqlite_run(
	    q, sqlite_stmt(q, SQL_BEGIN), "begin a transaction", e);
}

static enum store_status
engine_commit(struct engine *base, struct err *e)
{
	struct sqlite_engine *eng = sqlite_of(base);
	enum store_status st = sqlite_traffic_flush(eng, e);

	if (st == STORE_OK)
		st = sqlite_run(
		    &eng->q, sqlite_stmt(&eng->q, SQL_COMMIT), "commit", e);
	if (st == STORE_OK)
		eng->committed = eng->traffic;
	return st;
}

static void
engine_rollback(struct engine *base)
{
	struct sqlite_engine *eng = sqlite_of(base);
	struct sqlite *q = &eng->q;
	struct err ignored;

	sqlite_traffic_forget(eng);
	for (int i = 0; i < SQL_MAX; i++)
		sqlite3_reset(q->stmt[i]);
	/* SQLite has rolled back by itself after some errors. */
	if (!sqlite3_get_autocommit(q->db))
		sqlite_run(
		    q, sqlite_stmt(q, SQL_ROLLBACK), "roll back", &ignored);
}

/* A log that is copied whole is written again from its start: it needs no more
 * space. */
static enum store_status
engine_tidy(struct engine *base, bool at_once, struct err *e)
{
	struct sqlite_engine *eng = sqlite_of(base);
	int rc;

	if (eng->wal_frames < (at_once ? 1 : CHECKPOINT_AFTER))
		return STORE_OK;
	rc = sqlite3_wal_checkpoint_v2(
	    eng->q.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	eng->wal_frames = 0;
	return rc == SQLITE_OK ? STORE_OK
			       : sqlite_error(&eng->q, "checkpoint", e);
}

/* -- the reading side ---------------------------------------------------- */

static void
reader_close(struct store_reader **rp)
{
	struct sqlite_reader *r;

	if (*rp == NULL)
		return;
	r = container_of(*rp, struct sqlite_reader, reader);
	close_database(&r->q);
	free(r);
	*rp = NULL;
}

static struct store_reader *
reader_open(const char *directory, struct err *e)
{
	struct sqlite_reader *r = xcalloc(1, sizeof(*r));
	struct store_reader *base = &r->reader;
	char *file = file_in(directory);

	r->reader.ops = &sqlite_engine;
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
	sqlite3_exec(container_of(r, struct sqlite_reader, reader)->q.db,
	    "BEGIN", NULL, NULL, NULL);
}

static void
reader_end(struct store_reader *r)
{
	sqlite3_exec(container_of(r, struct sqlite_reader, reader)->q.db,
	    "COMMIT", NULL, NULL, NULL);
}

static enum store_status
add_counters(struct engine *base, const struct counter_row *row, struct err *e)
{
	struct sqlite *q = &sqlite_of(base)->q;
	sqlite3_stmt *st = sqlite_stmt(q, SQL_ADD_COUNTER);
	const char *key[] = { row->path, row->carrier, row->group, row->sender,
		row->source, row->rule };
	int i = 1;

	for (size_t k = 0; k < sizeof(key) / sizeof(key[0]); k++)
		bind_text(st, i++, key[k]);
	for (int k = 0; k < COUNT_MAX; k++)
		sqlite3_bind_int64(st, i++, row->n[k]);
	return sqlite_run(q, st, "count", e);
}

const struct engine_ops sqlite_engine = {
	.open = engine_open,
	.close = engine_close,
	.begin = engine_begin,
	.commit = engine_commit,
	.rollback = engine_rollback,
	.tidy = engine_tidy,
	.execute = {
		[STORE_ENQUEUE] = sqlite_enqueue,
		[STORE_BEGIN] = sqlite_begin_attempt,
		[STORE_SETTLE] = sqlite_settle,
		[STORE_LEASE] = sqlite_lease,
		[STORE_QUEUE_EDIT] = sqlite_edit,
		[STORE_RULESET] = sqlite_put_ruleset,
		[STORE_KEEP] = sqlite_keep,
	},
	.add_counters = add_counters,
	.trim_events = sqlite_trim_events,
	.trim_traffic = sqlite_trim_traffic,
	.trim_kept = sqlite_trim_kept,
	.recover = sqlite_recover,
	.knows_spool = sqlite_knows_spool,
	.reader_open = reader_open,
	.reader_close = reader_close,
	.reader_begin = reader_begin,
	.reader_end = reader_end,
	.each_shelf = sqlite_each_shelf,
	.read_counters = sqlite_read_counters,
	.read_queue = sqlite_read_queue,
	.read_queue_size = sqlite_read_queue_size,
	.read_events = sqlite_read_events,
	.read_rulesets = sqlite_read_rulesets,
	.read_ruleset_files = sqlite_read_ruleset_files,
	.read_kept = sqlite_read_kept,
	.read_traffic = sqlite_read_traffic,
};
