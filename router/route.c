/*
 * route.c - from an envelope to a way out, by the rules of a configuration.
 */
#include "router/route.h"

#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/base/map.h"
#include "mta/smtp/address.h"
#include "router/config.h"
#include "router/path.h"
#include "router/source_order.h"
#include "router/store/store.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define TRANSACTIONAL_TAG "priority=transactional"

/* -- what the rules are asked ---------------------------------------------------------------------- */

/* A query and what it points to. */
struct question {
	struct rules_query q;
	char from[ADDRESS_LOCAL_MAX + 1], to[ADDRESS_LOCAL_MAX + 1];
};

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

static void
ask(struct question *ask, const struct message *m, const struct recipient *r)
{
	ask->q = (struct rules_query){
		.from_local = local_part(m->from, m->from_domain, ask->from),
		.from_domain = m->from_domain,
		.to_local = local_part(r->address, r->domain, ask->to),
		.to_domain = r->domain,
		.irregular = r->irregular,
		.user = m->user,
		.listener = m->listener,
		.header_from = m->header_from,
		.tags = m->tags,
		.size = m->size,
	};
}

/* -- patterns that were given up -------------------------------------------------------------------- */

static _Atomic uint64_t pattern_limits;

uint64_t
route_pattern_limits(void)
{
	return atomic_load_explicit(&pattern_limits, memory_order_relaxed);
}

/*
 * Who sends addresses that are made for it can have every one of them given up: each rule has a line
 * in the log once a second, and the rest are only counted. Two rules that share a place by chance
 * share that line.
 */
static bool
may_tell(const struct rule *rule)
{
	static _Atomic int64_t told[256]; /* second + 1 of the latest line */
	uint64_t h = hash_text(HASH_START, rule->name);
	_Atomic int64_t *at = &told[(h ^ h >> 32) % 256];
	int64_t now = clock_mono() / 1000 + 1;
	int64_t before = atomic_load_explicit(at, memory_order_relaxed);

	return before != now &&
	    atomic_compare_exchange_strong(at, &before, now);
}

static void
note_limits(const struct rules_decision *d, const struct recipient *r)
{
	struct logline l;

	if (d->limited == 0)
		return;
	atomic_fetch_add_explicit(
	    &pattern_limits, d->limited, memory_order_relaxed);
	if (!may_tell(d->limited_rule) ||
	    !log_start(&l, LOG_WARN, "pattern_limit"))
		return;
	log_str(&l, "rule", d->limited_rule->name);
	log_str(&l, "to", r->address);
	log_str(&l, "why", "given up at its limit, and so no match");
	log_end(&l);
}

/* -- where it goes ----------------------------------------------------------------------------------- */

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

/* A tag in "name=value,name=value". */
static bool
has_tag(const char *tags, const char *tag)
{
	size_t len, tag_len = strlen(tag);

	for (; *tags != '\0'; tags += len + (tags[len] != '\0')) {
		len = strcspn(tags, ",");
		if (len == tag_len && memcmp(tags, tag, len) == 0)
			return true;
	}
	return false;
}

bool
route_transactional(const struct rules_decision *d, const char *tags)
{
	return d->transactional ||
	    (tags != NULL && has_tag(tags, TRANSACTIONAL_TAG));
}

static const char *
intern_or(const char *text, const char *otherwise)
{
	return text != NULL ? intern(text) : otherwise;
}

/* What the rules say, without the way out. */
static void
take_decision(const struct config *c, const struct rules_decision *d,
    const struct message *m, const struct recipient *r, struct route *out)
{
	static const int local_parts[] = {
		[RULES_LOCAL_PART_SHAPE] = LOCAL_PART_SHAPE,
		[RULES_LOCAL_PART_QUOTE] = LOCAL_PART_QUOTE,
		[RULES_LOCAL_PART_RAW] = LOCAL_PART_RAW,
	};

	*out = (struct route){
		.path = "",
		.pool = "",
		.source = "",
		.carrier = intern_or(d->carrier, ""),
		.group = intern_or(d->group, r->domain),
		.rule = intern(d->rule->name),
		.ruleset = intern(ruleset_version(c->rules)),
		.configuration_set = "",
		.reject = intern_or(d->text, NULL),
		.fallback = intern_or(d->fallback, NULL),
		.local_part = local_parts[d->local_part],
		.transactional = route_transactional(d, m->tags),
	};
}

/* The way out, with that pool (NULL: the path's own). */
static void
take_path(const struct config_path *path, const struct config_pool *pool,
    const struct message *m, struct route *out)
{
	out->path = intern(path->name);
	if (path->kind != PATH_MTA)
		return;
	if (pool == NULL)
		pool = path->pool;
	assert(pool != NULL && pool->nsources > 0);
	out->pool = intern(pool->name);
	/* As planned: the core knows which are free (sources.h). */
	out->source = intern(
	    source_next(pool, m->from_domain, out->group, NULL)->name);
}

static void
take_route(const struct config *c, const struct rules_decision *d,
    const struct message *m, const struct recipient *r, struct route *out)
{
	const struct config_path *path = config_path_find(c, d->path);
	const struct config_pool *pool =
	    d->pool != NULL ? config_pool_find(c, d->pool) : NULL;

	assert(path != NULL); /* config_load has checked every path a rule names */
	if (m->from[0] == '\0' && path->kind == PATH_SES) {
		path = path_for_notice(c, path);
		pool = NULL;
	}
	take_decision(c, d, m, r, out);
	out->configuration_set = intern_or(d->configuration_set, "");
	take_path(path, pool, m, out);
}

void
route_decide(const struct config *c, const struct message *m,
    const struct recipient *r, struct route *out)
{
	struct rules_decision d;
	struct question question;

	ask(&question, m, r);
	ruleset_decide(c->rules, &question.q, &d);
	note_limits(&d, r);
	take_route(c, &d, m, r, out);
}

bool
route_rejects_early(const struct config *c, const struct message *m,
    const struct recipient *r, struct route *out)
{
	struct rules_decision d = { .limited = 0 };
	struct question question;
	bool sure;

	ask(&question, m, r);
	sure = ruleset_decide_early(c->rules, &question.q, &d);
	note_limits(&d, r);
	if (!sure || d.action != RULES_REJECT)
		return false;
	take_route(c, &d, m, r, out);
	return true;
}

bool
route_fallback(
    const struct config *c, const struct recipient *r, struct route *out)
{
	const struct config_path *path = r->route.fallback != NULL
	    ? config_path_find(c, r->route.fallback)
	    : NULL;
	struct outcome why;

	if (path == NULL || r->unread || path->kind == PATH_HOLD ||
	    strcmp(path->name, r->route.path) == 0 ||
	    !path_carries(path->kind, r, &why))
		return false;
	*out = r->route;
	out->instead = r->route.path;
	out->pool = out->source = out->configuration_set = "";
	take_path(path, NULL, r->message, out);
	return true;
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
	else if (path->kind == PATH_SES && r->transactional)
		h = hash_text(h, "transactional");
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
