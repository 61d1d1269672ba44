/*
 * pause.h - what an operator has stopped: paths, sources and groups that rest, sources that take
 * nothing new.
 *
 * A pause holds what would go by the path, from the source or to the group (a receiving system, else
 * a domain): it waits until the time given or until somebody resumes it. A drain sends what would
 * leave by a source from another one of its pool. Both are kept in the store, and every change calls
 * core_pauses_changed. Core thread only.
 */
#ifndef ROUTER_PAUSE_H
#define ROUTER_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct pauses;

enum pause_kind { PAUSE_PATH, PAUSE_SOURCE, PAUSE_GROUP, PAUSE_DRAIN };
#define PAUSE_KINDS 4
const char *pause_kind_name(enum pause_kind); /* "path", "source", "group", "drain" */

struct pause {
	enum pause_kind kind;
	const char *name;
	const char *who, *why; /* why: "" when nobody said */
	int64_t at;            /* wall ms */
	int64_t until;         /* wall ms; 0: until resumed */
};

/* Reads what is kept; before the store's first request. */
struct pauses *pauses_new(struct core *);
void pauses_free(struct pauses **);

/* In force at once, instead of an earlier one of that kind and name. `done` is called when it is
 * kept, with NULL, or with the reason why it will not outlive a restart. Copies. */
void pauses_set(struct pauses *, const struct pause *, void (*done)(void *arg, const char *why),
    void *arg);
/* Ends it. False, and `done` is not called, when there is none. */
bool pauses_end(struct pauses *, enum pause_kind, const char *name, const char *who,
    void (*done)(void *arg, const char *why), void *arg);

/*
 * Whether what leaves by that path and source for that group has to wait. *until: the latest wall ms
 * that is known, INT64_MAX: until resumed. *why: for people, valid until the next change. Any of the
 * names may be "".
 */
bool pauses_rest(const struct pauses *, const char *path, const char *source, const char *group,
    int64_t *until, const char **why);
bool pauses_drained(const struct pauses *, const char *source);

/* In the order of kind and name. */
void pauses_each(const struct pauses *, void (*each)(void *arg, const struct pause *), void *arg);

#endif
