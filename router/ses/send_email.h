/*
 * send_email.h - the body of one SendEmail request of SES's API v2, Content.Raw (facts/aws.md, section 2).
 *
 * The reverse-path goes as FeedbackForwardingEmailAddress. FromEmailAddress is left out: SES would put it in
 * place of the message's From, name and all (laravel/framework#37881, aws/aws-sdk-rails#97), and without it
 * takes the From field, as it does over SMTP. A message of one piece of memory is encoded at once; a
 * larger one as it is read, first for its hash and then for the wire, so that memory stays bounded.
 */
#ifndef ROUTER_SES_SEND_EMAIL_H
#define ROUTER_SES_SEND_EMAIL_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "router/ses/content.h"
#include "router/ses/sigv4.h"

struct aws_request;

#define SEND_EMAIL_PATH "/v2/email/outbound-emails"
#define SEND_EMAIL_AT_ONCE (128u << 10) /* bytes of a message up to which it is encoded whole: such a body is
					   in memory anyway (body.h) */
#define SEND_EMAIL_RAW (12u << 10)      /* bytes encoded at a time; three make four */

struct send_email {
	struct str head;              /* what stands before the message; all of it when `whole` */
	bool whole;
	struct smtp_content content;  /* the caller's, as long as this lives */
	uint64_t message;             /* bytes of it, not encoded */
	size_t length;                /* of the body of the request */
	char hash[SIGV4_HASH_TEXT];   /* of the same, once send_email_hash has said 0 */
	EVP_MD_CTX *digest;           /* while that is not so */

	/* Where reading is. */
	size_t at;                    /* in the body of the request */
	uint64_t taken;               /* of the message, encoded so far */
	char encoded[SEND_EMAIL_RAW / 3 * 4 + 1];
	size_t encoded_at, encoded_len;
};

/* Both addresses as they go on the wire, without angle brackets. The content stays the caller's. -1 with *e: the
 * message cannot be read. Clear it in either case. */
int send_email_make(struct send_email *, const struct ses_content *, const char *from,
    const char *to, struct err *e);
void send_email_clear(struct send_email *);

/* Hashes about a megabyte more: 1 when there is more to hash, 0 when it is done, -1 with *e. */
int send_email_hash(struct send_email *, struct err *e);

/* The request, once hashed; it borrows from this, which is also what `read` and `rewind` work on. */
void send_email_request(struct send_email *, struct aws_request *);
ssize_t send_email_read(void *email, char *buf, size_t room);
void send_email_rewind(void *email);

#endif
