/*
 * sqlite_ruleset.c - which rules were in force, when, and their text.
 *
 * An application is a row; the text belongs to the version, so going back to an
 * earlier set costs nothing but that row. A version is a hash of its text: what
 * is there under the same version is the same text.
 */
#include "router/store/sqlite_int.h"

#include "rules/rules.h"

#include <string.h>

/* -- putting ------------------------------------------------------------- */

/* Whether the statement, with its parameters bound, has a row whose first
 * column is `text`; NULL: any. */
static enum store_status
has_row(struct sqlite *q, sqlite3_stmt *st, const char *text, bool *has,
    struct err *e)
{
	enum store_status status;

	*has = sqlite_next(q, st, "read rule sets", &status, e) == SQLITE_ROW &&
	       (text == NULL || strcmp(column_text(st, 0), text) == 0);
	sqlite3_reset(st);
	return status;
}

static enum store_status
put_files(struct sqlite *q, struct store_ruleset *r)
{
	sqlite3_stmt *st = sqlite_stmt(q, SQL_ADD_RULES_FILE);
	enum store_status status = STORE_OK;

	for (size_t i = 0; i < r->n && status == STORE_OK; i++) {
		bind_text(st, 1, r->version);
		sqlite3_bind_int64(st, 2, (int64_t)i);
		bind_text(st, 3, r->file[i].name);
		sqlite3_bind_text64(st, 4, r->file[i].text, r->file[i].len,
		    SQLITE_STATIC, SQLITE_UTF8);
		status = sqlite_run(q, st, "store rules", &r->req.err);
	}
	return status;
}

static enum store_status
put_text(struct sqlite *q, struct store_ruleset *r)
{
	sqlite3_stmt *st = sqlite_stmt(q, SQL_HAS_RULES_TEXT);
	enum store_status status;
	bool known;

	bind_text(st, 1, r->version);
	status = has_row(q, st, NULL, &known, &r->req.err);
	return status != STORE_OK || known ? status : put_files(q, r);
}

static enum store_status
put_application(struct sqlite *q, struct store_ruleset *r)
{
	sqlite3_stmt *st = sqlite_stmt(q, SQL_ADD_RULESET);
	size_t bytes = 0;

	for (size_t i = 0; i < r->n; i++)
		bytes += r->file[i].len;
	sqlite3_bind_int64(st, 1, r->at);
	bind_text(st, 2, r->version);
	bind_text(st, 3, r->who);
	sqlite3_bind_int64(st, 4, (int64_t)r->n);
	sqlite3_bind_int64(st, 5, (int64_t)bytes);
	return sqlite_run(q, st, "store a rule set", &r->req.err);
}

enum store_status
sqlite_put_ruleset(
    struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_ruleset *r = container_of(req, struct store_ruleset, req);
	struct sqlite *q = &sqlite_of(base)->q;
	enum store_status status;
	bool newest;

	(void)txn;
	status = has_row(q, sqlite_stmt(q, SQL_NEWEST_RULESET), r->version,
	    &newest, &req->err);
	if (status != STORE_OK || newest)
		return status;
	status = put_text(q, r);
	return status == STORE_OK ? put_application(q, r) : status;
}

/* -- reading ------------------------------------------------------------- */

size_t
sqlite_read_rulesets(struct store_reader *r, int64_t number, size_t limit,
    void (*each)(void *, const struct ruleset_row *), void *arg)
{
	struct sqlite *q = sqlite_of_reader(r);
	sqlite3_stmt *st = sqlite_stmt(q, SQL_READ_RULESETS);
	size_t n = 0;

	sqlite3_bind_int64(st, 1, number);
	sqlite3_bind_int64(st, 2, number != 0 ? number : INT64_MAX);
	sqlite3_bind_int64(st, 3, (int64_t)limit);
	for (; sqlite_read_next(q, st); n++)
		each(arg, &(struct ruleset_row){
			      .number = sqlite3_column_int64(st, 0),
			      .at = sqlite3_column_int64(st, 1),
			      .version = column_text(st, 2),
			      .who = column_text(st, 3),
			      .files = (size_t)sqlite3_column_int64(st, 4),
			      .bytes = (size_t)sqlite3_column_int64(st, 5) });
	return n;
}

size_t
sqlite_read_ruleset_files(struct store_reader *r, int64_t number,
    void (*each)(void *, const struct rules_file *), void *arg)
{
	struct sqlite *q = sqlite_of_reader(r);
	sqlite3_stmt *st = sqlite_stmt(q, SQL_READ_RULES_FILES);
	size_t n = 0;

	sqlite3_bind_int64(st, 1, number);
	for (; sqlite_read_next(q, st); n++)
		each(arg, &(struct rules_file){ .name = column_text(st, 0),
			      .text = column_text(st, 1),
			      .len = (size_t)sqlite3_column_bytes(st, 1) });
	return n;
}
