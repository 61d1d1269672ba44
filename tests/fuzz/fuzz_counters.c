/*
 * fuzz_counters.c - records of counts, as a database gives them back: what is taken is written down
 * again, read again and comes to the same.
 */
#include <assert.h>

#include "router/store/store_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
read_one(struct counters *to, const void *record, size_t len)
{
	struct err e = ERR_INIT;
	int r = counters_unpack(to, record, len, &e);

	assert((r == 0) == (e.text[0] == '\0'));
	return r;
}

static void
check_again(const struct counters *c)
{
	struct str first = STR_INIT, second = STR_INIT;
	struct counters again;
	bool any;

	counters_init(&again);
	any = counters_pack(c, &first);
	assert(read_one(&again, first.data, first.len) == 0);
	assert(counters_queued(&again) == counters_queued(c));
	assert(counters_pack(&again, &second) == any);
	assert(second.len == first.len);
	counters_release(&again);
	str_release(&first);
	str_release(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct counters c;

	counters_init(&c);
	if (read_one(&c, data, size) == 0)
		check_again(&c);
	counters_release(&c);
	return 0;
}
