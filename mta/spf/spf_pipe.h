/*
 * spf_pipe.h - what an SPF check and its child say to each other.
 *
 * Each frame is one packet on a pair of SOCK_SEQPACKET sockets. The parent sends one request; the
 * child asks for names one after the other, waiting for each answer, and ends with its result.
 * Neither side trusts the other: a frame that breaks the rules below is refused whole.
 */
#ifndef MTA_SPF_SPF_PIPE_H
#define MTA_SPF_SPF_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/str.h"
#include "mta/dns/message.h"
#include "mta/dns/resolver.h"
#include "mta/spf/spf.h"

#define SPF_NAME_MAX 253
/* From the parent: one TXT record, the longest there can be, or DNS_MAX_RECORDS names. */
#define SPF_FRAME_MAX 70000
#define SPF_CHILD_FRAME_MAX 512 /* from the child */

/* Who sends and from where; the texts point into the frame. */
struct spf_request {
	const char *address, *helo, *mail_from;
};
void spf_pipe_put_request(struct str *, const struct spf_request *);
int spf_pipe_read_request(struct spf_request *, const uint8_t *frame, size_t len); /* 0 or -1 */

struct spf_question {
	int type; /* DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TXT */
	char name[SPF_NAME_MAX + 1];
};
void spf_pipe_put_question(struct str *, const struct spf_question *);
int spf_pipe_read_question(struct spf_question *, const uint8_t *frame, size_t len); /* 0 or -1 */

/*
 * Values are what libspf2 wants to see: 4 or 16 bytes of address, a host's name, a text without NUL.
 * Reading checks the whole frame first; `next` then gives one value after the other.
 */
struct spf_values {
	enum dns_status status;
	size_t count;
	const uint8_t *at; /* where the next one begins */
};
void spf_pipe_put_answer(struct str *, enum dns_status);
void spf_pipe_put_value(struct str *, const void *value, size_t len); /* counts itself */
int spf_pipe_read_answer(struct spf_values *, int type, const uint8_t *frame, size_t len);
const uint8_t *spf_pipe_next(struct spf_values *, size_t *len); /* NULL behind the last */

void spf_pipe_put_result(struct str *, const struct spf_answer *);
/* 0 or -1; `why` is printable ASCII then. */
int spf_pipe_read_result(struct spf_answer *, const uint8_t *frame, size_t len);

#endif
