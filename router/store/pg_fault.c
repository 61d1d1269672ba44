/*
 * pg_fault.c - what a failure of PostgreSQL means for the store.
 *
 * By the classes of its manual's appendix A. What an operator can mend without
 * us (permissions, a full disk, a table that a restore has forgotten) is
 * STORE_AWAY: it is tried again until it is mended. What a request has brought
 * itself is STORE_REJECTED. Nothing is STORE_FAILED: a server that is not sure
 * of its disk any more restarts, and says what it has by what it answers then.
 */
#include "router/store/pg_int.h"

#include <string.h>

enum consequence {
	REQUEST_IS_WRONG,
	TRY_AGAIN, /* the same may succeed at once */
	WAIT,
	CONNECT_AGAIN, /* and wait, if that cannot be had */
};

/* clang-format off */
static const struct {
	const char *state;             /* or how it begins; the first that fits */
	enum consequence consequence;
} faults[] = {
	{ "0A000", CONNECT_AGAIN },    /* a plan that the schema has left behind */
	{ "08",    CONNECT_AGAIN },
	{ "21",    REQUEST_IS_WRONG },
	{ "22",    REQUEST_IS_WRONG }, /* data exceptions */
	{ "23",    REQUEST_IS_WRONG }, /* integrity */
	{ "25006", CONNECT_AGAIN },    /* read-only: the writing server is another */
	{ "25P03", CONNECT_AGAIN },    /* was idle in a transaction */
	{ "25P04", CONNECT_AGAIN },
	{ "26",    CONNECT_AGAIN },    /* a pooler between us has lost our statements */
	{ "40",    TRY_AGAIN },        /* deadlock, serialization */
	{ "53300", CONNECT_AGAIN },
	{ "54",    REQUEST_IS_WRONG }, /* larger than an index can hold */
	{ "55P03", TRY_AGAIN },        /* a lock that did not come */
	{ "57014", TRY_AGAIN },        /* took too long, or somebody cancelled it */
	{ "57P",   CONNECT_AGAIN },    /* shut down, crashed, starting */
	{ "",      WAIT },
};
/* clang-format on */

static enum consequence
consequence_of(const char *state)
{
	size_t i = 0;

	while (strncmp(state, faults[i].state, strlen(faults[i].state)) != 0)
		i++;
	return faults[i].consequence;
}

/* The server's words have line ends of their own. */
static void
say(struct err *e, const char *what, const char *why)
{
	size_t n = strcspn(why, "\r\n");

	err_set(e, "cannot %s: %.*s", what, (int)(n < 400 ? n : 400), why);
}

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

bool
pg_is_lost(const struct pg *pg)
{
	return pg->conn == NULL || PQstatus(pg->conn) != CONNECTION_OK;
}

void
pg_note_failure(
    struct pg *pg, const struct pg_answer *a, const PGresult *result)
{
	const char *state =
	    or_empty(PQresultErrorField(result, PG_DIAG_SQLSTATE));
	const char *why =
	    or_empty(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	enum consequence c =
	    state[0] != '\0' ? consequence_of(state) : CONNECT_AGAIN;
	struct pg_fault *f = &pg->fault;

	if (f->status != STORE_OK)
		return;
	/* Of what is nobody's nobody can be told. */
	if (c == REQUEST_IS_WRONG && a->request == NULL)
		c = TRY_AGAIN;
	f->status = c == REQUEST_IS_WRONG ? STORE_REJECTED : STORE_AWAY;
	f->again = c == TRY_AGAIN;
	f->reconnect = c == CONNECT_AGAIN;
	f->in_doubt = f->reconnect && a->asked == PG_COMMITTED;
	f->culprit = a->request;
	strncpy(f->sqlstate, state, sizeof(f->sqlstate) - 1);
	say(&f->err, a->what,
	    why[0] != '\0' ? why : PQresultErrorMessage(result));
}

void
pg_note_loss(struct pg *pg, const struct pg_answer *a)
{
	struct pg_fault *f = &pg->fault;

	/* After a failure of its own it is not committed; but one that told of
	 * the end of the connection may have come behind the commit. */
	if (a->asked == PG_COMMITTED && (f->status == STORE_OK || f->reconnect))
		f->in_doubt = true;
	f->reconnect = true;
	if (f->status != STORE_OK)
		return;
	f->status = STORE_AWAY;
	say(&f->err, a->what,
	    pg->conn != NULL && PQerrorMessage(pg->conn)[0] != '\0'
		? PQerrorMessage(pg->conn)
		: "the connection to the database is gone");
}
