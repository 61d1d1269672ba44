/*
 * ask.c - asks the running daemon over its Unix socket.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/cli/cli.h"
#include "rules/rules.h"

/* A rule set at its largest, half of it line ends and quotes, in JSON. */
#define ANSWER_MAX (2 * (size_t)RULES_TOTAL_MAX + (1u << 20))
#define TIMEOUT_S  60L

static size_t
on_data(char *data, size_t size, size_t n, void *arg)
{
	struct str *answer = arg;

	if (answer->len + size * n > ANSWER_MAX)
		return 0;
	str_add(answer, data, size * n);
	return size * n;
}

void
cli_query_add(struct str *url, const char *name, const char *value)
{
	char *encoded = curl_easy_escape(NULL, value, (int)strlen(value));

	if (encoded == NULL)
		abort(); /* out of memory */
	str_addf(
	    url, "%c%s=%s", strchr(url->data, '?') ? '&' : '?', name, encoded);
	curl_free(encoded);
}

void
cli_path_add(struct str *url, const char *name)
{
	char *encoded = curl_easy_escape(NULL, name, (int)strlen(name));

	if (encoded == NULL)
		abort(); /* out of memory */
	str_adds(url, encoded);
	curl_free(encoded);
}

static CURLcode
transfer(const char *socket_path, const char *path, const char *body,
    struct str *answer, long *status)
{
	CURL *curl = curl_easy_init();
	struct str url = STR_INIT;
	CURLcode rc;

	if (curl == NULL)
		abort(); /* out of memory */
	str_addf(&url, "http://oiwake%s", path);
	curl_easy_setopt(curl, CURLOPT_URL, url.data);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (body != NULL)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	rc = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
	curl_easy_cleanup(curl);
	str_release(&url);
	return rc;
}

/* The answer as an object; else what is wrong has been told, or given out. */
static json_t *
judge(const struct str *answer, long status, char **refused)
{
	json_t *reply = json_loadb(answer->data, answer->len, 0, NULL);
	const char *error = cli_text(reply, "error");

	if (status == 200 && json_is_object(reply))
		return reply;
	if (*error == '\0')
		error = "the daemon's answer cannot be understood";
	if (refused != NULL)
		*refused = xstrdup(error);
	else
		cli_fail("%s", error);
	json_decref(reply);
	return NULL;
}

/* runs NULL: that no daemon runs is told like anything else. */
static json_t *
ask(const struct cli_args *args, const char *path, json_t *body, char **refused,
    bool *runs)
{
	struct str answer = STR_INIT, report = STR_INIT;
	char *socket_path = config_admin_socket(args->config, &report);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_t *reply = NULL;
	long status = 0;
	CURLcode rc;

	json_decref(body);
	if (socket_path == NULL) {
		cli_print_lines(stderr, report.data);
	} else {
		rc = transfer(socket_path, path, text, &answer, &status);
		if (runs != NULL)
			*runs = rc != CURLE_COULDNT_CONNECT;
		if (rc == CURLE_OK)
			reply = judge(&answer, status, refused);
		else if (runs == NULL || *runs)
			cli_fail("cannot reach the daemon at '%s': %s",
			    socket_path,
			    rc == CURLE_COULDNT_CONNECT
				? "it does not run, or you may not"
				: curl_easy_strerror(rc));
	}
	free(socket_path);
	free(text);
	str_release(&answer);
	str_release(&report);
	return reply;
}

json_t *
cli_ask(
    const struct cli_args *args, const char *path, json_t *body, char **refused)
{
	return ask(args, path, body, refused, NULL);
}

json_t *
cli_ask_if_running(const struct cli_args *args, const char *path, bool *runs)
{
	*runs = true;
	return ask(args, path, NULL, NULL, runs);
}
