/*
 * spf_text.c - reads and mends whole SPF records; single terms are
 * spf_term.c's.
 */
#include "mta/preflight/spf_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/preflight/spf_term.h"

#define VERSION "v=spf1"

/* How the version gets typed. The digits behind it are skipped separately. */
static const char *const versions[] = { "v=spf", "v-spf", "v:spf", "v_spf",
	"v spf", "v.spf", "vspf", "v = spf", "v= spf", "v =spf", "v=sfp",
	"v=psf", "v==spf", "spf1", "spf=1", "version=spf" };

/* Behind the version and what was typed instead of the blank; NULL: not SPF. */
static const char *
behind_version(const char *txt)
{
	txt += strspn(txt, " \t\"'");
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		size_t len = strlen(versions[i]);

		if (strncasecmp(txt, versions[i], len) != 0)
			continue;
		txt += len;
		txt += strspn(txt, "0123456789");
		return txt + strspn(txt, " \t:;,.");
	}
	return NULL;
}

enum spf_text_kind
spf_text_kind(const char *txt)
{
	size_t len = sizeof(VERSION) - 1;

	if (strncasecmp(txt, VERSION, len) == 0 &&
	    (txt[len] == ' ' || txt[len] == '\0'))
		return SPF_TEXT_RECORD;
	return behind_version(txt) != NULL ? SPF_TEXT_ATTEMPT : SPF_TEXT_OTHER;
}

static void
fault(struct spf_text *t, bool fatal, const char *what, const char *word,
    size_t len)
{
	str_addf(&t->faults, "%s'%.*s' %s", t->faults.len > 0 ? "; " : "",
	    len > 100 ? 100 : (int)len, word, what);
	t->fatal = t->fatal || fatal;
}

/* Ends at a blank, or at what people type instead; commas are part of macros
 * (RFC 7208 7.1). */
static size_t
word_length(const char *p)
{
	size_t len = 0;
	bool macro = false;

	for (; p[len] != '\0'; len++) {
		if (p[len] == '{' || p[len] == '}')
			macro = p[len] == '{';
		if (strchr(" \t\r\n;", p[len]) != NULL ||
		    (p[len] == ',' && !macro))
			break;
	}
	return len;
}

static bool
has_all(const struct spf_text *t)
{
	for (size_t i = 0; i < t->nterms; i++)
		if (t->terms[i].all)
			return true;
	return false;
}

static void
take_term(struct spf_text *t, const char *word, size_t len)
{
	struct spf_term *term = &t->terms[t->nterms];
	bool late = has_all(t);

	if (t->nterms == SPF_TERMS_MAX) {
		fault(t, true, "comes after too many others", word, len);
		return;
	}
	switch (spf_term_read(word, len, term)) {
	case SPF_TERM_GOOD:
		if (late && !strchr(term->text, '='))
			fault(t, false, "stands behind 'all' and is never read",
			    word, len);
		break;
	case SPF_TERM_IGNORED:
		fault(t, false, "is mistyped and passed over", word, len);
		break;
	case SPF_TERM_FATAL:
		fault(t, true, "is not a term of SPF", word, len);
		break;
	}
	if (term->text == NULL)
		return;
	if (term->all && (*term->text == '+' || (*term->text | 32) == 'a'))
		t->plus_all = true;
	t->nterms++;
}

/* The text of a torn term ("ip4: 192.0.2.1") joined again; its length in the
 * record, 0 when it is not torn. */
static size_t
join_torn(struct str *joined, const char *p, size_t len)
{
	size_t gap, next;

	if (!spf_term_is_torn(p, len))
		return 0;
	gap = strspn(p + len, " \t");
	next = word_length(p + len + gap);
	if (next == 0 || gap == 0)
		return 0;
	str_add(joined, p, len);
	str_add(joined, p + len + gap, next);
	return len + gap + next;
}

static const char *
take_word(struct spf_text *t, const char *p)
{
	size_t len = word_length(p), whole;
	struct str joined = STR_INIT;

	whole = join_torn(&joined, p, len);
	if (whole > 0) {
		fault(t, true, "has a blank in it", p, whole);
		take_term(t, joined.data, joined.len);
	} else {
		take_term(t, p, len);
	}
	str_release(&joined);
	return p + (whole > 0 ? whole : len);
}

void
spf_text_read(struct spf_text *t, const char *txt)
{
	const char *p = behind_version(txt);

	memset(t, 0, sizeof(*t));
	str_init(&t->faults);
	if (p == NULL)
		return;
	if (spf_text_kind(txt) != SPF_TEXT_RECORD)
		fault(t, true, "does not begin with 'v=spf1' and a blank", txt,
		    (size_t)(p - txt));
	while (*p != '\0') {
		size_t gap = strspn(p, " \t\r\n;,");

		if (strcspn(p, "\t\r\n;,") < gap)
			fault(t, true, "stands between terms, not a blank",
			    p + strcspn(p, "\t\r\n;,"), 1);
		p += gap;
		if (*p != '\0')
			p = take_word(t, p);
	}
}

void
spf_text_release(struct spf_text *t)
{
	while (t->nterms > 0)
		free(t->terms[--t->nterms].text);
	str_release(&t->faults);
}

/* ------ mending */

struct mend {
	struct str *out;
	struct str terms; /* " term term", to find what is there already */
	char *all;	  /* the strictest seen that is not +all */
	char *redirect;
};

static bool
has_term(const struct mend *m, const char *text)
{
	size_t len = strlen(text);

	for (const char *p = m->terms.data; *p == ' ';) {
		p++;
		if (strcspn(p, " ") == len && strncasecmp(p, text, len) == 0)
			return true;
		p += strcspn(p, " ");
	}
	return false;
}

static void
add_term(struct mend *m, const char *text)
{
	if (!has_term(m, text))
		str_addf(&m->terms, " %s", text);
}

static void
keep(char **kept, const char *text)
{
	if (*kept == NULL)
		*kept = xstrdup(text);
}

static bool
is_unwanted(const struct spf_term *term, const struct spf_wanted *w)
{
	for (size_t i = 0; term->target != NULL && i < w->nwithout; i++)
		if (strcasecmp(term->target, w->without[i]) == 0)
			return true;
	return false;
}

static void
merge(struct mend *m, const char *txt, const struct spf_wanted *w)
{
	struct spf_text t;

	spf_text_read(&t, txt);
	for (size_t i = 0; i < t.nterms; i++) {
		const struct spf_term *term = &t.terms[i];

		if (is_unwanted(term, w))
			continue;
		if (term->redirect)
			keep(&m->redirect, term->text);
		else if (!term->all)
			add_term(m, term->text);
		else if (*term->text == '+' || (*term->text | 32) == 'a')
			keep(&m->all, "~all");
		else
			keep(&m->all, term->text);
	}
	spf_text_release(&t);
}

static void
add_addresses(struct mend *m, const struct spf_wanted *w)
{
	struct str term = STR_INIT;

	for (size_t i = 0; i < w->naddresses; i++) {
		str_clear(&term);
		str_addf(&term, "ip%d:%s",
		    strchr(w->addresses[i], ':') != NULL ? 6 : 4,
		    w->addresses[i]);
		add_term(m, term.data);
	}
	str_release(&term);
}

static void
add_include(struct mend *m, const char *domain)
{
	struct str term = STR_INIT;

	str_addf(&term, "include:%s", domain);
	add_term(m, term.data);
	str_release(&term);
}

void
spf_text_mend(struct str *out, const char *const *txts, size_t ntxts,
    const struct spf_wanted *wanted)
{
	struct mend m = { .terms = STR_INIT };
	bool any = false;

	add_addresses(&m, wanted);
	for (size_t i = 0; i < ntxts; i++) {
		if (spf_text_kind(txts[i]) == SPF_TEXT_OTHER)
			continue;
		any = true;
		merge(&m, txts[i], wanted);
	}
	if (wanted->include != NULL)
		add_include(&m, wanted->include);
	str_addf(out, VERSION "%s", m.terms.data);
	if (m.all != NULL)
		str_addf(out, " %s", m.all);
	else if (m.redirect != NULL)
		str_addf(out, " %s", m.redirect); /* 'all' would hide it */
	else
		str_addf(out, " %s", any ? "~all" : wanted->all);
	free(m.all);
	free(m.redirect);
	str_release(&m.terms);
}
