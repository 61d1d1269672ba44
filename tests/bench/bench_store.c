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
 */
#include "router/store/store.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/body.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct route route = { .path = "mta", .pool = "keitai", .source = "s1",
	.carrier = "docomo", .group = "docomo", .rule = "keitai", .ruleset = "r1",
	.configuration_set = "" };

struct bench {
	struct event_base *base;
	struct inbox *inbox;
	struct store *store;
	struct id_maker ids;
	char *data;
	size_t size;
	unsigned long left, out, traffic;
	bool queue_only;
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
		.counters = 1u << COUNT_SENT | 1u << COUNT_DELIVERED,
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
	struct message *m =
	    message_new(message_id_new(&b->ids, clock_wall()));
	char *data = xmalloc(b->size);

	memcpy(data, b->data, b->size);
	message_set_from(m, "news@example.jp");
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
	opened = clock_mono();
	store_each_shelf(b->store, count_shelf, &shelves);
	printf("opened with %llu queued in %lld ms; %u shelves in %lld ms\n",
	    (unsigned long long)rec.queued, (long long)(opened - at), shelves,
	    (long long)(clock_mono() - opened));
}

int
main(int argc, char **argv)
{
	static const unsigned at_once[] = { 1, 8, 32, 128, 512 };
	const char *dir = argc > 1 ? argv[1] : "/var/tmp/bench_store";
	unsigned long messages = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
	unsigned long queued = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	struct bench b = { .base = event_base_new() };

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
