/*
 * config_build.c - raw sections to struct config.
 *
 * Every section is built even when it has mistakes, so that all of them are
 * found; config_load_part throws the result away when there was any. What
 * depends on other sections is looked up after all of them stand.
 */
#include "router/config_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/dkim.h"
#include "mta/tls.h"
#include "router/private_file.h"
#include "rules/report.h"

#define SECRET_MAX 1024

/* -- words -------------------------------------------------------------------
 */

static void
report_word(struct raw_config *raw, const struct raw_entry *entry,
    const char *const *names, size_t n)
{
	const char *near = rules_suggest(entry->value, names, n);
	struct str known = STR_INIT;

	for (size_t i = 0; near == NULL && i < n; i++)
		str_addf(&known, "%s%s", i == 0 ? "" : ", ", names[i]);
	config_problem(raw, entry->at, "%s: unknown value '%s', %s%s%s",
	    entry->key->name, entry->value,
	    near ? "did you mean '" : "expected one of ",
	    near ? near : known.data, near ? "'?" : "");
	str_release(&known);
}

/* The index of the section's word among names, `fallback` when not given. */
static int
word_index(struct raw_config *raw, const struct raw_section *s, const char *key,
    const char *const *names, size_t n, int fallback)
{
	const struct raw_entry *entry = raw_find(s, key);

	if (entry == NULL)
		return fallback;
	for (size_t i = 0; i < n; i++)
		if (strcmp(entry->value, names[i]) == 0)
			return (int)i;
	report_word(raw, entry, names, n);
	return fallback;
}

#define WORD_INDEX(raw, s, key, names, fallback)                               \
	word_index(                                                            \
	    raw, s, key, names, sizeof(names) / sizeof((names)[0]), fallback)

static char *
file_of(const struct raw_section *s, const char *key)
{
	const struct raw_entry *entry = s ? raw_find(s, key) : NULL;

	return entry ? config_path_relative(entry->at.file, entry->value)
		     : NULL;
}

/* -- listeners
 * ----------------------------------------------------------------- */

static const char *const listener_types[] = { "submission", "relay",
	"inbound" };
static const char *const listener_tls[] = { "none", "starttls", "implicit" };
enum { LISTENER_TLS_NONE, LISTENER_TLS_START, LISTENER_TLS_IMPLICIT };

const struct config_listener *
config_listener_defaults(void)
{
	static const struct config_listener defaults = {
		.max_connections = 1000,
		.max_connections_per_client = 100,
		.add_missing_headers = true,
		.smtp = { .max_message = 40u << 20,
		    .max_header = 256u << 10,
		    .max_command = 4096,
		    .max_recipients = 1000,
		    .max_received = 50,
		    .max_commands = 1000000,
		    .max_errors = 20,
		    .max_auth_failures = 3,
		    .idle_timeout = INT64_C(5) * 60 * 1000,
		    .command_timeout = INT64_C(60) * 1000,
		    .min_data_rate = 100 },
	};

	return &defaults;
}

static void
listener_address(struct raw_config *raw, const struct raw_section *s,
    struct config_listener *l)
{
	const struct raw_entry *entry = raw_find(s, "address");
	struct err e = ERR_INIT;

	if (entry == NULL) {
		config_problem(
		    raw, s->at, "listener '%s' has no address", s->title);
		return;
	}
	l->line = entry->at.line;
	l->address_text = xstrdup(entry->value);
	if (net_parse_endpoint(entry->value, &l->addr, &l->addr_len, &e) != 0)
		config_problem(raw, entry->at, "address: %s", e.text);
}

static void
listener_networks(struct raw_config *raw, const struct raw_section *s,
    struct config_listener *l)
{
	const struct raw_entry *entry;
	struct err e = ERR_INIT;

	for (size_t i = 0; (entry = raw_find_nth(s, "networks", i)); i++) {
		if (l->kind != LISTENER_RELAY && i == 0)
			config_problem(raw, entry->at,
			    "networks are only for listeners of type relay");
		l->networks = config_grow(
		    l->networks, &l->nnetworks, sizeof(*l->networks));
		if (net_parse_prefix(
			entry->value, &l->networks[l->nnetworks - 1], &e) != 0)
			config_problem(raw, entry->at, "networks: %s", e.text);
	}
	if (l->kind == LISTENER_RELAY && l->nnetworks == 0)
		config_problem(raw, s->at,
		    "listener '%s' of type relay has no networks: it would be "
		    "open to everybody",
		    s->title);
}

static void
listener_certificate(struct raw_config *raw, const struct raw_section *s,
    struct config_listener *l, enum config_part part)
{
	const struct raw_section *from = s;
	struct config_place at;
	struct err e = ERR_INIT;
	char *chain, *key;

	if (raw_find(s, "certificate") == NULL && raw_find(s, "key") == NULL)
		from = raw_section_first(raw, "tls");
	chain = file_of(from, "certificate");
	key = file_of(from, "key");
	if (chain == NULL || key == NULL)
		config_problem(raw, from ? from->at : s->at,
		    "no %s for the TLS of listener '%s'",
		    chain == NULL ? "certificate" : "key", s->title);
	else if (part == CONFIG_ALL &&
		 (l->smtp.tls = tls_server_new(chain, key, &e)) == NULL) {
		at = raw_find(
		    from, strstr(e.text, "key") ? "key" : "certificate")
			 ->at;
		config_problem(raw, at, "listener '%s': %s", s->title, e.text);
	}
	free(chain);
	free(key);
}

static void
listener_tls_kind(struct raw_config *raw, const struct raw_section *s,
    struct config_listener *l, enum config_part part)
{
	bool submission = l->kind == LISTENER_SUBMISSION;
	int tls = WORD_INDEX(raw, s, "tls", listener_tls,
	    submission ? LISTENER_TLS_START : LISTENER_TLS_NONE);

	l->smtp.implicit_tls = tls == LISTENER_TLS_IMPLICIT;
	if (tls != LISTENER_TLS_NONE)
		listener_certificate(raw, s, l, part);
	else if (submission)
		config_problem(raw, raw_find(s, "tls")->at,
		    "listener '%s' of type submission cannot do without TLS",
		    s->title);
}

/* What follows from the type; keys of the section may change it after this. */
static void
listener_kind(struct raw_config *raw, const struct raw_section *s,
    const struct config *cfg, struct config_listener *l)
{
	bool submission = l->kind == LISTENER_SUBMISSION;

	if (l->kind == LISTENER_INBOUND)
		l->add_missing_headers = false;
	l->smtp.offer_auth = l->smtp.require_auth = submission;
	if (submission && cfg->users_file == NULL)
		config_problem(raw, s->at,
		    "listener '%s' of type submission needs 'users'", s->title);
	listener_networks(raw, s, l);
}

static void
build_listener(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_listener *l, enum config_part part)
{
	size_t seen = raw->nproblems;

	l->name = xstrdup(s->title);
	l->line = s->at.line;
	if (raw_find(s, "type") == NULL)
		config_problem(raw, s->at,
		    "listener '%s' has no type: submission, relay or inbound",
		    s->title);
	else
		l->kind = (enum listener_kind)WORD_INDEX(
		    raw, s, "type", listener_types, LISTENER_SUBMISSION);
	if (raw->nproblems == seen) {
		listener_kind(raw, s, cfg, l);
		listener_tls_kind(raw, s, l, part);
	}
	config_store(raw, s, l);
	l->smtp.hostname = cfg->hostname;
	listener_address(raw, s, l);
}

/* -- sources and pools
 * ------------------------------------------------------------ */

static void
build_source(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_source *source)
{
	const struct raw_entry *entry = raw_find(s, "address");
	struct err e = ERR_INIT;

	source->name = xstrdup(s->title);
	source->hostname = xstrdup(cfg->hostname);
	config_store(raw, s, source);
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

static void
build_pool(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_pool *pool)
{
	const struct raw_entry *entry;

	pool->name = xstrdup(s->title);
	config_store(raw, s, pool);
	for (size_t i = 0; (entry = raw_find_nth(s, "sources", i)); i++) {
		struct config_source *source = find_source(cfg, entry->value);

		if (source == NULL)
			report_unknown_source(raw, cfg, entry);
		else
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

static const char *const path_types[] = { "mta", "ses", "discard" };
static const char *const mta_tls[] = { "opportunistic", "none" };
static const char *const ses_tls[] = { "starttls", "implicit" };

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
};

static void
path_defaults(struct config_path *path, enum path_kind kind)
{
	path->kind = kind;
	path->max_connections = 1000;
	path->port = kind == PATH_SES ? 587 : 25;
	path->ipv4 = true;
	path->tls = path->sign = kind == PATH_MTA;
	path->rate = 14;
	path->connections = 10;
	path->messages_per_connection = 100;
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

static void
read_secret(struct raw_config *raw, const struct raw_entry *entry,
    struct secret *secret)
{
	char *file = config_path_relative(entry->at.file, entry->value);
	struct err e = ERR_INIT;
	char buf[SECRET_MAX] = "";
	struct stat st;
	FILE *fp = private_file_open(file, &st, &e);

	if (fp == NULL) {
		config_problem(raw, entry->at, "password-file: %s", e.text);
	} else {
		/* Unbuffered, so that no copy of it is left in the heap. */
		setvbuf(fp, NULL, _IONBF, 0);
		if (fgets(buf, sizeof(buf), fp) != NULL)
			buf[strcspn(buf, "\r\n")] = '\0';
		if (*buf == '\0')
			config_problem(raw, entry->at,
			    "password-file: first line of '%s' is empty", file);
		secret->value = xstrdup(buf);
		explicit_bzero(buf, sizeof(buf));
		fclose(fp);
	}
	free(file);
}

static void
path_secret(struct raw_config *raw, const struct raw_section *s,
    struct config_path *path, enum config_part part)
{
	const struct raw_entry *text = raw_find(s, "password");
	const struct raw_entry *file = raw_find(s, "password-file");

	if (text != NULL && file != NULL)
		config_problem(raw, file->at,
		    "both password and password-file in path '%s'", s->title);
	else if (text == NULL && file == NULL)
		config_problem(raw, s->at,
		    "path '%s' of type ses has no password or password-file",
		    s->title);
	else if (text != NULL)
		path->password.value = xstrdup(text->value);
	else if (part == CONFIG_ALL)
		read_secret(raw, file, &path->password);
}

/* The client's side of TLS; an unusable ca_file is the only mistake there. */
static void
path_tls(struct raw_config *raw, const struct raw_section *s,
    struct config_path *path)
{
	const struct raw_entry *entry = s ? raw_find(s, "ca-file") : NULL;
	char *file = s ? file_of(s, "ca-file") : NULL;
	struct err e = ERR_INIT;

	path->tls_ctx = tls_client_new(file, &e);
	if (path->tls_ctx == NULL)
		config_problem(raw,
		    entry ? entry->at
			  : (struct config_place){ raw->files[0], 0 },
		    "ca-file: %s", e.text);
	free(file);
}

static void
path_ses(struct raw_config *raw, const struct raw_section *s,
    struct config_path *path, enum config_part part)
{
	const struct raw_entry *entry;
	struct sockaddr_storage addr;
	socklen_t len;
	struct err e = ERR_INIT;

	path->implicit_tls = WORD_INDEX(raw, s, "tls", ses_tls, 0) == 1;
	if (path->implicit_tls && raw_find(s, "port") == NULL)
		path->port = 465;
	for (size_t i = 0; i < 2; i++) {
		static const char *const needed[] = { "host", "user" };

		if (raw_find(s, needed[i]) == NULL)
			config_problem(raw, s->at,
			    "path '%s' of type ses has no %s", s->title,
			    needed[i]);
	}
	entry = raw_find(s, "connect-address");
	if (entry != NULL &&
	    net_parse_address(entry->value, 0, &addr, &len, &e) != 0)
		config_problem(raw, entry->at, "connect-address: %s", e.text);
	path_secret(raw, s, path, part);
	if (part == CONFIG_ALL)
		path_tls(raw, s, path);
}

static void
path_mta(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_path *path, enum config_part part)
{
	const struct raw_entry *relay = raw_find(s, "relay-host");
	struct sockaddr_storage addr;
	socklen_t len;

	path->tls = WORD_INDEX(raw, s, "tls", mta_tls, 0) == 0;
	path_pool(raw, s, cfg, path);
	if (path->tls && part == CONFIG_ALL)
		path_tls(raw, s, path);
	if (relay != NULL && !config_value_host(relay->value) &&
	    net_parse_address(relay->value, 0, &addr, &len, NULL) != 0)
		config_problem(raw, relay->at,
		    "relay-host: neither a host name nor an address: '%s'",
		    relay->value);
}

static void
build_path(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_path *path, enum config_part part)
{
	size_t seen = raw->nproblems;
	enum path_kind kind = PATH_DISCARD;

	path->name = xstrdup(s->title);
	path->line = s->at.line;
	if (raw_find(s, "type") == NULL)
		config_problem(raw, s->at,
		    "path '%s' has no type: mta, ses or discard", s->title);
	else
		kind = (enum path_kind)WORD_INDEX(
		    raw, s, "type", path_types, PATH_DISCARD);
	path_defaults(path, kind);
	if (raw->nproblems == seen) {
		check_path_keys(raw, s, kind);
		if (kind == PATH_SES)
			path_ses(raw, s, path, part);
		else if (kind == PATH_MTA)
			path_mta(raw, s, cfg, path, part);
	}
	config_store(raw, s, path);
	if (!path->ipv4 && !path->ipv6)
		config_problem(raw, s->at,
		    "path '%s' has neither ipv4 nor ipv6", s->title);
}

/* `mta` and `discard` are built in: a file need not name them. */
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
		path_tls(raw, NULL, path);
}

/* -- DKIM, DNS
 * ----------------------------------------------------------------------- */

static void
build_dkim(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, struct config_dkim *dkim, enum config_part part)
{
	struct err e = ERR_INIT;

	(void)cfg;
	dkim->domain = xstrdup(s->title);
	for (char *p = dkim->domain; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	config_store(raw, s, dkim);
	if (raw_find(s, "selector") == NULL || raw_find(s, "key") == NULL)
		config_problem(raw, s->at, "dkim '%s' has no %s", s->title,
		    raw_find(s, "selector") ? "key" : "selector");
	else if (part == CONFIG_ALL && dkim->selector != NULL &&
		 (dkim->signer = dkim_signer_new(dkim->domain, dkim->selector,
		      dkim->key_file, &e)) == NULL)
		config_problem(raw, raw_find(s, "key")->at, "dkim '%s': %s",
		    s->title, e.text);
}

static void
build_dns(struct raw_config *raw, const struct raw_section *s,
    struct config *cfg, enum config_part part)
{
	const struct raw_entry *entry;
	struct sockaddr_storage addr;
	socklen_t len;
	struct err e = ERR_INIT;

	config_store(raw, s, cfg);
	for (size_t i = 0; (entry = raw_find_nth(s, "servers", i)); i++) {
		char *host = xstrndup(entry->value, strcspn(entry->value, "@"));
		const char *port = strchr(entry->value, '@');
		double n = 1;

		if (net_parse_address(host, 0, &addr, &len, &e) != 0 ||
		    (port != NULL && config_value_number(port + 1, &n, &e)) ||
		    n < 1 || n > 65535)
			config_problem(raw, entry->at,
			    "servers: expected an address or address@port, "
			    "not '%s'",
			    entry->value);
		free(host);
		cfg->dns_servers = config_grow(
		    cfg->dns_servers, &cfg->ndns_servers, sizeof(char *));
		cfg->dns_servers[cfg->ndns_servers - 1] = xstrdup(entry->value);
	}
	entry = raw_find(s, "trust-anchor");
	if (entry != NULL && part == CONFIG_ALL &&
	    access(cfg->dns_trust_anchor, R_OK) != 0) {
		err_sys(&e, "cannot open '%s'", cfg->dns_trust_anchor);
		config_problem(raw, entry->at, "trust-anchor: %s", e.text);
	}
}

/* -- everything
 * ------------------------------------------------------------------------ */

static void
build_root(struct raw_config *raw, struct config *cfg)
{
	static const char *const levels[] = { "debug", "info", "warn",
		"error" };
	const struct raw_section *root = &raw->sections[0];
	const struct raw_section *queue = raw_section_first(raw, "queue");
	const struct raw_section *tls = raw_section_first(raw, "tls");

	config_store(raw, root, cfg);
	if (tls != NULL)
		config_store(raw, tls, cfg); /* stores nothing: words */
	cfg->log_level = (enum log_level)WORD_INDEX(
	    raw, root, "log-level", levels, LOG_INFO);
	if (raw_find(root, "hostname") == NULL && !raw->broken &&
	    (!config_value_host(cfg->hostname) ||
		strchr(cfg->hostname, '.') == NULL))
		config_problem(raw, root->at,
		    "no hostname, and that of the system is not a full name: "
		    "'%s'",
		    cfg->hostname);
	if (queue != NULL)
		config_store(raw, queue, cfg);
}

/* Titles are names, no two alike in one kind; what has no title comes once. */
static void
check_titles(struct raw_config *raw)
{
	for (size_t i = 1; i < raw->nsections; i++) {
		const struct raw_section *s = &raw->sections[i];
		bool host = strcmp(s->kind->name, "dkim") == 0;

		if (s->kind->titled && !(host ? config_value_host(s->title)
					      : config_value_name(s->title)))
			config_problem(raw, s->at,
			    host ? "not a domain: '%s'"
				 : "not a name of letters, digits, '-', '_' "
				   "and '.': '%s'",
			    s->title);
		for (size_t j = 1; j < i; j++) {
			const struct raw_section *t = &raw->sections[j];

			if (s->kind != t->kind ||
			    strcasecmp(s->title, t->title) != 0)
				continue;
			config_problem(raw, s->at,
			    "%s%s%s%s given twice, first in %s line %d",
			    s->kind->name, *s->title ? " '" : "", s->title,
			    *s->title ? "'" : "", t->at.file, t->at.line);
			break;
		}
	}
}

/* Arrays are made in full size before anything points into them. */
static size_t
count(const struct raw_config *raw, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < raw->nsections; i++)
		n += strcmp(raw->sections[i].kind->name, kind) == 0;
	return n;
}

static bool
is_kind(const struct raw_section *s, const char *kind)
{
	return strcmp(s->kind->name, kind) == 0;
}

static void
build_listeners(
    struct raw_config *raw, struct config *cfg, enum config_part part)
{
	struct config_listener base = *config_listener_defaults();
	const struct raw_section *limits = raw_section_first(raw, "limits");

	if (limits != NULL)
		config_store(raw, limits, &base);
	cfg->listeners = xcalloc(count(raw, "listener") + 1, sizeof(base));
	for (size_t i = 0; i < raw->nsections; i++) {
		struct config_listener *l = &cfg->listeners[cfg->nlisteners];

		if (!is_kind(&raw->sections[i], "listener"))
			continue;
		*l = base;
		cfg->nlisteners++;
		build_listener(raw, &raw->sections[i], cfg, l, part);
	}
}

static void
build_ways_out(
    struct raw_config *raw, struct config *cfg, enum config_part part)
{
	size_t n = raw->nsections;
	const struct raw_section *s = raw->sections;

	cfg->sources = xcalloc(count(raw, "source") + 1, sizeof(*cfg->sources));
	for (size_t i = 0; i < n; i++)
		if (is_kind(&s[i], "source"))
			build_source(
			    raw, &s[i], cfg, &cfg->sources[cfg->nsources++]);
	cfg->pools = xcalloc(count(raw, "pool") + 1, sizeof(*cfg->pools));
	for (size_t i = 0; i < n; i++)
		if (is_kind(&s[i], "pool"))
			build_pool(raw, &s[i], cfg, &cfg->pools[cfg->npools++]);
	default_pool(cfg);
	cfg->paths = xcalloc(count(raw, "path") + 2, sizeof(*cfg->paths));
	for (size_t i = 0; i < n; i++)
		if (is_kind(&s[i], "path"))
			build_path(
			    raw, &s[i], cfg, &cfg->paths[cfg->npaths++], part);
	builtin_path(raw, cfg, "mta", PATH_MTA, part);
	builtin_path(raw, cfg, "discard", PATH_DISCARD, part);
}

void
config_build(struct raw_config *raw, struct config *cfg, enum config_part part)
{
	const struct raw_section *dns = raw_section_first(raw, "dns");

	check_titles(raw);
	build_root(raw, cfg);
	build_listeners(raw, cfg, part);
	build_ways_out(raw, cfg, part);
	cfg->dkim = xcalloc(count(raw, "dkim") + 1, sizeof(*cfg->dkim));
	for (size_t i = 0; i < raw->nsections; i++)
		if (is_kind(&raw->sections[i], "dkim"))
			build_dkim(raw, &raw->sections[i], cfg,
			    &cfg->dkim[cfg->ndkim++], part);
	if (dns != NULL)
		build_dns(raw, dns, cfg, part);
}
