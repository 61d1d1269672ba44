/*
 * admin_ses.c - /v1/ses and what is below it: accounts, quotas, feedback, the
 * suppression lists at SES, dead letters.
 *
 * What only the Amazon thread knows is asked there (ses/ask.c); quotas are the
 * core's own and put beside it.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/http/admin_int.h"
#include "router/ses/amazon.h"
#include "router/ses/quota.h"
#include "router/ses/send_test.h"

/* -- asking the Amazon thread ---------------------------------------------- */

struct question {
	struct amazon_ask ask;
	struct admin_request *request;
	void (*answered)(
	    struct admin_request *, json_t *reply); /* NULL: as it is */
};

static void
on_answered(struct amazon_ask *ask)
{
	struct question *q = container_of(ask, struct question, ask);

	if (q->answered != NULL && ask->status == 200)
		q->answered(q->request, ask->reply);
	else
		admin_reply(q->request, ask->status, ask->reply);
	json_decref(ask->args);
	free(q);
}

/* Takes over args. */
static void
put_question(struct admin_request *r, const char *what, json_t *args,
    void (*answered)(struct admin_request *, json_t *))
{
	struct question *q = xcalloc(1, sizeof(*q));

	q->request = r;
	q->answered = answered;
	q->ask.what = what;
	q->ask.args = args;
	q->ask.reply_to = core_inbox(r->core);
	q->ask.done = on_answered;
	amazon_put(core_amazon(r->core), &q->ask);
}

/* -- GET /v1/ses ----------------------------------------------------------- */

/* A path may be closed by its account, and by what its server said. */
static json_t *
quota_json(struct core *core, const struct quota_row *row)
{
	const char *closed = row->closed != NULL
				 ? row->closed
				 : core_path_closed(core, row->path);
	json_t *o = json_object();

	json_object_set_new(
	    o, "rate", row->rate > 0 ? json_real(row->rate) : json_null());
	json_object_set_new(o, "quota",
	    row->quota > 0 ? json_integer((json_int_t)row->quota)
			   : json_null());
	json_object_set_new(o, "used", json_integer((json_int_t)row->used));
	json_object_set_new(o, "bulk_waits", json_boolean(row->bulk_waits));
	json_object_set_new(o, "spent", json_boolean(row->spent));
	if (closed != NULL)
		admin_put(o, "closed", closed);
	else
		json_object_set_new(o, "closed", json_null());
	return o;
}

struct beside {
	struct core *core;
	json_t *paths;
};

/* Beside what the Amazon thread says of the same path. */
static void
add_quota(void *arg, const struct quota_row *row)
{
	const struct beside *beside = arg;
	json_t *path;
	size_t i;

	json_array_foreach(beside->paths, i, path)
	{
		const char *name =
		    json_string_value(json_object_get(path, "path"));

		if (name != NULL && strcmp(name, row->path) == 0) {
			json_object_set_new(
			    path, "sending", quota_json(beside->core, row));
			return;
		}
	}
}

static void
add_quotas(struct admin_request *r, json_t *reply)
{
	struct beside beside = { r->core, json_object_get(reply, "paths") };

	quotas_each(core_quotas(r->core), clock_mono(), add_quota, &beside);
	admin_reply(r, 200, reply);
}

void
admin_ses(struct admin_request *r)
{
	put_question(r, "status", json_object(), add_quotas);
}

/* -- POST /v1/ses/... ------------------------------------------------------ */

/* What may be asked with a body of its own, by its address. */
static const struct {
	const char *rest, *what;
} questions[] = {
	{ "check", "check" },
	{ "suppression/list", "suppression list" },
	{ "suppression/show", "suppression show" },
	{ "suppression/add", "suppression add" },
	{ "suppression/remove", "suppression remove" },
	{ "suppression/sync", "suppression sync" },
	{ "suppression/prune-carriers", "suppression prune-carriers" },
};

static const char *
question_named(const char *rest)
{
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (strcmp(rest, questions[i].rest) == 0)
			return questions[i].what;
	return NULL;
}

static void
ask_in_their_name(struct admin_request *r)
{
	struct str who = STR_INIT;
	const char *what;

	admin_add_who(r, &who);
	json_object_set_new(r->body, "who", json_string(who.data));
	str_release(&who);
	what =
	    question_named(json_string_value(json_object_get(r->body, "what")));
	put_question(r, what, json_incref(r->body), NULL);
}

void
admin_ses_ask(struct admin_request *r)
{
	if (question_named(r->rest) == NULL) {
		admin_error(r, 404, "no such address");
		return;
	}
	/* The request's own strings go with its client. */
	json_object_set_new(r->body, "what", json_string(r->rest));
	admin_find_who(r, ask_in_their_name);
}

/* -- dead letters ---------------------------------------------------------- */

static void
add_letter(void *arg, const struct letter_row *row)
{
	struct admin_request *r = arg;
	json_t *o = json_object();
	struct str body = STR_INIT;

	str_add(&body, row->body, row->len);
	json_object_set_new(o, "seq", json_integer((json_int_t)row->seq));
	admin_put_time(o, "at", row->at);
	admin_put(o, "source", row->source);
	admin_put(o, "id", row->id);
	admin_put(o, "why", row->why);
	admin_put(o, "body", body.data);
	str_release(&body);
	json_array_append_new(r->rows, o);
}

static void
run_letters(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);

	store_read_letters(reader, r->after, r->limit, add_letter, r);
}

static void
read_letters(struct admin_request *r)
{
	json_t *reply = json_object();

	json_object_set(reply, "rows", r->rows);
	admin_reply(r, 200, reply);
}

/* ?after=SEQ&limit=N */
void
admin_ses_letters(struct admin_request *r)
{
	const char *after = admin_arg(r, "after");
	const char *text = admin_arg(r, "limit");
	int64_t limit = ADMIN_LIMIT_DEFAULT;

	if (text != NULL && admin_number(text, 1, ADMIN_LIMIT_MAX, &limit) != 0)
		admin_error(
		    r, 400, "limit is a number from 1 to %d", ADMIN_LIMIT_MAX);
	else if (after != NULL &&
		 admin_number(after, 0, INT64_MAX, &r->after) != 0)
		admin_error(r, 400, "after is the number of a letter");
	else {
		r->limit = (size_t)limit;
		r->rows = json_array();
		admin_query(r, run_letters, read_letters);
	}
}

struct removal {
	struct store_letters op;
	struct admin_request *request;
};

static void
on_removed(struct store_request *req)
{
	struct store_letters *op = container_of(req, struct store_letters, req);
	struct removal *rm = container_of(op, struct removal, op);
	json_t *reply;

	if (req->status != STORE_OK) {
		admin_error(rm->request, 503, "%s", req->err.text);
	} else {
		reply = json_object();
		json_object_set_new(
		    reply, "removed", json_integer((json_int_t)op->removed));
		admin_reply(rm->request, 200, reply);
	}
	free(rm);
}

/* {"seq": N}, 0: all */
void
admin_ses_letters_remove(struct admin_request *r)
{
	const json_t *seq = json_object_get(r->body, "seq");
	struct removal *rm;

	if (!json_is_integer(seq) || json_integer_value(seq) < 0) {
		admin_error(
		    r, 400, "seq is the number of a letter, or 0 for all");
		return;
	}
	rm = xcalloc(1, sizeof(*rm));
	rm->request = r;
	rm->op.seq = json_integer_value(seq);
	rm->op.req.reply_to = core_inbox(r->core);
	rm->op.req.done = on_removed;
	store_remove_letters(core_store(r->core), &rm->op);
}

/* -- POST /v1/ses/send-test ------------------------------------------------ */

static json_t *
expected_json(unsigned i)
{
	const struct ses_test_address *a = &ses_test_addresses[i];
	json_t *o = json_object(), *events = json_array();

	admin_put(o, "local", a->local);
	for (size_t k = 0; a->events[k] != NULL; k++)
		json_array_append_new(events, json_string(a->events[k]));
	json_object_set_new(o, "events", events);
	return o;
}

static void
on_test_stored(void *arg, int64_t message, const char *why)
{
	struct admin_request *r = arg;
	json_t *reply, *rows;
	char id[MESSAGE_ID_TEXT];

	if (why != NULL) {
		admin_error(r, 503, "%s", why);
		return;
	}
	reply = json_object();
	rows = json_array();
	for (unsigned i = 0; i < SES_TESTS; i++)
		json_array_append_new(rows, expected_json(i));
	admin_put(reply, "id", message_id_text(message, id));
	json_object_set_new(reply, "rows", rows);
	admin_reply(r, 200, reply);
}

/* {"from": ADDRESS} */
void
admin_ses_send_test(struct admin_request *r)
{
	const char *from = json_string_value(json_object_get(r->body, "from"));
	struct err e = ERR_INIT;

	if (from == NULL)
		admin_error(r, 400, "from is the sender of the test");
	else if (ses_send_test(r->core, from, on_test_stored, r, &e) != 0)
		admin_error(r, 400, "%s", e.text);
}
