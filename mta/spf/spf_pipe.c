/*
 * spf_pipe.c - the frames between an SPF check and its child.
 *
 * A frame begins with a letter:
 *	'R' address NUL helo NUL mail_from NUL
 *	'Q' type(2) name
 *	'A' status(1) count(2), then for each value length(2) and bytes
 *	'E' result(1) why
 */
#include "mta/spf/spf_pipe.h"

#include <assert.h>
#include <string.h>

enum { REQUEST = 'R', QUESTION = 'Q', ANSWER = 'A', RESULT = 'E' };

#define ANSWER_HEADER	4
#define RESULT_HEADER	2
#define QUESTION_HEADER 3

static void
put16(struct str *s, size_t v)
{
	str_addc(s, (char)(v >> 8));
	str_addc(s, (char)v);
}

static size_t
get16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

void
spf_pipe_put_request(struct str *s, const struct spf_request *r)
{
	const char *const texts[] = { r->address, r->helo, r->mail_from };

	str_addc(s, REQUEST);
	for (size_t i = 0; i < 3; i++)
		str_add(s, texts[i], strlen(texts[i]) + 1);
}

int
spf_pipe_read_request(struct spf_request *r, const uint8_t *frame, size_t len)
{
	const char **const texts[] = { &r->address, &r->helo, &r->mail_from };
	const uint8_t *at = frame + 1, *end = frame + len, *nul;

	if (len == 0 || frame[0] != REQUEST)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		nul = at == end ? NULL : memchr(at, 0, (size_t)(end - at));
		if (nul == NULL)
			return -1;
		*texts[i] = (const char *)at;
		at = nul + 1;
	}
	return at == end ? 0 : -1;
}

static bool
type_is_known(int type)
{
	return type == DNS_A || type == DNS_AAAA || type == DNS_MX ||
	       type == DNS_PTR || type == DNS_TXT;
}

void
spf_pipe_put_question(struct str *s, const struct spf_question *q)
{
	str_addc(s, QUESTION);
	put16(s, (size_t)q->type);
	str_adds(s, q->name);
}

int
spf_pipe_read_question(struct spf_question *q, const uint8_t *frame, size_t len)
{
	size_t n = len - QUESTION_HEADER;

	if (len < QUESTION_HEADER || n > SPF_NAME_MAX || frame[0] != QUESTION ||
	    !type_is_known((int)get16(frame + 1)) ||
	    memchr(frame + QUESTION_HEADER, 0, n) != NULL)
		return -1;
	q->type = (int)get16(frame + 1);
	memcpy(q->name, frame + QUESTION_HEADER, n);
	q->name[n] = '\0';
	return 0;
}

void
spf_pipe_put_answer(struct str *s, enum dns_status status)
{
	str_addc(s, ANSWER);
	str_addc(s, (char)status);
	put16(s, 0);
}

void
spf_pipe_put_value(struct str *s, const void *value, size_t len)
{
	size_t count = get16((const uint8_t *)s->data + 2) + 1;

	assert(len <= UINT16_MAX && s->len + 2 + len <= SPF_FRAME_MAX);
	s->data[2] = (char)(count >> 8);
	s->data[3] = (char)count;
	put16(s, len);
	str_add(s, value, len);
}

static bool
value_fits(int type, const uint8_t *value, size_t len)
{
	switch (type) {
	case DNS_A:
		return len == 4;
	case DNS_AAAA:
		return len == 16;
	case DNS_TXT:
		return memchr(value, 0, len) == NULL;
	default:
		return len <= SPF_NAME_MAX && memchr(value, 0, len) == NULL;
	}
}

int
spf_pipe_read_answer(
    struct spf_values *v, int type, const uint8_t *frame, size_t len)
{
	size_t at = ANSWER_HEADER, n;

	if (len < ANSWER_HEADER || frame[0] != ANSWER ||
	    frame[1] > DNS_TEMPFAIL || get16(frame + 2) > DNS_MAX_RECORDS)
		return -1;
	v->status = (enum dns_status)frame[1];
	v->count = get16(frame + 2);
	v->at = frame + ANSWER_HEADER;
	for (size_t i = 0; i < v->count; i++) {
		if (len - at < 2)
			return -1;
		n = get16(frame + at);
		at += 2;
		if (len - at < n || !value_fits(type, frame + at, n))
			return -1;
		at += n;
	}
	return at == len ? 0 : -1;
}

const uint8_t *
spf_pipe_next(struct spf_values *v, size_t *len)
{
	const uint8_t *value = v->at + 2;

	if (v->count == 0)
		return NULL;
	*len = get16(v->at);
	v->at = value + *len;
	v->count--;
	return value;
}

void
spf_pipe_put_result(struct str *s, const struct spf_answer *a)
{
	str_addc(s, RESULT);
	str_addc(s, (char)a->result);
	str_adds(s, a->why);
}

int
spf_pipe_read_result(struct spf_answer *a, const uint8_t *frame, size_t len)
{
	size_t n = len - RESULT_HEADER;

	if (len < RESULT_HEADER || n >= sizeof(a->why) || frame[0] != RESULT ||
	    frame[1] > SPF_CRASHED)
		return -1;
	a->result = (enum spf_result)frame[1];
	for (size_t i = 0; i < n; i++) {
		uint8_t c = frame[RESULT_HEADER + i];

		a->why[i] = (char)(c >= ' ' && c <= '~' ? c : '?');
	}
	a->why[n] = '\0';
	return 0;
}
