/*
 * fuzz_dkim.c - the header of a message on its way to libopendkim.
 *
 * The first byte says in what pieces the message comes; whole or in pieces, the
 * verdict must be the same. No key is used.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "mta/dkim_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
feed(DKIM_LIB *lib, const char *data, size_t len, size_t piece)
{
	static unsigned char key[] = "-----";
	struct dkim_message m;
	struct err e = ERR_INIT;
	DKIM_STAT status;
	DKIM *dkim = dkim_sign(lib, (const unsigned char *)"x", NULL, key,
	    (const unsigned char *)"s", (const unsigned char *)"example.jp",
	    DKIM_CANON_RELAXED, DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256, -1,
	    &status);
	int r = 0;

	assert(dkim != NULL);
	dkim_message_init(&m, dkim);
	while (r == 0 && len > 0) {
		size_t n = len < piece ? len : piece;

		r = dkim_message_add(&m, data, n, &e);
		data += n;
		len -= n;
	}
	if (r == 0)
		r = dkim_message_end(&m, &e);
	assert((r == 0) == (e.text[0] == '\0'));
	dkim_message_clear(&m);
	dkim_free(dkim);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static DKIM_LIB *lib;
	const char *text = (const char *)data + 1;

	if (lib == NULL) {
		lib = dkim_init(NULL, NULL);
		assert(lib != NULL);
		dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNHDRS,
		    dkim_message_fields, sizeof(unsigned char **));
		dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS,
		    dkim_message_oversigned, sizeof(unsigned char **));
	}
	if (size == 0)
		return 0;
	assert(feed(lib, text, size - 1, size) ==
	       feed(lib, text, size - 1, data[0] % 16 + 1u));
	return 0;
}
