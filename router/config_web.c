/*
 * config_web.c - raw sections to web listeners of ours.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"
#include "mta/tls.h"
#include "router/users.h"

#define HOUR_MS (INT64_C(3600) * 1000)

/* A page that is open asks a few things at once, and rules that are edited are
 * posted whole. */
#define CONSOLE_BODY (5u << 20)

static void
web_tls(struct raw_config *raw, const struct raw_section *s,
    struct config_web *w, enum config_part part)
{
	const struct raw_section *tls = raw_section_first(raw, "tls");
	struct err e = ERR_INIT;

	if (raw_find(s, "certificate") == NULL && raw_find(s, "key") == NULL &&
	    net_is_loopback((const struct sockaddr *)&w->addr))
		return;
	if (raw_find(s, "certificate") != NULL || raw_find(s, "key") != NULL)
		tls = s;
	w->certificate = config_file_of(tls, "certificate");
	w->key = config_file_of(tls, "key");
	if (w->certificate == NULL || w->key == NULL) {
		config_problem(raw, s->at,
		    "no %s for the TLS of web '%s': in clear it may listen on "
		    "loopback only",
		    w->certificate == NULL ? "certificate" : "key", s->title);
		return;
	}
	if (part != CONFIG_ALL)
		return;
	w->tls_ctx = tls_server_new(w->certificate, w->key, &e);
	if (w->tls_ctx == NULL)
		config_problem(raw, s->at, "web '%s': %s", s->title, e.text);
}

static void
web_serves(struct raw_config *raw, const struct raw_section *s,
    const struct config *cfg, struct config_web *w)
{
	const struct raw_entry *entry;

	for (size_t i = 0; (entry = raw_find_nth(s, "serve", i)) != NULL; i++) {
		if (strcmp(entry->value, "sns") == 0)
			w->sns = true;
		else
			config_problem(raw, entry->at,
			    "serve: unknown value '%s', expected one of sns",
			    entry->value);
	}
	if (raw_find(s, "serve") == NULL && !w->console && !w->metrics)
		config_problem(raw, s->at, "web '%s' serves nothing", s->title);
	else if (w->sns && (w->console || w->metrics))
		config_problem(raw, s->at,
		    "web '%s' serves sns and %s: each needs a section of its "
		    "own, sns is posted from outside",
		    s->title, w->console ? "the console" : "metrics");
	if (w->sns && cfg->sns.ntopics == 0 &&
	    raw_section_first(raw, "sns") == NULL)
		config_problem(raw, raw_find(s, "serve")->at,
		    "serve: sns, but there is no section sns that says of "
		    "which topics");
}

static void
web_names(
    struct raw_config *raw, const struct raw_section *s, struct config_web *w)
{
	const struct raw_entry *entry;

	for (size_t i = 0; (entry = raw_find_nth(s, "names", i)) != NULL; i++) {
		if (!config_value_host(entry->value)) {
			config_problem(raw, entry->at,
			    "names: not a host name: '%s'", entry->value);
			continue;
		}
		w->names = config_grow(w->names, &w->nnames, sizeof(*w->names));
		w->names[w->nnames - 1] = xstrdup(entry->value);
	}
}

/* What only a console has: users, the names it goes by, sign-ins. */
static void
web_console(struct raw_config *raw, const struct raw_section *s,
    const struct config *cfg, struct config_web *w, enum config_part part)
{
	static const char *const keys[] = { "users", "names", "session-idle",
		"session-life" };
	struct err e = ERR_INIT;

	for (size_t i = 0; !w->console && i < sizeof(keys) / sizeof(keys[0]);
	     i++)
		if (raw_find(s, keys[i]) != NULL)
			config_problem(raw, raw_find(s, keys[i])->at,
			    "%s: goes with console = yes", keys[i]);
	web_names(raw, s, w);
	if (w->console && w->users_file == NULL && cfg->users_file != NULL)
		w->users_file = xstrdup(cfg->users_file);
	if (w->console && w->users_file == NULL)
		config_problem(raw, s->at,
		    "the console of web '%s' needs 'users'", s->title);
	else if (raw_find(s, "users") != NULL && part == CONFIG_ALL &&
		 users_file_check(w->users_file, &e) != 0)
		config_problem(
		    raw, raw_find(s, "users")->at, "users: %s", e.text);
}

static void
build_web(struct raw_config *raw, const struct raw_section *s,
    const struct config *cfg, struct config_web *w, enum config_part part)
{
	const struct raw_entry *entry = raw_find(s, "address");
	struct err e = ERR_INIT;

	w->name = xstrdup(s->title);
	w->line = s->at.line;
	w->max_body = 1u << 20;
	w->max_connections = 500;
	w->session_idle = 12 * HOUR_MS;
	w->session_life = 7 * 24 * HOUR_MS;
	config_store(raw, s, w);
	if (w->console && raw_find(s, "max-body") == NULL)
		w->max_body = CONSOLE_BODY;
	web_serves(raw, s, cfg, w);
	web_console(raw, s, cfg, w, part);
	if (entry == NULL) {
		config_problem(raw, s->at, "web '%s' has no address", s->title);
		return;
	}
	w->address_text = xstrdup(entry->value);
	if (net_parse_endpoint(entry->value, &w->addr, &w->addr_len, &e) != 0)
		config_problem(raw, entry->at, "address: %s", e.text);
	else
		web_tls(raw, s, w, part);
}

/* After config_build_feedback. */
void
config_build_webs(
    struct raw_config *raw, struct config *cfg, enum config_part part)
{
	cfg->webs = xcalloc(config_count(raw, "web") + 1, sizeof(*cfg->webs));
	for (size_t i = 0; i < raw->nsections; i++)
		if (config_is_kind(&raw->sections[i], "web"))
			build_web(raw, &raw->sections[i], cfg,
			    &cfg->webs[cfg->nwebs++], part);
}
