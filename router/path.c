/*
 * path.c - the kinds of path.
 */
#include "router/path.h"

#include "router/message.h"

#include <string.h>

const struct path_class *
path_class(enum path_kind kind)
{
	switch (kind) {
	case PATH_MTA:
		return &path_mta;
	case PATH_SES:
		return &path_ses;
	case PATH_DISCARD:
	case PATH_HOLD:
	case PATH_REJECT:
		return NULL;
	}
	return NULL;
}

/* SES closes after ten seconds (facts/aws.md, section 1); idle sessions are looked at each second, and
 * the next command takes a moment. */
#define SES_IDLE 7000 /* ms */

int64_t
path_idle_most(const struct config_path *path)
{
	return path->kind == PATH_SES && path->transport == SES_SMTP
	    ? SES_IDLE
	    : INT64_MAX;
}

static bool
refuse(struct outcome *why, const char *enhanced, const char *text)
{
	outcome_set(why, SCOPE_RECIPIENT, STAGE_NONE, true, "%s", text);
	strcpy(why->enhanced, enhanced);
	return false;
}

bool
path_carries(
    enum path_kind kind, const struct recipient *r, struct outcome *why)
{
	if (kind != PATH_SES)
		return true;
	if (r->message->from[0] == '\0')
		return refuse(why, "5.1.7",
		    "a ses path cannot carry the null reverse-path");
	if (r->irregular)
		return refuse(why, "5.1.3",
		    "the local part breaks RFC 5321 and a ses path cannot "
		    "carry it");
	if (r->utf8)
		return refuse(why, "5.6.7",
		    "the address is not ASCII and a ses path cannot carry it");
	return true;
}
