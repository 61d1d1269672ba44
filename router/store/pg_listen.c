/*
 * pg_listen.c - the node's thread: beats at their time, hears what others have
 * changed, and tells them of the queue.
 *
 * A notification tells at once; marks that are read every second tell what was
 * not heard, as behind a proxy that passes no notifications on. After a
 * connection was lost anything may have changed.
 */
#include "router/store/pg_node.h"

#include "mta/base/log.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define BEAT_PART  5	/* of a lease: beats that may be lost, and one more */
#define LOOK_EVERY 1000 /* ms */
#define TELL_EVERY 200	/* ms: all who notify wait for each other */

static const struct {
	const char *name;
	unsigned change;
} kinds[] = {
	{ "kept", STORE_CHANGED_KEPT },
	{ "rules", STORE_CHANGED_RULES },
	{ "queue", STORE_CHANGED_QUEUE },
	{ "node", STORE_CHANGED_NODES },
};
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))
#define ALL                                                                    \
	(STORE_CHANGED_KEPT | STORE_CHANGED_RULES | STORE_CHANGED_QUEUE |      \
	    STORE_CHANGED_NODES)

static unsigned
change_of(const char *name, size_t len)
{
	for (size_t i = 0; i < NKINDS; i++)
		if (strlen(kinds[i].name) == len &&
		    memcmp(kinds[i].name, name, len) == 0)
			return kinds[i].change;
	return 0;
}

/* -- hearing ------------------------------------------------------------- */

/* "kept 17": node 17 has changed something. */
static unsigned
read_notification(const struct node *n, const char *text)
{
	size_t len = strcspn(text, " ");
	bool own = strtoll(text + len, NULL, 10) == n->epoch;

	return own ? 0 : change_of(text, len);
}

static void
hear(struct node *n)
{
	unsigned changes = 0;
	PGnotify *heard;

	while ((heard = PQnotifies(n->conn)) != NULL) {
		changes |= read_notification(n, heard->extra);
		PQfreemem(heard);
	}
	/* What is asked of this node is in its row. */
	if (changes & STORE_CHANGED_NODES)
		n->beat_at = 0;
	store_tell_changes(n->store, changes);
}

#define MARKS                                                                  \
	"SELECT kind, string_agg(node || '.' || n, ',' ORDER BY node)"         \
	" FROM change_mark WHERE node <> $1 AND kind <> 'commit'"              \
	" GROUP BY kind ORDER BY kind"

/* Lines "KIND NODE.N,NODE.N". */
static void
read_marks(const PGresult *r, struct str *to)
{
	for (int i = 0; i < PQntuples(r); i++)
		str_addf(
		    to, "%s %s\n", PQgetvalue(r, i, 0), PQgetvalue(r, i, 1));
}

/* Of lines that were not there before. */
static unsigned
compare_marks(const char *now, const char *before)
{
	unsigned changes = 0;

	for (const char *line = now; *line != '\0';) {
		size_t len = strcspn(line, "\n") + 1;
		const char *same = memmem(before, strlen(before), line, len);

		if (same == NULL || (same != before && same[-1] != '\n'))
			changes |= change_of(line, strcspn(line, " "));
		line += len;
	}
	return changes;
}

static void
look_at_marks(struct node *n)
{
	struct str now = STR_INIT;
	struct err e = ERR_INIT;
	char epoch[24];
	const char *p[] = { epoch };
	PGresult *r;

	snprintf(epoch, sizeof(epoch), "%lld", (long long)n->epoch);
	r = node_ask(n, MARKS, 1, p, &e);
	if (r != NULL) {
		read_marks(r, &now);
		store_tell_changes(
		    n->store, compare_marks(now.data, n->marks.data));
		str_clear(&n->marks);
		str_adds(&n->marks, now.data);
	}
	str_release(&now);
	PQclear(r);
}

/* -- leading ------------------------------------------------------------- */

/* The lock is the session's, and goes with it. */
#define LEAD "SELECT pg_try_advisory_lock(x'4f697761'::int, 3)"

static void
lead_if_nobody_does(struct node *n)
{
	struct err e = ERR_INIT;
	PGresult *r;

	if (n->conn == NULL || atomic_load(&n->leads))
		return;
	r = node_ask(n, LEAD, 0, NULL, &e);
	if (PQntuples(r) == 1 && PQgetvalue(r, 0, 0)[0] == 't') {
		atomic_store(&n->leads, true);
		log_text(LOG_INFO, "node-leads",
		    "node '%s' does what is done once for all", n->name);
	}
	PQclear(r);
}

/* -- telling ------------------------------------------------------------- */

#define TELL                                                                   \
	"WITH m AS (INSERT INTO change_mark(node, kind, n)"                    \
	" VALUES($1::bigint, 'queue', 1) ON CONFLICT (node, kind)"             \
	" DO UPDATE SET n = change_mark.n + 1)"                                \
	" SELECT pg_notify('oiwake', 'queue ' || $1)"

static void
tell_of_queue(struct node *n)
{
	struct err e = ERR_INIT;
	char epoch[24];
	const char *p[] = { epoch };

	if (!(atomic_exchange(&n->changes, 0) & STORE_CHANGED_QUEUE))
		return;
	snprintf(epoch, sizeof(epoch), "%lld", (long long)n->epoch);
	PQclear(node_ask(n, TELL, 1, p, &e));
}

/* -- the thread ---------------------------------------------------------- */

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
connect_again(struct node *n)
{
	int64_t most = n->lease / BEAT_PART;
	struct err e = ERR_INIT;

	if (!node_connect(n, &e)) {
		if (n->failures == 0)
			log_text(LOG_WARN, "node", "%s", e.text);
		/* After an outage the others wait for a lease. */
		n->connect_at =
		    node_clock() + earlier(pg_back_off(n->failures++), most);
		n->fine_since = INT64_MAX;
		return;
	}
	n->failures = 0;
	n->beat_at = 0;
}

/* What has changed before is not told. */
static void
listen_now(struct node *n)
{
	struct err e = ERR_INIT;

	PQclear(node_ask(n, "LISTEN oiwake", 0, NULL, &e));
	store_tell_changes(n->store, ALL);
}

static void
beat_if_due(struct node *n, int64_t now)
{
	if (now < n->beat_at || n->conn == NULL)
		return;
	n->beat_at = now + n->lease / BEAT_PART;
	if (node_beat(n))
		node_look_for_dead(n);
}

static void
do_what_is_due(struct node *n)
{
	if (n->conn == NULL && node_clock() >= n->connect_at) {
		connect_again(n);
		beat_if_due(n, node_clock());
		if (n->conn != NULL)
			listen_now(n);
	}
	beat_if_due(n, node_clock());
	if (n->conn != NULL && node_clock() >= n->look_at) {
		n->look_at = node_clock() + LOOK_EVERY;
		look_at_marks(n);
		lead_if_nobody_does(n);
	}
	if (n->conn != NULL && node_clock() >= n->tell_at &&
	    atomic_load(&n->changes) != 0) {
		n->tell_at = node_clock() + TELL_EVERY;
		tell_of_queue(n);
	}
	if (n->conn != NULL)
		hear(n);
}

static int
time_left(const struct node *n)
{
	int64_t at = n->connect_at, left;

	if (n->conn != NULL) {
		at = earlier(n->beat_at, n->look_at);
		if (atomic_load(&n->changes) != 0)
			at = earlier(at, n->tell_at);
	}
	left = at - node_clock();
	return left < 0 ? 0 : (int)left;
}

static void
wait_for_something(struct node *n)
{
	struct pollfd p[2] = { { .fd = n->wake, .events = POLLIN },
		{ .fd = n->conn != NULL ? PQsocket(n->conn) : -1,
		    .events = POLLIN } };
	eventfd_t woken;

	if (poll(p, 2, time_left(n)) <= 0)
		return;
	if (p[0].revents != 0)
		(void)eventfd_read(n->wake, &woken);
	if (p[1].revents != 0 && PQconsumeInput(n->conn) == 0)
		node_disconnect(n);
}

void *
node_main(void *arg)
{
	struct node *n = arg;

	listen_now(n);
	while (!atomic_load(&n->stopping) && !atomic_load(&n->fenced)) {
		do_what_is_due(n);
		wait_for_something(n);
	}
	return NULL;
}
