/*
 * bounce.c - does mail to our bounce domain come to us?
 *
 * A host of its MX is ours when it has one of our names and an address, or an
 * address of one of our sources.
 */
#include "mta/preflight/preflight_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

#define HOSTS_MAX 8

struct bounce_host {
	struct bounce_job *owner;
	char name[256];
	struct question a, aaaa;
	bool has_address, is_our_address, failed;
};

struct bounce_job {
	struct job job;
	const char *domain;
	struct question mx;
	bool implicit; /* there is no MX: its own address counts */
	struct bounce_host hosts[HOSTS_MAX];
	size_t nhosts, unanswered;
};

static void
bounce_free(struct job *j)
{
	struct bounce_job *b = job_of(j, struct bounce_job);

	question_clear(&b->mx);
	for (size_t i = 0; i < b->nhosts; i++) {
		question_clear(&b->hosts[i].a);
		question_clear(&b->hosts[i].aaaa);
	}
	free(b);
}

static bool
is_our_name(const struct preflight_request *r, const char *name)
{
	for (size_t i = 0; i < r->nour_hosts; i++)
		if (name_is(r->our_hosts[i], name))
			return true;
	for (size_t i = 0; i < r->nsources; i++)
		if (name_is(r->sources[i].hostname, name))
			return true;
	return false;
}

static bool
is_ours(const struct bounce_host *h)
{
	const struct preflight_request *r = &h->owner->job.preflight->request;

	return h->is_our_address || (h->has_address && is_our_name(r, h->name));
}

static const char *
trouble(const struct bounce_job *b)
{
	if (b->implicit)
		return "it has no MX record";
	for (size_t i = 0; i < b->nhosts; i++)
		if (name_is_below(b->hosts[i].name, "amazonses.com"))
			return "its MX is Amazon SES's: the reverse-path of "
			       "SES must be another domain";
	return "its MX does not lead to us";
}

static void
tell(struct bounce_job *b, enum finding_level level, const char *what,
    const char *host)
{
	struct preflight *p = b->job.preflight;
	struct str mend = STR_INIT;

	if (level != FINDING_GOOD)
		record_our_mx(&mend, &p->request, b->domain);
	preflight_tell(p, level, "bounce-mx", b->domain,
	    PREFLIGHT_AU | PREFLIGHT_DOCOMO, mend.data, "%s%s", what, host);
	str_release(&mend);
}

static void
conclude(struct bounce_job *b)
{
	const struct bounce_host *ours = NULL, *other = NULL, *failed = NULL;

	for (size_t i = 0; i < b->nhosts; i++) {
		const struct bounce_host *h = &b->hosts[i];

		if (is_ours(h))
			ours = h;
		else if (h->failed)
			failed = h;
		else
			other = h;
	}
	if (ours != NULL && b->implicit)
		tell(b, FINDING_NOTE,
		    "it has no MX record; its address is ours", "");
	else if (ours != NULL && other != NULL)
		tell(b, FINDING_NOTE,
		    "one of its MX hosts is not ours: ", other->name);
	else if (ours != NULL)
		tell(b, FINDING_GOOD, "its MX is ours: ", ours->name);
	else if (failed != NULL)
		preflight_tell_unknown(b->job.preflight, "bounce-mx", b->domain,
		    failed->name, "its address is not known");
	else
		tell(b, FINDING_BAD, trouble(b), "");
	job_end(&b->job);
}

static void
on_host(void *arg, const struct dns_answer *a)
{
	struct bounce_host *h = arg;
	const struct preflight_request *r = &h->owner->job.preflight->request;

	h->failed = h->failed || a->status == DNS_TEMPFAIL;
	h->has_address = h->has_address || a->nrdata > 0;
	h->is_our_address = h->is_our_address || answer_is_ours(r, a);
	if (--h->owner->unanswered == 0)
		conclude(h->owner);
}

static void
add_host(struct bounce_job *b, const char *name)
{
	struct bounce_host *h = &b->hosts[b->nhosts];

	if (b->nhosts == HOSTS_MAX || !dns_name_is_host(name))
		return;
	b->nhosts++;
	h->owner = b;
	snprintf(h->name, sizeof(h->name), "%s", name);
	b->unanswered += 2;
	question_ask(&h->a, b->job.preflight, name, DNS_A, on_host, h);
	question_ask(&h->aaaa, b->job.preflight, name, DNS_AAAA, on_host, h);
}

static void
on_mx(void *arg, const struct dns_answer *a)
{
	struct bounce_job *b = arg;
	char host[DNS_NAME_TEXT_MAX];
	unsigned preference;

	if (a->status == DNS_TEMPFAIL) {
		preflight_tell_unknown(b->job.preflight, "bounce-mx", b->domain,
		    b->domain, a->why);
		job_end(&b->job);
		return;
	}
	for (size_t i = 0; i < a->nrdata; i++)
		if (dns_mx_read(
			a->rdata[i], a->rdata_len[i], &preference, host) == 0)
			add_host(b, host);
	b->implicit = a->nrdata == 0;
	if (b->implicit)
		add_host(b, b->domain);
	if (b->unanswered == 0)
		conclude(b);
}

void
bounce_check(struct preflight *p)
{
	struct bounce_job *b = xcalloc(1, sizeof(*b));

	job_start(p, &b->job, bounce_free);
	b->domain = p->request.bounce;
	question_ask(&b->mx, p, b->domain, DNS_MX, on_mx, b);
}
