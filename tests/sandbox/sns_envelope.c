/*
 * sns_envelope.c - what SNS puts around a message: JSON, and a signature over
 * some of its members.
 */
#include "tests/sandbox/sns_envelope.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sns.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_SIGNATURE "U2lnbmVkIG9ubHkgd2hlcmUgc29tZWJvZHkgbG9va3M="
#define CERT_URL                                                               \
	"https://sns." AWS_REGION ".amazonaws.com/SimpleNotificationService-"  \
	"00000000000000000000000000000000.pem"

void
sns_uuid(char id[static 37])
{
	unsigned char r[16];

	RAND_bytes(r, sizeof(r));
	r[6] = (r[6] & 0x0f) | 0x40; /* RFC 9562, version 4 */
	r[8] = (r[8] & 0x3f) | 0x80;
	snprintf(id, 37,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10],
	    r[11], r[12], r[13], r[14], r[15]);
}

/* Those of them that are there, in this order, each "Name LF value LF". */
static void
add_signed(const struct sns_envelope *v, struct str *o)
{
	char iso[25];
	const struct {
		const char *name, *value;
	} rows[] = {
		{ "Message", v->message },
		{ "MessageId", v->message_id },
		{ "Subject", v->token == NULL ? v->subject : NULL },
		{ "SubscribeURL", v->subscribe_url },
		{ "Timestamp", clock_iso(v->at, iso) },
		{ "Token", v->token },
		{ "TopicArn", v->topic_arn },
		{ "Type", v->type },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].value != NULL)
			str_addf(o, "%s\n%s\n", rows[i].name, rows[i].value);
}

static void
add_base64(struct str *o, const unsigned char *data, size_t len)
{
	str_reserve(o, len / 3 * 4 + 8);
	o->len += (size_t)EVP_EncodeBlock(
	    (unsigned char *)o->data + o->len, data, (int)len);
}

void
sns_envelope_sign(const struct sns_envelope *v, EVP_PKEY *key, struct str *o)
{
	const EVP_MD *md = v->version == 1 ? EVP_sha1() : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct str text = STR_INIT;
	size_t len = (size_t)EVP_PKEY_get_size(key);
	unsigned char *signature = xmalloc(len);
	int ok;

	add_signed(v, &text);
	ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, md, NULL, key) == 1 &&
	     EVP_DigestSign(ctx, signature, &len,
		 (const unsigned char *)text.data, text.len) == 1;
	assert(ok);
	add_base64(o, signature, len);
	free(signature);
	EVP_MD_CTX_free(ctx);
	str_release(&text);
}

static void
add_if(struct str *o, const char *key, const char *value)
{
	if (value != NULL)
		json_str(o, key, value);
}

void
sns_envelope_write(
    const struct sns_envelope *v, const char *signature, struct str *o)
{
	char iso[25], version[12];

	snprintf(version, sizeof(version), "%u", v->version);
	json_open(o, NULL, '{');
	json_str(o, "Type", v->type);
	json_str(o, "MessageId", v->message_id);
	add_if(o, "Token", v->token);
	json_str(o, "TopicArn", v->topic_arn);
	add_if(o, "Subject", v->subject);
	json_str(o, "Message", v->message);
	add_if(o, "SubscribeURL", v->subscribe_url);
	json_str(o, "Timestamp", clock_iso(v->at, iso));
	json_str(o, "SignatureVersion", version);
	json_str(o, "Signature", signature);
	json_str(o, "SigningCertURL", v->cert_url);
	add_if(o, "UnsubscribeURL", v->unsubscribe_url);
	json_close(o, '}');
}

/* A queue's reader does not look at the signature, which would cost more than
 * all the rest. */
void
sns_envelope_unsigned(const char *subject, const char *message, struct str *o)
{
	char id[37];
	const struct sns_envelope v = {
		.type = SNS_NOTIFICATION,
		.message_id = id,
		.topic_arn = SNS_TOPIC_ARN,
		.subject = subject,
		.message = message,
		.unsubscribe_url = "https://sns." AWS_REGION
				   ".amazonaws.com/?Action=Unsubscribe",
		.cert_url = CERT_URL,
		.at = clock_wall(),
		.version = 1,
	};

	sns_uuid(id);
	sns_envelope_write(&v, NO_SIGNATURE, o);
}
