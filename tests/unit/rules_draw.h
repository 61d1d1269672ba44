/*
 * rules_draw.h - rule sets and envelopes at random, for rules_oracle.h.
 *
 * The alphabet is tiny, so that mail and rules meet all the time. The same seed
 * gives the same draws everywhere.
 */
#ifndef TESTS_UNIT_RULES_DRAW_H
#define TESTS_UNIT_RULES_DRAW_H

#include "tests/unit/rules_oracle.h"

#define COUNT(array)  (sizeof(array) / sizeof(*(array)))
#define ONE_OF(array) ((array)[draw(COUNT(array))])

static uint64_t draw_state;
static unsigned pattern_percent; /* of mailboxes: patterns beyond the usual */

/* Below n. splitmix64. */
static inline unsigned
draw(size_t n)
{
	uint64_t z = draw_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ (z >> 31)) % n);
}

static inline bool
chance(unsigned percent)
{
	return draw(100) < percent;
}

static const char *const domains[] = { "a.jp", "b.jp", "ab.jp", "a.b.jp",
	"b.a.jp", "x.a.b.jp", "jp", "a", "ne.jp", "docomo.ne.jp",
	"x.docomo.ne.jp", "ezweb.ne.jp", "ko.jp", "[192.0.2.1]" };
static const char *const locals[] = { "u", "u", "U", "v", "us", "vu+tag",
	"vuus", "aab", "a..b", "a.", ".a", "a b", "k",
	"\xe2\x84\xaa" /* KELVIN SIGN, a k */, "\xc5\xbf" /* LONG S */ };
static const char *const users[] = { "web", "batch", "Web", "a b", "to", "*",
	"info@a.jp" };
static const char *const listeners[] = { "submission", "relay" };
static const char *const tags[] = { "kind=a", "kind=ab", "xkind=a", "k-2=b" };
static const char *const carriers[] = { "c0", "c1", "c2" };
static const char *const paths[] = { "mta", "mta2", "ses", "ses2" };

/* ---- patterns ---- */

/* Such as people write, and such as a reader of patterns may get wrong. */
static const char *const whole_patterns[] = { "^u", "@a\\.jp$", "^U@", "\\.\\.",
	"b", "^$", "^(u|v)@.*jp$", "a b", "^[^@]+@(a|b)\\.", "^(?!u).*@a",
	"^v.*\\+tag@", "u(*ACCEPT)nothing", "^.{1,3}@", "k@",
	"(a|b(?1)?b)\\.jp", "jp$", "^vu+s@", "(?:u|aa)+[sb]@", "^a\\.b\\.jp$",
	"\\/|u", "(?i)US@", "s@" };

static const char *const pieces[] = { "a", "b", "u", "v", "jp", "k", "s", "@",
	"\\.", ".", "[ab]", "[^a]", "\\w", "\\bu", "^", "$", "\\x61", "\\x{6b}",
	"\\Qa.b\\E", "(?#x)", "[[:alpha:]]", "[a\\]]", "[]a]", "(?i)", "(?-i)",
	"(?i:K)", "(*ACCEPT)", "\\K", "(?=u)", "(?!u)", "(?<=a)", "(?<!a)",
	"(?>a|ab)", "\\1", "(?(1)a|b)", "\\N", "\\pL", "\\A", "\\z", " ", "#",
	"\\ ", "\\#", "{2", "K", "S", "\\141", "\\o{141}", "\xc5\xbf", "\\/",
	"(?x) a", "(?:)", "(*PRUNE)", "[^\\W@]", "vu+s", "^a{1,2}b", "vu*s@",
	"[au]{2}" };
static const char *const repeats[] = { "?", "*", "+", "{0}", "{0,1}", "{1,2}",
	"{2}", "??", "+?", "*+" };
/* Of a group: nothing unbounded within something unbounded. */
static const char *const group_repeats[] = { "?", "{0}", "{1,2}", "{2}" };
static const char *const groups[] = { "(", "(?:", "(?i:", "(?>", "(?|", "(?<n>",
	"(?=", "(?!" };

static inline void
draw_pieces(FILE *out, unsigned depth)
{
	for (unsigned n = 1 + draw(4); n > 0; n--) {
		if (depth < 2 && chance(15)) {
			fputs(ONE_OF(groups), out);
			draw_pieces(out, depth + 1);
			fputs(")", out);
			if (chance(30))
				fputs(ONE_OF(group_repeats), out);
		} else {
			fputs(ONE_OF(pieces), out);
			if (chance(20))
				fputs(ONE_OF(repeats), out);
		}
		if (chance(12))
			fputs("|", out);
	}
}

static inline bool
compile_pattern(struct who *w)
{
	uint32_t options = PCRE2_UTF;
	PCRE2_SIZE offset;
	int error;

	options |= strchr(w->flags, 'i') != NULL ? PCRE2_CASELESS : 0;
	options |= strchr(w->flags, 'x') != NULL ? PCRE2_EXTENDED : 0;
	options |= strchr(w->flags, 's') != NULL ? PCRE2_DOTALL : 0;
	w->code = pcre2_compile((PCRE2_SPTR)w->text, strlen(w->text), options,
	    &error, &offset, NULL);
	return w->code != NULL;
}

/* Until PCRE2 takes one. */
static inline void
draw_pattern(struct who *w)
{
	static const char *const flags[] = { "", "", "", "i", "x", "s", "ix" };
	char text[256];

	do {
		FILE *out = fmemopen(text, sizeof(text), "w");

		if (chance(50))
			fputs(ONE_OF(whole_patterns), out);
		else
			draw_pieces(out, 0);
		fclose(out);
		if (strlen(text) >= sizeof(w->text))
			continue;
		strcpy(w->text, text);
		strcpy(w->flags, ONE_OF(flags));
	} while (strlen(text) >= sizeof(w->text) || !compile_pattern(w));
}

/* ---- conditions ---- */

static inline struct who
draw_who(enum condition_kind kind)
{
	static const enum who_kind kinds[] = { WHO_DOMAIN, WHO_DOMAIN,
		WHO_SUFFIX, WHO_CARRIER, WHO_ANY_CARRIER, WHO_PATTERN,
		WHO_ADDRESS, WHO_ADDRESS, WHO_NULL_PATH };
	struct who w = {
		.kind = kinds[draw(COUNT(kinds) - (kind == IF_FROM    ? 0
						      : kind == IF_TO ? 1
								      : 3))]
	};

	if (chance(pattern_percent))
		w.kind = WHO_PATTERN;
	if (w.kind == WHO_ADDRESS)
		snprintf(w.text, sizeof(w.text), "%s@%s", ONE_OF(locals),
		    ONE_OF(domains));
	else if (w.kind == WHO_DOMAIN || w.kind == WHO_SUFFIX)
		strcpy(w.text, domains[draw(COUNT(domains) - 1)]);
	else if (w.kind == WHO_CARRIER)
		strcpy(w.text, ONE_OF(carriers));
	else if (w.kind == WHO_PATTERN)
		draw_pattern(&w);
	w.bare = w.kind == WHO_SUFFIX || strchr(w.text, '.') != NULL;
	w.bare = w.bare && chance(50);
	return w;
}

static inline void
draw_mailboxes(struct condition *c)
{
	c->everybody = c->kind != IF_HEADER_FROM && chance(8);
	c->nwho = c->everybody ? 0 : 1 + draw(4);
	for (unsigned i = 0; i < c->nwho; i++)
		c->who[i] = draw_who(c->kind);
}

static inline void
draw_names(struct condition *c)
{
	c->nwho = 1 + draw(2);
	for (unsigned i = 0; i < c->nwho; i++) {
		c->who[i].kind = WHO_NAME;
		strcpy(c->who[i].text, c->kind == IF_USER  ? ONE_OF(users)
				       : c->kind == IF_TAG ? ONE_OF(tags)
							   : ONE_OF(listeners));
	}
	if (c->kind == IF_USER && chance(25)) {
		c->nwho = 1;
		c->who[0] = (struct who){ .kind = WHO_ANY_NAME };
	}
}

static inline void
draw_size(struct condition *c)
{
	static const struct {
		uint64_t bytes;
		const char *unit;
	} sizes[] = { { 1024, "KB" }, { 1024, "" }, { 1025, "B" },
		{ 1048576, "MB" }, { 3, "" }, { 5368709120, "GB" } };
	size_t i = draw(COUNT(sizes));

	c->more = chance(50);
	c->bytes = sizes[i].bytes;
	strcpy(c->unit, sizes[i].unit);
}

/* A narrow one says whom a rule is for; without, few rules would be left any
 * mail by those before them. */
static inline struct condition
draw_condition(bool narrow)
{
	static const enum condition_kind kinds[] = { IF_TO, IF_TO, IF_TO, IF_TO,
		IF_TO, IF_FROM, IF_FROM, IF_FROM, IF_HEADER_FROM, IF_USER,
		IF_USER, IF_LISTENER, IF_TAG, IF_SIZE, IF_IRREGULAR, IF_ANY };
	struct condition c = { .kind = kinds[draw(COUNT(kinds) - narrow)] };

	/* `to a.jp any` would read as one `to`. */
	c.with_and = c.kind == IF_ANY || chance(30);
	c.negated = chance(20);
	if (c.kind == IF_TO || c.kind == IF_FROM || c.kind == IF_HEADER_FROM)
		draw_mailboxes(&c);
	else if (c.kind == IF_SIZE)
		draw_size(&c);
	else if (c.kind == IF_USER || c.kind == IF_LISTENER || c.kind == IF_TAG)
		draw_names(&c);
	/* No rule for nobody at all: that is a mistake, and told as one. */
	c.negated = c.negated && c.kind != IF_ANY && !c.everybody && !narrow;
	return c;
}

/* ---- actions ---- */

static inline void
draw_targets(struct model_rule *r)
{
	static const unsigned splits[][3] = { { 5000, 5000 }, { 9500, 500 },
		{ 10000, 0 }, { 0, 10000 }, { 3333, 6667 },
		{ 1250, 3750, 5000 }, { 0, 1, 9999 } };
	static const char *const pools[] = { NULL, NULL, "p", "q" };
	static const char *const sets[] = { NULL, NULL, "main" };
	const unsigned *split = ONE_OF(splits);

	r->ntarget = chance(60) ? 1 : split[2] > 0 ? 3 : 2;
	for (unsigned i = 0; i < r->ntarget; i++) {
		r->target[i] = (struct model_target){
			.path = chance(3) ? "discard" : ONE_OF(paths),
			.pool = ONE_OF(pools),
			.configuration_set = ONE_OF(sets),
			.share = r->ntarget == 1 ? 10000 : split[i],
		};
		if (strcmp(r->target[i].path, "discard") == 0)
			r->target[i].pool = r->target[i].configuration_set =
			    NULL;
	}
}

/* A fallback that is one of the targets would be no way out. */
static inline void
draw_options(struct model_rule *r)
{
	static const char *const fallbacks[] = { "hold", "none", "relay", "mta",
		"ses", "ses2" };

	if (chance(40))
		r->fallback = ONE_OF(fallbacks);
	for (unsigned i = 0; i < r->ntarget; i++)
		if (r->fallback != NULL &&
		    strcmp(r->fallback, r->target[i].path) == 0)
			r->fallback = NULL;
	if (chance(30))
		r->local_part = 1 + draw(2);
	r->transactional = chance(20);
}

static inline void
draw_action(struct model_rule *r)
{
	static const enum rules_action actions[] = { RULES_VIA, RULES_VIA,
		RULES_VIA, RULES_VIA, RULES_VIA, RULES_REJECT, RULES_HOLD,
		RULES_DISCARD };
	static const char *const texts[] = { "no", "not \"here\" \\ now" };

	r->action = ONE_OF(actions);
	r->ntarget = 0;
	r->fallback = r->text = NULL;
	r->local_part = RULES_LOCAL_PART_SHAPE;
	r->transactional = false;
	if (r->action == RULES_REJECT)
		r->text = ONE_OF(texts);
	if (r->action != RULES_VIA)
		return;
	draw_targets(r);
	if (r->ntarget > 1 || strcmp(r->target[0].path, "discard") != 0)
		draw_options(r);
}

/* ---- sets ---- */

static inline void
draw_rule(struct model *m, unsigned number)
{
	struct model_rule *r = &m->rule[number];
	unsigned narrow;

	snprintf(r->name, sizeof(r->name), "r%u", number);
	r->ncondition = 1 + draw(draw(4) + 1);
	narrow = chance(90) ? draw(r->ncondition) : r->ncondition;
	for (unsigned i = 0; i < r->ncondition; i++)
		r->condition[i] = draw_condition(i == narrow);
	draw_action(r);
	/* Else hardly a set would be let through. */
	if (all_only_regular(m, r) && chance(85))
		r->condition[r->ncondition++] = (struct condition){
			.kind = IF_IRREGULAR,
			.negated = true,
		};
}

static inline void
draw_last_rule(struct model *m)
{
	struct model_rule *r = &m->rule[m->nrule - 1];
	struct condition any = { .kind = IF_TO, .everybody = true };

	snprintf(r->name, sizeof(r->name), "last");
	any.kind = (enum condition_kind)draw(3); /* any, to any, from any */
	r->ncondition = 1 + draw(2);
	for (unsigned i = 0; i < r->ncondition; i++) {
		any.with_and = i > 0;
		r->condition[i] = any;
	}
	do
		draw_action(r);
	while (all_only_regular(m, r) && chance(85));
}

static inline void
draw_members(struct model *m)
{
	static const char *const names[] = { "a.jp", "b.jp", "a.b.jp",
		"docomo.ne.jp", "ne.jp", "ko.jp", "jp" };
	static const char *const only[] = { "only0.jp", "only1.jp",
		"only2.jp" };
	static const char *const suffix_groups[] = { "g", "h" };

	for (unsigned i = 0; i < 3; i++)
		m->member[m->nmember++] =
		    (struct member){ false, only[i], carriers[i], carriers[i] };
	for (unsigned i = 0; i < COUNT(names); i++) {
		struct member one = { chance(50), names[i], ONE_OF(carriers),
			NULL };

		one.group = chance(50) ? one.carrier : ONE_OF(suffix_groups);
		if (chance(50))
			m->member[m->nmember++] = one;
	}
}

static inline struct model
draw_model(unsigned nrule, const char *const *regular_only, size_t n)
{
	struct model m = {
		.rule = calloc(nrule + 1, sizeof(*m.rule)),
		.nrule = nrule + 1,
		.regular_only = regular_only,
		.nregular_only = n,
	};

	assert_non_null(m.rule);
	draw_members(&m);
	for (unsigned i = 0; i < nrule; i++)
		draw_rule(&m, i);
	draw_last_rule(&m);
	return m;
}

/* ---- envelopes ---- */

static inline bool
breaks_rfc(const char *local)
{
	size_t n = strlen(local);

	return n == 0 || local[0] == '.' || local[n - 1] == '.' ||
	       strstr(local, "..") != NULL;
}

static inline void
draw_content(struct rules_query *q)
{
	static const char *const lists[] = { NULL, "", "kind=a", "kind=ab",
		"xkind=a,k-2=b", "k-2=b,kind=a", "kind=a,kind=ab" };
	static const uint64_t sizes[] = { 0, 2, 3, 4, 1023, 1024, 1025, 1026,
		1048575, 1048577, 6000000000 };

	q->header_from = chance(20) ? NULL : ONE_OF(domains);
	q->tags = ONE_OF(lists);
	q->size = ONE_OF(sizes);
}

static inline struct rules_query
draw_query(void)
{
	struct rules_query q = {
		.to_local = ONE_OF(locals),
		.to_domain = chance(5) ? "" : ONE_OF(domains),
	};

	q.irregular = breaks_rfc(q.to_local);
	if (chance(85)) {
		q.from_local = ONE_OF(locals);
		q.from_domain = ONE_OF(domains);
	} else if (chance(50)) {
		q.from_local = q.from_domain = "";
	}
	q.user = chance(40) ? NULL : ONE_OF(users);
	q.listener = chance(20) ? "" : ONE_OF(listeners);
	draw_content(&q);
	return q;
}

#endif
