/*
 * amazon_sites.c - where AWS is called, as whom, and how often.
 *
 * Paths and queues that say the same share a site, and sites whose credentials
 * are alike share a provider of keys. None of them goes before the end: I/O
 * threads that work under an older configuration still hold them.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/ses/amazon_int.h"
#include "router/ses/credentials_int.h"

/* ------ keys */

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
is_alike(const struct config_credentials *a, const struct config_credentials *b)
{
	return a->kind == b->kind && same(a->access_key, b->access_key) &&
	       same(a->secret_key.value, b->secret_key.value) &&
	       same(a->file, b->file) && same(a->profile, b->profile) &&
	       same(a->imds, b->imds);
}

static void
on_keys(void *arg)
{
	struct amazon_keys *k = arg;
	struct ses_watch *w = LIST_FIRST(&k->amazon->watches);

	for (; w != NULL; w = ses_watch_next(w))
		ses_watch_keys(w, k->provider);
}

static struct credentials_provider *
provider_of(struct amazon *a, const struct config_credentials *c)
{
	struct amazon_keys *k;

	LIST_FOREACH(k, &a->keys, link)
	if (is_alike(&k->as, c))
		return k->provider;
	k = xcalloc(1, sizeof(*k));
	k->amazon = a;
	k->as = (struct config_credentials){
		.kind = c->kind,
		.access_key = xstrdup(c->access_key),
		.secret_key.value = xstrdup(c->secret_key.value),
		.file = xstrdup(c->file),
		.profile = xstrdup(c->profile),
		.imds = xstrdup(c->imds),
	};
	k->provider = credentials_provider_new(a->https, c, on_keys, k);
	LIST_INSERT_HEAD(&a->keys, k, link);
	return k->provider;
}

static void
free_keys(struct amazon_keys *k)
{
	credentials_provider_free(&k->provider);
	free(k->as.access_key);
	credentials_wipe(&k->as.secret_key.value);
	free(k->as.file);
	free(k->as.profile);
	free(k->as.imds);
	free(k);
}

/* ------ sites */

struct aws_site *
amazon_site_for(struct amazon *a, const char *service, const char *region,
    const char *endpoint, const char *ca_file,
    const struct config_credentials *credentials)
{
	struct credentials_provider *keys = provider_of(a, credentials);
	struct amazon_site_entry *e;
	struct str key = STR_INIT;

	str_addf(&key, "%p %s %s %s %s", (void *)keys, service, region,
	    endpoint != NULL ? endpoint : "", ca_file != NULL ? ca_file : "");
	LIST_FOREACH(e, &a->sites, link)
	if (strcmp(e->key, key.data) == 0) {
		str_release(&key);
		return e->site;
	}
	e = xcalloc(1, sizeof(*e));
	e->key = str_detach(&key);
	e->site = aws_site_new(region, service, endpoint, ca_file, keys);
	LIST_INSERT_HEAD(&a->sites, e, link);
	return e->site;
}

int64_t
amazon_turn(struct amazon *a, const struct aws_site *site)
{
	int64_t now = clock_mono(), at = now;
	struct amazon_site_entry *e;

	LIST_FOREACH(e, &a->sites, link)
	if (e->site == site) {
		at = e->next_turn > now ? e->next_turn : now;
		e->next_turn = at + a->turn;
	}
	return at - now;
}

/* ------ of paths */

static struct amazon_path *
find_path(struct amazon *a, const char *name)
{
	struct amazon_path *p;

	LIST_FOREACH(p, &a->paths, link)
	if (strcmp(p->name, name) == 0)
		break;
	return p;
}

static void
set_path(struct amazon *a, const char *name, struct aws_site *site)
{
	struct amazon_path *p;

	pthread_mutex_lock(&a->lock);
	p = find_path(a, name);
	if (p == NULL) {
		p = xcalloc(1, sizeof(*p));
		p->name = xstrdup(name);
		LIST_INSERT_HEAD(&a->paths, p, link);
	}
	p->site = site;
	pthread_mutex_unlock(&a->lock);
}

void
amazon_sites_configure(struct amazon *a)
{
	for (size_t i = 0; i < a->config->npaths; i++) {
		const struct config_path *c = &a->config->paths[i];

		if (c->kind != PATH_SES || c->region == NULL ||
		    c->credentials.kind == CREDENTIALS_NONE)
			continue;
		set_path(a, c->name,
		    amazon_site_for(a, "ses", c->region, c->endpoint,
			c->ca_file, &c->credentials));
	}
}

struct aws_site *
amazon_site(struct amazon *a, const char *path)
{
	struct aws_site *site = NULL;
	struct amazon_path *p;

	pthread_mutex_lock(&a->lock);
	p = find_path(a, path);
	if (p != NULL)
		site = p->site;
	pthread_mutex_unlock(&a->lock);
	return site;
}

void
amazon_sites_free(struct amazon *a)
{
	struct amazon_keys *k, *next;
	struct amazon_site_entry *e;
	struct amazon_path *p;

	while ((p = LIST_FIRST(&a->paths)) != NULL) {
		LIST_REMOVE(p, link);
		free(p->name);
		free(p);
	}
	while ((e = LIST_FIRST(&a->sites)) != NULL) {
		LIST_REMOVE(e, link);
		aws_site_free(&e->site);
		free(e->key);
		free(e);
	}
	for (k = LIST_FIRST(&a->keys); k != NULL; k = next) {
		next = LIST_NEXT(k, link);
		free_keys(k);
	}
}
