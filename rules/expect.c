/*
 * expect.c - the operator's tests: `expect [from A] [to] B [user U] ... rule
 * NAME via PATH`.
 *
 * They run when everything else is in order, through the same decision that
 * mail gets. One that fails refuses the rule set.
 */
#include "rules/parse_int.h"

#include <string.h>

struct expectation {
	struct token place;
	struct rules_query query;
	/* NULL: not asked. Path: that of an action without one as well. */
	const char *rule, *path, *carrier, *pool;
};

#define NO_CARRIER "none"
#define TAGS_MAX   50 /* of a message (mta/smtp/header.h) */

/* ---- what is sent ---- */

bool
is_irregular(const char *local)
{
	size_t len = strlen(local);

	if (len == 0 || local[strcspn(local, "()<>[]:;@\\,\" ")] != '\0')
		return false;
	return local[0] == '.' || local[len - 1] == '.' ||
	       strstr(local, "..") != NULL;
}

static int
read_sender(struct words *w, struct rules_query *q)
{
	const struct token *t = word_peek(w);

	if (word_take(w, "<>"))
		return 0;
	if (t == NULL || word_reserved(t))
		return word_expected(w, "an address or '<>'", NULL, 0);
	return read_address(w, word_next(w), &q->from_local, &q->from_domain);
}

static int
read_envelope(struct words *w, struct rules_query *q)
{
	if (word_take(w, "from") && read_sender(w, q) < 0)
		return -1;
	word_take(w, "to");
	if (word_peek(w) == NULL || word_reserved(word_peek(w)))
		return word_expected(w, "an address", NULL, 0);
	if (read_address(w, word_next(w), &q->to_local, &q->to_domain) < 0)
		return -1;
	q->irregular = is_irregular(q->to_local);
	return 0;
}

static int
read_text(struct words *w, const char *what, const char **out)
{
	const struct token *t = word_peek(w);

	if (t == NULL || word_reserved(t))
		return word_expected(w, what, NULL, 0);
	word_next(w);
	*out = arena_strndup(&w->parse->rs->arena, t->text, t->len);
	return 0;
}

static int
input_user(struct words *w, struct rules_query *q)
{
	return read_text(w, "the name of a user", &q->user);
}

static int
input_listener(struct words *w, struct rules_query *q)
{
	return read_text(w, "the name of a listener", &q->listener);
}

static int
input_header_from(struct words *w, struct rules_query *q)
{
	const struct token *t = word_peek(w);

	if (t == NULL || word_reserved(t))
		return word_expected(w, "a domain", NULL, 0);
	word_next(w);
	return read_domain(w, t, t->text, t->len, &q->header_from);
}

/* Several tags stand in one text, as in a query. */
static int
input_tag(struct words *w, struct rules_query *q)
{
	unsigned n = 0;

	do {
		const struct token *t = word_peek(w);
		bool first = q->tags == NULL;

		if (t == NULL || word_reserved(t) || !is_tag(t))
			return word_expected(
			    w, "a tag such as 'campaign=spring'", NULL, 0);
		if (n++ == TAGS_MAX) {
			problem_at(w->parse->report, t,
			    "more than %d tags, which no message has",
			    TAGS_MAX);
			return -1;
		}
		word_next(w);
		q->tags = arena_printf(&w->parse->rs->arena, "%s%s%.*s",
		    first ? "" : q->tags, first ? "" : ",", (int)t->len,
		    t->text);
	} while (word_peek(w) != NULL && is_tag(word_peek(w)));
	return 0;
}

static int
input_size(struct words *w, struct rules_query *q)
{
	const struct token *t = word_peek(w);

	if (t == NULL || word_reserved(t))
		return word_expected(w, "a size such as '1MB'", NULL, 0);
	return read_bytes(w, word_next(w), &q->size);
}

static const struct {
	const char *word;
	int (*parse)(struct words *, struct rules_query *);
} inputs[] = {
	{ "user", input_user },
	{ "listener", input_listener },
	{ "header-from", input_header_from },
	{ "tag", input_tag },
	{ "size", input_size },
};

#define INPUTS (sizeof(inputs) / sizeof(*inputs))

/* 1: one was read; 0: the next word is none; -1: a mistake. */
static int
read_input(struct words *w, struct expectation *e, bool *seen)
{
	for (size_t i = 0; i < INPUTS; i++) {
		if (!word_take(w, inputs[i].word))
			continue;
		if (seen[i]) {
			problem_at(w->parse->report, &w->token[w->at - 1],
			    "'%s' is given twice", inputs[i].word);
			return -1;
		}
		seen[i] = true;
		return inputs[i].parse(w, &e->query) < 0 ? -1 : 1;
	}
	return 0;
}

/* ---- what is expected ---- */

static const char *const wishes[] = { "rule", "via", "carrier", "pool",
	RULES_PATH_REJECT, RULES_PATH_HOLD, RULES_PATH_DISCARD };

#define WISHES (sizeof(wishes) / sizeof(*wishes))

/* What follows each; the actions are a wish of one word. */
#define NO_NAME (-1)
static const int wish_names[WISHES] = { NAME_RULE, NAME_PATH, NAME_CARRIER,
	NAME_POOL, NO_NAME, NO_NAME, NO_NAME };

static int
read_value(struct words *w, size_t wish, const char **out)
{
	enum name_kind kind = (enum name_kind)wish_names[wish];
	const struct token *t;

	if (wish_names[wish] == NO_NAME) {
		*out = wishes[wish];
		return 0;
	}
	if (kind == NAME_CARRIER && word_take(w, NO_CARRIER)) {
		*out = NO_CARRIER;
		return 0;
	}
	t = word_name(w, kind);
	if (t == NULL)
		return -1;
	*out = arena_strndup(&w->parse->rs->arena, t->text, t->len);
	return 0;
}

/* The wish stands on the path as another before it does. */
static bool
gives_another_way(const struct words *w, size_t wish)
{
	for (size_t i = 0; i + 1 < w->at; i++)
		if (word_is(&w->token[i], wishes[wish]))
			return false;
	return true;
}

static int
read_wish(struct words *w, struct expectation *e)
{
	const char **places[WISHES] = { &e->rule, &e->path, &e->carrier,
		&e->pool, &e->path, &e->path, &e->path };

	for (size_t i = 0; i < WISHES; i++) {
		if (!word_take(w, wishes[i]))
			continue;
		if (*places[i] != NULL) {
			problem_at(w->parse->report, &w->token[w->at - 1],
			    gives_another_way(w, i)
				? "'%s' comes after another way out"
				: "'%s' is given twice",
			    wishes[i]);
			return -1;
		}
		return read_value(w, i, places[i]);
	}
	return word_expected(w,
	    "'rule', 'via', 'carrier', 'pool', 'reject', 'hold' or 'discard'",
	    wishes, WISHES);
}

static bool
wishes_something(const struct expectation *e)
{
	return e->rule != NULL || e->path != NULL || e->carrier != NULL ||
	       e->pool != NULL;
}

int
parse_expect(struct words *w)
{
	struct expectation e = { .place = w->token[0] };
	struct parse *p = w->parse;
	bool seen[INPUTS] = { false };
	int rc;

	if (read_envelope(w, &e.query) < 0)
		return -1;
	do {
		rc = read_input(w, &e, seen);
		if (rc == 0)
			rc = read_wish(w, &e);
		if (rc < 0)
			return -1;
	} while (word_peek(w) != NULL || !wishes_something(&e));
	p->expectation = rules_grow(p->expectation, &p->expectation_room,
	    p->nexpectation + 1, sizeof(*p->expectation));
	p->expectation[p->nexpectation++] = e;
	return 0;
}

/* ---- what came out ---- */

static const char *
carrier_name(const struct rules_decision *d)
{
	return d->carrier != NULL ? d->carrier : NO_CARRIER;
}

static bool
same_or_any(const char *wanted, const char *got)
{
	return wanted == NULL || (got != NULL && strcmp(wanted, got) == 0);
}

static bool
met(const struct expectation *e, const struct rules_decision *d)
{
	return same_or_any(e->rule, d->rule->name) &&
	       same_or_any(e->path, d->path) &&
	       same_or_any(e->carrier, carrier_name(d)) &&
	       same_or_any(e->pool, d->pool);
}

/* "via 'mta'", and of what is no path its own word. */
static const char *
way(struct arena *a, const char *path)
{
	for (size_t i = WISHES - 3; i < WISHES; i++)
		if (strcmp(path, wishes[i]) == 0)
			return path;
	return arena_printf(a, "via '%s'", path);
}

/* "rule 'keitai' via 'mta'", of what was asked for. */
static const char *
wished(struct arena *a, const struct expectation *e)
{
	const char *s = "";

	if (e->rule != NULL)
		s = arena_printf(a, " rule '%s'", e->rule);
	if (e->path != NULL)
		s = arena_printf(a, "%s %s", s, way(a, e->path));
	if (e->pool != NULL)
		s = arena_printf(a, "%s pool '%s'", s, e->pool);
	if (e->carrier != NULL)
		s = arena_printf(a, "%s carrier '%s'", s, e->carrier);
	return s + 1;
}

static void
report_unmet(struct parse *p, const struct expectation *e,
    const struct rules_decision *d)
{
	struct arena *a = &p->rs->arena;
	const char *pool = "";

	if (e->pool != NULL)
		pool = d->pool != NULL ? arena_printf(a, " pool '%s'", d->pool)
				       : " without a pool";
	problem_at(p->report, &e->place,
	    "expected %s, got rule '%s' (%s:%u) %s%s carrier '%s'",
	    wished(a, e), d->rule->name, d->rule->file, d->rule->line,
	    way(a, d->path), pool, carrier_name(d));
}

void
run_expectations(struct parse *p)
{
	for (size_t i = 0; i < p->nexpectation; i++) {
		const struct expectation *e = &p->expectation[i];
		struct rules_decision d;

		ruleset_decide(p->rs, &e->query, &d);
		if (!met(e, &d))
			report_unmet(p, e, &d);
	}
}
