/*
 * inbox.h - how one thread hands work to another.
 *
 * State has one owner, so threads do not share it: they post tasks. A task is embedded in the
 * request it carries (use container_of below); posting hands the whole request over, and the
 * poster does not touch it again until it comes back.
 *
 * An inbox belongs to one event base and runs its tasks there, in the order posted. Tasks that
 * gather while the loop is busy are run together, with one wake-up.
 */
#ifndef MTA_BASE_INBOX_H
#define MTA_BASE_INBOX_H

#include <stddef.h>
#include <sys/queue.h>

struct event_base;

struct task {
	STAILQ_ENTRY(task) link;
	void (*run)(struct task *);
};
STAILQ_HEAD(task_list, task);

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct inbox;

struct inbox *inbox_new(struct event_base *); /* in the owner's thread, before its loop runs */
/* Only when nobody can post any more; runs what is left first. */
void inbox_free(struct inbox **);

/* Any thread. The task's `run` is called in the owner's thread. */
void inbox_post(struct inbox *, struct task *);
/* As inbox_post for a whole list, in order; the list is empty afterwards. */
void inbox_post_all(struct inbox *, struct task_list *);

#endif
