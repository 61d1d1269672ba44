/*
 * admin_stats.c - GET /v1/stats?by=path,carrier&window=24h: counters added up.
 *
 * Of all time they come from the counters, which know how many wait; of a
 * window, from the tallies, which know how long deliveries took.
 */
#include <string.h>

#include "router/http/admin_counts_int.h"

#define BY_DEFAULT     "path,carrier"
#define WINDOW_DEFAULT "all"

static bool
fits(const char *wanted, const char *is)
{
	return wanted == NULL || strcmp(wanted, is != NULL ? is : "") == 0;
}

static void
add_counters(void *arg, const struct counter_row *row)
{
	struct admin_request *r = arg;
	const struct tally_filter *f = &r->counts->filter;

	if (fits(f->path, row->path) && fits(f->carrier, row->carrier) &&
	    fits(f->sender, row->sender) && fits(f->rule, row->rule))
		stats_add(
		    r->counts->stats, row, admin_counts_is_ses(r, row->path));
}

/* -- the answer ------------------------------------------------------------ */

static void
add_interval(struct str *out, const char *name, const struct rate *rate)
{
	str_addf(out, "\"%s\":", name);
	admin_counts_add_rate(out, rate->known, rate->rate);
	str_adds(out, ",\"low\":");
	admin_counts_add_rate(out, rate->known, rate->low);
	str_adds(out, ",\"high\":");
	admin_counts_add_rate(out, rate->known, rate->high);
}

static void
add_rates(struct str *out, const struct stats_row *row)
{
	add_interval(out, "delivery_rate", &row->rate[RATE_DELIVERED]);
	for (int k = RATE_BOUNCE; k < RATE_KINDS; k++) {
		const struct rate *rate = &row->rate[k];

		str_addf(out, ",\"%s\":{", rate_name((enum rate_kind)k));
		add_interval(out, "rate", rate);
		str_addf(out, ",\"hits\":%lld,\"volume\":%lld}",
		    (long long)rate->hits, (long long)rate->volume);
	}
}

static void
add_row(struct str *out, const struct stats_row *row, bool all_time)
{
	str_addc(out, '{');
	admin_counts_add_keys(out, row);
	for (int c = 0; c < COUNT_MAX; c++)
		str_addf(out, "\"%s\":%lld,",
		    stats_counter_name((enum counter)c), (long long)row->n[c]);
	str_addf(out, "\"unconfirmed\":%lld,", (long long)row->unconfirmed);
	if (all_time)
		str_addf(out, "\"queued\":%lld,", (long long)row->queued);
	else
		str_adds(out, "\"queued\":null,");
	add_rates(out, row);
	for (int i = 0; i < STATS_SHARES; i++) {
		const char *name = stats_share_name((enum stats_share)i);

		if (row->within[i] >= 0)
			str_addf(out, ",\"%s\":%lld", name,
			    (long long)row->within[i]);
		else
			str_addf(out, ",\"%s\":null", name);
	}
	str_addc(out, '}');
}

static void
run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	struct admin_counts *c = r->counts;
	bool all_time = c->window.kind == WINDOW_ALL;
	struct str out = STR_INIT;
	const struct stats_row *rows;
	struct stats_row total;
	size_t n;

	admin_counts_begin(r, reader);
	if (all_time)
		store_read_counters(reader, add_counters, r);
	else
		admin_counts_add_up(r, reader);
	n = stats_rows(c->stats, &rows);
	stats_total(c->stats, &total);
	str_addc(&out, '{');
	admin_counts_add_window(r, &out);
	str_adds(&out, ",\"rows\":[");
	for (size_t i = 0; i < n; i++) {
		str_adds(&out, i > 0 ? "," : "");
		add_row(&out, &rows[i], all_time);
	}
	str_adds(&out, "],\"total\":");
	add_row(&out, &total, all_time);
	str_addc(&out, '}');
	r->text = str_detach(&out);
}

void
admin_stats(struct admin_request *r)
{
	if (!admin_counts_read(r, BY_DEFAULT, WINDOW_DEFAULT))
		return;
	r->counts->filter.no_reasons = true;
	r->counts->stats = stats_new(r->counts->by);
	admin_counts_ask(r, run);
}
