/*
 * return_text.h - what comes back by mail: its kinds, as a table, and their texts.
 *
 * The forms are those of the carriers' and MTAs' own notices (au's later NDR, Postfix's DSN, an ARF report, a vacation
 * reply), in words made up here. Oiwake's parsers have no part in it.
 */
#ifndef TESTS_SANDBOX_RETURN_TEXT_H
#define TESTS_SANDBOX_RETURN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/str.h"

struct system;

enum return_form {
	RETURN_AU,        /* what became of it, in Japanese and English; nothing is quoted */
	RETURN_AU_FILTER, /* X-SPASIGN: NG, the header quoted behind a line of text */
	RETURN_DSN,       /* RFC 3464, as Postfix writes it, the message quoted */
	RETURN_ARF,       /* RFC 5965, the message quoted */
	RETURN_REDACTED,  /* RFC 5965 with RFC 6590: no envelope, no recipient's local part anywhere */
	RETURN_VACATION,  /* RFC 3834 */
};

struct return_kind {
	const char *word;   /* how the recipient's local part begins */
	const char *system; /* whose way it is; NULL: everybody else's */
	enum return_form form;
	const char *japanese;  /* RETURN_AU: UTF-8, lines */
	const char *text;      /* RETURN_AU: English lines; RETURN_DSN: diagnostic. Holds {addr}, {ip} */
	const char *action;    /* RETURN_DSN */
	const char *status;
};

/* The kind for a recipient that a system has accepted; NULL: nothing comes back. */
const struct return_kind *return_kind_of(const struct system *, const char *to);
bool return_is_complaint(const struct return_kind *);

struct returned { /* the message, as it was received */
	const struct system *system;
	const char *from, *to; /* of its envelope, from never "" */
	const char *peer;      /* who gave it */
	const char *data;
	size_t len;
	uint64_t number; /* journal's, makes ids differ */
	unsigned copy;
};

/* Appends the whole mail with CRLF; `back` is where it goes. */
void return_text(const struct return_kind *, const struct returned *, const char *back, struct str *);

#endif
