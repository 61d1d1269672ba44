/*
 * route.c - from an envelope to a way out, by the rules of a configuration.
 */
#include "router/route.h"

#include "mta/base/map.h"
#include "mta/smtp/address.h"
#include "router/config.h"
#include "router/store/store.h"

#include <assert.h>
#include <string.h>

/* The local part of local@domain, cut at what an address can hold. */
static const char *
local_part(const char *address, const char *domain,
    char buf[static ADDRESS_LOCAL_MAX + 1])
{
	size_t len = domain > address ? (size_t)(domain - address) - 1
				      : strlen(address);

	if (len > ADDRESS_LOCAL_MAX)
		len = ADDRESS_LOCAL_MAX;
	memcpy(buf, address, len);
	buf[len] = '\0';
	return buf;
}

/*
 * One sender domain keeps one source per group, so that a source's reputation with a carrier is
 * made by few senders.
 */
static const char *
choose_source(const struct config_pool *pool, const char *sender,
    const char *group)
{
	uint64_t h = hash_text(hash_text(HASH_START, sender), group);

	return intern(pool->sources[h % pool->nsources]->name);
}

/*
 * SES takes no null reverse-path, so a notice goes by an mta path whatever the rule says: the first
 * that goes by MX, else the first. Without any it keeps the rule's, and path_carries refuses it.
 */
static const struct config_path *
path_for_notice(const struct config *c, const struct config_path *path)
{
	const struct config_path *found = NULL;

	for (size_t i = 0; i < c->npaths; i++) {
		const struct config_path *p = &c->paths[i];
		if (p->kind == PATH_MTA && p->relay_host == NULL)
			return p;
		if (p->kind == PATH_MTA && found == NULL)
			found = p;
	}
	return found != NULL ? found : path;
}

void
route_decide(const struct config *c, const struct message *m,
    const struct recipient *r, struct route *out)
{
	char from[ADDRESS_LOCAL_MAX + 1], to[ADDRESS_LOCAL_MAX + 1];
	const struct config_path *path;
	const struct config_pool *pool;
	struct rules_decision d;
	struct rules_query q = {
		.from_local = local_part(m->from, m->from_domain, from),
		.from_domain = m->from_domain,
		.to_local = local_part(r->address, r->domain, to),
		.to_domain = r->domain,
		.irregular = r->irregular,
	};

	ruleset_decide(c->rules, &q, &d);
	path = config_path_find(c, d.path);
	assert(path != NULL); /* config_load has checked every path a rule names */
	if (m->from[0] == '\0' && path->kind == PATH_SES) {
		path = path_for_notice(c, path);
		d.pool = NULL;
	}
	*out = (struct route){
		.path = intern(path->name),
		.pool = "",
		.source = "",
		.carrier = d.carrier != NULL ? intern(d.carrier) : "",
		.group = d.group != NULL ? intern(d.group) : r->domain,
		.rule = intern(d.rule->name),
		.ruleset = intern(ruleset_version(c->rules)),
		.configuration_set = d.configuration_set != NULL
		    ? intern(d.configuration_set)
		    : "",
	};
	if (path->kind != PATH_MTA)
		return;
	pool = d.pool != NULL ? config_pool_find(c, d.pool) : path->pool;
	assert(pool != NULL && pool->nsources > 0);
	out->pool = intern(pool->name);
	out->source = choose_source(pool, m->from_domain, out->group);
}

bool
route_equal(const struct route *a, const struct route *b)
{
	return strcmp(a->path, b->path) == 0 &&
	    strcmp(a->source, b->source) == 0 &&
	    strcmp(a->carrier, b->carrier) == 0 &&
	    strcmp(a->group, b->group) == 0 && strcmp(a->rule, b->rule) == 0;
}

uint64_t
route_lane_hash(const struct config *c, const struct route *r)
{
	const struct config_path *path = config_path_find(c, r->path);
	uint64_t h = hash_text(HASH_START, r->path);

	h = hash_text(h, r->source);
	if (path == NULL || path->kind == PATH_MTA)
		h = hash_text(h, r->group);
	return h;
}

unsigned
route_shelf(const struct config *c, const struct route *r, const char *sender)
{
	uint64_t h = hash_text(route_lane_hash(c, r), sender);

	return (unsigned)((h ^ h >> 32) % STORE_SHELVES);
}

void
route_shape(const struct config *c, const struct route *r, const char *domain,
    struct rules_shape *out)
{
	ruleset_shape(c->rules, r->carrier[0] != '\0' ? r->carrier : NULL,
	    r->group[0] != '\0' ? r->group : NULL, domain, r->path, out);
}
