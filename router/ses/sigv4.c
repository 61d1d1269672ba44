/*
 * sigv4.c - AWS Signature Version 4: signs requests to AWS, verifies requests
 * from its clients.
 *
 * What is signed is sigv4_canonical.c's. Calls to AWS are signed in call.c.
 */
#include "router/ses/sigv4.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/ses/sigv4_canonical.h"
#include "router/ses/sigv4_claim.h"

#define ALGORITHM   "AWS4-HMAC-SHA256"
#define DATE_HEADER "X-Amz-Date"
#define TOKEN	    "X-Amz-Security-Token"
#define PAYLOAD	    "X-Amz-Content-Sha256"

enum {
	HASH_LEN = 32,
};

/* -- hashes and keys --------------------------------------------------- */

static void
write_hex(
    const unsigned char hash[static HASH_LEN], char out[static SIGV4_HASH_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < HASH_LEN; i++) {
		*out++ = digits[hash[i] >> 4];
		*out++ = digits[hash[i] & 15];
	}
	*out = '\0';
}

void
sigv4_hash(const void *data, size_t len, char out[static SIGV4_HASH_TEXT])
{
	unsigned char hash[HASH_LEN];

	if (EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory */
	write_hex(hash, out);
}

/* `out` may be the key itself. */
static void
mac(const void *key, size_t key_len, const char *text, size_t len,
    unsigned char out[static HASH_LEN])
{
	unsigned char result[HASH_LEN];

	if (HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text,
		len, result, NULL) == NULL)
		abort(); /* out of memory */
	memcpy(out, result, HASH_LEN);
	OPENSSL_cleanse(result, sizeof(result));
}

static void
derive_key(const char *secret, const struct sigv4_scope *s,
    unsigned char out[static HASH_LEN])
{
	struct str start = STR_INIT;

	str_reserve(&start, 4 + strlen(secret)); /* it is wiped where it is */
	str_adds(&start, "AWS4");
	str_adds(&start, secret);
	mac(start.data, start.len, s->day, SIGV4_DAY_LEN, out);
	mac(out, HASH_LEN, s->region, s->region_len, out);
	mac(out, HASH_LEN, s->service, s->service_len, out);
	mac(out, HASH_LEN, SIGV4_SCOPE_END, strlen(SIGV4_SCOPE_END), out);
	OPENSSL_cleanse(start.data, start.len);
	str_release(&start);
}

/*
 * A key is good for a day, and four fifths of what a signature costs: the
 * thread's latest one is kept, with what it is the key of.
 */
#define KEPT_OF 256 /* bytes of secret and scope; longer ones are not kept */

static _Thread_local struct {
	char of[KEPT_OF];
	unsigned char key[HASH_LEN];
} kept;

static void
signing_key(const char *secret, const struct sigv4_scope *s,
    unsigned char out[static HASH_LEN])
{
	char of[KEPT_OF];
	int n = snprintf(of, sizeof(of), "%.*s/%.*s/%.*s/%s", SIGV4_DAY_LEN,
	    s->day, (int)s->region_len, s->region, (int)s->service_len,
	    s->service, secret);

	if (n < KEPT_OF && strcmp(of, kept.of) == 0) {
		memcpy(out, kept.key, HASH_LEN);
	} else {
		derive_key(secret, s, out);
		if (n < KEPT_OF) {
			memcpy(kept.of, of, (size_t)n + 1);
			memcpy(kept.key, out, HASH_LEN);
		}
	}
	OPENSSL_cleanse(of, sizeof(of));
}

static void
add_scope(struct str *out, const struct sigv4_scope *s)
{
	str_addf(out, "%.*s/%.*s/%.*s/" SIGV4_SCOPE_END, SIGV4_DAY_LEN, s->day,
	    (int)s->region_len, s->region, (int)s->service_len, s->service);
}

/* Of a canonical request, in lower-case hex. */
static void
make_signature(const struct str *canonical, const char *secret,
    const struct sigv4_scope *scope, const char *date,
    char out[static SIGV4_HASH_TEXT])
{
	unsigned char key[HASH_LEN], signature[HASH_LEN];
	char hash[SIGV4_HASH_TEXT];
	struct str text = STR_INIT;

	sigv4_hash(canonical->data, canonical->len, hash);
	str_addf(&text, ALGORITHM "\n%s\n", date);
	add_scope(&text, scope);
	str_addf(&text, "\n%s", hash);
	signing_key(secret, scope, key);
	mac(key, sizeof(key), text.data, text.len, signature);
	write_hex(signature, out);
	OPENSSL_cleanse(key, sizeof(key));
	str_release(&text);
}

/* -- signing ----------------------------------------------------------- */

static void
write_date(int64_t wall_ms, char date[static SIGV4_DATE_TEXT])
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(date, SIGV4_DATE_TEXT, "%Y%m%dT%H%M%SZ", &tm);
	assert(n == SIGV4_DATE_TEXT - 1);
}

/* All headers of the request, and the two that signing adds. */
static void
canonical_to_sign(const struct sigv4_request *r, const char *date,
    const char *token, struct str *canonical, struct str *names)
{
	size_t n = r->nheaders;
	struct sigv4_header *all = xcalloc(n + 2, sizeof(*all));
	const struct sigv4_header **list =
	    xcalloc(n + 2, sizeof(struct sigv4_header *));

	if (n > 0)
		memcpy(all, r->headers, n * sizeof(*all));
	all[n++] = (struct sigv4_header){ DATE_HEADER, date };
	if (token != NULL)
		all[n++] = (struct sigv4_header){ TOKEN, token };
	for (size_t i = 0; i < n; i++)
		list[i] = &all[i];
	sigv4_canonical(r, list, n, canonical, names);
	free(list);
	free(all);
}

void
sigv4_sign(const struct sigv4_request *r, const struct sigv4_key *key,
    const char *region, const char *service, int64_t wall_ms,
    char date[static SIGV4_DATE_TEXT], struct str *authorization)
{
	struct str canonical = STR_INIT, names = STR_INIT;
	const struct sigv4_scope scope = { date, region, service,
		strlen(region), strlen(service) };
	char signature[SIGV4_HASH_TEXT];

	write_date(wall_ms, date);
	canonical_to_sign(r, date, key->token, &canonical, &names);
	make_signature(&canonical, key->secret, &scope, date, signature);
	str_addf(authorization, ALGORITHM " Credential=%s/", key->access_key);
	add_scope(authorization, &scope);
	str_addf(authorization, ", SignedHeaders=%s, Signature=%s", names.data,
	    signature);
	OPENSSL_cleanse(canonical.data, canonical.len); /* holds the token */
	str_release(&canonical);
	str_release(&names);
}

/* -- verifying --------------------------------------------------------- */

struct check {
	const struct sigv4_request *request;
	const struct sigv4_terms *terms;
	struct err *e;
	struct sigv4_claim claim;
	const char *date;
};

static enum sigv4_verdict
refuse(const struct check *c, enum sigv4_verdict verdict, const char *why)
{
	err_set(c->e, "%s", why);
	return verdict;
}

/* How many headers of that name there are; *value is the last's. */
static size_t
find_header(const struct sigv4_request *r, const char *name, const char **value)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nheaders; i++)
		if (strcasecmp(r->headers[i].name, name) == 0) {
			*value = r->headers[i].value;
			n++;
		}
	return n;
}

/* Listed among the signed ones. Letters in upper case there are found out
 * when the list is compared with what it should be. */
static bool
is_signed(const struct check *c, const char *name)
{
	const char *at = c->claim.headers.text;
	const char *end = at + c->claim.headers.len;
	size_t len, name_len = strlen(name);

	for (; at < end; at += len + 1) {
		len = strcspn(at, ";,");
		if (len == name_len && strncasecmp(at, name, len) == 0)
			return true;
	}
	return false;
}

static enum sigv4_verdict
check_claim(struct check *c, char *who, size_t who_size)
{
	static const char scheme[] = ALGORITHM " ";
	const char *value;
	size_t n = find_header(c->request, "Authorization", &value);

	if (n == 0)
		return refuse(c, SIGV4_MISSING, "it has no Authorization");
	if (strncmp(value, scheme, strlen(scheme)) != 0)
		return refuse(c, SIGV4_MISSING,
		    "its Authorization is not of the kind " ALGORITHM);
	if (n > 1)
		return refuse(c, SIGV4_MALFORMED, "it has two Authorizations");
	if (sigv4_claim_read(value + strlen(scheme), &c->claim, c->e) != 0)
		return SIGV4_MALFORMED;
	if (who != NULL && who_size > 0)
		snprintf(who, who_size, "%.*s", (int)c->claim.access_key.len,
		    c->claim.access_key.text);
	return SIGV4_GOOD;
}

/* Host, the date, and as AWS wants it all of X-Amz-*. */
static enum sigv4_verdict
check_signed(const struct check *c)
{
	const struct sigv4_request *r = c->request;

	if (!is_signed(c, "host") || !is_signed(c, DATE_HEADER))
		return refuse(c, SIGV4_MALFORMED,
		    "it does not sign Host and " DATE_HEADER);
	if (str_has_control(r->method, strlen(r->method)))
		return refuse(c, SIGV4_MALFORMED, "its method is no method");
	for (size_t i = 0; i < r->nheaders; i++) {
		const struct sigv4_header *h = &r->headers[i];
		bool covered = is_signed(c, h->name);

		if (!covered && strncasecmp(h->name, "x-amz-", 6) == 0)
			return refuse(c, SIGV4_MALFORMED,
			    "it has an X-Amz header that it does not sign");
		if (covered && str_has_control(h->value, strlen(h->value)))
			return refuse(c, SIGV4_MALFORMED,
			    "a header holds a control character");
	}
	return SIGV4_GOOD;
}

/* Digits that are a date and a time of day. */
static int
read_date(const char *text, int64_t *wall_ms)
{
	struct str iso = STR_INIT;
	int status = -1;

	if (strlen(text) == SIGV4_DATE_TEXT - 1 && text[8] == 'T') {
		str_addf(&iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%s", text, text + 4,
		    text + 6, text + 9, text + 11, text + 13);
		status = clock_iso_read(iso.data, wall_ms);
		str_release(&iso);
	}
	return status;
}

static enum sigv4_verdict
check_scope(const struct check *c)
{
	const struct sigv4_scope *s = &c->claim.scope;
	const struct sigv4_part region = { s->region, s->region_len };
	const struct sigv4_part service = { s->service, s->service_len };

	if (c->terms->region != NULL &&
	    !sigv4_part_is(&region, c->terms->region)) {
		err_set(c->e, "it is signed for another region than '%s'",
		    c->terms->region);
		return SIGV4_WRONG_SCOPE;
	}
	if (c->terms->service != NULL &&
	    !sigv4_part_is(&service, c->terms->service)) {
		err_set(c->e, "it is signed for another service than '%s'",
		    c->terms->service);
		return SIGV4_WRONG_SCOPE;
	}
	if (strncmp(s->day, c->date, SIGV4_DAY_LEN) != 0)
		return refuse(c, SIGV4_WRONG_SCOPE,
		    "its Credential is of another day than its " DATE_HEADER);
	return SIGV4_GOOD;
}

static enum sigv4_verdict
check_time(struct check *c)
{
	int64_t then, behind;

	if (find_header(c->request, DATE_HEADER, &c->date) != 1 ||
	    read_date(c->date, &then) != 0)
		return refuse(c, SIGV4_MALFORMED,
		    "it has no " DATE_HEADER " such as 20261122T010203Z");
	behind = c->terms->now - then;
	if (behind <= c->terms->window && behind >= -c->terms->window)
		return SIGV4_GOOD;
	err_set(c->e,
	    "it was signed %" PRId64 " s %s by our clock, more than %" PRId64
	    " s are too many",
	    (behind < 0 ? -behind : behind) / 1000,
	    behind < 0 ? "ahead" : "ago", c->terms->window / 1000);
	return SIGV4_SKEWED;
}

static bool
same_secret(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && CRYPTO_memcmp(a, b, strlen(a)) == 0;
}

/* Whose key it is, and with a session token that this is it. */
static enum sigv4_verdict
check_key(const struct check *c, const struct sigv4_key **key)
{
	const struct sigv4_part *name = &c->claim.access_key;
	char *access_key = xstrndup(name->text, name->len);
	const char *token = NULL;
	size_t n = find_header(c->request, TOKEN, &token);

	*key = c->terms->find(c->terms->arg, access_key);
	free(access_key);
	if (*key == NULL)
		return refuse(c, SIGV4_UNKNOWN_KEY, "unknown access key");
	if ((*key)->token == NULL && n > 0)
		return refuse(c, SIGV4_UNKNOWN_KEY,
		    "its access key has no session token");
	if ((*key)->token != NULL &&
	    (n != 1 || !same_secret((*key)->token, token)))
		return refuse(c, SIGV4_UNKNOWN_KEY,
		    "the session token is not that of its access key");
	return SIGV4_GOOD;
}

static enum sigv4_verdict
check_payload(const struct check *c)
{
	const char *hash;
	size_t n = find_header(c->request, PAYLOAD, &hash);

	if (n == 0 || (n == 1 && strcmp(hash, c->request->payload_hash) == 0))
		return SIGV4_GOOD;
	return refuse(c, SIGV4_BAD_PAYLOAD,
	    "its " PAYLOAD " is not the hash of its body");
}

static enum sigv4_verdict
check_signature(const struct check *c, const struct sigv4_key *key,
    const struct str *canonical, const struct str *names)
{
	const struct sigv4_claim *claim = &c->claim;
	char signature[SIGV4_HASH_TEXT];

	if (!sigv4_part_is(&claim->headers, names->data))
		return refuse(c, SIGV4_MALFORMED,
		    "its SignedHeaders are not names of its headers in order");
	make_signature(
	    canonical, key->secret, &claim->scope, c->date, signature);
	if (CRYPTO_memcmp(
		signature, claim->signature.text, claim->signature.len) != 0)
		return refuse(c, SIGV4_FORGED,
		    "the signature is not that of this request");
	return SIGV4_GOOD;
}

static enum sigv4_verdict
check_request(const struct check *c, const struct sigv4_key *key)
{
	const struct sigv4_request *r = c->request;
	const struct sigv4_header **list =
	    xcalloc(r->nheaders, sizeof(struct sigv4_header *));
	struct str canonical = STR_INIT, names = STR_INIT;
	enum sigv4_verdict verdict;
	size_t n = 0;

	for (size_t i = 0; i < r->nheaders; i++)
		if (is_signed(c, r->headers[i].name))
			list[n++] = &r->headers[i];
	sigv4_canonical(r, list, n, &canonical, &names);
	verdict = check_signature(c, key, &canonical, &names);
	OPENSSL_cleanse(canonical.data, canonical.len);
	str_release(&canonical);
	str_release(&names);
	free(list);
	return verdict;
}

enum sigv4_verdict
sigv4_verify(const struct sigv4_request *r, const struct sigv4_terms *terms,
    char *who, size_t who_size, struct err *e)
{
	struct check c = { .request = r, .terms = terms, .e = e };
	const struct sigv4_key *key;
	enum sigv4_verdict verdict;

	if (who != NULL && who_size > 0)
		who[0] = '\0';
	if ((verdict = check_claim(&c, who, who_size)) != SIGV4_GOOD ||
	    (verdict = check_signed(&c)) != SIGV4_GOOD ||
	    (verdict = check_time(&c)) != SIGV4_GOOD ||
	    (verdict = check_scope(&c)) != SIGV4_GOOD ||
	    (verdict = check_key(&c, &key)) != SIGV4_GOOD ||
	    (verdict = check_payload(&c)) != SIGV4_GOOD)
		return verdict;
	return check_request(&c, key);
}
