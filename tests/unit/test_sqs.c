/*
 * test_sqs.c - feedback from a queue on loopback: taken, settled, deleted, and
 * what becomes of it when the queue, the store or the poller fails.
 */
#include "router/ses/sqs.h"

#include "tests/unit/store_fixture.h"

#include "mta/base/https.h"
#include "router/config.h"
#include "router/ses/amazon_int.h"
#include "router/ses/event.h"
#include "router/ses/feedback.h"

#include <event2/buffer.h>
#include <event2/http.h>

/* -- a queue ------------------------------------------------------------------
 */

#define MESSAGES_MAX 64
#define HELD_MAX     8

struct message_there {
	char *body;
	unsigned receipts;
	bool hidden, deleted;
	enum { DELETE, REFUSE, FAIL } next; /* at its next deletion */
};

static struct queue_there {
	struct evhttp *http;
	char url[100], endpoint[64];
	struct message_there message[MESSAGES_MAX];
	unsigned n;
	struct evhttp_request *held[HELD_MAX]; /* long polls */
	unsigned nheld;
	unsigned receives, deletes; /* requests */
	unsigned entries;	    /* to be deleted, of all requests */
	json_t *last;		    /* ReceiveMessage, as asked */
	unsigned most_pending;	    /* at any ReceiveMessage */

	const char *receive_answer; /* instead of messages; NULL */
	size_t receive_padding;	    /* spaces before it */
	int receive_status;
	unsigned receive_odd; /* how often */
	int delete_status;    /* instead of deleting, with {} */
	unsigned delete_odd;  /* how often */
	bool keeps;	      /* deletes nothing and hides nothing */
} there;

static struct config config = { .sent_keep = INT64_C(15) * 24 * 3600 * 1000 };
static struct amazon amazon;
static struct sqs_poller *poller;

static void
answer(struct evhttp_request *req, int status, const char *text, size_t padding)
{
	struct evbuffer *out = evhttp_request_get_output_buffer(req);
	char spaces[4096];

	memset(spaces, ' ', sizeof(spaces));
	for (; padding >= sizeof(spaces); padding -= sizeof(spaces))
		evbuffer_add(out, spaces, sizeof(spaces));
	evbuffer_add_printf(out, "%s", text);
	evhttp_add_header(evhttp_request_get_output_headers(req),
	    "Content-Type", "application/x-amz-json-1.0");
	evhttp_send_reply(req, status, "as asked", NULL);
}

static void
answer_json(struct evhttp_request *req, json_t *json)
{
	char *text = json_dumps(json, 0);

	answer(req, 200, text, 0);
	free(text);
	json_decref(json);
}

static json_t *
give(unsigned i)
{
	struct message_there *m = &there.message[i];
	char handle[32], id[32], receipts[16];

	m->receipts++;
	m->hidden = !there.keeps;
	snprintf(handle, sizeof(handle), "handle-%u", i);
	snprintf(id, sizeof(id), "message-%u", i);
	snprintf(receipts, sizeof(receipts), "%u", m->receipts);
	return json_pack("{s:s, s:s, s:s, s:{s:s}}", "MessageId", id,
	    "ReceiptHandle", handle, "Body", m->body, "Attributes",
	    "ApproximateReceiveCount", receipts);
}

static bool
give_messages(struct evhttp_request *req, size_t most)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < there.n && json_array_size(list) < most; i++)
		if (!there.message[i].hidden && !there.message[i].deleted)
			json_array_append_new(list, give(i));
	if (json_array_size(list) > 0) {
		answer_json(req, json_pack("{s:o}", "Messages", list));
		return true;
	}
	json_decref(list);
	return false;
}

static void
on_closed(struct evhttp_connection *connection, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < there.nheld; i++)
		if (evhttp_request_get_connection(there.held[i]) ==
		    connection) {
			there.held[i] = there.held[--there.nheld];
			return;
		}
}

static void
on_receive(struct evhttp_request *req, json_t *args)
{
	size_t most = (size_t)json_integer_value(
	    json_object_get(args, "MaxNumberOfMessages"));

	there.receives++;
	if (feedback_pending(amazon.feedback) > there.most_pending)
		there.most_pending = feedback_pending(amazon.feedback);
	json_decref(there.last);
	there.last = json_incref(args);
	if (there.receive_odd > 0) {
		there.receive_odd--;
		answer(req, there.receive_status, there.receive_answer,
		    there.receive_padding);
	} else if (!give_messages(req, most)) {
		assert_true(there.nheld < HELD_MAX);
		there.held[there.nheld++] = req;
		evhttp_connection_set_closecb(
		    evhttp_request_get_connection(req), on_closed, NULL);
	}
}

static void
delete_one(const json_t *entry, json_t *good, json_t *bad)
{
	const char *id = json_string_value(json_object_get(entry, "Id"));
	const char *handle =
	    json_string_value(json_object_get(entry, "ReceiptHandle"));
	struct message_there *m;
	unsigned i;

	if (sscanf(handle, "handle-%u", &i) != 1 || i >= there.n) {
		json_array_append_new(
		    bad, json_pack("{s:s, s:b}", "Id", id, "SenderFault", 1));
		return;
	}
	m = &there.message[i];
	if (m->next != DELETE) {
		json_array_append_new(
		    bad, json_pack("{s:s, s:b}", "Id", id, "SenderFault",
			     m->next == REFUSE));
		m->next = DELETE;
		return;
	}
	m->deleted = !there.keeps;
	json_array_append_new(good, json_pack("{s:s}", "Id", id));
}

static void
on_delete(struct evhttp_request *req, json_t *args)
{
	const json_t *entries = json_object_get(args, "Entries");
	json_t *good, *bad;

	there.deletes++;
	there.entries += (unsigned)json_array_size(entries);
	assert_in_range(json_array_size(entries), 1, 10);
	if (there.delete_odd > 0) {
		there.delete_odd--;
		answer(req, there.delete_status, "{}", 0);
		return;
	}
	good = json_array();
	bad = json_array();
	for (size_t i = 0; i < json_array_size(entries); i++)
		delete_one(json_array_get(entries, i), good, bad);
	answer_json(
	    req, json_pack("{s:o, s:o}", "Successful", good, "Failed", bad));
}

static const char *
header(struct evhttp_request *req, const char *name)
{
	const char *value =
	    evhttp_find_header(evhttp_request_get_input_headers(req), name);

	assert_non_null(value);
	return value;
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t len = evbuffer_get_length(in);
	json_t *args =
	    json_loadb((char *)evbuffer_pullup(in, -1), len, 0, NULL);
	const char *target = header(req, "X-Amz-Target");

	(void)arg;
	assert_int_equal(evhttp_request_get_command(req), EVHTTP_REQ_POST);
	assert_string_equal(evhttp_request_get_uri(req), "/");
	assert_string_equal(
	    header(req, "Content-Type"), "application/x-amz-json-1.0");
	assert_non_null(strstr(
	    header(req, "Authorization"), "/ap-northeast-1/sqs/aws4_request"));
	assert_string_equal(
	    json_string_value(json_object_get(args, "QueueUrl")), there.url);
	if (strcmp(target, "AmazonSQS.ReceiveMessage") == 0)
		on_receive(req, args);
	else if (strcmp(target, "AmazonSQS.DeleteMessageBatch") == 0)
		on_delete(req, args);
	else
		fail_msg("%s", target);
	json_decref(args);
}

/* Long polls are answered as soon as there is something. */
static void
look_again(void)
{
	while (
	    there.nheld > 0 && give_messages(there.held[there.nheld - 1], 10))
		there.nheld--;
}

/* Takes over the body. */
static void
send_to_queue(char *body)
{
	assert_true(there.n < MESSAGES_MAX);
	there.message[there.n++] = (struct message_there){ .body = body };
	look_again();
}

/* Visibility has ended for all that is still there. */
static void
show_all(void)
{
	for (unsigned i = 0; i < there.n; i++)
		there.message[i].hidden = false;
	look_again();
}

static unsigned
deleted(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < there.n; i++)
		n += there.message[i].deleted;
	return n;
}

static void
open_queue(void)
{
	struct evhttp_bound_socket *socket;
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	memset(&there, 0, sizeof(there));
	there.http = evhttp_new(the->base);
	socket = evhttp_bind_socket_with_handle(there.http, "127.0.0.1", 0);
	assert_non_null(socket);
	assert_int_equal(getsockname(evhttp_bound_socket_get_fd(socket),
			     (struct sockaddr *)(void *)&addr, &len),
	    0);
	snprintf(there.endpoint, sizeof(there.endpoint), "http://127.0.0.1:%u",
	    ntohs(addr.sin_port));
	snprintf(there.url, sizeof(there.url), "%s/123456789012/feedback",
	    there.endpoint);
	evhttp_set_gencb(there.http, on_request, NULL);
}

static void
close_queue(void)
{
	evhttp_free(there.http);
	json_decref(there.last);
	for (unsigned i = 0; i < there.n; i++)
		free(there.message[i].body);
}

/* -- the poller ---------------------------------------------------------------
 */

static char key[] = "AKID", secret[] = "secret", name[] = "feedback",
	    region[] = "ap-northeast-1";

static struct config_sqs
section(void)
{
	return (struct config_sqs){ .name = name,
		.queue = there.url,
		.region = region,
		.credentials = { .kind = CREDENTIALS_STATIC,
		    .access_key = key,
		    .secret_key = { secret } },
		.pollers = 1,
		.visibility = 60000,
		.wait = 20000 };
}

static void
start(unsigned pollers)
{
	struct config_sqs c = section();

	c.pollers = pollers;
	poller = sqs_poller_new(&amazon, &c);
}

static int
set_up_queue(void **state)
{
	set_up(state);
	open_queue();
	amazon = (struct amazon){ .base = the->base,
		.inbox = the->inbox,
		.store = the->store,
		.config = &config,
		.lock = PTHREAD_MUTEX_INITIALIZER };
	amazon.https = https_new(the->base);
	amazon.feedback = feedback_intake_new(&amazon);
	return 0;
}

static int
tear_down_queue(void **state)
{
	sqs_poller_free(&poller);
	assert_true(LIST_EMPTY(&amazon.pollers));
	while (feedback_pending(amazon.feedback) > 0)
		event_base_loop(the->base, EVLOOP_ONCE);
	amazon_sites_free(&amazon);
	https_free(&amazon.https);
	feedback_intake_free(&amazon.feedback);
	close_queue();
	return tear_down(state);
}

/* The test's own time limit ends what never comes true. */
#define UNTIL(condition)                                                       \
	while (!(condition))                                                   \
	event_base_loop(the->base, EVLOOP_ONCE)

/* -- messages -----------------------------------------------------------------
 */

static char *
with_quotes(struct str s)
{
	for (char *p = s.data; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return str_detach(&s);
}

/* That message index 0 was delivered, n seconds after it was sent. */
static char *
delivery(int64_t message, unsigned n, int64_t sent_at)
{
	char tag[SES_TAG_ID_MAX], when[25], then[25];
	struct str s = STR_INIT;

	str_addf(&s,
	    "{'eventType':'DeliveryDelay','mail':{'messageId':'0106-x',"
	    "'timestamp':'%s','tags':{'" SES_TAG_ID "':['%s']}},"
	    "'deliveryDelay':{'timestamp':'%s','delayType':'IPFailure'}}\n",
	    clock_iso(sent_at, when),
	    message != 0 ? ses_tag_id(message, 0, tag) : "",
	    clock_iso(sent_at + n * 1000, then));
	return with_quotes(s);
}

/* In an envelope of SNS; takes over the text. */
static char *
wrap(char *message)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
	    "Type", "Notification", "MessageId",
	    "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn",
	    "arn:aws:sns:ap-northeast-1:123456789012:feedback", "Message",
	    message, "Timestamp", "2026-11-22T01:02:03.456Z",
	    "SignatureVersion", "1", "Signature", "bm9uZQ==", "SigningCertURL",
	    "https://sns.ap-northeast-1.amazonaws.com/"
	    "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem");
	char *text = json_dumps(json, 0);

	json_decref(json);
	free(message);
	return text;
}

static size_t
events_of(int64_t message)
{
	struct view *v = look();
	size_t n = 0;

	for (size_t i = 0; i < v->nevents; i++)
		n += v->event[i].message == message &&
		     v->event[i].type == EVENT_DELAY;
	look_away(v);
	return n;
}

struct letters {
	struct store_query query;
	size_t n;
};

static void
see_letter(void *arg, const struct letter_row *row)
{
	(void)arg;
	(void)row;
}

static void
run_letters(struct store_query *q, struct store_reader *r)
{
	struct letters *l = container_of(q, struct letters, query);

	l->n = store_read_letters(r, 0, 1000, see_letter, NULL);
}

static size_t
letters(void)
{
	struct letters l = { .query = { .reply_to = the->inbox,
				 .run = run_letters,
				 .done = on_query_answer } };

	store_query(the->store, &l.query);
	await(1);
	return l.n;
}

/* -- tests --------------------------------------------------------------------
 */

static void
messages_are_settled_and_deleted(void **state)
{
	int64_t id = put(1, clock_wall(), true);
	struct sqs_state s;

	(void)state;
	for (unsigned i = 0; i < 25; i++) {
		char *text = delivery(id, i, clock_wall());
		send_to_queue(i % 2 == 0 ? text : wrap(text));
	}
	start(1);
	UNTIL(deleted() == 25 && there.nheld == 1);
	assert_int_equal(events_of(id), 25);
	assert_int_equal(letters(), 0);
	assert_int_equal(there.entries, 25);
	assert_int_equal(there.receives, 4);
	/* Together, as they are settled. */
	assert_in_range(there.deletes, 3, 10);
	sqs_poller_state(poller, &s);
	assert_string_equal(s.name, "feedback");
	assert_string_equal(s.queue, there.url);
	assert_string_equal(s.trouble, "");
	assert_int_equal(s.received, 25);
	assert_int_equal(s.deleted, 25);
	assert_true(s.received_at > 0);
}

static json_int_t
asked(const char *what)
{
	return json_integer_value(json_object_get(there.last, what));
}

static void
it_is_asked_as_set(void **state)
{
	const json_t *names;

	(void)state;
	start(1);
	UNTIL(there.nheld == 1);
	assert_int_equal(asked("MaxNumberOfMessages"), 10);
	assert_int_equal(asked("WaitTimeSeconds"), 20);
	assert_int_equal(asked("VisibilityTimeout"), 60);
	names = json_object_get(there.last, "MessageSystemAttributeNames");
	assert_int_equal(json_array_size(names), 1);
	assert_string_equal(json_string_value(json_array_get(names, 0)),
	    "ApproximateReceiveCount");
}

static void
a_message_that_comes_late_is_taken_at_once(void **state)
{
	int64_t id = put(1, clock_wall(), true);

	(void)state;
	start(1);
	UNTIL(there.nheld == 1);
	send_to_queue(delivery(id, 0, clock_wall()));
	UNTIL(deleted() == 1);
	assert_int_equal(events_of(id), 1);
}

static void
several_polls_wait_at_once(void **state)
{
	(void)state;
	start(3);
	UNTIL(there.nheld == 3);
	assert_int_equal(there.receives, 3);
}

static void
what_is_early_is_left_until_it_has_come_often(void **state)
{
	(void)state;
	send_to_queue(delivery(0, 0, clock_wall()));
	start(1);
	for (unsigned i = 1; i <= 5; i++) {
		UNTIL(there.message[0].receipts == i && there.nheld == 1 &&
		      feedback_pending(amazon.feedback) == 0);
		assert_int_equal(letters(), 0);
		assert_int_equal(there.deletes, 0);
		show_all();
	}
	UNTIL(deleted() == 1);
	assert_int_equal(there.message[0].receipts, 6);
	assert_int_equal(letters(), 1);
}

static void
what_means_nothing_is_buried_and_deleted(void **state)
{
	static const char *const bodies[] = {
		"no JSON",
		"{}",
		"{\"Records\":[]}",
		"{\"Type\":\"Notification\",\"TopicArn\":\"x\",\"Message\":"
		"\"y\"}",
		"{\"Type\":\"SubscriptionConfirmation\","
		"\"TopicArn\":\"arn:aws:sns:ap-northeast-1:123456789012:t\","
		"\"MessageId\":\"1\",\"Token\":\"2\",\"Message\":\"m\","
		"\"SubscribeURL\":\"https://sns.ap-northeast-1.amazonaws.com/"
		"\","
		"\"Timestamp\":\"2026-11-22T01:02:03.456Z\","
		"\"SignatureVersion\":\"1\",\"Signature\":\"x\","
		"\"SigningCertURL\":\"https://x\"}",
	};
	enum { N = sizeof(bodies) / sizeof(bodies[0]) };

	(void)state;
	for (unsigned i = 0; i < N; i++)
		send_to_queue(xstrdup(bodies[i]));
	send_to_queue(
	    xstrdup("Successfully validated SNS topic for Amazon SES"));
	start(1);
	UNTIL(deleted() == N + 1);
	assert_int_equal(letters(), N);
}

/* -- odd answers --------------------------------------------------------------
 */

static void
answer_once(int status, const char *text)
{
	there.receive_status = status;
	there.receive_answer = text;
	there.receive_odd = 1;
}

static void
odd_messages_do_no_harm(void **state)
{
	static const char *const answers[] = { "{\"Messages\":null}",
		"{\"Messages\":[7,null]}", "{\"Messages\":{\"Body\":\"x\"}}",
		"{}" };
	struct sqs_state s;

	(void)state;
	start(1);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		answer_once(200, answers[i]);
		for (; there.nheld > 0; there.nheld--)
			answer(there.held[there.nheld - 1], 200, "{}", 0);
		UNTIL(there.receive_odd == 0 && there.nheld == 1);
	}
	sqs_poller_state(poller, &s);
	assert_int_equal(s.received, 0);
	assert_string_equal(s.trouble, "");
}

static void
messages_without_parts_are_buried(void **state)
{
	struct sqs_state s;

	(void)state;
	/* Which cannot be deleted, and more than were asked for. */
	answer_once(200,
	    "{\"Messages\":[{},{\"Body\":7,\"ReceiptHandle\":[]},"
	    "{\"Body\":\"x\",\"Attributes\":7},{},{},{},{},{},{},{},"
	    "{},{},{}]}");
	start(1);
	UNTIL(there.entries == 10);
	sqs_poller_state(poller, &s);
	assert_int_equal(s.received, 10);
	UNTIL(there.nheld == 1);
	assert_int_equal(there.entries, 10);
}

static unsigned
lines_with(const char *file, const char *what)
{
	char line[4096];
	unsigned n = 0;
	FILE *fp = fopen(file, "r");

	assert_non_null(fp);
	while (fgets(line, sizeof(line), fp) != NULL)
		n += strstr(line, what) != NULL;
	fclose(fp);
	return n;
}

static void
trouble_is_told_once_and_passes(void **state)
{
	int64_t id = put(1, clock_wall(), true), began = clock_mono();
	struct sqs_state s;
	char file[100];

	(void)state;
	snprintf(file, sizeof(file), "%s/log", the->dir);
	log_set_level(LOG_INFO);
	assert_int_equal(log_open(file, NULL), 0);
	send_to_queue(delivery(id, 0, clock_wall()));
	answer_once(400, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\","
			 "\"message\":\"no such queue\"}");
	there.receive_odd = 2;
	start(1);
	UNTIL(deleted() == 1);
	sqs_poller_state(poller, &s);
	assert_string_equal(s.trouble, "");
	assert_true(s.trouble_at > 0);
	assert_int_equal(log_open(NULL, NULL), 0);
	log_set_level(LOG_ERROR);
	assert_int_equal(lines_with(file, "QueueDoesNotExist"), 1);
	assert_int_equal(lines_with(file, "no such queue"), 1);
	assert_int_equal(lines_with(file, "result=\"well again\""), 1);
	/* A second and two, each less up to a half of it. */
	assert_true(clock_mono() - began >= 1500);
}

static void
no_json_is_trouble(void **state)
{
	struct sqs_state s;

	(void)state;
	answer_once(200, "<html>");
	start(1);
	UNTIL(there.receive_odd == 0);
	do {
		event_base_loop(the->base, EVLOOP_ONCE);
		sqs_poller_state(poller, &s);
	} while (s.trouble[0] == '\0');
	assert_true(s.trouble_at > 0);
	UNTIL(there.nheld == 1);
}

static void
after_an_answer_too_long_they_come_one_by_one(void **state)
{
	int64_t id = put(1, clock_wall(), true);

	(void)state;
	send_to_queue(delivery(id, 0, clock_wall()));
	send_to_queue(delivery(id, 1, clock_wall()));
	answer_once(200, "{\"Messages\":[]}");
	there.receive_padding = (size_t)40 << 20;
	start(1);
	UNTIL(there.message[0].receipts == 1);
	assert_int_equal(asked("MaxNumberOfMessages"), 1);
	UNTIL(deleted() == 2);
	assert_int_equal(asked("MaxNumberOfMessages"), 10);
}

static void
a_queue_that_keeps_everything_is_not_asked_in_haste(void **state)
{
	int64_t began;

	(void)state;
	there.keeps = true;
	send_to_queue(xstrdup("no JSON"));
	start(1);
	UNTIL(there.message[0].receipts == 6);
	began = clock_mono();
	UNTIL(there.message[0].receipts == 8);
	assert_true(clock_mono() - began >= 1800);
	assert_int_equal(letters(), 1);
}

/* -- deleting -----------------------------------------------------------------
 */

static void
a_delete_that_fails_is_tried_again(void **state)
{
	int64_t id = put(1, clock_wall(), true);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		send_to_queue(delivery(id, i, clock_wall()));
	there.delete_status = 503;
	there.delete_odd = 1;
	start(1);
	UNTIL(deleted() == 3);
	assert_int_equal(events_of(id), 3);
	assert_true(there.deletes >= 2);
}

static void
of_a_batch_the_failed_ones_are_tried_again(void **state)
{
	int64_t id = put(1, clock_wall(), true);
	struct sqs_state s;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		send_to_queue(delivery(id, i, clock_wall()));
	there.message[0].next = REFUSE;
	there.message[1].next = FAIL;
	start(1);
	UNTIL(deleted() == 4);
	assert_false(there.message[0].deleted);
	assert_int_equal(there.entries, 6);
	/* What was refused comes again, and is known. */
	UNTIL(there.nheld == 1);
	show_all();
	UNTIL(deleted() == 5);
	assert_int_equal(events_of(id), 5);
	sqs_poller_state(poller, &s);
	assert_int_equal(s.received, 6);
}

static void
after_three_tries_it_is_left_to_come_again(void **state)
{
	int64_t id = put(1, clock_wall(), true);

	(void)state;
	send_to_queue(delivery(id, 0, clock_wall()));
	there.delete_status = 500;
	there.delete_odd = 3;
	start(1);
	UNTIL(there.deletes == 3);
	UNTIL(there.nheld == 1);
	show_all();
	UNTIL(deleted() == 1);
	assert_int_equal(there.deletes, 4);
	assert_int_equal(there.message[0].receipts, 2);
	assert_int_equal(events_of(id), 1);
}

/* -- bounds and ends ----------------------------------------------------------
 */

static void
on_buried(void *arg, enum feedback_end end)
{
	(void)arg;
	assert_int_equal(end, FEEDBACK_LETTERED);
}

static void
nothing_is_asked_for_while_much_is_pending(void **state)
{
	struct feedback_source source = { .name = "flood", .id = "" };

	(void)state;
	for (unsigned i = 0; i < 10 * FEEDBACK_MOST; i++)
		feedback_bury(
		    amazon.feedback, &source, "x", 1, "much", on_buried, NULL);
	start(2);
	UNTIL(there.nheld == 2);
	assert_true(there.most_pending <= FEEDBACK_MOST);
}

static void
it_ends_in_the_middle_of_a_long_poll(void **state)
{
	(void)state;
	start(2);
	UNTIL(there.nheld == 2);
	sqs_poller_free(&poller);
	assert_null(poller);
	/* What would come now, comes to nobody. */
	send_to_queue(xstrdup("no JSON"));
	for (unsigned i = 0; i < 10; i++)
		event_base_loop(the->base, EVLOOP_NONBLOCK);
	assert_int_equal(feedback_pending(amazon.feedback), 0);
	assert_int_equal(letters(), 0);
}

static void
it_ends_while_messages_are_being_settled(void **state)
{
	int64_t id = put(1, clock_wall(), true);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		send_to_queue(delivery(id, i, clock_wall()));
	start(1);
	UNTIL(feedback_pending(amazon.feedback) > 0);
	sqs_poller_free(&poller);
	UNTIL(feedback_pending(amazon.feedback) == 0);
	assert_int_equal(events_of(id), 5);
	assert_int_equal(deleted(), 0);
	/* Another one deletes what is known; the queue may yet give some of it
	 * to a request of the first. */
	start(1);
	while (deleted() < 5) {
		show_all();
		event_base_loop(the->base, EVLOOP_ONCE);
	}
	assert_int_equal(events_of(id), 5);
}

static void
a_poller_knows_its_section(void **state)
{
	static char other[] = "https://sqs.eu-west-1.amazonaws.com/1/x";
	struct config_sqs c = section();
	struct sqs_poller *second;

	(void)state;
	start(1);
	assert_true(sqs_poller_is(poller, &c));
	assert_string_equal(sqs_poller_name(poller), "feedback");
	c.pollers = 2;
	assert_false(sqs_poller_is(poller, &c));
	c = section();
	c.visibility++;
	assert_false(sqs_poller_is(poller, &c));
	c = section();
	c.credentials.access_key = other;
	assert_false(sqs_poller_is(poller, &c));
	c = section();
	c.queue = other;
	assert_false(sqs_poller_is(poller, &c));
	second = sqs_poller_new(&amazon, &c);
	assert_ptr_equal(LIST_FIRST(&amazon.pollers), second);
	assert_ptr_equal(sqs_poller_next(second), poller);
	assert_null(sqs_poller_next(poller));
	sqs_poller_free(&second);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up_queue, tear_down_queue)
	const struct CMUnitTest tests[] = {
		T(messages_are_settled_and_deleted),
		T(it_is_asked_as_set),
		T(a_message_that_comes_late_is_taken_at_once),
		T(several_polls_wait_at_once),
		T(what_is_early_is_left_until_it_has_come_often),
		T(what_means_nothing_is_buried_and_deleted),
		T(odd_messages_do_no_harm),
		T(messages_without_parts_are_buried),
		T(trouble_is_told_once_and_passes),
		T(no_json_is_trouble),
		T(after_an_answer_too_long_they_come_one_by_one),
		T(a_queue_that_keeps_everything_is_not_asked_in_haste),
		T(a_delete_that_fails_is_tried_again),
		T(of_a_batch_the_failed_ones_are_tried_again),
		T(after_three_tries_it_is_left_to_come_again),
		T(nothing_is_asked_for_while_much_is_pending),
		T(it_ends_in_the_middle_of_a_long_poll),
		T(it_ends_while_messages_are_being_settled),
		T(a_poller_knows_its_section),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
