/*
 * server_int.h - what the files of the server session share.
 *
 *	server.c          life of a session, the loop, input and output
 *	server_answer.c   answers of the handler, and what it may ask
 *	server_phase.c    the phases and the one function that changes them
 *	server_command.c  command lines and the table of verbs
 *	server_auth.c     AUTH
 *	server_data.c     the message: line ends, dots, limits
 *	server_tls.c      STARTTLS and implicit TLS
 *	server_timer.c    how long everything may take
 *
 * A libevent callback or an answer of the handler wakes the loop (session_run), which takes what
 * has come as long as the phase wants input, gathers replies in `out` and sends them at the end.
 * Nothing but the loop sends, and nothing but the end of a libevent callback frees the session.
 */
#ifndef MTA_SMTP_SERVER_INT_H
#define MTA_SMTP_SERVER_INT_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "mta/base/net.h"
#include "mta/base/str.h"
#include "mta/smtp/auth.h"
#include "mta/smtp/command.h"
#include "mta/smtp/header.h"
#include "mta/smtp/server.h"
#include "mta/smtp/server_reply.h"

enum phase {
	PHASE_NEW,      /* no byte yet */
	PHASE_TLS,      /* handshake */
	PHASE_HELO,     /* greeted, or fresh from STARTTLS: who is it? */
	PHASE_READY,    /* between transactions */
	PHASE_MAIL,     /* has a sender */
	PHASE_RCPT,     /* has a recipient */
	PHASE_DATA,     /* the message */
	PHASE_DOT,      /* final dot came, the handler stores */
	PHASE_AUTH,     /* SASL exchange */
	PHASE_VERIFY,   /* the handler checks credentials */
	PHASE_STARTTLS, /* 220 on its way, then the handshake */
	PHASE_QUIT,     /* last reply on its way, then close */
	PHASE_DROP,     /* likewise after a fault: then linger, so that the peer reads why */
	PHASE_LINGER,   /* write side shut, waits for the peer to close */
	PHASE_CLOSED,   /* to be freed */
	PHASE_MAX
};
#define IN(phase) (1u << (phase))

enum input {
	INPUT_NONE,     /* what comes waits, bounded by the read watermark */
	INPUT_COMMAND,
	INPUT_RESPONSE, /* lines of a SASL exchange */
	INPUT_DATA,
	INPUT_DISCARD,
};

/* What may run out while a phase lasts. */
enum patience {
	PATIENCE_HANDLER, /* nothing: the handler answers in its own time */
	PATIENCE_COMMAND,
	PATIENCE_DATA,
	PATIENCE_TLS,
	PATIENCE_FLUSH,
	PATIENCE_LINGER,
};

/* A command line that is too long is skipped up to its CRLF. */
enum skip { SKIP_NOT, SKIP_LINE, SKIP_LINE_CR };

/* Where in a line of the message the next byte stands. */
enum text_state { TEXT_BEGIN, TEXT_LINE, TEXT_CR, TEXT_DOT, TEXT_DOT_CR, TEXT_END };

struct message {
	enum text_state state;
	int64_t since;             /* of the 354 */
	size_t received;           /* bytes over the wire */
	size_t size;               /* bytes passed on */
	size_t line;               /* bytes of the unfinished line */
	struct header header;
	bool refused;              /* nothing is passed on any more */
	bool broken;               /* line ends cannot be trusted: refused, and the session ends */
	enum server_reply refusal; /* R_NONE: `custom` */
	struct smtp_reply custom;
};

struct smtp_session {
	const struct smtp_server_config *config;
	const struct smtp_server_handler *handler;
	void *arg;
	struct event_base *base;
	struct bufferevent *bev;
	SSL *ssl;            /* of bev; NULL in plain text */
	SSL *next_ssl;       /* for STARTTLS, until bev takes it */

	enum phase phase;    /* written by session_enter only */
	struct str out;      /* replies not yet handed to the socket */
	bool running;        /* the loop is on the stack */
	bool eof;            /* the peer sends no more */
	bool stopping;       /* smtp_session_shutdown */
	enum skip skip;
	size_t behind;       /* bytes that have come behind the line being run */

	struct event *timer;
	int64_t now;         /* clock_mono of this wake-up */
	int64_t timer_due;   /* when the timer fires; INT64_MAX: not set */
	int64_t phase_since;
	int64_t idle_since;  /* last complete command or byte of data */
	int64_t line_since;  /* first byte of an unfinished line; 0: none */
	int64_t stuck_since; /* since when the peer has not read all replies; 0: it has */

	unsigned commands, errors, auth_failures;
	bool esmtp;          /* EHLO, not HELO */
	bool transaction;    /* the handler has one open */
	bool smtputf8;
	unsigned nrcpt;
	struct message message;
	struct auth *auth;   /* during PHASE_AUTH */
	char user[AUTH_PART_MAX + 1];
	char helo[COMMAND_HELO_MAX + 1];
	char peer[NET_TEXT_MAX];
	char tls[64];
};

/* server_phase.c */
void session_enter(struct smtp_session *, enum phase);
enum input session_input(const struct smtp_session *);
enum patience session_patience(const struct smtp_session *);

/* server.c */
/* So much waits to be read by the peer that no further command is taken. */
bool session_clogged(const struct smtp_session *);
void session_attach(struct smtp_session *, struct bufferevent *);
/* Runs the loop for the handler, who does not lose the session under his feet. */
void session_wake(struct smtp_session *);
/* Refuses a command: counts it when it is the client's fault, and ends the session after too
 * many. */
void session_refuse(struct smtp_session *, enum server_reply);
void session_refuse_custom(struct smtp_session *, const struct smtp_reply *);
/* Last words, then the end. */
void session_drop(struct smtp_session *, enum server_reply);
/* There will be no message: the handler is told, if it has a transaction open. */
void session_abort(struct smtp_session *);
/* Likewise, and all that belonged to the transaction is forgotten. */
void session_reset_transaction(struct smtp_session *);

/* server_command.c: how many of the bytes it took; 0: the line has not ended. */
size_t session_lines(struct smtp_session *, char *data, size_t len);

/* server_auth.c */
void session_auth_begin(struct smtp_session *, const struct command_text *args);
void session_auth_line(struct smtp_session *, const char *line, size_t len);
void session_auth_too_long(struct smtp_session *);
/* Wipes an exchange that was cut off. */
void session_auth_clear(struct smtp_session *);

/* server_data.c */
void session_data_begin(struct smtp_session *);
size_t session_data(struct smtp_session *, const char *data, size_t len);

/* server_tls.c: 0, or -1 when OpenSSL would not. */
int session_tls_implicit(struct smtp_session *, int fd);
int session_tls_prepare(struct smtp_session *);
void session_tls_begin(struct smtp_session *);
void session_tls_done(struct smtp_session *);
void session_tls_failed(struct smtp_session *);

/* server_timer.c */
#define LINGER_MS 2000
void session_timer_set(struct smtp_session *);
bool session_timer_is_due(const struct smtp_session *);
void session_timer_expired(struct smtp_session *);

#endif
