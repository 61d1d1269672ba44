/*
 * server_phase.c - the phases of a server session.
 *
 * One table says where each may be entered from, what the bytes are that come
 * in it, and what the peer may keep us waiting for. One function changes it.
 */
#include "mta/smtp/server_int.h"

#include <assert.h>

#define COMMAND_PHASES                                                         \
	(IN(PHASE_HELO) | IN(PHASE_READY) | IN(PHASE_MAIL) | IN(PHASE_RCPT))
#define OPEN_PHASES (IN(PHASE_QUIT) - 1)

/* clang-format off */
static const struct {
	unsigned from;
	enum input input;
	enum patience patience;
} phases[PHASE_MAX] = {
	[PHASE_NEW]      = { 0, INPUT_NONE, PATIENCE_FLUSH },
	[PHASE_TLS]      = { IN(PHASE_NEW) | IN(PHASE_STARTTLS), INPUT_NONE, PATIENCE_TLS },
	[PHASE_HELO]     = { IN(PHASE_NEW) | IN(PHASE_TLS), INPUT_COMMAND, PATIENCE_COMMAND },
	[PHASE_READY]    = { COMMAND_PHASES | IN(PHASE_DATA) | IN(PHASE_DOT) | IN(PHASE_AUTH) |
			     IN(PHASE_VERIFY), INPUT_COMMAND, PATIENCE_COMMAND },
	[PHASE_MAIL]     = { IN(PHASE_READY), INPUT_COMMAND, PATIENCE_COMMAND },
	[PHASE_RCPT]     = { IN(PHASE_MAIL) | IN(PHASE_RCPT), INPUT_COMMAND, PATIENCE_COMMAND },
	[PHASE_DATA]     = { IN(PHASE_RCPT), INPUT_DATA, PATIENCE_DATA },
	[PHASE_DOT]      = { IN(PHASE_DATA), INPUT_NONE, PATIENCE_HANDLER },
	[PHASE_AUTH]     = { IN(PHASE_READY), INPUT_RESPONSE, PATIENCE_COMMAND },
	[PHASE_VERIFY]   = { IN(PHASE_AUTH), INPUT_NONE, PATIENCE_HANDLER },
	[PHASE_STARTTLS] = { IN(PHASE_HELO) | IN(PHASE_READY), INPUT_NONE, PATIENCE_FLUSH },
	[PHASE_QUIT]     = { OPEN_PHASES, INPUT_DISCARD, PATIENCE_FLUSH },
	[PHASE_DROP]     = { OPEN_PHASES, INPUT_DISCARD, PATIENCE_FLUSH },
	[PHASE_LINGER]   = { IN(PHASE_DROP), INPUT_DISCARD, PATIENCE_LINGER },
	[PHASE_CLOSED]   = { ~0u, INPUT_NONE, PATIENCE_HANDLER },
};
/* clang-format on */

/* The only writer of s->phase. */
void
session_enter(struct smtp_session *s, enum phase to)
{
	assert((phases[to].from & IN(s->phase)) != 0);
	s->phase = to;
	s->phase_since = s->idle_since = s->now;
	s->line_since = 0;
}

enum input
session_input(const struct smtp_session *s)
{
	return phases[s->phase].input;
}

enum patience
session_patience(const struct smtp_session *s)
{
	return phases[s->phase].patience;
}
