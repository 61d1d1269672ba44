/*
 * sql_strike.c - causes that suppress an address only when they happen
 * again and again.
 *
 * A recipient of a message is one strike of a cause, however often it is told,
 * and counts for as long as its cause says. With the last one needed all of
 * them go: the entry stands for them.
 */
#include "router/store/sql_int.h"

static enum store_status
add(struct sql_engine *eng, const char *key, const struct suppress_cause *c,
    const struct suppressing *s, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_STRIKE);

	bind_text(st, 1, key);
	bind_text(st, 2, c->cause);
	bind_int(st, 3, s->message);
	bind_int(st, 4, s->index);
	bind_int(st, 5, s->at);
	bind_int(st, 6, s->at + c->within);
	eng->strikes = ANY_SOME;
	return sql_run(eng->q, st, "count a strike", e);
}

static enum store_status
count(struct sql_engine *eng, const char *key, const struct suppress_cause *c,
    int64_t after, int64_t *n, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_COUNT_STRIKES);
	enum store_status status;

	bind_text(st, 1, key);
	bind_text(st, 2, c->cause);
	bind_int(st, 3, after);
	if (sql_next(eng->q, st, "count strikes", &status, e))
		*n = column_int(st, 0);
	sql_reset(st);
	return status;
}

static enum store_status
forget(
    struct sql_engine *eng, const char *key, const char *cause, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_REMOVE_STRIKES);

	bind_text(st, 1, key);
	bind_text(st, 2, cause);
	eng->strikes = ANY_UNKNOWN;
	return sql_run(eng->q, st, "forget strikes", e);
}

enum store_status
sql_strike(struct sql_engine *eng, const char *key,
    const struct suppress_cause *c, const struct suppressing *s, bool *out,
    struct err *e)
{
	enum store_status st;
	int64_t n = 0;

	*out = c->strikes <= 1;
	if (*out)
		return STORE_OK;
	st = add(eng, key, c, s, e);
	if (st == STORE_OK)
		st = count(eng, key, c, s->at - c->within, &n, e);
	*out = st == STORE_OK && n >= c->strikes;
	return *out ? forget(eng, key, c->cause, e) : st;
}

enum store_status
sql_lift_strikes(
    struct sql_engine *eng, const char *key, int64_t at, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_LIFT_STRIKES);

	bind_text(st, 1, key);
	bind_int(st, 2, at);
	return sql_run(eng->q, st, "forget strikes", e);
}

enum store_status
sql_trim_strikes(struct sql_engine *eng, int64_t now, size_t max,
    size_t *trimmed, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_TRIM_STRIKES);
	enum store_status status;

	bind_int(st, 1, now);
	bind_int(st, 2, (int64_t)max);
	status = sql_run(eng->q, st, "forget old strikes", e);
	*trimmed = (size_t)sql_changes(eng->q);
	if (*trimmed > 0)
		eng->strikes = ANY_UNKNOWN;
	return status;
}
