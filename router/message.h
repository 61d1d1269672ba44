/*
 * message.h - a message we have taken on, and its recipients.
 *
 * A message's envelope never changes after it is enqueued; it is shared by its recipients and by
 * whoever delivers them, and reference counted. A recipient is the unit that is routed, delivered,
 * counted and settled; it belongs to the core thread while it is in memory.
 */
#ifndef ROUTER_MESSAGE_H
#define ROUTER_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mta/outcome.h"

struct body;

/*
 * Ids sort by time: 41 bits of ms since 2025-01-01, 10 bits of maker (node and thread), 12 bits of
 * sequence. As text: 13 characters of Crockford's base 32, as in Received, the log and `queue`.
 */
#define MESSAGE_ID_TEXT 14 /* with NUL */

struct id_maker {
	unsigned maker; /* 0..1023 */
	_Atomic(int64_t) last;
};
/* Each node has so many, by its number: threads may share one. */
#define MESSAGE_ID_MAKERS 8u
#define MESSAGE_ID_NODES  (1024 / MESSAGE_ID_MAKERS)
/* Never the same twice from one maker. Any thread. */
int64_t message_id_new(struct id_maker *, int64_t now);
int64_t message_id_time(int64_t id); /* wall ms when it was made */
char *message_id_text(int64_t id, char buf[static MESSAGE_ID_TEXT]);
int message_id_parse(const char *text, int64_t *id); /* 0, or -1 when it is none */

struct message {
	_Atomic unsigned refs;
	int64_t id;
	int64_t received;        /* wall ms */
	char *from;              /* reverse-path: local@domain, local part unquoted; "" for <> */
	const char *from_domain; /* inside from; "" for <> */
	char *envid;             /* decoded; "" */
	char ret;                /* 'F', 'H', 0 */
	bool body_8bit, smtputf8;
	bool returns;            /* its sender is kept, so that its bounces may come to us: bounce_in.h */
	char *user;              /* authenticated; "" */
	char *listener;          /* name of the listener, "dsn" for our own */
	char *client;            /* peer's address; "" */
	char *header_from;       /* domain of the header From; "" */
	char *message_id;        /* the Message-ID field; "" */
	char *tags;              /* "name=value,name=value"; "" */
	uint64_t size;           /* bytes of the body */
	uint64_t header_size;    /* bytes of its header, the empty line included */
	unsigned nrcpt;          /* as received */
	struct body *body;       /* owned by the core once enqueued; NULL while only the store has it */
	_Atomic(char *) signature; /* DKIM-Signature field(s) once made; any thread */
};

/* refs = 1, strings "" and not NULL. */
struct message *message_new(int64_t id);
struct message *message_ref(struct message *);
void message_unref(struct message **);
/*
 * The signature made for this message, NULL while there is none; one message is signed once however
 * many sessions carry it. message_set_signature takes over text, and returns what is in force: the
 * text that was first. Any thread.
 */
const char *message_signature(struct message *);
const char *message_set_signature(struct message *, char *text);
/* Sets from and from_domain; copies. */
void message_set_from(struct message *, const char *from);

/*
 * Where a recipient goes, as decided by the rules at this moment. Strings live for ever (intern) or,
 * for a group that is no carrier's, inside the recipient's address.
 */
struct route {
	const char *path, *pool, *source; /* "" where there is none */
	const char *carrier;              /* "" when none */
	const char *group;                /* a carrier's receiving system, else the domain */
	const char *rule;
	const char *ruleset;              /* version of the rule set that decided */
	const char *configuration_set;    /* "" when none */

	/* Decided again whenever it is needed, and so not stored. NULL where there is none. */
	const char *reject;               /* path "reject": what to say */
	const char *fallback;             /* when the path is closed: a path, or "hold" */
	enum { LOCAL_PART_SHAPE, LOCAL_PART_QUOTE, LOCAL_PART_RAW } local_part;
	bool transactional;               /* goes first when a quota is near its end: by its rule, or by
					     its tag priority=transactional */
	const char *instead;              /* `path` is the fallback: the closed path it stands in for */
};

/* The same string for equal text, for the life of the process. For names that configuration bounds
 * (paths, rules, carriers, sources, rule-set versions); never for what comes from outside. */
const char *intern(const char *text);

enum recipient_state {      /* stored as these numbers */
	RCPT_WAITING = 0,   /* in the store, due at some time */
	RCPT_LEASED = 1,    /* in this process's memory */
	RCPT_SENDING = 2,   /* final dot may be sent, reply unread */
};

/* Its carrier would refuse the message for its form, so an mta path bounces or holds it as its shape
 * says, without a try. Stored as these numbers. */
enum unfit { FIT = 0, UNFIT_FORM = 1, UNFIT_SIZE = 2 };
const char *unfit_status(enum unfit); /* the enhanced status for it; not of FIT */

struct recipient {
	TAILQ_ENTRY(recipient) link; /* in its lane, or in a list handed over */
	struct message *message;     /* one reference held */
	unsigned index;              /* within the message, from 0 */
	char *address;               /* local@domain, local part unquoted, domain lower case */
	const char *domain;          /* inside address */
	char *orcpt;                 /* "rfc822;..." decoded; "" */
	unsigned notify;             /* bits of enum smtp_notify; 0 none given */
	bool irregular, utf8;
	enum unfit unfit;            /* what `last` says then; an operator's retry takes it away */
	struct route route;          /* what it is counted under, see store.h */
	unsigned shelf;              /* the store's shelf for it, see queue.h */
	unsigned attempts;           /* begun so far */
	int64_t due, expires;        /* wall ms */
	bool unread;                 /* an earlier attempt ended "final dot sent, reply unread": it
					stays on its path */
	bool requoted;               /* its local part goes out in its other form: the first was refused */
	bool delay_told;             /* a delay DSN has been sent */
	char *suppressed;            /* found on the suppression list as it came into memory: why, in words;
					NULL: it is not */
	int64_t held_at;             /* wall ms since when an operator holds it; 0: nobody does */
	char *held;                  /* who, and why, as the admin API wrote it; "" */
	char *last;                  /* last reply or reason, for the listing and the DSN; "" */
};
TAILQ_HEAD(recipient_list, recipient);

/* Takes a reference on the message, copies the address and splits it at its last '@'. */
struct recipient *recipient_new(struct message *, unsigned index, const char *address);
void recipient_free(struct recipient **);
void recipient_set_last(struct recipient *, const char *text);
/* "ID.3": room for it is MESSAGE_ID_TEXT + 11. */
#define RECIPIENT_ID_TEXT (MESSAGE_ID_TEXT + 11)
char *recipient_id_text(int64_t message, unsigned index, char buf[static RECIPIENT_ID_TEXT]);

#endif
