/*
 * pg_ahead.c - answers that are asked for before they are needed (sql_ahead):
 * promises, found again by their statement and what is bound to it.
 *
 * What the transaction has changed since is not answered by an older promise: a
 * promise of a recipient's rows is stale when a later statement touched them.
 */
#include "router/store/pg_int.h"

#include <string.h>

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

void
pg_touch(struct pg *pg, const struct pg_stmt *s)
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

void
pg_send_ahead(struct pg *pg, struct pg_stmt *s, const char *what)
{
	struct promise *p = find_promise(pg, s);

	if (p == NULL) {
		make_key(pg, s);
		p = keyed_add(&pg->ahead, sizeof(*p), &pg->key);
		p->stmt = s;
	}
	pg_touch(pg, s);
	if (p->answer == NULL)
		p->answer = pg_send(pg, s, PG_ROWS, what, true);
}

struct pg_answer *
pg_take_ahead(struct pg *pg, struct pg_stmt *s)
{
	struct promise *p = find_promise(pg, s);
	struct pg_answer *a;

	if (p == NULL || p->answer == NULL)
		return NULL;
	if (is_stale(pg, s, p->answer)) {
		pg_let_go(pg, &p->answer);
		return NULL;
	}
	a = p->answer;
	s->borrowed = !s->once;
	if (s->once)
		p->answer = NULL;
	return a;
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
