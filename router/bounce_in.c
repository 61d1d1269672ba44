/*
 * bounce_in.c - mail that comes back, from RCPT to its answer.
 *
 * intake.c calls here for inbound listeners; path_mta.c and intake.c make the
 * addresses. RCPT is answered by the token alone. At the end of DATA the mail
 * is read (feedback/report.h), what the store knows of its recipients is looked
 * up (bounce_find.c), it is judged (feedback/judge.h) and told to the store,
 * and only then answered, or sent on. Until the answer nothing has happened
 * that a second coming would repeat: the store knows what it was told before.
 */
#include "router/bounce_in.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/smtp/server.h"
#include "mta/smtp/utf8.h"
#include "router/body.h"
#include "router/bounce_int.h"
#include "router/config.h"
#include "router/intake_int.h"
#include "router/io.h"
#include "router/listener.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LETTER_MAX                                                             \
	((size_t)64 * 1024) /* bytes of a mail that a dead letter keeps */

/* As with rules, what a reload brought holds for the next command. */
static const struct config_return_path *
return_path(const struct intake *in)
{
	return &in->io->config->return_path;
}

/* -- MAIL and RCPT --------------------------------------------------------- */

bool
bounce_in_mail(struct intake *in, struct smtp_reply *reply)
{
	if (listener_takes(in->listener, (const struct sockaddr *)&in->peer,
		return_path(in)->rate))
		return true;
	smtp_reply_set(reply, 452, "4.7.1",
	    "too many messages from your address, try again later");
	return false;
}

static const struct {
	const char *enhanced, *text;
} refusals[] = {
	[RETURN_PATH_EXPIRED] = { "5.1.1", "this bounce address has expired" },
	[RETURN_PATH_FORGED] = { "5.1.1", "this bounce address is not ours" },
	[RETURN_PATH_OTHER] = { "5.7.1",
	    "only our own bounce addresses are taken here" },
};

/* RFC 5321 4.5.1, RFC 2142 */
static bool
is_role(const char *local)
{
	return strcasecmp(local, "postmaster") == 0 ||
	       strcasecmp(local, "abuse") == 0;
}

static bool
is_feedback(const struct config_return_path *ours, const char *local)
{
	for (size_t i = 0; i < ours->nfeedback; i++)
		if (strcasecmp(local, ours->feedback[i]) == 0)
			return true;
	return false;
}

/* A bare <postmaster> comes with our host name. */
static enum return_path_verdict
judge_address(struct intake *in, const struct address *to)
{
	const struct config_return_path *ours = return_path(in);
	bool here =
	    ours->domain != NULL && strcasecmp(to->domain, ours->domain) == 0;

	if (ours->domain != NULL && is_role(to->local) &&
	    (here || strcasecmp(to->domain, in->config->hostname) == 0)) {
		in->bounce.kind = BOUNCE_POSTMASTER;
		return RETURN_PATH_GOOD;
	}
	if (!here)
		return RETURN_PATH_OTHER;
	if (is_feedback(ours, to->local)) {
		in->bounce.kind = BOUNCE_FEEDBACK;
		return RETURN_PATH_GOOD;
	}
	in->bounce.kind = BOUNCE_RETURN_PATH;
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
	v = judge_address(in, &rcpt->to);
	if (v != RETURN_PATH_GOOD) {
		smtp_reply_set(
		    reply, 550, refusals[v].enhanced, "%s", refusals[v].text);
		return false;
	}
	in->message->nrcpt = 1;
	return true;
}

/* -- the answer ------------------------------------------------------------ */

static void
answer(struct intake *in, int code, const char *enhanced, const char *text)
{
	struct smtp_reply reply;

	smtp_reply_set(&reply, code, enhanced, "%s", text);
	intake_refuse(in, &reply);
}

static void
answer_taken(struct intake *in)
{
	char id[MESSAGE_ID_TEXT], text[MESSAGE_ID_TEXT + 16] = "taken as ";

	strcat(text, message_id_text(in->message->id, id));
	answer(in, 250, "2.0.0", text);
}

/*
 * From <> whatever it came from: there are systems that send bounces with a
 * sender, and what becomes of ours may go nowhere else. Its header From is a
 * stranger's word: empty here, so that nothing is signed for it.
 */
static void
send_on(struct intake *in, const char *to)
{
	struct message *m = in->message;
	struct recipient *r = recipient_new(m, 0, to);

	message_set_from(m, "");
	free(m->header_from);
	m->header_from = xstrdup("");
	utf8_check(to, strlen(to), &r->utf8);
	m->smtputf8 = m->smtputf8 || r->utf8;
	TAILQ_INSERT_TAIL(&in->recipients, r, link);
	intake_admit(in);
}

/* Where it goes on to; NULL: nowhere. What leads back here goes round once. */
static const char *
goes_on_to(const struct report_in *r)
{
	const char *domain = r->config->return_path.domain, *at;

	switch (r->in->bounce.kind) {
	case BOUNCE_RETURN_PATH:
		at = r->sender != NULL ? strrchr(r->sender, '@') : NULL;
		return at != NULL && strcasecmp(at + 1, domain) != 0 ? r->sender
								     : NULL;
	case BOUNCE_POSTMASTER:
		return r->report.kind != REPORT_COMPLAINT
			   ? r->config->return_path.postmaster
			   : NULL;
	case BOUNCE_FEEDBACK:
		break;
	}
	return NULL;
}

static void
finish(struct report_in *r)
{
	const char *to = goes_on_to(r);

	bounce_log(r, r->letter.why);
	if (to != NULL)
		send_on(r->in, to);
	else
		answer_taken(r->in);
}

/* -- to the store ---------------------------------------------------------- */

static void submit(struct report_in *);

/* It contradicts what is stored: again would not help, and a human may. */
static void
bury(struct report_in *r, const struct err *why)
{
	r->refused = *why;
	r->letter.why = r->refused.text;
	STAILQ_INIT(&r->op.list);
	judgement_clear(&r->judgement);
	r->op.bury = true;
	submit(r);
}

static const char away[] = "the queue cannot be reached, try again later";

static void
on_told(struct store_request *req)
{
	struct store_feedback *op =
	    container_of(req, struct store_feedback, req);
	struct report_in *r = container_of(op, struct report_in, op);
	struct intake *in = r->in;

	in->bounce.busy = false;
	if (in->session == NULL) {
		intake_release(in);
		return;
	}
	if (req->status == STORE_REJECTED && !op->bury) {
		bury(r, &req->err);
	} else if (req->status == STORE_FULL ||
		   (req->status == STORE_OK && op->unknown > 0 &&
		       !op->buried)) {
		answer(in, 452, "4.3.1", "insufficient system storage");
	} else if (req->status == STORE_AWAY || req->status == STORE_FENCED) {
		answer(in, 451, "4.3.0", away);
	} else if (req->status != STORE_OK) {
		log_text(LOG_WARN, "feedback", "not stored: %s", req->err.text);
		answer(in, 451, "4.3.0", "the queue is out of order");
	} else {
		finish(r);
	}
}

static void
submit(struct report_in *r)
{
	r->op.req = (struct store_request){
		.reply_to = r->in->io->inbox,
		.done = on_told,
	};
	r->op.now = clock_wall();
	r->op.remember = r->op.now + r->config->sent_keep;
	r->op.letter = &r->letter;
	r->op.bury_unknown = true;
	r->in->bounce.busy = true;
	store_feedback(r->in->io->store, &r->op);
}

/*
 * Letters are kept until a human has seen them, and anybody may send one: so
 * many at once, and so many a day, in all. The rest stays with who brings it.
 */
#define LETTER_EVERY INT64_C(60000) /* ms */
#define LETTER_BURST 1000

static bool
may_keep_letter(int64_t now)
{
	static _Atomic(int64_t) paid; /* mono ms up to which they are used up */
	int64_t was = atomic_load(&paid), will;

	do {
		will = (was > now ? was : now) + LETTER_EVERY;
		if (will - now > LETTER_BURST * LETTER_EVERY)
			return false;
	} while (!atomic_compare_exchange_weak(&paid, &was, will));
	return true;
}

/* What it says of our recipients; what nobody understands and nobody gets is
 * kept for a human. */
static void
tell(struct report_in *r)
{
	const struct judgement *j = &r->judgement;

	for (size_t i = 0; i < j->n; i++)
		STAILQ_INSERT_TAIL(&r->op.list, &j->told[i].feedback, link);
	r->letter.why =
	    j->n > 0 ? "about a recipient that nobody knows any more" : j->why;
	r->op.bury = j->n == 0 && j->why != NULL && goes_on_to(r) == NULL;
	if (r->op.bury && !may_keep_letter(clock_mono()))
		answer(r->in, 452, "4.7.1",
		    "too much here that nobody understands, try again later");
	else if (j->n > 0 || r->op.bury)
		submit(r);
	else
		finish(r);
}

static void
judge_it(struct report_in *r)
{
	judge(r->config, &r->report, &r->claim, r->known, r->nknown,
	    clock_wall(), &r->judgement);
	tell(r);
}

/* A token that is good, of a message that has left no trace. */
static bool
is_nobodys(const struct report_in *r)
{
	return r->claim.proof == PROOF_ADDRESS &&
	       r->config->return_path.forward && r->sender == NULL &&
	       r->nknown == 0;
}

static void
on_found(struct store_query *query)
{
	struct report_in *r = container_of(query, struct report_in, query);
	struct intake *in = r->in;

	in->bounce.busy = false;
	if (in->session == NULL) {
		intake_release(in);
	} else if (query->incomplete) {
		answer(in, 451, "4.3.0", away);
	} else if (is_nobodys(r)) {
		answer(in, 550, "5.1.1",
		    "the sender of that message is not known any more");
	} else {
		judge_it(r);
	}
}

static void
find(struct report_in *r)
{
	r->query.reply_to = r->in->io->inbox;
	r->query.run = bounce_find;
	r->query.done = on_found;
	r->in->bounce.busy = true;
	store_query(r->in->io->store, &r->query);
}

/* -- the end of DATA ------------------------------------------------------- */

/* Only the beginning is looked at, and less of it kept. -1: it cannot be read.
 */
static int
read_report(struct report_in *r)
{
	struct body *body = r->in->body;
	const char *data = body_data(body);
	ssize_t len = (ssize_t)body_size(body);

	if (data == NULL) {
		r->copy = xmalloc(REPORT_BYTES_MAX);
		len = body_read(body, 0, r->copy, REPORT_BYTES_MAX);
		data = r->copy;
	}
	if (len < 0)
		return -1;
	report_read(&r->report, data, (size_t)len);
	r->letter.body = data;
	r->letter.len = (size_t)len < LETTER_MAX ? (size_t)len : LETTER_MAX;
	if (r->copy != NULL)
		r->letter.body = r->copy = xrealloc(r->copy, r->letter.len + 1);
	return 0;
}

static const char *const sources[] = {
	[BOUNCE_RETURN_PATH] = "bounce",
	[BOUNCE_FEEDBACK] = "feedback",
	[BOUNCE_POSTMASTER] = "postmaster",
};

static struct report_in *
report_new(struct intake *in)
{
	struct report_in *r = xcalloc(1, sizeof(*r));

	r->in = in;
	r->config = config_ref(in->io->config);
	r->letter.source = sources[in->bounce.kind];
	r->letter.id = in->message->message_id;
	STAILQ_INIT(&r->op.list);
	in->bounce.report = r;
	return r;
}

static bool
is_for_postmaster(const struct report_in *r)
{
	return r->in->bounce.kind == BOUNCE_POSTMASTER &&
	       r->report.kind != REPORT_COMPLAINT;
}

void
bounce_in_take(struct intake *in)
{
	struct report_in *r = report_new(in);

	if (read_report(r) != 0) {
		log_text(LOG_ERROR, "feedback", "cannot read the message: %s",
		    strerror(errno));
		answer(in, 451, "4.3.0", "cannot read the message");
		return;
	}
	if (is_for_postmaster(r)) {
		r->judgement.why = "mail to postmaster or abuse";
		tell(r);
		return;
	}
	judge_claim(r->config, &r->report,
	    in->bounce.kind == BOUNCE_RETURN_PATH ? &in->bounce.path : NULL,
	    clock_wall(), &r->claim);
	if (r->claim.proof != PROOF_NONE)
		find(r);
	else
		judge_it(r);
}

void
bounce_in_log(const struct intake *in)
{
	const struct report_in *r = in->bounce.report;
	char id[MESSAGE_ID_TEXT], original[MESSAGE_ID_TEXT];
	struct logline l;

	if (r == NULL || !log_start(&l, LOG_INFO, "bounce_in"))
		return;
	log_str(&l, "id", message_id_text(in->message->id, id));
	if (in->bounce.kind == BOUNCE_RETURN_PATH) {
		log_str(&l, "original",
		    message_id_text(in->bounce.path.message, original));
		if (in->bounce.path.index != RETURN_PATH_MESSAGE)
			log_int(&l, "index", in->bounce.path.index);
	}
	log_str(&l, "to", goes_on_to(r));
	log_str(&l, "client", in->message->client);
	log_end(&l);
}

void
bounce_in_clear(struct bounce_in *b)
{
	struct report_in *r = b->report;

	if (r == NULL)
		return;
	judgement_clear(&r->judgement);
	bounce_known_clear(r);
	report_clear(&r->report);
	config_unref(&r->config);
	free(r->sender);
	free(r->copy);
	free(r);
	b->report = NULL;
}
