/*
 * server_timer.c - how long a client may keep a session.
 *
 * One libevent timer per session, and no work per command: what happens only
 * moves the times in the session. The timer is set again when something is due
 * earlier than it fires, and when it fires too early.
 */
#include "mta/smtp/server_int.h"

#include <sys/param.h>

static int64_t
after(int64_t since, int64_t timeout)
{
	return since + timeout;
}

/* When the average over the whole phase falls below the least allowed. */
static int64_t
data_rate_due(const struct smtp_session *s)
{
	const struct message *m = &s->message;
	size_t rate = s->config->min_data_rate;
	int64_t earliest = after(m->since, s->config->idle_timeout);

	if (rate == 0)
		return INT64_MAX;
	return MAX(
	    earliest, after(m->since, (int64_t)(m->received / rate * 1000)));
}

static int64_t
phase_due(const struct smtp_session *s)
{
	int64_t idle = after(s->idle_since, s->config->idle_timeout);

	switch (session_patience(s)) {
	case PATIENCE_HANDLER:
	case PATIENCE_FLUSH:
		return INT64_MAX;
	case PATIENCE_COMMAND:
		if (s->line_since == 0)
			return idle;
		return MIN(
		    idle, after(s->line_since, s->config->command_timeout));
	case PATIENCE_DATA:
		return MIN(idle, data_rate_due(s));
	case PATIENCE_TLS:
		return after(s->phase_since, s->config->idle_timeout);
	case PATIENCE_LINGER:
		return after(
		    s->phase_since, MIN(LINGER_MS, s->config->idle_timeout));
	}
	return INT64_MAX;
}

/* While the handler works there is no hurry, not even with unread replies. */
static int64_t
due(const struct smtp_session *s)
{
	int64_t at = phase_due(s);

	if (s->phase == PHASE_CLOSED)
		return s->now;
	if (s->stuck_since != 0 && session_patience(s) != PATIENCE_HANDLER)
		at = MIN(at, after(s->stuck_since, s->config->idle_timeout));
	return at;
}

bool
session_timer_is_due(const struct smtp_session *s)
{
	return due(s) <= s->now;
}

void
session_timer_set(struct smtp_session *s)
{
	int64_t at = due(s), in = at - s->now;
	struct timeval tv;

	if (at >= s->timer_due)
		return;
	in = MAX(in, 0);
	tv.tv_sec = in / 1000;
	tv.tv_usec = in % 1000 * 1000;
	event_add(s->timer, &tv);
	s->timer_due = at;
}

void
session_timer_expired(struct smtp_session *s)
{
	if (s->stuck_since != 0) {
		session_enter(s, PHASE_CLOSED);
		return;
	}
	switch (session_patience(s)) {
	case PATIENCE_COMMAND:
		session_drop(s, R_IDLE);
		break;
	case PATIENCE_DATA:
		session_drop(
		    s, data_rate_due(s) <= s->now ? R_TOO_SLOW : R_IDLE);
		break;
	case PATIENCE_TLS:
	case PATIENCE_FLUSH:
	case PATIENCE_LINGER:
	case PATIENCE_HANDLER:
		session_enter(s, PHASE_CLOSED);
		break;
	}
}
