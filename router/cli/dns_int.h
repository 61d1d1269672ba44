/*
 * dns_int.h - what the files of `oiwake dns` share: the list of records to publish.
 *
 * A list (dns_plan.c) is made from the settings alone (dns_records.c, dns_ses.c), then printed in one
 * of three forms (dns_print.c). What the settings do not tell is said to be missing, never guessed.
 */
#ifndef ROUTER_CLI_DNS_INT_H
#define ROUTER_CLI_DNS_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "router/config.h"

#define DNS_PLAN_TTL 3600 /* seconds */

enum dns_item_kind {
	DNS_ITEM_RECORD,  /* to publish in a zone of ours */
	DNS_ITEM_REQUEST, /* a record that somebody else publishes when asked: reverse DNS */
	DNS_ITEM_NOTE,    /* a sentence beside the records */
	DNS_ITEM_MISSING, /* a fact without which the list is not complete */
};

struct dns_item {
	enum dns_item_kind kind;
	char *name;       /* names have no dot at the end; NULL for a sentence */
	const char *type; /* "A", "AAAA", "CNAME", "MX", "PTR", "TXT" */
	char *value;      /* of a TXT the text, of an MX "10 name" */
	char *text;       /* why it is published, how to ask for it, or the sentence */
};

struct dns_plan {
	const struct config *config;
	const char *domain;
	struct dns_item *items;
	size_t n;
	bool complete; /* nothing is missing */
};

/* Everything that mail of the domain needs. The domain is borrowed. */
struct dns_plan *dns_plan_new(const struct config *, const char *domain);
void dns_plan_free(struct dns_plan **);
/* Is the name the plan's domain or below it, and so in its zone? */
bool dns_plan_has(const struct dns_plan *, const char *name);

/* Unless the very same is there already. */
void dns_plan_add(struct dns_plan *, enum dns_item_kind, const char *name, const char *type,
    const char *value, const char *text);
/* An SPF record, unless the name has one: two are worse than none (RFC 7208 4.5). */
void dns_plan_add_spf(struct dns_plan *, const char *name, const char *value, const char *text);
void dns_plan_say(struct dns_plan *, enum dns_item_kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The part of Amazon SES; dns_records.c calls it. */
void dns_plan_add_ses(struct dns_plan *);
bool dns_plan_by_ses(const struct dns_plan *);

void dns_print_zone(const struct dns_plan *);
void dns_print_json(const struct dns_plan *);
/* A change batch for `aws route53 change-resource-record-sets`, which takes names of one zone only. */
void dns_print_route53(const struct dns_plan *);

#endif
