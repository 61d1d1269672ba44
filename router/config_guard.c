/*
 * config_guard.c - the section guard: when mail that harms its path is slowed
 * and stopped.
 *
 * Thresholds are in percent: where it warns, slows and pauses. Of unknown users
 * they are shares of what the carrier's shape bears.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

#define HOUR_MS INT64_C(3600000)
#define STEPS	3

static const struct config_guard defaults = {
	.enforce = true,
	.minimum_volume = 100,
	.last = 1000,
	.probe = 50,
	.pause = HOUR_MS,
	.pause_max = 24 * HOUR_MS,
	.bounce = { 0.02, 0.04, 0.08 },
	.complaint = { 0.0005, 0.0008, 0.003 },
	.unknown = { 0.5, 0.75, 1 },
};

/* "2", "2%" */
static int
read_percent(const char *text, double *share, struct err *e)
{
	size_t len = strlen(text);
	bool sign = len > 1 && text[len - 1] == '%';
	char *number = xstrndup(text, sign ? len - 1 : len);
	double percent = 0;
	int rc = config_value_number(number, &percent, NULL);

	free(number);
	if (rc != 0 || percent <= 0 || percent > 100)
		return err_set(e,
		    "expected a percentage above 0 and up to 100, not '%s'",
		    text);
	*share = percent / 100;
	return 0;
}

/* All three or none, each above the one before. */
static void
read_steps(struct raw_config *raw, const struct raw_section *s, const char *key,
    double out[static STEPS])
{
	const struct raw_entry *first = raw_find(s, key), *entry;
	struct err e = ERR_INIT;
	double step[STEPS];
	size_t n = 0;

	if (first == NULL)
		return;
	for (; (entry = raw_find_nth(s, key, n)) != NULL && n < STEPS; n++)
		if (read_percent(entry->value, &step[n], &e) != 0) {
			config_problem(raw, entry->at, "%s: %s", key, e.text);
			return;
		}
	if (n != STEPS || entry != NULL)
		config_problem(raw, first->at,
		    "%s: expected three percentages: to warn, to slow, to "
		    "pause",
		    key);
	else if (step[0] >= step[1] || step[1] >= step[2])
		config_problem(raw, first->at,
		    "%s: each percentage has to be above the one before", key);
	else
		memcpy(out, step, sizeof(step));
}

void
config_build_guard(struct raw_config *raw, struct config *cfg)
{
	const struct raw_section *s = raw_section_first(raw, "guard");
	const struct raw_entry *most;

	cfg->guard = defaults;
	if (s == NULL)
		return;
	config_store(raw, s, cfg);
	read_steps(raw, s, "bounce", cfg->guard.bounce);
	read_steps(raw, s, "complaint", cfg->guard.complaint);
	read_steps(raw, s, "unknown-users", cfg->guard.unknown);
	most = raw_find(s, "pause-max");
	if (cfg->guard.pause_max >= cfg->guard.pause)
		return;
	if (most == NULL)
		cfg->guard.pause_max = cfg->guard.pause;
	else
		config_problem(
		    raw, most->at, "pause-max: shorter than the first pause");
}
