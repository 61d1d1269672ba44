/*
 * spf_records.c - turns a DNS answer into what libspf2 wants to see.
 */
#include "mta/spf/spf_records.h"

#include <string.h>
#include <strings.h>

#define VERSION	    "v=spf1"
#define VERSION_LEN (sizeof(VERSION) - 1)

/* The strings of a TXT record, joined (RFC 7208 3.3). */
static void
join_strings(struct str *text, const uint8_t *rdata, size_t len)
{
	size_t at = 0;

	while (at < len && at + 1 + rdata[at] <= len) {
		str_add(text, rdata + at + 1, rdata[at]);
		at += 1u + rdata[at];
	}
}

static bool
is_record(const struct str *text)
{
	return strncasecmp(text->data, VERSION, VERSION_LEN) == 0 &&
	       (text->len == VERSION_LEN || text->data[VERSION_LEN] == ' ');
}

static const char *
put_texts(struct str *frame, const struct dns_answer *a, struct spf_limits *l)
{
	const char *why = NULL;
	size_t records = 0;

	(void)l;
	for (size_t i = 0; i < a->nrdata && why == NULL; i++) {
		struct str text = STR_INIT;

		join_strings(&text, a->rdata[i], a->rdata_len[i]);
		if (is_record(&text) && ++records > 1)
			why = "more than one SPF record";
		else if (is_record(&text) && strlen(text.data) != text.len)
			why = "the record holds a NUL byte";
		else if (is_record(&text))
			spf_pipe_put_value(frame, text.data, text.len);
		str_release(&text);
	}
	return why;
}

static const char *
put_addresses(struct str *frame, const struct dns_answer *a, size_t size)
{
	for (size_t i = 0; i < a->nrdata; i++)
		if (a->rdata_len[i] == size)
			spf_pipe_put_value(frame, a->rdata[i], size);
	return NULL;
}

static const char *
put_ipv4(struct str *frame, const struct dns_answer *a, struct spf_limits *l)
{
	(void)l;
	return put_addresses(frame, a, 4);
}

static const char *
put_ipv6(struct str *frame, const struct dns_answer *a, struct spf_limits *l)
{
	(void)l;
	return put_addresses(frame, a, 16);
}

/* An eleventh mail host is passed on: the library makes it an error (RFC 7208
 * 4.6.4). */
static const char *
put_mail_hosts(
    struct str *frame, const struct dns_answer *a, struct spf_limits *l)
{
	char host[DNS_NAME_TEXT_MAX];
	unsigned preference;

	for (size_t i = 0; i < a->nrdata; i++) {
		if (dns_mx_read(
			a->rdata[i], a->rdata_len[i], &preference, host) != 0 ||
		    !dns_name_is_host(host))
			continue;
		spf_limits_host(l, host);
		spf_pipe_put_value(frame, host, strlen(host));
	}
	return NULL;
}

/* Of the names of an address, those after the tenth are ignored (ibid.). */
static const char *
put_names(struct str *frame, const struct dns_answer *a, struct spf_limits *l)
{
	uint8_t name[DNS_NAME_MAX];
	char text[DNS_NAME_TEXT_MAX];

	for (size_t i = 0; i < a->nrdata; i++) {
		size_t at = 0;

		if (dns_name_read(a->rdata[i], a->rdata_len[i], &at, name) <= 0)
			continue;
		dns_name_text(name, text);
		if (dns_name_is_host(text) && spf_limits_host(l, text))
			spf_pipe_put_value(frame, text, strlen(text));
	}
	return NULL;
}

static const struct record_kind {
	int type;
	const char *(*put)(
	    struct str *, const struct dns_answer *, struct spf_limits *);
} record_kinds[] = {
	{ DNS_TXT, put_texts },
	{ DNS_A, put_ipv4 },
	{ DNS_AAAA, put_ipv6 },
	{ DNS_MX, put_mail_hosts },
	{ DNS_PTR, put_names },
};

const char *
spf_records_put(struct str *frame, int type, const struct dns_answer *a,
    struct spf_limits *l)
{
	const struct record_kind *kind = record_kinds;

	while (kind->type != type)
		kind++;
	return kind->put(frame, a, l);
}
