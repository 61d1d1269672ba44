/*
 * admin_rules.c - GET /v1/rules: the rule sets that were in force, their texts,
 * and the one that is.
 *
 * A set may be 64 MB: its text becomes an answer in the store's reading thread,
 * file by file, and is not copied in the core thread.
 */
#include <string.h>

#include "router/config.h"
#include "router/http/admin_int.h"
#include "rules/rules.h"

/* -- GET /v1/rules
 * ----------------------------------------------------------------- */

static json_t *
row_json(const struct ruleset_row *row)
{
	json_t *o = json_object();

	json_object_set_new(o, "number", json_integer(row->number));
	admin_put_time(o, "at", row->at);
	admin_put(o, "version", row->version);
	admin_put(o, "who", row->who);
	json_object_set_new(o, "files", json_integer((json_int_t)row->files));
	json_object_set_new(o, "bytes", json_integer((json_int_t)row->bytes));
	return o;
}

/* The newest of that version is the one in force. */
static void
add_row(void *arg, const struct ruleset_row *row)
{
	struct admin_request *r = arg;
	json_t *o = row_json(row);
	bool running =
	    r->count == 0 &&
	    strcmp(row->version, ruleset_version(r->config->rules)) == 0;

	r->count += running;
	json_object_set_new(o, "running", json_boolean(running));
	json_array_append_new(r->rows, o);
}

static void
history_run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);

	r->rows = json_array();
	store_read_rulesets(reader, 0, r->limit, add_row, r);
}

static void
history_read(struct admin_request *r)
{
	json_t *reply = json_object();

	json_object_set(reply, "rows", r->rows);
	admin_put(reply, "running", ruleset_version(r->config->rules));
	admin_reply(r, 200, reply);
}

void
admin_rules_history(struct admin_request *r)
{
	const char *text = admin_arg(r, "limit");
	int64_t limit = ADMIN_LIMIT_DEFAULT;

	if (text != NULL &&
	    admin_number(text, 1, ADMIN_LIMIT_MAX, &limit) != 0) {
		admin_error(
		    r, 400, "limit is a number from 1 to %d", ADMIN_LIMIT_MAX);
		return;
	}
	r->limit = (size_t)limit;
	r->config = core_config(r->core);
	admin_query(r, history_run, history_read);
}

/* -- GET /v1/rules/N, /v1/rules/running
 * --------------------------------------------- */

static void
add_file(void *arg, const struct rules_file *file)
{
	struct admin_request *r = arg;
	json_t *o = json_object();

	admin_put(o, "name", file->name);
	json_object_set_new(o, "text", json_stringn(file->text, file->len));
	if (json_object_get(o, "text") == NULL)
		admin_put(o, "text", file->text);
	admin_out_json(r, r->count++ ? "," : "", o);
}

/* {"set":{...},"files":[...]} */
static void
begin_set(struct admin_request *r, json_t *set)
{
	admin_out_json(r, "{\"set\":", set);
	evbuffer_add(r->out, ",\"files\":[", 10);
}

static void
end_set(struct admin_request *r)
{
	evbuffer_add(r->out, "]}", 2);
}

static void
begin_row(void *arg, const struct ruleset_row *row)
{
	begin_set(arg, row_json(row));
}

static void
show_run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);

	if (store_read_rulesets(reader, r->number, 1, begin_row, r) == 0)
		return;
	store_read_ruleset_files(reader, r->number, add_file, r);
	end_set(r);
}

static void
running_run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	const struct ruleset *rules = r->config->rules;
	const struct rules_file *files;
	size_t n = ruleset_files(rules, &files);
	json_t *set = json_object();

	(void)reader;
	admin_put(set, "version", ruleset_version(rules));
	begin_set(r, set);
	for (size_t i = 0; i < n; i++)
		add_file(r, &files[i]);
	end_set(r);
}

static void
show_read(struct admin_request *r)
{
	if (evbuffer_get_length(r->out) == 0)
		admin_error(r, 404, "no such rule set");
	else
		admin_reply_out(r);
}

void
admin_rules_show(struct admin_request *r)
{
	if (strcmp(r->rest, "running") == 0) {
		r->config = core_config(r->core);
		admin_query_large(r, running_run, show_read);
	} else if (admin_number(r->rest, 1, INT64_MAX, &r->number) == 0)
		admin_query_large(r, show_run, show_read);
	else
		admin_error(r, 400, "not the number of a rule set");
}
