/*
 * credentials_int.h - the inside of credentials: where keys are read, and the EC2 instance role.
 */
#ifndef ROUTER_SES_CREDENTIALS_INT_H
#define ROUTER_SES_CREDENTIALS_INT_H

#include "router/ses/credentials.h"

struct https;

/*
 * Keys that can be sent: not empty, of printable ASCII without blanks, and the access key without what
 * separates it from others in Authorization. NULL with *e: `what`, such as "the profile 'default'", then
 * says whose they are.
 */
struct credentials *credentials_take(const char *access_key, const char *secret, const char *token,
    int64_t expires, const char *from, const char *what, struct err *e);

/* credentials_read of the text of a file. */
struct credentials *credentials_read_text(const char *file, const char *text, size_t len,
    const char *profile, struct err *e);

/* Wipes a text, then frees it, and sets the pointer to NULL, which it may be. */
void credentials_wipe(char **);

/* The metadata service of the instance we run on. */
struct imds;
struct imds *imds_new(struct https *, const char *url); /* "http://169.254.169.254" */
void imds_free(struct imds **);                         /* cancels */
/*
 * Fetches the keys of the instance's role; `done` comes from the event loop with a reference, or with
 * NULL and why. One at a time.
 */
void imds_fetch(struct imds *, void (*done)(void *arg, struct credentials *, const struct err *why),
    void *arg);

#endif
