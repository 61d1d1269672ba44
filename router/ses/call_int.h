/*
 * call_int.h - between call.c, which asks, and call_answer.c, which reads.
 */
#ifndef ROUTER_SES_CALL_INT_H
#define ROUTER_SES_CALL_INT_H

#include "router/ses/call.h"

/* What an answer says besides its body; each NULL when there is none. */
struct aws_answer_headers {
	const char *error_type; /* x-amzn-ErrorType */
	const char *request_id; /* x-amzn-RequestId */
	const char *date;       /* Date */
};

/* Fills in all but why, may_be_sent and no_credentials. The body is borrowed; the caller releases json with
 * json_decref. */
void aws_answer_read(struct aws_answer *, int status, const struct aws_answer_headers *,
    const char *body, size_t len);

/* Date of an answer, RFC 9110 5.6.7, to wall ms. 0 or -1. */
int aws_date_read(const char *text, int64_t *wall);

/* AWS refused the signature, and it may be for its time: signed for `signed_at`, read by a clock that
 * said `date`. */
bool aws_answer_says_skew(const struct aws_answer *, int64_t signed_at, int64_t date);

#endif
