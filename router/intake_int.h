/*
 * intake_int.h - the inside of an intake, for intake*.c and for io.c's list of them.
 */
#ifndef ROUTER_INTAKE_INT_H
#define ROUTER_INTAKE_INT_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "mta/base/str.h"
#include "router/intake.h"
#include "router/store/store.h"
#include "router/users.h"

struct body;
struct config;
struct config_listener;
struct io;
struct listener;
struct smtp_reply;
struct smtp_session;

struct intake {
	LIST_ENTRY(intake) link;
	struct io *io;
	struct listener *listener;
	struct config *config;                    /* a reference */
	const struct config_listener *settings;   /* inside config */
	struct smtp_session *session;             /* NULL once it has gone */
	struct sockaddr_storage peer;

	/* The transaction: NULL and empty between two. */
	struct message *message;
	struct recipient_list recipients;
	struct body *body;
	struct str head;                          /* header until it has ended, ours first */
	bool head_written;

	/* Requests that may outlive the session. */
	struct store_enqueue enqueue;
	bool enqueueing;
	int64_t data_ended;                       /* mono ms, for the log */
	struct users_check check;
	bool checking;
};

/* intake_rules.c */

/* At RCPT: the rules reject it whatever the content will be; *reply says so. */
bool intake_rejects_early(struct intake *, const struct recipient *, struct smtp_reply *);
/*
 * At the end of DATA: routes each recipient as the rules stand now, to count it as accepted under that
 * path and to choose its shelf. The decision that sends it is made again when it is due. True when all
 * may come into memory.
 */
bool intake_plan(struct intake *);
/* Then: all of them are rejected, so there is nothing to take on; *reply says so. */
bool intake_rejects(struct intake *, struct smtp_reply *);

#endif
