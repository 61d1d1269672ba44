/*
 * sts_https.c - fetches MTA-STS policies over HTTPS (RFC 8461 3.3).
 *
 * libcurl's multi interface says which sockets to watch and for how long; the
 * event loop does, and tells it. The answer is read from libcurl's messages,
 * never from inside its callbacks.
 */
#include "mta/sts_https.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"
#include "mta/base/str.h"
#include "mta/sts.h"

#define TIME_LIMIT 60L /* seconds; RFC 8461 3.3 suggests one minute */
#define CONNECTING 20L

struct sts_https {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
};

struct sts_get {
	struct sts_https *https;
	CURL *easy;
	struct curl_slist *addresses;
	struct str body;
	char problem[CURL_ERROR_SIZE];
	void (*done)(
	    void *, enum sts_got, const char *, size_t, const struct err *);
	void *arg;
};

/* ------ libcurl's sockets and time in the event loop */

static void look_for_answers(struct sts_https *);

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct sts_https *h = arg;
	int running, action = (what & EV_READ ? CURL_CSELECT_IN : 0) |
			      (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(h->multi, fd, action, &running);
	look_for_answers(h);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct sts_https *h = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look_for_answers(h);
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct sts_https *h = arg;
	struct event *ev = watch;
	short events = EV_PERSIST;

	(void)easy;
	if (ev != NULL)
		event_free(ev);
	ev = NULL;
	if (what != CURL_POLL_REMOVE) {
		events |= what & CURL_POLL_IN ? EV_READ : 0;
		events |= what & CURL_POLL_OUT ? EV_WRITE : 0;
		ev = event_new(h->base, fd, events, on_socket, h);
		if (ev == NULL)
			abort(); /* out of memory */
		event_add(ev, NULL);
	}
	curl_multi_assign(h->multi, fd, ev);
	return 0;
}

static int
set_timer(CURLM *multi, long ms, void *arg)
{
	struct sts_https *h = arg;
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	(void)multi;
	if (ms < 0)
		event_del(h->timer);
	else
		event_add(h->timer, &tv);
	return 0;
}

static void
start_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct sts_https *
sts_https_new(struct event_base *base)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sts_https *h = xcalloc(1, sizeof(*h));

	pthread_once(&once, start_curl);
	h->base = base;
	h->multi = curl_multi_init();
	h->timer = event_new(base, -1, 0, on_timer, h);
	if (h->multi == NULL || h->timer == NULL)
		abort(); /* out of memory */
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 4L);
	return h;
}

void
sts_https_free(struct sts_https **https)
{
	struct sts_https *h = *https;

	if (h == NULL)
		return;
	curl_multi_cleanup(h->multi);
	event_free(h->timer);
	free(h);
	*https = NULL;
}

/* ------ a request */

static size_t
take_body(char *data, size_t size, size_t n, void *arg)
{
	struct sts_get *g = arg;

	if (n * size > STS_POLICY_MAX - g->body.len)
		return 0;
	str_add(&g->body, data, n * size);
	return n * size;
}

/* "+host:port:address,address": used for this request, and forgotten. */
static struct curl_slist *
address_list(const struct sts_get_config *config)
{
	struct curl_slist *list;
	struct str s = STR_INIT;
	char text[NET_TEXT_MAX];

	str_addf(&s, "+%s:%u:", config->host, config->port);
	for (size_t i = 0; i < config->ntargets; i++) {
		const struct sockaddr *sa =
		    (const struct sockaddr *)&config->targets[i].addr;

		str_addf(&s, sa->sa_family == AF_INET6 ? "%s[%s]" : "%s%s",
		    i > 0 ? "," : "", net_address_text(sa, text));
	}
	list = curl_slist_append(NULL, s.data);
	str_release(&s);
	return list;
}

static void
set_options(struct sts_get *g, const struct sts_get_config *config)
{
	struct str url = STR_INIT;
	CURL *c = g->easy;

	str_adds(&url, "https://");
	str_adds(&url, config->host);
	if (config->port != 443)
		str_addf(&url, ":%u", config->port);
	str_adds(&url, "/.well-known/mta-sts.txt");
	curl_easy_setopt(c, CURLOPT_URL, url.data);
	str_release(&url);
	curl_easy_setopt(c, CURLOPT_RESOLVE, g->addresses);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_USERAGENT, "oiwake");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, TIME_LIMIT);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECTING);
	curl_easy_setopt(c, CURLOPT_MAXFILESIZE, (long)STS_POLICY_MAX);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	if (config->ca_file != NULL)
		curl_easy_setopt(c, CURLOPT_CAINFO, config->ca_file);
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, g);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, g->problem);
	curl_easy_setopt(c, CURLOPT_PRIVATE, g);
}

struct sts_get *
sts_get_new(struct sts_https *https, const struct sts_get_config *config,
    void (*done)(void *arg, enum sts_got, const char *body, size_t len,
	const struct err *why),
    void *arg)
{
	struct sts_get *g = xcalloc(1, sizeof(*g));

	g->https = https;
	g->done = done;
	g->arg = arg;
	str_init(&g->body);
	g->easy = curl_easy_init();
	g->addresses = address_list(config);
	if (g->easy == NULL || g->addresses == NULL)
		abort(); /* out of memory */
	set_options(g, config);
	curl_multi_add_handle(https->multi, g->easy);
	return g;
}

void
sts_get_free(struct sts_get **get)
{
	struct sts_get *g = *get;

	if (g == NULL)
		return;
	curl_multi_remove_handle(g->https->multi, g->easy);
	curl_easy_cleanup(g->easy);
	curl_slist_free_all(g->addresses);
	str_release(&g->body);
	free(g);
	*get = NULL;
}

/* ------ the answer */

static bool
is_plain_text(const char *type)
{
	static const char plain[] = "text/plain";
	size_t len = sizeof(plain) - 1;

	return type != NULL && strncasecmp(type, plain, len) == 0 &&
	       strchr("; \t", type[len]) != NULL;
}

static enum sts_got
read_failure(const struct sts_get *g, CURLcode code, struct err *why)
{
	if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED)
		err_set(why, "longer than %d bytes", STS_POLICY_MAX);
	else
		err_set(why, "%s",
		    g->problem[0] != '\0' ? g->problem
					  : curl_easy_strerror(code));
	return code == CURLE_PEER_FAILED_VERIFICATION ? STS_NOT_TRUSTED
						      : STS_NOT_FETCHED;
}

static enum sts_got
read_answer(const struct sts_get *g, CURLcode code, struct err *why)
{
	char *type = NULL;
	long status = 0;

	if (code != CURLE_OK)
		return read_failure(g, code, why);
	curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(g->easy, CURLINFO_CONTENT_TYPE, &type);
	if (status == 200 && is_plain_text(type))
		return STS_GOT;
	if (status != 200)
		err_set(why, "the server answers %ld", status);
	else
		err_set(why, "the server's answer is no text/plain");
	return STS_NOT_FETCHED;
}

static void
look_for_answers(struct sts_https *h)
{
	struct err why = ERR_INIT;
	enum sts_got got;
	struct sts_get *g;
	CURLMsg *message;
	char *owner;
	int left;

	while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, &owner);
		g = (struct sts_get *)(void *)owner;
		got = read_answer(g, message->data.result, &why);
		g->done(g->arg, got, g->body.data, g->body.len, &why);
		sts_get_free(&g);
	}
}
