/*
 * smtp_password.h - the SMTP password that belongs to an IAM user's secret key (facts/aws.md, section 1).
 */
#ifndef ROUTER_SES_SMTP_PASSWORD_H
#define ROUTER_SES_SMTP_PASSWORD_H

#define SES_SMTP_PASSWORD_TEXT 45 /* with NUL */

/* It is one per region. Any thread. */
void ses_smtp_password(const char *secret, const char *region,
    char out[static SES_SMTP_PASSWORD_TEXT]);

#endif
