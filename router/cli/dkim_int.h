/*
 * dkim_int.h - what the files of `oiwake dkim` share.
 */
#ifndef ROUTER_CLI_DKIM_INT_H
#define ROUTER_CLI_DKIM_INT_H

#include "mta/dkim.h"
#include "router/cli/cli.h"

enum { DKIM_TYPE, DKIM_BITS, DKIM_OUT }; /* options of cli_dkim */

/* The keys of the settings, or those of one domain, active and standby. */
struct dkim_keys {
	struct dkim_key {
		const struct config_dkim *section;
		struct dkim_signer *signer;
	} *keys;
	size_t n;
};

int dkim_keygen(const struct cli_command *, const struct cli_args *);
int dkim_record(const struct config *, const struct dkim_keys *, bool json);
int dkim_test(const struct config *, const struct dkim_keys *, bool json);

/* What --json says of every key: domain, selector, name, type, bits, record. */
json_t *dkim_describe(const struct dkim_signer *);
/* "active" or "standby". */
const char *dkim_state(const struct config_dkim *);
/* Writes the zone-file line of a key's record. */
void dkim_print_record(const struct dkim_signer *);

#endif
