/*
 * hooks_int.h - inside of the hooks.
 *
 *	hooks.c      the thread, settings
 *	hooks_shown.c rows for people
 *	hook_read.c  from the event log into a hook's window
 *	hook_tell.c  from the window to the application
 *	hook_pick.c  who goes next
 *	hook_fail.c  what a failure means; hook_wait.c how long it waits; hook_bury.c what is not wanted
 *	hook_keep.c  how far it has come, on disk
 *	hook_post.c  one POST: its body, its signature
 *	hook_file.c  lines at the end of a file
 *
 * A window holds what has been read and not been told, in the order of the log, so the cursor is what stands
 * before its first item. All in the thread of the hooks but what `lock` guards.
 */
#ifndef ROUTER_EVENTS_HOOKS_INT_H
#define ROUTER_EVENTS_HOOKS_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "mta/base/inbox.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/events/event_json.h"
#include "router/events/hooks.h"
#include "router/events/told.h"
#include "router/store/store.h"

#define HOOK_WINDOW 256 /* events of one hook in memory, or one more */
#define HOOK_BATCH  100 /* of them in one POST */

struct event;
struct event_base;
struct https_call;
struct https;

/* An event that is to be told. */
struct hook_item {
	TAILQ_ENTRY(hook_item) link;
	int64_t seq, at, message;
	unsigned index;
	char id[EVENT_ID_MAX];
	char *text;             /* its JSON */
	size_t len;
	bool flying;            /* on its way in a post, or to the dead letters */
	bool alone;             /* it was refused in company */
	unsigned tries;         /* that failed */
	unsigned refusals;      /* see hook_fail.c */
	uint64_t told_then;     /* the hook's `told` at its first failure */
	int64_t not_before;     /* mono ms */
};
TAILQ_HEAD(hook_items, hook_item);
void hook_item_free(struct hook_item **);

/* One request for events; with it a new place to read from may be found. */
struct hook_reading {
	struct store_query query;
	struct hook *hook;
	struct config *config;  /* a reference */
	struct told_reading told;
	enum { FIND_NOTHING, FIND_KEPT, FIND_SINCE } find;
	int64_t since;          /* wall ms, for FIND_SINCE */
	unsigned generation;
	unsigned before;        /* events that the window has */
	struct hook_items items;/* out */
	unsigned n;
	int64_t lost, last;     /* out: rows that are no more; the newest seq */
};

struct hook_post;
struct hook_letter;

struct hook {
	LIST_ENTRY(hook) link;
	struct hooks *hooks;
	const struct config_hook *config; /* of hooks->config */
	enum hook_kind kind;
	char *name;
	bool known;             /* where to begin */
	bool gone;              /* no longer in the settings: freed when nothing is pending; written under lock */

	/* The log. */
	int64_t read_to;
	bool moved;             /* since it was put on disk */
	unsigned unkept;        /* events told since */
	int64_t kept_at;        /* wall ms */
	bool more;              /* there is more to read */
	int find;               /* of a reading that is to be made again: see hook_reading */
	int64_t find_since;
	unsigned readings;      /* requests that are not back */
	unsigned generation;    /* of the window: what was asked for an earlier one is thrown away */
	struct hook_items window;
	unsigned n, troubled;   /* of the window; those of them that have failed */

	/* The application. */
	LIST_HEAD(, hook_post) posts;
	unsigned nposts, burying;
	struct event *timer;
	unsigned failures;      /* of the hook as a whole, in a row */
	int64_t next;           /* mono ms before which nothing is sent */
	int fd;                 /* of a file; -1 */
	bool said;              /* that it fails, in the log */
	int64_t quiet_until;    /* mono ms: not before that once more */

	struct hook_shown {     /* guarded by hooks->lock */
		int64_t cursor, read_to, waiting; /* rows of the window */
		uint64_t told, failed;
		int64_t failing_since;
		char why[300];
	} shown;
};
LIST_HEAD(hook_list, hook);

struct hooks {
	pthread_t thread;
	struct event_base *base;
	struct inbox *inbox;
	struct https *https;
	struct store *store;
	struct config *config;  /* a reference */
	struct store_watch watch;
	struct event *tick;     /* each second */
	bool stopping;
	bool shared;            /* other nodes write events as well, and numbers of the log have gaps */
	_Atomic(bool) leads;    /* this node tells; else another one does, and hooks know no place */

	struct store_query look; /* for `last`, when hooks have no room to read on */
	int64_t looked;         /* out: what it found */
	bool looking, news;     /* there were commits since it was asked */

	struct event *soon;     /* cursors go to disk */
	bool keep_pending;      /* are on their way there */
	_Atomic(uint64_t) commits; /* that wrote events, or more of them at once */

	pthread_mutex_t lock;
	pthread_cond_t begun;
	bool ready;             /* each hook of the beginning knows where it begins */
	struct hook_list list;  /* changed with the lock held */
	int64_t last;           /* newest seq of the log that is known; guarded by lock */
};

/* hooks.c: when nothing of it is pending any more, a hook that is gone is freed, and the thread that is to stop
 * does. */
void hooks_look_for_end(struct hooks *);
void hooks_begun(struct hooks *);
int64_t hook_cursor(const struct hook *);
struct hook *hooks_find(struct hooks *, const char *name);
const struct config_hook *hooks_find_config(const struct config *, const char *name);

/* hooks_shown.c */
void hooks_look(struct hooks *);

/* hook_keep.c */
void hooks_keep(struct hooks *); /* of all that have moved, now */
void hook_keep_soon(struct hook *, unsigned told);
bool hook_keep_first(const struct hook *); /* nothing is to be told before it is on disk */
void hook_place_add(struct str *, const struct hook *);
int64_t hook_place_next(const char **text);

/* hook_read.c */
void hook_read(struct hook *); /* when there is room and may be something */
void hook_find(struct hook *, int find, int64_t since); /* forgets its window and begins there */
void hook_forget_window(struct hook *);

/* hook_tell.c */
void hook_tell(struct hook *); /* whatever may go now */
void hook_told(struct hook *, struct hook_item **); /* it was */
void hook_again_after(struct hook *, int64_t ms);

/* hook_pick.c: what may go together now; how many. */
size_t hook_pick(struct hook *, struct hook_item *out[static HOOK_BATCH], int64_t now);

/* hook_fail.c */
/* How many have failed together; `status` 0: no answer. `wait` ms: as the application wishes; 0. */
void hook_failed(struct hook *, struct hook_item *const *, size_t n, int status, int64_t wait, const char *why);
void hook_log(const struct hook *, enum log_level, const char *result, const char *id, const char *why);
void hook_leave_window(struct hook *, struct hook_item **);
void hook_end_of_trouble(struct hook *);

/* hook_wait.c */
int64_t hook_backoff(const struct config_hook *, unsigned failures);
/* Of a Retry-After (RFC 9110 10.2.3), at wall ms `now`: ms to wait, at most `most`; 0: it says nothing. */
int64_t hook_retry_after(const char *text, int64_t now, int64_t most);
bool hook_is_refusal(int status);

/* hook_bury.c */
void hook_bury(struct hook *, struct hook_item *, const char *why);

/* hook_post.c */
void hook_post(struct hook *, struct hook_item *const *, size_t n);
void hook_post_free_all(struct hook *);
/* Adds what is sent and how it is named; for tests. */
void hook_post_sns_body(struct str *, const struct config_hook *, const struct hook_item *);
void hook_post_signature(struct str *, const struct config_hook *, const char *id, int64_t seconds,
    const char *body, size_t len);

/* hook_file.c */
void hook_file_tell(struct hook *);
void hook_file_close(struct hook *);

#endif
