/*
 * return_path.c - bounce addresses that only we can have made.
 *
 * b= and 40 characters of base 32 (RFC 4648's alphabet, in lower case): 25
 * bytes with no bit left over, so that one token has one spelling. They are
 *	8 message, 4 index, 3 day, 10 MAC
 * The router makes them in path_mta.c and intake.c, and reads them in
 * bounce_in.c and feedback/judge.c.
 */
#include "mta/return_path.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"

#define PREFIX	   "b="
#define DAY	   (INT64_C(24) * 3600 * 1000)
#define DAY_MAX	   0xffffff
#define SECRET_MIN 16

enum {
	MESSAGE_LEN = 8,
	INDEX_LEN = 4,
	DAY_LEN = 3,
	MAC_LEN = 10, /* 80 bits */
	INDEX_AT = MESSAGE_LEN,
	DAY_AT = INDEX_AT + INDEX_LEN,
	CLAIM_LEN = DAY_AT + DAY_LEN,
	TOKEN_LEN = CLAIM_LEN + MAC_LEN,
	TEXT_LEN = TOKEN_LEN * 8 / 5,
};

_Static_assert(TOKEN_LEN % 5 == 0, "base 32 without padding");
_Static_assert(
    sizeof(PREFIX) - 1 + TEXT_LEN <= RETURN_PATH_LOCAL_MAX, "local part");

struct return_path_key {
	unsigned char *secret;
	size_t len;
};

struct return_path_key *
return_path_key_new(const char *secret, size_t len, struct err *e)
{
	struct return_path_key *k;

	if (len < SECRET_MIN) {
		err_set(e, "a secret of %zu bytes is too short, it needs %d",
		    len, SECRET_MIN);
		return NULL;
	}
	k = xcalloc(1, sizeof(*k));
	k->secret = xmalloc(len);
	k->len = len;
	memcpy(k->secret, secret, len);
	return k;
}

void
return_path_key_free(struct return_path_key **kp)
{
	struct return_path_key *k = *kp;

	if (k == NULL)
		return;
	OPENSSL_cleanse(k->secret, k->len);
	free(k->secret);
	free(k);
	*kp = NULL;
}

/* -- numbers, and base 32 --------------------------------------------- */

static void
put_number(unsigned char *to, size_t len, uint64_t n)
{
	while (len-- > 0) {
		to[len] = (unsigned char)n;
		n >>= 8;
	}
}

static uint64_t
get_number(const unsigned char *from, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n = n << 8 | from[i];
	return n;
}

static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* Five bytes are eight digits. */
static void
write_digits(const unsigned char token[static TOKEN_LEN], char *to)
{
	for (size_t i = 0; i < TOKEN_LEN; i += 5) {
		uint64_t n = get_number(token + i, 5);

		for (int shift = 35; shift >= 0; shift -= 5)
			*to++ = digits[n >> shift & 31];
	}
	*to = '\0';
}

static bool
read_digits(const char *text, unsigned char token[static TOKEN_LEN])
{
	if (strlen(text) != TEXT_LEN)
		return false;
	for (size_t i = 0; i < TOKEN_LEN; i += 5) {
		uint64_t n = 0;

		for (int k = 0; k < 8; k++) {
			const char *d = strchr(digits, lower(*text++));

			if (d == NULL)
				return false;
			n = n << 5 | (uint64_t)(d - digits);
		}
		put_number(token + i, 5, n);
	}
	return true;
}

/* -- the token -------------------------------------------------------- */

/* Over what the secret is used for here, the domain in lower case, and the
 * claim. */
static void
sign(const struct return_path_key *k, const char *domain,
    const unsigned char claim[static CLAIM_LEN],
    unsigned char mac[static MAC_LEN])
{
	unsigned char whole[EVP_MAX_MD_SIZE];
	struct str s = STR_INIT;
	unsigned len = 0;
	bool done;

	str_adds(&s, "oiwake return path ");
	for (const char *p = domain; *p != '\0'; p++)
		str_addc(&s, lower(*p));
	str_addc(&s, '\0');
	str_add(&s, claim, CLAIM_LEN);
	done = HMAC(EVP_sha256(), k->secret, (int)k->len,
		   (const unsigned char *)s.data, s.len, whole, &len) != NULL;
	assert(done && len >= MAC_LEN);
	memcpy(mac, whole, MAC_LEN);
	str_release(&s);
}

static uint64_t
day_of(int64_t wall)
{
	int64_t day = wall > 0 ? wall / DAY : 0;

	return day > DAY_MAX ? DAY_MAX : (uint64_t)day;
}

char *
return_path_make(const struct return_path_key *k, const char *domain,
    const struct return_path *rp, char buf[static RETURN_PATH_LOCAL_MAX + 1])
{
	unsigned char token[TOKEN_LEN];

	put_number(token, MESSAGE_LEN, (uint64_t)rp->message);
	put_number(token + INDEX_AT, INDEX_LEN, rp->index);
	put_number(token + DAY_AT, DAY_LEN, day_of(rp->expires));
	sign(k, domain, token, token + CLAIM_LEN);
	memcpy(buf, PREFIX, sizeof(PREFIX) - 1);
	write_digits(token, buf + sizeof(PREFIX) - 1);
	return buf;
}

static bool
has_prefix(const char *local)
{
	return lower(local[0]) == PREFIX[0] && local[1] == PREFIX[1];
}

enum return_path_verdict
return_path_read(const struct return_path_key *k, const char *domain,
    const char *local, int64_t now, struct return_path *out)
{
	unsigned char token[TOKEN_LEN], mac[MAC_LEN];

	if (!has_prefix(local) ||
	    !read_digits(local + sizeof(PREFIX) - 1, token))
		return RETURN_PATH_OTHER;
	sign(k, domain, token, mac);
	if (CRYPTO_memcmp(mac, token + CLAIM_LEN, MAC_LEN) != 0)
		return RETURN_PATH_FORGED;
	out->message = (int64_t)get_number(token, MESSAGE_LEN);
	out->index = (unsigned)get_number(token + INDEX_AT, INDEX_LEN);
	out->expires =
	    ((int64_t)get_number(token + DAY_AT, DAY_LEN) + 1) * DAY - 1;
	return now > out->expires ? RETURN_PATH_EXPIRED : RETURN_PATH_GOOD;
}

static bool
is_around(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '<' ||
	       c == '>';
}

enum return_path_verdict
return_path_read_text(const struct return_path_key *k, const char *domain,
    const char *text, int64_t now, struct return_path *out)
{
	char local[RETURN_PATH_LOCAL_MAX + 1];
	const char *end = text + strlen(text), *at;
	size_t len;

	while (text < end && is_around(*text))
		text++;
	while (text < end && is_around(end[-1]))
		end--;
	at = memchr(text, '@', (size_t)(end - text));
	if (at == NULL || (size_t)(at - text) >= sizeof(local))
		return RETURN_PATH_OTHER;
	len = strlen(domain);
	if ((size_t)(end - at - 1) != len ||
	    strncasecmp(at + 1, domain, len) != 0)
		return RETURN_PATH_OTHER;
	memcpy(local, text, (size_t)(at - text));
	local[at - text] = '\0';
	return return_path_read(k, domain, local, now, out);
}
