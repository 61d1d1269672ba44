/*
 * post.c - the sandbox as a client, by libcurl's multi interface on libevent.
 *
 * Nobody's certificate is verified: the server is the program under test.
 * Connections are kept and used again, as SNS does.
 */
#include "tests/sandbox/post.h"

#include "mta/base/alloc.h"
#include "mta/base/str.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdlib.h>

#define KEPT_MOST 200 /* bytes of an answer */

struct poster {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
};

struct posting {
	void (*done)(void *arg, int status, const char *text);
	void *arg;
	struct curl_slist *headers;
	struct str answer;
};

static size_t
on_body(char *data, size_t one, size_t n, void *arg)
{
	struct posting *p = arg;
	size_t room = KEPT_MOST - p->answer.len;

	(void)one;
	str_add(&p->answer, data, n < room ? n : room);
	return n;
}

static void
finish(struct poster *c, CURL *easy, CURLcode code)
{
	struct posting *p;
	char *private;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	p = (struct posting *)(void *)private;
	curl_multi_remove_handle(c->multi, easy);
	curl_easy_cleanup(easy);
	curl_slist_free_all(p->headers);
	if (code == CURLE_OK)
		p->done(p->arg, (int)status, p->answer.data);
	else
		p->done(p->arg, 0, curl_easy_strerror(code));
	str_release(&p->answer);
	free(p);
}

static void
collect(struct poster *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE)
			finish(c, m->easy_handle, m->data.result);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct poster *c = arg;
	int running;

	curl_multi_socket_action(c->multi, fd,
	    ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
		((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0),
	    &running);
	collect(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct poster *c = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(c);
}

/* libcurl: watch this socket so, or no more; `event` is what is kept with it.
 */
static int
watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *event)
{
	struct poster *c = arg;
	struct event *old = event, *new;

	(void)easy;
	if (old != NULL)
		event_free(old);
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	new = event_new(c->base, fd,
	    (short)(EV_PERSIST | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
		    ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0)),
	    on_socket, c);
	event_add(new, NULL);
	curl_multi_assign(c->multi, fd, new);
	return 0;
}

static int
set_timer(CURLM *multi, long ms, void *arg)
{
	struct poster *c = arg;
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	(void)multi;
	if (ms < 0)
		evtimer_del(c->timer);
	else
		evtimer_add(c->timer, &tv);
	return 0;
}

struct poster *
poster_new(struct event_base *base)
{
	struct poster *c = xcalloc(1, sizeof(*c));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	c->base = base;
	c->multi = curl_multi_init();
	c->timer = evtimer_new(base, on_timer, c);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	return c;
}

void
poster_send(struct poster *c, const struct post_request *r,
    void (*done)(void *arg, int status, const char *text), void *arg)
{
	struct posting *p = xcalloc(1, sizeof(*p));
	CURL *easy = curl_easy_init();
	const char *const *h;

	p->done = done;
	p->arg = arg;
	str_init(&p->answer);
	for (h = r->headers; *h != NULL; h++)
		p->headers = curl_slist_append(p->headers, *h);
	p->headers = curl_slist_append(p->headers, "Expect:");
	curl_easy_setopt(easy, CURLOPT_PRIVATE, p);
	curl_easy_setopt(easy, CURLOPT_URL, r->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->len);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)r->timeout);
	curl_easy_setopt(
	    easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, p);
	curl_multi_add_handle(c->multi, easy);
}
