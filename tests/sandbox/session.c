/*
 * session.c - one SMTP connection of a client: its bytes, its TLS, its time.
 *
 * A callback of libevent does its work and ends with reap(), the one place
 * where a session is freed; whatever ends a session before that only sets
 * `ended`. Input is looked at only while nothing holds it (enum hold), so
 * replies keep their order even when they are slow.
 */
#include "tests/sandbox/session.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "tests/sandbox/command.h"
#include "tests/sandbox/data.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/journal.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MAX 4096
#define INPUT_MAX   (256 * 1024)
#define IDLE_S	    300
#define SES_IDLE_S  10
#define CLOSE_MS    2000

static void on_read(struct bufferevent *, void *);
static void on_write(struct bufferevent *, void *);
static void on_event(struct bufferevent *, short, void *);

void
session_timer(struct session *s, unsigned ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (ms % 1000) * 1000 };

	evtimer_add(s->timer, &tv);
}

static void
set_reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* --- journal --- */

struct str *
session_journal(struct session *s, const char *event)
{
	struct str *o = journal_start(s->sandbox->journal, event);

	json_str(o, "host", s->host->system->name);
	json_int(o, "session", (int64_t)s->id);
	json_str(o, "peer", s->peer);
	json_str(o, "tls", s->ssl != NULL ? SSL_get_version(s->ssl) : NULL);
	json_str(o, "ehlo", s->ehlo);
	return o;
}

void
session_bad(struct session *s, const char *what)
{
	size_t len = strlen(what);
	const char *seen = strstr(s->bad.data, what);

	if (seen != NULL && seen > s->bad.data && seen[-1] == '"' &&
	    seen[len] == '"')
		return;
	if (s->bad.len > 0)
		str_addc(&s->bad, ',');
	str_addf(&s->bad, "\"%s\"", what);
}

void
session_journal_end(struct session *s)
{
	struct str *o;

	if (s->bad.len > 0) {
		o = journal_line(s->sandbox->journal);
		str_addf(o, ",\"bad\":[%s]", s->bad.data);
		str_clear(&s->bad);
	}
	journal_end(s->sandbox->journal);
}

static void
journal_ended(struct session *s)
{
	struct str *o = session_journal(s, "session");

	json_str(o, "ended", s->ended);
	json_int(o, "duration", clock_mono() - s->began);
	json_int(o, "messages", s->messages);
	json_int(o, "rcpts", s->rcpts);
	session_journal_end(s);
}

/* --- the end of a session --- */

static void
session_free(struct session *s)
{
	LIST_REMOVE(s, link);
	s->host->open--;
	mail_clear(s);
	event_free(s->timer);
	bufferevent_free(s->bev);
	body_release(&s->body);
	str_release(&s->line);
	str_release(&s->late);
	str_release(&s->reply);
	str_release(&s->bad);
	free(s->accepted);
	free(s->ehlo);
	free(s->user);
	free(s);
}

static void
reap(struct session *s)
{
	if (s->ended == NULL)
		return;
	if (s->phase == PHASE_DATA)
		data_aborted(s, "aborted");
	journal_ended(s);
	session_free(s);
}

void
session_drop(struct session *s, bool reset, const char *how)
{
	if (s->ended != NULL)
		return;
	if (reset)
		set_reset(bufferevent_getfd(s->bev));
	s->ended = how;
}

void
session_cut(struct session *s)
{
	session_drop(s, true, "cut");
	reap(s);
}

static void
hold(struct session *s, enum hold h)
{
	if (s->hold == HOLD_LATE)
		s->then = h;
	else
		s->hold = h;
}

void
session_close(struct session *s, const char *how)
{
	s->how = how;
	hold(s, HOLD_CLOSE);
}

/* The reply is out. The client is given time to read it: close(2) with unread
 * input would send a RST that may overtake it. */
static void
finish_close(struct session *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);

	if (s->ssl != NULL)
		(void)SSL_shutdown(s->ssl);
	(void)shutdown(bufferevent_getfd(s->bev), SHUT_WR);
	s->phase = PHASE_CLOSING;
	evbuffer_drain(in, evbuffer_get_length(in));
	session_timer(s, CLOSE_MS);
}

/* --- input --- */

/* One line into s->line; false when none is complete. */
static bool
take_line(struct session *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	struct evbuffer_ptr lf;
	size_t len;

	lf = evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF);
	len = lf.pos >= 0 ? (size_t)lf.pos + 1 : evbuffer_get_length(in);
	if (len > COMMAND_MAX) {
		session_bad(s, "command too long");
		session_say(s, 500, "5.5.2", "Error: line too long");
		session_close(s, "command too long");
		return false;
	}
	if (lf.pos < 0)
		return false;
	str_clear(&s->line);
	str_reserve(&s->line, len);
	evbuffer_remove(in, s->line.data, len);
	s->line.len = len - 1;
	if (s->line.len > 0 && s->line.data[s->line.len - 1] == '\r')
		s->line.len--;
	else
		session_bad(s, "bare LF in command");
	s->line.data[s->line.len] = '\0';
	if (str_has_control(s->line.data, s->line.len))
		session_bad(s, "control byte in command");
	if ((s->host->features & FEATURE_PIPELINING) == 0 &&
	    evbuffer_get_length(in) > 0)
		session_bad(s, "pipelined");
	return true;
}

static void
run(struct session *s)
{
	while (s->ended == NULL && s->hold == HOLD_NONE &&
	       s->phase != PHASE_CLOSING) {
		if (s->phase == PHASE_DATA) {
			if (!data_read(s))
				return;
		} else if (take_line(s)) {
			command_line(s, s->line.data);
		} else {
			return;
		}
	}
}

static void
use_bev(struct session *s)
{
	struct timeval idle = { .tv_sec = s->host->system->ses ? SES_IDLE_S
							       : IDLE_S };

	bufferevent_setcb(s->bev, on_read, on_write, on_event, s);
	bufferevent_setwatermark(s->bev, EV_READ, 0, INPUT_MAX);
	bufferevent_set_timeouts(s->bev, &idle, NULL);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

static struct bufferevent *
tls_bev(struct session *s, int fd)
{
	bool ses = s->host->system->ses;
	struct bufferevent *bev;

	s->ssl = SSL_new(ses ? s->sandbox->ses_tls : s->sandbox->mx_tls);
	bev = bufferevent_openssl_socket_new(s->sandbox->base, fd, s->ssl,
	    BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

void
session_start_tls(struct session *s)
{
	hold(s, HOLD_TLS);
}

/* RFC 3207 4.2: nothing that came in clear is known afterwards. */
static void
upgrade(struct session *s)
{
	int fd = bufferevent_getfd(s->bev);

	if (evbuffer_get_length(bufferevent_get_input(s->bev)) > 0)
		session_bad(s, "plaintext after STARTTLS");
	bufferevent_setfd(s->bev, -1);
	bufferevent_free(s->bev);
	s->bev = tls_bev(s, fd);
	use_bev(s);
	free(s->ehlo);
	s->ehlo = NULL;
	mail_clear(s);
	s->hold = HOLD_NONE;
}

/* --- callbacks --- */

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;
	struct evbuffer *in = bufferevent_get_input(bev);

	if (s->phase == PHASE_CLOSING)
		evbuffer_drain(in, evbuffer_get_length(in));
	run(s);
	reap(s);
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;

	(void)bev;
	if (s->phase == PHASE_CLOSING)
		return;
	if (s->hold == HOLD_CLOSE)
		finish_close(s);
	else if (s->hold == HOLD_TLS)
		upgrade(s);
	else if (s->hold == HOLD_FLOOD && s->flood != DO_ENDLESS)
		reply_flood(s);
	run(s);
	reap(s);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	if (s->phase == PHASE_CLOSING)
		session_drop(s, false, s->how);
	else if (s->hold == HOLD_LATE)
		reply_late(s);
	else if (s->hold == HOLD_FLOOD)
		reply_flood(s);
	run(s);
	reap(s);
}

static void
on_timeout(struct session *s)
{
	bufferevent_enable(s->bev, EV_READ);
	if (s->hold != HOLD_NONE)
		return;
	if (s->phase == PHASE_DATA)
		data_aborted(s, "timeout");
	s->phase = PHASE_COMMAND;
	if (s->host->system->ses)
		session_say(s, 451, NULL,
		    "4.4.2 Timeout waiting for data from client.");
	else
		session_say(s, 421, "4.4.2", "Error: timeout exceeded");
	session_close(s, "timeout");
}

static const char *
end_word(const struct session *s, short what)
{
	if (s->how != NULL)
		return s->how;
	return (what & BEV_EVENT_EOF) != 0 ? "eof" : "error";
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct session *s = arg;

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0) {
		if (s->tls_first)
			command_greet(s);
	} else if ((what & BEV_EVENT_TIMEOUT) != 0) {
		on_timeout(s);
	} else if (s->phase == PHASE_CLOSING) {
		session_drop(s, false, s->how);
	} else {
		session_drop(s, false, end_word(s, what));
	}
	reap(s);
}

/* --- the beginning --- */

static void
set_peer(struct session *s, const struct sockaddr *peer)
{
	const struct sockaddr_in *sin =
	    (const struct sockaddr_in *)(const void *)peer;

	(void)inet_ntop(AF_INET, &sin->sin_addr, s->peer, sizeof(s->peer));
}

static void
count_in(struct session *s)
{
	struct host *h = s->host;

	LIST_INSERT_HEAD(&h->sessions, s, link);
	h->counts.connections++;
	if (++h->open > h->peak)
		h->peak = h->open;
}

/* A mood that shows before TLS could begin. */
static bool
is_mute(const struct mood *m)
{
	return m != NULL && m->stage == AT_CONNECT && m->action != DO_CUT;
}

void
session_new(struct port *p, int fd, const struct sockaddr *peer)
{
	struct session *s = xcalloc(1, sizeof(*s));
	int on = 1;

	s->host = p->host;
	s->sandbox = p->host->sandbox;
	s->tls_first = p->tls_first;
	s->id = ++s->sandbox->next_session;
	s->began = clock_mono();
	str_init(&s->line);
	str_init(&s->late);
	str_init(&s->reply);
	str_init(&s->bad);
	set_peer(s, peer);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	s->timer = evtimer_new(s->sandbox->base, on_timer, s);
	s->bev = s->tls_first ? tls_bev(s, fd)
			      : bufferevent_socket_new(s->sandbox->base, fd,
				    BEV_OPT_CLOSE_ON_FREE);
	use_bev(s);
	count_in(s);
	(void)session_journal(s, "connect");
	session_journal_end(s);
	if (!s->tls_first || is_mute(p->host->mood))
		command_greet(s);
	reap(s);
}
