/*
 * sqs.c - the sandbox's SQS: its queues, and what can be done to them from
 * outside.
 *
 * sqs_queue.c keeps the messages, sqs_actions.c speaks the protocol,
 * sqs_receive.c hands out.
 */
#include "tests/sandbox/sqs.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/sns_envelope.h"
#include "tests/sandbox/sqs_int.h"
#include "tests/sandbox/value.h"

#include <stdlib.h>
#include <string.h>

static const char *const moods[] = { "normal", "same", "error", "gone", NULL };

static void
on_filled(void *arg)
{
	sqs_serve(arg);
}

struct queue *
sqs_find(const struct sqs *s, const char *name)
{
	struct queue *q;

	LIST_FOREACH(q, &s->queues, link)
	if (strcmp(q->name, name) == 0)
		return q;
	return NULL;
}

struct queue *
sqs_made(struct sqs *s, const char *name)
{
	struct queue *q = sqs_find(s, name);

	if (q != NULL)
		return q;
	q = xcalloc(1, sizeof(*q));
	q->sqs = s;
	q->name = xstrdup(name);
	q->messages = sqs_queue_new(s->sandbox->base, on_filled, q);
	TAILQ_INIT(&q->waiters);
	LIST_INSERT_HEAD(&s->queues, q, link);
	return q;
}

struct sqs *
sqs_new(struct sandbox *b)
{
	struct sqs *s = xcalloc(1, sizeof(*s));

	s->sandbox = b;
	s->events = xstrdup(SQS_QUEUE);
	LIST_INIT(&s->queues);
	(void)sqs_made(s, SQS_QUEUE);
	return s;
}

static void
put(struct queue *q, const char *text, size_t len, unsigned times)
{
	struct sqs_body *body = sqs_body_new(text, len);

	while (times-- > 0)
		sqs_queue_push(q->messages, body);
	sqs_body_unref(&body);
}

void
sqs_publish(struct sandbox *b, const char *subject, const char *message)
{
	struct sqs *s = b->sqs;
	struct str text = STR_INIT;

	if (s->raw)
		str_adds(&text, message);
	else
		sns_envelope_unsigned(subject, message, &text);
	put(sqs_made(s, s->events), text.data, text.len, 1);
	str_release(&text);
}

/* --- controls --- */

/* What is not SQS's own is a mood of the whole server, for SQS only. */
static int
set_mood(struct sqs *s, const char *value, struct err *e)
{
	struct str words = STR_INIT;
	int rc = 0;

	if (value_word(value, moods, &s->mood, NULL) < 0) {
		str_addf(&words, "%s sqs", value);
		rc = aws_set(s->sandbox, "mood", words.data, e);
		s->mood = rc == 0 ? MOOD_NORMAL : s->mood;
		s->spoilt = s->spoilt || rc == 0;
	} else if (s->spoilt) {
		rc = aws_set(s->sandbox, "mood", "normal", e);
		s->spoilt = false;
	}
	str_release(&words);
	return rc;
}

int
sqs_set(struct sandbox *b, const char *key, const char *value, struct err *e)
{
	struct sqs *s = b->sqs;

	if (strcmp(key, "mood") == 0)
		return set_mood(s, value, e);
	if (strcmp(key, "raw") == 0)
		return value_switch(value, &s->raw, e);
	if (strcmp(key, "events") != 0)
		return err_set(e, "sqs has no setting '%s'", key);
	free(s->events);
	s->events = xstrdup(value);
	(void)sqs_made(s, value);
	return 0;
}

int
sqs_command(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	const char *verb = value_next(&args), *name = value_next(&args);
	struct queue *q = sqs_find(b->sqs, name);
	unsigned times;

	(void)out;
	if (strcmp(verb, "create") == 0 && *name != '\0')
		return sqs_made(b->sqs, name) != NULL ? 0 : -1;
	if (q == NULL)
		return err_set(e, "no queue '%s'", name);
	if (strcmp(verb, "purge") == 0) {
		sqs_queue_purge(q->messages);
	} else if (strcmp(verb, "send") == 0) {
		if (value_number(value_next(&args), &times, e) < 0)
			return -1;
		put(q, args, strlen(args), times);
	} else {
		return err_set(e, "sqs cannot '%s'", verb);
	}
	return 0;
}

void
sqs_show(const struct sandbox *b, struct str *o)
{
	const struct queue *q;
	struct sqs_counts n;

	json_open(o, NULL, '{');
	json_str(o, "mood", moods[b->sqs->mood]);
	json_bool(o, "raw", b->sqs->raw);
	json_open(o, "queues", '{');
	LIST_FOREACH(q, &b->sqs->queues, link)
	{
		sqs_queue_counts(q->messages, &n);
		json_open(o, q->name, '{');
		json_int(o, "waiting", (int64_t)n.waiting);
		json_int(o, "in_flight", (int64_t)n.in_flight);
		json_int(o, "sent", (int64_t)n.sent);
		json_int(o, "received", (int64_t)n.received);
		json_int(o, "deleted", (int64_t)n.deleted);
		json_int(o, "pollers", q->n_waiters);
		json_close(o, '}');
	}
	json_close(o, '}');
	json_close(o, '}');
}
