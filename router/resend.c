/*
 * resend.c - what a session delivered until the peer took it back.
 */
#include "router/resend.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/return_path.h"
#include "router/body.h"
#include "router/bounce_in.h"
#include "router/config.h"
#include "router/core_int.h"
#include "router/keep.h"
#include "router/route.h"
#include "router/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (64 * 1024)
#define AGAIN 1 /* s before another try to store it */

struct resend_item {
	TAILQ_ENTRY(resend_item) link;
	struct message *message;
	struct body *body;
	char *address, *orcpt;
	unsigned index, notify;
	bool irregular, utf8;
	int64_t expires;
};

/* On its way into the store. */
struct resend {
	struct store_enqueue op;
	struct core *core;
	struct event *again;
	unsigned shelf;
	int64_t due;
};

void
resend_remember(struct resend_list *list, const struct delivery *d, size_t i)
{
	const struct recipient *r = d->recipients[i];
	struct resend_item *item;

	if (d->body == NULL)
		return;
	item = xcalloc(1, sizeof(*item));
	item->message = message_ref(d->message);
	item->body = body_ref(d->body);
	item->address = xstrdup(r->address);
	item->orcpt = xstrdup(r->orcpt);
	item->index = r->index;
	item->notify = r->notify;
	item->irregular = r->irregular;
	item->utf8 = r->utf8;
	item->expires = r->expires;
	TAILQ_INSERT_TAIL(list, item, link);
}

static void
item_free(struct resend_item *item)
{
	message_unref(&item->message);
	body_unref(&item->body);
	free(item->address);
	free(item->orcpt);
	free(item);
}

void
resend_forget(struct resend_list *list)
{
	struct resend_item *item;

	while ((item = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, item, link);
		item_free(item);
	}
}

/*
 * Our own word on which message it is (intake.c) is in the first of its fields,
 * and must not name the old one: what comes back is about the copy. Both tokens
 * are of one length.
 */
static void
name_copy(const struct core *c, const struct message *old, int64_t id,
    char *head, size_t len)
{
	static const char name[] = "\r\nX-Oiwake-ID: ";
	const struct config_return_path *ours = &c->config->return_path;
	char was[RETURN_PATH_LOCAL_MAX + 1], is[RETURN_PATH_LOCAL_MAX + 1];
	struct return_path rp;
	char *p = memmem(head, len, name, sizeof(name) - 1), *at;
	size_t left, n;

	if (p == NULL || ours->domain == NULL)
		return;
	p += sizeof(name) - 1;
	left = (size_t)(head + len - p);
	at = memchr(p, '@', left);
	n = at != NULL ? (size_t)(at - p) : sizeof(was);
	if (n >= sizeof(was))
		return;
	memcpy(was, p, n);
	was[n] = '\0';
	if (return_path_read(ours->key, ours->domain, was, clock_wall(), &rp) >
		RETURN_PATH_EXPIRED ||
	    rp.message != old->id)
		return;
	rp.message = id;
	return_path_make(ours->key, ours->domain, &rp, is);
	assert(strlen(is) == n);
	memcpy(p, is, n);
}

/* The spool file of the old message goes with it. */
static struct body *
copy_body(struct core *c, const struct resend_item *item, int64_t id)
{
	char name[MESSAGE_ID_TEXT], *piece = xmalloc(PIECE);
	struct body *copy =
	    body_new(store_spool_directory(c->store), message_id_text(id, name));
	struct err e = ERR_INIT;
	uint64_t at = 0, size = body_size(item->body);
	ssize_t n = 1;

	while (at < size && n > 0) {
		n = body_read(item->body, at, piece, PIECE);
		if (at == 0 && n > 0)
			name_copy(c, item->message, id, piece, (size_t)n);
		if (n > 0 && body_add(copy, piece, (size_t)n, &e) != 0)
			n = -1;
		at += n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	if (at == size)
		return copy;
	log_text(LOG_ERROR, "resend", "cannot copy a message: %s",
	    e.text[0] != '\0' ? e.text : strerror(errno));
	body_discard(copy);
	body_unref(&copy);
	return NULL;
}

static void
set_text(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

static struct message *
copy_message(struct core *c, const struct resend_item *item)
{
	const struct message *old = item->message;
	struct message *m =
	    message_new(message_id_new(&c->makers[0], clock_wall()));

	m->received = old->received;
	message_set_from(m, old->from);
	set_text(&m->envid, old->envid);
	m->ret = old->ret;
	m->body_8bit = old->body_8bit;
	m->smtputf8 = old->smtputf8;
	set_text(&m->user, old->user);
	set_text(&m->listener, old->listener);
	set_text(&m->client, old->client);
	set_text(&m->header_from, old->header_from);
	set_text(&m->message_id, old->message_id);
	set_text(&m->tags, old->tags);
	m->size = old->size;
	m->header_size = old->header_size;
	m->nrcpt = 1;
	m->body = copy_body(c, item, m->id);
	return m;
}

/* Bounces of the copy name the copy. */
static void
copy_sender(struct core *c, const struct message *old, struct message *m)
{
	char key[MESSAGE_ID_TEXT];

	m->returns = old->returns && c->config->return_path.domain != NULL;
	if (m->returns)
		keep_put(c, BOUNCE_KEPT, message_id_text(m->id, key), m->from,
		    bounce_in_kept_until(c->config, m), NULL, NULL);
}

static struct recipient *
copy_recipient(
    struct core *c, const struct resend_item *item, struct message *m)
{
	struct recipient *r = recipient_new(m, 0, item->address);

	set_text(&r->orcpt, item->orcpt);
	r->notify = item->notify;
	r->irregular = item->irregular;
	r->utf8 = item->utf8;
	route_decide(c->config, m, r, &r->route);
	r->shelf = route_shelf(c->config, &r->route, m->from_domain);
	r->due = clock_wall();
	r->expires = item->expires; /* else a peer could have it sent for ever */
	return r;
}

static void
resend_free(struct resend *re)
{
	struct recipient *r = TAILQ_FIRST(&re->op.recipients);

	re->core->edits--;
	core_wake(re->core);
	recipient_free(&r);
	body_unref(&re->op.message->body);
	message_unref(&re->op.message);
	if (re->again != NULL)
		event_free(re->again);
	free(re);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct resend *re = arg;

	(void)fd;
	(void)what;
	store_enqueue(re->core->store, &re->op);
}

/* A stop waits for what is on its way into the store, but not for room in it. */
static bool
is_out_of_time(const struct core *c)
{
	return core_is_stopping(c) && clock_mono() >= c->stop_by;
}

static void
on_stored(struct store_request *req)
{
	static const struct timeval later = { .tv_sec = AGAIN };
	struct store_enqueue *op = container_of(req, struct store_enqueue, req);
	struct resend *re = container_of(op, struct resend, op);

	if (req->status == STORE_OK) {
		queue_note(re->core->queue, re->shelf, re->due);
		resend_free(re);
		return;
	}
	core_store_answered(re->core, req);
	if (req->status != STORE_AWAY)
		log_text(LOG_ERROR, "resend", "not stored: %s", req->err.text);
	if ((req->status != STORE_FULL && req->status != STORE_AWAY) ||
	    is_out_of_time(re->core)) {
		resend_free(re);
		return;
	}
	if (re->again == NULL)
		re->again = evtimer_new(re->core->base, on_again, re);
	evtimer_add(re->again, &later);
}

static void
log_withdrawn(const struct resend_item *item, const struct message *m,
    const struct outcome *why)
{
	char id[RECIPIENT_ID_TEXT], again[MESSAGE_ID_TEXT];
	struct logline l;

	if (!log_start(&l, LOG_WARN, "withdrawn"))
		return;
	log_str(&l, "id",
	    recipient_id_text(item->message->id, item->index, id));
	log_str(&l, "to", item->address);
	log_str(&l, "again_as", message_id_text(m->id, again));
	log_int(&l, "code", why->code);
	log_str(&l, "reply", why->text);
	log_end(&l);
}

static void
resend_one(
    struct core *c, const struct resend_item *item, const struct outcome *why)
{
	struct message *m = copy_message(c, item);
	struct recipient *r;
	struct resend *re;

	log_withdrawn(item, m, why);
	if (m->body == NULL) {
		message_unref(&m);
		return;
	}
	copy_sender(c, item->message, m);
	r = copy_recipient(c, item, m);
	re = xcalloc(1, sizeof(*re));
	re->core = c;
	re->shelf = r->shelf;
	re->due = r->due;
	re->op.req.reply_to = c->inbox;
	re->op.req.done = on_stored;
	re->op.message = m;
	TAILQ_INIT(&re->op.recipients);
	TAILQ_INSERT_TAIL(&re->op.recipients, r, link);
	c->edits++;
	store_enqueue(c->store, &re->op);
}

void
resend_all(
    struct core *c, struct resend_list *list, const struct outcome *why)
{
	const struct resend_item *item;

	TAILQ_FOREACH (item, list, link)
		resend_one(c, item, why);
	resend_forget(list);
}
