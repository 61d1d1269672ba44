/*
 * amazon_int.h - the Amazon thread's inside: its life (amazon.c), the accounts it watches (watch.c), what
 * operators ask (ask.c, suppression.c), feedback (sqs.c, sns_web.c, feedback.c).
 *
 * All of it in that one thread, but for what says otherwise.
 */
#ifndef ROUTER_SES_AMAZON_INT_H
#define ROUTER_SES_AMAZON_INT_H

#include <pthread.h>
#include <sys/queue.h>

#include "router/config.h"
#include "router/ses/amazon.h"
#include "router/ses/call.h"
#include "router/ses/credentials.h"

struct event_base;
struct feedback_intake;
struct https;
struct sns_web;
struct sqs_poller;
struct ses_watch;
struct suppress_op;

/* One set of credentials in use: shared by all sites that say the same. */
struct amazon_keys {
	LIST_ENTRY(amazon_keys) link;
	struct amazon *amazon;
	struct config_credentials as;       /* its strings are owned */
	struct credentials_provider *provider;
};

/* A site in use, by its region, service, endpoint, credentials. It stays until the end, for I/O threads
 * may hold it. */
struct amazon_site_entry {
	LIST_ENTRY(amazon_site_entry) link;
	char *key;
	struct aws_site *site;
	int64_t next_turn;                  /* mono ms, see amazon_turn */
};

/* The site of a ses path, by the last configuration that had it. Kept as long, for I/O threads may still
 * work under an older one. */
struct amazon_path {
	LIST_ENTRY(amazon_path) link;
	char *name;
	struct aws_site *site;
};

struct amazon {
	struct event_base *base;
	struct inbox *inbox;
	struct core *core;
	struct store *store;
	struct config *config;              /* in force, the thread's reference */
	struct https *https;
	pthread_t thread;
	bool running, stopping;
	int64_t turn;                       /* ms from one request to SES to the next, see amazon_turn */

	LIST_HEAD(, amazon_keys) keys;
	LIST_HEAD(, amazon_site_entry) sites;
	pthread_mutex_t lock;               /* of the next: sites are asked for by any thread */
	LIST_HEAD(, amazon_path) paths;

	struct feedback_intake *feedback;   /* feedback.h */
	struct sns_web *sns;                /* NULL: nobody listens */
	LIST_HEAD(, ses_watch) watches;     /* one per ses path that has credentials */
	LIST_HEAD(, sqs_poller) pollers;    /* one per sqs section */
	LIST_HEAD(, suppress_op) operations;
	struct event *ending;               /* stopping: whether all has come back */
};

/* amazon_sites.c. The site where a service answers, by these settings: one and the same for equal ones, until the end.
 * endpoint, ca_file: NULL as in aws_site_new. */
struct aws_site *amazon_site_for(struct amazon *, const char *service, const char *region,
    const char *endpoint, const char *ca_file, const struct config_credentials *);
void amazon_sites_configure(struct amazon *); /* sites of all ses paths of amazon->config */
void amazon_sites_free(struct amazon *);
/*
 * SES takes one request a second of an account, but for mail: how many ms the caller must wait with its own.
 * That turn is then taken.
 */
int64_t amazon_turn(struct amazon *, const struct aws_site *);

/* watch.c: looks at the account of a path now and at each interval. */
struct ses_watch *ses_watch_new(struct amazon *, const char *path);
void ses_watch_free(struct ses_watch **);
/* At once, for an operator or because SES pushes back; at most once a second. */
void ses_watch_now(struct ses_watch *);
/* Those keys have been found, or not: who waited for them looks. */
void ses_watch_keys(struct ses_watch *, const struct credentials_provider *);
const struct ses_account *ses_watch_account(const struct ses_watch *);
struct ses_watch *ses_watch_find(struct amazon *, const char *path);
struct ses_watch *ses_watch_next(struct ses_watch *);
/* `run` is called when it has looked the next time, or is freed. */
struct ses_waiter {
	STAILQ_ENTRY(ses_waiter) link;
	void (*run)(struct ses_waiter *);
};
void ses_watch_wait(struct ses_watch *, struct ses_waiter *);

/* ask.c: what operators may ask, by name. */
void amazon_answer(struct amazon_ask *, int status, json_t *reply); /* takes over reply; from any step */
void amazon_refuse(struct amazon_ask *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void amazon_take_ask(struct task *); /* task.run of an ask */

/* suppression.c: the account's suppression list, one request a second per path. Each answers in the end. */
void ses_suppression_list(struct amazon *, struct amazon_ask *);
void ses_suppression_show(struct amazon *, struct amazon_ask *);
void ses_suppression_add(struct amazon *, struct amazon_ask *);
void ses_suppression_remove(struct amazon *, struct amazon_ask *);
void ses_suppression_sync(struct amazon *, struct amazon_ask *);
void ses_suppression_prune(struct amazon *, struct amazon_ask *); /* prune-carriers */
/* The operations under way, for `status`. */
json_t *ses_suppression_state(const struct amazon *);
/* Ends all: those that wait for the store leave the list when it has answered. */
void ses_suppression_stop(struct amazon *);

#endif
