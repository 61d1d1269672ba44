/*
 * fuzz_rules_format.c - the canonical form of rule files of any bytes: the same
 * words and comments, and left alone by a second run.
 */
#include "tests/unit/format_help.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);

	assert(text != NULL);
	memcpy(text, data, size);
	assert_canonical(text, size);
	free(text);
	return 0;
}
