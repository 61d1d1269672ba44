/*
 * guesses.h - how long a sign-in is made to wait, after others that failed.
 *
 * Each failure counts against the user's name and against the address it came from, and is forgotten in time. Nobody
 * is refused for it, for then anybody could lock anybody out: whoever guesses is slow, and so is, by some seconds,
 * whom they guess at. The memory is fixed: names and addresses that are hashed to the same cell share it, which
 * costs the innocent one those seconds. Times are monotonic ms. One thread.
 */
#ifndef ROUTER_HTTP_GUESSES_H
#define ROUTER_HTTP_GUESSES_H

#include <stdint.h>

#define GUESSES_WAIT_MOST 4000 /* ms */

struct guesses;

struct guesses *guesses_new(void);
void guesses_free(struct guesses **);

/* ms that the next attempt on that name from that address waits before it is looked at. */
int64_t guesses_wait(const struct guesses *, const char *user, const char *address, int64_t now);
void guesses_failed(struct guesses *, const char *user, const char *address, int64_t now);

#endif
