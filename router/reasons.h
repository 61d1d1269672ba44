/*
 * reasons.h - what a diagnosis means: one editable table for all inputs (conf/reasons.table, reasons.table(5)).
 *
 * (system, SMTP stage, reply code, enhanced status, text) -> reason in Sisimai's vocabulary, hard or soft, and
 * whom it is about. First match wins; carriers stand first, then providers, then what anybody says. Patterns
 * are PCRE2 or plain words; all plain words of the table are looked for in one pass over the text, and a pattern
 * only runs where its longest plain part is there. Immutable, any thread; reference counted.
 */
#ifndef ROUTER_REASONS_H
#define ROUTER_REASONS_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"
#include "mta/outcome.h"

struct reasons;

/* NULL when anything is wrong: *report then holds every mistake as `file:line: what is wrong`. */
struct reasons *reasons_read(const char *file, const char *text, size_t len, struct str *report);
struct reasons *reasons_load(const char *file, struct str *report);
/* The table that ships with the program (conf/reasons.table, compiled in). Never NULL. A reference. */
struct reasons *reasons_builtin(void);
struct reasons *reasons_ref(struct reasons *);
void reasons_unref(struct reasons **);

struct reasons_query {
	const char *group;    /* of the recipient by the rules ("docomo"), or a system's name; "" */
	const char *host;     /* that answered; "" */
	const char *domain;   /* of the recipient; "" */
	enum smtp_stage stage;/* STAGE_NONE: not known, any line may match that says so */
	int code;             /* 0: none */
	const char *enhanced; /* "" */
	const char *text;
	const char *reporter; /* the form of the report (report.form), for lines about one form only; "" */
};

struct reasons_answer {
	const char *reason;         /* "userunknown" ...; "undefined" when no line matches; lives as long as the table */
	bool hard;                  /* the address, or its host, is no more: a bounce is final for ever */
	enum outcome_scope scope;   /* the recipient, the message, the lane (a block of our source) or the path */
	const char *file;           /* of the line that said so; "" when none */
	unsigned line;
	const char *source;         /* that line's: where it is known from; "" */
};

void reasons_find(const struct reasons *, const struct reasons_query *, struct reasons_answer *);

/* A stage as the table writes it: "rcpt", "dot", "unknown". False: none of that name. */
bool reasons_stage(const char *name, enum smtp_stage *stage);

/* The vocabulary. Whether it is one of it, hard by its nature, and fit to suppress an address by its nature
 * (userunknown, hostunknown, hasmoved; and complaint). */
bool reason_is_known(const char *reason);
bool reason_is_hard(const char *reason);

#endif
