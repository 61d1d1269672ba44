/*
 * outcome.h - what happened to a recipient, a message, a session or a lane.
 *
 * Everything that can befall mail on its way out becomes one of these: an SMTP reply with its
 * stage, a refused connection, a name that does not resolve. The protocol code only says what
 * broke; what follows from it is decided in router/classify.
 */
#ifndef MTA_OUTCOME_H
#define MTA_OUTCOME_H

#include <stdbool.h>

/* The radius of what broke. */
enum outcome_scope {
	SCOPE_RECIPIENT, /* this address */
	SCOPE_MESSAGE,   /* this message, whoever gets it */
	SCOPE_SESSION,   /* this connection: others may work */
	SCOPE_LANE,      /* this destination from this source: wait before the next try */
	SCOPE_PATH,      /* the way out itself: credentials, account, configuration */
};

/* Where in the dialogue it happened (RFC 5321). Names are log text, see stage_name. */
enum smtp_stage {
	STAGE_NONE,      /* before any dialogue: rule, expiry, suppression */
	STAGE_DNS,       /* looking up the destination */
	STAGE_CONNECT,   /* TCP connect and the 220 greeting */
	STAGE_EHLO,      /* EHLO or HELO */
	STAGE_TLS,       /* STARTTLS and the handshake */
	STAGE_AUTH,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,      /* the DATA command, before its 354 */
	STAGE_BODY,      /* sending the message, final dot not sent */
	STAGE_DOT,       /* final dot sent: its reply, or the lack of one */
	STAGE_QUIT,
	STAGE_MAX
};

struct outcome {
	enum outcome_scope scope;
	enum smtp_stage stage;
	int code;           /* SMTP reply code; 0 when the peer said nothing */
	char enhanced[12];  /* "5.1.1" as the peer gave it; "" when it gave none (RFC 3463) */
	bool unread;        /* final dot sent, reply unread: may be sent more than once */
	bool permanent;     /* without a reply code: no retry can help (null MX, bad name) */
	bool reset;         /* the peer reset the TCP connection: au's sign of a block */
	char text[512];     /* the reply's text after code and enhanced status, lines joined by
			       a space, or our own sentence; never CR, LF or NUL; cut when longer */
};

const char *stage_name(enum smtp_stage);      /* "rcpt", "end of data", ... */
const char *scope_name(enum outcome_scope);

/* Fills an outcome that has no reply; text is cleaned of control bytes and cut. */
void outcome_set(struct outcome *, enum outcome_scope, enum smtp_stage, bool permanent,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The reply as the peer said it, "550 5.1.1 no such user", as far as it is known. The caller frees. */
char *outcome_reply(const struct outcome *);

/* 2 for success, 4 for try again, 5 for never: from the code, else from `permanent`. */
int outcome_class(const struct outcome *);

#endif
