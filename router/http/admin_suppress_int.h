/*
 * admin_suppress_int.h - /v1/suppression: what its looking and its changing share.
 *
 *	admin_suppress.c         what is on the list
 *	admin_suppress_put.c     add and import
 *	admin_suppress_remove.c  remove
 *	admin_suppress_change.c  what the last two share
 */
#ifndef ROUTER_HTTP_ADMIN_SUPPRESS_INT_H
#define ROUTER_HTTP_ADMIN_SUPPRESS_INT_H

#include "mta/base/str.h"
#include "router/http/admin_int.h"

#define SUPPRESS_ALL "all" /* how a scope of all paths is written */

/* "" for all paths, else as it is; NULL stays NULL. */
const char *suppress_scope_read(const char *text);

/*
 * The filter that is asked for: in the query string of a GET, in "filter" of a POST's body. suppress_filter_check
 * answers the request and returns false when it cannot be understood; *n is how many members it has. After that
 * suppress_filter makes it, from any thread; *key is to be freed when it is of no more use.
 */
bool suppress_filter_check(struct admin_request *, size_t *n);
void suppress_filter(struct admin_request *, struct suppression_filter *, char **key);

/* An entry as answers show it: a new object. Any thread. */
json_t *suppress_row(const struct suppression *);

/* -- changes ---------------------------------------------------------------------------------------- */

/* The request that changes something, until the store has answered. */
struct suppress_change {
	struct admin_request *request;
	const char *what; /* "added" */
	struct str who;
	struct store_suppress put;
	struct suppression *list;
	size_t n, room;
	json_t *bad; /* import: rows that are */
	struct store_unsuppress take;
	size_t at;	/* of the addresses to be removed */
	uint64_t total; /* changed by earlier ones */
	char *key;	/* of `take` */
};

/* After admin_find_who; `what` is what has been done in the end: "added". */
struct suppress_change *suppress_change_new(struct admin_request *, const char *what);
void suppress_change_free(struct suppress_change *);
/* Each ends the change and its request. */
void suppress_told(struct suppress_change *); /* nothing was to be changed */
void suppress_answer(struct suppress_change *, uint64_t changed);
void suppress_failed(struct suppress_change *, const struct store_request *);

/* A text of the object; "" when there is none. */
const char *suppress_member(const json_t *, const char *name);
/* The key of an address as people write it; NULL with *e set. The caller frees. */
char *suppress_address(const char *, struct err *);
bool suppress_has_addresses(const struct admin_request *);
/* "why" may be missing; else the request has been answered. */
bool suppress_check_why(struct admin_request *);

#endif
