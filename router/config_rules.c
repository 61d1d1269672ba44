/*
 * config_rules.c - rules that fit a configuration: every path, pool and
 * listener they name is there, and SES gets nothing that it refuses.
 */
#include "router/config.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "rules/rules.h"

/* Those that a rule can name: not what `hold` and `reject` do. */
static const char **
path_names(const struct config *cfg, size_t *n)
{
	const char **names = xcalloc(cfg->npaths + 1, sizeof(*names));

	*n = 0;
	for (size_t i = 0; i < cfg->npaths; i++)
		if (cfg->paths[i].kind != PATH_HOLD &&
		    cfg->paths[i].kind != PATH_REJECT)
			names[(*n)++] = cfg->paths[i].name;
	return names;
}

static const char **
pool_names(const struct config *cfg)
{
	const char **names = xcalloc(cfg->npools + 1, sizeof(*names));

	for (size_t i = 0; i < cfg->npools; i++)
		names[i] = cfg->pools[i].name;
	return names;
}

static const char **
listener_names(const struct config *cfg)
{
	const char **names = xcalloc(cfg->nlisteners + 1, sizeof(*names));

	for (size_t i = 0; i < cfg->nlisteners; i++)
		names[i] = cfg->listeners[i].name;
	return names;
}

static bool
is_named(const char *const *names, const char *name)
{
	while (*names != NULL && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

static void
check_use_kind(const struct config *cfg, const struct rules_use *use,
    enum path_kind wanted, struct rules_report *report)
{
	const struct config_path *path = config_path_find(cfg, use->path);

	if (path == NULL || path->kind == wanted)
		return;
	rules_report_add(report, use->file, use->line, use->col, NULL, 0,
	    "path '%s' has no %s", use->path,
	    wanted == PATH_MTA ? "pools: it is not of type mta"
			       : "configuration sets: it is not of type ses");
}

static void
check_use(const struct config *cfg, const struct ruleset *rules,
    const struct rules_use *use, struct rules_report *report)
{
	const char **names = NULL;
	size_t n;

	switch (use->kind) {
	case RULES_USE_PATH:
		names = path_names(cfg, &n);
		if (config_path_find(cfg, use->name) == NULL)
			ruleset_report_unknown(
			    rules, use, names, n, report);
		break;
	case RULES_USE_POOL:
		names = pool_names(cfg);
		if (config_pool_find(cfg, use->name) == NULL)
			ruleset_report_unknown(
			    rules, use, names, cfg->npools, report);
		check_use_kind(cfg, use, PATH_MTA, report);
		break;
	case RULES_USE_CONFIGURATION_SET:
		check_use_kind(cfg, use, PATH_SES, report);
		break;
	case RULES_USE_LISTENER:
		names = listener_names(cfg);
		if (!is_named(names, use->name))
			ruleset_report_unknown(
			    rules, use, names, cfg->nlisteners, report);
		break;
	}
	free(names);
}

/* Amazon SES refuses a message to an irregular address as a whole. */
static const char **
regular_only(const struct config *cfg, size_t *n)
{
	const char **names = xcalloc(cfg->npaths + 1, sizeof(*names));

	*n = 0;
	for (size_t i = 0; i < cfg->npaths; i++)
		if (cfg->paths[i].kind == PATH_SES)
			names[(*n)++] = cfg->paths[i].name;
	return names;
}

static void
check_uses(
    void *arg, const struct ruleset *rules, struct rules_report *report)
{
	const struct config *cfg = arg;
	const struct rules_use *uses;
	size_t n = ruleset_uses(rules, &uses);

	for (size_t i = 0; i < n; i++)
		check_use(cfg, rules, &uses[i], report);
}

struct ruleset *
config_check_rules(const struct config *cfg, const char *file,
    const struct rules_file *given, size_t ngiven,
    struct rules_report *report)
{
	struct rules_options options = {
		.check = check_uses,
		.check_arg = (void *)(uintptr_t)cfg,
	};
	const char **names = regular_only(cfg, &options.nregular_only);
	struct ruleset *rules;

	options.regular_only = names;
	rules = given != NULL
	    ? ruleset_parse(given, ngiven, &options, report)
	    : ruleset_load(
		  file != NULL ? file : cfg->rules_file, &options, report);
	free(names);
	return rules;
}

struct ruleset *
config_load_rules(const struct config *cfg, const char *file,
    const struct rules_file *given, size_t ngiven, struct str *report)
{
	struct rules_report problems;
	struct ruleset *rules;
	char *text;

	rules_report_init(&problems);
	rules = config_check_rules(cfg, file, given, ngiven, &problems);
	text = rules_report_string(&problems);
	str_adds(report, text);
	free(text);
	rules_report_clear(&problems);
	return rules;
}
