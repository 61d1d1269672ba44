/*
 * sql_suppress.c - addresses that must not be written to: put and taken
 * away by hand, by the list of SES, and by time.
 *
 * sql_suppressed.c looks them up, sql_cause.c is what mail does to them.
 */
#include "router/store/sql_int.h"

#include "mta/base/clock.h"

#include <string.h>

#define SLICE	     1000 /* entries looked at in one transaction */
#define EVIDENCE_MAX 500  /* bytes */

/* -- put ----------------------------------------------------------------- */

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

/* Bytes of it that are kept, whole characters of UTF-8. */
static size_t
evidence_length(const char *s)
{
	size_t n = strnlen(s, EVIDENCE_MAX + 1);

	if (n > EVIDENCE_MAX)
		for (n = EVIDENCE_MAX; n > 0 && (s[n] & 0xc0) == 0x80;)
			n--;
	return n;
}

enum store_status
sql_put_suppression(
    struct sql_engine *eng, const struct suppression *s, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_PUT_SUPPRESSION);
	const char *evidence = or_empty(s->evidence);

	bind_text(st, 1, s->scope);
	bind_text(st, 2, s->address);
	bind_text(st, 3, s->cause);
	bind_text(st, 4, s->who);
	bind_int(st, 5, (int)s->state);
	bind_int(st, 6, s->at);
	bind_text(st, 7, or_empty(s->source));
	bind_chars(st, 8, evidence, evidence_length(evidence));
	bind_text(st, 9, or_empty(s->path));
	bind_int(st, 10, s->message);
	bind_int(st, 11, s->index);
	bind_int(st, 12, s->expires);
	bind_int(st, 13, s->soft);
	eng->suppressions = ANY_SOME;
	sql_filter_add(&eng->filter, s->address);
	return sql_run(eng->q, st, "suppress an address", e);
}

/* What to do about an entry that is to be put. */
enum putting { PUT_WHOLE, PUT_STATE, PUT_NOTHING };

/* Who knows nothing of the rest, as the sync with SES, leaves it alone. */
static bool
is_bare(const struct suppression *s)
{
	return or_empty(s->source)[0] == '\0' &&
	       or_empty(s->evidence)[0] == '\0' &&
	       or_empty(s->path)[0] == '\0' && s->message == 0 &&
	       s->expires == 0 && !s->soft;
}

static bool
same_evidence(const char *there, const char *s)
{
	size_t n = (size_t)evidence_length(s);

	return strlen(there) == n && memcmp(there, s, n) == 0;
}

static bool
same_rest(const struct suppression *there, const struct suppression *s)
{
	return strcmp(there->source, or_empty(s->source)) == 0 &&
	       same_evidence(there->evidence, or_empty(s->evidence)) &&
	       strcmp(there->path, or_empty(s->path)) == 0 &&
	       there->message == s->message && there->index == s->index &&
	       there->expires == s->expires && there->soft == s->soft;
}

static enum putting
compare(const struct suppression *there, const struct suppression *s, bool keep)
{
	bool live = there->state != SUPPRESSION_GONE &&
		    (there->expires == 0 || there->expires > clock_wall());

	if (keep && live)
		return PUT_NOTHING;
	if (strcmp(there->cause, s->cause) != 0 || there->at != s->at ||
	    !(is_bare(s) || same_rest(there, s)))
		return PUT_WHOLE;
	return there->state == s->state && strcmp(there->who, s->who) == 0
		   ? PUT_NOTHING
		   : PUT_STATE;
}

static enum store_status
set_state(struct sql_engine *eng, int64_t id, const struct suppression *s,
    struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_SET_SUPPRESSION_STATE);

	bind_int(st, 1, id);
	bind_text(st, 2, s->who);
	bind_int(st, 3, (int)s->state);
	return sql_run(eng->q, st, "change a suppression", e);
}

static enum store_status
put(struct sql_engine *eng, const struct suppression *s,
    const struct store_suppress *r, bool *changed, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_SUPPRESSION);
	enum putting how = PUT_WHOLE;
	enum store_status status;
	struct suppression there;
	int64_t id = 0;

	bind_text(st, 1, s->address);
	bind_text(st, 2, s->scope);
	if (sql_next(eng->q, st, "read a suppression", &status, e)) {
		id = column_int(st, 0);
		there = sql_row_suppression(st);
		how = compare(&there, s, r->keep);
	}
	sql_reset(st);
	*changed = how != PUT_NOTHING;
	if (status != STORE_OK || how == PUT_NOTHING)
		return status;
	return how == PUT_STATE ? set_state(eng, id, s, e)
				: sql_put_suppression(eng, s, e);
}

static enum store_status
take_away(struct sql_engine *eng, const struct suppression *s,
    const struct store_suppress *r, bool *changed, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_REMOVE_SUPPRESSION);
	enum store_status status;

	(void)r;
	bind_text(st, 1, s->scope);
	bind_text(st, 2, s->address);
	eng->suppressions = ANY_UNKNOWN;
	status = sql_run(eng->q, st, "free an address", e);
	*changed = sql_changes(eng->q) > 0;
	return status;
}

/* What is there is asked for many at once. */
static void
announce(struct sql_engine *eng, const struct store_suppress *r, size_t i)
{
	struct stmt *st;

	for (size_t n = i + SLICE; i < r->n && i < n && !r->remove; i++) {
		st = sql_stmt(eng->q, SQL_GET_SUPPRESSION);
		bind_text(st, 1, r->list[i].address);
		bind_text(st, 2, r->list[i].scope);
		sql_ahead(eng->q, st, "read a suppression");
	}
}

enum store_status
sql_suppress(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_suppress *r =
	    container_of(req, struct store_suppress, req);
	struct sql_engine *eng = sql_of(base);
	enum store_status st = STORE_OK;
	bool changed = false;

	(void)txn;
	r->changed = 0;
	for (size_t i = 0; i < r->n && st == STORE_OK; i++) {
		if (i % SLICE == 0 && eng->q->far)
			announce(eng, r, i);
		st = (r->remove ? take_away : put)(
		    eng, &r->list[i], r, &changed, &req->err);
		r->changed += changed;
	}
	return st;
}

/* -- taken away by what they are ----------------------------------------- */

struct slice {
	int64_t id[SLICE];
	bool synced[SLICE]; /* SES is to hear of it */
	size_t n;
};

/* Columns: id, scope, state, cause. */
static bool
is_of_ses(struct stmt *st)
{
	static const char *const cause[] = { "BOUNCE", "COMPLAINT", "manual" };

	if (column_text(st, 1)[0] == '\0')
		return false;
	if (column_int(st, 2) == SUPPRESSION_SYNCED)
		return true;
	for (size_t i = 0; i < sizeof(cause) / sizeof(cause[0]); i++)
		if (strcmp(column_text(st, 3), cause[i]) == 0)
			return true;
	return false;
}

static enum store_status
pick(struct sql_engine *eng, struct store_unsuppress *r, struct slice *s)
{
	const char *address = or_empty(r->filter.address);
	struct stmt *st = sql_stmt(eng->q,
	    address[0] != '\0' && address[0] != '@' ? SQL_UNSUPPRESS_ADDRESS
						    : SQL_UNSUPPRESS_SLICE);
	struct unsuppress_at *at = &r->progress->next;
	enum store_status status = STORE_OK;
	size_t seen = 0;

	sql_bind_suppression_filter(st, &r->filter, clock_wall());
	bind_int(st, 11, at->id);
	bind_int(st, 12, SLICE);
	while (
	    (r->limit == 0 || at->changed + s->n < r->limit) &&
	    sql_next(eng->q, st, "read suppressions", &status, &r->req.err)) {
		at->id = column_int(st, 0);
		seen++;
		if (column_int(st, 4) == 0)
			continue;
		s->id[s->n] = at->id;
		s->synced[s->n++] = is_of_ses(st);
	}
	sql_reset(st);
	at->more = seen == SLICE;
	return status;
}

static enum store_status
drop_slice(struct sql_engine *eng, const struct slice *s, struct err *e)
{
	enum store_status status = STORE_OK;
	struct stmt *st;

	eng->suppressions = ANY_UNKNOWN;
	for (size_t i = 0; i < s->n && status == STORE_OK; i++) {
		st = sql_stmt(eng->q,
		    s->synced[i] ? SQL_FREE_SUPPRESSION : SQL_DROP_SUPPRESSION);
		bind_int(st, 1, s->id[i]);
		if (s->synced[i])
			bind_int(st, 2, clock_wall() + GONE_KEEP);
		status = sql_run(eng->q, st, "free an address", e);
	}
	return status;
}

enum store_status
sql_unsuppress(struct engine *base, struct store_request *req, struct txn *txn)
{
	struct store_unsuppress *r =
	    container_of(req, struct store_unsuppress, req);
	struct sql_engine *eng = sql_of(base);
	struct unsuppress_at *at = &r->progress->next;
	struct slice s = { .n = 0 };
	enum store_status st;

	(void)txn;
	*at = r->progress->at;
	st = pick(eng, r, &s);
	if (st == STORE_OK)
		st = drop_slice(eng, &s, &req->err);
	at->changed += s.n;
	at->more = at->more && (r->limit == 0 || at->changed < r->limit);
	return st;
}

/* -- taken away by time -------------------------------------------------- */

enum store_status
sql_trim_suppressed(struct engine *base, int64_t now, size_t max,
    size_t *trimmed, struct err *e)
{
	static const enum statement trim[] = { SQL_TRIM_SYNCED_SUPPRESSION,
		SQL_TRIM_SUPPRESSION };
	struct sql_engine *eng = sql_of(base);
	enum store_status status;
	size_t strikes = 0;

	status = sql_trim_strikes(eng, now, max, &strikes, e);
	*trimmed = strikes;
	for (size_t i = 0; i < 2 && status == STORE_OK; i++) {
		struct stmt *st = sql_stmt(eng->q, trim[i]);

		bind_int(st, 1, now);
		bind_int(st, 2, (int64_t)max);
		if (trim[i] == SQL_TRIM_SYNCED_SUPPRESSION)
			bind_int(st, 3, now + GONE_KEEP);
		status = sql_run(eng->q, st, "free what has expired", e);
		*trimmed += (size_t)sql_changes(eng->q);
	}
	eng->suppressions = ANY_UNKNOWN;
	return status;
}

/* -- reading the list of SES --------------------------------------------- */

size_t
store_read_suppression(struct store_reader *r, const char *scope,
    const char *after, unsigned states, size_t limit,
    void (*each)(void *, const struct suppression *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q,
	    scope[0] != '\0' ? SQL_READ_SUPPRESSION : SQL_READ_SUPPRESSION_ALL);
	struct suppression s;
	size_t n = 0;

	bind_text(st, 1, scope);
	bind_text(st, 2, after);
	bind_int(st, 3, states);
	bind_int(st, 4, (int64_t)limit);
	for (; sql_read_next(q, st); n++) {
		s = sql_row_suppression(st);
		each(arg, &s);
	}
	return n;
}
