/*
 * metrics_queue.c - the queue and the store below it.
 *
 * How old the oldest message of the queue is, the store's reading thread finds
 * every few seconds.
 */
#include "router/http/metrics_int.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"
#include "router/core_run.h"
#include "router/http/health.h"

#define LOOK_EVERY_S 5

/* clang-format off */
static const struct metric in_memory = { "oiwake_queue_memory_recipients", METRIC_GAUGE,
	"Recipients in memory." };
static const struct metric memory_max = { "oiwake_queue_memory_recipients_max", METRIC_GAUGE,
	"How many may be in memory." };
static const struct metric sending = { "oiwake_sending_recipients", METRIC_GAUGE,
	"Recipients on their way." };
static const struct metric connections = { "oiwake_connections", METRIC_GAUGE,
	"Open outgoing connections." };
static const struct metric oldest = { "oiwake_queue_oldest_seconds", METRIC_GAUGE,
	"Age of the oldest message in the queue, held ones included; 0: it is empty." };
static const struct metric ready = { "oiwake_ready", METRIC_GAUGE,
	"1: new mail is taken (/readyz)." };
static const struct metric stopping = { "oiwake_stopping", METRIC_GAUGE,
	"1: the daemon ends." };
static const struct metric failed = { "oiwake_store_failed", METRIC_GAUGE,
	"1: the store is broken and takes nothing more." };
static const struct metric up = { "oiwake_store_up", METRIC_GAUGE,
	"0: the database is away, or the store is broken." };
static const struct metric low = { "oiwake_store_low", METRIC_GAUGE,
	"1: new mail is refused, for less than the reserve is free." };
static const struct metric statements = { "oiwake_store_statements_total", METRIC_COUNTER,
	"Statements sent to the database; with SQLite none." };
static const struct metric round_trips = { "oiwake_store_round_trips_total", METRIC_COUNTER,
	"Times that an answer of the database was waited for; with SQLite none." };
static const struct metric free_bytes = { "oiwake_store_free_bytes", METRIC_GAUGE,
	"Free on the file system of the state directory." };
static const struct metric reserve = { "oiwake_store_reserve_bytes", METRIC_GAUGE,
	"What is kept free of new mail." };
static const struct metric database = { "oiwake_store_database_bytes", METRIC_GAUGE,
	"The database and its write-ahead log; large bodies lie beside it." };
static const struct metric patterns = { "oiwake_rule_pattern_limits_total", METRIC_COUNTER,
	"Patterns of rules given up at a limit, since the start of the daemon." };
/* clang-format on */

/* -- the oldest ------------------------------------------------------------ */

struct oldest_query {
	struct store_query query;
	struct metrics *metrics; /* NULL: nobody wants to know any more */
	int64_t at;
};

static void
take_oldest(void *arg, const struct queue_row *row)
{
	struct oldest_query *q = arg;

	q->at = message_id_time(row->recipient->message->id);
}

static void
run_oldest(struct store_query *query, struct store_reader *reader)
{
	static const struct queue_filter first = { .index = -1,
		.to = "",
		.domain = "",
		.sender = "",
		.path = "",
		.carrier = "",
		.limit = 1 };

	store_read_queue(reader, &first, take_oldest,
	    container_of(query, struct oldest_query, query));
}

static void
on_oldest(struct store_query *query)
{
	struct oldest_query *q =
	    container_of(query, struct oldest_query, query);

	if (q->metrics != NULL) {
		if (!query->incomplete)
			q->metrics->oldest = q->at;
		q->metrics->asking = NULL;
	}
	free(q);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct metrics *m = arg;
	struct oldest_query *q;

	(void)fd;
	(void)what;
	if (m->asking != NULL)
		return;
	q = m->asking = xcalloc(1, sizeof(*q));
	q->metrics = m;
	q->query.reply_to = core_inbox(m->core);
	q->query.run = run_oldest;
	q->query.done = on_oldest;
	store_query(core_store(m->core), &q->query);
}

void
metrics_queue_start(struct metrics *m)
{
	static const struct timeval every = { .tv_sec = LOOK_EVERY_S };

	m->tick = event_new(core_base(m->core), -1, EV_PERSIST, on_tick, m);
	if (m->tick == NULL)
		abort(); /* out of memory */
	event_add(m->tick, &every);
	event_active(m->tick, EV_TIMEOUT, 0); /* once the loop runs */
}

void
metrics_queue_end(struct metrics *m)
{
	event_free(m->tick);
	if (m->asking != NULL)
		m->asking->metrics = NULL;
}

/* -- the families ---------------------------------------------------------- */

static void
add(struct metrics *m, const struct metric *family, int64_t value)
{
	metrics_family(m->out, family);
	metrics_sample(m->out, family, "", value);
}

static int64_t
size_of(const char *directory, const char *name)
{
	struct str path = STR_INIT;
	struct stat st;
	int64_t size;

	str_addf(&path, "%s/%s", directory, name);
	size = stat(path.data, &st) == 0 ? (int64_t)st.st_size : 0;
	str_release(&path);
	return size;
}

static void
add_asked(struct metrics *m)
{
	struct store_asked asked = store_asked(core_store(m->core));

	add(m, &statements, (int64_t)asked.statements);
	add(m, &round_trips, (int64_t)asked.trips);
}

static void
add_store(struct metrics *m)
{
	const char *directory = m->config->state_directory;
	struct statvfs v;

	add(m, &low, store_is_low(core_store(m->core)));
	add_asked(m);
	if (statvfs(directory, &v) == 0) {
		metrics_family(m->out, &free_bytes);
		metrics_sample_real(m->out, &free_bytes, "",
		    (double)v.f_bavail * (double)v.f_frsize);
	}
	add(m, &reserve, (int64_t)m->config->reserve);
	add(m, &database,
	    size_of(directory, "oiwake.db") +
		size_of(directory, "oiwake.db-wal"));
}

static int64_t
age_of_oldest(const struct metrics *m)
{
	int64_t age = m->oldest != 0 ? clock_wall() - m->oldest : 0;

	return age > 0 ? age / 1000 : 0;
}

void
metrics_add_queue(struct metrics *m)
{
	struct core_totals t;

	core_totals(m->core, &t);
	add(m, &ready, health_trouble(m->core) == NULL);
	add(m, &stopping, t.stopping);
	add(m, &in_memory, (int64_t)t.in_memory);
	add(m, &memory_max, (int64_t)m->config->queue_memory);
	add(m, &sending, (int64_t)t.sending);
	add(m, &connections, (int64_t)t.connections);
	add(m, &oldest, age_of_oldest(m));
	add(m, &patterns, (int64_t)t.pattern_limits);
	add(m, &failed, t.store_failed);
	add(m, &up, t.store_away == 0 && !t.store_failed);
	add_store(m);
}
