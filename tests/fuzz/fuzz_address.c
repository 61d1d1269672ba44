/*
 * fuzz_address.c - what is taken as an address has no control byte, and
 * survives being written.
 */
#include "mta/smtp/address.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct address *a, enum address_quoting quoting)
{
	char text[ADDRESS_TEXT_MAX];
	struct address again;

	address_format(a, quoting, text);
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
	if (address_parse_reverse_path(&again, text, strlen(text), NULL) ==
		-1 ||
	    strcmp(again.local, a->local) != 0 ||
	    strcmp(again.domain, a->domain) != 0 || again.null != a->null ||
	    again.irregular != a->irregular || again.utf8 != a->utf8)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address a;

	if (address_parse_reverse_path(&a, (const char *)data, size, NULL) ==
	    -1)
		return 0;
	check(&a, QUOTE_IRREGULAR);
	check(&a, QUOTE_RAW);
	return 0;
}
