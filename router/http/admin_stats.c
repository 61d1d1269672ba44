/*
 * admin_stats.c - GET /v1/stats?by=path,carrier: counters added up.
 */
#include <stdlib.h>

#include "router/config.h"
#include "router/http/admin_int.h"

#define BY_DEFAULT "path,carrier"

static void
add_counters(void *arg, const struct counter_row *row)
{
	struct admin_request *r = arg;
	const struct config_path *path = config_path_find(r->config, row->path);

	stats_add(r->stats, row, path != NULL && path->kind == PATH_SES);
}

static json_t *
row_json(const struct stats_row *row)
{
	json_t *o = json_object();

	for (int d = 0; d < STATS_DIMENSIONS; d++)
		if (row->key[d] != NULL)
			admin_put(o,
			    stats_dimension_name((enum stats_dimension)d),
			    row->key[d]);
	for (int c = 0; c < COUNT_MAX; c++)
		json_object_set_new(
		    o, counter_name((enum counter)c), json_integer(row->n[c]));
	json_object_set_new(o, "queued", json_integer(row->queued));
	json_object_set_new(o, "delivery_rate",
	    row->known ? json_real(row->delivery_rate) : json_null());
	json_object_set_new(
	    o, "low", row->known ? json_real(row->low) : json_null());
	json_object_set_new(
	    o, "high", row->known ? json_real(row->high) : json_null());
	return o;
}

static void
run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	const struct stats_row *rows;
	struct stats_row total;
	json_t *reply = json_object(), *list = json_array();
	size_t n;

	store_read_counters(reader, add_counters, r);
	n = stats_rows(r->stats, &rows);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, row_json(&rows[i]));
	stats_total(r->stats, &total);
	json_object_set_new(reply, "rows", list);
	json_object_set_new(reply, "total", row_json(&total));
	r->text = json_dumps(reply, JSON_COMPACT);
	json_decref(reply);
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
admin_stats(struct admin_request *r)
{
	const char *text = admin_arg(r, "by");
	struct err e = ERR_INIT;
	unsigned by;

	if (stats_parse_by(text ? text : BY_DEFAULT, &by, &e) != 0) {
		admin_error(r, 400, "%s", e.text);
		return;
	}
	r->config = core_config(r->core);
	r->stats = stats_new(by);
	admin_query(r, run, read_done);
}
