/*
 * ses_query.c - SES's API version 1: a form in, XML out.
 */
#include "tests/sandbox/aws.h"

#include "mta/base/clock.h"
#include "tests/sandbox/aws_int.h"
#include "tests/sandbox/base64.h"
#include "tests/sandbox/message.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/ses_take.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MOST 10485760
#define SPACE	     "http://ses.amazonaws.com/doc/2010-12-01/"
#define RATE_MOST    100000 /* stands for "no limit" */

/* `result`: the elements within ActionResult. */
static void
answer(struct aws_exchange *x, const char *result)
{
	const char *action = aws_arg(x, "Action");
	struct str o = STR_INIT;
	char id[37];

	aws_request_id(x, id);
	str_addf(&o,
	    "<%sResponse xmlns=\"" SPACE "\">\n  <%sResult>\n%s  </%sResult>\n"
	    "  <ResponseMetadata>\n    <RequestId>%s</RequestId>\n"
	    "  </ResponseMetadata>\n</%sResponse>\n",
	    action, action, result, action, id, action);
	aws_reply(x, 200, "text/xml", o.data, o.len);
	str_release(&o);
}

/* --- the sends --- */

/* The value of "PREFIX.member.N" for N from 1; NULL: no more. */
static const char *
member(const struct aws_exchange *x, const char *prefix, unsigned n,
    const char *suffix)
{
	struct str name = STR_INIT;
	const char *value;

	str_addf(&name, "%s.member.%u%s", prefix, n, suffix);
	value = aws_arg(x, name.data);
	str_release(&name);
	return value;
}

/* Recipients, and the same in one line for the header. */
static void
read_addresses(struct aws_exchange *x, const char *prefix, struct submission *m,
    struct str *line)
{
	const char *text;
	char *address;
	unsigned n;

	for (n = 1; (text = member(x, prefix, n, "")) != NULL; n++) {
		address = ses_take_address(text);
		submission_to(m, address);
		free(address);
		str_addf(line, "%s%s", n > 1 ? ", " : "", text);
	}
}

static void
read_common(struct aws_exchange *x, struct submission *m)
{
	const char *source = aws_arg(x, "Source"), *name, *value;
	const char *back = aws_arg(x, "ReturnPath");
	const char *set = aws_arg(x, "ConfigurationSetName");
	unsigned n;

	m->most = MESSAGE_MOST;
	if (source != NULL)
		m->from = ses_take_address(source);
	if (back == NULL)
		back = source;
	if (back != NULL)
		m->source = ses_take_address(back);
	if (set != NULL)
		submission_set(m, set);
	for (n = 1; (name = member(x, "Tags", n, ".Name")) != NULL; n++) {
		value = member(x, "Tags", n, ".Value");
		if (value != NULL)
			submission_tag(
			    m, name, strlen(name), value, strlen(value));
	}
}

static void
take(struct aws_exchange *x, struct submission *m, const struct str *data)
{
	struct str result = STR_INIT;

	if (ses_take(x, m, data->data, data->len) == SES_OK) {
		str_addf(
		    &result, "    <MessageId>%s</MessageId>\n", m->id.data);
		answer(x, result.data);
	}
	str_release(&result);
}

static void
send_raw(struct aws_exchange *x)
{
	struct submission m = { .operation = "SendRawEmail" };
	struct str data = STR_INIT, line = STR_INIT, from = STR_INIT;
	const char *text = aws_arg(x, "RawMessage.Data");

	if (text == NULL || !base64_decode(text, strlen(text), &data)) {
		ses_take_not(x, "SendRawEmail",
		    "RawMessage.Data is missing or not base64");
		str_release(&data);
		return;
	}
	read_common(x, &m);
	read_addresses(x, "Destinations", &m, &line);
	if (m.nto == 0)
		ses_take_header(&m, data.data, data.len);
	(void)message_field(data.data, data.len, "From", 0, &from);
	if (m.source == NULL)
		m.source = ses_take_address(from.data);
	take(x, &m, &data);
	submission_clear(&m);
	str_release(&data);
	str_release(&line);
	str_release(&from);
}

static void
send_simple(struct aws_exchange *x)
{
	struct submission m = { .operation = "SendEmail" };
	struct str to = STR_INIT, cc = STR_INIT, bcc = STR_INIT,
		   data = STR_INIT;
	struct ses_simple s = { .from = aws_arg(x, "Source") };

	s.subject = aws_arg(x, "Message.Subject.Data");
	s.text = aws_arg(x, "Message.Body.Text.Data");
	s.html = aws_arg(x, "Message.Body.Html.Data");
	s.reply_to = member(x, "ReplyToAddresses", 1, "");
	if (s.from == NULL || (s.text == NULL && s.html == NULL)) {
		ses_take_not(x, "SendEmail", "Source or Message is missing");
		return;
	}
	read_common(x, &m);
	read_addresses(x, "Destination.ToAddresses", &m, &to);
	read_addresses(x, "Destination.CcAddresses", &m, &cc);
	read_addresses(x, "Destination.BccAddresses", &m, &bcc);
	s.to = to.data;
	s.cc = cc.data;
	ses_take_compose(&s, &data);
	take(x, &m, &data);
	submission_clear(&m);
	str_release(&to);
	str_release(&cc);
	str_release(&bcc);
	str_release(&data);
}

/* --- the account --- */

static void
get_quota(struct aws_exchange *x)
{
	struct ses *s = x->sandbox->ses;
	struct str o = STR_INIT;

	str_addf(&o,
	    "    <Max24HourSend>%.1f</Max24HourSend>\n"
	    "    <MaxSendRate>%.1f</MaxSendRate>\n"
	    "    <SentLast24Hours>%.1f</SentLast24Hours>\n",
	    s->quota > 0 ? (double)s->quota : -1.0,
	    (double)(s->rate > 0 ? s->rate : RATE_MOST),
	    (double)ses_in_window(s));
	answer(x, o.data);
	str_release(&o);
}

static void
get_statistics(struct aws_exchange *x)
{
	const struct ses *s = x->sandbox->ses;
	struct str o = STR_INIT;
	char now[25];

	str_addf(&o,
	    "    <SendDataPoints>\n      <member>\n"
	    "        <Timestamp>%s</Timestamp>\n"
	    "        <DeliveryAttempts>%" PRIu64 "</DeliveryAttempts>\n"
	    "        <Bounces>0</Bounces>\n"
	    "        <Complaints>0</Complaints>\n"
	    "        <Rejects>0</Rejects>\n"
	    "      </member>\n    </SendDataPoints>\n",
	    clock_iso(clock_wall(), now), s->attempts);
	answer(x, o.data);
	str_release(&o);
}

static void
get_enabled(struct aws_exchange *x)
{
	answer(x, x->sandbox->ses->sending ? "    <Enabled>true</Enabled>\n"
					   : "    <Enabled>false</Enabled>\n");
}

static const struct {
	const char *name;
	void (*run)(struct aws_exchange *);
} actions[] = {
	{ "SendEmail", send_simple },
	{ "SendRawEmail", send_raw },
	{ "GetSendQuota", get_quota },
	{ "GetSendStatistics", get_statistics },
	{ "GetAccountSendingEnabled", get_enabled },
};
#define N_ACTIONS (sizeof(actions) / sizeof(actions[0]))

void
ses_query_handle(struct aws_exchange *x)
{
	const char *action = aws_arg(x, "Action");
	size_t i;

	for (i = 0; action != NULL && i < N_ACTIONS; i++)
		if (strcmp(actions[i].name, action) == 0)
			break;
	if (action == NULL || i == N_ACTIONS)
		aws_reply_error_xml(x, 400, "InvalidAction",
		    "Could not find operation for version 2010-12-01");
	else if (aws_is_send(x) || ses_take_call(x, action))
		actions[i].run(x);
}
