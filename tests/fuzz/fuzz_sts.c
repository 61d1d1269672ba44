/*
 * fuzz_sts.c - MTA-STS records and policies from outside, and what is kept of
 * them.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mta/sts_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same policy again comes of its own text. */
static void
check_text(const struct sts_policy *p)
{
	char *text = sts_policy_text(p), *again_text;
	struct sts_policy again;

	assert(sts_policy_read(&again, text, strlen(text), NULL) == 0 ||
	       strlen(text) > STS_POLICY_MAX);
	if (strlen(text) <= STS_POLICY_MAX) {
		again_text = sts_policy_text(&again);
		assert(strcmp(text, again_text) == 0);
		free(again_text);
		sts_policy_clear(&again);
	}
	free(text);
}

static void
check_policy(const char *text, size_t size)
{
	struct sts_policy p;
	struct err e = ERR_INIT;

	if (sts_policy_read(&p, text, size, &e) != 0) {
		assert(e.text[0] != '\0');
		return;
	}
	assert(p.max_age >= 0 && p.max_age <= STS_AGE_MAX);
	assert(p.mode == STS_NONE || p.mx[0] != '\0');
	assert(!sts_policy_allows(&p, ""));
	sts_policy_allows(&p, "mx.a.example.com");
	check_text(&p);
	sts_policy_clear(&p);
}

/* Half of it, and all of it. */
static void
check_records(const uint8_t *data, size_t size)
{
	const uint8_t *rdata[] = { data, data + size / 2 };
	const size_t len[] = { size, size - size / 2 };
	char id[STS_ID_MAX + 1];

	for (size_t n = 0; n <= 2; n++)
		if (sts_record_read(rdata, len, n, id) == 0)
			assert(strlen(id) > 0 && strlen(id) <= STS_ID_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct sts_cached cached;

	memcpy(text, data, size);
	text[size] = '\0';
	check_policy(text, size);
	check_records(data, size);
	if (sts_cached_read(&cached, text) == 0)
		sts_policy_clear(&cached.policy);
	free(text);
	return 0;
}
