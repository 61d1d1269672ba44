/*
 * session.h - who is signed in to the console.
 *
 * A sign-in is a token of 256 random bits that only the browser has: here is its digest. It ends when it is not
 * used for long enough, when it has been used for long enough, when its user says so, and when there are too many:
 * then the one that was used last the longest ago. Times are monotonic ms. One thread.
 */
#ifndef ROUTER_HTTP_SESSION_H
#define ROUTER_HTTP_SESSION_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "router/users.h"

#define SESSION_TOKEN (64 + 1) /* hexadecimal digits and NUL */
#define SESSIONS_MOST 1000

struct sessions;

struct session {
	TAILQ_ENTRY(session) link;
	char key[SESSION_TOKEN];  /* the token's digest */
	char csrf[SESSION_TOKEN]; /* that its page sends along with every change */
	char *user;
	struct users_seen seen;   /* the user as they were */
	int64_t since, used;
};

/* idle, life: ms that a session lasts unused, and at all. */
struct sessions *sessions_new(int64_t idle, int64_t life, size_t most);
void sessions_free(struct sessions **);
size_t sessions_count(const struct sessions *);

/* A new one; its token is nowhere else. */
const struct session *sessions_add(struct sessions *, const char *user,
    const struct users_seen *, int64_t now, char token[static SESSION_TOKEN]);
/* That of the token, which is used by this; NULL: there is none any more. Valid until the next change. */
const struct session *sessions_use(struct sessions *, const char *token, int64_t now);
/* The same by its key, and it is not used by this. */
const struct session *sessions_find(struct sessions *, const char *key, int64_t now);
void sessions_end(struct sessions *, const char *key);

#endif
