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
#include <stdint.h>

#include "rules/report.h"

struct ruleset;

#define RULES_FILE_MAX  (16u << 20) /* bytes in one file */
#define RULES_TOTAL_MAX (64u << 20) /* bytes in all files of a set */
#define RULES_DEPTH_MAX 16          /* files including files */

#define RULES_INCLUDED_MAX 1000     /* `include` statements, and files, in a set */
#define RULES_WORDS_MAX    2000000  /* words in a set */
#define RULES_PATTERNS_MAX 10000    /* patterns in a set */
#define RULES_REPLIES_MAX  10000    /* `reply` lines in a set */
#define RULES_LIMITED_MAX  3        /* patterns given up at a limit before the rest is, in a decision */

/* What a rule file cannot know. Borrowed for the call. */
struct rules_options {
	/* Paths that take no irregular local part (Amazon SES refuses them, aws.md). A set that could
	 * send a carrier's irregular address there does not load; in a split, and as a fallback,
	 * such a path is passed over for an irregular recipient. */
	const char *const *regular_only;
	size_t nregular_only;
	/* What only the caller can check, with ruleset_uses and ruleset_report_unknown: asked for once
	 * all is read, whatever else is wrong, and before the expectations. No decisions are asked of
	 * this set. NULL: nothing. */
	void (*check)(void *arg, const struct ruleset *, struct rules_report *);
	void *check_arg;
};

/*
 * Reads `path` and what it includes (names relative to the including file, wildcards in order of
 * name), checks everything and runs the `expect` lines. Returns a set with one reference, or NULL
 * with every error in the report (initialised by the caller; problems are appended). Warnings may
 * stand in the report of a good set as well. A file that is missing, not regular, too large, no
 * UTF-8 or holds control characters is an error. Options may be NULL.
 */
struct ruleset *ruleset_load(const char *path, const struct rules_options *, struct rules_report *);

/* A file of rules in memory. */
struct rules_file {
	const char *name; /* as messages show it */
	const char *text; /* ends in NUL, which len does not count */
	size_t len;
};

/*
 * The same from memory: the first of n files is the main one, and `include` finds the others by
 * name. Everything is copied. What ruleset_files returned gives the same set again.
 */
struct ruleset *ruleset_parse(const struct rules_file *, size_t n, const struct rules_options *,
    struct rules_report *);

/* The files it was made of, in the order of reading; borrowed from the set. */
size_t ruleset_files(const struct ruleset *, const struct rules_file **);

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
/* Whether `via` of the rule of that name says that path, alone or in a split; its fallback does not count. Looks
 * through all routes. */
bool ruleset_sends_by(const struct ruleset *, const char *rule, const char *path);

/* ---- decisions ---- */

/*
 * Domains in lower case without trailing dot, as address_parse leaves them. NULL is the same as "".
 */
struct rules_query {
	const char *from_local;  /* unquoted; "" with from_domain "" for the null reverse-path */
	const char *from_domain;
	const char *to_local;    /* unquoted, case as given; compared without case */
	const char *to_domain;
	bool irregular;          /* to_local breaks RFC 5321 4.1.2 unless quoted */
	const char *user;        /* authenticated, exact; "" nobody */
	const char *listener;
	/* What is known only at the end of DATA: */
	const char *header_from; /* domain of the header From */
	const char *tags;        /* "name=value,name=value", no blanks */
	uint64_t size;           /* bytes */
};

enum rules_action {
	RULES_VIA,     /* send by .path */
	RULES_REJECT,  /* refuse with .text */
	RULES_HOLD,    /* keep, and send nothing until the rules say otherwise */
	RULES_DISCARD, /* accept and drop */
};

/* .path of the actions that have none; no route can name the first two, `via discard` is the third. */
#define RULES_PATH_REJECT  "reject"
#define RULES_PATH_HOLD    "hold"
#define RULES_PATH_DISCARD "discard"

enum rules_local_part {
	RULES_LOCAL_PART_SHAPE, /* as the shape says */
	RULES_LOCAL_PART_QUOTE,
	RULES_LOCAL_PART_RAW,
};

struct rules_decision {
	const struct rule *rule; /* never NULL: a set without a rule for everything else does not load */
	enum rules_action action;
	const char *path;              /* never NULL */
	const char *pool;              /* NULL: the path's own */
	const char *configuration_set; /* NULL: the path's own */
	unsigned share;       /* of this path in the rule's split, in 1/100 %: 10000 when not split */
	const char *text;     /* of RULES_REJECT, printable ASCII; else NULL */
	const char *fallback; /* when the path is closed: the path to take, "hold" to wait without
				 expiring, NULL to wait as ever (`none`, or not given) */
	enum rules_local_part local_part;
	bool transactional;   /* its rule says so: goes first when a path's quota is near its end */
	const char *carrier;  /* of the recipient's domain; NULL when it is no carrier's */
	const char *group;    /* the carrier's receiving system; NULL: the domain is its own group */
	const char *hint;     /* for people who ask about this domain; NULL mostly */
	/* Patterns that were given up at a match, depth or heap limit, and so did not match: how many,
	 * and the rule of the first. After RULES_LIMITED_MAX of them no further pattern is tried in
	 * this decision, and each that would have been counts as given up too; so does one whose
	 * address is longer than SMTP allows. The caller logs and counts them. */
	unsigned limited;
	const struct rule *limited_rule;
};

/*
 * Decides. Takes no lock, allocates nothing but a few bytes of PCRE2's once per thread, never fails,
 * and takes the same time for 100 rules as for 100,000. The same query always gets the same answer,
 * splits included: they hash the recipient (local part without case, domain) with the rule's name.
 */
void ruleset_decide(const struct ruleset *, const struct rules_query *, struct rules_decision *);

/*
 * The same before there is content: header_from, tags and size are not looked at. True when no
 * content could change the decision; false: *d is not to be relied on, ask again at the end of DATA.
 */
bool ruleset_decide_early(const struct ruleset *, const struct rules_query *,
    struct rules_decision *);

/*
 * For people: walks the rules before the one that wins, and names each that nearly matched with a
 * sentence on what kept it from matching, in order. Slow. `why` lives for the call only.
 */
void ruleset_near_misses(const struct ruleset *, const struct rules_query *,
    void (*each)(void *arg, const struct rule *, const char *why), void *arg);

/* The carrier, the group and the hint of a domain; each NULL where there is none. */
const char *ruleset_carrier_of(const struct ruleset *, const char *domain);
const char *ruleset_group_of(const struct ruleset *, const char *domain);
const char *ruleset_hint_of(const struct ruleset *, const char *domain);

/* ---- names that must exist in the configuration ---- */

enum rules_use_kind {
	RULES_USE_PATH,
	RULES_USE_POOL,
	RULES_USE_CONFIGURATION_SET,
	RULES_USE_LISTENER,
};

struct rules_use {
	enum rules_use_kind kind;
	const char *name;
	const char *path; /* the path a pool or configuration set is asked of; else the same as name */
	const char *file;
	unsigned line, col;
};

/* Every mention of a path, pool, configuration set or listener, in reading order. */
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
	SHAPE_WARM_UP,
	SHAPE_MAX_SIZE,
	SHAPE_MAX_HEADER,
	SHAPE_MAX_LINE,
	SHAPE_UNFIT,
	SHAPE_REQUIRE_TLS,
	SHAPE_KEYS
};

#define RULES_RETRY_MAX 32

/* What is done with a message that its recipient's carrier would refuse by its form: the next three
 * limits, and what mta/smtp/lint.h knows of headers. */
enum rules_unfit {
	RULES_UNFIT_SEND,   /* nothing: it is not looked at */
	RULES_UNFIT_REFUSE, /* not taken in; the client hears why */
	RULES_UNFIT_HOLD,   /* kept, and sent when an operator or the rules say otherwise */
};

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
	unsigned unknown_users;          /* 1/100 % of recipients that the carrier bears; 0: no limit */
	const char *warm_up;             /* name of a plan, see ruleset_warm_up; NULL: none */
	uint64_t max_size;               /* bytes of a message; 0: no limit */
	unsigned max_header;             /* bytes of its header; 0: no limit */
	unsigned max_line;               /* bytes of a line without its end; 0: no limit */
	enum rules_unfit unfit;
	bool require_tls;                /* by a verified TLS connection, or not at all */
	struct rules_origin origin[SHAPE_KEYS];
};

/*
 * The shape for mail to that domain by that path. For each key the most specific line wins: domain
 * (the longest match), then group, carrier, path, default, built in. Each may be NULL where there
 * is none. out->retry is borrowed from the set. Allocates nothing.
 */
void ruleset_shape(const struct ruleset *, const char *carrier, const char *group, const char *domain,
    const char *path, struct rules_shape *out);

/* ---- replies: what a receiving system means by what it says ---- */

/* Where in the dialogue, as a set of bits. */
enum rules_stage {
	RULES_STAGE_CONNECT = 1 << 0, /* TCP, and the greeting */
	RULES_STAGE_EHLO = 1 << 1,
	RULES_STAGE_TLS = 1 << 2,
	RULES_STAGE_AUTH = 1 << 3,
	RULES_STAGE_MAIL = 1 << 4,
	RULES_STAGE_RCPT = 1 << 5,
	RULES_STAGE_DATA = 1 << 6,    /* the command, before its 354 */
	RULES_STAGE_BODY = 1 << 7,    /* while the message is on its way */
	RULES_STAGE_DOT = 1 << 8,     /* the answer to the final dot */
	RULES_STAGE_ANY = (1 << 9) - 1,
};

enum rules_reply_action {
	RULES_REPLY_RETRY,    /* again later, as the shape's retry says */
	RULES_REPLY_BOUNCE,   /* never */
	RULES_REPLY_FILTERED, /* never, but the address is good */
	RULES_REPLY_SPLIT,    /* at once, with fewer recipients in a session */
	RULES_REPLY_RESEND,   /* the same, and what this session had delivered is lost as well */
	RULES_REPLY_REQUOTE,  /* once more at once, the local part in its other form: quoted or raw */
};

/* One `reply` line. */
struct rules_reply {
	enum rules_reply_action action;
	const char *reason;    /* in Sisimai's vocabulary: "userunknown", "blocked", ... */
	const char *at_expiry; /* the reason when it was the answer until the end; NULL: "expired" */
	unsigned pause;        /* seconds of rest; 0: as back-off says */
	bool pause_source;     /* the rest is the source's, to whomever it sends; else the lane's */
	bool slow;             /* halve the lane's rate and connections */
	const char *file;
	unsigned line;
};

struct rules_reply_query {
	const char *group;     /* the receiving system; NULL or "": of no carrier */
	enum rules_stage stage;/* one bit */
	unsigned code;         /* 0: the peer said nothing */
	bool reset;            /* the peer reset the connection */
	const char *text;      /* of the reply, without code and enhanced status, lines joined by a blank */
};

/*
 * The line that knows this reply: the last one in reading order that matches, those of the group
 * before those of `any`. NULL: none does. Patterns see the first 640 bytes of the text of a reply,
 * which may be any, and nothing where there is no reply. One that reaches a limit does not match,
 * and after RULES_LIMITED_MAX of them no more are tried. Any thread; allocates as ruleset_decide.
 */
const struct rules_reply *ruleset_reply(const struct ruleset *, const struct rules_reply_query *);

/* ---- warm-up plans ---- */

/* How many recipients a new source may send to a receiving system in a day, each day it is used. */
struct rules_warm_up {
	const char *name;
	unsigned first;        /* on day 1; at least 1 */
	unsigned grow;         /* per day, in 1/100: 150 is half as many again; at least 101 */
	unsigned cap;          /* the plan ends with the day on which this many are allowed */
	bool wait;             /* what is over waits for the next day; else it takes a warm source */
	const char *file;
	unsigned line;
};

/* NULL: no such plan. The later definition of a name holds. */
const struct rules_warm_up *ruleset_warm_up(const struct ruleset *, const char *name);
/* Recipients allowed on that day, counted from 1; 0: the plan is over, there is no limit. */
unsigned rules_warm_up_allowance(const struct rules_warm_up *, unsigned day);

/* ---- canonical form ---- */

/*
 * The text of one file in canonical form: one blank between words, columns aligned in blocks of
 * like statements, comments kept. Means the same to ruleset_parse, and its own canonical form is
 * itself. The caller frees it. NULL with the report when the text cannot be read as statements
 * (encoding, open quotes); wrong names and unknown words do not matter here.
 */
char *rules_format(const struct rules_file *, struct rules_report *);

/* ---- shapes for people ---- */

const char *rules_shape_key_name(enum rules_shape_key); /* "connections", "recipients/session", ... */
/* The value as the language writes it ("5/s", "5min,15min,1h"); the caller frees it. */
char *rules_shape_value(const struct rules_shape *, enum rules_shape_key);

#endif
