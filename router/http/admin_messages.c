/*
 * admin_messages.c - GET /v1/messages: what happened to mail to an address, from
 * a sender, or of an id.
 *
 * A row is a recipient: where it was to go and by which rule, what was said at
 * each attempt and later, what of the suppression list holds for it, and, while
 * it is in the queue, why it waits. First what is in the queue, newest message
 * first, then what has left it, what was told latest first. All is read in the
 * store's reading thread from one moment's view.
 *
 * What is looked at for one page is bounded: a page may be shorter than asked
 * for, even empty, and yet have a next one. "next" is its place, opaque to
 * clients: "qID.n" in the queue, "eSEQ" in the log of events, "iID.n" among the
 * recipients of what was asked for by id.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "router/http/admin_int.h"
#include "router/http/admin_rows.h"
#include "router/http/admin_suppress_int.h"
#include "router/suppress.h"

#define ROWS_DEFAULT 20
#define ROWS_MAX     200
#define EVENTS_MOST  100    /* of one recipient: the latest */
#define EVENTS_FEW   10     /* when the page has EVENTS_PAGE already */
#define EVENTS_PAGE  2000
#define LOOK_QUEUE   100000 /* recipients of the queue looked at for one page */
#define LOOK_EVENTS  300000 /* events looked at for one page */
#define PASS_COST    40     /* an event whose recipient is shown elsewhere */

struct page {
	struct admin_request *r;
	struct store_reader *reader;
	const char *to, *from; /* NULL: any */
	const char *domain;    /* of `from` */
	bool by_address;       /* `from` is an address */
	size_t limit, events;
	json_t *rows, *lanes;
	struct event_search search;
	struct str next;
};

/* -- one recipient ----------------------------------------------------------- */

struct story {
	json_t *row, *events;
	json_t *mail;
	const char *state;
	bool complained;
	size_t n;
};

/* What an event makes of a recipient that is not in the queue any more. */
static const char *const states[] = {
	[EVENT_SEND] = "sent",
	[EVENT_DELIVERY] = "delivered",
	[EVENT_BOUNCE] = "bounced",
	[EVENT_EXPIRED] = "expired",
	[EVENT_SUPPRESSED] = "suppressed",
	[EVENT_REMOVED] = "removed",
	[EVENT_REJECT] = "rejected",
	[EVENT_RENDERING] = "rejected",
};

static const char *
state_of(enum event_type type)
{
	size_t i = (size_t)type;

	return i < sizeof(states) / sizeof(states[0]) ? states[i] : NULL;
}

/* An end is not taken back by what comes in after it. */
static int
weight(const char *state)
{
	if (state == NULL)
		return 0;
	if (strcmp(state, "sent") == 0)
		return 1;
	return strcmp(state, "delivered") == 0 ? 2 : 3;
}

/* What does not change from one event to the next is said once, by the latest
 * that knows it. */
static void
put_route(struct story *s, const struct event_row *event)
{
	const struct {
		const char *key, *value;
	} parts[] = {
		{ "to", event->recipient },
		{ "path", event->path },
		{ "carrier", event->carrier },
		{ "group", event->group },
		{ "source", event->source },
		{ "rule", event->rule },
		{ "ruleset", event->ruleset },
		{ "remote_id", event->remote_id },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].value[0] != '\0' &&
		    json_object_get(s->row, parts[i].key) == NULL)
			admin_put(s->row, parts[i].key, parts[i].value);
}

/* Latest first. */
static void
add_event(void *arg, const struct event_row *event)
{
	struct story *s = arg;
	const char *state = state_of(event->type);

	json_array_insert_new(s->events, 0, admin_event_row(event));
	put_route(s, event);
	s->complained |= event->type == EVENT_COMPLAINT;
	if (weight(state) > weight(s->state))
		s->state = state;
	if (event->text[0] != '\0' && json_object_get(s->row, "last") == NULL)
		admin_put(s->row, "last", event->text);
}

static void
take_mail(void *arg, const char *json)
{
	struct story *s = arg;

	s->mail = json_loads(json, 0, NULL);
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

static void
put_missing(json_t *row, const char *key, const char *text)
{
	if (text_of(row, key)[0] == '\0')
		admin_put(row, key, text);
}

/* A field of what was kept of the message's header. */
static const char *
header_of(const json_t *mail, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(mail, "headers"), i, one)
	{
		if (strcasecmp(text_of(one, "name"), name) == 0)
			return text_of(one, "value");
	}
	return "";
}

static void
put_mail(struct page *p, struct story *s, int64_t message)
{
	store_read_mail(p->reader, message, take_mail, s);
	put_missing(s->row, "from", text_of(s->mail, "source"));
	put_missing(s->row, "message_id", header_of(s->mail, "Message-ID"));
	put_missing(s->row, "subject",
	    text_of(json_object_get(s->mail, "commonHeaders"), "subject"));
	json_decref(s->mail);
	s->mail = NULL;
}

static void
add_suppression(void *arg, const struct suppression *s)
{
	json_array_append_new(arg, suppress_row(s));
}

static json_t *
suppressions(struct page *p, const char *address)
{
	struct suppression_filter filter = { .cause = "",
		.path = "",
		.source = "",
		.who = "" };
	char *key = suppress_key(address);
	json_t *rows = json_array();

	if (key != NULL) {
		filter.address = key;
		store_read_suppressions(p->reader, &filter, "", "", ROWS_MAX,
		    add_suppression, rows);
	}
	free(key);
	return rows;
}

static void
take_sent(void *arg, const struct sent_row *sent)
{
	struct story *s = arg;

	s->complained |= sent->complained;
	if (sent->ended[0] != '\0')
		admin_put(s->row, "state", sent->ended);
}

/* Of one that has left the queue. */
static void
put_end(struct page *p, struct story *s, int64_t message, unsigned index)
{
	json_object_set_new(s->row, "index", json_integer(index));
	store_read_sent(p->reader, message, (int)index, take_sent, s);
	put_missing(s->row, "state", s->state != NULL ? s->state : "unknown");
	admin_put_time(s->row, "received", message_id_time(message));
}

static void
put_events(struct page *p, struct story *s, int64_t message, unsigned index)
{
	size_t most = p->events < EVENTS_PAGE ? EVENTS_MOST : EVENTS_FEW;
	size_t n = store_read_recipient_events(
	    p->reader, message, index, 0, most + 1, add_event, s);

	if (n > most)
		json_array_remove(s->events, 0);
	p->events += n;
	json_object_set_new(s->row, "more_events", json_boolean(n > most));
}

/* `queued`: its row of the queue, taken over; NULL: it has left it. */
static void
add_story(struct page *p, int64_t message, unsigned index, json_t *queued)
{
	struct story s = { .row = queued != NULL ? queued : json_object(),
		.events = json_array() };
	char id[MESSAGE_ID_TEXT];

	put_events(p, &s, message, index);
	json_object_set_new(s.row, "queued", json_boolean(queued != NULL));
	if (queued == NULL)
		put_end(p, &s, message, index);
	else
		json_object_set_new(s.row, "lane", admin_lane_of(p->lanes, s.row));
	admin_put(s.row, "id", message_id_text(message, id));
	json_object_set_new(s.row, "index", json_integer(index));
	json_object_set_new(s.row, "complained", json_boolean(s.complained));
	put_mail(p, &s, message);
	json_object_set_new(
	    s.row, "suppression", suppressions(p, text_of(s.row, "to")));
	json_object_set_new(s.row, "events", s.events);
	json_array_append_new(p->rows, s.row);
}

static bool
is_full(const struct page *p)
{
	return json_array_size(p->rows) >= p->limit;
}

/* -- by address ---------------------------------------------------------------- */

static void
add_queued(void *arg, const struct queue_row *row)
{
	struct page *p = arg;

	add_story(p, row->recipient->message->id, row->recipient->index,
	    admin_queue_row(row));
}

static void
search_queue(struct page *p, int64_t before, unsigned index)
{
	struct queue_search s = {
		.filter = { .index = -1,
		    .to = p->to,
		    .sender = p->from,
		    .limit = p->limit },
		.before_message = before,
		.before_index = index,
		.rows = LOOK_QUEUE,
	};
	char id[RECIPIENT_ID_TEXT];

	store_search_queue(p->reader, &s, add_queued, p);
	if (s.more)
		str_addf(&p->next, "q%s",
		    recipient_id_text(s.before_message, s.before_index, id));
}

static void
note_event(void *arg, const struct event_row *event)
{
	(void)event;
	*(bool *)arg = true;
}

static void
note_row(void *arg, const struct queue_row *row)
{
	(void)row;
	*(bool *)arg = true;
}

/* It was shown with a later event, or in the queue. */
static bool
is_shown_elsewhere(struct page *p, const struct event_row *event)
{
	struct queue_filter filter = { .message = event->message,
		.index = (int)event->index,
		.limit = 1 };
	bool shown = false;

	store_read_recipient_events(p->reader, event->message, event->index,
	    event->seq, 1, note_event, &shown);
	if (!shown)
		store_read_queue(p->reader, &filter, note_row, &shown);
	return shown;
}

static bool
is_from(struct page *p, int64_t message)
{
	struct story s = { .mail = NULL };
	bool same;

	if (!p->by_address)
		return true;
	store_read_mail(p->reader, message, take_mail, &s);
	same = strcasecmp(text_of(s.mail, "source"), p->from) == 0;
	json_decref(s.mail);
	return same;
}

static bool
look_at_event(void *arg, const struct event_row *event)
{
	struct page *p = arg;

	if (event->message != 0 && !is_shown_elsewhere(p, event) &&
	    is_from(p, event->message))
		add_story(p, event->message, event->index, NULL);
	else
		p->search.rows -=
		    p->search.rows < PASS_COST ? p->search.rows : PASS_COST;
	return !is_full(p) && p->search.rows > 0;
}

static void
search_events(struct page *p, int64_t before)
{
	p->search = (struct event_search){ .recipient = p->to,
		.sender = p->domain,
		.since = p->r->since,
		.before = before,
		.rows = LOOK_EVENTS };
	store_search_events(p->reader, &p->search, look_at_event, p);
	if (p->search.more)
		str_addf(&p->next, "e%lld", (long long)p->search.before);
}

static void
search(struct page *p, const char *after)
{
	int64_t message = INT64_MAX;
	int index = 0;

	if (after != NULL && after[0] == 'e') {
		search_events(p, strtoll(after + 1, NULL, 10));
		return;
	}
	if (after != NULL)
		admin_recipient_id(after + 1, &message, &index);
	search_queue(p, message, (unsigned)index);
	if (p->next.len == 0 && !is_full(p))
		search_events(p, INT64_MAX);
	else if (p->next.len == 0)
		str_addf(&p->next, "e%lld", (long long)INT64_MAX);
}

/* -- by id ------------------------------------------------------------------------ */

struct recipients {
	unsigned index[ROWS_MAX];
	size_t n;
};

static void
note_index(void *arg, unsigned index)
{
	struct recipients *all = arg;

	all->index[all->n++] = index;
}

static void
keep_row(void *arg, const struct queue_row *row)
{
	*(json_t **)arg = admin_queue_row(row);
}

static void
add_recipient(struct page *p, int64_t message, unsigned index)
{
	struct queue_filter filter = { .message = message,
		.index = (int)index,
		.limit = 1 };
	json_t *queued = NULL;

	store_read_queue(p->reader, &filter, keep_row, &queued);
	add_story(p, message, index, queued);
}

/* Those behind `after`. */
static void
add_message(struct page *p, int64_t message, int after)
{
	struct recipients all = { .n = 0 };
	char id[RECIPIENT_ID_TEXT];

	store_read_recipients(p->reader, message, after,
	    p->limit - json_array_size(p->rows), note_index, &all);
	for (size_t i = 0; i < all.n; i++)
		add_recipient(p, message, all.index[i]);
	if (is_full(p) && p->next.len == 0 && all.n > 0)
		str_addf(&p->next, "i%s",
		    recipient_id_text(message, all.index[all.n - 1], id));
}

static void
add_one(struct page *p, int64_t message, unsigned index)
{
	struct recipients one = { .n = 0 };

	store_read_recipients(
	    p->reader, message, (int)index - 1, 1, note_index, &one);
	if (one.n == 1 && one.index[0] == index)
		add_recipient(p, message, index);
}

/* Our own, that of its Message-ID field, or SES's. */
static size_t
find_messages(
    struct page *p, const char *id, int64_t ids[STORE_SAME_ID_MAX], int *index)
{
	struct str text = STR_INIT;
	size_t n;

	*index = -1;
	if (admin_recipient_id(id, &ids[0], index) == 0)
		return 1;
	if (strchr(id, '@') == NULL) {
		unsigned of = 0;
		bool known = store_read_by_remote_id(p->reader, id, &ids[0], &of);

		*index = (int)of;
		return known;
	}
	str_addf(&text, "%s%s%s", id[0] == '<' ? "" : "<", id,
	    id[0] == '<' ? "" : ">");
	n = store_read_by_message_id(p->reader, text.data, ids);
	str_release(&text);
	return n;
}

static void
show(struct page *p, const char *id, const char *after)
{
	int64_t ids[STORE_SAME_ID_MAX], from = INT64_MAX;
	int index, behind = -1;
	size_t n = find_messages(p, id, ids, &index);

	if (after != NULL)
		admin_recipient_id(after + 1, &from, &behind);
	if (index >= 0) {
		if (n > 0)
			add_one(p, ids[0], (unsigned)index);
		return;
	}
	for (size_t i = 0; i < n && !is_full(p); i++)
		if (ids[i] <= from)
			add_message(p, ids[i], ids[i] == from ? behind : -1);
}

/* -- the question ------------------------------------------------------------------ */

static void
run(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	const char *id = admin_arg(r, "id"), *after = admin_arg(r, "after");
	struct page p = { .r = r,
		.reader = reader,
		.to = admin_arg(r, "to"),
		.from = admin_arg(r, "from"),
		.limit = r->limit,
		.rows = json_array(),
		.lanes = r->events };
	json_t *reply = json_object();
	const char *at = p.from != NULL ? strrchr(p.from, '@') : NULL;

	str_init(&p.next);
	p.by_address = at != NULL && at != p.from;
	p.from = p.from != NULL && at == p.from ? at + 1 : p.from;
	p.domain = p.by_address ? at + 1 : p.from;
	if (id != NULL)
		show(&p, id, after);
	else
		search(&p, after);
	json_object_set_new(reply, "rows", p.rows);
	json_object_set_new(reply, "more", json_boolean(p.next.len > 0));
	json_object_set_new(reply, "next",
	    p.next.len > 0 ? json_string(p.next.data) : json_null());
	if (p.to != NULL)
		json_object_set_new(
		    reply, "suppression", suppressions(&p, p.to));
	r->text = json_dumps(reply, JSON_COMPACT);
	json_decref(reply);
	str_release(&p.next);
}

static void
read_done(struct admin_request *r)
{
	if (r->text == NULL)
		admin_error(r, 500, "no answer could be made");
	else
		admin_reply_text(r, 200, r->text);
}

/* A place of ours for what is asked for. */
static bool
is_place(const char *text, bool by_id)
{
	int64_t n;
	int index;

	if (text[0] == 'e' && !by_id)
		return admin_number(text + 1, 1, INT64_MAX, &n) == 0;
	return text[0] == (by_id ? 'i' : 'q') &&
	       admin_recipient_id(text + 1, &n, &index) == 0 && index >= 0;
}

static bool
check(struct admin_request *r)
{
	static const char *const which[] = { "to", "from", "id" };
	const char *limit = admin_arg(r, "limit"),
		   *since = admin_arg(r, "since"),
		   *after = admin_arg(r, "after");
	bool by_id = admin_arg(r, "id") != NULL;
	int64_t n = ROWS_DEFAULT;

	for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
		const char *text = admin_arg(r, which[i]);

		if (text != NULL && (text[0] == '\0' || strlen(text) > 1000)) {
			admin_error(r, 400, "%s is empty or too long", which[i]);
			return false;
		}
	}
	if (by_id == (admin_arg(r, "to") != NULL || admin_arg(r, "from") != NULL))
		admin_error(r, 400, "say whose: to, from, or an id alone");
	else if (limit != NULL && admin_number(limit, 1, ROWS_MAX, &n) != 0)
		admin_error(r, 400, "limit is a number from 1 to %d", ROWS_MAX);
	else if (since != NULL && clock_iso_read(since, &r->since) != 0)
		admin_error(r, 400, "since is a time as 2026-11-22T10:35:07Z");
	else if (after != NULL && !is_place(after, by_id))
		admin_error(r, 400, "after is what 'next' was");
	else {
		r->limit = (size_t)n;
		return true;
	}
	return false;
}

/* ?to=ADDRESS&from=ADDRESS|DOMAIN | id=ID, since=TIME, limit=N, after=NEXT */
void
admin_messages(struct admin_request *r)
{
	if (!check(r))
		return;
	r->events = admin_lanes(r->core);
	admin_query(r, run, read_done);
}
