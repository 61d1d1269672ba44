/*
 * admin_answer.c - answers of the admin API, and what they are made of.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "mta/smtp/utf8.h"
#include "router/http/admin_int.h"
#include "router/http/status.h"

void
admin_reply_text(struct admin_request *r, int status, const char *text)
{
	struct evhttp_request *http = r->http;
	struct evkeyvalq *headers;
	struct evbuffer *out;

	if (http != NULL) {
		headers = evhttp_request_get_output_headers(http);
		evhttp_add_header(headers, "Content-Type", "application/json");
		out = evhttp_request_get_output_buffer(http);
		evbuffer_add(out, text, strlen(text));
		evbuffer_add(out, "\n", 1);
	}
	admin_request_free(r);
	if (http != NULL)
		evhttp_send_reply(http, status, http_status_text(status), NULL);
}

static void
on_large_sent(const void *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	admin_large_unref(arg);
}

/* The last byte of a large answer says when all of it has been let go of. */
void
admin_reply_out(struct admin_request *r)
{
	static const char end[] = "\n";
	struct evhttp_request *http = r->http;
	struct evbuffer *out;

	if (http != NULL) {
		evhttp_add_header(evhttp_request_get_output_headers(http),
		    "Content-Type", "application/json");
		out = evhttp_request_get_output_buffer(http);
		evbuffer_add_buffer(out, r->out);
		if (evbuffer_add_reference(
			out, end, 1, on_large_sent, r->large) == 0)
			r->large = NULL;
	}
	admin_request_free(r);
	if (http != NULL)
		evhttp_send_reply(http, 200, http_status_text(200), NULL);
}

void
admin_reply(struct admin_request *r, int status, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);

	json_decref(reply);
	admin_reply_text(r, status, text ? text : "{}");
	free(text);
}

json_t *
admin_error_object(const char *fmt, va_list ap)
{
	struct str text = STR_INIT;
	json_t *reply = json_object();

	str_vaddf(&text, fmt, ap);
	admin_put(reply, "error", text.data);
	str_release(&text);
	return reply;
}

void
admin_error(struct admin_request *r, int status, const char *fmt, ...)
{
	json_t *reply;
	va_list ap;

	va_start(ap, fmt);
	reply = admin_error_object(fmt, ap);
	va_end(ap);
	admin_reply(r, status, reply);
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629); 0: none. */
static size_t
utf8_length(const char *p)
{
	size_t most = strnlen(p, 4);
	bool beyond;

	for (size_t len = 1; len <= most; len++)
		if (utf8_check(p, len, &beyond))
			return len;
	return 0;
}

void
admin_put(json_t *object, const char *key, const char *text)
{
	const char *from = text ? text : "";
	json_t *value = json_string(from);
	struct str clean = STR_INIT;

	for (; value == NULL && *from != '\0';) {
		size_t len = utf8_length(from);

		str_add(&clean, len ? from : "?", len ? len : 1);
		from += len ? len : 1;
	}
	json_object_set_new(
	    object, key, value ? value : json_string(clean.data));
	str_release(&clean);
}

void
admin_put_time(json_t *object, const char *key, int64_t wall)
{
	char buf[25];

	json_object_set_new(object, key,
	    wall > 0 ? json_string(clock_iso(wall, buf)) : json_null());
}

static void
free_text(const void *text, size_t len, void *arg)
{
	(void)len;
	(void)arg;
	free((void *)(uintptr_t)text);
}

void
admin_out_json(struct admin_request *r, const char *before, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	json_decref(value);
	if (text == NULL || evbuffer_add(r->out, before, strlen(before)) != 0 ||
	    evbuffer_add_reference(
		r->out, text, strlen(text), free_text, NULL) != 0)
		abort(); /* out of memory */
}

const char *
admin_arg(struct admin_request *r, const char *name)
{
	return evhttp_find_header(&r->args, name);
}

int
admin_number(const char *text, int64_t least, int64_t most, int64_t *n)
{
	char *end = NULL;

	errno = 0;
	*n = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
	    *n < least || *n > most)
		return -1;
	return 0;
}
