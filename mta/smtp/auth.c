/*
 * auth.c - SASL exchanges of the server: PLAIN and LOGIN.
 */
#include "mta/smtp/auth.h"

#include "mta/smtp/utf8.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#define DECODED_MAX (AUTH_LINE_MAX / 4 * 3)

int
auth_begin(struct auth *a, const char *mechanism, size_t len)
{
	static const struct {
		const char *name;
		size_t len;
		enum auth_step first;
	} mechanisms[] = {
		{ "PLAIN", 5, AUTH_STEP_RESPONSE },
		{ "LOGIN", 5, AUTH_STEP_USERNAME },
	};

	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]);
	     i++) {
		if (mechanisms[i].len != len ||
		    strncasecmp(mechanisms[i].name, mechanism, len) != 0)
			continue;
		a->step = mechanisms[i].first;
		a->user[0] = a->password[0] = '\0';
		return 0;
	}
	return -1;
}

/* Decoded length, or -1. Stricter than EVP_DecodeBlock, which takes blanks and
 * stray '='. */
static int
decode(unsigned char out[static DECODED_MAX], const char *line, size_t len)
{
	size_t pad = 0;
	int n;

	if (len == 1 && *line == '=')
		return 0;
	if (len % 4 != 0 || len > AUTH_LINE_MAX)
		return -1;
	while (pad < 2 && pad < len && line[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len - pad; i++)
		if (!((line[i] >= 'A' && line[i] <= 'Z') ||
			(line[i] >= 'a' && line[i] <= 'z') ||
			(line[i] >= '0' && line[i] <= '9') || line[i] == '+' ||
			line[i] == '/'))
			return -1;
	n = EVP_DecodeBlock(out, (const unsigned char *)line, (int)len);
	return n < 0 ? -1 : n - (int)pad;
}

static int
take_user(struct auth *a, const char *text, size_t len)
{
	bool beyond = false;

	if (len == 0 || len > AUTH_PART_MAX || !utf8_check(text, len, &beyond))
		return -1;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return -1;
	memcpy(a->user, text, len);
	a->user[len] = '\0';
	return 0;
}

static int
take_password(struct auth *a, const char *text, size_t len)
{
	if (len == 0 || len > AUTH_PART_MAX || memchr(text, '\0', len) != NULL)
		return -1;
	memcpy(a->password, text, len);
	a->password[len] = '\0';
	return 0;
}

/* [authzid] NUL authcid NUL passwd. Acting for someone else is not offered. */
static int
take_plain(struct auth *a, const char *text, size_t len)
{
	const char *user, *password, *end = text + len;
	size_t nuser;

	user = memchr(text, '\0', len);
	if (user == NULL)
		return -1;
	user++;
	password = memchr(user, '\0', (size_t)(end - user));
	if (password == NULL)
		return -1;
	nuser = (size_t)(password++ - user);
	if (user - text > 1 && ((size_t)(user - text - 1) != nuser ||
				   memcmp(text, user, nuser) != 0))
		return -1;
	if (take_user(a, user, nuser) == -1)
		return -1;
	return take_password(a, password, (size_t)(end - password));
}

static int
take(struct auth *a, const char *text, size_t len)
{
	switch (a->step) {
	case AUTH_STEP_RESPONSE:
		a->step = AUTH_STEP_DONE;
		return take_plain(a, text, len);
	case AUTH_STEP_USERNAME:
		a->step = AUTH_STEP_PASSWORD;
		return take_user(a, text, len);
	case AUTH_STEP_PASSWORD:
		a->step = AUTH_STEP_DONE;
		return take_password(a, text, len);
	case AUTH_STEP_DONE:
		break;
	}
	assert(!"response after the end of the exchange");
	return -1;
}

int
auth_respond(struct auth *a, const char *line, size_t len)
{
	unsigned char text[DECODED_MAX];
	int n = decode(text, line, len), r = -1;

	if (n >= 0)
		r = take(a, (const char *)text, (size_t)n);
	OPENSSL_cleanse(text, sizeof(text));
	return r;
}

void
auth_clear(struct auth *a)
{
	OPENSSL_cleanse(a, sizeof(*a));
}
