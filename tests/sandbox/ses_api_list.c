/*
 * ses_api_list.c - the suppression list of the account in API version 2.
 *
 * Pages go by address: a token is the last address of the page before it, in
 * base64, so what is added or removed meanwhile shifts nothing.
 */
#include "tests/sandbox/ses_api.h"

#include "tests/sandbox/base64.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/ses.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_MOST 1000

struct filter {
	int64_t from, to; /* ms; 0: open */
	size_t page;
	struct str after; /* address; "": from the beginning */
};

static void
add_row(struct str *o, const struct ses_suppressed *r)
{
	json_str(o, "EmailAddress", r->address);
	json_str(o, "Reason", r->reason);
	json_number(o, "LastUpdateTime", (double)r->updated / 1000.0);
}

/* "2024-01-01T00:00:00Z" or seconds since 1970; 0 when it is neither. */
static int64_t
read_time(const char *text)
{
	struct tm tm = { 0 };
	const char *end;

	if (text == NULL)
		return 0;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end != NULL)
		return (int64_t)timegm(&tm) * 1000;
	return (int64_t)(strtod(text, NULL) * 1000.0);
}

static bool
read_filter(const struct aws_exchange *x, struct filter *f)
{
	const char *size = aws_arg(x, "PageSize");
	const char *token = aws_arg(x, "NextToken");

	f->from = read_time(aws_arg(x, "StartDate"));
	f->to = read_time(aws_arg(x, "EndDate"));
	f->page = size != NULL ? strtoul(size, NULL, 10) : PAGE_MOST;
	if (f->page == 0 || f->page > PAGE_MOST)
		f->page = PAGE_MOST;
	return token == NULL ||
	       (base64_decode(token, strlen(token), &f->after) &&
		   f->after.len > 0);
}

/* Reason may be said more than once. */
static bool
wants_reason(const struct aws_exchange *x, const char *reason)
{
	const struct evkeyval *kv;
	bool any = true;

	for (kv = x->args.tqh_first; kv != NULL; kv = kv->next.tqe_next) {
		if (strcmp(kv->key, "Reason") != 0)
			continue;
		any = false;
		if (strcmp(kv->value, reason) == 0)
			return true;
	}
	return any;
}

static bool
is_wanted(const struct aws_exchange *x, const struct filter *f,
    const struct ses_suppressed *r)
{
	return (f->after.len == 0 ||
		   strcasecmp(r->address, f->after.data) > 0) &&
	       (f->from == 0 || r->updated >= f->from) &&
	       (f->to == 0 || r->updated <= f->to) &&
	       wants_reason(x, r->reason);
}

static void
add_page(struct aws_exchange *x, const struct filter *f, struct str *o)
{
	const struct ses *s = x->sandbox->ses;
	const char *last = NULL;
	struct str token = STR_INIT;
	size_t n = 0, i;

	json_open(o, "SuppressedDestinationSummaries", '[');
	for (i = 0; i < s->n_suppressed; i++) {
		if (!is_wanted(x, f, &s->suppressed[i]))
			continue;
		if (n++ == f->page)
			break;
		last = s->suppressed[i].address;
		json_open(o, NULL, '{');
		add_row(o, &s->suppressed[i]);
		json_close(o, '}');
	}
	json_close(o, ']');
	if (n > f->page) {
		base64_encode(last, strlen(last), &token);
		json_str(o, "NextToken", token.data);
	}
	str_release(&token);
}

void
ses_api_list_suppressed(
    struct aws_exchange *x, const char *segment, const json_t *in)
{
	struct filter f = { .after = STR_INIT };
	struct str o = STR_INIT;

	(void)segment;
	(void)in;
	if (read_filter(x, &f)) {
		json_open(&o, NULL, '{');
		add_page(x, &f, &o);
		json_close(&o, '}');
		ses_api_answer(x, &o);
	} else {
		aws_reply_error(x, 400, "InvalidNextTokenException",
		    "The specified request includes an invalid or expired "
		    "token.");
	}
	str_release(&f.after);
}

void
ses_api_put_suppressed(
    struct aws_exchange *x, const char *segment, const json_t *in)
{
	const char *address =
	    json_string_value(json_object_get(in, "EmailAddress"));
	const char *reason = json_string_value(json_object_get(in, "Reason"));

	(void)segment;
	if (address == NULL || strchr(address, '@') == NULL) {
		aws_reply_error(
		    x, 400, "BadRequestException", "Invalid email address.");
	} else if (reason == NULL || (strcmp(reason, "BOUNCE") != 0 &&
					 strcmp(reason, "COMPLAINT") != 0)) {
		aws_reply_error(x, 400, "BadRequestException",
		    "Invalid suppression reason.");
	} else {
		ses_suppress(x->sandbox->ses, address, reason, NULL, NULL);
		ses_api_empty(x);
	}
}

static void
not_there(struct aws_exchange *x, const char *address)
{
	struct str text = STR_INIT;

	str_addf(&text,
	    "Email address %s does not exist on your suppression list.",
	    address);
	aws_reply_error(x, 404, "NotFoundException", text.data);
	str_release(&text);
}

void
ses_api_get_suppressed(
    struct aws_exchange *x, const char *segment, const json_t *in)
{
	const struct ses_suppressed *r =
	    ses_suppressed(x->sandbox->ses, segment);
	struct str o = STR_INIT;

	(void)in;
	if (r == NULL) {
		not_there(x, segment);
		return;
	}
	json_open(&o, NULL, '{');
	json_open(&o, "SuppressedDestination", '{');
	add_row(&o, r);
	if (r->message_id != NULL) {
		json_open(&o, "Attributes", '{');
		json_str(&o, "MessageId", r->message_id);
		json_str(&o, "FeedbackId", r->feedback_id);
		json_close(&o, '}');
	}
	json_close(&o, '}');
	json_close(&o, '}');
	ses_api_answer(x, &o);
}

void
ses_api_delete_suppressed(
    struct aws_exchange *x, const char *segment, const json_t *in)
{
	(void)in;
	if (ses_unsuppress(x->sandbox->ses, segment))
		ses_api_empty(x);
	else
		not_there(x, segment);
}
