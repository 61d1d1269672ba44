/*
 * sns.c - the sandbox's SNS: one topic, which posts what it is told to its
 * subscribers, signed.
 *
 * The certificate it signs with is the sandbox's CA's and is served by aws.c
 * under the name that SNS's have. As AWS does, a post that meets 5xx or no
 * answer is tried again, a few times; 4xx is the end of it.
 */
#include "tests/sandbox/sns.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "tests/sandbox/aws.h"
#include "tests/sandbox/journal.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/post.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/sns_int.h"
#include "tests/sandbox/value.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define PARALLEL   20
#define RETRIES	   3
#define RETRY_MS   200
#define TIMEOUT_MS 5000 /* AWS waits 15 s */
#define XMLNS	   "http://sns.amazonaws.com/doc/2010-03-31/"

struct sns *
sns_new(struct sandbox *b)
{
	struct sns *s = xcalloc(1, sizeof(*s));

	s->sandbox = b;
	s->version = 1;
	s->parallel = PARALLEL;
	s->retries = RETRIES;
	s->retry = RETRY_MS;
	s->timeout = TIMEOUT_MS;
	str_init(&s->last_body);
	LIST_INIT(&s->subscriptions);
	STAILQ_INIT(&s->posts);
	s->poster = poster_new(b->base);
	sns_signer_init(&s->genuine, true);
	sns_signer_init(&s->impostor, false);
	return s;
}

/* --- posting --- */

static void
journal(struct post *p, const char *event, int status, const char *text)
{
	struct journal *j = p->to->sns->sandbox->journal;
	struct str *o = journal_start(j, event);

	json_str(o, "url", p->to->url);
	json_str(o, "type", p->type);
	json_str(o, "message_id", p->id);
	json_str(o, "forged", p->forged);
	json_int(o, "attempt", p->attempt);
	json_int(o, "status", status);
	json_str(o, "text", text);
	journal_end(j);
}

static void start(struct sns *);

static void
post_free(struct post *p)
{
	str_release(&p->body);
	free(p);
}

static void
queue(struct post *p)
{
	struct sns *s = p->to->sns;

	STAILQ_INSERT_TAIL(&s->posts, p, link);
	s->waiting++;
	start(s);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	queue(arg);
}

static void
retry(struct post *p)
{
	struct sns *s = p->to->sns;
	struct timeval tv = { .tv_sec = s->retry / 1000,
		.tv_usec = (s->retry % 1000) * 1000 };

	event_base_once(s->sandbox->base, -1, EV_TIMEOUT, on_retry, p, &tv);
}

static void
remember(struct sns *s, const struct post *p)
{
	if (p->forged != NULL || strcmp(p->type, SNS_NOTIFICATION) != 0)
		return;
	strcpy(s->last_id, p->id);
	str_clear(&s->last_body);
	str_add(&s->last_body, p->body.data, p->body.len);
}

static void
on_answer(void *arg, int status, const char *text)
{
	struct post *p = arg;
	struct sns *s = p->to->sns;
	bool failed = status == 0 || status == 429 || status >= 500;

	s->active--;
	journal(p, "sns-post", status, text);
	if (failed && p->forged == NULL && p->attempt <= s->retries) {
		retry(p);
	} else {
		if (status >= 200 && status < 300) {
			s->counts.accepted++;
			remember(s, p);
		} else if (p->forged == NULL) {
			s->counts.lost++;
			journal(p, "sns-lost", status, text);
		}
		post_free(p);
	}
	start(s);
}

static void
send_post(struct sns *s, struct post *p)
{
	struct str type = STR_INIT, id = STR_INIT, arn = STR_INIT;
	const char *headers[8];
	size_t n = 0;

	str_addf(&type, "x-amz-sns-message-type: %s", p->type);
	str_addf(&id, "x-amz-sns-message-id: %s", p->id);
	str_addf(&arn, "x-amz-sns-subscription-arn: %s", p->to->arn);
	headers[n++] = "Content-Type: text/plain; charset=UTF-8";
	headers[n++] = "User-Agent: Amazon Simple Notification Service Agent";
	headers[n++] = "x-amz-sns-topic-arn: " SNS_TOPIC_ARN;
	headers[n++] = type.data;
	headers[n++] = id.data;
	if (strcmp(p->type, SNS_NOTIFICATION) == 0)
		headers[n++] = arn.data;
	if (p->raw)
		headers[n++] = "x-amz-sns-rawdelivery: true";
	headers[n] = NULL;
	p->attempt++;
	s->active++;
	s->counts.posted++;
	poster_send(s->poster,
	    &(struct post_request){
		p->to->url, headers, p->body.data, p->body.len, s->timeout },
	    on_answer, p);
	str_release(&type);
	str_release(&id);
	str_release(&arn);
}

static void
start(struct sns *s)
{
	struct post *p;

	while (!s->hold && s->active < s->parallel &&
	       (p = STAILQ_FIRST(&s->posts)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->posts, link);
		s->waiting--;
		send_post(s, p);
	}
}

struct post *
sns_post_new(struct subscription *to, const char *type, const char *id)
{
	struct post *p = xcalloc(1, sizeof(*p));

	p->to = to;
	p->type = type;
	str_init(&p->body);
	strcpy(p->id, id);
	return p;
}

void
sns_post_send(struct post *p)
{
	queue(p);
}

/* --- publishing --- */

struct sns_envelope
sns_envelope_of(const struct sns *s, const char *type, char id[static 37])
{
	sns_uuid(id);
	return (struct sns_envelope){
		.type = type,
		.message_id = id,
		.topic_arn = SNS_TOPIC_ARN,
		.cert_url = s->genuine.url,
		.at = clock_wall(),
		.version = s->version,
	};
}

static void
send_signed(struct subscription *to, const struct sns_envelope *v)
{
	struct post *p = sns_post_new(to, v->type, v->message_id);
	struct str signature = STR_INIT;

	sns_envelope_sign(v, sns_signer_key(&to->sns->genuine), &signature);
	sns_envelope_write(v, signature.data, &p->body);
	str_release(&signature);
	sns_post_send(p);
}

static void
notify(struct subscription *to, const char *subject, const char *message)
{
	struct str unsubscribe = STR_INIT;
	char id[37];
	struct sns_envelope v = sns_envelope_of(to->sns, SNS_NOTIFICATION, id);

	str_addf(&unsubscribe,
	    SNS_HOST "/?Action=Unsubscribe&SubscriptionArn=%s", to->arn);
	v.subject = subject;
	v.message = message;
	v.unsubscribe_url = unsubscribe.data;
	send_signed(to, &v);
	str_release(&unsubscribe);
}

void
sns_publish(struct sandbox *b, const char *subject, const char *message)
{
	struct subscription *to;

	b->sns->counts.published++;
	LIST_FOREACH(to, &b->sns->subscriptions, link)
	if (to->state == SUB_CONFIRMED)
		notify(to, subject, message);
	free(b->sns->last_message);
	b->sns->last_message = xstrdup(message);
}

/* --- subscribing --- */

void
sns_subscribe_url(const struct subscription *to, struct str *url)
{
	str_addf(url,
	    SNS_HOST "/?Action=ConfirmSubscription&TopicArn=" SNS_TOPIC_ARN
		     "&Token=%s",
	    to->token);
}

static void
ask_to_confirm(struct subscription *to)
{
	static const char text[] =
	    "You have chosen to subscribe to the topic " SNS_TOPIC_ARN
	    ".\nTo confirm the subscription, visit the SubscribeURL included "
	    "in this message.";
	struct str url = STR_INIT;
	char id[37];
	struct sns_envelope v = sns_envelope_of(to->sns, SNS_SUBSCRIPTION, id);

	sns_subscribe_url(to, &url);
	v.message = text;
	v.token = to->token;
	v.subscribe_url = url.data;
	send_signed(to, &v);
	str_release(&url);
}

static struct subscription *
find(struct sns *s, const char *url)
{
	struct subscription *to;

	LIST_FOREACH(to, &s->subscriptions, link)
	if (to->state != SUB_GONE && strcmp(to->url, url) == 0)
		return to;
	return NULL;
}

static struct subscription *
subscribe(struct sns *s, const char *url)
{
	struct subscription *to = find(s, url);
	struct str arn = STR_INIT;
	char id[37];

	if (to == NULL) {
		to = xcalloc(1, sizeof(*to));
		sns_uuid(id);
		str_addf(&arn, SNS_TOPIC_ARN ":%s", id);
		to->sns = s;
		to->url = xstrdup(url);
		to->arn = str_detach(&arn);
		LIST_INSERT_HEAD(&s->subscriptions, to, link);
	}
	if (to->state == SUB_PENDING) {
		sns_random_hex(to->token, 128);
		ask_to_confirm(to);
	}
	return to;
}

static void
journal_state(struct subscription *to, const char *event)
{
	struct journal *j = to->sns->sandbox->journal;
	struct str *o = journal_start(j, event);

	json_str(o, "url", to->url);
	json_str(o, "arn", to->arn);
	journal_end(j);
}

/* --- the web side --- */

static void
answer_xml(struct aws_exchange *x, const char *action, const char *member,
    const char *value)
{
	struct str o = STR_INIT;
	char id[37];

	aws_request_id(x, id);
	str_addf(&o, "<%sResponse xmlns=\"" XMLNS "\">", action);
	if (member != NULL) {
		str_addf(&o, "<%sResult><%s>", action, member);
		aws_xml(&o, value);
		str_addf(&o, "</%s></%sResult>", member, action);
	}
	str_addf(&o,
	    "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
	    "</%sResponse>\n",
	    id, action);
	aws_reply(x, 200, "text/xml", o.data, o.len);
	str_release(&o);
}

static const char *
argument(const struct aws_exchange *x, const char *name)
{
	const char *value = aws_arg(x, name);

	return value != NULL ? value : "";
}

static void
do_confirm(struct sns *s, struct aws_exchange *x)
{
	const char *token = argument(x, "Token");
	struct subscription *to;

	LIST_FOREACH(to, &s->subscriptions, link)
	if (to->state != SUB_GONE && strcmp(to->token, token) == 0)
		break;
	if (strcmp(argument(x, "TopicArn"), SNS_TOPIC_ARN) != 0) {
		aws_reply_error_xml(x, 404, "NotFound", "Topic does not exist");
	} else if (to == NULL) {
		aws_reply_error_xml(
		    x, 400, "InvalidParameter", "Invalid parameter: Token");
	} else {
		to->state = SUB_CONFIRMED;
		journal_state(to, "sns-confirmed");
		answer_xml(
		    x, "ConfirmSubscription", "SubscriptionArn", to->arn);
	}
}

static void
do_subscribe(struct sns *s, struct aws_exchange *x)
{
	const char *url = argument(x, "Endpoint");

	if (strcmp(argument(x, "TopicArn"), SNS_TOPIC_ARN) != 0) {
		aws_reply_error_xml(x, 404, "NotFound", "Topic does not exist");
	} else if (strncmp(url, "http", 4) != 0) {
		aws_reply_error_xml(
		    x, 400, "InvalidParameter", "Invalid parameter: Endpoint");
	} else {
		(void)subscribe(s, url);
		answer_xml(
		    x, "Subscribe", "SubscriptionArn", "pending confirmation");
	}
}

static void
do_unsubscribe(struct sns *s, struct aws_exchange *x)
{
	const char *arn = argument(x, "SubscriptionArn");
	struct subscription *to;

	LIST_FOREACH(to, &s->subscriptions, link)
	if (strcmp(to->arn, arn) == 0)
		to->state = SUB_GONE;
	answer_xml(x, "Unsubscribe", NULL, NULL);
}

void
sns_handle(struct aws_exchange *x)
{
	static const struct {
		const char *name;
		void (*run)(struct sns *, struct aws_exchange *);
	} rows[] = {
		{ "ConfirmSubscription", do_confirm },
		{ "Subscribe", do_subscribe },
		{ "Unsubscribe", do_unsubscribe },
	};
	struct sns *s = x->sandbox->sns;
	struct signer *both[] = { &s->genuine, &s->impostor };
	const struct str *pem;
	const char *action = argument(x, "Action");
	size_t i;

	for (i = 0; i < 2; i++) {
		if (strcmp(x->path, both[i]->path) == 0) {
			pem = sns_signer_pem(both[i]);
			aws_reply(x, 200, "application/x-pem-file", pem->data,
			    pem->len);
			return;
		}
	}
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, action) == 0) {
			rows[i].run(s, x);
			return;
		}
	}
	aws_reply_error_xml(x, 404, "InvalidAction", "no such thing here");
}

/* --- controls --- */

int
sns_set(struct sandbox *b, const char *key, const char *value, struct err *e)
{
	struct sns *s = b->sns;
	const struct value_row rows[] = {
		{ "version", NULL, &s->version, NULL },
		{ "retry", NULL, &s->retry, NULL },
		{ "retries", NULL, &s->retries, NULL },
		{ "parallel", NULL, &s->parallel, NULL },
		{ "timeout", NULL, &s->timeout, NULL },
		{ "hold", &s->hold, NULL, NULL },
	};

	if (strcmp(key, "forge") == 0)
		return sns_forge(s, value, e);
	if (value_set(rows, sizeof(rows) / sizeof(rows[0]), key, value, e) < 0)
		return -1;
	start(s);
	return 0;
}

int
sns_command(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	const char *verb = value_next(&args), *url = value_next(&args);
	struct subscription *to;

	(void)out;
	if (strcmp(verb, "subscribe") == 0 && strncmp(url, "http", 4) == 0) {
		(void)subscribe(b->sns, url);
		return 0;
	}
	if (strcmp(verb, "unsubscribe") != 0)
		return err_set(e, "sns cannot '%s'", verb);
	to = find(b->sns, url);
	if (to == NULL)
		return err_set(e, "'%s' is not subscribed", url);
	to->state = SUB_GONE;
	return 0;
}

void
sns_show(const struct sandbox *b, struct str *o)
{
	static const char *const states[] = { "pending", "confirmed", "gone" };
	const struct sns *s = b->sns;
	const struct subscription *to;

	json_open(o, NULL, '{');
	json_str(o, "topic_arn", SNS_TOPIC_ARN);
	json_str(o, "cert_url", s->genuine.url);
	json_int(o, "published", (int64_t)s->counts.published);
	json_int(o, "posted", (int64_t)s->counts.posted);
	json_int(o, "accepted", (int64_t)s->counts.accepted);
	json_int(o, "lost", (int64_t)s->counts.lost);
	json_int(o, "waiting", s->waiting);
	json_int(o, "active", s->active);
	json_open(o, "subscriptions", '{');
	LIST_FOREACH(to, &s->subscriptions, link)
	if (to->state != SUB_GONE)
		json_str(o, to->url, states[to->state]);
	json_close(o, '}');
	json_close(o, '}');
}
