/*
 * metrics_mail.c - what was counted, per path and carrier: the same numbers as
 * `oiwake stats`.
 *
 * The all-time table is read at the start, before anything is counted; from
 * then on the store hands over what each commit has counted. So the counters
 * go on where they were before a restart, kill -9 included.
 *
 * A Prometheus counter may never fall. Two of ours do: `accepted` moves with a
 * recipient that takes another path than the one planned, and `delivered` is
 * taken back when a bounce comes later; so those two are gauges. Of the others
 * one may move to another path in a case so rare (a report of a recipient that
 * overtakes its settlement, and another route by then) that the counter waits
 * until it is as high again.
 */
#include "router/http/metrics_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

/* Seconds to delivery. */
static const double bounds[] = { 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600,
	10800, 43200, 86400, 172800 };
#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

struct series {
	struct metrics_row row;
	int64_t n[COUNT_MAX], shown[COUNT_MAX];
	uint64_t *times; /* BOUNDS + 1 of them; NULL: nothing was delivered */
	double seconds;	 /* their sum */
};

struct reason {
	struct metrics_row row;
	int64_t n;
};

/* clang-format off */
static const struct metric families[COUNT_MAX] = {
	[COUNT_ACCEPTED] = { "oiwake_recipients_accepted", METRIC_GAUGE,
		"Recipients taken on, under the path that they take or took." },
	[COUNT_SENT] = { "oiwake_recipients_sent_total", METRIC_COUNTER,
		"Recipients that the next hop took." },
	[COUNT_DELIVERED] = { "oiwake_recipients_delivered", METRIC_GAUGE,
		"Recipients delivered as far as is known by now." },
	[COUNT_BOUNCED] = { "oiwake_recipients_bounced_total", METRIC_COUNTER,
		"Recipients that bounced." },
	[COUNT_FILTERED] = { "oiwake_recipients_filtered_total", METRIC_COUNTER,
		"Recipients whose filter refused the mail." },
	[COUNT_DEFERRED] = { "oiwake_recipients_deferred_total", METRIC_COUNTER,
		"Attempts that will be made again." },
	[COUNT_EXPIRED] = { "oiwake_recipients_expired_total", METRIC_COUNTER,
		"Recipients that were tried until their time was over." },
	[COUNT_COMPLAINED] = { "oiwake_recipients_complained_total", METRIC_COUNTER,
		"Recipients that complained." },
	[COUNT_SUPPRESSED] = { "oiwake_recipients_suppressed_total", METRIC_COUNTER,
		"Recipients that a suppression list kept back." },
	[COUNT_REMOVED] = { "oiwake_recipients_removed_total", METRIC_COUNTER,
		"Recipients that an operator deleted." },
	[COUNT_UNREAD] = { "oiwake_recipients_unread_total", METRIC_COUNTER,
		"Attempts whose last reply was not read." },
	[COUNT_RETURNED] = { "oiwake_recipients_returned_total", METRIC_COUNTER,
		"Recipients that were sent and bounced, expired, or were filtered or suppressed after all." },
	[COUNT_ATTEMPTED] = { "oiwake_recipients_attempted_total", METRIC_COUNTER,
		"Attempts in which the next hop was told of the recipient." },
	[COUNT_HARD] = { "oiwake_recipients_hard_total", METRIC_COUNTER,
		"Recipients that bounced for good." },
	[COUNT_UNKNOWN] = { "oiwake_recipients_unknown_total", METRIC_COUNTER,
		"Recipients that do not exist, by whoever said so." },
	[COUNT_EXEMPT] = { "oiwake_recipients_exempt_total", METRIC_COUNTER,
		"Recipients sent to SES that its rates leave out." },
};
static const struct metric queued = { "oiwake_recipients_queued", METRIC_GAUGE,
	"Recipients in the queue." };
static const struct metric taken = { "oiwake_recipients_taken_total", METRIC_COUNTER,
	"Recipients taken on, by whatever path." };
static const struct metric delivery = { "oiwake_delivery_seconds", METRIC_HISTOGRAM,
	"Time from the end of data to delivery, since the start of the daemon." };
static const struct metric reasons = { "oiwake_reasons_total", METRIC_COUNTER,
	"Why recipients ended or were deferred, since the start of the daemon." };
/* clang-format on */

/* -- rows ------------------------------------------------------------------ */

static struct series *
series_of(struct metrics *m, const char *path, const char *carrier)
{
	static const char shared[] = "path=\"other\",carrier=\"other\"";

	str_clear(&m->labels);
	metrics_label(&m->labels, "path", metrics_or_none(path));
	metrics_label(&m->labels, "carrier", metrics_or_none(carrier));
	return metrics_rows_get(
	    &m->mail.series, METRICS_MAIL_MAX, m->labels.data, shared);
}

static void
series_clear(struct metrics_row *row)
{
	free(container_of(row, struct series, row)->times);
}

static void
take_all_time(void *arg, const struct counter_row *row)
{
	struct series *s = series_of(arg, row->path, row->carrier);

	for (size_t i = 0; i < COUNT_MAX; i++)
		s->n[i] += row->n[i];
}

/* -- what has just been counted -------------------------------------------- */

static size_t
bound_of(double seconds)
{
	size_t i = 0;

	while (i < BOUNDS && seconds > bounds[i])
		i++;
	return i;
}

/* What is taken back of it (n below 0) had been delivered all the same. */
static void
take_times(struct series *s, const struct tally_times *times)
{
	int64_t low, high;

	if (s->times == NULL)
		s->times = xcalloc(BOUNDS + 1, sizeof(*s->times));
	for (unsigned i = times->from; i < times->to; i++) {
		int64_t n = times->n[i - times->from];
		double seconds;

		if (n <= 0)
			continue;
		tally_bucket_range(i, &low, &high);
		seconds = ((double)low + (double)(high - low) / 2) / 1000;
		s->times[bound_of(seconds)] += (uint64_t)n;
		s->seconds += seconds * (double)n;
	}
}

static void
take_reason(
    struct metrics *m, const struct series *s, const struct tally_reason *r)
{
	struct str shared = STR_INIT;
	struct reason *row;

	str_clear(&m->labels);
	str_adds(&m->labels, s->row.labels);
	metrics_label(&m->labels, "counter", counter_name(r->counter));
	str_add(&shared, m->labels.data, m->labels.len);
	metrics_label(&shared, "reason", "other");
	metrics_label(&m->labels, "reason", metrics_or_none(r->name));
	row = metrics_rows_get(
	    &m->mail.reasons, METRICS_REASONS_MAX, m->labels.data, shared.data);
	row->n += r->n > 0 ? r->n : 0;
	str_release(&shared);
}

static void
take_tally(void *arg, const struct tally_row *row)
{
	struct metrics *m = arg;
	const struct tally *t = row->tally;
	struct series *s = series_of(m, row->key.path, row->key.carrier);

	for (size_t i = 0; i < COUNT_MAX; i++)
		s->n[i] += t->n[i];
	if (t->times.n != NULL)
		take_times(s, &t->times);
	for (size_t i = 0; i < t->nreason; i++)
		take_reason(m, s, &t->reason[i]);
}

static void
on_counted(struct counters_watch *watch)
{
	struct metrics *m = container_of(watch, struct metrics, watch);

	store_take_counters(core_store(m->core), watch, take_tally, m);
}

void
metrics_mail_start(struct metrics *m)
{
	metrics_rows_init(&m->mail.series, sizeof(struct series));
	metrics_rows_init(&m->mail.reasons, sizeof(struct reason));
	store_each_counter(core_store(m->core), take_all_time, m);
	m->watch = (struct counters_watch){ .inbox = core_inbox(m->core),
		.told = on_counted };
	store_watch_counters(core_store(m->core), &m->watch);
}

void
metrics_mail_end(struct metrics *m)
{
	store_unwatch_counters(core_store(m->core), &m->watch);
	metrics_rows_clear(&m->mail.series, series_clear);
	metrics_rows_clear(&m->mail.reasons, NULL);
}

/* -- the families ---------------------------------------------------------- */

static int64_t
shown(struct series *s, enum counter c)
{
	if (families[c].type == METRIC_GAUGE)
		return s->n[c];
	if (s->n[c] > s->shown[c])
		s->shown[c] = s->n[c];
	return s->shown[c];
}

static void
add_counter(struct metrics *m, enum counter c)
{
	struct metrics_row *row;

	metrics_family(m->out, &families[c]);
	TAILQ_FOREACH(row, &m->mail.series.list, link)
	metrics_sample(m->out, &families[c], row->labels,
	    shown(container_of(row, struct series, row), c));
}

/* store.h: accepted + returned = all that is below, and queued. */
static int64_t
in_queue(const struct series *s)
{
	return s->n[COUNT_ACCEPTED] + s->n[COUNT_RETURNED] - s->n[COUNT_SENT] -
	       s->n[COUNT_BOUNCED] - s->n[COUNT_FILTERED] -
	       s->n[COUNT_EXPIRED] - s->n[COUNT_SUPPRESSED] -
	       s->n[COUNT_REMOVED];
}

static void
add_queued(struct metrics *m)
{
	struct metrics_row *row;

	metrics_family(m->out, &queued);
	TAILQ_FOREACH(row, &m->mail.series.list, link)
	metrics_sample(m->out, &queued, row->labels,
	    in_queue(container_of(row, struct series, row)));
}

/* What moves from one path to another is in there once all the time. */
static void
add_taken(struct metrics *m)
{
	struct metrics_row *row;
	int64_t sum = 0;

	TAILQ_FOREACH(row, &m->mail.series.list, link)
	sum += container_of(row, struct series, row)->n[COUNT_ACCEPTED];
	metrics_family(m->out, &taken);
	metrics_sample(m->out, &taken, "", sum);
}

static void
add_times(struct metrics *m)
{
	struct metrics_row *row;

	metrics_family(m->out, &delivery);
	TAILQ_FOREACH(row, &m->mail.series.list, link)
	{
		const struct series *s = container_of(row, struct series, row);

		if (s->times != NULL)
			metrics_histogram(m->out, &delivery, row->labels,
			    bounds, BOUNDS, s->times, s->seconds);
	}
}

static void
add_reasons(struct metrics *m)
{
	struct metrics_row *row;

	metrics_family(m->out, &reasons);
	TAILQ_FOREACH(row, &m->mail.reasons.list, link)
	metrics_sample(m->out, &reasons, row->labels,
	    container_of(row, struct reason, row)->n);
}

void
metrics_add_mail(struct metrics *m)
{
	add_taken(m);
	for (size_t c = 0; c < COUNT_MAX; c++)
		add_counter(m, (enum counter)c);
	add_queued(m);
	add_times(m);
	add_reasons(m);
}
