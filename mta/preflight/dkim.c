/*
 * dkim.c - are the keys that sign for a domain published, and are they the same
 * ones?
 */
#include "mta/preflight/preflight_int.h"

#include <stdlib.h>

#include "mta/base/alloc.h"
#include "mta/dkim.h"
#include "mta/dkim_record.h"

struct dkim_job {
	struct job job;
	const struct preflight_key *key;
	struct question question;
};

static const char keygen[] =
    "make a key and publish its record: oiwake dkim keygen\n";

static void
dkim_free(struct job *j)
{
	struct dkim_job *d = job_of(j, struct dkim_job);

	question_clear(&d->question);
	free(d);
}

static enum finding_level
level_of(const struct dkim_job *d, enum dkim_record_state state)
{
	if (state == DKIM_RECORD_GOOD)
		return FINDING_GOOD;
	return dkim_record_works(state) || d->key->standby ? FINDING_NOTE
							   : FINDING_BAD;
}

static void
write_mend(struct dkim_job *d, const struct texts *t, struct str *mend)
{
	char *record = dkim_signer_record(d->key->signer);

	dkim_record_zone_line(mend, d->question.name, record);
	for (size_t i = 0; i < t->n; i++)
		str_addf(mend, "in place of: %s\n", t->text[i]);
	free(record);
}

static void
judge(struct dkim_job *d, const struct texts *t)
{
	char what[DKIM_RECORD_WHAT];
	enum dkim_record_state state = dkim_record_check(
	    d->key->signer, (const char *const *)t->text, t->n, what);
	enum finding_level level = level_of(d, state);
	struct str mend = STR_INIT;

	/* A weak key is no better for being published again. */
	if (level != FINDING_GOOD && !dkim_record_works(state))
		write_mend(d, t, &mend);
	else if (level != FINDING_GOOD)
		str_adds(&mend, keygen);
	preflight_tell(d->job.preflight, level, "dkim",
	    d->job.preflight->request.domain, PREFLIGHT_ALL, mend.data,
	    "key at '%s': %s", d->question.name, what);
	str_release(&mend);
}

/* Run by somebody who may not read the key. */
static void
judge_without_key(struct dkim_job *d, const struct texts *t)
{
	if (t->n == 0)
		preflight_tell(d->job.preflight,
		    d->key->standby ? FINDING_NOTE : FINDING_BAD, "dkim",
		    d->job.preflight->request.domain, PREFLIGHT_ALL,
		    "publish what this prints: oiwake dkim record\n",
		    "key at '%s': there is no TXT record", d->question.name);
	else
		preflight_tell(d->job.preflight, FINDING_UNKNOWN, "dkim",
		    d->job.preflight->request.domain, PREFLIGHT_ALL,
		    "run this as a user who can read the key file\n",
		    "key at '%s': there is a record, but the key to compare it "
		    "with cannot be read",
		    d->question.name);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct dkim_job *d = arg;
	struct texts t = { .n = 0 };

	texts_take(&t, a);
	if (a->status == DNS_TEMPFAIL)
		preflight_tell_unknown(d->job.preflight, "dkim",
		    d->job.preflight->request.domain, d->question.name, a->why);
	else if (d->key->signer == NULL)
		judge_without_key(d, &t);
	else
		judge(d, &t);
	texts_clear(&t);
	job_end(&d->job);
}

static void
ask(struct preflight *p, const struct preflight_key *key)
{
	struct dkim_job *d = xcalloc(1, sizeof(*d));
	struct str name = STR_INIT;

	job_start(p, &d->job, dkim_free);
	d->key = key;
	str_addf(&name, "%s._domainkey.%s", key->selector, key->domain);
	question_ask(&d->question, p, name.data, DNS_TXT, on_answer, d);
	str_release(&name);
}

void
dkim_check(struct preflight *p)
{
	const struct preflight_request *r = &p->request;
	size_t active = 0;

	for (size_t i = 0; i < r->nkeys; i++) {
		active += !r->keys[i].standby;
		ask(p, &r->keys[i]);
	}
	/* SPF that aligns is enough for DMARC; policy.c says when it does not.
	 */
	if (active == 0)
		preflight_tell(p, FINDING_NOTE, "dkim", r->domain,
		    PREFLIGHT_DOCOMO, keygen, "no key signs for it");
}
