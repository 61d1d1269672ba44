/*
 * fuzz_window.c - what people ask counters of: which window, by which
 * dimensions.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/stats.h"
#include "router/window.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct err e = ERR_INIT;
	struct window w;
	unsigned by;

	if (window_parse(text, &w, &e) == 0) {
		assert(w.kind == WINDOW_TIME ? w.ms >= WINDOW_MINUTE
					     : w.kind == WINDOW_ALL || w.n > 0);
		if (w.kind == WINDOW_TIME)
			assert(window_since(&w, NULL, INT64_C(1) << 41, NULL) >=
			       0);
	}
	if (stats_parse_by(text, &by, &e) == 0)
		assert(by != 0 && by < 1u << STATS_DIMENSIONS);
	free(text);
	return 0;
}
