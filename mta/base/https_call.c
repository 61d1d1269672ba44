/*
 * https_call.c - one request: what libcurl is told of it, and asks for.
 *
 * libcurl would send a request again by itself when a connection that it had
 * used before breaks before any byte of an answer. That is stopped twice over:
 * bodies always come from a read callback without a way back, so that it
 * cannot rewind one, and before every further attempt `may_begin` looks how far
 * the last one had come.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/https_int.h"

#define IDLE_SECONDS 20L /* then the other side may be about to close it */
#define HEADERS_MAX  (64u << 10) /* bytes, of all headers of an answer */

/* ------ what libcurl asks for and brings */

/*
 * Called for each attempt, with its connection made and nothing sent by it. A
 * second one is good only when the first cannot have been a whole request, and
 * when all of the body is still to be had.
 */
static int
may_begin(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct https_call *c = arg;
	long sent = 0;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	if (c->body_len > 0)
		return c->given > 0 ? CURL_PREREQFUNC_ABORT
				    : CURL_PREREQFUNC_OK;
	curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &sent);
	if (sent == 0)
		return CURL_PREREQFUNC_OK;
	c->spent = true;
	return CURL_PREREQFUNC_ABORT;
}

static ssize_t
next_bytes(struct https_call *c, char *buf, size_t room)
{
	size_t left = c->body_len - c->given;
	size_t n = left < room ? left : room;

	if (c->body == NULL)
		return c->read(c->read_arg, buf, n);
	memcpy(buf, c->body + c->given, n);
	return (ssize_t)n;
}

static size_t
give_body(char *buf, size_t size, size_t count, void *arg)
{
	struct https_call *c = arg;
	ssize_t n;

	if (c->given == c->body_len)
		return 0;
	n = next_bytes(c, buf, size * count);
	if (n <= 0) {
		err_set(&c->own, "the request's body cannot be read");
		return CURL_READFUNC_ABORT;
	}
	assert((size_t)n <= c->body_len - c->given);
	c->given += (size_t)n;
	return (size_t)n;
}

void
https_call_too_long(struct https_call *c)
{
	err_set(&c->own, "its answer is longer than %zu bytes", c->max_answer);
}

static size_t
take_answer(char *data, size_t size, size_t count, void *arg)
{
	struct https_call *c = arg;
	size_t n = size * count;

	if (n > c->max_answer - c->answer.len) {
		https_call_too_long(c);
		return 0;
	}
	str_add(&c->answer, data, n);
	return n;
}

/* libcurl keeps them, and takes an answer that ends in the middle of them for
 * a good one: here they are counted and their end is looked for. */
static size_t
note_header(char *data, size_t size, size_t count, void *arg)
{
	struct https_call *c = arg;

	c->header_bytes += size * count;
	c->head_ended = data[0] == '\r' || data[0] == '\n';
	if (c->header_bytes <= HEADERS_MAX)
		return size * count;
	err_set(&c->own, "the headers of its answer are longer than %u bytes",
	    HEADERS_MAX);
	return 0;
}

/* ------ a request */

static void
add_to(struct curl_slist **list, const char *text)
{
	struct curl_slist *more = curl_slist_append(*list, text);

	if (more == NULL)
		abort(); /* out of memory */
	*list = more;
}

/* "+host:port:address,address": libcurl knows them from now on, for a minute.
 */
static void
set_addresses(struct https_call *c, const char *url, const char *addresses)
{
	char *host = NULL, *port = NULL;
	struct str s = STR_INIT;
	CURLU *u = curl_url();

	if (u == NULL)
		abort(); /* out of memory */
	/* A URL that is none fails later, with libcurl's own words. */
	if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
		CURLUE_OK) {
		str_addf(&s, "+%s:%s:%s", host, port, addresses);
		add_to(&c->resolve, s.data);
		curl_easy_setopt(c->easy, CURLOPT_RESOLVE, c->resolve);
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	str_release(&s);
}

static void
set_whom(struct https_call *c, const struct https_request *r)
{
	struct str s = STR_INIT;
	CURL *e = c->easy;

	curl_easy_setopt(e, CURLOPT_URL, r->url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (r->ca_file != NULL) {
		curl_easy_setopt(e, CURLOPT_CAINFO, r->ca_file);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL); /* the system's */
	}
	if (r->resolve != NULL)
		set_addresses(c, r->url, r->resolve);
	if (r->connect != NULL) {
		str_addf(&s, "::%s", r->connect);
		add_to(&c->connect, s.data);
		curl_easy_setopt(e, CURLOPT_CONNECT_TO, c->connect);
		str_release(&s);
	}
}

static void
set_connection(struct https_call *c, const struct https_request *r)
{
	CURL *e = c->easy;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* waits for no resolver */
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, IDLE_SECONDS);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)r->fresh);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, (long)r->fresh);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout);
	curl_easy_setopt(
	    e, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, may_begin);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, c);
	curl_easy_setopt(
	    e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->max_answer);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, note_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->problem);
	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
}

static void
set_body(struct https_call *c, const struct https_request *r)
{
	CURL *e = c->easy;
	bool wants_length =
	    strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0;

	if (c->body_len > 0) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(e, CURLOPT_READDATA, c);
		curl_easy_setopt(
		    e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len);
	} else if (wants_length) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, 0L);
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
}

/* Those that libcurl would add by itself are taken back first. */
static void
set_headers(struct https_call *c, const struct https_request *r)
{
	bool typed = false;

	curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "oiwake");
	add_to(&c->headers, "Expect:");
	for (size_t i = 0; i < r->nheaders; i++) {
		assert(!str_has_control(r->headers[i], strlen(r->headers[i])));
		typed |= strncasecmp(r->headers[i], "content-type:", 13) == 0;
		add_to(&c->headers, r->headers[i]);
	}
	if (!typed)
		add_to(&c->headers, "Content-Type:");
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

struct https_call *
https_call_new(struct https *h, const struct https_request *r,
    void (*done)(void *arg, const struct https_answer *), void *arg)
{
	struct https_call *c = xcalloc(1, sizeof(*c));

	c->https = h;
	c->body = r->body;
	c->body_len = r->body_len;
	c->read = r->read;
	c->read_arg = r->read_arg;
	c->max_answer = r->max_answer;
	c->done = done;
	c->arg = arg;
	str_init(&c->answer);
	c->easy = curl_easy_init();
	if (c->easy == NULL)
		abort(); /* out of memory */
	set_whom(c, r);
	set_connection(c, r);
	set_body(c, r);
	set_headers(c, r);
	curl_multi_add_handle(h->multi, c->easy);
	return c;
}

void
https_call_release(struct https_call *c)
{
	curl_multi_remove_handle(c->https->multi, c->easy);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->resolve);
	curl_slist_free_all(c->connect);
	str_release(&c->answer);
	free(c);
}

void
https_call_free(struct https_call **call)
{
	/* From inside its `done` it is about to be freed anyway. */
	if (*call != NULL && !(*call)->ended)
		https_call_release(*call);
	*call = NULL;
}
