/*
 * sql_ruleset.c - which rules were in force, when, and their text.
 *
 * An application is a row; the text belongs to the version, so going back to an
 * earlier set costs nothing but that row. A version is a hash of its text: what
 * is there under the same version is the same text.
 */
#include "router/store/sql_int.h"

#include "rules/rules.h"

#include <string.h>

/* -- putting ------------------------------------------------------------- */

/* Whether the statement, with its parameters bound, has a row whose first
 * column is `text`; NULL: any. */
static enum store_status
has_row(
    struct sql *q, struct stmt *st, const char *text, bool *has, struct err *e)
{
	enum store_status status;

	*has = sql_next(q, st, "read rule sets", &status, e) &&
	       (text == NULL || strcmp(column_text(st, 0), text) == 0);
	sql_reset(st);
	return status;
}

static enum store_status
put_files(struct sql *q, struct store_ruleset *r)
{
	struct stmt *st = sql_stmt(q, SQL_ADD_RULES_FILE);
	enum store_status status = STORE_OK;

	for (size_t i = 0; i < r->n && status == STORE_OK; i++) {
		bind_text(st, 1, r->version);
		bind_int(st, 2, (int64_t)i);
		bind_text(st, 3, r->file[i].name);
		bind_chars(st, 4, r->file[i].text, r->file[i].len);
		status = sql_run(q, st, "store rules", &r->req.err);
	}
	return status;
}

static enum store_status
put_text(struct sql *q, struct store_ruleset *r)
{
	struct stmt *st = sql_stmt(q, SQL_HAS_RULES_TEXT);
	enum store_status status;
	bool known;

	bind_text(st, 1, r->version);
	status = has_row(q, st, NULL, &known, &r->req.err);
	return status != STORE_OK || known ? status : put_files(q, r);
}

static enum store_status
put_application(struct sql *q, struct store_ruleset *r)
{
	struct stmt *st = sql_stmt(q, SQL_ADD_RULESET);
	size_t bytes = 0;

	for (size_t i = 0; i < r->n; i++)
		bytes += r->file[i].len;
	bind_int(st, 1, r->at);
	bind_text(st, 2, r->version);
	bind_text(st, 3, r->who);
	bind_int(st, 4, (int64_t)r->n);
	bind_int(st, 5, (int64_t)bytes);
	return sql_run(q, st, "store a rule set", &r->req.err);
}

enum store_status
sql_put_ruleset(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_ruleset *r = container_of(req, struct store_ruleset, req);
	struct sql *q = sql_of(base)->q;
	enum store_status status;
	bool newest;

	(void)txn;
	status = has_row(
	    q, sql_stmt(q, SQL_NEWEST_RULESET), r->version, &newest, &req->err);
	if (status != STORE_OK || newest)
		return status;
	base->changes |= STORE_CHANGED_RULES;
	status = put_text(q, r);
	return status == STORE_OK ? put_application(q, r) : status;
}

/* -- reading ------------------------------------------------------------- */

size_t
store_read_rulesets(struct store_reader *r, int64_t number, size_t limit,
    void (*each)(void *, const struct ruleset_row *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_RULESETS);
	size_t n = 0;

	bind_int(st, 1, number);
	bind_int(st, 2, number != 0 ? number : INT64_MAX);
	bind_int(st, 3, (int64_t)limit);
	for (; sql_read_next(q, st); n++)
		each(arg, &(struct ruleset_row){ .number = column_int(st, 0),
			      .at = column_int(st, 1),
			      .version = column_text(st, 2),
			      .who = column_text(st, 3),
			      .files = (size_t)column_int(st, 4),
			      .bytes = (size_t)column_int(st, 5) });
	return n;
}

size_t
store_read_ruleset_files(struct store_reader *r, int64_t number,
    void (*each)(void *, const struct rules_file *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_RULES_FILES);
	size_t n = 0;

	bind_int(st, 1, number);
	for (; sql_read_next(q, st); n++)
		each(arg, &(struct rules_file){ .name = column_text(st, 0),
			      .text = column_text(st, 1),
			      .len = (size_t)column_bytes(st, 1) });
	return n;
}
