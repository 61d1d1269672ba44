/*
 * envelope.h - MAIL and RCPT.
 */
#ifndef TESTS_SANDBOX_ENVELOPE_H
#define TESTS_SANDBOX_ENVELOPE_H

struct session;

void envelope_mail(struct session *, const char *args);
void envelope_rcpt(struct session *, const char *args);

#endif
