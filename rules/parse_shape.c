/*
 * parse_shape.c - `shape SCOPE KEY VALUE ...`
 *
 * SCOPE is `default`, `path P`, `carrier C`, `group G` or `domain D...`.
 * shape.c says which line wins for a destination. A key may be set again in
 * another file, and the later line holds: so that an operator changes what
 * carriers.rules ships without editing it. Twice in one file is a mistake.
 */
#include "rules/parse_int.h"

#include <ctype.h>
#include <string.h>

#define COUNT_MAX    1000000u
#define CONNECTS_MAX 10000u
#define FORM_MAX     (1u << 30) /* bytes of a header or a line */

/* The value after a key; NULL when there is none, which is reported. */
static const struct token *
read_value(struct words *w, const char *what)
{
	const struct token *t = word_peek(w);

	if (t == NULL || t->string || !isdigit((unsigned char)t->text[0])) {
		word_expected(w, what, NULL, 0);
		return NULL;
	}
	return word_next(w);
}

static int
read_count(struct words *w, unsigned max, unsigned *out)
{
	const struct token *t = read_value(w, "a number");

	return t != NULL ? read_number(w, t, t->text, t->len, max, out) : -1;
}

static int
key_connections(struct words *w, struct rules_shape *s)
{
	return read_count(w, CONNECTS_MAX, &s->connections);
}

static int
key_messages(struct words *w, struct rules_shape *s)
{
	return read_count(w, COUNT_MAX, &s->messages);
}

static int
key_recipients_session(struct words *w, struct rules_shape *s)
{
	const struct token *t = word_next(w);

	return read_number(w, t, t->text, t->len - strlen("/session"),
	    COUNT_MAX, &s->recipients_per_session);
}

static int
key_recipients_message(struct words *w, struct rules_shape *s)
{
	const struct token *t = word_next(w);

	return read_number(w, t, t->text, t->len - strlen("/message"),
	    COUNT_MAX, &s->recipients_per_message);
}

static int
key_rate(struct words *w, struct rules_shape *s)
{
	static const char what[] =
	    "a rate such as '5/s', '30/min', '100/h' or '2000/day'";
	const struct token *t = read_value(w, what);
	int rc;

	if (t == NULL)
		return -1;
	rc = read_rate(w, t, COUNT_MAX, &s->rate_count, &s->rate_seconds);
	if (s->rate_seconds > 0)
		return rc;
	w->at--;
	return word_expected(w, what, NULL, 0);
}

static int
add_retry(struct words *w, const struct token *t, const char *text, size_t len,
    struct rules_shape *s, unsigned *retry)
{
	if (s->nretry == RULES_RETRY_MAX) {
		problem_at(w->parse->report, t,
		    "more than %d times in a retry schedule", RULES_RETRY_MAX);
		return -1;
	}
	return read_time(w, t, text, len, &retry[s->nretry++]);
}

static int
key_retry(struct words *w, struct rules_shape *s)
{
	const struct token *t =
	    read_value(w, "times such as '5min,15min,1h,4h'");
	unsigned retry[RULES_RETRY_MAX], *kept;
	const char *p, *end, *comma;

	if (t == NULL)
		return -1;
	s->nretry = 0;
	end = t->text + t->len;
	for (p = t->text;; p = comma + 1) {
		comma = memchr(p, ',', (size_t)(end - p));
		if (add_retry(w, t, p,
			(size_t)((comma != NULL ? comma : end) - p), s,
			retry) < 0)
			return -1;
		if (comma == NULL)
			break;
	}
	kept = arena_alloc(&w->parse->rs->arena, s->nretry * sizeof(*kept));
	memcpy(kept, retry, s->nretry * sizeof(*kept));
	s->retry = kept;
	return 0;
}

static int
key_expiry(struct words *w, struct rules_shape *s)
{
	const struct token *t = read_value(w, "a time such as '5d'");

	return t != NULL ? read_time(w, t, t->text, t->len, &s->expiry) : -1;
}

static int
key_quote(struct words *w, struct rules_shape *s)
{
	(void)w;
	s->raw = false;
	return 0;
}

static int
key_raw(struct words *w, struct rules_shape *s)
{
	(void)w;
	s->raw = true;
	return 0;
}

static int
key_unknown_users(struct words *w, struct rules_shape *s)
{
	const struct token *t = read_value(w, "a share such as '2%'");

	return t != NULL ? read_percent(w, t, &s->unknown_users) : -1;
}

static int
key_warm_up(struct words *w, struct rules_shape *s)
{
	const struct token *t;
	uint32_t number;

	s->warm_up = NULL;
	if (word_take(w, "none"))
		return 0;
	t = word_name(w, NAME_WARM_UP);
	if (t == NULL)
		return -1;
	number = mention_plan(w->parse, t);
	s->warm_up = w->parse->rs->plans.name[number].text;
	return 0;
}

static int
read_limit(struct words *w, uint64_t max, uint64_t *out)
{
	const struct token *t;

	*out = 0;
	if (word_take(w, "none"))
		return 0;
	t = read_value(w, "a size such as '500KB', or 'none'");
	if (t == NULL || read_bytes(w, t, out) < 0)
		return -1;
	if (*out <= max)
		return 0;
	problem_at(
	    w->parse->report, t, "size '%s' is too large", word_show(w, t));
	return -1;
}

static int
key_max_size(struct words *w, struct rules_shape *s)
{
	return read_limit(w, UINT64_MAX, &s->max_size);
}

static int
key_max_header(struct words *w, struct rules_shape *s)
{
	uint64_t bytes;

	if (read_limit(w, FORM_MAX, &bytes) < 0)
		return -1;
	s->max_header = (unsigned)bytes;
	return 0;
}

static int
key_max_line(struct words *w, struct rules_shape *s)
{
	uint64_t bytes;

	if (read_limit(w, FORM_MAX, &bytes) < 0)
		return -1;
	s->max_line = (unsigned)bytes;
	return 0;
}

static int
key_unfit(struct words *w, struct rules_shape *s)
{
	static const char *const names[] = {
		[RULES_UNFIT_SEND] = "send",
		[RULES_UNFIT_REFUSE] = "refuse",
		[RULES_UNFIT_HOLD] = "hold",
	};
	const size_t n = sizeof(names) / sizeof(*names);

	for (size_t i = 0; i < n; i++)
		if (word_take(w, names[i])) {
			s->unfit = (enum rules_unfit)i;
			return 0;
		}
	return word_expected(w, "'refuse', 'hold' or 'send'", names, n);
}

static int
key_require_tls(struct words *w, struct rules_shape *s)
{
	static const char *const names[] = { "yes", "no" };

	s->require_tls = word_is(word_peek(w), "yes");
	if (word_take(w, "yes") || word_take(w, "no"))
		return 0;
	return word_expected(
	    w, "'yes' or 'no'", names, sizeof(names) / sizeof(*names));
}

/* clang-format off */
static const struct key {
	const char *word;
	const char *value; /* how the value ends, where it tells two keys apart */
	enum rules_shape_key key;
	int (*parse)(struct words *, struct rules_shape *);
} keys[] = {
	{ "connections",   NULL,       SHAPE_CONNECTIONS,        key_connections },
	{ "messages",      NULL,       SHAPE_MESSAGES,           key_messages },
	{ "recipients",    "/session", SHAPE_RECIPIENTS_SESSION, key_recipients_session },
	{ "recipients",    "/message", SHAPE_RECIPIENTS_MESSAGE, key_recipients_message },
	{ "rate",          NULL,       SHAPE_RATE,               key_rate },
	{ "retry",         NULL,       SHAPE_RETRY,              key_retry },
	{ "expiry",        NULL,       SHAPE_EXPIRY,             key_expiry },
	{ "quote",         NULL,       SHAPE_LOCAL_PART,         key_quote },
	{ "raw",           NULL,       SHAPE_LOCAL_PART,         key_raw },
	{ "unknown-users", NULL,       SHAPE_UNKNOWN_USERS,      key_unknown_users },
	{ "warm-up",       NULL,       SHAPE_WARM_UP,            key_warm_up },
	{ "max-size",      NULL,       SHAPE_MAX_SIZE,           key_max_size },
	{ "max-header",    NULL,       SHAPE_MAX_HEADER,         key_max_header },
	{ "max-line",      NULL,       SHAPE_MAX_LINE,           key_max_line },
	{ "unfit",         NULL,       SHAPE_UNFIT,              key_unfit },
	{ "require-tls",   NULL,       SHAPE_REQUIRE_TLS,        key_require_tls },
};
/* clang-format on */

#define KEYS (sizeof(keys) / sizeof(*keys))

static bool
value_ends(const struct token *t, const char *end)
{
	size_t len = strlen(end);

	return t != NULL && !t->string && t->len > len &&
	       memcmp(t->text + t->len - len, end, len) == 0;
}

/* The row of the next word, which is read; its value is not. */
static const struct key *
read_key(struct words *w)
{
	const char *names[KEYS];
	const struct token *t = word_peek(w);
	bool known = false;

	for (size_t i = 0; i < KEYS; i++) {
		names[i] = keys[i].word;
		if (!word_is(t, keys[i].word))
			continue;
		known = true;
		if (keys[i].value == NULL ||
		    (w->at + 1 < w->n && value_ends(t + 1, keys[i].value))) {
			word_next(w);
			return &keys[i];
		}
	}
	if (known) {
		word_next(w);
		word_expected(w,
		    "a number such as '100/session' or '1/message'", NULL, 0);
	} else {
		word_expected(
		    w, "a key such as 'connections' or 'rate'", names, KEYS);
	}
	return NULL;
}

static int
check_twice(struct words *w, const struct rules_shape *s,
    enum rules_shape_key key, const struct token *t)
{
	const struct rules_origin *o = &s->origin[key];

	/* Names of files are not copied: the same file is the same pointer. */
	if (o->file != t->source->name)
		return 0;
	problem_at(w->parse->report, t,
	    "'%s' is set already for the same, at %s:%u",
	    rules_shape_key_name(key), o->file, o->line);
	return -1;
}

static int
read_keys(struct words *w, struct rules_shape *s)
{
	if (word_peek(w) == NULL)
		return word_expected(
		    w, "a key such as 'connections' or 'rate'", NULL, 0);
	while (word_peek(w) != NULL) {
		const struct token *t = word_peek(w);
		const struct key *key = read_key(w);

		if (key == NULL || check_twice(w, s, key->key, t) < 0 ||
		    key->parse(w, s) < 0)
			return -1;
		s->origin[key->key] =
		    (struct rules_origin){ t->source->name, t->line };
	}
	return 0;
}

/* ---- scopes ---- */

static struct rules_shape *
shape_of(struct parse *p, struct rules_shape **shape)
{
	if (*shape == NULL)
		*shape = arena_alloc(&p->rs->arena, sizeof(**shape));
	return *shape;
}

static int
scope_default(struct words *w)
{
	return read_keys(w, &w->parse->rs->default_shape);
}

static int
scope_path(struct words *w)
{
	const struct token *t = word_name(w, NAME_PATH);
	struct ruleset *rs = w->parse->rs;
	uint32_t number;

	if (t == NULL)
		return -1;
	number = path_put(rs, t->text, t->len);
	add_use(w->parse, RULES_USE_PATH, t, rs->paths.name[number].text,
	    rs->paths.name[number].text);
	return read_keys(w, shape_of(w->parse, &rs->path[number].shape));
}

static int
scope_carrier(struct words *w)
{
	const struct token *t = word_name(w, NAME_CARRIER);
	uint32_t number;

	if (t == NULL)
		return -1;
	number = mention_carrier(w->parse, t);
	return read_keys(
	    w, shape_of(w->parse, &w->parse->rs->carrier[number].shape));
}

static int
scope_group(struct words *w)
{
	const struct token *t = word_name(w, NAME_GROUP);
	uint32_t number;

	if (t == NULL)
		return -1;
	number = mention_group(w->parse, t);
	return read_keys(
	    w, shape_of(w->parse, &w->parse->rs->group[number].shape));
}

/* The keys are read once for each domain, so that every one has its own values.
 */
static int
scope_domain(struct words *w)
{
	struct ruleset *rs = w->parse->rs;
	const struct token *t;
	size_t first = w->at, last;
	const char *name;

	while (
	    (t = word_peek(w)) != NULL && memchr(t->text, '.', t->len) != NULL)
		word_next(w);
	last = w->at;
	if (last == first)
		return word_expected(w, "a domain or '.suffix'", NULL, 0);
	for (size_t i = first; i < last; i++) {
		struct domain *d;
		uint32_t number;
		bool below;

		t = &w->token[i];
		below = t->text[0] == '.';
		if (read_domain(w, t, t->text + below, t->len - below, &name) <
		    0)
			return -1;
		number = domain_put(rs, name, strlen(name));
		d = &rs->domain[number];
		w->at = last;
		if (read_keys(w, shape_of(w->parse, below ? &d->below.shape
							  : &d->self.shape)) <
		    0)
			return -1;
	}
	return 0;
}

static const struct {
	const char *word;
	int (*parse)(struct words *);
} scopes[] = {
	{ "carrier", scope_carrier },
	{ "default", scope_default },
	{ "domain", scope_domain },
	{ "group", scope_group },
	{ "path", scope_path },
};

#define SCOPES (sizeof(scopes) / sizeof(*scopes))

int
parse_shape(struct words *w)
{
	const char *names[SCOPES];

	for (size_t i = 0; i < SCOPES; i++) {
		names[i] = scopes[i].word;
		if (word_take(w, names[i]))
			return scopes[i].parse(w);
	}
	return word_expected(w,
	    "'default', 'path', 'carrier', 'group' or 'domain'", names, SCOPES);
}
