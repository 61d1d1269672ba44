/*
 * sts_cache.h - MTA-STS policies once fetched, per domain (RFC 8461 3.3, 5.1).
 *
 * One for all threads. A policy lives for its max_age and is given out until then, whatever becomes of
 * the domain's DNS and web server. Bounded in bytes: the one fetched longest ago goes first.
 */
#ifndef MTA_STS_CACHE_H
#define MTA_STS_CACHE_H

#include "mta/sts.h"

struct sts_cache;

struct sts_cached {
	char id[STS_ID_MAX + 1];
	struct sts_policy policy;
	int64_t fetched; /* wall ms */
};

struct sts_cache *sts_cache_new(size_t bytes); /* 0: 16 MiB */
void sts_cache_free(struct sts_cache **);

/* A copy of the policy in force for that domain, which the caller clears with sts_policy_clear;
 * false: there is none. `now` is wall ms. */
bool sts_cache_get(struct sts_cache *, const char *domain, int64_t now, struct sts_cached *);
void sts_cache_put(struct sts_cache *, const char *domain, const struct sts_cached *);
int64_t sts_cached_expires(const struct sts_cached *); /* wall ms */

/* The policy of that id could not be fetched: not again within five minutes (RFC 8461 3.3). */
void sts_cache_note_failure(struct sts_cache *, const char *domain, const char *id, int64_t now);
bool sts_cache_may_fetch(struct sts_cache *, const char *domain, const char *id, int64_t now);

/* As text, to outlive a restart; the caller frees. And back: 0, or -1 when it is none. */
char *sts_cached_write(const struct sts_cached *);
int sts_cached_read(struct sts_cached *, const char *text);

#endif
