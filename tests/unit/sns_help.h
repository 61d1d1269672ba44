/*
 * sns_help.h - an authority and a signer of SNS messages of our own, and what
 * of a signed message may change by one byte and still mean the same.
 */
#ifndef TESTS_UNIT_SNS_HELP_H
#define TESTS_UNIT_SNS_HELP_H

#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/clock.h"
#include "mta/base/str.h"

#define TOPIC "arn:aws:sns:ap-northeast-1:123456789012:ses-events"
#define CERT_URL                                                               \
	"https://sns.ap-northeast-1.amazonaws.com/"                            \
	"SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
#define SIGNED_FOLDER "/work/shared/data/ses_events/sns_signed"
#define SIGNED_PEM                                                             \
	SIGNED_FOLDER "/SimpleNotificationService-"                            \
		      "7506a1e35b36ef5a444dd1a8e7cc3ed8.pem"
#define SIGNED_URL                                                             \
	"https://sns.us-west-2.amazonaws.com/SimpleNotificationService-"       \
	"7506a1e35b36ef5a444dd1a8e7cc3ed8.pem"
#define SIGNED_TOPIC "arn:aws:sns:us-west-2:131990247566:dongie-standard-topic"
#define SIGNED_NOW   1772827200000 /* 2026-03-06T20:00:00Z */

/* ------ certificates */

struct cert_form {
	const char *name, *alt; /* CN; names for SAN, "DNS:..." */
	bool authority;
	int64_t from, to;	/* wall ms */
	const char *issuer_url; /* for authorityInfoAccess */
};

static inline void
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(x, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static inline X509 *
make_cert(const struct cert_form *form, EVP_PKEY *key, X509 *issuer,
    EVP_PKEY *issuer_key)
{
	static long serial;
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	char info[200];

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(form->from / 1000));
	ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(form->to / 1000));
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)form->name, -1, -1, 0);
	X509_set_issuer_name(
	    x, issuer != NULL ? X509_get_subject_name(issuer) : name);
	add_extension(x, issuer != NULL ? issuer : x, NID_basic_constraints,
	    form->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (form->alt != NULL)
		add_extension(x, issuer, NID_subject_alt_name, form->alt);
	if (form->issuer_url != NULL) {
		snprintf(
		    info, sizeof(info), "caIssuers;URI:%s", form->issuer_url);
		add_extension(x, issuer, NID_info_access, info);
	}
	assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	return x;
}

/* An authority, one between, and the signer. */
struct pki {
	EVP_PKEY *key, *ca_key;
	X509 *ca, *between, *cert;
};

static inline void
pki_make(struct pki *pki, int64_t now, const char *issuer_url)
{
	const int64_t day = 86400000;
	struct cert_form ca = { "Test Root", NULL, true, now - 10 * day,
		now + 10 * day, NULL };
	struct cert_form between = { "Test Between", NULL, true, now - 10 * day,
		now + 10 * day, NULL };
	struct cert_form cert = { "sns.amazonaws.com", "DNS:sns.amazonaws.com",
		false, now - day, now + day, issuer_url };

	pki->key = EVP_RSA_gen(2048);
	pki->ca_key = EVP_RSA_gen(2048);
	assert_true(pki->key != NULL && pki->ca_key != NULL);
	pki->ca = make_cert(&ca, pki->ca_key, NULL, pki->ca_key);
	pki->between = make_cert(&between, pki->ca_key, pki->ca, pki->ca_key);
	pki->cert = make_cert(&cert, pki->key, pki->between, pki->ca_key);
}

static inline void
pki_clear(struct pki *pki)
{
	X509_free(pki->ca);
	X509_free(pki->between);
	X509_free(pki->cert);
	EVP_PKEY_free(pki->key);
	EVP_PKEY_free(pki->ca_key);
}

static inline void
add_pem(struct str *pem, X509 *x)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *data;
	long len;

	PEM_write_bio_X509(out, x);
	len = BIO_get_mem_data(out, &data);
	str_add(pem, data, (size_t)len);
	BIO_free(out);
}

/* ------ messages */

struct note {
	const char *type;
	int version;
	const char *id, *topic, *subject, *message, *cert_url;
	int64_t at;
	const char *subscribe_url,
	    *token; /* of confirmations; made when NULL */
};

/* As AWS's documentation lists them, type by type. */
static inline const char *const *
signed_names(const char *type)
{
	static const char *const notification[] = { "Message", "MessageId",
		"Subject", "Timestamp", "TopicArn", "Type", NULL };
	static const char *const others[] = { "Message", "MessageId",
		"SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
		NULL };

	return strcmp(type, "Notification") == 0 ? notification : others;
}

static inline void
put(json_t *o, const char *name, const char *value)
{
	if (value != NULL)
		json_object_set_new(o, name, json_string(value));
}

static inline void
sign_json(json_t *o, const char *type, int version, EVP_PKEY *key)
{
	const char *const *name = signed_names(type);
	unsigned char raw[1024], text[1500];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof(raw);
	struct str s = STR_INIT;

	for (; *name != NULL; name++)
		if (json_object_get(o, *name) != NULL)
			str_addf(&s, "%s\n%s\n", *name,
			    json_string_value(json_object_get(o, *name)));
	assert_int_equal(
	    EVP_DigestSignInit(
		ctx, NULL, version == 1 ? EVP_sha1() : EVP_sha256(), NULL, key),
	    1);
	assert_int_equal(EVP_DigestSign(ctx, raw, &len,
			     (const unsigned char *)s.data, s.len),
	    1);
	EVP_EncodeBlock(text, raw, (int)len);
	put(o, "Signature", (const char *)text);
	EVP_MD_CTX_free(ctx);
	str_release(&s);
}

/* The caller frees. */
static inline char *
make_note(const struct note *n, EVP_PKEY *key)
{
	bool plain = strcmp(n->type, "Notification") == 0;
	const char *token = n->token != NULL ? n->token : "0123abcd";
	json_t *o = json_object();
	char url[600], iso[25], *text;

	snprintf(url, sizeof(url),
	    "https://sns.ap-northeast-1.amazonaws.com/"
	    "?Action=ConfirmSubscription&TopicArn=%s&Token=%s",
	    n->topic, token);
	put(o, "Type", n->type);
	put(o, "MessageId", n->id);
	put(o, "TopicArn", n->topic);
	put(o, "Subject", plain ? n->subject : NULL);
	put(o, "Message", n->message);
	put(o, "Timestamp", clock_iso(n->at, iso));
	put(o, "SignatureVersion", n->version == 1 ? "1" : "2");
	put(o, "SigningCertURL", n->cert_url);
	if (!plain) {
		put(o, "Token", token);
		put(o, "SubscribeURL",
		    n->subscribe_url != NULL ? n->subscribe_url : url);
	}
	sign_json(o, n->type, n->version, key);
	if (plain)
		put(o, "UnsubscribeURL", "https://sns.example.com/?Action=x");
	text = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	return text;
}

/* ------ changes of one byte */

/* What a byte of the text is: it can be left out or replaced by ... */
enum byte_kind {
	SEALED, /* nothing: all the rest */
	SPACE,	/* other white space, being outside of strings */
	FREE	/* another plain character, or a backslash where that makes an
		   escape, in the name or value of a member that is neither
		   signed nor used */
};

static inline const char *
end_of_string(const char *c)
{
	for (c++; *c != '"'; c++)
		if (*c == '\\')
			c++;
	return c;
}

/* kinds[i] of each byte; UnsubscribeURL is the one member that is free. */
static inline void
mark_bytes(const char *text, enum byte_kind *kinds)
{
	static const char free_name[] = "UnsubscribeURL";
	const char *name = NULL, *c, *end;
	bool is_value = false, is_free = false;

	for (c = text; *c != '\0'; c++) {
		kinds[c - text] = isspace((unsigned char)*c) ? SPACE : SEALED;
		if (*c == ':')
			is_value = true;
		if (*c == ',')
			is_value = false;
		if (*c != '"')
			continue;
		end = end_of_string(c);
		if (!is_value) {
			name = c + 1;
			is_free =
			    strncmp(name, free_name, strlen(free_name)) == 0;
		}
		for (const char *in = c; in <= end; in++)
			kinds[in - text] =
			    is_free && in > c && in < end ? FREE : SEALED;
		c = end;
	}
}

/* Whether a backslash before these bytes of a string makes an escape of them.
 */
static inline bool
is_escaped(const char *text, const enum byte_kind *kinds)
{
	if (kinds[0] != FREE)
		return false;
	if (*text != 'u')
		return strchr("\"\\/bfnrt", *text) != NULL;
	for (int i = 1; i <= 4; i++)
		if (kinds[i] != FREE || !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

/* Byte i of the text. */
static inline bool
may_replace(const char *text, const enum byte_kind *kinds, size_t i, char by)
{
	if (kinds[i] == SPACE)
		return by == ' ' || by == '\t' || by == '\n' || by == '\r';
	if (kinds[i] == FREE && by == '\\')
		return is_escaped(text + i + 1, kinds + i + 1);
	return kinds[i] == FREE && by >= ' ' && by <= '~' && by != '"';
}

static inline char *
read_whole(const char *path)
{
	FILE *fp = fopen(path, "r");
	struct str s = STR_INIT;
	char buf[4096];
	size_t n;

	if (fp == NULL)
		return NULL;
	while ((n = fread(buf, 1, sizeof(buf), fp)) > 0)
		str_add(&s, buf, n);
	fclose(fp);
	return str_detach(&s);
}

#endif
