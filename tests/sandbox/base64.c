/*
 * base64.c - RFC 4648, both ways, by OpenSSL's block functions.
 */
#include "tests/sandbox/base64.h"

#include <limits.h>
#include <openssl/evp.h>

bool
base64_decode(const char *text, size_t len, struct str *out)
{
	size_t padding;
	int n;

	padding =
	    len >= 2 ? (text[len - 1] == '=') + (text[len - 2] == '=') : 0;
	str_clear(out);
	if (len % 4 != 0 || len > INT_MAX)
		return false;
	str_reserve(out, len + 1);
	n = EVP_DecodeBlock(
	    (unsigned char *)out->data, (const unsigned char *)text, (int)len);
	if (n < (int)padding)
		return false;
	out->len = (size_t)n - padding;
	out->data[out->len] = '\0';
	return true;
}

void
base64_encode(const void *data, size_t len, struct str *out)
{
	str_clear(out);
	str_reserve(out, 4 * (len / 3 + 1) + 1);
	out->len =
	    (size_t)EVP_EncodeBlock((unsigned char *)out->data, data, (int)len);
}
