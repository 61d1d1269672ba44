/*
 * suppress.c - which ends of which kind suppress an address, and for how long.
 *
 * The vocabulary of reasons (router/reasons.h) is listed here once more with
 * what lies behind each of them: the address, the state that it is in, or
 * something that says nothing of it. What the settings add is read by
 * config_suppression.c, which asks here what may be added; the list itself is
 * the store's.
 */
#include "router/suppress.h"

#include "mta/base/alloc.h"
#include "mta/outcome.h"
#include "mta/smtp/address.h"
#include "router/config.h"
#include "router/store/store.h"

#include <string.h>

/* -- the key --------------------------------------------------------------- */

static char *
lower(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return text;
}

static char *
join(const struct address *a)
{
	size_t n = strlen(a->local), m = strlen(a->domain);
	char *key = xmalloc(n + 1 + m + 1);

	memcpy(key, a->local, n);
	key[n] = '@';
	memcpy(key + n + 1, a->domain, m + 1);
	return lower(key);
}

/* "a b@x" is how a recipient holds "\"a b\"@x": cut at its last '@'. */
static char *
plain_key(const char *address, size_t len)
{
	const char *at = strrchr(address, '@');
	size_t n = at != NULL ? (size_t)(at - address) : 0;

	if (n == 0 || n > ADDRESS_LOCAL_MAX || at[1] == '\0' ||
	    len - n - 1 > ADDRESS_DOMAIN_MAX)
		return NULL;
	for (const char *p = address; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return NULL;
	return lower(xstrdup(address));
}

char *
suppress_key(const char *address)
{
	size_t len = strlen(address);
	struct err e = ERR_INIT;
	struct address a;

	/* What begins with '@' is an odd local part here: no recipient is held
	 * with a source route. */
	if (address[0] != '@' && address_parse(&a, address, len, &e) == 0)
		return join(&a);
	return plain_key(address, len);
}

/* -- the policy ------------------------------------------------------------ */

/* clang-format off */
static const char filter[] = "a refusal by a filter says nothing of the address",
	sender[] = "the sender is at fault, not the address",
	message[] = "the message is at fault, not the address",
	elsewhere[] = "the trouble lies elsewhere, not with the address",
	no_end[] = "it is no refusal";

static const struct suppress_reason reasons[] = {
	{ "complaint", SUPPRESS_HARD, NULL },
	{ "hasmoved", SUPPRESS_HARD, NULL },
	{ "hostunknown", SUPPRESS_HARD, NULL },
	{ "userunknown", SUPPRESS_HARD, NULL },

	{ "mailboxfull", SUPPRESS_SOFT, NULL },
	{ "mailererror", SUPPRESS_SOFT, NULL },
	{ "notaccept", SUPPRESS_SOFT, NULL },
	{ "suspend", SUPPRESS_SOFT, NULL },

	{ "badreputation", SUPPRESS_NEVER, filter },
	{ "blocked", SUPPRESS_NEVER, filter },
	{ "filtered", SUPPRESS_NEVER, filter },
	{ "policyviolation", SUPPRESS_NEVER, filter },
	{ "spamdetected", SUPPRESS_NEVER, filter },

	{ "authfailure", SUPPRESS_NEVER, sender },
	{ "norelaying", SUPPRESS_NEVER, sender },
	{ "rejected", SUPPRESS_NEVER, sender },
	{ "requireptr", SUPPRESS_NEVER, sender },
	{ "securityerror", SUPPRESS_NEVER, sender },
	{ "ratelimited", SUPPRESS_NEVER, sender },
	{ "speeding", SUPPRESS_NEVER, sender },
	{ "toomanyconn", SUPPRESS_NEVER, sender },

	{ "contenterror", SUPPRESS_NEVER, message },
	{ "emailtoolarge", SUPPRESS_NEVER, message },
	{ "exceedlimit", SUPPRESS_NEVER, message },
	{ "mesgtoobig", SUPPRESS_NEVER, message },
	{ "notcompliantrfc", SUPPRESS_NEVER, message },
	{ "syntaxerror", SUPPRESS_NEVER, message },
	{ "virusdetected", SUPPRESS_NEVER, message },

	{ "expired", SUPPRESS_NEVER, elsewhere },
	{ "failedstarttls", SUPPRESS_NEVER, elsewhere },
	{ "networkerror", SUPPRESS_NEVER, elsewhere },
	{ "onhold", SUPPRESS_NEVER, elsewhere },
	{ "systemerror", SUPPRESS_NEVER, elsewhere },
	{ "systemfull", SUPPRESS_NEVER, elsewhere },
	{ "undefined", SUPPRESS_NEVER, elsewhere },

	{ "delivered", SUPPRESS_NEVER, no_end },
	{ "feedback", SUPPRESS_NEVER, no_end },
	{ "suppressed", SUPPRESS_NEVER, no_end },
	{ "vacation", SUPPRESS_NEVER, no_end },
};
/* clang-format on */

const struct suppress_reason *
suppress_reason_find(const char *name)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(reasons[i].name, name) == 0)
			return &reasons[i];
	return NULL;
}

static const struct config_suppress_rule *
rule_for(const struct config_suppression *s, const char *reason)
{
	for (size_t i = 0; i < s->nrules; i++)
		if (strcmp(s->rules[i].reason, reason) == 0)
			return &s->rules[i];
	return NULL;
}

/* How long (ms) an entry is good; 0: for ever. Who complained has not changed
 * his mind because time passes. */
static int64_t
good_for(const struct config_suppression *s,
    const struct config_suppress_rule *rule, const char *carrier,
    const char *reason)
{
	if (rule != NULL && rule->expires > 0)
		return rule->expires;
	if (strcmp(reason, SUPPRESS_COMPLAINT) == 0)
		return 0;
	for (size_t i = 0; i < s->ncarriers; i++)
		if (strcmp(s->carriers[i].carrier, carrier) == 0)
			return s->carriers[i].expires;
	return s->expires;
}

/* For all paths; or for one, which the store knows when it is not known here.
 */
static const char *
scope_of(const struct config_suppress_rule *rule, const char *path)
{
	if (rule == NULL || !rule->path_only)
		return "";
	return path != NULL && path[0] != '\0' ? path : NULL;
}

#define RELAY_WITHIN (INT64_C(30) * 24 * 3600 * 1000) /* ms */

/* A sender is what was refused, or a client: the recipient is named later. */
static bool
is_before_rcpt(const struct outcome *o)
{
	return o->stage >= STAGE_CONNECT && o->stage <= STAGE_MAIL;
}

/* DNS does not err like that. */
static bool
may_be_disorder(const char *reason, const struct outcome *o)
{
	return o != NULL && o->stage == STAGE_RCPT &&
	       strcmp(reason, "hostunknown") == 0;
}

bool
suppress_by_outcome(const struct config *config, const struct suppress_ask *ask,
    struct suppress_cause *out)
{
	const struct config_suppression *s = &config->suppression;
	const struct config_suppress_rule *rule = rule_for(s, ask->reason);
	const struct suppress_reason *r = suppress_reason_find(ask->reason);
	int64_t ms;

	if (r == NULL || r->nature == SUPPRESS_NEVER ||
	    (r->nature == SUPPRESS_SOFT && rule == NULL) ||
	    (r->nature == SUPPRESS_HARD && ask->soft) ||
	    (rule != NULL && rule->off) ||
	    (ask->outcome != NULL && is_before_rcpt(ask->outcome)))
		return false;
	ms = good_for(s, rule, ask->carrier, ask->reason);
	*out = (struct suppress_cause){
		.scope = scope_of(rule, ask->path),
		.cause = r->name,
		.source = "",
		.evidence = "",
		.expires = ms > 0 ? ask->at + ms : 0,
		.strikes = rule != NULL ? rule->strikes : 0,
		.within = rule != NULL ? rule->within : 0,
		.soft = r->nature == SUPPRESS_SOFT,
	};
	if (out->strikes == 0 && may_be_disorder(ask->reason, ask->outcome)) {
		out->strikes = SUPPRESS_RELAY_STRIKES;
		out->within = RELAY_WITHIN;
	}
	return true;
}
