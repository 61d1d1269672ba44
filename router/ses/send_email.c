/*
 * send_email.c - the body of one SendEmail request.
 *
 *	{"FeedbackForwardingEmailAddress":...,"Destination":...,"EmailTags":[...],
 *	"ConfigurationSetName":...,"Content":{"Raw":{"Data":"<the message in
 *Base64>"}}}
 */
#include "router/ses/send_email.h"

#include "router/ses/call.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_AT_ONCE                                                           \
	(1u << 20) /* bytes, so that a loop is not kept from others for long   \
		    */
#define TIMEOUT	     60000 /* ms, and for a large message: */
#define BYTES_PER_MS 64	   /* the slowest line that is waited for */

static const char tail[] = "\"}}}";

/* -- what stands before the message --------------------------------------- */

/* Other bytes than these JSON takes as they are; what is not ASCII is UTF-8
 * (address.h). */
static void
add_json(struct str *s, const char *text)
{
	str_addc(s, '"');
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ')
			str_addf(s, "\\u%04x", (unsigned)*text);
		else if (*text == '"' || *text == '\\')
			str_addf(s, "\\%c", *text);
		else
			str_addc(s, *text);
	}
	str_addc(s, '"');
}

static void
add_member(struct str *s, const char *name, const char *value)
{
	str_addf(s, "\"%s\":", name);
	add_json(s, value);
}

static void
add_tags(struct str *s, const struct ses_content *c)
{
	str_adds(s, ",\"EmailTags\":[");
	for (size_t i = 0; i < c->ntags; i++) {
		str_adds(s, i > 0 ? ",{" : "{");
		add_member(s, "Name", c->tag[i].name);
		str_addc(s, ',');
		add_member(s, "Value", c->tag[i].value);
		str_addc(s, '}');
	}
	str_addc(s, ']');
}

static void
add_head(struct str *s, const struct ses_content *c, const char *from,
    const char *to)
{
	str_addc(s, '{');
	add_member(s, "FeedbackForwardingEmailAddress", from);
	str_adds(s, ",\"Destination\":{\"ToAddresses\":[");
	add_json(s, to);
	str_adds(s, "]}");
	if (c->ntags > 0)
		add_tags(s, c);
	if (c->configuration_set != NULL) {
		str_addc(s, ',');
		add_member(s, "ConfigurationSetName", c->configuration_set);
	}
	str_adds(s, ",\"Content\":{\"Raw\":{\"Data\":\"");
}

/* -- the message ---------------------------------------------------------- */

static size_t
least(size_t a, uint64_t b)
{
	return a < b ? a : (size_t)b;
}

/* All `len` bytes at that offset of the message, header and body. */
static int
read_message(const struct smtp_content *c, uint64_t at, char *buf, size_t len)
{
	size_t n;

	if (at < c->head_len) {
		n = least(len, c->head_len - at);
		memcpy(buf, c->head + at, n);
		at += n;
		buf += n;
		len -= n;
	}
	if (len == 0)
		return 0;
	return c->read(c->arg, c->offset + (at - c->head_len), buf, len) ==
		       (ssize_t)len
		   ? 0
		   : -1;
}

/* The next piece of the message into `encoded`. */
static int
encode_more(struct send_email *m)
{
	char raw[SEND_EMAIL_RAW];
	size_t n = least(sizeof(raw), m->message - m->taken);

	if (read_message(&m->content, m->taken, raw, n) != 0)
		return -1;
	m->taken += n;
	m->encoded_at = 0;
	m->encoded_len = (size_t)EVP_EncodeBlock(
	    (unsigned char *)m->encoded, (const unsigned char *)raw, (int)n);
	return 0;
}

static ssize_t
read_encoded(struct send_email *m, char *buf, size_t room)
{
	size_t n;

	if (m->encoded_at == m->encoded_len && encode_more(m) != 0)
		return -1;
	n = least(room, m->encoded_len - m->encoded_at);
	memcpy(buf, m->encoded + m->encoded_at, n);
	m->encoded_at += n;
	return (ssize_t)n;
}

ssize_t
send_email_read(void *email, char *buf, size_t room)
{
	struct send_email *m = email;
	size_t rest = m->length - m->at;
	ssize_t n;

	if (m->at < m->head.len) {
		n = (ssize_t)least(room, m->head.len - m->at);
		memcpy(buf, m->head.data + m->at, (size_t)n);
	} else if (rest <= sizeof(tail) - 1) {
		n = (ssize_t)least(room, rest);
		memcpy(buf, tail + sizeof(tail) - 1 - rest, (size_t)n);
	} else {
		n = read_encoded(m, buf, room);
	}
	if (n > 0)
		m->at += (size_t)n;
	return n;
}

void
send_email_rewind(void *email)
{
	struct send_email *m = email;

	m->at = m->encoded_at = m->encoded_len = 0;
	m->taken = 0;
}

/* -- the whole ------------------------------------------------------------ */

static int
unreadable(struct err *e)
{
	return err_set(e, "cannot read the message's body");
}

/* A small message: one string, read once. */
static int
encode_whole(struct send_email *m, struct err *e)
{
	str_reserve(&m->head, m->length - m->head.len);
	while (m->taken < m->message) {
		if (encode_more(m) != 0)
			return unreadable(e);
		str_add(&m->head, m->encoded, m->encoded_len);
	}
	str_adds(&m->head, tail);
	assert(m->head.len == m->length);
	m->whole = true;
	return 0;
}

int
send_email_make(struct send_email *m, const struct ses_content *c,
    const char *from, const char *to, struct err *e)
{
	memset(m, 0, sizeof(*m));
	str_init(&m->head);
	m->content = c->content;
	m->message = ses_content_size(c);
	add_head(&m->head, c, from, to);
	m->length =
	    m->head.len + (size_t)((m->message + 2) / 3 * 4) + sizeof(tail) - 1;
	return m->message <= SEND_EMAIL_AT_ONCE ? encode_whole(m, e) : 0;
}

void
send_email_clear(struct send_email *m)
{
	str_release(&m->head);
	EVP_MD_CTX_free(m->digest);
	m->digest = NULL;
}

static void
end_digest(struct send_email *m)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int ok = EVP_DigestFinal_ex(m->digest, sum, &n);

	assert(ok == 1 && 2 * n + 1 == sizeof(m->hash));
	for (unsigned i = 0; i < n; i++)
		snprintf(m->hash + 2 * i, 3, "%02x", sum[i]);
	EVP_MD_CTX_free(m->digest);
	m->digest = NULL;
	send_email_rewind(m);
}

static void
begin_digest(struct send_email *m)
{
	m->digest = EVP_MD_CTX_new();
	if (m->digest == NULL ||
	    EVP_DigestInit_ex(m->digest, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory */
	send_email_rewind(m);
}

int
send_email_hash(struct send_email *m, struct err *e)
{
	char buf[sizeof(m->encoded)];

	if (m->whole) {
		sigv4_hash(m->head.data, m->head.len, m->hash);
		return 0;
	}
	if (m->digest == NULL)
		begin_digest(m);
	for (size_t done = 0; done < HASH_AT_ONCE && m->at < m->length;) {
		ssize_t n = send_email_read(m, buf, sizeof(buf));
		if (n <= 0)
			return unreadable(e);
		if (EVP_DigestUpdate(m->digest, buf, (size_t)n) != 1)
			abort(); /* out of memory */
		done += (size_t)n;
	}
	if (m->at < m->length)
		return 1;
	end_digest(m);
	return 0;
}

void
send_email_request(struct send_email *m, struct aws_request *r)
{
	*r = (struct aws_request){
		.method = "POST",
		.path = SEND_EMAIL_PATH,
		.content_type = "application/json",
		.body_len = m->length,
		.body_hash = m->hash,
		.timeout = TIMEOUT + (int64_t)(m->length / BYTES_PER_MS),
	};
	if (m->whole) {
		r->body = m->head.data;
		return;
	}
	r->read = send_email_read;
	r->rewind = send_email_rewind;
	r->read_arg = m;
}
