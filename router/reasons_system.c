/*
 * reasons_system.c - which receiving systems a diagnosis may be of.
 *
 * A system is known by the hosts that answer for it, by its recipients'
 * domains, or by the group that the rules put the recipient in. A name stands
 * for itself and for all below it.
 */
#include "router/reasons_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"

int
reasons_system_find(const struct systems *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n; i++)
		if (strlen(s->names[i]) == len &&
		    strncmp(s->names[i], name, len) == 0)
			return (int)i;
	return -1;
}

unsigned
reasons_system_add(struct systems *s, const char *name)
{
	s->names = xrealloc(s->names, (s->n + 1) * sizeof(*s->names));
	s->names[s->n] = xstrdup(name);
	return (unsigned)s->n++;
}

static void
add_name(
    struct system_name **names, size_t *n, unsigned system, const char *name)
{
	*names = xrealloc(*names, (*n + 1) * sizeof(**names));
	(*names)[*n] = (struct system_name){ xstrdup(name), system };
	(*n)++;
}

void
reasons_system_host(struct systems *s, unsigned system, const char *name)
{
	add_name(&s->hosts, &s->nhosts, system, name);
}

void
reasons_system_domain(struct systems *s, unsigned system, const char *name)
{
	add_name(&s->domains, &s->ndomains, system, name);
}

static int
compare(const void *a, const void *b)
{
	const struct system_name *x = a, *y = b;

	return strcasecmp(x->name, y->name);
}

void
reasons_systems_sort(struct systems *s)
{
	if (s->nhosts > 0)
		qsort(s->hosts, s->nhosts, sizeof(*s->hosts), compare);
	if (s->ndomains > 0)
		qsort(s->domains, s->ndomains, sizeof(*s->domains), compare);
}

static void
add(struct system_set *set, unsigned system)
{
	set->bits[system / 64] |= UINT64_C(1) << system % 64;
}

/* One name may be of several systems: all that are equal to it. */
static void
add_equal(const struct system_name *names, size_t n, const char *name,
    struct system_set *set)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcasecmp(names[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n && strcasecmp(names[low].name, name) == 0; low++)
		add(set, names[low].system);
}

static void
add_suffixes(const struct system_name *names, size_t n, const char *name,
    struct system_set *set)
{
	while (name != NULL && *name != '\0') {
		add_equal(names, n, name, set);
		if ((name = strchr(name, '.')) != NULL)
			name++;
	}
}

void
reasons_systems_of(const struct systems *s, const struct reasons_query *q,
    struct system_set *set)
{
	int group = *q->group != '\0'
			? reasons_system_find(s, q->group, strlen(q->group))
			: -1;

	memset(set, 0, sizeof(*set));
	if (group >= 0)
		add(set, (unsigned)group);
	add_suffixes(s->hosts, s->nhosts, q->host, set);
	add_suffixes(s->domains, s->ndomains, q->domain, set);
}

static void
free_names(struct system_name *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i].name);
	free(names);
}

void
reasons_systems_clear(struct systems *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->names[i]);
	free(s->names);
	free_names(s->hosts, s->nhosts);
	free_names(s->domains, s->ndomains);
	*s = (struct systems){ 0 };
}
