/*
 * ses.h - what only Amazon SES's SMTP endpoint does: AUTH, quota, rate, identities, and its
 * verdict on everything at the end of the message.
 */
#ifndef TESTS_SANDBOX_SES_H
#define TESTS_SANDBOX_SES_H

#include <stdbool.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "tests/sandbox/carriers.h"

struct session;

struct ses {
	char *user;
	char *password;
	char *verified; /* domains and addresses, separated by commas; "*": any */
	unsigned rate;  /* recipients per second; 0: no limit */
	unsigned quota; /* recipients in all; 0: no limit */
	unsigned sent;  /* recipients accepted */
	bool sandbox;   /* recipients must be verified, too */
	double tokens;
	int64_t filled; /* when tokens was last brought up to date */
};

/* "rate", "quota", "sent": numbers; "verified": a list; "user", "password"; "sandbox" on or off.
 * False: no such key. */
bool ses_set(struct ses *, const char *key, const char *value);

/* The AUTH command's parameters, then the lines of its dialogue. */
void ses_auth(struct session *, const char *args);
void ses_auth_line(struct session *, const char *line);

/* True: the message is accepted, and `text` (empty before) is "Ok" with the id SES gives it.
 * False: *answer says why not; its text may lie in `text`. */
bool ses_judge(struct session *, struct answer *answer, struct str *text);

#endif
