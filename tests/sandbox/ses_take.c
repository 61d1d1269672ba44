/*
 * ses_take.c - a message that came by an API, whichever: scenarios, mood,
 * verdict, journal.
 *
 * The line is on disk before the answer leaves, as with SMTP.
 */
#include "tests/sandbox/ses_take.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/aws_int.h"
#include "tests/sandbox/base64.h"
#include "tests/sandbox/body.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/journal.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/mail.h"
#include "tests/sandbox/message.h"
#include "tests/sandbox/sandbox.h"

#include <stdlib.h>
#include <string.h>

/* What the local part of a recipient asks for at SES; NULL: nothing. */
static const struct scenario *
scenario_of(struct host *h, const char *to)
{
	unsigned number = 0;
	const struct scenario *s = scenario_find("ses", to, &number);

	if (s == NULL || s->stage != AT_DOT || host_spent(h, s, number, to))
		return NULL;
	return s;
}

static enum ses_fault
play(struct aws_exchange *x, const struct scenario *s, struct str *text)
{
	static const char invalid[] = "Transaction failed: ";
	const char *said = s->answer.text;

	switch (s->action) {
	case DO_REPLY:
		if (strncmp(said, invalid, sizeof(invalid) - 1) == 0) {
			str_adds(text, said + sizeof(invalid) - 1);
			return SES_INVALID;
		}
		str_adds(text, said);
		return s->answer.code >= 500 ? SES_REJECTED : SES_TEMPORARY;
	case DO_CUT:
		return SES_BUSY;
	case DO_CLOSE:
		aws_mood_use(x, "closedot");
		break;
	case DO_RESET:
		aws_mood_use(x, "rstdot");
		break;
	case DO_SILENCE:
		aws_mood_use(x, "silentdot");
		break;
	case DO_NOTE:
	case DO_SLOW:
	case DO_DRIP:
	case DO_ENDLESS:
	case DO_HUGE:
	case DO_LONG:
	case DO_DOWN:
		break;
	}
	return SES_OK;
}

/* The first recipient who asks for something other than to be accepted. */
static enum ses_fault
scenario_fault(
    struct aws_exchange *x, const struct submission *m, struct str *text)
{
	struct host *h = host_find(x->sandbox, "ses");
	const struct scenario *s;
	size_t i;

	for (i = 0; i < m->nto; i++) {
		s = scenario_of(h, m->to[i]);
		if (s == NULL || s->action == DO_NOTE)
			continue;
		host_happened(h, s, m->to[i]);
		return play(x, s, text);
	}
	return SES_OK;
}

static enum ses_fault
judge(struct aws_exchange *x, struct submission *m, const char *data,
    size_t len, struct str *text)
{
	enum ses_fault fault = aws_mood_fault(x);

	if (fault == SES_OK)
		fault = scenario_fault(x, m, text);
	if (fault == SES_OK)
		fault = submission_judge(x->sandbox, m, data, len, len, text);
	if (fault != SES_OK && text->len == 0)
		str_adds(text, ses_fault_rows[fault].text);
	return fault;
}

/* --- the journal --- */

static void
add_rcpts(struct aws_exchange *x, const struct submission *m, bool accepted,
    struct str *o)
{
	struct host *h = host_find(x->sandbox, "ses");
	const struct scenario *s;
	const char *what;
	size_t i;

	json_open(o, "rcpt", '[');
	for (i = 0; i < m->nto; i++) {
		s = scenario_of(h, m->to[i]);
		what = accepted ? "delivered" : "refused";
		if (accepted && s != NULL && s->action == DO_NOTE)
			what = s->answer.text;
		json_open(o, NULL, '{');
		json_str(o, "to", m->to[i]);
		json_bool(o, "accepted", accepted);
		json_str(o, "what", what);
		json_close(o, '}');
	}
	json_close(o, ']');
}

static void
add_bad(struct str *o, unsigned bad)
{
	const char *name;
	unsigned i;

	bad &= ~(unsigned)BAD_8BIT; /* the API takes that */
	if (bad == 0)
		return;
	json_open(o, "bad", '[');
	for (i = 0; (name = body_bad_name(i)) != NULL; i++)
		if ((bad & 1u << i) != 0)
			json_str(o, NULL, name);
	json_close(o, ']');
}

static void
add_body(struct aws_exchange *x, struct str *o, bool accepted, const char *data,
    size_t len)
{
	struct body b = { .hash = NULL };
	char hash[65];

	body_start(&b, false);
	body_add(&b, data, len);
	body_hash(&b, hash);
	json_int(o, "size", (int64_t)b.size);
	json_int(o, "longest_line", (int64_t)b.longest);
	json_str(o, "sha256", hash);
	mail_journal_fields(o, data, len);
	add_bad(o, b.bad);
	if (accepted && journal_keeps(x->sandbox->journal))
		journal_keep(x->sandbox->journal, data, len);
	body_release(&b);
}

static struct str *
journal_message(struct aws_exchange *x)
{
	struct str *o = journal_start(x->sandbox->journal, "message");

	json_str(o, "host", "ses");
	json_str(o, "transport", "api");
	json_str(o, "session", NULL);
	json_str(o, "peer", x->peer);
	json_str(o, "tls", x->tls);
	json_str(o, "ehlo", NULL);
	json_str(o, "user", x->access_key);
	return o;
}

static void
add_verdict(struct aws_exchange *x, struct str *o, enum ses_fault fault,
    const char *text)
{
	const struct ses_fault_row *r = &ses_fault_rows[fault];
	bool query = aws_arg(x, "Action") != NULL;
	const char *what = fault == SES_OK ? aws_mood_what(x) : "refused";

	json_bool(o, "accepted", fault == SES_OK);
	json_str(o, "what", what);
	json_int(o, "code", query ? r->query_status : r->status);
	json_str(o, "error", query ? r->code : r->type);
	json_str(o, "text", fault == SES_OK ? NULL : text);
}

static void
write_down(struct aws_exchange *x, const struct submission *m,
    enum ses_fault fault, const char *text, const char *data, size_t len)
{
	struct str *o = journal_message(x);

	json_str(o, "from", m->source);
	json_str(o, "params", NULL);
	add_rcpts(x, m, fault == SES_OK, o);
	add_verdict(x, o, fault, text);
	add_body(x, o, fault == SES_OK, data, len);
	submission_journal(m, o);
	journal_end(x->sandbox->journal);
}

static void
count(struct aws_exchange *x, const struct submission *m, enum ses_fault fault)
{
	struct counts *c = &host_find(x->sandbox, "ses")->counts;

	if (fault == SES_OK) {
		c->messages++;
		c->recipients += m->nto;
	} else {
		c->rejected++;
	}
}

enum ses_fault
ses_take(
    struct aws_exchange *x, struct submission *m, const char *data, size_t len)
{
	struct str text = STR_INIT;
	enum ses_fault fault;

	submission_read(m, data, len);
	fault = judge(x, m, data, len, &text);
	write_down(x, m, fault, text.data, data, len);
	count(x, m, fault);
	if (fault != SES_OK)
		aws_reply_fault(x, fault, text.data);
	else
		aws_hold(x, submission_tell(x->sandbox, m, data, len));
	str_release(&text);
	return fault;
}

void
ses_take_not(struct aws_exchange *x, const char *operation, const char *text)
{
	struct submission m = { .operation = operation };
	enum ses_fault fault = aws_mood_fault(x);

	if (fault == SES_OK)
		fault = SES_INVALID;
	else
		text = ses_fault_rows[fault].text;
	write_down(x, &m, fault, text, "", 0);
	count(x, &m, fault);
	aws_reply_fault(x, fault, text);
}

bool
ses_take_call(struct aws_exchange *x, const char *operation)
{
	bool soon = !ses_may_call(x->sandbox->ses, operation);
	struct str *o = journal_start(x->sandbox->journal, "call");

	json_str(o, "host", "ses");
	json_str(o, "transport", "api");
	json_str(o, "operation", operation);
	json_str(o, "user", x->access_key);
	json_bool(o, "throttled", soon);
	journal_end(x->sandbox->journal);
	if (soon)
		aws_reply_fault(x, SES_RATE, "Rate exceeded");
	return !soon;
}

/* --- help for both APIs --- */

char *
ses_take_address(const char *text)
{
	struct str address = STR_INIT;

	message_address(text, &address);
	return str_detach(&address);
}

static void
add_header_addresses(struct submission *m, char *list)
{
	char *one, *address;

	while ((one = strsep(&list, ",")) != NULL) {
		address = ses_take_address(one);
		if (*address != '\0')
			submission_to(m, address);
		free(address);
	}
}

void
ses_take_header(struct submission *m, const char *data, size_t len)
{
	static const char *const fields[] = { "To", "Cc", "Bcc" };
	struct str value = STR_INIT;
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (message_field(data, len, fields[i], 0, &value))
			add_header_addresses(m, value.data);
	str_release(&value);
}

static bool
is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text > 127)
			return false;
	return true;
}

static void
add_line(struct str *out, const char *name, const char *value)
{
	struct str word = STR_INIT;

	if (value == NULL || *value == '\0')
		return;
	if (is_ascii(value)) {
		str_addf(out, "%s: %s\r\n", name, value);
		return;
	}
	base64_encode(value, strlen(value), &word);
	str_addf(out, "%s: =?UTF-8?B?%s?=\r\n", name, word.data);
	str_release(&word);
}

static void
add_part(struct str *out, const char *kind, const char *text)
{
	str_addf(out,
	    "Content-Type: text/%s; charset=UTF-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n%s\r\n",
	    kind, text);
}

void
ses_take_compose(const struct ses_simple *m, struct str *out)
{
	add_line(out, "From", m->from);
	add_line(out, "To", m->to);
	add_line(out, "Cc", m->cc);
	add_line(out, "Reply-To", m->reply_to);
	add_line(out, "Subject", m->subject);
	str_adds(out, "MIME-Version: 1.0\r\n");
	if (m->more != NULL)
		str_adds(out, m->more);
	if (m->text == NULL || m->html == NULL) {
		add_part(out, m->html != NULL ? "html" : "plain",
		    m->html != NULL ? m->html : m->text);
		return;
	}
	str_adds(out,
	    "Content-Type: multipart/alternative; boundary=\"=_sandbox\"\r\n"
	    "\r\n--=_sandbox\r\n");
	add_part(out, "plain", m->text);
	str_adds(out, "--=_sandbox\r\n");
	add_part(out, "html", m->html);
	str_adds(out, "--=_sandbox--\r\n");
}
