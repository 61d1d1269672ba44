/*
 * dns_print.c - the records of `oiwake dns` as zone-file lines, as JSON and as
 * a change batch for Route 53.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/str.h"
#include "mta/dkim_record.h"
#include "router/cli/cli.h"
#include "router/cli/dns_int.h"

/* The value as zone files and Route 53 write it: TXT in strings, names with
 * their dot. */
static void
add_value(struct str *out, const struct dns_item *item)
{
	if (strcmp(item->type, "TXT") == 0)
		dkim_record_strings(out, item->value);
	else if (item->type[0] == 'A')
		str_adds(out, item->value);
	else
		str_addf(out, "%s.", item->value);
}

/* -- zone file
 * --------------------------------------------------------------------- */

static void
add_line(struct str *out, const struct dns_item *item, const char *before)
{
	str_addf(out, "%s%s. IN %s ", before, item->name, item->type);
	add_value(out, item);
	str_addc(out, '\n');
}

/* A record that cannot stand in the domain's zone is only a comment there. */
static void
print_item(const struct dns_plan *p, const struct dns_item *item)
{
	struct str out = STR_INIT;
	bool ours = item->kind == DNS_ITEM_RECORD;

	if (item->kind != DNS_ITEM_MISSING)
		str_addf(&out, "; %s%s\n", item->text,
		    ours && !dns_plan_has(p, item->name) ? " (another zone)"
							 : "");
	if (item->name != NULL)
		add_line(&out, item,
		    ours && dns_plan_has(p, item->name) ? "" : ";; ");
	cli_print_lines(stdout, out.data);
	str_release(&out);
}

void
dns_print_zone(const struct dns_plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		print_item(p, &p->items[i]);
}

/* -- JSON
 * -------------------------------------------------------------------------- */

static void
say(const char *text)
{
	fputs("oiwake: ", stderr);
	cli_print(stderr, text);
	fputc('\n', stderr);
}

void
dns_print_json(const struct dns_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct dns_item *item = &p->items[i];

		if (item->name != NULL)
			cli_print_json(json_pack("{s:s, s:s, s:i, s:s, s:s}",
			    "name", item->name, "type", item->type, "ttl",
			    DNS_PLAN_TTL, "value", item->value, "why",
			    item->text));
		else if (item->kind == DNS_ITEM_NOTE)
			say(item->text);
	}
}

/* -- Route 53
 * ---------------------------------------------------------------------- */

static bool
in_batch(const struct dns_plan *p, const struct dns_item *item)
{
	return item->kind == DNS_ITEM_RECORD && dns_plan_has(p, item->name);
}

static bool
same_set(const struct dns_item *a, const struct dns_item *b)
{
	return strcasecmp(a->name, b->name) == 0 &&
	       strcmp(a->type, b->type) == 0;
}

/* All values of the item's name and type: an UPSERT replaces the set. */
static json_t *
values_of(const struct dns_plan *p, const struct dns_item *first)
{
	json_t *values = json_array();

	for (size_t i = 0; i < p->n; i++) {
		const struct dns_item *item = &p->items[i];
		struct str value = STR_INIT;

		if (!in_batch(p, item) || !same_set(item, first))
			continue;
		add_value(&value, item);
		json_array_append_new(
		    values, json_pack("{s:s}", "Value", value.data));
		str_release(&value);
	}
	return values;
}

static json_t *
upsert(const struct dns_plan *p, const struct dns_item *item)
{
	struct str name = STR_INIT;
	json_t *change;

	str_addf(&name, "%s.", item->name);
	change = json_pack("{s:s, s:{s:s, s:s, s:i, s:o}}", "Action", "UPSERT",
	    "ResourceRecordSet", "Name", name.data, "Type", item->type, "TTL",
	    DNS_PLAN_TTL, "ResourceRecords", values_of(p, item));
	str_release(&name);
	return change;
}

static bool
is_first_of_set(const struct dns_plan *p, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (in_batch(p, &p->items[i]) &&
		    same_set(&p->items[i], &p->items[at]))
			return false;
	return true;
}

static void
say_left_out(const struct dns_item *item)
{
	struct str text = STR_INIT;

	if (item->name != NULL)
		str_addf(&text, "not in the batch: %s %s %s: ", item->name,
		    item->type, item->value);
	str_adds(&text, item->text);
	say(text.data);
	str_release(&text);
}

void
dns_print_route53(const struct dns_plan *p)
{
	json_t *changes = json_array(), *batch;
	struct str comment = STR_INIT;

	for (size_t i = 0; i < p->n; i++) {
		const struct dns_item *item = &p->items[i];

		if (in_batch(p, item) && is_first_of_set(p, i))
			json_array_append_new(changes, upsert(p, item));
		else if (!in_batch(p, item) && item->kind != DNS_ITEM_MISSING)
			say_left_out(item);
	}
	say("an UPSERT replaces all records of its name and type: add to the "
	    "batch what else is there, such as other TXT records of the "
	    "domain");
	str_addf(&comment, "oiwake dns %s", p->domain);
	batch = json_pack(
	    "{s:s, s:o}", "Comment", comment.data, "Changes", changes);
	json_dumpf(batch, stdout, JSON_INDENT(2));
	fputc('\n', stdout);
	json_decref(batch);
	str_release(&comment);
}
