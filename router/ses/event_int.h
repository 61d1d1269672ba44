/*
 * event_int.h - the inside of the event reader: the event around its recipients (event.c), what is said of
 * each (event_kinds.c), what a diagnostic means (event_bounce.c), and texts from outside (event_text.c).
 */
#ifndef ROUTER_SES_EVENT_INT_H
#define ROUTER_SES_EVENT_INT_H

#include "router/ses/event.h"

/* What is at hand while one event is read. */
struct event_reading {
	struct ses_event *event;
	const json_t *mail;   /* an object */
	const json_t *detail; /* the object of its type; NULL: it has none */
	const struct ruleset *rules;
	const struct reasons *reasons;
};

/* One recipient: `item` is an object or an address, or NULL. The part is a NOTE about the event until then. */
typedef void event_part_reader(
    const struct event_reading *, const json_t *item, struct ses_event_part *);

struct event_kind {
	const char *type;   /* value of eventType or notificationType */
	const char *detail; /* its member */
	const char *list;   /* of those it is about, in that; NULL: all of mail.destination */
	event_part_reader *read;
};
/* NULL: nobody has heard of it. */
const struct event_kind *event_kind_find(const char *type);

event_part_reader event_read_bounce, event_read_delay;

/* It has ended in that counter. */
void event_part_end(struct ses_event_part *, enum counter, const char *reason);

/* A member that is a string; "" when it is not there. */
const char *event_member(const json_t *object, const char *name);
/* Cut to the room there is between two characters, and its control bytes made spaces. */
void event_copy(char *out, size_t size, const char *text);
/* "smtp; 550 5.1.1 text", without any of its parts too: to code, enhanced and text. A status that is there
 * stays when this says none. */
void event_diagnostic(struct outcome *, const char *text);
/* The same of "5.1.1 text". */
void event_reply(struct outcome *, const char *text);
/* An enhanced status (RFC 3463) at the beginning: its length; 0: none. */
size_t event_status_length(const char *text);

#endif
