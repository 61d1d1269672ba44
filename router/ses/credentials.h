/*
 * credentials.h - as whom AWS is called: keys from the settings, the environment, the shared credentials
 * file or the EC2 instance role (IMDSv2), kept fresh.
 *
 * A provider belongs to one thread, which refreshes it; what it has found is an immutable set of keys
 * that any thread may take a reference of. Keys of a role are fetched again five minutes before they
 * expire; when that fails the old ones stay in use as long as they are good, and the next try follows.
 */
#ifndef ROUTER_SES_CREDENTIALS_H
#define ROUTER_SES_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"

struct config_credentials;
struct credentials_provider;
struct https;

struct credentials {
	_Atomic unsigned refs;
	char *access_key, *secret;
	char *token;              /* NULL */
	int64_t expires;          /* wall ms; 0: never */
	const char *from;         /* for people: "settings", "environment", "file", "instance role" */
};
struct credentials *credentials_new(const char *access_key, const char *secret, const char *token,
    int64_t expires, const char *from);
struct credentials *credentials_ref(struct credentials *);
void credentials_unref(struct credentials **); /* wipes them with the last */

/* Of a shared credentials file, INI: the keys of a profile. NULL with *e naming file and line. */
struct credentials *credentials_read(const char *file, const char *profile, struct err *e);
/* From AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; NULL with *e. */
struct credentials *credentials_of_environment(struct err *e);
/* What IMDS answers for a role. NULL with *e. */
struct credentials *credentials_parse_role(const char *json, size_t len, struct err *e);

/*
 * Starts at once. `changed` (may be NULL) is called in its thread whenever it has found keys, or has failed to.
 * Copies the settings it needs.
 */
struct credentials_provider *credentials_provider_new(struct https *,
    const struct config_credentials *, void (*changed)(void *arg), void *arg);
void credentials_provider_free(struct credentials_provider **);
/* Any thread, as long as the provider lives. NULL while there are none, or none any more: *e (may be
 * NULL) says why. */
struct credentials *credentials_now(struct credentials_provider *, struct err *e);
/* AWS says that those are expired or unknown: fetch new ones now, unless that was just done. Its thread. */
void credentials_refresh(struct credentials_provider *);

#endif
