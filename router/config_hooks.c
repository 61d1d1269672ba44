/*
 * config_hooks.c - raw sections to hooks: where the application is told what
 * became of its mail, and of which events.
 */
#include "router/config_int.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "router/events/event_json.h"

#define SECRET_LEAST 16 /* bytes */
#define SECRET_MOST  512

static const char *const hook_kinds[] = { "webhook", "sns", "file" };

/* Which kinds a key is for: bits 1u << enum hook_kind. */
static const struct {
	const char *key;
	unsigned kinds;
} hook_keys[] = {
	{ "url", 1u << HOOK_WEBHOOK | 1u << HOOK_SNS },
	{ "secret", 1u << HOOK_WEBHOOK | 1u << HOOK_SNS },
	{ "secret-file", 1u << HOOK_WEBHOOK | 1u << HOOK_SNS },
	{ "ca-file", 1u << HOOK_WEBHOOK | 1u << HOOK_SNS },
	{ "timeout", 1u << HOOK_WEBHOOK | 1u << HOOK_SNS },
	{ "connections", 1u << HOOK_WEBHOOK | 1u << HOOK_SNS },
	{ "batch", 1u << HOOK_WEBHOOK },
	{ "topic", 1u << HOOK_SNS },
	{ "file", 1u << HOOK_FILE },
};

static void
check_keys(
    struct raw_config *raw, const struct raw_section *s, enum hook_kind kind)
{
	for (size_t i = 0; i < sizeof(hook_keys) / sizeof(hook_keys[0]); i++) {
		const struct raw_entry *entry = raw_find(s, hook_keys[i].key);

		if (entry != NULL && !(hook_keys[i].kinds & 1u << kind))
			config_problem(raw, entry->at,
			    "%s means nothing to a hook of type %s",
			    hook_keys[i].key, hook_kinds[kind]);
	}
}

/* -- where ----------------------------------------------------------------- */

static bool
is_loopback(const char *host, size_t len)
{
	static const char *const names[] = { "localhost", "[::1]" };
	size_t digits = strspn(host, "0123456789.");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len &&
		    strncasecmp(names[i], host, len) == 0)
			return true;
	return digits == len && strncmp(host, "127.", 4) == 0;
}

/* The host of an http or https URL, and its length with brackets but without
 * port; NULL: it is none. */
static const char *
host_of(const char *url, size_t *len)
{
	const char *host = strstr(url, "://"), *port;

	if (host == NULL || (strncmp(url, "http://", 7) != 0 &&
				strncmp(url, "https://", 8) != 0))
		return NULL;
	host += 3;
	*len = strcspn(host, "/?#");
	if (memchr(host, '@', *len) != NULL)
		return NULL;
	port = memchr(host, *host == '[' ? ']' : ':', *len);
	if (port != NULL)
		*len = (size_t)(port - host) + (*host == '[');
	return *len > 0 ? host : NULL;
}

static void
check_url(struct raw_config *raw, const struct raw_section *s)
{
	const struct raw_entry *entry = raw_find(s, "url");
	const char *host;
	size_t len = 0;

	if (entry == NULL) {
		config_problem(raw, s->at, "hook '%s' has no url", s->title);
		return;
	}
	host = host_of(entry->value, &len);
	if (host == NULL || strpbrk(entry->value, " \"<>\\") != NULL)
		config_problem(raw, entry->at,
		    "url: expected https://HOST/..., not '%s'", entry->value);
	else if (entry->value[4] == ':' && !is_loopback(host, len))
		config_problem(raw, entry->at,
		    "url: in clear it may go to loopback only, not '%s'",
		    entry->value);
}

static void
check_topic(struct raw_config *raw, const struct raw_section *s)
{
	const struct raw_entry *entry = raw_find(s, "topic");

	if (entry == NULL)
		config_problem(raw, s->at, "hook '%s' has no topic", s->title);
	else if (strncmp(entry->value, "arn:", 4) != 0)
		config_problem(raw, entry->at,
		    "topic: expected an ARN, as applications look for, not "
		    "'%s'",
		    entry->value);
}

/* -- the secret ------------------------------------------------------------ */

static int
digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0'
					 : tolower((unsigned char)c) - 'a' + 10;
}

/* Number of bytes, or -1. */
static int
read_hex(const char *text, size_t len, unsigned char *out)
{
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)text[i]))
			return -1;
	for (size_t i = 0; i + 1 < len; i += 2)
		out[i / 2] =
		    (unsigned char)(digit(text[i]) << 4 | digit(text[i + 1]));
	return len % 2 == 0 ? (int)(len / 2) : -1;
}

static int
read_base64(const char *text, size_t len, unsigned char *out)
{
	int n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);

	for (size_t i = len; n > 0 && i > len - 2 && text[i - 1] == '='; i--)
		n--;
	return len % 4 == 0 ? n : -1;
}

/* "whsec_" and base64, as libraries for webhooks write it, or 64 digits of
 * hexadecimal; the bytes take its place. */
static int
decode_secret(struct config_hook *h)
{
	static const char prefix[] = "whsec_";
	const char *text = h->secret.value;
	size_t len = strlen(text), skip = sizeof(prefix) - 1;
	unsigned char *bytes;
	int n;

	if (len > SECRET_MOST)
		return -1;
	bytes = xcalloc(1, len + 1);
	if (strncmp(text, prefix, skip) == 0)
		n = read_base64(text + skip, len - skip, bytes);
	else
		n = len == 64 ? read_hex(text, len, bytes) : -1;
	config_secret_clear(&h->secret);
	h->secret.value = (char *)bytes;
	h->secret_len = n > 0 ? (size_t)n : 0;
	return n < SECRET_LEAST ? -1 : 0;
}

static void
find_secret(struct raw_config *raw, const struct raw_section *s,
    struct config_hook *h, enum config_part part)
{
	const struct raw_entry *at = raw_find(s, "secret");

	if (at == NULL)
		at = raw_find(s, "secret-file");
	if (!config_find_secret(
		raw, s, "secret", "secret-file", &h->secret, part) &&
	    h->kind == HOOK_WEBHOOK)
		config_problem(raw, s->at,
		    "hook '%s' has no secret or secret-file to sign with",
		    s->title);
	if (h->secret.value != NULL && decode_secret(h) != 0)
		config_problem(raw, at->at,
		    "%s: expected whsec_ and base64, or 64 hexadecimal digits",
		    at->key->name);
}

/* -- which events ---------------------------------------------------------- */

static void
read_list(const struct raw_section *s, const char *key, char ***list, size_t *n)
{
	const struct raw_entry *entry;

	for (size_t i = 0; (entry = raw_find_nth(s, key, i)) != NULL; i++) {
		*list = config_grow(*list, n, sizeof(**list));
		(*list)[*n - 1] = xstrdup(entry->value);
	}
}

static void
check_lists(struct raw_config *raw, const struct raw_section *s,
    const struct config *cfg)
{
	const struct raw_entry *entry;

	for (size_t i = 0; (entry = raw_find_nth(s, "events", i)); i++)
		if (!event_json_is_name(entry->value))
			config_problem(raw, entry->at,
			    "events: no event of SES's: '%s'", entry->value);
	for (size_t i = 0; (entry = raw_find_nth(s, "paths", i)); i++)
		if (config_path_find(cfg, entry->value) == NULL)
			config_problem(raw, entry->at,
			    "paths: no such path: '%s'", entry->value);
	for (size_t i = 0; (entry = raw_find_nth(s, "senders", i)); i++)
		if (!config_value_host(entry->value))
			config_problem(raw, entry->at,
			    "senders: not a domain: '%s'", entry->value);
}

/* -- the section ----------------------------------------------------------- */

static void
build_hook(struct raw_config *raw, const struct raw_section *s,
    const struct config *cfg, struct config_hook *h, enum config_part part)
{
	h->name = xstrdup(s->title);
	h->line = s->at.line;
	h->batch = 1;
	h->connections = 4;
	h->timeout = 15000;
	h->retry_min = 1000;
	h->retry_max = 300000;
	config_store(raw, s, h);
	if (raw_find(s, "type") == NULL) {
		config_problem(raw, s->at,
		    "hook '%s' has no type: webhook, sns or file", s->title);
		return;
	}
	h->kind = (enum hook_kind)CONFIG_WORD_INDEX(
	    raw, s, "type", hook_kinds, HOOK_WEBHOOK);
	check_keys(raw, s, h->kind);
	if (h->kind == HOOK_FILE && h->file == NULL)
		config_problem(raw, s->at, "hook '%s' has no file", s->title);
	if (h->kind != HOOK_FILE) {
		check_url(raw, s);
		find_secret(raw, s, h, part);
	}
	if (h->kind == HOOK_SNS)
		check_topic(raw, s);
	if (h->retry_max < h->retry_min)
		config_problem(raw, s->at,
		    "hook '%s' has a retry that is longer than its retry-max",
		    s->title);
	check_lists(raw, s, cfg);
	read_list(s, "events", &h->events, &h->nevents);
	read_list(s, "paths", &h->paths, &h->npaths);
	read_list(s, "senders", &h->senders, &h->nsenders);
}

/* After config_build_ways_out. */
void
config_build_hooks(
    struct raw_config *raw, struct config *cfg, enum config_part part)
{
	cfg->hooks =
	    xcalloc(config_count(raw, "hook") + 1, sizeof(*cfg->hooks));
	for (size_t i = 0; i < raw->nsections; i++)
		if (config_is_kind(&raw->sections[i], "hook"))
			build_hook(raw, &raw->sections[i], cfg,
			    &cfg->hooks[cfg->nhooks++], part);
}

static void
free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void
config_free_hooks(struct config *cfg)
{
	for (size_t i = 0; i < cfg->nhooks; i++) {
		struct config_hook *h = &cfg->hooks[i];

		free(h->name);
		free(h->url);
		/* Bytes, of which one may be a NUL. */
		if (h->secret.value != NULL)
			explicit_bzero(h->secret.value, h->secret_len);
		free(h->secret.value);
		free(h->topic);
		free(h->ca_file);
		free(h->file);
		free_list(h->events, h->nevents);
		free_list(h->paths, h->npaths);
		free_list(h->senders, h->nsenders);
	}
	free(cfg->hooks);
}
