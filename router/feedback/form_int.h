/*
 * form_int.h - what the files that read bounces without a standard share.
 *
 * There is one reader (form_walk.c) and tables of lines (form_unix.c, form_office.c, form_providers.c). A row
 * is the beginning of a line as its mail system always writes it and what such a line means to the reader:
 * that recipients follow, that a diagnosis follows, that the message which came back begins. So a new system
 * is some rows and no code. form_talk.c reads the SMTP dialogue that some quote, form_any.c is the last resort,
 * form_part.c turns what was found into parts of the report.
 */
#ifndef ROUTER_FEEDBACK_FORM_INT_H
#define ROUTER_FEEDBACK_FORM_INT_H

#include "router/feedback/form.h"

/* Of the text no more lines than these are read, and of a line no more bytes. */
#define FORM_LINES_MAX 5000
#define FORM_LINE_MAX  2000
#define FORM_WORDS_MIN 6 /* of a row: look-up goes by the first bytes */

/* What a line means. Several may hold. */
enum form_line_is {
	LINE_MARK = 1 << 0,    /* only this system writes so: it names the form */
	LINE_LIST = 1 << 1,    /* recipients follow */
	LINE_ONE = 1 << 2,     /* a recipient is on this line, after the words */
	LINE_WHY = 1 << 3,     /* what is wrong follows, on the next lines */
	LINE_SAID = 1 << 4,    /* what is wrong is the rest of this line */
	LINE_SELF = 1 << 5,    /* what is wrong is the line itself, if nothing says more */
	LINE_HOST = 1 << 6,    /* the rest is the host that was asked */
	LINE_COMMAND = 1 << 7, /* the rest, or the next line, is the SMTP command */
	LINE_STATUS = 1 << 8,  /* the rest is the Status field of a delivery-status part */
	LINE_ACTION = 1 << 9,  /* ... its Action field */
	LINE_ALIAS = 1 << 10,  /* ... the recipient's other name */
	LINE_TALK = 1 << 11,   /* the SMTP dialogue follows */
	LINE_STOP = 1 << 12,   /* nothing that is open goes on */
	LINE_SKIP = 1 << 13,   /* says nothing */
	LINE_END = 1 << 14,    /* the message that came back follows */
	LINE_DELAY = 1 << 15,  /* it is only late */
	LINE_GOOD = 1 << 16,   /* it arrived */
};

struct form_line {
	const char *words; /* ASCII in lower case, for either; a space stands for any white space */
	const char *form;  /* NULL: of no form in particular */
	unsigned is;
};

/* Each ends with a row without words. */
extern const struct form_line form_unix_lines[];
extern const struct form_line form_office_lines[];
extern const struct form_line form_provider_lines[];

/* The longest row that the line begins with, NULL when none does; *rest is what follows the words. */
const struct form_line *form_line_find(const char *line, size_t len, const char **rest);

/* Some bytes of the text, borrowed. */
struct piece {
	const char *at;
	size_t len;
};

/* A line, and it without the white space and ornament around it. */
struct text_line {
	struct piece raw, text;
	size_t indent;
};

/* The first address in it, without brackets; len 0 when there is none. */
struct piece form_address(struct piece);
/* The address that the piece begins with (after <, quotes or "mailto:"); *rest is behind it and its brackets. */
struct piece form_address_first(struct piece, struct piece *rest);
bool form_same(struct piece, struct piece); /* but for case */
bool form_has(struct piece, const char *words); /* but for case of ASCII; words in lower case */
bool form_has_any(struct piece, const char *const *words); /* ends with NULL */
struct piece form_trim(struct piece); /* without white space around it */
struct piece form_without_ornament(struct piece line); /* nor the dashes and the like before it */
struct piece form_behind(struct piece, size_t n); /* without its first n bytes; n <= len */
/* The value of that field of a header with one field a line, len 0 when it has none. */
struct piece form_field(const char *header, const char *name);

/* One recipient as far as the text tells. */
struct form_found {
	struct piece address, alias, why, own, host, status;
	enum smtp_stage stage;
	enum report_kind kind; /* REPORT_NONE: as the message */
	int code;              /* that the system itself put to it */
};

enum form_state {
	FORM_SEEK,    /* nothing open */
	FORM_LIST,    /* recipients, each with its diagnosis */
	FORM_WHY,     /* the diagnosis of all */
	FORM_COMMAND, /* the next line is the SMTP command */
	FORM_TALK,    /* SMTP dialogue */
};

struct form_walk {
	const char *form;   /* NULL: no line told */
	bool marked;        /* by a line with LINE_MARK */
	enum form_state state;
	enum report_kind kind;
	struct form_found found[REPORT_RECIPIENTS_MAX];
	size_t n;
	struct form_found *open; /* the one that the next lines are about; NULL */
	struct piece why, self;   /* of all; self only where nothing else is told */
	struct piece stray;       /* an address alone on its line before any list */
	struct piece host, command;
	struct piece reply, program; /* of the dialogue: not yet given to a recipient */
	struct piece quoted;         /* the message that came back, when it is in the text */
	enum smtp_stage stage;      /* of all */
	size_t indent;              /* of the list's first recipient */
	bool blank;                 /* the line before was empty */
	bool replied;               /* the last line was a reply: the next may continue it */
};

void form_walk(struct form_walk *, const char *text);
/* NULL when there are too many; the one that is there when it is. */
struct form_found *form_walk_add(struct form_walk *, struct piece address);

/* The recipient that a line begins with, len 0 when it does not; *rest is behind it, trimmed. */
struct piece form_recipient(struct piece line, struct piece *rest);
bool form_is_bare(struct piece rest); /* nothing follows the recipient */
/* What follows a recipient on its line and is a diagnosis; may find its other name. */
struct piece form_remainder(struct piece rest, struct form_found *);
/* The line as recipients of the list, as the other name of one, as what Exim and Sendmail write under a
 * recipient that is a program or a file. False: it is none. */
bool form_take_recipient(struct form_walk *, const struct text_line *);
bool form_take_alias(struct form_found *, struct piece line);
bool form_take_origin(struct form_walk *, struct piece line);

void form_talk(struct form_walk *, struct piece line);
enum smtp_stage form_stage_of_command(struct piece);

/* ---- form_words.c */
/* Where the SMTP reply in it begins, its length when it has none. */
size_t form_reply_at(struct piece);
/* The length of an enhanced status that begins there; 0: none does. */
size_t form_status_at(const char *p, const char *end);
/* Adds the lines of a diagnosis as one, a reply's code only once. */
struct str;
void form_join(struct str *, struct piece);
/* The host that the words begin with or bracket; a host's name at the very beginning. len 0: there is none. */
struct piece form_host(struct piece);
struct piece form_host_word(struct piece);
/* The moment of failure, where single systems' words for it are in there. */
enum smtp_stage form_stage(struct piece);
/* Without quotes at the end, or a bracket that nothing opened. */
struct piece form_without_brackets(struct piece);

/* Adds what was found to the report; false when that is nothing. */
bool form_parts(struct report *, const struct form_walk *, const char *form);

/* The last resort: an address near a sentence of failure. False: it says nothing of the kind. */
bool form_any(struct form_walk *, const struct form_input *);
/* A bounce that somebody passed on by hand, without the marks of quotation. False: it is none. */
bool form_forwarded(struct str *, const struct form_input *);

/* SES's events, brought by SNS as mail. Adds their parts. */
bool form_amazon(struct report *, const struct form_input *);

/* The value of a From field is a mail system's. */
bool form_is_daemon(struct piece from);
bool form_subject_fails(const char *subject);
bool form_subject_delays(const char *subject);
bool form_text_fails(const char *text); /* its beginning, and it does not speak of success */

#endif
