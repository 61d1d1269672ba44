/*
 * admin_guard.c - /v1/guard: what the guard watches, has slowed and has
 * stopped, and what is left of what Amazon bears.
 */
#include "router/guard.h"
#include "router/config.h"
#include "router/http/admin_int.h"

static json_t *
scope_json(const struct mail_scope *scope)
{
	json_t *o = json_object();

	admin_put(o, "path", scope->path);
	admin_put(o, "carrier", scope->carrier);
	admin_put(o, "sender", scope->sender);
	admin_put(o, "user", scope->user);
	return o;
}

static void
put_rate(json_t *o, const char *key, const struct rate *rate, double value)
{
	json_object_set_new(
	    o, key, rate->known ? json_real(value) : json_null());
}

static void
put_rates(json_t *o, const struct rate *rate)
{
	json_object_set_new(o, "hits", json_integer((json_int_t)rate->hits));
	json_object_set_new(
	    o, "volume", json_integer((json_int_t)rate->volume));
	put_rate(o, "rate", rate, rate->rate);
	put_rate(o, "low", rate, rate->low);
	put_rate(o, "high", rate, rate->high);
}

json_t *
admin_guard_row(const struct guard_row *row)
{
	json_t *o = json_object();

	json_object_set_new(o, "scope", scope_json(&row->scope));
	admin_put(o, "name", row->name);
	admin_put(o, "kind", rate_name(row->kind));
	admin_put(o, "level", guard_level_name(row->level));
	admin_put(o, "window", row->window);
	put_rates(o, &row->rate);
	json_object_set_new(o, "warn", json_real(row->warn));
	json_object_set_new(o, "slow", json_real(row->slow));
	json_object_set_new(o, "pause", json_real(row->pause));
	admin_put_time(o, "since", row->since);
	admin_put_time(o, "until", row->until);
	admin_put(o, "evidence", row->evidence);
	json_object_set_new(o, "left",
	    row->left >= 0 ? json_integer((json_int_t)row->left) : json_null());
	admin_put(o, "left_text", row->left_text);
	admin_put(o, "left_text_ja", row->left_text_ja);
	return o;
}

static void
add_row(void *rows, const struct guard_row *row)
{
	json_array_append_new(rows, admin_guard_row(row));
}

static void
add_budget(void *rows, const struct guard_budget *b)
{
	json_t *o = json_object();

	admin_put(o, "path", b->path);
	admin_put(o, "kind", rate_name(b->kind));
	put_rates(o, &b->rate);
	json_object_set_new(o, "review", json_real(b->review));
	json_object_set_new(o, "stop", json_real(b->stop));
	json_object_set_new(
	    o, "left_review", json_integer((json_int_t)b->left_review));
	json_object_set_new(
	    o, "left_stop", json_integer((json_int_t)b->left_stop));
	admin_put(o, "text", b->text);
	admin_put(o, "text_ja", b->text_ja);
	json_array_append_new(rows, o);
}

void
admin_guard(struct admin_request *r)
{
	const char *all = admin_arg(r, "all");
	json_t *reply = json_object(), *rows = json_array(),
	       *budget = json_array();
	struct config *config = core_config(r->core);

	guard_each(
	    core_guard(r->core), all == NULL || all[0] != '0', add_row, rows);
	guard_each_budget(core_guard(r->core), add_budget, budget);
	json_object_set_new(
	    reply, "enforce", json_boolean(config->guard.enforce));
	json_object_set_new(reply, "rows", rows);
	json_object_set_new(reply, "budget", budget);
	config_unref(&config);
	admin_reply(r, 200, reply);
}
