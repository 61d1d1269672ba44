/*
 * call_answer.c - reads what AWS answers: its kind of error, its sentence, and
 * whether its clock is another than ours (facts/aws.md, sections 2 and 6).
 *
 * Pure. All of it comes from outside.
 */
#include "router/ses/call_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "router/ses/json_read.h"

/* AWS takes signatures that are five minutes old. Beyond this its refusal may
 * be for the time, whatever it says. */
#define SKEW_LEAST ((int64_t)2 * 60 * 1000)

/* ------ errors */

/* "com.amazonaws.sesv2#NotFoundException:http://..." -> "NotFoundException" */
static void
take_error_name(char *out, size_t size, const char *text)
{
	size_t len = strcspn(text, ":"), n = 0;
	const char *hash = memrchr(text, '#', len);
	const char *end = text + len;

	for (text = hash != NULL ? hash + 1 : text; text < end && n + 1 < size;
	     text++) {
		if (!isalnum((unsigned char)*text) &&
		    strchr("_-.", *text) == NULL)
			break;
		out[n++] = *text;
	}
	out[n] = '\0';
}

/* Control bytes become blanks; cut between two characters of UTF-8. */
static void
take_text(char *out, size_t size, const char *text)
{
	size_t n = strnlen(text, size);

	if (n == size)
		for (n--; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
			n--;
	for (size_t i = 0; i < n; i++)
		out[i] = iscntrl((unsigned char)text[i]) ? ' ' : text[i];
	out[n] = '\0';
}

static const char *
member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static void
read_error(struct aws_answer *a, const char *type)
{
	const char *message = member(a->json, "message");

	if (type != NULL)
		take_error_name(a->error, sizeof(a->error), type);
	if (a->error[0] == '\0')
		take_error_name(
		    a->error, sizeof(a->error), member(a->json, "__type"));
	if (message[0] == '\0')
		message = member(a->json, "Message");
	take_text(a->message, sizeof(a->message), message);
}

void
aws_answer_read(struct aws_answer *a, int status,
    const struct aws_answer_headers *h, const char *body, size_t len)
{
	a->status = status;
	a->body = body;
	a->len = len;
	a->json = json_read(body, len, 0, NULL, NULL);
	if (h->request_id != NULL)
		take_text(a->request_id, sizeof(a->request_id), h->request_id);
	if (status < 200 || status > 299)
		read_error(a, h->error_type);
}

void
aws_answer_say(const struct aws_answer *a, struct err *e)
{
	if (a->status == 0)
		*e = a->why;
	else if (a->error[0] == '\0')
		err_set(e, "AWS answers %d%s%s", a->status,
		    a->message[0] != '\0' ? ": " : "", a->message);
	else
		err_set(e, "%s%s%s", a->error,
		    a->message[0] != '\0' ? ": " : "", a->message);
}

bool
aws_answer_refuses_us(const struct aws_answer *a)
{
	return a->no_credentials || a->status == 401 || a->status == 403;
}

bool
aws_answer_is_passing(const struct aws_answer *a)
{
	static const char throttling[] = "Throttling";

	return (a->status == 0 && !a->no_credentials) || a->status == 429 ||
	       a->status >= 500 ||
	       strncmp(a->error, throttling, sizeof(throttling) - 1) == 0;
}

/* ------ time */

int
aws_date_read(const char *text, int64_t *wall)
{
	struct tm tm = { .tm_sec = 0 };
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	time_t t;

	if (end == NULL || *end != '\0' || tm.tm_year < 70)
		return -1;
	t = timegm(&tm);
	if (t < 0)
		return -1;
	*wall = (int64_t)t * 1000;
	return 0;
}

bool
aws_answer_says_skew(
    const struct aws_answer *a, int64_t signed_at, int64_t date)
{
	static const char *const names[] = { "InvalidSignatureException",
		"SignatureDoesNotMatch", "RequestTimeTooSkewed",
		"RequestExpired" };
	bool about_signature = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		about_signature |= strcasecmp(a->error, names[i]) == 0;
	return (a->status == 403 || a->status == 400) && about_signature &&
	       llabs(date - signed_at) > SKEW_LEAST;
}
