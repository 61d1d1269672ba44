/*
 * rules_write.h - a model of rules_oracle.h in the language of rule files.
 *
 * Where the language has several ways to say a thing, one is drawn.
 */
#ifndef TESTS_UNIT_RULES_WRITE_H
#define TESTS_UNIT_RULES_WRITE_H

#include "tests/unit/rules_draw.h"

static inline void
write_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static inline void
write_name(FILE *out, const char *name, bool may_quote)
{
	fputc(' ', out);
	if (strpbrk(name, " *@") != NULL || strcmp(name, "to") == 0 ||
	    (may_quote && chance(20)))
		write_quoted(out, name);
	else
		fputs(name, out);
}

static inline void
write_address(FILE *out, const char *address)
{
	const char *at = strrchr(address, '@');
	char local[64];

	snprintf(local, sizeof(local), "%.*s", (int)(at - address), address);
	fputc(' ', out);
	if (strchr(local, ' ') != NULL || chance(10))
		write_quoted(out, local);
	else
		fputs(local, out);
	fputs(at, out);
}

/* Words that say by themselves what they are; true when it was one. */
static inline bool
write_bare(FILE *out, const struct who *w)
{
	switch (w->kind) {
	case WHO_ADDRESS:
		write_address(out, w->text);
		return true;
	case WHO_NULL_PATH:
		fputs(" <>", out);
		return true;
	case WHO_PATTERN:
		fprintf(out, " /%s/%s", w->text, w->flags);
		return true;
	case WHO_DOMAIN:
	case WHO_SUFFIX:
		if (w->bare)
			fprintf(out, " %s%s", w->kind == WHO_SUFFIX ? "." : "",
			    w->text);
		return w->bare;
	default:
		return false;
	}
}

/* One of a list; the word that begins the list is left out in the middle. */
static inline void
write_listed(FILE *out, const struct who *w, const char **list)
{
	bool domain = w->kind == WHO_DOMAIN || w->kind == WHO_SUFFIX;
	const char *word = domain ? "domain" : "carrier";

	if (*list == NULL || strcmp(*list, word) != 0 || chance(50))
		fprintf(out, " %s", word);
	*list = word;
	fprintf(out, " %s%s", w->kind == WHO_SUFFIX ? "." : "",
	    w->kind == WHO_ANY_CARRIER ? "*" : w->text);
}

/* Bare words come first: within a list they would be taken for a part of it. */
static inline void
write_mailboxes(FILE *out, const struct condition *c)
{
	bool bare[COUNT(c->who)];
	const char *list = NULL;

	if (c->everybody)
		fputs(" any", out);
	for (unsigned i = 0; i < c->nwho; i++)
		bare[i] = write_bare(out, &c->who[i]);
	for (unsigned i = 0; i < c->nwho; i++)
		if (!bare[i])
			write_listed(out, &c->who[i], &list);
}

static inline void
write_names(FILE *out, const struct condition *c)
{
	for (unsigned i = 0; i < c->nwho; i++)
		if (c->who[i].kind == WHO_ANY_NAME)
			fputs(" *", out);
		else
			write_name(out, c->who[i].text, c->kind == IF_USER);
}

static inline void
write_size(FILE *out, const struct condition *c)
{
	uint64_t unit = c->unit[0] == 'K'   ? 1024
			: c->unit[0] == 'M' ? 1024 * 1024
			: c->unit[0] == 'G' ? 1024 * 1024 * 1024
					    : 1;

	fprintf(out, " %c %llu%s", c->more ? '>' : '<',
	    (unsigned long long)(c->bytes / unit), c->unit);
}

static inline void
write_condition(FILE *out, const struct condition *c, bool with_and)
{
	static const char *const words[] = {
		[IF_ANY] = "any",
		[IF_TO] = "to",
		[IF_FROM] = "from",
		[IF_HEADER_FROM] = "header-from",
		[IF_USER] = "user",
		[IF_LISTENER] = "listener",
		[IF_TAG] = "tag",
		[IF_SIZE] = "size",
		[IF_IRREGULAR] = "local-part irregular",
	};

	fprintf(out, "%s%s %s", with_and ? " and" : "",
	    c->negated ? " not" : "", words[c->kind]);
	if (c->kind == IF_SIZE)
		write_size(out, c);
	else if (c->kind == IF_USER || c->kind == IF_LISTENER ||
		 c->kind == IF_TAG)
		write_names(out, c);
	else
		write_mailboxes(out, c);
}

/* `to` twice is taken for a mistake unless `and` says that it is none. */
static inline bool
needs_and(const struct model_rule *r, unsigned i)
{
	const struct condition *c = &r->condition[i];

	for (unsigned j = 0; j < i; j++)
		if (r->condition[j].kind == c->kind && !c->negated &&
		    !r->condition[j].negated)
			return true;
	return false;
}

static inline void
write_percent(FILE *out, unsigned share)
{
	if (share % 100 == 0)
		fprintf(out, " %u%%", share / 100);
	else if (share % 10 == 0)
		fprintf(out, " %u.%u%%", share / 100, share % 100 / 10);
	else
		fprintf(out, " %u.%02u%%", share / 100, share % 100);
}

static inline void
write_targets(FILE *out, const struct model_rule *r)
{
	fputs(" via", out);
	for (unsigned i = 0; i < r->ntarget; i++) {
		const struct model_target *t = &r->target[i];

		fprintf(out, " %s", t->path);
		if (r->ntarget > 1 || chance(20))
			write_percent(out, t->share);
		if (t->pool != NULL)
			fprintf(out, " pool %s", t->pool);
		if (t->configuration_set != NULL)
			fprintf(
			    out, " configuration-set %s", t->configuration_set);
	}
}

/* In any order: from one of them on, around. */
static inline void
write_options(FILE *out, const struct model_rule *r)
{
	static const char *const words[] = { "", " quote", " raw" };
	size_t first = draw(3);

	for (size_t i = first; i < first + 3; i++) {
		if (i % 3 == 0)
			fputs(words[r->local_part], out);
		else if (i % 3 == 1 && r->fallback != NULL)
			fprintf(out, " fallback %s", r->fallback);
		else if (i % 3 == 2 && r->transactional)
			fputs(" transactional", out);
	}
}

static inline void
write_rule(FILE *out, const struct model_rule *r)
{
	static const char *const words[] = {
		[RULES_VIA] = "",
		[RULES_REJECT] = " reject ",
		[RULES_HOLD] = " hold",
		[RULES_DISCARD] = " discard",
	};

	fprintf(out, "route %s", r->name);
	for (unsigned i = 0; i < r->ncondition; i++)
		write_condition(out, &r->condition[i],
		    i > 0 && (r->condition[i].with_and || needs_and(r, i)));
	fputs(words[r->action], out);
	if (r->action == RULES_VIA)
		write_targets(out, r);
	if (r->text != NULL)
		write_quoted(out, r->text);
	write_options(out, r);
	fputc('\n', out);
}

static inline void
write_members(FILE *out, const struct model *m)
{
	for (unsigned i = 0; i < m->nmember; i++)
		fprintf(out, "carrier %s group %s %s%s\n", m->member[i].carrier,
		    m->member[i].group, m->member[i].below ? "." : "",
		    m->member[i].domain);
}

/* Rules first to last-1, to be freed by the caller. */
static inline char *
write_rules(const struct model *m, unsigned first, unsigned last)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	for (unsigned i = first; i < last; i++)
		write_rule(out, &m->rule[i]);
	assert_int_equal(fclose(out), 0);
	return text;
}

#endif
