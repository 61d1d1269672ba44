/*
 * explain.c - `oiwake explain`: where an address would go, and why.
 *
 * Reads the settings and rules itself; no daemon is asked, so that a rule can
 * be tried before it is in force.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "mta/smtp/address.h"
#include "router/cli/cli.h"
#include "rules/rules.h"

static const struct cli_option options[] = {
	{ "from", "ADDRESS", "as if sent by this address" },
	{ NULL, NULL, NULL },
};
enum { OPTION_FROM };

struct answer {
	const char *text; /* the address as asked */
	struct address to;
	struct rules_decision decision;
	const struct config_path *path;
	const char *group, *pool;
	json_t *notes;
};

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

static void
add_notes(struct answer *a)
{
	const struct rules_decision *d = &a->decision;

	if (d->hint != NULL)
		note(a, "%s", d->hint);
	if (a->to.irregular)
		note(a, "the local part breaks RFC 5321; such an address is "
			"never sent through a path of type ses");
	if (a->to.irregular && a->path != NULL && a->path->kind == PATH_SES)
		note(a,
		    "so path '%s' cannot take it: it needs a rule for a "
		    "path of type mta",
		    d->path);
	if (a->to.utf8)
		note(a, "needs a next hop that offers SMTPUTF8");
	if (d->share < 10000)
		note(a, "rule '%s' splits its mail: path '%s' takes %u.%02u %%",
		    d->rule->name, d->path, d->share / 100, d->share % 100);
	if (a->path != NULL && a->path->kind == PATH_DISCARD)
		note(a, "a path of type discard: the mail is dropped");
}

static void
decide(const struct config *cfg, const struct address *from, struct answer *a)
{
	struct rules_query query = {
		.from_local = from->local,
		.from_domain = from->domain,
		.to_local = a->to.local,
		.to_domain = a->to.domain,
		.irregular = a->to.irregular,
	};

	ruleset_decide(cfg->rules, &query, &a->decision);
	a->path = config_path_find(cfg, a->decision.path);
	a->group = a->decision.group ? a->decision.group : a->to.domain;
	a->pool = a->decision.pool;
	if (a->pool == NULL && a->path != NULL && a->path->pool != NULL)
		a->pool = a->path->pool->name;
	a->notes = json_array();
	add_notes(a);
}

static void
print_json(const struct answer *a)
{
	const struct rules_decision *d = &a->decision;

	cli_print_json(json_pack(
	    "{s:s, s:s?, s:s, s:s, s:s, s:i, s:s, s:s?, s:n, s:O}", "address",
	    a->text, "carrier", d->carrier, "group", a->group, "rule",
	    d->rule->name, "file", d->rule->file, "line", (int)d->rule->line,
	    "path", d->path, "pool", a->pool, "fallback", "notes", a->notes));
}

/* -- for people
 * -------------------------------------------------------------------- */

static void
line(const char *name, const char *text)
{
	printf("  %-9s", name);
	cli_print(stdout, text);
	putchar('\n');
}

static void
print_shape(const struct config *cfg, const struct answer *a)
{
	struct cli_table *t = cli_table_new(4);
	struct rules_shape shape;

	ruleset_shape(cfg->rules, a->decision.carrier, a->decision.group,
	    a->to.domain, a->decision.path, &shape);
	for (int key = 0; key < SHAPE_KEYS; key++) {
		const struct rules_origin *origin = &shape.origin[key];
		char *value =
		    rules_shape_value(&shape, (enum rules_shape_key)key);
		struct str from = STR_INIT;

		if (origin->file != NULL)
			str_addf(&from, "%s:%u", origin->file, origin->line);
		else
			str_adds(&from, "built in");
		cli_table_add(t, key == 0 ? "  shape  " : "");
		cli_table_add(
		    t, rules_shape_key_name((enum rules_shape_key)key));
		cli_table_add(t, value);
		cli_table_add(t, from.data);
		str_release(&from);
		free(value);
	}
	cli_table_print(&t, stdout);
}

static void
print_text(const struct config *cfg, const struct answer *a)
{
	const struct rules_decision *d = &a->decision;
	struct str text = STR_INIT;
	json_t *value;
	size_t i;

	cli_print(stdout, a->text);
	putchar('\n');
	line("carrier", d->carrier ? d->carrier : "none");
	line("group", a->group);
	str_addf(
	    &text, "%s (%s:%u)", d->rule->name, d->rule->file, d->rule->line);
	line("rule", text.data);
	str_clear(&text);
	str_addf(&text, "%s%s%s", d->path, a->pool ? ", pool " : "",
	    a->pool ? a->pool : "");
	line("path", text.data);
	print_shape(cfg, a);
	for (i = 0; (value = json_array_get(a->notes, i)) != NULL; i++)
		line("note", json_string_value(value));
	str_release(&text);
}

static int
explain(const struct cli_args *args, const struct config *cfg,
    const struct address *from, const char *text)
{
	struct answer a = { .text = text };
	struct err e = ERR_INIT;

	if (address_parse(&a.to, text, strlen(text), &e) != 0)
		return cli_fail(
		    "cannot read the address '%s': %s", text, e.text);
	decide(cfg, from, &a);
	if (args->json)
		print_json(&a);
	else
		print_text(cfg, &a);
	json_decref(a.notes);
	return CLI_GOOD;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct address from = { .null = true };
	struct err e = ERR_INIT;
	struct cli_args args;
	struct config *cfg;
	int rc = cli_parse(cmd, &args, argc, argv);
	const char *text;

	if (rc >= 0)
		return rc;
	if (args.argc == 0)
		return cli_usage(cmd, "expected an address");
	text = args.value[OPTION_FROM];
	if (text != NULL &&
	    address_parse_reverse_path(&from, text, strlen(text), &e) != 0)
		return cli_fail(
		    "cannot read the sender '%s': %s", text, e.text);
	if ((cfg = cli_config(&args, CONFIG_RULES)) == NULL)
		return CLI_BAD;
	rc = CLI_GOOD;
	for (int i = 0; i < args.argc; i++)
		if (explain(&args, cfg, &from, args.argv[i]) != CLI_GOOD)
			rc = CLI_BAD;
	config_unref(&cfg);
	return rc;
}

const struct cli_command cli_explain = { "explain",
	"[--from ADDRESS] ADDRESS...",
	"show where mail for an address would go, and why", run, options };
