/*
 * reasons_pattern.c - a pattern of the table, and the plain part of it.
 *
 * A pattern runs only where its longest plain part is in the text, so it must
 * have one. It is looked for outside of groups and classes; what would make the
 * pattern's text mean something else (\x41, \Q, (?x), verbs) is refused rather
 * than understood.
 */
#include "router/reasons_int.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/err.h"

#define MATCH_LIMIT 20000

struct walk {
	const char *p, *end;
	char run[REASONS_WORDS_MAX + 1]; /* the plain part being read */
	size_t n;
	char *best;
	size_t nbest;
};

static void
end_run(struct walk *w)
{
	if (w->n > w->nbest) {
		memcpy(w->best, w->run, w->n);
		w->nbest = w->n;
		w->best[w->n] = '\0';
	}
	w->n = 0;
}

static void
add_byte(struct walk *w, char c)
{
	if (w->n == REASONS_WORDS_MAX)
		end_run(w);
	w->run[w->n++] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Past the class that begins here. */
static void
skip_class(struct walk *w)
{
	w->p++;
	w->p += w->p < w->end && *w->p == '^';
	w->p += w->p < w->end && *w->p == ']';
	while (w->p < w->end && *w->p != ']')
		w->p += *w->p == '\\' && w->p + 1 < w->end ? 2 : 1;
	w->p += w->p < w->end;
}

static void
skip_group(struct walk *w)
{
	unsigned depth = 0;

	while (w->p < w->end) {
		if (*w->p == '[') {
			skip_class(w);
			continue;
		}
		depth += *w->p == '(';
		depth -= *w->p == ')';
		w->p += *w->p == '\\' && w->p + 1 < w->end ? 2 : 1;
		if (depth == 0)
			return;
	}
}

/* What follows a part may make it optional or repeat it. */
static void
skip_quantifier(struct walk *w)
{
	bool optional = *w->p == '?' || *w->p == '*';

	if (*w->p == '{') {
		optional = w->p + 1 < w->end && strchr("0,", w->p[1]) != NULL;
		while (w->p < w->end && *w->p != '}')
			w->p++;
	}
	w->p += w->p < w->end;
	w->p += w->p < w->end && (*w->p == '?' || *w->p == '+');
	if (optional && w->n > 0)
		w->n--;
	end_run(w);
}

static bool
is_allowed_escape(char c)
{
	return !isalnum((unsigned char)c) || strchr("dDsSwWbB", c) != NULL;
}

static int
walk_escape(struct walk *w, struct err *e)
{
	char c = w->p + 1 < w->end ? w->p[1] : '\0';

	if (c == '\0' || !is_allowed_escape(c))
		return err_set(e, "no \\%c in patterns here", c ? c : ' ');
	if (isalpha((unsigned char)c))
		end_run(w);
	else
		add_byte(w, c);
	w->p += 2;
	return 0;
}

/* (?:...), (?=...), (?!...), (?<=...), (?<!...) and (...) only: none sets an
 * option. */
static bool
is_plain_group(const struct walk *w)
{
	size_t left = (size_t)(w->end - w->p);

	if (left < 2 || (w->p[1] != '?' && w->p[1] != '*'))
		return true;
	return w->p[1] == '?' && left > 2 && strchr(":=!<", w->p[2]) != NULL;
}

static int
walk_one(struct walk *w, struct err *e)
{
	switch (*w->p) {
	case '\\':
		return walk_escape(w, e);
	case '(':
		end_run(w);
		skip_group(w);
		return 0;
	case '[':
		end_run(w);
		skip_class(w);
		return 0;
	case '?':
	case '*':
	case '+':
	case '{':
		skip_quantifier(w);
		return 0;
	case '|':
		return err_set(
		    e, "write the alternatives as patterns of their own");
	case '.':
	case '^':
	case '$':
		end_run(w);
		break;
	default:
		add_byte(w, *w->p);
	}
	w->p++;
	return 0;
}

/* Groups at any depth, and escapes in them. */
static int
check_all(const char *text, size_t len, struct err *e)
{
	struct walk w = { .p = text, .end = text + len };

	for (; w.p < w.end; w.p++) {
		if (*w.p == '(' && !is_plain_group(&w))
			return err_set(
			    e, "no options or verbs in patterns here");
		if (*w.p != '\\')
			continue;
		if (w.p + 1 == w.end || !is_allowed_escape(w.p[1]))
			return err_set(e, "no \\%c in patterns here",
			    w.p + 1 < w.end ? w.p[1] : ' ');
		w.p++;
	}
	return 0;
}

static int
find_literal(const char *text, size_t len, char *literal, struct err *e)
{
	struct walk w = { .p = text, .end = text + len, .best = literal };

	literal[0] = '\0';
	if (check_all(text, len, e) != 0)
		return -1;
	while (w.p < w.end)
		if (walk_one(&w, e) != 0)
			return -1;
	end_run(&w);
	if (w.nbest < REASONS_WORDS_MIN)
		return err_set(e,
		    "the pattern has no plain part of %u characters outside "
		    "of its groups",
		    REASONS_WORDS_MIN);
	return 0;
}

pcre2_code *
reasons_pattern_new(const char *text, size_t len,
    char literal[static REASONS_WORDS_MAX + 1], struct err *e)
{
	PCRE2_UCHAR why[200];
	PCRE2_SIZE at;
	pcre2_code *code;
	int number;

	if (find_literal(text, len, literal, e) != 0)
		return NULL;
	code = pcre2_compile((PCRE2_SPTR)text, len,
	    PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_NEVER_UTF, &number, &at,
	    NULL);
	if (code == NULL) {
		pcre2_get_error_message(number, why, sizeof(why));
		err_set(e, "bad pattern: %s", (const char *)why);
		return NULL;
	}
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	return code;
}

/* -- matching ------------------------------------------------------------- */

static pcre2_match_context *limits; /* never changed once made */

static void
make_limits(void)
{
	if ((limits = pcre2_match_context_create(NULL)) == NULL)
		abort(); /* out of memory */
	pcre2_set_match_limit(limits, MATCH_LIMIT);
	pcre2_set_depth_limit(limits, MATCH_LIMIT);
}

bool
reasons_pattern_matches(const pcre2_code *code, const char *text, size_t len,
    pcre2_match_data **data)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_limits);
	if (*data == NULL && (*data = pcre2_match_data_create(1, NULL)) == NULL)
		abort(); /* out of memory */
	return pcre2_match(code, (PCRE2_SPTR)text, len, 0, 0, *data, limits) >=
	       0;
}
