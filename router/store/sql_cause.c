/*
 * sql_cause.c - what became of mail changes the suppression list, in the
 * transaction that records it.
 *
 * An entry gives way to a stronger one only; what is as strong is renewed. Of
 * what is weaker, and of every renewal, the expiry remains, if it is later.
 */
#include "router/store/sql_int.h"

#include "mta/base/clock.h"
#include "router/suppress.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How an entry came about, the weakest first. */
enum strength { NOT_THERE, SOFT, HARD, COMPLAINT, MANUAL };

static enum strength
strength_of(const char *cause, bool soft)
{
	if (strcmp(cause, "manual") == 0)
		return MANUAL;
	if (strcasecmp(cause, "complaint") == 0)
		return COMPLAINT;
	return soft ? SOFT : HARD;
}

static int64_t
later(int64_t a, int64_t b) /* 0: never */
{
	if (a == 0 || b == 0)
		return 0;
	return a > b ? a : b;
}

/* What is there now, if it means anything. */
struct there {
	int64_t id, expires;
	enum strength strength;
	enum suppression_state state;
};

static enum store_status
look(struct sql_engine *eng, const char *key, const char *scope, int64_t at,
    struct there *t, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_SUPPRESSION);
	enum store_status status;
	struct suppression s;

	*t = (struct there){ .state = SUPPRESSION_LOCAL };
	bind_text(st, 1, key);
	bind_text(st, 2, scope);
	if (sql_next(eng->q, st, "read a suppression", &status, e)) {
		s = sql_row_suppression(st);
		if (s.state != SUPPRESSION_GONE &&
		    (s.expires == 0 || s.expires > at))
			*t = (struct there){ column_int(st, 0), s.expires,
				strength_of(s.cause, s.soft), s.state };
	}
	sql_reset(st);
	return status;
}

static enum store_status
set_expires(struct sql_engine *eng, int64_t id, int64_t expires, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SET_SUPPRESSION_EXPIRES);

	bind_int(st, 1, id);
	bind_int(st, 2, expires);
	return sql_run(eng->q, st, "extend a suppression", e);
}

static enum store_status
enter(struct sql_engine *eng, const char *key, const struct suppress_cause *c,
    const struct suppressing *what, struct err *e)
{
	struct suppression s = { .scope =
				     c->scope != NULL ? c->scope : what->path,
		.address = key,
		.cause = c->cause,
		.who = "oiwake",
		.at = what->at,
		.source = c->source,
		.evidence = c->evidence,
		.path = what->path,
		.message = what->message,
		.index = what->index,
		.expires = c->expires,
		.soft = c->soft };
	enum store_status status;
	struct there t;

	status = look(eng, key, s.scope, what->at, &t, e);
	if (status != STORE_OK)
		return status;
	if (t.strength != NOT_THERE)
		s.expires = later(t.expires, c->expires);
	s.state = t.state;
	if (strength_of(c->cause, c->soft) >= t.strength)
		return sql_put_suppression(eng, &s, e);
	return s.expires != t.expires ? set_expires(eng, t.id, s.expires, e)
				      : STORE_OK;
}

enum store_status
sql_suppress_cause(struct sql_engine *eng, const struct suppress_cause *c,
    const struct suppressing *what, struct err *e)
{
	char *key = suppress_key(what->address);
	enum store_status status = STORE_OK;
	bool out = false;

	if (key != NULL)
		status = sql_strike(eng, key, c, what, &out, e);
	if (out)
		status = enter(eng, key, c, what, e);
	free(key);
	return status;
}

/* -- lifted -------------------------------------------------------------- */

static enum store_status
lift_entries(struct sql_engine *eng, const char *key, int64_t at, struct err *e)
{
	static const enum statement lift[] = { SQL_LIFT_SYNCED_SUPPRESSION,
		SQL_LIFT_SUPPRESSION };
	enum store_status status = STORE_OK;

	for (size_t i = 0; i < 2 && status == STORE_OK; i++) {
		struct stmt *st = sql_stmt(eng->q, lift[i]);

		bind_text(st, 1, key);
		bind_int(st, 2, at);
		if (lift[i] == SQL_LIFT_SYNCED_SUPPRESSION)
			bind_int(st, 3, clock_wall() + GONE_KEEP);
		status = sql_run(eng->q, st, "lift a suppression", e);
	}
	eng->suppressions = ANY_UNKNOWN;
	return status;
}

enum store_status
sql_lift(struct sql_engine *eng, const struct suppressing *what, struct err *e)
{
	bool entries, strikes = false;
	enum store_status status;
	char *key;

	status =
	    sql_any(eng, &eng->suppressions, SQL_HAS_SUPPRESSION, &entries, e);
	if (status == STORE_OK)
		status =
		    sql_any(eng, &eng->strikes, SQL_HAS_STRIKE, &strikes, e);
	if (status != STORE_OK || (!entries && !strikes) ||
	    (key = suppress_key(what->address)) == NULL)
		return status;
	if (entries && !sql_filter_rules_out(&eng->filter, key))
		status = lift_entries(eng, key, what->at, e);
	if (status == STORE_OK && strikes)
		status = sql_lift_strikes(eng, key, what->at, e);
	free(key);
	return status;
}
