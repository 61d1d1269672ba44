/*
 * config_build.c - raw sections to struct config.
 *
 * Every section is built even when it has mistakes, so that all of them are
 * found; config_load_part throws the result away when there was any. What
 * depends on other sections is looked up after all of them stand.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/tls.h"
#include "rules/report.h"

/* -- words ----------------------------------------------------------------- */

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
int
config_word_index(struct raw_config *raw, const struct raw_section *s,
    const char *key, const char *const *names, size_t n, int fallback)
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

char *
config_file_of(const struct raw_section *s, const char *key)
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

#define INBOUND_MESSAGE ((size_t)10 << 20)

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
	struct config_place at = s->at;
	struct err e = ERR_INIT;
	char *chain, *key;

	if (raw_find(s, "certificate") == NULL && raw_find(s, "key") == NULL)
		from = raw_section_first(raw, "tls");
	chain = config_file_of(from, "certificate");
	key = config_file_of(from, "key");
	if (chain == NULL || key == NULL)
		config_problem(raw, from ? from->at : at,
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
	int tls = CONFIG_WORD_INDEX(raw, s, "tls", listener_tls,
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

	if (l->kind == LISTENER_INBOUND) {
		l->add_missing_headers = false;
		/* Strangers bring reports, and those are small. */
		if (l->smtp.max_message > INBOUND_MESSAGE)
			l->smtp.max_message = INBOUND_MESSAGE;
	}
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
		l->kind = (enum listener_kind)CONFIG_WORD_INDEX(
		    raw, s, "type", listener_types, LISTENER_SUBMISSION);
	if (raw->nproblems == seen) {
		listener_kind(raw, s, cfg, l);
		listener_tls_kind(raw, s, l, part);
	}
	config_store(raw, s, l);
	l->smtp.hostname = cfg->hostname;
	listener_address(raw, s, l);
}

/* -- DNS
 * ------------------------------------------------------------------------------ */

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
	cfg->log_level = (enum log_level)CONFIG_WORD_INDEX(
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
		bool dkim = strcmp(s->kind->name, "dkim") == 0;

		if (s->kind->titled && !(dkim ? config_value_host(s->title)
					      : config_value_name(s->title)))
			config_problem(raw, s->at,
			    dkim ? "not a domain: '%s'"
				 : "not a name of letters, digits, '-', '_' "
				   "and '.': '%s'",
			    s->title);
		/* A domain may have several keys: config_identity.c. */
		for (size_t j = 1; j < i && !dkim; j++) {
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
size_t
config_count(const struct raw_config *raw, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < raw->nsections; i++)
		n += strcmp(raw->sections[i].kind->name, kind) == 0;
	return n;
}

bool
config_is_kind(const struct raw_section *s, const char *kind)
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
	cfg->listeners =
	    xcalloc(config_count(raw, "listener") + 1, sizeof(base));
	for (size_t i = 0; i < raw->nsections; i++) {
		struct config_listener *l = &cfg->listeners[cfg->nlisteners];

		if (!config_is_kind(&raw->sections[i], "listener"))
			continue;
		*l = base;
		cfg->nlisteners++;
		build_listener(raw, &raw->sections[i], cfg, l, part);
	}
}

void
config_build(struct raw_config *raw, struct config *cfg, enum config_part part)
{
	const struct raw_section *dns = raw_section_first(raw, "dns");

	check_titles(raw);
	build_root(raw, cfg);
	build_listeners(raw, cfg, part);
	config_build_ways_out(raw, cfg, part);
	config_build_store(raw, cfg, part);
	config_build_feedback(raw, cfg, part);
	config_build_webs(raw, cfg, part);
	config_build_hooks(raw, cfg, part);
	config_build_identity(raw, cfg, part);
	config_build_suppression(raw, cfg);
	config_build_guard(raw, cfg);
	if (dns != NULL)
		build_dns(raw, dns, cfg, part);
}
