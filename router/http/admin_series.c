/*
 * admin_series.c - GET /v1/series, counters period by period, and /v1/reasons,
 * why mail failed or was put off.
 *
 * Both show the largest rows and say how many they leave out: a chart of a
 * thousand lines helps nobody, and what one answer holds in memory is bounded.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/http/admin_counts_int.h"
#include "router/series.h"

#define PERIODS_MAX	3000
#define ROWS_MAX	100
#define REASONS_DEFAULT 1000
#define CELLS_MAX	100000 /* rows times periods */

static const struct {
	const char *name;
	enum tally_step step;
	int64_t ms;
	int64_t kept;	 /* longest window that has such periods; 0: any */
	int64_t usually; /* longest window that is shown by them; 0: any */
} steps[] = {
	{ "minute", TALLY_MINUTE, WINDOW_MINUTE, WINDOW_MINUTES,
	    3 * WINDOW_HOUR },
	{ "hour", TALLY_HOUR, WINDOW_HOUR, WINDOW_HOURS, WINDOW_HOURS },
	{ "day", TALLY_DAY, WINDOW_DAY, 0, 0 },
};
#define NSTEPS (sizeof(steps) / sizeof(steps[0]))

static const enum counter shown[] = { COUNT_ACCEPTED, COUNT_SENT,
	COUNT_DELIVERED, COUNT_BOUNCED, COUNT_FILTERED, COUNT_DEFERRED,
	COUNT_EXPIRED, COUNT_COMPLAINED, COUNT_HARD, COUNT_UNKNOWN,
	COUNT_ATTEMPTED };

/* -- in the reading thread ------------------------------------------------- */

static int64_t
volume(const struct stats_row *row)
{
	return row->n[COUNT_ACCEPTED] + row->n[COUNT_SENT] +
	       row->n[COUNT_DEFERRED];
}

static int
by_volume(const void *a, const void *b)
{
	const struct stats_row *x = a, *y = b;
	int64_t n = volume(x), m = volume(y);

	return (n < m) - (n > m);
}

/* The rows by size, in a copy; their number in *n. */
static struct stats_row *
largest(struct stats *stats, size_t *n)
{
	const struct stats_row *rows;
	struct stats_row *sorted;

	*n = stats_rows(stats, &rows);
	sorted = xcalloc(*n + 1, sizeof(*sorted));
	memcpy(sorted, rows, *n * sizeof(*sorted));
	qsort(sorted, *n, sizeof(*sorted), by_volume);
	return sorted;
}

static void
add_period(void *arg, const struct tally_row *row)
{
	struct admin_request *r = arg;

	series_add(r->counts->series, row);
}

static void
add_series(
    struct str *out, const struct series *series, size_t row, size_t periods)
{
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const int64_t *n = series_of(series, row, shown[i]);

		str_addf(out, "%s\"%s\":[", i > 0 ? "," : "",
		    counter_name(shown[i]));
		for (size_t p = 0; p < periods; p++)
			str_addf(
			    out, "%s%lld", p > 0 ? "," : "", (long long)n[p]);
		str_addc(out, ']');
	}
}

static void
add_periods(const struct admin_request *r, struct str *out, size_t periods,
    int64_t step)
{
	char at[25];

	str_adds(out, ",\"periods\":[");
	for (size_t p = 0; p < periods; p++)
		str_addf(out, "%s\"%s\"", p > 0 ? "," : "",
		    clock_iso(r->counts->filter.since + (int64_t)p * step, at));
	str_addc(out, ']');
}

static size_t
count_periods(const struct admin_counts *c, size_t step)
{
	return (size_t)((c->now - c->filter.since) / steps[step].ms + 1);
}

/* First which rows are the largest, then these period by period. */
static void
run_series(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	struct admin_counts *c = r->counts;
	size_t step = (size_t)r->number, periods, n, most;
	struct str out = STR_INIT;
	struct stats_row *rows;

	admin_counts_begin(r, reader);
	c->filter.since -= c->filter.since % steps[step].ms;
	admin_counts_add_up(r, reader);
	rows = largest(c->stats, &n);
	periods = count_periods(c, step);
	most = r->limit < CELLS_MAX / periods ? r->limit : CELLS_MAX / periods;
	most = n < most ? n : most;
	c->series = series_new(c->by, c->filter.since, steps[step].ms, periods);
	for (size_t i = 0; i < most; i++)
		series_want(c->series, &rows[i]);
	c->filter.step = steps[step].step;
	store_read_tallies(reader, &c->filter, add_period, r);

	str_addf(&out, "{\"step\":\"%s\",", steps[step].name);
	admin_counts_add_window(r, &out);
	add_periods(r, &out, periods, steps[step].ms);
	str_addf(&out, ",\"more\":%zu,\"rows\":[", n - most);
	for (size_t i = 0; i < most; i++) {
		str_adds(&out, i > 0 ? ",{" : "{");
		admin_counts_add_keys(&out, &rows[i]);
		add_series(&out, c->series, i, periods);
		str_addc(&out, '}');
	}
	str_adds(&out, "]}");
	free(rows);
	r->text = str_detach(&out);
}

static bool
find_step(struct admin_request *r)
{
	const char *name = admin_arg(r, "step");
	size_t i = 0;

	while (i < NSTEPS &&
	       (name != NULL ? strcmp(name, steps[i].name) != 0
			     : steps[i].usually != 0 &&
				   r->counts->window.ms > steps[i].usually))
		i++;
	r->number = (int64_t)i;
	return i < NSTEPS;
}

void
admin_series(struct admin_request *r)
{
	const struct window *w;

	if (!admin_counts_read(r, "path", "24h") ||
	    !admin_counts_read_limit(r, ROWS_MAX, ROWS_MAX))
		return;
	w = &r->counts->window;
	if (w->kind != WINDOW_TIME) {
		admin_error(
		    r, 400, "a series is of a stretch of time such as 24h");
	} else if (!find_step(r)) {
		admin_error(r, 400, "step is minute, hour or day");
	} else if (steps[r->number].kept != 0 &&
		   w->ms > steps[r->number].kept) {
		admin_error(r, 400, "counts by the %s are kept for %d days",
		    steps[r->number].name,
		    (int)(steps[r->number].kept / WINDOW_DAY));
	} else if (w->ms / steps[r->number].ms + 2 > PERIODS_MAX) {
		admin_error(
		    r, 400, "a series has at most %d periods", PERIODS_MAX);
	} else {
		r->counts->filter.no_reasons = true;
		r->counts->stats = stats_new(r->counts->by);
		admin_counts_ask(r, run_series);
	}
}

/* -- reasons --------------------------------------------------------------- */

struct cause {
	const struct stats_row *row;
	const struct tally_reason *reason;
};

static int
by_number(const void *a, const void *b)
{
	const struct cause *x = a, *y = b;
	int64_t n = x->reason->n, m = y->reason->n;

	if (n != m)
		return n < m ? 1 : -1;
	/* Of one number, in the order in which rows and their reasons lie. */
	return x->row != y->row
		   ? (x->row > y->row) - (x->row < y->row)
		   : (x->reason > y->reason) - (x->reason < y->reason);
}

static struct cause *
causes_of(struct stats *stats, size_t *n)
{
	const struct stats_row *rows;
	size_t nrows = stats_rows(stats, &rows), all = 0;
	struct cause *causes;

	for (size_t i = 0; i < nrows; i++)
		all += rows[i].tally->nreason;
	causes = xcalloc(all + 1, sizeof(*causes));
	for (size_t i = *n = 0; i < nrows; i++)
		for (size_t k = 0; k < rows[i].tally->nreason; k++)
			causes[(*n)++] = (struct cause){ &rows[i],
				&rows[i].tally->reason[k] };
	qsort(causes, *n, sizeof(*causes), by_number);
	return causes;
}

static void
run_reasons(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	struct str out = STR_INIT;
	struct cause *causes;
	size_t n, most;

	admin_counts_begin(r, reader);
	admin_counts_add_up(r, reader);
	causes = causes_of(r->counts->stats, &n);
	most = n < r->limit ? n : r->limit;
	str_addc(&out, '{');
	admin_counts_add_window(r, &out);
	str_addf(&out, ",\"more\":%zu,\"rows\":[", n - most);
	for (size_t i = 0; i < most; i++) {
		const struct tally_reason *reason = causes[i].reason;

		str_adds(&out, i > 0 ? ",{" : "{");
		admin_counts_add_keys(&out, causes[i].row);
		str_addf(&out, "\"counter\":\"%s\",\"reason\":",
		    counter_name(reason->counter));
		admin_counts_add_text(&out, reason->name);
		str_addf(&out, ",\"n\":%lld}", (long long)reason->n);
	}
	str_adds(&out, "]}");
	free(causes);
	r->text = str_detach(&out);
}

void
admin_reasons(struct admin_request *r)
{
	if (!admin_counts_read(r, "path,carrier", "24h") ||
	    !admin_counts_read_limit(r, REASONS_DEFAULT, ADMIN_LIMIT_MAX))
		return;
	r->counts->stats = stats_new(r->counts->by);
	admin_counts_ask(r, run_reasons);
}
