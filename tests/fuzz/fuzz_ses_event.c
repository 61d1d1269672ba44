/*
 * fuzz_ses_event.c - whatever comes as an event of SES, what is read from it is
 * bounded, printable UTF-8, and says of each recipient one thing that the store
 * knows.
 */
#include "router/ses/event.h"

#include "mta/smtp/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(const char *text, size_t size)
{
	size_t len = strlen(text);
	bool beyond;

	if (len >= size || !utf8_check(text, len, &beyond))
		abort();
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
}

static bool
is_an_end(enum counter c)
{
	return c == COUNT_BOUNCED || c == COUNT_FILTERED ||
	       c == COUNT_EXPIRED || c == COUNT_SUPPRESSED;
}

static void
check_part(const struct ses_event *ev, const struct ses_event_part *p)
{
	const struct feedback *f = &p->feedback;

	check_text(p->address, 321);
	check_text(p->reason, sizeof(p->reason));
	check_text(p->peer, sizeof(p->peer));
	check_text(p->outcome.text, sizeof(p->outcome.text));
	check_text(p->outcome.enhanced, sizeof(p->outcome.enhanced));
	if (p->outcome.code != 0 && p->outcome.code != 250 &&
	    (p->outcome.code < 400 || p->outcome.code > 599))
		abort();
	if (f->message != ev->message || f->index != ev->index ||
	    f->remote_id != ev->remote_id || f->address != p->address ||
	    f->reason != p->reason || f->peer != p->peer ||
	    f->outcome != &p->outcome || f->at != ev->at)
		abort();
	if (f->kind > FEEDBACK_NOTE || f->event == EVENT_NONE ||
	    (f->kind == FEEDBACK_ENDED && !is_an_end(f->counter)) ||
	    (f->kind == FEEDBACK_ENDED && p->reason[0] == '\0') ||
	    (ev->kind == SES_EVENT_UNKNOWN && f->kind != FEEDBACK_NOTE))
		abort();
}

static void
check_tag(const struct ses_event *ev)
{
	char text[SES_TAG_ID_MAX];
	int64_t id;
	unsigned index;

	if (ev->message == 0)
		return;
	ses_tag_id(ev->message, ev->index, text);
	if (ses_tag_id_read(text, &id, &index) < 0 || id != ev->message ||
	    index != ev->index)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool about_mail;
	struct ses_event ev;

	ses_event_read(&ev, (const char *)data, size, NULL, NULL);
	about_mail = ev.kind == SES_EVENT_MAIL || ev.kind == SES_EVENT_UNKNOWN;
	if (about_mail != (ev.n > 0) || ev.n > SES_EVENT_PARTS_MAX)
		abort();
	if ((ev.kind == SES_EVENT_FOREIGN || ev.kind == SES_EVENT_UNKNOWN) !=
	    (ev.why.text[0] != '\0'))
		abort();
	check_text(ev.type, sizeof(ev.type));
	check_text(ev.remote_id, 200);
	check_tag(&ev);
	for (size_t i = 0; i < ev.n; i++)
		check_part(&ev, &ev.part[i]);
	ses_event_clear(&ev);
	return 0;
}
