/*
 * admin_int.h - one request to the admin API, from its arrival to its answer.
 *
 * A request is owned by nobody but itself: it lives until admin_reply, which may come long after
 * its client has gone (`http` is NULL then) or the server has been freed (`admin` is NULL then).
 */
#ifndef ROUTER_HTTP_ADMIN_INT_H
#define ROUTER_HTTP_ADMIN_INT_H

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <stdarg.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "router/core.h"
#include "router/http/admin.h"
#include "router/users.h"
#include "router/store/store.h"

#define ADMIN_LIMIT_DEFAULT 100
#define ADMIN_LIMIT_MAX     10000

/* Bytes of a body where a route says that it may be large: a set of rules that is edited. */
#define ADMIN_BODY_LARGE (4u << 20)

/* Answers of whole rule sets, of up to 64 MB, made or not yet read by their clients at once. */
#define ADMIN_LARGE_MAX 2

struct config;
struct guard_row;
struct admin_counts;
struct admin_apply;
struct admin_events;
struct admin_large;

struct admin_request {
	LIST_ENTRY(admin_request) link; /* in admin->requests */
	struct admin *admin;
	struct core *core;
	struct evhttp_request *http;
	struct evkeyvalq args; /* of the query string, decoded */
	json_t *body;          /* of a POST: an object */
	enum user_role role;   /* of who asks */
	char *user;            /* who has signed in; NULL: it comes through the Unix socket */
	const char *rest;      /* of the path, behind the route's prefix; inside `http` */

	/* What a handler keeps between its steps. Strings of the filter are in args or body. */
	struct store_query query;
	void (*read)(struct admin_request *);
	bool partial;          /* it is called as well when not all could be read */
	struct queue_filter filter;
	struct config *config;
	struct admin_counts *counts; /* admin_counts.c */
	json_t *rows, *events;
	char *text; /* an answer made in the store's reading thread */
	uint64_t count;
	struct evbuffer *out; /* the same for a large one, which is not copied again */
	struct admin_large *large; /* NULL: not counted among those */
	struct admin_events *asked; /* admin_events.c */
	struct admin_apply *apply;  /* admin_rules_apply.c */
	int64_t number, since, after;
	size_t limit;
	uid_t uid;
};

enum { ROUTE_PREFIX = 1 << 0, ROUTE_LARGE = 1 << 1 };

struct admin_route {
	const char *path;
	unsigned flags; /* PREFIX: path is only the beginning; LARGE: the body may be */
	enum evhttp_cmd_type method;
	enum user_role role; /* that it takes */
	void (*handle)(struct admin_request *);
};

/* admin_routes.c. NULL: none; *exists: there is one for another method. */
const struct admin_route *admin_find_route(const char *path, enum evhttp_cmd_type, bool *exists);
const struct admin_route *admin_nth_route(size_t n); /* NULL: no more */

/* admin_events.c. Whether the request only waits, and nobody else will end it. */
bool admin_events_waits(const struct admin_events *);
void admin_events_free(struct admin_events **);
/* admin_rules_apply.c */
void admin_apply_free(struct admin_apply **);
/* admin_counts.c */
void admin_counts_free(struct admin_counts **);

void admin_status(struct admin_request *);
void admin_stats(struct admin_request *);
void admin_series(struct admin_request *);
void admin_reasons(struct admin_request *);
void admin_compare(struct admin_request *);
void admin_tls(struct admin_request *);
void admin_queue_list(struct admin_request *);
void admin_queue_show(struct admin_request *);
void admin_queue_retry(struct admin_request *);
void admin_queue_delete(struct admin_request *);
void admin_queue_hold(struct admin_request *);
void admin_messages(struct admin_request *);
void admin_reload(struct admin_request *);
void admin_rules_history(struct admin_request *);
void admin_rules_show(struct admin_request *);
void admin_rules_check(struct admin_request *);
void admin_rules_diff(struct admin_request *);
void admin_rules_apply(struct admin_request *);
void admin_rules_rollback(struct admin_request *);
void admin_traffic(struct admin_request *);
void admin_doctor(struct admin_request *);
void admin_doctor_check(struct admin_request *);
void admin_pause(struct admin_request *);
void admin_resume(struct admin_request *);
void admin_drain(struct admin_request *);
void admin_pauses(struct admin_request *);
void admin_nodes(struct admin_request *);
void admin_nodes_drain(struct admin_request *);
void admin_guard(struct admin_request *);
/* Of guard_each. */
json_t *admin_guard_row(const struct guard_row *);
void admin_sources(struct admin_request *);
void admin_warm_up(struct admin_request *);
void admin_suppression_list(struct admin_request *);
void admin_suppression_show(struct admin_request *);
void admin_suppression_add(struct admin_request *);
void admin_suppression_import(struct admin_request *);
void admin_suppression_remove(struct admin_request *);
void admin_events(struct admin_request *);
void admin_hooks(struct admin_request *);
void admin_hooks_replay(struct admin_request *);
void admin_ses(struct admin_request *);
void admin_ses_send_test(struct admin_request *);
void admin_ses_ask(struct admin_request *);
void admin_ses_letters(struct admin_request *);
void admin_ses_letters_remove(struct admin_request *);

/* Each answers and ends the request. `reply` is taken over. */
void admin_reply(struct admin_request *, int status, json_t *reply);
void admin_reply_text(struct admin_request *, int status, const char *text);
/* Answers 200 with what is in `out`. */
void admin_reply_out(struct admin_request *);
json_t *admin_error_object(const char *fmt, va_list) __attribute__((format(printf, 1, 0)));
void admin_error(struct admin_request *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends it without an answer, or after one. */
void admin_request_free(struct admin_request *);
void admin_large_unref(struct admin_large *);

/* Hands the request to the store's reading thread; refused with 503 when too many are there. `run`
 * touches only the request's own members; `read` follows in the core thread and answers. It is not
 * called when nobody waits any more. */
void admin_query(struct admin_request *, void (*run)(struct store_query *, struct store_reader *),
    void (*read)(struct admin_request *));
struct admin_request *admin_of_query(struct store_query *);

const char *admin_arg(struct admin_request *, const char *name); /* NULL: not given */

/* As admin_query for an answer that may be large; refused with 503 while others are on their way. */
void admin_query_large(struct admin_request *,
    void (*run)(struct store_query *, struct store_reader *),
    void (*read)(struct admin_request *));

/* A whole number from `least` to `most`, in digits alone. */
int admin_number(const char *text, int64_t least, int64_t most, int64_t *);

/* Adds the object to the answer in `out`, after `before`; taken over. */
void admin_out_json(struct admin_request *, const char *before, json_t *);

/* Finds out who asks, by the kernel's word or by who has signed in, and goes on with `then`. */
void admin_find_who(struct admin_request *, void (*then)(struct admin_request *));
/* After that: the name of the user, else "uid 5"; "taro by console". */
void admin_add_who(const struct admin_request *, struct str *);
/* Answers a request that has changed something, `arg`: well, or with the reason why it will not
 * outlive a restart. */
void admin_on_kept(void *arg, const char *why);
/* What a log line and a table may hold of a client's words, cut at 200 bytes. */
void admin_add_clean(struct str *, const char *text);

/* Sets text that need not be UTF-8: what is not becomes '?'. NULL is "". */
void admin_put(json_t *object, const char *key, const char *text);
void admin_put_time(json_t *object, const char *key, int64_t wall); /* 0: null */
json_t *admin_lane(const struct lane_row *);
json_t *admin_lanes(struct core *);
void admin_put_totals(json_t *object, struct core *);

#endif
