/*
 * message.h - reads DNS messages (RFC 1035 4.1) that come from outside.
 *
 * libunbound hands over answers in wire form. Everything here is bounded: names by 255 bytes,
 * compression pointers only lead backwards, CNAME chains and record sets are cut.
 */
#ifndef MTA_DNS_MESSAGE_H
#define MTA_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_MAX_RECORDS 100 /* a hostile RRset costs no more than this */
#define DNS_MAX_CHAIN 16    /* CNAMEs followed */
#define DNS_NAME_MAX 255    /* RFC 1035 2.3.4: bytes in wire form, the root's included */
/* Text form: any byte may become \DDD, no dot at the end, NUL. "." is the root. */
#define DNS_NAME_TEXT_MAX (4 * DNS_NAME_MAX)

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52,
};

struct dns_message {
	unsigned rcode;                    /* RFC 1035 4.1.1: 0 no error, 2 SERVFAIL, 3 NXDOMAIN */
	char canonical[DNS_NAME_TEXT_MAX]; /* end of the CNAME chain; "" when there was none */
	size_t nrdata;
	const uint8_t *rdata[DNS_MAX_RECORDS]; /* names inside are no longer compressed */
	size_t rdata_len[DNS_MAX_RECORDS];
	uint8_t *bytes;                    /* what rdata points into */
};

/*
 * Reads a response: the records of `type` that answer its question, found through its CNAMEs.
 * Returns 0, or -1 when it is malformed, truncated to nothing or chained for too long; then there
 * is nothing to clear. The packet is not needed afterwards.
 */
int dns_message_read(struct dns_message *, const uint8_t *packet, size_t len, int type);
void dns_message_clear(struct dns_message *);

/*
 * Expands the name at *at into wire form without compression, in lower case, and moves *at behind
 * it. Returns its length with the root, or -1.
 */
int dns_name_read(const uint8_t *packet, size_t len, size_t *at, uint8_t name[static DNS_NAME_MAX]);
/* The text of an uncompressed name; returns text. Safe to log. */
char *dns_name_text(const uint8_t *name, char text[static DNS_NAME_TEXT_MAX]);

/* Labels of 1-63 bytes, 253 in all, printable ASCII without a backslash; may end in a dot. */
bool dns_name_is_valid(const char *text);
/* The same of letters, digits, '-' and '_' alone, and without a dot at the end. */
bool dns_name_is_host(const char *text);

/* The two parts of an MX record; host gets "." for a null MX. 0, or -1 when it is malformed. */
int dns_mx_read(const uint8_t *rdata, size_t len, unsigned *preference,
    char host[static DNS_NAME_TEXT_MAX]);

#endif
