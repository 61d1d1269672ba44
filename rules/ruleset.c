/*
 * ruleset.c - an immutable rule set: its life and what it can list.
 */
#include "rules/ruleset_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct ruleset *
ruleset_ref(struct ruleset *rs)
{
	/* Only a holder can ref, so nothing need be ordered. */
	atomic_fetch_add_explicit(&rs->refs, 1, memory_order_relaxed);
	return rs;
}

static void
route_clear(struct route *r)
{
	for (size_t i = 0; i < r->ncondition; i++)
		free(r->condition[i].member);
	free(r->condition);
}

static void
ruleset_free(struct ruleset *rs)
{
	for (size_t i = 0; i < rs->nroute; i++)
		route_clear(&rs->route[i]);
	for (size_t i = 0; i < rs->npattern; i++)
		pattern_free(rs->pattern[i]);
	for (int s = 0; s < SUBJECTS; s++) {
		table_clear(&rs->names[s]);
		free(rs->name_atom[s]);
	}
	for (int s = 0; s < PATTERN_SUBJECTS; s++) {
		sieve_free(rs->hung_patterns[s].sieve);
		free(rs->hung_patterns[s].pattern);
		free(rs->hung_patterns[s].rule);
	}
	table_clear(&rs->domains);
	table_clear(&rs->addresses);
	table_clear(&rs->carriers);
	table_clear(&rs->groups);
	table_clear(&rs->paths);
	table_clear(&rs->plans);
	free(rs->source);
	free(rs->file);
	free(rs->route);
	free(rs->rule);
	free(rs->on_content);
	free(rs->way);
	free(rs->spot);
	free(rs->domain);
	free(rs->address);
	free(rs->carrier);
	free(rs->group);
	free(rs->path);
	free(rs->plan);
	free(rs->reply);
	free(rs->site);
	free(rs->hint);
	free(rs->use);
	free(rs->atom);
	pairs_clear(&rs->plain);
	pairs_clear(&rs->hung);
	free(rs->hung_rule);
	free(rs->pattern);
	arena_clear(&rs->arena);
	free(rs);
}

void
ruleset_unref(struct ruleset *rs)
{
	if (rs == NULL)
		return;
	/* The last one must see all that the others did with it. */
	if (atomic_fetch_sub_explicit(&rs->refs, 1, memory_order_acq_rel) == 1)
		ruleset_free(rs);
}

const char *
ruleset_version(const struct ruleset *rs)
{
	return rs->version;
}

size_t
ruleset_rules(const struct ruleset *rs, const struct rule *const **rules)
{
	*rules = rs->rule;
	return rs->nroute;
}

bool
ruleset_sends_by(const struct ruleset *rs, const char *rule, const char *path)
{
	const struct way *way;
	size_t i = 0;

	while (i < rs->nroute && strcmp(rs->route[i].rule.name, rule) != 0)
		i++;
	if (i == rs->nroute || rs->route[i].way.action != RULES_VIA)
		return false;
	way = &rs->route[i].way;
	for (uint32_t t = 0; t < way->ntarget; t++)
		if (strcmp(way->target[t].path, path) == 0)
			return true;
	return false;
}

size_t
ruleset_uses(const struct ruleset *rs, const struct rules_use **uses)
{
	*uses = rs->use;
	return rs->nuse;
}

size_t
ruleset_files(const struct ruleset *rs, const struct rules_file **files)
{
	*files = rs->file;
	return rs->nsource;
}

static const char *const kind_names[] = {
	[RULES_USE_PATH] = "path",
	[RULES_USE_POOL] = "pool",
	[RULES_USE_CONFIGURATION_SET] = "configuration set",
	[RULES_USE_LISTENER] = "listener",
};

static const struct source *
source_named(const struct ruleset *rs, const char *name)
{
	size_t i = 0;

	while (rs->source[i]->name != name) {
		i++;
		assert(i < rs->nsource);
	}
	return rs->source[i];
}

static const char *
find_line(const struct source *s, unsigned line, size_t *len)
{
	const char *p = s->text;

	while (--line > 0)
		p = strchr(p, '\n') + 1;
	*len = strcspn(p, "\r\n");
	return p;
}

void
ruleset_report_unknown(const struct ruleset *rs, const struct rules_use *use,
    const char *const *known, size_t n, struct rules_report *r)
{
	const char *near, *text;
	size_t len;

	if (rules_report_skip(r, false))
		return;
	near = rules_suggest(use->name, known, n);
	text = find_line(source_named(rs, use->file), use->line, &len);
	if (near != NULL)
		rules_report_add(r, use->file, use->line, use->col, text, len,
		    "unknown %s '%s', did you mean '%s'?",
		    kind_names[use->kind], use->name, near);
	else
		rules_report_add(r, use->file, use->line, use->col, text, len,
		    "unknown %s '%s'", kind_names[use->kind], use->name);
}
