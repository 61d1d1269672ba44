/*
 * ses_server.h - as much of the SES API as the Amazon thread asks for: an
 * account and its suppression list, on a test's own event base.
 */
#ifndef TESTS_UNIT_SES_SERVER_H
#define TESTS_UNIT_SES_SERVER_H

#include <assert.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SES_LIST "/v2/email/suppression/addresses"
#define SES_MOST 100

struct ses_server {
	struct evhttp *http;
	char endpoint[64];
	size_t page; /* entries in a page, whatever is asked for */

	struct {
		char address[64];
		const char *reason;
	} list[SES_MOST];
	size_t n;
	unsigned requests, gets, puts, deletes, accounts;

	const char *account; /* the answer to GetAccount */
	int account_status;
	/* The next so many requests for the list are answered like that. */
	unsigned bad;
	int bad_status;
	const char *bad_type;
	bool same_page; /* for ever */
};

static inline void
ses_reply(
    struct evhttp_request *r, int status, const char *type, const char *body)
{
	struct evbuffer *out = evhttp_request_get_output_buffer(r);

	if (type != NULL)
		evhttp_add_header(evhttp_request_get_output_headers(r),
		    "x-amzn-ErrorType", type);
	evbuffer_add_printf(out, "%s", body);
	evhttp_send_reply(r, status, "said", NULL);
}

static inline void
ses_set(struct ses_server *s, const char *address, const char *reason)
{
	assert(s->n < SES_MOST);
	snprintf(
	    s->list[s->n].address, sizeof(s->list[0].address), "%s", address);
	s->list[s->n++].reason = reason;
}

/* Index, or -1. */
static inline int
ses_find(const struct ses_server *s, const char *address)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcasecmp(s->list[i].address, address) == 0)
			return (int)i;
	return -1;
}

static inline void
ses_unset(struct ses_server *s, size_t i)
{
	memmove(
	    &s->list[i], &s->list[i + 1], (--s->n - i) * sizeof(s->list[0]));
}

static inline void
ses_send_page(struct ses_server *s, struct evhttp_request *r)
{
	json_t *reply = json_object(), *rows = json_array();
	struct evkeyvalq query;
	const char *reason, *token;
	size_t i = 0;
	char *text, next[20];

	evhttp_parse_query_str(
	    evhttp_uri_get_query(evhttp_request_get_evhttp_uri(r)), &query);
	reason = evhttp_find_header(&query, "Reason");
	token = evhttp_find_header(&query, "NextToken");
	if (token != NULL && !s->same_page)
		i = strtoul(token + 4, NULL, 10);
	for (; i < s->n && json_array_size(rows) < s->page; i++)
		if (reason == NULL || strcmp(reason, s->list[i].reason) == 0)
			json_array_append_new(rows,
			    json_pack("{s:s, s:s, s:f}", "EmailAddress",
				s->list[i].address, "Reason", s->list[i].reason,
				"LastUpdateTime", 1585761795.0));
	json_object_set_new(reply, "SuppressedDestinationSummaries", rows);
	snprintf(next, sizeof(next), "a/+=%zu", i);
	if (i < s->n)
		json_object_set_new(reply, "NextToken", json_string(next));
	text = json_dumps(reply, 0);
	ses_reply(r, 200, NULL, text);
	free(text);
	json_decref(reply);
	evhttp_clear_headers(&query);
}

static inline void
ses_take_put(struct ses_server *s, struct evhttp_request *r)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(r);
	json_t *body = json_loadb(
	    (char *)evbuffer_pullup(in, -1), evbuffer_get_length(in), 0, NULL);
	const char *address =
	    json_string_value(json_object_get(body, "EmailAddress"));
	const char *reason = json_string_value(json_object_get(body, "Reason"));

	assert(address != NULL && reason != NULL);
	s->puts++;
	if (ses_find(s, address) < 0)
		ses_set(s, address,
		    strcmp(reason, "BOUNCE") == 0 ? "BOUNCE" : "COMPLAINT");
	json_decref(body);
	ses_reply(r, 200, NULL, "{}");
}

static inline void
ses_on_address(struct ses_server *s, struct evhttp_request *r, int at)
{
	char body[300];

	if (at < 0) {
		ses_reply(r, 404, "NotFoundException",
		    "{\"message\":\"it is not on your suppression list.\"}");
	} else if (evhttp_request_get_command(r) == EVHTTP_REQ_DELETE) {
		s->deletes++;
		ses_unset(s, (size_t)at);
		ses_reply(r, 200, NULL, "{}");
	} else {
		snprintf(body, sizeof(body),
		    "{\"SuppressedDestination\":{\"EmailAddress\":\"%s\","
		    "\"Reason\":\"%s\",\"LastUpdateTime\":1585761795.0,"
		    "\"Attributes\":{\"MessageId\":\"m-1\"}}}",
		    s->list[at].address, s->list[at].reason);
		ses_reply(r, 200, NULL, body);
	}
}

static inline void
ses_on_list(struct ses_server *s, struct evhttp_request *r, const char *path)
{
	char *address;

	if (s->bad > 0) {
		s->bad--;
		ses_reply(r, s->bad_status, s->bad_type,
		    "{\"message\":\"as the test wants it\"}");
	} else if (path[strlen(SES_LIST)] == '/') {
		address =
		    evhttp_uridecode(path + strlen(SES_LIST) + 1, 0, NULL);
		ses_on_address(s, r, ses_find(s, address));
		free(address);
	} else if (evhttp_request_get_command(r) == EVHTTP_REQ_PUT) {
		ses_take_put(s, r);
	} else {
		s->gets++;
		ses_send_page(s, r);
	}
}

static inline void
ses_on_request(struct evhttp_request *r, void *arg)
{
	struct ses_server *s = arg;
	const char *path =
	    evhttp_uri_get_path(evhttp_request_get_evhttp_uri(r));

	s->requests++;
	if (strcmp(path, "/v2/email/account") == 0) {
		s->accounts++;
		ses_reply(r, s->account_status,
		    s->account_status == 403 ? "AccessDeniedException" : NULL,
		    s->account);
	} else {
		assert(strncmp(path, SES_LIST, strlen(SES_LIST)) == 0);
		ses_on_list(s, r, path);
	}
}

static inline void
ses_start(struct ses_server *s, struct event_base *base)
{
	struct evhttp_bound_socket *bound;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	*s = (struct ses_server){ .page = 1000,
		.account_status = 200,
		.account = "{\"SendQuota\":{\"Max24HourSend\":50000.0,"
			   "\"MaxSendRate\":14.0,\"SentLast24Hours\":7.0},"
			   "\"ProductionAccessEnabled\":true}" };
	s->http = evhttp_new(base);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_PUT |
						EVHTTP_REQ_DELETE |
						EVHTTP_REQ_POST);
	evhttp_set_gencb(s->http, ses_on_request, s);
	bound = evhttp_bind_socket_with_handle(s->http, "127.0.0.1", 0);
	assert(bound != NULL);
	getsockname(
	    evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&sin, &len);
	snprintf(s->endpoint, sizeof(s->endpoint), "http://127.0.0.1:%u",
	    ntohs(sin.sin_port));
}

static inline void
ses_stop(struct ses_server *s)
{
	evhttp_free(s->http);
}

#endif
