/*
 * client.c - the life of an SMTP client: states, time-outs, how it ends.
 *
 * Every end, from within whatever callback, goes through client_end, which only
 * settles, lets go of the connection and asks the event loop to come back;
 * `done` and `closed` are called from there, and then the client is freed. So
 * no callback meets a client that is gone.
 */
#include "mta/smtp/client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/smtp/client_int.h"

#define SECONDS 1000
#define MINUTES (60 * SECONDS)

const struct smtp_client_timeouts smtp_client_default_timeouts = {
	.connect = 30 * SECONDS,
	.greeting = 5 * MINUTES,
	.command = 5 * MINUTES,
	.data = 2 * MINUTES,
	.block = 3 * MINUTES,
	.dot = 10 * MINUTES,
	.quit = 5 * SECONDS,
	.reply = 5 * MINUTES,
};

#define TIMEOUT(x) ((int)offsetof(struct smtp_client_timeouts, x))
#define NO_TIMEOUT (-1)

/* clang-format off */
static const struct {
	const char *doing; /* follows "while" */
	enum smtp_stage stage;
	int timeout;       /* offset in struct smtp_client_timeouts */
	void (*reply)(struct smtp_client *); /* NULL: none is expected */
} states[CLIENT_STATES] = {
	[CLIENT_START] = { "starting", STAGE_CONNECT, NO_TIMEOUT, NULL },
	[CLIENT_CONNECT] = { "connecting", STAGE_CONNECT, TIMEOUT(connect), NULL },
	[CLIENT_HANDSHAKE] = { "performing the TLS handshake", STAGE_TLS, TIMEOUT(command), NULL },
	[CLIENT_GREETING] = { "waiting for the greeting", STAGE_CONNECT, TIMEOUT(greeting),
	    client_greeting },
	[CLIENT_EHLO] = { "sending EHLO", STAGE_EHLO, TIMEOUT(command), client_ehlo },
	[CLIENT_HELO] = { "sending HELO", STAGE_EHLO, TIMEOUT(command), client_helo },
	[CLIENT_STARTTLS] = { "sending STARTTLS", STAGE_TLS, TIMEOUT(command), client_starttls },
	[CLIENT_AUTH] = { "authenticating", STAGE_AUTH, TIMEOUT(command), client_auth },
	[CLIENT_AUTH_USER] = { "authenticating", STAGE_AUTH, TIMEOUT(command), client_auth_user },
	[CLIENT_AUTH_PASSWORD] = { "authenticating", STAGE_AUTH, TIMEOUT(command),
	    client_auth_password },
	[CLIENT_IDLE] = { "idle", STAGE_NONE, NO_TIMEOUT, NULL },
	[CLIENT_REFUSE] = { "refusing the message", STAGE_MAIL, NO_TIMEOUT, NULL },
	[CLIENT_MAIL] = { "sending MAIL FROM", STAGE_MAIL, TIMEOUT(command), client_mail },
	[CLIENT_RCPT] = { "sending RCPT TO", STAGE_RCPT, TIMEOUT(command), client_rcpt },
	[CLIENT_DATA] = { "sending DATA", STAGE_DATA, TIMEOUT(data), client_data },
	[CLIENT_BODY] = { "sending the message", STAGE_BODY, TIMEOUT(block), client_body_reply },
	[CLIENT_HOLD] = { "waiting for the permit to end the message", STAGE_BODY, NO_TIMEOUT,
	    client_body_reply },
	[CLIENT_FINISH] = { "sending the message", STAGE_BODY, TIMEOUT(block), client_body_reply },
	[CLIENT_DOT] = { "sending end of data -- message may be sent more than once", STAGE_DOT,
	    TIMEOUT(dot), client_dot },
	[CLIENT_EMPTY] = { "ending a message that has no recipient", STAGE_DATA, TIMEOUT(dot),
	    client_empty },
	[CLIENT_RSET] = { "sending RSET", STAGE_MAIL, TIMEOUT(command), client_rset },
	[CLIENT_QUIT] = { "sending QUIT", STAGE_QUIT, TIMEOUT(quit), client_quit_reply },
	[CLIENT_CLOSED] = { "closed", STAGE_QUIT, NO_TIMEOUT, NULL },
};
/* clang-format on */

/*
 * The clock of a state is looked at rarely: the timer may stand earlier than
 * the deadline, and is then set again when it fires. So a state costs no timer
 * of its own.
 */
static void
set_timer(struct smtp_client *c, int64_t now)
{
	int64_t ms = c->deadline > now ? c->deadline - now : 0;
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	event_add(&c->timer, &tv);
	c->timer_at = c->deadline;
}

void
client_arm(struct smtp_client *c, int64_t ms)
{
	int64_t now;

	c->deadline = INT64_MAX;
	if (ms <= 0)
		return;
	now = clock_mono();
	c->deadline = now + ms;
	if (c->timer_at > c->deadline)
		set_timer(c, now);
}

void
client_enter(struct smtp_client *c, enum client_state to)
{
	int offset = states[to].timeout;
	int64_t ms = 0;

	assert(c->state != CLIENT_CLOSED);
	c->state = to;
	if (offset != NO_TIMEOUT)
		memcpy(&ms, (char *)&c->timeouts + offset, sizeof(ms));
	client_arm(c, ms);
}

enum smtp_stage
client_stage(const struct smtp_client *c)
{
	return states[c->state].stage;
}

const char *
client_doing(const struct smtp_client *c)
{
	return states[c->state].doing;
}

void
client_on_reply(struct smtp_client *c)
{
	/* RFC 5321 3.8: it closes the channel, whatever was asked. */
	if (c->reply.code == 421 && c->state != CLIENT_GREETING &&
	    c->state != CLIENT_QUIT)
		client_end_by_reply(c, SCOPE_SESSION);
	else if (states[c->state].reply != NULL)
		states[c->state].reply(c);
	else
		client_end_unexpected(c);
}

/* Whether the fate of the message is open: nobody may call it failed and send
 * it elsewhere. */
static bool
is_unread(const struct smtp_client *c, const struct outcome *why)
{
	return c->state == CLIENT_DOT && why->code == 0;
}

void
client_end(struct smtp_client *c, const struct outcome *why)
{
	if (c->state == CLIENT_CLOSED)
		return;
	c->why = *why;
	c->why.unread = is_unread(c, why);
	if (c->tx != NULL)
		client_settle(c, &c->why);
	client_disconnect(c);
	event_del(&c->timer);
	client_enter(c, CLIENT_CLOSED);
	event_active(&c->kick, EV_TIMEOUT, 0);
}

void
client_fail(struct smtp_client *c, const struct outcome *why)
{
	if (client_stage(c) == STAGE_TLS)
		client_tls_count(c, TLS_FAILED);
	if (client_stage(c) == STAGE_TLS && client_tls_is_must(c))
		client_pass_over(c, why);
	else
		client_end(c, why);
}

void
client_break(
    struct smtp_client *c, enum outcome_scope scope, const char *problem)
{
	struct outcome why;

	outcome_set(&why, scope, client_stage(c), false, "%s while %s", problem,
	    client_doing(c));
	client_fail(c, &why);
}

void
client_end_by_reply(struct smtp_client *c, enum outcome_scope scope)
{
	struct outcome why;

	reply_outcome(&c->reply, scope, client_stage(c), &why);
	client_fail(c, &why);
}

/* Without its code: a 250 that comes unasked is no success. */
void
client_end_unexpected(struct smtp_client *c)
{
	struct outcome why, said;

	reply_outcome(&c->reply, SCOPE_SESSION, client_stage(c), &said);
	outcome_set(&why, SCOPE_SESSION, client_stage(c), false,
	    "unexpected reply '%d %.300s' while %s", said.code, said.text,
	    client_doing(c));
	client_fail(c, &why);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct smtp_client *c = arg;
	int64_t now = clock_mono();
	size_t unsent = client_unsent(c);

	(void)fd, (void)what;
	c->timer_at = INT64_MAX;
	client_body_note_end(c);
	if (c->deadline == INT64_MAX)
		return;
	if (now < c->deadline) {
		set_timer(c, now);
	} else if ((c->state == CLIENT_BODY || c->state == CLIENT_FINISH) &&
		   unsent < c->backlog && !reply_begun(&c->reply)) {
		/* Slow, but getting there. */
		c->backlog = unsent;
		client_arm(c, c->timeouts.block);
	} else if (c->state == CLIENT_QUIT) {
		client_end(c, &(struct outcome){ .stage = STAGE_QUIT });
	} else if (c->state == CLIENT_CONNECT || c->state == CLIENT_GREETING) {
		client_next_target(c, ETIMEDOUT);
	} else {
		client_break(c, SCOPE_SESSION, "timed out");
	}
}

static void
client_free(struct smtp_client *c)
{
	event_del(&c->kick);
	free(c->ehlo);
	free(c->auth_user);
	if (c->auth_password != NULL)
		OPENSSL_cleanse(c->auth_password, strlen(c->auth_password));
	free(c->auth_password);
	free(c->targets);
	free(c->peer);
	reply_release(&c->reply);
	str_release(&c->out);
	free(c);
}

static void
on_kick(int fd, short what, void *arg)
{
	struct smtp_client *c = arg;
	struct smtp_transaction *tx = c->tx;

	(void)fd, (void)what;
	if (c->state == CLIENT_START) {
		client_connect(c);
		return;
	}
	if (c->state == CLIENT_REFUSE) {
		client_done(c);
		return;
	}
	assert(c->state == CLIENT_CLOSED);
	c->tx = NULL;
	if (tx != NULL)
		c->events->done(c->arg, tx);
	c->events->closed(c->arg, &c->why);
	client_free(c);
}

struct smtp_client *
smtp_client_new(struct event_base *base,
    const struct smtp_client_config *config,
    const struct smtp_client_events *events, void *arg)
{
	struct smtp_client *c = xcalloc(1, sizeof(*c));

	assert(config->tls == TLS_NONE || config->tls_ctx != NULL);
	assert(!str_has_control(config->ehlo, strlen(config->ehlo)));
	assert(config->bind_len <= sizeof(c->bind));
	c->base = base;
	c->events = events;
	c->arg = arg;
	c->ehlo = xstrdup(config->ehlo);
	c->auth_user = xstrdup(config->auth_user);
	c->auth_password = xstrdup(config->auth_password);
	if (config->bind != NULL) {
		memcpy(&c->bind, config->bind, config->bind_len);
		c->bind_len = config->bind_len;
	}
	c->ntargets = config->ntargets;
	c->targets = xcalloc(c->ntargets + 1, sizeof(*c->targets));
	if (c->ntargets > 0)
		memcpy(c->targets, config->targets,
		    c->ntargets * sizeof(*c->targets));
	c->tls = config->tls;
	c->tls_ctx = config->tls_ctx;
	c->timeouts = config->timeouts;
	c->fd = -1;
	c->deadline = c->timer_at = INT64_MAX;
	reply_init(&c->reply, SMTP_REPLY_MAX);
	str_init(&c->out);
	outcome_set(&c->why, SCOPE_LANE, STAGE_CONNECT, false,
	    "no address to connect to");
	evtimer_assign(&c->timer, base, on_timer, c);
	event_assign(&c->kick, base, -1, 0, on_kick, c);
	event_active(&c->kick, EV_TIMEOUT, 0);
	return c;
}

void
smtp_client_quit(struct smtp_client *c)
{
	if (c->state == CLIENT_CLOSED || c->state == CLIENT_QUIT)
		return;
	c->quit = true;
	if (c->tx != NULL)
		return;
	if (c->state != CLIENT_IDLE)
		client_end(c, &(struct outcome){ .stage = client_stage(c) });
	else if (!c->extra) /* else what the peer said unasked ends it */
		client_send_quit(c);
}

void
smtp_client_abort(struct smtp_client *c)
{
	struct outcome why;

	client_body_note_end(c);
	outcome_set(&why, SCOPE_SESSION, client_stage(c), false,
	    "aborted while %s", client_doing(c));
	client_end(c, &why);
}

bool
smtp_client_usable(const struct smtp_client *c)
{
	return c->state == CLIENT_IDLE && c->tx == NULL && !c->quit &&
	       !c->extra;
}

bool
smtp_client_offers_dsn(const struct smtp_client *c)
{
	return (c->offers.have & CAP_DSN) != 0;
}

const char *
smtp_client_peer(const struct smtp_client *c)
{
	return c->reached ? c->peer : "";
}

const char *
smtp_client_tls(const struct smtp_client *c)
{
	return c->tls_text;
}
