/*
 * smtp_password.c - the SMTP password that belongs to an IAM user's secret key.
 *
 * A version byte and a chain of MACs (facts/aws.md, section 1), whose first
 * step is a date that never changes. path_ses.c logs in with it, `oiwake ses
 * smtp-password` shows it.
 */
#include "router/ses/smtp_password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"

enum { VERSION = 4, MAC_LEN = 32 };

_Static_assert((1 + MAC_LEN) % 3 == 0, "base 64 without padding");
_Static_assert(
    (1 + MAC_LEN) / 3 * 4 + 1 == SES_SMTP_PASSWORD_TEXT, "the password");

void
ses_smtp_password(const char *secret, const char *region,
    char out[static SES_SMTP_PASSWORD_TEXT])
{
	const char *const steps[] = { "11111111", region, "ses", "aws4_request",
		"SendRawEmail" };
	unsigned char raw[1 + MAC_LEN] = { VERSION }, next[MAC_LEN];
	struct str start = STR_INIT;

	str_reserve(&start, 4 + strlen(secret)); /* it is wiped where it is */
	str_adds(&start, "AWS4");
	str_adds(&start, secret);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const void *key = i == 0 ? (void *)start.data : raw + 1;
		size_t len = i == 0 ? start.len : MAC_LEN;

		if (HMAC(EVP_sha256(), key, (int)len,
			(const unsigned char *)steps[i], strlen(steps[i]), next,
			NULL) == NULL)
			abort(); /* out of memory */
		memcpy(raw + 1, next, MAC_LEN);
	}
	EVP_EncodeBlock((unsigned char *)out, raw, sizeof(raw));
	OPENSSL_cleanse(raw, sizeof(raw));
	OPENSSL_cleanse(next, sizeof(next));
	OPENSSL_cleanse(start.data, start.len);
	str_release(&start);
}
