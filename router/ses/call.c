/*
 * call.c - one signed request to an AWS service, and its answer.
 *
 * sigv4.c signs, mta/base/https.c carries, call_answer.c reads. What a site
 * knows of AWS's clock comes from the Date of its answers.
 */
#include "router/ses/call.h"

#include <assert.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"
#include "mta/base/log.h"
#include "mta/base/str.h"
#include "router/ses/call_int.h"
#include "router/ses/credentials.h"

#define TIMEOUT		((int64_t)30 * 1000)
#define CONNECT_TIMEOUT ((int64_t)10 * 1000)
#define ANSWER_MAX	((size_t)1 << 20)
#define CLOCK_IS_RIGHT	((int64_t)60 * 1000) /* ms that it may be wrong */

struct aws_call {
	struct https *https;
	struct aws_site *site;
	struct aws_request request; /* its texts are the call's own */
	char hash[SIGV4_HASH_TEXT];
	struct https_call *http;
	struct event *soon; /* tells that there are no credentials */
	struct err why;
	int64_t signed_at;
	bool signed_again;
	bool ended;
	void (*done)(void *, const struct aws_answer *);
	void *arg;
};

/* ------ sites */

static char *
service_endpoint(const char *region, const char *service)
{
	struct str s = STR_INIT;

	str_addf(&s, "https://%s.%s.amazonaws.com%s",
	    strcmp(service, "ses") == 0 ? "email" : service, region,
	    strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	return str_detach(&s);
}

struct aws_site *
aws_site_new(const char *region, const char *service, const char *endpoint,
    const char *ca_file, struct credentials_provider *credentials)
{
	struct aws_site *s = xcalloc(1, sizeof(*s));

	s->region = xstrdup(region);
	s->service = xstrdup(service);
	s->endpoint = endpoint != NULL ? xstrdup(endpoint)
				       : service_endpoint(region, service);
	s->ca_file = xstrdup(ca_file);
	s->credentials = credentials;
	return s;
}

void
aws_site_free(struct aws_site **site)
{
	struct aws_site *s = *site;

	if (s == NULL)
		return;
	free(s->region);
	free(s->service);
	free(s->endpoint);
	free(s->ca_file);
	free(s);
	*site = NULL;
}

/* AWS's clock, as far as we have had to know. */
static int64_t
site_time(struct aws_site *s)
{
	return clock_wall() + (s->skewed ? s->skew : 0);
}

static void
say_skew(const struct aws_site *s, int64_t skew)
{
	struct logline l;

	if (!log_start(&l, LOG_ERROR, "clock"))
		return;
	log_str(&l, "service", s->service);
	log_str(&l, "endpoint", s->endpoint);
	log_int(&l, "skew", skew / 1000);
	log_str(&l, "text",
	    "AWS refuses our signatures because our clock is wrong: signing "
	    "by AWS's clock until ours is right");
	log_end(&l);
}

static void
note_refused_clock(struct aws_site *s, int64_t skew)
{
	bool wrong = llabs(skew) > CLOCK_IS_RIGHT;

	s->skew = skew;
	if (atomic_exchange(&s->skewed, wrong) != wrong && wrong)
		say_skew(s, skew);
}

/* Of an answer that AWS gave; a clock that was wrong may be right again. */
static void
note_clock(struct aws_site *s, int64_t skew)
{
	s->skew = skew;
	if (s->skewed && llabs(skew) <= CLOCK_IS_RIGHT &&
	    atomic_exchange(&s->skewed, false))
		log_text(LOG_INFO, "clock",
		    "our clock agrees with that of %s again", s->endpoint);
}

/* ------ the request */

void
aws_encode(struct str *s, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; *text != '\0'; text++)
		if (strchr(plain, *text) != NULL)
			str_addc(s, *text);
		else
			str_addf(s, "%%%02X", (unsigned)(unsigned char)*text);
}

#define HEADERS_MAX 6

/* Of the request on the wire: those that are signed, then what signing adds. */
struct headers {
	struct sigv4_header pair[HEADERS_MAX];
	size_t n;
};

static void
add_header(struct headers *h, const char *name, const char *value)
{
	if (value == NULL)
		return;
	assert(h->n < HEADERS_MAX);
	h->pair[h->n++] = (struct sigv4_header){ name, value };
}

/* "https://host:port/prefix": host and port to *host, returns "/prefix". */
static const char *
split_endpoint(const char *endpoint, struct str *host)
{
	const char *start = strstr(endpoint, "://");
	size_t len;

	start = start != NULL ? start + 3 : endpoint;
	len = strcspn(start, "/");
	str_add(host, start, len);
	return start + len;
}

static void
sign(struct aws_call *c, const struct credentials *keys, const char *path,
    struct headers *h, char date[static SIGV4_DATE_TEXT],
    struct str *authorization)
{
	const struct aws_request *r = &c->request;
	struct sigv4_request request = { .method = r->method,
		.path = path,
		.query = r->query != NULL ? r->query : "",
		.headers = h->pair,
		.nheaders = h->n,
		.payload_hash = c->hash };
	struct sigv4_key key = { keys->access_key, keys->secret, keys->token };

	c->signed_at = site_time(c->site);
	sigv4_sign(&request, &key, c->site->region, c->site->service,
	    c->signed_at, date, authorization);
	add_header(h, "X-Amz-Date", date);
	add_header(h, "X-Amz-Security-Token", keys->token);
	add_header(h, "Authorization", authorization->data);
}

static void on_answer(void *, const struct https_answer *);

static void
send_signed(struct aws_call *c, const char *url, const struct headers *h)
{
	const struct aws_request *r = &c->request;
	struct str lines[HEADERS_MAX];
	const char *texts[HEADERS_MAX];
	struct https_request request = { .method = r->method,
		.url = url,
		.headers = texts,
		.nheaders = h->n,
		.body = r->body,
		.body_len = r->body_len,
		.read = r->read,
		.read_arg = r->read_arg,
		.ca_file = c->site->ca_file,
		.connect_timeout = CONNECT_TIMEOUT,
		.timeout = r->timeout,
		.max_answer = r->max_answer };

	for (size_t i = 0; i < h->n; i++) {
		str_init(&lines[i]);
		str_addf(
		    &lines[i], "%s: %s", h->pair[i].name, h->pair[i].value);
		texts[i] = lines[i].data;
	}
	c->http = https_call_new(c->https, &request, on_answer, c);
	for (size_t i = 0; i < h->n; i++)
		str_release(&lines[i]);
}

static void
send_as(struct aws_call *c, const struct credentials *keys)
{
	const struct aws_request *r = &c->request;
	struct str host = STR_INIT, path = STR_INIT, url = STR_INIT;
	struct str authorization = STR_INIT;
	char date[SIGV4_DATE_TEXT];
	struct headers h = { .n = 0 };

	str_adds(&path, split_endpoint(c->site->endpoint, &host));
	str_adds(&path, r->path);
	str_addf(&url, "%.*s%s%s%s",
	    (int)(strlen(c->site->endpoint) - path.len + strlen(r->path)),
	    c->site->endpoint, path.data, r->query != NULL ? "?" : "",
	    r->query != NULL ? r->query : "");
	add_header(&h, "Host", host.data);
	add_header(&h, "Content-Type", r->content_type);
	add_header(&h, "X-Amz-Target", r->target);
	sign(c, keys, path.data, &h, date, &authorization);
	send_signed(c, url.data, &h);
	str_release(&authorization);
	str_release(&host);
	str_release(&path);
	str_release(&url);
}

static void
end(struct aws_call *c, const struct aws_answer *a)
{
	c->ended = true;
	c->done(c->arg, a);
	c->ended = false;
	aws_call_free(&c);
}

static void
on_no_credentials(evutil_socket_t fd, short what, void *arg)
{
	struct aws_call *c = arg;
	struct aws_answer a = {
		.why = c->why, .body = "", .no_credentials = true
	};

	(void)fd;
	(void)what;
	end(c, &a);
}

static void
start(struct aws_call *c)
{
	static const struct timeval now = { .tv_sec = 0 };
	struct credentials *keys =
	    credentials_now(c->site->credentials, &c->why);

	if (keys != NULL) {
		send_as(c, keys);
		credentials_unref(&keys);
		return;
	}
	c->soon = evtimer_new(https_base(c->https), on_no_credentials, c);
	assert(c->soon != NULL);
	evtimer_add(c->soon, &now);
}

static void
copy_request(struct aws_call *c, const struct aws_request *r)
{
	c->request = *r;
	c->request.method = xstrdup(r->method);
	c->request.path = xstrdup(r->path);
	c->request.query = xstrdup(r->query);
	c->request.content_type = xstrdup(r->content_type);
	c->request.target = xstrdup(r->target);
	if (r->timeout == 0)
		c->request.timeout = TIMEOUT;
	if (r->max_answer == 0)
		c->request.max_answer = ANSWER_MAX;
	if (r->body_hash != NULL) {
		assert(strlen(r->body_hash) == SIGV4_HASH_TEXT - 1);
		memcpy(c->hash, r->body_hash, SIGV4_HASH_TEXT);
	} else {
		assert(r->body != NULL || r->body_len == 0);
		sigv4_hash(
		    r->body != NULL ? r->body : "", r->body_len, c->hash);
	}
}

struct aws_call *
aws_call_new(struct https *https, struct aws_site *site,
    const struct aws_request *r,
    void (*done)(void *arg, const struct aws_answer *), void *arg)
{
	struct aws_call *c = xcalloc(1, sizeof(*c));

	c->https = https;
	c->site = site;
	c->done = done;
	c->arg = arg;
	copy_request(c, r);
	start(c);
	return c;
}

static void
free_text(const char *text)
{
	free((void *)(uintptr_t)text);
}

void
aws_call_free(struct aws_call **call)
{
	struct aws_call *c = *call;

	*call = NULL;
	if (c == NULL || c->ended) /* from inside its `done` */
		return;
	https_call_free(&c->http);
	if (c->soon != NULL)
		event_free(c->soon);
	free_text(c->request.method);
	free_text(c->request.path);
	free_text(c->request.query);
	free_text(c->request.content_type);
	free_text(c->request.target);
	free(c);
}

/* ------ the answer */

/* True: it was refused because of the time, and has been signed once more. */
static bool
mend_skew(struct aws_call *c, const struct aws_answer *a, const char *date)
{
	int64_t theirs;

	if (date == NULL || aws_date_read(date, &theirs) != 0)
		return false;
	if (!aws_answer_says_skew(a, c->signed_at, theirs)) {
		note_clock(c->site, theirs - clock_wall());
		return false;
	}
	note_refused_clock(c->site, theirs - clock_wall());
	if (c->signed_again ||
	    (c->request.body == NULL && c->request.body_len > 0 &&
		c->request.rewind == NULL))
		return false;
	c->signed_again = true;
	if (c->request.rewind != NULL)
		c->request.rewind(c->request.read_arg);
	start(c);
	return true;
}

static void
on_answer(void *arg, const struct https_answer *http)
{
	struct aws_call *c = arg;
	struct aws_answer a = {
		.why = http->why,
		.body = "",
		.may_be_sent = http->may_be_sent,
		.untrusted = http->untrusted,
	};
	struct aws_answer_headers h = {
		.error_type = https_header(http, "x-amzn-ErrorType"),
		.request_id = https_header(http, "x-amzn-RequestId"),
		.date = https_header(http, "Date"),
	};

	c->http = NULL; /* it frees itself */
	if (http->status != 0)
		aws_answer_read(&a, http->status, &h, http->body, http->len);
	if (http->status == 0 || !mend_skew(c, &a, h.date))
		end(c, &a);
	json_decref((json_t *)(uintptr_t)a.json);
}
