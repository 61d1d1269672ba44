/*
 * hook_post.c - one POST to the application: its body, its signature, its
 * answer.
 *
 * A webhook is signed as the Standard Webhooks specification says: HMAC-SHA-256
 * with the secret's bytes over id, time and body joined by dots. The id is the
 * event's and so the same whenever it is told again; the time is that of the
 * try.
 */
#include "router/events/hooks_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MOST  ((size_t)1 << 20)
#define HEADERS_MOST 8

struct hook_post {
	LIST_ENTRY(hook_post) link;
	struct hook *hook;
	struct https_call *call;
	struct str body;
	struct hook_item **items;
	size_t n;
};

/* -- the signature ----------------------------------------------------------
 */

void
hook_post_signature(struct str *out, const struct config_hook *c,
    const char *id, int64_t seconds, const char *body, size_t len)
{
	unsigned char mac[EVP_MAX_MD_SIZE], text[EVP_MAX_MD_SIZE * 2];
	struct str signed_text = STR_INIT;
	unsigned mac_len = 0;

	str_addf(&signed_text, "%s.%lld.", id, (long long)seconds);
	str_add(&signed_text, body, len);
	if (HMAC(EVP_sha256(), c->secret.value, (int)c->secret_len,
		(const unsigned char *)signed_text.data, signed_text.len, mac,
		&mac_len) == NULL)
		abort(); /* out of memory */
	EVP_EncodeBlock(text, mac, (int)mac_len);
	str_addf(out, "v1,%s", (const char *)text);
	str_release(&signed_text);
}

/* -- SNS's envelope ---------------------------------------------------------
 */

/* Always the same for an event: a name-based one, as RFC 9562 5.8 leaves to us.
 */
static void
add_uuid(struct str *out, const char *id)
{
	unsigned char b[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)id, strlen(id), b);
	b[6] = (unsigned char)(0x80 | (b[6] & 0x0f));
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	for (unsigned i = 0; i < 16; i++)
		str_addf(out, "%s%02x",
		    i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}

/* SES ends its message with a line feed. */
void
hook_post_sns_body(
    struct str *out, const struct config_hook *c, const struct hook_item *item)
{
	struct str message = STR_INIT;
	char at[25];

	str_adds(out, "{\"Type\":\"Notification\",\"MessageId\":\"");
	add_uuid(out, item->id);
	str_adds(out, "\",\"TopicArn\":");
	event_text_add(out, c->topic, strlen(c->topic));
	str_adds(out, ",\"Subject\":\"Amazon SES Email Event Notification\","
		      "\"Message\":");
	str_add(&message, item->text, item->len);
	str_addc(&message, '\n');
	event_text_add(out, message.data, message.len);
	str_addf(out, ",\"Timestamp\":\"%s\"}", clock_iso(item->at, at));
	str_release(&message);
}

/* -- the request ------------------------------------------------------------
 */

struct headers {
	struct str text[HEADERS_MOST];
	const char *list[HEADERS_MOST];
	size_t n;
};

static struct str *
add_header(struct headers *h, const char *name)
{
	struct str *s = &h->text[h->n++];

	str_init(s);
	str_addf(s, "%s: ", name);
	return s;
}

/* Of a batch it names the first and the last. */
static void
add_id(struct str *out, const struct hook_post *p)
{
	str_adds(out, p->items[0]->id);
	if (p->n > 1)
		str_addf(out, "_to_%s", p->items[p->n - 1]->id);
}

static void
add_signature(struct headers *h, const struct hook_post *p)
{
	int64_t seconds = clock_wall() / 1000;
	struct str id = STR_INIT;

	add_id(&id, p);
	str_adds(add_header(h, "webhook-id"), id.data);
	str_addf(
	    add_header(h, "webhook-timestamp"), "%lld", (long long)seconds);
	hook_post_signature(add_header(h, "webhook-signature"), p->hook->config,
	    id.data, seconds, p->body.data, p->body.len);
	str_release(&id);
}

static void
add_sns(struct headers *h, const struct hook_post *p)
{
	str_adds(add_header(h, "Content-Type"), "text/plain; charset=UTF-8");
	str_adds(add_header(h, "x-amz-sns-message-type"), "Notification");
	add_uuid(add_header(h, "x-amz-sns-message-id"), p->items[0]->id);
	str_adds(add_header(h, "x-amz-sns-topic-arn"), p->hook->config->topic);
	str_adds(add_header(h, "User-Agent"),
	    "Amazon Simple Notification Service Agent");
}

static void
write_body(struct hook_post *p)
{
	const struct config_hook *c = p->hook->config;

	if (c->kind == HOOK_SNS) {
		hook_post_sns_body(&p->body, c, p->items[0]);
		return;
	}
	if (c->batch == 1) {
		str_add(&p->body, p->items[0]->text, p->items[0]->len);
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		str_addc(&p->body, i == 0 ? '[' : ',');
		str_add(&p->body, p->items[i]->text, p->items[i]->len);
	}
	str_addc(&p->body, ']');
}

/* -- the answer -------------------------------------------------------------
 */

static void
free_post(struct hook_post *p)
{
	LIST_REMOVE(p, link);
	p->hook->nposts--;
	https_call_free(&p->call);
	str_release(&p->body);
	free(p->items);
	free(p);
}

static int64_t
retry_after(const struct hook *h, const struct https_answer *a)
{
	const char *text =
	    a->status != 0 ? https_header(a, "Retry-After") : NULL;

	return text != NULL
		   ? hook_retry_after(text, clock_wall(), h->config->retry_max)
		   : 0;
}

static void
take_answer(struct hook *h, struct hook_post *p, const struct https_answer *a)
{
	struct str why = STR_INIT;

	if (a->status >= 200 && a->status < 300) {
		for (size_t i = 0; i < p->n; i++)
			hook_told(h, &p->items[i]);
		return;
	}
	if (a->status != 0)
		str_addf(&why, "status %d", a->status);
	else
		str_adds(&why, a->why.text);
	hook_failed(h, p->items, p->n, a->status, retry_after(h, a), why.data);
	str_release(&why);
}

static void
on_answer(void *arg, const struct https_answer *a)
{
	struct hook_post *p = arg;
	struct hook *h = p->hook;

	p->call = NULL; /* it frees itself */
	take_answer(h, p, a);
	free_post(p);
	hook_tell(h);
}

/* -- all of it --------------------------------------------------------------
 */

void
hook_post_free_all(struct hook *h)
{
	struct hook_post *p, *next;

	for (p = LIST_FIRST(&h->posts); p != NULL; p = next) {
		next = LIST_NEXT(p, link);
		for (size_t i = 0; i < p->n; i++)
			p->items[i]->flying = false;
		free_post(p);
	}
}

void
hook_post(struct hook *h, struct hook_item *const *items, size_t n)
{
	const struct config_hook *c = h->config;
	struct hook_post *p = xcalloc(1, sizeof(*p));
	struct headers headers = { .n = 0 };
	struct https_request r = { .method = "POST",
		.url = c->url,
		.headers = headers.list,
		.ca_file = c->ca_file,
		.connect_timeout = c->timeout,
		.timeout = c->timeout,
		.max_answer = ANSWER_MOST };

	p->hook = h;
	p->n = n;
	p->items = xcalloc(n, sizeof(struct hook_item *));
	str_init(&p->body);
	for (size_t i = 0; i < n; i++) {
		p->items[i] = items[i];
		items[i]->flying = true;
	}
	write_body(p);
	if (c->kind == HOOK_SNS)
		add_sns(&headers, p);
	else
		str_adds(
		    add_header(&headers, "Content-Type"), "application/json");
	if (c->secret.value != NULL)
		add_signature(&headers, p);
	for (size_t i = 0; i < headers.n; i++)
		headers.list[i] = headers.text[i].data;
	r.nheaders = headers.n;
	r.body = p->body.data;
	r.body_len = p->body.len;
	LIST_INSERT_HEAD(&h->posts, p, link);
	h->nposts++;
	p->call = https_call_new(h->hooks->https, &r, on_answer, p);
	for (size_t i = 0; i < headers.n; i++)
		str_release(&headers.text[i]);
}
