/*
 * sts.h - reads what a domain publishes for MTA-STS (RFC 8461): its TXT record and its policy.
 *
 * Both come from outside. Looking them up is sts_client.h's, keeping them sts_cache.h's.
 */
#ifndef MTA_STS_H
#define MTA_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"

#define STS_ID_MAX     32               /* characters of a policy's id */
#define STS_POLICY_MAX 65536            /* bytes of a policy as fetched */
#define STS_AGE_MAX    31557600         /* seconds, a year: more is taken for that */

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
const char *sts_mode_name(enum sts_mode);

struct sts_policy {
	enum sts_mode mode;
	int64_t max_age;   /* seconds */
	char *mx;          /* patterns, in lower case, each followed by LF; "" only with STS_NONE */
};

/*
 * The id of the one record that begins with "v=STSv1;", out of the TXT records of _mta-sts.<domain>.
 * 0, or -1 when there is none, more than one, or one that breaks the syntax: the domain has no policy.
 */
int sts_record_read(const uint8_t *const *rdata, const size_t *rdata_len, size_t n,
    char id[static STS_ID_MAX + 1]);

/* 0: the caller clears it. -1 with *e set: not a policy. */
int sts_policy_read(struct sts_policy *, const char *text, size_t len, struct err *e);
/* The same policy, in as few words as possible; the caller frees. */
char *sts_policy_text(const struct sts_policy *);
void sts_policy_copy(struct sts_policy *to, const struct sts_policy *);
void sts_policy_clear(struct sts_policy *);

/* Whether the host may take the domain's mail. */
bool sts_policy_allows(const struct sts_policy *, const char *host);

#endif
