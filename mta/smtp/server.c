/*
 * server.c - the receiving side of SMTP: life of a session, its loop, input and
 * output.
 *
 * See server_int.h for what stands where. Replies to pipelined commands leave
 * together; in plain text they go to the socket at once, without a turn of the
 * event loop, and through the bufferevent only when the socket is full.
 */
#include "mta/smtp/server_int.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"

#define INPUT_MAX                                                              \
	(64 * 1024) /* what a client may make us buffer; see input_max */
#define OUTPUT_MAX (16 * 1024) /* unread replies beyond which commands wait */

/* --- the transaction ---------------------------------------------------- */

void
session_abort(struct smtp_session *s)
{
	if (!s->transaction)
		return;
	s->transaction = false;
	s->handler->abort(s->arg);
}

void
session_reset_transaction(struct smtp_session *s)
{
	session_abort(s);
	s->smtputf8 = false;
	s->nrcpt = 0;
	header_clear(&s->message.header);
}

/* --- replies ------------------------------------------------------------ */

static size_t
unsent(const struct smtp_session *s)
{
	return evbuffer_get_length(bufferevent_get_output(s->bev));
}

bool
session_clogged(const struct smtp_session *s)
{
	return s->out.len + unsent(s) > OUTPUT_MAX;
}

static void
end_session(struct smtp_session *s)
{
	session_enter(s, PHASE_DROP);
	session_reset_transaction(s);
}

void
session_drop(struct smtp_session *s, enum server_reply r)
{
	server_reply_add(&s->out, r);
	end_session(s);
}

/* Temporary refusals are ours and do not count. */
static void
count_error(struct smtp_session *s, int class)
{
	if (class == 5 && ++s->errors >= s->config->max_errors)
		session_drop(s, R_TOO_MANY_ERRORS);
}

void
session_refuse(struct smtp_session *s, enum server_reply r)
{
	server_reply_add(&s->out, r);
	count_error(s, server_reply_class(r));
}

void
session_refuse_custom(struct smtp_session *s, const struct smtp_reply *r)
{
	server_reply_add_custom(&s->out, r);
	if (r->code == 421)
		end_session(s);
	else if (!r->no_error)
		count_error(s, r->code / 100);
}

/* As much as the socket takes now; the length of it. */
static size_t
send_now(struct smtp_session *s, const char *data, size_t len)
{
	ssize_t n;

	if (s->ssl != NULL || unsent(s) > 0)
		return 0;
	n = send(
	    bufferevent_getfd(s->bev), data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n > 0 ? (size_t)n
		     : 0; /* bufferevent_write meets the error again */
}

static void
flush(struct smtp_session *s)
{
	size_t n;

	if (s->out.len == 0)
		return;
	n = send_now(s, s->out.data, s->out.len);
	if (n < s->out.len)
		bufferevent_write(s->bev, s->out.data + n, s->out.len - n);
	str_clear(&s->out);
	if (unsent(s) > 0 && s->stuck_since == 0)
		s->stuck_since = s->now;
}

/* --- the loop ----------------------------------------------------------- */

static size_t
consume(struct smtp_session *s, char *data, size_t len)
{
	switch (session_input(s)) {
	case INPUT_NONE:
		return 0;
	case INPUT_COMMAND:
	case INPUT_RESPONSE:
		return session_lines(s, data, len);
	case INPUT_DATA:
		return session_data(s, data, len);
	case INPUT_DISCARD:
		return len;
	}
	return 0;
}

/* Takes some input; false when nothing could be taken. */
static bool
step(struct smtp_session *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	size_t total = evbuffer_get_length(in), len, used;

	if (total == 0)
		return false;
	len = evbuffer_get_contiguous_space(in);
	used = consume(s, (char *)evbuffer_pullup(in, (ssize_t)len), len);
	if (used == 0 && len < total && session_input(s) != INPUT_NONE)
		used = consume(s, (char *)evbuffer_pullup(in, -1), total);
	if (used > 0)
		evbuffer_drain(in, used);
	return used > 0;
}

/* All replies have left. */
static void
sent(struct smtp_session *s)
{
	s->stuck_since = 0;
	if (s->phase == PHASE_STARTTLS)
		session_tls_begin(s);
	if (s->phase != PHASE_QUIT && s->phase != PHASE_DROP)
		return;
	if (s->ssl != NULL)
		SSL_shutdown(s->ssl);
	ERR_clear_error();
	if (s->phase == PHASE_QUIT) {
		session_enter(s, PHASE_CLOSED);
	} else {
		shutdown(bufferevent_getfd(s->bev), SHUT_WR);
		session_enter(s, PHASE_LINGER);
	}
}

/* Nothing more will come, and what came has been taken as far as it can be. */
static void
input_ended(struct smtp_session *s)
{
	switch (s->phase) {
	case PHASE_HELO:
	case PHASE_READY:
	case PHASE_MAIL:
	case PHASE_RCPT:
	case PHASE_DATA:
	case PHASE_AUTH:
		if (!session_clogged(s))
			session_enter(s, PHASE_QUIT);
		break;
	case PHASE_DOT:
	case PHASE_VERIFY:
	case PHASE_QUIT:
	case PHASE_DROP:
		break;
	case PHASE_NEW:
	case PHASE_TLS:
	case PHASE_STARTTLS:
	case PHASE_LINGER:
	case PHASE_CLOSED:
	case PHASE_MAX:
		session_enter(s, PHASE_CLOSED);
		break;
	}
}

static bool
takes_lines(const struct smtp_session *s)
{
	enum input input = session_input(s);

	return input == INPUT_COMMAND || input == INPUT_RESPONSE;
}

static bool
turn(struct smtp_session *s)
{
	bool moved, eof = s->eof;

	if (s->stopping && takes_lines(s))
		session_drop(s, R_SHUTDOWN);
	moved = step(s);
	if (!moved && s->eof)
		input_ended(s);
	if (s->phase != PHASE_CLOSED)
		flush(s);
	if (s->phase != PHASE_CLOSED && unsent(s) == 0)
		sent(s);
	/* TLS may meet the end of input while it writes. */
	return (moved || s->eof != eof) && s->phase != PHASE_CLOSED &&
	       !session_clogged(s);
}

static size_t
input_max(const struct smtp_session *s)
{
	return MAX(INPUT_MAX, 2 * s->config->max_command);
}

/*
 * Back-pressure. The read watermark alone would do but for one thing: libevent
 * calls the read callback again and again while the input stays at it.
 */
static void
regulate_input(struct smtp_session *s)
{
	bool full =
	    evbuffer_get_length(bufferevent_get_input(s->bev)) >= input_max(s);
	bool enabled = (bufferevent_get_enabled(s->bev) & EV_READ) != 0;

	if (full && enabled)
		bufferevent_disable(s->bev, EV_READ);
	else if (!full && !enabled && !s->eof)
		bufferevent_enable(s->bev, EV_READ);
}

static void
run(struct smtp_session *s)
{
	s->running = true;
	while (turn(s))
		;
	s->running = false;
	if (s->phase != PHASE_CLOSED && takes_lines(s) && s->line_since == 0 &&
	    !session_clogged(s) &&
	    evbuffer_get_length(bufferevent_get_input(s->bev)) > 0)
		s->line_since = s->now;
	if (s->phase != PHASE_CLOSED)
		regulate_input(s);
	session_timer_set(s);
}

/* --- life --------------------------------------------------------------- */

static void
session_free(struct smtp_session *s)
{
	s->handler->closed(s->arg);
	session_auth_clear(s);
	header_clear(&s->message.header);
	str_release(&s->out);
	SSL_free(s->next_ssl);
	if (s->bev != NULL)
		bufferevent_free(s->bev);
	event_free(s->timer);
	free(s);
}

/* From a libevent callback; not when the loop itself caused it. */
static void
wake(struct smtp_session *s)
{
	if (s->running)
		return;
	if (s->phase != PHASE_CLOSED)
		run(s);
	if (s->phase == PHASE_CLOSED)
		session_free(s);
}

/* From the handler, who must not lose the session under his feet. */
void
session_wake(struct smtp_session *s)
{
	if (s->running || s->phase == PHASE_CLOSED)
		return;
	s->now = clock_mono();
	run(s);
	if (s->phase == PHASE_CLOSED)
		event_active(s->timer, EV_TIMEOUT, 0);
}

static void
on_io(struct bufferevent *bev, void *arg)
{
	struct smtp_session *s = arg;

	(void)bev;
	s->now = clock_mono();
	wake(s);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct smtp_session *s = arg;

	(void)bev;
	s->now = clock_mono();
	if (s->phase == PHASE_TLS && (what & BEV_EVENT_CONNECTED) != 0)
		session_tls_done(s);
	else if (s->phase == PHASE_TLS)
		session_tls_failed(s);
	if ((what & BEV_EVENT_EOF) != 0)
		s->eof = true;
	if ((what & BEV_EVENT_ERROR) != 0)
		session_enter(s, PHASE_CLOSED);
	wake(s);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct smtp_session *s = arg;

	(void)fd, (void)what;
	s->timer_due = INT64_MAX;
	s->now = clock_mono();
	if (s->phase != PHASE_CLOSED && session_timer_is_due(s))
		session_timer_expired(s);
	wake(s);
}

void
session_attach(struct smtp_session *s, struct bufferevent *bev)
{
	s->bev = bev;
	bufferevent_setcb(bev, on_io, on_io, on_event, s);
	bufferevent_setwatermark(bev, EV_READ, 0, input_max(s));
	/* Writing is on from the start; to turn it on again would watch for
	 * it at once, for nothing. */
	bufferevent_enable(bev, EV_READ);
}

static int
begin_plain(struct smtp_session *s, int fd)
{
	struct bufferevent *bev =
	    bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);

	if (bev == NULL) {
		close(fd);
		return -1;
	}
	session_attach(s, bev);
	session_enter(s, PHASE_HELO);
	server_reply_greeting(&s->out, s->config->hostname);
	flush(s);
	return 0;
}

struct smtp_session *
smtp_session_new(struct event_base *base, int fd, const struct sockaddr *peer,
    socklen_t peer_len, const struct smtp_server_config *config,
    const struct smtp_server_handler *handler, void *arg)
{
	struct smtp_session *s = xcalloc(1, sizeof(*s));
	int on = 1, r;

	(void)peer_len;
	s->config = config;
	s->handler = handler;
	s->arg = arg;
	s->base = base;
	s->now = clock_mono();
	s->timer_due = INT64_MAX;
	str_init(&s->out);
	header_init(&s->message.header);
	net_address_text(peer, s->peer);
	s->timer = evtimer_new(base, on_timer, s);
	/* Replies leave in groups already. Fails on AF_UNIX, harmlessly. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r = config->implicit_tls ? session_tls_implicit(s, fd)
				 : begin_plain(s, fd);
	if (r == -1) {
		event_free(s->timer);
		free(s);
		return NULL;
	}
	session_timer_set(s);
	return s;
}
