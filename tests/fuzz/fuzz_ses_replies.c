/*
 * fuzz_ses_replies.c - what SES says, by SMTP or by its API: it always means
 * something, and only AWS's own words close a path.
 */
#include "router/ses/replies.h"

#include "router/ses/call.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Up to the next line feed; returns how many bytes that was. */
static size_t
take(char *out, size_t room, const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t n = end != NULL ? (size_t)(end - data) : size;
	size_t kept = n < room - 1 ? n : room - 1;

	memcpy(out, data, kept);
	out[kept] = '\0';
	return end != NULL ? n + 1 : n;
}

static void
check(const struct outcome *o)
{
	char id[SES_ID_MAX];
	struct verdict v;

	for (const char *p = o->text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			abort();
	classify(NULL, NULL, PATH_SES, "", o, &v);
	if (v.reason == NULL || (o->unread && v.action != VERDICT_RETRY))
		abort();
	if (strlen(ses_message_id(o, id)) > 0 && v.action != VERDICT_SENT)
		abort();
}

static void
by_api(int status, const char *type, const char *message)
{
	json_t *json = json_pack(
	    "{s:s?}", "MessageId", status / 100 == 2 ? message : NULL);
	struct aws_answer a = { .status = status, .json = json };
	struct outcome o;

	snprintf(a.error, sizeof(a.error), "%s", type);
	snprintf(a.message, sizeof(a.message), "%s", message);
	ses_api_outcome(&a, &o);
	check(&o);
	/* A sentence that begins with a quotation is about the message. */
	if (message[0] == '\'' && strcmp(type, "MessageRejected") == 0 &&
	    status == 400 && o.scope >= SCOPE_PATH)
		abort();
	json_decref(json);
}

static void
by_smtp(int code, const char *set, const char *text)
{
	struct outcome o;

	outcome_set(&o, SCOPE_MESSAGE, STAGE_DOT, false, "%s", text);
	o.code = code;
	ses_blame(&o, set, "default");
	check(&o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char number[8], first[80], rest[512];
	size_t n = take(number, sizeof(number), data, size);
	int code = 200 + abs(atoi(number)) % 400;

	n += take(first, sizeof(first), data + n, size - n);
	take(rest, sizeof(rest), data + n, size - n);
	by_api(code, first, rest);
	by_smtp(code, first, rest);
	return 0;
}
