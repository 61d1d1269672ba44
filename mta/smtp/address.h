/*
 * address.h - mailboxes in envelopes (RFC 5321 4.1.2, RFC 6531), and those that break the RFC.
 *
 * docomo and au gave out local parts such as `a..b` and `a.` until 2009; they are live addresses
 * (facts: carriers). They are taken as they are and marked irregular, never repaired.
 */
#ifndef MTA_SMTP_ADDRESS_H
#define MTA_SMTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/err.h"

#define ADDRESS_LOCAL_MAX 64   /* RFC 5321 4.5.3.1.1, octets, unquoted */
#define ADDRESS_DOMAIN_MAX 255 /* RFC 5321 4.5.3.1.2 */

struct address {
	char local[ADDRESS_LOCAL_MAX + 1];   /* unquoted, case kept */
	char domain[ADDRESS_DOMAIN_MAX + 1]; /* lower case, no trailing dot; "[192.0.2.1]" for a
						literal; UTF-8 U-labels are kept as given */
	bool null;      /* the null reverse-path <> : local and domain are empty */
	bool irregular; /* leading, trailing or doubled dot in an unquoted local part */
	bool utf8;      /* needs SMTPUTF8 (RFC 6531) */
};

/*
 * Parses the text between the angle brackets (without them). Source routes (@a,@b:c@d) are
 * accepted and dropped (RFC 5321 4.1.1.3). A quoted local part is unquoted; one that needs no
 * quotes but for irregular dots ("a..b"@d) gives the same address as a..b@d, marked irregular.
 * CR, LF, NUL and other controls are refused even inside quotes. A local part and a domain are
 * required (the server completes a bare `postmaster` itself before it comes here).
 * Returns 0, or -1 with *e set. Any thread.
 */
int address_parse(struct address *, const char *text, size_t len, struct err *e);
/* As address_parse, and the empty text gives the null reverse-path. */
int address_parse_reverse_path(struct address *, const char *text, size_t len, struct err *e);

enum address_quoting {
	QUOTE_IRREGULAR, /* quote what RFC 5321 wants quoted, irregular dots included: the default */
	QUOTE_RAW,       /* irregular dots go out as they are; only other specials are quoted */
};

/* Room for any address as text: local quoted and escaped, '@', domain, NUL. */
#define ADDRESS_TEXT_MAX (2 * ADDRESS_LOCAL_MAX + 2 + 1 + ADDRESS_DOMAIN_MAX + 1)

/* Writes the address for the wire, without angle brackets; "" for the null path. Returns buf. */
char *address_format(const struct address *, enum address_quoting, char buf[static ADDRESS_TEXT_MAX]);

#endif
