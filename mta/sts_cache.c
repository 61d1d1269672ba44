/*
 * sts_cache.c - MTA-STS policies once fetched, per domain.
 *
 * An entry also remembers that a fetch has failed, even where there has never
 * been a policy. Entries are in the order in which they were last written.
 */
#include "mta/sts_cache.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"
#include "mta/base/str.h"

#define DEFAULT_BYTES	((size_t)16 << 20)
#define FAILURE_MS	(5 * 60 * 1000)
#define BYTES_PER_ENTRY 256 /* its share of list and map */

struct entry {
	TAILQ_ENTRY(entry) link;
	struct sts_cached cached; /* policy.mx NULL: none */
	char failed_id[STS_ID_MAX + 1];
	int64_t failed; /* wall ms; 0: never */
	size_t bytes;
	char domain[];
};
TAILQ_HEAD(entry_list, entry);

struct sts_cache {
	pthread_mutex_t lock;
	struct map *map;
	struct entry_list entries;
	size_t bytes, max_bytes;
};

struct sts_cache *
sts_cache_new(size_t bytes)
{
	struct sts_cache *c = xcalloc(1, sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	c->map = map_new();
	TAILQ_INIT(&c->entries);
	c->max_bytes = bytes > 0 ? bytes : DEFAULT_BYTES;
	return c;
}

static void
forget(struct sts_cache *c, struct entry *e)
{
	map_remove(c->map, e->domain);
	TAILQ_REMOVE(&c->entries, e, link);
	c->bytes -= e->bytes;
	sts_policy_clear(&e->cached.policy);
	free(e);
}

void
sts_cache_free(struct sts_cache **cache)
{
	struct sts_cache *c = *cache;
	struct entry *e, *next;

	if (c == NULL)
		return;
	for (e = TAILQ_FIRST(&c->entries); e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		forget(c, e);
	}
	map_free(&c->map);
	pthread_mutex_destroy(&c->lock);
	free(c);
	*cache = NULL;
}

/* The entry, made if need be, as the latest one. */
static struct entry *
touch(struct sts_cache *c, const char *domain)
{
	struct entry *e = map_get(c->map, domain);
	size_t len = strlen(domain) + 1;

	if (e == NULL) {
		e = xcalloc(1, sizeof(*e) + len);
		memcpy(e->domain, domain, len);
		map_put(c->map, e->domain, e);
	} else {
		TAILQ_REMOVE(&c->entries, e, link);
	}
	TAILQ_INSERT_TAIL(&c->entries, e, link);
	return e;
}

static void
account(struct sts_cache *c, struct entry *e)
{
	const char *mx = e->cached.policy.mx;
	struct entry *old, *next;

	c->bytes -= e->bytes;
	e->bytes = sizeof(*e) + strlen(e->domain) + BYTES_PER_ENTRY +
		   (mx != NULL ? strlen(mx) : 0);
	c->bytes += e->bytes;
	for (old = TAILQ_FIRST(&c->entries);
	     c->bytes > c->max_bytes && old != e; old = next) {
		next = TAILQ_NEXT(old, link);
		forget(c, old);
	}
}

int64_t
sts_cached_expires(const struct sts_cached *cached)
{
	return cached->fetched + cached->policy.max_age * 1000;
}

bool
sts_cache_get(struct sts_cache *c, const char *domain, int64_t now,
    struct sts_cached *out)
{
	const struct entry *e;
	bool found;

	pthread_mutex_lock(&c->lock);
	e = map_get(c->map, domain);
	found = e != NULL && e->cached.policy.mx != NULL &&
		sts_cached_expires(&e->cached) > now;
	if (found) {
		*out = e->cached;
		sts_policy_copy(&out->policy, &e->cached.policy);
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

void
sts_cache_put(
    struct sts_cache *c, const char *domain, const struct sts_cached *cached)
{
	struct entry *e;

	pthread_mutex_lock(&c->lock);
	e = touch(c, domain);
	sts_policy_clear(&e->cached.policy);
	e->cached = *cached;
	sts_policy_copy(&e->cached.policy, &cached->policy);
	e->failed = 0;
	account(c, e);
	pthread_mutex_unlock(&c->lock);
}

void
sts_cache_note_failure(
    struct sts_cache *c, const char *domain, const char *id, int64_t now)
{
	struct entry *e;

	pthread_mutex_lock(&c->lock);
	e = touch(c, domain);
	snprintf(e->failed_id, sizeof(e->failed_id), "%s", id);
	e->failed = now;
	account(c, e);
	pthread_mutex_unlock(&c->lock);
}

/* A clock that was set back makes a failure of the future no lasting one. */
bool
sts_cache_may_fetch(
    struct sts_cache *c, const char *domain, const char *id, int64_t now)
{
	const struct entry *e;
	bool may;

	pthread_mutex_lock(&c->lock);
	e = map_get(c->map, domain);
	may = e == NULL || e->failed == 0 || strcmp(e->failed_id, id) != 0 ||
	      now < e->failed || now >= e->failed + FAILURE_MS;
	pthread_mutex_unlock(&c->lock);
	return may;
}

/* ------ as text: "id fetched" LF, and the policy */

char *
sts_cached_write(const struct sts_cached *cached)
{
	char *policy = sts_policy_text(&cached->policy);
	struct str out = STR_INIT;

	str_addf(
	    &out, "%s %" PRId64 "\n%s", cached->id, cached->fetched, policy);
	free(policy);
	return str_detach(&out);
}

int
sts_cached_read(struct sts_cached *cached, const char *text)
{
	const char *policy = strchr(text, '\n'), *blank = strchr(text, ' ');
	char *end;

	if (policy == NULL || blank == NULL || blank > policy ||
	    (size_t)(blank - text) > STS_ID_MAX)
		return -1;
	memset(cached, 0, sizeof(*cached));
	memcpy(cached->id, text, (size_t)(blank - text));
	cached->fetched = strtoll(blank + 1, &end, 10);
	if (end != policy)
		return -1;
	policy++;
	return sts_policy_read(&cached->policy, policy, strlen(policy), NULL);
}
