/*
 * fuzz_against.c - a line of the list that `oiwake rules diff --against` reads.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "mta/smtp/address.h"
#include "router/cli/rules_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_addresses(const struct address *from, const struct address *to)
{
	if (to->domain[0] == '\0' || from->null != (from->domain[0] == '\0') ||
	    str_has_control(to->local, strlen(to->local)) ||
	    str_has_control(to->domain, strlen(to->domain)) ||
	    str_has_control(from->local, strlen(from->local)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size + 1);
	struct err e = ERR_INIT;
	struct address from, to;
	int rc;

	memcpy(text, data, size);
	text[size] = '\0';
	if (memchr(text, '\n', size) == NULL) {
		rc = rules_against_line(text, size, &from, &to, &e);
		if (rc > 0)
			check_addresses(&from, &to);
		else if (rc < 0 && e.text[0] == '\0')
			abort();
	}
	free(text);
	return 0;
}
