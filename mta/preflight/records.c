/*
 * records.c - the text of what mends: records in the form of a zone file, and
 * the request to AWS.
 */
#include "mta/preflight/preflight_int.h"

void
record_line(
    struct str *out, const char *name, const char *type, const char *data)
{
	str_addf(out, "%s. IN %s %s\n", name, type, data);
}

void
record_address(struct str *out, const char *name, const char *address)
{
	record_line(
	    out, name, address_is_ipv6(address) ? "AAAA" : "A", address);
}

void
record_our_mx(
    struct str *out, const struct preflight_request *r, const char *domain)
{
	const struct preflight_source *s = r->nsources > 0 ? r->sources : NULL;

	if (r->nour_hosts > 0) {
		str_addf(out, "%s. IN MX 10 %s.\n", domain, r->our_hosts[0]);
	} else if (s != NULL) {
		str_addf(out, "%s. IN MX 10 %s.\n", domain, s->hostname);
		if (s->address != NULL)
			record_address(out, s->hostname, s->address);
	}
}

void
record_reverse(struct str *out, const struct preflight_source *s)
{
	struct str name = STR_INIT;

	if (address_reverse(s->address, &name) == 0)
		str_addf(out, "%s. IN PTR %s.\n", name.data, s->hostname);
	str_release(&name);
	str_addf(out,
	    "on EC2, once the address record of %s exists: aws ec2 "
	    "modify-address-attribute --allocation-id eipalloc-... "
	    "--domain-name %s\n",
	    s->hostname, s->hostname);
}

static const char form_head[] =
    "if this is EC2: ask AWS to lift its block of port 25, signed in as the "
    "account's root user, for each region:\n"
    "https://console.aws.amazon.com/support/contacts?#/rdns-limits\n"
    "the names have to lead to the addresses before the request is made:\n";

/* "" stands for a domain that is not known. */
static const char form_use_case[] =
    "Use case description: We run our own mail server for mail%s%s to "
    "customers at the Japanese mobile carriers (NTT docomo, au, SoftBank). "
    "Their filters judge the sending address itself, and their refusals would "
    "otherwise come back to Amazon SES as bounces; all other mail goes by "
    "Amazon SES. Every recipient has asked for this mail. Bounces and "
    "complaints are read at once, and such addresses are not written to "
    "again. Rates are limited for each carrier. SPF, DKIM and DMARC are "
    "published.\n";

void
record_port_form(struct str *out, const struct preflight_request *r)
{
	str_adds(out, form_head);
	for (size_t i = 0; i < r->nsources; i++)
		if (r->sources[i].address != NULL)
			record_address(
			    out, r->sources[i].hostname, r->sources[i].address);
	str_addf(out, form_use_case, r->domain != NULL ? " of " : "",
	    r->domain != NULL ? r->domain : "");
	for (size_t i = 0; i < r->nsources; i++)
		if (r->sources[i].address != NULL)
			str_addf(out,
			    "Elastic IP address: %s\n"
			    "Reverse DNS record for EIP: %s\n",
			    r->sources[i].address, r->sources[i].hostname);
}
