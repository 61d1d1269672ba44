/*
 * pg.c - a connection to PostgreSQL as the engine sees it: struct sql, and
 * transactions.
 *
 * Integers are bound as text and left to the server to type, texts and blobs as
 * their bytes; all answers are binary. A text that is no UTF-8, or holds a NUL,
 * is one that PostgreSQL does not take: each byte of it that is no character
 * becomes a '?', where it is stored as where it is looked for.
 *
 * A promise is an answer that somebody has asked for before it is needed
 * (sql_ahead), found again by its statement and parameters.
 */
#include "router/store/pg_int.h"

#include "mta/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_stmt *
of(struct stmt *st)
{
	return container_of(st, struct pg_stmt, stmt);
}

static struct pg *
pg_of(struct sql *q)
{
	return container_of(q, struct pg, sql);
}

/* -- parameters ---------------------------------------------------------- */

/* The length of the character at *s, 0 when it is none (Unicode, table 3-7). */
static size_t
character(const unsigned char *s, size_t len)
{
	unsigned char lead = s[0], low = 0x80, high = 0xbf;
	size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	if (lead == 0 || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4 ||
	    n > len)
		return 0;
	if (lead == 0xe0)
		low = 0xa0;
	if (lead == 0xed)
		high = 0x9f;
	if (lead == 0xf0)
		low = 0x90;
	if (lead == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf)
		if (s[i] < low || s[i] > high)
			return 0;
	return n;
}

/* Where the first byte is that is no character; len: there is none. */
static size_t
clean_until(const char *s, size_t len)
{
	size_t i = 0, n;

	while (i < len) {
		n = character((const unsigned char *)s + i, len - i);
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

void
pg_clean_text(char *s, size_t len)
{
	for (size_t at = 0; (at += clean_until(s + at, len - at)) < len;)
		s[at] = '?';
}

static void
clean(struct pg_param *p)
{
	if (clean_until(p->value, p->len) == p->len)
		return;
	p->cleaned = xstrndup(p->value, p->len);
	p->value = p->cleaned;
	pg_clean_text(p->cleaned, p->len);
}

static void
clear_param(struct pg_param *p)
{
	free(p->cleaned);
	p->cleaned = NULL;
	p->value = NULL;
	p->len = 0;
	p->binary = false;
}

static void
clear_params(struct pg_stmt *s)
{
	for (int i = 0; i < s->nparams; i++)
		clear_param(&s->param[i]);
}

/* NULL: the statement has none of that number. */
static struct pg_param *
param(struct stmt *st, int i)
{
	struct pg_stmt *s = of(st);

	if (i > s->nparams)
		return NULL;
	clear_param(&s->param[i - 1]);
	return &s->param[i - 1];
}

static void
set_int(struct stmt *st, int i, int64_t value)
{
	struct pg_param *p = param(st, i);
	int n;

	if (p == NULL)
		return;
	n = snprintf(p->number, sizeof(p->number), "%lld", (long long)value);
	p->value = p->number;
	p->len = (size_t)n;
}

static void
set_blob(struct stmt *st, int i, const void *data, size_t len)
{
	struct pg_param *p = param(st, i);

	if (p == NULL)
		return;
	p->value = data != NULL || len == 0 ? data : "";
	if (p->value == NULL)
		p->value = "";
	p->len = len;
	p->binary = true;
}

static void
set_chars(struct stmt *st, int i, const char *s, size_t len)
{
	struct pg_param *p = param(st, i);

	if (p == NULL || s == NULL)
		return;
	p->value = s;
	p->len = len;
	p->binary = true;
	clean(p);
}

/* -- promises -------------------------------------------------------------- */

struct promise {
	struct keyed keyed;
	struct pg_answer *answer; /* NULL: it was taken */
	struct pg_stmt *stmt;
};

/* A recipient's rows have been changed by the statement of that number. */
struct touched {
	struct keyed keyed;
	uint64_t number;
};

/* Parameters 1 and 2 of these are a recipient, whose rows they change */
static const bool touches[SQL_MAX] = {
	[SQL_ADD_SENT] = true,
	[SQL_SET_SENT] = true,
	[SQL_SET_SENT_STATE] = true,
	[SQL_BEGIN_SAME] = true,
	[SQL_REMOVE_SAME] = true,
	[SQL_REMOVE_RECIPIENT] = true,
	[SQL_SET_LEASED] = true,
	[SQL_SET_SENDING] = true,
	[SQL_SET_ROUTE] = true,
	[SQL_RETRY] = true,
	[SQL_RETURN] = true,
	[SQL_RETRY_NOW] = true,
	[SQL_HOLD] = true,
	[SQL_TAKE_BACK] = true,
};

/* and these show them: of the recipient in parameters 1 and 2, or in the first
 * columns of their row. */
enum shown { NOTHING, BY_PARAMETERS, BY_ROW };
static const enum shown shows[SQL_MAX] = {
	[SQL_GET_STORED] = BY_PARAMETERS,
	[SQL_GET_SENT] = BY_PARAMETERS,
	[SQL_FIND_SENT] = BY_ROW,
	[SQL_FIND_SENT_REMOTE] = BY_ROW,
};

static void
make_recipient(struct pg *pg, const struct pg_stmt *s)
{
	str_clear(&pg->key);
	for (int i = 0; i < 2; i++)
		str_add(&pg->key, s->param[i].number,
		    strlen(s->param[i].number) + 1);
}

static void
touch(struct pg *pg, const struct pg_stmt *s)
{
	struct keyed *k;

	if (pg->ahead.n == 0 || s->which >= SQL_MAX || !touches[s->which])
		return;
	make_recipient(pg, s);
	k = keyed_find(&pg->touched, &pg->key);
	if (k == NULL)
		k = keyed_add(&pg->touched, sizeof(struct touched), &pg->key);
	container_of(k, struct touched, keyed)->number = pg->sent + 1;
	pg->last_touch = pg->sent + 1;
}

/* The recipient in pg->key has been, after the nth statement. */
static bool
was_touched(const struct pg *pg, uint64_t n)
{
	struct keyed *k = keyed_find(&pg->touched, &pg->key);

	return k != NULL && container_of(k, struct touched, keyed)->number > n;
}

/* What was promised is not so any more. */
static bool
is_stale(struct pg *pg, const struct pg_stmt *s, struct pg_answer *a)
{
	enum shown how = s->which < SQL_MAX ? shows[s->which] : NOTHING;

	if (how == NOTHING || pg->last_touch <= a->number)
		return false;
	if (how == BY_PARAMETERS) {
		make_recipient(pg, s);
		return was_touched(pg, a->number);
	}
	pg_wait_rows(pg, a);
	if (a->first == NULL)
		return true;
	str_clear(&pg->key);
	for (int i = 0; i < 2; i++) {
		str_addf(&pg->key, "%lld",
		    (long long)pg_value_int(a->first->result, 0, i));
		str_add(&pg->key, "", 1);
	}
	return was_touched(pg, a->number);
}

/* The statement and what is bound, in pg->key. */
static void
make_key(struct pg *pg, const struct pg_stmt *s)
{
	struct str *key = &pg->key;

	str_clear(key);
	str_add(key, &s->number, sizeof(s->number));
	for (int i = 0; i < s->nparams; i++) {
		const struct pg_param *p = &s->param[i];

		str_addc(key, p->value == NULL ? '0' : '1');
		str_add(key, &p->len, sizeof(p->len));
		str_add(key, p->value != NULL ? p->value : "", p->len);
	}
}

static struct promise *
find_promise(struct pg *pg, const struct pg_stmt *s)
{
	struct keyed *k;

	if (pg->ahead.n == 0)
		return NULL;
	make_key(pg, s);
	k = keyed_find(&pg->ahead, &pg->key);
	return k != NULL ? container_of(k, struct promise, keyed) : NULL;
}

static void
ahead(struct sql *q, struct stmt *st, const char *what)
{
	struct pg *pg = pg_of(q);
	struct pg_stmt *s = of(st);
	struct promise *p = find_promise(pg, s);

	if (p == NULL) {
		make_key(pg, s);
		p = keyed_add(&pg->ahead, sizeof(*p), &pg->key);
		p->stmt = s;
	}
	touch(pg, s);
	if (p->answer == NULL)
		p->answer = pg_send(pg, s, PG_ROWS, what, true);
	clear_params(s);
}

static void
forget_promise(struct keyed *k)
{
	struct promise *p = container_of(k, struct promise, keyed);

	if (p->answer != NULL)
		pg_let_go(p->stmt->pg, &p->answer);
}

void
pg_forget_ahead(struct pg *pg)
{
	keyed_clear(&pg->ahead, forget_promise);
	keyed_clear(&pg->touched, NULL);
	pg->last_touch = 0;
}

/* -- reading --------------------------------------------------------------- */

static void
reset(struct stmt *st)
{
	struct pg_stmt *s = of(st);

	if (!s->borrowed)
		pg_let_go(s->pg, &s->answer);
	s->answer = NULL;
	s->rows = NULL;
	s->borrowed = false;
	clear_params(s);
}

/* NULL: it cannot be asked. */
static struct pg_answer *
ask(struct pg *pg, struct pg_stmt *s, const char *what)
{
	struct promise *p = find_promise(pg, s);
	struct pg_answer *a;

	if (p != NULL && p->answer != NULL && is_stale(pg, s, p->answer))
		pg_let_go(pg, &p->answer);
	if (p == NULL || p->answer == NULL) {
		touch(pg, s);
		return pg_send(pg, s, PG_ROWS, what, true);
	}
	a = p->answer;
	s->borrowed = !s->once;
	if (s->once)
		p->answer = NULL;
	return a;
}

/* Goes on to the next row. Rows that come one by one are not kept. */
static bool
step(struct pg *pg, struct pg_stmt *s)
{
	struct pg_answer *a = s->answer;
	struct pg_rows *old;

	if (s->rows != NULL && ++s->row < PQntuples(s->rows->result))
		return true;
	if (s->rows != NULL && s->borrowed)
		s->rows = s->rows->next;
	else if (s->rows != NULL) {
		old = a->first;
		a->first = old->next;
		if (a->first == NULL)
			a->end = &a->first;
		old->next = NULL;
		pg_rows_free(&old);
		pg_wait_rows(pg, a);
		s->rows = a->first;
	} else {
		pg_wait_rows(pg, a);
		s->rows = a->first;
	}
	s->row = 0;
	return s->rows != NULL;
}

static bool
next(struct sql *q, struct stmt *st, const char *what,
    enum store_status *status, struct err *e)
{
	struct pg *pg = pg_of(q);
	struct pg_stmt *s = of(st);

	if (s->answer == NULL) {
		s->answer = ask(pg, s, what);
		clear_params(s);
	}
	*status = STORE_OK;
	/* No row of a transaction that has failed is believed. */
	if (s->answer != NULL && step(pg, s) && pg->fault.status == STORE_OK)
		return true;
	if (pg->fault.status != STORE_OK) {
		*status = pg->fault.status;
		*e = pg->fault.err;
	}
	reset(st);
	return false;
}

static enum store_status
run(struct sql *q, struct stmt *st, const char *what, struct err *e)
{
	struct pg *pg = pg_of(q);
	struct pg_stmt *s = of(st);

	touch(pg, s);
	pg_send(pg, s, PG_RAN, what, false);
	clear_params(s);
	if (pg->fault.status != STORE_OK)
		*e = pg->fault.err;
	return pg->fault.status;
}

static uint64_t
changes(struct sql *q)
{
	struct pg *pg = pg_of(q);

	pg_wait(pg, pg->last);
	return pg->fault.status == STORE_OK ? pg->changes : 0;
}

static int64_t
last_id(struct sql *q)
{
	struct pg *pg = pg_of(q);

	pg_wait(pg, pg->last);
	return pg->fault.status == STORE_OK ? pg->last_id : 0;
}

/* -- columns --------------------------------------------------------------- */

int64_t
pg_value_int(const PGresult *r, int row, int column)
{
	const unsigned char *p =
	    (const unsigned char *)PQgetvalue(r, row, column);
	int len = PQgetlength(r, row, column);
	uint64_t n;

	if (PQgetisnull(r, row, column) || len < 1 || len > 8)
		return 0;
	n = p[0] & 0x80 ? UINT64_MAX : 0;
	for (int i = 0; i < len; i++)
		n = n << 8 | p[i];
	return (int64_t)n;
}

static int64_t
get_int(struct stmt *st, int i)
{
	struct pg_stmt *s = of(st);

	return pg_value_int(s->rows->result, s->row, i);
}

static const char *
get_text(struct stmt *st, int i)
{
	struct pg_stmt *s = of(st);

	return PQgetvalue(s->rows->result, s->row, i);
}

static const void *
get_blob(struct stmt *st, int i)
{
	return get_text(st, i);
}

static size_t
get_bytes(struct stmt *st, int i)
{
	struct pg_stmt *s = of(st);

	return (size_t)PQgetlength(s->rows->result, s->row, i);
}

/* -- statements ------------------------------------------------------------ */

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
	.prepare = pg_prepare_other,
	.finish = pg_finish_other,
	.script = pg_run_script,
	.begin = pg_begin_other,
	.commit = pg_commit_other,
	.roll_back = pg_roll_back_other,
	.disconnect = pg_disconnect,
};

/* The highest $n. */
static int
count_parameters(const char *text)
{
	long most = 0, n;

	for (; *text != '\0'; text++)
		if (*text == '$' && (n = strtol(text + 1, NULL, 10)) > most)
			most = n;
	return (int)most;
}

void
pg_stmt_init(struct pg *pg, struct pg_stmt *s, const char *text)
{
	size_t n = (size_t)count_parameters(text) + 1;

	s->stmt.ops = &ops;
	s->pg = pg;
	s->text = text;
	s->which = SQL_MAX;
	s->number = pg->nstmt++;
	snprintf(s->name, sizeof(s->name), "o%u", s->number);
	s->nparams = (int)n - 1;
	s->param = xcalloc(n, sizeof(*s->param));
	s->values = xcalloc(n, sizeof(*s->values));
	s->lengths = xcalloc(n, sizeof(*s->lengths));
	s->formats = xcalloc(n, sizeof(*s->formats));
}

void
pg_stmt_release(struct pg_stmt *s)
{
	if (s->pg == NULL)
		return;
	reset(&s->stmt);
	free(s->param);
	free(s->values);
	free(s->lengths);
	free(s->formats);
}

/* -- the connection -------------------------------------------------------- */

enum {
	BEGIN = SQL_MAX,
	BEGIN_TO_READ,
	NUMBER,
	MARK,
	NO_LIMIT,
	COMMIT,
	ROLL_BACK,
	STATEMENTS
};

/* What becomes of it others do not hear of (MARKS, pg_listen.c). Who leaves has
 * no row any more. */
static const char mark_sql[] =
    "INSERT INTO change_mark(node, kind, n)"
    " SELECT epoch, 'commit', $2::bigint FROM node"
    " WHERE epoch = $1::bigint ON CONFLICT (node, kind)"
    " DO UPDATE SET n = excluded.n";

/* One moment for all that is read. */
static const char *const own[] = {
	[BEGIN - SQL_MAX] = "BEGIN",
	[BEGIN_TO_READ - SQL_MAX] =
	    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	[NUMBER - SQL_MAX] = "SELECT pg_current_xact_id()::text::bigint",
	[MARK - SQL_MAX] = mark_sql,
	/* A commit that waits for a standby would go on without it. */
	[NO_LIMIT - SQL_MAX] = "SET LOCAL statement_timeout = 0",
	[COMMIT - SQL_MAX] = "COMMIT",
	[ROLL_BACK - SQL_MAX] = "ROLLBACK",
};

/* What nothing of a transaction changes in passing may be asked for by many. */
static bool
is_for_many(enum statement which)
{
	return which == SQL_FIND_SUPPRESSED || which == SQL_HAS_SUPPRESSION ||
	       which == SQL_HAS_STRIKE;
}

struct pg *
pg_new(enum pg_use use)
{
	struct pg *pg = xcalloc(1, sizeof(*pg));
	const char *text;

	pg->sql.ops = &ops;
	pg->sql.far = true;
	pg->sql.parameter = '$';
	pg->use = use;
	pg->stmt = xcalloc(STATEMENTS, sizeof(*pg->stmt));
	STAILQ_INIT(&pg->waiting);
	str_init(&pg->key);
	for (int i = 0; i < STATEMENTS; i++) {
		text = i < SQL_MAX ? pg_sql[i] : own[i - SQL_MAX];
		if (text == NULL)
			continue;
		pg_stmt_init(pg, &pg->stmt[i], text);
		pg->stmt[i].once = !is_for_many((enum statement)i);
		if (i < SQL_MAX) {
			pg->stmt[i].which = (unsigned)i;
			pg->sql.stmt[i] = &pg->stmt[i].stmt;
		}
	}
	/* For whoever reads what goes over the wire. */
	snprintf(pg->stmt[COMMIT].name, sizeof(pg->stmt[COMMIT].name), "%s",
	    "commit");
	return pg;
}

void
pg_free(struct pg **pp)
{
	struct pg *pg = *pp;

	if (pg == NULL)
		return;
	pg_drop(pg);
	pg_forget_ahead(pg);
	for (int i = 0; i < STATEMENTS; i++)
		pg_stmt_release(&pg->stmt[i]);
	free(pg->ahead.slot);
	free(pg->touched.slot);
	str_release(&pg->key);
	free(pg->stmt);
	free(pg);
	*pp = NULL;
}

struct sql *
pg_sql_of(struct pg *pg)
{
	return &pg->sql;
}

static void
ignore_notice(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

int
pg_attach(struct pg *pg, PGconn *conn, struct err *e)
{
	for (int i = 0; i < STATEMENTS; i++)
		pg->stmt[i].prepared = false;
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	pg->unsent = 0;
	pg->fault = (struct pg_fault){ .status = STORE_OK };
	if (PQsetnonblocking(conn, 1) == 0 && PQenterPipelineMode(conn) == 1) {
		pg->conn = conn;
		return 0;
	}
	err_set(e, "cannot use a connection to the database");
	PQfinish(conn);
	return -1;
}

bool
pg_is_attached(const struct pg *pg)
{
	return pg->conn != NULL;
}

PGconn *
pg_conn(struct pg *pg)
{
	return pg->conn;
}

const struct pg_counts *
pg_counts(const struct pg *pg)
{
	return &pg->counts;
}

void
pg_watch_request(struct pg *pg, struct store_request *const *running)
{
	pg->running = running;
}

const struct pg_fault *
pg_fault(const struct pg *pg)
{
	return &pg->fault;
}

enum store_status
pg_fail(struct pg *pg, enum store_status status, const struct err *why)
{
	pg->fault = (struct pg_fault){ .status = status, .err = *why };
	return status;
}

/* -- transactions ---------------------------------------------------------- */

void
pg_begin(struct pg *pg, int64_t epoch)
{
	static const char what[] = "begin a transaction";
	int which = pg->use == PG_READ ? BEGIN_TO_READ : BEGIN;
	struct pg_stmt *number =
	    &pg->stmt[epoch != 0 ? SQL_NODE_FENCE : NUMBER];

	pg_forget_ahead(pg);
	pg->fault = (struct pg_fault){ .status = STORE_OK };
	pg->transaction = 0;
	pg->epoch = epoch;
	pg->mark++;
	pg_send(pg, &pg->stmt[which], PG_RAN, what, false);
	pg->numbered = pg->sent;
	if (pg->use == PG_READ)
		return;
	set_int(&number->stmt, 1, epoch);
	pg_send(pg, number, PG_NUMBER, what, false);
	clear_params(number);
	pg->numbered = pg->sent;
}

int64_t
pg_transaction(struct pg *pg)
{
	pg_wait(pg, pg->numbered);
	return pg->transaction;
}

int64_t
pg_mark(const struct pg *pg)
{
	return pg->epoch != 0 ? pg->mark : 0;
}

static void
send_mark(struct pg *pg)
{
	struct pg_stmt *mark = &pg->stmt[MARK];

	if (pg->use != PG_WRITE || pg->epoch == 0)
		return;
	set_int(&mark->stmt, 1, pg->epoch);
	set_int(&mark->stmt, 2, pg->mark);
	pg_send(pg, mark, PG_RAN, "commit", false);
	clear_params(mark);
}

enum store_status
pg_commit(struct pg *pg, struct err *e)
{
	/* Without its number nobody could ask what became of it. */
	pg_wait(pg, pg->numbered);
	if (pg->fault.status == STORE_OK) {
		send_mark(pg);
		if (pg->use == PG_WRITE)
			pg_send(
			    pg, &pg->stmt[NO_LIMIT], PG_RAN, "commit", false);
		pg_send(pg, &pg->stmt[COMMIT], PG_COMMITTED, "commit", false);
		pg_sync(pg);
		pg_wait(pg, pg->sent);
	}
	pg_forget_ahead(pg);
	if (pg->fault.in_doubt)
		pg_drop(pg);
	if (pg->fault.status != STORE_OK)
		*e = pg->fault.err;
	return pg->fault.status;
}

/* Behind the end of the pipeline that failed it is a transaction of its own;
 * when there is none to be rolled back the server only warns. */
void
pg_roll_back(struct pg *pg)
{
	struct pg_fault why = pg->fault;

	pg_forget_ahead(pg);
	for (int i = 0; i < STATEMENTS; i++)
		if (pg->stmt[i].answer != NULL)
			reset(&pg->stmt[i].stmt);
	if (why.reconnect || pg_is_lost(pg)) {
		pg_drop(pg);
		pg->fault = why;
		return;
	}
	pg_sync(pg);
	pg_wait(pg, pg->sent);
	pg->fault = (struct pg_fault){ .status = STORE_OK };
	pg_send(pg, &pg->stmt[ROLL_BACK], PG_RAN, "roll back", false);
	pg_sync(pg);
	pg_wait(pg, pg->sent);
	if (pg->fault.status != STORE_OK)
		pg_drop(pg);
	pg->fault = why;
}

/* -- by itself ---------------------------------------------------------------
 */

/* Outside of a pipeline a statement waits for its own answer. NULL with *e. */
static PGresult *
execute(struct pg *pg, const char *sql, const char *const *parameter, int n,
    struct err *e)
{
	PGresult *r = NULL;
	ExecStatusType status;

	if (pg_is_lost(pg) || !PQexitPipelineMode(pg->conn)) {
		err_set(e, "no connection to the database");
		return NULL;
	}
	r = n < 0 ? PQexec(pg->conn, sql)
		  : PQexecParams(
			pg->conn, sql, n, NULL, parameter, NULL, NULL, 0);
	status = PQresultStatus(r);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
		err_set(e, "%.*s", (int)strcspn(PQerrorMessage(pg->conn), "\n"),
		    PQerrorMessage(pg->conn));
		PQclear(r);
		r = NULL;
	}
	if (!PQenterPipelineMode(pg->conn) ||
	    PQstatus(pg->conn) != CONNECTION_OK)
		pg_drop(pg);
	return r;
}

int
pg_ask(struct pg *pg, const char *sql, const int64_t *parameter, int n,
    struct str *answer, struct err *e)
{
	char number[4][PG_INT_TEXT];
	const char *value[4];
	PGresult *r;

	assert(n <= 4);
	for (int i = 0; i < n; i++) {
		snprintf(number[i], sizeof(number[i]), "%lld",
		    (long long)parameter[i]);
		value[i] = number[i];
	}
	r = execute(pg, sql, value, n, e);
	str_clear(answer);
	if (r != NULL && PQntuples(r) > 0)
		str_adds(answer, PQgetvalue(r, 0, 0));
	PQclear(r);
	return r != NULL ? 0 : -1;
}

int
pg_script(struct pg *pg, const char *sql, struct err *e)
{
	PGresult *r = execute(pg, sql, NULL, -1, e);

	PQclear(r);
	return r != NULL ? 0 : -1;
}
