/*
 * ses.h - the sandbox's Amazon SES account: what it allows, what it has sent, whom it suppresses.
 *
 * SMTP (ses.c) and the APIs (ses_api.c, ses_query.c) hand what they are given to submit.h, which
 * judges by this account; so rate, quota, statuses and identities hold for all of them together.
 */
#ifndef TESTS_SANDBOX_SES_H
#define TESTS_SANDBOX_SES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "tests/sandbox/carriers.h"

struct sandbox;
struct session;

/* Why a message is not taken; ses_fault_rows has what each way in says. */
enum ses_fault {
	SES_OK,
	SES_BAD_AUTH,
	SES_DENIED,
	SES_SUSPENDED,  /* enforcement SHUTDOWN */
	SES_PAUSED,     /* sending is off */
	SES_INVALID,    /* parameters, addresses, headers; the text says which */
	SES_TOO_BIG,
	SES_NO_SET,     /* configuration set */
	SES_SET_PAUSED,
	SES_NOT_VERIFIED,
	SES_MAIL_FROM,
	SES_QUOTA,
	SES_QUOTA_LIMIT, /* the same, reported as another error type */
	SES_RATE,
	SES_REJECTED,
	SES_TEMPORARY,
	SES_BUSY,
};

struct ses_fault_row {
	int smtp;              /* reply code */
	const char *smtp_text; /* before the sentence */
	int status;            /* of HTTP */
	const char *type;      /* of API v2 */
	int query_status;
	const char *code;      /* of API v1 */
	const char *text;      /* the sentence, unless there is a better one */
};
extern const struct ses_fault_row ses_fault_rows[];

struct ses_used { /* of the rolling window */
	int64_t at;   /* monotonic ms */
	unsigned n;
};

struct ses_suppressed {
	char *address; /* lower case */
	const char *reason; /* "BOUNCE", "COMPLAINT" */
	int64_t updated; /* ms since 1970 */
	char *message_id, *feedback_id; /* NULL: put there by hand */
};

struct ses {
	char *user;
	char *password;
	char *secret;   /* of the API; the SMTP password derived from it is good, too */
	char *verified; /* domains and addresses, separated by commas; "*": any */
	char *sets;     /* configuration sets, likewise; "": any */
	char *paused_sets;
	char *reasons;  /* for which addresses are put on the suppression list by themselves */
	unsigned rate;  /* recipients per second; 0: no limit */
	unsigned burst; /* recipients at once; 0: what the rate allows in a second */
	unsigned quota; /* recipients in a window; 0: no limit */
	unsigned window; /* seconds */
	unsigned api_rate; /* calls of one action per second, sends apart; 0: no limit */
	uint64_t sent;  /* recipients accepted */
	bool sandbox;   /* recipients must be verified, too */
	bool sending;   /* enabled */
	const char *enforcement; /* "HEALTHY", "PROBATION", "SHUTDOWN" */
	double tokens;
	int64_t filled; /* when tokens was last brought up to date; 0: never */
	struct ses_used *used; /* oldest first, from used[first] to used[end - 1] */
	size_t first, end, room;
	uint64_t in_window;
	uint64_t attempts; /* messages accepted since start */
	struct ses_suppressed *suppressed; /* by address */
	size_t n_suppressed;
	struct map *calls; /* action -> when it was called last */
};

/* The account as it is at start, with nothing set. */
struct ses *ses_new(void);
/* `set ses KEY VALUE`, as main.c lists. False: no such key; -1 in *rc: a bad value. */
bool ses_set(struct ses *, const char *key, const char *value, int *rc, struct err *);
void ses_show(struct ses *, struct str *); /* members of a JSON object */

/* Is the word in a list with commas? */
bool ses_listed(const char *list, const char *word, size_t len);
bool ses_verified(const struct ses *, const char *address);
bool ses_is_simulator(const char *address);

/* SES_OK, SES_QUOTA or SES_RATE for these recipients now; ses_spend takes them out of both, the
 * first `counted` of them out of the quota. */
enum ses_fault ses_throttle(struct ses *, size_t counted);
void ses_spend(struct ses *, size_t recipients, size_t counted);
uint64_t ses_in_window(struct ses *); /* recipients that count on the quota now */
/* May this action be called again already? */
bool ses_may_call(struct ses *, const char *action);

/* The suppression list of the account: its row, NULL: none. Any case. */
const struct ses_suppressed *ses_suppressed(const struct ses *, const char *address);
/* Puts or renews it. The message's id and the feedback's may be NULL. */
void ses_suppress(struct ses *, const char *address, const char *reason, const char *message_id,
    const char *feedback_id);
bool ses_unsuppress(struct ses *, const char *address); /* false: it was not there */

/* 0106, ms since 1970 in 12 hex digits, a UUID, -000000: ids of messages and of feedback. */
void ses_make_id(struct str *);

/* --- SMTP (ses.c) --- */

/* The AUTH command's parameters, then the lines of its dialogue. */
void ses_auth(struct session *, const char *args);
void ses_auth_line(struct session *, const char *line);

/* True: the message is accepted, and `text` (empty before) is "Ok" with the id SES gives it.
 * False: *answer says why not; its text may lie in `text`. */
bool ses_judge(struct session *, struct answer *answer, struct str *text);
/* The members of the journal's line that only SES has; after ses_judge. */
void ses_journal(struct session *, struct str *o);
/* After that line: tells of a message that was accepted. */
void ses_tell(struct session *);

#endif
