/*
 * fuzz_event_json.c - whatever bytes a header or a reply holds, what is told of
 * it is JSON, and what is kept of a message is bounded.
 */
#include "router/events/event_json.h"

#include "mta/base/alloc.h"
#include "mta/smtp/header.h"
#include "router/message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char *
keep(const char *text, size_t len)
{
	struct message *m = message_new(INT64_C(1) << 40);
	struct header h;
	char *mail;

	message_set_from(m, "a@example.jp");
	header_init(&h);
	header_feed(&h, text, len);
	header_finish(&h);
	mail = event_mail_json(m, &h, text, len);
	header_clear(&h);
	message_unref(&m);
	return mail;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = xstrndup((const char *)data, len), *all;
	char *mail = keep((const char *)data, len);
	json_t *kept =
	    json_loads(mail, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	struct event_json_context ctx = { .mail = mail, .hostname = text };
	struct event_row row = { .seq = 1,
		.message = INT64_C(1) << 40,
		.sender = text,
		.recipient = text,
		.path = "mta",
		.carrier = "",
		.group = text,
		.source = "",
		.rule = "",
		.enhanced = "",
		.stage = "",
		.reason = text,
		.text = text,
		.peer = text,
		.remote_id = text };

	if (kept == NULL || strlen(mail) > EVENT_MAIL_MAX)
		abort();
	json_decref(kept);
	for (int type = EVENT_SEND; type <= EVENT_NOTE; type++) {
		json_t *event = event_json(&row, (enum event_type)type, &ctx);

		all = event != NULL ? json_dumps(event, 0) : NULL;
		if (event != NULL && all == NULL)
			abort();
		free(all);
		json_decref(event);
	}
	free(mail);
	free(text);
	return 0;
}
