/*
 * suppression_op.c - the steps of an operation on a suppression list: a request
 * to SES in its turn, a request to the store, its end.
 */
#include "router/ses/suppression_int.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"

#define LIST_PATH "/v2/email/suppression/addresses"
#define TRIES	  6 /* of a request, waiting 1, 2, 4, 8, 16 seconds */
#define PAGE_MAX  ((size_t)4 << 20) /* bytes of an answer: 1,000 addresses */

static void on_timer(evutil_socket_t, short, void *);

/* ------ its beginning */

/* The only path whose account is known. NULL: there is none, or several. */
static const char *
only_path(const struct amazon *a)
{
	const char *only = NULL;

	for (size_t i = 0; i < a->config->npaths; i++) {
		const struct config_path *p = &a->config->paths[i];

		if (p->kind != PATH_SES || p->region == NULL ||
		    p->credentials.kind == CREDENTIALS_NONE)
			continue;
		if (only != NULL)
			return NULL;
		only = p->name;
	}
	return only;
}

/* NULL: refused. */
static const char *
find_path(struct amazon *a, struct amazon_ask *ask)
{
	const json_t *arg = json_object_get(ask->args, "path");
	const char *name = json_string_value(arg);
	const struct config_path *p;

	if (name == NULL)
		name = only_path(a);
	if (name == NULL) {
		amazon_refuse(ask, 400,
		    "say which path: the settings have not just one whose SES "
		    "account is known");
		return NULL;
	}
	p = config_path_find(a->config, name);
	if (p != NULL && p->kind == PATH_SES && p->region != NULL &&
	    p->credentials.kind != CREDENTIALS_NONE)
		return name;
	amazon_refuse(ask, 404, "'%s' is no path with an SES account", name);
	return NULL;
}

/* Two that change the same list would undo each other's work. */
static bool
is_alone(const struct amazon *a, struct amazon_ask *ask, const char *path)
{
	const struct suppress_op *op;

	LIST_FOREACH(op, &a->operations, link)
	if (op->alone && strcmp(op->path, path) == 0) {
		amazon_refuse(ask, 409,
		    "'%s' of the list of path '%s' is under way", op->what,
		    path);
		return false;
	}
	return true;
}

struct suppress_op *
suppress_op_new(struct amazon *a, struct amazon_ask *ask, const char *what,
    size_t size, bool alone)
{
	const char *path = find_path(a, ask);
	struct suppress_op *op;

	if (path == NULL || (alone && !is_alone(a, ask, path)))
		return NULL;
	op = xcalloc(1, size);
	op->amazon = a;
	op->ask = ask;
	op->what = what;
	op->path = xstrdup(path);
	op->site = amazon_site(a, path);
	op->alone = alone;
	op->dry_run = json_is_true(json_object_get(ask->args, "dry_run"));
	op->began = clock_wall();
	op->counts = json_object();
	str_init(&op->url_path);
	str_init(&op->url_query);
	op->timer = evtimer_new(a->base, on_timer, op);
	if (op->timer == NULL)
		abort(); /* out of memory */
	LIST_INSERT_HEAD(&a->operations, op, link);
	return op;
}

/* ------ its end */

static void
free_op(struct suppress_op *op)
{
	LIST_REMOVE(op, link);
	if (op->clear != NULL)
		op->clear(op);
	json_decref(op->counts);
	str_release(&op->url_path);
	str_release(&op->url_query);
	free(op->body);
	free(op->path);
	free(op);
}

void
suppress_op_end(struct suppress_op *op, int status, json_t *reply)
{
	amazon_answer(op->ask, status, reply);
	aws_call_free(&op->call);
	event_free(op->timer);
	op->ended = true;
	if (!op->in_store)
		free_op(op);
}

void
suppress_op_fail(struct suppress_op *op, int status, const char *fmt, ...)
{
	struct str s = STR_INIT;
	json_t *reply = json_object(), *text;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	log_text(LOG_WARN, "suppression", "%s of path '%s': %s", op->what,
	    op->path, s.data);
	text = json_string(s.data);
	json_object_set_new(reply, "error",
	    text != NULL ? text : json_string("what SES says is no UTF-8"));
	json_object_set(reply, "done", op->counts);
	str_release(&s);
	suppress_op_end(op, status, reply);
}

void
suppress_op_fail_answer(struct suppress_op *op, const struct aws_answer *a)
{
	struct err why = ERR_INIT;
	int status = a->status == 404 || a->status == 400 ? a->status : 502;

	aws_answer_say(a, &why);
	suppress_op_fail(op, status, "%s", why.text);
}

/* Who asked may have gone long ago: the log has it as well. */
void
suppress_op_done(struct suppress_op *op)
{
	const char *key;
	json_t *value;
	struct logline l;

	json_object_set_new(op->counts, "path", json_string(op->path));
	json_object_set_new(op->counts, "dry_run", json_boolean(op->dry_run));
	if (log_start(&l, LOG_INFO, "suppression")) {
		log_str(&l, "path", op->path);
		log_str(&l, "done", op->what);
		log_str(&l, "by",
		    json_string_value(json_object_get(op->ask->args, "who")));
		json_object_foreach(op->counts, key, value)
		{
			if (json_is_integer(value))
				log_int(&l, key, json_integer_value(value));
		}
		log_str(&l, "dry_run", op->dry_run ? "yes" : NULL);
		log_end(&l);
	}
	suppress_op_end(op, 200, json_incref(op->counts));
}

void
suppress_count(struct suppress_op *op, const char *key, int64_t more)
{
	const json_t *old = json_object_get(op->counts, key);

	json_object_set_new(
	    op->counts, key, json_integer(json_integer_value(old) + more));
}

json_t *
ses_suppression_state(const struct amazon *a)
{
	json_t *rows = json_array(), *o;
	const struct suppress_op *op;
	char buf[25];

	LIST_FOREACH(op, &a->operations, link)
	{
		o = json_object();
		json_object_set_new(o, "path", json_string(op->path));
		json_object_set_new(o, "what", json_string(op->what));
		json_object_set_new(
		    o, "since", json_string(clock_iso(op->began, buf)));
		json_object_set_new(o, "done", json_copy(op->counts));
		json_object_set_new(o, "trouble",
		    op->trouble[0] != '\0' ? json_string(op->trouble)
					   : json_null());
		json_array_append_new(rows, o);
	}
	return rows;
}

void
ses_suppression_stop(struct amazon *a)
{
	struct suppress_op *op, *next;

	for (op = LIST_FIRST(&a->operations); op != NULL; op = next) {
		next = LIST_NEXT(op, link);
		if (!op->ended)
			suppress_op_fail(op, 503, "stopping");
	}
}

/* ------ a request to SES */

static void
after(struct suppress_op *op, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	event_add(op->timer, &tv);
}

static void
on_answer(void *arg, const struct aws_answer *a)
{
	struct suppress_op *op = arg;
	struct err why = ERR_INIT;

	op->call = NULL;
	op->trouble[0] = '\0';
	if (aws_answer_is_passing(a) && op->tries < TRIES) {
		aws_answer_say(a, &why);
		snprintf(op->trouble, sizeof(op->trouble), "%.255s", why.text);
		after(op, ((int64_t)1000 << (op->tries - 1)) +
			      amazon_turn(op->amazon, op->site));
		return;
	}
	op->answered(op, a);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct suppress_op *op = arg;
	struct aws_request r = { .method = op->method,
		.path = op->url_path.data,
		.query = op->url_query.len > 0 ? op->url_query.data : NULL,
		.content_type = op->body != NULL ? "application/json" : NULL,
		.body = op->body,
		.body_len = op->body != NULL ? strlen(op->body) : 0,
		.max_answer = PAGE_MAX };

	(void)fd;
	(void)what;
	op->tries++;
	op->call = aws_call_new(op->amazon->https, op->site, &r, on_answer, op);
}

void
suppress_ask(struct suppress_op *op, const char *method, const char *address,
    const char *query, json_t *body,
    void (*answered)(struct suppress_op *, const struct aws_answer *))
{
	str_clear(&op->url_path);
	str_clear(&op->url_query);
	str_adds(&op->url_path, LIST_PATH);
	if (address != NULL) {
		str_addc(&op->url_path, '/');
		aws_encode(&op->url_path, address);
	}
	if (query != NULL)
		str_adds(&op->url_query, query);
	free(op->body);
	op->body = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	op->method = method;
	op->answered = answered;
	op->tries = 0;
	after(op, amazon_turn(op->amazon, op->site));
}

void
suppress_ask_put(struct suppress_op *op, const char *address,
    const char *reason,
    void (*answered)(struct suppress_op *, const struct aws_answer *))
{
	json_t *body = json_object();

	json_object_set_new(body, "EmailAddress", json_string(address));
	json_object_set_new(body, "Reason", json_string(reason));
	suppress_ask(op, "PUT", NULL, NULL, body, answered);
}

/* ------ a request to the store */

/* False: it has ended meanwhile, and is gone now. */
static bool
back_from_store(struct suppress_op *op)
{
	op->in_store = false;
	if (op->ended)
		free_op(op);
	else
		return true;
	return false;
}

static void
on_put(struct store_request *req)
{
	struct store_suppress *put =
	    container_of(req, struct store_suppress, req);
	struct suppress_op *op = container_of(put, struct suppress_op, put);

	if (!back_from_store(op))
		return;
	if (req->status != STORE_OK)
		suppress_op_fail(
		    op, 503, "the store takes it not: %s", req->err.text);
	else
		op->stored(op);
}

void
suppress_put(struct suppress_op *op, const struct suppression *list, size_t n,
    bool remove, void (*stored)(struct suppress_op *))
{
	op->put =
	    (struct store_suppress){ .n = n, .list = list, .remove = remove };
	op->put.req.reply_to = op->amazon->inbox;
	op->put.req.done = on_put;
	op->stored = stored;
	op->in_store = true;
	store_suppress(op->amazon->store, &op->put);
}

static void
run_query(struct store_query *query, struct store_reader *reader)
{
	struct suppress_op *op = container_of(query, struct suppress_op, query);

	op->read(op, reader);
}

static void
on_read(struct store_query *query)
{
	struct suppress_op *op = container_of(query, struct suppress_op, query);

	if (back_from_store(op))
		op->stored(op);
}

void
suppress_read(struct suppress_op *op,
    void (*read)(struct suppress_op *, struct store_reader *),
    void (*stored)(struct suppress_op *))
{
	op->query = (struct store_query){
		.reply_to = op->amazon->inbox, .run = run_query, .done = on_read
	};
	op->read = read;
	op->stored = stored;
	op->in_store = true;
	store_query(op->amazon->store, &op->query);
}
