/*
 * session.h - one SMTP connection of a client to a receiving system.
 *
 * session.c moves bytes and time, reply.c talks, command.c knows the verbs, envelope.c MAIL and RCPT,
 * data.c the message, ses.c what only Amazon does. The struct is open to these files and to nobody else.
 */
#ifndef TESTS_SANDBOX_SESSION_H
#define TESTS_SANDBOX_SESSION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mta/base/str.h"
#include "tests/sandbox/body.h"
#include "tests/sandbox/carriers.h"
#include "tests/sandbox/submit.h"

struct bufferevent;
struct event;
struct host;
struct port;
struct sandbox;
struct sockaddr;

enum phase {
	PHASE_COMMAND,
	PHASE_AUTH_PLAIN,    /* the answer to an empty 334 is awaited */
	PHASE_AUTH_USER,     /* AUTH LOGIN, "Username:" */
	PHASE_AUTH_PASSWORD, /* AUTH LOGIN, "Password:" */
	PHASE_DATA,
	PHASE_CLOSING, /* the last reply is out; waits for the client to close */
};

/* Why no further input is looked at now. */
enum hold {
	HOLD_NONE,
	HOLD_LATE,  /* a reply is being delayed or dripped */
	HOLD_FLOOD, /* a reply without end */
	HOLD_DEAF,  /* for ever */
	HOLD_CLOSE, /* closes when the output is out */
	HOLD_TLS,   /* starts TLS when the output is out */
};

enum pace { PACE_NORMAL, PACE_SLOW, PACE_DRIP };

struct rcpt {
	char *to; /* as sent, between < and > */
	char *params;
	const struct scenario *scenario; /* for a later stage; NULL: none */
	bool accepted;
	int code;
	char *text;
	const char *what; /* delivered, dropped, junked, bounced, refused */
};

struct mail { /* the transaction */
	bool open;
	bool utf8;      /* SMTPUTF8 was said */
	bool eight_bit; /* BODY=8BITMIME was said */
	char *from;
	char *params;
	struct rcpt *rcpts;
	size_t n;
	size_t room;
	size_t accepted;
	struct submission submission; /* what SES made of it */
};

struct session {
	LIST_ENTRY(session) link;
	struct host *host;
	struct sandbox *sandbox;
	struct bufferevent *bev;
	struct event *timer;
	SSL *ssl; /* NULL in clear; belongs to bev */
	bool tls_first;
	uint64_t id;
	int64_t began;
	char peer[64];

	enum phase phase;
	enum hold hold;
	enum hold then;    /* what HOLD_LATE turns into */
	const char *how;   /* how it is going to end, for the journal */
	const char *ended; /* how it ended: freed at the end of the callback */

	char *ehlo;
	bool esmtp;
	char *user; /* authenticated as */
	struct str line;
	struct mail mail;
	struct body body;

	enum pace pace; /* of the replies to this transaction */
	unsigned pace_ms;
	struct str late; /* what is held back */
	size_t late_at;
	bool late_drip;
	unsigned late_ms;
	enum action flood;
	uint64_t flooded;

	struct str reply; /* the last reply's text, without code and CRLF */
	struct str bad;   /* JSON strings, for the next journal line of the session */
	unsigned rcpts;      /* accepted in the session */
	unsigned rcpts_done; /* of these, of accepted messages */
	unsigned messages;
	uint64_t *accepted; /* journal numbers of the accepted messages */
	size_t n_accepted;
};

/* Takes the socket. */
void session_new(struct port *, int fd, const struct sockaddr *peer);
/* Resets the connection and frees the session; not from within its own callbacks. */
void session_cut(struct session *);

/* --- for command.c, data.c and ses.c --- */

/* Sends one reply; {addr} becomes <rcpt>, which may be NULL. 421 closes. */
void session_answer(struct session *, const struct answer *, const char *rcpt);
/* The same without a table row: code, enhanced code or NULL, text. */
void session_say(struct session *, int code, const char *enhanced, const char *text);
void session_send(struct session *, const char *data, size_t len); /* bytes as they are */
/* Writes what the text of an answer would be into s->reply. */
void session_expand(struct session *, const struct answer *, const char *rcpt);
/* After what has been sent: close; `how` is for the journal. */
void session_close(struct session *, const char *how);
/* Now, whatever is unsent: RST or plain close. */
void session_drop(struct session *, bool reset, const char *how);
/* Any action of a scenario or mood but DO_NOTE, DO_SLOW, DO_DRIP. */
void session_act(struct session *, enum action, const struct answer *, const char *rcpt);
void session_start_tls(struct session *); /* after what has been sent */
/* reply.c: goes on with a reply that is held back, or without end; called by session.c. */
void session_timer(struct session *, unsigned ms);
void reply_late(struct session *);
void reply_flood(struct session *);
/* Notes something a client must not do, for the journal. */
void session_bad(struct session *, const char *what);
/* Begins a journal line with what is known of the session; ends it with the bad things noted. */
struct str *session_journal(struct session *, const char *event);
void session_journal_end(struct session *);

void mail_clear(struct session *); /* forgets the transaction and its pace; mail.c */

#endif
