/*
 * dns.h - the authoritative name server of the fake internet, UDP and TCP.
 *
 * It is authority for everything and knows what zone.h knows. It also says "recursion available",
 * so that a resolver may take it as its forwarder.
 */
#ifndef TESTS_SANDBOX_DNS_H
#define TESTS_SANDBOX_DNS_H

#include <event2/event.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "tests/sandbox/zone.h"

enum dns_mood { DNS_NORMAL, DNS_DEAD, DNS_SERVFAIL };

struct dns;

/* Listens on address and port (0: a free one). The zone is borrowed. NULL on failure. */
struct dns *dns_new(struct event_base *, struct zone *, const char *address, unsigned port,
    unsigned ttl, struct err *);

unsigned dns_port(const struct dns *);
uint64_t dns_queries(const struct dns *);
void dns_set_mood(struct dns *, enum dns_mood); /* dead: hears and does not answer */

#endif
