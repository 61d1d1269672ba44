/*
 * client_int.h - what the files of the SMTP client share among themselves.
 *
 *	client.c               life of a client: states, time-outs, how it ends
 *	client_connection.c    sockets and the bytes of replies
 *	client_tls.c           the handshake, and whom it trusts
 *	client_session.c       greeting, EHLO, STARTTLS, AUTH, QUIT
 *	client_transaction.c   MAIL to the reply to the final dot
 *	client_body.c          the message, and its final dot once permitted
 */
#ifndef MTA_SMTP_CLIENT_INT_H
#define MTA_SMTP_CLIENT_INT_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "mta/base/str.h"
#include "mta/smtp/capability.h"
#include "mta/smtp/client.h"
#include "mta/smtp/dot.h"
#include "mta/smtp/reply.h"

/*
 * What the client is doing. With PIPELINING the commands of a transaction are
 * all sent in MAIL; MAIL, RCPT and DATA then say which reply is the next one.
 */
enum client_state {
	CLIENT_START, /* until the event loop runs */
	CLIENT_CONNECT,
	CLIENT_HANDSHAKE, /* TLS, by STARTTLS or implicit */
	CLIENT_GREETING,
	CLIENT_EHLO,
	CLIENT_HELO,
	CLIENT_STARTTLS,
	CLIENT_AUTH,
	CLIENT_AUTH_USER,
	CLIENT_AUTH_PASSWORD,
	CLIENT_IDLE,
	CLIENT_REFUSE, /* refused by ourselves, before MAIL: done comes from the
			  event loop */
	CLIENT_MAIL,
	CLIENT_RCPT,
	CLIENT_DATA,
	CLIENT_BODY,
	CLIENT_HOLD,   /* all sent but the final dot, which is not permitted yet
			*/
	CLIENT_FINISH, /* final dot written, not all of it handed to the socket
			*/
	CLIENT_DOT,    /* handed to the socket: may be sent more than once */
	CLIENT_EMPTY,  /* no recipient but a 354: the reply to an empty message
			  (RFC 2920 3.1) */
	CLIENT_RSET,
	CLIENT_QUIT,
	CLIENT_CLOSED, /* all but `done` and `closed`, which come from the event
			  loop */
	CLIENT_STATES
};

struct smtp_client {
	struct event_base *base;
	const struct smtp_client_events *events;
	void *arg;

	/* Configuration, our copy. */
	char *ehlo, *auth_user, *auth_password;
	struct sockaddr_storage bind;
	socklen_t bind_len; /* 0: any */
	struct smtp_client_target *targets;
	size_t ntargets;
	enum smtp_tls tls;
	SSL_CTX *tls_ctx;
	struct smtp_client_timeouts timeouts;

	/* Where it stands. */
	enum client_state state; /* written by client_enter alone */
	bool quit;		 /* QUIT once no transaction is in hand */
	bool secured;		 /* the handshake is complete */
	struct outcome why; /* in CLOSED: the reason. Before a greeting: the
			       last failure */
	struct event
	    kick; /* carries on from the event loop: START, REFUSE and CLOSED */
	struct event timer;
	int64_t deadline; /* of the state, clock_mono; INT64_MAX: none */
	int64_t timer_at; /* when the timer fires next; INT64_MAX: not set */
	size_t backlog;	  /* output at the last look at the clock: less now is
			     progress */

	/* The connection. */
	size_t next_target; /* the target in use is the one before */
	int fd;		    /* while connecting; later bev owns it */
	struct event connected;
	struct bufferevent *bev; /* NULL before connect and after the end */
	struct reply reply;
	bool reached; /* one target at least was connected */
	bool extra;   /* more bytes came than the reply just taken */
	struct capabilities offers;
	struct str out; /* commands being put together */
	char *peer;	/* the target in use; NULL before the first */
	char tls_text[64];

	/* The transaction in hand. */
	struct smtp_transaction *tx;
	bool pipelined, mail_ok, permitted;
	size_t next_rcpt, accepted;
	struct dot dot;
	size_t head_sent;
	uint64_t body_sent;
};

/* client.c */
void client_enter(struct smtp_client *,
    enum client_state); /* arms the state's time-out too */
void client_arm(struct smtp_client *, int64_t ms); /* 0: no time-out */
enum smtp_stage client_stage(const struct smtp_client *);
const char *client_doing(
    const struct smtp_client *); /* the state as a phrase */
/* The reply handler of the state is called; a state that expects none ends the
 * session. */
void client_on_reply(struct smtp_client *);
/* The session is over because of this: for all recipients without a verdict,
 * too. */
void client_end(struct smtp_client *, const struct outcome *why);
/* The same for what the peer did: a target that must have TLS and fails to get
 * that far is passed over, and the session goes on with the next one. */
void client_fail(struct smtp_client *, const struct outcome *why);
/* The same with a sentence of ours: "<problem> while <state>", at the state's
 * stage. */
void client_break(
    struct smtp_client *, enum outcome_scope, const char *problem);
/* The same for the reply in hand: one of ours to refuse by, or one that makes
 * no sense here. */
void client_end_by_reply(struct smtp_client *, enum outcome_scope);
void client_end_unexpected(struct smtp_client *);

/* client_connection.c */
void client_connect(struct smtp_client *); /* to the next target, or ends */
/* This target failed with an errno, or 0 when it closed or its reply in hand
 * says why: on to the next one, or the end. */
void client_next_target(struct smtp_client *, int error);
void client_refused_by_greeting(struct smtp_client *);
/* On to the next target because of this, or the end. */
void client_pass_over(struct smtp_client *, const struct outcome *why);
void client_disconnect(struct smtp_client *);
const struct smtp_client_target *client_target(const struct smtp_client *);
size_t client_unsent(const struct smtp_client *);
/* Writes c->out and clears it. False when the session ended because the peer
 * had already sent more than it was asked for. */
bool client_write(struct smtp_client *);
void client_push(struct smtp_client *); /* sends what the socket takes now */
void client_watch_writing(struct smtp_client *);

/* Reads and writes through c->bev from now on. */
void client_use_connection(struct smtp_client *);

/* client_tls.c */
enum smtp_tls client_tls_wanted(const struct smtp_client *);
/* Whether nothing may be said to the target in use without TLS. */
bool client_tls_is_must(const struct smtp_client *);
void client_tls_count(struct smtp_client *, enum tls_result);
void client_not_offered(struct smtp_client *);
void client_start_tls(struct smtp_client *);
void client_handshake_done(struct smtp_client *);
void client_handshake_lost(struct smtp_client *, const char *why, bool reset);
/* What OpenSSL made of it; NULL for a mere end of the connection. */
const char *client_tls_problem(struct bufferevent *);

/* client_session.c */
void client_greeting(struct smtp_client *);
void client_hello(struct smtp_client *); /* sends EHLO */
void client_ehlo(struct smtp_client *);
void client_helo(struct smtp_client *);
void client_starttls(struct smtp_client *);
void client_auth(struct smtp_client *);
void client_auth_user(struct smtp_client *);
void client_auth_password(struct smtp_client *);
void client_send_quit(struct smtp_client *);
void client_quit_reply(struct smtp_client *);

/* client_transaction.c */
void client_mail(struct smtp_client *);
void client_rcpt(struct smtp_client *);
void client_data(struct smtp_client *);
void client_dot(struct smtp_client *);
void client_empty(struct smtp_client *);
void client_rset(struct smtp_client *);
/* For every recipient without a verdict. */
void client_settle(struct smtp_client *, const struct outcome *);
/* Gives the transaction back: every recipient has its outcome. */
void client_done(struct smtp_client *);

/* client_body.c */
void client_body_start(struct smtp_client *);
/* Output has drained, or the permit has come: more of the message, or its end.
 */
void client_body_go_on(struct smtp_client *);
/* The socket may have taken the final dot without our having been told yet:
 * before anything is said about where the message stands. */
void client_body_note_end(struct smtp_client *);
/* A reply in the middle of the message. */
void client_body_reply(struct smtp_client *);

#endif
