/*
 * suppression_sync.c - makes the account's suppression list and ours the same.
 *
 * What operators did here and SES has not heard of (LOCAL, GONE) wins; all else
 * is as SES has it. Of the entries that both have, only a hash is kept in
 * memory: a list may be long. An entry that this misses, by two addresses with
 * one hash of 64 bits, is put right the next time.
 *
 *	what is here	 -> every page of SES's list -> what SES has no more
 *	-> what is to be put there or taken away there, one by one
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/map.h"
#include "router/ses/suppression_int.h"

#define BATCH 1000

struct known {
	uint64_t hash; /* its lowest bit: SES has it */
};

/* An entry that SES has yet to hear of. */
struct change {
	STAILQ_ENTRY(change) link;
	struct suppression entry; /* its texts are owned */
	char *there;		  /* as SES spells it; NULL: it is not there */
};

struct sync {
	struct suppress_op op;
	struct known *known; /* synced ones, by hash */
	size_t nknown, room;
	STAILQ_HEAD(, change) changes;
	struct map *by_address; /* of changes */
	struct suppress_rows batch;
	char *after; /* of the next page, here or there */
	bool more;
};

static struct sync *
sync_of(struct suppress_op *op)
{
	return container_of(op, struct sync, op);
}

static void
free_change(struct change *c)
{
	free((void *)(uintptr_t)c->entry.address);
	free((void *)(uintptr_t)c->entry.cause);
	free((void *)(uintptr_t)c->entry.who);
	free(c->there);
	free(c);
}

static void
clear_sync(struct suppress_op *op)
{
	struct sync *s = sync_of(op);
	struct change *c;

	while ((c = STAILQ_FIRST(&s->changes)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->changes, link);
		free_change(c);
	}
	map_free(&s->by_address);
	suppress_rows_clear(&s->batch);
	free(s->known);
	free(s->after);
}

/* ------ hashes */

static uint64_t
hash_of(const char *address)
{
	return hash_text(HASH_START, address) & ~(uint64_t)1;
}

static void
add_known(struct sync *s, const char *address)
{
	if (s->nknown == s->room) {
		s->room = s->room > 0 ? 2 * s->room : 1024;
		s->known = xrealloc(s->known, s->room * sizeof(*s->known));
	}
	s->known[s->nknown++].hash = hash_of(address);
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = ((const struct known *)a)->hash & ~(uint64_t)1;
	uint64_t y = ((const struct known *)b)->hash & ~(uint64_t)1;

	return x < y ? -1 : x > y;
}

static struct known *
find_known(struct sync *s, const char *address)
{
	struct known k = { hash_of(address) };

	if (s->nknown == 0)
		return NULL;
	return bsearch(&k, s->known, s->nknown, sizeof(k), compare);
}

/* ------ the end, one change after the other */

static void next_change(struct suppress_op *);

static void
drop_change(struct suppress_op *op)
{
	struct sync *s = sync_of(op);
	struct change *c = STAILQ_FIRST(&s->changes);

	STAILQ_REMOVE_HEAD(&s->changes, link);
	free_change(c);
	next_change(op);
}

static void
on_put_there(struct suppress_op *op, const struct aws_answer *a)
{
	struct change *c = STAILQ_FIRST(&sync_of(op)->changes);

	if (aws_answer_refuses_us(a) || aws_answer_is_passing(a)) {
		suppress_op_fail_answer(op, a);
	} else if (a->status != 200) {
		suppress_count(op, "failed", 1);
		drop_change(op);
	} else {
		suppress_count(op, "put_there", 1);
		c->entry.state = SUPPRESSION_SYNCED;
		suppress_put(op, &c->entry, 1, false, drop_change);
	}
}

static void
on_removed_there(struct suppress_op *op, const struct aws_answer *a)
{
	struct change *c = STAILQ_FIRST(&sync_of(op)->changes);

	if (aws_answer_refuses_us(a) || aws_answer_is_passing(a)) {
		suppress_op_fail_answer(op, a);
	} else if (a->status != 200 && a->status != 404) {
		suppress_count(op, "failed", 1);
		drop_change(op);
	} else {
		suppress_count(op, "removed_there", 1);
		suppress_put(op, &c->entry, 1, true, drop_change);
	}
}

/* What SES knows only as bounces and complaints. */
static const char *
reason_of(const struct suppression *s)
{
	return strcmp(s->cause, "COMPLAINT") == 0 ? "COMPLAINT" : "BOUNCE";
}

static void
count_only(struct suppress_op *op, const struct change *c)
{
	if (c->entry.state == SUPPRESSION_LOCAL && c->there == NULL)
		suppress_count(op, "put_there", 1);
	else if (c->entry.state == SUPPRESSION_GONE && c->there != NULL)
		suppress_count(op, "removed_there", 1);
}

static void
next_change(struct suppress_op *op)
{
	struct sync *s = sync_of(op);
	struct change *c = STAILQ_FIRST(&s->changes);

	if (op->dry_run)
		STAILQ_FOREACH(c, &s->changes, link)
	count_only(op, c);
	if (c == NULL) {
		suppress_op_done(op);
	} else if (c->entry.state == SUPPRESSION_GONE) {
		if (c->there != NULL)
			suppress_ask(op, "DELETE", c->there, NULL, NULL,
			    on_removed_there);
		else
			suppress_put(op, &c->entry, 1, true, drop_change);
	} else if (c->there != NULL) {
		c->entry.state = SUPPRESSION_SYNCED;
		suppress_put(op, &c->entry, 1, false, drop_change);
	} else {
		suppress_ask_put(
		    op, c->entry.address, reason_of(&c->entry), on_put_there);
	}
}

/* ------ what SES has no more */

static void look_for_gone(struct suppress_op *);

/* A row of the store's, in its reading thread. */
static void
take_gone(void *arg, const struct suppression *row)
{
	struct sync *s = arg;
	const struct known *k = find_known(s, row->address);

	free(s->after);
	s->after = xstrdup(row->address);
	if (k != NULL && (k->hash & 1) == 0)
		suppress_rows_add(&s->batch, row);
}

static void
read_gone(struct suppress_op *op, struct store_reader *reader)
{
	struct sync *s = sync_of(op);
	char *after = s->after;

	s->after = NULL;
	s->more =
	    store_read_suppression(reader, op->path, after != NULL ? after : "",
		1u << SUPPRESSION_SYNCED, BATCH, take_gone, s) == BATCH;
	free(after);
}

static void
removed_gone(struct suppress_op *op)
{
	struct sync *s = sync_of(op);

	suppress_rows_clear(&s->batch);
	if (s->more)
		look_for_gone(op);
	else
		next_change(op);
}

static void
remove_gone(struct suppress_op *op)
{
	struct sync *s = sync_of(op);

	suppress_count(op, "removed_here", (int64_t)s->batch.n);
	if (s->batch.n > 0 && !op->dry_run)
		suppress_put(op, s->batch.list, s->batch.n, true, removed_gone);
	else
		removed_gone(op);
}

static void
look_for_gone(struct suppress_op *op)
{
	suppress_read(op, read_gone, remove_gone);
}

/* ------ SES's list */

static void ask_page(struct suppress_op *);

/* Its entry here, if any, is marked; else it is to be put here. */
static void
match(struct sync *s, const struct suppression *row)
{
	struct change *c = map_get(s->by_address, row->address);
	struct known *k = find_known(s, row->address);
	struct suppression here = *row;

	suppress_count(&s->op, "there", 1);
	if (c != NULL) {
		free(c->there);
		c->there = xstrdup(row->who);
	} else if (k != NULL) {
		k->hash |= 1;
	} else {
		here.who = "ses";
		suppress_rows_add(&s->batch, &here);
	}
}

static void
put_page(struct suppress_op *op)
{
	struct sync *s = sync_of(op);

	suppress_rows_clear(&s->batch);
	if (s->after != NULL)
		ask_page(op);
	else
		look_for_gone(op);
}

static void
take_page(struct sync *s, struct suppress_page *page)
{
	for (size_t i = 0; i < page->rows.n; i++)
		match(s, &page->rows.list[i]);
	suppress_count(&s->op, "put_here", (int64_t)s->batch.n);
	free(s->after);
	s->after = page->next;
	page->next = NULL;
	if (s->batch.n > 0 && !s->op.dry_run)
		suppress_put(
		    &s->op, s->batch.list, s->batch.n, false, put_page);
	else
		put_page(&s->op);
}

static void
on_page(struct suppress_op *op, const struct aws_answer *a)
{
	struct sync *s = sync_of(op);
	struct suppress_page page = { .next = NULL };
	struct err e = ERR_INIT;

	if (a->status != 200)
		suppress_op_fail_answer(op, a);
	else if (suppress_read_page(a, op->path, s->after, &page, &e) != 0)
		suppress_op_fail(op, 502, "%s", e.text);
	else
		take_page(s, &page);
	suppress_page_clear(&page);
}

static void
ask_page(struct suppress_op *op)
{
	suppress_ask_page(op, NULL, sync_of(op)->after, SUPPRESS_PAGE, on_page);
}

/* ------ what is here */

static void look_here(struct suppress_op *);

static void
add_change(struct sync *s, const struct suppression *row)
{
	struct change *c = xcalloc(1, sizeof(*c));

	/* The rest of it is of no use to SES; the store keeps it. */
	c->entry = (struct suppression){ .scope = s->op.path,
		.address = xstrdup(row->address),
		.cause = xstrdup(row->cause),
		.who = xstrdup(row->who),
		.state = row->state,
		.at = row->at };
	STAILQ_INSERT_TAIL(&s->changes, c, link);
	map_put(s->by_address, c->entry.address, c);
}

static void
take_here(void *arg, const struct suppression *row)
{
	struct sync *s = arg;

	free(s->after);
	s->after = xstrdup(row->address);
	if (row->state == SUPPRESSION_SYNCED)
		add_known(s, row->address);
	else
		add_change(s, row);
}

static void
read_here(struct suppress_op *op, struct store_reader *reader)
{
	struct sync *s = sync_of(op);
	char *after = s->after;

	s->after = NULL;
	s->more =
	    store_read_suppression(reader, op->path, after != NULL ? after : "",
		1u << SUPPRESSION_SYNCED | 1u << SUPPRESSION_LOCAL |
		    1u << SUPPRESSION_GONE,
		BATCH, take_here, s) == BATCH;
	free(after);
}

static void
looked_here(struct suppress_op *op)
{
	struct sync *s = sync_of(op);

	if (s->more) {
		look_here(op);
		return;
	}
	free(s->after);
	s->after = NULL;
	if (s->nknown > 0)
		qsort(s->known, s->nknown, sizeof(*s->known), compare);
	ask_page(op);
}

static void
look_here(struct suppress_op *op)
{
	suppress_read(op, read_here, looked_here);
}

/* {path, dry_run} */
void
ses_suppression_sync(struct amazon *a, struct amazon_ask *ask)
{
	static const char *const counts[] = { "there", "put_here",
		"removed_here", "put_there", "removed_there", "failed" };
	struct suppress_op *op =
	    suppress_op_new(a, ask, "sync", sizeof(struct sync), true);
	struct sync *s;

	if (op == NULL)
		return;
	s = sync_of(op);
	op->clear = clear_sync;
	STAILQ_INIT(&s->changes);
	s->by_address = map_new();
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		suppress_count(op, counts[i], 0);
	look_here(op);
}
