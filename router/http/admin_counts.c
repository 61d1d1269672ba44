/*
 * admin_counts.c - what the questions about counters share.
 *
 * Answers are written as text at once: of a thousand rows a tree of JSON values
 * would cost more than all the adding up.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/compare.h"
#include "router/config.h"
#include "router/http/admin_counts_int.h"
#include "router/series.h"

void
admin_counts_free(struct admin_counts **p)
{
	struct admin_counts *c = *p;

	*p = NULL;
	if (c == NULL)
		return;
	stats_free(&c->stats);
	series_free(&c->series);
	compare_free(&c->compare);
	free(c);
}

bool
admin_counts_read(struct admin_request *r, const char *by, const char *window)
{
	struct admin_counts *c = r->counts = xcalloc(1, sizeof(*c));
	const char *asked_by = admin_arg(r, "by");
	struct err e = ERR_INIT;

	c->window_text = admin_arg(r, "window");
	if (c->window_text == NULL)
		c->window_text = window;
	if (stats_parse_by(asked_by ? asked_by : by, &c->by, &e) != 0 ||
	    window_parse(c->window_text, &c->window, &e) != 0) {
		admin_error(r, 400, "%s", e.text);
		return false;
	}
	c->filter = (struct tally_filter){
		.path = admin_arg(r, "path"),
		.carrier = admin_arg(r, "carrier"),
		.sender = admin_arg(r, "sender"),
		.rule = admin_arg(r, "rule"),
	};
	c->now = clock_wall();
	r->config = core_config(r->core);
	return true;
}

bool
admin_counts_read_limit(struct admin_request *r, size_t otherwise, size_t most)
{
	const char *text = admin_arg(r, "limit");
	int64_t n = (int64_t)otherwise;

	if (text != NULL && admin_number(text, 1, (int64_t)most, &n) != 0) {
		admin_error(r, 400, "limit is a number from 1 to %zu", most);
		return false;
	}
	r->limit = (size_t)n;
	return true;
}

static void
read_done(struct admin_request *r)
{
	if (r->text == NULL)
		admin_error(r, 500, "no answer could be made");
	else
		admin_reply_text(r, 200, r->text);
}

void
admin_counts_ask(struct admin_request *r,
    void (*run)(struct store_query *, struct store_reader *))
{
	admin_query(r, run, read_done);
}

/* -- in the reading thread ------------------------------------------------- */

void
admin_counts_begin(struct admin_request *r, struct store_reader *reader)
{
	struct admin_counts *c = r->counts;

	c->filter.since = window_since(&c->window, &c->filter, c->now, reader);
}

bool
admin_counts_is_ses(const struct admin_request *r, const char *name)
{
	const struct config_path *path = config_path_find(r->config, name);

	return path != NULL && path->kind == PATH_SES;
}

static struct tally *
into(void *arg, const struct tally_key *key)
{
	struct admin_request *r = arg;

	return stats_into(
	    r->counts->stats, key, admin_counts_is_ses(r, key->path));
}

void
admin_counts_add_up(struct admin_request *r, struct store_reader *reader)
{
	store_sum_tallies(reader, &r->counts->filter, into, r);
}

void
admin_counts_add_window(const struct admin_request *r, struct str *out)
{
	const struct admin_counts *c = r->counts;
	char since[25];

	str_adds(out, "\"window\":");
	admin_counts_add_text(out, c->window_text);
	if (c->filter.since > 0)
		str_addf(out, ",\"since\":\"%s\"",
		    clock_iso(c->filter.since, since));
	else
		str_adds(out, ",\"since\":null");
}

void
admin_counts_add_text(struct str *out, const char *text)
{
	json_t *o = json_object();
	char *quoted;

	admin_put(o, "", text); /* what is no UTF-8 becomes '?' */
	quoted =
	    json_dumps(json_object_get(o, ""), JSON_COMPACT | JSON_ENCODE_ANY);
	if (quoted == NULL)
		abort(); /* out of memory */
	str_adds(out, quoted);
	free(quoted);
	json_decref(o);
}

void
admin_counts_add_keys(struct str *out, const struct stats_row *row)
{
	for (int d = 0; d < STATS_DIMENSIONS; d++) {
		if (row->key[d] == NULL)
			continue;
		str_addf(out,
		    "\"%s\":", stats_dimension_name((enum stats_dimension)d));
		admin_counts_add_text(out, row->key[d]);
		str_addc(out, ',');
	}
}

void
admin_counts_add_rate(struct str *out, bool known, double value)
{
	if (known)
		str_addf(out, "%.9f", value);
	else
		str_adds(out, "null");
}
