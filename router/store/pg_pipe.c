/*
 * pg_pipe.c - what is asked of PostgreSQL, in a row, and its answers, in the
 * same row.
 *
 * libpq's pipeline mode on a socket that does not block: what is sent stays in
 * libpq's buffer until somebody waits or there is much of it, and answers stay
 * in the socket. Who waits sends and receives by turns, so a server that does
 * not read before its own answers are read holds up nothing, however large they
 * are. The server keeps answers back until it is asked for them or a pipeline
 * ends (its manual, 34.5).
 */
#include "router/store/pg_int.h"

#include "mta/base/alloc.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define MUCH (4u << 20) /* bytes in libpq's buffer */

/* ms without a byte from or to the server: longer than any of its own limits
 * (pg_connect.c), for then it is not there any more. */
static const int patience[] = {
	[PG_WRITE] = 40 * 1000,
	[PG_READ] = 120 * 1000,
	[PG_LISTEN] = 40 * 1000,
};

/* -- answers -----------------------------------------------------------------
 */

void
pg_rows_free(struct pg_rows **rows)
{
	struct pg_rows *r;

	while ((r = *rows) != NULL) {
		*rows = r->next;
		PQclear(r->result);
		free(r);
	}
}

static void
free_answer(struct pg_answer *a)
{
	pg_rows_free(&a->first);
	free(a);
}

void
pg_let_go(struct pg *pg, struct pg_answer **ap)
{
	struct pg_answer *a = *ap;

	(void)pg;
	*ap = NULL;
	if (a == NULL)
		return;
	a->wanted = false;
	if (a->done) {
		free_answer(a);
		return;
	}
	pg_rows_free(&a->first);
	a->end = &a->first;
}

/* The first that waits has been answered whole. */
static void
finish(struct pg *pg)
{
	struct pg_answer *a = STAILQ_FIRST(&pg->waiting);

	STAILQ_REMOVE_HEAD(&pg->waiting, link);
	if (a->asked == PG_PARSED && a->failed)
		a->stmt->prepared = false;
	pg->answered = a->number;
	a->done = true;
	if (!a->wanted)
		free_answer(a);
}

static void
lose(struct pg *pg)
{
	struct pg_answer *a;

	while ((a = STAILQ_FIRST(&pg->waiting)) != NULL) {
		pg_note_loss(pg, a);
		a->failed = true;
		finish(pg);
	}
	PQfinish(pg->conn);
	pg->conn = NULL;
}

static void
note_work(struct pg *pg, const struct pg_answer *a, PGresult *result)
{
	if (a->number != pg->last)
		return;
	pg->changes = strtoull(PQcmdTuples(result), NULL, 10);
	if (PQntuples(result) > 0 && PQnfields(result) > 0)
		pg->last_id = pg_value_int(result, 0, 0);
}

static void
keep_rows(struct pg_answer *a, PGresult *result)
{
	struct pg_rows *rows;

	if (!a->wanted || PQntuples(result) == 0) {
		PQclear(result);
		return;
	}
	rows = xcalloc(1, sizeof(*rows));
	rows->result = result;
	*a->end = rows;
	a->end = &rows->next;
}

static void
take_number(struct pg *pg, const struct pg_answer *a, const PGresult *result)
{
	static const struct err fenced = {
		.text = "this node has been given up by the others"
	};

	if (a->asked != PG_NUMBER)
		return;
	if (PQntuples(result) > 0)
		pg->transaction = pg_value_int(result, 0, 0);
	else if (pg->fault.status == STORE_OK)
		pg_fail(pg, STORE_FENCED, &fenced);
}

static void
take_result(struct pg *pg, struct pg_answer *a, PGresult *result)
{
	a->said = true;
	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
		take_number(pg, a, result);
		note_work(pg, a, result);
		keep_rows(a, result);
		return;
	case PGRES_COMMAND_OK:
		note_work(pg, a, result);
		break;
	case PGRES_PIPELINE_SYNC:
		break;
	case PGRES_PIPELINE_ABORTED:
		a->failed = true;
		break;
	default:
		a->failed = true;
		pg_note_failure(pg, a, result);
		break;
	}
	PQclear(result);
}

/* Long lists are read by the reader, who need not have them whole. */
static void
read_by_row(struct pg *pg)
{
	const struct pg_answer *a = STAILQ_FIRST(&pg->waiting);

	if (a != NULL && a->asked == PG_ROWS && pg->use == PG_READ)
		PQsetSingleRowMode(pg->conn);
}

/* Takes the answers that are there. 1: there were some, 0: none, -1: the
 * connection makes no sense. */
static int
take(struct pg *pg)
{
	struct pg_answer *a;
	PGresult *result;
	int some = 0;

	while (
	    (a = STAILQ_FIRST(&pg->waiting)) != NULL && !PQisBusy(pg->conn)) {
		result = PQgetResult(pg->conn);
		if (result == NULL && !a->said)
			return -1;
		if (result != NULL)
			take_result(pg, a, result);
		if (result == NULL || a->asked == PG_SYNCED) {
			finish(pg);
			read_by_row(pg);
		}
		some = 1;
	}
	return some;
}

/* -- waiting --------------------------------------------------------------- */

/* 1: not all is on its way, 0: all is, -1: the connection is gone. */
static int
flush(struct pg *pg)
{
	int unsent = PQflush(pg->conn);

	if (unsent == 0)
		pg->unsent = 0;
	if (unsent < 0) {
		/* What came before the end is taken even so. */
		take(pg);
		lose(pg);
	}
	return unsent;
}

/* Until one of `events` has come, and takes what is there. */
static void
await(struct pg *pg, short events)
{
	struct pollfd p = { .fd = PQsocket(pg->conn), .events = events };
	int n = poll(&p, 1, patience[pg->use]);

	if (n < 0 && errno == EINTR)
		return;
	/* What came before the end is taken even so. */
	if (n <= 0 || ((p.revents & ~POLLOUT) && !PQconsumeInput(pg->conn))) {
		take(pg);
		lose(pg);
	} else if (take(pg) < 0)
		lose(pg);
}

/* Sends and receives what can be now, or waits until something can be. Who
 * sends reads as well, in libpq, and what it has read already makes no socket
 * readable. */
static void
turn(struct pg *pg)
{
	int unsent = flush(pg);
	int some = unsent >= 0 ? take(pg) : 1;

	if (some < 0)
		lose(pg);
	if (some == 0)
		await(pg, unsent > 0 ? POLLIN | POLLOUT : POLLIN);
}

/* Asks for the answers up to that one. Those that were asked for are on their
 * way: to wait for more of them is no trip of its own. */
static void
push(struct pg *pg, uint64_t number)
{
	if (number <= pg->pushed || pg_is_lost(pg))
		return;
	atomic_fetch_add_explicit(&pg->counts.trips, 1, memory_order_relaxed);
	if (!PQsendFlushRequest(pg->conn))
		lose(pg);
	pg->pushed = pg->sent;
}

void
pg_wait(struct pg *pg, uint64_t number)
{
	push(pg, number);
	while (pg->answered < number)
		turn(pg);
}

void
pg_wait_rows(struct pg *pg, struct pg_answer *a)
{
	push(pg, a->number);
	while (!a->done && a->first == NULL)
		turn(pg);
}

/* Until libpq's buffer is empty. Nobody waits for an answer then: the server
 * has not been asked to give one yet. */
static void
drain(struct pg *pg)
{
	while (!pg_is_lost(pg) && flush(pg) > 0)
		await(pg, POLLIN | POLLOUT);
}

void
pg_drop(struct pg *pg)
{
	if (pg->conn != NULL)
		lose(pg);
}

/* -- sending --------------------------------------------------------------- */

static struct pg_answer *
add_answer(struct pg *pg, struct pg_stmt *st, enum pg_asked asked,
    const char *what, bool wanted)
{
	struct pg_answer *a = xcalloc(1, sizeof(*a));

	a->number = ++pg->sent;
	a->asked = asked;
	a->what = what;
	a->wanted = wanted;
	a->stmt = st;
	a->request = pg->running != NULL ? *pg->running : NULL;
	a->end = &a->first;
	STAILQ_INSERT_TAIL(&pg->waiting, a, link);
	if (asked != PG_RAN)
		return a;
	pg->last = a->number;
	pg->changes = 0;
	pg->last_id = 0;
	return a;
}

/* It cannot be sent: what waits will not be answered either. */
static struct pg_answer *
not_sent(struct pg *pg, enum pg_asked asked, const char *what)
{
	const struct pg_answer a = { .asked = asked, .what = what };

	pg_note_loss(pg, &a);
	if (pg->conn != NULL)
		lose(pg);
	return NULL;
}

static bool
prepare(struct pg *pg, struct pg_stmt *st, const char *what)
{
	if (st->prepared)
		return true;
	if (!PQsendPrepare(pg->conn, st->name, st->text, 0, NULL))
		return false;
	st->prepared = true;
	add_answer(pg, st, PG_PARSED, what, false);
	return true;
}

static void
list_parameters(struct pg *pg, struct pg_stmt *st)
{
	for (int i = 0; i < st->nparams; i++) {
		const struct pg_param *p = &st->param[i];

		st->values[i] = p->value;
		st->lengths[i] = (int)p->len;
		st->formats[i] = p->binary;
		pg->unsent += p->len;
	}
}

struct pg_answer *
pg_send(struct pg *pg, struct pg_stmt *st, enum pg_asked asked,
    const char *what, bool wanted)
{
	struct pg_answer *a;

	if (pg->fault.status != STORE_OK)
		return NULL;
	if (pg_is_lost(pg) || !prepare(pg, st, what))
		return not_sent(pg, asked, what);
	list_parameters(pg, st);
	if (!PQsendQueryPrepared(pg->conn, st->name, st->nparams, st->values,
		st->lengths, st->formats, 1))
		return not_sent(pg, asked, what);
	atomic_fetch_add_explicit(
	    &pg->counts.statements, 1, memory_order_relaxed);
	a = add_answer(pg, st, asked, what, wanted);
	if (STAILQ_FIRST(&pg->waiting) == a)
		read_by_row(pg);
	/* The answer may be gone by then, unless it is wanted. */
	if (pg->unsent > MUCH)
		drain(pg);
	return a;
}

void
pg_sync(struct pg *pg)
{
	if (pg_is_lost(pg))
		return;
	if (!PQpipelineSync(pg->conn)) {
		lose(pg);
		return;
	}
	add_answer(pg, NULL, PG_SYNCED, "end a transaction", false);
	atomic_fetch_add_explicit(&pg->counts.trips, 1, memory_order_relaxed);
	pg->pushed = pg->sent;
}
