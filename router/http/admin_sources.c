/*
 * admin_sources.c - /v1/sources: the addresses that mail leaves from, and how
 * far their warm-up is; /v1/warm-up: an operator's word on that.
 */
#include <string.h>

#include "mta/base/net.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/http/admin_int.h"
#include "router/pause.h"
#include "router/sources.h"

#define GROUP_MOST 255 /* a domain's */

/* -- GET /v1/sources ----------------------------------------------------- */

/* One source, and what is found out about it. */
struct source_row {
	json_t *o;
	const char *name;
	json_t *groups;
	json_int_t waiting, sending;
};

static void
add_warm(void *arg, const struct warm_row *warm)
{
	struct source_row *row = arg;
	json_t *o;

	if (strcmp(warm->source, row->name) != 0)
		return;
	o = json_object();
	admin_put(o, "group", warm->group);
	admin_put(o, "plan", warm->plan);
	json_object_set_new(o, "warm", json_boolean(warm->warm));
	json_object_set_new(o, "day", json_integer(warm->day));
	json_object_set_new(o, "allowed", json_integer(warm->allowed));
	json_object_set_new(o, "sent", json_integer(warm->sent));
	admin_put_time(o, "again", warm->again);
	json_array_append_new(row->groups, o);
}

static void
count_lane(void *arg, const struct lane_row *lane)
{
	struct source_row *row = arg;

	if (strcmp(lane->source, row->name) != 0)
		return;
	row->waiting += lane->waiting;
	row->sending += lane->sending;
}

static void
put_state(json_t *o, const struct pauses *ps, const char *source)
{
	const char *why = "", *state = "open";
	int64_t until = 0;

	if (pauses_drained(ps, source))
		state = "drained";
	if (pauses_rest(ps, "", source, "", &until, &why))
		state = "paused";
	admin_put(o, "state", state);
	admin_put(o, "why", why);
	admin_put_time(o, "until", until == INT64_MAX ? 0 : until);
}

static void
put_pools(json_t *o, const struct config *c, const struct config_source *s)
{
	json_t *pools = json_array();

	for (size_t i = 0; i < c->npools; i++)
		for (size_t k = 0; k < c->pools[i].nsources; k++)
			if (c->pools[i].sources[k] == s)
				json_array_append_new(
				    pools, json_string(c->pools[i].name));
	json_object_set_new(o, "pools", pools);
}

static json_t *
source_json(
    struct core *core, const struct config *c, const struct config_source *s)
{
	struct source_row row = {
		.o = json_object(), .name = s->name, .groups = json_array()
	};
	char address[NET_TEXT_MAX] = "";

	if (s->bind_len > 0)
		net_address_text((const struct sockaddr *)&s->bind, address);
	admin_put(row.o, "source", s->name);
	admin_put(row.o, "hostname", s->hostname);
	admin_put(row.o, "address", address);
	admin_put(row.o, "public",
	    s->public_address != NULL ? s->public_address : address);
	json_object_set_new(row.o, "weight", json_integer(s->weight));
	put_pools(row.o, c, s);
	put_state(row.o, core_pauses(core), s->name);
	core_each_lane(core, count_lane, &row);
	json_object_set_new(row.o, "waiting", json_integer(row.waiting));
	json_object_set_new(row.o, "sending", json_integer(row.sending));
	sources_each_warm(core_sources(core), add_warm, &row);
	json_object_set_new(row.o, "warm_up", row.groups);
	return row.o;
}

void
admin_sources(struct admin_request *r)
{
	struct config *c = core_config(r->core);
	json_t *reply = json_object(), *rows = json_array();

	for (size_t i = 0; i < c->nsources; i++)
		json_array_append_new(
		    rows, source_json(r->core, c, &c->sources[i]));
	json_object_set_new(reply, "rows", rows);
	config_unref(&c);
	admin_reply(r, 200, reply);
}

/* -- POST /v1/warm-up ---------------------------------------------------- */

static bool
is_source(struct admin_request *r, const char *name)
{
	struct config *c = core_config(r->core);
	bool known = config_source_find(c, name) != NULL;

	config_unref(&c);
	return known;
}

/* {"source": NAME, "warm": true or false} and if need be "group". */
void
admin_warm_up(struct admin_request *r)
{
	const char *source =
	    json_string_value(json_object_get(r->body, "source"));
	json_t *group = json_object_get(r->body, "group");
	json_t *warm = json_object_get(r->body, "warm");
	const char *to = group != NULL ? json_string_value(group) : "";

	if (source == NULL || to == NULL || strlen(to) > GROUP_MOST ||
	    str_has_control(to, strlen(to)) ||
	    !json_is_boolean(warm) ||
	    json_object_size(r->body) != 2u + (group != NULL))
		admin_error(r, 400,
		    "expected \"source\", \"warm\": true or false, and if need "
		    "be \"group\"");
	else if (!is_source(r, source))
		admin_error(r, 400, "there is no source '%s'", source);
	else
		sources_set_warm(core_sources(r->core), source, to,
		    json_is_true(warm), admin_on_kept, r);
}
