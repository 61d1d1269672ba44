/*
 * report_int.h - the inside of report.h: the message taken apart (report_mime.c, report_header.c,
 * report_text.c, report_quoted.c) and those who read it by what they find (report_dsn.c, report_arf.c,
 * report_reply.c). Shared only by router/feedback/report*.c.
 */
#ifndef ROUTER_FEEDBACK_REPORT_INT_H
#define ROUTER_FEEDBACK_REPORT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/str.h"
#include "router/feedback/report.h"

/* Some bytes of the message, borrowed. */
struct span {
	const char *data;
	size_t len;
};

/* The header fields that are looked at, of the message, of its parts and of the one that it quotes. */
enum field {
	FIELD_AUTO_SUBMITTED,
	FIELD_CONTENT_TYPE,
	FIELD_DATE,
	FIELD_DELIVERED_TO,
	FIELD_DISPOSITION,
	FIELD_ENCODING,
	FIELD_FAILED,        /* X-Failed-Recipients */
	FIELD_FROM,
	FIELD_IN_REPLY_TO,
	FIELD_JMRP,          /* X-HmXmrOriginalRecipient */
	FIELD_LIST,          /* any List-... */
	FIELD_MESSAGE_ID,
	FIELD_ORIGINAL_TO,   /* X-Original-To */
	FIELD_OUR_ID,
	FIELD_PRECEDENCE,
	FIELD_REPLIED,       /* any of the fields that only automatic replies have */
	FIELD_RETURN_PATH,
	FIELD_SENDER,
	FIELD_SPASIGN,
	FIELD_SUBJECT,
	FIELD_TO,
	FIELD_UNSUBSCRIBE,   /* X-Apple-Unsubscribe */
	FIELD_MAX
};

enum leaf_type {
	LEAF_TEXT,
	LEAF_HTML,
	LEAF_MESSAGE,      /* message/rfc822, message/global */
	LEAF_HEADERS,      /* text/rfc822-headers and the like: only its header */
	LEAF_STATUS,       /* message/delivery-status */
	LEAF_FEEDBACK,     /* message/feedback-report */
	LEAF_NOTIFICATION, /* message/disposition-notification */
	LEAF_OTHER,
};

enum leaf_encoding { ENCODING_NONE, ENCODING_QUOTED, ENCODING_BASE64, ENCODING_UU };

/* A part that is not multipart. */
struct leaf {
	enum leaf_type type;
	enum leaf_encoding encoding;
	struct span charset; /* as named; empty when it is not */
	struct span body;
	bool attachment;
};

/* A message taken apart. What points does so into the message. */
struct mail {
	struct span header;
	struct span field[FIELD_MAX]; /* first of each name, still folded; data NULL: there is none */
	struct leaf leaf[REPORT_PARTS_MAX];
	size_t n, seen; /* leaves; entities looked at */
	bool is_report; /* multipart/report */

	/* Decoded; filled by mail_open. */
	struct str from, subject, text, quoted, status;
	struct span quoted_field[FIELD_MAX];
};

/* ---- report_mime.c */
void mail_open(struct mail *, struct span message);
void mail_close(struct mail *);
const struct leaf *mail_leaf(const struct mail *, enum leaf_type); /* the first such, or NULL */

/* ---- report_header.c */
/* Reads a header, without an empty line or the end of the bytes it ends there. Returns its length, the
 * empty line included. */
size_t header_read(struct span message, struct span field[FIELD_MAX]);
/* The field in one line, without the blanks around it. */
void field_unfold(struct str *, struct span value);
/* As field_unfold, and its encoded words (RFC 2047) or bare bytes of any charset as UTF-8. */
void field_text(struct str *, struct span value);
/* A parameter of a field such as Content-Type ("boundary"); empty when it has none. */
struct span field_parameter(struct span value, const char *name);
/* The header unfolded, one field a line. */
void header_unfold(struct str *, struct span header);

/* ---- report_address.c */
/* The first (or next) thing like an address in the bytes, moved on behind it; false: none is left. The
 * address is clean: lower case, no brackets, quotes only where needed. */
bool address_next(struct str *address, struct span *rest);
/* As a DSN's field has it: "rfc822; a@b", "utf-8; ..." (RFC 6533). False: it holds no address. */
bool address_of_field(struct str *address, struct span value);
/* True when both are the same address: case ignored. */
bool address_is(const char *a, const char *b);

/* ---- report_text.c */
void text_prepare(void); /* once, before all else */
/* Adds the bytes as UTF-8, lines ended by LF, no NUL, whatever they are. */
void text_decode(struct str *, struct span bytes, enum leaf_encoding, struct span charset);
void text_from_html(struct str *, const char *html, size_t len);
/* Bytes in that charset, or in what they look like, as UTF-8. */
void text_to_utf8(struct str *, struct span bytes, struct span charset);

/* ---- report_quoted.c */
/* Where the text begins to quote a message's header; len when it does not. */
size_t quoted_begins(const char *text, size_t len);
/* Fills what the quoted message tells of itself. */
void quoted_read(struct report *, const struct mail *);

/* ---- report_fields.c: "Name: value" groups of RFC 3464 and RFC 5965 */
struct group_field {
	struct span name, value; /* the value still folded, blanks around it gone */
	bool first;              /* of a group: an empty line or the beginning is before it */
};
bool group_next(struct group_field *, struct span *rest);
bool span_is(struct span, const char *text); /* case ignored */

/* ---- the readers: true when the message is theirs */
bool report_dsn(struct report *, struct mail *);
bool report_notification(struct report *, struct mail *);
bool report_arf(struct report *, struct mail *);
bool report_reply(struct report *, struct mail *);
/* It may be a bounce, by its header: From, subject, type. */
bool mail_is_of_daemon(const struct mail *);
/* It is a mail system's own, by its type, sender or path: what anybody can write as a subject does not count. */
bool mail_is_of_machine(const struct mail *);
/* It carries a sign that only an automatic reply has. Of one that may be a bounce only the subject counts,
 * and of a daemon's own not even that until nobody knows it as a bounce. */
bool mail_is_reply(const struct mail *, bool bounces);
/* Mailing lists' and newsletters' signs. */
bool mail_is_of_list(const struct mail *);

/* ---- report_diagnose.c, report_stage.c */
/* As the outcome's text: in one line, cut, nothing taken from it. */
void words_keep(struct outcome *, const char *text, size_t len);
enum smtp_stage stage_of_text(const char *text, size_t len);
/* Wall time in ms of a date field (RFC 5322, and near it); 0 when it is none. */
int64_t date_of_field(struct span value);

#endif
