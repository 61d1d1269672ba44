/*
 * explain_options.c - what the options of `oiwake explain` say of the message.
 */
#include "router/cli/explain_int.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/smtp/utf8.h"

/* As in `size > 1MB`: oiwake-rules(5). */
static const struct {
	const char *name;
	uint64_t bytes;
} units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KB", 1u << 10 },
	{ "MB", 1u << 20 },
	{ "GB", 1u << 30 },
};

static int
read_size(const char *text, uint64_t *size)
{
	size_t digits = strspn(text, "0123456789");
	char *number = xstrndup(text, digits);
	int64_t n;
	int rc = cli_number(number, 0, INT64_MAX, &n);

	free(number);
	for (size_t i = 0; rc == 0 && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcasecmp(text + digits, units[i].name) == 0 &&
		    (uint64_t)n <= UINT64_MAX / units[i].bytes) {
			*size = (uint64_t)n * units[i].bytes;
			return 0;
		}
	return -1;
}

/* NAME=VALUE as a message's tags hold it: no blank, comma or control. */
static bool
is_tag(const char *text)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL || equals == text)
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text <= ' ' || *text == ',' ||
		    *text == 0x7f)
			return false;
	return true;
}

static int
read_tags(struct asked *a, const struct cli_command *cmd)
{
	const char *tag;

	for (size_t at = 0;
	     (tag = cli_given(a->args, EXPLAIN_TAG, &at)) != NULL;) {
		if (!is_tag(tag))
			return cli_usage(
			    cmd, "--tag is NAME=VALUE, not '%s'", tag);
		str_addf(&a->tags, "%s%s", a->tags.len ? "," : "", tag);
	}
	return 0;
}

/* A domain alone, as the rules see it. */
static int
read_header_from(struct asked *a)
{
	const char *text = a->args->value[EXPLAIN_HEADER_FROM];
	struct str address = STR_INIT;
	struct address parsed;
	struct err e = ERR_INIT;
	int rc = 0;

	if (text == NULL)
		return 0;
	str_addf(&address, "x@%s", text);
	if (address_parse(&parsed, address.data, address.len, &e) != 0 ||
	    strchr(text, '@') != NULL)
		rc = cli_fail("cannot read the domain '%s'%s%s", text,
		    *e.text ? ": " : "", e.text);
	else
		str_adds(&a->header_from, parsed.domain);
	str_release(&address);
	return rc;
}

static int
read_sender(struct asked *a)
{
	const char *text = a->args->value[EXPLAIN_FROM];
	struct err e = ERR_INIT;

	a->from = (struct address){ .null = true };
	if (text == NULL || strcmp(text, "<>") == 0 ||
	    address_parse_reverse_path(&a->from, text, strlen(text), &e) == 0)
		return 0;
	return cli_fail("cannot read the sender '%s': %s", text, e.text);
}

/* What is no UTF-8 can be in no rule, and not be shown. */
static int
check_utf8(const struct asked *a, const struct cli_command *cmd)
{
	bool beyond;

	for (size_t i = 0; i < a->args->ngiven; i++) {
		const char *value = a->args->given[i].value;
		int option = a->args->given[i].option;

		if (option >= 0 && !utf8_check(value, strlen(value), &beyond))
			return cli_usage(
			    cmd, "--%s: not UTF-8", cmd->options[option].name);
	}
	return 0;
}

int
explain_options(struct asked *a, const struct cli_command *cmd)
{
	const char *size = a->args->value[EXPLAIN_SIZE];
	const char *user = a->args->value[EXPLAIN_USER];
	const char *listener = a->args->value[EXPLAIN_LISTENER];
	int rc;

	if (size != NULL && read_size(size, &a->query.size) != 0)
		return cli_usage(
		    cmd, "--size is a number with B, KB, MB or GB");
	if ((rc = check_utf8(a, cmd)) != 0 || (rc = read_tags(a, cmd)) != 0 ||
	    (rc = read_sender(a)) != 0 || (rc = read_header_from(a)) != 0)
		return rc;
	a->query.from_local = a->from.local;
	a->query.from_domain = a->from.domain;
	a->query.tags = a->tags.data;
	a->query.header_from = a->header_from.data;
	a->query.user = user ? user : "";
	a->query.listener = listener ? listener : "";
	return 0;
}

int
explain_check(const struct asked *a)
{
	const struct config *config = a->config;
	const char *name = a->args->value[EXPLAIN_LISTENER];
	const char **names = xcalloc(config->nlisteners + 1, sizeof(*names));
	bool known = name == NULL;
	const char *meant;
	int rc = 0;

	for (size_t i = 0; i < config->nlisteners; i++) {
		names[i] = config->listeners[i].name;
		known = known || strcmp(names[i], name) == 0;
	}
	meant = known ? NULL : rules_suggest(name, names, config->nlisteners);
	if (meant != NULL)
		rc = cli_fail(
		    "unknown listener '%s', did you mean '%s'?", name, meant);
	else if (!known)
		rc = cli_fail("unknown listener '%s'", name);
	free(names);
	return rc;
}
