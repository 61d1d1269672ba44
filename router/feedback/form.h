/*
 * form.h - bounces that follow no standard, by the forms their makers have in common.
 *
 * report_read() comes here with a message's text when it has no delivery-status part, or one that says too
 * little. A form is recognised by what its mail system always writes, and then read by that system's layout:
 * qmail, Exim, Sendmail, Postfix, Exchange, Domino, au's and other providers' own, and at last any text that
 * looks like a bounce. Pure, any thread.
 */
#ifndef ROUTER_FEEDBACK_FORM_H
#define ROUTER_FEEDBACK_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "router/feedback/report.h"

/* The message as far as it has been read, all in UTF-8, decoded, lines ended by LF. "" where there is none. */
struct form_input {
	const char *from, *subject;   /* header fields, decoded (RFC 2047) */
	const char *header;           /* the whole header, unfolded, one field a line, as it came */
	const char *text;             /* of the text part(s) in order, up to the message that it quotes */
	const char *quoted;           /* that message: its header at least */
	const char *status;           /* the delivery-status part as text, where there is one */
};

/*
 * Adds the parts that the form shows to *r (report_add), or gives what its parts lack (a part of a standard
 * DSN whose text says more than its Diagnostic-Code). Sets r->form. False: no form knows this message.
 */
bool form_read(struct report *r, const struct form_input *);

/* For the two who fill a report. A new part, all "" and zero, with that address cleaned (report_clean), or the
 * one that is already there with it; NULL when there are too many. */
struct report_part *report_add(struct report *, enum report_kind, const char *address);
/* Takes a diagnosis apart: code, enhanced status, text without control characters and cut, and the stage where
 * the words give it away ("in reply to RCPT TO command"). Keeps what is set already unless the text knows better. */
void report_diagnose(struct report_part *, const char *text, size_t len);
/* Replaces *field (a string of a report) by a copy of these bytes, cleaned of control characters and cut at 2 KB. */
void report_set(char **field, const char *text, size_t len);

#endif
