/*
 * explain.c - `oiwake explain`: where an address would go, and why.
 *
 * Reads the settings and rules itself; no daemon is asked, so that a rule can
 * be tried before it is in force.
 */
#include "router/cli/explain_int.h"

#include <stdlib.h>
#include <string.h>

#include "router/route.h"

static const struct cli_option options[] = {
	{ "from", "ADDRESS", "as if sent by this address (<>)" },
	{ "user", "NAME", "as if by this authenticated user" },
	{ "tag", "NAME=VALUE", "as if with this tag; may be repeated" },
	{ "header-from", "DOMAIN", "as if with this domain in From:" },
	{ "listener", "NAME", "as if taken in there" },
	{ "size", "N", "as if so large: 300, 20KB, 5MB" },
	{ "rules", "FILE", "by these rules, not those of the settings" },
	{ NULL, NULL, NULL },
};

/* -- notes
 * ----------------------------------------------------------------------- */

static void note(struct answer *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct answer *a, const char *fmt, ...)
{
	struct str text = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	json_array_append_new(a->notes, json_string(text.data));
	str_release(&text);
}

static bool
is_ses(const struct answer *a, const char *path)
{
	const struct config_path *found =
	    path ? config_path_find(a->asked->config, path) : NULL;

	return found != NULL && found->kind == PATH_SES;
}

static struct rules_query
query_of(const struct answer *a)
{
	struct rules_query query = a->asked->query;

	query.to_local = a->to.local;
	query.to_domain = a->to.domain;
	query.irregular = a->to.irregular;
	return query;
}

/* What is left out of the rule's answer for a regular address. */
static void
note_restricted(struct answer *a)
{
	const struct rules_decision *d = &a->decision;
	struct rules_query query = query_of(a);
	struct rules_decision regular;

	query.irregular = false;
	ruleset_decide(a->asked->rules, &query, &regular);
	if (regular.rule == d->rule && regular.share < 10000)
		note(a,
		    "rule '%s' splits its mail, and paths of type ses are "
		    "passed over for such an address",
		    d->rule->name);
	if (regular.rule == d->rule && is_ses(a, regular.fallback))
		note(a,
		    "the rule's fallback '%s' is passed over for such an "
		    "address: it would wait",
		    regular.fallback);
}

static void
note_irregular(struct answer *a)
{
	note(a, "the local part breaks RFC 5321; such an address is "
		"never sent through a path of type ses");
	if (a->path != NULL && a->path->kind == PATH_SES)
		note(a,
		    "so path '%s' cannot take it: it needs a rule for a "
		    "path of type mta",
		    a->decision.path);
	note_restricted(a);
}

/* Where there is a quota. */
static void
note_transactional(struct answer *a)
{
	const struct rules_decision *d = &a->decision;
	const char *path = is_ses(a, d->path) ? d->path : d->fallback;

	if (a->transactional && is_ses(a, path))
		note(a,
		    "transactional: it goes first when the quota of path '%s' "
		    "is near its end",
		    path);
}

static void
add_notes(struct answer *a)
{
	const struct rules_decision *d = &a->decision;

	if (d->hint != NULL)
		note(a, "%s", d->hint);
	if (d->limited > 0)
		note(a,
		    "a pattern of rule '%s' was given up at its limit and "
		    "counts as no match",
		    d->limited_rule->name);
	if (a->to.irregular)
		note_irregular(a);
	if (a->to.utf8)
		note(a, "needs a next hop that offers SMTPUTF8");
	if (d->share < 10000)
		note(a, "rule '%s' splits its mail: path '%s' takes %u.%02u %%",
		    d->rule->name, d->path, d->share / 100, d->share % 100);
	note_transactional(a);
	if (d->action == RULES_REJECT)
		note(a, "refused with: %s", d->text);
	if (d->action == RULES_HOLD)
		note(a, "it would wait until a reload brings it under "
			"another rule");
	if (d->action == RULES_DISCARD ||
	    (a->path != NULL && a->path->kind == PATH_DISCARD))
		note(a, "the mail is accepted and dropped");
	if (a->asked->args->value[EXPLAIN_FROM] != NULL &&
	    a->asked->from.null && is_ses(a, d->path))
		note(a, "Amazon SES takes no null sender: such mail goes by "
			"a path of type mta");
}

/* -- the decision
 * ---------------------------------------------------------------- */

static void
add_near(void *arg, const struct rule *rule, const char *why)
{
	json_array_append_new(
	    arg, json_pack("{s:s, s:s, s:i, s:s}", "rule", rule->name, "file",
		     rule->file, "line", (int)rule->line, "why", why));
}

static void
decide(struct answer *a)
{
	struct rules_query query = query_of(a);
	struct rules_decision *d = &a->decision;

	ruleset_decide(a->asked->rules, &query, d);
	a->near = json_array();
	ruleset_near_misses(a->asked->rules, &query, add_near, a->near);
	if (d->action == RULES_VIA)
		a->path = config_path_find(a->asked->config, d->path);
	a->group = d->group ? d->group : a->to.domain;
	a->pool = d->pool;
	if (a->pool == NULL && a->path != NULL && a->path->pool != NULL)
		a->pool = a->path->pool->name;
	a->transactional =
	    d->action == RULES_VIA && route_transactional(d, query.tags);
	a->notes = json_array();
	add_notes(a);
}

static int
explain(const struct asked *asked, const char *text)
{
	struct answer a = { .asked = asked, .text = text };
	struct err e = ERR_INIT;

	if (address_parse(&a.to, text, strlen(text), &e) != 0)
		return cli_fail(
		    "cannot read the address '%s': %s", text, e.text);
	decide(&a);
	if (asked->args->json)
		explain_print_json(&a);
	else
		explain_print(&a);
	json_decref(a.notes);
	json_decref(a.near);
	return CLI_GOOD;
}

static struct ruleset *
load_rules(const struct cli_args *args, const struct config *config)
{
	struct str report = STR_INIT;
	struct ruleset *rules;

	if (args->value[EXPLAIN_RULES] == NULL)
		return ruleset_ref(config->rules);
	rules = config_load_rules(
	    config, args->value[EXPLAIN_RULES], NULL, 0, &report);
	if (rules == NULL)
		cli_print_lines(stderr, report.data);
	str_release(&report);
	return rules;
}

static int
explain_all(struct asked *asked)
{
	const struct cli_args *args = asked->args;
	struct config *config = cli_config(
	    args, args->value[EXPLAIN_RULES] ? CONFIG_SETTINGS : CONFIG_RULES);
	struct ruleset *rules = config ? load_rules(args, config) : NULL;
	int rc = CLI_BAD;

	asked->config = config;
	asked->rules = rules;
	if (rules != NULL && (rc = explain_check(asked)) == CLI_GOOD)
		for (int i = 0; i < args->argc; i++)
			if (explain(asked, args->argv[i]) != CLI_GOOD)
				rc = CLI_BAD;
	ruleset_unref(rules);
	config_unref(&config);
	return rc;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	struct asked asked = {
		.args = &args, .tags = STR_INIT, .header_from = STR_INIT
	};
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	if (args.argc == 0)
		return cli_usage(cmd, "expected an address");
	rc = explain_options(&asked, cmd);
	if (rc == 0)
		rc = explain_all(&asked);
	str_release(&asked.tags);
	str_release(&asked.header_from);
	return rc;
}

const struct cli_command cli_explain = { "explain",
	"[--from A] [--user U] [--tag N=V]... [--rules FILE] ... ADDRESS...",
	"show where mail for an address would go, and why", run, options };
