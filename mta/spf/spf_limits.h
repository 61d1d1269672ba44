/*
 * spf_limits.h - the limits of RFC 7208 4.6.4, kept outside the library.
 *
 * libspf2 counts the look-ups of each included record anew, knows nothing of void look-ups and
 * notices an eleventh look-up only when another mechanism follows. So whoever answers its questions
 * counts them: more than ten terms that ask, or more than two answers with nothing in them, and
 * receivers treat the record as broken. So no child, whatever has become of it, gets more than 121
 * questions answered: the first, ten terms, and ten hosts of each.
 */
#ifndef MTA_SPF_SPF_LIMITS_H
#define MTA_SPF_SPF_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/spf/spf_pipe.h"

#define SPF_MAX_TERMS 10
#define SPF_MAX_VOIDS 2
#define SPF_MAX_HOSTS 10 /* of one mx or ptr term; more are an error, or ignored for ptr */

struct spf_limits {
	unsigned questions, terms, voids;
	/* Hosts of the last MX or PTR answer whose addresses belong to that term. */
	char hosts[SPF_MAX_HOSTS][SPF_NAME_MAX + 1];
	size_t nhosts, next;
};

/* All zero is the start. NULL, or the sentence why this look-up breaks the record. */
const char *spf_limits_ask(struct spf_limits *, const struct spf_question *);
/* An empty answer to the question asked last. */
const char *spf_limits_void(struct spf_limits *);
/* A host that the last answer, to an MX or PTR question, named. False: it is one too many. */
bool spf_limits_host(struct spf_limits *, const char *host);

#endif
