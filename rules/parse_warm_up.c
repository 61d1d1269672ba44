/*
 * parse_warm_up.c - `warm-up NAME first N grow G cap N [wait|overflow]`
 *
 * The words after the name stand in any order. A plan may be defined again in
 * another file, as a shape's key may be set again, and the later line holds.
 */
#include "rules/parse_int.h"

#define RECIPIENTS_MAX 100000000u

static int
read_amount(struct words *w, unsigned *out)
{
	const struct token *t = word_next(w);

	if (t == NULL)
		return word_expected(w, "a number of recipients", NULL, 0);
	return read_number(w, t, t->text, t->len, RECIPIENTS_MAX, out);
}

static int
word_first(struct words *w, struct rules_warm_up *p)
{
	return read_amount(w, &p->first);
}

static int
word_grow(struct words *w, struct rules_warm_up *p)
{
	const struct token *t = word_next(w);

	if (t == NULL)
		return word_expected(w, "a growth such as '1.5'", NULL, 0);
	return read_growth(w, t, &p->grow);
}

static int
word_cap(struct words *w, struct rules_warm_up *p)
{
	return read_amount(w, &p->cap);
}

static int
word_wait(struct words *w, struct rules_warm_up *p)
{
	(void)w;
	p->wait = true;
	return 0;
}

static int
word_overflow(struct words *w, struct rules_warm_up *p)
{
	(void)w;
	p->wait = false;
	return 0;
}

enum { FIRST, GROW, CAP, WAIT, OVERFLOW, WORDS };

static const char *const names[WORDS] = {
	[FIRST] = "first",
	[GROW] = "grow",
	[CAP] = "cap",
	[WAIT] = "wait",
	[OVERFLOW] = "overflow",
};

static int (*const readers[WORDS])(struct words *, struct rules_warm_up *) = {
	[FIRST] = word_first,
	[GROW] = word_grow,
	[CAP] = word_cap,
	[WAIT] = word_wait,
	[OVERFLOW] = word_overflow,
};

/* given: the token of each word that was there, or NULL. */
static int
read_word(struct words *w, struct rules_warm_up *p, const struct token **given)
{
	const struct token *t = word_peek(w);
	size_t i = 0;

	while (i < WORDS && !word_take(w, names[i]))
		i++;
	if (i == WORDS)
		return word_expected(w,
		    "'first', 'grow', 'cap', 'wait' or 'overflow'", names,
		    WORDS);
	if (given[i] != NULL) {
		problem_at(
		    w->parse->report, t, "'%s' is given twice", names[i]);
		return -1;
	}
	given[i] = t;
	return readers[i](w, p);
}

/* What is over cannot both stay and go. */
static int
check_over(struct words *w, const struct token *const *given)
{
	bool late = given[WAIT] > given[OVERFLOW];

	if (given[WAIT] == NULL || given[OVERFLOW] == NULL)
		return 0;
	problem_at(w->parse->report, given[late ? WAIT : OVERFLOW],
	    "'%s' contradicts '%s'", names[late ? WAIT : OVERFLOW],
	    names[late ? OVERFLOW : WAIT]);
	return -1;
}

static int
check(struct words *w, const struct rules_warm_up *p,
    const struct token *const *given)
{
	static const char *const missing[] = {
		[FIRST] = "'first'",
		[GROW] = "'grow'",
		[CAP] = "'cap'",
	};

	for (size_t i = FIRST; i <= CAP; i++)
		if (given[i] == NULL)
			return word_expected(w, missing[i], NULL, 0);
	if (p->cap >= p->first)
		return check_over(w, given);
	problem_at(w->parse->report, given[CAP],
	    "'cap' %u is less than 'first' %u", p->cap, p->first);
	return -1;
}

/* The plan is there even when it is wrong, so that shapes that name it are not
 * wrong as well. */
static struct plan *
new_plan(struct words *w, const struct token *name)
{
	struct ruleset *rs = w->parse->rs;
	uint32_t number = plan_put(rs, name->text, name->len);
	struct plan *p = &rs->plan[number];

	/* Names of files are not copied: the same file is the same pointer. */
	if (p->defined && p->plan.file == name->source->name) {
		problem_at(w->parse->report, name,
		    "warm-up plan '%s' is defined already, at %s:%u",
		    word_show(w, name), p->plan.file, p->plan.line);
		return NULL;
	}
	p->defined = true;
	p->source = name->source;
	p->at = (uint32_t)(name->at - name->source->text);
	p->plan = (struct rules_warm_up){
		.name = rs->plans.name[number].text,
		.file = name->source->name,
		.line = name->line,
	};
	return p;
}

int
parse_warm_up(struct words *w)
{
	const struct token *name = word_name(w, NAME_WARM_UP);
	const struct token *given[WORDS] = { NULL };
	struct plan *p;

	if (name == NULL)
		return -1;
	p = new_plan(w, name);
	if (p == NULL)
		return -1;
	while (word_peek(w) != NULL)
		if (read_word(w, &p->plan, given) < 0)
			return -1;
	return check(w, &p->plan, given);
}
