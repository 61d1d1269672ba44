/*
 * hook_read.c - from the event log into a hook's window.
 *
 * One request at a time, made into JSON in the store's reading thread. What the
 * filter leaves out is gone through there and takes no room.
 */
#include "router/events/hooks_int.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MOST 2000 /* of the log in one request */

void
hook_item_free(struct hook_item **itemp)
{
	free((*itemp)->text);
	free(*itemp);
	*itemp = NULL;
}

static void
free_items(struct hook_items *items)
{
	struct hook_item *item;

	while ((item = TAILQ_FIRST(items)) != NULL) {
		TAILQ_REMOVE(items, item, link);
		hook_item_free(&item);
	}
}

void
hook_forget_window(struct hook *h)
{
	hook_post_free_all(h);
	free_items(&h->window);
	h->n = h->troubled = 0;
	h->generation++;
}

/* -- in the store's reading thread ----------------------------------------- */

static void
add_item(
    void *arg, const struct event_row *row, enum event_type type, json_t *event)
{
	struct hook_reading *r = arg;
	struct hook_item *item = xcalloc(1, sizeof(*item));

	item->seq = row->seq;
	item->at = row->at;
	item->message = row->message;
	item->index = row->index;
	event_json_id(row, type, item->id);
	item->text = json_dumps(event, JSON_COMPACT);
	if (item->text == NULL)
		abort(); /* out of memory */
	item->len = strlen(item->text);
	TAILQ_INSERT_TAIL(&r->items, item, link);
	r->n++;
}

static void
take_kept(void *arg, const struct kept *kept)
{
	char **place = arg;

	*place = xstrdup(kept->value);
}

/* A row that had not been told when later ones had. */
static void
read_one(struct store_reader *reader, struct hook_reading *r, int64_t seq)
{
	r->told.after = seq - 1;
	r->told.until = seq;
	r->told.rows = 1;
	told_read(reader, &r->told);
	r->told.until = 0;
	r->told.rows = ROWS_MOST;
}

/* From where it had come to. A place beyond the end belongs to a log that is
 * no more. */
static void
find_kept(struct store_reader *reader, struct hook_reading *r, int64_t first)
{
	char *place = NULL;
	const char *p;
	int64_t to, seq;

	store_read_kept(reader, "hook", r->hook->name, take_kept, &place);
	p = place != NULL ? place : "";
	to = hook_place_next(&p);
	if (to < 0 || to > r->last)
		to = r->last;
	else
		while ((seq = hook_place_next(&p)) > 0 && seq <= to)
			if (seq < first)
				r->lost++;
			else
				read_one(reader, r, seq);
	free(place);
	r->told.after = to;
}

static void
run(struct store_query *query, struct store_reader *reader)
{
	struct hook_reading *r =
	    container_of(query, struct hook_reading, query);
	int64_t first = store_read_first_event(reader);

	r->last = store_read_last_event(reader);
	if (r->find == FIND_KEPT)
		find_kept(reader, r, first);
	else if (r->find == FIND_SINCE)
		r->told.after = store_read_event_before(reader, r->since);
	if (r->find != FIND_SINCE && r->told.after + 1 < first) {
		/* With gaps between them nobody knows how many. */
		if (!r->hook->hooks->shared)
			r->lost += first - 1 - r->told.after;
		r->told.after = first - 1;
	}
	r->told.room =
	    HOOK_WINDOW > r->before + r->n ? HOOK_WINDOW - r->before - r->n : 0;
	told_read(reader, &r->told);
}

/* -- back in ours ---------------------------------------------------------- */

static void
free_reading(struct hook_reading *r)
{
	free_items(&r->items);
	config_unref(&r->config);
	free(r);
}

static void
log_lost(const struct hook *h, int64_t lost)
{
	struct logline l;

	if (!log_start(&l, LOG_ERROR, "hook"))
		return;
	log_str(&l, "name", h->name);
	log_str(&l, "result", "lost");
	log_int(&l, "events", lost);
	log_str(&l, "why", "older than event-keep");
	log_end(&l);
}

static void
take_items(struct hook *h, struct hook_reading *r)
{
	if (r->lost > 0)
		log_lost(h, r->lost);
	TAILQ_CONCAT(&h->window, &r->items, link);
	h->n += r->n;
	if (h->read_to != r->told.after)
		hook_keep_soon(h, 0);
	h->read_to = r->told.after;
	h->more |= r->told.more;
	if (r->find == FIND_NOTHING)
		return;
	h->known = true;
	h->moved = true; /* where it begins is put on disk at once */
	if (r->find == FIND_KEPT)
		hooks_begun(h->hooks);
}

/* The same again, once the database may be there: what was read of it is thrown away. */
static void
read_later(struct hook *h, struct hook_reading *r)
{
	h->more = true;
	if (r->find != FIND_NOTHING) {
		h->find = r->find;
		h->find_since = r->since;
	}
	free_reading(r);
}

static void
done(struct store_query *query)
{
	struct hook_reading *r =
	    container_of(query, struct hook_reading, query);
	struct hook *h = r->hook;
	struct hooks *hooks = h->hooks;
	bool lives = !h->gone && !hooks->stopping;

	h->readings--;
	if (query->incomplete && lives && r->generation == h->generation) {
		read_later(h, r);
		return;
	}
	pthread_mutex_lock(&hooks->lock);
	hooks->last = r->last;
	pthread_mutex_unlock(&hooks->lock);
	if (lives && r->generation == h->generation)
		take_items(h, r);
	free_reading(r);
	if (lives)
		hook_tell(h);
	else
		hooks_look_for_end(hooks);
}

static void
ask(struct hook *h, int find, int64_t since)
{
	const struct config_hook *c = h->config;
	struct hook_reading *r = xcalloc(1, sizeof(*r));

	r->query = (struct store_query){
		.reply_to = h->hooks->inbox, .run = run, .done = done
	};
	r->hook = h;
	r->config = config_ref(h->hooks->config);
	r->find = find;
	r->since = since;
	r->generation = h->generation;
	r->before = h->n;
	TAILQ_INIT(&r->items);
	r->told = (struct told_reading){
		.config = r->config,
		.filter = {
		    .events = c->events, .nevents = c->nevents,
		    .paths = c->paths, .npaths = c->npaths,
		    .senders = c->senders, .nsenders = c->nsenders,
		},
		.after = h->read_to,
		.rows = ROWS_MOST,
		.room = HOOK_WINDOW,
		.each = add_item,
		.arg = r,
	};
	h->more = false;
	h->readings++;
	store_query(h->hooks->store, &r->query);
}

/* In halves of the window, not event by event. */
void
hook_read(struct hook *h)
{
	int find = h->find;

	if (find != FIND_NOTHING && h->readings == 0 && !h->gone &&
	    !h->hooks->stopping) {
		h->find = FIND_NOTHING;
		ask(h, find, h->find_since);
	}
	if (h->more && h->known && h->readings == 0 && !h->gone &&
	    !h->hooks->stopping && h->n <= HOOK_WINDOW / 2)
		ask(h, FIND_NOTHING, 0);
}

void
hook_find(struct hook *h, int find, int64_t since)
{
	hook_forget_window(h);
	h->known = false;
	h->find = FIND_NOTHING;
	h->failures = 0;
	h->next = 0;
	ask(h, find, since);
}
