/*
 * config_credentials.c - as whom AWS is called, and where: said in the same
 * words by a ses path and by a queue.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

/* -- endpoints ------------------------------------------------------------- */

static bool
is_loopback_host(const char *host, size_t len)
{
	char *text = xstrndup(host, len);
	bool is = strncmp(text, "127.", 4) == 0 || strcmp(text, "[::1]") == 0 ||
		  strcmp(text, "localhost") == 0;

	free(text);
	return is;
}

/* "https://host" or "https://host:port": no path, no user. In clear on this
 * machine alone. */
static void
check_endpoint(struct raw_config *raw, const struct raw_entry *entry)
{
	const char *p, *key = entry->key->name;
	bool clear = strncmp(entry->value, "http://", 7) == 0;
	size_t len;

	if (!clear && strncmp(entry->value, "https://", 8) != 0) {
		config_problem(raw, entry->at,
		    "%s: expected https://host, not '%s'", key, entry->value);
		return;
	}
	p = strchr(entry->value, ':') + 3;
	len = *p == '[' ? strcspn(p, "]") + 1 : strcspn(p, ":/");
	if (strpbrk(p, "/?#@ \\") != NULL || len == 0 || len > strlen(p))
		config_problem(raw, entry->at,
		    "%s: expected https://host and perhaps a port, not '%s'",
		    key, entry->value);
	else if (clear && !is_loopback_host(p, len))
		config_problem(raw, entry->at,
		    "%s: http:// is for loopback addresses only: '%s'", key,
		    entry->value);
}

void
config_check_endpoint(
    struct raw_config *raw, const struct raw_section *s, const char *key)
{
	const struct raw_entry *entry = raw_find(s, key);

	if (entry != NULL && *entry->value != '\0')
		check_endpoint(raw, entry);
}

/* -- credentials ----------------------------------------------------------- */

/* By enum credentials_kind. */
static const char *const credentials_kinds[] = { "none", "static",
	"environment", "file", "instance-role", "auto" };

/* Keys that speak of credentials, and of which kind. */
static const struct {
	const char *key;
	enum credentials_kind kind;
} credentials_keys[] = {
	{ "access-key", CREDENTIALS_STATIC },
	{ "secret-key", CREDENTIALS_STATIC },
	{ "secret-key-file", CREDENTIALS_STATIC },
	{ "credentials-file", CREDENTIALS_FILE },
	{ "profile", CREDENTIALS_FILE },
	{ "imds-endpoint", CREDENTIALS_ROLE },
};
#define NKEYS (sizeof(credentials_keys) / sizeof(credentials_keys[0]))

/* What the other keys say it must be; `otherwise` when they say nothing. */
static enum credentials_kind
implied_kind(const struct raw_section *s, enum credentials_kind otherwise)
{
	for (size_t i = 0; i < NKEYS; i++)
		if (raw_find(s, credentials_keys[i].key) != NULL)
			return credentials_keys[i].kind == CREDENTIALS_STATIC
				   ? CREDENTIALS_STATIC
				   : CREDENTIALS_AUTO;
	return otherwise;
}

static void
check_unused_keys(struct raw_config *raw, const struct raw_section *s,
    enum credentials_kind kind)
{
	const struct raw_entry *entry;

	if (kind == CREDENTIALS_AUTO)
		kind = CREDENTIALS_FILE;
	for (size_t i = 0; i < NKEYS; i++) {
		enum credentials_kind of = credentials_keys[i].kind;

		entry = raw_find(s, credentials_keys[i].key);
		if (entry == NULL || of == kind ||
		    (of == CREDENTIALS_ROLE && kind == CREDENTIALS_FILE))
			continue;
		config_problem(raw, entry->at,
		    "%s means nothing with credentials = %s",
		    credentials_keys[i].key, credentials_kinds[kind]);
	}
}

static void
static_keys(struct raw_config *raw, const struct raw_section *s,
    struct config_credentials *c, enum config_part part)
{
	bool secret = config_find_secret(
	    raw, s, "secret-key", "secret-key-file", &c->secret_key, part);

	if (raw_find(s, "access-key") == NULL)
		config_problem(raw, s->at,
		    "%s '%s' with static credentials has no access-key",
		    s->kind->name, s->title);
	if (!secret)
		config_problem(raw, s->at,
		    "%s '%s' with static credentials has no secret-key or "
		    "secret-key-file",
		    s->kind->name, s->title);
}

const char *
config_credentials_name(enum credentials_kind kind)
{
	return credentials_kinds[kind];
}

void
config_build_credentials(struct raw_config *raw, const struct raw_section *s,
    struct config_credentials *c, enum credentials_kind otherwise,
    enum config_part part)
{
	c->kind = (enum credentials_kind)CONFIG_WORD_INDEX(raw, s,
	    "credentials", credentials_kinds, (int)implied_kind(s, otherwise));
	check_unused_keys(raw, s, c->kind);
	if (c->kind == CREDENTIALS_STATIC)
		static_keys(raw, s, c, part);
	config_check_endpoint(raw, s, "imds-endpoint");
	if (c->imds == NULL)
		c->imds = xstrdup("http://169.254.169.254");
}

static char *
copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

void
config_copy_credentials(
    struct config_credentials *to, const struct config_credentials *from)
{
	to->kind = from->kind;
	to->access_key = copy(from->access_key);
	to->secret_key.value = copy(from->secret_key.value);
	to->file = copy(from->file);
	to->profile = copy(from->profile);
	to->imds = copy(from->imds);
}
