/*
 * send_test.c - one message to each address of SES's mailbox simulator.
 */
#include "router/ses/send_test.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "mta/smtp/address.h"
#include "router/body.h"
#include "router/config.h"
#include "router/core_int.h"
#include "router/route.h"

/* The one on the suppression list has been told of in two ways: both are a
 * Bounce. */
const struct ses_test_address ses_test_addresses[SES_TESTS] = {
	{ "success", { "Delivery", NULL } },
	{ "bounce", { "Bounce", NULL } },
	{ "ooto", { "Delivery", "Note", NULL } },
	{ "complaint", { "Delivery", "Complaint", NULL } },
	{ "suppressionlist", { "Bounce", NULL } },
};

struct test {
	struct store_enqueue op;
	struct core *core;
	void (*done)(void *arg, int64_t message, const char *why);
	void *arg;
};

static void
test_free(struct test *t)
{
	struct recipient *r;

	while ((r = TAILQ_FIRST(&t->op.recipients)) != NULL) {
		TAILQ_REMOVE(&t->op.recipients, r, link);
		recipient_free(&r);
	}
	body_unref(&t->op.message->body);
	message_unref(&t->op.message);
	free(t);
}

static void
write_message(struct message *m, const char *from)
{
	struct str s = STR_INIT;
	char id[MESSAGE_ID_TEXT], date[48];

	str_addf(&s,
	    "From: <%s>\r\nTo: undisclosed-recipients:;\r\n"
	    "Subject: Test of the way through Amazon SES\r\n"
	    "Date: %s\r\nMessage-ID: <%s@%s>\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
	    from, clock_rfc5322(m->received, date), message_id_text(m->id, id),
	    strrchr(from, '@') + 1);
	m->header_size = s.len;
	str_adds(&s, "Sent by oiwake ses send-test.\r\n");
	m->size = s.len;
	m->body = body_take(str_detach(&s), (size_t)m->size);
}

static struct message *
make_message(struct core *c, const char *from)
{
	int64_t now = clock_wall();
	struct message *m = message_new(message_id_new(&c->makers[0], now));

	m->received = now;
	message_set_from(m, from);
	free(m->listener);
	m->listener = xstrdup("send-test");
	free(m->header_from);
	m->header_from = xstrdup(m->from_domain);
	m->nrcpt = SES_TESTS;
	write_message(m, from);
	return m;
}

/* Where the rules send it, which must be a ses path. */
static int
plan(struct core *c, struct message *m, struct recipient *r, struct err *e)
{
	const struct config_path *path;
	struct rules_shape shape;

	route_decide(c->config, m, r, &r->route);
	path = config_path_find(c->config, r->route.path);
	if (path == NULL || path->kind != PATH_SES)
		return err_set(e,
		    "rule %s sends mail to %s by path '%s', which is not of "
		    "type ses",
		    r->route.rule, r->address, r->route.path);
	route_shape(c->config, &r->route, r->domain, &shape);
	r->shelf = route_shelf(c->config, &r->route, m->from_domain);
	r->due = m->received;
	r->expires = m->received + (int64_t)shape.expiry * 1000;
	return 0;
}

static int
add_recipients(struct test *t, struct err *e)
{
	struct message *m = t->op.message;

	for (unsigned i = 0; i < SES_TESTS; i++) {
		struct str address = STR_INIT;
		struct recipient *r;

		str_addf(&address, "%s@simulator.amazonses.com",
		    ses_test_addresses[i].local);
		r = recipient_new(m, i, address.data);
		str_release(&address);
		TAILQ_INSERT_TAIL(&t->op.recipients, r, link);
		if (plan(t->core, m, r, e) != 0)
			return -1;
	}
	return 0;
}

static void
on_stored(struct store_request *req)
{
	struct store_enqueue *op = container_of(req, struct store_enqueue, req);
	struct test *t = container_of(op, struct test, op);
	struct recipient *r;

	t->core->edits--;
	if (req->status == STORE_OK) {
		TAILQ_FOREACH(r, &op->recipients, link)
		queue_note(t->core->queue, r->shelf, r->due);
		t->done(t->arg, op->message->id, NULL);
	} else {
		t->done(t->arg, 0, req->err.text);
	}
	core_wake(t->core);
	test_free(t);
}

static bool
is_plain_address(const char *text)
{
	const char *at = strrchr(text, '@');

	return at != NULL && at > text && at[1] != '\0' && strlen(text) < 254 &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+-/="
			    "?^_`{|}~@") == strlen(text) &&
	       strchr(text, '@') == at;
}

int
ses_send_test(struct core *c, const char *from,
    void (*done)(void *, int64_t, const char *), void *arg, struct err *e)
{
	struct test *t;

	if (!is_plain_address(from))
		return err_set(e, "not an address: '%s'", from);
	t = xcalloc(1, sizeof(*t));
	t->core = c;
	t->done = done;
	t->arg = arg;
	TAILQ_INIT(&t->op.recipients);
	t->op.message = make_message(c, from);
	t->op.req.reply_to = c->inbox;
	t->op.req.done = on_stored;
	if (add_recipients(t, e) != 0) {
		test_free(t);
		return -1;
	}
	c->edits++;
	store_enqueue(c->store, &t->op);
	return 0;
}
