/*
 * warm_up.c - how much a new source may send, day by day.
 *
 * Whole recipients only: what a day's growth leaves over is dropped, and a day
 * allows at least one more than the day before, so every plan ends.
 */
#include "rules/ruleset_int.h"

#include <string.h>

const struct rules_warm_up *
ruleset_warm_up(const struct ruleset *rs, const char *name)
{
	uint32_t number = table_get(&rs->plans, name, strlen(name));

	return number != TABLE_NONE ? &rs->plan[number].plan : NULL;
}

static uint64_t
next_day(uint64_t allowed, unsigned grow)
{
	uint64_t more = allowed * grow / 100;

	return more > allowed ? more : allowed + 1;
}

unsigned
rules_warm_up_allowance(const struct rules_warm_up *p, unsigned day)
{
	uint64_t allowed = p->first;

	for (; day > 1 && allowed < p->cap; day--)
		allowed = next_day(allowed, p->grow);
	if (allowed < p->cap)
		return (unsigned)allowed;
	return day > 1 ? 0 : p->cap;
}
