/*
 * call.h - one signed request to an AWS service, and its answer read.
 *
 * A site is where a service answers and as whom it is called; it may be shared by threads, and knows how
 * far AWS's clock is from ours: a request refused because of that is signed once more by AWS's clock.
 * Calls run on the https client of the caller's thread.
 */
#ifndef ROUTER_SES_CALL_H
#define ROUTER_SES_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mta/base/err.h"
#include "router/ses/sigv4.h"

struct aws_call;
struct credentials_provider;
struct https;

struct aws_site {
	char *region, *service;       /* "ap-northeast-1", "ses" */
	char *endpoint;               /* "https://email.ap-northeast-1.amazonaws.com", no slash at the end */
	char *ca_file;                /* NULL: the system's */
	struct credentials_provider *credentials; /* outlives the site */
	_Atomic int64_t skew;         /* ms that AWS's clock is ahead of ours, as last measured */
	_Atomic bool skewed;          /* so far that signatures were refused because of it */
};
/* Copies all texts. endpoint NULL: the service's own. */
struct aws_site *aws_site_new(const char *region, const char *service, const char *endpoint,
    const char *ca_file, struct credentials_provider *);
void aws_site_free(struct aws_site **); /* no call under way */

struct aws_request {
	const char *method, *path;    /* on the wire: already percent-encoded */
	const char *query;            /* likewise, without '?'; NULL: none */
	const char *content_type;     /* NULL: no body */
	const char *target;           /* X-Amz-Target; NULL: none */
	const char *body;             /* NULL: `read` gives it */
	size_t body_len;
	/* As in https.h, with the hash of what it will give; `rewind` begins it anew for another signature. */
	ssize_t (*read)(void *arg, char *buf, size_t room);
	void (*rewind)(void *arg);
	void *read_arg;
	const char *body_hash;        /* hex SHA-256; NULL with `body`: computed here */
	int64_t timeout;              /* ms; 0: 30 s */
	size_t max_answer;            /* 0: 1 MB */
};

struct aws_answer {
	int status;                   /* 0: none, see why */
	char error[80];               /* "TooManyRequestsException": bare; "" when status is 2xx */
	char message[512];            /* AWS's sentence, control bytes taken out; "" */
	char request_id[80];          /* "" */
	const json_t *json;           /* of the body; NULL: it is none */
	const char *body;
	size_t len;
	struct err why;               /* status 0: what went wrong; no credentials included */
	bool may_be_sent;             /* status 0: AWS may have acted on it */
	bool untrusted;               /* status 0: because of the server's certificate */
	bool no_credentials;          /* status 0: nothing was sent, there is nobody to send it as */
};

/* As https_call_new. Never repeated but for skew, and then only what AWS has refused. A redirect or an
 * answer that is no JSON where JSON is due is an answer with that status. */
struct aws_call *aws_call_new(struct https *, struct aws_site *, const struct aws_request *,
    void (*done)(void *arg, const struct aws_answer *), void *arg);
void aws_call_free(struct aws_call **);

/* Why it is not what was asked for, a sentence: AWS's, or ours. */
void aws_answer_say(const struct aws_answer *, struct err *);
/* It is because of the keys: unknown, expired, or not allowed to. */
bool aws_answer_refuses_us(const struct aws_answer *);
/* It may be otherwise in a while: no answer, too many requests, trouble of AWS's own. */
bool aws_answer_is_passing(const struct aws_answer *);

/* Percent-encodes for a path segment or a query: all but A-Za-z0-9-._~ */
struct str;
void aws_encode(struct str *, const char *text);

#endif
