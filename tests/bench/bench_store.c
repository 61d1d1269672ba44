/*
 * bench_store.c - what a message costs in the store.
 *
 * Every message is enqueued, begun and settled, a given number at a time, as
 * the core does it; the store groups what gathers. Prints messages per second
 * and the CPU time of the whole process per message, this driver included.
 * `bench_store [directory [messages [body bytes [queued [traffic]]]]]`: with
 * `queued`, that many recipients lie in the store before it starts; `traffic`
 * is how many envelopes are kept to try rules on (200000; with fewer than
 * `messages` the old ones have to go as well).
 *
 * `bench_store feedback [directory [rows [events]]]`: sends `rows` recipients
 * (1000000) that are remembered, and then tells what became of `events` of them
 * (200000): first of the latest, each by a Delivery, then of any at random, by
 * our id and by that of SES.
 *
 * `bench_store suppression [directory [entries [look-ups]]]`: how long it takes
 * to look an address up among that many (1000000), as at every enqueue and
 * attempt: those that are not on the list, as most are, and those that are;
 * with nothing of the file in memory, then with what a first round left there,
 * and then with the filter that is filled after a start.
 *
 * `bench_store counting [directory [messages]]`: what counting costs for each
 * recipient that is settled, as CPU time with it less that without, under few
 * keys and under 1,000, each message another. A message is counted twice, as
 * accepted and as what it came to. A round (20000 messages) is all that a store
 * does between opening and closing, so that what it has written down is added
 * up as well. Rounds take turns, and the cheapest of each counts: the machine is
 * never less busy than not at all.
 */
#include "router/store/store.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/body.h"
#include "router/store/sqlite_int.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct route route = { .path = "mta",
	.pool = "keitai",
	.source = "s1",
	.carrier = "docomo",
	.group = "docomo",
	.rule = "keitai",
	.ruleset = "r1",
	.configuration_set = "" };

struct bench {
	struct event_base *base;
	struct inbox *inbox;
	struct store *store;
	struct id_maker ids;
	char *data;
	size_t size;
	unsigned long left, out, traffic;
	unsigned senders; /* domains; 0: one */
	bool queue_only, quiet;
};

struct job {
	struct bench *bench;
	struct message *message;
	struct recipient *recipient;
	struct store_enqueue enqueue;
	struct store_begin begin;
	struct store_settle settle;
	struct settlement settlement;
	struct outcome outcome;
	unsigned index;
};

static void start(struct bench *);

static void
check(const struct store_request *req)
{
	if (req->status == STORE_OK)
		return;
	fprintf(stderr, "bench_store: %s\n", req->err.text);
	exit(1);
}

static void
finish(struct job *j)
{
	struct bench *b = j->bench;

	TAILQ_REMOVE(&j->enqueue.recipients, j->recipient, link);
	recipient_free(&j->recipient);
	message_unref(&j->message);
	free(j);
	b->out--;
	if (b->left > 0)
		start(b);
	else if (b->out == 0)
		event_base_loopbreak(b->base);
}

static void
on_settled(struct store_request *req)
{
	check(req);
	finish(container_of(req, struct job, settle.req));
}

static void
on_begun(struct store_request *req)
{
	struct job *j = container_of(req, struct job, begin.req);
	struct settlement *s = &j->settlement;

	check(req);
	outcome_set(&j->outcome, SCOPE_RECIPIENT, STAGE_DOT, false,
	    "Ok: queued as 4F5C21E03D");
	j->outcome.code = 250;
	STAILQ_INIT(&j->settle.settlements);
	*s = (struct settlement){ .message = j->message->id,
		.as = SETTLE_FINAL,
		.route = &route,
		.sender = j->message->from_domain,
		.address = j->recipient->address,
		.counters = 1u << COUNT_SENT | 1u << COUNT_DELIVERED |
			    1u << COUNT_ATTEMPTED,
		.event = EVENT_DELIVERY,
		.at = clock_wall(),
		.outcome = &j->outcome,
		.reason = "",
		.peer = "mfsmax.docomo.ne.jp[127.0.0.1]:25",
		.remote_id = "" };
	STAILQ_INSERT_TAIL(&j->settle.settlements, s, link);
	j->settle.req.reply_to = j->bench->inbox;
	j->settle.req.done = on_settled;
	store_settle(j->bench->store, &j->settle);
}

static void
on_enqueued(struct store_request *req)
{
	struct job *j = container_of(req, struct job, enqueue.req);

	check(req);
	if (j->bench->queue_only) {
		finish(j);
		return;
	}
	j->begin = (struct store_begin){ .message = j->message->id,
		.n = 1,
		.index = &j->index,
		.route = &route };
	j->begin.req.reply_to = j->bench->inbox;
	j->begin.req.done = on_begun;
	store_begin(j->bench->store, &j->begin);
}

static void
set(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

static struct message *
new_message(struct bench *b)
{
	struct message *m = message_new(message_id_new(&b->ids, clock_wall()));
	char *data = xmalloc(b->size), from[40];

	memcpy(data, b->data, b->size);
	snprintf(from, sizeof(from), "news@sender%lu.example",
	    b->senders > 0 ? b->left % b->senders : 0);
	message_set_from(m, b->senders > 0 ? from : "news@example.jp");
	set(&m->header_from, "example.jp");
	set(&m->user, "newsletter");
	set(&m->listener, "submission");
	set(&m->client, "192.0.2.1");
	set(&m->message_id, "<20260101000000.1@example.jp>");
	set(&m->tags, "campaign=spring,kind=news");
	m->received = clock_wall();
	m->size = b->size;
	m->nrcpt = 1;
	m->body = body_take(data, b->size);
	return m;
}

static void
start(struct bench *b)
{
	struct job *j = xcalloc(1, sizeof(*j));
	char address[40];
	struct message *m;

	b->left--;
	b->out++;
	j->bench = b;
	j->message = m = new_message(b);
	snprintf(address, sizeof(address), "user%lu@docomo.ne.jp", b->left);
	j->recipient = recipient_new(m, 0, address);
	j->recipient->route = route;
	j->recipient->shelf = (unsigned)(b->left % 64);
	j->recipient->due = m->received;
	j->recipient->expires = m->received + 86400000;
	TAILQ_INIT(&j->enqueue.recipients);
	TAILQ_INSERT_TAIL(&j->enqueue.recipients, j->recipient, link);
	j->enqueue.message = m;
	j->enqueue.leased = !b->queue_only;
	j->enqueue.req.reply_to = b->inbox;
	j->enqueue.req.done = on_enqueued;
	store_enqueue(b->store, &j->enqueue);
}

/* -- measuring ----------------------------------------------------------- */

static double
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static long
resident_kib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void
run(struct bench *b, unsigned long messages, unsigned at_once, const char *what)
{
	int64_t wall = clock_mono();
	double cpu = cpu_us();

	b->left = messages;
	for (unsigned i = 0; i < at_once && b->left > 0; i++)
		start(b);
	event_base_dispatch(b->base);
	wall = clock_mono() - wall;
	printf("%-18s %7lu messages  at once %4u  %8.0f messages/s  "
	       "%6.1f us CPU per message  %6ld KiB at most\n",
	    what, messages, at_once,
	    (double)messages * 1000 / (double)(wall > 0 ? wall : 1),
	    (cpu_us() - cpu) / (double)messages, resident_kib());
	fflush(stdout);
}

static void
count_shelf(void *arg, unsigned shelf, int64_t due)
{
	(void)shelf;
	(void)due;
	++*(unsigned *)arg;
}

static void
open_store(struct bench *b, const char *dir)
{
	struct store_config config = { .directory = dir,
		.reserve_bytes = 16 << 20,
		.event_keep = 86400000,
		.tally_keep = INT64_C(90) * 86400000,
		.traffic_keep = b->traffic };
	struct store_recovery rec;
	struct err e = ERR_INIT;
	int64_t at = clock_mono(), opened;
	unsigned shelves = 0;

	b->store = store_open(&config, &rec, &e);
	if (b->store == NULL) {
		fprintf(stderr, "bench_store: %s\n", e.text);
		exit(1);
	}
	if (b->quiet)
		return;
	opened = clock_mono();
	store_each_shelf(b->store, count_shelf, &shelves);
	printf("opened with %llu queued in %lld ms; %u shelves in %lld ms\n",
	    (unsigned long long)rec.queued, (long long)(opened - at), shelves,
	    (long long)(clock_mono() - opened));
}

/* -- feedback ------------------------------------------------------------ */

#define SENT_AT_ONCE 500u /* recipients of one message while filling */
#define FIRST_ID     INT64_C(400000000000000000)

/* One remembered recipient each, found again by its number. */
static int64_t
id_of(unsigned long n)
{
	return FIRST_ID + (int64_t)(n / SENT_AT_ONCE);
}

static void
remote_id_of(unsigned long n, char buf[static 64])
{
	snprintf(buf, 64, "%016lx-%08lx-5c1d-4f0e-9a33-%012lx-000000",
	    0x01000199a0000000ul + n * 3, n * 2654435761ul & 0xffffffffu, n);
}

struct filling {
	struct bench *bench;
	struct store_enqueue enqueue;
	struct store_settle settle;
	struct settlement s[SENT_AT_ONCE];
	char remote_id[SENT_AT_ONCE][64];
};

static void
on_sent(struct store_request *req)
{
	struct filling *f = container_of(req, struct filling, settle.req);
	struct recipient *r;

	check(req);
	while ((r = TAILQ_FIRST(&f->enqueue.recipients)) != NULL) {
		TAILQ_REMOVE(&f->enqueue.recipients, r, link);
		recipient_free(&r);
	}
	message_unref(&f->enqueue.message);
	event_base_loopbreak(f->bench->base);
}

static void
on_filled(struct store_request *req)
{
	struct filling *f = container_of(req, struct filling, enqueue.req);
	const struct recipient *r;

	check(req);
	STAILQ_INIT(&f->settle.settlements);
	TAILQ_FOREACH(r, &f->enqueue.recipients, link)
	{
		struct settlement *s = &f->s[r->index];

		*s = (struct settlement){ .message = r->message->id,
			.index = r->index,
			.as = SETTLE_FINAL,
			.route = &r->route,
			.sender = r->message->from_domain,
			.address = r->address,
			.counters = 1u << COUNT_SENT,
			.at = r->message->received,
			.reason = "",
			.peer = "",
			.remote_id = f->remote_id[r->index],
			.remember = INT64_MAX / 2 };
		STAILQ_INSERT_TAIL(&f->settle.settlements, s, link);
	}
	f->settle.req.reply_to = f->bench->inbox;
	f->settle.req.done = on_sent;
	store_settle(f->bench->store, &f->settle);
}

static void
fill_some(struct filling *f, unsigned long first)
{
	struct message *m = message_new(id_of(first));
	struct bench *b = f->bench;
	struct recipient *r;
	char address[40];

	message_set_from(m, "news@example.jp");
	m->received = clock_wall();
	m->size = b->size;
	m->nrcpt = SENT_AT_ONCE;
	m->body = body_take(xstrndup(b->data, b->size), b->size);
	TAILQ_INIT(&f->enqueue.recipients);
	for (unsigned i = 0; i < SENT_AT_ONCE; i++) {
		snprintf(address, sizeof(address), "customer.%lu@example%lu.jp",
		    first + i, (first + i) % 1000);
		remote_id_of(first + i, f->remote_id[i]);
		r = recipient_new(m, i, address);
		r->route = route;
		r->route.path = "ses";
		r->route.carrier = "";
		r->route.group = r->domain;
		TAILQ_INSERT_TAIL(&f->enqueue.recipients, r, link);
	}
	f->enqueue.message = m;
	f->enqueue.leased = true;
	f->enqueue.req.reply_to = b->inbox;
	f->enqueue.req.done = on_filled;
	store_enqueue(b->store, &f->enqueue);
	event_base_dispatch(b->base);
}

static long long
database_bytes(const char *dir)
{
	char path[200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/oiwake.db", dir);
	return stat(path, &st) == 0 ? (long long)st.st_size : 0;
}

static void
fill(struct bench *b, const char *dir, unsigned long rows)
{
	struct filling *f = xcalloc(1, sizeof(*f));
	long long before = database_bytes(dir), after;
	int64_t at = clock_mono();
	double cpu = cpu_us();

	f->bench = b;
	for (unsigned long n = 0; n < rows; n += SENT_AT_ONCE)
		fill_some(f, n);
	free(f);
	after = database_bytes(dir);
	printf("%lu sent and remembered in %.1f s, %.1f us CPU and %.0f bytes "
	       "of the database each\n",
	    rows, (double)(clock_mono() - at) / 1000,
	    (cpu_us() - cpu) / (double)rows,
	    (double)(after - before) / (double)rows);
	fflush(stdout);
}

/* One event of SES on its way, as its messages come: a request each. */
struct fed {
	struct bench *bench;
	struct store_feedback r;
	struct feedback f;
	struct outcome outcome;
	char remote_id[64];
};

struct feeding {
	unsigned long rows;
	bool random, by_remote_id;
	enum feedback_kind kind;
	unsigned long unknown, known;
};
static struct feeding feeding;

static void feed(struct fed *);

static void
on_fed(struct store_request *req)
{
	struct fed *f = container_of(req, struct fed, r.req);
	struct bench *b = f->bench;

	check(req);
	feeding.unknown += f->f.result == FEEDBACK_UNKNOWN;
	feeding.known += f->f.result == FEEDBACK_KNOWN;
	b->out--;
	if (b->left > 0) {
		feed(f);
		return;
	}
	free(f);
	if (b->out == 0)
		event_base_loopbreak(b->base);
}

static void
feed(struct fed *f)
{
	struct bench *b = f->bench;
	unsigned long n = feeding.rows - b->left;

	if (feeding.random)
		n = ((unsigned long)random() << 16 ^ (unsigned long)random()) %
		    feeding.rows;
	b->left--;
	b->out++;
	outcome_set(&f->outcome, SCOPE_RECIPIENT, STAGE_DOT, false,
	    "Ok: queued as 4F5C21E03D");
	remote_id_of(n, f->remote_id);
	f->f =
	    (struct feedback){ .message = feeding.by_remote_id ? 0 : id_of(n),
		    .index = (unsigned)(n % SENT_AT_ONCE),
		    .remote_id = f->remote_id,
		    .address = "",
		    .alone = true,
		    .kind = feeding.kind,
		    .counter = COUNT_BOUNCED,
		    .event = feeding.kind == FEEDBACK_DELIVERED ? EVENT_DELIVERY
								: EVENT_BOUNCE,
		    .at = clock_wall(),
		    .outcome = &f->outcome,
		    .reason = "",
		    .peer = "gmail-smtp-in.l.example.com" };
	f->r = (struct store_feedback){ .now = clock_wall(),
		.remember = INT64_MAX / 2 };
	STAILQ_INIT(&f->r.list);
	STAILQ_INSERT_TAIL(&f->r.list, &f->f, link);
	f->r.req.reply_to = b->inbox;
	f->r.req.done = on_fed;
	store_feedback(b->store, &f->r);
}

static void
run_feedback(
    struct bench *b, unsigned long events, unsigned at_once, const char *what)
{
	int64_t wall = clock_mono();
	double cpu = cpu_us();

	feeding.unknown = feeding.known = 0;
	b->left = events;
	for (unsigned i = 0; i < at_once; i++) {
		struct fed *f = xcalloc(1, sizeof(*f));

		f->bench = b;
		feed(f);
	}
	event_base_dispatch(b->base);
	wall = clock_mono() - wall;
	printf("%-28s %7lu events  at once %4u  %8.0f events/s  "
	       "%6.1f us CPU per event  %lu known  %lu unknown  "
	       "%6ld KiB at most\n",
	    what, events, at_once,
	    (double)events * 1000 / (double)(wall > 0 ? wall : 1),
	    (cpu_us() - cpu) / (double)events, feeding.known, feeding.unknown,
	    resident_kib());
	fflush(stdout);
}

static void
bench_feedback(
    struct bench *b, const char *dir, unsigned long rows, unsigned long events)
{
	fill(b, dir, rows);
	feeding = (struct feeding){ .rows = rows, .kind = FEEDBACK_DELIVERED };
	run_feedback(b, events, 32, "deliveries of the latest");
	feeding.random = true;
	run_feedback(b, events, 500, "deliveries at random");
	feeding.kind = FEEDBACK_ENDED;
	run_feedback(b, events, 500, "bounces at random");
	feeding.kind = FEEDBACK_COMPLAINT;
	feeding.by_remote_id = true;
	run_feedback(b, events, 500, "complaints by the id of SES");
}

static unsigned long
number(int argc, char **argv, int i, unsigned long otherwise)
{
	return argc > i ? strtoul(argv[i], NULL, 10) : otherwise;
}

/* -- suppression --------------------------------------------------------- */

/* As they come: in no order. Straight into the tables, for ten million take
 * long otherwise. */
static void
fill_list(const char *file, unsigned long entries)
{
	static const char insert[] =
	    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
	    "PRAGMA cache_size = -1000000; DELETE FROM suppression;"
	    "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL"
	    " SELECT i + 1 FROM n WHERE i + 1 < %lu)"
	    "INSERT INTO suppression SELECT NULL, '',"
	    " printf('%%06x.user%%d@docomo.ne.jp',"
	    "  (i * 2654435761) & 16777215, i),"
	    " 'userunknown', 'oiwake', 1, 1767225600000 + i, 'smtp',"
	    " '550 5.1.1 <user' || i || '@docomo.ne.jp>: Recipient address"
	    " rejected: User unknown', 'mta', 1767225600000 + i, 0,"
	    " 1798761600000 + i, 0 FROM n;"
	    "PRAGMA journal_mode = WAL";
	struct str sql = STR_INIT;
	char *why = NULL;
	sqlite3 *db;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	str_addf(&sql, insert, entries);
#pragma GCC diagnostic pop
	if (sqlite3_open(file, &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql.data, NULL, NULL, &why) != SQLITE_OK) {
		fprintf(stderr, "bench_store: %s\n", why);
		exit(1);
	}
	sqlite3_close(db);
	str_release(&sql);
}

/* In a process of its own, whose memory is not counted. */
static void
fill_apart(const char *file, unsigned long entries)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		fill_list(file, entries);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		exit(1);
}

/* What the kernel has of the file in memory. */
static void
forget_pages(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

static void
look_up(struct engine *engine, unsigned long entries, unsigned long n, bool hit,
    const char *what)
{
	struct sql_engine *eng = sql_of(engine);
	int64_t wall = clock_mono();
	double cpu = cpu_us();
	unsigned long found = 0, i;
	struct err e = ERR_INIT;
	char address[64], *why;

	if (engine->ops->begin(engine, &e) != STORE_OK)
		exit(1);
	for (unsigned long k = 0; k < n; k++) {
		i = ((unsigned long)random() << 16 ^ (unsigned long)random()) %
			entries +
		    (hit ? 0 : entries);
		snprintf(address, sizeof(address), "%06lx.User%lu@docomo.ne.jp",
		    (i * 2654435761) & 16777215, i);
		if (sql_find_suppressed(eng, address, "mta", 1767225600000,
			&why, &e) != STORE_OK)
			exit(1);
		found += why != NULL;
		free(why);
	}
	engine->ops->rollback(engine);
	wall = clock_mono() - wall;
	printf("%-32s %7lu look-ups  %7.2f us each  %6.2f us CPU  %7lu found  "
	       "%6ld KiB at most\n",
	    what, n, (double)wall * 1000 / (double)n,
	    (cpu_us() - cpu) / (double)n, found, resident_kib());
	fflush(stdout);
}

/* As at the start of every transaction, until the filter is whole. */
static void
warm(struct engine *engine)
{
	int64_t wall = clock_mono();
	struct err e = ERR_INIT;
	unsigned turns = 0;
	bool more = true;

	for (; more; turns++) {
		if (engine->ops->begin(engine, &e) != STORE_OK ||
		    sql_warm(engine, &more, &e) != STORE_OK)
			exit(1);
		engine->ops->rollback(engine);
	}
	printf("filter filled in %.1f s, %u turns\n",
	    (double)(clock_mono() - wall) / 1000, turns);
}

static int
main_suppression(int argc, char **argv)
{
	const char *dir = argc > 2 ? argv[2] : "/var/tmp/bench_store";
	unsigned long entries = number(argc, argv, 3, 1000000);
	unsigned long n = number(argc, argv, 4, 200000);
	struct store_config config = { .directory = dir,
		.event_keep = INT64_MAX / 2,
		.tally_keep = INT64_C(90) * 86400000 };
	struct str file = STR_INIT;
	struct err e = ERR_INIT;
	struct engine *engine;
	struct stat st;

	mkdir(dir, 0700);
	str_addf(&file, "%s/oiwake.db", dir);
	engine = sqlite_engine.open(&config, &e);
	if (engine == NULL) {
		fprintf(stderr, "bench_store: %s\n", e.text);
		return 1;
	}
	sqlite_engine.close(&engine);
	fill_apart(file.data, entries);
	sqlite3_release_memory(INT32_MAX);
	forget_pages(file.data);
	stat(file.data, &st);
	engine = sqlite_engine.open(&config, &e);
	printf("%lu entries, %.0f bytes each on disk\n", entries,
	    (double)st.st_size / (double)entries);
	look_up(engine, entries, n / 100, false, "not on the list, cold");
	look_up(engine, entries, n / 100, true, "on the list, cold");
	look_up(engine, entries, n, false, "not on the list, first round");
	look_up(engine, entries, n, true, "on the list, first round");
	look_up(engine, entries, n, false, "not on the list, unfiltered");
	look_up(engine, entries, n, true, "on the list, unfiltered");
	warm(engine);
	look_up(engine, entries, n, false, "not on the list");
	look_up(engine, entries, n, true, "on the list");
	sqlite_engine.close(&engine);
	str_release(&file);
	return 0;
}

/* -- counting ------------------------------------------------------------ */

static enum store_status
no_counters(struct engine *e, const struct counters *c, int64_t now,
    struct err *err)
{
	(void)e;
	(void)c;
	(void)now;
	(void)err;
	return STORE_OK;
}

/* CPU time of one message. */
static double
round_of(struct bench *b, const char *dir, bool counting,
    unsigned long messages)
{
	static struct engine_ops without;
	double cpu;

	without = sqlite_engine;
	without.add_counters = no_counters;
	cpu = cpu_us();
	open_store(b, dir);
	b->store->ops = counting ? &sqlite_engine : &without;
	b->left = messages;
	for (unsigned i = 0; i < 256 && b->left > 0; i++)
		start(b);
	event_base_dispatch(b->base);
	store_close(&b->store);
	return (cpu_us() - cpu) / (double)messages;
}

static void
bench_counting(
    struct bench *b, const char *dir, unsigned senders, unsigned long messages)
{
	enum { ROUNDS = 7 };
	double least[2] = { 1e9, 1e9 }, us;

	b->senders = senders;
	for (int i = 0; i < ROUNDS; i++)
		for (int counting = 0; counting < 2; counting++) {
			us = round_of(b, dir, counting, messages);
			if (us < least[counting])
				least[counting] = us;
		}
	printf("%5u keys: counting %5.2f us CPU per settled recipient "
	       "of %.1f us\n",
	    senders, least[1] - least[0], least[1]);
	fflush(stdout);
}

/* -- all of it ----------------------------------------------------------- */

static int
main_feedback(int argc, char **argv)
{
	const char *dir = argc > 2 ? argv[2] : "/var/tmp/bench_store";
	struct bench b = { .base = event_base_new(), .size = 5000 };

	b.data = xmalloc(b.size);
	memset(b.data, 'x', b.size);
	mkdir(dir, 0700);
	b.inbox = inbox_new(b.base);
	open_store(&b, dir);
	bench_feedback(&b, dir, number(argc, argv, 3, 1000000),
	    number(argc, argv, 4, 200000));
	store_close(&b.store);
	inbox_free(&b.inbox);
	event_base_free(b.base);
	free(b.data);
	return 0;
}

static int
main_counting(int argc, char **argv)
{
	const char *dir = argc > 2 ? argv[2] : "/var/tmp/bench_store";
	unsigned long messages = number(argc, argv, 3, 20000);
	struct bench b = {
		.base = event_base_new(), .size = 5000, .quiet = true
	};

	b.data = xmalloc(b.size);
	memset(b.data, 'x', b.size);
	mkdir(dir, 0700);
	b.inbox = inbox_new(b.base);
	bench_counting(&b, dir, 10, messages);
	bench_counting(&b, dir, 1000, messages);
	inbox_free(&b.inbox);
	event_base_free(b.base);
	free(b.data);
	return 0;
}

int
main(int argc, char **argv)
{
	static const unsigned at_once[] = { 1, 8, 32, 128, 512 };
	const char *dir = argc > 1 ? argv[1] : "/var/tmp/bench_store";
	unsigned long messages = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
	unsigned long queued = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	struct bench b = { .base = event_base_new() };

	if (argc > 1 && strcmp(argv[1], "feedback") == 0)
		return main_feedback(argc, argv);
	if (argc > 1 && strcmp(argv[1], "suppression") == 0)
		return main_suppression(argc, argv);
	if (argc > 1 && strcmp(argv[1], "counting") == 0)
		return main_counting(argc, argv);
	b.traffic = argc > 5 ? strtoul(argv[5], NULL, 10) : 200000;
	b.size = argc > 3 ? strtoul(argv[3], NULL, 10) : 5000;
	b.data = xmalloc(b.size);
	memset(b.data, 'x', b.size);
	mkdir(dir, 0700);
	b.inbox = inbox_new(b.base);
	open_store(&b, dir);
	if (queued > 0) {
		b.queue_only = true;
		run(&b, queued, 512, "enqueue only");
		b.queue_only = false;
		store_close(&b.store);
		open_store(&b, dir);
	}
	for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++)
		run(&b, at_once[i] == 1 ? messages / 20 : messages, at_once[i],
		    "whole way");
	store_close(&b.store);
	inbox_free(&b.inbox);
	event_base_free(b.base);
	free(b.data);
	return 0;
}
