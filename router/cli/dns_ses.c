/*
 * dns_ses.c - the DNS records that Amazon SES wants of a sending domain.
 *
 * Each region is an account of its own: it has its own DKIM tokens, which only
 * SES knows, and its own MAIL FROM sub-domain, which must have exactly one MX
 * and serve nothing else.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "router/cli/dns_int.h"

/* Regions whose DKIM records are in a domain of their own; of all others they
 * are in dkim.amazonses.com (SES Developer Guide, "Easy DKIM"). */
static const char *const dkim_regions[] = {
	"af-south-1",
	"ap-northeast-3",
	"ap-south-2",
	"ap-southeast-3",
	"ap-southeast-5",
	"ca-west-1",
	"eu-central-2",
	"eu-south-1",
	"il-central-1",
	"me-central-1",
	"us-gov-east-1",
};

bool
dns_plan_by_ses(const struct dns_plan *p)
{
	for (size_t i = 0; i < p->config->npaths; i++)
		if (p->config->paths[i].kind == PATH_SES)
			return true;
	return false;
}

/* The region in an endpoint's name: email-smtp.REGION.amazonaws.com, or the
 * FIPS one. NULL when it has another form; the caller frees. */
static char *
region_of_host(const char *host)
{
	static const char *const prefixes[] = { "email-smtp.",
		"email-smtp-fips." };
	static const char suffix[] = ".amazonaws.com";
	size_t len = strlen(host), end = sizeof(suffix) - 1;

	for (size_t i = 0; i < 2; i++) {
		size_t start = strlen(prefixes[i]);

		if (len > start + end &&
		    strncasecmp(host, prefixes[i], start) == 0 &&
		    strcasecmp(host + len - end, suffix) == 0)
			return xstrndup(host + start, len - start - end);
	}
	return NULL;
}

/* As the settings say, else as its host's name does. The caller frees. */
static char *
region_of(const struct config_path *path)
{
	if (path->region != NULL)
		return xstrdup(path->region);
	return path->host != NULL ? region_of_host(path->host) : NULL;
}

static bool
has_dkim_domain(const char *region)
{
	for (size_t i = 0; i < sizeof(dkim_regions) / sizeof(dkim_regions[0]);
	     i++)
		if (strcasecmp(dkim_regions[i], region) == 0)
			return true;
	return false;
}

static bool
is_taken(const struct dns_plan *p, const char *name)
{
	const char *bounces = p->config->return_path.domain;

	if (bounces != NULL && strcasecmp(bounces, name) == 0)
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].name != NULL &&
		    strcasecmp(p->items[i].name, name) == 0)
			return true;
	return false;
}

/* "ses" under the domain, or with the region where that is taken. */
static void
mail_from_name(const struct dns_plan *p, const char *region, struct str *name)
{
	str_addf(name, "ses.%s", p->domain);
	if (!is_taken(p, name->data))
		return;
	str_clear(name);
	str_addf(name, "ses-%s.%s", region, p->domain);
}

static void
add_mail_from(struct dns_plan *p, const char *region)
{
	struct str name = STR_INIT, mx = STR_INIT;

	mail_from_name(p, region, &name);
	str_addf(&mx, "10 feedback-smtp.%s.amazonses.com", region);
	dns_plan_add(p, DNS_ITEM_RECORD, name.data, "MX", mx.data,
	    "MAIL FROM of the SES path; it must be the only MX there");
	dns_plan_add_spf(p, name.data, "v=spf1 include:amazonses.com ~all",
	    "SPF of the SES path's MAIL FROM");
	dns_plan_say(p, DNS_ITEM_NOTE,
	    "to let SES use it: aws sesv2 "
	    "put-email-identity-mail-from-attributes --region %s "
	    "--email-identity %s --mail-from-domain %s "
	    "--behavior-on-mx-failure USE_DEFAULT_VALUE",
	    region, p->domain, name.data);
	str_release(&name);
	str_release(&mx);
}

static void
say_easy_dkim(struct dns_plan *p, const char *region)
{
	bool own = has_dkim_domain(region);

	dns_plan_say(p, DNS_ITEM_NOTE,
	    "Easy DKIM of SES: three records TOKEN._domainkey.%s CNAME "
	    "TOKEN.dkim%s%s.amazonses.com; the tokens: aws sesv2 "
	    "get-email-identity --region %s --email-identity %s --query "
	    "DkimAttributes.Tokens",
	    p->domain, own ? "." : "", own ? region : "", region, p->domain);
}

/* Has an earlier path the same region? */
static bool
is_repeated(const struct config *cfg, size_t path, const char *region)
{
	bool found = false;

	for (size_t i = 0; i < path && !found; i++) {
		char *other = cfg->paths[i].kind == PATH_SES
				  ? region_of(&cfg->paths[i])
				  : NULL;

		found = other != NULL && strcasecmp(other, region) == 0;
		free(other);
	}
	return found;
}

static void
add_path(struct dns_plan *p, size_t path)
{
	const struct config_path *ses = &p->config->paths[path];
	char *region = region_of(ses);

	if (region == NULL) {
		dns_plan_say(p, DNS_ITEM_MISSING,
		    "path '%s': '%s' does not tell the region of SES",
		    ses->name, ses->host);
	} else if (!is_repeated(p->config, path, region)) {
		add_mail_from(p, region);
		say_easy_dkim(p, region);
	}
	free(region);
}

void
dns_plan_add_ses(struct dns_plan *p)
{
	for (size_t i = 0; i < p->config->npaths; i++)
		if (p->config->paths[i].kind == PATH_SES)
			add_path(p, i);
}
