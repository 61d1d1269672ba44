/*
 * fuzz_sigv4.c - requests from outside are verified: none that is not signed
 * with our secret is good, and what we sign is.
 *
 * The input is lines: method, path, query, then "name:value" headers.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/ses/sigv4.h"

#define HEADERS_MAX 64
#define NOW	    INT64_C(1795323600000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sigv4_key key = { "AKIDEXAMPLE",
	"a secret that no input holds", NULL };

static const struct sigv4_key *
find_key(void *arg, const char *access_key)
{
	(void)arg;
	(void)access_key;
	return &key;
}

/* The line at *text, which moves behind it. */
static char *
take_line(char **text)
{
	char *line = *text;

	*text += strcspn(line, "\n");
	if (**text != '\0')
		*(*text)++ = '\0';
	return line;
}

static void
take_headers(char *text, struct sigv4_request *r, struct sigv4_header *headers)
{
	while (*text != '\0' && r->nheaders < HEADERS_MAX) {
		char *line = take_line(&text), *colon = strchr(line, ':');

		if (colon == NULL)
			continue;
		*colon = '\0';
		headers[r->nheaders++] =
		    (struct sigv4_header){ line, colon + 1 };
	}
}

static enum sigv4_verdict
verify(const struct sigv4_request *r, struct err *e)
{
	const struct sigv4_terms terms = {
		.find = find_key, .now = NOW, .window = 900000
	};
	char who[8] = "unset";
	enum sigv4_verdict verdict =
	    sigv4_verify(r, &terms, who, sizeof(who), e);

	assert(memchr(who, '\0', sizeof(who)) != NULL);
	assert(strcmp(who, "unset") != 0);
	return verdict;
}

/* None of the headers that signing adds or that verifying looks at. */
static bool
may_be_signed(const struct sigv4_request *r)
{
	for (size_t i = 0; i < r->nheaders; i++) {
		const char *name = r->headers[i].name;

		if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz")] != '\0' ||
		    name[0] == '\0' || strcmp(name, "host") == 0 ||
		    strcmp(name, "authorization") == 0 ||
		    str_has_control(
			r->headers[i].value, strlen(r->headers[i].value)))
			return false;
	}
	return !str_has_control(r->method, strlen(r->method));
}

static void
check_signed(struct sigv4_request *r, struct sigv4_header *headers)
{
	char date[SIGV4_DATE_TEXT];
	struct str claim = STR_INIT;
	struct err e = ERR_INIT;

	headers[r->nheaders++] = (struct sigv4_header){ "Host", "a.example" };
	sigv4_sign(r, &key, "ap-northeast-1", "ses", NOW, date, &claim);
	headers[r->nheaders++] = (struct sigv4_header){ "x-amz-date", date };
	headers[r->nheaders++] =
	    (struct sigv4_header){ "Authorization", claim.data };
	assert(claim.len > 4096 || verify(r, &e) == SIGV4_GOOD);
	str_release(&claim);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *at = text, hash[SIGV4_HASH_TEXT];
	struct sigv4_header headers[HEADERS_MAX + 3];
	struct sigv4_request r = { .headers = headers, .payload_hash = hash };
	struct err e = ERR_INIT;

	memcpy(text, data, size);
	text[size] = '\0';
	sigv4_hash(data, size, hash);
	r.method = take_line(&at);
	r.path = take_line(&at);
	r.query = take_line(&at);
	take_headers(at, &r, headers);
	assert(verify(&r, &e) != SIGV4_GOOD);
	assert(e.text[0] != '\0');
	if (may_be_signed(&r))
		check_signed(&r, headers);
	free(text);
	return 0;
}
