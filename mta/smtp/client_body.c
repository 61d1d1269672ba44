/*
 * client_body.c - the message after 354, and its final dot once that is
 * permitted.
 *
 * The message is read piece by piece as the socket takes it, so that its size
 * costs no memory. Everything but the final dot may go out at any time; the dot
 * goes out after smtp_client_permit, and the message is in doubt from the
 * moment at which the whole of it is the socket's. An owner whose permit does
 * not hold for ever is asked again when nothing else is left to be written, so
 * that no dot waits in a buffer.
 */
#include "mta/smtp/client_int.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#define PIECE  (64 * 1024) /* bytes of message read at a time */
#define ENOUGH PIECE	   /* output that waits: no more is read */
#define TURNS  4	   /* pieces that a quick peer gets in one go */

/* A fault of ours or of the message. The dot has not gone out, so nothing was
 * sent. */
static void
fail(struct smtp_client *c, bool permanent, const char *problem, int error)
{
	struct outcome why;

	outcome_set(&why, SCOPE_MESSAGE, STAGE_BODY, permanent, "%s%s%s",
	    problem, error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
	if (permanent)
		memcpy(why.enhanced, "5.6.0", sizeof("5.6.0"));
	client_end(c, &why);
}

static void
fail_bare(struct smtp_client *c)
{
	fail(c, true, "message holds a bare CR or LF", 0);
}

/* The next len bytes of head and body, as many as one of them has. */
static ssize_t
read_piece(struct smtp_client *c, char *buf, size_t len)
{
	const struct smtp_content *content = &c->tx->content;
	ssize_t n;

	if (c->head_sent < content->head_len) {
		memcpy(buf, content->head + c->head_sent, len);
		c->head_sent += len;
		return (ssize_t)len;
	}
	n = content->read(
	    content->arg, content->offset + c->body_sent, buf, len);
	if (n > 0)
		c->body_sent += (uint64_t)n;
	return n;
}

static size_t
piece_length(const struct smtp_client *c)
{
	const struct smtp_content *content = &c->tx->content;
	uint64_t left = content->head_len - c->head_sent;

	if (left == 0)
		left = content->length - c->body_sent;
	return left < PIECE ? (size_t)left : PIECE;
}

/* Reads a piece to the end of the room and stuffs it to the beginning: no
 * buffer between. */
static bool
send_piece(struct smtp_client *c, struct evbuffer *output, size_t len)
{
	struct evbuffer_iovec room;
	size_t skip = DOT_ROOM(len) - len;
	char *raw;
	ssize_t n;

	if (evbuffer_reserve_space(
		output, (ev_ssize_t)DOT_ROOM(len), &room, 1) != 1) {
		fail(c, false, "cannot have memory for the message", ENOMEM);
		return false;
	}
	raw = (char *)room.iov_base + skip;
	n = read_piece(c, raw, len);
	if (n <= 0) {
		fail(c, false, "cannot read the message",
		    n < 0 ? errno : ENODATA);
		return false;
	}
	assert((size_t)n <= len);
	if (dot_stuff(&c->dot, room.iov_base, raw, (size_t)n, &room.iov_len) !=
	    0) {
		fail_bare(c);
		return false;
	}
	evbuffer_commit_space(output, &room, 1);
	return true;
}

/* False when the session ended over it. */
static bool
send_pieces(struct smtp_client *c)
{
	struct evbuffer *output = bufferevent_get_output(c->bev);
	const char *last_line_end;
	size_t len = piece_length(c);

	for (; len > 0 && evbuffer_get_length(output) < ENOUGH;
	     len = piece_length(c))
		if (!send_piece(c, output, len))
			return false;
	if (len > 0)
		return true;
	if (dot_close(&c->dot, &last_line_end) != 0) {
		fail_bare(c);
		return false;
	}
	evbuffer_add(output, last_line_end, strlen(last_line_end));
	return true;
}

static void
send_dot(struct smtp_client *c)
{
	evbuffer_add(bufferevent_get_output(c->bev), ".\r\n", 3);
	client_enter(c, CLIENT_FINISH);
}

/* Along with the end of the message. */
static bool
dot_goes_along(const struct smtp_client *c)
{
	return piece_length(c) == 0 && c->permitted && c->events->dot == NULL;
}

/* All else is the socket's. */
static void
send_dot_alone(struct smtp_client *c)
{
	if (c->events->dot != NULL && !c->events->dot(c->arg)) {
		smtp_client_abort(c);
		return;
	}
	send_dot(c);
	client_push(c);
	client_body_note_end(c);
}

/* Each look at it that finds it moving gives it the whole time-out again. */
static void
note_progress(struct smtp_client *c)
{
	c->backlog = client_unsent(c);
	if (!reply_begun(&c->reply))
		client_arm(c, c->timeouts.block);
}

/*
 * A quick peer takes pieces as they come; after some of them it is others'
 * turn, and what is left over goes on when the loop says so.
 */
static bool
send_while_taken(struct smtp_client *c)
{
	for (int turn = 0; turn < TURNS; turn++) {
		if (!send_pieces(c))
			return false;
		if (dot_goes_along(c))
			send_dot(c);
		client_push(c);
		if (piece_length(c) == 0 || client_unsent(c) > 0)
			return true;
	}
	if (!send_pieces(c))
		return false;
	if (dot_goes_along(c))
		send_dot(c);
	client_watch_writing(c);
	return true;
}

static void
go_on_with_body(struct smtp_client *c)
{
	if (!send_while_taken(c))
		return;
	if (c->state == CLIENT_FINISH)
		client_body_note_end(c);
	else if (piece_length(c) == 0 && client_unsent(c) == 0)
		client_enter(c, CLIENT_HOLD);
	if (c->state == CLIENT_HOLD && c->permitted)
		send_dot_alone(c);
	if (c->state == CLIENT_BODY || c->state == CLIENT_FINISH)
		note_progress(c);
}

void
client_body_note_end(struct smtp_client *c)
{
	if (c->state == CLIENT_FINISH && client_unsent(c) == 0)
		client_enter(c, CLIENT_DOT);
}

void
client_body_go_on(struct smtp_client *c)
{
	if (c->state == CLIENT_BODY) {
		/* A peer that speaks up in the middle is heard first. */
		if (!reply_begun(&c->reply))
			go_on_with_body(c);
	} else if (c->state == CLIENT_FINISH) {
		client_body_note_end(c);
		if (c->state == CLIENT_FINISH)
			note_progress(c);
	}
}

void
client_body_start(struct smtp_client *c)
{
	dot_init(&c->dot);
	c->head_sent = 0;
	c->body_sent = 0;
	client_enter(c, CLIENT_BODY);
	/* What came along with the 354 is no reply to what was not sent yet. */
	if (!c->extra)
		client_body_go_on(c);
}

void
client_body_reply(struct smtp_client *c)
{
	/* There is no way back from the middle of a message but to close. */
	if (c->reply.code >= 400)
		client_end_by_reply(c, SCOPE_MESSAGE);
	else
		client_end_unexpected(c);
}

void
smtp_client_permit(struct smtp_client *c)
{
	if (c->tx == NULL)
		return;
	c->permitted = true;
	if (c->state == CLIENT_HOLD)
		send_dot_alone(c);
	else
		client_body_go_on(c);
}
