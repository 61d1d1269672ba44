/*
 * literal.c - what every subject that a pattern matches must hold, found by
 * reading the pattern.
 *
 * The pattern is taken item by item (literal_item.c) at its top level. Items
 * whose bytes are known make runs of sets, of which the best is kept; where a
 * run has one character after the other, that is a text, and the longest are
 * kept.
 */
#include "rules/literal_int.h"

#include <string.h>

#include "rules/hash_int.h"

struct reader {
	struct cursor at;
	struct byte_set run[LITERAL_MAX]; /* what is being read */
	size_t n;
	struct literal *best;
};

/*
 * The byte of a set that stands for one character, in lower case when case
 * does not count; -1 for other sets.
 */
static int
set_character(const struct byte_set *s, bool caseless)
{
	int found = -1, c;

	for (int i = 0; i < 256; i++) {
		if (!byte_set_has(s, (unsigned char)i))
			continue;
		c = caseless ? ascii_lower((unsigned char)i) : i;
		if (found >= 0 && c != found)
			return -1;
		found = c;
	}
	return found;
}

/* Bits that one position tells: most letters of an address are in [a-z], each
 * has an @ and a dot. */
static unsigned
set_worth(const struct byte_set *s)
{
	static const struct {
		int most;
		unsigned worth;
	} table[] = { { 2, 5 }, { 5, 4 }, { 12, 3 }, { 20, 2 }, { 30, 1 } };
	int n = 0;

	if (byte_set_has(s, '.'))
		return 0;
	for (size_t i = 0; i < 4; i++)
		n += __builtin_popcountll(s->bits[i]);
	if (byte_set_has(s, '@'))
		return n == 1;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (n <= table[i].most)
			return table[i].worth;
	return 0;
}

/* Among the longest, if it is one of them. */
static void
keep_text(struct literal *best, const struct text *t)
{
	size_t at = LITERAL_TEXTS;

	while (at > 0 && t->len > best->text[at - 1].len)
		at--;
	if (at == LITERAL_TEXTS)
		return;
	memmove(best->text + at + 1, best->text + at,
	    (LITERAL_TEXTS - 1 - at) * sizeof(*t));
	best->text[at] = *t;
}

/* The texts in the run. */
static void
commit_texts(struct reader *r)
{
	struct text t = { .len = 0 };
	int c;

	for (size_t i = 0; i <= r->n; i++) {
		c = i < r->n ? set_character(&r->run[i], r->at.caseless) : -1;
		if (c >= 0) {
			t.text[t.len++] = (char)c;
			t.worth += set_worth(&r->run[i]);
			continue;
		}
		keep_text(r->best, &t);
		t = (struct text){ .len = 0 };
	}
}

/*
 * What the run tells beyond its texts: nothing without a class. A text after an
 * @ is a domain, which patterns tend to share; it is left out at the end.
 */
static void
commit_run(struct reader *r)
{
	struct literal *best = r->best;
	unsigned worth = 0, one;
	size_t from = r->n, to = 0;
	bool class = false, domain = false, single;

	for (size_t i = 0; i < r->n; i++) {
		single = set_character(&r->run[i], r->at.caseless) >= 0;
		one = domain && single ? 0 : set_worth(&r->run[i]);
		domain |= single && byte_set_has(&r->run[i], '@');
		if (one == 0)
			continue;
		class |= !single;
		worth += one;
		from = i < from ? i : from;
		to = i + 1;
	}
	if (!class || worth <= best->run_worth)
		return;
	memcpy(best->run, r->run + from, (to - from) * sizeof(r->run[0]));
	best->nrun = (uint8_t)(to - from);
	best->run_worth = worth;
}

static void
break_run(struct reader *r)
{
	commit_texts(r);
	commit_run(r);
	r->n = 0;
}

static void
append(struct reader *r, const struct item *item)
{
	for (size_t k = 0; k < item->min; k++) {
		if (r->n + item->n > LITERAL_MAX)
			break_run(r);
		memcpy(
		    r->run + r->n, item->set, item->n * sizeof(item->set[0]));
		r->n += item->n;
	}
}

/*
 * What is repeated without end stands at the end of one run and begins the
 * next: of a+b both "a" and "ab" are sure.
 */
static void
take(struct reader *r, const struct item *item)
{
	if (item->n == 0 || item->min == 0) {
		break_run(r);
		return;
	}
	append(r, item);
	if (!item->exact) {
		break_run(r);
		append(r, item);
	}
}

void
literal_read(struct literal *best, const char *text, size_t len, bool caseless)
{
	struct reader r = { .at = { (const unsigned char *)text,
				(const unsigned char *)text + len, caseless },
		.best = best };
	struct item item;

	*best = (struct literal){ .nrun = 0 };
	while (r.at.p < r.at.end) {
		if (!literal_item(&r.at, &item)) {
			*best = (struct literal){ .nrun = 0 };
			return;
		}
		take(&r, &item);
	}
	break_run(&r);
}
