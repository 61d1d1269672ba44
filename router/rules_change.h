/*
 * rules_change.h - several files of rules get new texts together.
 *
 * No file system renames two files at once, so: every new text is on disk beside its file, in a
 * file of its own, before the first of them takes its place; and what is about to be done stands in
 * a journal before it is begun. A process that is killed at any moment leaves each file whole, and
 * rules_change_recover at the next start ends what was begun, before anybody reads the rules:
 *
 *	killed while texts are written        all files are the old ones, the new texts are removed
 *	killed once the journal says "ready"  all files become the new ones
 *	killed while a change is undone       the same the other way round: all become the old ones
 *
 * A file that somebody has edited since stays as it is, and the report says so. Without a journal
 * (of a command that is watched by a person) a kill may leave some files new and some old.
 *
 * Blocks on the disk. Any thread; whoever uses it holds the folder's lock (router/rules_files.h).
 */
#ifndef ROUTER_RULES_CHANGE_H
#define ROUTER_RULES_CHANGE_H

#include <stddef.h>

#include "mta/base/err.h"

struct rules_change;
struct str;

/* `journal` is the name of its file, in a folder that is there; NULL: none. */
struct rules_change *rules_change_new(const char *journal);
/* Removes what was written beside and is not in place, and the journal. What is in place stays. */
void rules_change_free(struct rules_change **);
/* The new text lies beside that file, a symbolic link being followed. -1: it cannot be. */
int rules_change_add(struct rules_change *, const char *name, const char *text, size_t len,
    struct err *e);
/* All new texts take their places. -1: none has; e says so where one could not be put back. */
int rules_change_make(struct rules_change *, struct err *e);
/* After that, the old texts again. A file that was none is removed. -1: not all of them. */
int rules_change_undo(struct rules_change *, struct err *e);

/* Ends what a process that was killed has left behind. What was done is in *report, a line each for
 * people; nothing is added when there was nothing. */
void rules_change_recover(const char *journal, struct str *report);

#endif
