/*
 * admin_rules_edit_int.h - rules that are edited in the console: what its files share.
 *
 *	admin_rules_edit.c     POST /v1/rules/check and /v1/rules/diff
 *	admin_rules_set.c      the set that a request means, and what it says of sets
 *	admin_rules_moves.c    who would go another way
 *	admin_rules_prepare.c  may this set be put in force? all that can be said before writing
 *	admin_rules_apply.c    POST /v1/rules/apply and /v1/rules/rollback
 *
 * Compiling rules, reading files and walking through mail takes its time: all of it is done in the
 * store's reading thread, which leaves its answer in the request.
 */
#ifndef ROUTER_HTTP_ADMIN_RULES_EDIT_INT_H
#define ROUTER_HTTP_ADMIN_RULES_EDIT_INT_H

#include "router/http/admin_int.h"
#include "rules/rules.h"

struct moves;
struct rules_change;

/* -- sets ----------------------------------------------------------------------------------------- */

/* Files of a set by their names on disk, the main one first. */
struct admin_set {
	struct rules_file *file; /* n of them */
	size_t n;
	char **own;              /* names and texts that are not borrowed; nown of them */
	size_t nown;
	char *version;           /* of one that was kept: what it had then; else NULL */
};

/* The files that were sent, in the place of those of the running set; borrows both. -1 with *e:
 * something else was sent than texts of files of the running set, each at most once. */
int admin_set_edited(struct admin_set *, const struct ruleset *running, const json_t *files,
    struct err *e);
/* One that was in force, under the names that its files have now. -1: there is none. */
int admin_set_kept(struct admin_set *, struct store_reader *, int64_t number,
    const struct ruleset *running, struct err *e);
/* The newest that was in force under that version. */
int admin_set_of_version(struct admin_set *, struct store_reader *, const char *version,
    const struct ruleset *running, struct err *e);
/* What body says, by "files" or by "number". */
int admin_set_asked(struct admin_set *, struct store_reader *, const json_t *body,
    const struct ruleset *running, struct err *e);
void admin_set_clear(struct admin_set *);

/* NULL: it has no such file. */
const struct rules_file *admin_file_of(const struct rules_file *, size_t n, const char *name);
bool admin_same_text(const struct rules_file *, const struct rules_file *); /* NULL is no text */

/* The set as rules under that configuration; NULL when anything is wrong, which is in the report. */
struct ruleset *admin_set_load(const struct admin_set *, const struct config *,
    const struct ruleset *running, struct rules_report *);

json_t *admin_report_json(const struct rules_report *);
/* Puts what is different from one to the other as a unified diff, cut where it is very long. */
void admin_put_diff(json_t *object, const char *key, const struct rules_file *from, size_t nfrom,
    const struct rules_file *to, size_t nto);

/* -- moves ---------------------------------------------------------------------------------------- */

#define ADMIN_MOVES_DEFAULT 10000  /* recipients of the latest mail that are asked about */
#define ADMIN_MOVES_MAX     100000

/* Puts recipients, changed, moves and the like. */
void admin_put_moves(json_t *object, struct store_reader *, const struct config *,
    const struct ruleset *from, const struct ruleset *to, size_t limit);

/* -- answers -------------------------------------------------------------------------------------- */

/* In the reading thread. The reply is taken over. */
void admin_rules_answer(struct admin_request *, int status, json_t *reply);
void admin_rules_refuse(struct admin_request *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool admin_rules_answered(const struct admin_request *);
/* In the core thread: sends it. */
void admin_rules_read(struct admin_request *);

/* -- putting in force ----------------------------------------------------------------------------- */

/* An apply or a rollback under way. Owned by its request. */
struct admin_apply {
	struct store_query query;   /* one that goes on when its client is gone */
	struct admin_request *request;
	const char *base;           /* the version that the editor began from; in the body */
	char *who;                  /* for the history */
	struct config *settings;    /* as they are on disk */
	struct admin_set set;
	char *version;              /* of the new rules */
	struct rules_change *change;
	int lock;                   /* -1: not held */
};

/* Takes the lock and finds out all that can be found out before anything is written. Answers when it
 * must not be; else `settings`, `set` and `version` are there. */
void admin_apply_prepare(struct admin_request *, struct store_reader *);

#endif
