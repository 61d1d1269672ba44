/*
 * domain.c - is a domain that we send from in the DNS at all? Carriers want an
 * address or an MX.
 */
#include "mta/preflight/preflight_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

enum { ASK_MX, ASK_A, ASK_AAAA, ASKED };

static const int types[ASKED] = { DNS_MX, DNS_A, DNS_AAAA };

struct dns_job {
	struct job job;
	const char *check, *domain;
	struct asked {
		struct dns_job *owner;
		int which;
		struct question question;
	} asked[ASKED];
	unsigned unanswered;
	bool found, null_mx, failed;
	char why[128];
};

static void
dns_free(struct job *j)
{
	struct dns_job *d = job_of(j, struct dns_job);

	for (int i = 0; i < ASKED; i++)
		question_clear(&d->asked[i].question);
	free(d);
}

static void
conclude(struct dns_job *d)
{
	struct preflight *p = d->job.preflight;
	struct str mend = STR_INIT;

	record_our_mx(&mend, &p->request, d->domain);
	if (d->null_mx)
		preflight_tell(p, FINDING_BAD, d->check, d->domain,
		    PREFLIGHT_ALL, mend.data,
		    "its null MX says that it takes no mail, so none can come "
		    "from it (RFC 7505 4.2)");
	else if (d->found)
		preflight_tell(p, FINDING_GOOD, d->check, d->domain,
		    PREFLIGHT_ALL, NULL, "it has an MX or an address");
	else if (d->failed)
		preflight_tell_unknown(
		    p, d->check, d->domain, d->domain, d->why);
	else
		preflight_tell(p, FINDING_BAD, d->check, d->domain,
		    PREFLIGHT_ALL, mend.data,
		    "it has neither an MX nor an address");
	str_release(&mend);
	job_end(&d->job);
}

static bool
is_null_mx(const struct dns_answer *a)
{
	char host[DNS_NAME_TEXT_MAX];
	unsigned preference;

	return a->nrdata == 1 &&
	       dns_mx_read(a->rdata[0], a->rdata_len[0], &preference, host) ==
		   0 &&
	       strcmp(host, ".") == 0;
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct asked *asked = arg;
	struct dns_job *d = asked->owner;

	if (a->status == DNS_TEMPFAIL) {
		d->failed = true;
		memcpy(d->why, a->why, sizeof(d->why));
	}
	d->found = d->found || a->nrdata > 0;
	if (asked->which == ASK_MX)
		d->null_mx = is_null_mx(a);
	if (--d->unanswered == 0)
		conclude(d);
}

void
dns_check(struct preflight *p, const char *check, const char *domain)
{
	struct dns_job *d = xcalloc(1, sizeof(*d));

	job_start(p, &d->job, dns_free);
	d->check = check;
	d->domain = domain;
	d->unanswered = ASKED;
	for (int i = 0; i < ASKED; i++) {
		d->asked[i].owner = d;
		d->asked[i].which = i;
		question_ask(&d->asked[i].question, p, domain, types[i],
		    on_answer, &d->asked[i]);
	}
}
