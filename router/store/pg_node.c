/*
 * pg_node.c - membership: a node joins, says that it lives, buries those that
 * do not, and leaves.
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

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/store/process.h"
#include "router/version.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define MARGIN_PART 10 /* of a lease: what clocks may differ by in it */
#define ASK_PART    5
#define BEAT_PART   5

#define NOW "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
/* One at a time joins. */
#define JOIN_LOCK "SELECT pg_advisory_xact_lock(x'4f697761'::int, 2)"

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

static int
tell(struct node *n, const char *sql, int nparameters,
    const char *const *parameter, struct err *e)
{
	PGresult *r = node_ask(n, sql, nparameters, parameter, e);

	PQclear(r);
	return r != NULL ? 0 : -1;
}

static int64_t
int_at(const PGresult *r, int row, int column)
{
	return strtoll(PQgetvalue(r, row, column), NULL, 10);
}

#define INT_TEXT 24
static const char *
int_text(int64_t value, char buf[static INT_TEXT])
{
	snprintf(buf, INT_TEXT, "%lld", (long long)value);
	return buf;
}

/* -- beats --------------------------------------------------------------- */

/* `sent`: before it was heard. */
static void
hold_from(struct node *n, int64_t sent)
{
	atomic_store(&n->held_until, sent + n->lease - n->lease / MARGIN_PART);
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
	hold_from(n, sent);
	/* One that comes late says that we have not seen what went on. */
	if (n->fine_since == INT64_MAX || sent - n->beaten > n->lease / 2)
		n->fine_since = sent;
	n->beaten = sent;
	note_draining(n, int_at(r, 0, 0) != 0);
}

#define BEAT                                                                   \
	"UPDATE node SET heard = " NOW ", until = " NOW " + $2,"               \
	" ruleset = $3, sources = $4, trouble = $5, leases = $6, leaving = $7" \
	" WHERE epoch = $1 AND buried = 0 RETURNING draining"

bool
node_beat(struct node *n)
{
	char epoch[INT_TEXT], lease[INT_TEXT], leases[INT_TEXT];
	const char *p[7] = { int_text(n->epoch, epoch),
		int_text(n->lease, lease) };
	struct str said[3] = { STR_INIT, STR_INIT, STR_INIT };
	struct err e = ERR_INIT;
	int64_t sent;
	PGresult *r;

	pthread_mutex_lock(&n->lock);
	str_adds(&said[0], n->ruleset.data);
	str_adds(&said[1], n->sources.data);
	str_adds(&said[2], n->trouble.data);
	p[5] = int_text((int64_t)n->leases, leases);
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
	"UPDATE node SET buried = 1 WHERE buried = 0 AND until < " NOW         \
	" RETURNING name, host, " NOW " - heard"

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
	log_ms(&l, "unheard", int_at(r, row, 2));
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
		bury(n, int_at(r, 0, 0));
	}
	PQclear(r);
}

/* -- joining ------------------------------------------------------------- */

/* Of a row with our name. */
struct namesake {
	int64_t epoch, heard, left; /* ms until others may give it up */
	char *host;
	bool found, gone; /* its process is known to have ended */
};

static int
find_namesake(struct node *n, struct namesake *s, struct err *e)
{
	const char *p[] = { n->name };
	PGresult *r = node_ask(n,
	    "SELECT epoch, heard, until - " NOW ", host, process FROM node"
	    " WHERE name = $1 AND buried = 0",
	    1, p, e);

	if (r == NULL)
		return -1;
	free(s->host);
	*s = (struct namesake){ .found = PQntuples(r) > 0 };
	if (s->found) {
		s->epoch = int_at(r, 0, 0);
		s->heard = int_at(r, 0, 1);
		s->left = int_at(r, 0, 2);
		s->host = xstrdup(PQgetvalue(r, 0, 3));
		s->gone = process_is_gone(PQgetvalue(r, 0, 4));
	}
	PQclear(r);
	return 0;
}

static void
sleep_ms(int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Whether one of our name lives shows by its next beat. */
static int
wait_for_namesake(struct node *n, struct namesake *s, struct err *e)
{
	int64_t heard, step = n->lease / MARGIN_PART;

	if (find_namesake(n, s, e) != 0)
		return -1;
	heard = s->heard;
	if (s->found && !s->gone && s->left > 0)
		log_text(LOG_WARN, "node-name",
		    "there was a node '%s' on host '%s' up to now: waiting for "
		    "%" PRId64 " s, whether it lives",
		    n->name, s->host, s->left / 1000 + 1);
	while (s->found && !s->gone && s->left > 0) {
		if (s->heard != heard)
			return err_set(e,
			    "there is a node '%s' already, on host '%s'; each "
			    "needs a name of its own (store node)",
			    n->name, s->host);
		sleep_ms(s->left < step ? s->left : step);
		if (find_namesake(n, s, e) != 0)
			return -1;
	}
	return 0;
}

/* Those of ours that run now have begun after it. */
static int
give_up_namesake(struct node *n, const struct namesake *s, struct err *e)
{
	char epoch[INT_TEXT];
	const char *p[] = { int_text(s->epoch, epoch) };

	return tell(n,
	    "UPDATE node SET buried = 1, until = least(until, heard)"
	    " WHERE epoch = $1",
	    1, p, e);
}

#define JOIN                                                                   \
	"INSERT INTO node(epoch, slot, name, host, process, version, started," \
	" heard, until, buried, ruleset, sources, trouble, leases, leaving,"   \
	" draining)"                                                           \
	" SELECT nextval('node_epoch'), (SELECT min(s) FROM generate_series("  \
	"0, (SELECT count(*) FROM node)) s WHERE NOT EXISTS (SELECT 1"         \
	" FROM node WHERE slot = s)),"                                         \
	" $1, $2, $3, $4, " NOW ", " NOW ", " NOW                              \
	" + $5, 0, '', '', '', 0, 0,"                                          \
	" 0 RETURNING epoch, slot"

static int
add_row(struct node *n, struct err *e)
{
	char host[256] = "", lease[INT_TEXT];
	char *process = process_identity();
	const char *p[] = { n->name, host, process, OIWAKE_VERSION,
		int_text(n->lease, lease) };
	int64_t sent = node_clock();
	PGresult *r;

	gethostname(host, sizeof(host) - 1);
	r = node_ask(n, JOIN, 5, p, e);
	free(process);
	if (r == NULL)
		return -1;
	n->epoch = int_at(r, 0, 0);
	n->slot = (unsigned)int_at(r, 0, 1);
	n->fine_since = n->beaten = sent;
	hold_from(n, sent);
	PQclear(r);
	return 0;
}

/* *dead: of a namesake that is to be buried; 0: none. */
static int
join(struct node *n, int64_t *dead, struct err *e)
{
	struct namesake s = { 0 };
	int ret = -1;

	*dead = 0;
	if (wait_for_namesake(n, &s, e) != 0 ||
	    tell(n, "BEGIN", 0, NULL, e) != 0 ||
	    tell(n, JOIN_LOCK, 0, NULL, e) != 0 || find_namesake(n, &s, e) != 0)
		goto out;
	if (s.found && !s.gone && s.left > 0) {
		err_set(e, "there is a node '%s' already, on host '%s'",
		    n->name, s.host);
		goto out;
	}
	if (s.found && give_up_namesake(n, &s, e) != 0)
		goto out;
	*dead = s.epoch;
	if (add_row(n, e) == 0 &&
	    tell(n, "SELECT pg_notify('oiwake', 'node 0')", 0, NULL, e) == 0)
		ret = tell(n, "COMMIT", 0, NULL, e);
out:
	free(s.host);
	return ret;
}

static int
is_buried(struct node *n, int64_t epoch, bool *is, struct err *e)
{
	char text[INT_TEXT];
	const char *p[] = { int_text(epoch, text) };
	PGresult *r =
	    node_ask(n, "SELECT 1 FROM node WHERE epoch = $1", 1, p, e);

	*is = PQntuples(r) == 0;
	PQclear(r);
	return r != NULL ? 0 : -1;
}

/* A long queue takes longer than a lease. */
static void
beat_between(struct node *n)
{
	if (node_clock() < n->beat_at)
		return;
	n->beat_at = node_clock() + n->lease / BEAT_PART;
	node_beat(n);
}

/* What a crash left under our name. Somebody else may be at it, or a last
 * transaction of that node; if that takes long, the thread will see to it. */
static int
bury_namesake(
    struct node *n, int64_t epoch, struct store_recovery *found, struct err *e)
{
	struct store_bury b = { .epoch = epoch };
	int64_t until = node_clock() + n->lease;
	bool buried = false;

	while (!buried && node_clock() < until) {
		do {
			if (commit_bury(n->store, &b, e) != STORE_OK)
				return -1;
			beat_between(n);
		} while (b.at.more);
		if (is_buried(n, epoch, &buried, e) != 0)
			return -1;
		if (!buried)
			sleep_ms(20);
	}
	found->returned = b.at.returned;
	found->unread = b.at.unread;
	return 0;
}

static int
recover(
    struct node *n, int64_t dead, struct store_recovery *found, struct err *e)
{
	if (dead != 0 && bury_namesake(n, dead, found, e) != 0)
		return -1;
	return commit_recovery(n->store, found, e) == STORE_OK ? 0 : -1;
}

static char *
name_of(const struct store_config *c)
{
	char host[256] = "";

	if (c->node != NULL)
		return xstrdup(c->node);
	gethostname(host, sizeof(host) - 1);
	return xstrdup(host);
}

static struct node *
node_new(struct store *s, const struct store_config *config)
{
	struct node *n = xcalloc(1, sizeof(*n));

	n->store = s;
	n->config = pg_config_new(config);
	n->name = name_of(config);
	n->lease = config->lease;
	n->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&n->lock, NULL);
	str_init(&n->ruleset);
	str_init(&n->sources);
	str_init(&n->trouble);
	str_init(&n->marks);
	return n;
}

static int
start(struct node *n, struct err *e)
{
	int rc = pthread_create(&n->thread, NULL, node_main, n);

	if (rc != 0)
		return err_set(e, "cannot start thread: %s", strerror(rc));
	n->started = true;
	return 0;
}

int
node_join(struct store *s, const struct store_config *config,
    struct store_recovery *found, struct err *e)
{
	struct node *n = s->node = node_new(s, config);
	int64_t dead;

	if (!node_connect(n, e) || join(n, &dead, e) != 0)
		return -1;
	s->engine->epoch = n->epoch;
	n->beat_at = node_clock() + n->lease / BEAT_PART;
	/* The connection is the thread's after that. */
	return recover(n, dead, found, e) == 0 ? start(n, e) : -1;
}

/* -- leaving ------------------------------------------------------------- */

static void
wake(struct node *n)
{
	eventfd_write(n->wake, 1);
}

static void
stop_thread(struct node *n)
{
	atomic_store(&n->stopping, true);
	if (!n->started)
		return;
	wake(n);
	pthread_join(n->thread, NULL);
	n->started = false;
}

/* The store's last transactions: without the database, others will do it. */
static void
give_back(struct store *s)
{
	struct bury_progress p = { .more = true };
	struct err e = ERR_INIT;

	while (p.more)
		if (commit_leave(s, &p, &e) != STORE_OK) {
			log_text(LOG_WARN, "node-left",
			    "cannot leave, the others will notice: %s", e.text);
			return;
		}
}

void
node_leave(struct store *s)
{
	struct node *n = s->node;

	if (n == NULL)
		return;
	/* The row goes while the thread still beats: that is no fence. */
	if (n->started) {
		atomic_store(&n->stopping, true);
		if (!atomic_load(&n->fenced))
			give_back(s);
	}
	stop_thread(n);
	node_disconnect(n);
	close(n->wake);
	pthread_mutex_destroy(&n->lock);
	str_release(&n->ruleset);
	str_release(&n->sources);
	str_release(&n->trouble);
	str_release(&n->marks);
	free(n->name);
	pg_config_free(&n->config);
	free(n);
	s->node = NULL;
}

void
store_abandon(struct store *s)
{
	struct node *n = s->node;
	struct err e = ERR_INIT;
	char epoch[INT_TEXT];
	const char *p[1];

	if (n == NULL)
		return;
	atomic_store(&n->held_until, 0);
	stop_thread(n);
	p[0] = int_text(n->epoch, epoch);
	if (tell(n, "UPDATE node SET until = heard WHERE epoch = $1", 1, p,
		&e) != 0)
		log_text(LOG_WARN, "node-left",
		    "cannot leave, the others will notice: %s", e.text);
}

/* -- what others ask ----------------------------------------------------- */

void
node_changed(struct node *n, unsigned changes)
{
	if (changes != 0 && atomic_fetch_or(&n->changes, changes) == 0)
		wake(n);
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

bool
store_holds(const struct store *s)
{
	return s->node == NULL ||
	       (!atomic_load(&s->fenced) &&
		   node_clock() < atomic_load(&s->node->held_until));
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
