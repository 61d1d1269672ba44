/*
 * test_store.c - the store's interface while nothing goes wrong. Trouble is in
 * test_store_trouble.c, sudden death in test_store_crash.c.
 */
#include "tests/unit/store_fixture.h"

#define DUE INT64_C(1767225600000)

/* -- into and out of the queue ------------------------------------------- */

static void
set(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

static struct store_enqueue *
rich_message(void)
{
	struct store_enqueue *r = new_message(2, DUE, 5000);
	struct recipient *first = TAILQ_FIRST(&r->recipients);
	struct recipient *second = TAILQ_NEXT(first, link);
	struct message *m = r->message;

	set(&m->envid, "QQ314159");
	set(&m->user, "alice");
	set(&m->listener, "submission");
	set(&m->client, "192.0.2.1");
	set(&m->header_from, "example.jp");
	set(&m->message_id, "<1@example.jp>");
	m->ret = 'H';
	m->body_8bit = m->smtputf8 = true;
	m->header_size = 321;
	first->notify = 6;
	first->irregular = first->utf8 = true;
	set(&first->orcpt, "rfc822;taro@docomo.ne.jp");
	second->route = to_ses;
	second->due = DUE + 1;
	second->shelf = 65535;
	return r;
}

static void
all_of_a_message_comes_back(void **state)
{
	struct store_enqueue *r = rich_message();
	struct store_lease l;
	struct recipient *got;
	struct message *m;

	(void)state;
	assert_int_equal(ask_enqueue(r), STORE_OK);
	ask_lease(&l, 7, DUE, 10);
	assert_int_equal(l.n, 1);
	assert_true(l.next_due == INT64_MAX);
	got = TAILQ_FIRST(&l.recipients);
	m = got->message;
	assert_int_equal(m->id, r->message->id);
	assert_int_equal(m->received, DUE);
	assert_string_equal(m->from, "news@example.jp");
	assert_string_equal(m->from_domain, "example.jp");
	assert_string_equal(m->envid, "QQ314159");
	assert_string_equal(m->user, "alice");
	assert_string_equal(m->listener, "submission");
	assert_string_equal(m->client, "192.0.2.1");
	assert_string_equal(m->header_from, "example.jp");
	assert_string_equal(m->message_id, "<1@example.jp>");
	assert_int_equal(m->ret, 'H');
	assert_true(m->body_8bit && m->smtputf8);
	assert_int_equal(m->size, 5000);
	assert_int_equal(m->header_size, 321);
	assert_int_equal(m->nrcpt, 2);
	assert_null(m->body);
	assert_int_equal(got->index, 0);
	assert_string_equal(got->address, "user0@docomo.ne.jp");
	assert_string_equal(got->domain, "docomo.ne.jp");
	assert_string_equal(got->orcpt, "rfc822;taro@docomo.ne.jp");
	assert_int_equal(got->notify, 6);
	assert_true(got->irregular && got->utf8);
	assert_string_equal(got->route.path, "mta");
	assert_string_equal(got->route.pool, "keitai");
	assert_string_equal(got->route.source, "s1");
	assert_string_equal(got->route.carrier, "docomo");
	assert_string_equal(got->route.group, "docomo");
	assert_string_equal(got->route.rule, "keitai");
	assert_string_equal(got->route.ruleset, "v1");
	assert_string_equal(got->route.configuration_set, "");
	assert_int_equal(got->shelf, 7);
	assert_int_equal(got->due, DUE);
	assert_int_equal(got->expires, DUE + 1000000);
	assert_int_equal(got->attempts, 0);
	assert_false(got->unread || got->delay_told);
	assert_string_equal(got->last, "");
	free_recipients(&l.recipients);
	free_message(r);
}

static void
an_outside_group_is_not_interned(void **state)
{
	struct store_enqueue *r = new_message(1, DUE, 10);
	struct recipient *got, *put_in = TAILQ_FIRST(&r->recipients);
	struct store_lease l;

	(void)state;
	put_in->route.group = put_in->domain;
	assert_int_equal(ask_enqueue(r), STORE_OK);
	ask_lease(&l, 7, DUE, 10);
	got = TAILQ_FIRST(&l.recipients);
	assert_ptr_equal(got->route.group, got->domain);
	free_recipients(&l.recipients);
	free_message(r);
}

static void
assert_body(struct body *b, size_t size)
{
	char *buf = xmalloc(size + 1);

	assert_non_null(b);
	assert_int_equal(body_size(b), size);
	assert_int_equal(body_read(b, 0, buf, size + 1), size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(buf[i], 'x');
	free(buf);
	body_unref(&b);
}

static bool
spool_has(int64_t id)
{
	const char *dir = store_spool_directory(the->store);
	char path[200], name[MESSAGE_ID_TEXT];

	if (dir == NULL) /* bodies are rows */
		return false;
	snprintf(path, sizeof(path), "%s/%s", dir, message_id_text(id, name));
	return access(path, F_OK) == 0;
}

static void
a_body_lives_as_long_as_its_last_recipient(void **state)
{
	static const size_t size[] = { 0, 1, 5000, BODY_INLINE_MAX,
		BODY_INLINE_MAX + 1, 1000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		struct store_enqueue *r = new_message(2, DUE, size[i]);
		int64_t id = r->message->id;
		bool spooled = size[i] > BODY_INLINE_MAX &&
			       store_spool_directory(the->store) != NULL;
		struct body *b;

		r->leased = true;
		assert_int_equal(ask_enqueue(r), STORE_OK);
		free_message(r);
		assert_int_equal(spool_has(id), spooled);
		assert_int_equal(ask_begin(id, 0, &to_docomo, &b), STORE_OK);
		assert_body(b, size[i]);
		settle_final(id, 0);
		assert_int_equal(ask_begin(id, 1, &to_docomo, &b), STORE_OK);
		assert_body(b, size[i]);
		settle_final(id, 1);
		/* The file is removed at leisure; closing waits for it. */
		assert_int_equal(fixture_reopen(NULL), 0);
		assert_false(spool_has(id));
		assert_int_equal(the->recovery.orphans, 0);
		assert_int_equal(the->recovery.queued, 0);
	}
}

static void
an_id_that_is_taken_is_rejected_alone(void **state)
{
	struct store_enqueue *r[3];
	struct view *v;

	(void)state;
	for (int i = 0; i < 3; i++)
		r[i] = new_message(1, DUE, 100);
	r[1]->message->id = r[0]->message->id;
	for (int i = 0; i < 3; i++)
		store_enqueue(the->store, r[i]);
	await(3);
	assert_int_equal(r[0]->req.status, STORE_OK);
	assert_int_equal(r[1]->req.status, STORE_REJECTED);
	assert_string_not_equal(r[1]->req.err.text, "");
	assert_int_equal(r[2]->req.status, STORE_OK);
	v = look();
	assert_int_equal(v->nrecipients, 2);
	assert_int_equal(count_of(v, "mta", COUNT_ACCEPTED), 2);
	look_away(v);
	for (int i = 0; i < 3; i++)
		free_message(r[i]);
}

/* -- attempts ------------------------------------------------------------ */

static void
accepted_moves_with_the_route(void **state)
{
	int64_t id = put(2, DUE, true);
	struct settlement s;
	struct view *v;

	(void)state;
	assert_int_equal(ask_begin(id, 0, &to_ses, NULL), STORE_OK);
	v = look();
	assert_int_equal(count_of(v, "mta", COUNT_ACCEPTED), 1);
	assert_int_equal(count_of(v, "ses", COUNT_ACCEPTED), 1);
	assert_int_equal(v->recipient[0].state, RCPT_SENDING);
	assert_string_equal(v->recipient[0].path, "ses");
	assert_string_equal(v->recipient[0].set, "set1");
	assert_int_equal(v->recipient[1].state, RCPT_LEASED);
	assert_equation(v);
	look_away(v);

	s = settlement(id, 1, SETTLE_FINAL, 1u << COUNT_BOUNCED);
	s.route = &to_ses;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	v = look();
	assert_int_equal(count_of(v, "mta", COUNT_ACCEPTED), 0);
	assert_int_equal(count_of(v, "ses", COUNT_ACCEPTED), 2);
	assert_int_equal(count_of(v, "ses", COUNT_BOUNCED), 1);
	assert_equation(v);
	look_away(v);
}

static void
the_attempt_that_ended_it_has_an_event_too(void **state)
{
	int64_t id = put(1, DUE, true);
	struct settlement s = settlement(
	    id, 0, SETTLE_FINAL, 1u << COUNT_UNREAD | 1u << COUNT_EXPIRED);
	struct view *v;

	(void)state;
	s.before = EVENT_UNREAD;
	s.event = EVENT_EXPIRED;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	v = look();
	assert_int_equal(v->nrecipients, 0);
	assert_int_equal(v->nevents, 2);
	assert_int_equal(v->event[0].type, EVENT_UNREAD);
	assert_int_equal(v->event[1].type, EVENT_EXPIRED);
	assert_int_equal(count_of(v, "mta", COUNT_UNREAD), 1);
	look_away(v);
}

static void
a_settlement_tells_all_in_its_event(void **state)
{
	int64_t id = put(1, DUE, true);
	struct settlement s = settlement(
	    id, 0, SETTLE_FINAL, 1u << COUNT_BOUNCED | 1u << COUNT_COMPLAINED);
	struct outcome o;
	struct view *v;

	(void)state;
	outcome_set(&o, SCOPE_RECIPIENT, STAGE_RCPT, true, "Unknown user '%s'",
	    "x; DROP TABLE event");
	o.code = 550;
	strcpy(o.enhanced, "5.1.1");
	s.event = EVENT_BOUNCE;
	s.outcome = &o;
	s.reason = "userunknown";
	s.peer = "mfsmax.docomo.ne.jp[203.0.113.5]:25";
	s.remote_id = "010001";
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	v = look();
	assert_int_equal(v->nrecipients, 0);
	assert_int_equal(v->nevents, 1);
	assert_int_equal(v->event[0].message, id);
	assert_int_equal(v->event[0].type, EVENT_BOUNCE);
	assert_int_equal(v->event[0].code, 550);
	assert_string_equal(v->event[0].enhanced, "5.1.1");
	assert_string_equal(v->event[0].stage, "rcpt");
	assert_string_equal(
	    v->event[0].text, "Unknown user 'x; DROP TABLE event'");
	assert_string_equal(v->event[0].reason, "userunknown");
	assert_string_equal(v->event[0].peer, s.peer);
	assert_string_equal(v->event[0].remote_id, "010001");
	assert_string_equal(v->event[0].recipient, "user@docomo.ne.jp");
	assert_string_equal(v->event[0].sender, "example.jp");
	assert_string_equal(v->event[0].group, "docomo");
	assert_int_equal(count_of(v, "mta", COUNT_BOUNCED), 1);
	assert_int_equal(count_of(v, "mta", COUNT_COMPLAINED), 1);
	assert_equation(v);
	look_away(v);
}

static void
a_retry_waits_and_a_return_is_as_before(void **state)
{
	int64_t id = put(2, DUE, true);
	struct settlement retry =
	    settlement(id, 0, SETTLE_RETRY, 1u << COUNT_DEFERRED);
	struct settlement back = settlement(id, 1, SETTLE_RETURN, 0);
	struct view *v;

	(void)state;
	retry.due = DUE + 300000;
	retry.shelf = 12;
	retry.unread = retry.delay_told = true;
	retry.last = "450 4.2.0 later";
	back.due = DUE + 5;
	back.shelf = 13;
	back.route = NULL;
	back.sender = NULL;
	assert_int_equal(ask_settle(&retry, NULL), STORE_OK);
	assert_int_equal(ask_settle(&back, NULL), STORE_OK);
	retry.last = NULL;
	assert_int_equal(ask_settle(&retry, NULL), STORE_OK);
	v = look();
	assert_int_equal(v->recipient[0].state, RCPT_WAITING);
	assert_int_equal(v->recipient[0].attempts, 2);
	assert_int_equal(v->recipient[0].due, DUE + 300000);
	assert_int_equal(v->recipient[0].shelf, 12);
	assert_true(v->recipient[0].unread && v->recipient[0].delay_told);
	assert_string_equal(v->recipient[0].last, "450 4.2.0 later");
	assert_int_equal(v->recipient[1].state, RCPT_WAITING);
	assert_int_equal(v->recipient[1].attempts, 0);
	assert_int_equal(v->recipient[1].due, DUE + 5);
	assert_int_equal(v->recipient[1].shelf, 13);
	assert_false(v->recipient[1].unread || v->recipient[1].delay_told);
	assert_int_equal(count_of(v, "mta", COUNT_DEFERRED), 2);
	assert_int_equal(v->nevents, 0);
	assert_equation(v);
	look_away(v);
}

static void
what_is_settled_is_skipped(void **state)
{
	int64_t id = put(1, DUE, true);
	struct settlement s = settlement(id, 0, SETTLE_FINAL, 1u << COUNT_SENT);
	unsigned skipped;
	struct view *v;

	(void)state;
	s.event = EVENT_DELIVERY;
	assert_int_equal(ask_settle(&s, &skipped), STORE_OK);
	assert_int_equal(skipped, 0);
	assert_int_equal(ask_settle(&s, &skipped), STORE_OK);
	assert_int_equal(skipped, 1);
	assert_int_equal(ask_begin(id, 0, &to_docomo, NULL), STORE_REJECTED);
	v = look();
	assert_int_equal(count_of(v, "mta", COUNT_SENT), 1);
	assert_int_equal(v->nevents, 1);
	look_away(v);
}

static void
a_notice_comes_with_its_settlement_or_not_at_all(void **state)
{
	int64_t id = put(1, DUE, true), taken = put(1, DUE, true);
	struct store_enqueue *dsn = new_message(1, DUE + 9, 200000);
	struct settlement s =
	    settlement(id, 0, SETTLE_FINAL, 1u << COUNT_BOUNCED);
	int64_t own = dsn->message->id;
	struct view *v;

	(void)state;
	message_set_from(dsn->message, "");
	s.event = EVENT_BOUNCE;
	s.notice = dsn->message;
	s.notice_to = TAILQ_FIRST(&dsn->recipients);
	dsn->message->id = taken; /* so the whole settlement must fail */
	assert_int_equal(ask_settle(&s, NULL), STORE_REJECTED);
	v = look();
	assert_int_equal(v->nrecipients, 2);
	assert_int_equal(v->recipient[0].message, id);
	assert_int_equal(v->nevents, 0);
	assert_int_equal(count_of(v, "mta", COUNT_BOUNCED), 0);
	assert_equation(v);
	look_away(v);

	dsn->message->id = own;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	v = look();
	assert_int_equal(v->nrecipients, 2);
	assert_int_equal(v->recipient[0].message, taken);
	assert_int_equal(v->recipient[1].message, own);
	assert_int_equal(v->recipient[1].state, RCPT_WAITING);
	assert_int_equal(v->recipient[1].due, DUE + 9);
	assert_int_equal(v->nevents, 1);
	assert_int_equal(count_of(v, "mta", COUNT_ACCEPTED), 3);
	assert_equation(v);
	look_away(v);
	free_message(dsn);
}

/* -- leases -------------------------------------------------------------- */

static void
a_lease_takes_what_is_due_earliest_first(void **state)
{
	static const int64_t due[] = { 50, 10, 40, 20, 30 };
	struct store_lease l;
	struct recipient *r;
	int64_t last = 0;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		put(2, due[i], false);
	ask_lease(&l, 8, 100, 10);
	assert_int_equal(l.n, 0);
	ask_lease(&l, 7, 9, 10);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.next_due, 10);
	ask_lease(&l, 7, 40, 5);
	assert_int_equal(l.n, 5);
	assert_int_equal(l.next_due, 30);
	TAILQ_FOREACH(r, &l.recipients, link)
	{
		assert_true(r->due >= last && r->due <= 30);
		last = r->due;
	}
	r = TAILQ_FIRST(&l.recipients);
	assert_ptr_equal(r->message, TAILQ_NEXT(r, link)->message);
	free_recipients(&l.recipients);
	ask_lease(&l, 7, 40, 100);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.next_due, 50);
	free_recipients(&l.recipients);
	ask_lease(&l, 7, 40, 100);
	assert_int_equal(l.n, 0);
}

struct shelves {
	unsigned n, shelf[10];
	int64_t due[10];
};

static void
see_shelf(void *arg, unsigned shelf, int64_t due)
{
	struct shelves *s = arg;

	s->shelf[s->n] = shelf;
	s->due[s->n++] = due;
}

static void
every_shelf_is_shown_once(void **state)
{
	static const struct {
		unsigned shelf;
		int64_t due;
	} row[] = { { 0, 5 }, { 65535, 9 }, { 7, 4 }, { 7, 3 }, { 0, 6 } };
	struct shelves s = { 0 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct store_enqueue *r = new_message(1, row[i].due, 10);

		TAILQ_FIRST(&r->recipients)->shelf = row[i].shelf;
		assert_int_equal(ask_enqueue(r), STORE_OK);
		free_message(r);
	}
	put(1, 1, true);
	store_each_shelf(the->store, see_shelf, &s);
	assert_int_equal(s.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned shelf[] = { 0, 7, 65535 };
		static const int64_t due[] = { 5, 3, 9 };

		assert_int_equal(s.shelf[i], shelf[i]);
		assert_int_equal(s.due[i], due[i]);
	}
}

/* -- restarts ------------------------------------------------------------ */

static void
a_restart_takes_back_what_was_in_memory(void **state)
{
	int64_t waiting = put(1, DUE * 2, false), leased = put(1, DUE, true);
	int64_t sending = put(2, DUE * 2, true);
	struct view *v;

	(void)state;
	assert_int_equal(ask_begin(sending, 0, &to_ses, NULL), STORE_OK);
	assert_int_equal(fixture_reopen(NULL), 0);
	/* A node among others gives it back itself when it leaves. */
	if (the->url == NULL) {
		assert_int_equal(the->recovery.queued, 4);
		assert_int_equal(the->recovery.returned, 2);
		assert_int_equal(the->recovery.unread, 1);
	}
	v = look();
	assert_int_equal(v->nrecipients, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct seen_recipient *s = &v->recipient[i];
		bool flagged = s->message == sending && s->index == 0;

		assert_int_equal(s->state, RCPT_WAITING);
		assert_int_equal(s->unread, flagged);
		assert_int_equal(s->attempts, flagged);
		if (s->message == waiting)
			assert_int_equal(s->due, DUE * 2);
		else if (s->message == leased)
			assert_int_equal(s->due, DUE);
		else
			assert_true(s->due <= clock_wall());
	}
	assert_int_equal(count_of(v, "ses", COUNT_UNREAD), 1);
	assert_int_equal(count_of(v, "mta", COUNT_UNREAD), 0);
	assert_int_equal(v->nevents, 1);
	assert_int_equal(v->event[0].type, EVENT_UNREAD);
	assert_string_equal(v->event[0].recipient, "user0@docomo.ne.jp");
	assert_string_equal(v->event[0].path, "ses");
	assert_equation(v);
	look_away(v);

	assert_int_equal(fixture_reopen(NULL), 0);
	assert_int_equal(the->recovery.unread, 0);
	assert_int_equal(the->recovery.returned, 0);
}

static void
orphans_are_swept_and_only_they(void **state)
{
	struct store_enqueue *kept = new_message(1, DUE, 200000);
	struct store_enqueue *orphan = new_message(1, DUE, 200000);
	int64_t keep = kept->message->id, lose = orphan->message->id;

	(void)state;
	assert_int_equal(ask_enqueue(kept), STORE_OK);
	assert_true(spool_has(keep) && spool_has(lose));
	free_message(kept);
	free_message(orphan);
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_int_equal(the->recovery.orphans, 1);
	assert_true(spool_has(keep));
	assert_false(spool_has(lose));
}

/* -- operators ----------------------------------------------------------- */

static int64_t
put_to(const char *address, const struct route *route, const char *from)
{
	struct store_enqueue *r = new_message(1, DUE, 10);
	struct recipient *old = TAILQ_FIRST(&r->recipients), *rcpt;
	int64_t id = r->message->id;

	message_set_from(r->message, from);
	rcpt = recipient_new(r->message, 0, address);
	rcpt->route = *route;
	rcpt->due = DUE;
	rcpt->shelf = 7;
	TAILQ_REMOVE(&r->recipients, old, link);
	recipient_free(&old);
	TAILQ_INSERT_TAIL(&r->recipients, rcpt, link);
	assert_int_equal(ask_enqueue(r), STORE_OK);
	free_message(r);
	return id;
}

static void
a_filter_matches_what_it_says(void **state)
{
	static const struct {
		struct queue_filter f;
		const char *expected; /* letters of the messages that match */
	} row[] = {
		{ { .index = -1 }, "abcde" },
		{ { .index = -1, .limit = 2 }, "ab" },
		{ { .index = 0 }, "abcde" },
		{ { .index = 1 }, "" },
		{ { .index = -1, .to = "B@Example.com" }, "b" },
		{ { .index = -1, .to = "%" }, "" },
		{ { .index = -1, .domain = "example.com" }, "abd" },
		{ { .index = -1, .domain = "mail.example.com" }, "d" },
		{ { .index = -1, .domain = "ample.com" }, "" },
		{ { .index = -1, .domain = "com" }, "abde" },
		{ { .index = -1, .domain = "EXAMPLE.COM" }, "abd" },
		{ { .index = -1, .domain = "' OR 1=1 --" }, "" },
		{ { .index = -1, .sender = "example.jp" }, "ab" },
		{ { .index = -1, .sender = "two@example.jp" }, "b" },
		{ { .index = -1, .path = "mta" }, "c" },
		{ { .index = -1, .path = "ses", .domain = "example.com" },
		    "abd" },
		{ { .index = -1, .carrier = "docomo" }, "c" },
		{ { .index = -1, .to = "", .domain = "", .sender = "" },
		    "abcde" },
	};
	int64_t id[5];

	(void)state;
	id[0] = put_to("a@example.com", &to_ses, "one@example.jp");
	id[1] = put_to("b@example.com", &to_ses, "two@example.jp");
	id[2] = put_to("c@docomo.ne.jp", &to_docomo, "x@example.net");
	id[3] = put_to("d@mail.example.com", &to_ses, "");
	id[4] = put_to("e@notexample.com", &to_ses, "x@sub.example.org");
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct view *v = xcalloc(1, sizeof(*v));

		v->filter = row[i].f;
		look_at(v);
		assert_int_equal(v->nrecipients, strlen(row[i].expected));
		for (size_t k = 0; k < v->nrecipients; k++)
			assert_int_equal(v->recipient[k].message,
			    id[row[i].expected[k] - 'a']);
		look_away(v);
		/* An edit finds the same ones. */
		assert_int_equal(ask_edit(row[i].f, false, DUE - 1),
		    strlen(row[i].expected));
	}
	assert_int_equal(
	    ask_edit((struct queue_filter){ .index = -1, .message = id[2] },
		true, DUE),
	    1);
}

static void
a_retry_by_hand_is_due_at_once(void **state)
{
	int64_t late = put(1, DUE + 5000, false), soon = put(1, DUE - 5, false);
	struct view *v;

	(void)state;
	put(1, DUE + 5000, true);
	assert_int_equal(
	    ask_edit((struct queue_filter){ .index = -1 }, false, DUE), 2);
	v = look();
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(v->recipient[i].due,
		    v->recipient[i].message == late   ? DUE
		    : v->recipient[i].message == soon ? DUE - 5
						      : DUE + 5000);
	look_away(v);
}

static void
a_deletion_is_counted_and_told(void **state)
{
	struct store_enqueue *large = new_message(2, DUE, 200000);
	int64_t id = large->message->id, other = put(1, DUE, true);
	struct view *v;

	(void)state;
	assert_int_equal(ask_enqueue(large), STORE_OK);
	free_message(large);
	assert_int_equal(
	    ask_edit((struct queue_filter){ .index = -1 }, true, DUE), 2);
	v = look();
	assert_int_equal(v->nrecipients, 1);
	assert_int_equal(v->recipient[0].message, other);
	assert_int_equal(count_of(v, "mta", COUNT_REMOVED), 2);
	assert_int_equal(v->nevents, 2);
	assert_int_equal(v->event[0].type, EVENT_REMOVED);
	assert_int_equal(v->event[0].message, id);
	assert_string_equal(v->event[1].recipient, "user1@docomo.ne.jp");
	assert_equation(v);
	look_away(v);
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_false(spool_has(id));
}

static void
a_long_queue_is_edited_in_slices(void **state)
{
	struct store_enqueue *r[40];
	struct view *v;

	(void)state;
	for (int i = 0; i < 40; i++) {
		r[i] = new_message(90, DUE, 10);
		store_enqueue(the->store, r[i]);
	}
	await(40);
	for (int i = 0; i < 40; i++)
		free_message(r[i]);
	assert_int_equal(ask_edit((struct queue_filter){ .index = -1,
				      .to = "user89@docomo.ne.jp" },
			     true, DUE),
	    40);
	assert_int_equal(
	    ask_edit(
		(struct queue_filter){ .index = -1, .limit = 1500 }, true, DUE),
	    1500);
	v = look();
	assert_int_equal(v->nrecipients, 40 * 89 - 1500);
	assert_equation(v);
	look_away(v);
	assert_int_equal(
	    ask_edit((struct queue_filter){ .index = -1 }, true, DUE),
	    40 * 89 - 1500);
}

/* -- events -------------------------------------------------------------- */

static void
events_are_read_from_a_cursor(void **state)
{
	int64_t id[5], second, third;
	struct view *v;

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct settlement s;

		id[i] = put(1, DUE, true);
		s = settlement(id[i], 0, SETTLE_FINAL, 1u << COUNT_SENT);
		s.event = EVENT_SEND;
		assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	}
	v = look();
	assert_int_equal(v->nevents, 5);
	for (int i = 1; i < 5; i++)
		assert_true(v->event[i].seq > v->event[i - 1].seq);
	second = v->event[1].seq;
	third = v->event[2].seq;
	look_away(v);
	v = xcalloc(1, sizeof(*v));
	v->filter.index = -1;
	v->events_after = second;
	look_at(v);
	assert_int_equal(v->nevents, 3);
	assert_int_equal(v->event[0].seq, third);
	assert_int_equal(v->event[0].message, id[2]);
	look_away(v);
	v = xcalloc(1, sizeof(*v));
	v->events_of = id[3];
	look_at(v);
	assert_int_equal(v->nevents, 1);
	assert_int_equal(v->event[0].message, id[3]);
	look_away(v);
}

static void
old_events_go_and_numbers_are_never_used_again(void **state)
{
	struct view *v;
	int64_t last;

	(void)state;
	for (int i = 0; i < 4; i++) {
		int64_t id = put(1, DUE, true);
		struct settlement s =
		    settlement(id, 0, SETTLE_FINAL, 1u << COUNT_SENT);

		s.event = EVENT_SEND;
		s.at = 1000;
		assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	}
	v = look();
	last = v->event[3].seq;
	look_away(v);
	the->config.event_keep = 60000;
	assert_int_equal(fixture_reopen(NULL), 0);
	put(1, DUE, true); /* its commit, at the latest, comes after the trim */
	v = look();
	assert_int_equal(v->nevents, 1);
	assert_int_equal(v->event[0].seq, last);
	look_away(v);
}

/* -- a random workload against a model ----------------------------------- */

enum { MODEL = 300 };
static const struct route *const routes[] = { &to_docomo, &to_ses };

struct model {
	int64_t id[MODEL];
	unsigned state[MODEL]; /* enum recipient_state; 9: gone */
	unsigned route[MODEL];
	int64_t due[MODEL];
	unsigned attempts[MODEL];
	int64_t n[2][COUNT_MAX];
};

static void
model_step(struct model *m, unsigned i)
{
	unsigned route = (unsigned)random() % 2;
	struct settlement s;
	static const enum counter ends[] = { COUNT_SENT, COUNT_BOUNCED,
		COUNT_FILTERED, COUNT_EXPIRED, COUNT_SUPPRESSED };
	enum counter end = ends[random() % 5];

	if (m->state[i] != RCPT_LEASED && m->state[i] != RCPT_SENDING)
		return;
	s = settlement(m->id[i], 0, SETTLE_FINAL, 1u << end);
	s.route = routes[route];
	m->n[m->route[i]][COUNT_ACCEPTED]--;
	m->route[i] = route;
	m->n[route][COUNT_ACCEPTED]++;
	switch (random() % 4) {
	case 0:
		assert_int_equal(
		    ask_begin(m->id[i], 0, routes[route], NULL), STORE_OK);
		m->state[i] = RCPT_SENDING;
		return;
	case 1:
		s.as = SETTLE_RETRY;
		s.counters = 1u << COUNT_DEFERRED;
		s.due = m->due[i] = random() % 1000;
		s.shelf = 7;
		m->state[i] = RCPT_WAITING;
		m->attempts[i]++;
		m->n[route][COUNT_DEFERRED]++;
		break;
	case 2:
		s.as = SETTLE_RETURN;
		s.counters = 0;
		s.due = m->due[i] = random() % 1000;
		s.shelf = 7;
		m->state[i] = RCPT_WAITING;
		break;
	default:
		m->state[i] = 9;
		m->n[route][end]++;
		break;
	}
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
}

static void
model_lease(struct model *m)
{
	int64_t now = random() % 1000;
	struct store_lease l;
	struct recipient *r;

	ask_lease(&l, 7, now, 3);
	TAILQ_FOREACH(r, &l.recipients, link)
	{
		unsigned i = 0;

		while (m->id[i] != r->message->id)
			i++;
		assert_int_equal(m->state[i], RCPT_WAITING);
		assert_int_equal(m->due[i], r->due);
		assert_true(r->due <= now);
		m->state[i] = RCPT_LEASED;
	}
	free_recipients(&l.recipients);
}

static void
assert_model(const struct model *m, unsigned made)
{
	static const char *const path[] = { "mta", "ses" };
	struct view *v = look();
	size_t k = 0;

	assert_equation(v);
	for (unsigned i = 0; i < made; i++) {
		const struct seen_recipient *s = &v->recipient[k];

		if (m->state[i] == 9)
			continue;
		assert_int_equal(s->message, m->id[i]);
		assert_int_equal(s->state, m->state[i]);
		assert_int_equal(s->due, m->due[i]);
		assert_int_equal(s->attempts, m->attempts[i]);
		assert_string_equal(s->path, path[m->route[i]]);
		k++;
	}
	assert_int_equal(v->nrecipients, k);
	for (int r = 0; r < 2; r++)
		for (int c = 0; c < COUNT_MAX; c++)
			assert_int_equal(
			    count_of(v, path[r], (enum counter)c), m->n[r][c]);
	look_away(v);
}

static void
any_workload_leaves_what_the_model_says(void **state)
{
	struct model m = { 0 };

	(void)state;
	srandom(4711);
	for (unsigned i = 0; i < MODEL; i++) {
		m.due[i] = random() % 1000;
		m.state[i] = (unsigned)random() % 2;
		m.id[i] = put(1, m.due[i], m.state[i] == RCPT_LEASED);
		m.n[0][COUNT_ACCEPTED]++;
		for (int k = 0; k < 3; k++)
			model_step(&m, (unsigned)random() % (i + 1));
		if (i % 3 == 0)
			model_lease(&m);
		if (i % 50 == 49)
			assert_model(&m, i + 1);
	}
}

/* -- names --------------------------------------------------------------- */

static void
names_are_those_of_the_outside(void **state)
{
	(void)state;
	assert_string_equal(counter_name(COUNT_ACCEPTED), "accepted");
	assert_string_equal(counter_name(COUNT_UNREAD), "unread");
	for (int c = 0; c < COUNT_MAX; c++)
		assert_non_null(counter_name((enum counter)c));
	assert_string_equal(event_type_name(EVENT_NONE), "");
	assert_string_equal(event_type_name(EVENT_DELAY), "DeliveryDelay");
	assert_string_equal(event_type_name(EVENT_UNREAD), "Unread");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(all_of_a_message_comes_back),
		T(an_outside_group_is_not_interned),
		T(a_body_lives_as_long_as_its_last_recipient),
		T(an_id_that_is_taken_is_rejected_alone),
		T(accepted_moves_with_the_route),
		T(the_attempt_that_ended_it_has_an_event_too),
		T(a_settlement_tells_all_in_its_event),
		T(a_retry_waits_and_a_return_is_as_before),
		T(what_is_settled_is_skipped),
		T(a_notice_comes_with_its_settlement_or_not_at_all),
		T(a_lease_takes_what_is_due_earliest_first),
		T(every_shelf_is_shown_once),
		T(a_restart_takes_back_what_was_in_memory),
		SQLITE_OWN(orphans_are_swept_and_only_they,
		    "elsewhere bodies are rows"),
		T(a_filter_matches_what_it_says),
		T(a_retry_by_hand_is_due_at_once),
		T(a_deletion_is_counted_and_told),
		T(a_long_queue_is_edited_in_slices),
		T(events_are_read_from_a_cursor),
		T(old_events_go_and_numbers_are_never_used_again),
		T(any_workload_leaves_what_the_model_says),
		T(names_are_those_of_the_outside),
	};

	return RUN_STORE_TESTS(tests);
}
