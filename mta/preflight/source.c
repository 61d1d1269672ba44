/*
 * source.c - does a source's address have a name that leads back to it, and is
 * that the name it greets with?
 *
 * PTR of the public address, then the addresses of all names it gives; at the
 * same time the addresses of the EHLO name.
 */
#include "mta/preflight/preflight_int.h"

#include <stdlib.h>

#include "mta/base/alloc.h"
#include "mta/base/net.h"

#define NAMES_MAX 8 /* reverse names that are looked at */

struct reverse_name {
	struct source_job *owner;
	struct question question;
	char text[DNS_NAME_TEXT_MAX];
	bool leads_back, failed;
};

struct source_job {
	struct job job;
	const struct preflight_source *source;
	struct str subject;
	struct question ptr, ehlo;
	struct reverse_name names[NAMES_MAX];
	size_t nnames, total; /* kept, and there */
	size_t names_left;
	unsigned parts; /* reverse, EHLO: those without a finding yet */
};

static void
source_free(struct job *j)
{
	struct source_job *s = job_of(j, struct source_job);

	question_clear(&s->ptr);
	question_clear(&s->ehlo);
	for (size_t i = 0; i < s->nnames; i++)
		question_clear(&s->names[i].question);
	str_release(&s->subject);
	free(s);
}

static void
part_ends(struct source_job *s)
{
	if (--s->parts == 0)
		job_end(&s->job);
}

static void
tell(struct source_job *s, enum finding_level level, const char *check,
    const struct str *mend, const char *what, const char *name)
{
	preflight_tell(s->job.preflight, level, check, s->subject.data,
	    PREFLIGHT_ALL, mend->data, "%s%s%s%s", what, name ? " '" : "",
	    name ? name : "", name ? "'" : "");
}

static bool
greets_as_named(const struct source_job *s)
{
	for (size_t i = 0; i < s->nnames; i++)
		if (name_is(s->names[i].text, s->source->hostname))
			return true;
	return false;
}

static void
judge_leading_back(struct source_job *s)
{
	const struct reverse_name *back = NULL, *failed = NULL;
	struct str mend = STR_INIT;

	for (size_t i = 0; i < s->nnames; i++) {
		if (s->names[i].leads_back)
			back = &s->names[i];
		else if (s->names[i].failed)
			failed = &s->names[i];
	}
	if (back == NULL && greets_as_named(s))
		record_address(&mend, s->source->hostname, s->source->address);
	else if (back == NULL)
		record_reverse(&mend, s->source);
	if (back != NULL)
		tell(s, FINDING_GOOD, "ptr", &mend,
		    "its reverse name leads back to it:", back->text);
	else if (failed != NULL)
		preflight_tell_unknown(s->job.preflight, "ptr", s->subject.data,
		    failed->text, "its address is not known");
	else
		tell(s, FINDING_BAD, "ptr", &mend,
		    "its reverse name does not lead back to it:",
		    s->names[0].text);
	str_release(&mend);
}

static void
judge_names(struct source_job *s)
{
	struct str mend = STR_INIT;

	judge_leading_back(s);
	if (greets_as_named(s)) {
		tell(s, FINDING_GOOD, "ehlo-name", &mend,
		    "its EHLO name is its reverse name:", s->source->hostname);
	} else {
		record_reverse(&mend, s->source);
		preflight_tell(s->job.preflight, FINDING_BAD, "ehlo-name",
		    s->subject.data, PREFLIGHT_ALL, mend.data,
		    "it greets as '%s', and its reverse name is '%s'",
		    s->source->hostname, s->names[0].text);
	}
	if (s->total > 1) {
		str_clear(&mend);
		str_adds(&mend, "keep one reverse record:\n");
		record_reverse(&mend, s->source);
		preflight_tell(s->job.preflight, FINDING_NOTE, "ptr-several",
		    s->subject.data, PREFLIGHT_ALL, mend.data,
		    "it has %zu reverse names", s->total);
	}
	str_release(&mend);
}

static void
on_name(void *arg, const struct dns_answer *a)
{
	struct reverse_name *n = arg;
	struct source_job *s = n->owner;

	n->failed = a->status == DNS_TEMPFAIL;
	n->leads_back = address_among(s->source->address, a);
	if (--s->names_left > 0)
		return;
	judge_names(s);
	part_ends(s);
}

static void
take_names(struct source_job *s, const struct dns_answer *a)
{
	uint8_t name[DNS_NAME_MAX];
	size_t at;

	s->total = a->nrdata;
	for (size_t i = 0; i < a->nrdata && s->nnames < NAMES_MAX; i++) {
		at = 0;
		if (dns_name_read(a->rdata[i], a->rdata_len[i], &at, name) > 0)
			dns_name_text(name, s->names[s->nnames++].text);
	}
}

static void
ask_names(struct source_job *s)
{
	s->names_left = s->nnames;
	for (size_t i = 0; i < s->nnames; i++) {
		s->names[i].owner = s;
		question_ask(&s->names[i].question, s->job.preflight,
		    s->names[i].text, address_type(s->source->address), on_name,
		    &s->names[i]);
	}
}

static void
on_ptr(void *arg, const struct dns_answer *a)
{
	struct source_job *s = arg;
	struct str mend = STR_INIT;

	take_names(s, a);
	if (s->nnames > 0) {
		ask_names(s);
		return;
	}
	record_reverse(&mend, s->source);
	if (a->status == DNS_TEMPFAIL)
		preflight_tell_unknown(s->job.preflight, "ptr", s->subject.data,
		    s->ptr.name, a->why);
	else
		tell(s, FINDING_BAD, "ptr", &mend, "it has no reverse name",
		    NULL);
	str_release(&mend);
	part_ends(s);
}

static void
on_ehlo(void *arg, const struct dns_answer *a)
{
	struct source_job *s = arg;
	struct str mend = STR_INIT;

	record_address(&mend, s->source->hostname, s->source->address);
	if (a->status == DNS_TEMPFAIL)
		preflight_tell_unknown(s->job.preflight, "ehlo-address",
		    s->subject.data, s->ehlo.name, a->why);
	else if (address_among(s->source->address, a))
		preflight_tell(s->job.preflight, FINDING_GOOD, "ehlo-address",
		    s->subject.data, PREFLIGHT_ALL, NULL,
		    "its EHLO name '%s' leads to it", s->source->hostname);
	else
		tell(s, FINDING_BAD, "ehlo-address", &mend,
		    a->nrdata > 0 ? "its EHLO name leads to another address:"
				  : "its EHLO name has no address:",
		    s->source->hostname);
	str_release(&mend);
	part_ends(s);
}

bool
source_is_known(struct preflight *p, const struct preflight_source *s)
{
	struct sockaddr_storage sa;
	socklen_t len;

	return s->address != NULL &&
	       net_parse_address(s->address, 0, &sa, &len, NULL) == 0 &&
	       (p->request.allow_private ||
		   !net_is_special((struct sockaddr *)&sa));
}

static void
tell_not_known(struct source_job *s)
{
	struct str mend = STR_INIT;

	str_addf(&mend,
	    "set 'public' of source \"%s\" to its Elastic IP address\n",
	    s->source->name);
	if (s->source->address == NULL)
		tell(s, FINDING_BAD, "public-address", &mend,
		    "its public address is not configured", NULL);
	else
		tell(s, FINDING_BAD, "public-address", &mend,
		    "nobody on the Internet sees this address:",
		    s->source->address);
	str_release(&mend);
}

void
source_check(struct preflight *p, const struct preflight_source *source)
{
	struct source_job *s = xcalloc(1, sizeof(*s));
	struct str name = STR_INIT;

	job_start(p, &s->job, source_free);
	s->source = source;
	str_init(&s->subject);
	source_subject(&s->subject, source);
	if (source_is_known(p, source)) {
		s->parts = 2;
		address_reverse(source->address, &name);
		question_ask(&s->ptr, p, name.data, DNS_PTR, on_ptr, s);
		question_ask(&s->ehlo, p, source->hostname,
		    address_type(source->address), on_ehlo, s);
	} else {
		tell_not_known(s);
		job_end(&s->job);
	}
	str_release(&name);
}
