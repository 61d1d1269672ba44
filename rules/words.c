/*
 * words.c - reading the words of a statement: names, domains, addresses.
 *
 * parse_number.c reads what has digits.
 */
#include "rules/parse_int.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "rules/hash_int.h"

#define NAME_MAX_LEN   64
#define LOCAL_MAX_LEN  64  /* RFC 5321 4.5.3.1.1 */
#define DOMAIN_MAX_LEN 255 /* RFC 5321 4.5.3.1.2 */
#define LABEL_MAX_LEN  63  /* RFC 1035 2.3.4 */
#define SHOW_MAX       60

static const char *const reserved[] = {
	"and",
	"any",
	"carrier",
	"configuration-set",
	"discard",
	"domain",
	"fallback",
	"from",
	"header-from",
	"hold",
	"listener",
	"local-part",
	"none",
	"not",
	"pool",
	"quote",
	"raw",
	"reject",
	"size",
	"tag",
	"to",
	"user",
	"via",
};

const struct token *
word_peek(const struct words *w)
{
	return w->at < w->n ? &w->token[w->at] : NULL;
}

const struct token *
word_next(struct words *w)
{
	return w->at < w->n ? &w->token[w->at++] : NULL;
}

bool
word_is(const struct token *t, const char *text)
{
	return t != NULL && !t->string && t->len == strlen(text) &&
	       memcmp(t->text, text, t->len) == 0;
}

bool
word_take(struct words *w, const char *text)
{
	if (!word_is(word_peek(w), text))
		return false;
	w->at++;
	return true;
}

bool
word_reserved(const struct token *t)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (word_is(t, reserved[i]))
			return true;
	return false;
}

const char *
word_show(struct words *w, const struct token *t)
{
	const char *quote = t->string ? "\"" : "", *dots = "";
	size_t len = t->len;

	if (len > SHOW_MAX) {
		dots = "...";
		len = SHOW_MAX;
		while (len > 0 && ((unsigned char)t->text[len] & 0xc0) == 0x80)
			len--;
	}
	return arena_printf(&w->parse->rs->arena, "%s%.*s%s%s", quote, (int)len,
	    t->text, dots, quote);
}

unsigned
word_span(const struct token *t)
{
	unsigned n = 1;

	if (t->at[0] != '"')
		return (unsigned)t->len;
	while (t->at[n] != '"')
		n += t->at[n] == '\\' && t->at[n + 1] != '\0' ? 2 : 1;
	n++;
	/* "a b"@example.jp */
	return t->string ? n : n + (unsigned)strcspn(t->at + n, " \t\r\n");
}

/* The place just after the last word. */
static struct token
end_of(const struct words *w)
{
	struct token t;

	assert(w->n > 0 && w->token != NULL);
	t = w->token[w->n - 1];
	t.at += word_span(&w->token[w->n - 1]);
	t.col += word_span(&w->token[w->n - 1]);
	return t;
}

int
word_expected(
    struct words *w, const char *what, const char *const *names, size_t n)
{
	const struct token *t = word_peek(w);
	struct rules_report *r = w->parse->report;
	struct token end;
	const char *near;

	if (rules_report_skip(r, false))
		return -1;
	if (t == NULL) {
		end = end_of(w);
		problem_at(r, &end, "expected %s after '%s'", what,
		    word_show(w, &w->token[w->n - 1]));
		return -1;
	}
	near = rules_suggest(word_show(w, t), names, n);
	/* The right word in the wrong place is no slip of the pen. */
	if (near != NULL && !word_reserved(t))
		problem_at(r, t, "expected %s, got '%s', did you mean '%s'?",
		    what, word_show(w, t), near);
	else
		problem_at(
		    r, t, "expected %s, got '%s'", what, word_show(w, t));
	return -1;
}

int
words_end(struct words *w)
{
	if (w->at == w->n)
		return 0;
	return word_expected(w, "the end of the line", NULL, 0);
}

/* clang-format off */
static const struct {
	const char *what;
	bool dots;
} name_kinds[] = {
	[NAME_RULE]              = { "a name for the rule", true },
	[NAME_CARRIER]           = { "the name of a carrier", false },
	[NAME_GROUP]             = { "the name of a group", false },
	[NAME_PATH]              = { "the name of a path", true },
	[NAME_POOL]              = { "the name of a pool", true },
	[NAME_CONFIGURATION_SET] = { "the name of a configuration set", true },
	[NAME_LISTENER]          = { "the name of a listener", true },
	[NAME_WARM_UP]           = { "the name of a warm-up plan", true },
};
/* clang-format on */

static bool
good_name(const struct token *t, bool dots)
{
	if (t->string || t->len > NAME_MAX_LEN ||
	    !isalnum((unsigned char)t->text[0]))
		return false;
	for (size_t i = 0; i < t->len; i++) {
		unsigned char c = (unsigned char)t->text[i];

		if (c >= 0x80 || (!isalnum(c) && c != '-' && c != '_' &&
				     !(c == '.' && dots)))
			return false;
	}
	return true;
}

const struct token *
word_name(struct words *w, enum name_kind kind)
{
	const struct token *t = word_peek(w);

	bool reserved_here =
	    word_reserved(t) && !(kind == NAME_PATH && word_is(t, "discard"));

	if (t == NULL || reserved_here ||
	    !good_name(t, name_kinds[kind].dots)) {
		word_expected(w, name_kinds[kind].what, NULL, 0);
		return NULL;
	}
	return word_next(w);
}

const char *
copy_lower(struct arena *a, const char *s, size_t len)
{
	char *p = arena_strndup(a, s, len);

	for (size_t i = 0; i < len; i++)
		p[i] = (char)ascii_lower((unsigned char)p[i]);
	return p;
}

/* What is wrong with a host name, as the end of a sentence; NULL when nothing
 * is. */
static const char *
domain_fault(const char *s, size_t len)
{
	size_t label = 0;

	if (len == 0)
		return "has no domain";
	if (len > DOMAIN_MAX_LEN)
		return "is longer than 255 bytes";
	if (s[0] == '[')
		return len > 2 && s[len - 1] == ']' ? NULL
						    : "has no closing bracket";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '.' && label == 0)
			return "has an empty label";
		if (c == '@')
			return "is an address, expected a domain";
		if (c == '*')
			return "has a '*'; write '.example.jp' for sub-domains";
		if (c != '.' && c != '-' && c != '_' && c < 0x80 && !isalnum(c))
			return "has a character that no domain has";
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX_LEN)
			return "has a label longer than 63 bytes";
	}
	return label > 0 ? NULL : "ends in a dot";
}

int
read_domain(struct words *w, const struct token *t, const char *text,
    size_t len, const char **out)
{
	const char *fault = domain_fault(text, len);

	if (t->string)
		fault = "is quoted, which no domain is";
	if (fault != NULL) {
		problem_at(
		    w->parse->report, t, "'%s' %s", word_show(w, t), fault);
		return -1;
	}
	*out = copy_lower(&w->parse->rs->arena, text, len);
	return 0;
}

int
read_address(struct words *w, const struct token *t, const char **local,
    const char **domain)
{
	const char *at = memrchr(t->text, '@', t->len);
	size_t len = at != NULL ? (size_t)(at - t->text) : 0;

	if (len == 0 || len > LOCAL_MAX_LEN) {
		problem_at(w->parse->report, t, "'%s' %s", word_show(w, t),
		    at == NULL ? "is no address"
		    : len == 0 ? "has no local part"
			       : "has a local part longer than 64 bytes");
		return -1;
	}
	*local = arena_strndup(&w->parse->rs->arena, t->text, len);
	return read_domain(w, t, at + 1, t->len - len - 1, domain);
}

bool
is_tag(const struct token *t)
{
	const char *equals = memchr(t->text, '=', t->len);

	if (equals == NULL || equals == t->text ||
	    equals + 1 == t->text + t->len)
		return false;
	for (size_t i = 0; i < t->len; i++)
		if (t->text[i] <= ' ' || t->text[i] > '~' || t->text[i] == ',')
			return false;
	return true;
}

static void
add_mention(struct parse *p, const struct token *t, enum mention_kind kind,
    uint32_t number)
{
	p->mention = rules_grow(
	    p->mention, &p->mention_room, p->nmention + 1, sizeof(*p->mention));
	p->mention[p->nmention++] = (struct mention){ *t, kind, number };
}

uint32_t
mention_carrier(struct parse *p, const struct token *t)
{
	uint32_t number = carrier_put(p->rs, t->text, t->len);

	p->rs->carrier[number].used = true;
	add_mention(p, t, MENTION_CARRIER, number);
	return number;
}

uint32_t
mention_group(struct parse *p, const struct token *t)
{
	uint32_t number = group_put(p->rs, t->text, t->len);

	p->rs->group[number].used = true;
	add_mention(p, t, MENTION_GROUP, number);
	return number;
}

uint32_t
mention_plan(struct parse *p, const struct token *t)
{
	uint32_t number = plan_put(p->rs, t->text, t->len);

	p->rs->plan[number].used = true;
	add_mention(p, t, MENTION_PLAN, number);
	return number;
}

void
add_use(struct parse *p, enum rules_use_kind kind, const struct token *t,
    const char *name, const char *path)
{
	struct ruleset *rs = p->rs;

	rs->use =
	    rules_grow(rs->use, &rs->use_room, rs->nuse + 1, sizeof(*rs->use));
	rs->use[rs->nuse++] = (struct rules_use){
		.kind = kind,
		.name = name,
		.path = path,
		.file = t->source->name,
		.line = t->line,
		.col = t->col,
	};
}
