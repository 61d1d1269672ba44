/*
 * gate_request.c - from the settings to what preflight is asked.
 *
 * Everything a request points to is the configuration's, which its check holds,
 * or the check's own.
 */
#include "router/gate_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"
#include "router/config.h"
#include "rules/rules.h"

/* -- sources --------------------------------------------------------------- */

bool
gate_is_on(const struct config_path *path)
{
	return path->kind == PATH_MTA && path->relay_host == NULL &&
	       path->preflight != GATE_OFF;
}

static void
mark(const struct config *c, const struct config_path *path,
    const struct config_pool *pool, const struct config_path **paths)
{
	if (path == NULL || pool == NULL || !gate_is_on(path))
		return;
	for (size_t i = 0; i < pool->nsources; i++) {
		size_t n = (size_t)(pool->sources[i] - c->sources);
		if (paths[n] == NULL)
			paths[n] = path;
	}
}

/* By the path's own pool, or by one that a rule names with it. */
const struct config_path **
gate_paths(const struct config *c)
{
	const struct config_path **paths =
	    xcalloc(c->nsources + 1, sizeof(struct config_path *));
	const struct rules_use *uses;
	size_t n = ruleset_uses(c->rules, &uses);

	for (size_t i = 0; i < c->npaths; i++)
		mark(c, &c->paths[i], c->paths[i].pool, paths);
	for (size_t i = 0; i < n; i++)
		if (uses[i].kind == RULES_USE_POOL)
			mark(c, config_path_find(c, uses[i].path),
			    config_pool_find(c, uses[i].name), paths);
	return paths;
}

static bool
is_any_address(const struct sockaddr *sa)
{
	char text[NET_TEXT_MAX];

	net_address_text(sa, text);
	return strcmp(text, "0.0.0.0") == 0 || strcmp(text, "::") == 0;
}

const char *
gate_address_of(
    const struct config_source *source, char buf[static NET_TEXT_MAX])
{
	const struct sockaddr *sa =
	    (const struct sockaddr *)(const void *)&source->bind;

	if (source->public_address != NULL)
		return source->public_address;
	if (source->bind_len == 0 || is_any_address(sa))
		return NULL;
	return net_address_text(sa, buf);
}

static void
add_source(struct gate_check *k, const struct config_source *source)
{
	size_t n = k->request.nsources++;
	char buf[NET_TEXT_MAX];
	const char *address = gate_address_of(source, buf);

	k->addresses[n] = xstrdup(address);
	k->sources[n] = (struct preflight_source){
		.name = source->name,
		.hostname = source->hostname,
		.address = k->addresses[n],
	};
	if (source->bind_len > 0) {
		k->sources[n].bind =
		    (const struct sockaddr *)(const void *)&source->bind;
		k->sources[n].bind_len = source->bind_len;
	}
}

static void
add_sources(struct gate_check *k, struct gate_subject *const *sources, size_t n)
{
	k->sources = xcalloc(n + 1, sizeof(*k->sources));
	k->addresses = xcalloc(n + 1, sizeof(*k->addresses));
	for (size_t i = 0; i < n; i++)
		add_source(
		    k, config_source_find(k->config, sources[i]->source));
	k->request.sources = k->sources;
	k->request.allow_private = n > 0 && sources[0]->path->allow_private;
}

/* -- keys ------------------------------------------------------------------ */

/* The parent domain; NULL: there is none. */
static const char *
parent_of(const char *domain)
{
	const char *dot = strchr(domain, '.');

	return dot != NULL ? dot + 1 : NULL;
}

static void
add_keys_of(struct gate_check *k, const char *domain)
{
	const struct config *c = k->config;

	for (size_t i = 0; i < c->ndkim; i++) {
		const struct config_dkim *d = &c->dkim[i];
		if (strcasecmp(d->domain, domain) == 0)
			k->keys[k->request.nkeys++] = (struct preflight_key){
				.domain = d->domain,
				.selector = d->selector,
				.signer = d->signer,
				.standby = !d->active,
			};
	}
}

/* Those of the domain, else of its nearest parent that has any: as
 * config_dkim_find chooses them. */
static void
add_keys(struct gate_check *k)
{
	k->keys = xcalloc(k->config->ndkim + 1, sizeof(*k->keys));
	for (const char *d = k->domain; d != NULL && k->request.nkeys == 0;
	     d = parent_of(d))
		add_keys_of(k, d);
	k->request.keys = k->keys;
}

/* -- the request ----------------------------------------------------------- */

static bool
has_ses(const struct config *c)
{
	for (size_t i = 0; i < c->npaths; i++)
		if (c->paths[i].kind == PATH_SES)
			return true;
	return false;
}

static void
ask_of_source(struct gate_check *k, struct gate_subject *s)
{
	struct preflight_request *q = &k->request;

	add_sources(k, &s, 1);
	q->check_sources = true;
	if (!k->config->preflight_port_check)
		return;
	q->port_hosts = preflight_port_hosts(&q->nport_hosts);
	q->port = s->path->port;
}

static void
ask_of_domain(struct gate_check *k, const struct gate_subject *s)
{
	struct preflight_request *q = &k->request;

	k->domain = xstrdup(s->domain);
	k->envelope = xstrdup(s->envelope);
	add_sources(k, k->gate->named, k->gate->nsources);
	add_keys(k);
	q->domain = k->domain;
	q->envelope = k->envelope;
	q->bounce = k->config->return_path.domain;
	q->our_hosts = (const char *const *)&k->config->hostname;
	q->nour_hosts = 1;
	q->by_ses = has_ses(k->config);
}

struct gate_check *
gate_check_new(struct gate *gate, struct config *config, struct gate_subject *s)
{
	struct gate_check *k = xcalloc(1, sizeof(*k));

	k->gate = gate;
	k->config = config_ref(config);
	k->key = xstrdup(s->key);
	if (s->source != NULL)
		ask_of_source(k, s);
	else
		ask_of_domain(k, s);
	return k;
}

void
gate_check_free(struct gate_check **kp)
{
	struct gate_check *k = *kp;

	if (k == NULL)
		return;
	for (size_t i = 0; i < k->request.nsources; i++)
		free(k->addresses[i]);
	free(k->addresses);
	free(k->sources);
	free(k->keys);
	free(k->key);
	free(k->domain);
	free(k->envelope);
	gate_findings_clear(&k->found);
	config_unref(&k->config);
	free(k);
	*kp = NULL;
}
