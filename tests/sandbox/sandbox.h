/*
 * sandbox.h - the one process that is the fake internet: what its parts share.
 *
 * Everything runs in one thread on one event base and lives until the process ends.
 */
#ifndef TESTS_SANDBOX_SANDBOX_H
#define TESTS_SANDBOX_SANDBOX_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdint.h>

struct aws;
struct dns;
struct events;
struct host;
struct imds;
struct journal;
struct returns;
struct ses;
struct sns;
struct sqs;
struct zone;

struct sandbox {
	struct event_base *base;
	struct journal *journal;
	struct zone *zone;
	struct dns *dns;
	struct ses *ses;
	struct aws *aws;
	struct events *events;
	struct sqs *sqs;
	struct sns *sns;
	struct imds *imds;
	struct returns *returns;
	struct host **hosts; /* one per row of `systems`, ends with NULL */
	SSL_CTX *mx_tls;
	SSL_CTX *ses_tls;
	uint64_t next_session;
};

#endif
