/*
 * admin_rules_edit.c - POST /v1/rules/check: would this set load, and what is
 * wrong with it? POST /v1/rules/diff: what would it change?
 *
 * Nothing is changed by either. A request holds a set as "files", texts that
 * take the place of running ones, or as the "number" of one in the history.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "mta/base/str.h"
#include "router/config.h"
#include "router/http/admin_rules_edit_int.h"

/* -- answers
 * -------------------------------------------------------------------- */

void
admin_rules_answer(struct admin_request *r, int status, json_t *reply)
{
	json_decref(r->rows);
	r->rows = reply;
	r->number = status;
}

void
admin_rules_refuse(struct admin_request *r, int status, const char *fmt, ...)
{
	json_t *reply;
	va_list ap;

	va_start(ap, fmt);
	reply = admin_error_object(fmt, ap);
	va_end(ap);
	admin_rules_answer(r, status, reply);
}

bool
admin_rules_answered(const struct admin_request *r)
{
	return r->rows != NULL;
}

void
admin_rules_read(struct admin_request *r)
{
	json_t *reply = r->rows;

	r->rows = NULL;
	admin_reply(r, (int)r->number, reply);
}

static void
put_report(json_t *reply, const struct rules_report *report)
{
	json_object_set_new(reply, "report", admin_report_json(report));
	json_object_set_new(
	    reply, "left_out", json_integer((json_int_t)report->left_out));
}

/* -- check
 * ----------------------------------------------------------------------- */

static void
check(struct admin_request *r, const struct admin_set *set)
{
	struct rules_report report;
	struct ruleset *new;
	json_t *reply = json_object();

	rules_report_init(&report);
	new = admin_set_load(set, r->config, r->config->rules, &report);
	json_object_set_new(reply, "good", json_boolean(new != NULL));
	json_object_set_new(reply, "version",
	    new != NULL ? json_string(ruleset_version(new)) : json_null());
	admin_put(reply, "running", ruleset_version(r->config->rules));
	put_report(reply, &report);
	admin_rules_answer(r, 200, reply);
	ruleset_unref(new);
	rules_report_clear(&report);
}

/* -- diff
 * ------------------------------------------------------------------------ */

static void
answer_diff(struct admin_request *r, struct store_reader *reader,
    const struct admin_set *set, const struct ruleset *new)
{
	const struct ruleset *running = r->config->rules;
	const struct rules_file *file;
	size_t n = ruleset_files(running, &file);
	json_t *reply = json_object();

	admin_put(reply, "running", ruleset_version(running));
	admin_put(reply, "version", ruleset_version(new));
	admin_put_diff(reply, "text", file, n, set->file, set->n);
	admin_put_moves(reply, reader, r->config, running, new, r->limit);
	admin_rules_answer(r, 200, reply);
}

static void
diff(struct admin_request *r, struct store_reader *reader,
    const struct admin_set *set)
{
	struct rules_report report;
	struct ruleset *new;

	rules_report_init(&report);
	new = admin_set_load(set, r->config, r->config->rules, &report);
	if (new != NULL)
		answer_diff(r, reader, set, new);
	else
		admin_rules_refuse(r, 422, "the new rules do not load");
	put_report(r->rows, &report);
	ruleset_unref(new);
	rules_report_clear(&report);
}

/* -- requests
 * -------------------------------------------------------------------- */

static void
run(struct admin_request *r, struct store_reader *reader, bool with_mail)
{
	struct err e = ERR_INIT;
	struct admin_set set;

	if (admin_set_asked(&set, reader, r->body, r->config->rules, &e) != 0)
		admin_rules_refuse(r,
		    json_object_get(r->body, "number") ? 404 : 400, "%s",
		    e.text);
	else if (with_mail)
		diff(r, reader, &set);
	else
		check(r, &set);
	admin_set_clear(&set);
}

static void
run_check(struct store_query *query, struct store_reader *reader)
{
	run(admin_of_query(query), reader, false);
}

static void
run_diff(struct store_query *query, struct store_reader *reader)
{
	run(admin_of_query(query), reader, true);
}

void
admin_rules_check(struct admin_request *r)
{
	r->config = core_config(r->core);
	admin_query_large(r, run_check, admin_rules_read);
}

void
admin_rules_diff(struct admin_request *r)
{
	const json_t *limit = json_object_get(r->body, "limit");
	json_int_t n = ADMIN_MOVES_DEFAULT;

	if (limit != NULL)
		n = json_integer_value(limit);
	if (n < 1 || n > ADMIN_MOVES_MAX) {
		admin_error(
		    r, 400, "limit is a number from 1 to %d", ADMIN_MOVES_MAX);
		return;
	}
	r->limit = (size_t)n;
	r->config = core_config(r->core);
	admin_query_large(r, run_diff, admin_rules_read);
}
