/*
 * rules_restore.h - the files of an earlier rule set: where they belong, which of them differ from
 * what is there, writing those, and putting all back.
 *
 * Blocks on the disk. Any thread; whoever writes holds the folder's lock (router/rules_files.h).
 */
#ifndef ROUTER_RULES_RESTORE_H
#define ROUTER_RULES_RESTORE_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/err.h"
#include "rules/rules.h"

/* A set as it was kept; all is borrowed. */
struct rules_set {
	const char *version;
	struct rules_file *file; /* n of them, in the order of reading: the main one first */
	size_t n;
};

/* One file of a set and what stands in its place. */
struct restored {
	char *name;                 /* on disk */
	const struct rules_file *want;
	char *old;                  /* NULL: there was no such file */
	size_t old_len;
	bool applied;               /* the old text is in force */
	char *kept;                 /* the name of a copy of one that is not; NULL: none */
	bool written;
};

struct rules_change;

struct restore {
	struct restored *file;      /* n of them, in the order of reading */
	size_t n;
	struct rules_file *set;     /* the same under their names on disk, texts borrowed */
	struct rules_change *change;
};

/* Where on disk a stored name belongs: what lay in or below the folder of the set's main file, in or
 * below that of `rules_file`. The caller frees. */
char *restore_name(const char *stored, const char *stored_main, const char *rules_file);
/* In or below the folder of that file. */
bool restore_is_inside(const char *name, const char *rules_file);
/* Reads what is there. -1 with *e set when it cannot be read; to be cleared in any case. */
int restore_init(struct restore *, const struct rules_set *, const struct rules_set *running,
    const char *rules_file, struct err *e);
void restore_clear(struct restore *);
bool restore_has(const struct restore *, const char *name);
bool restore_differs(const struct restored *);
/* A file that one of the set's wildcards finds and that is not of the set: to be freed; NULL: none. */
char *restore_foreign(const struct restore *);
/* Keeps edits that never were in force, then writes what differs; `journal` as in rules_change.h.
 * After -1 the caller undoes it. */
int restore_write(struct restore *, const char *journal, struct err *e);
/* As it was before. -1: *e names one that cannot be put back, which is still `written`. */
int restore_undo(struct restore *, struct err *e);

#endif
