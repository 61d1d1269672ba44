/*
 * config_schema.c - the sections and keys of the settings file.
 *
 * One row per key: its name, what its value looks like, where it goes and its
 * bounds. A key that needs more than that is CONFIG_WORD, and config_build.c
 * knows what it means. conf/oiwake.conf.5 describes every row.
 */
#include "router/config_int.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

#define MINUTE 60e3
#define DAY    86400e3
#define GIB    1073741824.0

#define ROOT(f)	    offsetof(struct config, f)
#define LISTENER(f) offsetof(struct config_listener, f)
#define PATH(f)	    offsetof(struct config_path, f)
#define SQS(f)	    offsetof(struct config_sqs, f)
#define WORD(name)                                                             \
	{                                                                      \
		name, CONFIG_WORD, 0, 0, 0, false                              \
	}
#define WORDS(name)                                                            \
	{                                                                      \
		name, CONFIG_WORD, 0, 0, 0, true                               \
	}

/* clang-format off */
static const struct config_key root_keys[] = {
	{ "hostname", CONFIG_HOST, ROOT(hostname), 0, 0, false },
	{ "state-directory", CONFIG_FILE, ROOT(state_directory), 0, 0, false },
	{ "rules", CONFIG_FILE, ROOT(rules_file), 0, 0, false },
	{ "reasons", CONFIG_FILE, ROOT(reasons_file), 0, 0, false },
	{ "users", CONFIG_FILE, ROOT(users_file), 0, 0, false },
	{ "log", CONFIG_FILE, ROOT(log_file), 0, 0, false },
	{ "admin-socket", CONFIG_FILE, ROOT(admin_socket), 0, 0, false },
	{ "store-password-file", CONFIG_FILE, ROOT(store.password_file), 0, 0, false },
	{ "store-token-command", CONFIG_TEXT, ROOT(store.token_command), 0, 0, false },
	{ "lease", CONFIG_MS, ROOT(store.lease), 2000, 10 * MINUTE, false },
	{ "io-threads", CONFIG_UINT, ROOT(io_threads), 0, CONFIG_THREADS_MAX, false },
	WORD("log-level"),
	WORD("store"),
	WORD("node"),
	WORDS("node-sources"),
	WORDS("include"),
};

/* What a listener asks of its clients: in `limits` for all of them, and in a
 * listener for itself. */
#define LIMIT_KEYS \
	{ "max-connections", CONFIG_UINT, LISTENER(max_connections), 1, 1e6, false }, \
	{ "max-connections-per-client", CONFIG_UINT, LISTENER(max_connections_per_client), 1, 1e6, false }, \
	{ "max-message", CONFIG_SIZE, LISTENER(smtp.max_message), 1024, 4 * GIB, false }, \
	{ "max-header", CONFIG_SIZE, LISTENER(smtp.max_header), 1024, 16777216, false }, \
	{ "max-command", CONFIG_SIZE, LISTENER(smtp.max_command), 512, 65536, false }, \
	{ "max-text-line", CONFIG_SIZE, LISTENER(smtp.max_text_line), 0, GIB, false }, \
	{ "max-recipients", CONFIG_UINT, LISTENER(smtp.max_recipients), 1, 100000, false }, \
	{ "max-received", CONFIG_UINT, LISTENER(smtp.max_received), 1, 1000, false }, \
	{ "max-commands", CONFIG_UINT, LISTENER(smtp.max_commands), 10, 4e9, false }, \
	{ "max-errors", CONFIG_UINT, LISTENER(smtp.max_errors), 1, 1e6, false }, \
	{ "max-auth-failures", CONFIG_UINT, LISTENER(smtp.max_auth_failures), 1, 1000, false }, \
	{ "idle-timeout", CONFIG_MS, LISTENER(smtp.idle_timeout), 100, DAY, false }, \
	{ "command-timeout", CONFIG_MS, LISTENER(smtp.command_timeout), 100, DAY, false }, \
	{ "min-data-rate", CONFIG_SIZE, LISTENER(smtp.min_data_rate), 0, GIB, false }

static const struct config_key limits_keys[] = { LIMIT_KEYS };

static const struct config_key listener_keys[] = {
	WORD("type"),
	WORD("address"),
	WORDS("networks"),
	WORD("tls"),
	WORD("certificate"),
	WORD("key"),
	{ "add-missing-headers", CONFIG_FLAG, LISTENER(add_missing_headers), 0, 0, false },
	LIMIT_KEYS
};

static const struct config_key tls_keys[] = {
	WORD("certificate"),
	WORD("key"),
};

static const struct config_key source_keys[] = {
	{ "hostname", CONFIG_HOST, offsetof(struct config_source, hostname), 0, 0, false },
	WORD("address"),
	WORD("public"),
	{ "weight", CONFIG_UINT, offsetof(struct config_source, weight), 1, 1000, false },
};

static const struct config_key pool_keys[] = {
	WORDS("sources"),
	WORD("balance"),
};

/* As whom AWS is called: of a path and of a queue. The rest is config_ses.c's. */
#define CREDENTIALS_KEYS(at) \
	WORD("credentials"), \
	{ "access-key", CONFIG_TEXT, (at) + offsetof(struct config_credentials, access_key), 0, 0, false }, \
	WORD("secret-key"), \
	WORD("secret-key-file"), \
	{ "credentials-file", CONFIG_FILE, (at) + offsetof(struct config_credentials, file), 0, 0, false }, \
	{ "profile", CONFIG_TEXT, (at) + offsetof(struct config_credentials, profile), 0, 0, false }, \
	{ "imds-endpoint", CONFIG_TEXT, (at) + offsetof(struct config_credentials, imds), 0, 0, false }

static const struct config_key path_keys[] = {
	WORD("type"),
	{ "max-connections", CONFIG_UINT, PATH(max_connections), 1, 1e6, false },
	WORD("pool"),
	{ "relay-host", CONFIG_TEXT, PATH(relay_host), 0, 0, false },
	{ "port", CONFIG_PORT, PATH(port), 1, 65535, false },
	{ "allow-private", CONFIG_FLAG, PATH(allow_private), 0, 0, false },
	{ "ipv4", CONFIG_FLAG, PATH(ipv4), 0, 0, false },
	{ "ipv6", CONFIG_FLAG, PATH(ipv6), 0, 0, false },
	WORD("tls"),
	{ "sign", CONFIG_FLAG, PATH(sign), 0, 0, false },
	{ "dane", CONFIG_FLAG, PATH(dane), 0, 0, false },
	{ "mta-sts", CONFIG_FLAG, PATH(mta_sts), 0, 0, false },
	{ "sts-port", CONFIG_PORT, PATH(sts_port), 1, 65535, false },
	{ "sts-ca-file", CONFIG_FILE, PATH(sts_ca_file), 0, 0, false },
	WORD("preflight"),
	{ "host", CONFIG_HOST, PATH(host), 0, 0, false },
	{ "connect-address", CONFIG_TEXT, PATH(connect_address), 0, 0, false },
	{ "ca-file", CONFIG_FILE, PATH(ca_file), 0, 0, false },
	{ "user", CONFIG_TEXT, PATH(user), 0, 0, false },
	WORD("password"),
	WORD("password-file"),
	{ "rate", CONFIG_REAL, PATH(rate), 0, 1e6, false },
	{ "connections", CONFIG_UINT, PATH(connections), 1, 10000, false },
	{ "messages-per-connection", CONFIG_UINT, PATH(messages_per_connection), 1, 1e6, false },
	{ "configuration-set", CONFIG_TEXT, PATH(configuration_set), 0, 0, false },
	WORD("transport"),
	{ "region", CONFIG_HOST, PATH(region), 0, 0, false },
	{ "endpoint", CONFIG_TEXT, PATH(endpoint), 0, 0, false },
	{ "quota", CONFIG_REAL, PATH(quota), 0, 1e12, false },
	{ "quota-reserve", CONFIG_REAL, PATH(quota_reserve), 0, 100, false },
	{ "account-check", CONFIG_MS, PATH(account_check), 0, DAY, false },
	WORD("probation"),
	WORDS("tags"),
	WORD("application-headers"),
	WORD("duplicate-headers"),
	CREDENTIALS_KEYS(offsetof(struct config_path, credentials)),
};

static const struct config_key sqs_keys[] = {
	WORD("path"),
	{ "queue", CONFIG_TEXT, SQS(queue), 0, 0, false },
	{ "region", CONFIG_HOST, SQS(region), 0, 0, false },
	{ "endpoint", CONFIG_TEXT, SQS(endpoint), 0, 0, false },
	{ "ca-file", CONFIG_FILE, SQS(ca_file), 0, 0, false },
	{ "pollers", CONFIG_UINT, SQS(pollers), 1, 64, false },
	{ "visibility", CONFIG_MS, SQS(visibility), 1000, 0.5 * DAY, false },
	{ "wait", CONFIG_MS, SQS(wait), 0, 20e3, false },
	CREDENTIALS_KEYS(offsetof(struct config_sqs, credentials)),
};

static const struct config_key sns_keys[] = {
	WORDS("topics"),
	{ "replay-window", CONFIG_MS, ROOT(sns.replay_window), MINUTE, DAY, false },
	{ "signature-version", CONFIG_UINT, ROOT(sns.signature_version), 1, 2, false },
	{ "ca-file", CONFIG_FILE, ROOT(sns.ca_file), 0, 0, false },
	{ "connect-address", CONFIG_TEXT, ROOT(sns.connect), 0, 0, false },
};

static const struct config_key web_keys[] = {
	WORD("address"),
	WORD("certificate"),
	WORD("key"),
	WORDS("serve"),
	{ "console", CONFIG_FLAG, offsetof(struct config_web, console), 0, 0, false },
	{ "metrics", CONFIG_FLAG, offsetof(struct config_web, metrics), 0, 0, false },
	{ "users", CONFIG_FILE, offsetof(struct config_web, users_file), 0, 0, false },
	WORDS("names"),
	{ "session-idle", CONFIG_MS, offsetof(struct config_web, session_idle), 1000, 7 * DAY, false },
	{ "session-life", CONFIG_MS, offsetof(struct config_web, session_life), 1000, 30 * DAY, false },
	{ "max-body", CONFIG_SIZE, offsetof(struct config_web, max_body), 1024, 67108864, false },
	{ "max-connections", CONFIG_UINT, offsetof(struct config_web, max_connections), 1, 1e6, false },
};

#define HOOK(f) offsetof(struct config_hook, f)

static const struct config_key hook_keys[] = {
	WORD("type"),
	{ "url", CONFIG_TEXT, HOOK(url), 0, 0, false },
	WORD("secret"),
	WORD("secret-file"),
	{ "topic", CONFIG_TEXT, HOOK(topic), 0, 0, false },
	{ "ca-file", CONFIG_FILE, HOOK(ca_file), 0, 0, false },
	{ "file", CONFIG_FILE, HOOK(file), 0, 0, false },
	WORDS("events"),
	WORDS("paths"),
	WORDS("senders"),
	{ "batch", CONFIG_UINT, HOOK(batch), 1, 100, false },
	{ "connections", CONFIG_UINT, HOOK(connections), 1, 100, false },
	{ "timeout", CONFIG_MS, HOOK(timeout), 100, 10 * MINUTE, false },
	{ "retry", CONFIG_MS, HOOK(retry_min), 10, DAY, false },
	{ "retry-max", CONFIG_MS, HOOK(retry_max), 10, DAY, false },
};

static const struct config_key dkim_keys[] = {
	{ "selector", CONFIG_HOST, offsetof(struct config_dkim, selector), 0, 0, false },
	{ "key", CONFIG_FILE, offsetof(struct config_dkim, key_file), 0, 0, false },
	WORD("state"),
};

static const struct config_key return_path_keys[] = {
	{ "domain", CONFIG_HOST, ROOT(return_path.domain), 0, 0, false },
	{ "key", CONFIG_FILE, ROOT(return_path.key_file), 0, 0, false },
	{ "expires", CONFIG_MS, ROOT(return_path.expires), DAY, 365 * DAY, false },
	{ "forward", CONFIG_FLAG, ROOT(return_path.forward), 0, 0, false },
	WORDS("feedback"),
	{ "postmaster", CONFIG_TEXT, ROOT(return_path.postmaster), 0, 0, false },
	{ "rate", CONFIG_REAL, ROOT(return_path.rate), 0, 1e6, false },
};

static const struct config_key suppression_keys[] = {
	{ "expires", CONFIG_MS, ROOT(suppression.expires), 0, 3660 * DAY, false },
	WORDS("carriers"),
	WORDS("causes"),
};

static const struct config_key guard_keys[] = {
	{ "enforce", CONFIG_FLAG, ROOT(guard.enforce), 0, 0, false },
	{ "minimum-volume", CONFIG_UINT, ROOT(guard.minimum_volume), 10, 1e6, false },
	{ "last", CONFIG_UINT, ROOT(guard.last), 10, 1e6, false },
	{ "probe", CONFIG_UINT, ROOT(guard.probe), 1, 10000, false },
	{ "pause", CONFIG_MS, ROOT(guard.pause), 1000, 7 * DAY, false },
	{ "pause-max", CONFIG_MS, ROOT(guard.pause_max), 1000, 30 * DAY, false },
	WORDS("bounce"),
	WORDS("complaint"),
	WORDS("unknown-users"),
};

static const struct config_key preflight_keys[] = {
	{ "interval", CONFIG_MS, ROOT(preflight_interval), 1000, 30 * DAY, false },
	{ "port-check", CONFIG_FLAG, ROOT(preflight_port_check), 0, 0, false },
};

static const struct config_key dns_keys[] = {
	WORDS("servers"),
	{ "trust-anchor", CONFIG_FILE, ROOT(dns_trust_anchor), 0, 0, false },
};

static const struct config_key queue_keys[] = {
	{ "memory", CONFIG_SIZE, ROOT(queue_memory), 100, 1e8, false },
	{ "body-memory", CONFIG_SIZE, ROOT(body_memory), 0, 1024 * GIB, false },
	{ "reserve", CONFIG_SIZE64, ROOT(reserve), 0, 1024 * GIB, false },
	{ "event-keep", CONFIG_MS, ROOT(event_keep), MINUTE, 3660 * DAY, false },
	{ "sent-keep", CONFIG_MS, ROOT(sent_keep), MINUTE, 3660 * DAY, false },
	{ "stats-keep", CONFIG_MS, ROOT(stats_keep), 10 * DAY, 3660 * DAY, false },
	{ "traffic-keep", CONFIG_UINT, ROOT(traffic_keep), 0, 1e7, false },
	{ "delay-notice", CONFIG_MS, ROOT(delay_notice), 0, 30 * DAY, false },
	{ "probe", CONFIG_MS, ROOT(probe), 100, DAY, false },
	{ "idle-session", CONFIG_MS, ROOT(idle_session), 0, 10 * MINUTE, false },
	{ "stop-timeout", CONFIG_MS, ROOT(stop_timeout), 100, DAY, false },
};

#define KIND(name, titled, keys) \
	{ name, titled, keys, sizeof(keys) / sizeof((keys)[0]) }

const struct config_kind config_kinds[] = {
	KIND("", false, root_keys),
	KIND("listener", true, listener_keys),
	KIND("source", true, source_keys),
	KIND("pool", true, pool_keys),
	KIND("path", true, path_keys),
	KIND("sqs", true, sqs_keys),
	KIND("sns", false, sns_keys),
	KIND("web", true, web_keys),
	KIND("hook", true, hook_keys),
	KIND("dkim", true, dkim_keys),
	KIND("return-path", false, return_path_keys),
	KIND("suppression", false, suppression_keys),
	KIND("guard", false, guard_keys),
	KIND("preflight", false, preflight_keys),
	KIND("limits", false, limits_keys),
	KIND("tls", false, tls_keys),
	KIND("dns", false, dns_keys),
	KIND("queue", false, queue_keys),
};
/* clang-format on */

const size_t config_nkinds = sizeof(config_kinds) / sizeof(config_kinds[0]);

const struct config_kind *
config_kind_find(const char *name)
{
	for (size_t i = 0; i < config_nkinds; i++)
		if (strcmp(config_kinds[i].name, name) == 0)
			return &config_kinds[i];
	return NULL;
}

const struct config_key *
config_key_find(const struct config_kind *kind, const char *name)
{
	for (size_t i = 0; i < kind->nkeys; i++)
		if (strcmp(kind->keys[i].name, name) == 0)
			return &kind->keys[i];
	return NULL;
}

/* -- storing --------------------------------------------------------------- */

static void
set_text(void *field, char *value)
{
	char **text = field;

	free(*text);
	*text = value;
}

/* The number of an entry, in the unit of its type. */
static int
parse_number(const struct raw_entry *entry, double *n, struct err *e)
{
	switch (entry->key->type) {
	case CONFIG_SIZE:
	case CONFIG_SIZE64:
		return config_value_size(entry->value, n, e);
	case CONFIG_MS:
		return config_value_ms(entry->value, n, e);
	case CONFIG_WORD:
	case CONFIG_TEXT:
	case CONFIG_FILE:
	case CONFIG_HOST:
	case CONFIG_FLAG:
	case CONFIG_UINT:
	case CONFIG_PORT:
	case CONFIG_REAL:
		break;
	}
	if (config_value_number(entry->value, n, e) != 0)
		return -1;
	if (entry->key->type != CONFIG_REAL && *n != (double)(uint64_t)*n)
		return err_set(
		    e, "expected a whole number, not '%s'", entry->value);
	return 0;
}

static int
store_number(const struct raw_entry *entry, void *field, struct err *e)
{
	const struct config_key *key = entry->key;
	double n;

	if (parse_number(entry, &n, e) != 0)
		return -1;
	if (n < key->min || n > key->max)
		return err_set(e, "'%s' is too %s%s", entry->value,
		    n < key->min ? "small" : "large",
		    key->type == CONFIG_PORT ? " for a port" : "");
	switch (key->type) {
	case CONFIG_UINT:
		*(unsigned *)field = (unsigned)n;
		break;
	case CONFIG_PORT:
		*(uint16_t *)field = (uint16_t)n;
		break;
	case CONFIG_SIZE:
		*(size_t *)field = (size_t)n;
		break;
	case CONFIG_SIZE64:
		*(uint64_t *)field = (uint64_t)n;
		break;
	case CONFIG_MS:
		*(int64_t *)field = (int64_t)n;
		break;
	case CONFIG_REAL:
		*(double *)field = n;
		break;
	case CONFIG_WORD:
	case CONFIG_TEXT:
	case CONFIG_FILE:
	case CONFIG_HOST:
	case CONFIG_FLAG:
		break;
	}
	return 0;
}

static int
store_entry(const struct raw_entry *entry, void *field, struct err *e)
{
	switch (entry->key->type) {
	case CONFIG_WORD:
		return 0;
	case CONFIG_HOST:
		if (!config_value_host(entry->value))
			return err_set(
			    e, "not a host name: '%s'", entry->value);
		set_text(field, xstrdup(entry->value));
		return 0;
	case CONFIG_TEXT:
		set_text(field, xstrdup(entry->value));
		return 0;
	case CONFIG_FILE:
		set_text(
		    field, config_path_relative(entry->at.file, entry->value));
		return 0;
	case CONFIG_FLAG:
		return config_value_flag(entry->value, field, e);
	case CONFIG_UINT:
	case CONFIG_PORT:
	case CONFIG_SIZE:
	case CONFIG_SIZE64:
	case CONFIG_MS:
	case CONFIG_REAL:
		break;
	}
	return store_number(entry, field, e);
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* An entry that may be used at all: one of its key, with text in it. */
static int
check_entry(
    const struct raw_section *s, const struct raw_entry *entry, struct err *e)
{
	const struct raw_entry *first = raw_find(s, entry->key->name);

	if (first != entry && !entry->key->list)
		return err_set(
		    e, "given twice, first in line %d", first->at.line);
	if (*entry->value == '\0')
		return err_set(e, "empty value (is an environment variable "
				  "not set?)");
	if (has_control(entry->value))
		return err_set(e, "control character in the value");
	return 0;
}

void
config_store(struct raw_config *raw, const struct raw_section *s, void *out)
{
	for (size_t i = 0; i < s->nentries; i++) {
		const struct raw_entry *entry = &s->entries[i];
		void *field = (char *)out + entry->key->offset;
		struct err e = ERR_INIT;

		if (check_entry(s, entry, &e) != 0 ||
		    store_entry(entry, field, &e) != 0)
			config_problem(
			    raw, entry->at, "%s: %s", entry->key->name, e.text);
	}
}
