/*
 * client_rate.h - so many a second from one client, whoever they all are.
 *
 * A token bucket per client in a table of fixed size; the one that has been quiet longest makes room. An IPv6
 * client is its /64. Any thread.
 */
#ifndef ROUTER_CLIENT_RATE_H
#define ROUTER_CLIENT_RATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct client_rate;

struct client_rate *client_rate_new(void);
void client_rate_free(struct client_rate **);

#define CLIENT_RATE_BURST 10 /* seconds' worth may come at once, one at least */

/* One more, at that mono ms: false when it is too many. `rate`: per second; 0: any number. */
bool client_rate_take(struct client_rate *, const struct sockaddr *, double rate, int64_t now);

#endif
