/*
 * console_head.c - the header of a request to the console, read with care.
 */
#include "router/http/console_head.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "mta/base/net.h"
#include "router/config.h"

#define HOST_MAX 255

/* -- Host and Origin ------------------------------------------------------- */

static bool
all_digits(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0' && strlen(text) <= 5;
}

/* "name:8025", "[::1]:8025": the name, without brackets. */
static bool
cut_port(const char *host, char name[static HOST_MAX + 1])
{
	const char *from = host, *end, *rest;

	if (*host == '[') {
		from++;
		if ((end = strchr(from, ']')) == NULL)
			return false;
		rest = end + 1;
	} else
		rest = end = from + strcspn(from, ":");
	if (end == from || end - from > HOST_MAX ||
	    (*rest != '\0' && (*rest != ':' || !all_digits(rest + 1))))
		return false;
	memcpy(name, from, (size_t)(end - from));
	name[end - from] = '\0';
	return true;
}

static bool
is_any(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;

	if (addr->ss_family == AF_INET)
		return in->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

/* An address in digits leads to nobody else's page. */
static bool
address_fits(const struct config_web *config, const char *name)
{
	const struct sockaddr *own = (const struct sockaddr *)&config->addr;
	char a[NET_TEXT_MAX], b[NET_TEXT_MAX];
	struct sockaddr_storage addr;
	struct err e = ERR_INIT;
	socklen_t len;

	if (net_parse_address(name, 0, &addr, &len, &e) != 0)
		return false;
	if (is_any(&config->addr))
		return true;
	if (net_is_loopback(own) &&
	    net_is_loopback((const struct sockaddr *)&addr))
		return true;
	return strcmp(net_address_text(own, a),
		   net_address_text((const struct sockaddr *)&addr, b)) == 0;
}

bool
console_host_fits(const struct config_web *config, const char *host)
{
	char name[HOST_MAX + 1];

	if (host == NULL || !cut_port(host, name))
		return false;
	if (net_is_loopback((const struct sockaddr *)&config->addr) &&
	    strcasecmp(name, "localhost") == 0)
		return true;
	for (size_t i = 0; i < config->nnames; i++)
		if (strcasecmp(name, config->names[i]) == 0)
			return true;
	return address_fits(config, name);
}

/* In clear the listener is loopback: what stands before it may speak TLS. */
bool
console_origin_fits(const char *origin, const char *host, bool tls)
{
	static const char secure[] = "https://", clear[] = "http://";

	if (strncasecmp(origin, secure, sizeof(secure) - 1) == 0)
		return strcasecmp(origin + sizeof(secure) - 1, host) == 0;
	return !tls && strncasecmp(origin, clear, sizeof(clear) - 1) == 0 &&
	       strcasecmp(origin + sizeof(clear) - 1, host) == 0;
}

/* -- cookies --------------------------------------------------------------- */

bool
console_cookie(const char *cookies, const char *name, char *value, size_t room)
{
	size_t n = strlen(name);

	while (cookies != NULL && *cookies != '\0') {
		size_t len;

		cookies += strspn(cookies, "; \t");
		len = strcspn(cookies, ";");
		if (len > n && strncmp(cookies, name, n) == 0 &&
		    cookies[n] == '=' && len - n - 1 < room) {
			memcpy(value, cookies + n + 1, len - n - 1);
			value[len - n - 1] = '\0';
			return true;
		}
		cookies += len;
	}
	return false;
}

/* -- what the client takes ------------------------------------------------- */

/* The next element of a list with parameters, "en-GB;q=0.8, ja"; its length is
 * 0 after the last. */
static size_t
next_element(const char **list, bool *refused)
{
	size_t len, all;
	const char *q;

	*list += strspn(*list, ", \t");
	all = strcspn(*list, ",");
	len = strcspn(*list, ",; \t");
	q = memchr(*list, '=', all);
	/* "q=0", "q=0.000" */
	*refused = q != NULL && q[1] == '0' &&
		   strspn(q + 1, "0.") == strcspn(q + 1, ", \t");
	return len;
}

const char *
console_language(const char *accepted)
{
	static const char *const languages[] = { "ja", "en" };
	bool refused;
	size_t len;

	while (
	    accepted != NULL && (len = next_element(&accepted, &refused)) > 0) {
		for (size_t i = 0; len >= 2 && !refused && i < 2; i++)
			if (strncasecmp(accepted, languages[i], 2) == 0 &&
			    (len == 2 || accepted[2] == '-'))
				return languages[i];
		accepted += strcspn(accepted, ",");
	}
	return languages[0];
}

bool
console_takes_gzip(const char *accepted)
{
	bool refused;
	size_t len;

	while (
	    accepted != NULL && (len = next_element(&accepted, &refused)) > 0) {
		if (len == 4 && strncasecmp(accepted, "gzip", 4) == 0)
			return !refused;
		accepted += strcspn(accepted, ",");
	}
	return false;
}

bool
console_has_tag(const char *tags, const char *tag)
{
	size_t n = strlen(tag);

	while (tags != NULL && *tags != '\0') {
		size_t len;

		tags += strspn(tags, ", \t");
		if (strncmp(tags, "W/", 2) == 0)
			tags += 2;
		len = strcspn(tags, ", \t");
		if ((len == n && strncmp(tags, tag, n) == 0) ||
		    (len == 1 && *tags == '*'))
			return true;
		tags += len;
	}
	return false;
}
