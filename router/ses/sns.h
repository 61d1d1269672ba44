/*
 * sns.h - the envelope that SNS puts around a message, and whether it is genuine (facts/aws.md, section 4).
 *
 * Pure, any thread; the certificate is fetched by sns_cert.h, the clock is the caller's.
 */
#ifndef ROUTER_SES_SNS_H
#define ROUTER_SES_SNS_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"

enum sns_type { SNS_NOTIFICATION, SNS_SUBSCRIPTION_CONFIRMATION, SNS_UNSUBSCRIBE_CONFIRMATION };

/* All strings owned; those that are not there are NULL. */
struct sns_message {
	enum sns_type type;
	char *type_text, *message_id, *topic_arn, *subject, *message, *timestamp, *signature,
	    *signing_cert_url, *token, *subscribe_url;
	unsigned signature_version;   /* 1 or 2 */
	int64_t at;                   /* wall ms of Timestamp */
};

/* -1 with *e when it is not an envelope with all that its type must have: each once, a string, of sane size. */
int sns_read(struct sns_message *, const char *json, size_t len, struct err *e);
void sns_clear(struct sns_message *);
/* Whether it looks like an envelope at all: SQS may bring either. */
bool sns_is_envelope(const char *json, size_t len);

/* "arn:aws:sns:ap-northeast-1:123456789012:name" taken apart: region to `region`. -1: it is none. */
int sns_arn_region(const char *arn, char *region, size_t size);

/* Exactly https://sns.REGION.amazonaws.com[.cn]/SimpleNotificationService-32HEX.pem, region being that of the
 * topic; nothing else is ever fetched. */
bool sns_cert_url_is_good(const char *url, const char *topic_arn);
/* Where ConfirmSubscription of that topic is asked: made from the ARN, not from SubscribeURL, which must name the
 * same host, action and topic all the same. -1 with *e. *url appended. */
struct str;
int sns_confirm_url(const struct sns_message *, struct str *url, struct err *e);

/* The signature over the fields of its type, SHA-1 for version 1, SHA-256 for 2. -1 with *e. */
int sns_verify(const struct sns_message *, X509 *certificate, struct err *e);
/* The certificate is that of sns.amazonaws.com, in its time at `now` (wall ms), and vouched for by the store's
 * authorities, `chain` (may be NULL) in between. -1 with *e. */
int sns_certificate_check(X509 *certificate, STACK_OF(X509) *chain, X509_STORE *authorities, int64_t now,
    struct err *e);

#endif
