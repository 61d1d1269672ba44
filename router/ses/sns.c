/*
 * sns.c - the envelope that SNS puts around a message: read, and its signature
 * verified (facts/aws.md, section 4).
 *
 * What it names, a topic, a certificate, an address to confirm at, is judged by
 * sns_address.c; the certificate by sns_trust.c.
 */
#include "router/ses/sns.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "router/ses/json_read.h"

/* Of types, as bits. */
#define NOTE (1u << SNS_NOTIFICATION)
#define CONFIRM                                                                \
	(1u << SNS_SUBSCRIPTION_CONFIRMATION |                                 \
	    1u << SNS_UNSUBSCRIBE_CONFIRMATION)
#define ANY (NOTE | CONFIRM)

#define MESSAGE_MAX  (1u << 20) /* SNS takes 256 KB */
#define KEY_BITS_MIN 2048

static const char *const types[] = {
	[SNS_NOTIFICATION] = "Notification",
	[SNS_SUBSCRIPTION_CONFIRMATION] = "SubscriptionConfirmation",
	[SNS_UNSUBSCRIBE_CONFIRMATION] = "UnsubscribeConfirmation",
};

/*
 * Whichever of them a type has are signed in this order, which is that of their
 * names' bytes. What a type does not have, were it there, would be unsigned: it
 * is never read.
 */
static const struct member {
	const char *name;
	size_t at;	     /* in struct sns_message */
	unsigned of, needed; /* types */
	bool is_signed;
	size_t least, most;
} members[] = {
#define AT(m) offsetof(struct sns_message, m)
	{ "Message", AT(message), ANY, ANY, true, 0, MESSAGE_MAX },
	{ "MessageId", AT(message_id), ANY, ANY, true, 1, 100 },
	{ "Subject", AT(subject), NOTE, 0, true, 0, 1000 },
	{ "SubscribeURL", AT(subscribe_url), CONFIRM, CONFIRM, true, 1, 4000 },
	{ "Timestamp", AT(timestamp), ANY, ANY, true, 1, 40 },
	{ "Token", AT(token), CONFIRM, CONFIRM, true, 1, 2000 },
	{ "TopicArn", AT(topic_arn), ANY, ANY, true, 1, 400 },
	{ "Type", AT(type_text), ANY, ANY, true, 1, 40 },
	{ "Signature", AT(signature), ANY, ANY, false, 1, 2000 },
	{ "SigningCertURL", AT(signing_cert_url), ANY, ANY, false, 1, 400 },
#undef AT
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

static char **
value_of(struct sns_message *m, const struct member *member)
{
	return (char **)(void *)((char *)m + member->at);
}

static const char *
value_in(const struct sns_message *m, const struct member *member)
{
	return *(char *const *)(const void *)((const char *)m + member->at);
}

/* ------ reading */

static int
read_type(struct sns_message *m, const json_t *envelope, struct err *e)
{
	const char *type = json_string_value(json_object_get(envelope, "Type"));

	for (size_t i = 0; type != NULL && i < sizeof(types) / sizeof(types[0]);
	     i++)
		if (strcmp(type, types[i]) == 0) {
			m->type = (enum sns_type)i;
			return 0;
		}
	return err_set(e, "not a type of SNS: '%s'", type != NULL ? type : "");
}

static int
read_member(struct sns_message *m, const struct member *member,
    const json_t *envelope, struct err *e)
{
	const json_t *value = json_object_get(envelope, member->name);
	size_t len;

	if ((member->of & 1u << m->type) == 0)
		return 0;
	if (value == NULL && (member->needed & 1u << m->type) == 0)
		return 0;
	if (!json_is_string(value))
		return err_set(e, "no text for '%s'", member->name);
	len = json_string_length(value);
	if (len < member->least || len > member->most)
		return err_set(e, "'%s' has %zu bytes", member->name, len);
	*value_of(m, member) = xstrndup(json_string_value(value), len);
	return 0;
}

static int
read_version(struct sns_message *m, const json_t *envelope, struct err *e)
{
	const char *version =
	    json_string_value(json_object_get(envelope, "SignatureVersion"));

	if (version == NULL || strlen(version) != 1 ||
	    (*version != '1' && *version != '2'))
		return err_set(e, "signature version '%s' is not known",
		    version != NULL ? version : "");
	m->signature_version = (unsigned)(*version - '0');
	return 0;
}

/* It is logged, kept and looked up: no more than SNS makes of it. */
static int
check_message_id(const struct sns_message *m, struct err *e)
{
	static const char allowed[] = "0123456789-"
				      "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (m->message_id[strspn(m->message_id, allowed)] != '\0')
		return err_set(e, "not a MessageId: '%s'", m->message_id);
	return 0;
}

static int
read_envelope(struct sns_message *m, const json_t *envelope, struct err *e)
{
	if (!json_is_object(envelope))
		return err_set(e, "not an envelope of SNS");
	if (read_type(m, envelope, e) != 0)
		return -1;
	for (size_t i = 0; i < MEMBERS; i++)
		if (read_member(m, &members[i], envelope, e) != 0)
			return -1;
	if (read_version(m, envelope, e) != 0 || check_message_id(m, e) != 0)
		return -1;
	if (clock_iso_read(m->timestamp, &m->at) != 0)
		return err_set(e, "not a time: '%s'", m->timestamp);
	return 0;
}

int
sns_read(struct sns_message *m, const char *json, size_t len, struct err *e)
{
	json_t *envelope =
	    json_read(json, len, JSON_REJECT_DUPLICATES, NULL, e);
	int rc;

	memset(m, 0, sizeof(*m));
	if (envelope == NULL)
		return -1;
	rc = read_envelope(m, envelope, e);
	json_decref(envelope);
	if (rc != 0)
		sns_clear(m);
	return rc;
}

void
sns_clear(struct sns_message *m)
{
	for (size_t i = 0; i < MEMBERS; i++)
		free(*value_of(m, &members[i]));
	memset(m, 0, sizeof(*m));
}

bool
sns_is_envelope(const char *json, size_t len)
{
	json_t *envelope = json_read(json, len, 0, NULL, NULL);
	bool is = json_is_string(json_object_get(envelope, "Type")) &&
		  json_is_string(json_object_get(envelope, "TopicArn")) &&
		  json_is_string(json_object_get(envelope, "Message"));

	json_decref(envelope);
	return is;
}

/* ------ the signature */

static void
add_signed_text(const struct sns_message *m, struct str *text)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		const char *value = value_in(m, &members[i]);

		if (!members[i].is_signed || value == NULL)
			continue;
		str_adds(text, members[i].name);
		str_addc(text, '\n');
		str_adds(text, value);
		str_addc(text, '\n');
	}
}

/*
 * base64 in its one right spelling: OpenSSL also takes blanks around it, and
 * others in place of its last digit, which would make more than one text of a
 * signature good. The caller frees.
 */
static unsigned char *
decode_signature(const char *text, size_t *len)
{
	size_t n = strlen(text), pads = 0;
	unsigned char *raw = xmalloc(n / 4 * 3 + 1);
	char *again = xmalloc(n + 1);

	while (pads < 2 && pads < n && text[n - 1 - pads] == '=')
		pads++;
	if (n == 0 || n % 4 != 0 ||
	    EVP_DecodeBlock(raw, (const unsigned char *)text, (int)n) !=
		(int)(n / 4 * 3)) {
		free(raw);
		raw = NULL;
	} else {
		*len = n / 4 * 3 - pads;
		EVP_EncodeBlock((unsigned char *)again, raw, (int)*len);
		if (strcmp(again, text) != 0) {
			free(raw);
			raw = NULL;
		}
	}
	free(again);
	return raw;
}

static bool
fits(EVP_PKEY *key, const EVP_MD *hash, const struct str *text,
    const unsigned char *signature, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good;

	if (ctx == NULL)
		abort(); /* out of memory */
	good = EVP_DigestVerifyInit(ctx, NULL, hash, NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, signature, len,
		   (const unsigned char *)text->data, text->len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

int
sns_verify(const struct sns_message *m, X509 *certificate, struct err *e)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	struct str text = STR_INIT;
	unsigned char *signature;
	bool good;
	size_t len = 0;

	ERR_clear_error();
	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
	    EVP_PKEY_get_bits(key) < KEY_BITS_MIN)
		return err_set(e, "the certificate's key is not one of RSA");
	if (m->signature_version != 1 && m->signature_version != 2)
		return err_set(e, "signature version %u is not known",
		    m->signature_version);
	signature = decode_signature(m->signature, &len);
	if (signature == NULL)
		return err_set(e, "the signature is not base64");
	add_signed_text(m, &text);
	good = fits(key, m->signature_version == 1 ? EVP_sha1() : EVP_sha256(),
	    &text, signature, len);
	str_release(&text);
	free(signature);
	return good ? 0 : err_set(e, "the signature does not fit the message");
}
