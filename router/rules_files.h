/*
 * rules_files.h - a file of rules as what it is: anybody's bytes, of bounded size; and how one is
 * replaced so that nobody ever reads half of it.
 *
 * Blocks on the disk. Any thread, but one folder is changed by whoever holds its lock.
 */
#ifndef ROUTER_RULES_FILES_H
#define ROUTER_RULES_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "mta/base/err.h"

/* All of a regular file, or of standard input ("-"), of at most RULES_FILE_MAX bytes; a NUL follows.
 * NULL with *e set, e->code being ENOENT when there is none. The caller frees. */
char *rules_file_read(const char *name, size_t *len, struct err *e);
/* The whole new text is there, on disk and with the mode and owner of the old file where that may be
 * kept, or the old one is. A symbolic link stays, and what it names is replaced. */
int rules_file_replace(const char *name, const char *text, size_t len, struct err *e);
/* A new file with the mode and owner of `like`; e->code is EEXIST when it is there already. */
int rules_file_keep(const char *name, const char *like, const char *text, size_t len, struct err *e);

/*
 * The steps of the above. `real` is the file that a name means, all symbolic links followed, and st
 * what it is now; nothing when there is none yet. The caller frees `real`, after -1 as well.
 */
struct rules_place {
	char *real;
	struct stat st;
	bool exists;
};
int rules_place_find(struct rules_place *, const char *name, struct err *e);
/* A new file of that name with this text, on disk, with mode and owner of another (NULL: as the shell
 * would make it). Its name lasts once the folder is on disk. -1: it is not there. */
int rules_file_create(const char *name, const struct stat *like, const char *text, size_t len,
    struct err *e);
/* Names in the folder of that file last from now on. */
int rules_folder_sync(const char *name);
/* ".NAME" and `suffix` in the same folder: no wildcard of an include finds it. The caller frees. */
char *rules_file_beside(const char *name, const char *suffix);

/* Nobody else changes the rules in the folder of that file until the descriptor is closed. -1 with
 * *e, e->code being EWOULDBLOCK when somebody does just now. */
int rules_folder_lock(const char *rules_file, struct err *e);

#endif
