/*
 * session.c - who is signed in to the console, the latest used first.
 */
#include "router/http/session.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/map.h"

#define RANDOM_BYTES 32

struct sessions {
	int64_t idle, life;
	size_t most;
	struct map *by_key;
	TAILQ_HEAD(session_list, session)
	list; /* by `used`, the latest first */
};

static void
put_hex(const unsigned char bytes[static RANDOM_BYTES],
    char out[static SESSION_TOKEN])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < RANDOM_BYTES; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * RANDOM_BYTES] = '\0';
}

static void
draw(char token[static SESSION_TOKEN])
{
	unsigned char bytes[RANDOM_BYTES];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		abort(); /* there is no safe way on */
	put_hex(bytes, token);
	explicit_bzero(bytes, sizeof(bytes));
}

/* What is looked for is a digest, so that the time which a look takes tells
 * nothing that helps to guess a token. */
static void
digest(const char *token, char key[static SESSION_TOKEN])
{
	unsigned char bytes[RANDOM_BYTES];

	if (EVP_Digest(token, strlen(token), bytes, NULL, EVP_sha256(), NULL) !=
	    1)
		abort(); /* out of memory */
	put_hex(bytes, key);
}

static void
end(struct sessions *s, struct session *session)
{
	TAILQ_REMOVE(&s->list, session, link);
	map_remove(s->by_key, session->key);
	explicit_bzero(session->csrf, sizeof(session->csrf));
	free(session->user);
	free(session);
}

struct sessions *
sessions_new(int64_t idle, int64_t life, size_t most)
{
	struct sessions *s = xcalloc(1, sizeof(*s));

	s->idle = idle;
	s->life = life;
	s->most = most;
	s->by_key = map_new();
	TAILQ_INIT(&s->list);
	return s;
}

void
sessions_free(struct sessions **p)
{
	struct sessions *s = *p;
	struct session *session, *next;

	*p = NULL;
	if (s == NULL)
		return;
	for (session = TAILQ_FIRST(&s->list); session != NULL; session = next) {
		next = TAILQ_NEXT(session, link);
		end(s, session);
	}
	map_free(&s->by_key);
	free(s);
}

size_t
sessions_count(const struct sessions *s)
{
	return map_count(s->by_key);
}

const struct session *
sessions_add(struct sessions *s, const char *user,
    const struct users_seen *seen, int64_t now,
    char token[static SESSION_TOKEN])
{
	struct session *session = xcalloc(1, sizeof(*session));

	if (sessions_count(s) >= s->most)
		end(s, TAILQ_LAST(&s->list, session_list));
	draw(token);
	draw(session->csrf);
	digest(token, session->key);
	session->user = xstrdup(user);
	session->seen = *seen;
	session->since = session->used = now;
	map_put(s->by_key, session->key, session);
	TAILQ_INSERT_HEAD(&s->list, session, link);
	return session;
}

static struct session *
find(struct sessions *s, const char *key, int64_t now)
{
	struct session *session = map_get(s->by_key, key);

	if (session == NULL)
		return NULL;
	if (now - session->since < s->life && now - session->used < s->idle)
		return session;
	end(s, session);
	return NULL;
}

const struct session *
sessions_use(struct sessions *s, const char *token, int64_t now)
{
	char key[SESSION_TOKEN];
	struct session *session;

	digest(token, key);
	session = find(s, key, now);
	if (session == NULL)
		return NULL;
	session->used = now;
	TAILQ_REMOVE(&s->list, session, link);
	TAILQ_INSERT_HEAD(&s->list, session, link);
	return session;
}

const struct session *
sessions_find(struct sessions *s, const char *key, int64_t now)
{
	return find(s, key, now);
}

void
sessions_end(struct sessions *s, const char *key)
{
	struct session *session = map_get(s->by_key, key);

	if (session != NULL)
		end(s, session);
}
