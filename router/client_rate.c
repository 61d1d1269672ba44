/*
 * client_rate.c - so many a second from one client, whoever they all are.
 *
 * Buckets stand in rows of a few by the hash of their client. Its seed is drawn
 * at start, so that nobody can choose addresses that share a row.
 */
#include "router/client_rate.h"

#include "mta/base/alloc.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ROWS 1024u /* a power of two */
#define WAYS 8u

struct bucket {
	uint64_t client; /* 0: nobody's */
	double left;
	int64_t at; /* mono ms, when `left` was right */
};

struct client_rate {
	pthread_mutex_t lock;
	uint64_t seed;
	struct bucket bucket[ROWS][WAYS];
};

struct client_rate *
client_rate_new(void)
{
	struct client_rate *r = xcalloc(1, sizeof(*r));

	pthread_mutex_init(&r->lock, NULL);
	/* Without randomness the rows are known, and no worse. */
	if (getrandom(&r->seed, sizeof(r->seed), GRND_NONBLOCK) !=
	    sizeof(r->seed))
		r->seed = 1;
	return r;
}

void
client_rate_free(struct client_rate **rp)
{
	if (*rp == NULL)
		return;
	pthread_mutex_destroy(&(*rp)->lock);
	free(*rp);
	*rp = NULL;
}

/* The finisher of MurmurHash3: every bit of the input reaches every bit. */
static uint64_t
mix(uint64_t n)
{
	n = (n ^ n >> 33) * UINT64_C(0xff51afd7ed558ccd);
	n = (n ^ n >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return n ^ n >> 33;
}

/* Who it is, and not 0. IPv4 in IPv6 is IPv4. */
static uint64_t
name_of(const struct client_rate *r, const struct sockaddr *client)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)client;
	uint64_t n = 0;

	if (client->sa_family == AF_INET)
		n = ((const struct sockaddr_in *)client)->sin_addr.s_addr;
	else if (client->sa_family == AF_INET6 &&
		 IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		memcpy(&n, six->sin6_addr.s6_addr + 12, 4);
	else if (client->sa_family == AF_INET6)
		memcpy(&n, six->sin6_addr.s6_addr, sizeof(n));
	return mix(n ^ r->seed) | 1;
}

/* Its own, or the one that was quiet longest. */
static struct bucket *
bucket_of(struct client_rate *r, uint64_t client)
{
	struct bucket *row = r->bucket[client >> 1 & (ROWS - 1)], *b = row;

	for (size_t i = 0; i < WAYS; i++) {
		if (row[i].client == client)
			return &row[i];
		if (row[i].client == 0 || (b->client != 0 && row[i].at < b->at))
			b = &row[i];
	}
	return b;
}

static bool
take(struct bucket *b, double rate, double most, int64_t now)
{
	if (now > b->at) {
		b->left += rate * (double)(now - b->at) / 1000;
		b->at = now;
	}
	if (b->left > most)
		b->left = most;
	if (b->left < 1)
		return false;
	b->left -= 1;
	return true;
}

bool
client_rate_take(struct client_rate *r, const struct sockaddr *client,
    double rate, int64_t now)
{
	double most =
	    rate * CLIENT_RATE_BURST < 1 ? 1 : rate * CLIENT_RATE_BURST;
	uint64_t name = name_of(r, client);
	struct bucket *b;
	bool good;

	if (rate <= 0)
		return true;
	pthread_mutex_lock(&r->lock);
	b = bucket_of(r, name);
	if (b->client != name)
		*b = (struct bucket){ name, most, now };
	good = take(b, rate, most, now);
	pthread_mutex_unlock(&r->lock);
	return good;
}
