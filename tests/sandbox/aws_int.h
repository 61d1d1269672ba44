/*
 * aws_int.h - what aws.c, aws_mood.c and aws_reply.c share: the server and a request under way.
 */
#ifndef TESTS_SANDBOX_AWS_INT_H
#define TESTS_SANDBOX_AWS_INT_H

#include <openssl/ssl.h>
#include <sys/queue.h>

#include "tests/sandbox/aws.h"
#include "tests/sandbox/ses.h"
#include "tests/sandbox/sign.h"

struct pending;
LIST_HEAD(pending_list, pending);

enum aws_act {
	ACT_NONE,
	ACT_FAULT,    /* SES refuses: `fault` */
	ACT_ANSWER,   /* the row's own answer, and nothing is done */
	ACT_CLOSE,    /* closes without an answer */
	ACT_RESET,    /* RST without an answer */
	ACT_SILENCE,  /* no answer, for ever */
	ACT_TRUNCATE, /* half of the answer, then closes */
	ACT_GARBLE,   /* half of the answer, said to be all */
	ACT_HUGE,     /* 100 MB more than the answer */
	ACT_SLOW,     /* the answer, late */
	ACT_DOWN,     /* nobody listens */
};

enum aws_scope { SCOPE_SEND, SCOPE_SES, SCOPE_ALL };

struct aws_mood {
	const char *name;
	enum aws_scope scope; /* unless a service is named after the mood */
	enum aws_act act;
	bool done; /* the request is carried out all the same */
	enum ses_fault fault;
	int status; /* ACT_ANSWER */
	const char *type, *body;
};

struct aws_counts {
	uint64_t connections, requests, refused;
	unsigned open, peak; /* requests under way */
};

struct aws {
	struct sandbox *sandbox;
	const char *address;
	unsigned *ports;
	struct evhttp *http[2];
	struct evhttp_bound_socket *bound[2]; /* NULL while down */
	unsigned latency;                     /* ms */
	int64_t skew;                         /* ms */
	const struct aws_mood *mood;          /* NULL: normal */
	unsigned mood_ms;                     /* behind "slow" */
	char mood_service[16];                /* "": by the mood's own scope */
	struct aws_counts counts;
	struct pending_list pending;
	SSL_CTX *tls;
};

struct pending {
	struct aws_exchange x; /* first: services hold its address */
	LIST_ENTRY(pending) link;
	struct aws *aws;
	const struct aws_service *service;
	const struct aws_mood *mood; /* the answer's; NULL: none */
	struct event *timer;
	struct evbuffer *late; /* the answer, when it is a late one */
	int late_status;
	unsigned hold; /* ms that the answer is held back, mood or not */
	struct str uri; /* path NUL query */
	char id[37];
	char method[8];
};

struct aws_service {
	const char *name;   /* for `set aws mood M NAME` */
	const char *scope;  /* SigV4's name of it; NULL: unsigned */
	const char *method; /* NULL: any */
	const char *path;   /* how it begins */
	const char *target; /* how X-Amz-Target begins; NULL: there must be none */
	const char *arg, *value; /* an argument that says it; NULL: none */
	void (*handle)(struct aws_exchange *);
};

/* aws_mood.c: the mood that meets this request; NULL: none. */
const struct aws_mood *aws_mood_for(const struct pending *);
int aws_set_mood(struct aws *, const char *value, struct err *);
/* aws.c: opens or closes both ports. 0 or -1. */
int aws_listen(struct aws *, bool open, struct err *);
/* aws_reply.c: ends the exchange as its mood wants without an answer, or with the mood's own. */
void aws_act(struct pending *);
/* aws_reply.c: a refusal in the words of the request's protocol; text NULL: the row's own. */
void aws_reply_fault(struct aws_exchange *, enum ses_fault, const char *text);
/* aws_mood.c: what the mood wants said to a request to send; SES_OK: nothing. */
enum ses_fault aws_mood_fault(const struct aws_exchange *);
/* aws_mood.c: this request meets the mood of that name, whatever the server's is. */
void aws_mood_use(struct aws_exchange *, const char *name);
/* aws_reply.c: its answer will be that much later. */
void aws_hold(struct aws_exchange *, unsigned ms);
/* aws_mood.c: what the journal says of mail that is accepted in this mood. */
const char *aws_mood_what(const struct aws_exchange *);
/* aws.c: forgets a request that has been answered or dropped. */
void aws_done(struct pending *);
bool aws_is_send(const struct aws_exchange *);

#endif
