/*
 * pg_dial.c - connects again in a thread of its own, while the database is
 * away.
 *
 * One attempt at a time, each followed by a pause that grows (pg_back_off).
 * Names may have to be resolved, tokens fetched and servers waited for that do
 * not answer; whoever asks for the connection waits for no longer than he
 * wants.
 */
#include "router/store/pg.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct pg_dial {
	struct store_config *config;
	enum pg_use use;
	unsigned attempts; /* in vain */
	int64_t retry_at;  /* mono ms */
	pthread_t thread;
	bool running; /* the thread is there, and to be joined */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* on the monotonic clock */
	bool done;	     /* guarded by lock, like the next two */
	PGconn *conn;	     /* what has become of it; NULL: */
	struct err err;
};

struct pg_dial *
pg_dial_new(const struct store_config *config, enum pg_use use)
{
	struct pg_dial *d = xcalloc(1, sizeof(*d));
	pthread_condattr_t attr;

	d->config = pg_config_new(config);
	d->use = use;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->wake, &attr);
	pthread_condattr_destroy(&attr);
	return d;
}

/* A database that is there has to be ours still: it may have been restored. */
static PGconn *
connect_whole(const struct pg_dial *d, struct err *e)
{
	PGconn *conn = pg_connect(d->config, d->use, e);

	if (conn == NULL || pg_schema_check(conn, e) == 0)
		return conn;
	PQfinish(conn);
	return NULL;
}

static void *
dial_main(void *arg)
{
	struct pg_dial *d = arg;
	struct err e = ERR_INIT;
	PGconn *conn = connect_whole(d, &e);

	pthread_mutex_lock(&d->lock);
	d->conn = conn;
	d->err = e;
	d->done = true;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static int
start(struct pg_dial *d, struct err *e)
{
	sigset_t all, old;
	int rc;

	d->done = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&d->thread, NULL, dial_main, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = rc;
	if (rc != 0)
		return err_sys(e, "cannot start a thread of the store");
	d->running = true;
	return 0;
}

static struct timespec
time_of(int64_t mono)
{
	return (struct timespec){ .tv_sec = (time_t)(mono / 1000),
		.tv_nsec = (long)(mono % 1000) * 1000000 };
}

/* True: it has been decided. */
static bool
wait_until(struct pg_dial *d, int64_t until)
{
	struct timespec ts = time_of(until);
	bool done;
	int rc = 0;

	pthread_mutex_lock(&d->lock);
	while (!d->done && rc == 0)
		rc = pthread_cond_timedwait(&d->wake, &d->lock, &ts);
	done = d->done;
	pthread_mutex_unlock(&d->lock);
	return done;
}

/* What the thread has come to. */
static PGconn *
take(struct pg_dial *d, struct err *e)
{
	PGconn *conn = d->conn;

	pthread_join(d->thread, NULL);
	d->running = false;
	d->conn = NULL;
	if (conn != NULL) {
		d->attempts = 0;
		return conn;
	}
	*e = d->err;
	d->retry_at = clock_mono() + pg_back_off(d->attempts++);
	return NULL;
}

static void
pause_until(int64_t mono)
{
	struct timespec ts = time_of(mono);

	while (
	    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

PGconn *
pg_dial(struct pg_dial *d, int64_t ms, struct err *e)
{
	int64_t until = clock_mono() + ms;
	PGconn *conn = NULL;

	do {
		if (!d->running && d->retry_at > until) {
			err_set(e, "the database was not there a moment ago");
			break;
		}
		if (!d->running)
			pause_until(d->retry_at);
		if (!d->running && start(d, e) < 0)
			break;
		if (!wait_until(d, until)) {
			err_set(e, "the database has not answered yet");
			break;
		}
		conn = take(d, e);
	} while (conn == NULL && clock_mono() < until);
	return conn;
}

void
pg_dial_free(struct pg_dial **dp)
{
	struct pg_dial *d = *dp;

	if (d == NULL)
		return;
	if (d->running)
		pthread_join(d->thread, NULL);
	if (d->conn != NULL)
		PQfinish(d->conn);
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->lock);
	pg_config_free(&d->config);
	free(d);
	*dp = NULL;
}
