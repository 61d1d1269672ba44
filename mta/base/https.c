/*
 * https.c - HTTP and HTTPS requests from an event loop: the client.
 *
 * libcurl's multi interface says which sockets to watch and for how long; the
 * event loop does, and tells it. Answers are read from libcurl's messages,
 * never from inside its callbacks. Requests are https_call.c's.
 */
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>

#include "mta/base/alloc.h"
#include "mta/base/https_int.h"

#define IDLE_CONNECTIONS 128L

/* ------ libcurl's sockets and time in the event loop */

static void look_for_answers(struct https *);

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct https *h = arg;
	int running, action = (what & EV_READ ? CURL_CSELECT_IN : 0) |
			      (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(h->multi, fd, action, &running);
	look_for_answers(h);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct https *h = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look_for_answers(h);
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct https *h = arg;
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
	struct https *h = arg;
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

struct https *
https_new(struct event_base *base)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct https *h = xcalloc(1, sizeof(*h));

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
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
	return h;
}

void
https_free(struct https **https)
{
	struct https *h = *https;

	if (h == NULL)
		return;
	curl_multi_cleanup(h->multi);
	event_free(h->timer);
	free(h);
	*https = NULL;
}

struct event_base *
https_base(const struct https *h)
{
	return h->base;
}

/* ------ the answer */

const char *
https_header(const struct https_answer *a, const char *name)
{
	struct curl_header *h;
	CURL *e = a->call->easy;

	if (curl_easy_header(e, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	if (h->amount > 1 && curl_easy_header(e, name, h->amount - 1,
				 CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	return h->value;
}

/*
 * All of the body has been written to the connection; of a request without one,
 * its head, or a part of that. When libcurl has given up on another attempt it
 * has forgotten how much it had written: then what it was given counts.
 */
static bool
whole_request_is_out(const struct https_call *c, CURLcode code)
{
	curl_off_t body = 0;
	long all = 0;

	if (code == CURLE_SEND_FAIL_REWIND)
		return c->given == c->body_len;
	curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &body);
	curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &all);
	return c->body_len > 0 ? (size_t)body >= c->body_len : all > 0;
}

static void
read_failure(struct https_call *c, CURLcode code, struct https_answer *answer)
{
	answer->may_be_sent = c->spent || whole_request_is_out(c, code);
	answer->untrusted = code == CURLE_PEER_FAILED_VERIFICATION;
	if (code == CURLE_FILESIZE_EXCEEDED)
		https_call_too_long(c);
	if (c->own.text[0] != '\0')
		err_set(&answer->why, "%s", c->own.text);
	else if (code == CURLE_OK || code == CURLE_SEND_FAIL_REWIND ||
		 code == CURLE_ABORTED_BY_CALLBACK)
		err_set(
		    &answer->why, "the connection broke before an answer came");
	else
		err_set(&answer->why, "%s",
		    c->problem[0] != '\0' ? c->problem
					  : curl_easy_strerror(code));
	answer->why.code = (int)code;
}

static void
end_call(struct https_call *c, CURLcode code)
{
	struct https_answer answer = { .call = c,
		.why = ERR_INIT,
		.body = c->answer.data,
		.len = c->answer.len };
	long status = 0;

	c->ended = true;
	if (code == CURLE_OK && c->head_ended)
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	answer.status = (int)status;
	if (status == 0) {
		read_failure(c, code, &answer);
	} else {
		answer.body = c->answer.data;
		answer.len = c->answer.len;
	}
	c->done(c->arg, &answer);
	https_call_release(c);
}

static void
look_for_answers(struct https *h)
{
	CURLMsg *message;
	char *owner;
	int left;

	while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, &owner);
		end_call(
		    (struct https_call *)(void *)owner, message->data.result);
	}
}
