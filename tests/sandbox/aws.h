/*
 * aws.h - the sandbox's AWS: one web server for all services, over TLS and in clear.
 *
 * aws.c takes a request apart, verifies its SigV4 signature by an implementation of its own (the product's
 * is the one under test), waits the set latency, and hands it to its service:
 *	/v2/email/...                              ses_api.c     POST / Action=...&Version=2010-12-01   ses_query.c
 *	POST / with X-Amz-Target: AmazonSQS.*      sqs.c         /latest/...  (unsigned)                imds.c
 *	/SimpleNotificationService-*.pem, GET /?Action=ConfirmSubscription (unsigned), POST / Action=Subscribe
 *	                                           sns.c
 * Which is which says the table `services` in aws.c; what nobody serves is answered 501.
 */
#ifndef TESTS_SANDBOX_AWS_H
#define TESTS_SANDBOX_AWS_H

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"

struct sandbox;

#define AWS_REGION  "ap-northeast-1"
#define AWS_ACCOUNT "123456789012"
#define AWS_ADDRESS "127.0.10.51"

/* One request and the right to answer it, once. */
struct aws_exchange {
	struct sandbox *sandbox;
	struct evhttp_request *http;
	const char *method, *path, *query; /* as on the wire; query "" */
	struct evkeyvalq args;             /* of the query, decoded; of a form body too */
	const char *body;                  /* with a NUL behind it */
	size_t len;
	char access_key[64];               /* whose signature was good; "" for unsigned services */
	char peer[64];                     /* the client's address */
	const char *tls;                   /* "TLSv1.3"; NULL in clear */
};

/* Listens on the address: ports[0] with TLS, ports[1] in clear; 0: free ones, which are filled in. */
struct aws;
struct aws *aws_new(struct sandbox *, const char *address, unsigned ports[2], struct err *);
/* "latency N", "mood NAME" and what else main.c says of `set aws KEY VALUE`. 0 or -1. */
int aws_set(struct sandbox *, const char *key, const char *value, struct err *);
void aws_show(const struct sandbox *, struct str *); /* one JSON object, for `get aws` */
int64_t aws_now(const struct sandbox *);             /* the server's clock, `skew` included; ms */

/* Each answers and ends the exchange; headers x-amzn-RequestId and Date are seen to. */
void aws_reply(struct aws_exchange *, int status, const char *content_type, const char *body, size_t len);
/* As REST-JSON and JSON protocols do: x-amzn-ErrorType and {"message": ...}. */
void aws_reply_error(struct aws_exchange *, int status, const char *type, const char *message);
/* As the Query protocol does; the namespace is that of the request's Version. */
void aws_reply_error_xml(struct aws_exchange *, int status, const char *code, const char *message);
void aws_request_id(struct aws_exchange *, char id[static 37]); /* the one of the header, for XML answers */
/* The value of an argument; NULL: none. */
const char *aws_arg(const struct aws_exchange *, const char *name);
/* Text with & < > " as entities. */
void aws_xml(struct str *, const char *text);
/* A request header, case ignored; NULL: none. */
const char *aws_header(const struct aws_exchange *, const char *name);

/* The services. */
void ses_api_handle(struct aws_exchange *);
void ses_query_handle(struct aws_exchange *);
void sqs_handle(struct aws_exchange *);
void sns_handle(struct aws_exchange *);
void imds_handle(struct aws_exchange *);

#endif
