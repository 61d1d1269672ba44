/*
 * test_rules_walk.c - the compiled tables against a naive first-match walk,
 * over random rule sets.
 *
 * The model below knows nothing of atoms: it tries each rule in turn and each
 * condition of it. The alphabet is tiny, so that addresses collide with rules
 * all the time.
 */
#include "tests/unit/rules_help.h"

#include <strings.h>

static uint32_t seed = 20240501;

static unsigned
draw(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

enum kind { ANY, ADDRESS, DOMAIN, SUFFIX, CARRIER, ANY_CARRIER, NULL_PATH };

struct condition {
	enum kind kind;
	char text[32];
};

struct who {
	struct condition c[4];
	unsigned n;
};

struct model_rule {
	struct who from, to;
};

struct model {
	struct model_rule rule[24];
	unsigned nrule;
	struct condition member[8]; /* DOMAIN or SUFFIX */
	unsigned carrier[8];
	unsigned nmember;
};

static void
draw_domain(char *out, size_t room)
{
	static const char *const labels[] = { "a", "b", "ab", "jp" };
	size_t len = 0;

	for (unsigned n = 1 + draw(4); n > 0; n--)
		len += (size_t)snprintf(out + len, room - len, "%s%s",
		    labels[draw(4)], n > 1 ? "." : "");
	assert_true(len < room);
}

static void
draw_address(char *out, size_t room)
{
	static const char *const locals[] = { "u", "U", "v", "a..b" };
	int len = snprintf(out, room, "%s@", locals[draw(4)]);

	draw_domain(out + len, room - (size_t)len);
}

static struct condition
draw_condition(bool sender)
{
	struct condition c = { .kind = 1 + draw(sender ? 6 : 5) };

	if (c.kind == ADDRESS)
		draw_address(c.text, sizeof(c.text));
	else if (c.kind == DOMAIN || c.kind == SUFFIX)
		draw_domain(c.text, sizeof(c.text));
	else if (c.kind == CARRIER)
		sprintf(c.text, "c%u", draw(3));
	return c;
}

static struct who
draw_who(bool sender)
{
	struct who w = { .n = draw(4) };

	for (unsigned i = 0; i < w.n; i++)
		w.c[i] = draw_condition(sender);
	return w;
}

static bool
is_member(const struct model *m, const struct condition *c)
{
	for (unsigned i = 0; i < m->nmember; i++)
		if (m->member[i].kind == c->kind &&
		    strcmp(m->member[i].text, c->text) == 0)
			return true;
	return false;
}

static struct model
draw_model(void)
{
	struct model m = { .nrule = 1 + draw(23) };
	struct condition c;

	for (unsigned i = 0; i < 8; i++) {
		c.kind = DOMAIN + draw(2);
		draw_domain(c.text, sizeof(c.text));
		if (is_member(&m, &c))
			continue;
		/* The first three give each carrier a member. */
		m.carrier[m.nmember] = m.nmember < 3 ? m.nmember : draw(3);
		m.member[m.nmember++] = c;
	}
	for (unsigned i = 0; i < m.nrule; i++) {
		m.rule[i].from = draw_who(true);
		m.rule[i].to = draw_who(false);
	}
	m.rule[m.nrule].from.n = 0;
	m.rule[m.nrule++].to.n = 0;
	return m;
}

static void
print_who(FILE *out, const char *word, const struct who *w)
{
	static const char *const forms[] = {
		[ANY] = "",
		[ADDRESS] = " %s",
		[DOMAIN] = " domain %s",
		[SUFFIX] = " .%s",
		[CARRIER] = " carrier %s",
		[ANY_CARRIER] = " carrier *",
		[NULL_PATH] = " <>",
	};

	fprintf(out, " %s", word);
	if (w->n == 0)
		fputs(" any", out);
	for (unsigned i = 0; i < w->n; i++) {
		const char *form = forms[w->c[i].kind];
		const char *at = strstr(form, "%s");

		if (at == NULL)
			fputs(form, out);
		else
			fprintf(out, "%.*s%s", (int)(at - form), form,
			    w->c[i].text);
	}
}

/* Bare words first, since they cannot follow `carrier` or `domain` lists. */
static void
sort_who(struct who *w)
{
	for (unsigned i = 1; i < w->n; i++)
		for (unsigned j = i; j > 0; j--) {
			bool bare = w->c[j].kind == ADDRESS ||
				    w->c[j].kind == SUFFIX ||
				    w->c[j].kind == NULL_PATH;
			struct condition c = w->c[j];

			if (!bare)
				continue;
			w->c[j] = w->c[j - 1];
			w->c[j - 1] = c;
		}
}

static struct ruleset *
build(struct model *m)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct ruleset *rs;

	for (unsigned i = 0; i < m->nmember; i++)
		fprintf(out, "carrier c%u %s%s\n", m->carrier[i],
		    m->member[i].kind == SUFFIX ? "." : "", m->member[i].text);
	for (unsigned i = m->nmember; i < 3; i++)
		fprintf(out, "carrier c%u filler%u.example\n", i, i);
	for (unsigned i = 0; i < m->nrule; i++) {
		sort_who(&m->rule[i].from);
		sort_who(&m->rule[i].to);
		fprintf(out, "route r%u", i);
		print_who(out, "from", &m->rule[i].from);
		print_who(out, "to", &m->rule[i].to);
		fputs(" via p\n", out);
	}
	fclose(out);
	rs = parse(text);
	free(text);
	return rs;
}

static bool
below(const char *domain, const char *suffix)
{
	size_t n = strlen(domain), s = strlen(suffix);

	return n > s && domain[n - s - 1] == '.' &&
	       strcmp(domain + n - s, suffix) == 0;
}

static int
naive_carrier(const struct model *m, const char *domain)
{
	size_t best = 0;
	int carrier = -1;

	for (unsigned i = 0; i < m->nmember; i++) {
		const struct condition *c = &m->member[i];
		size_t weight = 0;

		if (c->kind == DOMAIN && strcmp(c->text, domain) == 0)
			weight = SIZE_MAX;
		if (c->kind == SUFFIX && below(domain, c->text))
			weight = strlen(c->text);
		if (weight > best) {
			best = weight;
			carrier = (int)m->carrier[i];
		}
	}
	return carrier;
}

static bool
holds(const struct model *m, const struct condition *c, const char *mailbox)
{
	const char *at = strchr(mailbox, '@');
	const char *domain = at != NULL ? at + 1 : "";

	switch (c->kind) {
	case ANY:
		return true;
	case ADDRESS:
		return strcasecmp(c->text, mailbox) == 0;
	case DOMAIN:
		return strcmp(c->text, domain) == 0;
	case SUFFIX:
		return below(domain, c->text);
	case CARRIER:
		return naive_carrier(m, domain) == c->text[1] - '0';
	case ANY_CARRIER:
		return naive_carrier(m, domain) >= 0;
	case NULL_PATH:
		return mailbox[0] == '\0';
	}
	return false;
}

static bool
who_holds(const struct model *m, const struct who *w, const char *mailbox)
{
	for (unsigned i = 0; i < w->n; i++)
		if (holds(m, &w->c[i], mailbox))
			return true;
	return w->n == 0;
}

static unsigned
naive_rule(const struct model *m, const char *from, const char *to)
{
	unsigned i = 0;

	while (!who_holds(m, &m->rule[i].from, from) ||
	       !who_holds(m, &m->rule[i].to, to))
		i++;
	return i;
}

static void
test_like_a_naive_walk(void **state)
{
	unsigned other = 0;

	(void)state;
	for (int set = 0; set < 400; set++) {
		struct model m = draw_model();
		struct ruleset *rs = build(&m);

		for (int i = 0; i < 200; i++) {
			char from[64] = "", to[64], rule[16];
			struct rules_decision d;
			unsigned naive;

			if (draw(8) > 0)
				draw_address(from, sizeof(from));
			draw_address(to, sizeof(to));
			naive = naive_rule(&m, from, to);
			other += naive != m.nrule - 1;
			sprintf(rule, "r%u", naive);
			d = decide(rs, from, to);
			if (strcmp(d.rule->name, rule) != 0)
				fail_msg("set %d from '%s' to '%s': %s, naive "
					 "says %s",
				    set, from, to, d.rule->name, rule);
		}
		ruleset_unref(rs);
	}
	/* The test means something only if most mail is taken before the end.
	 */
	assert_true(other > 40000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_a_naive_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
