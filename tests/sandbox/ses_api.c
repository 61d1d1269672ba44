/*
 * ses_api.c - SES's API version 2, as far as a sender needs it.
 *
 * One row of `operations` per call; {} in its path stands for one segment.
 */
#include "tests/sandbox/aws.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/aws_int.h"
#include "tests/sandbox/base64.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/message.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/ses_api.h"
#include "tests/sandbox/ses_take.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MOST 41943040
#define BAD_JSON     "Could not parse request body into json"
#define RATE_MOST                                                              \
	100000 /* stands for "no limit", which GetAccount cannot say */

void
ses_api_answer(struct aws_exchange *x, struct str *o)
{
	aws_reply(x, 200, "application/json", o->data, o->len);
	str_release(o);
}

void
ses_api_empty(struct aws_exchange *x)
{
	aws_reply(x, 200, "application/json", "{}", 2);
}

/* --- SendEmail --- */

static const char *
text_of(const json_t *in, const char *key)
{
	return json_string_value(json_object_get(in, key));
}

static void
add_addresses(struct submission *m, const json_t *list)
{
	const char *text;
	char *address;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		text = json_string_value(json_array_get(list, i));
		address = ses_take_address(text != NULL ? text : "");
		submission_to(m, address);
		free(address);
	}
}

static void
read_destination(struct submission *m, const json_t *to)
{
	add_addresses(m, json_object_get(to, "ToAddresses"));
	add_addresses(m, json_object_get(to, "CcAddresses"));
	add_addresses(m, json_object_get(to, "BccAddresses"));
}

static void
read_tags(struct submission *m, const json_t *tags)
{
	const char *name, *value;
	size_t i;

	for (i = 0; i < json_array_size(tags); i++) {
		name = text_of(json_array_get(tags, i), "Name");
		value = text_of(json_array_get(tags, i), "Value");
		if (name != NULL && value != NULL)
			submission_tag(
			    m, name, strlen(name), value, strlen(value));
	}
}

/* Who sends: the address for feedback, the one named, the header's. */
static void
read_sender(struct submission *m, const json_t *in, const struct str *data)
{
	const char *from = text_of(in, "FromEmailAddress");
	const char *feedback = text_of(in, "FeedbackForwardingEmailAddress");
	struct str value = STR_INIT;

	if (from != NULL)
		m->from = ses_take_address(from);
	if (feedback != NULL)
		m->source = ses_take_address(feedback);
	else if (from != NULL)
		m->source = ses_take_address(from);
	else if (message_field(data->data, data->len, "From", 0, &value))
		m->source = ses_take_address(value.data);
	else
		m->source = xstrdup("");
	str_release(&value);
}

/* Where the base64 of Content.Raw.Data stands in a request. */
struct raw {
	const char *data; /* NULL: not found, so it is read as JSON */
	size_t len;
};

static const char *
skip_to(const char *p, const char *end, const char *name)
{
	p = memmem(p, (size_t)(end - p), name, strlen(name));
	return p != NULL ? p + strlen(name) : NULL;
}

/* Between quotes and without an escape, which base64 does not need. */
static struct raw
find_raw(const struct aws_exchange *x)
{
	const char *end = x->body + x->len, *p;
	size_t n;

	p = skip_to(x->body, end, "\"Raw\"");
	if (p != NULL)
		p = skip_to(p, end, "\"Data\"");
	if (p == NULL)
		return (struct raw){ NULL, 0 };
	p += strspn(p, " \t\r\n:");
	if (*p++ != '"')
		return (struct raw){ NULL, 0 };
	n = strcspn(p, "\"\\");
	return p[n] == '"' ? (struct raw){ p, n } : (struct raw){ NULL, 0 };
}

/* jansson takes seconds for the largest message, so it is not shown that. */
static json_t *
load(const struct aws_exchange *x, const struct raw *raw)
{
	struct str rest = STR_INIT;
	json_t *in;

	if (raw->data == NULL)
		return json_loadb(x->body, x->len, 0, NULL);
	str_add(&rest, x->body, (size_t)(raw->data - x->body));
	str_adds(&rest, raw->data + raw->len);
	in = json_loadb(rest.data, rest.len, 0, NULL);
	str_release(&rest);
	return in;
}

static bool
read_raw(const json_t *in, const struct raw *raw, struct str *data)
{
	const json_t *text = json_object_get(in, "Data");

	if (!json_is_string(text))
		return false;
	if (raw->data != NULL)
		return base64_decode(raw->data, raw->len, data);
	return base64_decode(
	    json_string_value(text), json_string_length(text), data);
}

static void
join(struct str *out, const json_t *list)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		str_addf(out, "%s%s", i > 0 ? ", " : "",
		    json_string_value(json_array_get(list, i)));
}

static void
join_headers(struct str *out, const json_t *list)
{
	const char *name, *value;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		name = text_of(json_array_get(list, i), "Name");
		value = text_of(json_array_get(list, i), "Value");
		if (name != NULL && value != NULL)
			str_addf(out, "%s: %s\r\n", name, value);
	}
}

static bool
read_simple(const json_t *in, const json_t *simple, struct str *data)
{
	const json_t *to = json_object_get(in, "Destination");
	const json_t *body = json_object_get(simple, "Body");
	struct str tos = STR_INIT, ccs = STR_INIT, reply = STR_INIT,
		   more = STR_INIT;
	struct ses_simple m = { .from = text_of(in, "FromEmailAddress") };

	join(&tos, json_object_get(to, "ToAddresses"));
	join(&ccs, json_object_get(to, "CcAddresses"));
	join(&reply, json_object_get(in, "ReplyToAddresses"));
	join_headers(&more, json_object_get(simple, "Headers"));
	m.to = tos.data;
	m.cc = ccs.data;
	m.reply_to = reply.data;
	m.more = more.data;
	m.subject = text_of(json_object_get(simple, "Subject"), "Data");
	m.text = text_of(json_object_get(body, "Text"), "Data");
	m.html = text_of(json_object_get(body, "Html"), "Data");
	if (m.text != NULL || m.html != NULL)
		ses_take_compose(&m, data);
	str_release(&tos);
	str_release(&ccs);
	str_release(&reply);
	str_release(&more);
	return data->len > 0;
}

static bool
read_content(const json_t *in, const struct raw *where, struct str *data)
{
	const json_t *content = json_object_get(in, "Content");
	const json_t *raw = json_object_get(content, "Raw");
	const json_t *simple = json_object_get(content, "Simple");

	if (raw != NULL)
		return simple == NULL && read_raw(raw, where, data);
	return simple != NULL && read_simple(in, simple, data);
}

static void
take(struct aws_exchange *x, const json_t *in, const struct str *data)
{
	struct submission m = { .operation = "SendEmail",
		.most = MESSAGE_MOST };
	const char *set = text_of(in, "ConfigurationSetName");
	struct str o = STR_INIT;

	read_sender(&m, in, data);
	read_destination(&m, json_object_get(in, "Destination"));
	read_tags(&m, json_object_get(in, "EmailTags"));
	if (m.nto == 0)
		ses_take_header(&m, data->data, data->len);
	if (set != NULL)
		submission_set(&m, set);
	if (ses_take(x, &m, data->data, data->len) == SES_OK) {
		json_open(&o, NULL, '{');
		json_str(&o, "MessageId", m.id.data);
		json_close(&o, '}');
		ses_api_answer(x, &o);
	}
	submission_clear(&m);
}

static void
send_email(struct aws_exchange *x, const char *segment, const json_t *none)
{
	struct raw raw = find_raw(x);
	json_t *in = load(x, &raw);
	struct str data = STR_INIT;

	(void)segment;
	(void)none;
	if (in == NULL)
		ses_take_not(x, "SendEmail", BAD_JSON);
	else if (!read_content(in, &raw, &data))
		ses_take_not(x, "SendEmail", "Content is not valid");
	else
		take(x, in, &data);
	str_release(&data);
	json_decref(in);
}

/* --- the account --- */

static void
add_quota(const struct ses *x, uint64_t in_window, struct str *o)
{
	json_open(o, "SendQuota", '{');
	json_number(o, "Max24HourSend", x->quota > 0 ? x->quota : -1.0);
	json_number(o, "MaxSendRate", x->rate > 0 ? x->rate : RATE_MOST);
	json_number(o, "SentLast24Hours", (double)in_window);
	json_close(o, '}');
}

static void
add_words(struct str *o, const char *key, const char *list)
{
	size_t n;

	json_open(o, key, '[');
	for (; *list != '\0'; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		json_mem(o, NULL, list, n);
	}
	json_close(o, ']');
}

static void
get_account(struct aws_exchange *x, const char *name, const json_t *in)
{
	struct ses *s = x->sandbox->ses;
	struct str o = STR_INIT;

	(void)name;
	(void)in;
	json_open(&o, NULL, '{');
	json_bool(&o, "DedicatedIpAutoWarmupEnabled", false);
	json_str(&o, "EnforcementStatus", s->enforcement);
	json_bool(&o, "ProductionAccessEnabled", !s->sandbox);
	add_quota(s, ses_in_window(s), &o);
	json_bool(&o, "SendingEnabled",
	    s->sending && strcmp(s->enforcement, "SHUTDOWN") != 0);
	json_open(&o, "SuppressionAttributes", '{');
	add_words(&o, "SuppressedReasons", s->reasons);
	json_close(&o, '}');
	json_close(&o, '}');
	ses_api_answer(x, &o);
}

static void
put_sending(struct aws_exchange *x, const char *name, const json_t *in)
{
	const json_t *on = json_object_get(in, "SendingEnabled");

	(void)name;
	x->sandbox->ses->sending = json_is_true(on);
	ses_api_empty(x);
}

static void
put_reasons(struct aws_exchange *x, const char *name, const json_t *in)
{
	struct ses *s = x->sandbox->ses;
	const json_t *list = json_object_get(in, "SuppressedReasons");
	struct str reasons = STR_INIT;
	size_t i;

	(void)name;
	for (i = 0; i < json_array_size(list); i++)
		str_addf(&reasons, "%s%s", i > 0 ? "," : "",
		    json_string_value(json_array_get(list, i)));
	free(s->reasons);
	s->reasons = str_detach(&reasons);
	ses_api_empty(x);
}

/* --- which operation --- */

/* clang-format off */
static const struct {
	const char *name, *method, *path;
	bool body; /* JSON must be there */
	void (*run)(struct aws_exchange *, const char *segment, const json_t *in);
} operations[] = {
	{ "SendEmail", "POST", "/v2/email/outbound-emails", false, send_email },
	{ "GetAccount", "GET", "/v2/email/account", false, get_account },
	{ "PutAccountSendingAttributes", "PUT", "/v2/email/account/sending", true, put_sending },
	{ "PutAccountSuppressionAttributes", "PUT", "/v2/email/account/suppression", true,
	    put_reasons },
	{ "ListSuppressedDestinations", "GET", "/v2/email/suppression/addresses", false,
	    ses_api_list_suppressed },
	{ "PutSuppressedDestination", "PUT", "/v2/email/suppression/addresses", true,
	    ses_api_put_suppressed },
	{ "GetSuppressedDestination", "GET", "/v2/email/suppression/addresses/{}", false,
	    ses_api_get_suppressed },
	{ "DeleteSuppressedDestination", "DELETE", "/v2/email/suppression/addresses/{}", false,
	    ses_api_delete_suppressed },
};
#define N_OPERATIONS (sizeof(operations) / sizeof(operations[0]))
/* clang-format on */

/* *segment: what stands for {}, decoded; the caller's. */
static bool
path_matches(const char *pattern, const char *path, char **segment)
{
	size_t fixed = strcspn(pattern, "{");

	if (pattern[fixed] == '\0')
		return strcmp(pattern, path) == 0;
	if (strncmp(pattern, path, fixed) != 0 || path[fixed] == '\0' ||
	    strchr(path + fixed, '/') != NULL)
		return false;
	*segment = evhttp_uridecode(path + fixed, 0, NULL);
	return true;
}

static void
run(struct aws_exchange *x, size_t i, const char *segment)
{
	json_t *in = NULL;

	if (!aws_is_send(x) && !ses_take_call(x, operations[i].name))
		return;
	if (operations[i].body)
		in = json_loadb(x->body, x->len, 0, NULL);
	if (operations[i].body && !json_is_object(in))
		aws_reply_error(x, 400, "BadRequestException", BAD_JSON);
	else
		operations[i].run(x, segment, in);
	json_decref(in);
}

void
ses_api_handle(struct aws_exchange *x)
{
	char *segment = NULL;
	size_t i;

	for (i = 0; i < N_OPERATIONS; i++)
		if (strcmp(operations[i].method, x->method) == 0 &&
		    path_matches(operations[i].path, x->path, &segment))
			break;
	if (i < N_OPERATIONS)
		run(x, i, segment);
	else
		aws_reply_error(x, 404, "UnknownOperationException",
		    "The sandbox does not know that operation");
	free(segment);
}
