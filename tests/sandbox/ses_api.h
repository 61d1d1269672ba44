/*
 * ses_api.h - what ses_api.c and ses_api_list.c, its suppression list, share.
 */
#ifndef TESTS_SANDBOX_SES_API_H
#define TESTS_SANDBOX_SES_API_H

#include <jansson.h>

#include "tests/sandbox/aws.h"

void ses_api_answer(struct aws_exchange *, struct str *json); /* releases it */
void ses_api_empty(struct aws_exchange *);

/* `segment`: the address in the path, decoded; NULL where there is none. */
void ses_api_list_suppressed(struct aws_exchange *, const char *segment, const json_t *in);
void ses_api_put_suppressed(struct aws_exchange *, const char *segment, const json_t *in);
void ses_api_get_suppressed(struct aws_exchange *, const char *segment, const json_t *in);
void ses_api_delete_suppressed(struct aws_exchange *, const char *segment, const json_t *in);

#endif
