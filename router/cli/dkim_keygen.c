/*
 * dkim_keygen.c - `oiwake dkim keygen`: a new key, and what to do with it.
 *
 * The private key goes into a file and nowhere else. What is printed is read
 * back from that file, just as the daemon will read it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/dkim_key.h"
#include "mta/dns/message.h"
#include "router/cli/dkim_int.h"

struct wish {
	char *domain, *selector, *file;
	const char *type;
	int64_t bits;
};

static char *
lower(const char *text)
{
	char *copy = xstrdup(text);

	for (char *p = copy; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

/* -1: go on; else the exit status. */
static int
check(
    const struct cli_command *cmd, const struct cli_args *args, struct wish *w)
{
	const char *bits = args->value[DKIM_BITS];

	if (args->argc != 3)
		return cli_usage(cmd, "keygen takes a domain and a selector");
	w->type = args->value[DKIM_TYPE] ? args->value[DKIM_TYPE] : "rsa";
	w->bits = DKIM_RSA_BITS_GOOD;
	if (strcmp(w->type, "rsa") != 0 && strcmp(w->type, "ed25519") != 0)
		return cli_usage(
		    cmd, "--type is rsa or ed25519, not '%s'", w->type);
	if (bits != NULL && strcmp(w->type, "rsa") != 0)
		return cli_usage(cmd, "--bits is for RSA alone");
	if (bits != NULL && cli_number(bits, DKIM_RSA_BITS_MIN,
				DKIM_RSA_BITS_MAX, &w->bits) != 0)
		return cli_usage(cmd, "--bits is %d to %d, not '%s'",
		    DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX, bits);
	for (int i = 1; i < 3; i++)
		if (!dns_name_is_host(args->argv[i]))
			return cli_usage(
			    cmd, "not a DNS name: '%s'", args->argv[i]);
	return -1;
}

static void
take_names(const struct cli_args *args, struct wish *w)
{
	struct str file = STR_INIT;

	w->domain = lower(args->argv[1]);
	w->selector = lower(args->argv[2]);
	if (args->value[DKIM_OUT] != NULL)
		str_adds(&file, args->value[DKIM_OUT]);
	else
		str_addf(&file, "%s.%s.pem", w->selector, w->domain);
	w->file = str_detach(&file);
}

/* In a settings file's quotes, and right wherever that lies. */
static void
print_path(const char *file)
{
	char *path = realpath(file, NULL);
	struct str quoted = STR_INIT;

	for (const char *p = path != NULL ? path : file; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			str_addc(&quoted, '\\');
		str_addc(&quoted, *p);
	}
	cli_print(stdout, quoted.data);
	str_release(&quoted);
	free(path);
}

static void
print_steps(const struct wish *w, const struct dkim_signer *s)
{
	printf("The private key is in ");
	cli_print(stdout, w->file);
	printf(".\n\nPublish in the zone of %s:\n\n", w->domain);
	dkim_print_record(s);
	printf("\nAnd put into oiwake.conf:\n\n"
	       "dkim \"%s\" {\n\tselector = \"%s\"\n\tkey      = \"",
	    w->domain, w->selector);
	print_path(w->file);
	printf("\"\n\tstate    = standby\n}\n\n"
	       "Once `oiwake dkim test %s` finds the record, let the state be "
	       "active and `oiwake reload`.\n",
	    w->domain);
}

/* 0, or -1 with *e set. */
static int
make(const struct wish *w, struct dkim_signer **signer, struct err *e)
{
	EVP_PKEY *key = dkim_key_new(w->type, (unsigned)w->bits, e);
	int r = key != NULL ? dkim_key_write(key, w->file, e) : -1;

	EVP_PKEY_free(key);
	if (r != 0)
		return -1;
	*signer = dkim_signer_new(w->domain, w->selector, w->file, e);
	return *signer != NULL ? 0 : -1;
}

static int
tell(const struct wish *w, bool json)
{
	struct dkim_signer *s = NULL;
	struct err e = ERR_INIT;
	json_t *o;

	if (make(w, &s, &e) != 0)
		return cli_fail("%s", e.text);
	if (json) {
		o = dkim_describe(s);
		json_object_set_new(o, "file", json_string(w->file));
		cli_print_json(o);
	} else
		print_steps(w, s);
	dkim_signer_free(&s);
	return CLI_GOOD;
}

int
dkim_keygen(const struct cli_command *cmd, const struct cli_args *args)
{
	struct wish w = { 0 };
	int rc = check(cmd, args, &w);

	if (rc >= 0)
		return rc;
	take_names(args, &w);
	rc = tell(&w, args->json);
	free(w.domain);
	free(w.selector);
	free(w.file);
	return rc;
}
