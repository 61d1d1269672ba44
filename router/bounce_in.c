/*
 * bounce_in.c - bounces that come back to signed addresses of ours.
 *
 * intake.c calls here for inbound listeners, and for any message before it is
 * enqueued; path_mta.c makes the addresses. RCPT is answered by the token
 * alone. Whose bounce it is the store knows, which is asked at the end of DATA,
 * where the answer may take its time.
 */
#include "router/bounce_in.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/smtp/server.h"
#include "mta/smtp/utf8.h"
#include "router/config.h"
#include "router/intake_int.h"
#include "router/io.h"

#include <stdlib.h>
#include <string.h>

/* As with rules, what a reload brought holds for the next command. */
static const struct config_return_path *
return_path(const struct intake *in)
{
	return &in->io->config->return_path;
}

/* -- a bounce comes in ---------------------------------------------------- */

static const struct {
	const char *enhanced, *text;
} refusals[] = {
	[RETURN_PATH_EXPIRED] = { "5.1.1", "this bounce address has expired" },
	[RETURN_PATH_FORGED] = { "5.1.1", "this bounce address is not ours" },
	[RETURN_PATH_OTHER] = { "5.7.1",
	    "only our own bounce addresses are taken here" },
};

static enum return_path_verdict
judge(struct intake *in, const struct address *to)
{
	const struct config_return_path *ours = return_path(in);

	if (ours->domain == NULL || strcasecmp(to->domain, ours->domain) != 0)
		return RETURN_PATH_OTHER;
	return return_path_read(
	    ours->key, ours->domain, to->local, clock_wall(), &in->bounce.path);
}

bool
bounce_in_rcpt(
    struct intake *in, const struct smtp_rcpt *rcpt, struct smtp_reply *reply)
{
	enum return_path_verdict v;

	if (in->message->nrcpt > 0) {
		smtp_reply_set(
		    reply, 452, "4.5.3", "one bounce address at a time");
		return false;
	}
	v = judge(in, &rcpt->to);
	if (v != RETURN_PATH_GOOD) {
		smtp_reply_set(
		    reply, 550, refusals[v].enhanced, "%s", refusals[v].text);
		return false;
	}
	in->message->nrcpt = 1;
	return true;
}

static void
take_sender(void *arg, const struct kept *row)
{
	struct bounce_in *b = arg;

	free(b->sender);
	b->sender = xstrdup(row->value);
}

static void
run_query(struct store_query *query, struct store_reader *reader)
{
	struct bounce_in *b = container_of(query, struct bounce_in, query);
	char id[MESSAGE_ID_TEXT];

	store_read_kept(reader, BOUNCE_KEPT,
	    message_id_text(b->path.message, id), take_sender, b);
}

/*
 * From <> whatever the bounce came from: there are systems that send bounces
 * with a sender, and ours may go nowhere else. Its header From is a stranger's
 * word: empty here, so that nothing is signed for it.
 */
static void
address_to_sender(struct intake *in)
{
	struct message *m = in->message;
	const char *to = in->bounce.sender;
	struct recipient *r = recipient_new(m, 0, to);

	message_set_from(m, "");
	free(m->header_from);
	m->header_from = xstrdup("");
	utf8_check(to, strlen(to), &r->utf8);
	m->smtputf8 = m->smtputf8 || r->utf8;
	TAILQ_INSERT_TAIL(&in->recipients, r, link);
}

static void
on_found(struct store_query *query)
{
	struct intake *in = container_of(query, struct intake, bounce.query);
	struct smtp_reply reply;

	in->bounce.looking = false;
	if (in->session == NULL) {
		intake_release(in);
	} else if (in->bounce.sender != NULL) {
		address_to_sender(in);
		intake_admit(in);
	} else {
		smtp_reply_set(&reply, 550, "5.1.1",
		    "the sender of that message is not known any more");
		intake_refuse(in, &reply);
	}
}

void
bounce_in_forward(struct intake *in)
{
	struct store_query *query = &in->bounce.query;

	query->reply_to = in->io->inbox;
	query->run = run_query;
	query->done = on_found;
	in->bounce.looking = true;
	store_query(in->io->store, query);
}

void
bounce_in_log(const struct intake *in)
{
	char id[MESSAGE_ID_TEXT], original[MESSAGE_ID_TEXT];
	struct logline l;

	if (in->settings->kind != LISTENER_INBOUND ||
	    !log_start(&l, LOG_INFO, "bounce_in"))
		return;
	log_str(&l, "id", message_id_text(in->message->id, id));
	log_str(
	    &l, "original", message_id_text(in->bounce.path.message, original));
	log_int(&l, "index", in->bounce.path.index);
	log_str(&l, "to", in->bounce.sender);
	log_str(&l, "client", in->message->client);
	log_end(&l);
}

void
bounce_in_clear(struct bounce_in *b)
{
	free(b->sender);
	b->sender = NULL;
}

/* -- a sender is kept ----------------------------------------------------- */

#define DAY (INT64_C(24) * 3600 * 1000)

static bool
goes_by_mx(const struct config *c, const char *name)
{
	const struct config_path *path =
	    name != NULL ? config_path_find(c, name) : NULL;

	return path != NULL && path->kind == PATH_MTA &&
	       path->relay_host == NULL;
}

static bool
may_come_back(const struct intake *in)
{
	const struct config *c = in->io->config;
	const struct recipient *r;

	if (c->return_path.domain == NULL || in->message->from[0] == '\0')
		return false;
	TAILQ_FOREACH (r, &in->recipients, link)
		if (goes_by_mx(c, r->route.path) ||
		    goes_by_mx(c, r->route.fallback))
			return true;
	return false;
}

struct keep {
	struct store_keep op;
	struct kept row;
	char key[MESSAGE_ID_TEXT];
	struct message *message;
	struct intake *in;
};

static void
on_kept(struct store_request *req)
{
	struct store_keep *op = container_of(req, struct store_keep, req);
	struct keep *k = container_of(op, struct keep, op);
	struct intake *in = k->in;

	if (req->status != STORE_OK)
		log_text(LOG_WARN, "bounce_in",
		    "the sender of %s is not kept: %s", k->key, req->err.text);
	message_unref(&k->message);
	free(k);
	in->keeping--;
	intake_release(in);
}

/* A token is good to the end of its day: so much longer. */
int64_t
bounce_in_kept_until(const struct config *config, const struct message *m)
{
	return m->received + config->return_path.expires + DAY;
}

void
bounce_in_keep_sender(struct intake *in)
{
	struct message *m = in->message;
	struct keep *k;

	if (!may_come_back(in))
		return;
	m->returns = true;
	k = xcalloc(1, sizeof(*k));
	k->in = in;
	k->message = message_ref(m);
	k->row = (struct kept){
		.kind = BOUNCE_KEPT,
		.key = message_id_text(m->id, k->key),
		.value = m->from,
		.expires = bounce_in_kept_until(in->io->config, m),
	};
	k->op = (struct store_keep){
		.req = { .reply_to = in->io->inbox, .done = on_kept },
		.n = 1,
		.kept = &k->row,
	};
	in->keeping++;
	store_keep(in->io->store, &k->op);
}
