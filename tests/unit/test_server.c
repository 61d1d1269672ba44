/*
 * test_server.c - dialogues with a server session over a socket pair.
 *
 * A script is a list of lines: "C: ..." is sent with CRLF, "R: ..." as it is;
 * what stands between two "S:" lines leaves in one piece, so a script pipelines
 * by not waiting. "S: 250 2.1.0" wants a reply whose last line begins so, "EOF"
 * the end of the connection, "J: ..." what the handler has been told since.
 */
#include "mta/smtp/server.h"

#include <event2/event.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "mta/base/str.h"
#include "mta/smtp/header.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum answer { AT_ONCE, LATER, NEVER };

struct world {
	struct event_base *base;
	struct event *readable, *alarm, *later;
	struct smtp_session *session;
	struct smtp_server_config config;
	int fd;
	bool eof, closed, late;
	struct str in, out;
	struct str journal, body;
	enum answer answer;
	SSL_CTX *client_ctx;
	SSL *ssl;
	size_t unread; /* bytes of reply the client leaves in the socket */
};

static SSL_CTX *server_ctx;

/* --- handler ------------------------------------------------------------ */

static bool
on_mail(void *arg, const struct smtp_mail *m, struct smtp_reply *r)
{
	struct world *w = arg;
	char buf[ADDRESS_TEXT_MAX];

	if (strcmp(m->from.local, "refused") == 0) {
		smtp_reply_set(r, 550, "5.7.1", "not\r\nyou");
		return false;
	}
	str_addf(
	    &w->journal, "mail<%s>", address_format(&m->from, QUOTE_RAW, buf));
	if (m->size > 0)
		str_addf(&w->journal, "size=%zu", m->size);
	if (m->ret != 0)
		str_addf(&w->journal, "ret=%c", m->ret);
	if (m->envid[0] != '\0')
		str_addf(&w->journal, "envid=%s", m->envid);
	str_adds(&w->journal, m->body_8bit ? "8bit" : "");
	str_adds(&w->journal, m->smtputf8 ? "utf8" : "");
	return true;
}

static bool
on_rcpt(void *arg, const struct smtp_rcpt *t, struct smtp_reply *r)
{
	struct world *w = arg;
	char buf[ADDRESS_TEXT_MAX];

	if (strcmp(t->to.local, "unknown") == 0) {
		smtp_reply_set(r, 550, "5.1.1", "no such user");
		return false;
	}
	if (strcmp(t->to.local, "busy") == 0) {
		smtp_reply_set(r, 421, "4.3.2", "come back later");
		return false;
	}
	str_addf(
	    &w->journal, " rcpt<%s>", address_format(&t->to, QUOTE_RAW, buf));
	if (t->notify != 0)
		str_addf(&w->journal, "notify=%u", t->notify);
	if (t->orcpt[0] != '\0')
		str_addf(&w->journal, "orcpt=%s", t->orcpt);
	return true;
}

static bool
on_data(void *arg, struct smtp_reply *r)
{
	struct world *w = arg;

	(void)r;
	str_adds(&w->journal, " data");
	str_clear(&w->body);
	return true;
}

static bool
on_bytes(void *arg, const char *data, size_t len, struct smtp_reply *r)
{
	struct world *w = arg;

	str_add(&w->body, data, len);
	if (strstr(w->body.data, "X-Full") == NULL)
		return true;
	smtp_reply_set(r, 452, "4.3.1", "no room");
	return false;
}

static void
reply_250(evutil_socket_t fd, short what, void *arg)
{
	struct world *w = arg;
	struct smtp_reply r;

	(void)fd, (void)what;
	smtp_reply_set(&r, 250, "2.0.0", "stored");
	smtp_session_reply(w->session, &r);
}

static void
on_data_end(void *arg)
{
	struct world *w = arg;

	str_adds(&w->journal, " end");
	switch (w->answer) {
	case AT_ONCE:
		reply_250(-1, 0, w);
		break;
	case LATER:
		event_active(w->later, EV_TIMEOUT, 0);
		break;
	case NEVER:
		break;
	}
}

static void
on_abort(void *arg)
{
	struct world *w = arg;

	str_adds(&w->journal, " abort");
}

static void
on_auth(void *arg, const char *user, const char *password)
{
	struct world *w = arg;

	str_addf(&w->journal, "auth<%s><%s>", user, password);
	smtp_session_auth(
	    w->session, strcmp(user, "down") == 0	  ? AUTH_UNAVAILABLE
			: strcmp(password, "secret") == 0 ? AUTH_OK
							  : AUTH_DENIED);
}

static void
on_closed(void *arg)
{
	struct world *w = arg;

	assert_false(w->closed);
	w->closed = true;
	w->session = NULL;
}

static const struct smtp_server_handler handler = {
	.mail = on_mail,
	.rcpt = on_rcpt,
	.data = on_data,
	.data_bytes = on_bytes,
	.data_end = on_data_end,
	.abort = on_abort,
	.auth = on_auth,
	.closed = on_closed,
};

/* --- client ------------------------------------------------------------- */

static void
write_all(struct world *w, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(w->fd, data, len, MSG_NOSIGNAL);

		if (n == -1)
			return; /* the server has closed: the script sees EOF */
		data += n;
		len -= (size_t)n;
	}
}

static void
pump_tls(struct world *w)
{
	char buf[4096];
	int n;

	if (!SSL_is_init_finished(w->ssl))
		SSL_do_handshake(w->ssl);
	while ((n = SSL_read(w->ssl, buf, sizeof(buf))) > 0)
		str_add(&w->in, buf, (size_t)n);
	if (SSL_get_shutdown(w->ssl) & SSL_RECEIVED_SHUTDOWN)
		w->eof = true;
	while ((n = BIO_read(SSL_get_wbio(w->ssl), buf, sizeof(buf))) > 0)
		write_all(w, buf, (size_t)n);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct world *w = arg;
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	(void)what;
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		w->eof = true;
		event_del(w->readable);
	} else if (w->ssl != NULL) {
		BIO_write(SSL_get_rbio(w->ssl), buf, (int)n);
		pump_tls(w);
	} else {
		str_add(&w->in, buf, (size_t)n);
	}
}

static void
on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct world *w = arg;

	(void)fd, (void)what;
	w->late = true;
}

static void
wait_once(struct world *w, const char *what)
{
	if (w->late)
		fail_msg("timed out before: %s; have '%s'", what, w->in.data);
	event_base_loop(w->base, EVLOOP_ONCE);
}

static void
client_send(struct world *w, const char *data, size_t len)
{
	if (w->ssl == NULL) {
		write_all(w, data, len);
	} else {
		SSL_write(w->ssl, data, (int)len);
		pump_tls(w);
	}
}

static void
flush_out(struct world *w)
{
	if (w->out.len > 0)
		client_send(w, w->out.data, w->out.len);
	str_clear(&w->out);
}

/* Length of the first reply in `in`, all its lines; 0: not complete. *last: its
 * last line. */
static size_t
reply_length(const struct str *in, const char **last)
{
	const char *line = in->data, *nl;

	while ((nl = strstr(line, "\r\n")) != NULL) {
		*last = line;
		if (nl - line < 4 || line[3] != '-')
			return (size_t)(nl + 2 - in->data);
		line = nl + 2;
	}
	return 0;
}

static void
expect(struct world *w, const char *want)
{
	const char *last = "";
	size_t n;

	flush_out(w);
	while ((n = reply_length(&w->in, &last)) == 0 && !w->eof)
		wait_once(w, want);
	if (n == 0)
		fail_msg("end of connection instead of: %s", want);
	if (strncmp(last, want, strlen(want)) != 0)
		fail_msg("wanted: %s got: %s", want, w->in.data);
	memmove(w->in.data, w->in.data + n, w->in.len - n + 1);
	w->in.len -= n;
}

static void
expect_eof(struct world *w)
{
	flush_out(w);
	while (!w->eof)
		wait_once(w, "EOF");
	assert_string_equal(w->in.data, "");
	close(w->fd);
	w->fd = -1;
	while (!w->closed)
		wait_once(w, "closed");
}

static void
expect_journal(struct world *w, const char *want)
{
	assert_string_equal(w->journal.data, want);
	str_clear(&w->journal);
}

static void
play(struct world *w, const char *const script[])
{
	for (; *script != NULL; script++) {
		const char *line = *script;

		if (strncmp(line, "C: ", 3) == 0)
			str_addf(&w->out, "%s\r\n", line + 3);
		else if (strncmp(line, "R: ", 3) == 0)
			str_adds(&w->out, line + 3);
		else if (strncmp(line, "S: ", 3) == 0)
			expect(w, line + 3);
		else if (strncmp(line, "J: ", 3) == 0)
			expect_journal(w, line + 3);
		else if (strcmp(line, "EOF") == 0)
			expect_eof(w);
		else
			fail_msg("bad script line: %s", line);
	}
}
#define PLAY(w, ...) play(w, (const char *const[]){ __VA_ARGS__, NULL })

static void
set_alarm(struct world *w)
{
	struct timeval tv = { 10, 0 };

	event_add(w->alarm, &tv);
}

static void
init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->base = event_base_new();
	w->alarm = evtimer_new(w->base, on_alarm, w);
	w->later = evtimer_new(w->base, reply_250, w);
	str_init(&w->in);
	str_init(&w->out);
	str_init(&w->journal);
	str_init(&w->body);
	w->fd = -1;
	w->config = (struct smtp_server_config){
		.hostname = "mx.example.jp",
		.max_message = 1 << 20,
		.max_header = 64 << 10,
		.max_command = 2048,
		.max_recipients = 5,
		.max_received = 3,
		.max_commands = 1000,
		.max_errors = 10,
		.max_auth_failures = 2,
		.idle_timeout = 60000,
		.command_timeout = 60000,
	};
}

static void
connect_to(struct world *w)
{
	struct sockaddr_un peer = { .sun_family = AF_UNIX };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	evutil_make_socket_nonblocking(fds[1]);
	w->fd = fds[0];
	w->closed = w->eof = false;
	w->readable =
	    event_new(w->base, w->fd, EV_READ | EV_PERSIST, on_readable, w);
	event_add(w->readable, NULL);
	set_alarm(w);
	w->session = smtp_session_new(w->base, fds[1], (struct sockaddr *)&peer,
	    sizeof(peer), &w->config, &handler, w);
	assert_non_null(w->session);
}

static void
disconnect(struct world *w)
{
	event_free(w->readable);
	w->readable = NULL;
	if (w->fd != -1)
		close(w->fd);
	while (!w->closed)
		wait_once(w, "closed");
	SSL_free(w->ssl);
	SSL_CTX_free(w->client_ctx);
	w->ssl = NULL;
	w->client_ctx = NULL;
	str_clear(&w->in);
	str_clear(&w->journal);
}

static void
finish(struct world *w)
{
	if (w->readable != NULL)
		disconnect(w);
	event_free(w->alarm);
	event_free(w->later);
	event_base_free(w->base);
	str_release(&w->in);
	str_release(&w->out);
	str_release(&w->journal);
	str_release(&w->body);
}

static void
start_tls(struct world *w)
{
	w->client_ctx = SSL_CTX_new(TLS_client_method());
	w->ssl = SSL_new(w->client_ctx);
	SSL_set_bio(w->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(w->ssl);
	pump_tls(w);
	while (!SSL_is_init_finished(w->ssl) && !w->eof)
		wait_once(w, "handshake");
	assert_true(SSL_is_init_finished(w->ssl));
}

/* --- dialogues ---------------------------------------------------------- */

static const struct {
	const char *name;
	const char *const script[24];
} dialogues[] = {
	{ "one message",
	    { "S: 220 mx.example.jp ESMTP", "C: EHLO client.example",
		"S: 250 ENHANCEDSTATUSCODES", "C: MAIL FROM:<a@b.example>",
		"S: 250 2.1.0", "C: RCPT TO:<taro@docomo.ne.jp>",
		"S: 250 2.1.5", "C: DATA", "S: 354 ", "C: Subject: x",
		"C: ", "C: hello", "C: .", "S: 250 2.0.0 stored",
		"J: mail<a@b.example> rcpt<taro@docomo.ne.jp> data end",
		"C: QUIT", "S: 221 2.0.0", "EOF" } },
	{ "pipelined, two transactions",
	    { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>",
		"C: RCPT TO:<c@d>", "C: RCPT TO:<unknown@d>", "C: DATA",
		"C: x: y", "C: .", "C: MAIL FROM:<>", "C: RCPT TO:<e@f>",
		"C: QUIT", "S: 250 2.1.0", "S: 250 2.1.5",
		"S: 550 5.1.1 no such user", "S: 354", "S: 250 2.0.0 stored",
		"S: 250 2.1.0", "S: 250 2.1.5", "S: 221", "EOF",
		"J: mail<a@b> rcpt<c@d> data endmail<> rcpt<e@f> abort" } },
	{ "no command before EHLO",
	    { "S: 220", "C: MAIL FROM:<a@b>", "C: RCPT TO:<a@b>", "C: DATA",
		"C: AUTH PLAIN", "C: RSET", "C: NOOP", "S: 503 5.5.1 EHLO",
		"S: 503 5.5.1 EHLO", "S: 503 5.5.1 EHLO", "S: 503 5.5.1 EHLO",
		"S: 250 2.0.0", "S: 250 2.0.0", "C: HELO c", "S: 250 mx",
		"J: " } },
	{ "order of commands",
	    { "S: 220", "C: EHLO c", "S: 250", "C: RCPT TO:<c@d>",
		"S: 503 5.5.1 MAIL first", "C: DATA", "S: 503 5.5.1 MAIL first",
		"C: MAIL FROM:<a@b>", "S: 250", "C: MAIL FROM:<a@b>",
		"S: 503 5.5.1", "C: DATA", "S: 554 5.5.1", "C: STARTTLS",
		"S: 503 5.5.1", "C: AUTH PLAIN", "S: 503 5.5.1", "J: mail<a@b>",
		"C: RSET", "S: 250", "J:  abort" } },
	{ "EHLO again ends the transaction",
	    { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>", "S: 250",
		"C: EHLO d", "S: 250", "J: mail<a@b> abort", "C: RCPT TO:<a@b>",
		"S: 503" } },
	{ "other verbs, case and blanks",
	    { "S: 220", "C: ehlo c", "S: 250", "C: vrfy x", "S: 252", "C: HELP",
		"S: 214", "C: noop foo", "S: 250", "C: EXPN x", "S: 500 5.5.2",
		"C: ", "S: 500 5.5.2", "C: rset  ", "S: 250", "C: RSET x",
		"S: 501 5.5.4", "C: mail from: <a@b> ", "S: 250 2.1.0" } },
	{ "bad names in EHLO",
	    { "S: 220", "C: EHLO", "S: 501 5.5.4", "C: EHLO a b",
		"S: 501 5.5.4", "C: HELO a(b)", "S: 501",
		"C: EHLO \xe3\x81\x82", "S: 501", "C: EHLO [IPv6:2001:db8::1]",
		"S: 250" } },
	{ "parameters",
	    { "S: 220", "C: EHLO c", "S: 250",
		"C: MAIL FROM:<a@b> SIZE=10 body=8bitmime RET=HDRS "
		"ENVID=x+2By AUTH=<>",
		"S: 250",
		"C: RCPT TO:<a..b@docomo.ne.jp> NOTIFY=SUCCESS,DELAY "
		"ORCPT=rfc822;q+40z",
		"S: 250",
		"J: mail<a@b>size=10ret=Henvid=x+y8bit "
		"rcpt<a..b@docomo.ne.jp>notify=10orcpt=rfc822;q@z",
		"C: RCPT TO:<a@d> X=1", "S: 555 5.5.4",
		"C: RCPT TO:<a@d> NOTIFY=NEVER NOTIFY=NEVER", "S: 501 5.5.4",
		"C: RCPT TO:<a@d> ORCPT=rfc822;a+0D+0Ab", "S: 501 5.5.4" } },
	{ "SMTPUTF8",
	    { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<\xe3\x81\x82@b>",
		"S: 553 5.6.7", "C: MAIL FROM:<a@b>", "S: 250",
		"C: RCPT TO:<\xe3\x81\x82@b>", "S: 553 5.6.7", "C: RSET",
		"S: 250", "C: MAIL FROM:<\xe3\x81\x82@b> SMTPUTF8", "S: 250",
		"C: RCPT TO:<\xe3\x81\x82@b>", "S: 250" } },
	{ "postmaster", { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<>",
			    "S: 250", "C: RCPT TO:<Postmaster>", "S: 250",
			    "J: mail<> rcpt<Postmaster@mx.example.jp>" } },
	{ "dots",
	    { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>",
		"C: RCPT TO:<c@d>", "C: DATA", "C: ..", "C: ...x", "C: .y",
		"C: .", "S: 250", "S: 250", "S: 354", "S: 250 2.0.0 stored" } },
	{ "an empty message",
	    { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>",
		"C: RCPT TO:<c@d>", "C: DATA", "C: .", "S: 250", "S: 250",
		"S: 354", "S: 250 2.0.0 stored" } },
	{ "handler refuses",
	    { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<refused@b>",
		"S: 550 5.7.1 not??you", "C: MAIL FROM:<a@b>", "S: 250",
		"C: RCPT TO:<c@d>", "S: 250", "C: DATA", "S: 354",
		"C: X-Full: 1", "C: ", "C: more", "C: .",
		"S: 452 4.3.1 no room", "J: mail<a@b> rcpt<c@d> data abort",
		"C: MAIL FROM:<a@b>", "S: 250", "J: mail<a@b>" } },
	{ "handler answers 421",
	    { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>", "S: 250",
		"C: RCPT TO:<busy@d>", "C: RCPT TO:<x@d>", "S: 421 4.3.2",
		"EOF", "J: mail<a@b> abort" } },
	{ "too many recipients",
	    { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>", "S: 250",
		"C: RCPT TO:<1@d>", "C: RCPT TO:<2@d>", "C: RCPT TO:<3@d>",
		"C: RCPT TO:<4@d>", "C: RCPT TO:<5@d>", "C: RCPT TO:<6@d>",
		"S: 250", "S: 250", "S: 250", "S: 250", "S: 250",
		"S: 452 4.5.3", "C: DATA", "S: 354" } },
	{ "loop", { "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>",
		      "C: RCPT TO:<c@d>", "C: DATA", "C: Received: 1",
		      "C: received: 2", "C: Received : 3", "C: RECEIVED: 4",
		      "C: .", "S: 250", "S: 250", "S: 354", "S: 554 5.4.6",
		      "C: NOOP", "S: 250" } },
	{ "SIZE too big",
	    { "S: 220", "C: EHLO c", "S: 250",
		"C: MAIL FROM:<a@b> SIZE=1048577", "S: 552 5.3.4",
		"C: MAIL FROM:<a@b> SIZE=99999999999999999999", "S: 552 5.3.4",
		"C: MAIL FROM:<a@b> SIZE=1048576", "S: 250" } },
	{ "bare LF behind a command",
	    { "S: 220", "R: EHLO c\nNOOP\r\n", "S: 521 5.5.2", "EOF" } },
	{ "bare CR in a command",
	    { "S: 220", "R: EHLO c\rNOOP\r\n", "S: 521 5.5.2", "EOF" } },
	{ "no AUTH and no STARTTLS where not offered",
	    { "S: 220", "C: EHLO c", "S: 250", "C: AUTH PLAIN", "S: 502",
		"C: STARTTLS", "S: 502" } },
};

static void
runs_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dialogues); i++) {
		struct world w;

		for (enum answer a = AT_ONCE; a <= LATER; a++) {
			print_message("dialogue: %s\n", dialogues[i].name);
			init(&w);
			w.answer = a;
			connect_to(&w);
			play(&w, dialogues[i].script);
			finish(&w);
		}
	}
}

static void
unstuffs_dots(void **state)
{
	struct world w;

	(void)state;
	init(&w);
	connect_to(&w);
	PLAY(&w, "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>",
	    "C: RCPT TO:<c@d>", "C: DATA", "C: ..", "C: ...x", "C: .y", "C: a.",
	    "C: .", "S: 250", "S: 250", "S: 354", "S: 250");
	assert_string_equal(w.body.data, ".\r\n..x\r\ny\r\na.\r\n");
	finish(&w);
}

static void
tells_what_it_knows(void **state)
{
	struct world w;
	const struct header *h;

	(void)state;
	init(&w);
	w.answer = NEVER;
	connect_to(&w);
	PLAY(&w, "S: 220", "C: EHLO client.example", "S: 250",
	    "C: MAIL FROM:<a@b> SMTPUTF8", "C: RCPT TO:<c@d>", "C: DATA",
	    "C: From: X <x@News.Example.JP>", "C: Message-ID: <1@x>", "C: .",
	    "S: 250", "S: 250", "S: 354");
	while (strstr(w.journal.data, "end") == NULL)
		wait_once(&w, "end of data");
	h = smtp_session_header(w.session);
	assert_string_equal(h->from_domain.data, "news.example.jp");
	assert_string_equal(h->message_id.data, "<1@x>");
	assert_false(h->has_date);
	assert_string_equal(smtp_session_helo(w.session), "client.example");
	assert_string_equal(smtp_session_peer(w.session), "local");
	assert_string_equal(smtp_session_protocol(w.session), "UTF8SMTP");
	assert_string_equal(smtp_session_tls(w.session), "");
	assert_string_equal(smtp_session_user(w.session), "");
	reply_250(-1, 0, &w);
	assert_string_equal(smtp_session_protocol(w.session), "ESMTP");
	finish(&w);
}

/* --- the end of the message --------------------------------------------- */

#define HEAD "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
#define EVIL "MAIL FROM:<evil@b>\r\nRCPT TO:<e@d>\r\nDATA\r\nevil\r\n.\r\n"

#define V(s)                                                                   \
	{                                                                      \
		s, sizeof(s) - 1                                               \
	}
static const struct {
	const char *text;
	size_t len;
} variants[] = {
	V("\n.\n"),
	V("\n.\r\n"),
	V("\r\n.\n"),
	V("\r.\r"),
	V("\r\n.\r"),
	V("\r.\r\n"),
	V("\n.\r"),
	V("\r.\n"),
	V("\r\n.\r\r\n"),
	V("\r\r\n.\r\r\n"),
	V("\r\n\0.\r\n"),
	V("\r\n.\0\r\n"),
	V("\r\n.\r\0\n"),
	V("\r\0\n.\r\n"),
	V("\n\n.\r\n"),
	V("\r\n\r.\r\n"),
	V("\r\n.\n\r\n"),
	V("\r\n\n.\r\n"),
	V("\r\n.\r.\r\n"),
	V("\n\r.\r\n"),
	V("\r\r\n.\r\n"),
	V("\r"),
	V("\n"),
	V("\0"),
};
#undef V

static void
turn(struct world *w)
{
	event_base_loop(w->base, EVLOOP_NONBLOCK);
}

/* Sends it in two pieces, the first taken before the second comes. */
static void
send_split(struct world *w, const struct str *text, size_t at)
{
	client_send(w, text->data, at);
	turn(w);
	client_send(w, text->data + at, text->len - at);
}

static void
refuses_smuggling(struct world *w, size_t variant)
{
	struct str text = STR_INIT;
	size_t head = strlen(HEAD);

	str_adds(&text, HEAD "Subject: x\r\n\r\nhello");
	str_add(&text, variants[variant].text, variants[variant].len);
	str_adds(&text, EVIL "NOOP\r\n");
	for (size_t at = head; at < text.len; at++) {
		connect_to(w);
		send_split(w, &text, at);
		PLAY(w, "S: 220", "S: 250", "S: 250", "S: 250", "S: 354",
		    variants[variant].len == 1 && *variants[variant].text == 0
			? "S: 554 5.6.0"
			: "S: 55",
		    "EOF", "J: mail<a@b> rcpt<c@d> data abort");
		disconnect(w);
	}
	str_release(&text);
}

static void
refuses_all_smuggling(void **state)
{
	struct world w;

	(void)state;
	init(&w);
	for (size_t i = 0; i < COUNT(variants); i++)
		refuses_smuggling(&w, i);
	finish(&w);
}

static void
splits_change_nothing(void **state)
{
	static const char body[] = "Subject: x\r\n\r\n..\r\n.\r\n";
	struct str text = STR_INIT;
	struct world w;

	(void)state;
	str_addf(&text, "%s%sQUIT\r\n", HEAD, body);
	init(&w);
	for (size_t at = 0; at <= text.len; at++) {
		connect_to(&w);
		send_split(&w, &text, at);
		PLAY(&w, "S: 220", "S: 250", "S: 250", "S: 250", "S: 354",
		    "S: 250", "S: 221", "EOF",
		    "J: mail<a@b> rcpt<c@d> data end");
		assert_string_equal(w.body.data, "Subject: x\r\n\r\n.\r\n");
		disconnect(&w);
	}
	str_release(&text);
	finish(&w);
}

static void
survives_single_bytes(void **state)
{
	static const char all[] = HEAD "a: b\r\n\r\n.\r.\r\n..c\r\n.\r\n";
	static const char good[] = HEAD "a: b\r\n\r\n...\r\n.\r\nQUIT\r\n";
	struct world w;

	(void)state;
	init(&w);
	connect_to(&w);
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		client_send(&w, good + i, 1);
		turn(&w);
	}
	PLAY(&w, "S: 220", "S: 250", "S: 250", "S: 250", "S: 354", "S: 250",
	    "S: 221", "EOF");
	assert_string_equal(w.body.data, "a: b\r\n\r\n..\r\n");
	disconnect(&w);
	connect_to(&w);
	for (size_t i = 0; i < sizeof(all) - 1; i++) {
		client_send(&w, all + i, 1);
		turn(&w);
	}
	PLAY(&w, "S: 220", "S: 250", "S: 250", "S: 250", "S: 354",
	    "S: 550 5.6.0", "EOF");
	finish(&w);
}

/* --- limits ------------------------------------------------------------- */

static void
add_repeated(struct str *s, const char *text, size_t n)
{
	while (n-- > 0)
		str_adds(s, text);
}

static const struct {
	const char *name, *before, *unit;
	size_t n;
	const char *reply;
} sizes[] = {
	{ "message as big as allowed", "\r\n", "12345678\r\n", 999, "S: 250" },
	{ "message too big", "\r\n", "12345678\r\n", 1001, "S: 552 5.3.4" },
	{ "header too big", "", "X: 4567\r\n", 200, "S: 552 5.3.4 message he" },
	{ "one endless header field", "X: ", "1234567\r\n ", 200,
	    "S: 552 5.3.4 message he" },
	{ "long line", "\r\n", "1234567890", 100, "S: 554 5.6.0 a line" },
	{ "line as long as allowed", "\r\n", "12345678", 62, "S: 250" },
};

static void
keeps_message_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct world w;

		print_message("limit: %s\n", sizes[i].name);
		init(&w);
		w.config.max_message = 10000;
		w.config.max_header = 1000;
		w.config.max_text_line = 498;
		connect_to(&w);
		PLAY(&w, "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>",
		    "C: RCPT TO:<c@d>", "C: DATA", "S: 250", "S: 250",
		    "S: 354");
		str_adds(&w.out, sizes[i].before);
		add_repeated(&w.out, sizes[i].unit, sizes[i].n);
		PLAY(&w, "R: \r\n.\r\nNOOP\r\n", sizes[i].reply,
		    "S: 250 2.0.0 ok");
		finish(&w);
	}
}

static void
keeps_session_limits(void **state)
{
	struct world w;

	(void)state;
	init(&w);
	w.config.max_commands = 3;
	connect_to(&w);
	PLAY(&w, "S: 220", "C: EHLO c", "C: NOOP", "C: NOOP", "C: NOOP",
	    "C: NOOP", "S: 250", "S: 250", "S: 250", "S: 421 4.7.0", "EOF");
	disconnect(&w);

	w.config.max_commands = 1000;
	w.config.max_errors = 3;
	connect_to(&w);
	PLAY(&w, "S: 220", "C: EHLO c", "C: X", "C: MAIL FROM:<a@b>",
	    "C: RCPT TO:<unknown@d>", "C: Y", "C: NOOP", "S: 250", "S: 500",
	    "S: 250", "S: 550", "S: 500", "S: 421 4.7.0", "EOF",
	    "J: mail<a@b> abort");
	finish(&w);
}

static void
skips_a_long_command(void **state)
{
	struct world w;

	(void)state;
	init(&w);
	for (size_t len = 2030; len < 2060; len++) {
		size_t whole = len + 2;

		connect_to(&w);
		expect(&w, "220");
		str_adds(&w.out, "NOOP ");
		add_repeated(&w.out, "x", len - 5);
		PLAY(&w, "R: \r\n", whole <= 2048 ? "S: 250" : "S: 500 5.5.2",
		    "C: NOOP", "S: 250", "C: QUIT", "S: 221", "EOF");
		disconnect(&w);
	}
	connect_to(&w);
	expect(&w, "220");
	for (unsigned i = 0; i < 10; i++) {
		add_repeated(&w.out, "x", 30000);
		flush_out(&w);
		turn(&w);
	}
	PLAY(&w, "S: 500", "R: y\r\nNOOP\r\n", "S: 250", "R: NOOP\n", "S: 521",
	    "EOF");
	finish(&w);
}

/* --- time --------------------------------------------------------------- */

static void
idles_out(void **state)
{
	struct world w;

	(void)state;
	init(&w);
	w.config.idle_timeout = 50;
	connect_to(&w);
	PLAY(&w, "S: 220", "S: 421 4.4.2", "EOF");
	disconnect(&w);
	connect_to(&w);
	PLAY(&w, "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>",
	    "C: RCPT TO:<c@d>", "C: DATA", "R: half a line", "S: 250", "S: 250",
	    "S: 354", "S: 421 4.4.2 waited", "EOF",
	    "J: mail<a@b> rcpt<c@d> data abort");
	finish(&w);
}

static void
times_a_dripping_command(void **state)
{
	struct world w;

	(void)state;
	init(&w);
	w.config.command_timeout = 50;
	connect_to(&w);
	PLAY(
	    &w, "S: 220", "C: NOOP", "S: 250", "R: NOO", "S: 421 4.4.2", "EOF");
	finish(&w);
}

static void
drip(evutil_socket_t fd, short what, void *arg)
{
	struct world *w = arg;

	(void)fd, (void)what;
	client_send(w, "x", 1);
}

static void
times_slow_data(void **state)
{
	struct world w;
	struct timeval every = { 0, 10000 };
	struct event *e;

	(void)state;
	init(&w);
	w.config.idle_timeout = 80;
	w.config.min_data_rate = 10000;
	connect_to(&w);
	PLAY(&w, "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>",
	    "C: RCPT TO:<c@d>", "C: DATA", "S: 250", "S: 250", "S: 354");
	e = event_new(w.base, -1, EV_PERSIST, drip, &w);
	event_add(e, &every);
	PLAY(&w, "S: 421 4.4.2 data comes");
	event_free(e);
	PLAY(&w, "EOF");
	finish(&w);
}

/* A client that never reads is not buffered for without end, and is cut off in
 * the end. */
static void
bounds_unread_replies(void **state)
{
	struct world w;
	struct str noops = STR_INIT;
	int one = 1;
	size_t sent = 0;

	(void)state;
	init(&w);
	w.config.max_commands = 10000000;
	w.config.idle_timeout = 100;
	connect_to(&w);
	expect(&w, "220");
	event_del(w.readable);
	setsockopt(w.fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof(one));
	fcntl(w.fd, F_SETFL, O_NONBLOCK);
	add_repeated(&noops, "NOOP\r\n", 1000);
	while (!w.closed) {
		ssize_t n = send(w.fd, noops.data, noops.len, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		if (n > 0)
			turn(&w);
		else
			wait_once(&w, "closed");
	}
	assert_true(sent < 8 << 20);
	str_release(&noops);
	finish(&w);
}

/* The same client, but it begins to read again. */
static void
resumes_when_replies_are_read(void **state)
{
	struct world w;
	size_t n = 40000;

	(void)state;
	init(&w);
	w.config.max_commands = 10000000;
	connect_to(&w);
	expect(&w, "220");
	event_del(w.readable);
	fcntl(w.fd, F_SETFL, O_NONBLOCK);
	add_repeated(&w.out, "NOOP\r\n", n);
	for (size_t done = 0; done < w.out.len;) {
		ssize_t k = send(
		    w.fd, w.out.data + done, w.out.len - done, MSG_NOSIGNAL);

		if (k > 0)
			done += (size_t)k;
		turn(&w);
		assert_false(w.late);
		if (k <= 0)
			on_readable(w.fd, EV_READ, &w);
	}
	str_clear(&w.out);
	event_add(w.readable, NULL);
	while (w.in.len < n * strlen("250 2.0.0 ok\r\n"))
		wait_once(&w, "all replies");
	str_clear(&w.in);
	PLAY(&w, "C: QUIT", "S: 221", "EOF");
	finish(&w);
}

/* A handler that takes its time: what is pipelined waits, so much of it and no
 * more. */
static void
keeps_little_while_it_waits(void **state)
{
	struct world w;
	struct str noops = STR_INIT;
	size_t sent = 0;
	ssize_t n;

	(void)state;
	init(&w);
	w.answer = NEVER;
	w.config.max_commands = 10000000;
	connect_to(&w);
	PLAY(&w, "R: " HEAD ".\r\n", "S: 220", "S: 250", "S: 250", "S: 250",
	    "S: 354");
	add_repeated(&noops, "NOOP\r\n", 1000);
	while ((n = send(w.fd, noops.data, noops.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT)) > 0) {
		sent += (size_t)n;
		turn(&w);
	}
	assert_true(sent > 64 << 10);
	assert_true(sent < 2 << 20);
	assert_int_equal(w.in.len, 0);
	reply_250(-1, 0, &w);
	while (w.in.len < sent / 6 * strlen("250 2.0.0 ok\r\n"))
		wait_once(&w, "replies to what was pipelined");
	str_release(&noops);
	finish(&w);
}

/* --- ends of the connection --------------------------------------------- */

static void
answers_a_half_closed_client(void **state)
{
	struct world w;

	(void)state;
	for (enum answer a = AT_ONCE; a <= LATER; a++) {
		init(&w);
		w.answer = a;
		connect_to(&w);
		str_adds(&w.out, HEAD "x: y\r\n.\r\nQUIT\r\n");
		flush_out(&w);
		shutdown(w.fd, SHUT_WR);
		PLAY(&w, "S: 220", "S: 250", "S: 250", "S: 250", "S: 354",
		    "S: 250 2.0.0 stored", "S: 221", "EOF",
		    "J: mail<a@b> rcpt<c@d> data end");
		disconnect(&w);
		connect_to(&w);
		str_adds(&w.out, HEAD "x: y\r\n");
		flush_out(&w);
		shutdown(w.fd, SHUT_WR);
		PLAY(&w, "S: 220", "S: 250", "S: 250", "S: 250", "S: 354",
		    "EOF", "J: mail<a@b> rcpt<c@d> data");
		finish(&w);
	}
}

static void
forgets_a_vanished_client(void **state)
{
	char unread[512];
	struct world w;

	(void)state;
	init(&w);
	w.answer = NEVER;
	connect_to(&w);
	str_adds(&w.out, HEAD "x: y\r\n.\r\n");
	flush_out(&w);
	while (strstr(w.journal.data, "end") == NULL)
		wait_once(&w, "end of data");
	/* With replies unread its end would be a reset, which is no doubt. */
	while (recv(w.fd, unread, sizeof(unread), MSG_DONTWAIT) > 0)
		continue;
	close(w.fd);
	w.fd = -1;
	turn(&w);
	/* Half-closed, for all it can see: the message is answered first. */
	assert_false(w.closed);
	reply_250(-1, 0, &w);
	assert_false(w.closed);
	finish(&w);
}

static void
stops_gracefully(void **state)
{
	struct world w;

	(void)state;
	init(&w);
	connect_to(&w);
	PLAY(&w, "S: 220", "C: EHLO c", "S: 250");
	smtp_session_shutdown(w.session);
	PLAY(&w, "S: 421 4.3.2", "EOF");
	disconnect(&w);

	w.answer = NEVER;
	connect_to(&w);
	PLAY(&w, "S: 220", "C: EHLO c", "S: 250", "C: MAIL FROM:<a@b>",
	    "C: RCPT TO:<c@d>", "C: DATA", "S: 250", "S: 250", "S: 354",
	    "R: x: y\r\n.\r\nNOOP\r\n");
	flush_out(&w);
	smtp_session_shutdown(w.session);
	while (strstr(w.journal.data, "end") == NULL)
		wait_once(&w, "end of data");
	reply_250(-1, 0, &w);
	PLAY(&w, "S: 250 2.0.0 stored", "S: 421 4.3.2", "EOF");
	finish(&w);
}

/* --- TLS and AUTH ------------------------------------------------------- */

#define STARTTLS "S: 220", "C: EHLO c", "S: 250", "C: STARTTLS", "S: 220 2.0.0"

static void
init_tls(struct world *w, bool implicit)
{
	init(w);
	w->config.tls = server_ctx;
	w->config.offer_auth = true;
	w->config.implicit_tls = implicit;
	connect_to(w);
}

static void
starts_tls(void **state)
{
	struct world w;

	(void)state;
	init_tls(&w, false);
	PLAY(&w, STARTTLS);
	start_tls(&w);
	/* RFC 3207 4.2: not even the EHLO is remembered. */
	PLAY(&w, "C: MAIL FROM:<a@b>", "S: 503 5.5.1 EHLO", "C: EHLO c",
	    "S: 250", "C: STARTTLS", "S: 503", "C: MAIL FROM:<a@b>",
	    "C: RCPT TO:<c@d>", "C: DATA", "C: x: y", "C: .", "S: 250",
	    "S: 250", "S: 354", "S: 250");
	assert_string_equal(smtp_session_protocol(w.session), "ESMTPS");
	assert_int_equal(strncmp(smtp_session_tls(w.session), "TLSv1.", 6), 0);
	PLAY(&w, "C: QUIT", "S: 221", "EOF");
	assert_true((SSL_get_shutdown(w.ssl) & SSL_RECEIVED_SHUTDOWN) != 0);
	finish(&w);
}

static void
speaks_implicit_tls(void **state)
{
	struct world w;

	(void)state;
	init_tls(&w, true);
	start_tls(&w);
	PLAY(&w, "S: 220 mx", "C: EHLO c", "S: 250",
	    "C: AUTH PLAIN AHUAc2VjcmV0", "S: 235 2.7.0", "C: MAIL FROM:<a@b>",
	    "S: 250");
	assert_string_equal(smtp_session_protocol(w.session), "ESMTPSA");
	assert_string_equal(smtp_session_user(w.session), "u");
	/* A client that closes without close_notify. */
	finish(&w);
}

static void
takes_nothing_behind_starttls(void **state)
{
	struct world w;

	(void)state;
	init_tls(&w, false);
	PLAY(&w, "S: 220", "C: EHLO c", "S: 250", "C: STARTTLS", "C: NOOP",
	    "S: 554 5.5.1", "EOF");
	disconnect(&w);
	/* Behind the 220 in plain text: a broken handshake, never a command. */
	connect_to(&w);
	PLAY(&w, STARTTLS, "C: EHLO d", "C: MAIL FROM:<evil@b>");
	flush_out(&w);
	while (!w.closed)
		wait_once(&w, "closed");
	expect_journal(&w, "");
	finish(&w);
}

static void
survives_broken_handshakes(void **state)
{
	struct world w;

	(void)state;
	init_tls(&w, true);
	disconnect(&w);
	w.config.idle_timeout = 50;
	connect_to(&w);
	while (!w.closed)
		wait_once(&w, "time-out of the handshake");
	disconnect(&w);
	connect_to(&w);
	smtp_session_shutdown(w.session);
	assert_false(w.closed);
	while (!w.closed)
		wait_once(&w, "closed");
	finish(&w);
}

static const struct {
	const char *name;
	const char *const script[20];
} auths[] = {
	{ "PLAIN", { "C: AUTH PLAIN", "S: 334 ", "C: AHUAc2VjcmV0", "S: 235",
		       "J: auth<u><secret>", "C: AUTH PLAIN", "S: 503" } },
	{ "PLAIN, authorization identity",
	    { "C: AUTH PLAIN dQB1AHNlY3JldA==", "S: 235",
		"J: auth<u><secret>" } },
	{ "PLAIN, for someone else",
	    { "C: AUTH PLAIN dgB1AHNlY3JldA==", "S: 501 5.5.2", "J: " } },
	{ "LOGIN", { "C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6",
		       "C: dQ==", "S: 334 UGFzc3dvcmQ6", "C: c2VjcmV0",
		       "S: 235", "J: auth<u><secret>" } },
	{ "LOGIN, user at once",
	    { "C: auth login dQ==", "S: 334 UGFz", "C: c2VjcmV0", "S: 235" } },
	{ "cancelled",
	    { "C: AUTH LOGIN", "S: 334", "C: *", "S: 501", "C: AUTH PLAIN",
		"S: 334", "C: *", "S: 501", "C: NOOP", "S: 250", "J: " } },
	{ "denied",
	    { "C: AUTH PLAIN AHUAeA==", "S: 535 5.7.8", "C: MAIL FROM:<a@b>",
		"S: 530 5.7.0", "C: AUTH PLAIN AHUAeA==", "C: NOOP",
		"S: 535 5.7.8", "S: 421 4.7.0", "EOF" } },
	{ "unavailable", { "C: AUTH PLAIN AGRvd24AeA==", "S: 454 4.7.0" } },
	{ "garbage",
	    { "C: AUTH PLAIN =", "S: 501", "C: AUTH PLAIN a", "S: 501",
		"C: AUTH PLAIN ====", "S: 501", "C: AUTH PLAIN AA*=", "S: 501",
		"C: AUTH PLAIN AHUA", "S: 501", "C: AUTH CRAM-MD5", "S: 504",
		"C: AUTH", "S: 504", "J: " } },
	{ "line feed in the user name",
	    { "C: AUTH LOGIN", "S: 334", "C: dQp2", "S: 501", "J: " } },
	{ "NUL in the password", { "C: AUTH LOGIN", "S: 334", "C: dQ==",
				     "S: 334", "C: AGI=", "S: 501", "J: " } },
	{ "pipelined behind AUTH",
	    { "C: AUTH PLAIN AHUAc2VjcmV0", "C: MAIL FROM:<a@b>", "C: QUIT",
		"S: 235", "S: 250", "S: 221", "EOF" } },
	{ "bare LF", { "C: AUTH LOGIN", "S: 334", "R: dQ==\nNOOP\r\n", "S: 521",
			 "EOF", "J: " } },
};

static void
authenticates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(auths); i++) {
		struct world w;

		print_message("auth: %s\n", auths[i].name);
		init_tls(&w, false);
		w.config.require_auth = true;
		PLAY(&w, STARTTLS);
		start_tls(&w);
		PLAY(&w, "C: EHLO c", "S: 250");
		play(&w, auths[i].script);
		finish(&w);
	}
}

static void
bounds_auth_lines(void **state)
{
	struct world w;

	(void)state;
	init_tls(&w, false);
	PLAY(&w, STARTTLS);
	start_tls(&w);
	PLAY(&w, "C: EHLO c", "S: 250", "C: AUTH LOGIN", "S: 334");
	add_repeated(&w.out, "QUJD", 2000);
	PLAY(&w, "R: \r\n", "S: 500 5.5.6", "C: NOOP", "S: 250", "J: ");
	finish(&w);
}

static void
no_auth_in_plain_text(void **state)
{
	struct world w;

	(void)state;
	init_tls(&w, false);
	PLAY(&w, "S: 220", "C: EHLO c", "S: 250", "C: AUTH PLAIN AHUAc2VjcmV0",
	    "S: 538 5.7.11", "J: ");
	finish(&w);
}

/* Every TLS record split differently from the lines. */
static void
message_over_tls(void **state)
{
	struct world w;
	struct str big = STR_INIT;

	(void)state;
	init_tls(&w, true);
	start_tls(&w);
	str_adds(&big, HEAD);
	add_repeated(
	    &big, "0123456789012345678901234567890123456789\r\n", 20000);
	str_adds(&big, ".\r\nQUIT\r\n");
	for (size_t done = 0, n = 1; done < big.len; done += n) {
		n = n * 7 % 4093;
		if (n > big.len - done)
			n = big.len - done;
		client_send(&w, big.data + done, n);
		turn(&w);
	}
	PLAY(&w, "S: 220", "S: 250", "S: 250", "S: 250", "S: 354", "S: 250",
	    "S: 221", "EOF", "J: mail<a@b> rcpt<c@d> data end");
	assert_int_equal(w.body.len, 20000 * 42);
	str_release(&big);
	finish(&w);
}

static int
make_certificate(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	server_ctx = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate(server_ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(server_ctx, key) != 1)
		return -1;
	X509_free(cert);
	EVP_PKEY_free(key);
	return 0;
}

static int
free_certificate(void **state)
{
	(void)state;
	SSL_CTX_free(server_ctx);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_dialogues),
		cmocka_unit_test(unstuffs_dots),
		cmocka_unit_test(tells_what_it_knows),
		cmocka_unit_test(refuses_all_smuggling),
		cmocka_unit_test(splits_change_nothing),
		cmocka_unit_test(survives_single_bytes),
		cmocka_unit_test(keeps_message_limits),
		cmocka_unit_test(keeps_session_limits),
		cmocka_unit_test(skips_a_long_command),
		cmocka_unit_test(idles_out),
		cmocka_unit_test(times_a_dripping_command),
		cmocka_unit_test(times_slow_data),
		cmocka_unit_test(bounds_unread_replies),
		cmocka_unit_test(resumes_when_replies_are_read),
		cmocka_unit_test(keeps_little_while_it_waits),
		cmocka_unit_test(answers_a_half_closed_client),
		cmocka_unit_test(forgets_a_vanished_client),
		cmocka_unit_test(stops_gracefully),
		cmocka_unit_test(starts_tls),
		cmocka_unit_test(speaks_implicit_tls),
		cmocka_unit_test(takes_nothing_behind_starttls),
		cmocka_unit_test(survives_broken_handshakes),
		cmocka_unit_test(authenticates),
		cmocka_unit_test(bounds_auth_lines),
		cmocka_unit_test(no_auth_in_plain_text),
		cmocka_unit_test(message_over_tls),
	};

	return cmocka_run_group_tests(
	    tests, make_certificate, free_certificate);
}
