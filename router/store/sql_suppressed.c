/*
 * sql_suppressed.c - whether an address is on the suppression list, and the
 * list for people.
 *
 * Looked for as every recipient comes into memory and again before it leaves,
 * so the usual answer, that there is no list or that it does not name the
 * address, is one step down the index at most.
 */
#include "router/store/sql_int.h"

#include "mta/base/clock.h"
#include "router/suppress.h"

#include <stdlib.h>
#include <time.h>

/* -- looking up ---------------------------------------------------------- */

enum store_status
sql_any(struct sql_engine *eng, enum any *any, enum statement has, bool *yes,
    struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, has);
	enum store_status status = STORE_OK;

	/* Another node may have put the first one just now. */
	if (eng->q->far) {
		*yes = true;
		return STORE_OK;
	}
	if (*any == ANY_UNKNOWN) {
		if (sql_next(eng->q, st, "read a table", &status, e))
			*any = column_int(st, 0) ? ANY_SOME : ANY_NONE;
		sql_reset(st);
	}
	*yes = *any == ANY_SOME;
	return status;
}

struct suppression
sql_row_suppression(struct stmt *st)
{
	return (struct suppression){
		.scope = column_text(st, 1),
		.address = column_text(st, 2),
		.cause = column_text(st, 3),
		.who = column_text(st, 4),
		.state = (enum suppression_state)column_int(st, 5),
		.at = column_int(st, 6),
		.source = column_text(st, 7),
		.evidence = column_text(st, 8),
		.path = column_text(st, 9),
		.message = column_int(st, 10),
		.index = (unsigned)column_int(st, 11),
		.expires = column_int(st, 12),
		.soft = column_int(st, 13) != 0,
	};
}

/* Evidence is a stranger's word, and this goes into logs and notices. */
static void
no_control(struct str *s)
{
	for (size_t i = 0; i < s->len; i++)
		if ((unsigned char)s->data[i] < ' ' || s->data[i] == 0x7f)
			s->data[i] = ' ';
}

static char *
words(const struct suppression *s)
{
	time_t at = (time_t)(s->at / 1000);
	struct str text = STR_INIT;
	char day[32];
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(day, sizeof(day), "%Y-%m-%d", &tm) == 0)
		day[0] = '\0';
	str_addf(&text, "on the suppression list since %s: %s", day, s->cause);
	if (s->source[0] != '\0')
		str_addf(&text, " (%s)", s->source);
	if (s->evidence[0] != '\0')
		str_addf(&text, ": %s", s->evidence);
	no_control(&text);
	return str_detach(&text);
}

static void
bind_key(struct stmt *st, const char *key, const char *path, int64_t now)
{
	bind_text(st, 1, key);
	bind_text(st, 2, path);
	bind_int(st, 3, now);
}

static enum store_status
find(struct sql_engine *eng, const char *key, const char *path, int64_t now,
    char **why, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_FIND_SUPPRESSED);
	enum store_status status;
	struct suppression s;

	bind_key(st, key, path, now);
	if (sql_next(eng->q, st, "look for a suppression", &status, e)) {
		s = sql_row_suppression(st);
		*why = words(&s);
	}
	sql_reset(st);
	return status;
}

void
sql_announce_suppressed(struct sql_engine *eng, const char *address,
    const char *path, int64_t now)
{
	struct stmt *st = sql_stmt(eng->q, SQL_FIND_SUPPRESSED);
	char *key = suppress_key(address);

	if (key == NULL)
		return;
	bind_key(st, key, path, now);
	sql_ahead(eng->q, st, "look for a suppression");
	free(key);
}

enum store_status
sql_find_suppressed(struct sql_engine *eng, const char *address,
    const char *path, int64_t now, char **why, struct err *e)
{
	enum store_status status;
	bool any;
	char *key;

	*why = NULL;
	status = sql_any(eng, &eng->suppressions, SQL_HAS_SUPPRESSION, &any, e);
	if (status != STORE_OK || !any || (key = suppress_key(address)) == NULL)
		return status;
	if (!sql_filter_rules_out(&eng->filter, key))
		status = find(eng, key, path, now, why, e);
	free(key);
	return status;
}

/* -- reading ------------------------------------------------------------- */

size_t
store_read_suppressed(struct store_reader *r, const char *key, const char *path,
    int64_t now, void (*each)(void *, const struct suppression *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_FIND_SUPPRESSED);
	struct suppression s;
	size_t n = 0;

	bind_key(st, key, path, now);
	for (; sql_read_next(q, st); n++) {
		s = sql_row_suppression(st);
		each(arg, &s);
	}
	return n;
}

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

void
sql_bind_suppression_filter(
    struct stmt *st, const struct suppression_filter *f, int64_t now)
{
	bind_text(st, 1, f->scope);
	bind_text(st, 2, or_empty(f->address));
	bind_text(st, 3, or_empty(f->cause));
	bind_text(st, 4, or_empty(f->path));
	bind_text(st, 5, or_empty(f->source));
	bind_text(st, 6, or_empty(f->who));
	bind_int(st, 7, f->since);
	bind_int(st, 8, f->until);
	bind_int(st, 9, f->expired);
	bind_int(st, 10, now);
}

struct page {
	const struct suppression_filter *filter;
	const char *after_scope, *after_address;
	int64_t now;
	size_t limit, n;
	void (*each)(void *, const struct suppression *);
	void *arg;
};

static void
read_page(struct sql *q, enum statement which, struct page *p)
{
	struct stmt *st = sql_stmt(q, which);
	struct suppression s;

	sql_bind_suppression_filter(st, p->filter, p->now);
	bind_text(st, 11, p->after_scope);
	bind_text(st, 12, p->after_address);
	bind_int(st, 13, (int64_t)(p->limit - p->n));
	for (; sql_read_next(q, st); p->n++) {
		s = sql_row_suppression(st);
		p->each(p->arg, &s);
	}
}

/* The entries for all paths come first, for "" does; each part by the index
 * that has its order. */
size_t
store_read_suppressions(struct store_reader *r,
    const struct suppression_filter *f, const char *after_scope,
    const char *after_address, size_t limit,
    void (*each)(void *, const struct suppression *), void *arg)
{
	struct page p = { f, after_scope, after_address, clock_wall(), limit, 0,
		each, arg };
	const char *address = or_empty(f->address), *scope = f->scope;
	struct sql *q = sql_of_reader(r);

	if (address[0] != '\0' && address[0] != '@') {
		read_page(q, SQL_READ_SUPPRESSIONS_KEY, &p);
		return p.n;
	}
	if (after_scope[0] == '\0' && or_empty(scope)[0] == '\0')
		read_page(q, SQL_READ_SUPPRESSIONS_ALL, &p);
	if (p.n < limit && (scope == NULL || scope[0] != '\0')) {
		if (after_scope[0] == '\0')
			p.after_address = "";
		read_page(q, SQL_READ_SUPPRESSIONS, &p);
	}
	return p.n;
}
