/*
 * intake_int.h - the inside of an intake, for io.c's list of them.
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

#endif
