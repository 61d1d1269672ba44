/*
 * admin_rules_apply.c - POST /v1/rules/apply: edited rules are put in force;
 * POST /v1/rules/rollback: those of an earlier set.
 *
 *	core thread           who asks
 *	reading thread        may it be? (admin_rules_prepare.c)
 *	core thread           from here on it goes to its end, client or not
 *	reading thread        the files are written
 *	core thread           reload
 *	reading thread        when that is refused: the old files again
 *
 * The lock of the rules' folder is held from the second step to the last: of
 *two who apply at once one is refused, and `oiwake rules rollback` keeps out as
 * well. A kill leaves the old rules or the new ones (router/rules_change.h).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/http/admin_rules_edit_int.h"
#include "router/rules_change.h"
#include "router/rules_files.h"
#include "router/rules_recover.h"

void
admin_apply_free(struct admin_apply **p)
{
	struct admin_apply *a = *p;

	*p = NULL;
	if (a == NULL)
		return;
	rules_change_free(&a->change);
	if (a->lock >= 0)
		close(a->lock);
	admin_set_clear(&a->set);
	config_unref(&a->settings);
	free(a->version);
	free(a->who);
	free(a);
}

static struct admin_request *
request_of(struct store_query *query)
{
	return container_of(query, struct admin_apply, query)->request;
}

/* Another step in the reading thread, whoever may have gone by now. */
static void
go_on(struct admin_apply *a,
    void (*run)(struct store_query *, struct store_reader *),
    void (*done)(struct store_query *))
{
	struct core *core = a->request->core;

	a->query.reply_to = core_inbox(core);
	a->query.run = run;
	a->query.done = done;
	store_query(core_store(core), &a->query);
}

/* -- the old files again
 * --------------------------------------------------------- */

static void
undo(struct admin_request *r)
{
	struct err e = ERR_INIT;

	if (rules_change_undo(r->apply->change, &e) == 0)
		return;
	log_text(LOG_ERROR, "rules", "%s", e.text);
	admin_put(r->rows, "trouble", e.text);
}

static void
run_undo(struct store_query *query, struct store_reader *reader)
{
	(void)reader;
	undo(request_of(query));
}

static void
undone(struct store_query *query)
{
	admin_rules_read(request_of(query));
}

/* -- reload
 * ---------------------------------------------------------------------- */

static bool
is_in_force(const struct admin_request *r)
{
	struct config *config = core_config(r->core);
	bool same =
	    strcmp(ruleset_version(config->rules), r->apply->version) == 0;

	config_unref(&config);
	return same;
}

/* Whoever reads the history after this answer finds the new set in it. */
static void
on_kept(void *arg)
{
	struct admin_request *r = arg;
	json_t *reply = json_object();

	if (!is_in_force(r)) {
		json_decref(reply);
		admin_error(r, 409, "other rules are in force by now");
		return;
	}
	admin_put(reply, "version", r->apply->version);
	json_object_set_new(reply, "changed", json_true());
	admin_put(reply, "report", r->text);
	admin_reply(r, 200, reply);
}

static void
reload(struct admin_request *r)
{
	struct str report = STR_INIT;
	int rc = core_reload(r->core, r->apply->who, on_kept, r, &report);

	free(r->text);
	r->text = str_detach(&report);
	if (rc == 0)
		return;
	admin_rules_refuse(r, 409,
	    "the reload was refused, and the old rules are back: %s", r->text);
	go_on(r->apply, run_undo, undone);
}

/* -- writing
 * --------------------------------------------------------------------- */

/* What is there is what the new text is to take the place of: an editor knows
 * no lock. */
static int
add_file(struct admin_request *r, const struct rules_file *was,
    const struct rules_file *file, struct err *e)
{
	struct rules_file disk = { .name = file->name };
	char *text = rules_file_read(file->name, &disk.len, e);
	bool same;

	if (text == NULL)
		return -1;
	disk.text = text;
	same = admin_same_text(was, &disk);
	free(text);
	if (!same)
		return err_set(
		    e, "'%s' is being edited by somebody else", file->name);
	return rules_change_add(
	    r->apply->change, file->name, file->text, file->len, e);
}

static int
write_files(struct admin_request *r, struct err *e)
{
	const struct admin_set *set = &r->apply->set;
	const struct rules_file *running;
	size_t n = ruleset_files(r->config->rules, &running);

	for (size_t i = 0; i < set->n; i++) {
		const struct rules_file *f = &set->file[i];
		const struct rules_file *was =
		    admin_file_of(running, n, f->name);

		/* One that does not run is on disk as it is to be. */
		if (was == NULL || admin_same_text(was, f))
			continue;
		if (add_file(r, was, f, e) != 0)
			return -1;
	}
	return rules_change_make(r->apply->change, e);
}

/* What the daemon will read, whatever wildcards find by now. */
static void
check_disk(struct admin_request *r)
{
	struct str report = STR_INIT;
	struct ruleset *rules =
	    config_load_rules(r->apply->settings, NULL, NULL, 0, &report);

	if (rules == NULL ||
	    strcmp(ruleset_version(rules), r->apply->version) != 0) {
		admin_rules_refuse(r, 409,
		    "with what else is on disk these are not the rules that "
		    "were checked, and the old ones are back%s%.*s",
		    rules == NULL ? ": " : "", (int)strcspn(report.data, "\n"),
		    report.data);
		undo(r);
	}
	ruleset_unref(rules);
	str_release(&report);
}

static void
run_write(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = request_of(query);
	struct err e = ERR_INIT;
	char *journal =
	    rules_change_journal(r->apply->settings->state_directory);

	(void)reader;
	r->apply->change = rules_change_new(journal);
	if (write_files(r, &e) != 0)
		admin_rules_refuse(r, 409, "%s: nothing is changed", e.text);
	else
		check_disk(r);
	free(journal);
}

/* Then nothing more is asked of the core or the store. */
static bool
is_stopping(const struct admin_request *r)
{
	struct core_totals totals;

	if (r->admin == NULL)
		return true;
	core_totals(r->core, &totals);
	return totals.stopping;
}

static void
written(struct store_query *query)
{
	struct admin_request *r = request_of(query);

	if (!admin_rules_answered(r) && is_stopping(r)) {
		admin_rules_refuse(
		    r, 503, "the daemon stops: nothing is changed");
		undo(r);
	}
	if (admin_rules_answered(r))
		admin_rules_read(r);
	else
		reload(r);
}

/* -- requests
 * -------------------------------------------------------------------- */

static void
run_prepare(struct store_query *query, struct store_reader *reader)
{
	admin_apply_prepare(admin_of_query(query), reader);
}

static void
prepared(struct admin_request *r)
{
	if (admin_rules_answered(r))
		admin_rules_read(r);
	else
		go_on(r->apply, run_write, written);
}

/* "ann by console: why", "root by edit: why", "root by rollback to 3". */
static char *
who_and_why(struct admin_request *r)
{
	const char *why = json_string_value(json_object_get(r->body, "why"));
	const json_t *number = json_object_get(r->body, "number");
	const char *sep = r->user != NULL ? ": " : " by ";
	struct str who = STR_INIT;

	admin_add_who(r, &who);
	if (number != NULL)
		str_addf(&who, "%srollback to %lld", sep,
		    (long long)json_integer_value(number));
	else if (r->user == NULL)
		str_addf(&who, "%sedit", sep);
	if (why != NULL && *why != '\0') {
		str_adds(&who, ": ");
		admin_add_clean(&who, why);
	}
	return str_detach(&who);
}

static void
find_out(struct admin_request *r)
{
	r->apply->who = who_and_why(r);
	r->config = core_config(r->core);
	admin_query_large(r, run_prepare, prepared);
}

static bool
is_blank(const json_t *text)
{
	const char *s = json_string_value(text);

	return s == NULL || s[strspn(s, " \t\r\n")] == '\0';
}

static void
begin(struct admin_request *r)
{
	const json_t *base = json_object_get(r->body, "base");
	const json_t *why = json_object_get(r->body, "why");

	if (!json_is_string(base) || (why != NULL && !json_is_string(why))) {
		admin_error(r, 400,
		    "expected \"base\": the version that the edit began from, "
		    "and \"why\": a text");
		return;
	}
	r->apply = xcalloc(1, sizeof(*r->apply));
	r->apply->request = r;
	r->apply->base = json_string_value(base);
	r->apply->lock = -1;
	admin_find_who(r, find_out);
}

void
admin_rules_apply(struct admin_request *r)
{
	if (json_object_get(r->body, "number") != NULL)
		admin_error(r, 400,
		    "a rule set of the history is put in force "
		    "by /v1/rules/rollback");
	else if (is_blank(json_object_get(r->body, "why")))
		admin_error(
		    r, 400, "say why: the history keeps it beside your name");
	else
		begin(r);
}

void
admin_rules_rollback(struct admin_request *r)
{
	if (!json_is_integer(json_object_get(r->body, "number")))
		admin_error(r, 400,
		    "expected \"number\": of a rule set in the "
		    "history");
	else
		begin(r);
}
