/*
 * explain_print.c - the answer of `oiwake explain`, for people and programs.
 */
#include "router/cli/explain_int.h"

#include <stdlib.h>
#include <string.h>

const char *
explain_action(enum rules_action action)
{
	static const char *const names[] = {
		[RULES_VIA] = "via",
		[RULES_REJECT] = "reject",
		[RULES_HOLD] = "hold",
		[RULES_DISCARD] = "discard",
	};

	return names[action];
}

void
explain_print_json(const struct answer *a)
{
	const struct rules_decision *d = &a->decision;

	cli_print_json(json_pack("{s:s, s:s?, s:s, s:s, s:s, s:i, s:s, s:s, "
				 "s:s?, s:s?, s:b, s:O, s:O}",
	    "address", a->text, "carrier", d->carrier, "group", a->group,
	    "rule", d->rule->name, "file", d->rule->file, "line",
	    (int)d->rule->line, "action", explain_action(d->action), "path",
	    d->path, "pool", a->pool, "fallback", d->fallback, "transactional",
	    a->transactional, "notes", a->notes, "near", a->near));
}

static void
line(const char *name, const char *text)
{
	printf("  %-9s", name);
	cli_print(stdout, text);
	putchar('\n');
}

static void
print_shape(const struct answer *a)
{
	struct cli_table *t = cli_table_new(4);
	struct rules_shape shape;

	ruleset_shape(a->asked->rules, a->decision.carrier, a->decision.group,
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
print_way(const struct answer *a)
{
	static const char *const local_parts[] = {
		[RULES_LOCAL_PART_SHAPE] = "",
		[RULES_LOCAL_PART_QUOTE] = ", irregular local parts quoted",
		[RULES_LOCAL_PART_RAW] = ", irregular local parts as they are",
	};
	const struct rules_decision *d = &a->decision;
	struct str text = STR_INIT;

	if (d->action == RULES_VIA) {
		str_addf(&text, "%s%s%s%s%s%s%s", d->path,
		    a->pool ? ", pool " : "", a->pool ? a->pool : "",
		    d->configuration_set ? ", configuration-set " : "",
		    d->configuration_set ? d->configuration_set : "",
		    local_parts[d->local_part],
		    a->transactional ? ", transactional" : "");
		line("path", text.data);
		line("fallback", d->fallback ? d->fallback : "none");
		print_shape(a);
	} else {
		str_addf(&text, "%s%s%s%s", explain_action(d->action),
		    d->text ? " \"" : "", d->text ? d->text : "",
		    d->text ? "\"" : "");
		line("action", text.data);
	}
	str_release(&text);
}

static void
print_near(const json_t *near)
{
	struct str text = STR_INIT;

	str_addf(&text, "%s (%s:%" JSON_INTEGER_FORMAT "): %s",
	    cli_text(near, "rule"), cli_text(near, "file"),
	    json_integer_value(json_object_get(near, "line")),
	    cli_text(near, "why"));
	line("not", text.data);
	str_release(&text);
}

void
explain_print(const struct answer *a)
{
	const struct rules_decision *d = &a->decision;
	struct str text = STR_INIT;
	const json_t *value;
	size_t i;

	cli_print(stdout, a->text);
	putchar('\n');
	line("carrier", d->carrier ? d->carrier : "none");
	line("group", a->group);
	str_addf(
	    &text, "%s (%s:%u)", d->rule->name, d->rule->file, d->rule->line);
	line("rule", text.data);
	for (i = 0; (value = json_array_get(a->near, i)) != NULL; i++)
		print_near(value);
	print_way(a);
	for (i = 0; (value = json_array_get(a->notes, i)) != NULL; i++)
		line("note", json_string_value(value));
	str_release(&text);
}
