/*
 * client.h - the sending side of SMTP: one connection to one next hop (RFC 5321).
 *
 * A client connects to one of the given addresses, greets, secures and authenticates as asked,
 * and then carries transactions one after the other. It resolves no names, chooses no route and
 * knows no queue. One libevent base, one thread; all callbacks come in that thread.
 *
 * The process must ignore SIGPIPE: a peer may be gone at any write.
 *
 * The final dot is held back until smtp_client_permit, so that the owner can first record that it
 * may go out: what follows is the only window in which a message may be sent twice.
 */
#ifndef MTA_SMTP_CLIENT_H
#define MTA_SMTP_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "mta/outcome.h"
#include "mta/smtp/address.h"

struct event_base;
struct smtp_client;
struct tlsa_set;

enum smtp_tls {
	TLS_NONE,
	TLS_OPPORTUNISTIC,  /* STARTTLS where offered, certificate not judged; when the handshake
			       fails the client closes with STAGE_TLS, SCOPE_SESSION, and the owner
			       may try TLS_NONE (RFC 3207, RFC 7435) */
	TLS_REQUIRED,       /* STARTTLS, certificate verified against target.host, or no mail */
	TLS_IMPLICIT,       /* TLS from the first byte, verified likewise */
	TLS_ENCRYPTED,      /* STARTTLS, certificate not judged, or no mail */
	TLS_DANE,           /* STARTTLS, certificate matched by a TLSA record, or no mail */
};

/* How the TLS of one target went, in the words of RFC 8460 4.3. */
enum tls_result {
	TLS_SUCCESS,
	TLS_NOT_OFFERED,
	TLS_HOST_MISMATCH,
	TLS_EXPIRED,
	TLS_NOT_TRUSTED,
	TLS_FAILED,
	TLS_RESULTS
};

/*
 * What one target must do. A target that must have TLS, and by which means, but has not is passed
 * over as one that does not answer: the next one is tried, and after the last one the client closes
 * with STAGE_TLS, SCOPE_LANE.
 */
struct smtp_client_policy {
	enum smtp_tls tls;         /* but TLS_IMPLICIT */
	bool judge;                /* TLS_OPPORTUNISTIC: say in events.tls whether TLS_REQUIRED would
				      have done */
	const char *cause;         /* who asks for it: "DANE"; follows "required by" */
	const char *label;         /* said behind the cipher once it is proved: "dane" */
	const struct tlsa_set *tlsa; /* TLS_DANE: at least one record, and the names that a certificate
					vouched for by DANE-TA may bear (RFC 7672 3.2.2), the one */
	const char *names[3];      /* of the records first; as many as there are, then NULL */
};

/* Time-outs in ms; the defaults are those of RFC 5321 4.5.3.2. */
struct smtp_client_timeouts {
	int64_t connect;    /* 30 s per address (5 min for the greeting below) */
	int64_t greeting;   /* 5 min */
	int64_t command;    /* MAIL, RCPT: 5 min; EHLO, STARTTLS, AUTH likewise */
	int64_t data;       /* DATA initiation: 2 min */
	int64_t block;      /* each block of the body: 3 min without progress */
	int64_t dot;        /* after the final dot: 10 min */
	int64_t quit;       /* 5 s, then it is closed anyway */
	int64_t reply;      /* from the first byte of a reply to its end (drip): 5 min */
};
extern const struct smtp_client_timeouts smtp_client_default_timeouts;

#define SMTP_REPLY_MAX (64 * 1024) /* bytes of one reply, all lines; more closes the session */

struct smtp_client_target {
	struct sockaddr_storage addr; /* port included */
	socklen_t addr_len;
	char host[256];               /* MX host name, for verification and the log */
	const struct smtp_client_policy *policy; /* NULL: config.tls; must outlive the client */
};

/* Copied by smtp_client_new, except tls_ctx, which must outlive the client. For TLS_DANE it is one of
 * tls_client_new. */
struct smtp_client_config {
	const char *ehlo;                         /* the source's host name */
	const struct sockaddr *bind;              /* source address (port 0), or NULL for any */
	socklen_t bind_len;
	const struct smtp_client_target *targets; /* tried in order until one greets with 220 */
	size_t ntargets;
	enum smtp_tls tls;
	SSL_CTX *tls_ctx;                         /* not NULL unless all is TLS_NONE */
	const char *auth_user, *auth_password;    /* NULL: no AUTH. Never sent without TLS */
	struct smtp_client_timeouts timeouts;
};

/* What is sent after DATA: head, then the bytes [offset, offset + length) from `read`. */
struct smtp_content {
	const char *head;        /* extra or rewritten header lines, CRLF ended; may be NULL */
	size_t head_len;
	/* Reads up to len bytes at offset; short only at the end; -1 with errno. Must not block for
	 * long (memory or a local file). Bytes are wire form without dot-stuffing, CRLF line ends. */
	ssize_t (*read)(void *arg, uint64_t offset, void *buf, size_t len);
	void *arg;
	uint64_t offset, length;
};

struct smtp_client_rcpt {
	const char *address;     /* wire form, without angle brackets */
	const char *orcpt;       /* decoded "rfc822;..."; NULL or "": none */
	unsigned notify;         /* bits of enum smtp_notify; 0: none given */
	struct outcome outcome;  /* filled in before on_done */
};

/* Owned by the caller, untouched by it from smtp_client_send until on_done. */
struct smtp_transaction {
	const char *from;        /* wire form; "" for the null reverse-path */
	const char *envid;       /* decoded; NULL or "" */
	char ret;                /* 'F', 'H' or 0 */
	bool body_8bit, smtputf8;
	uint64_t size;           /* whole message, for SIZE= */
	struct smtp_content content;
	size_t nrcpt;
	struct smtp_client_rcpt *rcpt;
};

struct smtp_client_events {
	/* Greeted (secured, authenticated): a transaction may be sent. */
	void (*ready)(void *arg);
	/* May be NULL. How TLS with targets[i] went; from inside the client, which must be left alone. */
	void (*tls)(void *arg, size_t i, enum tls_result);
	/* The transaction has ended and every rcpt has its outcome (a success has its 2xx code, stage
	 * STAGE_DOT). Whether the peer does DSN itself: smtp_client_offers_dsn. The client may
	 * take the next transaction now unless smtp_client_usable is false; closed then follows. */
	void (*done)(void *arg, struct smtp_transaction *);
	/* May be NULL. All but the final dot is the socket's, and the dot, which is permitted, goes out now:
	 * false: it must not, and the client closes as by smtp_client_abort. From inside the client, which
	 * must be left alone. Without this the dot goes along with the end of the message. */
	bool (*dot)(void *arg);
	/* The connection is gone: why. After a transaction in hand was given back by done. With
	 * code 0 and text "" it was closed by us, in good order. The client frees itself after this
	 * returns; last call. */
	void (*closed)(void *arg, const struct outcome *why);
};

/* Never fails: trouble comes as `closed`, from the event loop and never from inside this call. */
struct smtp_client *smtp_client_new(struct event_base *, const struct smtp_client_config *,
    const struct smtp_client_events *, void *arg);

/* Only when ready and no transaction is in hand. Uses what EHLO offered: PIPELINING (MAIL, RCPTs
 * and DATA in one go), SIZE, BODY=8BITMIME, SMTPUTF8 (a message that needs it is refused with
 * 5.6.7 for all when not offered), DSN parameters. */
void smtp_client_send(struct smtp_client *, struct smtp_transaction *);
/* The final dot of the transaction in hand may go out. May come before the body has been sent. */
void smtp_client_permit(struct smtp_client *);
/* QUIT when idle, `closed` follows. With a transaction in hand: after it. */
void smtp_client_quit(struct smtp_client *);
/* Closes at once; `closed` follows from the event loop, `done` first if a transaction is in hand. */
void smtp_client_abort(struct smtp_client *);

bool smtp_client_usable(const struct smtp_client *);
bool smtp_client_offers_dsn(const struct smtp_client *);
/* The target in use: "mfsmax.docomo.ne.jp[203.0.113.5]:25"; "" before one is connected. */
const char *smtp_client_peer(const struct smtp_client *);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", then the policy's label when the peer was proved to be who it
 * should be ("verified" without a policy); or "". */
const char *smtp_client_tls(const struct smtp_client *);

#endif
