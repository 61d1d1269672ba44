/*
 * sql_sent.c - what is remembered of recipients that were sent, and what
 * follows from it for their counters.
 *
 * The counters that a recipient has had are a function of its row's state, so
 * every change is two states and their difference, and nothing is counted
 * twice. Of itself it keeps the equation of store.h: it is accepted once, is
 * sent or in the queue, and what ended after that is returned.
 * sql_settle.c makes rows, sql_feedback.c changes them.
 */
#include "router/store/sql_int.h"

#include <string.h>
#include <strings.h>

#define BIT(c) (1u << (c))

static const unsigned ends = BIT(COUNT_BOUNCED) | BIT(COUNT_FILTERED) |
			     BIT(COUNT_EXPIRED) | BIT(COUNT_SUPPRESSED) |
			     BIT(COUNT_REMOVED);

const unsigned sql_sent_counters =
    BIT(COUNT_SENT) | BIT(COUNT_DELIVERED) | BIT(COUNT_COMPLAINED) |
    BIT(COUNT_BOUNCED) | BIT(COUNT_FILTERED) | BIT(COUNT_EXPIRED) |
    BIT(COUNT_SUPPRESSED) | BIT(COUNT_REMOVED) | BIT(COUNT_HARD) |
    BIT(COUNT_UNKNOWN) | BIT(COUNT_EXEMPT);

/* Those of which the reason is counted, too. */
static const unsigned reasoned = BIT(COUNT_BOUNCED) | BIT(COUNT_FILTERED) |
				 BIT(COUNT_EXPIRED) | BIT(COUNT_SUPPRESSED) |
				 BIT(COUNT_DEFERRED);

/* clang-format off */
static const struct {
	enum counter counter;
	unsigned state;
} manners[] = { /* of ends */
	{ COUNT_HARD,    SENT_HARD },
	{ COUNT_UNKNOWN, SENT_UNKNOWN },
	{ COUNT_EXEMPT,  SENT_EXEMPT },
};
/* clang-format on */
#define MANNERS (sizeof(manners) / sizeof(manners[0]))

/* -- counting ------------------------------------------------------------ */

bool
sql_sent_is_delivered(unsigned state)
{
	return state & SENT_DELIVERED ||
	       (state & SENT_IS_DELIVERED && state & SENT_SENT);
}

static unsigned
counted(unsigned state)
{
	unsigned ended = sent_end(state), c = 0;

	if (state & SENT_SENT)
		c |= BIT(COUNT_SENT);
	if (sql_sent_is_delivered(state) && ended == 0)
		c |= BIT(COUNT_DELIVERED);
	if (state & SENT_COMPLAINED)
		c |= BIT(COUNT_COMPLAINED);
	if (ended != 0)
		c |= BIT(ended);
	if (ended != 0 && state & (SENT_SENT | SENT_EARLY))
		c |= BIT(COUNT_RETURNED);
	for (size_t i = 0; i < MANNERS; i++)
		if (state & manners[i].state)
			c |= BIT(manners[i].counter);
	return c;
}

static void
add(struct tally *t, unsigned counters, const char *reason, int64_t n)
{
	for (unsigned c = 0; c < COUNT_MAX; c++) {
		if ((counters & BIT(c)) == 0)
			continue;
		t->n[c] += n;
		if (reasoned & BIT(c))
			tally_add_reason(t, (enum counter)c, reason, n);
	}
}

void
sql_count(struct txn *txn, const struct settlement *s,
    const struct route *route, const char *sender)
{
	struct tally *t;

	if (s->counters == 0)
		return;
	t = counters_tally(&txn->counters, route, sender, s->at);
	add(t, s->counters, s->reason, 1);
	if (s->counters & BIT(COUNT_DELIVERED))
		tally_add_time(t, s->at - message_id_time(s->message), 1);
}

static struct tally *
tally_of(struct txn *txn, const struct sent *s)
{
	return counters_tally(&txn->counters, &s->route, s->sender, s->at);
}

/* All of it in the minute in which it was sent. How long its delivery took is
 * counted once, and stays where that was. */
static void
recount(
    struct txn *txn, const struct sent *was, const struct sent *is, int64_t now)
{
	unsigned before = counted(was->state), after = counted(is->state);
	unsigned both = was->key == is->key ? before & after : 0;

	if (before & ~both)
		add(tally_of(txn, was), before & ~both, was->reason, -1);
	if (after & ~both)
		add(tally_of(txn, is), after & ~both, is->reason, 1);
	if (after & ~before & BIT(COUNT_DELIVERED))
		tally_add_time(
		    tally_of(txn, is), now - message_id_time(is->message), 1);
}

enum event_type
sql_sent_event(unsigned state)
{
	if ((state & SENT_IS_DELIVERED) == 0)
		return EVENT_SEND;
	return state & SENT_DELIVERED ? EVENT_NONE : EVENT_DELIVERY;
}

unsigned
sql_sent_manner(unsigned counters)
{
	unsigned state = 0;

	for (size_t i = 0; i < MANNERS; i++)
		if (counters & BIT(manners[i].counter))
			state |= manners[i].state;
	return state;
}

/* What a settlement counts, as a state. */
static unsigned
state_of(unsigned counters)
{
	unsigned state = 0, end = counters & ends;

	if (counters & BIT(COUNT_SENT))
		state |= SENT_SENT;
	else if (end != 0)
		state |= (unsigned)__builtin_ctz(end) << SENT_ENDED_AT;
	if (counters & BIT(COUNT_DELIVERED))
		state |= SENT_DELIVERED;
	if (counters & BIT(COUNT_COMPLAINED))
		state |= SENT_COMPLAINED;
	return state | sql_sent_manner(counters);
}

/* -- rows ---------------------------------------------------------------- */

enum {
	S_MESSAGE,
	S_INDEX,
	S_AT,
	S_REMEMBER,
	S_KEY,
	S_STATE,
	S_NOTES,
	S_ADDRESS, /* and the other texts, in the order of read_row */
};

static void
read_row(struct stmt *st, struct sent *s, struct str *text)
{
	const char **const field[] = { &s->address, &s->remote_id,
		&s->route.path, &s->route.carrier, &s->route.group, &s->sender,
		&s->route.source, &s->route.rule, &s->route.configuration_set,
		&s->reason };
	size_t n = (size_t)column_bytes(st, S_NOTES);

	*s = (struct sent){ .message = column_int(st, S_MESSAGE),
		.index = (unsigned)column_int(st, S_INDEX),
		.at = column_int(st, S_AT),
		.remember = column_int(st, S_REMEMBER),
		.key = column_int(st, S_KEY),
		.state = (unsigned)column_int(st, S_STATE) };
	s->nnote = n < SENT_NOTES_MAX ? n : SENT_NOTES_MAX;
	if (s->nnote > 0)
		memcpy(s->note, column_blob(st, S_NOTES), s->nnote);
	sql_copy_columns(text, st, S_ADDRESS, field,
	    (int)(sizeof(field) / sizeof(field[0])));
}

static void
bind_remote(struct stmt *st, const struct feedback *f)
{
	bind_text(st, 1, f->remote_id);
	bind_int(st, 2, f->alone);
	bind_text(st, 3, f->address);
}

static enum store_status
take_row(struct sql_engine *eng, struct stmt *st, bool *found, struct err *e)
{
	enum store_status status;

	*found = sql_next(eng->q, st, "read what was sent", &status, e);
	if (*found)
		read_row(st, &eng->sent, &eng->sent_text);
	sql_reset(st);
	return status;
}

enum store_status
sql_sent_load(struct sql_engine *eng, int64_t message, unsigned index,
    bool *found, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_SENT);

	bind_int(st, 1, message);
	bind_int(st, 2, index);
	return take_row(eng, st, found, e);
}

void
sql_announce_sent(struct sql_engine *eng, const struct feedback *f)
{
	struct stmt *st = sql_stmt(eng->q, SQL_FIND_SENT_REMOTE);

	if (f->message == 0)
		bind_remote(st, f);
	else if (f->index != FEEDBACK_ANY) {
		st = sql_stmt(eng->q, SQL_GET_SENT);
		bind_int(st, 1, f->message);
		bind_int(st, 2, f->index);
	} else {
		st = sql_stmt(eng->q, SQL_FIND_SENT);
		bind_int(st, 1, f->message);
		bind_text(st, 2, f->address);
	}
	sql_ahead(eng->q, st, "read what was sent");
}

bool
sql_sent_is_about(const struct feedback *f, const char *address)
{
	return f->alone || strcasecmp(f->address, address) == 0;
}

static enum store_status
find_by_address(struct sql_engine *eng, const struct feedback *f, bool *found,
    struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_FIND_SENT);

	bind_int(st, 1, f->message);
	bind_text(st, 2, f->address);
	return take_row(eng, st, found, e);
}

/* A message that went to several at once bears the index of one of them. */
static enum store_status
find_by_id(struct sql_engine *eng, const struct feedback *f, bool *found,
    struct err *e)
{
	enum store_status status;

	if (f->index != FEEDBACK_ANY) {
		status = sql_sent_load(eng, f->message, f->index, found, e);
		if (status != STORE_OK || f->alone ||
		    (*found && sql_sent_is_about(f, eng->sent.address)))
			return status;
	}
	return find_by_address(eng, f, found, e);
}

enum store_status
sql_sent_find(struct sql_engine *eng, const struct feedback *f, bool *found,
    struct err *e)
{
	struct stmt *st;

	if (f->message != 0)
		return find_by_id(eng, f, found, e);
	st = sql_stmt(eng->q, SQL_FIND_SENT_REMOTE);
	bind_remote(st, f);
	return take_row(eng, st, found, e);
}

enum store_status
sql_sent_find_only(struct sql_engine *eng, const struct feedback *f,
    bool *found, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_FIND_SENT_ONLY);

	bind_int(st, 1, f->message);
	return take_row(eng, st, found, e);
}

/* -- changes ------------------------------------------------------------- */

static void
bind_key(struct stmt *st, int first, const struct sent *s)
{
	const struct route *r = &s->route;
	const char *key[] = { r->path, r->carrier, r->group, s->sender,
		r->source, r->rule, r->configuration_set };

	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		bind_text(st, first + (int)i, key[i]);
}

/* Sets s->key to that of its strings. */
static enum store_status
choose_key(struct sql_engine *eng, struct sent *s, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_GET_SENT_KEY);
	enum store_status status;
	bool found;

	bind_key(st, 1, s);
	found = sql_next(eng->q, st, "read a key", &status, e);
	if (found)
		s->key = column_int(st, 0);
	sql_reset(st);
	if (found || status != STORE_OK)
		return status;
	st = sql_stmt(eng->q, SQL_ADD_SENT_KEY);
	bind_key(st, 1, s);
	status = sql_run(eng->q, st, "add a key", e);
	s->key = sql_last_id(eng->q);
	return status;
}

static void
bind_sent(struct stmt *st, const struct sent *s)
{
	bind_int(st, 1, s->message);
	bind_int(st, 2, s->index);
	bind_int(st, 3, s->at);
	bind_int(st, 4, s->remember);
	bind_int(st, 5, s->state);
	bind_text(st, 6, s->address);
	bind_text(st, 7, s->remote_id);
	bind_blob(st, 8, s->note, s->nnote);
	bind_text(st, 9, s->reason);
}

static enum store_status
insert(struct sql_engine *eng, const struct sent *s, bool *added, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_SENT);
	enum store_status status;

	bind_sent(st, s);
	bind_int(st, 10, s->key);
	status = sql_run(eng->q, st, "remember a recipient", e);
	*added = status == STORE_OK && sql_changes(eng->q) == 1;
	return status;
}

void
sql_bind_settled(struct stmt *st, int i, const struct settlement *s)
{
	unsigned state = state_of(s->counters);

	bind_int(st, i++, s->remember);
	bind_int(st, i++, s->at);
	bind_int(st, i++, state);
	bind_text(st, i++, s->address);
	bind_text(st, i++, s->remote_id);
	bind_blob(st, i++, "", 0);
	bind_text(st, i, sent_end(state) != 0 ? s->reason : "");
}

/* In one statement, which answers its key, negative when there is a row of that
 * recipient; it may have been run with the recipient's removal. */
static enum store_status
add_far(struct sql_engine *eng, struct sent *s, bool *added, struct err *e)
{
	struct stmt *st = sql_stmt(eng->q, SQL_ADD_SENT);
	enum store_status status = STORE_OK;

	s->key = eng->added_sent;
	eng->added_sent = 0;
	if (s->key != 0) {
		*added = s->key > 0;
		s->key = *added ? s->key : -s->key;
		return status;
	}
	bind_sent(st, s);
	bind_key(st, 10, s);
	if (sql_next(eng->q, st, "remember a recipient", &status, e))
		s->key = column_int(st, 0);
	sql_reset(st);
	*added = status == STORE_OK && s->key > 0;
	if (s->key < 0)
		s->key = -s->key;
	return status;
}

enum store_status
sql_sent_add(struct sql_engine *eng, struct sent *s, bool *added, struct err *e)
{
	enum store_status st;

	if (eng->q->far)
		return add_far(eng, s, added, e);
	st = choose_key(eng, s, e);
	return st == STORE_OK ? insert(eng, s, added, e) : st;
}

static enum store_status
update(struct sql_engine *eng, const struct sent *was, const struct sent *is,
    struct err *e)
{
	bool all = was->key != is->key || was->remember != is->remember ||
		   strcmp(was->remote_id, is->remote_id) != 0;
	struct stmt *st =
	    sql_stmt(eng->q, all ? SQL_SET_SENT : SQL_SET_SENT_STATE);

	bind_int(st, 1, is->message);
	bind_int(st, 2, is->index);
	bind_int(st, 3, is->state);
	bind_blob(st, 4, is->note, is->nnote);
	bind_text(st, 5, is->reason);
	if (all) {
		bind_int(st, 6, is->remember);
		bind_int(st, 7, is->key);
		bind_text(st, 8, is->remote_id);
	}
	return sql_run(eng->q, st, "change what was sent", e);
}

enum store_status
sql_sent_change(struct sql_engine *eng, const struct sent *was, struct sent *is,
    int64_t now, struct txn *txn, struct err *e)
{
	enum store_status st = STORE_OK;

	if (!sql_same_key(&was->route, was->sender, &is->route, is->sender))
		st = choose_key(eng, is, e);
	if (st == STORE_OK)
		st = update(eng, was, is, e);
	recount(txn, was, is, now);
	return st;
}

/* -- settlements --------------------------------------------------------- */

static struct sent
sent_by(const struct settlement *s, const struct route *route,
    const char *sender, const char *address)
{
	unsigned state = state_of(s->counters);

	return (struct sent){ .message = s->message,
		.index = s->index,
		.at = s->at,
		.remember = s->remember,
		.state = state,
		.reason = sent_end(state) != 0 ? s->reason : "",
		.address = address,
		.remote_id = s->remote_id,
		.sender = sender,
		.route = *route };
}

/* The row that feedback has made, now that it leaves the queue. Its counters
 * follow `accepted` to the key it is settled under. */
static enum store_status
merge(struct sql_engine *eng, const struct sent *now, struct txn *txn,
    struct err *e)
{
	const struct sent *was = &eng->sent;
	struct sent is = *was;

	is.state = (was->state & ~SENT_EARLY) | SENT_SENT |
		   (now->state & SENT_DELIVERED);
	is.route = now->route;
	is.sender = now->sender;
	if (now->remember > was->remember)
		is.remember = now->remember;
	if (now->remote_id[0] != '\0')
		is.remote_id = now->remote_id;
	return sql_sent_change(eng, was, &is, now->at, txn, e);
}

enum store_status
sql_sent_settle(struct sql_engine *eng, const struct settlement *s,
    const struct route *route, const char *sender, const char *address,
    bool *told, struct txn *txn, struct err *e)
{
	struct sent now = sent_by(s, route, sender, address);
	enum store_status st;
	bool added, found;

	st = sql_sent_add(eng, &now, &added, e);
	*told = st == STORE_OK && !added;
	if (!*told)
		return st;
	st = sql_sent_load(eng, s->message, s->index, &found, e);
	return st == STORE_OK ? merge(eng, &now, txn, e) : st;
}

enum store_status
sql_trim_sent(struct engine *base, int64_t now, size_t max, size_t *trimmed,
    struct err *e)
{
	struct sql *q = sql_of(base)->q;
	struct stmt *st = sql_stmt(q, SQL_TRIM_SENT);
	enum store_status status;

	bind_int(st, 1, now);
	bind_int(st, 2, (int64_t)max);
	status = sql_run(q, st, "forget what was sent", e);
	*trimmed = (size_t)sql_changes(q);
	return status;
}

/* -- reading ------------------------------------------------------------- */

static void
show(const struct sent *s, void (*each)(void *, const struct sent_row *),
    void *arg)
{
	unsigned ended = sent_end(s->state);

	each(arg, &(struct sent_row){ .message = s->message,
		      .at = s->at,
		      .index = s->index,
		      .address = s->address,
		      .remote_id = s->remote_id,
		      .path = s->route.path,
		      .carrier = s->route.carrier,
		      .group = s->route.group,
		      .sender = s->sender,
		      .source = s->route.source,
		      .rule = s->route.rule,
		      .sent = (s->state & (SENT_SENT | SENT_EARLY)) != 0,
		      .delivered = sql_sent_is_delivered(s->state),
		      .complained = (s->state & SENT_COMPLAINED) != 0,
		      .ended = ended > 0 && ended < COUNT_MAX
				   ? counter_name((enum counter)ended)
				   : "" });
}

size_t
store_read_sent(struct store_reader *r, int64_t message, int index,
    void (*each)(void *, const struct sent_row *), void *arg)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_SENT);
	struct str text = STR_INIT;
	struct sent s;
	size_t n = 0;

	bind_int(st, 1, message);
	bind_int(st, 2, index);
	for (; sql_read_next(q, st); n++) {
		read_row(st, &s, &text);
		show(&s, each, arg);
	}
	str_release(&text);
	return n;
}

uint64_t
store_read_sent_size(struct store_reader *r)
{
	struct sql *q = sql_of_reader(r);
	struct stmt *st = sql_stmt(q, SQL_READ_SENT_SIZE);
	uint64_t n = 0;

	if (sql_read_next(q, st)) {
		n = (uint64_t)column_int(st, 0);
		sql_reset(st);
	}
	return n;
}
