/*
 * parse_int.h - statements into a rule set that is being built.
 *
 * One function per statement, in parse_carrier.c, parse_include.c, parse_route.c (conditions in
 * parse_condition.c, WHO in parse_who.c), parse_shape.c, parse_reply.c, parse_warm_up.c and
 * expect.c; parse.c dispatches, words.c, parse_number.c and parse_pattern.c read the words. Each
 * returns 0, or -1 with the problem in the report and the rest of the statement skipped.
 */
#ifndef RULES_PARSE_INT_H
#define RULES_PARSE_INT_H

#include "rules/ruleset_int.h"

/* A carrier, group or plan that a statement names; it may be defined further down. */
enum mention_kind { MENTION_CARRIER, MENTION_GROUP, MENTION_PLAN };
struct mention {
	struct token token;
	enum mention_kind kind;
	uint32_t number;
};

struct parse {
	struct ruleset *rs;
	struct rules_report *report;
	struct table rule_names;
	struct mention *mention;
	size_t nmention, mention_room;
	struct expectation *expectation;
	size_t nexpectation, expectation_room;
	size_t total; /* bytes of all files */
	size_t errors_max; /* at which reading ends */
	size_t nword, ninclude, npair; /* so far */
	const struct rules_options *options;
	const struct rules_file *given; /* files in memory; NULL: they are on disk */
	size_t ngiven;
};

/* The words of one statement and how far they are read. */
struct words {
	struct parse *parse;
	const struct token *token;
	size_t n, at;
};

/* ---- words.c ---- */

const struct token *word_peek(const struct words *); /* NULL at the end */
const struct token *word_next(struct words *);
bool word_is(const struct token *, const char *);    /* never true of a quoted one or NULL */
bool word_take(struct words *, const char *);        /* reads the word if it is the next */
/* True for words that have a place in the grammar: they end lists and name nothing. */
bool word_reserved(const struct token *);
/* The word for use in a message: cut where it is long. */
const char *word_show(struct words *, const struct token *);

/*
 * Reports "expected WHAT, got 'word'" at the next word, or "expected WHAT after 'word'" at the end, with
 * the nearest of n names as a suggestion. Returns -1.
 */
int word_expected(struct words *, const char *what, const char *const *names, size_t n);
/* Reports at the end of the statement that it should have ended. */
int words_end(struct words *);

enum name_kind {
	NAME_RULE,
	NAME_CARRIER,
	NAME_GROUP,
	NAME_PATH,
	NAME_POOL,
	NAME_CONFIGURATION_SET,
	NAME_LISTENER,
	NAME_WARM_UP,
};
/* The next word, as a name. NULL when it is none. */
const struct token *word_name(struct words *, enum name_kind);
const char *copy_lower(struct arena *, const char *, size_t len);
/* Checks the host part of a word: lower-cased copy in *out with its length, or -1. */
int read_domain(struct words *, const struct token *, const char *text, size_t len, const char **out);
/* Checks local@domain: copies of the local part as written and of the domain in lower case. */
int read_address(struct words *, const struct token *, const char **local, const char **domain);

/* ---- parse_number.c: each returns 0, or -1 with the problem at the token ---- */

/* Digits only, 1 to max. */
int read_number(struct words *, const struct token *, const char *text, size_t len, unsigned max,
    unsigned *out);
/* "12.5%" as 1250. */
int read_percent(struct words *, const struct token *, unsigned *out);
/* "10MB": B or nothing, KB or KiB, MB or MiB, GB or GiB; of 1024 each. */
int read_bytes(struct words *, const struct token *, uint64_t *out);
/* "5min", or as much of the token as text says: seconds, up to a year. */
int read_time(struct words *, const struct token *, const char *text, size_t len, unsigned *out);
/* "5/s": how many, and per how many seconds; *per is 0 when the word is no rate, which is not reported. */
int read_rate(struct words *, const struct token *, unsigned max, unsigned *count, unsigned *per);
/* "1.5" as 150: above 1, at most 10. */
int read_growth(struct words *, const struct token *, unsigned *out);

/* ---- */

/* NAME=VALUE, as header.h leaves them: printable ASCII without blanks and commas. */
bool is_tag(const struct token *);
/* Bytes that the word takes in the file, quotes included. */
unsigned word_span(const struct token *);

/* Remembers that a statement names a carrier, group or plan, and returns its number. */
uint32_t mention_carrier(struct parse *, const struct token *);
uint32_t mention_group(struct parse *, const struct token *);
uint32_t mention_plan(struct parse *, const struct token *);
/* Both names must live as long as the rule set. */
void add_use(struct parse *, enum rules_use_kind, const struct token *, const char *name,
    const char *path);

/* ---- statements ---- */

int parse_carrier(struct words *);
int parse_hint(struct words *);
int parse_route(struct words *);
/* parse_who.c: whom a condition asks for; with `any` it is left without members and patterns. */
int parse_who(struct words *, struct condition *);
void add_member(struct words *, struct condition *, const struct token *, uint32_t *atom);
void add_fixed(struct words *, struct condition *, const struct token *, uint32_t atom);
/* parse_condition.c: one condition of it. `joined`: `and` stood before it. */
int parse_condition(struct words *, struct route *, bool joined);
int parse_shape(struct words *);
int parse_reply(struct words *);
int parse_warm_up(struct words *);
/*
 * parse_pattern.c: compiles the token, which is a pattern. `bytes`: for the text of replies, see
 * pattern_new_bytes. The set owns it; *number is its place in rs->pattern.
 */
int read_pattern(struct words *, const struct token *, bool bytes, uint32_t *number);
int parse_expect(struct words *);
int parse_include(struct words *);

void parse_source(struct parse *, struct source *); /* parse.c: a whole file */
/* After compile(), in this order; the last two need a set without errors. */
void check_irregular(struct parse *);  /* irregular.c */
void run_expectations(struct parse *); /* expect.c */
void review(struct parse *);           /* review.c: warnings */
void review_replies(struct parse *);   /* review_reply.c: its part of them */

/* expect.c: dots where RFC 5321 has none, and nothing else that would need quotes. */
bool is_irregular(const char *local);
/* source.c; `where` is the word that asks for the file, NULL for the first. NULL: see the report. */
struct source *source_open(struct parse *, const char *path, const struct token *where);
/* When all is read: the list of files, and the version. */
void source_seal(struct ruleset *);

#endif
