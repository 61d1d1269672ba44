/*
 * admin_status.c - GET /v1/status: how the daemon is, and its lanes.
 */
#include "router/core_nodes.h"
#include "router/http/admin_int.h"

json_t *
admin_lane(const struct lane_row *lane)
{
	json_t *row = json_object();

	admin_put(row, "path", lane->path);
	admin_put(row, "source", lane->source);
	admin_put(row, "group", lane->group);
	admin_put(row, "state", lane->state);
	json_object_set_new(row, "waiting", json_integer(lane->waiting));
	json_object_set_new(row, "sending", json_integer(lane->sending));
	json_object_set_new(
	    row, "connections", json_integer(lane->connections));
	json_object_set_new(
	    row, "max_connections", json_integer(lane->max_connections));
	json_object_set_new(row, "rate", json_real(lane->rate));
	admin_put_time(row, "blocked_until", lane->blocked_until);
	return row;
}

static void
add_lane(void *arg, const struct lane_row *lane)
{
	json_array_append_new(arg, admin_lane(lane));
}

json_t *
admin_lanes(struct core *core)
{
	json_t *lanes = json_array();

	core_each_lane(core, add_lane, lanes);
	return lanes;
}

static void
status_run(struct store_query *query, struct store_reader *reader)
{
	admin_of_query(query)->count = store_read_queue_size(reader);
}

/* Of several: what is in memory, lanes and connections are this one's; the queue is of all. */
static void
put_node(json_t *object, struct core *core)
{
	const struct nodes *nodes = core_nodes(core);
	const char *why = nodes_why(nodes);

	if (!store_is_shared(core_store(core)))
		return;
	admin_put(object, "node", store_node_name(core_store(core)));
	json_object_set_new(object, "nodes", json_integer(nodes_count(nodes)));
	json_object_set_new(
	    object, "leads", json_boolean(nodes_leads(nodes)));
	admin_put(object, "trouble", why != NULL ? why : "");
}

void
admin_put_totals(json_t *object, struct core *core)
{
	struct core_totals t;

	core_totals(core, &t);
	json_object_set_new(
	    object, "in_memory", json_integer((json_int_t)t.in_memory));
	json_object_set_new(
	    object, "sending", json_integer((json_int_t)t.sending));
	json_object_set_new(
	    object, "connections", json_integer((json_int_t)t.connections));
	json_object_set_new(object, "pattern_limits",
	    json_integer((json_int_t)t.pattern_limits));
	json_object_set_new(object, "stopping", json_boolean(t.stopping));
	json_object_set_new(
	    object, "store_failed", json_boolean(t.store_failed));
	if (t.store_away != 0) {
		admin_put_time(object, "store_away", t.store_away);
		admin_put(object, "store_why", t.store_why);
	}
	put_node(object, core);
}

static void
status_done(struct admin_request *r)
{
	json_t *reply = json_object();

	json_object_set_new(reply, "queued",
	    r->query.incomplete ? json_null()
				: json_integer((json_int_t)r->count));
	admin_put_totals(reply, r->core);
	json_object_set_new(reply, "lanes", admin_lanes(r->core));
	admin_reply(r, 200, reply);
}

void
admin_status(struct admin_request *r)
{
	r->partial = true;
	admin_query(r, status_run, status_done);
}
