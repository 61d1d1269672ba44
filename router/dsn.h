/*
 * dsn.h - what we tell a sender about a recipient: RFC 3464 in RFC 6522, as asked by RFC 3461.
 */
#ifndef ROUTER_DSN_H
#define ROUTER_DSN_H

#include <stdbool.h>

#include "mta/outcome.h"
#include "router/message.h"

enum dsn_kind { DSN_FAILED, DSN_DELAYED, DSN_RELAYED };

/* Whether the sender wants it: never for a null reverse-path, else as NOTIFY says; without NOTIFY
 * failure and delay (RFC 3461 4.1). */
bool dsn_is_wanted(enum dsn_kind, const struct recipient *);

struct dsn_report {
	enum dsn_kind kind;
	const char *hostname;      /* reporting MTA */
	const char *status;        /* enhanced status code */
	const struct outcome *outcome;
	const char *remote;        /* host that gave the reply; "" */
	int64_t at;                /* wall ms */
	int64_t retry_until;       /* wall ms, for DSN_DELAYED */
};

/*
 * A new message from <> to the recipient's sender: text, message/delivery-status, and the original's
 * header (or all of it where RET=FULL asks for it and it is small). `body` is the original's; NULL
 * leaves that part out. The message holds its body; the caller owns it.
 */
struct message *dsn_new(int64_t id, const struct recipient *, struct body *body,
    const struct dsn_report *);

#endif
