/*
 * worker.c - one thread of the store and what waits for it.
 */
#include "router/store/store_int.h"

#include "mta/base/clock.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

void
worker_init(struct worker *w)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	STAILQ_INIT(&w->tasks);
	w->closing = w->started = false;
}

int
worker_start(struct worker *w, void *(*run)(void *), void *arg, struct err *e)
{
	sigset_t all, old;
	int rc;

	/* Signals are for the thread that has a loop to handle them in. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = rc;
	if (rc != 0)
		return err_sys(e, "cannot start a thread of the store");
	w->started = true;
	return 0;
}

void
worker_post(struct worker *w, struct task *t)
{
	bool first;

	pthread_mutex_lock(&w->lock);
	first = STAILQ_EMPTY(&w->tasks);
	STAILQ_INSERT_TAIL(&w->tasks, t, link);
	/* With the lock held: once the task is done the worker may be closed.
	 */
	if (first)
		pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void
worker_close(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->closing = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (w->started)
		pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
}

/* Until there is something to do or it is time. With the lock held. */
static void
wait_for_work(struct worker *w, int64_t until)
{
	struct timespec ts = { .tv_sec = (time_t)(until / 1000),
		.tv_nsec = (long)(until % 1000) * 1000000 };
	int rc = 0;

	while (STAILQ_EMPTY(&w->tasks) && !w->closing && rc == 0)
		rc = until == INT64_MAX
			 ? pthread_cond_wait(&w->wake, &w->lock)
			 : pthread_cond_timedwait(&w->wake, &w->lock, &ts);
}

bool
worker_take(struct worker *w, struct task_list *list, size_t max, int64_t until)
{
	struct task *t;
	bool more;

	pthread_mutex_lock(&w->lock);
	wait_for_work(w, until);
	more = !w->closing || !STAILQ_EMPTY(&w->tasks);
	while (max-- > 0 && (t = STAILQ_FIRST(&w->tasks)) != NULL) {
		STAILQ_REMOVE_HEAD(&w->tasks, link);
		STAILQ_INSERT_TAIL(list, t, link);
	}
	pthread_mutex_unlock(&w->lock);
	return more;
}
