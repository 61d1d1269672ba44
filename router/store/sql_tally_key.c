/*
 * sql_tally_key.c - what tallies are kept under: a number for each key.
 *
 * All keys there are lie in memory, for one is looked up at every count. They
 * are bounded by tally_key_fold.
 */
#include "router/store/sql_int.h"

#include <stdlib.h>

struct known {
	struct keyed keyed;
	int64_t id, day; /* as stored */
};

enum { K_ID, K_DAY, K_PATH };

static struct known *
find(struct sql_engine *eng, const struct tally_key *key)
{
	struct keyed *k;

	str_clear(&eng->tally_key);
	tally_key_add(&eng->tally_key, key);
	k = keyed_find(&eng->keys, &eng->tally_key);
	return k != NULL ? container_of(k, struct known, keyed) : NULL;
}

static void
learn(struct sql_engine *eng, const struct tally_key *key, int64_t id,
    int64_t day)
{
	struct known *k;

	if (find(eng, key) != NULL)
		return;
	k = keyed_add(&eng->keys, sizeof(*k), &eng->tally_key);
	k->id = id;
	k->day = day;
}

void
sql_row_tally_key(struct stmt *st, int first, struct tally_key *k)
{
	const char **part[] = { &k->path, &k->carrier, &k->group, &k->sender,
		&k->source, &k->rule, &k->configuration_set };

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		*part[i] = column_text(st, first + (int)i);
}

static enum store_status
know_all(struct sql_engine *eng, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_TALLY_KEYS);
	enum store_status status = STORE_OK;
	struct tally_key key;

	if (eng->keys_known)
		return STORE_OK;
	while (sql_next(eng->q, st, "read keys", &status, e)) {
		sql_row_tally_key(st, K_PATH, &key);
		learn(eng, &key, column_int(st, K_ID), column_int(st, K_DAY));
	}
	sql_reset(st);
	eng->keys_known = status == STORE_OK;
	return status;
}

void
sql_tally_keys_forget(struct sql_engine *eng)
{
	keyed_clear(&eng->keys, NULL);
	eng->keys_known = false;
}

static enum store_status
insert(struct sql_engine *eng, const struct tally_key *k, int64_t day,
    struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_TALLY_KEY);
	const char *part[] = { k->path, k->carrier, k->group, k->sender,
		k->source, k->rule, k->configuration_set };
	enum store_status status;

	bind_int(st, 1, day);
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		bind_text(st, 2 + (int)i, part[i]);
	status = sql_run(eng->q, st, "add a key", e);
	if (status == STORE_OK)
		learn(eng, k, sql_last_id(eng->q), day);
	return status;
}

/* It is in use until that day's counts go. */
static enum store_status
touch(struct sql_engine *eng, struct known *k, int64_t day, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SET_TALLY_DAY);

	if (day <= k->day)
		return STORE_OK;
	k->day = day;
	bind_int(st, 1, k->id);
	bind_int(st, 2, day);
	return sql_run(eng->q, st, "change a key", e);
}

enum store_status
sql_tally_key(struct sql_engine *eng, const struct tally_key *wanted,
    int64_t day, int64_t *id, struct err *e)
{
	struct tally_key key = *wanted;
	enum store_status status = know_all(eng, e);
	struct known *k;

	if (status != STORE_OK)
		return status;
	while (
	    (k = find(eng, &key)) == NULL && tally_key_fold(&key, eng->keys.n))
		;
	if (k == NULL) {
		status = insert(eng, &key, day, e);
		k = find(eng, &key);
	}
	if (status != STORE_OK)
		return status;
	*id = k->id;
	return touch(eng, k, day, e);
}
