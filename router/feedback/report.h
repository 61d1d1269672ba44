/*
 * report.h - a message that came back, read: a DSN (RFC 3464, RFC 6533), a complaint (ARF, RFC 5965), an
 * automatic reply (RFC 3834), or one of the many bounces that follow no standard.
 *
 * Reading only says what the message says. What it means is the table of reasons' (router/reasons.h), and
 * whether it is to be believed is decided by who asks: all in it is a stranger's word. Pure, any thread.
 *
 * Bounded whatever arrives: of the bytes only the first REPORT_BYTES_MAX are looked at, parts deeper than
 * REPORT_DEPTH_MAX or after REPORT_PARTS_MAX are not, and texts are cut. Memory is a small multiple of the
 * bytes looked at.
 */
#ifndef ROUTER_FEEDBACK_REPORT_H
#define ROUTER_FEEDBACK_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/outcome.h"

#define REPORT_BYTES_MAX (1024 * 1024)
#define REPORT_DEPTH_MAX 10
#define REPORT_PARTS_MAX 100
#define REPORT_RECIPIENTS_MAX 200

enum report_kind {
	REPORT_NONE,      /* no feedback: mail from a person, a newsletter ... */
	REPORT_REPLY,     /* an automatic reply, a vacation notice: the address is good */
	REPORT_DELIVERED, /* it says that the mail arrived (action delivered, relayed, expanded) */
	REPORT_DELAYED,   /* not yet (action delayed), more will follow */
	REPORT_COMPLAINT, /* ARF, whatever its feedback-type */
	REPORT_BOUNCE,    /* it will never arrive */
};
const char *report_kind_name(enum report_kind); /* "bounce", "reply" ... */

/* One recipient's part, in the order of the message. */
struct report_part {
	enum report_kind kind;
	char *recipient;     /* local@domain, lower case, no brackets; of a complaint that hides it as it
				stands there; "" when nothing says */
	char *alias;         /* the same recipient under its other name (Original-Recipient beside
				Final-Recipient, "expanded from"); "" */
	char *action;        /* the Action field, or what comes to the same; "" */
	char *host;          /* of the host that answered, or that was asked; "" */
	/* stage as far as it is told or follows from the text (STAGE_NONE: not known), code, enhanced,
	 * text: the diagnosis itself without the reporter's words around it. Scope is SCOPE_RECIPIENT. */
	struct outcome outcome;
	bool spasign;        /* au: X-SPASIGN: NG, the subscriber's filter */
};

struct report {
	enum report_kind kind;        /* the most serious of its parts, in the order of the enum */
	const char *form;             /* how it was read: "rfc3464", "arf", "qmail", "exim" ...; "" */
	struct report_part *part;     /* n of them; none of REPORT_NONE; one of REPORT_REPLY */
	size_t n;
	char *feedback_type;          /* of ARF: "abuse", "opt-out" ...; "" */
	int64_t at;                   /* wall ms of what it tells of (Arrival-Date, Date); 0: it does not say */

	/* What may show whose it is, all unproved. "" where there is none. */
	char *to;                     /* the first address of its own To (or X-Original-To, Delivered-To) */
	char *return_path;            /* of the message that it is about: Original-Mail-From, Return-Path, or
					 MAIL FROM as quoted */
	char *our_id;                 /* X-Oiwake-ID of that message */
	char *message_id;             /* Message-ID of that message, with its < > */
	char *addresser;              /* From of that message */
};

/* Never fails: what cannot be read is REPORT_NONE. */
void report_read(struct report *, const char *data, size_t len);
void report_clear(struct report *);

#endif
