/*
 * feedback.c - what SES tells, on its way into the store.
 *
 * One message as it was delivered is one request to the store: all that it says
 * of its recipients, and the dead letter that it becomes when nobody knows
 * them. Who brought it hears of its end from the event loop, never from within
 * feedback_take.
 */
#include "router/ses/feedback.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/ses/amazon_int.h"
#include "router/ses/event.h"
#include "router/ses/quota.h"
#include "router/store/store.h"
#include "router/suppress.h"
#include "rules/rules.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define YOUNG	    (INT64_C(10) * 60 * 1000)
#define YOUNG_TIMES 5 /* receipts */

struct feedback_intake {
	struct amazon *amazon;
	unsigned pending;
	struct feedback_counts counts;
};

/* One message. */
struct taken {
	struct store_feedback op;
	struct task task; /* the end, when the store has nothing to do */
	struct feedback_intake *intake;
	struct ses_event event;
	struct suppress_cause *causes; /* one for each part of the event, */
	char **evidence;	       /* and what SES said */
	struct dead_letter letter;
	char *source, *id, *body;
	unsigned receipts;
	void (*done)(void *arg, enum feedback_end);
	void *arg;
};

struct feedback_intake *
feedback_intake_new(struct amazon *amazon)
{
	struct feedback_intake *in = xcalloc(1, sizeof(*in));

	in->amazon = amazon;
	return in;
}

void
feedback_intake_free(struct feedback_intake **inp)
{
	assert(*inp == NULL || (*inp)->pending == 0);
	free(*inp);
	*inp = NULL;
}

unsigned
feedback_pending(const struct feedback_intake *in)
{
	return in->pending;
}

void
feedback_counts(const struct feedback_intake *in, struct feedback_counts *out)
{
	*out = in->counts;
}

/* -- the log ------------------------------------------------------------------
 */

static void
log_source(struct logline *l, const struct taken *t)
{
	log_str(l, "via", t->source);
	if (t->id[0] != '\0')
		log_str(l, "source_id", t->id);
	if (t->receipts > 1)
		log_int(l, "receipts", t->receipts);
	if (t->event.type[0] != '\0')
		log_str(l, "type", t->event.type);
}

static void
log_recipient(struct logline *l, const struct feedback *f)
{
	char id[RECIPIENT_ID_TEXT];

	if (f->message != 0)
		log_str(l, "id", recipient_id_text(f->message, f->index, id));
	if (f->remote_id[0] != '\0')
		log_str(l, "remote_id", f->remote_id);
	if (f->address[0] != '\0')
		log_str(l, "to", f->address);
}

/* What happened to mail is news; what is as it should be is not. */
static enum log_level
level_of(const struct feedback *f)
{
	if (f->result != FEEDBACK_DONE)
		return LOG_DEBUG;
	return f->kind == FEEDBACK_ENDED || f->kind == FEEDBACK_COMPLAINT
		   ? LOG_INFO
		   : LOG_DEBUG;
}

static const char *const results[] = {
	[FEEDBACK_DONE] = "recorded",
	[FEEDBACK_KNOWN] = "known",
	[FEEDBACK_UNKNOWN] = "unknown",
};

static void
log_part(const struct taken *t, const struct feedback *f)
{
	struct logline l;

	if (!log_start(&l, level_of(f), "feedback"))
		return;
	log_source(&l, t);
	log_recipient(&l, f);
	log_str(&l, "result", results[f->result]);
	if (f->kind == FEEDBACK_ENDED)
		log_str(&l, "counted", counter_name(f->counter));
	if (f->peer[0] != '\0')
		log_str(&l, "relay", f->peer);
	if (f->reason[0] != '\0')
		log_str(&l, "reason", f->reason);
	if (f->outcome->enhanced[0] != '\0')
		log_str(&l, "status", f->outcome->enhanced);
	if (f->outcome->code != 0)
		log_int(&l, "code", f->outcome->code);
	if (f->outcome->text[0] != '\0')
		log_str(&l, "reply", f->outcome->text);
	log_end(&l);
}

static void
log_parts(const struct taken *t)
{
	const struct feedback *f;

	STAILQ_FOREACH(f, &t->op.list, link)
	log_part(t, f);
}

static const char *const ends[] = {
	[FEEDBACK_SETTLED] = "settled",
	[FEEDBACK_LETTERED] = "dead_letter",
	[FEEDBACK_EARLY] = "early",
	[FEEDBACK_TROUBLE] = "trouble",
};

/* Of the whole message, when it did not simply settle. */
static void
log_odd(const struct taken *t, enum feedback_end end, const char *why)
{
	struct logline l;

	if (!log_start(
		&l, end == FEEDBACK_EARLY ? LOG_INFO : LOG_WARN, "feedback"))
		return;
	log_source(&l, t);
	if (t->event.n > 0)
		log_recipient(&l, &t->event.part[0].feedback);
	log_str(&l, "result", ends[end]);
	log_str(&l, "why", why);
	log_end(&l);
}

/* -- the end ------------------------------------------------------------------
 */

static void
taken_free(struct taken *t)
{
	for (size_t i = 0; t->evidence != NULL && i < t->event.n; i++)
		free(t->evidence[i]);
	free(t->evidence);
	free(t->causes);
	ses_event_clear(&t->event);
	free(t->source);
	free(t->id);
	free(t->body);
	free(t);
}

static void
finish(struct taken *t, enum feedback_end end)
{
	void (*done)(void *, enum feedback_end) = t->done;
	void *arg = t->arg;

	t->intake->pending--;
	taken_free(t);
	done(arg, end);
}

static bool
was_known(const struct taken *t)
{
	const struct feedback *f;

	STAILQ_FOREACH(f, &t->op.list, link)
	if (f->result != FEEDBACK_KNOWN)
		return false;
	return true;
}

static enum feedback_end
end_of(struct taken *t)
{
	struct feedback_counts *n = &t->intake->counts;

	log_parts(t);
	if (t->op.buried) {
		n->lettered++;
		log_odd(t, FEEDBACK_LETTERED, t->letter.why);
		return FEEDBACK_LETTERED;
	}
	if (t->op.unknown > 0) {
		n->early++;
		log_odd(t, FEEDBACK_EARLY, t->letter.why);
		return FEEDBACK_EARLY;
	}
	if (was_known(t))
		n->known++;
	else
		n->settled++;
	return FEEDBACK_SETTLED;
}

static void submit(struct taken *);

/* To the dead letters with all of it: nothing it says is settled. */
static void
bury(struct taken *t, const char *why)
{
	STAILQ_INIT(&t->op.list);
	t->letter.why = why;
	t->op.bury = true;
	submit(t);
}

static void
on_stored(struct store_request *req)
{
	struct store_feedback *op =
	    container_of(req, struct store_feedback, req);
	struct taken *t = container_of(op, struct taken, op);

	if (req->status == STORE_OK) {
		finish(t, end_of(t));
		return;
	}
	if (req->status == STORE_REJECTED && !op->bury) {
		t->event.why = req->err;
		bury(t, t->event.why.text);
		return;
	}
	t->intake->counts.trouble++;
	log_odd(t, FEEDBACK_TROUBLE, req->err.text);
	finish(t, FEEDBACK_TROUBLE);
}

static void
submit(struct taken *t)
{
	const struct amazon *a = t->intake->amazon;

	t->op.req = (struct store_request){
		.reply_to = a->inbox,
		.done = on_stored,
	};
	t->op.now = clock_wall();
	t->op.remember = t->op.now + a->config->sent_keep;
	t->op.letter = &t->letter;
	store_feedback(a->store, &t->op);
}

static void
on_control(struct task *task)
{
	struct taken *t = container_of(task, struct taken, task);

	t->intake->counts.control++;
	finish(t, FEEDBACK_SETTLED);
}

/* -- the beginning ------------------------------------------------------------
 */

static struct taken *
taken_new(struct feedback_intake *in, const struct feedback_source *source,
    const char *letter, size_t len, void (*done)(void *arg, enum feedback_end),
    void *arg)
{
	struct taken *t = xcalloc(1, sizeof(*t));

	t->intake = in;
	t->source = xstrdup(source->name);
	t->id = xstrdup(source->id);
	t->body = xstrndup(letter, len);
	t->receipts = source->receipts;
	t->done = done;
	t->arg = arg;
	t->letter = (struct dead_letter){
		.source = t->source, .id = t->id, .body = t->body, .len = len
	};
	STAILQ_INIT(&t->op.list);
	in->pending++;
	in->counts.taken++;
	return t;
}

/*
 * The event may have overtaken our own record of the message: that is a matter
 * of seconds. The clock there may be ahead of ours, but not by far.
 */
static bool
is_early(const struct taken *t, int64_t now)
{
	int64_t since = t->event.sent_at;

	if (since == 0)
		since = t->event.at;
	return now - since < YOUNG && since - now < YOUNG &&
	       t->receipts <= YOUNG_TIMES;
}

/* The reason for which it would be suppressed. A report that a signature was
 * bad comes as a complaint and is none. */
static const char *
cause_of(const struct ses_event_part *part)
{
	switch (part->feedback.kind) {
	case FEEDBACK_ENDED:
		return part->reason;
	case FEEDBACK_COMPLAINT:
		return strcasecmp(part->outcome.text, "auth-failure") != 0
			   ? SUPPRESS_COMPLAINT
			   : "";
	case FEEDBACK_SENT:
	case FEEDBACK_DELIVERED:
	case FEEDBACK_NOTE:
		break;
	}
	return "";
}

/* What SES says of a recipient, and what its own lists said before, is told
 * apart by the reason: "suppressed" suppresses nobody. Nor does what its
 * simulator plays, which SES keeps off its own list as well. */
static void
suppress(const struct config *config, struct ses_event_part *part,
    struct suppress_cause *cause, char **evidence)
{
	const char *at = strrchr(part->address, '@');
	const char *carrier = at != NULL && config->rules != NULL
				  ? ruleset_carrier_of(config->rules, at + 1)
				  : NULL;

	const struct suppress_ask ask = {
		.carrier = carrier != NULL ? carrier : "",
		.reason = cause_of(part),
		.soft =
		    part->feedback.kind == FEEDBACK_ENDED && !part->names_it,
		.at = part->feedback.at,
	};

	if (ses_is_simulator(part->address) ||
	    !suppress_by_outcome(config, &ask, cause))
		return;
	cause->source = "ses";
	cause->evidence = *evidence = outcome_reply(&part->outcome);
	part->feedback.suppress = cause;
}

static void
settle(struct taken *t)
{
	struct ses_event *ev = &t->event;
	int64_t now = clock_wall();

	t->causes = xcalloc(ev->n + 1, sizeof(*t->causes));
	t->evidence = xcalloc(ev->n + 1, sizeof(*t->evidence));
	for (size_t i = 0; i < ev->n; i++) {
		if (ev->part[i].feedback.at == 0)
			ev->part[i].feedback.at = now;
		suppress(t->intake->amazon->config, &ev->part[i], &t->causes[i],
		    &t->evidence[i]);
		STAILQ_INSERT_TAIL(&t->op.list, &ev->part[i].feedback, link);
	}
	t->letter.why = ev->kind == SES_EVENT_UNKNOWN
			    ? ev->why.text
			    : "about a message that nobody knows";
	t->op.bury_unknown = !is_early(t, now);
	submit(t);
}

void
feedback_take(struct feedback_intake *in, const struct feedback_source *source,
    const char *event, size_t len, const char *letter, size_t letter_len,
    void (*done)(void *arg, enum feedback_end), void *arg)
{
	struct taken *t = taken_new(in, source, letter, letter_len, done, arg);

	ses_event_read(&t->event, event, len, in->amazon->config->rules,
	    in->amazon->config->reasons);
	switch (t->event.kind) {
	case SES_EVENT_CONTROL:
		t->task.run = on_control;
		inbox_post(in->amazon->inbox, &t->task);
		break;
	case SES_EVENT_MAIL:
	case SES_EVENT_UNKNOWN:
		settle(t);
		break;
	case SES_EVENT_FOREIGN:
		bury(t, t->event.why.text);
		break;
	}
}

void
feedback_bury(struct feedback_intake *in, const struct feedback_source *source,
    const char *letter, size_t letter_len, const char *why,
    void (*done)(void *arg, enum feedback_end), void *arg)
{
	struct taken *t = taken_new(in, source, letter, letter_len, done, arg);

	t->event.kind = SES_EVENT_FOREIGN;
	err_set(&t->event.why, "%s", why);
	bury(t, t->event.why.text);
}
