/*
 * server.h - the receiving side of SMTP: one session per connection (RFC 5321).
 *
 * A session speaks the protocol, keeps its limits and hands envelopes and message bytes to its
 * handler; it stores and decides nothing itself. One libevent base, one thread; all callbacks
 * come in that thread. The process must ignore SIGPIPE.
 *
 * Commands and lines of the message end in CRLF and in nothing else. A command line that does not
 * is answered 521 5.5.2 and ends the session. A message with a bare CR or LF (550 5.6.0) or a NUL
 * (554 5.6.0) is read to its CRLF.CRLF and refused, and the session ends.
 *
 * Extensions: PIPELINING (2920), SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531),
 * ENHANCEDSTATUSCODES (2034), DSN (3461), STARTTLS (3207), AUTH PLAIN LOGIN (4954).
 */
#ifndef MTA_SMTP_SERVER_H
#define MTA_SMTP_SERVER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "mta/smtp/address.h"

struct event_base;
struct smtp_session;

/* Immutable while any session uses it. Times in ms, sizes in bytes. */
struct smtp_server_config {
	const char *hostname;      /* greeting and EHLO reply */
	SSL_CTX *tls;              /* NULL: no TLS */
	bool implicit_tls;         /* TLS from the first byte (RFC 8314) */
	bool offer_auth;           /* AUTH is offered, under TLS only */
	bool require_auth;         /* MAIL before AUTH is 530 5.7.0 */
	size_t max_message;        /* SIZE; 552 5.3.4 beyond */
	size_t max_header;         /* 552 5.3.4 beyond, at end of data */
	size_t max_command;        /* command line with CRLF; at least 512 (RFC 5321 4.5.3.1.4);
				      500 5.5.2 beyond */
	size_t max_text_line;      /* line of the message with CRLF; 0 = any; 554 5.6.0 beyond */
	unsigned max_recipients;   /* per transaction; 452 4.5.3 beyond */
	unsigned max_received;     /* hops; 554 5.4.6 beyond */
	unsigned max_commands;     /* commands per session, any kind; 421 4.7.0 beyond */
	unsigned max_errors;       /* unknown commands and those refused with 5xx since the last
				      accepted message; the last one is followed by 421 4.7.0 */
	unsigned max_auth_failures;/* 535s; the last one is followed by 421 4.7.0 */
	int64_t idle_timeout;      /* no complete command, or no byte of data: 421 4.4.2 */
	int64_t command_timeout;   /* from the first byte of a command line to its end (drip) */
	size_t min_data_rate;      /* bytes/s over the whole DATA phase after idle_timeout; 0 = any */
};

/* What MAIL said (RFC 3461 and 1870 parameters decoded from xtext). */
struct smtp_mail {
	struct address from;
	size_t size;               /* SIZE=, 0 when not given */
	bool body_8bit;            /* BODY=8BITMIME */
	bool smtputf8;
	char ret;                  /* RET=: 'F'ULL, 'H'DRS, 0 */
	char envid[101];           /* ENVID= decoded; "" when not given; no control bytes */
};

enum smtp_notify { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

struct smtp_rcpt {
	struct address to;
	unsigned notify;           /* NOTIFY=: bits of smtp_notify; 0 when not given */
	char orcpt[501];           /* ORCPT= as "rfc822;addr" decoded; "" when not given */
};

/*
 * A reply of the handler. enhanced may be "". Text must hold no CR, LF or NUL: smtp_reply_set
 * turns control bytes and bytes beyond ASCII into '?', the session asserts it. Code 421 ends the
 * session after it is sent.
 */
struct smtp_reply {
	int code;
	bool no_error;  /* a 5xx that is no fault of the client's: max_errors does not count it */
	char enhanced[8];
	char text[512]; /* more than a line of a reply can hold: RFC 5321 4.5.3.1.5 */
};
void smtp_reply_set(struct smtp_reply *, int code, const char *enhanced, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * The handler's side. `arg` is what smtp_session_new was given. A callback that returns false has
 * filled in *r, which is sent to the client and the command counts as refused; true accepts with
 * the usual 250.
 */
struct smtp_server_handler {
	bool (*mail)(void *arg, const struct smtp_mail *, struct smtp_reply *r);
	bool (*rcpt)(void *arg, const struct smtp_rcpt *, struct smtp_reply *r);
	/* DATA accepted so far: false refuses the command. */
	bool (*data)(void *arg, struct smtp_reply *r);
	/*
	 * Message bytes: dots unstuffed, every line ends in CRLF, no bare CR or LF in what is
	 * passed on as good. Called until data_end. After a refusal the bytes are no longer passed.
	 * false: *r is the reply that data_end's place will get (552, 452, 554); data_abort follows.
	 */
	bool (*data_bytes)(void *arg, const char *data, size_t len, struct smtp_reply *r);
	/*
	 * The final dot came. The handler answers later (or at once) with smtp_session_reply,
	 * exactly once, unless `closed` comes first. Meanwhile the session reads no further command.
	 */
	void (*data_end)(void *arg);
	/* The transaction that `mail` accepted is over without a message: RSET, new EHLO, QUIT, a
	 * message refused (then before its end has come), a session ended by a 421 or 521. Not
	 * called after data_end; when the connection breaks only `closed` comes. */
	void (*abort)(void *arg);
	/* Credentials, under TLS only; both are wiped when it returns. Answer once, at once or later,
	 * with smtp_session_auth, unless closed first. */
	void (*auth)(void *arg, const char *user, const char *password);
	/* The session is gone; smtp_session pointers are dead after this returns. Last call. Always
	 * from the event loop, never from inside one of the functions below. */
	void (*closed)(void *arg);
};

/*
 * Takes over a connected, non-blocking socket. config and handler must outlive the session.
 * Returns the session, or NULL (socket closed, `closed` not called) when TLS cannot be set up.
 */
struct smtp_session *smtp_session_new(struct event_base *, int fd, const struct sockaddr *peer,
    socklen_t peer_len, const struct smtp_server_config *, const struct smtp_server_handler *,
    void *arg);

/* The answer to data_end; the transaction is over. May be called from inside data_end. */
void smtp_session_reply(struct smtp_session *, const struct smtp_reply *);
/* The answer to auth: ok gives 235 2.7.0, else 535 5.7.8; temporary gives 454 4.7.0. */
enum smtp_auth_result { AUTH_OK, AUTH_DENIED, AUTH_UNAVAILABLE };
void smtp_session_auth(struct smtp_session *, enum smtp_auth_result);

/* Sends 421 4.3.2 at the next command boundary and closes: graceful stop. A message whose final
 * dot has come is answered first. */
void smtp_session_shutdown(struct smtp_session *);

/* For Received and the log; "" when not known. Valid as long as the session. */
const char *smtp_session_helo(const struct smtp_session *);
const char *smtp_session_peer(const struct smtp_session *);  /* "192.0.2.1", "2001:db8::1" */
const char *smtp_session_user(const struct smtp_session *);  /* authenticated; "" */
/* RFC 3848 and 6531 keyword for Received: SMTP, ESMTP, ESMTPS, ESMTPSA, UTF8SMTPSA ... */
const char *smtp_session_protocol(const struct smtp_session *);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384" or "". */
const char *smtp_session_tls(const struct smtp_session *);
/* What the scan of the header found; valid from data_end until the reply. */
struct header;
const struct header *smtp_session_header(const struct smtp_session *);

#endif
