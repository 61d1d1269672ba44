/*
 * ses_status.c - `oiwake ses status`: what the accounts allow, and how feedback
 * comes in.
 */
#include <string.h>

#include "mta/base/str.h"
#include "router/cli/ses_int.h"

static void
line(const char *name, const char *text)
{
	printf("  %-12s", name);
	cli_print(stdout, text);
	putchar('\n');
}

/* A number that may be a limit: "none" without one. */
static void
add_limit(struct str *out, const json_t *o, const char *key)
{
	const json_t *n = json_object_get(o, key);

	if (!json_is_number(n) || json_number_value(n) < 0)
		str_adds(out, "no limit");
	else
		str_addf(out, "%.10g", json_number_value(n));
}

/* -- a path ---------------------------------------------------------------- */

static void
print_limits(const json_t *path)
{
	const json_t *sending = json_object_get(path, "sending");
	struct str text = STR_INIT;

	add_limit(&text, sending, "rate");
	str_adds(&text, " recipients/s");
	line("rate", text.data);
	str_clear(&text);
	str_addf(&text, "%" JSON_INTEGER_FORMAT " of ",
	    json_integer_value(json_object_get(sending, "used")));
	add_limit(&text, sending, "quota");
	str_adds(&text, " used in 24 hours");
	if (json_is_true(json_object_get(sending, "bulk_waits")))
		str_adds(
		    &text, "; what is left is kept for transactional mail");
	line("quota", text.data);
	str_release(&text);
}

static void
print_account(const json_t *account)
{
	struct str text = STR_INIT;

	if (!json_is_object(account)) {
		line("account",
		    "not watched: no credentials, or account-check = "
		    "0");
		return;
	}
	if (*cli_text(account, "at") == '\0') {
		str_adds(&text, "not read yet");
	} else {
		str_addf(&text, "%s, %s%s, as of %s",
		    cli_text(account, "enforcement"),
		    json_is_true(json_object_get(account, "sending_enabled"))
			? "sending"
			: "sending is paused",
		    json_is_true(json_object_get(account, "production"))
			? ""
			: ", in SES's sandbox: verified recipients only",
		    cli_text(account, "at"));
	}
	line("account", text.data);
	if (*cli_text(account, "trouble") != '\0')
		line("trouble", cli_text(account, "trouble"));
	str_release(&text);
}

static void
print_site(const json_t *path)
{
	const json_t *c = json_object_get(path, "credentials");
	const json_t *skew = json_object_get(path, "clock_skew");
	struct str text = STR_INIT;

	if (!json_is_object(c))
		return;
	line("endpoint", cli_text(path, "endpoint"));
	if (*cli_text(c, "trouble") != '\0')
		str_addf(&text, "none: %s", cli_text(c, "trouble"));
	else
		str_addf(&text, "%s from %s%s%s", cli_text(c, "access_key"),
		    cli_text(c, "from"),
		    *cli_text(c, "expires") ? ", until " : "",
		    cli_text(c, "expires"));
	line("credentials", text.data);
	str_clear(&text);
	if (json_is_true(json_object_get(path, "clock_wrong"))) {
		str_addf(&text,
		    "AWS's is %.0f s ahead of ours, and signatures are made by "
		    "it: set the clock",
		    json_number_value(skew));
		line("clock", text.data);
	}
	str_release(&text);
}

static void
print_path(const json_t *path)
{
	const json_t *sending = json_object_get(path, "sending");

	fputs("path ", stdout);
	cli_print(stdout, cli_text(path, "path"));
	printf(" (%s)\n", cli_text(path, "transport"));
	if (*cli_text(sending, "closed") != '\0')
		line("CLOSED", cli_text(sending, "closed"));
	print_account(json_object_get(path, "account"));
	print_limits(path);
	print_site(path);
}

/* -- feedback -------------------------------------------------------------- */

static void
print_queues(const json_t *queues)
{
	const json_t *q;

	for (size_t i = 0; (q = json_array_get(queues, i)) != NULL; i++) {
		struct str text = STR_INIT;

		fputs("queue ", stdout);
		cli_print(stdout, cli_text(q, "name"));
		putchar('\n');
		line("url", cli_text(q, "queue"));
		str_addf(&text,
		    "%" JSON_INTEGER_FORMAT " received, %" JSON_INTEGER_FORMAT
		    " deleted%s%s",
		    json_integer_value(json_object_get(q, "received")),
		    json_integer_value(json_object_get(q, "deleted")),
		    *cli_text(q, "received_at") ? ", last at " : "",
		    cli_text(q, "received_at"));
		line("messages", text.data);
		if (*cli_text(q, "trouble") != '\0')
			line("trouble", cli_text(q, "trouble"));
		str_release(&text);
	}
}

/* Where SNS may post, and of which topics. */
static void
print_sns(const json_t *sns)
{
	const json_t *topics = json_object_get(sns, "topics"), *one;
	const json_t *listeners = json_object_get(sns, "listeners");

	if (json_array_size(topics) == 0)
		return;
	puts("sns");
	for (size_t i = 0; (one = json_array_get(listeners, i)) != NULL; i++)
		line("listener", json_string_value(one));
	for (size_t i = 0; (one = json_array_get(topics, i)) != NULL; i++)
		line("topic", json_string_value(one));
}

static void
print_feedback(const json_t *feedback)
{
	static const char *const keys[] = { "taken", "settled", "known",
		"control", "early", "lettered", "trouble", "pending" };
	struct str text = STR_INIT;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		str_addf(&text, "%s%" JSON_INTEGER_FORMAT " %s",
		    i > 0 ? ", " : "",
		    json_integer_value(json_object_get(feedback, keys[i])),
		    keys[i]);
	puts("feedback");
	line("messages", text.data);
	str_release(&text);
}

/* -- the command ----------------------------------------------------------- */

static bool
is_wanted(const struct cli_args *args, const json_t *path)
{
	const char *name = args->value[SES_OPTION_PATH];

	return name == NULL || strcmp(cli_text(path, "path"), name) == 0;
}

static bool
is_bad(const json_t *path)
{
	const json_t *account = json_object_get(path, "account");

	return *cli_text(json_object_get(path, "sending"), "closed") != '\0' ||
	       *cli_text(account, "trouble") != '\0';
}

static int
print_paths(const struct cli_args *args, const json_t *paths)
{
	int rc = CLI_GOOD;
	size_t shown = 0;
	json_t *path;

	for (size_t i = 0; (path = json_array_get(paths, i)) != NULL; i++) {
		if (!is_wanted(args, path))
			continue;
		shown++;
		if (is_bad(path))
			rc = CLI_BAD;
		if (args->json)
			cli_print_json(json_incref(path));
		else
			print_path(path);
	}
	if (shown == 0 && args->value[SES_OPTION_PATH] != NULL)
		return cli_fail("there is no path '%s' of type ses",
		    args->value[SES_OPTION_PATH]);
	return rc;
}

/* AWS is asked anew first, if that is wanted. */
static int
check_now(const struct cli_args *args)
{
	const char *path = args->value[SES_OPTION_PATH];
	json_t *body = json_object(), *reply;

	if (args->value[SES_OPTION_CHECK] == NULL) {
		json_decref(body);
		return CLI_GOOD;
	}
	if (path != NULL)
		json_object_set_new(body, "path", json_string(path));
	reply = cli_ask(args, "/v1/ses/check", body, NULL);
	json_decref(reply);
	return reply != NULL ? CLI_GOOD : CLI_BAD;
}

int
ses_status(const struct cli_command *cmd, const struct cli_args *args)
{
	json_t *reply;
	int rc;

	if (args->argc != 1)
		return cli_usage(cmd, "status takes no arguments");
	if (check_now(args) != CLI_GOOD)
		return CLI_BAD;
	reply = cli_ask(args, "/v1/ses", NULL, NULL);
	if (reply == NULL)
		return CLI_BAD;
	rc = print_paths(args, json_object_get(reply, "paths"));
	if (!args->json && args->value[SES_OPTION_PATH] == NULL) {
		print_queues(json_object_get(reply, "queues"));
		print_sns(json_object_get(reply, "sns"));
		print_feedback(json_object_get(reply, "feedback"));
	} else if (args->json && args->value[SES_OPTION_PATH] == NULL) {
		cli_print_json_rows(json_object_get(reply, "queues"));
		cli_print_json(json_incref(json_object_get(reply, "feedback")));
	}
	json_decref(reply);
	return rc;
}
