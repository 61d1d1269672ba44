/*
 * suppression.c - what operators do with single entries of an account's
 * suppression list: list, show, add, remove.
 *
 * What is added or removed is noted in the store first, as still to be done at
 * SES. Should SES not take it now, the next sync does it.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/ses/suppression_int.h"

struct single {
	struct suppress_op op;
	char *address, *lower;
	const char *reason;
	struct suppression entry;
	bool was_there;
};

static struct single *
single_of(struct suppress_op *op)
{
	return container_of(op, struct single, op);
}

static void
put_time(json_t *o, const char *key, int64_t wall)
{
	char buf[25];

	json_object_set_new(
	    o, key, wall > 0 ? json_string(clock_iso(wall, buf)) : json_null());
}

/* ------ list */

static json_t *
page_json(const struct suppress_op *op, const struct suppress_page *page)
{
	json_t *reply = json_object(), *rows = json_array(), *o;

	for (size_t i = 0; i < page->rows.n; i++) {
		o = json_object();
		json_object_set_new(
		    o, "address", json_string(page->rows.list[i].who));
		json_object_set_new(
		    o, "reason", json_string(page->rows.list[i].cause));
		put_time(o, "at", page->rows.list[i].at);
		json_array_append_new(rows, o);
	}
	json_object_set_new(reply, "path", json_string(op->path));
	json_object_set_new(reply, "rows", rows);
	json_object_set_new(reply, "next",
	    page->next != NULL ? json_string(page->next) : json_null());
	return reply;
}

static void
on_page(struct suppress_op *op, const struct aws_answer *a)
{
	struct suppress_page page = { .next = NULL };
	struct err e = ERR_INIT;

	if (a->status != 200)
		suppress_op_fail_answer(op, a);
	else if (suppress_read_page(a, op->path, NULL, &page, &e) != 0)
		suppress_op_fail(op, 502, "%s", e.text);
	else
		suppress_op_end(op, 200, page_json(op, &page));
	suppress_page_clear(&page);
}

/* The reason that was asked for. -1: refused. */
static int
read_reason(struct amazon_ask *ask, const char **reason)
{
	const json_t *arg = json_object_get(ask->args, "reason");
	const char *text = json_string_value(arg);

	if (arg == NULL || json_is_null(arg))
		return 0;
	for (const char *const *known =
		 (const char *const[]){ "BOUNCE", "COMPLAINT", NULL };
	     *known != NULL; known++)
		if (text != NULL && strcmp(text, *known) == 0) {
			*reason = *known;
			return 0;
		}
	amazon_refuse(ask, 400, "reason is BOUNCE or COMPLAINT");
	return -1;
}

/* {path, reason, limit: 1..1000, after: `next` of an earlier answer}: one page,
 * so that its size is the asker's choice. */
void
ses_suppression_list(struct amazon *a, struct amazon_ask *ask)
{
	const json_t *limit = json_object_get(ask->args, "limit");
	const json_t *after = json_object_get(ask->args, "after");
	json_int_t n = limit != NULL ? json_integer_value(limit) : 100;
	const char *reason = NULL;
	struct suppress_op *op;

	if (n < 1 || n > SUPPRESS_PAGE) {
		amazon_refuse(
		    ask, 400, "limit is a number from 1 to %d", SUPPRESS_PAGE);
		return;
	}
	if (read_reason(ask, &reason) != 0)
		return;
	op = suppress_op_new(a, ask, "list", sizeof(*op), false);
	if (op != NULL)
		suppress_ask_page(
		    op, reason, json_string_value(after), (unsigned)n, on_page);
}

/* ------ one address */

static void
clear_single(struct suppress_op *op)
{
	struct single *s = single_of(op);

	free(s->address);
	free(s->lower);
}

static bool
is_address(const char *text)
{
	const char *at = text != NULL ? strrchr(text, '@') : NULL;

	return at != NULL && at != text && at[1] != '\0' &&
	       strlen(text) <= 320 && !str_has_control(text, strlen(text)) &&
	       strpbrk(text, " \t<>") == NULL;
}

static struct single *
single_new(
    struct amazon *a, struct amazon_ask *ask, const char *what, bool alone)
{
	const char *address =
	    json_string_value(json_object_get(ask->args, "address"));
	struct suppress_op *op;
	struct single *s;

	if (!is_address(address)) {
		amazon_refuse(ask, 400, "address is a mail address");
		return NULL;
	}
	op = suppress_op_new(a, ask, what, sizeof(*s), alone);
	if (op == NULL)
		return NULL;
	op->clear = clear_single;
	s = single_of(op);
	s->address = xstrdup(address);
	s->lower = suppress_lower(address);
	return s;
}

/* As the store is to have it. */
static const struct suppression *
entry_of(struct single *s, enum suppression_state state)
{
	const char *who =
	    json_string_value(json_object_get(s->op.ask->args, "who"));

	s->entry = (struct suppression){ .scope = s->op.path,
		.address = s->lower,
		.cause = s->reason != NULL ? s->reason : "manual",
		.who = who != NULL ? who : "operator",
		.state = state,
		.at = clock_wall() };
	return &s->entry;
}

/* ------ show */

static void
put_member(json_t *o, const char *key, const json_t *from, const char *name)
{
	const char *text = json_string_value(json_object_get(from, name));

	json_object_set_new(
	    o, key, text != NULL ? json_string(text) : json_null());
}

static void
on_shown(struct suppress_op *op, const struct aws_answer *a)
{
	const json_t *d = json_object_get(a->json, "SuppressedDestination");
	const json_t *attributes = json_object_get(d, "Attributes");
	double at = json_number_value(json_object_get(d, "LastUpdateTime"));
	json_t *reply;

	if (a->status != 200) {
		suppress_op_fail_answer(op, a);
		return;
	}
	reply = json_object();
	json_object_set_new(reply, "path", json_string(op->path));
	put_member(reply, "address", d, "EmailAddress");
	put_member(reply, "reason", d, "Reason");
	put_time(reply, "at", at > 0 && at < 1e11 ? (int64_t)(at * 1000) : 0);
	put_member(reply, "message_id", attributes, "MessageId");
	put_member(reply, "feedback_id", attributes, "FeedbackId");
	suppress_op_end(op, 200, reply);
}

/* {path, address} */
void
ses_suppression_show(struct amazon *a, struct amazon_ask *ask)
{
	struct single *s = single_new(a, ask, "show", false);

	if (s != NULL)
		suppress_ask(&s->op, "GET", s->address, NULL, NULL, on_shown);
}

/* ------ add and remove */

static void
end_single(struct suppress_op *op)
{
	struct single *s = single_of(op);

	json_object_set_new(op->counts, "address", json_string(s->address));
	json_object_set_new(
	    op->counts, "was_there", json_boolean(s->was_there));
	suppress_op_done(op);
}

static void
fail_single(struct suppress_op *op, const struct aws_answer *a)
{
	struct err why = ERR_INIT;

	aws_answer_say(a, &why);
	suppress_op_fail(op, 502,
	    "noted here, for the next sync to do; SES does not do it now: %s",
	    why.text);
}

static void
on_added(struct suppress_op *op, const struct aws_answer *a)
{
	if (a->status != 200)
		fail_single(op, a);
	else
		suppress_put(op, entry_of(single_of(op), SUPPRESSION_SYNCED), 1,
		    false, end_single);
}

static void
add_there(struct suppress_op *op)
{
	struct single *s = single_of(op);

	suppress_ask_put(op, s->address, s->reason, on_added);
}

/* {path, address, reason: BOUNCE unless given} */
void
ses_suppression_add(struct amazon *a, struct amazon_ask *ask)
{
	const char *reason = "BOUNCE";
	struct single *s;

	if (read_reason(ask, &reason) != 0)
		return;
	s = single_new(a, ask, "add", true);
	if (s == NULL)
		return;
	s->reason = reason;
	suppress_put(
	    &s->op, entry_of(s, SUPPRESSION_LOCAL), 1, false, add_there);
}

static void
on_removed(struct suppress_op *op, const struct aws_answer *a)
{
	struct single *s = single_of(op);

	s->was_there = a->status == 200;
	if (a->status != 200 && a->status != 404)
		fail_single(op, a);
	else
		suppress_put(
		    op, entry_of(s, SUPPRESSION_GONE), 1, true, end_single);
}

static void
remove_there(struct suppress_op *op)
{
	suppress_ask(
	    op, "DELETE", single_of(op)->address, NULL, NULL, on_removed);
}

/* {path, address} */
void
ses_suppression_remove(struct amazon *a, struct amazon_ask *ask)
{
	struct single *s = single_new(a, ask, "remove", true);

	if (s != NULL)
		suppress_put(&s->op, entry_of(s, SUPPRESSION_GONE), 1, false,
		    remove_there);
}
