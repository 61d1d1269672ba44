/*
 * tls_policy.h - what TLS each host of a destination must do (RFC 7672 DANE, RFC 8461 MTA-STS).
 *
 * Made for one session of an mta path, once its hosts are looked up. A host with TLSA records is held
 * to them; else it is held to the domain's MTA-STS policy, and where neither is there, to what the
 * rules require; else TLS is opportunistic. One thread.
 */
#ifndef ROUTER_TLS_POLICY_H
#define ROUTER_TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/dns/mx.h"
#include "mta/smtp/client.h"

struct session;
struct tls_policy;

/* Borrows the session; copies what it needs of the result. One without targets is only counted. */
struct tls_policy *tls_policy_new(struct session *, const struct mx_result *);
/* With targets: looks up what is not known yet. False: nothing is, it is ready at once. True: `ready` follows, from
 * the event loop, unless it is freed before. */
bool tls_policy_ask(struct tls_policy *, void (*ready)(void *arg), void *arg);
void tls_policy_free(struct tls_policy **); /* after the client that has its targets */

/* When ready. The targets with their policies; 0: *why says why none may be used. They live as long as
 * the policy. */
size_t tls_policy_targets(struct tls_policy *, const struct smtp_client_target **,
    const struct outcome **why);
/* An opportunistic handshake has failed: hosts that nobody holds to TLS are called in clear from now
 * on. False: there is none. */
bool tls_policy_give_up(struct tls_policy *);
/* For struct smtp_client_events: counts how TLS with a target went. */
void tls_policy_note(struct tls_policy *, size_t target, enum tls_result);

#endif
