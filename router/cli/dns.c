/*
 * dns.c - `oiwake dns`: every record to publish for a domain, for all paths.
 *
 * Works from the settings alone, without the daemon and without asking DNS;
 * `oiwake doctor` is what compares.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/dns/message.h"
#include "router/cli/cli.h"
#include "router/cli/dns_int.h"

enum { DNS_ROUTE53 };

static const struct cli_option options[] = {
	[DNS_ROUTE53] = { "route53", NULL,
	    "as a change batch for aws route53 change-resource-record-sets" },
	{ NULL, NULL, NULL },
};

static int
print_plan(const struct dns_plan *p, const struct cli_args *args)
{
	if (args->value[DNS_ROUTE53] != NULL)
		dns_print_route53(p);
	else if (args->json)
		dns_print_json(p);
	else
		dns_print_zone(p);
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].kind == DNS_ITEM_MISSING)
			cli_fail("%s", p->items[i].text);
	return p->complete ? CLI_GOOD : CLI_BAD;
}

static int
run_for(const struct cli_args *args, const char *domain)
{
	struct config *cfg = cli_config(args, CONFIG_SETTINGS);
	struct dns_plan *plan;
	int rc;

	if (cfg == NULL)
		return CLI_BAD;
	plan = dns_plan_new(cfg, domain);
	rc = print_plan(plan, args);
	dns_plan_free(&plan);
	config_unref(&cfg);
	return rc;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);
	char *domain;
	size_t len;

	if (rc >= 0)
		return rc;
	if (args.argc != 1)
		return cli_usage(cmd, "expected a domain");
	domain = xstrdup(args.argv[0]);
	len = strlen(domain);
	if (len > 1 && domain[len - 1] == '.')
		domain[len - 1] = '\0';
	if (dns_name_is_host(domain) && strchr(domain, '.') != NULL)
		rc = run_for(&args, domain);
	else
		rc = cli_usage(cmd, "not a domain: '%s'", domain);
	free(domain);
	return rc;
}

const struct cli_command cli_dns = { "dns", "DOMAIN [--route53]",
	"print the DNS records that mail of a domain needs", run, options };
