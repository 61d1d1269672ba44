/*
 * reply.c - what a session says: replies from their tables, late, dripped or
 * without end.
 *
 * Nothing here looks at input. A reply that is not sent at once holds the
 * session (enum hold), and session.c goes on when the hold is over.
 */
#include "tests/sandbox/session.h"

#include "tests/sandbox/host.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <string.h>

#define ENDLESS_MS  10
#define FLOOD_TOTAL (1024ull * 1024 * 1024)
#define FLOOD_CHUNK 65536
#define FLOOD_LINE  512

void
session_send(struct session *s, const char *data, size_t len)
{
	bool slow = s->pace != PACE_NORMAL || s->host->delay > 0;

	if (!slow) {
		bufferevent_write(s->bev, data, len);
		return;
	}
	str_add(&s->late, data, len);
	if (s->hold == HOLD_LATE)
		return;
	s->hold = HOLD_LATE;
	s->then = HOLD_NONE;
	s->late_at = 0;
	s->late_drip = s->pace == PACE_DRIP;
	s->late_ms = s->pace != PACE_NORMAL ? s->pace_ms : s->host->delay;
	session_timer(s, s->late_ms);
}

void
reply_late(struct session *s)
{
	size_t n = s->late_drip ? 1 : s->late.len - s->late_at;

	bufferevent_write(s->bev, s->late.data + s->late_at, n);
	s->late_at += n;
	if (s->late_at < s->late.len) {
		session_timer(s, s->late_ms);
		return;
	}
	str_clear(&s->late);
	s->hold = s->then;
}

static const char *
placeholder(struct session *s, const char **text, const char *rcpt)
{
	const char *at = s->mail.from ? strrchr(s->mail.from, '@') : NULL;
	const struct {
		const char *name, *value;
	} known[] = {
		{ "{addr}", rcpt },
		{ "{ip}", s->peer },
		{ "{host}", s->host->system->host },
		{ "{from}", s->mail.from },
		{ "{domain}", at != NULL ? at + 1 : "" },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strncmp(*text, known[i].name, strlen(known[i].name)) == 0) {
			*text += strlen(known[i].name);
			return known[i].value != NULL ? known[i].value : "";
		}
	}
	return NULL;
}

void
session_expand(struct session *s, const struct answer *a, const char *rcpt)
{
	const char *p = a->text, *value;
	bool enhanced = (s->host->features & FEATURE_ENHANCED) != 0;

	str_clear(&s->reply);
	if (enhanced && a->enhanced != NULL)
		str_addf(&s->reply, "%s ", a->enhanced);
	while (p != NULL && *p != '\0') {
		bool addr = strncmp(p, "{addr}", 6) == 0;

		if (*p != '{' || (value = placeholder(s, &p, rcpt)) == NULL)
			str_addc(&s->reply, *p++);
		else
			str_addf(&s->reply, addr ? "<%s>" : "%s", value);
	}
}

void
session_answer(struct session *s, const struct answer *a, const char *rcpt)
{
	struct str line = STR_INIT;

	session_expand(s, a, rcpt);
	str_addf(&line, s->reply.len > 0 ? "%d " : "%d", a->code);
	str_add(&line, s->reply.data, s->reply.len);
	str_adds(&line, "\r\n");
	session_send(s, line.data, line.len);
	str_release(&line);
	if (a->code == 421)
		session_close(s, "421");
}

void
session_say(struct session *s, int code, const char *enhanced, const char *text)
{
	const struct answer a = { code, enhanced, text };

	session_answer(s, &a, NULL);
}

/* --- replies without end --- */

static const char *
flood_chunk(enum action flood)
{
	static char lines[FLOOD_CHUNK], line[FLOOD_CHUNK];
	size_t i;

	if (lines[0] == '\0') {
		memset(line, 'x', sizeof(line));
		memset(lines, 'x', sizeof(lines));
		for (i = 0; i < sizeof(lines); i += FLOOD_LINE) {
			memcpy(lines + i, "250-", 4);
			memcpy(lines + i + FLOOD_LINE - 2, "\r\n", 2);
		}
	}
	return flood == DO_LONG ? line : lines;
}

void
reply_flood(struct session *s)
{
	struct evbuffer *out = bufferevent_get_output(s->bev);
	const char *end = s->flood == DO_LONG ? "\r\n" : "250 done\r\n";

	if (s->flood == DO_ENDLESS) {
		if (evbuffer_get_length(out) < FLOOD_CHUNK)
			evbuffer_add_printf(out, "250-still thinking\r\n");
		session_timer(s, ENDLESS_MS);
	} else if (s->flooded < FLOOD_TOTAL) {
		evbuffer_add_reference(
		    out, flood_chunk(s->flood), FLOOD_CHUNK, NULL, NULL);
		s->flooded += FLOOD_CHUNK;
	} else {
		s->hold = HOLD_NONE;
		bufferevent_write(s->bev, end, strlen(end));
	}
}

static void
start_flood(struct session *s, enum action flood)
{
	s->flood = flood;
	s->flooded = 0;
	s->hold = HOLD_FLOOD;
	if (flood == DO_LONG)
		bufferevent_write(s->bev, "250 ", 4);
	reply_flood(s);
}

void
session_act(struct session *s, enum action action, const struct answer *a,
    const char *rcpt)
{
	switch (action) {
	case DO_REPLY:
		session_answer(s, a, rcpt);
		break;
	case DO_CUT:
		session_answer(s, a, rcpt);
		session_close(s, "cut");
		break;
	case DO_CLOSE:
	case DO_RESET:
		session_drop(s, action == DO_RESET, a->text);
		break;
	case DO_ENDLESS:
	case DO_HUGE:
	case DO_LONG:
		start_flood(s, action);
		break;
	case DO_SILENCE:
		s->hold = HOLD_DEAF;
		break;
	case DO_NOTE:
	case DO_SLOW:
	case DO_DRIP:
	case DO_DOWN:
		break;
	}
}
