/*
 * fuzz_dsn.c - whatever stands in an envelope, a reply or a message, a notice
 * has the parts and the fields we gave it and no others.
 *
 * Input: fields, each ended by a NUL: flags, from, to, envelope id, original
 * recipient, message id, remote host, reply; the rest is the message.
 */
#include "router/dsn.h"

#include "mta/base/alloc.h"
#include "router/body.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { FLAGS, FROM, TO, ENVID, ORCPT, MESSAGE_ID, REMOTE, REPLY, FIELDS };

/* As long as the server lets them become. */
static const size_t longest[FIELDS] = { 1, 320, 320, 100, 500, 250, 399, 511 };

static const char *
next_field(const char *p, const char *end, size_t max, char out[static 512])
{
	const char *nul = memchr(p, '\0', (size_t)(end - p));
	size_t n = (size_t)((nul == NULL ? end : nul) - p);

	memcpy(out, p, n < max ? n : max);
	out[n < max ? n : max] = '\0';
	return nul == NULL ? end : nul + 1;
}

static unsigned
count(const char *p, size_t len, const char *what)
{
	const char *end = p + len;
	unsigned n = 0;

	while ((p = memmem(p, (size_t)(end - p), what, strlen(what))) != NULL) {
		p += strlen(what);
		n++;
	}
	return n;
}

/* Our part of the notice: all before the original. */
static void
check_ours(const char *p, size_t len, bool utf8)
{
	size_t line = 0;

	if (count(p, len, "\r\nStatus: 5.0.0\r\n") != 1 ||
	    count(p, len, "\r\nStatus:") != 1 ||
	    count(p, len, "\r\nAction:") != 1 ||
	    count(p, len, "\r\nFinal-Recipient:") != 1 ||
	    count(p, len, "\r\nTo:") != 1)
		abort();
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		if (c == '\r' && (i + 1 == len || p[i + 1] != '\n'))
			abort();
		if (c == '\n' && (i == 0 || p[i - 1] != '\r'))
			abort();
		if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') ||
		    c == 0x7f)
			abort();
		line = c == '\n' ? 0 : line + 1;
		if (line > 999)
			abort();
	}
	p = memmem(p, len, "delivery-status\r\n", 17);
	if (p == NULL)
		abort();
	for (; !utf8 && *p != '\0' && strncmp(p, "\r\n--", 4) != 0; p++)
		if ((unsigned char)*p >= 0x80)
			abort();
}

static void
check(const struct message *m, bool utf8)
{
	const char *p = body_data(m->body), *b, *end;
	char delimiter[64];

	if (m->header_size > m->size || m->from[0] != '\0')
		abort();
	b = strstr(p, "\tboundary=\"");
	if (b == NULL || b > p + m->header_size)
		abort();
	b += strlen("\tboundary=\"");
	snprintf(delimiter, sizeof(delimiter), "\r\n--%.*s",
	    (int)strcspn(b, "\""), b);
	if (count(p, m->size, delimiter) != 4)
		abort();
	end = p;
	for (unsigned i = 0; i < 3; i++)
		end = memmem(end + 1, m->size - (size_t)(end + 1 - p),
		    delimiter, strlen(delimiter));
	check_ours(p, (size_t)(end - p), utf8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size;
	char f[FIELDS][512], *copy;
	struct outcome o = { .code = 550, .stage = STAGE_RCPT };
	struct dsn_report report = { .kind = DSN_FAILED,
		.hostname = "mail.example.jp",
		.status = "5.0.0",
		.outcome = &o,
		.at = 1 };
	struct message *m = message_new(1), *made;
	struct recipient *r;
	struct body *body;

	for (unsigned i = 0; i < FIELDS; i++)
		p = next_field(p, end, longest[i], f[i]);
	message_set_from(m, f[FROM]);
	r = recipient_new(m, 0, f[TO]);
	free(m->envid);
	m->envid = xstrdup(f[ENVID]);
	free(m->message_id);
	m->message_id = xstrdup(f[MESSAGE_ID]);
	free(r->orcpt);
	r->orcpt = xstrdup(f[ORCPT]);
	report.remote = f[REMOTE];
	strcpy(o.text, f[REPLY]);
	m->smtputf8 = f[FLAGS][0] & 1;
	m->ret = f[FLAGS][0] & 2 ? 'F' : 'H';
	m->size = (uint64_t)(end - p);
	m->header_size = f[FLAGS][0] & 4 ? m->size : m->size / 2;
	copy = xmalloc(m->size + 1);
	memcpy(copy, p, m->size);
	body = body_take(copy, m->size);
	made = dsn_new(0x123456789, r, body, &report);
	check(made, m->smtputf8);
	message_unref(&made);
	body_unref(&body);
	recipient_free(&r);
	message_unref(&m);
	return 0;
}
