/*
 * doctor.c - `oiwake doctor`: is everything in order that carriers look at
 * before they take our mail?
 *
 * The checks are mta/preflight's, run here on an event loop of the command's
 * own; the daemon need not run. It runs the same ones on a timer
 * (router/gate.c) and lets nobody through whose check fails.
 */
#include "router/cli/cli.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/dns/resolver.h"
#include "mta/preflight/preflight.h"
#include "router/cli/doctor_int.h"
#include "rules/rules.h"

#define QUESTION_MS 10000

struct doctor {
	const struct config *config;
	struct event_base *base;
	struct resolver *resolver;
	struct preflight_source *sources; /* all that are checked */
	const struct config_path **paths; /* beside each: by which it sends */
	size_t nsources;
	char (*addresses)[NET_TEXT_MAX];
	struct preflight_key
	    *keys; /* all; of a domain: the part that is its own */
	const char **domains;
	size_t ndomains;
	size_t running;
	struct doctor_findings found;
};

/* -- what there is to check ------------------------------------------------ */

static bool
is_checked(const struct config_path *path)
{
	return path != NULL && path->kind == PATH_MTA &&
	       path->relay_host == NULL && path->preflight != GATE_OFF;
}

/* As the world sees it; NULL: the settings do not say. */
static const char *
public_address(const struct config_source *s, char text[static NET_TEXT_MAX])
{
	if (s->public_address != NULL)
		return s->public_address;
	if (s->bind_len == 0)
		return NULL;
	net_address_text((const struct sockaddr *)(const void *)&s->bind, text);
	return strcmp(text, "0.0.0.0") != 0 && strcmp(text, "::") != 0 ? text
								       : NULL;
}

static void
add_source(struct doctor *d, const struct config_source *s,
    const struct config_path *path)
{
	struct preflight_source *p = &d->sources[d->nsources];

	for (size_t i = 0; i < d->nsources; i++)
		if (strcmp(d->sources[i].name, s->name) == 0)
			return;
	p->name = s->name;
	p->hostname = s->hostname;
	p->address = public_address(s, d->addresses[d->nsources]);
	if (s->bind_len > 0) {
		p->bind = (const struct sockaddr *)(const void *)&s->bind;
		p->bind_len = s->bind_len;
	}
	d->paths[d->nsources++] = path;
}

static void
add_pool(struct doctor *d, const struct config_path *path,
    const struct config_pool *pool)
{
	if (!is_checked(path) || pool == NULL)
		return;
	for (size_t i = 0; i < pool->nsources; i++)
		add_source(d, pool->sources[i], path);
}

/* Those of the paths' own pools, and of pools that rules name. */
static void
list_sources(struct doctor *d)
{
	const struct config *c = d->config;
	const struct rules_use *uses;
	size_t n = ruleset_uses(c->rules, &uses);

	d->sources = xcalloc(c->nsources + 1, sizeof(*d->sources));
	d->addresses = xcalloc(c->nsources + 1, sizeof(*d->addresses));
	d->paths = xcalloc(c->nsources + 1, sizeof(struct config_path *));
	for (size_t i = 0; i < c->npaths; i++)
		add_pool(d, &c->paths[i], c->paths[i].pool);
	for (size_t i = 0; i < n; i++)
		if (uses[i].kind == RULES_USE_POOL)
			add_pool(d, config_path_find(c, uses[i].path),
			    config_pool_find(c, uses[i].name));
}

static void
add_domain(struct doctor *d, const char *domain)
{
	for (size_t i = 0; i < d->ndomains; i++)
		if (strcasecmp(d->domains[i], domain) == 0)
			return;
	d->domains[d->ndomains++] = domain;
}

/* Those named, else all that have a key. */
static void
list_domains(struct doctor *d, const struct cli_args *args)
{
	const struct config *c = d->config;

	d->domains =
	    xcalloc(c->ndkim + (size_t)args->argc + 1, sizeof(*d->domains));
	for (int i = 0; i < args->argc; i++)
		add_domain(d, args->argv[i]);
	for (size_t i = 0; args->argc == 0 && i < c->ndkim; i++)
		add_domain(d, c->dkim[i].domain);
}

/* -- the requests ---------------------------------------------------------- */

static void
on_finding(void *arg, const struct finding *f)
{
	struct doctor *d = arg;

	doctor_keep(&d->found, f);
}

static void
on_done(void *arg)
{
	struct doctor *d = arg;

	if (--d->running == 0)
		event_base_loopbreak(d->base);
}

static void
start(struct doctor *d, struct preflight_request *r)
{
	r->timeout = QUESTION_MS;
	d->running++;
	preflight_new(d->resolver, r, on_finding, on_done, d);
}

static void
check_source(struct doctor *d, size_t n)
{
	struct preflight_request r = { .sources = &d->sources[n],
		.nsources = 1,
		.check_sources = true,
		.port = d->paths[n]->port,
		.allow_private = d->paths[n]->allow_private };

	if (d->config->preflight_port_check)
		r.port_hosts = preflight_port_hosts(&r.nport_hosts);
	start(d, &r);
}

/* The keys in a domain's name are those of its nearest parent that has any, as
 * for signing (config_dkim_find). Returns how many were put at `keys`. */
static size_t
keys_of(const struct config *c, const char *domain, struct preflight_key *keys)
{
	size_t n = 0;

	while (n == 0 && domain != NULL) {
		for (size_t i = 0; i < c->ndkim; i++) {
			const struct config_dkim *k = &c->dkim[i];

			if (strcasecmp(k->domain, domain) == 0)
				keys[n++] = (struct preflight_key){
					.domain = k->domain,
					.selector = k->selector,
					.signer = k->signer,
					.standby = !k->active,
				};
		}
		domain = strchr(domain, '.');
		domain += domain != NULL;
	}
	return n;
}

static bool
has_ses(const struct config *c)
{
	for (size_t i = 0; i < c->npaths; i++)
		if (c->paths[i].kind == PATH_SES)
			return true;
	return false;
}

static void
check_domain(struct doctor *d, size_t n)
{
	const struct config *c = d->config;
	struct preflight_key *keys = d->keys + n * c->ndkim;
	struct preflight_request r = { .sources = d->sources,
		.nsources = d->nsources,
		.domain = d->domains[n],
		.bounce = c->return_path.domain,
		.our_hosts = (const char *const *)&c->hostname,
		.nour_hosts = 1,
		.by_ses = has_ses(c),
		.keys = keys,
		.nkeys = keys_of(c, d->domains[n], keys),
		.allow_private =
		    d->nsources > 0 && d->paths[0]->allow_private };

	start(d, &r);
}

static int
check_all(struct doctor *d)
{
	const struct config *c = d->config;
	const struct resolver_config rc = {
		.servers = (const char *const *)c->dns_servers,
		.nservers = c->ndns_servers,
		.trust_anchor_file = c->dns_trust_anchor,
		.timeout = QUESTION_MS,
	};
	struct err e = ERR_INIT;

	d->base = event_base_new();
	d->resolver = resolver_new(d->base, &rc, &e);
	if (d->resolver == NULL) {
		event_base_free(d->base);
		return cli_fail("%s", e.text);
	}
	d->keys = xcalloc(d->ndomains * c->ndkim + 1, sizeof(*d->keys));
	for (size_t i = 0; i < d->nsources; i++)
		check_source(d, i);
	for (size_t i = 0; i < d->ndomains; i++)
		check_domain(d, i);
	if (d->running > 0)
		event_base_dispatch(d->base);
	resolver_free(&d->resolver);
	event_base_free(d->base);
	return CLI_GOOD;
}

/* -- the command ----------------------------------------------------------- */

/* Without keys when they cannot be read: most checks do without. */
static struct config *
load(const struct cli_args *args)
{
	struct str report = STR_INIT;
	struct config *c = config_load_part(args->config, CONFIG_ALL, &report);

	if (c == NULL) {
		c = cli_config(args, CONFIG_RULES);
		if (c != NULL) {
			cli_print_lines(stderr, report.data);
			fputs("oiwake: going on without keys and "
			      "certificates\n",
			    stderr);
		}
	}
	str_release(&report);
	return c;
}

static int
report(struct doctor *d, bool json)
{
	doctor_print(&d->found, json);
	if (d->found.count[FINDING_BAD] > 0)
		return CLI_BAD;
	if (d->found.count[FINDING_UNKNOWN] > 0)
		return cli_fail("some checks could not be made; see what is "
				"unknown, and ask again");
	return CLI_GOOD;
}

static int
examine(const struct cli_args *args, const struct config *c)
{
	struct doctor d = { .config = c };
	int rc;

	list_sources(&d);
	list_domains(&d, args);
	if (d.nsources == 0)
		fputs("oiwake: no source is checked: no path of type mta goes "
		      "to the carriers itself, or its preflight is off\n",
		    stderr);
	rc = check_all(&d);
	if (rc == CLI_GOOD)
		rc = report(&d, args->json);
	doctor_release(&d.found);
	free(d.keys);
	free(d.domains);
	free(d.sources);
	free(d.addresses);
	free(d.paths);
	return rc;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	struct config *c;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	for (int i = 0; i < args.argc; i++)
		if (!dns_name_is_host(args.argv[i]))
			return cli_usage(
			    cmd, "not a domain: '%s'", args.argv[i]);
	signal(SIGPIPE, SIG_IGN); /* a mail server may be gone at any write */
	c = load(&args);
	if (c == NULL)
		return CLI_BAD;
	rc = examine(&args, c);
	config_unref(&c);
	return rc;
}

const struct cli_command cli_doctor = { "doctor", "[DOMAIN...]",
	"check what carriers look at: reverse DNS, port 25, SPF, DKIM, DMARC",
	run, NULL };
