/*
 * rules.h - what goes where: text -> immutable rule set; (rule set, envelope) -> decision.
 *
 * The language is described in oiwake-rules(5). Pure: reads files at load, and after that touches
 * no file, socket, clock, lock or log. A rule set never changes once loaded, so any number of
 * threads may ask it at once; every string it hands out lives as long as a reference is held.
 * A new set is a new object: swap the pointer, then unref the old one.
 */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/report.h"

struct ruleset;

#define RULES_FILE_MAX  (16u << 20) /* bytes in one file */
#define RULES_TOTAL_MAX (64u << 20) /* bytes in all files of a set */
#define RULES_DEPTH_MAX 16          /* files including files */

/*
 * Reads `path` and what it includes (names relative to the including file), checks everything and
 * runs the `expect` lines. Returns a set with one reference, or NULL with every problem in the
 * report (initialised by the caller; problems are appended). A file that is missing, not regular,
 * too large, no UTF-8 or holds control characters is such a problem.
 */
struct ruleset *ruleset_load(const char *path, struct rules_report *);

/* The same from memory; `name` stands for the file's name, and `include` is refused. */
struct ruleset *ruleset_parse(const char *name, const char *text, size_t len, struct rules_report *);

/* Counted atomically. ruleset_unref(NULL) is allowed; the last one frees. Any thread. */
struct ruleset *ruleset_ref(struct ruleset *);
void ruleset_unref(struct ruleset *);

/* 12 hexadecimal digits over the text of all files in reading order: the same text, the same version. */
const char *ruleset_version(const struct ruleset *);

/* One `route` line. */
struct rule {
	const char *name;
	const char *file; /* as given to ruleset_load, or as the including file names it */
	unsigned line;
};

/* All routes in their order: the first that matches wins. */
size_t ruleset_rules(const struct ruleset *, const struct rule *const **);

/* ---- decisions ---- */

/* Domains in lower case without trailing dot, as address_parse leaves them. No member is NULL. */
struct rules_query {
	const char *from_local;  /* unquoted; "" with from_domain "" for the null reverse-path */
	const char *from_domain;
	const char *to_local;    /* unquoted, case as given; compared without case */
	const char *to_domain;
	bool irregular;          /* to_local breaks the RFC; for conditions of a later version */
};

enum rules_action {
	RULES_VIA, /* send by .path; a path named `discard` is a path like any other here */
};

struct rules_decision {
	const struct rule *rule; /* never NULL: a set without a rule for everything else does not load */
	enum rules_action action;
	const char *path;
	const char *pool;              /* NULL: the path's own */
	const char *configuration_set; /* NULL: the path's own */
	unsigned share;      /* of this path in the rule's split, in 1/100 %: 10000 when not split */
	const char *carrier; /* of the recipient's domain; NULL when it is no carrier's */
	const char *group;   /* the carrier's receiving system; NULL: the domain is its own group */
	const char *hint;    /* for people who ask about this domain; NULL mostly */
};

/*
 * Decides. Takes no lock, allocates nothing, never fails, and takes the same time for 100 rules as for
 * 100,000. The same query always gets the same answer, splits included: they hash the recipient
 * (local part without case, domain) with the rule's name.
 */
void ruleset_decide(const struct ruleset *, const struct rules_query *, struct rules_decision *);

/* The carrier, the group and the hint of a domain; each NULL where there is none. */
const char *ruleset_carrier_of(const struct ruleset *, const char *domain);
const char *ruleset_group_of(const struct ruleset *, const char *domain);
const char *ruleset_hint_of(const struct ruleset *, const char *domain);

/* ---- names that must exist in the configuration ---- */

enum rules_use_kind { RULES_USE_PATH, RULES_USE_POOL, RULES_USE_CONFIGURATION_SET };

struct rules_use {
	enum rules_use_kind kind;
	const char *name;
	const char *path; /* the path a pool or configuration set is asked of; else the same as name */
	const char *file;
	unsigned line, col;
};

/* Every mention of a path, pool or configuration set in routes and shapes, in reading order. */
size_t ruleset_uses(const struct ruleset *, const struct rules_use **);

/*
 * Adds a problem at that mention, with its line and a caret: "unknown path 'sess'", and
 * ", did you mean 'ses'?" when one of the n known names is near.
 */
void ruleset_report_unknown(const struct ruleset *, const struct rules_use *,
    const char *const *known, size_t n, struct rules_report *);

/* ---- shapes: how a receiving system is to be treated ---- */

enum rules_shape_key {
	SHAPE_CONNECTIONS,
	SHAPE_MESSAGES,
	SHAPE_RECIPIENTS_SESSION,
	SHAPE_RECIPIENTS_MESSAGE,
	SHAPE_RATE,
	SHAPE_RETRY,
	SHAPE_EXPIRY,
	SHAPE_LOCAL_PART,
	SHAPE_UNKNOWN_USERS,
	SHAPE_KEYS
};

#define RULES_RETRY_MAX 32

struct rules_origin {
	const char *file; /* NULL: no line says so, the value is built in */
	unsigned line;
};

struct rules_shape {
	unsigned connections;            /* at once, from one source */
	unsigned messages;               /* per connection */
	unsigned recipients_per_session; /* 0: no limit */
	unsigned recipients_per_message; /* in one transaction */
	unsigned rate_count;             /* recipients per rate_seconds; 0: no limit */
	unsigned rate_seconds;           /* 1, 60, 3600 or 86400 */
	const unsigned *retry;           /* seconds before each further attempt; the last one repeats */
	size_t nretry;                   /* at least 1 */
	unsigned expiry;                 /* seconds after acceptance */
	bool raw;                        /* irregular local parts go out as they are, not quoted */
	unsigned unknown_users;          /* 1/100 % of recipients before the lane stops; 0: no limit.
					    Recorded only: acted on by a later version */
	struct rules_origin origin[SHAPE_KEYS];
};

/*
 * The shape for mail to that domain by that path. For each key the most specific line wins: domain
 * (the longest match), then group, carrier, path, default, built in. Each may be NULL where there
 * is none. out->retry is borrowed from the set. Allocates nothing.
 */
void ruleset_shape(const struct ruleset *, const char *carrier, const char *group, const char *domain,
    const char *path, struct rules_shape *out);

const char *rules_shape_key_name(enum rules_shape_key); /* "connections", "recipients/session", ... */
/* The value as the language writes it ("5/s", "5min,15min,1h"); the caller frees it. */
char *rules_shape_value(const struct rules_shape *, enum rules_shape_key);

#endif
