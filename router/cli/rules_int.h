/*
 * rules_int.h - what the verbs of `oiwake rules` share.
 *
 *	rules.c           the verbs and their options; history, show
 *	rules_diff.c      diff: two sets asked about the same mail; its output
 *	rules_moves.c     what would go another way, counted and put in order
 *	rules_against.c   a list of addresses instead of recorded mail
 *	rules_rollback.c  rollback: files as they were in a set, and a reload
 *	rules_restore.c   those files: which differ, writing them, putting them back
 *	rules_fmt.c       fmt
 *	rules_set.c       a set as the daemon hands it out
 *	rules_file.c      reading and replacing one file
 */
#ifndef ROUTER_CLI_RULES_INT_H
#define ROUTER_CLI_RULES_INT_H

#include "mta/base/err.h"
#include "router/cli/cli.h"
#include "rules/rules.h"

enum rules_option {
	RULES_LIMIT,
	RULES_FILE,
	RULES_SINCE,
	RULES_AGAINST,
	RULES_EXPECT_NONE,
	RULES_WRITE,
	RULES_CHECK,
};

/* The verbs; argv begins behind the verb's name. */
int rules_diff(const struct cli_command *, const struct cli_args *);
int rules_rollback(const struct cli_command *, const struct cli_args *);
int rules_fmt(const struct cli_command *, const struct cli_args *);

/* -- sets ----------------------------------------------------------------------------------------- */

struct cli_set {
	json_t *reply;           /* all text is in it */
	const char *version;
	struct rules_file *file; /* n of them, in the order of reading */
	size_t n;
};

/* From the daemon's answer to /v1/rules/..., taken over; -1: told that it cannot be understood. */
int cli_set_init(struct cli_set *, json_t *reply);
void cli_set_clear(struct cli_set *);

/* -- files ---------------------------------------------------------------------------------------- */

/* All of a regular file, or of standard input ("-"), of at most RULES_FILE_MAX bytes; a NUL follows.
 * NULL with *e set, e->code being ENOENT when there is none. The caller frees. */
char *cli_file_read(const char *name, size_t *len, struct err *e);
/* The whole new text is there, on disk and with the mode and owner of the old file where that may be
 * kept, or the old one is. A symbolic link stays, and what it names is replaced. */
int cli_file_replace(const char *name, const char *text, size_t len, struct err *e);
/* A new file with the mode and owner of `like`; e->code is EEXIST when it is there already. */
int cli_file_keep(const char *name, const char *like, const char *text, size_t len, struct err *e);

/* -- restoring ------------------------------------------------------------------------------------ */

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

struct restore {
	struct restored *file;      /* n of them, in the order of reading */
	size_t n;
	struct rules_file *set;     /* the same under their names on disk, texts borrowed */
};

/* Where on disk a stored name belongs: what lay in or below the folder of the set's main file, in or
 * below that of `rules_file`. The caller frees. */
char *restore_name(const char *stored, const char *stored_main, const char *rules_file);
/* In or below the folder of that file. */
bool restore_is_inside(const char *name, const char *rules_file);
/* Reads what is there. -1 with *e set when it cannot be read; to be cleared in any case. */
int restore_init(struct restore *, const struct cli_set *, const struct cli_set *running,
    const char *rules_file, struct err *e);
void restore_clear(struct restore *);
bool restore_has(const struct restore *, const char *name);
bool restore_differs(const struct restored *);
/* A file that one of the set's wildcards finds and that is not of the set: to be freed; NULL: none. */
char *restore_foreign(const struct restore *);
/* Keeps edits that never were in force, then writes what differs. After -1 the caller undoes it. */
int restore_write(struct restore *, struct err *e);
/* As it was before. What cannot be put back is told. */
void restore_undo(struct restore *);

/* -- moves ---------------------------------------------------------------------------------------- */

#define MOVE_SAMPLES 3

struct move {
	struct rules_decision from, to; /* pool and configuration set are what the path's are, too */
	const char *carrier;            /* NULL: none */
	char *domain;                   /* "" for those that are counted together */
	uint64_t count;
	char *sample[MOVE_SAMPLES];     /* addresses; NULL after the last */
	char *key;
};

struct moves;

struct moves_total {
	uint64_t recipients, moved, other_path;
	uint64_t beyond;                  /* moved, and in no row */
	uint64_t limited;                 /* decided by NEW with a pattern given up at a limit */
	const struct rule *limited_rule;  /* the first such rule; NULL: none */
};

/* Borrows all three. */
struct moves *moves_new(const struct config *, const struct ruleset *from, const struct ruleset *to);
void moves_free(struct moves **);
/* Asks both sets. `address` is how the recipient is shown. */
void moves_add(struct moves *, const struct rules_query *, const char *address);
/* Most first. */
size_t moves_rows(struct moves *, struct move *const **);
const struct moves_total *moves_total(const struct moves *);
/* Rule and path, and whatever else is not the same in the other one. */
struct str;
void moves_describe(struct str *, const struct rules_decision *, const struct rules_decision *other);

/* -- a list of addresses -------------------------------------------------------------------------- */

struct address;
/* A line without its end, NUL behind it; changed. 1: an address, or two. 0: nothing, a comment. -1: *e. */
int rules_against_line(char *text, size_t len, struct address *from, struct address *to, struct err *);
/* One call per line, from as its null path when the line names none. -1: every bad line was told. */
int rules_against(const char *file,
    void (*each)(void *arg, const struct address *from, const struct address *to), void *arg);

#endif
