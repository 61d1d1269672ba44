/*
 * suppress_fixture.h - a store (feedback_fixture.h) with a suppression list.
 */
#ifndef TESTS_UNIT_SUPPRESS_FIXTURE_H
#define TESTS_UNIT_SUPPRESS_FIXTURE_H

#include "tests/unit/feedback_fixture.h"

#include "mta/base/str.h"

/* A hard one for all paths, of now, for ever. */
static inline struct suppression
entry(const char *address)
{
	return (struct suppression){ .scope = "",
		.address = address,
		.cause = "userunknown",
		.who = "oiwake",
		.state = SUPPRESSION_LOCAL,
		.at = told_at(0),
		.source = "smtp",
		.evidence = "550 User unknown",
		.path = "mta",
		.message = 7,
		.index = 1 };
}

static inline uint64_t
ask_suppress(const struct suppression *list, size_t n, bool remove, bool keep)
{
	struct store_suppress r = { .n = n,
		.list = list,
		.remove = remove,
		.keep = keep,
		.changed = 99 };

	prepare_request(&r.req);
	store_suppress(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	return r.changed;
}

static inline void
suppress(struct suppression s)
{
	assert_int_equal(ask_suppress(&s, 1, false, false), 1);
}

static inline uint64_t
unsuppress(struct suppression_filter f, size_t limit)
{
	struct store_unsuppress r = {
		.filter = f, .limit = limit, .changed = 99
	};

	prepare_request(&r.req);
	store_unsuppress(the->store, &r);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	return r.changed;
}

/* -- reading ------------------------------------------------------------- */

/* "scope/address:cause" each, and what `more` adds. */
struct list {
	struct store_query query;
	struct suppression_filter filter;
	const char *after_scope, *after_address;
	size_t limit, n;
	bool more;
	struct str text;
};

static inline void
see_entry(void *arg, const struct suppression *s)
{
	struct list *l = arg;

	str_addf(&l->text, "%s%s/%s:%s", l->n++ > 0 ? " " : "", s->scope,
	    s->address, s->cause);
	if (l->more)
		str_addf(&l->text, ",%s,%d,%lld,%s,%s,%s,%lld,%u,%lld,%d",
		    s->who, (int)s->state, (long long)(s->at - told_at(0)),
		    s->source, s->evidence, s->path, (long long)s->message,
		    s->index,
		    s->expires == 0 ? 0LL
				    : (long long)(s->expires - told_at(0)),
		    s->soft);
}

static inline void
run_list(struct store_query *q, struct store_reader *r)
{
	struct list *l = container_of(q, struct list, query);
	size_t n = store_read_suppressions(r, &l->filter, l->after_scope,
	    l->after_address, l->limit, see_entry, l);

	assert_int_equal(n, l->n);
}

static inline void
assert_list(struct list l, const char *expected)
{
	if (l.after_scope == NULL)
		l.after_scope = l.after_address = "";
	if (l.limit == 0)
		l.limit = 100;
	str_init(&l.text);
	l.query.reply_to = the->inbox;
	l.query.run = run_list;
	l.query.done = on_query_answer;
	store_query(the->store, &l.query);
	await(1);
	assert_string_equal(l.text.data, expected);
	str_release(&l.text);
}

static inline void
assert_entries(const char *expected)
{
	assert_list((struct list){ .n = 0 }, expected);
}

static inline void
assert_details(const char *expected)
{
	assert_list((struct list){ .more = true }, expected);
}

/* -- mail ---------------------------------------------------------------- */

/* Whether user0@docomo.ne.jp is found as it comes in. The words are the
 * caller's. */
static inline char *
ask_is_suppressed(void)
{
	struct store_enqueue *r = new_message(1, told_at(0), 10);
	char *why;

	r->leased = true;
	assert_int_equal(ask_enqueue(r), STORE_OK);
	why = TAILQ_FIRST(&r->recipients)->suppressed;
	TAILQ_FIRST(&r->recipients)->suppressed = NULL;
	free_message(r);
	return why;
}

static inline bool
is_suppressed(void)
{
	char *why = ask_is_suppressed();
	bool yes = why != NULL;

	free(why);
	return yes;
}

#endif
