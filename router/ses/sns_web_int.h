/*
 * sns_web_int.h - a request to /sns: arrived and ended in sns_web.c, judged in sns_judge.c, acted upon in
 * sns_act.c.
 */
#ifndef ROUTER_SES_SNS_WEB_INT_H
#define ROUTER_SES_SNS_WEB_INT_H

#include <event2/http.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mta/base/str.h"
#include "router/ses/sns.h"
#include "router/ses/sns_web.h"

struct amazon;
struct config;
struct https_call;
struct sns_certs;
struct sns_seen;
struct web;

/* How a request ends. Those before IN_HAND are for ever, and the others may come again. */
enum sns_ending {
	SNS_TAKEN,
	SNS_KNOWN,
	SNS_RAW,
	SNS_NO_ENVELOPE,
	SNS_FOREIGN_TOPIC,
	SNS_WEAK_SIGNATURE,
	SNS_WRONG_TIME,
	SNS_WRONG_CERT_URL,
	SNS_WRONG_SUBSCRIBE_URL,
	SNS_FORGED,
	SNS_IN_HAND,
	SNS_BUSY,
	SNS_NO_CERTIFICATE,
	SNS_UNCONFIRMED,
	SNS_EARLY,
	SNS_TROUBLE,
	SNS_STOPPING,
	SNS_ENDINGS
};

struct sns_web {
	struct amazon *amazon;
	struct config *config;      /* that the listeners were opened with */
	struct web **webs;
	size_t nwebs;
	struct sns_certs *certs;
	struct sns_seen *seen;
	LIST_HEAD(, sns_request) requests;
	struct {
		int64_t logged;     /* mono; 0: never */
		int64_t unlogged;   /* since then */
	} told[SNS_ENDINGS];
};

/* What a request waits for. */
enum sns_stage { SNS_CERTIFICATE, SNS_CONFIRMATION, SNS_FEEDBACK };

struct sns_request {
	LIST_ENTRY(sns_request) link;
	struct sns_web *sns;        /* NULL: it is no more */
	struct evhttp_request *http;/* NULL: the client has gone */
	enum sns_stage stage;
	struct sns_message m;
	struct str letter;          /* as it came */
	bool held;                  /* in `seen`, in hand */
	struct https_call *confirm;
};

/* Answers and frees it; `why` may be NULL. */
void sns_finish(struct sns_request *, enum sns_ending, const struct err *why);
void sns_request_free(struct sns_request *);
const char *sns_peer(const struct sns_request *); /* NULL: gone */

/* Finds out whether it is genuine, and lets sns_act go on; else it ends here. */
void sns_judge(struct sns_request *);
/* Asks for the certificate: again, when those who would have brought it are gone. */
void sns_await_certificate(struct sns_request *);
/* It is genuine and new: confirmed, noted or handed to feedback.c. */
void sns_act(struct sns_request *);

#endif
