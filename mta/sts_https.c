/*
 * sts_https.c - fetches MTA-STS policies over HTTPS (RFC 8461 3.3).
 *
 * What makes an answer a policy's is checked here; base/https.c does the rest.
 */
#include "mta/sts_https.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/https.h"
#include "mta/base/net.h"
#include "mta/base/str.h"
#include "mta/sts.h"

#define TIME_LIMIT 60000 /* ms; RFC 8461 3.3 suggests one minute */
#define CONNECTING 20000

struct sts_https {
	struct https *https;
};

struct sts_get {
	struct https_call *call;
	void (*done)(
	    void *, enum sts_got, const char *, size_t, const struct err *);
	void *arg;
};

struct sts_https *
sts_https_new(struct event_base *base)
{
	struct sts_https *h = xcalloc(1, sizeof(*h));

	h->https = https_new(base);
	return h;
}

void
sts_https_free(struct sts_https **https)
{
	if (*https == NULL)
		return;
	https_free(&(*https)->https);
	free(*https);
	*https = NULL;
}

static bool
is_plain_text(const char *type)
{
	static const char plain[] = "text/plain";
	size_t len = sizeof(plain) - 1;

	return type != NULL && strncasecmp(type, plain, len) == 0 &&
	       strchr("; \t", type[len]) != NULL;
}

static enum sts_got
read_answer(const struct https_answer *a, struct err *why)
{
	if (a->status == 200 && is_plain_text(https_header(a, "content-type")))
		return STS_GOT;
	if (a->status == 0)
		*why = a->why;
	else if (a->status != 200)
		err_set(why, "the server answers %d", a->status);
	else
		err_set(why, "the server's answer is no text/plain");
	return a->untrusted ? STS_NOT_TRUSTED : STS_NOT_FETCHED;
}

static void
on_answer(void *arg, const struct https_answer *a)
{
	struct err why = ERR_INIT;
	struct sts_get *g = arg;
	enum sts_got got = read_answer(a, &why);

	g->done(g->arg, got, a->body, a->len, &why);
	free(g);
}

/* "address,[address]" */
static void
list_addresses(struct str *s, const struct sts_get_config *config)
{
	char text[NET_TEXT_MAX];

	for (size_t i = 0; i < config->ntargets; i++) {
		const struct sockaddr *sa =
		    (const struct sockaddr *)&config->targets[i].addr;

		str_addf(s, sa->sa_family == AF_INET6 ? "%s[%s]" : "%s%s",
		    i > 0 ? "," : "", net_address_text(sa, text));
	}
}

static void
add_url(struct str *s, const struct sts_get_config *config)
{
	str_addf(s, "https://%s", config->host);
	if (config->port != 443)
		str_addf(s, ":%u", config->port);
	str_adds(s, "/.well-known/mta-sts.txt");
}

struct sts_get *
sts_get_new(struct sts_https *https, const struct sts_get_config *config,
    void (*done)(void *arg, enum sts_got, const char *body, size_t len,
	const struct err *why),
    void *arg)
{
	struct sts_get *g = xcalloc(1, sizeof(*g));
	struct str url = STR_INIT, addresses = STR_INIT;
	struct https_request r = { .method = "GET",
		.ca_file = config->ca_file,
		.connect_timeout = CONNECTING,
		.timeout = TIME_LIMIT,
		.max_answer = STS_POLICY_MAX,
		.fresh = true };

	add_url(&url, config);
	list_addresses(&addresses, config);
	r.url = url.data;
	r.resolve = addresses.data;
	g->done = done;
	g->arg = arg;
	g->call = https_call_new(https->https, &r, on_answer, g);
	str_release(&url);
	str_release(&addresses);
	return g;
}

void
sts_get_free(struct sts_get **get)
{
	if (*get == NULL)
		return;
	https_call_free(&(*get)->call);
	free(*get);
	*get = NULL;
}
