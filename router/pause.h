/*
 * pause.h - what has been stopped: paths, sources and groups that rest, mail that is put back, sources
 * that take nothing new.
 *
 * A pause holds what would go by the path, from the source or to the group (a receiving system, else
 * a domain): it waits until the time given or until somebody resumes it. A pause of mail (mail_scope.h)
 * has what it is about wait in the store, out of everybody's way. A drain sends what would leave by a
 * source from another one of its pool. All are kept in the store, and every change calls
 * core_pauses_changed. Core thread only.
 */
#ifndef ROUTER_PAUSE_H
#define ROUTER_PAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;
struct pauses;

struct mail_scope;

enum pause_kind { PAUSE_PATH, PAUSE_SOURCE, PAUSE_GROUP, PAUSE_DRAIN, PAUSE_MAIL };
#define PAUSE_KINDS 5
const char *pause_kind_name(enum pause_kind); /* "path", "source", "group", "drain", "mail" */

#define PAUSE_MAIL_MAX 300 /* of mail at once; every recipient is held against each */
/* `who` of a pause of mail that ends when the guard (guard.h) says so, whatever its `until`. */
#define PAUSE_GUARD "guard"

struct pause {
	enum pause_kind kind;
	const char *name;      /* of mail: the scope's canonical text */
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

/* The same for mail that is described in full; at once when there is no such pause. */
bool pauses_mail(const struct pauses *, const struct mail_scope *mail, int64_t *until,
    const char **why);
/* So many recipients of the mail of that name may go all the same, to see what becomes of them. */
void pauses_let_pass(struct pauses *, const char *name, unsigned n);
/* How many of them have not come yet. */
unsigned pauses_passes(const struct pauses *, const char *name);
/* Whether one that is held is among those: then it was counted. */
bool pauses_pass(struct pauses *, const struct mail_scope *mail);

/* NULL: there is none. Valid until the next change. */
const struct pause *pauses_find(const struct pauses *, enum pause_kind, const char *name);
size_t pauses_of_mail(const struct pauses *); /* how many */

/* core_nodes.c: all that is kept, by whatever node. Theirs are in force here from now on, and those that they have ended
 * are over. */
struct kept;
void pauses_kept(struct core *, const struct kept *, size_t n);

/* In the order of kind and name. */
void pauses_each(const struct pauses *, void (*each)(void *arg, const struct pause *), void *arg);

#endif
