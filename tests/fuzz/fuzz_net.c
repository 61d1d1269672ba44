/*
 * fuzz_net.c - addresses, endpoints and prefixes as text.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was understood is written so that it is understood again, the same. */
static void
check_endpoint(const char *text)
{
	struct sockaddr_storage ss, again;
	socklen_t len;
	char buf[NET_TEXT_MAX], buf2[NET_TEXT_MAX];

	if (net_parse_endpoint(text, &ss, &len, NULL) != 0)
		return;
	net_endpoint_text((struct sockaddr *)&ss, buf);
	assert(net_parse_endpoint(buf, &again, &len, NULL) == 0);
	assert(strcmp(buf,
		   net_endpoint_text((struct sockaddr *)&again, buf2)) == 0);
	assert(net_is_special((struct sockaddr *)&ss) ==
	       net_is_special((struct sockaddr *)&again));
}

static void
check_address(const char *text)
{
	struct sockaddr_storage ss;
	socklen_t len;
	struct net_prefix prefix;

	if (net_parse_address(text, 25, &ss, &len, NULL) != 0)
		return;
	assert(net_parse_prefix(text, &prefix, NULL) == 0);
	assert(prefix.bits == 128);
	assert(net_prefix_has(&prefix, (struct sockaddr *)&ss));
}

static void
check_prefix(const char *text)
{
	struct net_prefix prefix;
	struct err e = ERR_INIT;

	if (net_parse_prefix(text, &prefix, &e) == 0)
		assert(prefix.bits <= 128);
	else
		assert(e.text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	check_endpoint(text);
	check_address(text);
	check_prefix(text);
	free(text);
	return 0;
}
