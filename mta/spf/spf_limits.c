/*
 * spf_limits.c - counts the look-ups of one SPF check (RFC 7208 4.6.4).
 *
 * The first question is for the domain's own record and free. After it every
 * question is a term of its own, except the addresses of hosts that an mx or
 * ptr term named: libspf2 asks for those in order, right behind it. A `%{p}`
 * macro looks like a ptr term, which counts one too many; the RFC says not to
 * publish either.
 */
#include "mta/spf/spf_limits.h"

#include <stdio.h>
#include <strings.h>

static bool
belongs_to_term(struct spf_limits *l, const struct spf_question *q)
{
	if ((q->type != DNS_A && q->type != DNS_AAAA) || l->next == l->nhosts ||
	    strcasecmp(l->hosts[l->next], q->name) != 0)
		return false;
	l->next++;
	return true;
}

const char *
spf_limits_ask(struct spf_limits *l, const struct spf_question *q)
{
	if (l->questions++ == 0 || belongs_to_term(l, q))
		return NULL;
	l->nhosts = l->next = 0;
	if (++l->terms > SPF_MAX_TERMS)
		return "more than 10 look-ups";
	return NULL;
}

const char *
spf_limits_void(struct spf_limits *l)
{
	if (l->questions > 1 && ++l->voids > SPF_MAX_VOIDS)
		return "more than 2 look-ups that find nothing";
	return NULL;
}

bool
spf_limits_host(struct spf_limits *l, const char *host)
{
	if (l->nhosts == SPF_MAX_HOSTS)
		return false;
	snprintf(l->hosts[l->nhosts++], sizeof(l->hosts[0]), "%s", host);
	return true;
}
