/*
 * reasons_int.h - inside the table of reasons: from text to lines, from a diagnosis to a line.
 *
 *	reasons.c          the table as a whole: made, shared, asked
 *	reasons_read.c     statements of the table language -> systems and lines
 *	reasons_lex.c      its words, strings and patterns, each with its line number
 *	reasons_value.c    stages, codes, statuses as they are written
 *	reasons_words.c    the vocabulary
 *	reasons_pattern.c  a PCRE2 pattern and the plain part that it cannot match without
 *	reasons_sieve.c    all plain parts found in one pass over a text
 *	reasons_system.c   which systems a host, a domain or a group belongs to
 *	reasons_table.c    conf/reasons.table, compiled in
 */
#ifndef ROUTER_REASONS_INT_H
#define ROUTER_REASONS_INT_H

#define PCRE2_CODE_UNIT_WIDTH 8

#include <pcre2.h>
#include <stdint.h>

#include "router/reasons.h"

#define REASONS_FILE_MAX     (1u << 20) /* bytes of a table */
#define REASONS_LINES_MAX    4096u
#define REASONS_LITERALS_MAX 16384u
#define REASONS_SYSTEMS_MAX  256u
#define REASONS_LIST_MAX     16u   /* codes, statuses, systems or forms in a line */
#define REASONS_WORDS_MIN    3u    /* bytes: the sieve's window */
#define REASONS_WORDS_MAX    200u
#define REASONS_TEXT_MAX     2048u /* bytes of a diagnosis that are looked at */
#define REASONS_MISTAKES_MAX 100u

/* -- vocabulary ----------------------------------------------------------------------------------- */

struct reason_word {
	const char *name;
	bool hard;                /* by its nature */
	enum outcome_scope scope; /* whom it is about, when the line does not say */
};
const struct reason_word *reason_word_find(const char *name); /* NULL: not one of the vocabulary */
const struct reason_word *reason_word_nearest(const char *name); /* that may have been meant; NULL */

/* -- values --------------------------------------------------------------------------------------- */

struct code_range {
	short least, most;
};

struct status_pattern {
	short part[3]; /* -1: any */
};

/* Each takes a list with commas, as written; false: not one. A mask with all bits is any stage. */
bool reasons_read_stages(const char *word, uint32_t *mask);
bool reasons_read_code(const char *word, size_t len, struct code_range *);
bool reasons_read_status(const char *word, size_t len, struct status_pattern *);
bool reasons_read_scope(const char *word, enum outcome_scope *);
/* "5.1.1" into three numbers; false: none. */
bool reasons_status_parts(const char *enhanced, short part[3]);
bool reasons_status_fits(const struct status_pattern *, const short part[3]);

/* Lower case, runs of blanks as one, the typographic apostrophe as the plain one; returns the length. */
size_t reasons_fold(char *out, size_t room, const char *text, size_t len);
/* Of a folded text: each address's local part and domain become as many x. Whoever is called bookworm or marble has
 * neither a worm nor an RBL. */
void reasons_blank_addresses(char *text, size_t len);

/* -- patterns ------------------------------------------------------------------------------------- */

struct err;
/* NULL with *e set when it is none, or has no plain part. literal gets that part, folded. */
pcre2_code *reasons_pattern_new(
    const char *text, size_t len, char literal[static REASONS_WORDS_MAX + 1], struct err *e);
/* *data is made when it is NULL; free it after the last of them. */
bool reasons_pattern_matches(
    const pcre2_code *, const char *text, size_t len, pcre2_match_data **data);

/* -- the sieve ------------------------------------------------------------------------------------ */

struct sieve;

/* Texts of REASONS_WORDS_MIN bytes and more, borrowed. */
struct sieve *reasons_sieve_new(const char *const *literals, size_t n);
void reasons_sieve_free(struct sieve **);
/* Calls for every literal that is there, possibly more than once. */
typedef void reasons_sieve_found(void *arg, uint32_t literal);
void reasons_sieve_run(
    const struct sieve *, const char *text, size_t len, reasons_sieve_found *, void *arg);

/* -- systems -------------------------------------------------------------------------------------- */

struct system_name { /* of a host or domain, or of anything below it */
	char *name;
	unsigned system;
};

struct systems {
	char **names;
	size_t n;
	struct system_name *hosts, *domains; /* sorted by name once read */
	size_t nhosts, ndomains;
};

struct system_set {
	uint64_t bits[REASONS_SYSTEMS_MAX / 64];
};

int reasons_system_find(const struct systems *, const char *name, size_t len); /* -1: none */
unsigned reasons_system_add(struct systems *, const char *name);
void reasons_system_host(struct systems *, unsigned system, const char *name);
void reasons_system_domain(struct systems *, unsigned system, const char *name);
void reasons_systems_sort(struct systems *);
void reasons_systems_of(const struct systems *, const struct reasons_query *, struct system_set *);
void reasons_systems_clear(struct systems *);

static inline bool
system_set_has(const struct system_set *set, unsigned system)
{
	return set->bits[system / 64] >> system % 64 & 1;
}

/* -- the words of the table language -------------------------------------------------------------- */

enum token_kind {
	TOKEN_WORD,
	TOKEN_STRING,  /* "..." */
	TOKEN_PATTERN, /* /.../ */
	TOKEN_ARROW,
	TOKEN_END,     /* of the statement */
	TOKEN_BAD,     /* lexer.why says what is wrong; the rest of the statement is passed over */
};

struct lexer {
	const char *at, *end;
	unsigned line;         /* where `at` stands */
	enum token_kind kind;  /* of the last one */
	unsigned token_line;
	struct str token;      /* its text, without quotes or slashes */
	struct str source;     /* the statement's remark so far */
	const char *why;
};

void lexer_init(struct lexer *, const char *text, size_t len);
void lexer_release(struct lexer *);
/* To the next statement; false: no more. */
bool lexer_statement(struct lexer *);
enum token_kind lexer_next(struct lexer *);
bool lexer_is(const struct lexer *, const char *word);

/* -- the table ------------------------------------------------------------------------------------ */

struct alternative {
	unsigned line;       /* index */
	uint32_t literal;    /* plain words, or the part that the pattern cannot do without */
	const pcre2_code *pattern; /* one of the table's; NULL: the words are all */
	uint32_t next;       /* + 1, of the same literal; 0: none */
};

struct table_line {
	unsigned number;
	char *source;
	const struct reason_word *reason;
	bool hard;
	enum outcome_scope scope;
	uint32_t stages;
	bool any_text; /* some text, whatever it is */
	unsigned short systems[REASONS_LIST_MAX];
	struct code_range codes[REASONS_LIST_MAX];
	struct status_pattern statuses[REASONS_LIST_MAX];
	char *forms[REASONS_LIST_MAX];
	unsigned char nsystems, ncodes, nstatuses, nforms; /* 0: any */
	uint32_t first, n; /* alternatives */
};

struct reasons {
	_Atomic unsigned refs;
	char *file;
	struct systems systems;
	struct table_line *lines;
	size_t nlines;
	struct alternative *alternatives;
	size_t nalternatives;
	pcre2_code **patterns;
	size_t npatterns;
	char **literals;
	uint32_t *literal_first; /* + 1, into alternatives; 0: none */
	size_t nliterals;
	struct sieve *sieve;
	uint64_t *always; /* the lines that ask for no words */
};

/* Reads all statements; the number of mistakes, each told in *report. */
unsigned reasons_read_statements(
    struct reasons *, const char *text, size_t len, struct str *report);

#endif
