/*
 * pattern.c - a PCRE2 pattern: compiled, bounded, matched.
 *
 * Whoever writes a pattern may be careless and whoever sends the mail may be
 * hostile, so every match has an end: PCRE2 counts steps, with JIT and without.
 * What a match needs beside the pattern (match data, limits, JIT stack) belongs
 * to the thread, is made at its first match and goes with it. What a pattern
 * demands of its subjects is gathered here for the sieve (sieve.c).
 */
#include "rules/sieve_int.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena_int.h"
#include "rules/hash_int.h"

#define TEXT_MAX     4096u
#define COMPILED_MAX (256u * 1024)

/*
 * Steps of one match: what is quadratic in the length gets through on
 * addresses of 200 bytes, and what is exponential costs 0.1 ms with JIT
 * and 1.3 ms without; there, patterns of many groups have fewer (steps_of).
 */
#define MATCH_LIMIT	20000u
#define MATCH_LIMIT_MIN 100u
#define DEPTH_LIMIT	10000u
#define HEAP_LIMIT	1024u /* KiB, of the interpreter */
#define JIT_STACK_FIRST (32u * 1024)
#define JIT_STACK_MAX	(256u * 1024)

#define OPTIONS (PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C)
/* (*UTF) in the pattern would have JIT take any bytes for good UTF-8. */
#define OPTIONS_BYTES (PCRE2_NEVER_UTF | PCRE2_CASELESS)

struct pattern {
	pcre2_code *code;
	bool jit;
	uint32_t steps; /* MATCH_LIMIT, or less where there is no JIT */
	size_t memory;
	bool caseless;
	struct demands demands;
};

struct thread {
	pcre2_match_data *data;
	pcre2_match_context *limits;
	pcre2_jit_stack *stack;
};

static _Thread_local struct thread *this_thread;
static pthread_key_t thread_key;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;

static void
thread_free(void *arg)
{
	struct thread *t = arg;

	pcre2_match_data_free(t->data);
	pcre2_match_context_free(t->limits);
	pcre2_jit_stack_free(t->stack);
	free(t);
	this_thread = NULL;
}

static void
make_thread_key(void)
{
	if (pthread_key_create(&thread_key, thread_free) != 0)
		abort();
}

/* Without a stack of its own (no memory for it), JIT takes 32 KB of the
 * thread's. */
static struct thread *
thread_new(void)
{
	struct thread *t = rules_alloc(sizeof(*t));

	t->data = pcre2_match_data_create(1, NULL);
	t->limits = pcre2_match_context_create(NULL);
	if (t->data == NULL || t->limits == NULL)
		abort();
	pcre2_set_depth_limit(t->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(t->limits, HEAP_LIMIT);
	t->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MAX, NULL);
	if (t->stack != NULL)
		pcre2_jit_stack_assign(t->limits, NULL, t->stack);
	pthread_once(&thread_key_once, make_thread_key);
	if (pthread_setspecific(thread_key, t) != 0)
		abort();
	this_thread = t;
	return t;
}

__attribute__((format(printf, 3, 4))) static void
fault_set(struct pattern_fault *f, size_t offset, const char *fmt, ...)
{
	va_list ap;

	f->offset = offset;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static int
flag_error(struct pattern_fault *f, size_t offset, char flag, const char *what)
{
	if (isgraph((unsigned char)flag))
		fault_set(f, offset, "flag '%c' %s", flag, what);
	else
		fault_set(f, offset, "flag %s", what);
	return -1;
}

static int
read_flags(const char *flags, size_t n, size_t offset, uint32_t *options,
    struct pattern_fault *f)
{
	static const struct {
		char flag;
		uint32_t option;
	} known[] = { { 'i', PCRE2_CASELESS }, { 'x', PCRE2_EXTENDED },
		{ 's', PCRE2_DOTALL } };
	const size_t nknown = sizeof(known) / sizeof(known[0]);
	size_t k;

	for (size_t i = 0; i < n; i++) {
		for (k = 0; k < nknown && known[k].flag != flags[i]; k++)
			;
		if (k == nknown)
			return flag_error(f, offset + i, flags[i],
			    "is not known (i, x and s are)");
		if (*options & known[k].option)
			return flag_error(
			    f, offset + i, flags[i], "is given twice");
		*options |= known[k].option;
	}
	return 0;
}

static pcre2_code *
compile(const char *text, size_t len, uint32_t options, struct pattern_fault *f)
{
	PCRE2_SIZE offset = 0;
	PCRE2_UCHAR words[sizeof(f->text)];
	pcre2_code *code;
	int error;

	code = pcre2_compile(
	    (PCRE2_SPTR)text, len, options, &error, &offset, NULL);
	if (code != NULL)
		return code;
	pcre2_get_error_message(error, words, sizeof(words));
	fault_set(f, offset < len ? offset : len, "%s", (const char *)words);
	return NULL;
}

static uint32_t
info(const pcre2_code *code, uint32_t what)
{
	uint32_t value = 0;

	pcre2_pattern_info(code, what, &value);
	return value;
}

static size_t
info_size(const pcre2_code *code, uint32_t what)
{
	size_t value = 0;

	pcre2_pattern_info(code, what, &value);
	return value;
}

/*
 * Does not say whether case counts there, so a letter is taken in both; of a
 * character of several bytes the first need not be the same in both.
 */
static void
read_first_unit(struct demands *d, uint32_t unit)
{
	unsigned char c = (unsigned char)unit;

	if (unit >= 0x80)
		return;
	byte_set_add(&d->start, c);
	if (isalpha(c))
		byte_set_add(&d->start, c ^ 0x20);
	d->starts = true;
}

/* Where a match may begin, as PCRE2 found it out for itself. */
static void
read_start(struct demands *d, const pcre2_code *code)
{
	const uint8_t *bitmap = NULL;

	d->anchored = info(code, PCRE2_INFO_ALLOPTIONS) & PCRE2_ANCHORED;
	if (info(code, PCRE2_INFO_FIRSTCODETYPE) == 1) {
		read_first_unit(d, info(code, PCRE2_INFO_FIRSTCODEUNIT));
		return;
	}
	pcre2_pattern_info(code, PCRE2_INFO_FIRSTBITMAP, &bitmap);
	if (bitmap == NULL)
		return;
	for (unsigned c = 0; c < 256; c++)
		if (bitmap[c / 8] >> (c % 8) & 1)
			byte_set_add(&d->start, (unsigned char)c);
	d->starts = true;
}

/* The largest number of a quantifier that may stand there; 1: none does. */
static size_t
repeats_at(const char *p, const char *end)
{
	size_t number = 0, most = 1;

	if (p == end || *p != '{')
		return most;
	for (p++; p < end && (isdigit((unsigned char)*p) || *p == ','); p++) {
		number = *p == ',' ? 0 : number * 10 + (size_t)(*p - '0');
		if (number > MATCH_LIMIT)
			return MATCH_LIMIT;
		most = number > most ? number : most;
	}
	return most;
}

/* How many groups there are, at most, once those that are repeated are written
 * out: "(a(b){1,20}){3}" tells 2 times 60. */
static size_t
groups_of(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	size_t groups = 0, product = 1;

	while ((p = memchr(p, ')', (size_t)(end - p))) != NULL) {
		groups++;
		p++;
		if (product < MATCH_LIMIT)
			product *= repeats_at(p, end);
	}
	return groups * product;
}

/*
 * The interpreter may pass the ends of all groups in one step, 12 ns each, and
 * counts anew wherever a match may begin.
 */
static uint32_t
steps_of(const struct pattern *p, const char *text, size_t len)
{
	size_t groups = groups_of(text, len), steps;

	if (p->jit)
		return MATCH_LIMIT;
	if (!(info(p->code, PCRE2_INFO_ALLOPTIONS) & PCRE2_ANCHORED))
		groups *= 8;
	steps = MATCH_LIMIT * 10u / (10 + groups);
	return steps > MATCH_LIMIT_MIN ? (uint32_t)steps : MATCH_LIMIT_MIN;
}

/* Verbs, (*PRUNE) and the like. JIT's answer may differ from that of the
 * interpreter, which goes by the book: in PCRE2 10.42 /(?:.*+(*PRUNE)b)|a/ is
 * found in "xa" by JIT alone. */
static bool
has_verb(const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++)
		if (text[i] == '(' && text[i + 1] == '*')
			return true;
	return false;
}

/*
 * Takes code. JIT is refused where memory may not be made executable (systemd's
 * MemoryDenyWriteExecute) and by (*NO_JIT); then PCRE2 interprets.
 */
static struct pattern *
pattern_of(
    pcre2_code *code, bool may_jit, uint32_t options, struct pattern_fault *f)
{
	struct pattern *p;
	size_t jit;

	if (may_jit)
		pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	jit = info_size(code, PCRE2_INFO_JITSIZE);
	if (info_size(code, PCRE2_INFO_SIZE) + jit > COMPILED_MAX) {
		f->memory = info_size(code, PCRE2_INFO_SIZE) + jit;
		fault_set(f, 0, "pattern is too large, %zu bytes compiled",
		    f->memory);
		pcre2_code_free(code);
		return NULL;
	}
	p = rules_alloc(sizeof(*p));
	p->code = code;
	p->jit = jit > 0;
	p->memory = sizeof(*p) + info_size(code, PCRE2_INFO_SIZE) + jit;
	p->caseless = options & PCRE2_CASELESS;
	return p;
}

static struct pattern *
pattern_with(const char *text, size_t len, const char *flags, size_t nflags,
    uint32_t options, struct pattern_fault *f)
{
	struct pattern *p;
	pcre2_code *code;
	uint32_t given = 0;

	if (len > TEXT_MAX) {
		fault_set(
		    f, TEXT_MAX, "pattern is longer than %u bytes", TEXT_MAX);
		return NULL;
	}
	if (read_flags(flags, nflags, len + 1, &given, f) == -1)
		return NULL;
	options |= given;
	code = compile(text, len, options, f);
	if (code == NULL)
		return NULL;
	p = pattern_of(code, !has_verb(text, len), options, f);
	if (p != NULL)
		p->steps = steps_of(p, text, len);
	return p;
}

struct pattern *
pattern_new(const char *text, size_t len, const char *flags, size_t nflags,
    struct pattern_fault *f)
{
	struct pattern *p = pattern_with(text, len, flags, nflags, OPTIONS, f);

	if (p == NULL)
		return NULL;
	read_start(&p->demands, p->code);
	if (memchr(flags, 'x', nflags) == NULL)
		literal_read(&p->demands.literal, text, len, p->caseless);
	return p;
}

struct pattern *
pattern_new_bytes(const char *text, size_t len, const char *flags,
    size_t nflags, struct pattern_fault *f)
{
	return pattern_with(text, len, flags, nflags, OPTIONS_BYTES, f);
}

void
pattern_free(struct pattern *p)
{
	if (p == NULL)
		return;
	pcre2_code_free(p->code);
	free(p);
}

size_t
pattern_memory(const struct pattern *p)
{
	return p->memory;
}

enum pattern_result
pattern_match(const struct pattern *p, const char *subject, size_t len)
{
	struct thread *t = this_thread != NULL ? this_thread : thread_new();
	int r;

	pcre2_set_match_limit(t->limits, p->steps);
	/* With MATCH_INVALID_UTF, JIT code looks after invalid bytes itself. */
	if (p->jit)
		r = pcre2_jit_match(p->code, (PCRE2_SPTR)subject, len, 0, 0,
		    t->data, t->limits);
	else
		r = pcre2_match(p->code, (PCRE2_SPTR)subject, len, 0, 0,
		    t->data, t->limits);
	if (r >= 0)
		return PATTERN_YES;
	return r == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_LIMIT;
}

const char *
pattern_literal(const struct pattern *p, size_t *len, int *fold)
{
	*len = p->demands.literal.text[0].len;
	*fold = p->caseless;
	return p->demands.literal.text[0].text;
}

const struct demands *
pattern_demands(const struct pattern *p)
{
	return &p->demands;
}
