/*
 * fuzz_credentials.c - the shared credentials file, and what the metadata
 * service says of a role.
 *
 * The first byte says which.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/ses/credentials_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fit for headers and log lines. */
static void
check_text(const char *text)
{
	assert(text[0] != '\0');
	for (; *text != '\0'; text++)
		assert(*text > ' ' && *text <= '~');
}

static void
check(struct credentials *c, const struct err *e)
{
	assert((c == NULL) == (e->text[0] != '\0'));
	if (c == NULL)
		return;
	check_text(c->access_key);
	assert(strpbrk(c->access_key, "/,") == NULL);
	check_text(c->secret);
	if (c->token != NULL)
		check_text(c->token);
	credentials_unref(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size); /* no byte more than it says */
	memcpy(text, data + 1, size - 1);
	if (data[0] & 1)
		check(credentials_parse_role(text, size - 1, &e), &e);
	else
		check(credentials_read_text("file", text, size - 1,
			  data[0] & 2 ? "default" : "a b", &e),
		    &e);
	free(text);
	return 0;
}
