/*
 * sns_seen.c - ids of messages that have been proved genuine.
 */
#include "router/ses/sns_seen.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"

struct entry {
	STAILQ_ENTRY(entry) link; /* when settled: the oldest first */
	bool settled;
	char id[];
};

struct sns_seen {
	struct map *entries;
	STAILQ_HEAD(, entry) settled;
	size_t count, most; /* of settled ones */
};

struct sns_seen *
sns_seen_new(size_t most)
{
	struct sns_seen *seen = xcalloc(1, sizeof(*seen));

	seen->entries = map_new();
	STAILQ_INIT(&seen->settled);
	seen->most = most;
	return seen;
}

static void
drop_oldest(struct sns_seen *seen)
{
	struct entry *entry = STAILQ_FIRST(&seen->settled);

	STAILQ_REMOVE_HEAD(&seen->settled, link);
	seen->count--;
	map_remove(seen->entries, entry->id);
	free(entry);
}

void
sns_seen_free(struct sns_seen **p)
{
	struct sns_seen *seen = *p;

	*p = NULL;
	if (seen == NULL)
		return;
	while (seen->count > 0)
		drop_oldest(seen);
	assert(map_count(seen->entries) == 0); /* nothing is in hand */
	map_free(&seen->entries);
	free(seen);
}

enum sns_seen_state
sns_seen_look(const struct sns_seen *seen, const char *id)
{
	const struct entry *entry = map_get(seen->entries, id);

	if (entry == NULL)
		return SEEN_NEVER;
	return entry->settled ? SEEN_SETTLED : SEEN_IN_HAND;
}

void
sns_seen_take(struct sns_seen *seen, const char *id)
{
	struct entry *entry = xcalloc(1, sizeof(*entry) + strlen(id) + 1);

	memcpy(entry->id, id, strlen(id) + 1);
	map_put(seen->entries, entry->id, entry);
}

void
sns_seen_settle(struct sns_seen *seen, const char *id)
{
	struct entry *entry = map_get(seen->entries, id);

	assert(entry != NULL && !entry->settled);
	entry->settled = true;
	STAILQ_INSERT_TAIL(&seen->settled, entry, link);
	if (++seen->count > seen->most)
		drop_oldest(seen);
}

void
sns_seen_release(struct sns_seen *seen, const char *id)
{
	struct entry *entry = map_remove(seen->entries, id);

	assert(entry != NULL && !entry->settled);
	free(entry);
}
