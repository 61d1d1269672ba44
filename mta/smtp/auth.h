/*
 * auth.h - SASL exchanges of the server: PLAIN (RFC 4616) and LOGIN, in base64 (RFC 4954).
 *
 * Pure: lines in, credentials out. It holds a secret: auth_clear wipes it. server_auth.c drives
 * it and asks the handler whether the credentials are good.
 */
#ifndef MTA_SMTP_AUTH_H
#define MTA_SMTP_AUTH_H

#include <stddef.h>

/*
 * A response with its CRLF. RFC 4616: three parts of at most 255 octets and two NULs are 767, in
 * base64 1024. RFC 4954 4.3 names 12288 as the most any mechanism may want; these two never do.
 */
#define AUTH_LINE_MAX (1024 + 2)
#define AUTH_PART_MAX 255

enum auth_step {
	AUTH_STEP_RESPONSE, /* the one response of PLAIN */
	AUTH_STEP_USERNAME,
	AUTH_STEP_PASSWORD,
	AUTH_STEP_DONE,     /* user and password are complete */
};

struct auth {
	enum auth_step step;
	char user[AUTH_PART_MAX + 1];     /* no control bytes, not empty */
	char password[AUTH_PART_MAX + 1]; /* no NUL, not empty */
};

/* 0 with the first step set, or -1 when there is no such mechanism. */
int auth_begin(struct auth *, const char *mechanism, size_t len);
/* The next response in base64, "=" standing for an empty one. Advances the step. -1 when it
 * cannot be decoded or breaks the mechanism; the exchange is over then. */
int auth_respond(struct auth *, const char *line, size_t len);
void auth_clear(struct auth *);

#endif
