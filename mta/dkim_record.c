/*
 * dkim_record.c - the TXT record that publishes a DKIM key: written, read and
 * judged.
 *
 * A record is read as the strictest verifier does (RFC 6376 3.6.1): what only
 * some of them would forgive is a mistake.
 */
#include "mta/dkim_record.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/dkim.h"
#include "mta/dkim_key.h"
#include "mta/dkim_tags.h"

#define STRING_MAX  255 /* RFC 1035 3.3: of a character-string */
#define ED25519_LEN 32
#define PARTS	    "vhkpst"

static const char *const state_names[] = {
	[DKIM_RECORD_GOOD] = "good",
	[DKIM_RECORD_MISSING] = "missing",
	[DKIM_RECORD_REVOKED] = "revoked",
	[DKIM_RECORD_OTHER_KEY] = "other key",
	[DKIM_RECORD_INVALID] = "invalid",
	[DKIM_RECORD_SEVERAL] = "several",
	[DKIM_RECORD_WEAK] = "weak",
};

const char *
dkim_record_state_name(enum dkim_record_state state)
{
	return state_names[state];
}

bool
dkim_record_works(enum dkim_record_state state)
{
	return state == DKIM_RECORD_GOOD || state == DKIM_RECORD_WEAK;
}

__attribute__((format(printf, 3, 4))) static enum dkim_record_state
verdict(char what[static DKIM_RECORD_WHAT], enum dkim_record_state state,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, DKIM_RECORD_WHAT, fmt, ap);
	va_end(ap);
	return state;
}

/* -- the key in it
 * ---------------------------------------------------------------- */

static bool
is_base64(const char *text, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";
	size_t good = strspn(text, alphabet);

	good += strspn(text + good, "=");
	return good == len && len % 4 == 0 && strcspn(text, "=") + 2 >= len;
}

/* Decodes, blanks between left out; NULL when it is no base64. */
static unsigned char *
decode(const char *text, size_t *size)
{
	char *bare = xmalloc(strlen(text) + 1);
	unsigned char *bytes = NULL;
	size_t len = 0;

	for (; *text != '\0'; text++)
		if (strchr(" \t\r\n", *text) == NULL)
			bare[len++] = *text;
	bare[len] = '\0';
	if (is_base64(bare, len)) {
		bytes = xmalloc(len / 4 * 3 + 1);
		EVP_DecodeBlock(bytes, (unsigned char *)bare, (int)len);
		*size = len / 4 * 3 - (len - strcspn(bare, "="));
	}
	free(bare);
	return bytes;
}

/* An RSA key in DER with nothing behind it. */
static EVP_PKEY *
read_rsa(const unsigned char *bytes, size_t size)
{
	const unsigned char *at = bytes;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)size);

	if (key != NULL &&
	    (at != bytes + size || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_clear_error();
	return key;
}

static EVP_PKEY *
read_ed25519(const unsigned char *bytes, size_t size)
{
	if (size != ED25519_LEN)
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, size);
}

static const struct key_type {
	const char *name;
	EVP_PKEY *(*read)(const unsigned char *bytes, size_t size);
	const char *wanted;
} key_types[] = {
	{ "rsa", read_rsa, "an RSA public key in DER" },
	{ "ed25519", read_ed25519, "the 32 bytes of an Ed25519 key" },
};

static const struct key_type *
find_type(const char *name)
{
	for (size_t i = 0; i < sizeof(key_types) / sizeof(key_types[0]); i++)
		if (strcasecmp(key_types[i].name, name) == 0)
			return &key_types[i];
	return NULL;
}

static const char *
key_type_name(const struct dkim_tags *tags)
{
	const char *k = dkim_tags_get(tags, 'k');

	return k != NULL ? k : "rsa";
}

/* NULL, with *what set, when it has none that can be used. */
static EVP_PKEY *
read_key(const struct dkim_tags *tags, char what[static DKIM_RECORD_WHAT])
{
	const struct key_type *type = find_type(key_type_name(tags));
	EVP_PKEY *key = NULL;
	unsigned char *bytes;
	size_t size = 0;

	if (type == NULL) {
		verdict(what, DKIM_RECORD_INVALID,
		    "k=%s is no type of keys that verifiers know",
		    dkim_show(key_type_name(tags)).text);
		return NULL;
	}
	bytes = decode(dkim_tags_get(tags, 'p'), &size);
	if (bytes != NULL)
		key = type->read(bytes, size);
	if (key == NULL)
		verdict(what, DKIM_RECORD_INVALID, "p= is not %s, in base64",
		    type->wanted);
	free(bytes);
	return key;
}

/* -- the verdict
 * ------------------------------------------------------------------ */

/* What makes it no record for signatures of mail, whatever its key is. */
static enum dkim_record_state
check_tags(const struct dkim_tags *t, char what[static DKIM_RECORD_WHAT])
{
	const char *v = dkim_tags_get(t, 'v'), *h = dkim_tags_get(t, 'h'),
		   *s = dkim_tags_get(t, 's'), *p = dkim_tags_get(t, 'p');

	if (v != NULL && strcmp(v, "DKIM1") != 0)
		return verdict(what, DKIM_RECORD_INVALID,
		    "v= is '%s', not 'DKIM1'", dkim_show(v).text);
	if (v != NULL && t->first != 'v')
		return verdict(what, DKIM_RECORD_INVALID,
		    "v= is not the first of its tags");
	if (p == NULL)
		return verdict(
		    what, DKIM_RECORD_INVALID, "it has no key: p= is missing");
	if (*p == '\0')
		return verdict(what, DKIM_RECORD_REVOKED,
		    "the key is revoked: p= is empty");
	if (h != NULL && !dkim_tags_has(h, "sha256"))
		return verdict(what, DKIM_RECORD_INVALID,
		    "h=%s does not allow sha256", dkim_show(h).text);
	if (s != NULL && !dkim_tags_has(s, "*") && !dkim_tags_has(s, "email"))
		return verdict(what, DKIM_RECORD_INVALID,
		    "s=%s does not allow email", dkim_show(s).text);
	return DKIM_RECORD_GOOD;
}

static bool
is_signers(const struct dkim_signer *s, EVP_PKEY *key)
{
	char *text = dkim_signer_record(s);
	char what[DKIM_RECORD_WHAT];
	struct dkim_tags tags;
	EVP_PKEY *own = NULL;
	bool same;

	if (dkim_tags_read(&tags, PARTS, text, what) == 0)
		own = read_key(&tags, what);
	same = own != NULL && EVP_PKEY_eq(key, own) == 1;
	EVP_PKEY_free(own);
	free(text);
	return same;
}

static enum dkim_record_state
check_strength(const struct dkim_signer *s, const struct dkim_tags *tags,
    char what[static DKIM_RECORD_WHAT])
{
	const char *t = dkim_tags_get(tags, 't');
	unsigned bits;
	const char *type = dkim_signer_algorithm(s, &bits);

	if (t != NULL && dkim_tags_has(t, "y"))
		return verdict(what, DKIM_RECORD_WEAK,
		    "t=y says that signatures are only being tried: some "
		    "receivers treat such mail as not signed");
	if (strcmp(type, "rsa") == 0 && bits < DKIM_RSA_BITS_GOOD)
		return verdict(what, DKIM_RECORD_WEAK,
		    "RSA of %u bits is weak: %d and more are recommended", bits,
		    DKIM_RSA_BITS_GOOD);
	return verdict(what, DKIM_RECORD_GOOD, "it publishes our key");
}

static enum dkim_record_state
check_key(const struct dkim_signer *s, const struct dkim_tags *tags,
    char what[static DKIM_RECORD_WHAT])
{
	EVP_PKEY *key = read_key(tags, what);
	bool same;

	if (key == NULL)
		return DKIM_RECORD_INVALID;
	same = is_signers(s, key);
	EVP_PKEY_free(key);
	if (!same)
		return verdict(what, DKIM_RECORD_OTHER_KEY,
		    "it publishes another key than the one we sign with");
	return check_strength(s, tags, what);
}

static enum dkim_record_state
check_text(
    const struct dkim_signer *s, char *text, char what[static DKIM_RECORD_WHAT])
{
	enum dkim_record_state state;
	struct dkim_tags tags;

	if (dkim_tags_read(&tags, PARTS, text, what) != 0)
		return DKIM_RECORD_INVALID;
	state = check_tags(&tags, what);
	return state == DKIM_RECORD_GOOD ? check_key(s, &tags, what) : state;
}

enum dkim_record_state
dkim_record_check(const struct dkim_signer *s, const char *const *txt,
    size_t ntxt, char what[static DKIM_RECORD_WHAT])
{
	enum dkim_record_state state;
	char *text;

	if (ntxt == 0)
		return verdict(what, DKIM_RECORD_MISSING, "there is none");
	if (ntxt > 1)
		return verdict(what, DKIM_RECORD_SEVERAL,
		    "there are %zu TXT records: each verifier takes any one",
		    ntxt);
	text = xstrdup(txt[0]);
	state = check_text(s, text, what);
	free(text);
	return state;
}

/* -- text
 * ------------------------------------------------------------------------- */

char *
dkim_record_name(const struct dkim_signer *s)
{
	struct str out = STR_INIT;

	str_addf(&out, "%s._domainkey.%s", dkim_signer_selector(s),
	    dkim_signer_domain(s));
	return str_detach(&out);
}

static void
add_escaped(struct str *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			str_addf(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			str_addf(out, "\\%03u", c);
		else
			str_addc(out, (char)c);
	}
}

void
dkim_record_strings(struct str *out, const char *text)
{
	size_t left = strlen(text), n;

	do {
		n = left < STRING_MAX ? left : STRING_MAX;
		str_addc(out, '"');
		add_escaped(out, text, n);
		str_adds(out, left > n ? "\" " : "\"");
		text += n;
		left -= n;
	} while (left > 0);
}

void
dkim_record_zone_line(struct str *out, const char *name, const char *text)
{
	str_addf(out, "%s. IN TXT ", name);
	dkim_record_strings(out, text);
	str_addc(out, '\n');
}

char *
dkim_record_text(const uint8_t *rdata, size_t len)
{
	struct str out = STR_INIT;
	size_t at = 0;

	while (at < len && rdata[at] < len - at) {
		str_add(&out, rdata + at + 1, rdata[at]);
		at += rdata[at] + 1u;
	}
	if (at != len) {
		str_release(&out);
		return NULL;
	}
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] == '\0')
			out.data[i] = '?';
	return str_detach(&out);
}
