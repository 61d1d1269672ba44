/*
 * fuzz_ses_content.c - a header as SES takes it: what is written needs no more
 * repair, and nothing of it was not there before.
 */
#include "router/ses/content_fields.h"

#include "mta/base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
make(struct ses_fields *f, const char *data, size_t len, bool repair)
{
	char *copy = xmalloc(len > 0 ? len : 1);

	memcpy(copy, data, len);
	ses_fields_make(f, copy, len, repair);
	free(copy);
}

/* Joining adds no more than a comma and a fold for each field, and two blanks
 * to the first. */
static void
check_size(const struct ses_fields *f, size_t size)
{
	if (f->out.len > size + f->repaired * 4 + 64)
		abort();
}

/* What was repaired is as SES takes it. */
static void
check_again(const struct ses_fields *f)
{
	struct ses_fields again;

	make(&again, f->out.data, f->out.len, false);
	if (again.refused != NULL)
		abort();
	ses_fields_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct ses_fields f, strict;

	make(&f, text, size, true);
	make(&strict, text, size, false);
	if (f.refused != NULL && strict.refused == NULL)
		abort();
	if (strict.refused == NULL && strict.repaired != 0)
		abort();
	if (!f.changed && (f.repaired != 0 || f.out.len != 0))
		abort();
	if (f.set[0] != '\0' &&
	    (!f.changed || !ses_is_word(f.set, strlen(f.set), SES_SET_MAX)))
		abort();
	if (f.refused == NULL && f.changed) {
		check_size(&f, size);
		check_again(&f);
	}
	ses_fields_clear(&f);
	ses_fields_clear(&strict);
	return 0;
}
