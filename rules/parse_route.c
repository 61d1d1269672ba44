/*
 * parse_route.c - `route NAME CONDITION ... via PATH ...`, or `reject`, `hold`
 * and `discard` in place of `via`; and options behind it.
 *
 * parse_condition.c reads the conditions.
 */
#include "rules/parse_int.h"

#include <string.h>

/* Plain rules' senders times their recipients: each pair costs 24 to 48 bytes
 * in a table (compile.c). */
#define PAIRS_MAX     1000000u
#define PAIRS_SET_MAX 4000000u

#define REJECT_TEXT_MAX                                                        \
	400 /* bytes: one line of a reply, RFC 5321 4.5.3.1.5                  \
	     */

/* ---- via ---- */

/* `pool NAME` and the like. The path is known by then. */
static int
read_name(struct words *w, enum name_kind name_kind, enum rules_use_kind kind,
    const char *path, const char **out)
{
	const struct token *t, *option = &w->token[w->at - 1];

	if (*out != NULL) {
		problem_at(w->parse->report, option, "'%s' is given twice",
		    word_show(w, option));
		return -1;
	}
	t = word_name(w, name_kind);
	if (t == NULL)
		return -1;
	*out = arena_strndup(&w->parse->rs->arena, t->text, t->len);
	add_use(w->parse, kind, t, *out, path);
	return 0;
}

static bool
is_percent(const struct token *t)
{
	return t != NULL && !t->string && t->text[t->len - 1] == '%';
}

static const char *
read_path(struct words *w, bool *regular_only)
{
	const struct token *t = word_peek(w);
	struct ruleset *rs = w->parse->rs;
	const char *name;
	uint32_t number;

	if (word_is(t, RULES_PATH_HOLD) || word_is(t, RULES_PATH_REJECT)) {
		problem_at(w->parse->report, t,
		    "'%s' is no path; write it without 'via'", word_show(w, t));
		return NULL;
	}
	t = word_name(w, NAME_PATH);
	if (t == NULL)
		return NULL;
	number = path_put(rs, t->text, t->len);
	name = rs->paths.name[number].text;
	*regular_only = rs->path[number].regular_only;
	add_use(w->parse, RULES_USE_PATH, t, name, name);
	return name;
}

static int
read_target(struct words *w, struct target *target, bool *shared)
{
	target->path = read_path(w, &target->regular_only);
	if (target->path == NULL)
		return -1;
	*shared = is_percent(word_peek(w));
	target->share = 10000;
	if (*shared && read_percent(w, word_next(w), &target->share) < 0)
		return -1;
	for (;;) {
		int rc;

		if (word_take(w, "pool"))
			rc = read_name(w, NAME_POOL, RULES_USE_POOL,
			    target->path, &target->pool);
		else if (word_take(w, "configuration-set"))
			rc = read_name(w, NAME_CONFIGURATION_SET,
			    RULES_USE_CONFIGURATION_SET, target->path,
			    &target->configuration_set);
		else
			return 0;
		if (rc < 0)
			return -1;
	}
}

/* What can follow the last target. `transactional` is no word of the language
 * elsewhere, and before a share it is the name of a path. */
static bool
at_option(const struct words *w)
{
	const struct token *t = word_peek(w);
	const struct token *next = w->at + 1 < w->n ? t + 1 : NULL;

	return word_is(t, "fallback") || word_is(t, "quote") ||
	       word_is(t, "raw") ||
	       (word_is(t, "transactional") && !is_percent(next));
}

static bool
refuse_condition(struct words *w, const char *action)
{
	static const char *const conditions[] = { "to", "from", "and", "not",
		"header-from", "user", "listener", "tag", "size",
		"local-part" };
	const struct token *t = word_peek(w);

	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++)
		if (word_is(t, conditions[i])) {
			problem_at(w->parse->report, t,
			    "conditions come before '%s'", action);
			return true;
		}
	return false;
}

static int
refuse_more(struct words *w)
{
	static const char *const names[] = { "pool", "configuration-set",
		"fallback", "quote", "raw", "transactional" };

	if (refuse_condition(w, "via"))
		return -1;
	return word_expected(w,
	    "'pool', 'configuration-set', a share such as '95%', 'fallback', "
	    "'quote', 'raw', 'transactional' or the end of the line",
	    names, sizeof(names) / sizeof(*names));
}

#define TARGETS_MAX 100 /* of a split: 1 % each */

static int
add_target(struct words *w, struct target *targets, size_t *n, unsigned *sum)
{
	struct target target = { .path = NULL };
	bool shared;

	if (*n == TARGETS_MAX) {
		problem_at(w->parse->report, word_peek(w),
		    "more than %d paths in a split", TARGETS_MAX);
		return -1;
	}
	if (read_target(w, &target, &shared) < 0)
		return -1;
	targets[(*n)++] = target;
	*sum += target.share;
	if (word_peek(w) == NULL || shared || at_option(w))
		return 0;
	return refuse_more(w);
}

static bool
same_name(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_target(const struct target *a, const struct target *b)
{
	return a->path == b->path && a->share == b->share &&
	       same_name(a->pool, b->pool) &&
	       same_name(a->configuration_set, b->configuration_set);
}

/*
 * Thousands of rules go the same few ways. One record for all who go alike
 * stays in the processor's cache.
 */
static const struct target *
keep_targets(struct ruleset *rs, const struct target *targets, size_t n)
{
	struct target *kept;

	for (size_t i = 0; n == 1 && i < rs->nrecent && i < RECENT; i++)
		if (same_target(rs->recent[i], targets))
			return rs->recent[i];
	kept = arena_alloc(&rs->arena, n * sizeof(*kept));
	memcpy(kept, targets, n * sizeof(*kept));
	if (n == 1)
		rs->recent[rs->nrecent++ % RECENT] = kept;
	return kept;
}

/* Behind an option there is another share. */
static bool
shares_go_on(const struct words *w)
{
	for (size_t i = w->at; i < w->n; i++)
		if (is_percent(&w->token[i]))
			return true;
	return false;
}

static int
read_via(struct words *w, struct route *r)
{
	const struct token *via = &w->token[w->at - 1];
	struct target targets[TARGETS_MAX];
	unsigned sum = 0;
	size_t n = 0;

	do {
		if (add_target(w, targets, &n, &sum) < 0)
			return -1;
	} while (word_peek(w) != NULL && !at_option(w));
	r->way.target = keep_targets(w->parse->rs, targets, n);
	r->way.ntarget = (uint32_t)n;
	if (sum == 10000)
		return 0;
	if (at_option(w) && sum < 10000 && shares_go_on(w)) {
		problem_at(w->parse->report, word_peek(w),
		    "'%s' comes after the last path",
		    word_show(w, word_peek(w)));
		return -1;
	}
	problem_at(w->parse->report, via,
	    "the shares add up to %u.%02u%%, expected 100%%", sum / 100,
	    sum % 100);
	return -1;
}

/* ---- the other actions ---- */

/* RFC 5321 4.2: textstring. */
static bool
is_ascii(const struct token *t)
{
	for (size_t i = 0; i < t->len; i++)
		if ((unsigned char)t->text[i] < ' ' ||
		    (unsigned char)t->text[i] > '~')
			return false;
	return true;
}

static int
read_reject(struct words *w, struct route *r)
{
	const struct token *t = word_peek(w);

	r->way.action = RULES_REJECT;
	if (t == NULL || !t->string || t->len == 0)
		return word_expected(w, "a text in quotes", NULL, 0);
	if (!is_ascii(t)) {
		problem_at(w->parse->report, t,
		    "the text has a character that a mail reply cannot carry; "
		    "only ASCII can");
		return -1;
	}
	if (t->len > REJECT_TEXT_MAX) {
		problem_at(w->parse->report, t,
		    "the text is longer than %d bytes", REJECT_TEXT_MAX);
		return -1;
	}
	word_next(w);
	r->way.text = arena_strndup(&w->parse->rs->arena, t->text, t->len);
	return 0;
}

static int
read_hold(struct words *w, struct route *r)
{
	(void)w;
	r->way.action = RULES_HOLD;
	return 0;
}

static int
read_discard(struct words *w, struct route *r)
{
	(void)w;
	r->way.action = RULES_DISCARD;
	return 0;
}

static const char *const action_names[] = {
	[RULES_VIA] = "via",
	[RULES_REJECT] = "reject",
	[RULES_HOLD] = "hold",
	[RULES_DISCARD] = "discard",
};

static const struct {
	const char *word;
	int (*parse)(struct words *, struct route *);
} actions[] = {
	{ "via", read_via },
	{ "reject", read_reject },
	{ "hold", read_hold },
	{ "discard", read_discard },
};

#define ACTIONS (sizeof(actions) / sizeof(*actions))

static bool
is_action(const struct token *t)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (word_is(t, actions[i].word))
			return true;
	return false;
}

static int
read_action(struct words *w, struct route *r)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (word_take(w, actions[i].word))
			return actions[i].parse(w, r);
	return -1;
}

/* ---- options ---- */

static int
read_fallback(struct words *w, struct route *r)
{
	if (word_take(w, "none"))
		return 0;
	if (word_take(w, "hold")) {
		r->way.fallback = RULES_PATH_HOLD;
		return 0;
	}
	if (word_peek(w) == NULL || word_reserved(word_peek(w)))
		return word_expected(w, "a path, 'hold' or 'none'", NULL, 0);
	r->way.fallback = read_path(w, &r->way.fallback_regular_only);
	if (r->way.fallback == NULL)
		return -1;
	if (r->way.ntarget > 1 || r->way.fallback != r->way.target[0].path)
		return 0;
	problem_at(w->parse->report, &w->token[w->at - 1],
	    "fallback '%s' is the path itself", r->way.fallback);
	return -1;
}

static int
given_twice(struct words *w, const struct token *t)
{
	problem_at(w->parse->report, t, "'%s' is given twice", word_show(w, t));
	return -1;
}

static int
read_local_part(struct words *w, const struct token *t, struct route *r)
{
	if (r->way.local_part != RULES_LOCAL_PART_SHAPE) {
		problem_at(
		    w->parse->report, t, "'quote' or 'raw' is given already");
		return -1;
	}
	r->way.local_part =
	    word_is(t, "raw") ? RULES_LOCAL_PART_RAW : RULES_LOCAL_PART_QUOTE;
	return 0;
}

static int
read_option(struct words *w, struct route *r, bool *fallback)
{
	const struct token *t = word_next(w);

	if (r->way.action != RULES_VIA) {
		problem_at(w->parse->report, t, "'%s' goes with 'via' only",
		    word_show(w, t));
		return -1;
	}
	if (word_is(t, "fallback")) {
		if (*fallback)
			return given_twice(w, t);
		*fallback = true;
		return read_fallback(w, r);
	}
	if (!word_is(t, "transactional"))
		return read_local_part(w, t, r);
	if (r->way.transactional)
		return given_twice(w, t);
	r->way.transactional = true;
	return 0;
}

/* ---- the statement ---- */

/* The rule for everything would never be met if it could be left out by
 * mistake: it is written `any`. */
static int
read_conditions(struct words *w, struct route *r)
{
	const struct token *first = word_peek(w);
	bool joined;

	if (word_is(first, "and")) {
		problem_at(w->parse->report, first,
		    "'and' stands between two conditions");
		return -1;
	}
	if (is_action(first)) {
		problem_at(w->parse->report, first,
		    "no condition before '%s'; 'to any' takes everything",
		    word_show(w, first));
		return -1;
	}
	do {
		joined = word_take(w, "and");
		if (parse_condition(w, r, joined) < 0)
			return -1;
	} while (!is_action(word_peek(w)));
	return 0;
}

static int
check_pairs(struct words *w, const struct route *r)
{
	const struct condition *to, *from;

	if (!route_is_plain(r))
		return 0;
	to = route_condition(r, CONDITION_TO);
	from = route_condition(r, CONDITION_FROM);
	if (to == NULL || from == NULL)
		return 0;
	if ((uint64_t)to->n * from->n <= PAIRS_MAX) {
		w->parse->npair += to->n * from->n;
		if (w->parse->npair <= PAIRS_SET_MAX)
			return 0;
		problem_at(w->parse->report, &w->token[2],
		    "senders times recipients of all rules are more than %u "
		    "pairs",
		    PAIRS_SET_MAX);
		return -1;
	}
	problem_at(w->parse->report, &w->token[2],
	    "%zu senders times %zu recipients are more than %u pairs; "
	    "make it two rules",
	    from->n, to->n, PAIRS_MAX);
	return -1;
}

static int
read_route(struct words *w, struct route *r)
{
	bool fallback = false;

	if (read_conditions(w, r) < 0 || check_pairs(w, r) < 0 ||
	    read_action(w, r) < 0)
		return -1;
	while (at_option(w))
		if (read_option(w, r, &fallback) < 0)
			return -1;
	return r->way.action != RULES_VIA &&
		       refuse_condition(w, action_names[r->way.action])
		   ? -1
		   : 0;
}

/* The rule is in the set even when it is wrong: its name is taken, and
 * ruleset_free finds its arrays. */
static struct route *
new_route(struct words *w, const struct token *name)
{
	struct ruleset *rs = w->parse->rs;
	uint32_t number;

	rs->route = rules_grow(
	    rs->route, &rs->route_room, rs->nroute + 1, sizeof(*rs->route));
	number =
	    table_put(&w->parse->rule_names, &rs->arena, name->text, name->len);
	if (number < rs->nroute) {
		problem_at(w->parse->report, name,
		    "rule '%s' is defined already, at %s:%u",
		    word_show(w, name), rs->route[number].rule.file,
		    rs->route[number].rule.line);
		return NULL;
	}
	rs->route[rs->nroute] = (struct route){
		.rule = {
			.name = w->parse->rule_names.name[number].text,
			.file = name->source->name,
			.line = name->line,
		},
		.source = name->source,
		.at = (uint32_t)(name->at - name->source->text),
	};
	return &rs->route[rs->nroute++];
}

int
parse_route(struct words *w)
{
	const struct token *name = word_name(w, NAME_RULE);
	struct route *r;

	if (name == NULL)
		return -1;
	r = new_route(w, name);
	return r != NULL ? read_route(w, r) : -1;
}
