/*
 * sieve_pick.c - by which of its texts each pattern is sought.
 *
 * Of /^qa1\+.*@example\.jp$/ the longest text is the domain, and a rule set may
 * well have hundreds of patterns for one domain: an address there would have
 * every one of them tried. So texts are counted first, and each pattern takes
 * the one that it shares with the fewest.
 */
#include "rules/sieve_int.h"

#include <stdlib.h>
#include <string.h>

#include "rules/arena_int.h"

/* A text seen by chance once in a thousand subjects is better than any run,
 * being found by the one automaton; unless it brings a crowd along. */
#define WORTH_ENOUGH 15u
#define CROWD	     8u

struct entry {
	const struct text *text;
	uint32_t pattern;
};

struct choice {
	const struct text *text;
	size_t crowd;
};

static int
text_cmp(const struct text *a, const struct text *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->text, b->text, a->len);
}

static int
entry_cmp(const void *a, const void *b)
{
	return text_cmp(
	    ((const struct entry *)a)->text, ((const struct entry *)b)->text);
}

static size_t
gather(const struct pattern *const *pattern, size_t n, struct entry *entry)
{
	const struct text *t;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < LITERAL_TEXTS; k++) {
			t = &pattern_demands(pattern[i])->literal.text[k];
			if (t->len > 0)
				entry[count++] =
				    (struct entry){ t, (uint32_t)i };
		}
	return count;
}

/* Whether a text is worth the automaton matters more than its crowd. */
static bool
is_better(const struct text *t, size_t crowd, const struct choice *now)
{
	bool enough = t->worth >= WORTH_ENOUGH;
	bool was_enough;

	if (now->text == NULL)
		return true;
	was_enough = now->text->worth >= WORTH_ENOUGH;
	if (enough != was_enough)
		return enough;
	if (crowd != now->crowd)
		return crowd < now->crowd;
	return t->worth > now->text->worth;
}

static void
choose(struct choice *choice, const struct entry *entry, size_t count)
{
	struct choice *c;
	size_t end;

	for (size_t i = 0; i < count; i = end) {
		for (end = i + 1; end < count &&
				  text_cmp(entry[i].text, entry[end].text) == 0;
		     end++)
			;
		for (size_t k = i; k < end; k++) {
			c = &choice[entry[k].pattern];
			if (is_better(entry[k].text, end - i, c))
				*c = (struct choice){ entry[k].text, end - i };
		}
	}
}

static bool
run_is_better(const struct literal *l, const struct choice *c)
{
	if (c->crowd > CROWD)
		return l->run_worth > c->text->worth / 8;
	return c->text->worth < WORTH_ENOUGH && l->run_worth > c->text->worth;
}

void
sieve_pick(
    const struct pattern *const *pattern, size_t n, const struct text **text)
{
	struct choice *choice = rules_alloc(n * sizeof(*choice));
	struct entry *entry = rules_alloc(n * LITERAL_TEXTS * sizeof(*entry));
	size_t count = gather(pattern, n, entry);

	qsort(entry, count, sizeof(*entry), entry_cmp);
	choose(choice, entry, count);
	for (size_t i = 0; i < n; i++) {
		text[i] = choice[i].text;
		if (text[i] != NULL &&
		    run_is_better(
			&pattern_demands(pattern[i])->literal, &choice[i]))
			text[i] = NULL;
	}
	free(choice);
	free(entry);
}
