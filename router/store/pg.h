/*
 * pg.h - a connection to PostgreSQL that carries the engine's statements; what pg*.c share.
 *
 * One connection, one thread. Statements are prepared on it when they are first used, and run in libpq's pipeline mode:
 * what need not be waited for is sent and forgotten until somebody waits, see sql.h.
 */
#ifndef ROUTER_STORE_PG_H
#define ROUTER_STORE_PG_H

#include <libpq-fe.h>

#include "router/store/sql_int.h"

extern const char *const pg_sql[SQL_MAX]; /* $1 style; NULL: there is no need of it here */

struct pg;

/* -- pg_connect.c ------------------------------------------------------------------------------------- */

/* What a connection is for. The writer's transactions have time limits, and it is only content with a server that
 * writes, unless the URL has a target_session_attrs of its own. */
enum pg_use { PG_WRITE, PG_READ, PG_LISTEN };

/* Connects (blocking, for at most a few seconds) as configured. NULL with *e, which never shows a password. The server's
 * list of connections says "oiwake NODE store", "... reader", "... listener". Any thread. */
PGconn *pg_connect(const struct store_config *, enum pg_use, struct err *e);

/* ms to wait before the nth attempt (from 0) to connect again, at random: many nodes have lost the same server. */
int64_t pg_back_off(unsigned n);

/* A copy, with its strings. */
struct store_config *pg_config_new(const struct store_config *);
void pg_config_free(struct store_config **);

/* -- pg_dial.c ---------------------------------------------------------------------------------------- */

/* One who connects in the background, again and again, as long as he is asked. */
struct pg_dial;
struct pg_dial *pg_dial_new(const struct store_config *, enum pg_use);
void pg_dial_free(struct pg_dial **);
/* The connection, to a database whose schema is right, after at most so many ms: NULL with *e when there is none by
 * then. */
PGconn *pg_dial(struct pg_dial *, int64_t ms, struct err *e);

/* -- pg_engine.c -------------------------------------------------------------------------------------- */

struct pg *pg_of_engine(struct engine *);
struct pg *pg_of_reader(struct store_reader *);

/* -- pg.c --------------------------------------------------------------------------------------------- */

/* Without a connection. Every statement of pg_sql is there. */
struct pg *pg_new(enum pg_use);
void pg_free(struct pg **);
struct sql *pg_sql_of(struct pg *);
/* Takes the connection over; there is none. -1 with *e, and it is closed: it cannot be used so. */
int pg_attach(struct pg *, PGconn *, struct err *e);
/* Closes it, if it is there; whatever was asked has failed. */
void pg_drop(struct pg *);
bool pg_is_attached(const struct pg *);
PGconn *pg_conn(struct pg *);

/*
 * A transaction; a reader's shows one moment. pg_begin only sends. pg_commit waits for all of it; when it fails,
 * pg_fault tells more, and so after pg_roll_back, which is to follow any failure of a statement or of pg_commit. It
 * closes the connection when that is of no use any more.
 */
void pg_begin(struct pg *, int64_t epoch); /* 0: of no node; a reader has none */
/* Its number; 0: it has failed. Waits. */
int64_t pg_transaction(struct pg *);
/* What it leaves in change_mark when it commits; 0: nothing, being of no node. Another one each time. */
int64_t pg_mark(const struct pg *);
enum store_status pg_commit(struct pg *, struct err *e);
void pg_roll_back(struct pg *);

/* Why the transaction has failed, the first failure of it. */
struct pg_fault {
	enum store_status status;      /* STORE_OK: it has not */
	bool again;                    /* the same may well succeed at once: a deadlock */
	bool reconnect;                /* this connection is of no use any more */
	bool in_doubt;                 /* the connection went after COMMIT was sent and before its answer */
	struct store_request *culprit; /* whose statement it was; NULL: nobody's */
	char sqlstate[6];              /* "": not the server's */
	struct err err;
};
const struct pg_fault *pg_fault(const struct pg *);
/* Says itself that it has failed, as the server would. */
enum store_status pg_fail(struct pg *, enum store_status, const struct err *);
/* There stands on whose behalf statements are sent; NULL: nobody's. */
void pg_watch_request(struct pg *, struct store_request *const *);

/* As texts are bound: what PostgreSQL would not take in them becomes '?'. */
void pg_clean_text(char *, size_t len);

/* One statement by itself, outside any transaction and of the text given, with parameters that are integers; the first
 * column of its first row goes to *answer ("" when there is none). -1 with *e. */
int pg_ask(struct pg *, const char *sql, const int64_t *parameter, int n, struct str *answer, struct err *e);
/* A script of several statements, by itself; outside a pipeline's transaction. */
int pg_script(struct pg *, const char *sql, struct err *e);

/* Since it was made; read by any thread. */
struct pg_counts {
	_Atomic uint64_t statements; /* sent */
	_Atomic uint64_t trips;      /* times that answers were asked for at once */
};
const struct pg_counts *pg_counts(const struct pg *);

/*
 * pg_node.c. Each transaction of an engine that has an epoch begins with SQL_NODE_FENCE ($1 the epoch), sent right
 * behind BEGIN; it answers the transaction's number, and with no row STORE_FENCED is what the transaction ends with,
 * before anything else that it read is believed. A connection that is not heard of any more must not go on holding
 * that row: each has idle_in_transaction_session_timeout of a lease.
 */

/* -- pg_schema.c --------------------------------------------------------------------------------------- */

/* Brings the database to this program's schema, under an advisory lock, whoever starts first; refuses a newer one and
 * one that is not ours. 0, or -1 with *e. */
int pg_schema_check(PGconn *, struct err *e);
/* The same where a process begins: what is to be done to the tables may take long, and so may another who does it. */
int pg_schema_open(PGconn *, struct err *e);

#endif
