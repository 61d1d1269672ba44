/*
 * sns_envelope.h - what SNS puts around a message: JSON, and a signature over some of its members.
 */
#ifndef TESTS_SANDBOX_SNS_ENVELOPE_H
#define TESTS_SANDBOX_SNS_ENVELOPE_H

#include <openssl/evp.h>
#include <stdint.h>

#include "mta/base/str.h"

#define SNS_NOTIFICATION "Notification"
#define SNS_SUBSCRIPTION "SubscriptionConfirmation"

struct sns_envelope { /* NULL: it has no such member */
	const char *type, *message_id, *topic_arn, *subject, *message;
	const char *token, *subscribe_url, *unsubscribe_url, *cert_url;
	int64_t at;       /* wall ms */
	unsigned version; /* of the signature: 1 is SHA-1, 2 is SHA-256 */
};

/* A version 4 UUID. */
void sns_uuid(char id[static 37]);
/* The signature in base64, appended. */
void sns_envelope_sign(const struct sns_envelope *, EVP_PKEY *, struct str *);
/* The JSON, appended. */
void sns_envelope_write(const struct sns_envelope *, const char *signature, struct str *);
/* As it comes out of a queue that the topic feeds. */
void sns_envelope_unsigned(const char *subject, const char *message, struct str *);

#endif
