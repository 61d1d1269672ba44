/*
 * spf_identity.c - would SPF pass for a domain from our sources, and if not,
 * what should its record be?
 *
 * The verdict is mta/spf's, source by source. The record's text is read too
 * (spf_text.c), with all that it includes, so that a fault has its name.
 */
#include "mta/preflight/preflight_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/dkim_record.h"
#include "mta/preflight/spf_text.h"
#include "mta/spf/spf.h"

#define LOOKUPS_MOST 10 /* RFC 7208 4.6.4 */
#define WALK_MAX     24 /* included records that are read */

static const char ses_include[] = "amazonses.com";

struct included {
	struct spf_job *owner;
	struct question question;
	bool dead; /* answered: there is no SPF record */
};

struct asked {
	struct spf_job *owner;
	const struct preflight_source *source;
	struct spf_check *check;
	struct spf_answer answer;
};

struct spf_job {
	struct job job;
	struct spf_identity identity;
	struct str subject;
	struct question question;
	struct texts texts;
	struct spf_text text; /* of the record, else of what is meant as one */
	size_t nrecords, nattempts;
	struct included included[WALK_MAX];
	size_t nincluded;
	unsigned lookups;
	struct asked *asked;
	size_t nasked;
	size_t unanswered; /* includes and verdicts */
	struct str mend;
};

static void
spf_free(struct job *j)
{
	struct spf_job *s = job_of(j, struct spf_job);

	question_clear(&s->question);
	for (size_t i = 0; i < s->nincluded; i++)
		question_clear(&s->included[i].question);
	for (size_t i = 0; i < s->nasked; i++)
		spf_check_free(&s->asked[i].check);
	texts_clear(&s->texts);
	spf_text_release(&s->text);
	free(s->asked);
	str_release(&s->subject);
	str_release(&s->mend);
	free(s);
}

/* ------ what is found */

/* How receivers see it, and how bad that is: for a reverse-path or a header
 * From, and for an EHLO name, which counts for bounces alone. */
static const struct verdict {
	enum spf_result result;
	enum finding_level level, ehlo;
	const char *what;
} verdicts[] = {
	{ SPF_PASS, FINDING_GOOD, FINDING_GOOD, "passes from" },
	{ SPF_NONE, FINDING_BAD, FINDING_NOTE,
	    "has no record that receivers see; needed for" },
	{ SPF_NEUTRAL, FINDING_BAD, FINDING_NOTE, "says nothing about" },
	{ SPF_SOFTFAIL, FINDING_BAD, FINDING_BAD, "does not name (softfail)" },
	{ SPF_FAIL, FINDING_BAD, FINDING_BAD, "forbids (fail)" },
	{ SPF_PERMERROR, FINDING_BAD, FINDING_BAD,
	    "cannot be used by receivers (permerror); needed for" },
	{ SPF_TEMPERROR, FINDING_UNKNOWN, FINDING_UNKNOWN,
	    "cannot be checked now, the DNS does not answer; needed for" },
	{ SPF_CRASHED, FINDING_UNKNOWN, FINDING_UNKNOWN,
	    "cannot be judged, the SPF library fails on it; needed for" },
};

static void
tell_verdict(struct spf_job *s, const struct verdict *v)
{
	enum finding_level level = s->identity.helo ? v->ehlo : v->level;
	struct str sources = STR_INIT;
	const char *why = "";

	for (size_t i = 0; i < s->nasked; i++) {
		if (s->asked[i].answer.result != v->result)
			continue;
		str_adds(&sources, sources.len > 0 ? ", " : "");
		source_subject(&sources, s->asked[i].source);
		if (level == FINDING_BAD || level == FINDING_UNKNOWN)
			why = s->asked[i].answer.why;
	}
	if (sources.len > 0)
		preflight_tell(s->job.preflight, level, s->identity.check,
		    s->subject.data, s->identity.carriers,
		    level == FINDING_BAD || level == FINDING_NOTE ? s->mend.data
								  : NULL,
		    "SPF of '%s' %s %s%s%s", s->identity.domain, v->what,
		    sources.data, *why ? ": " : "", why);
	str_release(&sources);
}

static bool
all_pass(const struct spf_job *s)
{
	for (size_t i = 0; i < s->nasked; i++)
		if (s->asked[i].answer.result != SPF_PASS)
			return false;
	return s->nasked > 0;
}

static bool
includes(const struct spf_job *s, const char *target)
{
	for (size_t i = 0; i < s->nincluded; i++)
		if (name_is(s->included[i].question.name, target))
			return true;
	return false;
}

static bool
needs_address(const struct asked *a)
{
	return a->answer.result != SPF_PASS &&
	       a->answer.result != SPF_TEMPERROR &&
	       a->answer.result != SPF_CRASHED;
}

/* The record to publish; a new one for an EHLO name names its own address. */
static void
write_mend(struct spf_job *s)
{
	bool new = s->nrecords + s->nattempts == 0;
	const char **addresses = xcalloc(s->nasked + 1, sizeof(*addresses));
	const char *dead[WALK_MAX];
	struct spf_wanted w = { .addresses = addresses,
		.without = dead,
		.include = s->identity.by_ses ? ses_include : NULL,
		.all = s->identity.all };
	struct str text = STR_INIT;

	for (size_t i = 0; i < s->nasked; i++)
		if (needs_address(&s->asked[i]) && !(new && s->identity.helo))
			addresses[w.naddresses++] = s->asked[i].source->address;
	for (size_t i = 0; i < s->nincluded; i++)
		if (s->included[i].dead)
			dead[w.nwithout++] = s->included[i].question.name;
	spf_text_mend(
	    &text, (const char *const *)s->texts.text, s->texts.n, &w);
	dkim_record_zone_line(&s->mend, s->identity.domain, text.data);
	for (size_t i = 0; i < s->texts.n; i++)
		if (spf_text_kind(s->texts.text[i]) != SPF_TEXT_OTHER)
			str_addf(
			    &s->mend, "in place of: %s\n", s->texts.text[i]);
	str_release(&text);
	free(addresses);
}

static void
tell_fault(struct spf_job *s, enum finding_level level, const char *check,
    const char *what, const char *detail)
{
	preflight_tell(s->job.preflight, level, check, s->subject.data,
	    s->identity.carriers, s->mend.data, "SPF of '%s' %s%s",
	    s->identity.domain, what, detail);
}

static void
tell_dead(struct spf_job *s)
{
	for (size_t i = 0; i < s->nincluded; i++)
		if (s->included[i].dead)
			tell_fault(s, FINDING_BAD, "spf-syntax",
			    "includes a domain without an SPF record: ",
			    s->included[i].question.name);
}

static void
tell_text(struct spf_job *s)
{
	if (s->nrecords > 1)
		tell_fault(s, FINDING_BAD, "spf-records",
		    "has more than one record", "");
	if (s->text.faults.len > 0)
		tell_fault(s, s->text.fatal ? FINDING_BAD : FINDING_NOTE,
		    "spf-syntax", "has mistakes: ", s->text.faults.data);
	if (s->nrecords > 0 && s->nattempts > 0)
		tell_fault(s, FINDING_NOTE, "spf-syntax",
		    "stands beside a mistyped record that nobody sees", "");
	tell_dead(s);
	if (s->lookups > LOOKUPS_MOST)
		tell_fault(s, all_pass(s) ? FINDING_NOTE : FINDING_BAD,
		    "spf-lookups",
		    "needs more than 10 look-ups: remove includes that are no "
		    "longer needed, or put our addresses before them",
		    "");
	if (s->text.plus_all)
		tell_fault(s, FINDING_NOTE, "spf-plus-all",
		    "ends in +all: anybody may send in this name", "");
	if (s->identity.by_ses && s->nrecords == 1 && !includes(s, ses_include))
		tell_fault(s, FINDING_NOTE, "spf-ses",
		    "does not include Amazon SES, by which its mail goes too",
		    "");
}

static void
conclude(struct spf_job *s)
{
	write_mend(s);
	tell_text(s);
	if (s->nasked == 0)
		preflight_tell(s->job.preflight, FINDING_UNKNOWN,
		    s->identity.check, s->subject.data, s->identity.carriers,
		    NULL, "cannot be checked: no source has a known address");
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		tell_verdict(s, &verdicts[i]);
	job_end(&s->job);
}

static void
part_ends(struct spf_job *s)
{
	if (--s->unanswered == 0)
		conclude(s);
}

/* ------ what is asked */

static void on_included(void *arg, const struct dns_answer *a);

/* Counts a record's look-ups and asks for what it includes. */
static void
walk(struct spf_job *s, const struct spf_text *t)
{
	for (size_t i = 0; i < t->nterms; i++) {
		const char *target = t->terms[i].target;
		struct included *in = &s->included[s->nincluded];

		s->lookups += t->terms[i].lookup;
		if (target == NULL || strchr(target, '%') != NULL ||
		    s->nincluded == WALK_MAX || s->lookups > LOOKUPS_MOST)
			continue;
		s->nincluded++;
		s->unanswered++;
		in->owner = s;
		question_ask(&in->question, s->job.preflight, target, DNS_TXT,
		    on_included, in);
	}
}

static const char *
first_of(const struct texts *t, enum spf_text_kind kind, size_t *n)
{
	const char *first = NULL;

	*n = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (spf_text_kind(t->text[i]) != kind)
			continue;
		if ((*n)++ == 0)
			first = t->text[i];
	}
	return first;
}

static void
on_included(void *arg, const struct dns_answer *a)
{
	struct included *in = arg;
	struct spf_job *s = in->owner;
	struct texts texts = { .n = 0 };
	struct spf_text text;
	const char *record;
	size_t n;

	texts_take(&texts, a);
	record = first_of(&texts, SPF_TEXT_RECORD, &n);
	in->dead = record == NULL && a->status != DNS_TEMPFAIL;
	if (record != NULL) {
		spf_text_read(&text, record);
		walk(s, &text);
		spf_text_release(&text);
	}
	texts_clear(&texts);
	part_ends(s);
}

static void
on_verdict(void *arg, const struct spf_answer *answer)
{
	struct asked *a = arg;

	a->check = NULL;
	a->answer = *answer;
	part_ends(a->owner);
}

static void
ask_verdicts(struct spf_job *s)
{
	struct preflight *p = s->job.preflight;
	struct str from = STR_INIT;

	if (!s->identity.helo)
		str_addf(&from, "postmaster@%s", s->identity.domain);
	for (size_t i = 0; i < s->nasked; i++) {
		struct asked *a = &s->asked[i];

		a->owner = s;
		s->unanswered++;
		a->check = spf_check_new(p->resolver, a->source->address,
		    a->source->hostname, from.data, p->request.timeout,
		    on_verdict, a);
	}
	str_release(&from);
}

static void
on_texts(void *arg, const struct dns_answer *a)
{
	struct spf_job *s = arg;
	const char *record, *attempt;

	if (a->status == DNS_TEMPFAIL) {
		preflight_tell_unknown(s->job.preflight, s->identity.check,
		    s->subject.data, s->question.name, a->why);
		job_end(&s->job);
		return;
	}
	texts_take(&s->texts, a);
	record = first_of(&s->texts, SPF_TEXT_RECORD, &s->nrecords);
	attempt = first_of(&s->texts, SPF_TEXT_ATTEMPT, &s->nattempts);
	if (record == NULL)
		record = attempt;
	s->unanswered = 1; /* this function itself */
	if (record != NULL) {
		spf_text_read(&s->text, record);
		walk(s, &s->text);
	}
	ask_verdicts(s);
	part_ends(s);
}

void
spf_identity_check(struct preflight *p, const struct spf_identity *identity)
{
	struct spf_job *s = xcalloc(1, sizeof(*s));

	job_start(p, &s->job, spf_free);
	s->identity = *identity;
	str_init(&s->subject);
	str_init(&s->mend);
	str_init(&s->text.faults);
	if (identity->helo)
		source_subject(&s->subject, identity->sources);
	else
		str_adds(&s->subject, identity->domain);
	s->asked = xcalloc(identity->nsources + 1, sizeof(*s->asked));
	for (size_t i = 0; i < identity->nsources; i++)
		if (source_is_known(p, &identity->sources[i]))
			s->asked[s->nasked++].source = &identity->sources[i];
	question_ask(&s->question, p, identity->domain, DNS_TXT, on_texts, s);
}
