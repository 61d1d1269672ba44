/*
 * pg_stmt.c - PostgreSQL's statements as the engine sees them: struct sql.
 *
 * Integers are bound as text and left to the server to type, texts and blobs as
 * their bytes; all answers are binary. A text that is no UTF-8, or holds a NUL,
 * is one that PostgreSQL does not take: each byte of it that is no character
 * becomes a '?', where it is stored as where it is looked for.
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
	struct pg_answer *a = pg_take_ahead(pg, s);

	if (a != NULL)
		return a;
	pg_touch(pg, s);
	return pg_send(pg, s, PG_ROWS, what, true);
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

	pg_touch(pg, s);
	pg_send(pg, s, PG_RAN, what, false);
	clear_params(s);
	if (pg->fault.status != STORE_OK)
		*e = pg->fault.err;
	return pg->fault.status;
}

static void
ahead(struct sql *q, struct stmt *st, const char *what)
{
	struct pg_stmt *s = of(st);

	pg_send_ahead(pg_of(q), s, what);
	clear_params(s);
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

const struct sql_ops pg_ops = {
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

	s->stmt.ops = &pg_ops;
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
