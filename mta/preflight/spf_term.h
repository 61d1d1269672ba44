/*
 * spf_term.h - one term of an SPF record, with the typing errors that people make (spf_text.c).
 */
#ifndef MTA_PREFLIGHT_SPF_TERM_H
#define MTA_PREFLIGHT_SPF_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"

struct spf_term;

enum spf_term_verdict {
	SPF_TERM_GOOD,
	SPF_TERM_IGNORED, /* receivers read it as something they do not know, and pass over it */
	SPF_TERM_FATAL,   /* a syntax error: the whole record is an error to them */
};

/*
 * Reads one word. *out gets the term as it should be, text NULL when nothing can be made of it; the
 * caller frees out->text.
 */
enum spf_term_verdict spf_term_read(const char *word, size_t len, struct spf_term *out);
/* "ip4:" alone: the address that belongs to it is the next word. */
bool spf_term_is_torn(const char *word, size_t len);

#endif
