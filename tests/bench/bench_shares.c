/*
 * bench_shares.c - a node that only uses budgets, cheap enough for fifty of
 * them on one machine: bench_shares URL NODE SECONDS JOURNAL BUDGET...
 *
 * BUDGET is NAME:LIMIT:PERIOD:PER_SECOND:LENGTH, times in ms: so many a second
 * want to start, 0: always more; each is on its way for up to LENGTH, and
 * arrives at some moment of that. The journal, one file of all nodes, has a
 * line "MICROSECONDS NODE NAME +1" for each arrival, and with a period of 0 one
 * that ends in -1 for each end; the node's own folder has its name with NODE
 * behind it. Store, questions and budgets are the program's.
 */
#include "router/core_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LEASE	  5000
#define FLIGHTS	  4000
#define BUDGETS	  16
#define TICK_USEC 5000

struct flight {
	bool arrived;
	int64_t arrives, ends;
};

struct use {
	char name[64];
	unsigned limit, per_second, length;
	int64_t period, next; /* the next that wants to start */
	struct shared *shared;
	uint64_t waiting;
	struct flight flight[FLIGHTS];
	size_t nflights;
};

struct bench {
	struct core core;
	const char *node;
	int journal;
	int64_t end;
	struct use use[BUDGETS];
	size_t n;
};

static uint64_t
demand(void *arg)
{
	const struct use *u = arg;
	uint64_t more = u->per_second == 0 ? 2 * u->limit : u->waiting;

	return u->period == 0 ? more + u->nflights : more;
}

static void
changed(void *arg)
{
	(void)arg;
}

static void
write_line(const struct bench *b, const struct use *u, int change)
{
	struct timespec ts;
	char line[128];
	int len;

	clock_gettime(CLOCK_REALTIME, &ts);
	len = snprintf(line, sizeof(line), "%lld %s %s %+d\n",
	    (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000, b->node,
	    u->name, change);
	if (write(b->journal, line, (size_t)len) != len)
		err(1, "journal");
}

static void
start(const struct bench *b, struct use *u, int64_t now)
{
	int64_t length = 1 + random() % (u->length + 1);

	shared_start(u->shared, 1);
	if (u->waiting > 0)
		u->waiting--;
	u->flight[u->nflights++] =
	    (struct flight){ .arrives = now + random() % length,
		    .ends = now + length };
	if (u->period == 0)
		write_line(b, u, 1);
}

static void
run_flights(const struct bench *b, struct use *u, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < u->nflights; i++) {
		struct flight *f = &u->flight[i];

		/* As the courier asks before a final dot. */
		if (!f->arrived && f->arrives <= now && u->period > 0 &&
		    store_holds(b->core.store))
			write_line(b, u, 1);
		f->arrived = f->arrived || f->arrives <= now;
		if (f->ends > now) {
			u->flight[kept++] = *f;
			continue;
		}
		if (u->period == 0)
			write_line(b, u, -1);
		shared_end(u->shared, 1, now);
	}
	u->nflights = kept;
}

static void
run_use(const struct bench *b, struct use *u, int64_t now)
{
	run_flights(b, u, now);
	if (!store_holds(b->core.store))
		return;
	while (u->per_second > 0 && u->next <= now) {
		u->waiting++;
		u->next += random() % (2000 / u->per_second + 1);
	}
	while ((u->per_second == 0 || u->waiting > 0) &&
	       u->nflights < FLIGHTS && shared_room(u->shared, now) > 0)
		start(b, u, now);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct bench *b = arg;
	int64_t now = clock_mono();
	bool over = now >= b->end;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < b->n; i++)
		if (over)
			run_flights(b, &b->use[i], now);
		else
			run_use(b, &b->use[i], now);
	if (!over)
		shares_run(b->core.shares, now);
	else if (shares_stop(b->core.shares, now))
		event_base_loopbreak(b->core.base);
}

static void
read_use(struct bench *b, const char *text)
{
	struct use *u = &b->use[b->n++];
	const struct share_user user = { demand, changed, u };
	long long period;

	if (b->n > BUDGETS ||
	    sscanf(text, "%60[^:]:%u:%lld:%u:%u", u->name, &u->limit, &period,
		&u->per_second, &u->length) != 5)
		errx(2, "%s: not NAME:LIMIT:PERIOD:PER_SECOND:LENGTH", text);
	u->period = period;
	u->next = clock_mono();
	u->shared = shares_join(b->core.shares, u->name, &user);
	shared_set(u->shared, u->limit, u->period, u->next);
}

static void
open_store(struct bench *b, const char *url, const char *journal)
{
	char directory[500];
	struct store_config config = { .directory = directory,
		.url = url,
		.node = b->node,
		.lease = LEASE,
		.event_keep = INT64_C(86400000),
		.tally_keep = INT64_C(90) * 86400 * 1000 };
	struct store_recovery recovery;
	struct err e = ERR_INIT;

	snprintf(directory, sizeof(directory), "%s.%s", journal, b->node);
	if (mkdir(directory, 0700) < 0)
		err(1, "%s", directory);
	b->core.store = store_open(&config, &recovery, &e);
	if (b->core.store == NULL)
		errx(1, "%s", e.text);
}

int
main(int argc, char **argv)
{
	static const struct timeval tick = { .tv_usec = TICK_USEC };
	struct bench *b = xcalloc(1, sizeof(*b));
	struct event *turn;

	if (argc < 6)
		errx(2,
		    "usage: bench_shares URL NODE SECONDS JOURNAL BUDGET...");
	log_set_level(LOG_ERROR);
	b->node = argv[2];
	b->journal = open(argv[4], O_WRONLY | O_APPEND | O_CREAT, 0644);
	if (b->journal < 0)
		err(1, "%s", argv[4]);
	b->core.base = event_base_new();
	b->core.inbox = inbox_new(b->core.base);
	open_store(b, argv[1], argv[4]);
	srandom((unsigned)store_epoch(b->core.store));
	b->core.shares = shares_new(&b->core);
	b->core.work = event_new(b->core.base, -1, 0, on_turn, b);
	for (int i = 5; i < argc; i++)
		read_use(b, argv[i]);
	b->end = clock_mono() + atoll(argv[3]) * 1000;
	turn = event_new(b->core.base, -1, EV_PERSIST, on_turn, b);
	event_add(turn, &tick);
	event_base_dispatch(b->core.base);
	store_close(&b->core.store);
	event_free(turn);
	event_free(b->core.work);
	shares_free(&b->core.shares);
	inbox_free(&b->core.inbox);
	event_base_free(b->core.base);
	close(b->journal);
	free(b);
	return 0;
}
