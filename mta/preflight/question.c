/*
 * question.c - one question to the DNS, with the run's own time limit.
 */
#include "mta/preflight/preflight_int.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/dkim_record.h"

void
question_clear(struct question *q)
{
	resolver_query_free(&q->query);
	if (q->timer != NULL)
		event_free(q->timer);
	q->timer = NULL;
}

static void
answer(struct question *q, const struct dns_answer *a)
{
	question_clear(q);
	q->done(q->arg, a);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	answer(arg, a);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	const struct dns_answer late = { .status = DNS_TEMPFAIL,
		.why = "no answer in time" };

	(void)fd;
	(void)what;
	answer(arg, &late);
}

void
question_ask(struct question *q, struct preflight *p, const char *name,
    int type, void (*done)(void *arg, const struct dns_answer *), void *arg)
{
	const struct timeval limit = { .tv_sec = p->request.timeout / 1000,
		.tv_usec = p->request.timeout % 1000 * 1000 };

	question_clear(q);
	snprintf(q->name, sizeof(q->name), "%s", name);
	q->done = done;
	q->arg = arg;
	q->timer = event_new(resolver_base(p->resolver), -1, 0, on_timer, q);
	if (q->timer == NULL)
		abort();
	event_add(q->timer, &limit);
	q->query = resolver_query_new(p->resolver, name, type, on_answer, q);
}

static int
compare_texts(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Sorted, as servers give them in any order: what is said of them should not
 * change from one time to the next. */
void
texts_take(struct texts *t, const struct dns_answer *a)
{
	for (size_t i = 0; i < a->nrdata && t->n < TEXTS_MAX; i++) {
		char *text = dkim_record_text(a->rdata[i], a->rdata_len[i]);

		if (text != NULL)
			t->text[t->n++] = text;
	}
	qsort(t->text, t->n, sizeof(t->text[0]), compare_texts);
}

void
texts_clear(struct texts *t)
{
	while (t->n > 0)
		free(t->text[--t->n]);
}
