/*
 * sqs_queue.c - the messages of one queue of the sandbox's SQS.
 *
 * Waiting messages are a list, served from its head. Every message has a slot
 * of an array, which its receipt handle names together with its number, so
 * that a handle leads to its message at once and an old one to none.
 */
#include "tests/sandbox/sqs_queue.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"

#include <event2/event.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "AQEB"
/* Real handles are some 200 to 400 characters of base64. */
#define FILLER                                                                 \
	"wJnKyrHigUMZj6rYigCgxlaS3SLy0a/xA+kQ7n2yLtMv8bD0o5Hc1e4fGqTzPxRuWs"   \
	"VbNmKjLhGfDsApOiUyTrEwQzXcVbNm9876543210+/aBcDeFgHiJkLmNoPqRsTuVwXyZ" \
	"=="

struct sqs_queue {
	struct event_base *base;
	struct event *filled;
	TAILQ_HEAD(, sqs_message) waiting;
	struct sqs_message **slots; /* NULL: free */
	size_t n_slots, *free_slots, n_free;
	uint64_t last;
	struct sqs_counts counts;
	void (*call)(void *arg);
	void *arg;
};

struct sqs_body *
sqs_body_new(const char *data, size_t len)
{
	struct sqs_body *b = xmalloc(sizeof(*b) + len + 1);
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0, i;

	b->refs = 1;
	b->len = len;
	memcpy(b->data, data, len);
	b->data[len] = '\0';
	if (EVP_Digest(data, len, md, &n, EVP_md5(), NULL) != 1)
		n = 0;
	b->md5[0] = '\0';
	for (i = 0; i < n && i < 16; i++)
		snprintf(b->md5 + 2 * (size_t)i, 3, "%02x", md[i]);
	return b;
}

void
sqs_body_unref(struct sqs_body **b)
{
	if (--(*b)->refs == 0)
		free(*b);
	*b = NULL;
}

/* Later, so that all that is put in by then is found together. */
static void
on_filled(evutil_socket_t fd, short what, void *arg)
{
	struct sqs_queue *q = arg;

	(void)fd;
	(void)what;
	q->call(q->arg);
}

struct sqs_queue *
sqs_queue_new(struct event_base *base, void (*filled)(void *arg), void *arg)
{
	struct sqs_queue *q = xcalloc(1, sizeof(*q));

	q->base = base;
	TAILQ_INIT(&q->waiting);
	q->call = filled;
	q->arg = arg;
	q->filled = evtimer_new(base, on_filled, q);
	return q;
}

/* --- slots --- */

static size_t
slot_take(struct sqs_queue *q, struct sqs_message *m)
{
	size_t more, i;

	if (q->n_free == 0) {
		more = q->n_slots > 0 ? q->n_slots : 64;
		q->slots = xrealloc(q->slots,
		    (q->n_slots + more) * sizeof(struct sqs_message *));
		q->free_slots = xrealloc(
		    q->free_slots, (q->n_slots + more) * sizeof(size_t));
		for (i = 0; i < more; i++) {
			q->slots[q->n_slots + i] = NULL;
			q->free_slots[q->n_free++] = q->n_slots + more - 1 - i;
		}
		q->n_slots += more;
	}
	i = q->free_slots[--q->n_free];
	q->slots[i] = m;
	return i;
}

static void
message_free(struct sqs_message *m)
{
	struct sqs_queue *q = m->queue;

	q->slots[m->slot] = NULL;
	q->free_slots[q->n_free++] = m->slot;
	if (m->timer != NULL)
		event_free(m->timer);
	sqs_body_unref(&m->body);
	free(m);
}

/* --- waiting and in flight --- */

static void
wait_behind(struct sqs_message *m)
{
	struct sqs_queue *q = m->queue;
	struct timeval now = { 0 };

	TAILQ_INSERT_TAIL(&q->waiting, m, link);
	q->counts.waiting++;
	if (!evtimer_pending(q->filled, NULL))
		evtimer_add(q->filled, &now);
}

void
sqs_queue_push(struct sqs_queue *q, struct sqs_body *body)
{
	struct sqs_message *m = xcalloc(1, sizeof(*m));

	body->refs++;
	m->body = body;
	m->queue = q;
	m->number = ++q->last;
	m->sent = clock_wall();
	m->slot = slot_take(q, m);
	q->counts.sent++;
	wait_behind(m);
}

static void
land(struct sqs_message *m)
{
	event_free(m->timer);
	m->timer = NULL;
	m->queue->counts.in_flight--;
}

static void
on_visible(evutil_socket_t fd, short what, void *arg)
{
	struct sqs_message *m = arg;

	(void)fd;
	(void)what;
	land(m);
	wait_behind(m);
}

static void
fly(struct sqs_message *m, unsigned seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	m->timer = evtimer_new(m->queue->base, on_visible, m);
	evtimer_add(m->timer, &tv);
	m->queue->counts.in_flight++;
}

struct sqs_message *
sqs_queue_take(struct sqs_queue *q, unsigned visibility)
{
	struct sqs_message *m = TAILQ_FIRST(&q->waiting);

	if (m == NULL)
		return NULL;
	TAILQ_REMOVE(&q->waiting, m, link);
	q->counts.waiting--;
	q->counts.received++;
	m->received++;
	if (m->first == 0)
		m->first = clock_wall();
	fly(m, visibility);
	return m;
}

/* --- handles --- */

void
sqs_number_id(uint64_t number, struct str *o)
{
	uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15);

	str_addf(o, "%08x-%04x-4%03x-8%03x-%012" PRIx64,
	    (unsigned)(mixed >> 32), (unsigned)(mixed >> 16) & 0xffff,
	    (unsigned)(mixed >> 4) & 0xfff, (unsigned)(mixed >> 40) & 0xfff,
	    number);
}

void
sqs_message_handle(const struct sqs_message *m, struct str *o)
{
	str_addf(o, PREFIX "%016" PRIx64 "%016zx%08x" FILLER, m->number,
	    m->slot, m->received);
}

/* False: that is no handle. *m NULL: its message is gone. */
static bool
find(struct sqs_queue *q, const char *handle, struct sqs_message **m)
{
	const size_t head = strlen(PREFIX) + 40;
	uint64_t number;
	size_t slot;

	*m = NULL;
	if (strlen(handle) < head || strcmp(handle + head, FILLER) != 0 ||
	    sscanf(handle, PREFIX "%16" SCNx64 "%16zx", &number, &slot) != 2)
		return false;
	if (slot < q->n_slots && q->slots[slot] != NULL &&
	    q->slots[slot]->number == number)
		*m = q->slots[slot];
	return true;
}

static void
unlink_waiting(struct sqs_message *m)
{
	TAILQ_REMOVE(&m->queue->waiting, m, link);
	m->queue->counts.waiting--;
}

int
sqs_queue_remove(struct sqs_queue *q, const char *handle, bool again)
{
	struct sqs_message *m;

	if (!find(q, handle, &m))
		return -1;
	if (m == NULL)
		return 0;
	q->counts.deleted++;
	if (m->timer != NULL)
		land(m);
	else
		unlink_waiting(m);
	if (again)
		wait_behind(m);
	else
		message_free(m);
	return 1;
}

int
sqs_queue_visibility(struct sqs_queue *q, const char *handle, unsigned seconds)
{
	struct sqs_message *m;

	if (!find(q, handle, &m))
		return -1;
	if (m == NULL || m->timer == NULL)
		return 0;
	land(m);
	if (seconds > 0)
		fly(m, seconds);
	else
		wait_behind(m);
	return 1;
}

void
sqs_queue_purge(struct sqs_queue *q)
{
	size_t i;

	for (i = 0; i < q->n_slots; i++)
		if (q->slots[i] != NULL)
			message_free(q->slots[i]);
	TAILQ_INIT(&q->waiting);
	q->counts.waiting = q->counts.in_flight = 0;
}

void
sqs_queue_counts(const struct sqs_queue *q, struct sqs_counts *c)
{
	*c = q->counts;
}

uint64_t
sqs_queue_last(const struct sqs_queue *q)
{
	return q->last;
}
