/*
 * intake.c - from an SMTP session to the store: admit, keep, hand over.
 *
 * A request to the store or to the password checker may outlive the client's connection; the
 * intake lives until both are gone (intake_release).
 */
#include "router/intake_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/smtp/header.h"
#include "mta/smtp/server.h"
#include "router/body.h"
#include "router/config.h"
#include "router/core.h"
#include "router/events/event_json.h"
#include "router/io.h"
#include "router/listener.h"
#include "router/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
drop_transaction(struct intake *in)
{
	struct recipient *r;

	while ((r = TAILQ_FIRST(&in->recipients)) != NULL) {
		TAILQ_REMOVE(&in->recipients, r, link);
		recipient_free(&r);
	}
	if (in->body != NULL) {
		body_discard(in->body);
		body_unref(&in->body);
	}
	message_unref(&in->message);
	str_clear(&in->head);
	in->head_written = false;
	free(in->mail);
	in->mail = NULL;
	bounce_in_clear(&in->bounce);
}

void
intake_release(struct intake *in)
{
	struct io *io = in->io;

	if (in->session != NULL || in->enqueueing || in->checking ||
	    in->keeping > 0 || in->bounce.busy)
		return;
	drop_transaction(in);
	str_release(&in->head);
	listener_leave(in->listener, (struct sockaddr *)&in->peer);
	config_unref(&in->config);
	LIST_REMOVE(in, link);
	free(in);
	io_intake_gone(io);
}

/* local@domain, unquoted: the form that the router keeps. */
static void
address_plain(const struct address *a, struct str *out)
{
	if (a->null)
		return;
	str_addf(out, "%s@%s", a->local, a->domain);
}

static bool
on_mail(void *arg, const struct smtp_mail *mail, struct smtp_reply *reply)
{
	struct intake *in = arg;
	struct str from = STR_INIT;
	struct message *m;

	if (in->settings->kind == LISTENER_INBOUND &&
	    !bounce_in_mail(in, reply))
		return false;
	m = in->message = message_new(
	    message_id_new(in->io->ids, clock_wall()));
	m->received = clock_wall();
	address_plain(&mail->from, &from);
	message_set_from(m, from.data);
	str_release(&from);
	free(m->envid);
	m->envid = xstrdup(mail->envid);
	m->ret = mail->ret;
	m->body_8bit = mail->body_8bit;
	m->smtputf8 = mail->smtputf8;
	free(m->user);
	m->user = xstrdup(smtp_session_user(in->session));
	free(m->listener);
	m->listener = xstrdup(in->settings->name);
	free(m->client);
	m->client = xstrdup(smtp_session_peer(in->session));
	return true;
}

static bool
on_rcpt(void *arg, const struct smtp_rcpt *rcpt, struct smtp_reply *reply)
{
	struct intake *in = arg;
	struct str to = STR_INIT;
	struct recipient *r;

	if (in->settings->kind == LISTENER_INBOUND)
		return bounce_in_rcpt(in, rcpt, reply);
	if (rcpt->to.domain[0] == '\0') {
		smtp_reply_set(
		    reply, 550, "5.1.3", "a recipient needs a domain");
		return false;
	}
	address_plain(&rcpt->to, &to);
	r = recipient_new(in->message, in->message->nrcpt++, to.data);
	str_release(&to);
	free(r->orcpt);
	r->orcpt = xstrdup(rcpt->orcpt);
	r->notify = rcpt->notify;
	r->irregular = rcpt->to.irregular;
	r->utf8 = rcpt->to.utf8;
	if (intake_rejects_early(in, r, reply)) {
		in->message->nrcpt--;
		recipient_free(&r);
		return false;
	}
	TAILQ_INSERT_TAIL(&in->recipients, r, link);
	return true;
}

/* RFC 5321 4.4; the sender's own recipients are not listed (blind copies). */
static void
add_received(struct intake *in)
{
	char id[MESSAGE_ID_TEXT], date[48];
	const char *helo = smtp_session_helo(in->session);
	const char *tls = smtp_session_tls(in->session);

	str_addf(&in->head, "Received: from %s ([%s])\r\n\tby %s",
	    helo[0] != '\0' ? helo : "unknown",
	    smtp_session_peer(in->session), in->config->hostname);
	if (tls[0] != '\0')
		str_addf(&in->head, " (%s)", tls);
	str_addf(&in->head, "\r\n\twith %s id %s;\r\n\t%s\r\n",
	    smtp_session_protocol(in->session),
	    message_id_text(in->message->id, id),
	    clock_rfc5322(in->message->received, date));
}

/* So that a report of the message that shows no more than its header finds it. */
static void
add_id(struct intake *in)
{
	const struct config_return_path *ours = &in->io->config->return_path;
	const struct return_path rp = {
		.message = in->message->id,
		.index = RETURN_PATH_MESSAGE,
		.expires = in->message->received + ours->expires,
	};
	char local[RETURN_PATH_LOCAL_MAX + 1];

	if (ours->domain == NULL || in->settings->kind == LISTENER_INBOUND)
		return;
	str_addf(&in->head, "X-Oiwake-ID: %s@%s\r\n",
	    return_path_make(ours->key, ours->domain, &rp, local),
	    ours->domain);
}

static bool
on_data(void *arg, struct smtp_reply *reply)
{
	struct intake *in = arg;
	char id[MESSAGE_ID_TEXT];

	(void)reply;
	in->body = body_new(store_spool_directory(in->io->store),
	    message_id_text(in->message->id, id));
	lint_init(&in->lint);
	add_received(in);
	add_id(in);
	in->head_own = in->head.len;
	return true;
}

static bool
refuse_write(const struct err *e, struct smtp_reply *reply)
{
	if (e->code == ENOSPC || e->code == EDQUOT)
		smtp_reply_set(
		    reply, 452, "4.3.1", "insufficient system storage");
	else
		smtp_reply_set(reply, 451, "4.3.0", "cannot store the message");
	log_text(LOG_ERROR, "intake", "%s", e->text);
	return false;
}

/* A message without Date or Message-ID gets ours (RFC 6409 8.3, 8.4). */
static void
add_missing(const struct intake *in, const struct header *h, struct str *out)
{
	char date[48], id[MESSAGE_ID_TEXT];

	if (!in->settings->add_missing_headers)
		return;
	if (!h->has_date)
		str_addf(out, "Date: %s\r\n",
		    clock_rfc5322(in->message->received, date));
	if (!h->has_message_id)
		str_addf(out, "Message-ID: <%s@%s>\r\n",
		    message_id_text(in->message->id, id),
		    in->config->hostname);
}

static int
add_bytes(struct intake *in, const char *data, size_t len, struct err *e)
{
	lint_feed(&in->lint, data, len);
	return body_add(in->body, data, len, e);
}

/* What its events will say of it. A bounce that goes on has none to hear of them. */
static void
note_mail(struct intake *in, const struct header *h, const struct str *missing)
{
	size_t theirs = in->head.len - in->head_own;
	struct str fields = STR_INIT;

	if (in->settings->kind == LISTENER_INBOUND)
		return;
	str_add(&fields, missing->data, missing->len);
	str_add(&fields, in->head.data + in->head_own,
	    h->size < theirs ? h->size : theirs);
	in->mail =
	    event_mail_json(in->message, h, fields.data, fields.len);
	str_release(&fields);
}

/*
 * Ours goes on top, and what is missing is known only at the header's end: until then the header is
 * kept here, where the session bounds it. in->head holds our fields and then the client's header.
 */
static int
write_head(struct intake *in, struct err *e)
{
	const struct header *h = smtp_session_header(in->session);
	size_t own = in->head_own;
	struct str missing = STR_INIT;
	int rc;

	add_missing(in, h, &missing);
	note_mail(in, h, &missing);
	in->message->header_size = own + missing.len + h->size;
	rc = add_bytes(in, in->head.data, own, e);
	if (rc == 0)
		rc = add_bytes(in, missing.data, missing.len, e);
	lint_number_lines(&in->lint);
	if (rc == 0)
		rc = add_bytes(
		    in, in->head.data + own, in->head.len - own, e);
	str_release(&missing);
	str_clear(&in->head);
	in->head_written = true;
	return rc;
}

static bool
on_data_bytes(
    void *arg, const char *data, size_t len, struct smtp_reply *reply)
{
	struct intake *in = arg;
	const struct header *h = smtp_session_header(in->session);
	struct err e = ERR_INIT;
	int rc;

	if (in->head_written) {
		rc = add_bytes(in, data, len, &e);
	} else {
		str_add(&in->head, data, len);
		if (!h->ended && in->head.len < in->settings->smtp.max_header)
			return true;
		rc = write_head(in, &e);
	}
	return rc == 0 || refuse_write(&e, reply);
}

static void
reply_stored(struct intake *in, enum store_status status, int64_t message)
{
	char id[MESSAGE_ID_TEXT];
	struct smtp_reply r;

	switch (status) {
	case STORE_OK:
		smtp_reply_set(&r, 250, "2.0.0", "queued as %s",
		    message_id_text(message, id));
		break;
	case STORE_FULL:
		smtp_reply_set(&r, 452, "4.3.1", "insufficient system storage");
		break;
	case STORE_AWAY:
	case STORE_FENCED:
		smtp_reply_set(&r, 451, "4.3.0",
		    "the queue cannot be reached, try again later");
		break;
	case STORE_REJECTED:
	case STORE_FAILED:
		smtp_reply_set(&r, 451, "4.3.0", "the queue is out of order");
		break;
	}
	smtp_session_reply(in->session, &r);
}

static void
log_accepted(const struct intake *in)
{
	const struct message *m = in->message;
	char id[MESSAGE_ID_TEXT];
	struct logline l;

	if (!log_start(&l, LOG_INFO, "accepted"))
		return;
	log_str(&l, "id", message_id_text(m->id, id));
	log_str(&l, "from", m->from);
	log_int(&l, "recipients", m->nrcpt);
	log_int(&l, "size", (int64_t)m->size);
	log_str(&l, "listener", m->listener);
	log_str(&l, "client", m->client);
	if (m->user[0] != '\0')
		log_str(&l, "user", m->user);
	if (m->message_id[0] != '\0')
		log_str(&l, "message_id", m->message_id);
	if (m->tags[0] != '\0')
		log_str(&l, "tags", m->tags);
	log_ms(&l, "commit", clock_mono() - in->data_ended);
	log_end(&l);
}

/* The store has it: from here on the core owns message and recipients. */
static void
hand_over(struct intake *in)
{
	struct core_accepted *a = xcalloc(1, sizeof(*a));

	log_accepted(in);
	bounce_in_log(in);
	a->message = in->message;
	a->message->body = in->body;
	in->message = NULL;
	in->body = NULL;
	TAILQ_INIT(&a->recipients);
	TAILQ_CONCAT(&a->recipients, &in->enqueue.recipients, link);
	a->leased = in->enqueue.leased;
	core_accepted(in->io->core, a);
}

static void
on_stored(struct store_request *req)
{
	static const enum listener_answer answers[] = {
		[STORE_OK] = LISTENER_TOOK,
		[STORE_FULL] = LISTENER_FULL,
		[STORE_REJECTED] = LISTENER_FAILED,
		[STORE_FAILED] = LISTENER_FAILED,
		[STORE_AWAY] = LISTENER_FAILED,
		[STORE_FENCED] = LISTENER_FAILED,
	};
	struct store_enqueue *q = container_of(req, struct store_enqueue, req);
	struct intake *in = container_of(q, struct intake, enqueue);

	int64_t id = q->message->id;

	in->enqueueing = false;
	listener_answered(in->listener, answers[req->status]);
	if (req->status == STORE_OK) {
		hand_over(in);
	} else {
		/* That the database is away has been said, once for all. */
		log_text(req->status == STORE_AWAY ? LOG_DEBUG : LOG_WARN,
		    "intake", "not stored: %s", req->err.text);
		TAILQ_CONCAT(&in->recipients, &q->recipients, link);
		in->message->body = NULL;
	}
	drop_transaction(in);
	/* Last: the client's next command may be waiting behind the reply. */
	if (in->session != NULL)
		reply_stored(in, req->status, id);
	intake_release(in);
}

static void
finish_message(struct intake *in)
{
	const struct header *h = smtp_session_header(in->session);
	struct message *m = in->message;

	free(m->header_from);
	m->header_from = xstrdup(h->from_domain.data);
	free(m->message_id);
	m->message_id = xstrdup(h->message_id.data);
	free(m->tags);
	m->tags = xstrdup(h->tags.data);
	m->size = body_size(in->body);
	lint_finish(&in->lint);
}

static enum listener_answer
answer_of(int code)
{
	if (code == 452)
		return LISTENER_FULL;
	return code < 300   ? LISTENER_TOOK
	       : code < 500 ? LISTENER_FAILED
			    : LISTENER_REFUSED;
}

void
intake_refuse(struct intake *in, const struct smtp_reply *reply)
{
	listener_answered(in->listener, answer_of(reply->code));
	drop_transaction(in);
	/* Last: the client's next command may be waiting behind the reply. */
	smtp_session_reply(in->session, reply);
}

static void
enqueue(struct intake *in, bool leased)
{
	bounce_in_keep_sender(in);
	in->message->body = in->body; /* the store reads it there */
	in->enqueue = (struct store_enqueue){
		.req = { .reply_to = in->io->inbox, .done = on_stored },
		.message = in->message,
		.leased = leased,
		.mail = in->mail,
	};
	TAILQ_INIT(&in->enqueue.recipients);
	TAILQ_CONCAT(&in->enqueue.recipients, &in->recipients, link);
	in->enqueueing = true;
	store_enqueue(in->io->store, &in->enqueue);
}

void
intake_admit(struct intake *in)
{
	struct smtp_reply reply;
	bool room = intake_plan(in);

	if (intake_rejects(in, &reply))
		intake_refuse(in, &reply);
	else
		enqueue(in, room);
}

static void
on_data_end(void *arg)
{
	struct intake *in = arg;
	struct smtp_reply reply;
	struct err e = ERR_INIT;

	in->data_ended = clock_mono();
	if (!in->head_written && write_head(in, &e) != 0) {
		refuse_write(&e, &reply);
		intake_refuse(in, &reply);
		return;
	}
	finish_message(in);
	if (in->settings->kind == LISTENER_INBOUND)
		bounce_in_take(in);
	else
		intake_admit(in);
}

static void
on_abort(void *arg)
{
	drop_transaction(arg);
}

static void
on_checked(struct users_check *check)
{
	struct intake *in = container_of(check, struct intake, check);
	static const enum smtp_auth_result results[] = {
		[USERS_OK] = AUTH_OK,
		[USERS_DENIED] = AUTH_DENIED,
		[USERS_UNAVAILABLE] = AUTH_UNAVAILABLE,
	};

	in->checking = false;
	if (check->result != USERS_OK)
		log_text(LOG_WARN, "auth", "refused '%s' from %s", check->name,
		    in->session != NULL ? smtp_session_peer(in->session) : "-");
	if (in->session != NULL)
		smtp_session_auth(in->session, results[check->result]);
	intake_release(in);
}

static void
on_auth(void *arg, const char *user, const char *password)
{
	struct intake *in = arg;

	if (in->io->users == NULL || strlen(user) >= sizeof(in->check.name) ||
	    strlen(password) >= sizeof(in->check.password)) {
		smtp_session_auth(in->session, AUTH_DENIED);
		return;
	}
	in->check.reply_to = in->io->inbox;
	in->check.done = on_checked;
	memcpy(in->check.name, user, strlen(user) + 1);
	memcpy(in->check.password, password, strlen(password) + 1);
	in->checking = true;
	users_check(in->io->users, &in->check);
}

static void
on_closed(void *arg)
{
	struct intake *in = arg;

	in->session = NULL;
	intake_release(in);
}

static const struct smtp_server_handler handler = {
	.mail = on_mail,
	.rcpt = on_rcpt,
	.data = on_data,
	.data_bytes = on_data_bytes,
	.data_end = on_data_end,
	.abort = on_abort,
	.auth = on_auth,
	.closed = on_closed,
};

/* A connection that gets no session: one line, and gone. */
static void
turn_away(int fd, const struct sockaddr *peer, const char *listener,
    const char *line)
{
	char address[NET_TEXT_MAX];
	ssize_t n = write(fd, line, strlen(line));

	(void)n; /* the client's loss: it is not let in either way */
	close(fd);
	log_text(LOG_WARN, "turned_away", "%s at listener '%s': %.*s",
	    net_address_text(peer, address), listener,
	    (int)strcspn(line, "\r"), line);
}

static bool
is_trusted(const struct config_listener *l, const struct sockaddr *peer)
{
	if (l->kind != LISTENER_RELAY)
		return true;
	for (size_t i = 0; i < l->nnetworks; i++)
		if (net_prefix_has(&l->networks[i], peer))
			return true;
	return false;
}

void
intake_open(struct io *io, struct listener *listener, int fd,
    const struct sockaddr *peer, socklen_t peer_len)
{
	const struct config_listener *settings =
	    listener_settings(listener, io->config);
	struct intake *in;

	assert(peer_len <= sizeof(in->peer));
	if (!is_trusted(settings, peer)) {
		turn_away(fd, peer, settings->name,
		    "554 5.7.1 your network may not relay here\r\n");
		return;
	}
	if (core_is_draining(io->core)) {
		turn_away(fd, peer, settings->name,
		    "421 4.3.2 this node takes no more mail, try another\r\n");
		return;
	}
	if (!listener_enter(listener, settings, peer)) {
		turn_away(fd, peer, settings->name,
		    "421 4.7.0 too many connections, try again later\r\n");
		return;
	}
	in = xcalloc(1, sizeof(*in));
	in->io = io;
	in->listener = listener;
	in->config = config_ref(io->config);
	in->settings = settings;
	memcpy(&in->peer, peer, peer_len);
	TAILQ_INIT(&in->recipients);
	str_init(&in->head);
	LIST_INSERT_HEAD(&io->intakes, in, link);
	in->session = smtp_session_new(io->base, fd, peer, peer_len,
	    &settings->smtp, &handler, in);
	if (in->session == NULL)
		intake_release(in);
}

void
intake_shutdown(struct intake *in)
{
	if (in->session != NULL)
		smtp_session_shutdown(in->session);
}
