/*
 * source_order.c - the order in which a pool's sources are tried for one
 * sender's domain and group.
 */
#include "router/source_order.h"

#include "mta/base/map.h"
#include "router/config.h"

#include <math.h>
#include <string.h>

/* FNV leaves the last bytes in the low bits: spread them over all
 * (splitmix64's last step). */
static uint64_t
mix(uint64_t h)
{
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	return h ^ h >> 31;
}

/*
 * Exponentially distributed with its weight as the rate: of several such draws
 * each is the lowest with a chance of its weight over the sum of all.
 */
static double
draw(const struct config_source *s, uint64_t pair)
{
	uint64_t h = mix(mix(pair) ^ hash_text(HASH_START, s->name));

	return -log(((double)(h >> 11) + 0.5) / 9007199254740992.0) / s->weight;
}

static int
compare(const struct config_source *a, double x, const struct config_source *b,
    double y)
{
	if (x != y)
		return x < y ? -1 : 1;
	return strcmp(a->name, b->name);
}

const struct config_source *
source_next(const struct config_pool *pool, const char *sender,
    const char *group, const struct config_source *after)
{
	uint64_t pair = hash_text(hash_text(HASH_START, sender), group);
	const struct config_source *found = NULL;
	double lowest = 0, from;

	from = after != NULL ? draw(after, pair) : 0;
	for (size_t i = 0; i < pool->nsources; i++) {
		const struct config_source *s = pool->sources[i];
		double x = draw(s, pair);

		if (after != NULL && compare(s, x, after, from) <= 0)
			continue;
		if (found == NULL || compare(s, x, found, lowest) < 0) {
			found = s;
			lowest = x;
		}
	}
	return found;
}
