/*
 * admin_events.c - /v1/events: the event log as the application is told of it,
 * and /v1/hooks, who tells it.
 *
 * A question that may wait looks at short intervals whether anything has been
 * written since, a number that the hooks count up, and only then at the log; it
 * holds no query while it waits. A request may end at any moment, so it cannot
 * be told of commits itself.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/events/event_json.h"
#include "router/events/hooks.h"
#include "router/events/told.h"
#include "router/http/admin_int.h"

#define PAGE_MAX   (2u << 20) /* bytes of events, or one more */
#define ROWS_MOST  10000      /* of the log, gone through in one request */
#define FILTERS    16	      /* rows that may go to looking past filters */
#define WAIT_MOST  25	      /* s: below TIMEOUT_S of admin.c */
#define LOOK_AGAIN 100000     /* microseconds */

struct admin_events {
	struct told_reading reading;
	char **types, **paths, **senders;
	uint64_t commits; /* there were before it looked at the log */
	bool newest;	  /* no beginning was given: the latest rows */
	int64_t until;	  /* mono ms, to wait */
	struct str rows;  /* JSON, of the last request */
	struct event *timer;
};

static void
free_list(char ***list)
{
	for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++)
		free((*list)[i]);
	free(*list);
	*list = NULL;
}

void
admin_events_free(struct admin_events **asked)
{
	struct admin_events *a = *asked;

	*asked = NULL;
	if (a == NULL)
		return;
	free_list(&a->types);
	free_list(&a->paths);
	free_list(&a->senders);
	str_release(&a->rows);
	if (a->timer != NULL)
		event_free(a->timer);
	free(a);
}

bool
admin_events_waits(const struct admin_events *a)
{
	return a != NULL && a->timer != NULL &&
	       event_pending(a->timer, EV_TIMEOUT, NULL);
}

/* -- in the store's reading thread ----------------------------------------- */

static void
add_event(
    void *arg, const struct event_row *row, enum event_type type, json_t *event)
{
	struct admin_events *a = arg;
	char *text = json_dumps(event, JSON_COMPACT);

	(void)type;
	if (text == NULL)
		abort(); /* out of memory */
	str_addf(&a->rows, "%s{\"seq\":%lld,\"event\":%s}",
	    a->rows.len > 0 ? "," : "", (long long)row->seq, text);
	free(text);
	if (a->rows.len >= PAGE_MAX)
		a->reading.room = 0;
}

struct newest {
	size_t left;
	int64_t first;
};

static bool
go_back(void *arg, const struct event_row *row)
{
	struct newest *n = arg;

	n->first = row->seq;
	return --n->left > 0;
}

/* What the newest rows come after. Their numbers may have gaps between them. */
static int64_t
before_newest(struct store_reader *reader, size_t limit)
{
	struct newest n = { .left = limit };
	struct event_search search = { .before = INT64_MAX,
		.rows = 2 * limit + FILTERS };

	store_search_events(reader, &search, go_back, &n);
	return n.first > 0 ? n.first - 1 : 0;
}

static void
run_events(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	struct admin_events *a = r->asked;
	struct str text = STR_INIT;

	if (a->newest) {
		a->reading.after = before_newest(reader, r->limit);
	} else if (r->since > 0) {
		a->reading.after = store_read_event_before(reader, r->since);
	}
	a->newest = false;
	r->since = 0;
	a->reading.rows = ROWS_MOST;
	a->reading.room = r->limit;
	str_clear(&a->rows);
	told_read(reader, &a->reading);
	str_addf(&text, "{\"rows\":[%s],\"next\":%lld,\"more\":%s}",
	    a->rows.data, (long long)a->reading.after,
	    a->reading.more ? "true" : "false");
	free(r->text);
	r->text = str_detach(&text);
}

/* -- the question ---------------------------------------------------------- */

static void on_events_read(struct admin_request *);

static uint64_t
commits(const struct admin_request *r)
{
	struct hooks *hooks = core_hooks(r->core);

	return hooks != NULL ? hooks_commits(hooks) : 0;
}

static void
look(struct admin_request *r)
{
	r->asked->commits = commits(r);
	admin_query(r, run_events, on_events_read);
}

static void
look_again_soon(struct admin_events *a)
{
	static const struct timeval soon = { .tv_usec = LOOK_AGAIN };

	event_add(a->timer, &soon);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct admin_request *r = arg;
	struct admin_events *a = r->asked;

	(void)fd;
	(void)what;
	if (r->http == NULL)
		admin_error(r, 503, "nobody waits for it any more");
	else if (a->commits != commits(r))
		look(r);
	else if (clock_mono() >= a->until)
		admin_reply_text(r, 200, r->text);
	else
		look_again_soon(a);
}

static void
on_events_read(struct admin_request *r)
{
	struct admin_events *a = r->asked;

	if (a->reading.told > 0 || a->reading.more ||
	    clock_mono() >= a->until) {
		admin_reply_text(r, 200, r->text);
		return;
	}
	if (a->timer == NULL)
		a->timer =
		    event_new(evhttp_connection_get_base(
				  evhttp_request_get_connection(r->http)),
			-1, 0, on_time, r);
	if (a->timer == NULL)
		abort(); /* out of memory */
	look_again_soon(a);
}

/* "a,b": its parts, ended by NULL. */
static char **
split(const char *text, size_t *n)
{
	char **list = xcalloc(strlen(text) + 2, sizeof(*list));

	for (size_t len; *text != '\0'; text += len + (text[len] != '\0')) {
		len = strcspn(text, ",");
		if (len > 0)
			list[(*n)++] = xstrndup(text, len);
	}
	return list;
}

static void
read_filter(struct admin_request *r, struct admin_events *a)
{
	struct told_filter *f = &a->reading.filter;
	const char *types = admin_arg(r, "type");
	const char *paths = admin_arg(r, "path");
	const char *senders = admin_arg(r, "sender");

	a->types = split(types != NULL ? types : "", &f->nevents);
	a->paths = split(paths != NULL ? paths : "", &f->npaths);
	a->senders = split(senders != NULL ? senders : "", &f->nsenders);
	f->events = a->types;
	f->paths = a->paths;
	f->senders = a->senders;
	f->guard = true;
}

static const char *
unknown_type(const struct admin_events *a)
{
	for (size_t i = 0; a->types[i] != NULL; i++)
		if (!event_json_is_name(a->types[i]))
			return a->types[i];
	return NULL;
}

static bool
read_number(struct admin_request *r, const char *name, int64_t least,
    int64_t most, int64_t *n)
{
	const char *text = admin_arg(r, name);

	if (text == NULL || admin_number(text, least, most, n) == 0)
		return true;
	admin_error(r, 400, "%s is a number from %lld to %lld", name,
	    (long long)least, (long long)most);
	return false;
}

/* ?after=SEQ | since=TIME, limit=N, type=, path=, sender=, wait=SECONDS */
void
admin_events(struct admin_request *r)
{
	struct admin_events *a = r->asked = xcalloc(1, sizeof(*a));
	const char *since = admin_arg(r, "since");
	int64_t limit = ADMIN_LIMIT_DEFAULT, wait = 0;

	str_init(&a->rows);
	read_filter(r, a);
	if (unknown_type(a) != NULL) {
		admin_error(r, 400, "no event of SES's: '%s'", unknown_type(a));
		return;
	}
	if (since != NULL && clock_iso_read(since, &r->since) != 0) {
		admin_error(r, 400, "since is a time as 2026-11-22T10:35:07Z");
		return;
	}
	if (!read_number(r, "after", 0, INT64_MAX, &a->reading.after) ||
	    !read_number(r, "limit", 1, ADMIN_LIMIT_MAX, &limit) ||
	    !read_number(r, "wait", 0, WAIT_MOST, &wait))
		return;
	r->limit = (size_t)limit;
	r->config = core_config(r->core);
	a->newest = since == NULL && admin_arg(r, "after") == NULL;
	a->until = clock_mono() + wait * 1000;
	a->reading.config = r->config;
	a->reading.each = add_event;
	a->reading.arg = a;
	look(r);
}

/* -- hooks ----------------------------------------------------------------- */

static void
add_hook(void *arg, const struct hook_row *row)
{
	json_t *o = json_object();

	admin_put(o, "name", row->name);
	admin_put(o, "type", row->kind);
	admin_put(o, "where", row->where);
	json_object_set_new(o, "cursor", json_integer(row->cursor));
	json_object_set_new(o, "behind", json_integer(row->behind));
	json_object_set_new(o, "told", json_integer((json_int_t)row->told));
	json_object_set_new(o, "failed", json_integer((json_int_t)row->failed));
	admin_put_time(o, "failing_since", row->failing_since);
	admin_put(o, "why", row->why);
	json_array_append_new(arg, o);
}

void
admin_hooks(struct admin_request *r)
{
	json_t *reply = json_object(), *rows = json_array();

	if (core_hooks(r->core) != NULL)
		hooks_each(core_hooks(r->core), add_hook, rows);
	json_object_set_new(reply, "rows", rows);
	admin_reply(r, 200, reply);
}

static void
log_replay(const struct admin_request *r, const char *name, const char *since)
{
	struct str who = STR_INIT;
	struct logline l;

	admin_add_who(r, &who);
	if (log_start(&l, LOG_INFO, "hook")) {
		log_str(&l, "name", name);
		log_str(&l, "result", "replay");
		log_str(&l, "since", since);
		log_str(&l, "who", who.data);
		log_end(&l);
	}
	str_release(&who);
}

static void
replay(struct admin_request *r)
{
	const char *name = json_string_value(json_object_get(r->body, "hook"));
	const char *since =
	    json_string_value(json_object_get(r->body, "since"));
	struct err e = ERR_INIT;
	int64_t at;

	if (name == NULL || since == NULL || clock_iso_read(since, &at) != 0)
		admin_error(r, 400,
		    "hook is its name, since a time as 2026-11-22T10:35:07Z");
	else if (core_hooks(r->core) == NULL)
		admin_error(r, 503, "there are no hooks");
	else if (hooks_replay(core_hooks(r->core), name, at, &e) != 0)
		admin_error(r, 404, "%s", e.text);
	else {
		log_replay(r, name, since);
		admin_reply(r, 200, json_object());
	}
}

/* {"hook": NAME, "since": TIME} */
void
admin_hooks_replay(struct admin_request *r)
{
	admin_find_who(r, replay);
}
