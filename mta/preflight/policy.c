/*
 * policy.c - DMARC of a domain: is there a policy, and would our mail align
 * with it?
 *
 * The domain and all its parents of two labels or more are asked at once, at
 * most eight. As in the tree walk that follows RFC 7489 (DMARCbis), the policy
 * is that of the nearest name that has a record, and the organisation is the
 * topmost one. Receivers that work by the Public Suffix List instead may see
 * the organisation further up: two names under one registrable domain are taken
 * as aligned, too.
 */
#include "mta/preflight/preflight_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/dkim_record.h"
#include "mta/preflight/dmarc.h"

#define STEPS_MAX 8

struct step {
	struct policy_job *owner;
	const char *domain; /* the end of the domain that is checked */
	struct question question;
	struct texts texts;
	size_t nrecords, nbroken;
	struct dmarc record; /* the first good one, else the first broken one */
	bool failed;
	char why[128];
};

struct policy_job {
	struct job job;
	const char *domain;
	struct step steps[STEPS_MAX]; /* the domain itself first */
	size_t nsteps, unanswered;
};

static void
policy_free(struct job *j)
{
	struct policy_job *p = job_of(j, struct policy_job);

	for (size_t i = 0; i < p->nsteps; i++) {
		question_clear(&p->steps[i].question);
		texts_clear(&p->steps[i].texts);
		dmarc_release(&p->steps[i].record);
	}
	free(p);
}

/* ------ is there a policy? */

static bool
has_anything(const struct step *s)
{
	return s->failed || s->nrecords + s->nbroken > 0;
}

/* The nearest name with a record, or something meant as one, or silence. */
static const struct step *
nearest(const struct policy_job *p)
{
	for (size_t i = 0; i < p->nsteps; i++)
		if (has_anything(&p->steps[i]))
			return &p->steps[i];
	return NULL;
}

static void
tell(struct policy_job *p, enum finding_level level, const char *check,
    const char *mend, const char *what, const char *detail)
{
	preflight_tell(p->job.preflight, level, check, p->domain, PREFLIGHT_ALL,
	    mend, "%s%s", what, detail);
}

/* The record to publish at a step's name, and what it is to replace. */
static void
write_mend(struct str *out, const char *domain, const struct step *s)
{
	struct str name = STR_INIT, text = STR_INIT;

	str_addf(&name, "_dmarc.%s", domain);
	dmarc_mend(&text, s != NULL ? &s->record : NULL, domain);
	dkim_record_zone_line(out, name.data, text.data);
	for (size_t i = 0; s != NULL && i < s->texts.n; i++)
		if (dmarc_is_meant(s->texts.text[i]))
			str_addf(out, "in place of: %s\n", s->texts.text[i]);
	str_release(&name);
	str_release(&text);
}

static void
tell_good(struct policy_job *p, const struct step *s, const char *mend)
{
	const struct dmarc *d = &s->record;
	bool itself = s == &p->steps[0];

	preflight_tell(p->job.preflight, FINDING_GOOD, "dmarc", p->domain,
	    PREFLIGHT_ALL, NULL, "DMARC policy '%s' at '%s'",
	    itself ? d->policy : d->subdomain_policy, s->question.name);
	if (d->faults.len > 0)
		tell(p, FINDING_NOTE, "dmarc", mend,
		    "parts of its DMARC record mean nothing: ", d->faults.data);
}

/* Returns the step whose record holds; NULL: none does. */
static const struct step *
judge_record(struct policy_job *p)
{
	const struct step *s = nearest(p);
	struct str mend = STR_INIT;

	if (s == NULL)
		write_mend(&mend, p->domain, NULL);
	else
		write_mend(&mend, s->domain, s);
	if (s == NULL)
		tell(p, FINDING_BAD, "dmarc", mend.data,
		    "it has no DMARC record, nor has a domain above it", "");
	else if (s->failed)
		preflight_tell_unknown(p->job.preflight, "dmarc", p->domain,
		    s->question.name, s->why);
	else if (s->nrecords > 1)
		tell(p, FINDING_BAD, "dmarc", mend.data,
		    "several DMARC records count as none, at ",
		    s->question.name);
	else if (s->nrecords == 0)
		tell(p, FINDING_BAD, "dmarc", mend.data,
		    "its DMARC record cannot be used: ", s->record.faults.data);
	else
		tell_good(p, s, mend.data);
	str_release(&mend);
	return s != NULL && s->nrecords == 1 ? s : NULL;
}

/* ------ would our mail align? */

/* The topmost name with a record, unless one below says that it is (psd). */
static const char *
organization(const struct policy_job *p)
{
	const char *org = p->domain;

	for (size_t i = 0; i < p->nsteps; i++) {
		const struct step *s = &p->steps[i];

		if (s->nrecords != 1)
			continue;
		if (s->record.psd == 'y')
			return i > 0 ? p->steps[i - 1].domain : org;
		org = s->domain;
		if (s->record.psd == 'n')
			break;
	}
	return org;
}

static bool
aligns(const struct policy_job *p, const char *name, bool strict)
{
	if (name_is(name, p->domain))
		return true;
	return !strict && (name_is_below(name, organization(p)) ||
			      name_is(name_organization(name),
				  name_organization(p->domain)));
}

static bool
signs_aligned(const struct policy_job *p, bool strict)
{
	const struct preflight_request *r = &p->job.preflight->request;

	for (size_t i = 0; i < r->nkeys; i++)
		if (!r->keys[i].standby && aligns(p, r->keys[i].domain, strict))
			return true;
	return false;
}

static const char no_signature[] =
    "add a DKIM key for the domain: oiwake dkim keygen\n";

static void
tell_neither(struct policy_job *p, const struct dmarc *d)
{
	struct str mend = STR_INIT;

	str_adds(&mend, no_signature);
	if (d->aspf_strict || d->adkim_strict)
		str_adds(&mend, "or take adkim=s and aspf=s out of its DMARC "
				"record\n");
	else
		str_adds(&mend, "or use a bounce domain that lies below it\n");
	preflight_tell(p->job.preflight, FINDING_BAD, "dmarc-alignment",
	    p->domain, PREFLIGHT_ALL, mend.data,
	    "neither SPF (of '%s'%s) nor DKIM aligns with it",
	    p->job.preflight->envelope, d->aspf_strict ? ", aspf=s" : "");
	str_release(&mend);
}

static void
judge_alignment(struct policy_job *p, const struct dmarc *d)
{
	const char *envelope = p->job.preflight->envelope;
	bool spf = aligns(p, envelope, d->aspf_strict);
	bool dkim = signs_aligned(p, d->adkim_strict);

	if (spf && dkim)
		tell(p, FINDING_GOOD, "dmarc-alignment", NULL,
		    "SPF and DKIM align with it", "");
	else if (dkim)
		tell(p, FINDING_NOTE, "dmarc-alignment",
		    d->aspf_strict ? "take aspf=s out of its DMARC record\n"
				   : NULL,
		    "DKIM alone aligns with it, not SPF of ", envelope);
	else if (spf)
		tell(p, FINDING_NOTE, "dmarc-alignment", no_signature,
		    "SPF alone aligns with it, which forwarding breaks", "");
	else
		tell_neither(p, d);
}

/* SES's reverse-path lies in a sub-domain, if not at amazonses.com. */
static void
judge_ses(struct policy_job *p, const struct dmarc *d)
{
	if (p->job.preflight->request.by_ses && d->aspf_strict)
		tell(p, FINDING_NOTE, "dmarc-ses",
		    "take aspf=s out of its DMARC record, or see that Easy "
		    "DKIM is on for it\n",
		    "aspf=s: SPF of mail by Amazon SES never aligns", "");
}

static void
conclude(struct policy_job *p)
{
	const struct step *s = judge_record(p);
	struct dmarc none = { .state = DMARC_OTHER };
	const struct step *n = nearest(p);

	/* Without a record alignment is judged as by the one to publish. */
	if (n == NULL || !n->failed)
		judge_alignment(p, s != NULL ? &s->record : &none);
	if (s != NULL)
		judge_ses(p, &s->record);
	job_end(&p->job);
}

/* ------ what is asked */

static void
take_records(struct step *s)
{
	for (size_t i = 0; i < s->texts.n; i++) {
		struct dmarc d;
		bool first;

		dmarc_read(&d, s->texts.text[i]);
		s->nrecords += d.state == DMARC_GOOD;
		s->nbroken += d.state == DMARC_BROKEN;
		first = d.state > s->record.state;
		if (first) {
			dmarc_release(&s->record);
			s->record = d;
		} else {
			dmarc_release(&d);
		}
	}
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct step *s = arg;

	s->failed = a->status == DNS_TEMPFAIL;
	memcpy(s->why, a->why, sizeof(s->why));
	texts_take(&s->texts, a);
	take_records(s);
	if (--s->owner->unanswered == 0)
		conclude(s->owner);
}

/* The domain, then its parents; of more than eight names, the middle ones are
 * left out, as in the tree walk. */
static size_t
list_steps(struct policy_job *p)
{
	const char *names[128];
	size_t n = 0, out = 0;

	for (const char *d = p->domain; d != NULL && n < 128;
	     d = strchr(d, '.'))
		if (n == 0 || strchr(++d, '.') != NULL)
			names[n++] = d;
	for (size_t i = 0; i < n; i++)
		if (i == 0 || n - i < STEPS_MAX)
			p->steps[out++].domain = names[i];
	return out;
}

void
policy_check(struct preflight *run)
{
	struct policy_job *p = xcalloc(1, sizeof(*p));
	struct str name = STR_INIT;

	job_start(run, &p->job, policy_free);
	p->domain = run->request.domain;
	p->nsteps = p->unanswered = list_steps(p);
	for (size_t i = 0; i < p->nsteps; i++) {
		struct step *s = &p->steps[i];

		s->owner = p;
		str_init(&s->record.faults);
		str_clear(&name);
		str_addf(&name, "_dmarc.%s", s->domain);
		question_ask(
		    &s->question, run, name.data, DNS_TXT, on_answer, s);
	}
	str_release(&name);
}
