/*
 * admin_nodes.c - /v1/nodes: who shares the store, and how each is;
 * /v1/nodes/NAME/drain: one is to go, or to stay after all.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/base/str.h"
#include "router/http/admin_int.h"
#include "router/node.h"

/* -- GET /v1/nodes ------------------------------------------------------- */

/* What says most: a node that is lost says nothing of itself any more. */
static const char *
health_of(const struct node_row *n)
{
	if (n->lost)
		return "lost";
	if (n->draining)
		return "draining";
	return n->trouble[0] != '\0' ? "trouble" : "ok";
}

/* "a,b" */
static json_t *
split_names(const char *names)
{
	json_t *list = json_array();

	while (*names != '\0') {
		size_t len = strcspn(names, ",");

		json_array_append_new(list, json_stringn(names, len));
		names += len + (names[len] == ',');
	}
	return list;
}

/* In the store's reading thread, or in the core's. */
static void
add_node(void *arg, const struct node_row *n)
{
	json_t *o = json_object();

	admin_put(o, "node", n->name);
	admin_put(o, "host", n->host);
	admin_put(o, "version", n->version);
	admin_put(o, "ruleset", n->ruleset);
	json_object_set_new(o, "sources", split_names(n->sources));
	admin_put(o, "health", health_of(n));
	admin_put(o, "trouble", n->trouble);
	admin_put_time(o, "started", n->started);
	admin_put_time(o, "heard", n->heard);
	json_object_set_new(o, "lag", json_integer((json_int_t)n->lag));
	json_object_set_new(o, "leases", json_integer((json_int_t)n->leases));
	json_object_set_new(o, "draining", json_boolean(n->draining));
	json_object_set_new(o, "slot", json_integer((json_int_t)n->slot));
	json_array_append_new(arg, o);
}

static void
run_list(struct store_query *q, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(q);

	r->rows = json_array();
	store_read_nodes(reader, add_node, r->rows);
}

/* One that is alone in its store, or cannot read there, knows itself. */
static void
reply_list(struct admin_request *r)
{
	const struct core_node *self = core_this_node(r->core);
	json_t *reply = json_object();

	if (json_array_size(r->rows) == 0) {
		struct node_row row = core_node_row(self);

		add_node(r->rows, &row);
	}
	admin_put(reply, "this", core_node_name(self));
	json_object_set_new(reply, "shared",
	    json_boolean(store_is_shared(core_store(r->core))));
	json_object_set(reply, "rows", r->rows);
	admin_reply(r, 200, reply);
}

void
admin_nodes(struct admin_request *r)
{
	admin_query(r, run_list, reply_list);
}

/* -- POST /v1/nodes/NAME/drain -------------------------------------------- */

static void
on_drained(void *arg, const char *why, bool known)
{
	struct admin_request *r = arg;
	json_t *reply;

	if (why != NULL) {
		admin_error(r, known ? 503 : 404, "%s", why);
		return;
	}
	reply = json_object();
	json_object_set_new(reply, "ok", json_true());
	admin_reply(r, 200, reply);
}

#define ACTION "/drain"

/* "NAME/drain": NAME, to be freed; NULL: it is something else. */
static char *
name_in(const char *rest)
{
	size_t len = strlen(rest), end = strlen(ACTION);
	char *coded, *name;

	if (len <= end || strcmp(rest + len - end, ACTION) != 0)
		return NULL;
	coded = xstrndup(rest, len - end);
	name = evhttp_uridecode(coded, 0, NULL);
	free(coded);
	if (name != NULL && str_has_control(name, strlen(name))) {
		free(name);
		name = NULL;
	}
	return name;
}

static void
drain_it(struct admin_request *r)
{
	bool undo = json_is_true(json_object_get(r->body, "undo"));
	char *name = name_in(r->rest);
	struct str who = STR_INIT;

	admin_add_who(r, &who);
	log_text(LOG_INFO, "drain", "node '%s' is %s, says %s", name,
	    undo ? "to stay" : "to go", who.data);
	core_node_drain(core_this_node(r->core), name, undo, on_drained, r);
	str_release(&who);
	free(name);
}

void
admin_nodes_drain(struct admin_request *r)
{
	const json_t *undo = json_object_get(r->body, "undo");
	char *name = name_in(r->rest);

	if (name == NULL)
		admin_error(r, 404, "expected NAME" ACTION);
	else if (json_object_size(r->body) != (undo != NULL) ||
		 (undo != NULL && !json_is_boolean(undo)))
		admin_error(r, 400, "expected nothing, or undo");
	else
		admin_find_who(r, drain_it);
	free(name);
}
