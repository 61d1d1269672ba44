/*
 * fuzz_console_head.c - what a request to the console says of itself: a host
 * that fits is one of few, a value of a cookie is one of the header's, nothing
 * is read beyond the end.
 */
#include "router/http/console_head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/net.h"
#include "router/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_host(const char *host)
{
	static char name[] = "console.test", *names[] = { name };
	struct config_web config = { .names = names, .nnames = 1 };
	struct err e = ERR_INIT;
	size_t len;

	if (net_parse_endpoint(
		"127.0.0.1:80", &config.addr, &config.addr_len, &e) != 0)
		abort();
	if (!console_host_fits(&config, host))
		return;
	len = strcspn(host, ":");
	if (*host != '[' && strncasecmp(host, "localhost", len) != 0 &&
	    strncasecmp(host, name, len) != 0 && strncmp(host, "127.", 4) != 0)
		abort();
	if (strpbrk(host, "/@ \t,;?#") != NULL)
		abort();
}

static void
check_cookie(const char *text)
{
	char value[65];

	if (!console_cookie(text, "oiwake", value, sizeof(value)))
		return;
	if (strlen(value) >= sizeof(value) || strchr(value, ';') != NULL ||
	    strstr(text, value) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *middle;
	const char *language;

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	check_host(text);
	check_cookie(text);
	language = console_language(text);
	if (strcmp(language, "ja") != 0 && strcmp(language, "en") != 0)
		abort();
	console_takes_gzip(text);
	console_has_tag(text, "\"0123\"");
	/* An origin and a host, with a LF between them. */
	if ((middle = strchr(text, '\n')) != NULL) {
		*middle = '\0';
		if (console_origin_fits(text, middle + 1, true) &&
		    (strlen(text) != strlen(middle + 1) + 8 ||
			!console_origin_fits(text, middle + 1, false)))
			abort();
	}
	free(text);
	return 0;
}
