/*
 * event.h - an SES event or notification read: whom it is about, and what it says of each.
 *
 * Both families, `eventType` (event publishing) and `notificationType` (identity notifications), all
 * types, unknown types, members and values tolerated (facts/aws.md, section 3). Pure, any thread.
 */
#ifndef ROUTER_SES_EVENT_H
#define ROUTER_SES_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/outcome.h"
#include "router/store/store.h"

struct ruleset;
struct reasons;

#define SES_TAG_ID "oiwake-id" /* our own tag: recipient_id_text with '-' for '.' */

enum ses_event_kind {
	SES_EVENT_CONTROL,  /* a word of SNS or SES to the subscriber: nothing to settle */
	SES_EVENT_MAIL,     /* about a message: `list` */
	SES_EVENT_UNKNOWN,  /* JSON about a message, of a type that nobody has heard of: `list` holds notes */
	SES_EVENT_FOREIGN,  /* no SES event at all */
};

/* One recipient's part. */
struct ses_event_part {
	struct feedback feedback;     /* its strings are the event's */
	struct outcome outcome;
	char *address;
	char reason[40];              /* classified; also in feedback.reason */
	char peer[256];
	bool names_it;                /* an end: SES says that the address is to blame */
};

struct ses_event {
	enum ses_event_kind kind;
	char type[40];                /* "Bounce", "Rendering Failure" ... as told, cut */
	int64_t at;                   /* wall ms of the event; 0: it says none */
	int64_t sent_at;              /* wall ms of mail.timestamp; 0 */
	char *remote_id;              /* mail.messageId; "" */
	int64_t message;              /* by our tag; 0: it has none */
	unsigned index;
	struct ses_event_part *part;  /* n of them */
	size_t n;
	struct err why;               /* FOREIGN, UNKNOWN: what is odd about it */
};

/*
 * Reads the text of one event; it may end in a line feed, and control messages are not even JSON. The
 * rules and the table of reasons say what a diagnostic means (classify.h; NULL as there). Never fails: what is no
 * event is FOREIGN. At most SES_EVENT_PARTS_MAX recipients are read, SES has 50.
 */
#define SES_EVENT_PARTS_MAX 100
void ses_event_read(struct ses_event *, const char *text, size_t len, const struct ruleset *,
    const struct reasons *);
void ses_event_clear(struct ses_event *);

/* The value of the tag for a recipient, and back. 0 or -1. */
#define SES_TAG_ID_MAX RECIPIENT_ID_TEXT
char *ses_tag_id(int64_t message, unsigned index, char buf[static SES_TAG_ID_MAX]);
int ses_tag_id_read(const char *text, int64_t *message, unsigned *index);

#endif
