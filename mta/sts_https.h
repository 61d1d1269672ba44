/*
 * sts_https.h - fetches MTA-STS policies over HTTPS (RFC 8461 3.3).
 *
 * libcurl on a libevent base. The caller says which addresses to dial: no name is resolved here. One
 * thread.
 */
#ifndef MTA_STS_HTTPS_H
#define MTA_STS_HTTPS_H

#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/smtp/client.h"

struct event_base;
struct sts_get;
struct sts_https;

struct sts_https *sts_https_new(struct event_base *);
void sts_https_free(struct sts_https **); /* all requests ended or freed before */

struct sts_get_config {
	const char *host;                         /* "mta-sts.example.com" */
	uint16_t port;                            /* 443 */
	const char *ca_file;                      /* NULL: the system's */
	const struct smtp_client_target *targets; /* addresses, the first one that answers is used */
	size_t ntargets;
};

enum sts_got { STS_GOT, STS_NOT_FETCHED, STS_NOT_TRUSTED /* its certificate */ };

/*
 * GET https://<host>/.well-known/mta-sts.txt: a verified certificate, status 200 without redirects,
 * text/plain, at most STS_POLICY_MAX bytes, within a minute. The callback comes from the event loop,
 * once; the request frees itself after it. sts_get_free before that cancels it. `why` is set unless
 * STS_GOT; the body is valid during the callback.
 */
struct sts_get *sts_get_new(struct sts_https *, const struct sts_get_config *,
    void (*done)(void *arg, enum sts_got, const char *body, size_t len, const struct err *why),
    void *arg);
void sts_get_free(struct sts_get **);

#endif
