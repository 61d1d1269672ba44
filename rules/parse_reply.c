/*
 * parse_reply.c - `reply GROUP|any STAGE... CODE [/PATTERN/] ACTION REASON
 * [OPTION ...]`
 *
 * reply.c says which line holds: the later one, so that an operator's own line
 * after an `include` stands above what the included file says.
 */
#include "rules/parse_int.h"

#include <ctype.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct {
	const char *word;
	enum rules_stage stage;
} stages[] = {
	{ "connect", RULES_STAGE_CONNECT },
	{ "ehlo", RULES_STAGE_EHLO },
	{ "tls", RULES_STAGE_TLS },
	{ "auth", RULES_STAGE_AUTH },
	{ "mail", RULES_STAGE_MAIL },
	{ "rcpt", RULES_STAGE_RCPT },
	{ "data", RULES_STAGE_DATA },
	{ "body", RULES_STAGE_BODY },
	{ "dot", RULES_STAGE_DOT },
};

static const struct {
	const char *word;
	uint16_t code;
} codes[] = {
	{ "4xx", 4 },
	{ "5xx", 5 },
	{ "any", CODE_ANY },
	{ "none", CODE_NONE },
	{ "reset", CODE_RESET },
};

#define RECIPIENT                                                              \
	(RULES_STAGE_RCPT | RULES_STAGE_DATA | RULES_STAGE_BODY |              \
	    RULES_STAGE_DOT)

static const struct action {
	const char *word;
	enum rules_reply_action action;
	unsigned stages; /* at which it means something */
	bool at_once;	 /* goes on, and so cannot rest first */
	bool answers; /* means what a reply says, and is nothing without one */
} actions[] = {
	{ "retry", RULES_REPLY_RETRY, RULES_STAGE_ANY, false, false },
	{ "bounce", RULES_REPLY_BOUNCE, RULES_STAGE_ANY, false, false },
	{ "filtered", RULES_REPLY_FILTERED, RECIPIENT, false, true },
	{ "split", RULES_REPLY_SPLIT, RULES_STAGE_MAIL | RECIPIENT, true,
	    false },
	{ "resend", RULES_REPLY_RESEND, RULES_STAGE_MAIL | RECIPIENT, true,
	    false },
	{ "requote", RULES_REPLY_REQUOTE, RECIPIENT, true, true },
};

/* Sisimai's vocabulary. */
static const char *const reasons[] = {
	"authfailure",
	"badreputation",
	"blocked",
	"contenterror",
	"exceedlimit",
	"expired",
	"failedstarttls",
	"filtered",
	"hasmoved",
	"hostunknown",
	"mailboxfull",
	"mailererror",
	"mesgtoobig",
	"networkerror",
	"norelaying",
	"notaccept",
	"notcompliantrfc",
	"onhold",
	"policyviolation",
	"ratelimited",
	"rejected",
	"requireptr",
	"securityerror",
	"spamdetected",
	"speeding",
	"suppressed",
	"suspend",
	"syntaxerror",
	"systemerror",
	"systemfull",
	"toomanyconn",
	"undefined",
	"userunknown",
	"virusdetected",
};

/* A line while it is read. */
struct reading {
	struct reply r;
	uint32_t *last;		   /* of its group's chain */
	const struct token *place; /* the group's name */
	const struct token *code;
	const struct token *pattern; /* NULL: none */
	const struct action *action;
	bool any_stage;
};

/* ---- what was said, and when ---- */

static int
read_group(struct words *w, struct reading *g)
{
	struct ruleset *rs = w->parse->rs;

	g->place = word_peek(w);
	if (word_take(w, "any")) {
		g->r.group = NONE;
		g->last = &rs->any_reply;
		return 0;
	}
	if (word_name(w, NAME_GROUP) == NULL)
		return -1;
	g->r.group = mention_group(w->parse, g->place);
	g->last = &rs->group[g->r.group].reply;
	return 0;
}

/* The bit of a stage's word; 0: it is none. */
static unsigned
stage_of(const struct token *t)
{
	for (size_t i = 0; i < COUNT(stages); i++)
		if (word_is(t, stages[i].word))
			return stages[i].stage;
	return 0;
}

static int
refuse_any(struct words *w, const struct token *any)
{
	problem_at(w->parse->report, any,
	    "'any' stands alone, not beside other stages");
	return -1;
}

static int
read_stages(struct words *w, struct reading *g)
{
	const char *names[COUNT(stages)];
	unsigned stage;

	for (size_t i = 0; i < COUNT(stages); i++)
		names[i] = stages[i].word;
	if (word_take(w, "any")) {
		g->any_stage = true;
		g->r.stages = RULES_STAGE_ANY;
		if (stage_of(word_peek(w)) != 0)
			return refuse_any(w, &w->token[w->at - 1]);
		return 0;
	}
	while ((stage = stage_of(word_peek(w))) != 0) {
		if (g->r.stages & stage) {
			problem_at(w->parse->report, word_peek(w),
			    "'%s' is given twice", word_show(w, word_peek(w)));
			return -1;
		}
		g->r.stages |= (uint16_t)stage;
		word_next(w);
	}
	if (g->r.stages == 0)
		return word_expected(w,
		    "a stage such as 'connect', 'rcpt' or 'dot', or 'any'",
		    names, COUNT(stages));
	return 0;
}

static bool
read_digits(const struct token *t, uint16_t *code)
{
	if (t->string || t->len != 3 || t->text[0] < '2' || t->text[0] > '5' ||
	    !isdigit((unsigned char)t->text[1]) ||
	    !isdigit((unsigned char)t->text[2]))
		return false;
	*code = (uint16_t)((t->text[0] - '0') * 100 + (t->text[1] - '0') * 10 +
			   (t->text[2] - '0'));
	return true;
}

static int
refuse_code(struct words *w)
{
	const char *names[COUNT(codes) + COUNT(stages)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(codes); i++)
		names[n++] = codes[i].word;
	for (size_t i = 0; i < COUNT(stages); i++)
		names[n++] = stages[i].word;
	return word_expected(w,
	    "a reply code from 200 to 599, '4xx', '5xx', 'any', 'none' or "
	    "'reset'",
	    names, n);
}

static int
read_code(struct words *w, struct reading *g)
{
	const struct token *t = word_peek(w);

	g->code = t;
	for (size_t i = 0; i < COUNT(codes); i++)
		if (word_take(w, codes[i].word)) {
			g->r.code = codes[i].code;
			if (g->r.code == CODE_ANY &&
			    stage_of(word_peek(w)) != 0)
				return refuse_any(w, t);
			return 0;
		}
	if (t == NULL || !read_digits(t, &g->r.code))
		return refuse_code(w);
	word_next(w);
	return 0;
}

static bool
is_silent(const struct reading *g)
{
	return g->r.code == CODE_NONE || g->r.code == CODE_RESET;
}

static int
read_text(struct words *w, struct reading *g)
{
	const struct token *t = word_peek(w);

	g->r.pattern = NONE;
	if (t == NULL || !t->pattern)
		return 0;
	g->pattern = word_next(w);
	if (t->body == 0) {
		problem_at(w->parse->report, t,
		    "the pattern is empty; /^$/ is a reply without text");
		return -1;
	}
	if (is_silent(g)) {
		problem_at(w->parse->report, t,
		    "the pattern has no text to look at with '%s'",
		    word_show(w, g->code));
		return -1;
	}
	g->r.text = t->at;
	g->r.text_len = t->written;
	return read_pattern(w, t, true, &g->r.pattern);
}

/* ---- what follows from it ---- */

static int
check_stages(struct words *w, struct reading *g, const struct token *t)
{
	if (g->any_stage) {
		g->r.stages &= (uint16_t)g->action->stages;
		return 0;
	}
	for (size_t i = 0; i < COUNT(stages); i++)
		if (g->r.stages & stages[i].stage & ~g->action->stages) {
			problem_at(w->parse->report, t,
			    "'%s' is about recipients, and there are none yet "
			    "at '%s'",
			    g->action->word, stages[i].word);
			return -1;
		}
	return 0;
}

static int
read_action(struct words *w, struct reading *g)
{
	const char *names[COUNT(actions)];
	const struct token *t = word_peek(w);

	for (size_t i = 0; i < COUNT(actions); i++) {
		names[i] = actions[i].word;
		if (g->action == NULL && word_take(w, names[i]))
			g->action = &actions[i];
	}
	if (g->action == NULL)
		return word_expected(w,
		    g->pattern == NULL
			? "a pattern, 'retry', 'bounce', 'filtered', 'split', "
			  "'resend' or 'requote'"
			: "'retry', 'bounce', 'filtered', 'split', 'resend' or "
			  "'requote'",
		    names, COUNT(actions));
	g->r.reply.action = g->action->action;
	if (g->action->answers && is_silent(g)) {
		problem_at(w->parse->report, t,
		    "'%s' is what a reply means, and with '%s' there is none",
		    g->action->word, word_show(w, g->code));
		return -1;
	}
	return check_stages(w, g, t);
}

static int
read_reason(struct words *w, const char **out)
{
	for (size_t i = 0; i < COUNT(reasons); i++)
		if (word_take(w, reasons[i])) {
			*out = reasons[i];
			return 0;
		}
	return word_expected(w, "a reason such as 'userunknown' or 'blocked'",
	    reasons, COUNT(reasons));
}

/* Who is known to be there cannot be unknown. */
static int
check_reason(struct words *w, const struct reading *g)
{
	static const char *const gone[] = { "hasmoved", "hostunknown",
		"userunknown" };

	if (g->r.reply.action != RULES_REPLY_FILTERED)
		return 0;
	for (size_t i = 0; i < COUNT(gone); i++)
		if (strcmp(g->r.reply.reason, gone[i]) == 0) {
			problem_at(w->parse->report, &w->token[w->at - 1],
			    "'filtered' says that the address is good, and "
			    "'%s' that it is not",
			    gone[i]);
			return -1;
		}
	return 0;
}

static int
option_pause(struct words *w, struct reading *g)
{
	const struct token *t = &w->token[w->at - 1];

	if (g->action->at_once) {
		problem_at(w->parse->report, t,
		    "'pause' contradicts '%s', which goes on at once",
		    g->action->word);
		return -1;
	}
	g->r.reply.pause_source = word_is(word_peek(w), "source");
	if (!word_take(w, "source") && !word_take(w, "lane"))
		return word_expected(w, "'lane' or 'source'", NULL, 0);
	t = word_next(w);
	if (t == NULL)
		return word_expected(w, "a time such as '5min'", NULL, 0);
	return read_time(w, t, t->text, t->len, &g->r.reply.pause);
}

static int
option_slow(struct words *w, struct reading *g)
{
	(void)w;
	g->r.reply.slow = true;
	return 0;
}

static int
option_at_expiry(struct words *w, struct reading *g)
{
	if (g->r.reply.action != RULES_REPLY_RETRY) {
		problem_at(w->parse->report, &w->token[w->at - 1],
		    "'at-expiry' goes with 'retry' only, not '%s'",
		    g->action->word);
		return -1;
	}
	return read_reason(w, &g->r.reply.at_expiry);
}

static const struct {
	const char *word;
	int (*parse)(struct words *, struct reading *);
} options[] = {
	{ "pause", option_pause },
	{ "slow", option_slow },
	{ "at-expiry", option_at_expiry },
};

static int
read_option(struct words *w, struct reading *g, bool *seen)
{
	const char *names[COUNT(options)];
	size_t i = 0;

	for (; i < COUNT(options) && !word_take(w, options[i].word); i++)
		names[i] = options[i].word;
	if (i == COUNT(options))
		return word_expected(w,
		    "'pause', 'slow', 'at-expiry' or the end of the line",
		    names, COUNT(options));
	if (seen[i]) {
		problem_at(w->parse->report, &w->token[w->at - 1],
		    "'%s' is given twice", options[i].word);
		return -1;
	}
	seen[i] = true;
	return options[i].parse(w, g);
}

static int
read_options(struct words *w, struct reading *g)
{
	bool seen[COUNT(options)] = { false };

	while (word_peek(w) != NULL)
		if (read_option(w, g, seen) < 0)
			return -1;
	return 0;
}

/* ---- the statement ---- */

static void
keep(struct words *w, struct reading *g)
{
	struct ruleset *rs = w->parse->rs;

	g->r.reply.file = g->place->source->name;
	g->r.reply.line = g->place->line;
	g->r.source = g->place->source;
	g->r.at = (uint32_t)(g->place->at - g->place->source->text);
	g->r.before = *g->last;
	rs->reply = rules_grow(
	    rs->reply, &rs->reply_room, rs->nreply + 1, sizeof(*rs->reply));
	rs->reply[rs->nreply++] = g->r;
	*g->last = (uint32_t)rs->nreply;
}

static int
check_number(struct words *w)
{
	if (w->parse->rs->nreply < RULES_REPLIES_MAX)
		return 0;
	problem_at(w->parse->report, &w->token[0],
	    "more than %d 'reply' in a rule set", RULES_REPLIES_MAX);
	w->parse->errors_max = 0;
	return -1;
}

int
parse_reply(struct words *w)
{
	struct reading g = { .place = NULL };

	if (check_number(w) < 0 || read_group(w, &g) < 0 ||
	    read_stages(w, &g) < 0 || read_code(w, &g) < 0 ||
	    read_text(w, &g) < 0 || read_action(w, &g) < 0 ||
	    read_reason(w, &g.r.reply.reason) < 0 || check_reason(w, &g) < 0 ||
	    read_options(w, &g) < 0)
		return -1;
	keep(w, &g);
	return 0;
}
