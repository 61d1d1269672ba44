/*
 * dns_plan.c - the list of records that `oiwake dns` prints.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/cli/dns_int.h"

static struct dns_item *
new_item(struct dns_plan *p)
{
	p->items = xrealloc(p->items, (p->n + 1) * sizeof(*p->items));
	p->items[p->n] = (struct dns_item){ 0 };
	return &p->items[p->n++];
}

static bool
is_same(const struct dns_item *i, const char *name, const char *type,
    const char *value)
{
	return i->name != NULL && strcasecmp(i->name, name) == 0 &&
	       strcmp(i->type, type) == 0 && strcmp(i->value, value) == 0;
}

void
dns_plan_add(struct dns_plan *p, enum dns_item_kind kind, const char *name,
    const char *type, const char *value, const char *text)
{
	struct dns_item *item;

	for (size_t i = 0; i < p->n; i++)
		if (is_same(&p->items[i], name, type, value))
			return;
	item = new_item(p);
	item->kind = kind;
	item->name = xstrdup(name);
	item->type = type;
	item->value = xstrdup(value);
	item->text = xstrdup(text);
}

void
dns_plan_add_spf(
    struct dns_plan *p, const char *name, const char *value, const char *text)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].name != NULL &&
		    strcasecmp(p->items[i].name, name) == 0 &&
		    strncmp(p->items[i].value, "v=spf1", 6) == 0)
			return;
	dns_plan_add(p, DNS_ITEM_RECORD, name, "TXT", value, text);
}

void
dns_plan_say(struct dns_plan *p, enum dns_item_kind kind, const char *fmt, ...)
{
	struct dns_item *item = new_item(p);
	struct str text = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	item->kind = kind;
	item->text = str_detach(&text);
	if (kind == DNS_ITEM_MISSING)
		p->complete = false;
}

bool
dns_plan_has(const struct dns_plan *p, const char *name)
{
	size_t len = strlen(name), domain = strlen(p->domain);

	return strcasecmp(name, p->domain) == 0 ||
	       (len > domain && name[len - domain - 1] == '.' &&
		   strcasecmp(name + len - domain, p->domain) == 0);
}

void
dns_plan_free(struct dns_plan **plan)
{
	struct dns_plan *p = *plan;

	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i].name);
		free(p->items[i].value);
		free(p->items[i].text);
	}
	free(p->items);
	free(p);
	*plan = NULL;
}
