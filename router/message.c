/*
 * message.c - a message we have taken on, and its recipients.
 *
 * Only memory and names live here; what is on disk is router/store's, when a
 * recipient is due is router/queue's.
 */
#include "router/message.h"

#include "mta/base/alloc.h"
#include "router/body.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH	   INT64_C(1735689600000) /* 2025-01-01T00:00:00Z */
#define MAKER_BITS 10
#define SEQ_BITS   12

int64_t
message_id_new(struct id_maker *m, int64_t now)
{
	int64_t at = now > EPOCH ? (now - EPOCH) << SEQ_BITS : 0, t;
	int64_t last = atomic_load_explicit(&m->last, memory_order_relaxed);

	assert(m->maker < 1u << MAKER_BITS);
	/* A clock that stands still or goes back: count on from the last one,
	 * if need be into milliseconds that are yet to come. */
	do
		t = at <= last ? last + 1 : at;
	while (!atomic_compare_exchange_weak_explicit(&m->last, &last, t,
	    memory_order_relaxed, memory_order_relaxed));
	return (t >> SEQ_BITS) << (MAKER_BITS + SEQ_BITS) |
	       (int64_t)m->maker << SEQ_BITS | (t & ((1 << SEQ_BITS) - 1));
}

int64_t
message_id_time(int64_t id)
{
	return (id >> (MAKER_BITS + SEQ_BITS)) + EPOCH;
}

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

char *
message_id_text(int64_t id, char buf[static MESSAGE_ID_TEXT])
{
	uint64_t rest = (uint64_t)id;

	for (int i = MESSAGE_ID_TEXT - 2; i >= 0; i--, rest >>= 5)
		buf[i] = digits[rest & 31];
	buf[MESSAGE_ID_TEXT - 1] = '\0';
	return buf;
}

/* Crockford's alphabet as people type it: any case, I and L for 1, O for 0. */
static int
digit_value(char c)
{
	const char *p;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'I' || c == 'L')
		return 1;
	if (c == 'O')
		return 0;
	p = c == '\0' ? NULL : strchr(digits, c);
	return p == NULL ? -1 : (int)(p - digits);
}

int
message_id_parse(const char *text, int64_t *id)
{
	uint64_t v = 0;
	int d;

	for (int i = 0; i < MESSAGE_ID_TEXT - 1; i++) {
		d = digit_value(text[i]);
		/* 13 digits are 65 bits, and an id has 63. */
		if (d < 0 || (i == 0 && d > 7))
			return -1;
		v = v << 5 | (uint64_t)d;
	}
	/* 0 is nobody's id, and "any" in a queue_filter. */
	if (text[MESSAGE_ID_TEXT - 1] != '\0' || v == 0)
		return -1;
	*id = (int64_t)v;
	return 0;
}

struct message *
message_new(int64_t id)
{
	struct message *m = xcalloc(1, sizeof(*m));
	char **strings[] = { &m->from, &m->envid, &m->user, &m->listener,
		&m->client, &m->header_from, &m->message_id, &m->tags };

	atomic_init(&m->refs, 1);
	m->id = id;
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		*strings[i] = xstrdup("");
	m->from_domain = m->from;
	return m;
}

struct message *
message_ref(struct message *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void
message_unref(struct message **mp)
{
	struct message *m = *mp;

	*mp = NULL;
	if (m == NULL ||
	    atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
		return;
	body_unref(&m->body);
	free(atomic_load(&m->signature));
	free(m->from);
	free(m->envid);
	free(m->user);
	free(m->listener);
	free(m->client);
	free(m->header_from);
	free(m->message_id);
	free(m->tags);
	free(m);
}

const char *
message_signature(struct message *m)
{
	return atomic_load_explicit(&m->signature, memory_order_acquire);
}

const char *
message_set_signature(struct message *m, char *text)
{
	char *first = NULL;

	if (atomic_compare_exchange_strong(&m->signature, &first, text))
		return text;
	free(text);
	return first;
}

/* What follows the last '@'; "" when there is none. */
static const char *
domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : address + strlen(address);
}

void
message_set_from(struct message *m, const char *from)
{
	char *copy = xstrdup(from);

	free(m->from);
	m->from = copy;
	m->from_domain = domain_of(copy);
}

struct recipient *
recipient_new(struct message *m, unsigned index, const char *address)
{
	static const struct route nowhere = {
		.path = "",
		.pool = "",
		.source = "",
		.carrier = "",
		.group = "",
		.rule = "",
		.ruleset = "",
		.configuration_set = "",
	};
	struct recipient *r = xcalloc(1, sizeof(*r));

	r->message = message_ref(m);
	r->index = index;
	r->address = xstrdup(address);
	r->domain = domain_of(r->address);
	r->orcpt = xstrdup("");
	r->last = xstrdup("");
	r->held = xstrdup("");
	r->route = nowhere;
	return r;
}

void
recipient_free(struct recipient **rp)
{
	struct recipient *r = *rp;

	if (r == NULL)
		return;
	message_unref(&r->message);
	free(r->address);
	free(r->orcpt);
	free(r->suppressed);
	free(r->held);
	free(r->last);
	free(r);
	*rp = NULL;
}

const char *
unfit_status(enum unfit unfit)
{
	return unfit == UNFIT_SIZE ? "5.3.4" : "5.6.0";
}

void
recipient_set_last(struct recipient *r, const char *text)
{
	char *copy = xstrdup(text);

	free(r->last);
	r->last = copy;
}

char *
recipient_id_text(
    int64_t message, unsigned index, char buf[static RECIPIENT_ID_TEXT])
{
	char id[MESSAGE_ID_TEXT];

	snprintf(buf, RECIPIENT_ID_TEXT, "%s.%u", message_id_text(message, id),
	    index);
	return buf;
}
