/*
 * events.c - what the sandbox's SES tells of a message it has accepted, and
 * when.
 *
 * All events of a mail are composed at once and wait in one batch for their
 * time; fates.c says what happens, event_text.c how it reads, sqs.c and sns.c
 * carry it.
 */
#include "tests/sandbox/events.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "tests/sandbox/event_text.h"
#include "tests/sandbox/journal.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/ses.h"
#include "tests/sandbox/sns.h"
#include "tests/sandbox/sqs.h"
#include "tests/sandbox/value.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#define SUBJECT	 "Amazon SES Email Event Notification"
#define SILENT	 "silent" /* a configuration set without an event destination */
#define DELAY_MS 20
#define EARLY_MS 100

struct told { /* one event */
	TAILQ_ENTRY(told) link;
	enum event_type type;
	const char *subject; /* NULL: a notification has none */
	char *text;
	char **to;
	size_t nto;
};
TAILQ_HEAD(told_list, told);

struct batch { /* the events of one mail */
	TAILQ_ENTRY(batch) link;
	struct sandbox *sandbox;
	char *id;
	struct told_list events;
};
TAILQ_HEAD(batch_list, batch);

enum order { ORDER_NORMAL, ORDER_SHUFFLED };
static const char *const orders[] = { "normal", "shuffled", NULL };

struct events {
	unsigned delay; /* ms */
	unsigned order;
	unsigned duplicates;
	bool early, late, notifications, today;
	bool dropped[EVENT_TYPES];
	struct batch_list held; /* while late */
};

struct events *
events_new(struct sandbox *b)
{
	struct events *v = xcalloc(1, sizeof(*v));

	(void)b;
	v->delay = DELAY_MS;
	TAILQ_INIT(&v->held);
	return v;
}

unsigned
events_hold(const struct sandbox *b)
{
	return b->events->early ? EARLY_MS : 0;
}

/* --- telling --- */

static void
journal(struct sandbox *b, const struct batch *batch, const struct told *t,
    unsigned copy)
{
	struct str *o = journal_start(b->journal, "event");
	size_t i;

	json_str(o, "id", batch->id);
	json_str(o, "type", event_type_name(t->type));
	json_str(o, "form", t->subject != NULL ? "event" : "notification");
	json_open(o, "to", '[');
	for (i = 0; i < t->nto; i++)
		json_str(o, NULL, t->to[i]);
	json_close(o, ']');
	json_int(o, "copy", copy);
	journal_end(b->journal);
}

static void
told_free(struct told *t)
{
	size_t i;

	for (i = 0; i < t->nto; i++)
		free(t->to[i]);
	free(t->to);
	free(t->text);
	free(t);
}

static void
tell(struct sandbox *b, const struct batch *batch, const struct told *t)
{
	unsigned copy;

	if (b->events->dropped[t->type])
		return;
	for (copy = 0; copy <= b->events->duplicates; copy++) {
		journal(b, batch, t, copy);
		sqs_publish(b, t->subject, t->text);
		sns_publish(b, t->subject, t->text);
	}
}

/* Takes the batch. */
static void
batch_tell(struct batch *batch)
{
	struct sandbox *b = batch->sandbox;
	struct told *t;

	while ((t = TAILQ_FIRST(&batch->events)) != NULL) {
		TAILQ_REMOVE(&batch->events, t, link);
		tell(b, batch, t);
		told_free(t);
	}
	free(batch->id);
	free(batch);
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	struct batch *batch = arg;
	struct events *v = batch->sandbox->events;

	(void)fd;
	(void)what;
	if (v->late)
		TAILQ_INSERT_TAIL(&v->held, batch, link);
	else
		batch_tell(batch);
}

static void
release_held(struct events *v)
{
	struct batch *batch;

	while ((batch = TAILQ_FIRST(&v->held)) != NULL) {
		TAILQ_REMOVE(&v->held, batch, link);
		batch_tell(batch);
	}
}

static unsigned
wait_of(const struct events *v)
{
	if (v->order == ORDER_NORMAL || v->delay == 0)
		return v->delay;
	return v->delay + (unsigned)random() % (2 * v->delay);
}

/* Takes the batch. */
static void
schedule(struct batch *batch)
{
	struct events *v = batch->sandbox->events;
	unsigned ms = wait_of(v);
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (v->early && !v->late)
		batch_tell(batch);
	else
		event_base_once(
		    batch->sandbox->base, -1, EV_TIMEOUT, on_due, batch, &tv);
}

/* --- composing --- */

static bool
publishes(const struct ses_mail *m)
{
	return m->configuration_set != NULL &&
	       strcasecmp(m->configuration_set, SILENT) != 0;
}

/* Of an identity's notifications there are three only. */
static bool
notifies(const struct events *v, enum event_type type)
{
	return v->notifications &&
	       (type == EVENT_BOUNCE || type == EVENT_COMPLAINT ||
		   type == EVENT_DELIVERY);
}

static void
compose(struct batch *batch, struct event_text *x, enum event_type type,
    bool notification)
{
	struct told *t = xcalloc(1, sizeof(*t));
	struct str text = STR_INIT;
	size_t i;

	x->notification = notification;
	event_text(x, &text);
	t->type = type;
	t->subject = notification ? NULL : SUBJECT;
	t->text = str_detach(&text);
	t->to = xcalloc(x->nto + 1, sizeof(*t->to));
	for (i = 0; i < x->nto; i++)
		t->to[t->nto++] = xstrdup(x->to[i]);
	if (batch->sandbox->events->order == ORDER_SHUFFLED)
		TAILQ_INSERT_HEAD(&batch->events, t, link);
	else
		TAILQ_INSERT_TAIL(&batch->events, t, link);
}

/* The list holds nobody back for a reason that the account does not look at.
 */
static bool
heeds(const struct sandbox *b, const char *reason)
{
	return ses_listed(b->ses->reasons, reason, strlen(reason));
}

static const struct fate *
fate_for(struct sandbox *b, const char *address)
{
	const struct ses_suppressed *row = ses_suppressed(b->ses, address);

	if (row != NULL && heeds(b, row->reason))
		return fate_suppressed(strcmp(row->reason, "COMPLAINT") == 0);
	return fate_of(address);
}

/* What SES puts on the account's list by itself; NULL: nothing. */
static const char *
reason_of(const struct fate *f)
{
	if (f->type == EVENT_BOUNCE && strcmp(f->kind, "Permanent") == 0 &&
	    (strcmp(f->sub, "General") == 0 || strcmp(f->sub, "NoEmail") == 0))
		return "BOUNCE";
	if (f->type == EVENT_COMPLAINT && f->kind != NULL &&
	    strcmp(f->kind, "abuse") == 0)
		return "COMPLAINT";
	return NULL;
}

static void
suppress(struct sandbox *b, const struct event_text *x, const struct fate *f)
{
	const char *reason = reason_of(f);
	size_t i;

	if (reason == NULL || !heeds(b, reason))
		return;
	for (i = 0; i < x->nto; i++)
		if (!ses_is_simulator(x->to[i]))
			ses_suppress(b->ses, x->to[i], reason, x->mail->id,
			    x->feedback_id);
}

static void
add_event(struct batch *batch, struct event_text *x, const struct fate *fate)
{
	enum event_type type = fate != NULL ? fate->type : EVENT_SEND;
	struct str id = STR_INIT;

	if (type == EVENT_NONE)
		return;
	ses_make_id(&id);
	x->fate = fate;
	x->feedback_id = id.data;
	if (publishes(x->mail))
		compose(batch, x, type, false);
	if (notifies(batch->sandbox->events, type))
		compose(batch, x, type, true);
	if (fate != NULL)
		suppress(batch->sandbox, x, fate);
	str_release(&id);
}

/* Those with the fate of the first not yet told of share its events. */
static void
add_fates(struct batch *batch, struct event_text *x, const struct fate **fates)
{
	const char **to = xcalloc(x->mail->nto, sizeof(*to));
	const struct fate *fate, *f;
	size_t first, i;

	x->to = to;
	for (first = 0; first < x->mail->nto; first++) {
		fate = fates[first];
		for (x->nto = 0, i = first; i < x->mail->nto; i++) {
			if (fates[i] == NULL || fates[i] != fate)
				continue;
			to[x->nto++] = x->mail->to[i];
			fates[i] = NULL;
		}
		for (f = x->nto > 0 ? fate : NULL; f; f = fate_next(f))
			add_event(batch, x, f);
	}
	free(to);
}

/* A message with a virus is not sent to anybody. */
static bool
add_rejection(
    struct batch *batch, struct event_text *x, const struct fate *const *fates)
{
	size_t i;

	for (i = 0; i < x->mail->nto; i++) {
		if (fates[i]->type == EVENT_REJECT) {
			add_event(batch, x, fates[i]);
			return true;
		}
	}
	return false;
}

void
events_mail(struct sandbox *b, const struct ses_mail *m)
{
	const struct fate **fates = xcalloc(m->nto + 1, sizeof(*fates));
	struct batch *batch = xcalloc(1, sizeof(*batch));
	int64_t now = clock_wall();
	struct event_text x = { .mail = m,
		.to = m->to,
		.nto = m->nto,
		.accepted = now,
		.at = now + b->events->delay };
	size_t i;

	batch->sandbox = b;
	batch->id = xstrdup(m->id);
	TAILQ_INIT(&batch->events);
	for (i = 0; i < m->nto; i++)
		fates[i] = fate_for(b, m->to[i]);
	add_event(batch, &x, NULL);
	if (!add_rejection(batch, &x, fates))
		add_fates(batch, &x, fates);
	free(fates);
	schedule(batch);
}

/* --- controls --- */

/* "drop TYPE on|off", TYPE as in the journal, in any case. */
static int
set_dropped(struct events *v, const char *value, struct err *e)
{
	size_t n = strcspn(value, " ");
	int type;

	for (type = 0; type < EVENT_TYPES; type++) {
		const char *name = event_type_name((enum event_type)type);

		if (strlen(name) == n && strncasecmp(name, value, n) == 0)
			return value_switch(value + n + strspn(value + n, " "),
			    &v->dropped[type], e);
	}
	return err_set(e, "no event is called '%.*s'", (int)n, value);
}

int
events_set(struct sandbox *b, const char *key, const char *value, struct err *e)
{
	struct events *v = b->events;
	const struct value_row rows[] = {
		{ "delay", NULL, &v->delay, NULL },
		{ "order", NULL, &v->order, orders },
		{ "duplicates", NULL, &v->duplicates, NULL },
		{ "early", &v->early, NULL, NULL },
		{ "late", &v->late, NULL, NULL },
		{ "notifications", &v->notifications, NULL, NULL },
		{ "simulator-today", &v->today, NULL, NULL },
	};

	if (strcmp(key, "drop") == 0)
		return set_dropped(v, value, e);
	if (value_set(rows, sizeof(rows) / sizeof(rows[0]), key, value, e) < 0)
		return -1;
	fate_simulator_today(v->today);
	if (!v->late)
		release_held(v);
	return 0;
}
