/*
 * replies.h - what Amazon SES's SMTP replies mean (facts/aws.md, section 1).
 *
 * SES sends no enhanced codes and judges everything at the end of DATA, so code and text decide.
 * Trouble with the account, its credentials or its identities is a fault of the path and bounces
 * nobody.
 */
#ifndef ROUTER_SES_REPLIES_H
#define ROUTER_SES_REPLIES_H

#include "router/classify.h"

/* NULL when the table does not know it. */
const struct verdict *ses_classify(const struct outcome *);

/* The id in "Ok 0106...-000000": copied to buf, "" when there is none; returns buf. */
#define SES_ID_MAX 80
char *ses_message_id(const struct outcome *, char buf[static SES_ID_MAX]);

#endif
