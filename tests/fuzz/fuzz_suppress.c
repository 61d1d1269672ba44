/*
 * fuzz_suppress.c - lists of addresses from outside: every entry that is read
 * is one the daemon can judge, and reading ends; and an address's key is the
 * key of its key.
 */
#include "router/cli/suppress_int.h"
#include "router/suppress.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_key(const char *address)
{
	char *key = suppress_key(address), *again;

	if (key == NULL)
		return;
	/* What is quoted in a key was within quotes before. */
	again = key[0] == '"' ? NULL : suppress_key(key);
	if (again != NULL && strcmp(again, key) != 0)
		abort();
	if (again == NULL && key[0] != '"')
		abort();
	for (const char *p = key; *p != '\0'; p++)
		if ((*p >= 'A' && *p <= 'Z') || (unsigned char)*p < ' ')
			abort();
	free(again);
	free(key);
}

static void
check_row(const json_t *row)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)row, name, value)
	{
		if (strcmp(name, "soft") == 0 ? !json_is_true(value)
					      : !json_is_string(value))
			abort();
	}
	check_key(cli_text(row, "address"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *in =
	    size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
	struct suppress_reader *reader;
	unsigned long line = 0, before = 0;
	size_t n = 0;
	json_t *row;
	int rc;

	if (in == NULL)
		return 0;
	reader = suppress_reader_new(in);
	do {
		struct err e = ERR_INIT;

		rc = suppress_reader_next(reader, &row, &line, &e);
		if (rc != 0 && (n++ > size || line < before))
			abort();
		before = rc != 0 ? line : before;
		if (rc > 0)
			check_row(row);
		if (rc < 0 && e.text[0] == '\0')
			abort();
		json_decref(row);
	} while (rc != 0 && !feof(in));
	suppress_reader_free(&reader);
	fclose(in);
	return 0;
}
