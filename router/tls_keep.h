/*
 * tls_keep.h - what is known of other people's TLS, shared by all threads and kept over restarts:
 * MTA-STS policies that were fetched, and how TLS went.
 */
#ifndef ROUTER_TLS_KEEP_H
#define ROUTER_TLS_KEEP_H

struct core;
struct sts_cache;
struct sts_cached;
struct tls_keep;
struct tls_results;

/* Takes up what the store has: before the first request to it. Core thread, as the next two. */
struct tls_keep *tls_keep_new(struct core *);
/* Puts results into the store, which it does by itself each minute; the policies are there. */
void tls_keep_flush(struct tls_keep *);
void tls_keep_free(struct tls_keep **);

/* Any thread. */
struct sts_cache *tls_keep_policies(struct tls_keep *);
struct tls_results *tls_keep_results(struct tls_keep *);
/* A policy was fetched: into the store with it. */
void tls_keep_policy(struct tls_keep *, const char *domain, const struct sts_cached *);

#endif
