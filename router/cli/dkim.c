/*
 * dkim.c - `oiwake dkim`: keys for signatures and the records that publish
 * them.
 *
 * Works without the daemon, and reads of the settings no more than the keys:
 * a mistake in the rules is no reason not to look at a record.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/dkim_record.h"
#include "router/cli/dkim_int.h"

static const struct cli_option options[] = {
	[DKIM_TYPE] = { "type", "TYPE", "keygen: rsa (default) or ed25519" },
	[DKIM_BITS] = { "bits", "N", "keygen: size of an RSA key (2048)" },
	[DKIM_OUT] = { "out", "FILE", "keygen: where the private key goes" },
	{ NULL, NULL, NULL },
};

json_t *
dkim_describe(const struct dkim_signer *s)
{
	char *name = dkim_record_name(s), *record = dkim_signer_record(s);
	unsigned bits;
	const char *type = dkim_signer_algorithm(s, &bits);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "domain",
	    dkim_signer_domain(s), "selector", dkim_signer_selector(s), "name",
	    name, "type", type, "bits", (int)bits, "record", record);

	free(name);
	free(record);
	return o;
}

const char *
dkim_state(const struct config_dkim *section)
{
	return section->active ? "active" : "standby";
}

void
dkim_print_record(const struct dkim_signer *s)
{
	char *name = dkim_record_name(s), *record = dkim_signer_record(s);
	struct str line = STR_INIT;

	dkim_record_zone_line(&line, name, record);
	cli_print_lines(stdout, line.data);
	str_release(&line);
	free(name);
	free(record);
}

/* -- the keys of the settings
 * ----------------------------------------------------- */

static void
keys_free(struct dkim_keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		dkim_signer_free(&k->keys[i].signer);
	free(k->keys);
}

/* Loads those of the domain, NULL: all. Tells of each that cannot be loaded. */
static int
keys_load(struct dkim_keys *k, const struct config *cfg, const char *domain)
{
	int rc = CLI_GOOD;

	k->keys = xcalloc(cfg->ndkim + 1, sizeof(*k->keys));
	k->n = 0;
	for (size_t i = 0; i < cfg->ndkim; i++) {
		const struct config_dkim *d = &cfg->dkim[i];
		struct err e = ERR_INIT;
		struct dkim_key *key = &k->keys[k->n];

		if (domain != NULL && strcasecmp(domain, d->domain) != 0)
			continue;
		key->section = d;
		key->signer =
		    dkim_signer_new(d->domain, d->selector, d->key_file, &e);
		if (key->signer != NULL)
			k->n++;
		else
			rc = cli_fail("dkim '%s': %s", d->domain, e.text);
	}
	if (rc != CLI_GOOD || k->n > 0)
		return rc;
	if (domain != NULL)
		return cli_fail("no key of '%s' in '%s'", domain, cfg->file);
	return cli_fail("no section 'dkim' in '%s'", cfg->file);
}

int
dkim_record(const struct config *cfg, const struct dkim_keys *keys, bool json)
{
	(void)cfg;
	for (size_t i = 0; i < keys->n; i++) {
		const struct dkim_key *key = &keys->keys[i];
		json_t *o;

		if (!json) {
			dkim_print_record(key->signer);
			continue;
		}
		o = dkim_describe(key->signer);
		json_object_set_new(
		    o, "state", json_string(dkim_state(key->section)));
		cli_print_json(o);
	}
	return CLI_GOOD;
}

/* -- the command
 * ------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*run)(const struct config *, const struct dkim_keys *, bool json);
} verbs[] = {
	{ "record", dkim_record },
	{ "test", dkim_test },
};

static int
run_verb(const struct verb *verb, const struct cli_args *args)
{
	struct config *cfg = cli_config(args, CONFIG_SETTINGS);
	struct dkim_keys keys;
	int rc, loaded;

	if (cfg == NULL)
		return CLI_BAD;
	loaded = keys_load(&keys, cfg, args->argc > 1 ? args->argv[1] : NULL);
	rc = verb->run(cfg, &keys, args->json);
	keys_free(&keys);
	config_unref(&cfg);
	return loaded != CLI_GOOD ? loaded : rc;
}

/* Whether an option of keygen was given. */
static bool
wants_key(const struct cli_args *args)
{
	for (size_t i = 0; options[i].name != NULL; i++)
		if (args->value[i] != NULL)
			return true;
	return false;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	int rc = cli_parse(cmd, &args, argc, argv);
	const char *name;

	if (rc >= 0)
		return rc;
	name = args.argc > 0 ? args.argv[0] : "";
	if (strcmp(name, "keygen") == 0)
		return dkim_keygen(cmd, &args);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(name, verbs[i].name) != 0)
			continue;
		if (args.argc > 2 || wants_key(&args))
			return cli_usage(
			    cmd, "%s takes a domain and no options", name);
		return run_verb(&verbs[i], &args);
	}
	return cli_usage(cmd,
	    "expected keygen DOMAIN SELECTOR, record [DOMAIN] or test "
	    "[DOMAIN]");
}

const struct cli_command cli_dkim = { "dkim",
	"keygen DOMAIN SELECTOR [OPTION...], record [DOMAIN] or test [DOMAIN]",
	"make signing keys, show and test their DNS records", run, options };
