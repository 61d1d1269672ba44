/*
 * fuzz_pattern.c - whatever a pattern is, a subject that it matches holds what
 * the reader of patterns says it must, and comes through the sieve.
 *
 * Input: FLAGS/PATTERN, a line end, and the subject. PCRE2 itself is the judge,
 * by its interpreter and without our filters.
 */
#include "rules/pattern_int.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct input {
	const char *flags, *text, *subject;
	size_t nflags, len, nsubject;
};

static bool
split(struct input *in, const char *data, size_t size)
{
	const char *slash = memchr(data, '/', size), *end;

	if (slash == NULL)
		return false;
	in->flags = data;
	in->nflags = (size_t)(slash - data);
	in->text = slash + 1;
	end = memchr(in->text, '\n', size - in->nflags - 1);
	if (end == NULL)
		return false;
	in->len = (size_t)(end - in->text);
	in->subject = end + 1;
	in->nsubject = (size_t)(data + size - in->subject);
	return true;
}

static bool
judge(const struct input *in)
{
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_code *code;
	PCRE2_SIZE at;
	int error, r;

	if (memchr(in->flags, 'i', in->nflags) != NULL)
		options |= PCRE2_CASELESS;
	if (memchr(in->flags, 's', in->nflags) != NULL)
		options |= PCRE2_DOTALL;
	if (memchr(in->flags, 'x', in->nflags) != NULL)
		options |= PCRE2_EXTENDED;
	code = pcre2_compile(
	    (PCRE2_SPTR)in->text, in->len, options, &error, &at, NULL);
	if (code == NULL)
		abort();
	pcre2_set_match_limit(limits, 2000);
	pcre2_set_heap_limit(limits, 1024);
	r = pcre2_match(code, (PCRE2_SPTR)in->subject, in->nsubject, 0,
	    PCRE2_NO_JIT, data, limits);
	pcre2_code_free(code);
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	return r >= 0;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool
holds(const struct input *in, const char *text, size_t len, int fold)
{
	size_t k;

	for (size_t i = 0; i + len <= in->nsubject; i++) {
		for (k = 0; k < len; k++)
			if ((fold ? lower(in->subject[i + k])
				  : in->subject[i + k]) != text[k])
				break;
		if (k == len)
			return true;
	}
	return false;
}

static void
check(const struct pattern *p, const struct input *in)
{
	struct sieve *sieve = sieve_new(&p, 1);
	uint64_t bits[SIEVE_WORDS(1)];
	const char *text;
	size_t len;
	int fold;

	sieve_pass(sieve, in->subject, in->nsubject, bits);
	text = pattern_literal(p, &len, &fold);
	if ((bits[0] & ~UINT64_C(1)) != 0 || len > 16)
		abort();
	if ((pattern_match(p, in->subject, in->nsubject) == PATTERN_YES ||
		judge(in)) &&
	    (bits[0] == 0 || !holds(in, text, len, fold)))
		abort();
	sieve_free(sieve);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pattern_fault fault;
	struct input in;
	struct pattern *p;

	if (!split(&in, (const char *)data, size))
		return 0;
	p = pattern_new(in.text, in.len, in.flags, in.nflags, &fault);
	if (p == NULL) {
		if (fault.text[0] == '\0' || fault.offset > in.len + in.nflags)
			abort();
		return 0;
	}
	check(p, &in);
	pattern_free(p);
	return 0;
}
