/*
 * bench_stats.c - a store with a past, to ask counters of.
 *
 * `bench_stats DIRECTORY [days [carriers [senders]]]`: makes a store there and
 * puts a row for each day, carrier and sender (90, 50, 20) into it, as a daemon
 * that had run so long would have: a dozen counters, three reasons, and times
 * to delivery in some twenty buckets. Half of the carriers go by mta, half by
 * ses; the first by both, split by one rule. stats.py asks.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/clock.h"
#include "router/store/store.h"

#define DAY INT64_C(86400000)

struct past {
	sqlite3 *db;
	sqlite3_stmt *key, *tally;
	int64_t today, days, carriers, senders;
	long long rows;
};

static void
check(sqlite3 *db, int rc)
{
	if (rc == SQLITE_OK || rc == SQLITE_DONE)
		return;
	fprintf(stderr, "bench_stats: %s\n", sqlite3_errmsg(db));
	exit(1);
}

static void
run(sqlite3 *db, const char *sql)
{
	check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* An empty one, in today's schema. */
static void
make_store(const char *directory)
{
	const struct store_config config = { .directory = directory,
		.tally_keep = 400 * DAY };
	struct store_recovery recovery;
	struct err e = ERR_INIT;
	struct store *store = store_open(&config, &recovery, &e);

	if (store == NULL) {
		fprintf(stderr, "bench_stats: %s\n", e.text);
		exit(1);
	}
	store_close(&store);
}

static void
open_past(struct past *p, const char *directory)
{
	struct str path = STR_INIT;

	str_addf(&path, "%s/oiwake.db", directory);
	check(p->db, sqlite3_open(path.data, &p->db));
	str_release(&path);
	run(p->db, "BEGIN");
	check(p->db, sqlite3_prepare_v2(p->db,
			 "INSERT INTO tally_key VALUES"
			 "(NULL, ?, ?, ?, ?2, ?, '', ?, '')",
			 -1, &p->key, NULL));
	check(p->db,
	    sqlite3_prepare_v2(p->db, "INSERT INTO tally VALUES(2, ?, ?, ?)",
		-1, &p->tally, NULL));
}

static void
bind(sqlite3_stmt *st, int i, const char *text)
{
	sqlite3_bind_text(st, i, text, -1, SQLITE_TRANSIENT);
}

static int64_t
add_key(struct past *p, const char *path, int64_t carrier, int64_t sender)
{
	char carrier_name[32], sender_name[64];

	snprintf(carrier_name, sizeof(carrier_name), "carrier%lld",
	    (long long)carrier);
	snprintf(sender_name, sizeof(sender_name), "sender%lld.example.jp",
	    (long long)sender);
	sqlite3_bind_int64(p->key, 1, p->today);
	bind(p->key, 2, path);
	bind(p->key, 3, carrier_name);
	bind(p->key, 4, sender_name);
	bind(p->key, 5, carrier == 0 ? "split" : "keitai");
	check(p->db, sqlite3_step(p->key));
	check(p->db, sqlite3_reset(p->key));
	return sqlite3_last_insert_rowid(p->db);
}

static void
fill(struct tally *t, int64_t seed)
{
	static const char *const reasons[] = { "userunknown", "mailboxfull",
		"blocked" };
	int64_t *n = t->n;

	n[COUNT_ACCEPTED] = n[COUNT_ATTEMPTED] = 1000 + seed % 97;
	n[COUNT_DELIVERED] = n[COUNT_SENT] = 950 + seed % 50;
	n[COUNT_BOUNCED] = n[COUNT_ACCEPTED] - n[COUNT_SENT];
	n[COUNT_HARD] = n[COUNT_UNKNOWN] = n[COUNT_BOUNCED] / 2;
	n[COUNT_DEFERRED] = seed % 13;
	n[COUNT_COMPLAINED] = seed % 2;
	for (size_t i = 0; i < 3; i++)
		tally_add_reason(
		    t, i < 2 ? COUNT_BOUNCED : COUNT_DEFERRED, reasons[i], 9);
	for (int64_t i = 0; i < 20; i++)
		tally_add_time(t, 100 + (i * i * 37 + seed) % 5000,
		    n[COUNT_DELIVERED] / 20);
}

static void
add_days(struct past *p, int64_t key)
{
	struct str data = STR_INIT;

	for (int64_t d = 0; d < p->days; d++, p->rows++) {
		struct tally t = TALLY_INIT;

		fill(&t, key * 31 + d * 7);
		str_clear(&data);
		tally_pack(&t, &data);
		tally_clear(&t);
		sqlite3_bind_int64(p->tally, 1, p->today - d * DAY);
		sqlite3_bind_int64(p->tally, 2, key);
		sqlite3_bind_blob(
		    p->tally, 3, data.data, (int)data.len, SQLITE_STATIC);
		check(p->db, sqlite3_step(p->tally));
		check(p->db, sqlite3_reset(p->tally));
	}
	str_release(&data);
}

static int64_t
number(int argc, char **argv, int i, int64_t otherwise)
{
	int64_t n = argc > i ? atoll(argv[i]) : otherwise;

	return n > 0 ? n : otherwise;
}

int
main(int argc, char **argv)
{
	struct past p = { .days = number(argc, argv, 2, 90),
		.carriers = number(argc, argv, 3, 50),
		.senders = number(argc, argv, 4, 20) };

	if (argc < 2) {
		fputs("usage: bench_stats DIRECTORY [days [carriers "
		      "[senders]]]\n",
		    stderr);
		return 2;
	}
	p.today = clock_wall() / DAY * DAY;
	make_store(argv[1]);
	open_past(&p, argv[1]);
	for (int64_t c = 0; c < p.carriers; c++)
		for (int64_t s = 0; s < p.senders; s++) {
			add_days(
			    &p, add_key(&p, c % 2 == 0 ? "mta" : "ses", c, s));
			if (c == 0)
				add_days(&p, add_key(&p, "ses", c, s));
		}
	run(p.db, "COMMIT");
	sqlite3_finalize(p.key);
	sqlite3_finalize(p.tally);
	sqlite3_close(p.db);
	printf("%lld\n", p.rows);
	return 0;
}
