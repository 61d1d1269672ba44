/*
 * pg_join.c - a node joins the others, and leaves them.
 *
 * A name is one node's at a time: who finds another under his own waits whether
 * it lives, and buries it when it does not (pg_node.c).
 */
#include "router/store/pg_node.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "router/store/process.h"
#include "router/version.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* One at a time joins. */
#define JOIN_LOCK "SELECT pg_advisory_xact_lock(x'4f697761'::int, 2)"

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
	    "SELECT epoch, heard, until - " NODE_NOW ", host, process FROM node"
	    " WHERE name = $1 AND buried = 0",
	    1, p, e);

	if (r == NULL)
		return -1;
	free(s->host);
	*s = (struct namesake){ .found = PQntuples(r) > 0 };
	if (s->found) {
		s->epoch = node_int_at(r, 0, 0);
		s->heard = node_int_at(r, 0, 1);
		s->left = node_int_at(r, 0, 2);
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
	int64_t heard, step = n->lease / NODE_MARGIN_PART;

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
	char epoch[NODE_INT_TEXT];
	const char *p[] = { node_int_text(s->epoch, epoch) };

	return node_tell(n,
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
	" $1, $2, $3, $4, " NODE_NOW ", " NODE_NOW ", " NODE_NOW               \
	" + $5, 0, '', '', '', 0, 0,"                                          \
	" 0 RETURNING epoch, slot"

static int
add_row(struct node *n, struct err *e)
{
	char host[256] = "", lease[NODE_INT_TEXT];
	char *process = process_identity();
	const char *p[] = { n->name, host, process, OIWAKE_VERSION,
		node_int_text(n->lease, lease) };
	int64_t sent = node_clock();
	PGresult *r;

	gethostname(host, sizeof(host) - 1);
	r = node_ask(n, JOIN, 5, p, e);
	free(process);
	if (r == NULL)
		return -1;
	n->epoch = node_int_at(r, 0, 0);
	n->slot = (unsigned)node_int_at(r, 0, 1);
	n->fine_since = n->beaten = sent;
	node_hold_from(n, sent);
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
	    node_tell(n, "BEGIN", 0, NULL, e) != 0 ||
	    node_tell(n, JOIN_LOCK, 0, NULL, e) != 0 ||
	    find_namesake(n, &s, e) != 0)
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
	    node_tell(n, "SELECT pg_notify('oiwake', 'node 0')", 0, NULL, e) ==
		0)
		ret = node_tell(n, "COMMIT", 0, NULL, e);
out:
	free(s.host);
	return ret;
}

static int
is_buried(struct node *n, int64_t epoch, bool *is, struct err *e)
{
	char text[NODE_INT_TEXT];
	const char *p[] = { node_int_text(epoch, text) };
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
	n->beat_at = node_clock() + n->lease / NODE_BEAT_PART;
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
	n->beat_at = node_clock() + n->lease / NODE_BEAT_PART;
	/* The connection is the thread's after that. */
	return recover(n, dead, found, e) == 0 ? start(n, e) : -1;
}

/* -- leaving ------------------------------------------------------------- */

static void
stop_thread(struct node *n)
{
	atomic_store(&n->stopping, true);
	if (!n->started)
		return;
	node_wake(n);
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
	char epoch[NODE_INT_TEXT];
	const char *p[1];

	if (n == NULL)
		return;
	atomic_store(&n->held_until, 0);
	stop_thread(n);
	p[0] = node_int_text(n->epoch, epoch);
	if (node_tell(n, "UPDATE node SET until = heard WHERE epoch = $1", 1, p,
		&e) != 0)
		log_text(LOG_WARN, "node-left",
		    "cannot leave, the others will notice: %s", e.text);
}
