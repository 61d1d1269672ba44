/*
 * pg_int.h - a connection, its statements and what has been asked on it; what the files of the connection share: pg.c,
 * pg_stmt.c, pg_ahead.c, pg_pipe.c, pg_fault.c and pg_other.c.
 */
#ifndef ROUTER_STORE_PG_INT_H
#define ROUTER_STORE_PG_INT_H

#include <sys/queue.h>

#include "router/store/pg.h"

#define PG_INT_TEXT 24 /* bytes for an integer in words */

/* A parameter as it is bound. Borrowed, but for `number` and `cleaned`. */
struct pg_param {
	const char *value;          /* NULL: the SQL NULL */
	size_t len;
	bool binary;
	char number[PG_INT_TEXT];
	char *cleaned;
};

struct pg_stmt {
	struct stmt stmt;
	struct pg *pg;
	const char *text;
	char *copy;                 /* of it; NULL: it is somebody else's */
	char name[16];              /* the server's */
	unsigned number;            /* in `name`; not every enum statement has one */
	unsigned which;             /* enum statement; SQL_MAX: none of those */
	bool prepared;              /* on this connection, or asked to be */
	bool once;                  /* a promise of it is taken by the first who asks */
	int nparams;
	struct pg_param *param;
	const char **values;        /* as libpq has them */
	int *lengths, *formats;

	/* While it is read: */
	struct pg_answer *answer;   /* NULL: it is not */
	bool borrowed;              /* from a promise */
	struct pg_rows *rows;       /* that `row` is in; NULL: before the first */
	int row;
};

enum pg_asked {
	PG_PARSED, /* a statement is prepared */
	PG_RAN,    /* nobody wants its rows */
	PG_ROWS,   /* they are for somebody */
	PG_NUMBER, /* of the transaction; no row: this node is fenced */
	PG_COMMITTED,
	PG_SYNCED, /* the end of a pipeline */
};

struct pg_rows {
	struct pg_rows *next;
	PGresult *result;
};

/* What has been sent, in order, and what has come of it. Of whoever wants its rows, else the pipeline's own. */
struct pg_answer {
	STAILQ_ENTRY(pg_answer) link;
	uint64_t number;
	enum pg_asked asked;
	bool said;                  /* something of it has come */
	bool done, failed;
	bool wanted;                /* somebody frees it */
	const char *what;
	struct pg_stmt *stmt;
	struct store_request *request;
	struct pg_rows *first, **end;
};
STAILQ_HEAD(pg_answers, pg_answer);

struct pg {
	struct sql sql;
	enum pg_use use;
	PGconn *conn;               /* NULL: there is none */
	struct pg_stmt *stmt;       /* by enum statement, and some of its own behind */
	unsigned nstmt;             /* numbers given */
	struct pg_answers waiting;  /* for their answers */
	uint64_t sent, answered;    /* numbers of the last ones */
	uint64_t pushed;            /* the server has been asked not to keep back answers up to this one's */
	struct store_request *const *running; /* NULL, or there is who it is */
	uint64_t numbered;          /* that the transaction's number is the answer of */
	int64_t transaction;
	int64_t epoch, mark;        /* of the transaction; 0: this is no node */
	struct pg_fault fault;
	struct keyed_table ahead;   /* promises */
	struct keyed_table touched; /* recipients, since there are promises */
	uint64_t last_touch;        /* number of the last statement that did */
	struct str key;             /* of the one that is looked for */
	uint64_t last;              /* statement that was run, */
	uint64_t changes;           /* and what it did */
	int64_t last_id;
	size_t unsent;              /* bytes given to libpq since its buffer was empty */
	struct pg_counts counts;
};

/* -- pg_pipe.c -------------------------------------------------------------------------------------------- */

/* Sends a statement as it is bound, and what prepares it. NULL: the transaction has failed (pg->fault). What is not
 * wanted may be gone already. */
struct pg_answer *pg_send(struct pg *, struct pg_stmt *, enum pg_asked, const char *what, bool wanted);
/* The end of a pipeline: what fails before it does no harm to what is behind it. */
void pg_sync(struct pg *);
/* Until it is answered whole, or has rows that have not been taken. */
void pg_wait_rows(struct pg *, struct pg_answer *);
void pg_wait(struct pg *, uint64_t number);
/* Nobody wants it any more. */
void pg_let_go(struct pg *, struct pg_answer **);
void pg_rows_free(struct pg_rows **);

/* -- pg_ahead.c ------------------------------------------------------------------------------------------- */

/* Asks for what will be wanted, as it is bound. */
void pg_send_ahead(struct pg *, struct pg_stmt *, const char *what);
/* What was asked ahead with the same statement and parameters, and is still so. NULL: nothing. Its taker's, unless
 * s->borrowed. */
struct pg_answer *pg_take_ahead(struct pg *, struct pg_stmt *);
/* To be called before a statement is sent that may change what was asked ahead. */
void pg_touch(struct pg *, const struct pg_stmt *);
/* What was announced and not asked for is not to be taken any more. */
void pg_forget_ahead(struct pg *);

/* -- pg_stmt.c -------------------------------------------------------------------------------------------- */

extern const struct sql_ops pg_ops;
/* An integer of 1 to 8 bytes as the server sends it; 0 for NULL. */
int64_t pg_value_int(const PGresult *, int row, int column);

/* -- pg_stmt.c, pg_other.c: statements of one's own --------------------------------------------------------- */

void pg_stmt_init(struct pg *, struct pg_stmt *, const char *text);
void pg_stmt_release(struct pg_stmt *);
struct stmt *pg_prepare_other(struct sql *, const char *text, struct err *);
void pg_finish_other(struct stmt *);
int pg_run_script(struct sql *, const char *text, struct err *);
int pg_begin_other(struct sql *, struct err *);
int pg_commit_other(struct sql *, struct err *);
void pg_roll_back_other(struct sql *);
void pg_disconnect(struct sql *);

/* -- pg_fault.c ------------------------------------------------------------------------------------------- */

/* Notes the failure of what was asked, if it is the first one of the transaction. */
void pg_note_failure(struct pg *, const struct pg_answer *, const PGresult *);
void pg_note_loss(struct pg *, const struct pg_answer *);
/* Of what was asked nothing may have happened, or all. */
bool pg_is_lost(const struct pg *);

#endif
