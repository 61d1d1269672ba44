/*
 * live.c - streams of events, and what they tell.
 *
 * The size of the queue is the store's to say, so that an event begins with a
 * query in its reading thread and is sent when the answer comes back.
 */
#include "router/http/live.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"
#include "router/core.h"
#include "router/guard.h"
#include "router/http/admin_int.h"
#include "router/pause.h"
#include "rules/rules.h"

#define EVERY_S	     2
#define LANES_MOST   200
#define GUARDED_MOST 50
#define UNREAD_MOST  (512u << 10) /* bytes, of a client that does not read */

struct stream {
	LIST_ENTRY(stream) link;
	struct live *live;
	struct evhttp_request *http;
	char *key;
};

struct live {
	struct core *core;
	bool (*may)(void *arg, const char *key);
	void *arg;
	struct event *tick;
	LIST_HEAD(, stream) streams;
	unsigned nstreams;
	struct look *look; /* in the store's reading thread */
};

/* Outlives us when we end while it is there. */
struct look {
	struct store_query query;
	struct live *live; /* NULL: it has ended */
	uint64_t queued;
	int64_t last_event;
};

/* -- streams --------------------------------------------------------------- */

static void
stream_free(struct stream *s)
{
	LIST_REMOVE(s, link);
	s->live->nstreams--;
	free(s->key);
	free(s);
}

/* Where writing failed, evhttp leaves an answer that has begun to who gives it;
 * else it frees it with its connection. */
static void
on_client_gone(struct evhttp_connection *connection, void *arg)
{
	struct stream *s = arg;
	struct evhttp_request *http = s->http;

	(void)connection;
	stream_free(s);
	if (evhttp_request_get_connection(http) == NULL)
		evhttp_request_free(http);
}

static struct evhttp_connection *
leave(struct stream *s)
{
	struct evhttp_connection *c = evhttp_request_get_connection(s->http);

	evhttp_connection_set_closecb(c, NULL, NULL);
	stream_free(s);
	return c;
}

static void
finish(struct stream *s)
{
	struct evhttp_request *http = s->http;

	leave(s);
	evhttp_send_reply_end(http);
}

static bool
reads(const struct stream *s)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(
	    evhttp_request_get_connection(s->http));

	return evbuffer_get_length(bufferevent_get_output(bev)) <= UNREAD_MOST;
}

static void
tell(struct stream *s, const char *text, size_t len)
{
	struct evbuffer *out = evbuffer_new();

	if (out == NULL || evbuffer_add(out, text, len) != 0)
		abort(); /* out of memory */
	evhttp_send_reply_chunk(s->http, out);
	evbuffer_free(out);
}

static void
tell_all(struct live *live, const char *text, size_t len)
{
	struct stream *s, *next;

	for (s = LIST_FIRST(&live->streams); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		if (!live->may(live->arg, s->key))
			finish(s);
		else if (!reads(s))
			evhttp_connection_free(leave(s));
		else
			tell(s, text, len);
	}
}

/* -- what they are told ---------------------------------------------------- */

struct lanes {
	json_t *rows;
	size_t room;
	bool busy; /* those with mail, or those without */
};

static void
add_lane(void *arg, const struct lane_row *lane)
{
	struct lanes *l = arg;

	if (l->room == 0 ||
	    (lane->waiting + lane->sending + lane->connections > 0) != l->busy)
		return;
	l->room--;
	json_array_append_new(l->rows, admin_lane(lane));
}

/* Those with mail first, when there are more than can be told. */
static json_t *
lanes(struct core *core)
{
	struct lanes l = { json_array(), LANES_MOST, true };

	core_each_lane(core, add_lane, &l);
	l.busy = false;
	core_each_lane(core, add_lane, &l);
	return l.rows;
}

static void
count_pause(void *arg, const struct pause *pause)
{
	json_int_t *n = arg;

	(void)pause;
	++*n;
}

static void
add_guarded(void *arg, const struct guard_row *row)
{
	json_t *rows = arg;

	if (json_array_size(rows) < GUARDED_MOST)
		json_array_append_new(rows, admin_guard_row(row));
}

/* The worst first. */
static json_t *
guarded(struct core *core)
{
	json_t *rows = json_array();

	guard_each(core_guard(core), false, add_guarded, rows);
	return rows;
}

static json_t *
make_event(const struct look *look, struct core *core)
{
	struct config *config = core_config(core);
	json_t *o = json_object();
	json_int_t pauses = 0;

	pauses_each(core_pauses(core), count_pause, &pauses);
	admin_put_time(o, "at", clock_wall());
	json_object_set_new(
	    o, "queued", json_integer((json_int_t)look->queued));
	admin_put_totals(o, core);
	json_object_set_new(o, "lanes", lanes(core));
	json_object_set_new(o, "pauses", json_integer(pauses));
	json_object_set_new(o, "guard", guarded(core));
	admin_put(o, "rules", ruleset_version(config->rules));
	json_object_set_new(o, "last_event", json_integer(look->last_event));
	config_unref(&config);
	return o;
}

static void
send_event(struct live *live, const struct look *look)
{
	json_t *event = make_event(look, live->core);
	char *json = json_dumps(event, JSON_COMPACT);
	struct str text = STR_INIT;

	if (json == NULL)
		abort(); /* out of memory */
	str_addf(&text, "event: live\ndata: %s\n\n", json);
	tell_all(live, text.data, text.len);
	str_release(&text);
	free(json);
	json_decref(event);
}

static void
run_look(struct store_query *query, struct store_reader *reader)
{
	struct look *look = container_of(query, struct look, query);

	look->queued = store_read_queue_size(reader);
	look->last_event = store_read_last_event(reader);
}

static void
on_looked(struct store_query *query)
{
	struct look *look = container_of(query, struct look, query);

	if (look->live != NULL) {
		look->live->look = NULL;
		send_event(look->live, look);
	}
	free(look);
}

/* One that takes longer than two seconds is not overtaken. */
static void
begin_event(struct live *live)
{
	struct look *look;

	if (live->look != NULL)
		return;
	look = live->look = xcalloc(1, sizeof(*look));
	look->live = live;
	look->query.reply_to = core_inbox(live->core);
	look->query.run = run_look;
	look->query.done = on_looked;
	store_query(core_store(live->core), &look->query);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct live *live = arg;

	(void)fd;
	(void)what;
	if (live->nstreams == 0)
		event_del(live->tick);
	else
		begin_event(live);
}

/* -- the beginning and the end --------------------------------------------- */

struct live *
live_new(struct core *core, bool (*may)(void *arg, const char *key), void *arg)
{
	struct live *live = xcalloc(1, sizeof(*live));

	live->core = core;
	live->may = may;
	live->arg = arg;
	LIST_INIT(&live->streams);
	return live;
}

void
live_free(struct live **p)
{
	struct live *live = *p;
	struct stream *s, *next;

	*p = NULL;
	if (live == NULL)
		return;
	if (live->look != NULL)
		live->look->live = NULL;
	if (live->tick != NULL)
		event_free(live->tick);
	for (s = LIST_FIRST(&live->streams); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		leave(s);
	}
	free(live);
}

static void
start_ticking(struct live *live, struct event_base *base)
{
	static const struct timeval every = { .tv_sec = EVERY_S };

	if (live->tick == NULL)
		live->tick = event_new(base, -1, EV_PERSIST, on_tick, live);
	if (live->tick == NULL)
		abort(); /* out of memory */
	if (!event_pending(live->tick, EV_TIMEOUT, NULL))
		event_add(live->tick, &every);
	begin_event(live); /* the new one's first */
}

bool
live_listen(struct live *live, struct evhttp_request *http, const char *key)
{
	static const char hello[] = "retry: 3000\n\n"; /* ms */
	struct evhttp_connection *c = evhttp_request_get_connection(http);
	struct stream *s;

	if (live->nstreams >= LIVE_STREAMS_MOST)
		return false;
	s = xcalloc(1, sizeof(*s));
	s->live = live;
	s->http = http;
	s->key = xstrdup(key);
	LIST_INSERT_HEAD(&live->streams, s, link);
	live->nstreams++;
	evhttp_add_header(evhttp_request_get_output_headers(http),
	    "Content-Type", "text/event-stream");
	evhttp_connection_set_closecb(c, on_client_gone, s);
	evhttp_send_reply_start(http, 200, "OK");
	tell(s, hello, sizeof(hello) - 1);
	start_ticking(live, evhttp_connection_get_base(c));
	return true;
}
