/*
 * fuzz_json_read.c - json_read takes what jansson takes, no more and no less,
 * and makes the same of it; but for numbers beyond a double's precision, that
 * is bytes for bytes. Jansson 2.14 passes over a NUL byte behind a number, where
 * it has looked one byte too far; RFC 8259 has no place for any, section 9.
 */
#include "router/ses/json_read.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static unsigned
deepest(const char *text, size_t len)
{
	unsigned most = 0, depth = 0;

	for (size_t i = 0; i < len; i++) {
		depth += text[i] == '[' || text[i] == '{';
		most = depth > most ? depth : most;
	}
	return most;
}

/* Names of members that are left out must change nothing else. */
static void
check_without(const char *text, size_t len, size_t flags, json_t *all)
{
	static const char *const without[] = { "a", NULL };
	json_t *some = json_read(text, len, flags, without, NULL);

	/* A member twice is not told where it is left out. */
	if ((some == NULL) != (all == NULL) &&
	    !(flags & JSON_REJECT_DUPLICATES))
		abort();
	if (json_is_object(some) && json_object_get(some, "a") != NULL)
		abort();
	json_decref(some);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t flags[] = { 0, JSON_ALLOW_NUL,
		JSON_REJECT_DUPLICATES };
	const char *text = (const char *)data;
	bool has_nul = len > 0 && memchr(text, '\0', len) != NULL;

	if (deepest(text, len) > JSON_READ_DEPTH)
		return 0;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct err e = ERR_INIT;
		json_t *want = has_nul ? NULL
				       : json_loadb(text, len, flags[i], NULL);
		json_t *got = json_read(text, len, flags[i], NULL, &e);

		if ((want == NULL) != (got == NULL) ||
		    (got == NULL) == (e.text[0] == '\0'))
			abort();
		if (want != NULL && !json_equal(want, got))
			abort();
		check_without(text, len, flags[i], got);
		json_decref(want);
		json_decref(got);
	}
	return 0;
}
