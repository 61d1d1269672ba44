/*
 * inbox.c - how one thread hands work to another.
 *
 * An eventfd wakes the owner; it is written only by the post that finds the list empty, and with the
 * lock held: once its task has run, the owner may free the inbox.
 */
#include "mta/base/inbox.h"

#include "mta/base/alloc.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct inbox {
	pthread_mutex_t lock;
	struct task_list tasks; /* guarded by lock */
	struct event *wake;
	int fd;
};

static bool
run_all(struct inbox *in)
{
	struct task_list mine = STAILQ_HEAD_INITIALIZER(mine);
	struct task *t;
	bool any;

	pthread_mutex_lock(&in->lock);
	STAILQ_CONCAT(&mine, &in->tasks);
	pthread_mutex_unlock(&in->lock);
	any = !STAILQ_EMPTY(&mine);
	while ((t = STAILQ_FIRST(&mine)) != NULL) {
		STAILQ_REMOVE_HEAD(&mine, link);
		t->run(t);
	}
	return any;
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct inbox *in = arg;
	uint64_t n;

	(void)what;
	/* Read first: a post from now on finds the list empty or writes again. */
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	run_all(in);
}

struct inbox *
inbox_new(struct event_base *base)
{
	struct inbox *in = xcalloc(1, sizeof(*in));

	pthread_mutex_init(&in->lock, NULL);
	STAILQ_INIT(&in->tasks);
	in->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert(in->fd >= 0);
	in->wake =
	    event_new(base, in->fd, EV_READ | EV_PERSIST, on_wake, in);
	assert(in->wake != NULL && event_add(in->wake, NULL) == 0);
	return in;
}

void
inbox_free(struct inbox **inp)
{
	struct inbox *in = *inp;

	if (in == NULL)
		return;
	while (run_all(in))
		;
	event_free(in->wake);
	close(in->fd);
	pthread_mutex_destroy(&in->lock);
	free(in);
	*inp = NULL;
}

static void
wake(struct inbox *in)
{
	uint64_t one = 1;
	ssize_t n = write(in->fd, &one, sizeof(one));

	(void)n; /* fails only when the counter is full, and then the owner wakes anyway */
}

void
inbox_post(struct inbox *in, struct task *t)
{
	bool first;

	pthread_mutex_lock(&in->lock);
	first = STAILQ_EMPTY(&in->tasks);
	STAILQ_INSERT_TAIL(&in->tasks, t, link);
	if (first)
		wake(in);
	pthread_mutex_unlock(&in->lock);
}

void
inbox_post_all(struct inbox *in, struct task_list *list)
{
	bool first;

	if (STAILQ_EMPTY(list))
		return;
	pthread_mutex_lock(&in->lock);
	first = STAILQ_EMPTY(&in->tasks);
	STAILQ_CONCAT(&in->tasks, list);
	if (first)
		wake(in);
	pthread_mutex_unlock(&in->lock);
}
