/*
 * fuzz_tally.c - packed tallies of a store that was tampered with.
 *
 * Whatever the bytes, they are refused and change nothing, or what they say is
 * the same once it has been packed again.
 */
#include "router/store/tally.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
assert_same_again(const struct tally *t)
{
	struct str once = STR_INIT, twice = STR_INIT;
	struct tally again = TALLY_INIT;

	tally_pack(t, &once);
	if (tally_unpack(&again, once.data, once.len, NULL) < 0)
		abort();
	tally_pack(&again, &twice);
	if (once.len != twice.len ||
	    memcmp(once.data, twice.data, once.len) != 0)
		abort();
	tally_clear(&again);
	str_release(&once);
	str_release(&twice);
}

static void
assert_sound(const struct tally *t)
{
	int64_t ms;

	if (t->nreason > TALLY_REASONS_MAX)
		abort();
	for (size_t i = 0; i < t->nreason; i++)
		if (t->reason[i].counter >= COUNT_MAX ||
		    strlen(t->reason[i].name) == 0 ||
		    str_has_control(
			t->reason[i].name, strlen(t->reason[i].name)))
			abort();
	if (tally_quantile(t, 0.5, &ms) && ms < 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tally t = TALLY_INIT;

	if (tally_unpack(&t, data, size, NULL) < 0) {
		if (!tally_is_empty(&t))
			abort();
		return 0;
	}
	assert_sound(&t);
	assert_same_again(&t);
	/* And added to itself. */
	tally_unpack(&t, data, size, NULL);
	assert_sound(&t);
	assert_same_again(&t);
	tally_clear(&t);
	return 0;
}
