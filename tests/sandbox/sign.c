/*
 * sign.c - AWS Signature Version 4, as the server checks it.
 *
 * Signature = HMAC(key, algorithm LF date LF scope LF SHA256(canonical
 * request)), the key being the secret, put through HMAC with each part of the
 * scope.
 */
#include "tests/sandbox/sign.h"

#include "mta/base/alloc.h"

#include <ctype.h>
#include <event2/http.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALGORITHM  "AWS4-HMAC-SHA256"
#define WINDOW_MS  (5 * 60 * 1000)
#define UNRESERVED "-._~"
#define BREAK	   '\001' /* sorts before every character of a name */

#define MISMATCH                                                               \
	"The request signature we calculated does not match the signature "    \
	"you provided. Check your AWS Secret Access Key and signing method. "  \
	"Consult the service documentation for details."

/* What the Authorization header says; `text` holds its pieces. */
struct claim {
	struct str text;
	const char *id, *day, *region, *service, *end;
	const char *headers, *signature;
	const char *date;
};

static void
hex_sha256(const void *data, size_t len, char hex[static 65])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	size_t i;

	SHA256(data, len, digest);
	for (i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* key = HMAC(key, text) */
static void
hmac(unsigned char key[static 32], size_t key_len, const char *text)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned len;

	HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text,
	    strlen(text), out, &len);
	memcpy(key, out, 32);
}

/* The first HMAC, whose key is the secret itself. */
static void
hmac_secret(const char *secret, const char *text, unsigned char key[static 32])
{
	struct str first = STR_INIT;
	unsigned len;

	str_addf(&first, "AWS4%s", secret);
	HMAC(EVP_sha256(), first.data, (int)first.len,
	    (const unsigned char *)text, strlen(text), key, &len);
	str_release(&first);
}

/* --- the canonical request --- */

static void
encode(struct str *out, const char *text, size_t len, const char *plain)
{
	for (; len > 0; text++, len--) {
		if (isalnum((unsigned char)*text) ||
		    (*text != '\0' && (strchr(UNRESERVED, *text) != NULL ||
					  strchr(plain, *text) != NULL)))
			str_addc(out, *text);
		else
			str_addf(out, "%%%02X", (unsigned char)*text);
	}
}

/* "%41=x" as "A" BREAK "x": sorted by name first, "a=" is before "a-b=". */
static void
encode_pair(struct str *out, const char *pair, size_t len)
{
	const char *equals = memchr(pair, '=', len);
	size_t name = equals != NULL ? (size_t)(equals - pair) : len, n;
	struct str wire = STR_INIT;
	char *plain;

	str_add(&wire, pair, name);
	plain = evhttp_uridecode(wire.data, 0, &n);
	encode(out, plain, n, "");
	free(plain);
	str_clear(&wire);
	if (equals != NULL)
		str_add(&wire, equals + 1, len - name - 1);
	plain = evhttp_uridecode(wire.data, 0, &n);
	str_addc(out, BREAK);
	encode(out, plain, n, "");
	free(plain);
	str_release(&wire);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
add_query(struct str *out, const char *query)
{
	size_t n = 0, most = 1, len, i;
	char **pairs;
	const char *p;

	for (p = query; *p != '\0'; p++)
		most += *p == '&';
	pairs = xcalloc(most, sizeof(*pairs));
	for (p = query; *p != '\0'; p += len + (p[len] == '&')) {
		struct str pair = STR_INIT;

		len = strcspn(p, "&");
		if (len == 0)
			continue;
		encode_pair(&pair, p, len);
		pairs[n++] = str_detach(&pair);
	}
	qsort(pairs, n, sizeof(*pairs), compare);
	for (i = 0; i < n; i++) {
		*strchr(pairs[i], BREAK) = '=';
		str_addf(out, "%s%s", i > 0 ? "&" : "", pairs[i]);
		free(pairs[i]);
	}
	free(pairs);
	str_addc(out, '\n');
}

static void
add_trimmed(struct str *out, const char *value)
{
	const char *p = value + strspn(value, " \t");

	for (; *p != '\0'; p++)
		if (*p != ' ' || (p[1] != ' ' && p[1] != '\0'))
			str_addc(out, *p);
}

static void
add_header(struct str *out, const struct evkeyvalq *headers, const char *name)
{
	const struct evkeyval *h;
	bool first = true;

	str_addf(out, "%s:", name);
	for (h = headers->tqh_first; h != NULL; h = h->next.tqe_next) {
		if (strcasecmp(h->key, name) != 0)
			continue;
		if (!first)
			str_addc(out, ',');
		add_trimmed(out, h->value);
		first = false;
	}
	str_addc(out, '\n');
}

static void
add_headers(
    struct str *out, const struct evkeyvalq *headers, const char *signed_list)
{
	char *names = xstrdup(signed_list), *rest = names;
	const char *name;

	while ((name = strsep(&rest, ";")) != NULL)
		add_header(out, headers, name);
	str_addf(out, "\n%s\n", signed_list);
	free(names);
}

/* False when the client's own hash is not that of the body. */
static bool
add_payload(struct str *out, const struct sign_request *r)
{
	const char *said =
	    evhttp_find_header(r->headers, "x-amz-content-sha256");
	char hash[65];

	hex_sha256(r->body, r->len, hash);
	str_adds(out, said != NULL ? said : hash);
	return said == NULL || strcmp(said, hash) == 0 ||
	       strcmp(said, "UNSIGNED-PAYLOAD") == 0;
}

/* --- what the client claims --- */

static bool
is_signed(const char *list, const char *name)
{
	size_t len = strlen(name), n;

	for (; *list != '\0'; list += n + (list[n] == ';')) {
		n = strcspn(list, ";");
		if (n == len && strncasecmp(list, name, n) == 0)
			return true;
	}
	return false;
}

static bool
is_sorted(const char *list)
{
	const char *next;

	for (; (next = strchr(list, ';')) != NULL; list = next + 1)
		if (strcmp(list, next + 1) >= 0)
			return false;
	return true;
}

/* AWS wants Host and every X-Amz-* under the signature, and a sorted list. */
static bool
signs_enough(const struct sign_request *r, const struct claim *c)
{
	const struct evkeyval *h;

	if (!is_sorted(c->headers))
		return false;
	for (h = r->headers->tqh_first; h != NULL; h = h->next.tqe_next)
		if (strncasecmp(h->key, "x-amz-", 6) == 0 &&
		    !is_signed(c->headers, h->key))
			return false;
	return is_signed(c->headers, "host");
}

/* "Name=value" out of the rest of the header. */
static void
take_part(struct claim *c, char *part)
{
	part += strspn(part, " ");
	if (strncmp(part, "SignedHeaders=", 14) == 0)
		c->headers = part + 14;
	else if (strncmp(part, "Signature=", 10) == 0)
		c->signature = part + 10;
	if (strncmp(part, "Credential=", 11) != 0)
		return;
	part += 11;
	c->id = strsep(&part, "/");
	c->day = strsep(&part, "/");
	c->region = strsep(&part, "/");
	c->service = strsep(&part, "/");
	c->end = part;
}

static enum sign_result
read_claim(const struct sign_request *r, struct claim *c)
{
	const char *said = evhttp_find_header(r->headers, "Authorization");
	char *rest, *part;

	c->date = evhttp_find_header(r->headers, "x-amz-date");
	if (said == NULL)
		return SIGN_MISSING;
	if (strncmp(said, ALGORITHM " ", sizeof(ALGORITHM)) != 0)
		return SIGN_INCOMPLETE;
	str_adds(&c->text, said + sizeof(ALGORITHM));
	rest = c->text.data;
	while ((part = strsep(&rest, ",")) != NULL)
		take_part(c, part);
	if (c->end == NULL || c->headers == NULL || c->signature == NULL ||
	    c->date == NULL)
		return SIGN_INCOMPLETE;
	return SIGN_GOOD;
}

/* --- the checks, in AWS's order --- */

static enum sign_result
check_key(const struct sign_request *r, const struct sign_key *k)
{
	const char *token =
	    evhttp_find_header(r->headers, "x-amz-security-token");

	if ((k->token == NULL) != (token == NULL) ||
	    (token != NULL && strcmp(token, k->token) != 0))
		return SIGN_UNKNOWN;
	return k->expires != 0 && k->expires <= r->now ? SIGN_EXPIRED
						       : SIGN_GOOD;
}

static void
stamp(int64_t ms, char text[static 17])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	strftime(text, 17, "%Y%m%dT%H%M%SZ", gmtime_r(&t, &tm));
}

static enum sign_result
check_date(const struct sign_request *r, const struct claim *c, struct str *why)
{
	char now[17], edge[17];
	struct tm tm = { 0 };
	const char *end = strptime(c->date, "%Y%m%dT%H%M%SZ", &tm);
	int64_t then;

	if (end == NULL || *end != '\0')
		return SIGN_INCOMPLETE;
	then = (int64_t)timegm(&tm) * 1000;
	stamp(r->now, now);
	stamp(r->now + (then < r->now ? -WINDOW_MS : WINDOW_MS), edge);
	if (then < r->now - WINDOW_MS)
		str_addf(why,
		    "Signature expired: %s is now earlier than %s (%s - 5 "
		    "min.)",
		    c->date, edge, now);
	else if (then > r->now + WINDOW_MS)
		str_addf(why,
		    "Signature not yet current: %s is still later than %s (%s "
		    "+ 5 min.)",
		    c->date, edge, now);
	return why->len > 0 ? SIGN_SKEW : SIGN_GOOD;
}

static enum sign_result
check_scope(
    const struct sign_request *r, const struct claim *c, struct str *why)
{
	if (strncmp(c->day, c->date, 8) != 0 || strlen(c->day) != 8)
		str_addf(why,
		    "Date in Credential scope does not match YYYYMMDD from "
		    "ISO-8601 version of date from HTTP: '%s' != '%.8s'.",
		    c->day, c->date);
	else if (strcmp(c->region, r->region) != 0)
		str_adds(why, "Credential should be scoped to a valid region.");
	else if (strcmp(c->service, r->service) != 0)
		str_addf(why,
		    "Credential should be scoped to correct service: '%s'.",
		    r->service);
	else if (strcmp(c->end, "aws4_request") != 0)
		str_addf(why,
		    "Credential should be scoped with a valid terminator: "
		    "'aws4_request', not '%s'.",
		    c->end);
	return why->len > 0 ? SIGN_SCOPE : SIGN_GOOD;
}

static void
make_signature(const struct claim *c, const struct sign_key *k,
    const struct str *canonical, char hex[static 65])
{
	unsigned char key[EVP_MAX_MD_SIZE];
	struct str text = STR_INIT;
	size_t i;

	hex_sha256(canonical->data, canonical->len, hex);
	str_addf(&text, ALGORITHM "\n%s\n%s/%s/%s/%s\n%s", c->date, c->day,
	    c->region, c->service, c->end, hex);
	hmac_secret(k->secret, c->day, key);
	hmac(key, 32, c->region);
	hmac(key, 32, c->service);
	hmac(key, 32, c->end);
	hmac(key, 32, text.data);
	for (i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", key[i]);
	str_release(&text);
}

static enum sign_result
check_signature(const struct sign_request *r, const struct claim *c,
    const struct sign_key *k)
{
	struct str canonical = STR_INIT;
	char hex[65];
	bool same;

	str_addf(&canonical, "%s\n", r->method);
	encode(&canonical, r->path, strlen(r->path), "/");
	str_addc(&canonical, '\n');
	add_query(&canonical, r->query);
	add_headers(&canonical, r->headers, c->headers);
	same = add_payload(&canonical, r) && signs_enough(r, c);
	make_signature(c, k, &canonical, hex);
	str_release(&canonical);
	return same && strcmp(hex, c->signature) == 0 ? SIGN_GOOD
						      : SIGN_MISMATCH;
}

static void
explain(enum sign_result result, struct str *why)
{
	static const char *const texts[] = {
		[SIGN_MISSING] = "Missing Authentication Token",
		[SIGN_INCOMPLETE] =
		    "Authorization header requires 'Credential' parameter. "
		    "Authorization header requires 'Signature' parameter. "
		    "Authorization header requires 'SignedHeaders' parameter. "
		    "Authorization header requires existence of either a "
		    "'X-Amz-Date' or a 'Date' header.",
		[SIGN_UNKNOWN] =
		    "The security token included in the request is invalid.",
		[SIGN_EXPIRED] =
		    "The security token included in the request is expired",
		[SIGN_SCOPE] = NULL,
		[SIGN_SKEW] = NULL,
		[SIGN_MISMATCH] = MISMATCH,
	};

	if (result != SIGN_GOOD && texts[result] != NULL)
		str_adds(why, texts[result]);
}

enum sign_result
sign_verify(const struct sign_request *r, sign_find *find, void *arg,
    struct sign_key *key, struct str *why)
{
	struct claim c = { .text = STR_INIT };
	enum sign_result result = read_claim(r, &c);

	*key = (struct sign_key){ .id = NULL };
	if (result == SIGN_GOOD && find(arg, c.id, key))
		result = check_key(r, key);
	else if (result == SIGN_GOOD)
		result = SIGN_UNKNOWN;
	if (result == SIGN_GOOD)
		result = check_date(r, &c, why);
	if (result == SIGN_GOOD)
		result = check_scope(r, &c, why);
	if (result == SIGN_GOOD)
		result = check_signature(r, &c, key);
	explain(result, why);
	str_release(&c.text);
	return result;
}

void
sign_smtp_password(const char *secret, const char *region, struct str *out)
{
	unsigned char bytes[1 + EVP_MAX_MD_SIZE] = { 0x04 };

	str_clear(out);
	str_reserve(out, 45);
	hmac_secret(secret, "11111111", bytes + 1);
	hmac(bytes + 1, 32, region);
	hmac(bytes + 1, 32, "ses");
	hmac(bytes + 1, 32, "aws4_request");
	hmac(bytes + 1, 32, "SendRawEmail");
	out->len =
	    (size_t)EVP_EncodeBlock((unsigned char *)out->data, bytes, 33);
}
