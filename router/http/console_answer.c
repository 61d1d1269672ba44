/*
 * console_answer.c - what the console sends: headers that keep a browser to
 * what our pages do, its files, short answers.
 */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/http/console_files.h"
#include "router/http/console_head.h"
#include "router/http/console_int.h"
#include "router/http/status.h"

/* Nothing but our own files is run, shown or asked, nobody shows us in a frame,
 * and a form goes nowhere else. */
static const struct {
	const char *name, *value;
} always[] = {
	{ "Content-Security-Policy",
	    "default-src 'none'; script-src 'self'; style-src 'self'; "
	    "img-src 'self' data:; connect-src 'self'; font-src 'self'; "
	    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "X-Frame-Options", "DENY" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Permissions-Policy",
	    "camera=(), geolocation=(), microphone=(), payment=(), usb=()" },
};

static void
put(struct evhttp_request *http, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(http), name, value);
}

const char *
console_header(struct evhttp_request *http, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(http), name);
}

void
console_put_headers(const struct console *c, struct evhttp_request *http)
{
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		put(http, always[i].name, always[i].value);
	if (c->hsts)
		put(http, "Strict-Transport-Security", "max-age=31536000");
	put(http, "Cache-Control", "no-store");
}

void
console_reply(struct evhttp_request *http, int status, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);

	json_decref(reply);
	if (text == NULL)
		abort(); /* out of memory */
	put(http, "Content-Type", "application/json");
	evbuffer_add_printf(
	    evhttp_request_get_output_buffer(http), "%s\n", text);
	free(text);
	evhttp_send_reply(http, status, http_status_text(status), NULL);
}

void
console_error(struct evhttp_request *http, int status, const char *text)
{
	json_t *reply = json_object();

	json_object_set_new(reply, "error", json_string(text));
	console_reply(http, status, reply);
}

/* -- files ----------------------------------------------------------------- */

/* A browser keeps them and asks whether they are still the same: a new program
 * may have other ones. */
void
console_send_file(struct evhttp_request *http, const char *path)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(http);
	const struct console_file *f = console_file_find(path);
	bool zip = console_takes_gzip(console_header(http, "Accept-Encoding"));
	struct evkeyvalq *headers = evhttp_request_get_output_headers(http);
	const unsigned char *from, *end;

	if (f == NULL ||
	    (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD)) {
		console_error(http, f == NULL ? 404 : 405,
		    f == NULL ? "no such address" : "method not allowed");
		return;
	}
	evhttp_remove_header(headers, "Cache-Control");
	put(http, "Cache-Control", "no-cache");
	put(http, "ETag", f->tag);
	put(http, "Vary", "Accept-Encoding");
	if (console_has_tag(console_header(http, "If-None-Match"), f->tag)) {
		evhttp_send_reply(http, 304, http_status_text(304), NULL);
		return;
	}
	put(http, "Content-Type", f->type);
	if (zip)
		put(http, "Content-Encoding", "gzip");
	from = zip ? f->zipped : f->text;
	end = zip ? f->end : f->zipped;
	if (method == EVHTTP_REQ_GET)
		evbuffer_add_reference(evhttp_request_get_output_buffer(http),
		    from, (size_t)(end - from), NULL, NULL);
	evhttp_send_reply(http, 200, http_status_text(200), NULL);
}
