/*
 * admin_compare.c - GET /v1/compare?carrier=docomo&window=7d: which path
 * delivers better, for rules that split.
 */
#include <string.h>

#include "router/compare.h"
#include "router/config.h"
#include "router/http/admin_counts_int.h"
#include "rules/rules.h"

/* -- the answer ------------------------------------------------------------ */

static void
add_number(struct str *out, const char *name, int64_t n)
{
	if (n >= 0)
		str_addf(out, ",\"%s\":%lld", name, (long long)n);
	else
		str_addf(out, ",\"%s\":null", name);
}

static void
add_real(struct str *out, const char *name, bool known, double value)
{
	str_addf(out, ",\"%s\":", name);
	if (known && value != 0 && value > -1e-6 && value < 1e-6)
		str_addf(out, "%.3e", value); /* a p-value may be that small */
	else
		admin_counts_add_rate(out, known, value);
}

static void
add_text(struct str *out, const char *name, const char *text)
{
	str_addf(out, ",\"%s\":", name);
	admin_counts_add_text(out, text);
}

static void
add_side(struct str *out, const struct compare_side *side)
{
	const struct rate *rate = &side->rate;

	str_adds(out, "{\"path\":");
	admin_counts_add_text(out, side->path);
	add_number(out, "volume", rate->volume);
	add_number(out, "delivered", rate->known ? rate->hits : 0);
	add_real(out, "rate", rate->known, rate->rate);
	add_real(out, "low", rate->known, rate->low);
	add_real(out, "high", rate->known, rate->high);
	add_number(out, "unconfirmed", side->unconfirmed);
	add_number(out, "waiting", side->waiting);
	add_number(out, "p50", side->p50);
	add_number(out, "p95", side->p95);
	str_addc(out, '}');
}

static void
add_words(struct str *out, const struct compare_words *words)
{
	str_adds(out, "\"text\":");
	admin_counts_add_text(out, words->en.data);
	add_text(out, "text_ja", words->ja.data);
}

static void
add_row(struct str *out, const struct compare_row *row)
{
	str_adds(out, "{\"carrier\":");
	admin_counts_add_text(out, row->carrier);
	add_text(out, "rule", row->rule);
	str_adds(out, ",\"sides\":[");
	add_side(out, &row->side[0]);
	str_addc(out, ',');
	add_side(out, &row->side[1]);
	str_addc(out, ']');
	add_real(out, "difference", row->known, row->difference);
	add_real(out, "difference_low", row->known, row->low);
	add_real(out, "difference_high", row->known, row->high);
	add_real(out, "p_value", row->known, row->p_value);
	add_number(out, "needed", row->needed);
	add_text(out, "verdict", compare_verdict_name(row->verdict));
	str_addc(out, ',');
	add_words(out, &row->text);
	str_adds(out, ",\"warnings\":[");
	for (size_t i = 0; i < row->nwarnings; i++) {
		str_adds(out, i > 0 ? ",{" : "{");
		add_words(out, &row->warning[i]);
		str_addc(out, '}');
	}
	str_adds(out, "]}");
}

/* -- in the reading thread ------------------------------------------------- */

static bool
is_in_split(void *arg, const char *rule, const char *path)
{
	const struct admin_request *r = arg;

	return ruleset_sends_by(r->config->rules, rule, path);
}

static void
add_period(void *arg, const struct tally_row *row)
{
	struct admin_request *r = arg;

	compare_add(
	    r->counts->compare, row, admin_counts_is_ses(r, row->key.path));
}

static void
run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	struct admin_counts *c = r->counts;
	struct str out = STR_INIT;
	const struct compare_row *rows;
	int64_t back;
	size_t n;

	admin_counts_begin(r, reader);
	back = c->now - c->filter.since;
	c->filter.step = back <= WINDOW_HOURS ? TALLY_HOUR : TALLY_DAY;
	c->compare = compare_new(
	    is_in_split, r, back <= WINDOW_MINUTES ? WINDOW_HOUR : WINDOW_DAY);
	store_read_tallies(reader, &c->filter, add_period, r);
	n = compare_rows(c->compare, &rows);
	str_addc(&out, '{');
	admin_counts_add_window(r, &out);
	str_adds(&out, ",\"rows\":[");
	for (size_t i = 0; i < n; i++) {
		str_adds(&out, i > 0 ? "," : "");
		add_row(&out, &rows[i]);
	}
	str_adds(&out, "]}");
	r->text = str_detach(&out);
}

/* ?carrier=, rule=, sender=, window= */
void
admin_compare(struct admin_request *r)
{
	if (!admin_counts_read(r, "rule,carrier,path", "7d"))
		return;
	r->counts->filter.path = NULL; /* it takes two */
	r->counts->filter.no_reasons = true;
	admin_counts_ask(r, run);
}
