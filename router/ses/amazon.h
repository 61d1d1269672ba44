/*
 * amazon.h - the thread that talks to AWS, but for mail: credentials, accounts, feedback, suppression
 * lists, and the web server that SNS posts to.
 *
 * One per daemon. The core asks and is told by tasks; I/O threads only take keys from a site's
 * credentials. Mail itself goes by the I/O threads.
 */
#ifndef ROUTER_SES_AMAZON_H
#define ROUTER_SES_AMAZON_H

#include <jansson.h>
#include <stdbool.h>

#include "mta/base/err.h"
#include "mta/base/inbox.h"
#include "router/ses/account.h"

struct amazon;
struct aws_site;
struct config;
struct core;
struct store;

/* The thread does not run yet: its web listeners are open. NULL with *e. */
struct amazon *amazon_new(struct core *, struct store *, struct config *, struct err *e);
int amazon_start(struct amazon *, struct err *e);
/* Core thread: another configuration is about to be in force. Paths and queues that are new begin, those that
 * are gone end; web listeners stay as they are. Waits until amazon_site knows its paths. */
void amazon_configure(struct amazon *, struct config *);
/* Ends all calls, joins, frees. Sites are valid until here. */
void amazon_free(struct amazon **);

/*
 * The site that mail of a ses path with transport api goes to; any thread. Never NULL for a path of a
 * configuration that amazon_new or amazon_configure was given; the same as long as region, endpoint
 * and credentials stay.
 */
struct aws_site *amazon_site(struct amazon *, const char *path);

/* SES has refused mail of that path because of the account or its keys: it is looked at now. Any thread. */
void amazon_look(struct amazon *, const char *path);

/*
 * An account was looked at: posted to the core's inbox for each path that watches one (watch.c), and
 * freed by the core. The core does with it what quota.h and lane_path.c say.
 */
struct amazon_news {
	struct task task;
	struct core *core;
	char *path;
	struct ses_account account;
};
void core_take_account(struct task *); /* its task.run: router/core.c */

/*
 * What an operator asks for (admin_ses.c): answered as JSON. Posted by the core thread; `done` is run in
 * the core thread with `reply` (a new object, the asker's) and status as of HTTP: 200; 4xx and 5xx with
 * member "error".
 */
struct amazon_ask {
	struct task task;
	struct amazon *amazon;
	const char *what;        /* a name of the table in ask.c */
	json_t *args;            /* an object; freed with the ask by the asker */
	struct inbox *reply_to;
	void (*done)(struct amazon_ask *);
	int status;
	json_t *reply;
};
void amazon_put(struct amazon *, struct amazon_ask *);

#endif
