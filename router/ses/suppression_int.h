/*
 * suppression_int.h - operations on the account's suppression list: the steps they are made of
 * (suppression_op.c, suppression_page.c), and the operations (suppression*.c).
 *
 * An operation is one ask of an operator. It takes its steps one after the other, each with a function that is
 * called when it is done, and ends with an answer, however long that takes.
 */
#ifndef ROUTER_SES_SUPPRESSION_INT_H
#define ROUTER_SES_SUPPRESSION_INT_H

#include "mta/base/str.h"
#include "router/ses/amazon_int.h"
#include "router/store/store.h"

struct suppress_op {
	LIST_ENTRY(suppress_op) link;
	struct amazon *amazon;
	struct amazon_ask *ask;
	const char *what;           /* "sync" */
	char *path;
	struct aws_site *site;
	bool alone;                 /* no other one that changes things, of the same path */
	bool dry_run;
	int64_t began;              /* wall ms */
	json_t *counts;             /* what has been done so far, for `status` and the answer */
	char trouble[256];          /* of the request that is being tried again; "" */
	void (*clear)(struct suppress_op *); /* frees what is its own; NULL: nothing */

	/* A request to SES. */
	const char *method;
	struct str url_path, url_query;
	char *body;                 /* NULL: none */
	struct event *timer;
	struct aws_call *call;
	unsigned tries;
	void (*answered)(struct suppress_op *, const struct aws_answer *);

	/* A request to the store. */
	bool in_store, ended;       /* ended: all but what the store has */
	struct store_suppress put;
	struct store_query query;
	void (*read)(struct suppress_op *, struct store_reader *);
	void (*stored)(struct suppress_op *);
};

/* NULL: it was refused. `size` is that of a structure that begins with a suppress_op. args: path, which may be
 * left out when there is only one; dry_run. */
struct suppress_op *suppress_op_new(struct amazon *, struct amazon_ask *, const char *what, size_t size,
    bool alone);
/* Each answers, and frees it. */
void suppress_op_end(struct suppress_op *, int status, json_t *reply);
void suppress_op_fail(struct suppress_op *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void suppress_op_fail_answer(struct suppress_op *, const struct aws_answer *);
void suppress_op_done(struct suppress_op *); /* 200 with its counts, and a line in the log */
void suppress_count(struct suppress_op *, const char *key, int64_t more);

/* A request below /v2/email/suppression/addresses, when it is its turn: of `address`, NULL: of the list.
 * What may pass is tried again a few times. Takes over body. */
void suppress_ask(struct suppress_op *, const char *method, const char *address, const char *query,
    json_t *body, void (*answered)(struct suppress_op *, const struct aws_answer *));
/* PutSuppressedDestination */
void suppress_ask_put(struct suppress_op *, const char *address, const char *reason,
    void (*answered)(struct suppress_op *, const struct aws_answer *));

/* Puts n entries, or removes them. They stay until `stored`, which is not called when it fails. */
void suppress_put(struct suppress_op *, const struct suppression *, size_t n, bool remove,
    void (*stored)(struct suppress_op *));
/* `read` is called in the store's reading thread. */
void suppress_read(struct suppress_op *, void (*read)(struct suppress_op *, struct store_reader *),
    void (*stored)(struct suppress_op *));

/* Entries of the list, here or there; their texts are owned. */
struct suppress_rows {
	struct suppression *list;
	size_t n, room;
};
/* The address is put in lower case. */
void suppress_rows_add(struct suppress_rows *, const struct suppression *);
void suppress_rows_clear(struct suppress_rows *);
/* In lower case, as the store has addresses. */
char *suppress_lower(const char *address);

/* One page of the list at SES. */
#define SUPPRESS_PAGE 1000
struct suppress_page {
	struct suppress_rows rows;
	char *next;                 /* NULL: it is the last one */
};
void suppress_page_clear(struct suppress_page *);
/* reason: "BOUNCE", "COMPLAINT", NULL: any. after: `next` of the page before; NULL: the first. */
void suppress_ask_page(struct suppress_op *, const char *reason, const char *after, unsigned limit,
    void (*answered)(struct suppress_op *, const struct aws_answer *));
/* -1 with *e: it is no such page, or repeats the one before. Addresses as SES spells them are in `who`. */
int suppress_read_page(const struct aws_answer *, const char *scope, const char *before,
    struct suppress_page *, struct err *e);

#endif
