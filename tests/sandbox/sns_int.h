/*
 * sns_int.h - what sns.c and sns_forge.c share: the topic, its subscriptions and what is to be posted.
 */
#ifndef TESTS_SANDBOX_SNS_INT_H
#define TESTS_SANDBOX_SNS_INT_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mta/base/str.h"
#include "tests/sandbox/sns.h"
#include "tests/sandbox/sns_envelope.h"

struct poster;

#define SNS_HOST "https://sns." AWS_REGION ".amazonaws.com"

enum subscribed { SUB_PENDING, SUB_CONFIRMED, SUB_GONE };

struct subscription { /* never freed: posts under way point to it */
	LIST_ENTRY(subscription) link;
	struct sns *sns;
	char *url, *arn;
	char token[129];
	enum subscribed state;
};

struct signer { /* a key, and its certificate as it is served */
	bool genuine;  /* the CA vouches for it */
	EVP_PKEY *key; /* NULL: not made yet, as pem */
	struct str pem;
	char *path, *url;
};

struct post { /* one message on its way to one subscriber */
	STAILQ_ENTRY(post) link;
	struct subscription *to;
	const char *type, *forged; /* NULL: genuine */
	char id[37];
	struct str body;
	bool raw;
	unsigned attempt;
};

struct sns_counts {
	uint64_t published, posted, accepted, lost;
};

struct sns {
	struct sandbox *sandbox;
	struct poster *poster;
	struct signer genuine, impostor;
	LIST_HEAD(, subscription) subscriptions;
	STAILQ_HEAD(, post) posts;
	unsigned waiting, active;
	unsigned version, retry, retries, parallel, timeout; /* retry, timeout: ms */
	bool hold;
	char *last_message;      /* what was published last */
	char last_id[37];        /* of the last notification that was accepted */
	struct str last_body;
	struct sns_counts counts;
};

/* The members that every envelope of ours has. `id` is filled with a fresh one. */
struct sns_envelope sns_envelope_of(const struct sns *, const char *type, char id[static 37]);
struct post *sns_post_new(struct subscription *, const char *type, const char *id);
void sns_post_send(struct post *); /* takes it */
/* Appends where the subscription is confirmed. */
void sns_subscribe_url(const struct subscription *, struct str *);

/* sns_signer.c */
void sns_signer_init(struct signer *, bool genuine);
EVP_PKEY *sns_signer_key(struct signer *);
const struct str *sns_signer_pem(struct signer *);
void sns_random_hex(char *to, size_t digits); /* and a NUL */

/* sns_forge.c: posts what must be refused to everyone who is subscribed. */
int sns_forge(struct sns *, const char *what, struct err *);

#endif
