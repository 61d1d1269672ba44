/*
 * client_transaction.c - MAIL to the reply to the final dot, from the client's
 * side.
 *
 * Commands go out together where the peer takes them so (PIPELINING, RFC 2920),
 * else one by one; replies are read in the same order in both cases. A
 * recipient's verdict is final once it is a 4xx or 5xx: what follows from it
 * (503, 554 no valid recipients) never takes its place.
 */
#include "mta/smtp/client_int.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "mta/base/str.h"
#include "mta/smtp/server.h"

/* ------ verdicts */

/* Accepted so far, or not asked yet. */
static bool
is_open(const struct smtp_client_rcpt *rcpt)
{
	return outcome_class(&rcpt->outcome) == 2 ||
	       rcpt->outcome.stage == STAGE_NONE;
}

void
client_settle(struct smtp_client *c, const struct outcome *o)
{
	for (size_t i = 0; i < c->tx->nrcpt; i++)
		if (is_open(&c->tx->rcpt[i]))
			c->tx->rcpt[i].outcome = *o;
}

void
client_done(struct smtp_client *c)
{
	struct smtp_transaction *tx = c->tx;

	c->tx = NULL;
	client_enter(c, CLIENT_IDLE);
	c->events->done(c->arg, tx);
	if (c->quit && c->state == CLIENT_IDLE && c->tx == NULL && !c->extra)
		client_send_quit(c);
}

/* The message did not go; the peer may still hold its envelope. */
static void
give_up(struct smtp_client *c)
{
	if (!c->mail_ok) {
		client_done(c);
		return;
	}
	str_adds(&c->out, "RSET\r\n");
	client_enter(c, CLIENT_RSET);
	client_write(c);
}

/* ------ commands */

/* RFC 3461 4: xtext. */
static void
add_xtext(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char ch = (unsigned char)*text;

		if (ch > ' ' && ch < 0x7f && ch != '+' && ch != '=')
			str_addc(out, *text);
		else
			str_addf(out, "+%02X", ch);
	}
}

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* What ends a line must not come from inside one. */
static void
assert_clean(const char *text)
{
	assert(text == NULL || !str_has_control(text, strlen(text)));
}

static bool
offers(const struct smtp_client *c, unsigned capability)
{
	return (c->offers.have & capability) != 0;
}

static void
add_mail(struct smtp_client *c)
{
	const struct smtp_transaction *tx = c->tx;
	struct str *out = &c->out;

	assert_clean(tx->from);
	assert_clean(tx->envid);
	str_adds(out, "MAIL FROM:<");
	str_adds(out, tx->from);
	str_addc(out, '>');
	if (offers(c, CAP_SIZE) && tx->size > 0)
		str_addf(out, " SIZE=%" PRIu64, tx->size);
	if (offers(c, CAP_8BITMIME) && tx->body_8bit)
		str_adds(out, " BODY=8BITMIME");
	if (tx->smtputf8)
		str_adds(out, " SMTPUTF8");
	if (offers(c, CAP_DSN) && tx->ret != '\0')
		str_adds(out, tx->ret == 'F' ? " RET=FULL" : " RET=HDRS");
	if (offers(c, CAP_DSN) && is_given(tx->envid)) {
		str_adds(out, " ENVID=");
		add_xtext(out, tx->envid);
	}
	str_adds(out, "\r\n");
}

static void
add_notify(struct str *out, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ NOTIFY_NEVER, "NEVER" },
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	const char *separator = " NOTIFY=";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((notify & names[i].bit) == 0)
			continue;
		str_adds(out, separator);
		str_adds(out, names[i].name);
		separator = ",";
	}
}

/* "rfc822;taro@example.jp": the type stays, the address becomes xtext. */
static void
add_orcpt(struct str *out, const char *orcpt)
{
	const char *semicolon = is_given(orcpt) ? strchr(orcpt, ';') : NULL;

	if (semicolon == NULL)
		return;
	str_adds(out, " ORCPT=");
	str_add(out, orcpt, (size_t)(semicolon + 1 - orcpt));
	add_xtext(out, semicolon + 1);
}

static void
add_rcpt(struct smtp_client *c, const struct smtp_client_rcpt *rcpt)
{
	assert_clean(rcpt->address);
	assert_clean(rcpt->orcpt);
	str_adds(&c->out, "RCPT TO:<");
	str_adds(&c->out, rcpt->address);
	str_addc(&c->out, '>');
	if (offers(c, CAP_DSN)) {
		add_notify(&c->out, rcpt->notify);
		add_orcpt(&c->out, rcpt->orcpt);
	}
	str_adds(&c->out, "\r\n");
}

static void
send_data(struct smtp_client *c)
{
	str_adds(&c->out, "DATA\r\n");
	client_enter(c, CLIENT_DATA);
	client_write(c);
}

/* ------ replies */

static void
refuse(struct smtp_client *c, enum outcome_scope scope)
{
	struct outcome o;

	reply_outcome(&c->reply, scope, client_stage(c), &o);
	client_settle(c, &o);
}

/* To wait for the reply to the next RCPT, or to send it first. */
static void
next_rcpt(struct smtp_client *c)
{
	client_enter(c, CLIENT_RCPT);
	if (c->pipelined)
		return;
	add_rcpt(c, &c->tx->rcpt[c->next_rcpt]);
	client_write(c);
}

void
client_mail(struct smtp_client *c)
{
	int class = c->reply.code / 100;

	if (class == 3) {
		client_end_unexpected(c);
		return;
	}
	c->mail_ok = class == 2;
	if (!c->mail_ok)
		refuse(c, SCOPE_MESSAGE);
	if (!c->mail_ok && !c->pipelined)
		client_done(c);
	else
		next_rcpt(c);
}

static void
last_rcpt_answered(struct smtp_client *c)
{
	if (c->pipelined)
		client_enter(c, CLIENT_DATA);
	else if (c->accepted > 0)
		send_data(c);
	else
		give_up(c);
}

void
client_rcpt(struct smtp_client *c)
{
	struct smtp_client_rcpt *rcpt = &c->tx->rcpt[c->next_rcpt];

	if (c->reply.code / 100 == 3) {
		client_end_unexpected(c);
		return;
	}
	if (is_open(rcpt)) {
		reply_outcome(
		    &c->reply, SCOPE_RECIPIENT, STAGE_RCPT, &rcpt->outcome);
		c->accepted += is_open(rcpt);
	}
	if (++c->next_rcpt < c->tx->nrcpt)
		next_rcpt(c);
	else
		last_rcpt_answered(c);
}

void
client_data(struct smtp_client *c)
{
	int class = c->reply.code / 100;

	if (class == 2) {
		client_end_unexpected(c);
	} else if (class != 3) {
		refuse(c, SCOPE_MESSAGE);
		give_up(c);
	} else if (c->accepted > 0) {
		client_body_start(c);
	} else {
		/* RFC 2920 3.1: it takes a message for nobody. It gets an empty
		 * one. */
		str_adds(&c->out, ".\r\n");
		client_enter(c, CLIENT_EMPTY);
		client_write(c);
	}
}

void
client_dot(struct smtp_client *c)
{
	int class = c->reply.code / 100;

	if (class == 3) {
		client_end_unexpected(c);
		return;
	}
	refuse(c, class == 2 ? SCOPE_RECIPIENT : SCOPE_MESSAGE);
	client_done(c);
}

void
client_empty(struct smtp_client *c)
{
	client_done(c);
}

void
client_rset(struct smtp_client *c)
{
	if (c->reply.code / 100 == 2)
		client_done(c);
	else
		client_end_by_reply(c, SCOPE_SESSION);
}

/* ------ the start */

/* What this peer cannot take; false when there is nothing of the kind. */
static bool
is_beyond_peer(struct smtp_client *c, struct outcome *o)
{
	const struct smtp_transaction *tx = c->tx;
	const char *status;

	if (tx->smtputf8 && !offers(c, CAP_SMTPUTF8)) {
		outcome_set(o, SCOPE_MESSAGE, STAGE_MAIL, true,
		    "message needs SMTPUTF8, which %s does not offer", c->peer);
		status = "5.6.7";
	} else if (c->offers.size > 0 && tx->size > c->offers.size) {
		outcome_set(o, SCOPE_MESSAGE, STAGE_MAIL, true,
		    "message of %" PRIu64 " bytes is larger than the %" PRIu64
		    " bytes that %s takes",
		    tx->size, c->offers.size, c->peer);
		status = "5.3.4";
	} else {
		return false;
	}
	memcpy(o->enhanced, status, sizeof("x.y.z"));
	return true;
}

static void
send_envelope(struct smtp_client *c)
{
	c->pipelined = offers(c, CAP_PIPELINING);
	add_mail(c);
	for (size_t i = 0; c->pipelined && i < c->tx->nrcpt; i++)
		add_rcpt(c, &c->tx->rcpt[i]);
	if (c->pipelined)
		str_adds(&c->out, "DATA\r\n");
	client_enter(c, CLIENT_MAIL);
	client_write(c);
}

void
smtp_client_send(struct smtp_client *c, struct smtp_transaction *tx)
{
	bool usable = smtp_client_usable(c);
	struct outcome o;

	assert(c->tx == NULL && tx->nrcpt > 0);
	c->tx = tx;
	c->mail_ok = c->permitted = false;
	c->next_rcpt = c->accepted = 0;
	for (size_t i = 0; i < tx->nrcpt; i++)
		memset(&tx->rcpt[i].outcome, 0, sizeof(tx->rcpt[i].outcome));
	if (!usable) {
		/* It ended while the transaction was under way to us: back with
		 * it, then closed. */
		outcome_set(&o, SCOPE_SESSION, STAGE_MAIL, false,
		    "connection was closed before MAIL");
		client_settle(c, &o);
	} else if (is_beyond_peer(c, &o)) {
		client_settle(c, &o);
		client_enter(c, CLIENT_REFUSE);
		event_active(&c->kick, EV_TIMEOUT, 0);
	} else {
		send_envelope(c);
	}
}
