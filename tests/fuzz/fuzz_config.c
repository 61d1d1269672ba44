/*
 * fuzz_config.c - settings files of any bytes: no crash, no leak, and either a
 * configuration or a report of good text, never neither.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/config_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str report = STR_INIT;
	struct config *cfg =
	    config_parse("fuzz.conf", (const char *)data, size, &report);

	if ((cfg == NULL) != (report.len > 0))
		abort();
	for (size_t i = 0; i < report.len; i++)
		if (report.data[i] != '\n' &&
		    ((unsigned char)report.data[i] < ' ' ||
			report.data[i] == 0x7f))
			abort();
	if (cfg != NULL && (cfg->npools == 0 || cfg->nlisteners == 0))
		abort();
	config_unref(&cfg);
	str_release(&report);
	return 0;
}
