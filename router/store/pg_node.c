/*
 * pg_node.c - membership: a node says that it lives, and buries those that do
 * not.
 *
 * What a node holds it holds by the epoch of its row, until the time in that
 * row, which each beat puts off by a lease. Only the database's clock decides
 * whether that time has passed. The node itself reckons from when it sent the
 * beat, by a clock that goes on while it is stopped, so it is always the first
 * to know that its time is over.
 *
 *	join -> live -- a beat in time --> live
 *	          |---- others: until < now --> given up (buried = 1)
 *	given up: no transaction of it begins any more (SQL_NODE_FENCE), no beat
 *	          is heard; slices go back to the queue, then the row is removed
 *
 * A transaction locks its node's row FOR KEY SHARE. Neither a beat nor giving
 * up waits for that, but taking apart what a node held does (SQL_NODE_DEAD, FOR
 * UPDATE): what such a node had begun is on disk before, or never.
 */
#include "router/store/pg_node.h"

#include "mta/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#define ASK_PART 5 /* of a lease */

int64_t
node_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* -- asking -------------------------------------------------------------- */

/* What the server has to say beside answers, as that it ends the connection,
 * shows in answers as well. */
static void
ignore_notice(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

bool
node_connect(struct node *n, struct err *e)
{
	n->conn = pg_connect(n->config, PG_LISTEN, e);
	if (n->conn != NULL)
		PQsetNoticeReceiver(n->conn, ignore_notice, NULL);
	return n->conn != NULL;
}

void
node_disconnect(struct node *n)
{
	atomic_store(&n->leads, false);
	PQfinish(n->conn);
	n->conn = NULL;
}

static bool
wait_for_answer(struct node *n, int64_t until)
{
	struct pollfd p = { .fd = PQsocket(n->conn), .events = POLLIN };
	int64_t left = until - node_clock();
	int rc;

	/* What waits to be written goes out while the answer is waited for. */
	if (PQflush(n->conn) == 1)
		p.events |= POLLOUT;
	rc = left > 0 ? poll(&p, 1, (int)left) : 0;
	if (rc < 0 && errno == EINTR)
		return true;
	return rc > 0 && PQconsumeInput(n->conn) == 1;
}

static PGresult *
take_answer(struct node *n, int64_t until)
{
	PGresult *first = NULL, *r;

	for (;;) {
		while (PQisBusy(n->conn))
			if (!wait_for_answer(n, until)) {
				PQclear(first);
				return NULL;
			}
		r = PQgetResult(n->conn);
		if (r == NULL)
			return first;
		if (first == NULL)
			first = r;
		else
			PQclear(r);
	}
}

static bool
is_good(const PGresult *r)
{
	ExecStatusType st = PQresultStatus(r);

	return st == PGRES_TUPLES_OK || st == PGRES_COMMAND_OK;
}

/* In one line. */
static void
say_why(const char *message, struct err *e)
{
	size_t len = strcspn(message, "\n");

	if (len == 0)
		err_set(e, "the database does not answer");
	else
		err_set(e, "%.*s", (int)len, message);
}

PGresult *
node_ask(struct node *n, const char *sql, int nparameters,
    const char *const *parameter, struct err *e)
{
	int64_t until = node_clock() + n->lease / ASK_PART;
	PGresult *r = NULL;

	if (n->conn == NULL) {
		err_set(e, "there is no connection to the database");
		return NULL;
	}
	if (PQsendQueryParams(
		n->conn, sql, nparameters, NULL, parameter, NULL, NULL, 0) == 1)
		r = take_answer(n, until);
	if (r == NULL) {
		say_why(PQerrorMessage(n->conn), e);
		node_disconnect(n);
	} else if (!is_good(r)) {
		say_why(PQresultErrorMessage(r), e);
		PQclear(r);
		r = NULL;
		if (PQstatus(n->conn) != CONNECTION_OK)
			node_disconnect(n);
	}
	return r;
}

int
node_tell(struct node *n, const char *sql, int nparameters,
    const char *const *parameter, struct err *e)
{
	PGresult *r = node_ask(n, sql, nparameters, parameter, e);

	PQclear(r);
	return r != NULL ? 0 : -1;
}

int64_t
node_int_at(const PGresult *r, int row, int column)
{
	return strtoll(PQgetvalue(r, row, column), NULL, 10);
}

const char *
node_int_text(int64_t value, char buf[static NODE_INT_TEXT])
{
	snprintf(buf, NODE_INT_TEXT, "%lld", (long long)value);
	return buf;
}

/* -- beats --------------------------------------------------------------- */

void
node_hold_from(struct node *n, int64_t sent)
{
	if (node_clock() >= atomic_load(&n->held_until))
		atomic_fetch_add(&n->term, 1);
	atomic_store(
	    &n->held_until, sent + n->lease - n->lease / NODE_MARGIN_PART);
}

void
node_fence(struct node *n, const char *why)
{
	struct err e = ERR_INIT;

	if (atomic_load(&n->stopping) || atomic_exchange(&n->fenced, true))
		return;
	atomic_store(&n->held_until, 0);
	err_set(
	    &e, "node '%s' has been given up by the others: %s", n->name, why);
	store_fence(n->store, &e);
}

static void
note_draining(struct node *n, bool draining)
{
	if (atomic_exchange(&n->draining, draining) != draining)
		store_tell_changes(n->store, STORE_CHANGED_NODES);
}

static void
note_beat(struct node *n, const PGresult *r, int64_t sent)
{
	if (PQntuples(r) == 0) {
		node_fence(n, "it has not been heard of for a lease");
		return;
	}
	node_hold_from(n, sent);
	/* One that comes late says that we have not seen what went on. */
	if (n->fine_since == INT64_MAX || sent - n->beaten > n->lease / 2)
		n->fine_since = sent;
	n->beaten = sent;
	note_draining(n, node_int_at(r, 0, 0) != 0);
}

#define BEAT                                                                   \
	"UPDATE node SET heard = " NODE_NOW ", until = " NODE_NOW " + $2,"     \
	" ruleset = $3, sources = $4, trouble = $5, leases = $6, leaving = $7" \
	" WHERE epoch = $1 AND buried = 0 RETURNING draining"

bool
node_beat(struct node *n)
{
	char epoch[NODE_INT_TEXT], lease[NODE_INT_TEXT], leases[NODE_INT_TEXT];
	const char *p[7] = { node_int_text(n->epoch, epoch),
		node_int_text(n->lease, lease) };
	struct str said[3] = { STR_INIT, STR_INIT, STR_INIT };
	struct err e = ERR_INIT;
	int64_t sent;
	PGresult *r;

	pthread_mutex_lock(&n->lock);
	str_adds(&said[0], n->ruleset.data);
	str_adds(&said[1], n->sources.data);
	str_adds(&said[2], n->trouble.data);
	p[5] = node_int_text((int64_t)n->leases, leases);
	p[6] = n->leaving ? "1" : "0";
	pthread_mutex_unlock(&n->lock);
	for (int i = 0; i < 3; i++)
		p[2 + i] = said[i].data;
	sent = node_clock();
	r = node_ask(n, BEAT, 7, p, &e);
	if (r != NULL)
		note_beat(n, r, sent);
	else
		n->fine_since = INT64_MAX;
	PQclear(r);
	for (int i = 0; i < 3; i++)
		str_release(&said[i]);
	return r != NULL && !atomic_load(&n->fenced);
}

/* -- burying ------------------------------------------------------------- */

/* A connection that hangs in the middle of a transaction keeps its node's row
 * locked, and one that does nothing may be that of who leads. Those of a
 * namesake are of later: it may have waited for this one's time to pass. */
#define CUT_OFF                                                                \
	"SELECT a.application_name, a.pid, a.state, pg_terminate_backend("     \
	"a.pid) FROM node n, pg_stat_activity a"                               \
	" WHERE n.buried <> 0"                                                 \
	" AND a.datname = current_database() AND a.pid <> pg_backend_pid()"    \
	" AND (a.backend_start < to_timestamp(n.heard / 1000.0)"               \
	"  OR a.xact_start < to_timestamp(n.until / 1000.0))"                  \
	" AND starts_with(a.application_name,"                                 \
	"  left('oiwake ' || n.name || ' ', 63))"

#define GIVE_UP                                                                \
	"UPDATE node SET buried = 1 WHERE buried = 0 AND until < " NODE_NOW    \
	" RETURNING name, host, " NODE_NOW " - heard"

static void
cut_off(struct node *n)
{
	struct err e = ERR_INIT;
	PGresult *r = node_ask(n, CUT_OFF, 0, NULL, &e);

	for (int i = 0; i < PQntuples(r); i++)
		log_text(LOG_INFO, "node-lost",
		    "its connection '%s', process %s, is ended (%s)",
		    PQgetvalue(r, i, 0), PQgetvalue(r, i, 1),
		    PQgetvalue(r, i, 2));
	PQclear(r);
}

static void
log_given_up(const PGresult *r, int row)
{
	struct logline l;

	if (!log_start(&l, LOG_WARN, "node-lost"))
		return;
	log_str(&l, "node", PQgetvalue(r, row, 0));
	log_str(&l, "host", PQgetvalue(r, row, 1));
	log_ms(&l, "unheard", node_int_at(r, row, 2));
	log_end(&l);
}

static void
give_up(struct node *n)
{
	struct err e = ERR_INIT;
	PGresult *r = node_ask(n, GIVE_UP, 0, NULL, &e);
	int rows = PQntuples(r);

	for (int i = 0; i < rows; i++)
		log_given_up(r, i);
	PQclear(r);
	if (rows > 0)
		store_tell_changes(n->store, STORE_CHANGED_NODES);
}

static void
log_buried(const struct store_bury *b)
{
	struct logline l;

	if (!log_start(&l, LOG_WARN, "node-buried"))
		return;
	log_int(&l, "epoch", b->epoch);
	log_int(&l, "returned", (int64_t)b->at.returned);
	log_int(&l, "unread", (int64_t)b->at.unread);
	log_end(&l);
}

/* In the committer's thread. */
static void
on_buried(struct store_request *req)
{
	struct store_bury *b = container_of(req, struct store_bury, req);
	struct node *n = container_of(b, struct node, bury);

	if (req->status == STORE_OK && b->at.returned + b->at.unread > 0)
		log_buried(b);
	atomic_store(&n->burying, false);
}

static void
bury(struct node *n, int64_t epoch)
{
	n->bury = (struct store_bury){ .epoch = epoch,
		.req = { .kind = STORE_BURY, .done = on_buried } };
	atomic_store(&n->burying, true);
	worker_post(&n->store->committer, &n->bury.req.task);
}

/*
 * After an outage of the database all have the time to be heard again: nobody
 * buries who has not been heard himself for a lease.
 */
void
node_look_for_dead(struct node *n)
{
	struct err e = ERR_INIT;
	PGresult *r;

	if (n->fine_since == INT64_MAX ||
	    node_clock() - n->fine_since < n->lease)
		return;
	give_up(n);
	if (atomic_load(&n->burying))
		return;
	/* Each begins with another, as chance has it. */
	r = node_ask(n,
	    "SELECT epoch FROM node WHERE buried <> 0"
	    " ORDER BY random() LIMIT 1",
	    0, NULL, &e);
	if (PQntuples(r) > 0) {
		cut_off(n);
		bury(n, node_int_at(r, 0, 0));
	}
	PQclear(r);
}

/* -- what others ask ----------------------------------------------------- */

void
node_wake(struct node *n)
{
	eventfd_write(n->wake, 1);
}

void
node_changed(struct node *n, unsigned changes)
{
	if (changes != 0 && atomic_fetch_or(&n->changes, changes) == 0)
		node_wake(n);
}

void
store_say(struct store *s, const struct node_says *says)
{
	struct node *n = s->node;

	if (n == NULL)
		return;
	pthread_mutex_lock(&n->lock);
	str_clear(&n->ruleset);
	str_adds(&n->ruleset, says->ruleset);
	str_clear(&n->sources);
	str_adds(&n->sources, says->sources);
	str_clear(&n->trouble);
	str_adds(&n->trouble, says->trouble);
	n->leases = says->leases;
	n->leaving = says->draining;
	pthread_mutex_unlock(&n->lock);
}

int64_t
store_epoch(const struct store *s)
{
	return s->node != NULL ? s->node->epoch : 1;
}

unsigned
store_slot(const struct store *s)
{
	return s->node != NULL ? s->node->slot : 0;
}

bool
store_is_shared(const struct store *s)
{
	return s->node != NULL;
}

const char *
store_node_name(const struct store *s)
{
	return s->node != NULL ? s->node->name : "";
}

bool
store_is_draining(const struct store *s)
{
	return s->node != NULL && atomic_load(&s->node->draining);
}

bool
store_leads(const struct store *s)
{
	return s->node == NULL ||
	       (atomic_load(&s->node->leads) && store_holds(s));
}

unsigned
store_term(const struct store *s)
{
	bool held = s->node == NULL ||
		    (!atomic_load(&s->fenced) &&
			node_clock() < atomic_load(&s->node->held_until));

	if (!held)
		return 0;
	return s->node != NULL ? atomic_load(&s->node->term) : 1;
}

bool
store_holds(const struct store *s)
{
	return store_term(s) != 0;
}

size_t
store_read_nodes(struct store_reader *r,
    void (*each)(void *, const struct node_row *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_NODES);
	size_t n = 0;

	if (st == NULL)
		return 0;
	for (; sql_read_next(q, st); n++)
		each(arg, &(struct node_row){ .epoch = column_int(st, 0),
			      .slot = (unsigned)column_int(st, 1),
			      .name = column_text(st, 2),
			      .host = column_text(st, 3),
			      .version = column_text(st, 4),
			      .ruleset = column_text(st, 5),
			      .sources = column_text(st, 6),
			      .trouble = column_text(st, 7),
			      .started = column_int(st, 8),
			      .heard = column_int(st, 9),
			      .leases = (uint64_t)column_int(st, 10),
			      .draining = column_int(st, 11) != 0,
			      .lag = column_int(st, 12),
			      .lost = column_int(st, 13) != 0 });
	return n;
}
