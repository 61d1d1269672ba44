/*
 * pg_node.h - this process as a node among others; what pg_node.c, pg_join.c and pg_listen.c share.
 *
 * pg_join.c joins and leaves, pg_node.c beats and buries, and pg_listen.c is the thread that does so at its time, and
 * listens meanwhile.
 * They have a connection of their own, so that no transaction, however long, delays a sign of life.
 */
#ifndef ROUTER_STORE_PG_NODE_H
#define ROUTER_STORE_PG_NODE_H

#include "router/store/pg.h"

#define NODE_MARGIN_PART 10 /* of a lease: what clocks may differ by in it */
#define NODE_BEAT_PART   5

/* ms of the database's clock */
#define NODE_NOW "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

struct node {
	struct store *store;
	struct store_config *config; /* a copy */
	char *name;
	int64_t epoch, lease;
	unsigned slot;
	pthread_t thread;
	bool started;
	int wake;                    /* eventfd */
	_Atomic(int64_t) held_until; /* ms of node_clock */
	_Atomic(unsigned) term;      /* of those without a gap */
	_Atomic(bool) draining, fenced, stopping, leads;
	_Atomic(unsigned) changes;   /* others are to be told of them */

	pthread_mutex_t lock;
	struct str ruleset, sources, trouble; /* guarded by it, as the next ones */
	uint64_t leases;
	bool leaving;

	/* The opener's, then the thread's own. */
	PGconn *conn;                /* NULL: there is none */
	unsigned failures;           /* to connect, one after another */
	int64_t connect_at;          /* ms of node_clock, as all that follow */
	int64_t beat_at, look_at, tell_at;
	int64_t beaten;              /* when the last beat was sent that was heard */
	int64_t fine_since;          /* the first of a row of beats, none of which failed; INT64_MAX: the last did */
	struct str marks;            /* of what others have changed, as last seen */
	struct store_bury bury;
	_Atomic(bool) burying;       /* the committer has it */
};

/* Goes on while the machine sleeps or the process is stopped. */
int64_t node_clock(void);

/*
 * Asks, and waits for the answer, for a fifth of a lease at most. NULL with *e: then there is no connection any more,
 * unless the server has refused just that. PQclear by the caller. Parameters are texts.
 */
PGresult *node_ask(struct node *, const char *sql, int nparameters, const char *const *parameter, struct err *e);
/* The same, of what has no answer. */
int node_tell(struct node *, const char *sql, int nparameters, const char *const *parameter, struct err *e);
int64_t node_int_at(const PGresult *, int row, int column);
#define NODE_INT_TEXT 24
/* As a parameter: it is in `buf`. */
const char *node_int_text(int64_t value, char buf[static NODE_INT_TEXT]);
bool node_connect(struct node *, struct err *e);
void node_disconnect(struct node *);

/* Until a lease from then, less a margin, it holds what is its own; `sent`: before that was heard. */
void node_hold_from(struct node *, int64_t sent);
/* A sign of life. False: it was not heard, or this node is fenced. */
bool node_beat(struct node *);
/* Whoever has not been heard of is given up; what such nodes held goes back, one after the other. */
void node_look_for_dead(struct node *);
/* It has been given up by the others. */
void node_fence(struct node *, const char *why);

void *node_main(void *node);
/* There is something to do for that thread. */
void node_wake(struct node *);

#endif
