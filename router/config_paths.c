/*
 * config_paths.c - raw sections to the ways out: sources, pools, paths.
 */
#include "router/config_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/tls.h"
#include "rules/rules.h"

/* -- sources and pools
 * ------------------------------------------------------------ */

/* As it will be compared with what DNS says. */
static void
public_address(struct raw_config *raw, const struct raw_section *s,
    struct config_source *source)
{
	const struct raw_entry *entry = raw_find(s, "public");
	char text[NET_TEXT_MAX];
	struct sockaddr_storage addr;
	socklen_t len;
	struct err e = ERR_INIT;

	if (entry == NULL)
		return;
	if (net_parse_address(entry->value, 0, &addr, &len, &e) != 0)
		config_problem(raw, entry->at, "public: %s", e.text);
	else
		source->public_address = xstrdup(
		    net_address_text((struct sockaddr *)&addr, text));
}

static void
build_source(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_source *source)
{
	const struct raw_entry *entry = raw_find(s, "address");
	struct err e = ERR_INIT;

	source->name = xstrdup(s->title);
	source->hostname = xstrdup(cfg->hostname);
	source->weight = 1;
	config_store(raw, s, source);
	public_address(raw, s, source);
	if (entry != NULL && net_parse_address(entry->value, 0, &source->bind,
				 &source->bind_len, &e) != 0)
		config_problem(raw, entry->at, "address: %s", e.text);
}

static void
pool_add(struct config_pool *pool, struct config_source *source)
{
	pool->sources = config_grow(
	    pool->sources, &pool->nsources, sizeof(struct config_source *));
	pool->sources[pool->nsources - 1] = source;
}

static struct config_source *
find_source(struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->nsources; i++)
		if (strcmp(cfg->sources[i].name, name) == 0)
			return &cfg->sources[i];
	return NULL;
}

static void
report_unknown_source(struct raw_config *raw, const struct config *cfg,
    const struct raw_entry *entry)
{
	const char **names = xcalloc(cfg->nsources + 1, sizeof(*names));
	const char *near;

	for (size_t i = 0; i < cfg->nsources; i++)
		names[i] = cfg->sources[i].name;
	near = rules_suggest(entry->value, names, cfg->nsources);
	config_problem(raw, entry->at, "unknown source '%s'%s%s%s",
	    entry->value, near ? ", did you mean '" : "", near ? near : "",
	    near ? "'?" : "");
	free(names);
}

struct config_source *
config_find_source(struct raw_config *raw, struct config *cfg,
    const struct raw_entry *entry)
{
	struct config_source *source = find_source(cfg, entry->value);

	if (source == NULL)
		report_unknown_source(raw, cfg, entry);
	return source;
}

/* By enum pool_balance. */
static const char *const balances[] = { "stable", "round-robin" };

static void
build_pool(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_pool *pool)
{
	const struct raw_entry *entry;

	pool->name = xstrdup(s->title);
	config_store(raw, s, pool);
	pool->balance = (enum pool_balance)CONFIG_WORD_INDEX(
	    raw, s, "balance", balances, POOL_STABLE);
	for (size_t i = 0; (entry = raw_find_nth(s, "sources", i)); i++) {
		struct config_source *source =
		    config_find_source(raw, cfg, entry);

		if (source != NULL)
			pool_add(pool, source);
	}
	if (raw_find(s, "sources") == NULL)
		config_problem(
		    raw, s->at, "pool '%s' has no sources", s->title);
}

/* Where the file names none: one source of the main host name, and a pool of
 * all sources. */
static void
default_pool(struct config *cfg)
{
	if (cfg->nsources == 0) {
		cfg->sources = config_grow(
		    cfg->sources, &cfg->nsources, sizeof(*cfg->sources));
		cfg->sources[0].name = xstrdup("default");
		cfg->sources[0].hostname = xstrdup(cfg->hostname);
		cfg->sources[0].weight = 1;
	}
	if (cfg->npools > 0)
		return;
	cfg->pools = config_grow(cfg->pools, &cfg->npools, sizeof(*cfg->pools));
	cfg->pools[0].name = xstrdup("default");
	for (size_t i = 0; i < cfg->nsources; i++)
		pool_add(&cfg->pools[0], &cfg->sources[i]);
}

/* -- paths
 * -------------------------------------------------------------------------- */

/* By enum path_kind; the kinds behind these are built in and no type. */
static const char *const path_types[] = { "mta", "ses", "discard" };
static const char *const mta_tls[] = { "opportunistic", "none" };
/* By enum config_gate. */
static const char *const gates[] = { "enforce", "warn", "off" };

/* Which kinds of path a key is for; those not listed are for all. */
#define FOR(kind) (1u << (kind))
static const struct {
	const char *key;
	unsigned kinds;
} path_key_kinds[] = {
	{ "max-connections", FOR(PATH_MTA) },
	{ "pool", FOR(PATH_MTA) },
	{ "relay-host", FOR(PATH_MTA) },
	{ "port", FOR(PATH_MTA) | FOR(PATH_SES) },
	{ "allow-private", FOR(PATH_MTA) | FOR(PATH_SES) },
	{ "ipv4", FOR(PATH_MTA) | FOR(PATH_SES) },
	{ "ipv6", FOR(PATH_MTA) | FOR(PATH_SES) },
	{ "tls", FOR(PATH_MTA) | FOR(PATH_SES) },
	{ "sign", FOR(PATH_MTA) },
	{ "dane", FOR(PATH_MTA) },
	{ "mta-sts", FOR(PATH_MTA) },
	{ "sts-port", FOR(PATH_MTA) },
	{ "sts-ca-file", FOR(PATH_MTA) },
	{ "preflight", FOR(PATH_MTA) },
	{ "host", FOR(PATH_SES) },
	{ "connect-address", FOR(PATH_SES) },
	{ "ca-file", FOR(PATH_SES) },
	{ "user", FOR(PATH_SES) },
	{ "password", FOR(PATH_SES) },
	{ "password-file", FOR(PATH_SES) },
	{ "rate", FOR(PATH_SES) },
	{ "connections", FOR(PATH_SES) },
	{ "messages-per-connection", FOR(PATH_SES) },
	{ "configuration-set", FOR(PATH_SES) },
	{ "transport", FOR(PATH_SES) },
	{ "region", FOR(PATH_SES) },
	{ "endpoint", FOR(PATH_SES) },
	{ "quota", FOR(PATH_SES) },
	{ "quota-reserve", FOR(PATH_SES) },
	{ "account-check", FOR(PATH_SES) },
	{ "probation", FOR(PATH_SES) },
	{ "tags", FOR(PATH_SES) },
	{ "application-headers", FOR(PATH_SES) },
	{ "duplicate-headers", FOR(PATH_SES) },
	{ "credentials", FOR(PATH_SES) },
	{ "access-key", FOR(PATH_SES) },
	{ "secret-key", FOR(PATH_SES) },
	{ "secret-key-file", FOR(PATH_SES) },
	{ "credentials-file", FOR(PATH_SES) },
	{ "profile", FOR(PATH_SES) },
	{ "imds-endpoint", FOR(PATH_SES) },
};

static void
path_defaults(struct config_path *path, enum path_kind kind)
{
	path->kind = kind;
	path->max_connections = 1000;
	path->port = kind == PATH_SES ? 587 : 25;
	path->ipv4 = true;
	path->tls = path->sign = path->dane = path->mta_sts = kind == PATH_MTA;
	path->sts_port = 443;
	path->preflight = kind == PATH_MTA ? GATE_ENFORCE : GATE_OFF;
	path->connections = 10;
	path->messages_per_connection = 100;
	path->quota_reserve = 10;
	path->account_check = kind == PATH_SES ? 60000 : 0;
}

static void
check_path_keys(
    struct raw_config *raw, const struct raw_section *s, enum path_kind kind)
{
	size_t n = sizeof(path_key_kinds) / sizeof(path_key_kinds[0]);

	for (size_t i = 0; i < n; i++) {
		const struct raw_entry *entry =
		    raw_find(s, path_key_kinds[i].key);

		if (entry != NULL && !(path_key_kinds[i].kinds & FOR(kind)))
			config_problem(raw, entry->at,
			    "%s means nothing for a path of type %s",
			    entry->key->name, path_types[kind]);
	}
}

static void
path_pool(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_path *path)
{
	const struct raw_entry *entry = s ? raw_find(s, "pool") : NULL;
	const char *name = entry ? entry->value : "default";

	for (size_t i = 0; i < cfg->npools; i++)
		if (strcmp(cfg->pools[i].name, name) == 0)
			path->pool = &cfg->pools[i];
	if (path->pool == NULL && entry != NULL)
		config_problem(raw, entry->at, "unknown pool '%s'", name);
	else if (path->pool == NULL && cfg->npools == 1)
		path->pool = &cfg->pools[0];
	else if (path->pool == NULL && s != NULL)
		config_problem(raw, s->at,
		    "path '%s' says no pool, and none is called 'default'",
		    s->title);
}

/* The client's side of TLS; an unusable ca_file is the only mistake there. */
void
config_path_tls(struct raw_config *raw, const struct raw_section *s,
    struct config_path *path)
{
	const char *key = path->kind == PATH_MTA ? "sts-ca-file" : "ca-file";
	const struct raw_entry *entry = s ? raw_find(s, key) : NULL;
	char *file = s ? config_file_of(s, key) : NULL;
	struct err e = ERR_INIT;

	path->tls_ctx = tls_client_new(file, &e);
	if (path->tls_ctx == NULL)
		config_problem(raw,
		    entry ? entry->at
			  : (struct config_place){ raw->files[0], 0 },
		    "%s: %s", key, e.text);
	free(file);
}

static void
path_mta(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_path *path, enum config_part part)
{
	const struct raw_entry *relay = raw_find(s, "relay-host");
	struct sockaddr_storage addr;
	socklen_t len;

	path->tls = CONFIG_WORD_INDEX(raw, s, "tls", mta_tls, 0) == 0;
	/* Whoever takes everything from us is responsible for what a relay
	 * shows to the world. */
	path->preflight = (enum config_gate)CONFIG_WORD_INDEX(
	    raw, s, "preflight", gates, relay ? GATE_OFF : GATE_ENFORCE);
	path_pool(raw, s, cfg, path);
	if (path->tls && part == CONFIG_ALL)
		config_path_tls(raw, s, path);
	if (relay != NULL && !config_value_host(relay->value) &&
	    net_parse_address(relay->value, 0, &addr, &len, NULL) != 0)
		config_problem(raw, relay->at,
		    "relay-host: neither a host name nor an address: '%s'",
		    relay->value);
}

/* Three names have a meaning in rules, whatever settings say of them. */
static void
check_path_name(
    struct raw_config *raw, const struct raw_section *s, enum path_kind kind)
{
	if (strcmp(s->title, RULES_PATH_HOLD) == 0 ||
	    strcmp(s->title, RULES_PATH_REJECT) == 0)
		config_problem(raw, s->at,
		    "path '%s' is built in and cannot be defined", s->title);
	else if (strcmp(s->title, RULES_PATH_DISCARD) == 0 &&
		 kind != PATH_DISCARD)
		config_problem(raw, s->at,
		    "path 'discard' is of type %s, and can only be of type "
		    "discard",
		    path_types[kind]);
}

static void
build_path(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_path *path, enum config_part part)
{
	size_t seen = raw->nproblems;
	enum path_kind kind = PATH_DISCARD;
	bool good;

	path->name = xstrdup(s->title);
	path->line = s->at.line;
	if (raw_find(s, "type") == NULL)
		config_problem(raw, s->at,
		    "path '%s' has no type: mta, ses or discard", s->title);
	else
		kind = (enum path_kind)CONFIG_WORD_INDEX(
		    raw, s, "type", path_types, PATH_DISCARD);
	path_defaults(path, kind);
	good = raw->nproblems == seen;
	config_store(raw, s, path);
	if (good) {
		check_path_keys(raw, s, kind);
		if (kind == PATH_SES)
			config_path_ses(raw, s, path, part);
		else if (kind == PATH_MTA)
			path_mta(raw, s, cfg, path, part);
	}
	check_path_name(raw, s, kind);
	if (!path->ipv4 && !path->ipv6)
		config_problem(raw, s->at,
		    "path '%s' has neither ipv4 nor ipv6", s->title);
}

/* These are built in: a file need not name the first two, and cannot name the others. */
static void
builtin_path(struct raw_config *raw, struct config *cfg, const char *name,
    enum path_kind kind, enum config_part part)
{
	struct config_path *path;

	if (config_path_find(cfg, name) != NULL)
		return;
	cfg->paths = config_grow(cfg->paths, &cfg->npaths, sizeof(*cfg->paths));
	path = &cfg->paths[cfg->npaths - 1];
	path->name = xstrdup(name);
	path_defaults(path, kind);
	if (kind != PATH_MTA)
		return;
	path_pool(raw, NULL, cfg, path);
	if (part == CONFIG_ALL)
		config_path_tls(raw, NULL, path);
}

void
config_build_ways_out(
    struct raw_config *raw, struct config *cfg, enum config_part part)
{
	size_t n = raw->nsections;
	const struct raw_section *s = raw->sections;

	cfg->sources =
	    xcalloc(config_count(raw, "source") + 1, sizeof(*cfg->sources));
	for (size_t i = 0; i < n; i++)
		if (config_is_kind(&s[i], "source"))
			build_source(
			    raw, &s[i], cfg, &cfg->sources[cfg->nsources++]);
	cfg->pools =
	    xcalloc(config_count(raw, "pool") + 1, sizeof(*cfg->pools));
	for (size_t i = 0; i < n; i++)
		if (config_is_kind(&s[i], "pool"))
			build_pool(raw, &s[i], cfg, &cfg->pools[cfg->npools++]);
	default_pool(cfg);
	cfg->paths =
	    xcalloc(config_count(raw, "path") + 2, sizeof(*cfg->paths));
	for (size_t i = 0; i < n; i++)
		if (config_is_kind(&s[i], "path"))
			build_path(
			    raw, &s[i], cfg, &cfg->paths[cfg->npaths++], part);
	builtin_path(raw, cfg, "mta", PATH_MTA, part);
	builtin_path(raw, cfg, RULES_PATH_DISCARD, PATH_DISCARD, part);
	builtin_path(raw, cfg, RULES_PATH_HOLD, PATH_HOLD, part);
	builtin_path(raw, cfg, RULES_PATH_REJECT, PATH_REJECT, part);
}
