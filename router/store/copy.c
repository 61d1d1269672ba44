/*
 * copy.c - the run: both are opened and marked, tables are copied batch by
 * batch, and everything is read again and compared.
 *
 * Where to go on after an interruption needs no notes: rows go over in the
 * order of their keys, so the last key that is there tells it.
 */
#include "router/store/copy_int.h"

#include "mta/base/alloc.h"
#include "router/body.h"
#include "router/store/pg.h"
#include "router/store/store_int.h"
#include "router/suppress.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct side {
	const struct store_config *config;
	struct sql *q;
	bool cleaned; /* texts are read as PostgreSQL has them */
	char *spool;  /* directory of bodies that are files; NULL: none are */
};

struct run {
	struct side from, to;
	void (*each)(void *arg, const struct copied_table *);
	void *arg;
	struct err *e;
};

static const char *
name_of(const struct store_config *c)
{
	return c->url != NULL ? "the database" : c->directory;
}

/* -- values --------------------------------------------------------------- */

/* A row, out of the statement that it was read by. */
struct row {
	unsigned n;
	struct value {
		int64_t number;
		struct str bytes;
	} value[COPY_COLUMNS_MAX];
};

static void
row_init(struct row *r)
{
	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < COPY_COLUMNS_MAX; i++)
		str_init(&r->value[i].bytes);
}

static void
row_release(struct row *r)
{
	for (unsigned i = 0; i < COPY_COLUMNS_MAX; i++)
		str_release(&r->value[i].bytes);
}

static void
row_read(
    struct row *r, const struct copy_columns *c, unsigned n, struct stmt *st)
{
	r->n = n;
	for (unsigned i = 0; i < n; i++) {
		struct value *v = &r->value[i];

		str_clear(&v->bytes);
		if (c->type[i] == COPY_INT)
			v->number = column_int(st, (int)i);
		else if (c->type[i] == COPY_TEXT)
			str_add(&v->bytes, column_text(st, (int)i),
			    column_bytes(st, (int)i));
		else
			str_add(&v->bytes, column_blob(st, (int)i),
			    column_bytes(st, (int)i));
	}
}

static void
row_bind(const struct row *r, const struct copy_columns *c, unsigned n,
    struct stmt *st)
{
	for (unsigned i = 0; i < n; i++) {
		const struct value *v = &r->value[i];

		if (c->type[i] == COPY_INT)
			bind_int(st, (int)i + 1, v->number);
		else if (c->type[i] == COPY_TEXT)
			bind_chars(st, (int)i + 1, v->bytes.data, v->bytes.len);
		else
			bind_blob(st, (int)i + 1, v->bytes.data, v->bytes.len);
	}
}

/* -- bodies that are files ------------------------------------------------- */

static int
read_file(
    const struct side *side, const char *name, struct str *to, struct err *e)
{
	char buf[65536];
	struct body *b = body_spooled(side->spool, name, INT64_MAX);
	ssize_t n;

	str_clear(to);
	while ((n = body_read(b, to->len, buf, sizeof(buf))) > 0)
		str_add(to, buf, (size_t)n);
	body_unref(&b);
	if (n < 0)
		return err_sys(e, "cannot read '%s/%s'", side->spool, name);
	return 0;
}

/* Of the table of bodies: where one was is no part of it. */
static int
fetch_body(const struct side *side, const struct copy_table *t, struct row *r,
    struct err *e)
{
	struct value *file = &r->value[2];
	int ret = 0;

	if (strcmp(t->name, "body") != 0)
		return 0;
	if (side->spool != NULL && file->bytes.len > 0)
		ret = read_file(side, file->bytes.data, &r->value[1].bytes, e);
	str_clear(&file->bytes);
	return ret;
}

/* -- reading a table in the order of its keys --------------------------------
 */

struct walk {
	const struct side *side;
	const struct copy_table *table;
	struct copy_columns columns;
	struct stmt *first,
	    *more;	      /* the batch at the beginning, and after a key */
	struct row row, last; /* being read, and that of the last batch */
	bool begun;
	struct err *e;
};

/* A byte that PostgreSQL would not take in a text was taken by SQLite. */
static void
row_clean(struct row *r, const struct copy_columns *c)
{
	for (unsigned i = 0; i < r->n; i++)
		if (c->type[i] == COPY_TEXT)
			pg_clean_text(
			    r->value[i].bytes.data, r->value[i].bytes.len);
}

static int
walk_open(struct walk *w, const struct side *side, const struct copy_table *t,
    struct err *e)
{
	struct str sql = STR_INIT;

	*w = (struct walk){ .side = side, .table = t, .e = e };
	copy_columns_of(t, &w->columns);
	row_init(&w->row);
	row_init(&w->last);
	copy_write_select(&sql, t, &w->columns, side->q->parameter, true);
	w->first = side->q->ops->prepare(side->q, sql.data, e);
	if (w->first != NULL && t->nkey > 0) {
		copy_write_select(
		    &sql, t, &w->columns, side->q->parameter, false);
		w->more = side->q->ops->prepare(side->q, sql.data, e);
	}
	str_release(&sql);
	return w->first != NULL && (w->more != NULL || t->nkey == 0) ? 0 : -1;
}

static void
walk_close(struct walk *w)
{
	if (w->first != NULL)
		w->side->q->ops->finish(w->first);
	if (w->more != NULL)
		w->side->q->ops->finish(w->more);
	row_release(&w->row);
	row_release(&w->last);
}

/* Goes on behind the last key that the other side has. */
static int
walk_after(struct walk *w, const struct side *other)
{
	struct str sql = STR_INIT;
	enum store_status st = STORE_OK;
	struct stmt *last;

	if (w->table->nkey == 0)
		return 0;
	copy_write_last(&sql, w->table, &w->columns);
	last = other->q->ops->prepare(other->q, sql.data, w->e);
	str_release(&sql);
	if (last == NULL)
		return -1;
	w->begun = sql_next(other->q, last, "read what is there", &st, w->e);
	if (w->begun)
		row_read(&w->last, &w->columns, w->table->nkey, last);
	sql_reset(last);
	other->q->ops->finish(last);
	return st == STORE_OK ? 0 : -1;
}

static void
row_swap(struct walk *w)
{
	struct row last = w->last;

	w->last = w->row;
	w->row = last;
}

/* One batch, each row to `take`. Returns how many; -1 with *e. */
static int
walk_batch(
    struct walk *w, int (*take)(void *arg, const struct row *), void *arg)
{
	struct stmt *st = w->begun ? w->more : w->first;
	enum store_status status = STORE_OK;
	int n = 0;

	if (st == NULL)
		return 0; /* a table of one row, which has been read */
	if (w->begun)
		row_bind(&w->last, &w->columns, w->table->nkey, st);
	while (sql_next(w->side->q, st, "read rows", &status, w->e)) {
		row_read(&w->row, &w->columns, w->columns.n, st);
		n++;
		if (w->side->cleaned)
			row_clean(&w->row, &w->columns);
		if (fetch_body(w->side, w->table, &w->row, w->e) < 0 ||
		    take(arg, &w->row) < 0) {
			status = STORE_FAILED;
			break;
		}
	}
	w->begun = true;
	sql_reset(st);
	if (n > 0)
		row_swap(w);
	return status == STORE_OK ? n : -1;
}

/* -- copying ----------------------------------------------------------------
 */

struct copying {
	struct run *run;
	struct stmt *insert;
	struct copy_columns columns;
	unsigned n; /* columns that are written */
	bool keyed; /* one more: the key of an address */
};

/* What its address has on the suppression list; NULL: nothing. */
static char *
key_of(const struct row *r, const struct copy_columns *c)
{
	unsigned i = 0;

	while (strcmp(c->name[i], "address") != 0)
		i++;
	return suppress_key(r->value[i].bytes.data);
}

static int
insert(void *arg, const struct row *r)
{
	struct copying *c = arg;
	struct sql *q = c->run->to.q;

	char *key = c->keyed ? key_of(r, &c->columns) : NULL;
	enum store_status st;

	row_bind(r, &c->columns, c->n, c->insert);
	if (c->keyed)
		bind_text(c->insert, (int)c->n + 1, key != NULL ? key : "");
	st = sql_run(q, c->insert, "write a row", c->run->e);
	free(key);
	return st == STORE_OK ? 0 : -1;
}

static int
copy_batches(struct run *run, struct copying *c, struct walk *w,
    struct copied_table *told)
{
	struct sql *to = run->to.q;
	int n;

	do {
		if (to->ops->begin(to, run->e) < 0)
			return -1;
		n = walk_batch(w, insert, c);
		if (n < 0) {
			to->ops->roll_back(to);
			return -1;
		}
		if (to->ops->commit(to, run->e) < 0)
			return -1;
		told->rows += (unsigned)n;
		if (n > 0)
			run->each(run->arg, told);
	} while (n > 0);
	return 0;
}

/* The one row of a table without a key, where there is another already. */
static int
clear_single(struct run *run, const struct copy_table *t)
{
	struct str sql = STR_INIT;
	int ret;

	if (t->nkey > 0)
		return 0;
	str_addf(&sql, "DELETE FROM %s", t->name);
	ret = run->to.q->ops->script(run->to.q, sql.data, run->e);
	str_release(&sql);
	return ret;
}

/* The database goes on counting behind what was copied. */
static int
set_numbers(struct run *run, const struct copy_table *t)
{
	struct str sql = STR_INIT;
	int ret;

	if (t->numbers == NULL || !run->to.q->far)
		return 0;
	str_addf(&sql,
	    "SELECT setval(pg_get_serial_sequence('%s', '%s'),"
	    " (SELECT coalesce(max(%s), 0) + 1 FROM %s), false)",
	    t->name, t->numbers, t->numbers, t->name);
	ret = run->to.q->ops->script(run->to.q, sql.data, run->e);
	str_release(&sql);
	return ret;
}

static int
copy_table(struct run *run, const struct copy_table *t)
{
	struct copied_table told = { .name = t->name };
	struct copying c = { .run = run };
	struct str sql = STR_INIT;
	struct walk w;
	int ret = -1;

	copy_columns_of(t, &c.columns);
	c.n = copy_columns_written(t, &c.columns);
	c.keyed = run->to.q->far && t->far_more.key;
	copy_write_insert(&sql, t, &c.columns, run->to.q->parameter);
	c.insert = run->to.q->ops->prepare(run->to.q, sql.data, run->e);
	str_release(&sql);
	if (walk_open(&w, &run->from, t, run->e) == 0 && c.insert != NULL &&
	    clear_single(run, t) == 0 && walk_after(&w, &run->to) == 0 &&
	    copy_batches(run, &c, &w, &told) == 0)
		ret = set_numbers(run, t);
	walk_close(&w);
	if (c.insert != NULL)
		run->to.q->ops->finish(c.insert);
	return ret;
}

/* What SQLite has made from the events. */
static int
derive(struct run *run)
{
	return run->to.q->far
		   ? 0
		   : run->to.q->ops->script(run->to.q,
			 "BEGIN; DELETE FROM event_hour;"
			 "INSERT INTO event_hour SELECT at / 3600000, min(seq)"
			 " FROM event GROUP BY 1; COMMIT",
			 run->e);
}

/* -- comparing ---------------------------------------------------------------
 */

struct digest {
	EVP_MD_CTX *ctx;
	const struct copy_columns *columns;
	uint64_t rows;
};

/* Each value with its length, so that no two tables look the same. */
static int
digest_row(void *arg, const struct row *r)
{
	struct digest *d = arg;

	for (unsigned i = 0; i < r->n; i++) {
		const struct value *v = &r->value[i];
		uint64_t head = v->bytes.len;

		if (d->columns->type[i] == COPY_INT)
			head = (uint64_t)v->number;
		EVP_DigestUpdate(d->ctx, &head, sizeof(head));
		if (v->bytes.len > 0 && d->columns->type[i] != COPY_INT)
			EVP_DigestUpdate(d->ctx, v->bytes.data, v->bytes.len);
	}
	d->rows++;
	return 0;
}

static void
write_hex(EVP_MD_CTX *ctx, char hex[static 65])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	EVP_DigestFinal_ex(ctx, sum, &len);
	for (unsigned i = 0; i < 32; i++) {
		hex[2 * i] = digits[sum[i] >> 4];
		hex[2 * i + 1] = digits[sum[i] & 15];
	}
	hex[64] = '\0';
}

static int
digest_table(const struct side *side, const struct copy_table *t,
    struct copied_table *out, struct err *e)
{
	struct digest d = { .ctx = EVP_MD_CTX_new() };
	struct walk w;
	int n = walk_open(&w, side, t, e);

	d.columns = &w.columns;
	EVP_DigestInit_ex(d.ctx, EVP_sha256(), NULL);
	if (n == 0)
		do
			n = walk_batch(&w, digest_row, &d);
		while (n > 0);
	walk_close(&w);
	*out = (struct copied_table){ t->name, d.rows, "", true };
	write_hex(d.ctx, out->checksum);
	EVP_MD_CTX_free(d.ctx);
	return n;
}

static int
verify_table(struct run *run, const struct copy_table *t)
{
	struct copied_table from, to;

	if (digest_table(&run->from, t, &from, run->e) < 0 ||
	    digest_table(&run->to, t, &to, run->e) < 0)
		return -1;
	if (from.rows != to.rows || strcmp(from.checksum, to.checksum) != 0)
		return err_set(run->e,
		    "table '%s' differs: %llu rows in %s, %llu in %s; empty "
		    "the latter and begin anew",
		    t->name, (unsigned long long)from.rows,
		    name_of(run->from.config), (unsigned long long)to.rows,
		    name_of(run->to.config));
	run->each(run->arg, &to);
	return 0;
}

/* -- marks --------------------------------------------------------------------
 */

static int
mark(struct sql *q, const char *how, struct err *e)
{
	struct str sql = STR_INIT;
	int ret;

	str_addf(&sql, "CREATE TABLE IF NOT EXISTS %s(at %s)", how,
	    q->far ? "bigint" : "INTEGER");
	ret = q->ops->script(q, sql.data, e);
	str_release(&sql);
	return ret;
}

static int
unmark(struct sql *q, const char *how, struct err *e)
{
	struct str sql = STR_INIT;
	int ret;

	str_addf(&sql, "DROP TABLE IF EXISTS %s", how);
	ret = q->ops->script(q, sql.data, e);
	str_release(&sql);
	return ret;
}

/* -- opening ------------------------------------------------------------------
 */

/* What a crash left is taken back, and the schema is today's. */
static int
settle_down(const struct store_config *config, struct err *e)
{
	struct store_recovery recovery;
	struct store *s = store_open(config, &recovery, e);

	if (s == NULL)
		return -1;
	store_close(&s);
	return 0;
}

static int
side_open(struct side *side, const struct store_config *config, struct err *e)
{
	struct str spool = STR_INIT;

	side->config = config;
	side->q = config->url != NULL ? pg_sql_connect(config, e)
				      : sqlite_connect(config, e);
	if (side->q == NULL)
		return -1;
	if (config->url == NULL) {
		str_addf(&spool, "%s/spool", config->directory);
		side->spool = str_detach(&spool);
	}
	return 0;
}

static void
side_close(struct side *side)
{
	if (side->q != NULL)
		side->q->ops->disconnect(side->q);
	free(side->spool);
}

/* The first column of the only row. */
static int
ask(struct sql *q, const char *sql, int64_t *answer, struct err *e)
{
	struct stmt *st = q->ops->prepare(q, sql, e);
	enum store_status status;

	if (st == NULL)
		return -1;
	*answer = sql_next(q, st, "look", &status, e) ? column_int(st, 0) : 0;
	sql_reset(st);
	q->ops->finish(st);
	return status == STORE_OK ? 0 : -1;
}

static int
is_marked(struct sql *q, const char *how, bool *marked, struct err *e)
{
	struct str sql = STR_INIT;
	int64_t n = 0;
	int ret;

	if (q->far)
		str_addf(&sql,
		    "SELECT (to_regclass('%s') IS NOT NULL)::int::bigint", how);
	else
		str_addf(&sql,
		    "SELECT count(*) FROM sqlite_schema WHERE name = '%s'",
		    how);
	ret = ask(q, sql.data, &n, e);
	*marked = n > 0;
	str_release(&sql);
	return ret;
}

/* As a process left it that has run on it, or as an earlier copying did. */
static int
prepare(struct side *side, const struct store_config *config, const char *how,
    bool *marked, struct err *e)
{
	if (side_open(side, config, e) < 0 ||
	    is_marked(side->q, how, marked, e) < 0)
		return -1;
	if (*marked)
		return 0;
	side_close(side);
	*side = (struct side){ 0 };
	return settle_down(config, e) < 0 ? -1 : side_open(side, config, e);
}

/* Nobody may run on it, or have died there and left what he held to nobody. */
static int
check_alone(const struct side *side, struct err *e)
{
	int64_t n = 0;

	if (!side->q->far)
		return 0;
	if (ask(side->q, "SELECT count(*) FROM node", &n, e) < 0)
		return -1;
	return n == 0 ? 0
		      : err_set(e,
			    "%lld nodes are in the database, see 'oiwake "
			    "nodes': stop them, and let another take back what "
			    "dead ones held",
			    (long long)n);
}

static int
check_empty(struct run *run)
{
	struct str sql = STR_INIT;
	int64_t n = 0;
	int ret = 0;

	for (const struct copy_table *t = copy_tables; t->name != NULL; t++) {
		if (t->nkey == 0)
			continue;
		str_clear(&sql);
		str_addf(&sql,
		    "SELECT count(*) FROM (SELECT 1 FROM %s LIMIT 1) x",
		    t->name);
		ret = ask(run->to.q, sql.data, &n, run->e);
		if (ret == 0 && n > 0)
			ret = err_set(run->e,
			    "%s is not empty: there is something in table '%s'",
			    name_of(run->to.config), t->name);
		if (ret < 0)
			break;
	}
	str_release(&sql);
	return ret;
}

/* An earlier call was ended when all was done, before it could say so. */
static bool
was_done(struct run *run)
{
	struct err ignored = ERR_INIT, *e = run->e;
	bool same = true;

	run->e = &ignored;
	for (const struct copy_table *t = copy_tables; same && t->name != NULL;
	    t++)
		same = verify_table(run, t) == 0;
	run->e = e;
	return same;
}

static int
copy_all(struct run *run, bool was_copied, bool begun)
{
	if (!begun && check_empty(run) < 0)
		return was_copied && was_done(run) ? 0 : -1;
	if (!begun && mark(run->to.q, COPY_MARK_TO, run->e) < 0)
		return -1;
	if (mark(run->from.q, COPY_MARK_FROM, run->e) < 0)
		return -1;
	for (const struct copy_table *t = copy_tables; t->name != NULL; t++)
		if (copy_table(run, t) < 0)
			return -1;
	if (derive(run) < 0)
		return -1;
	for (const struct copy_table *t = copy_tables; t->name != NULL; t++)
		if (verify_table(run, t) < 0)
			return -1;
	return unmark(run->to.q, COPY_MARK_TO, run->e);
}

int
store_copy(const struct store_config *from, const struct store_config *to,
    void (*each)(void *, const struct copied_table *), void *arg, struct err *e)
{
	struct run run = { .each = each, .arg = arg, .e = e };
	bool was_copied, begun;
	int ret = -1;

	if (prepare(&run.from, from, COPY_MARK_FROM, &was_copied, e) == 0 &&
	    prepare(&run.to, to, COPY_MARK_TO, &begun, e) == 0)
		ret = 0;
	if (ret == 0)
		run.from.cleaned = run.to.q->far;
	if (ret == 0 &&
	    (check_alone(&run.from, e) < 0 || check_alone(&run.to, e) < 0 ||
		copy_all(&run, was_copied, begun) < 0))
		ret = -1;
	side_close(&run.from);
	side_close(&run.to);
	return ret;
}

int
store_unmark(const struct store_config *config, struct err *e)
{
	struct side side = { 0 };
	bool filling = false, marked = false;
	int ret = side_open(&side, config, e);

	if (ret == 0)
		ret = is_marked(side.q, COPY_MARK_TO, &filling, e);
	if (ret == 0)
		ret = is_marked(side.q, COPY_MARK_FROM, &marked, e);
	if (ret == 0 && filling)
		ret = err_set(e,
		    "a copy into %s has not been finished: it lacks mail",
		    name_of(config));
	else if (ret == 0 && !marked)
		ret = err_set(e, "%s bears no mark", name_of(config));
	else if (ret == 0)
		ret = unmark(side.q, COPY_MARK_FROM, e);
	side_close(&side);
	return ret;
}
