/*
 * replies.h - what Amazon SES's replies mean, over SMTP and over its API (facts/aws.md, sections 1 and 2).
 *
 * SES sends no enhanced codes and judges everything at the end of DATA, so code and text decide.
 * Trouble with the account, its credentials or its identities is a fault of the path and bounces
 * nobody.
 */
#ifndef ROUTER_SES_REPLIES_H
#define ROUTER_SES_REPLIES_H

#include <stdbool.h>

#include "router/classify.h"

struct aws_answer;

/* NULL when the tables do not know it. */
const struct verdict *ses_classify(const struct outcome *);

/* The answer to a SendEmail as an outcome: code and text as if a reply of SMTP, unread when nobody can say
 * whether SES has taken the message. */
void ses_api_outcome(const struct aws_answer *, struct outcome *);
/* What such an outcome means; NULL: it is none, or SES's error is a new one. */
const struct verdict *ses_api_verdict(const struct outcome *);

/*
 * "Configuration set <X> does not exist" closes the path when X is its own or its rule's. When it is neither, the
 * application has asked for it, and it is the fault of that message alone: its outcome is marked so.
 */
void ses_blame(struct outcome *, const char *rule_set, const char *path_set);

/* It is about identities that this message named: one of them is not verified, or our key may not send for it.
 * Others' mail may be taken all the same. */
bool ses_blames_sender(const struct outcome *);

/* The id in "Ok 0106...-000000" (letters, digits, '-' and '_', with a digit): copied to buf, "" when there is none; returns buf. */
#define SES_ID_MAX 80
char *ses_message_id(const struct outcome *, char buf[static SES_ID_MAX]);

#endif
