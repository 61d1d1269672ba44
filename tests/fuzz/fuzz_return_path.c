/*
 * fuzz_return_path.c - no local part that was not made with the key is good,
 * and what was made says what it was made of.
 *
 * Input: a local part or an address, or (first byte 1) the message, index and time of one.
 */
#include "mta/return_path.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct return_path_key *key;

static void
made(const uint8_t *data, size_t size)
{
	char buf[RETURN_PATH_LOCAL_MAX + 1];
	struct return_path rp = { 0, 0, 0 }, out;

	memcpy(&rp, data, size < sizeof(rp) ? size : sizeof(rp));
	return_path_make(key, "bounce.test", &rp, buf);
	if (strlen(buf) > RETURN_PATH_LOCAL_MAX ||
	    return_path_read(key, "bounce.test", buf, 0, &out) !=
		RETURN_PATH_GOOD ||
	    out.message != rp.message || out.index != rp.index ||
	    (rp.expires > 0 && out.expires < rp.expires &&
		rp.expires < INT64_C(0xffffff) * 86400000))
		abort();
}

static void
from_outside(const uint8_t *data, size_t size)
{
	char *local = malloc(size + 1);
	struct return_path out;

	if (local == NULL)
		abort();
	memcpy(local, data, size);
	local[size] = '\0';
	/* 80 bits are not guessed */
	switch (return_path_read(key, "bounce.test", local, 0, &out)) {
	case RETURN_PATH_GOOD:
	case RETURN_PATH_EXPIRED:
		abort();
	case RETURN_PATH_FORGED:
	case RETURN_PATH_OTHER:
		break;
	}
	switch (return_path_read_text(key, "bounce.test", local, 0, &out)) {
	case RETURN_PATH_GOOD:
	case RETURN_PATH_EXPIRED:
		abort();
	case RETURN_PATH_FORGED:
	case RETURN_PATH_OTHER:
		break;
	}
	free(local);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;

	if (key == NULL)
		key = return_path_key_new("0123456789abcdef", 16, &e);
	if (size > 0 && data[0] == 1)
		made(data + 1, size - 1);
	else
		from_outside(data, size);
	return 0;
}
