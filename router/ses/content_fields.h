/*
 * content_fields.h - a message's header as SES takes it.
 *
 * SES refuses a message in which certain fields stand twice (its developer guide, "header fields"; facts/aws.md,
 * section 1): the later ones are taken out, of lists of addresses joined to the first. Two From are never
 * repaired: whom the message is from is not ours to choose. Pure, any thread.
 */
#ifndef ROUTER_SES_CONTENT_FIELDS_H
#define ROUTER_SES_CONTENT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"

#define SES_SET_MAX 64 /* bytes of a configuration set's name */

struct ses_fields {
	struct str out;            /* the header as it goes out, when `changed`, its empty line included if it has one */
	bool changed;
	unsigned repaired;         /* fields taken out or joined because of SES's rule */
	char set[SES_SET_MAX + 1]; /* the application's X-SES-CONFIGURATION-SET, the first; "" none, or none that
	                              SES could know */
	const char *refused;       /* SES would refuse the message for this field; nothing else is set then. NULL */
};

/* The header of len bytes, which need not be one. */
void ses_fields_make(struct ses_fields *, const char *header, size_t len, bool repair);
void ses_fields_clear(struct ses_fields *);

/* Whether that many bytes are a name of a configuration set, and of a tag's name or value: ASCII letters,
 * digits, '_', '-' (facts, section 1). */
bool ses_is_word(const char *, size_t len, size_t most);

#endif
