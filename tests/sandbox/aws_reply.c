/*
 * aws_reply.c - answers of the sandbox's AWS: as each protocol has them, and as
 * a mood spoils them.
 *
 * The body of an answer goes to one function, send_answer, whatever the
 * protocol; only there the mood is looked at.
 */
#include "tests/sandbox/aws_int.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define HUGE_TOTAL (100ull * 1024 * 1024)
#define HUGE_CHUNK 65536

/* clang-format off */
static const struct { int code; const char *text; } reasons[] = {
	{ 200, "OK" }, { 302, "Found" }, { 400, "Bad Request" }, { 403, "Forbidden" },
	{ 404, "Not Found" }, { 409, "Conflict" }, { 413, "Payload Too Large" },
	{ 429, "Too Many Requests" }, { 500, "Internal Server Error" },
	{ 501, "Not Implemented" }, { 502, "Bad Gateway" }, { 503, "Service Unavailable" },
};

static const struct { const char *version, *space; } spaces[] = {
	{ "2010-12-01", "http://ses.amazonaws.com/doc/2010-12-01/" },
	{ "2010-03-31", "http://sns.amazonaws.com/doc/2010-03-31/" },
	{ "2012-11-05", "http://queue.amazonaws.com/doc/2012-11-05/" },
};
/* clang-format on */

static const char *
reason(int code)
{
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].code == code)
			return reasons[i].text;
	return "Answer";
}

/* RFC 9110 5.6.7 */
static void
date_text(int64_t ms, char text[static 40])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	strftime(text, 40, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
}

static void
add_headers(struct pending *p, const char *content_type)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(p->x.http);
	char date[40];

	date_text(aws_now(p->x.sandbox), date);
	evhttp_add_header(h, "x-amzn-RequestId", p->id);
	evhttp_add_header(h, "Date", date);
	if (content_type != NULL)
		evhttp_add_header(h, "Content-Type", content_type);
}

/* --- ends without an answer --- */

/* evhttp says FIN before it closes a socket; this says RST before it can. */
static void
reset(struct evhttp_connection *c)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(c);
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	(void)connect(bufferevent_getfd(bev), &nobody, sizeof(nobody));
}

/* A request whose client has gone has no connection; libevent then frees it
 * with its answer. */
static void
drop(struct pending *p, bool with_reset)
{
	struct evhttp_connection *c = evhttp_request_get_connection(p->x.http);

	if (c == NULL) {
		evhttp_send_reply(p->x.http, 200, "OK", NULL);
		return;
	}
	if (with_reset)
		reset(c);
	evhttp_connection_free(c);
}

static void
on_drop(evutil_socket_t fd, short what, void *arg)
{
	struct pending *p = arg;

	(void)fd;
	(void)what;
	drop(p, p->mood->act == ACT_RESET);
	aws_done(p);
}

/* Not from within evhttp's own callback, which goes on with the connection. */
static void
drop_soon(struct pending *p)
{
	struct timeval now = { 0 };

	event_free(p->timer);
	p->timer = evtimer_new(p->x.sandbox->base, on_drop, p);
	evtimer_add(p->timer, &now);
}

/* --- half an answer --- */

static void
on_half_written(struct bufferevent *bev, void *arg)
{
	(void)bev;
	evhttp_connection_free(arg);
}

static void
on_half_failed(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	evhttp_connection_free(arg);
}

/* The connection is taken from evhttp, which cannot do such a thing. */
static void
on_half(evutil_socket_t fd, short what, void *arg)
{
	struct pending *p = arg;
	struct evhttp_connection *c = evhttp_request_get_connection(p->x.http);
	size_t len = evbuffer_get_length(p->late);
	struct bufferevent *bev;
	struct str head = STR_INIT;

	(void)fd;
	(void)what;
	if (c == NULL) {
		drop(p, false);
		aws_done(p);
		return;
	}
	bev = evhttp_connection_get_bufferevent(c);
	str_addf(&head,
	    "HTTP/1.1 %d %s\r\nx-amzn-RequestId: %s\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    p->late_status, reason(p->late_status), p->id, len);
	str_add(&head, evbuffer_pullup(p->late, -1), len / 2);
	bufferevent_setcb(bev, NULL, on_half_written, on_half_failed, c);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	bufferevent_write(bev, head.data, head.len);
	str_release(&head);
	aws_done(p);
}

/* --- answers --- */

static void
finish(struct pending *p, int status, struct evbuffer *body)
{
	evhttp_send_reply(p->x.http, status, reason(status), body);
	aws_done(p);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct pending *p = arg;

	(void)fd;
	(void)what;
	finish(p, p->late_status, p->late);
}

static void
keep_for(struct pending *p, int status, struct evbuffer *body, unsigned ms,
    event_callback_fn call)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (ms % 1000) * 1000 };

	p->late = evbuffer_new();
	evbuffer_add_buffer(p->late, body);
	p->late_status = status;
	event_free(p->timer);
	p->timer = evtimer_new(p->x.sandbox->base, call, p);
	evtimer_add(p->timer, &tv);
}

static void
add_much(struct evbuffer *body)
{
	static char spaces_chunk[HUGE_CHUNK];
	uint64_t n;

	memset(spaces_chunk, ' ', sizeof(spaces_chunk));
	for (n = 0; n < HUGE_TOTAL; n += HUGE_CHUNK)
		evbuffer_add_reference(
		    body, spaces_chunk, HUGE_CHUNK, NULL, NULL);
}

static void
send_answer(struct pending *p, int status, struct evbuffer *body)
{
	enum aws_act act = p->mood != NULL ? p->mood->act : ACT_NONE;
	struct evbuffer *half;

	switch (act) {
	case ACT_CLOSE:
	case ACT_RESET:
		drop_soon(p);
		break;
	case ACT_SILENCE:
		break;
	case ACT_TRUNCATE:
		keep_for(p, status, body, 0, on_half);
		break;
	case ACT_SLOW:
		keep_for(p, status, body, p->aws->mood_ms, on_late);
		break;
	case ACT_GARBLE:
		half = evbuffer_new();
		evbuffer_remove_buffer(
		    body, half, evbuffer_get_length(body) / 2);
		finish(p, status, half);
		evbuffer_free(half);
		break;
	case ACT_HUGE:
		add_much(body);
		finish(p, status, body);
		break;
	case ACT_NONE:
	case ACT_FAULT:
	case ACT_ANSWER:
	case ACT_DOWN:
		if (p->hold > 0)
			keep_for(p, status, body, p->hold, on_late);
		else
			finish(p, status, body);
		break;
	}
}

void
aws_hold(struct aws_exchange *x, unsigned ms)
{
	((struct pending *)x)->hold = ms;
}

void
aws_reply(struct aws_exchange *x, int status, const char *content_type,
    const char *body, size_t len)
{
	struct pending *p = (struct pending *)x;
	struct evbuffer *out = evbuffer_new();

	add_headers(p, content_type);
	if (len > 0)
		evbuffer_add(out, body, len);
	send_answer(p, status, out);
	evbuffer_free(out);
}

void
aws_act(struct pending *p)
{
	const struct aws_mood *m = p->mood;

	switch (m->act) {
	case ACT_CLOSE:
	case ACT_RESET:
	case ACT_DOWN:
		drop_soon(p);
		break;
	case ACT_ANSWER:
		if (m->status == 302)
			evhttp_add_header(
			    evhttp_request_get_output_headers(p->x.http),
			    "Location", "http://169.254.169.254/latest/");
		aws_reply(&p->x, m->status, m->type, m->body, strlen(m->body));
		break;
	case ACT_NONE:
	case ACT_FAULT:
	case ACT_SILENCE:
	case ACT_TRUNCATE:
	case ACT_GARBLE:
	case ACT_HUGE:
	case ACT_SLOW:
		break;
	}
}

void
aws_reply_error(
    struct aws_exchange *x, int status, const char *type, const char *message)
{
	struct str o = STR_INIT;
	bool json_protocol = aws_header(x, "X-Amz-Target") != NULL;

	json_open(&o, NULL, '{');
	if (json_protocol)
		json_str(&o, "__type", type);
	json_str(&o, "message", message);
	json_close(&o, '}');
	evhttp_add_header(evhttp_request_get_output_headers(x->http),
	    "x-amzn-ErrorType", type);
	aws_reply(x, status,
	    json_protocol ? "application/x-amz-json-1.0" : "application/json",
	    o.data, o.len);
	str_release(&o);
}

void
aws_xml(struct str *out, const char *text)
{
	static const char special[] = "&<>\"";
	static const char *const names[] = { "&amp;", "&lt;", "&gt;",
		"&quot;" };
	const char *at;

	for (; *text != '\0'; text++) {
		at = strchr(special, *text);
		if (at != NULL)
			str_adds(out, names[at - special]);
		else
			str_addc(out, *text);
	}
}

void
aws_reply_fault(struct aws_exchange *x, enum ses_fault fault, const char *text)
{
	const struct ses_fault_row *r = &ses_fault_rows[fault];

	if (text == NULL)
		text = r->text;
	if (aws_arg(x, "Action") != NULL)
		aws_reply_error_xml(x, r->query_status, r->code, text);
	else
		aws_reply_error(x, r->status, r->type, text);
}

static const char *
space_of(const struct aws_exchange *x)
{
	const char *version = aws_arg(x, "Version");
	size_t i;

	for (i = 0; version != NULL && i < sizeof(spaces) / sizeof(spaces[0]);
	     i++)
		if (strcmp(spaces[i].version, version) == 0)
			return spaces[i].space;
	return spaces[0].space;
}

void
aws_reply_error_xml(
    struct aws_exchange *x, int status, const char *code, const char *message)
{
	struct str o = STR_INIT;

	str_addf(&o,
	    "<ErrorResponse xmlns=\"%s\">\n  <Error>\n    <Type>%s</Type>\n"
	    "    <Code>%s</Code>\n    <Message>",
	    space_of(x), status >= 500 ? "Receiver" : "Sender", code);
	aws_xml(&o, message);
	str_addf(&o,
	    "</Message>\n  </Error>\n  <RequestId>%s</RequestId>\n"
	    "</ErrorResponse>\n",
	    ((struct pending *)x)->id);
	aws_reply(x, status, "text/xml", o.data, o.len);
	str_release(&o);
}

void
aws_request_id(struct aws_exchange *x, char id[static 37])
{
	strcpy(id, ((struct pending *)x)->id);
}
