/*
 * message.c - reads DNS messages that come from outside.
 *
 * resolver.c feeds it what libunbound answers; mx.c reads MX records with it.
 */
#include "mta/dns/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"

#define HEADER_SIZE    12
#define FLAG_RESPONSE  0x8000u
#define FLAG_TRUNCATED 0x0200u
#define RCODE_MASK     0x000fu
#define CLASS_IN       1

struct packet {
	const uint8_t *data;
	size_t len;
	size_t at; /* at <= len */
};

struct record {
	uint8_t owner[DNS_NAME_MAX];
	int owner_len;
	unsigned type, class;
	size_t rdata, rdata_len; /* inside the packet */
};

/* The RDATA that hold one name, and how many bytes come before it. Senders may
 * compress only these (RFC 3597 4). */
static const struct name_rdata {
	unsigned type;
	size_t before;
} name_rdata[] = {
	{ DNS_NS, 0 },
	{ DNS_CNAME, 0 },
	{ DNS_PTR, 0 },
	{ DNS_MX, 2 },
};

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

int
dns_name_read(const uint8_t *packet, size_t len, size_t *at,
    uint8_t name[static DNS_NAME_MAX])
{
	/* A pointer must lead before the place the last one led to, so that
	 * following them ends. */
	size_t pos = *at, limit = *at, n = 0, end = 0;

	while (pos < len) {
		uint8_t c = packet[pos];

		if (c >= 0xc0) {
			if (pos + 1 >= len)
				return -1;
			if (end == 0)
				end = pos + 2;
			pos = get16(packet + pos) & 0x3fff;
			if (pos >= limit)
				return -1;
			limit = pos;
			continue;
		}
		if (c > 63 || c >= len - pos || n + 1 + c > DNS_NAME_MAX)
			return -1;
		name[n++] = c;
		for (size_t i = 1; i <= c; i++)
			name[n++] = lower(packet[pos + i]);
		pos += 1u + c;
		if (c == 0) {
			*at = end != 0 ? end : pos;
			return (int)n;
		}
	}
	return -1;
}

static bool
is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '.' && c != '\\' && c != '"';
}

char *
dns_name_text(const uint8_t *name, char text[static DNS_NAME_TEXT_MAX])
{
	char *out = text;

	if (*name == 0)
		*out++ = '.';
	for (; *name != 0; name += 1 + *name) {
		if (out != text)
			*out++ = '.';
		for (size_t i = 1; i <= *name; i++) {
			if (is_plain(name[i]))
				*out++ = (char)name[i];
			else
				out += sprintf(out, "\\%03u", name[i]);
		}
	}
	*out = '\0';
	return text;
}

static bool
is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool
is_name_byte(char c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

static bool
labels_good(const char *text, size_t len, bool (*good)(char))
{
	size_t label = 0;

	if (len == 0 || len > DNS_NAME_MAX - 2)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!good(text[i]) || ++label > 63) {
			return false;
		}
	}
	return label > 0;
}

bool
dns_name_is_host(const char *text)
{
	return labels_good(text, strlen(text), is_host_byte);
}

bool
dns_name_is_valid(const char *text)
{
	size_t len = strlen(text);

	if (len > 0 && text[len - 1] == '.')
		len--;
	return labels_good(text, len, is_name_byte);
}

static int
read_record(struct packet *p, struct record *r)
{
	const uint8_t *fixed;

	r->owner_len = dns_name_read(p->data, p->len, &p->at, r->owner);
	if (r->owner_len < 0 || p->len - p->at < 10)
		return -1;
	fixed = p->data + p->at;
	r->type = get16(fixed);
	r->class = get16(fixed + 2);
	r->rdata_len = get16(fixed + 8);
	r->rdata = p->at + 10;
	if (r->rdata_len > p->len - r->rdata)
		return -1;
	p->at = r->rdata + r->rdata_len;
	return 0;
}

/* Reads the name in the RDATA, `before` bytes into it; it must end with it. */
static int
read_rdata_name(const struct packet *p, const struct record *r, size_t before,
    uint8_t name[static DNS_NAME_MAX])
{
	size_t at = r->rdata + before;
	int n;

	if (before > r->rdata_len)
		return -1;
	n = dns_name_read(p->data, p->len, &at, name);
	return at == r->rdata + r->rdata_len ? n : -1;
}

/* Appends the RDATA with any name in it expanded. */
static int
add_rdata(struct str *out, const struct packet *p, const struct record *r)
{
	uint8_t name[DNS_NAME_MAX];
	const struct name_rdata *t = name_rdata;
	const struct name_rdata *end =
	    name_rdata + sizeof(name_rdata) / sizeof(name_rdata[0]);
	int n;

	while (t < end && t->type != r->type)
		t++;
	if (t == end) {
		str_add(out, p->data + r->rdata, r->rdata_len);
		return 0;
	}
	n = read_rdata_name(p, r, t->before, name);
	if (n < 0)
		return -1;
	str_add(out, p->data + r->rdata, t->before);
	str_add(out, name, (size_t)n);
	return 0;
}

/* One walk over the answer section for what `name` owns. Its records of the
 * type are collected; when it is an alias instead, name becomes its target. */
struct walk {
	unsigned type;
	unsigned answers;
	uint8_t name[DNS_NAME_MAX];
	int name_len;
	bool alias;
	struct str bytes;
	size_t ends[DNS_MAX_RECORDS];
	size_t n;
};

static int
walk_record(struct walk *w, const struct packet *p, const struct record *r,
    uint8_t target[static DNS_NAME_MAX], int *target_len)
{
	if (r->class != CLASS_IN || r->owner_len != w->name_len ||
	    memcmp(r->owner, w->name, (size_t)w->name_len) != 0)
		return 0;
	if (r->type == w->type) {
		if (w->n == DNS_MAX_RECORDS)
			return 0;
		if (add_rdata(&w->bytes, p, r) != 0)
			return -1;
		w->ends[w->n++] = w->bytes.len;
	} else if (r->type == DNS_CNAME) {
		*target_len = read_rdata_name(p, r, 0, target);
		if (*target_len < 0)
			return -1;
	}
	return 0;
}

static int
walk_answers(struct walk *w, struct packet p)
{
	uint8_t target[DNS_NAME_MAX];
	struct record r;
	int target_len = 0;

	for (unsigned i = 0; i < w->answers; i++)
		if (read_record(&p, &r) != 0 ||
		    walk_record(w, &p, &r, target, &target_len) != 0)
			return -1;
	w->alias = w->n == 0 && target_len > 0;
	if (w->alias) {
		memcpy(w->name, target, (size_t)target_len);
		w->name_len = target_len;
	}
	return 0;
}

static int
walk_chain(struct walk *w, const struct packet *p, bool *aliased)
{
	for (int i = 0; i <= DNS_MAX_CHAIN; i++) {
		if (walk_answers(w, *p) != 0)
			return -1;
		if (!w->alias)
			return 0;
		*aliased = true;
	}
	return -1;
}

static void
fill(struct dns_message *m, struct walk *w)
{
	size_t start = 0;

	m->bytes = (uint8_t *)str_detach(&w->bytes);
	m->nrdata = w->n;
	for (size_t i = 0; i < w->n; i++) {
		m->rdata[i] = m->bytes + start;
		m->rdata_len[i] = w->ends[i] - start;
		start = w->ends[i];
	}
}

int
dns_message_read(
    struct dns_message *m, const uint8_t *packet, size_t len, int type)
{
	struct packet p = { .data = packet, .len = len, .at = HEADER_SIZE };
	struct walk w = { .type = (unsigned)type, .bytes = STR_INIT };
	bool aliased = false;
	unsigned flags;

	if (len < HEADER_SIZE || get16(packet + 4) != 1)
		return -1;
	flags = get16(packet + 2);
	w.answers = get16(packet + 6);
	w.name_len = dns_name_read(p.data, p.len, &p.at, w.name);
	if (!(flags & FLAG_RESPONSE) || w.name_len < 0 || p.len - p.at < 4)
		return -1;
	p.at += 4;
	if (walk_chain(&w, &p, &aliased) != 0 ||
	    (w.n == 0 && (flags & FLAG_TRUNCATED))) {
		str_release(&w.bytes);
		return -1;
	}
	m->rcode = flags & RCODE_MASK;
	m->canonical[0] = '\0';
	if (aliased)
		dns_name_text(w.name, m->canonical);
	fill(m, &w);
	return 0;
}

void
dns_message_clear(struct dns_message *m)
{
	free(m->bytes);
	m->bytes = NULL;
	m->nrdata = 0;
}

int
dns_mx_read(const uint8_t *rdata, size_t len, unsigned *preference,
    char host[static DNS_NAME_TEXT_MAX])
{
	uint8_t name[DNS_NAME_MAX];
	size_t at = 2;

	if (len < 3 || dns_name_read(rdata, len, &at, name) < 0 || at != len)
		return -1;
	*preference = get16(rdata);
	dns_name_text(name, host);
	return 0;
}
