/*
 * sqs_actions.c - the sandbox's SQS in the JSON protocol.
 */
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/sqs_int.h"

#include <event2/http.h>
#include <string.h>

#define JSON_TYPE  "application/x-amz-json-1.0"
#define TARGET	   "AmazonSQS."
#define BATCH_MOST 10
#define BODY_MOST  1048576 /* bytes, of one message */
#define QUEUE_URL  "https://sqs." AWS_REGION ".amazonaws.com/" AWS_ACCOUNT "/"

/* --- answers --- */

void
sqs_answer(struct aws_exchange *x, const struct str *members)
{
	struct str o = STR_INIT;

	json_open(&o, NULL, '{');
	str_add(&o, members->data, members->len);
	json_close(&o, '}');
	aws_reply(x, 200, JSON_TYPE, o.data, o.len);
	str_release(&o);
}

int
sqs_refuse(struct call *c, const char *type, const char *message)
{
	struct str full = STR_INIT;

	str_addf(&full, "com.amazonaws.sqs#%s", type);
	aws_reply_error(c->x, 400, full.data, message);
	str_release(&full);
	return -1;
}

static int
refuse_queue(struct call *c)
{
	evhttp_add_header(evhttp_request_get_output_headers(c->x->http),
	    "x-amzn-query-error",
	    "AWS.SimpleQueueService.NonExistentQueue;Sender");
	return sqs_refuse(
	    c, "QueueDoesNotExist", "The specified queue does not exist.");
}

const char *
sqs_text(const json_t *o, const char *name)
{
	const char *value = json_string_value(json_object_get(o, name));

	return value != NULL ? value : "";
}

/* --- actions on one entry, alone or in a batch --- */

/* NULL, or the code of what is wrong; members of the answer go to `o`. */
struct entry {
	struct call *call;
	const json_t *in;
	struct str *o;
};
typedef const char *entry_action(const struct entry *);

static const char *
send_entry(const struct entry *y)
{
	const char *body = sqs_text(y->in, "MessageBody");
	struct sqs_queue *q = y->call->queue->messages;
	struct sqs_body *b;
	struct str id = STR_INIT;

	if (*body == '\0')
		return "MissingParameter";
	if (strlen(body) > BODY_MOST)
		return "InvalidParameterValue";
	b = sqs_body_new(body, strlen(body));
	sqs_queue_push(q, b);
	sqs_number_id(sqs_queue_last(q), &id);
	json_str(y->o, "MessageId", id.data);
	json_str(y->o, "MD5OfMessageBody", b->md5);
	sqs_body_unref(&b);
	str_release(&id);
	return NULL;
}

static const char *
delete_entry(const struct entry *y)
{
	return sqs_queue_remove(y->call->queue->messages,
		   sqs_text(y->in, "ReceiptHandle"),
		   y->call->sqs->mood == MOOD_SAME) < 0
		   ? "ReceiptHandleIsInvalid"
		   : NULL;
}

static const char *
visibility_entry(const struct entry *y)
{
	const json_t *value = json_object_get(y->in, "VisibilityTimeout");
	json_int_t s = json_integer_value(value);

	if (!json_is_integer(value) || s < 0 || s > SQS_VISIBLE_MOST)
		return "InvalidParameterValue";
	return sqs_queue_visibility(y->call->queue->messages,
		   sqs_text(y->in, "ReceiptHandle"), (unsigned)s) < 0
		   ? "ReceiptHandleIsInvalid"
		   : NULL;
}

static int
run_one(struct call *c, entry_action *run)
{
	const struct entry y = { c, c->in, &c->out };
	const char *code = run(&y);

	if (code != NULL)
		return sqs_refuse(c, code, "The input is not valid.");
	return 0;
}

static void
add_failed(struct str *failed, const char *id, const char *code)
{
	json_open(failed, NULL, '{');
	json_str(failed, "Id", id);
	json_bool(failed, "SenderFault", true);
	json_str(failed, "Code", code);
	json_str(failed, "Message", "The input is not valid.");
	json_close(failed, '}');
}

static void
run_entry(struct call *c, const json_t *in, entry_action *run, struct str *good,
    struct str *failed)
{
	struct str members = STR_INIT;
	const struct entry y = { c, in, &members };
	const char *id = sqs_text(in, "Id"), *code;

	json_str(&members, "Id", id);
	code = run(&y);
	if (code != NULL) {
		add_failed(failed, id, code);
	} else {
		json_open(good, NULL, '{');
		str_add(good, members.data, members.len);
		json_close(good, '}');
	}
	str_release(&members);
}

static int
run_batch(struct call *c, entry_action *run)
{
	const json_t *entries = json_object_get(c->in, "Entries");
	struct str good = STR_INIT, failed = STR_INIT;
	size_t i, n = json_array_size(entries);

	if (n == 0)
		return sqs_refuse(c, "EmptyBatchRequest",
		    "There should be at least one entry in the request.");
	if (n > BATCH_MOST)
		return sqs_refuse(c, "TooManyEntriesInBatchRequest",
		    "Maximum number of entries per request are 10.");
	for (i = 0; i < n; i++)
		run_entry(c, json_array_get(entries, i), run, &good, &failed);
	json_open(&c->out, "Successful", '[');
	str_add(&c->out, good.data, good.len);
	json_close(&c->out, ']');
	if (failed.len > 0) {
		json_open(&c->out, "Failed", '[');
		str_add(&c->out, failed.data, failed.len);
		json_close(&c->out, ']');
	}
	str_release(&good);
	str_release(&failed);
	return 0;
}

static int
send_one(struct call *c)
{
	return run_one(c, send_entry);
}

static int
send_batch(struct call *c)
{
	return run_batch(c, send_entry);
}

static int
delete_one(struct call *c)
{
	return run_one(c, delete_entry);
}

static int
delete_batch(struct call *c)
{
	return run_batch(c, delete_entry);
}

static int
visibility_one(struct call *c)
{
	return run_one(c, visibility_entry);
}

static int
visibility_batch(struct call *c)
{
	return run_batch(c, visibility_entry);
}

/* --- actions on a queue --- */

static int
attributes(struct call *c)
{
	struct sqs_counts n;
	struct str text = STR_INIT;

	sqs_queue_counts(c->queue->messages, &n);
	json_open(&c->out, "Attributes", '{');
	str_addf(&text, "%zu", n.waiting);
	json_str(&c->out, "ApproximateNumberOfMessages", text.data);
	str_clear(&text);
	str_addf(&text, "%zu", n.in_flight);
	json_str(&c->out, "ApproximateNumberOfMessagesNotVisible", text.data);
	json_str(&c->out, "VisibilityTimeout", "30");
	str_clear(&text);
	str_addf(&text, "arn:aws:sqs:" AWS_REGION ":" AWS_ACCOUNT ":%s",
	    c->queue->name);
	json_str(&c->out, "QueueArn", text.data);
	json_close(&c->out, '}');
	str_release(&text);
	return 0;
}

static int
purge(struct call *c)
{
	sqs_queue_purge(c->queue->messages);
	return 0;
}

static int
url_of(struct call *c, const struct queue *q)
{
	struct str url = STR_INIT;

	str_addf(&url, QUEUE_URL "%s", q->name);
	json_str(&c->out, "QueueUrl", url.data);
	str_release(&url);
	return 0;
}

static int
get_url(struct call *c)
{
	struct queue *q = sqs_find(c->sqs, sqs_text(c->in, "QueueName"));

	return q != NULL ? url_of(c, q) : refuse_queue(c);
}

static int
create(struct call *c)
{
	const char *name = sqs_text(c->in, "QueueName");

	if (*name == '\0')
		return sqs_refuse(c, "InvalidParameterValue", "no QueueName");
	return url_of(c, sqs_made(c->sqs, name));
}

static const struct action {
	const char *name;
	bool needs_queue;
	int (*run)(struct call *); /* 0: answer with `out`; -1: it has */
} actions[] = {
	{ "ReceiveMessage", true, sqs_receive },
	{ "DeleteMessage", true, delete_one },
	{ "DeleteMessageBatch", true, delete_batch },
	{ "ChangeMessageVisibility", true, visibility_one },
	{ "ChangeMessageVisibilityBatch", true, visibility_batch },
	{ "SendMessage", true, send_one },
	{ "SendMessageBatch", true, send_batch },
	{ "GetQueueAttributes", true, attributes },
	{ "PurgeQueue", true, purge },
	{ "GetQueueUrl", false, get_url },
	{ "CreateQueue", false, create },
};
#define N_ACTIONS (sizeof(actions) / sizeof(actions[0]))

static const struct action *
action_of(const struct aws_exchange *x)
{
	const char *target = aws_header(x, "X-Amz-Target");
	size_t i;

	if (target == NULL || strncmp(target, TARGET, strlen(TARGET)) != 0)
		return NULL;
	for (i = 0; i < N_ACTIONS; i++)
		if (strcmp(actions[i].name, target + strlen(TARGET)) == 0)
			return &actions[i];
	return NULL;
}

/* The last segment of QueueUrl is the queue's name. */
static struct queue *
queue_named(const struct call *c)
{
	const char *url = sqs_text(c->in, "QueueUrl"), *slash;

	slash = strrchr(url, '/');
	return c->sqs->mood != MOOD_GONE && slash != NULL
		   ? sqs_find(c->sqs, slash + 1)
		   : NULL;
}

static int
run(struct call *c, const struct action *a)
{
	if (a == NULL)
		return sqs_refuse(
		    c, "UnsupportedOperation", "no such operation here");
	if (!json_is_object(c->in))
		return sqs_refuse(
		    c, "SerializationException", "no JSON object");
	if (c->sqs->mood == MOOD_ERROR) {
		aws_reply_error(c->x, 500, "com.amazonaws.sqs#InternalFailure",
		    "The request processing has failed because of an unknown "
		    "error, exception or failure.");
		return -1;
	}
	c->queue = a->needs_queue ? queue_named(c) : NULL;
	if (a->needs_queue && c->queue == NULL)
		return refuse_queue(c);
	return a->run(c);
}

void
sqs_handle(struct aws_exchange *x)
{
	struct call c = { .x = x, .sqs = x->sandbox->sqs, .out = STR_INIT };

	c.in = json_loadb(x->body, x->len, 0, NULL);
	if (run(&c, action_of(x)) == 0)
		sqs_answer(x, &c.out);
	json_decref(c.in);
	str_release(&c.out);
}
