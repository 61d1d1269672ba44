/*
 * preflight.c - runs the checks side by side and tells what they find.
 *
 * The checks are in files of their own (source.c, port.c, spf_identity.c,
 * dkim.c, policy.c, domain.c, bounce.c); what to publish is in records.c.
 */
#include "mta/preflight/preflight_int.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

void
job_start(struct preflight *p, struct job *j, void (*free)(struct job *))
{
	j->preflight = p;
	j->free = free;
	LIST_INSERT_HEAD(&p->jobs, j, link);
}

static void
run_free(struct preflight *p)
{
	struct job *j;

	while ((j = LIST_FIRST(&p->jobs)) != NULL) {
		LIST_REMOVE(j, link);
		j->free(j);
	}
	event_free(p->start);
	free(p);
}

static void
end_if_idle(struct preflight *p)
{
	if (!p->started || !LIST_EMPTY(&p->jobs))
		return;
	p->done(p->arg);
	run_free(p);
}

void
job_end(struct job *j)
{
	struct preflight *p = j->preflight;

	LIST_REMOVE(j, link);
	j->free(j);
	end_if_idle(p);
}

static void
check_ehlo_spf(struct preflight *p, const struct preflight_source *s)
{
	const struct spf_identity ehlo = { .check = "spf-ehlo",
		.domain = s->hostname,
		.helo = true,
		.carriers = PREFLIGHT_AU,
		.all = "a -all",
		.sources = s,
		.nsources = 1 };

	spf_identity_check(p, &ehlo);
}

static void
check_sources(struct preflight *p)
{
	const struct preflight_request *r = &p->request;

	for (size_t i = 0; i < r->nsources; i++) {
		source_check(p, &r->sources[i]);
		if (source_is_known(p, &r->sources[i]))
			check_ehlo_spf(p, &r->sources[i]);
		if (r->nport_hosts > 0)
			port_check(p, &r->sources[i]);
	}
}

static void
check_domain_spf(struct preflight *p)
{
	const struct preflight_request *r = &p->request;
	bool same = name_is(r->domain, p->envelope);
	const struct spf_identity header = { .check = "spf-header-from",
		.domain = r->domain,
		.by_ses = r->by_ses,
		.carriers = same ? PREFLIGHT_ALL
				 : PREFLIGHT_DOCOMO | PREFLIGHT_SOFTBANK,
		.all = "~all",
		.sources = r->sources,
		.nsources = r->nsources };
	struct spf_identity envelope = header;

	spf_identity_check(p, &header);
	if (same)
		return;
	envelope.check = "spf-envelope";
	envelope.domain = p->envelope;
	envelope.by_ses = false; /* SES has a reverse-path of its own */
	envelope.carriers = PREFLIGHT_ALL;
	envelope.all = "-all";
	spf_identity_check(p, &envelope);
}

static void
check_domain(struct preflight *p)
{
	const struct preflight_request *r = &p->request;

	dns_check(p, "from-dns", r->domain);
	if (!name_is(r->domain, p->envelope) &&
	    (r->bounce == NULL || !name_is(r->bounce, p->envelope)))
		dns_check(p, "envelope-dns", p->envelope);
	check_domain_spf(p);
	dkim_check(p);
	policy_check(p);
	if (r->bounce != NULL)
		bounce_check(p);
}

static void
on_start(evutil_socket_t fd, short what, void *arg)
{
	struct preflight *p = arg;

	(void)fd;
	(void)what;
	if (p->request.check_sources)
		check_sources(p);
	if (p->request.domain != NULL)
		check_domain(p);
	p->started = true;
	end_if_idle(p);
}

struct preflight *
preflight_new(struct resolver *resolver, const struct preflight_request *r,
    void (*each)(void *arg, const struct finding *), void (*done)(void *arg),
    void *arg)
{
	struct preflight *p = xcalloc(1, sizeof(*p));

	p->resolver = resolver;
	p->request = *r;
	if (p->request.timeout == 0)
		p->request.timeout = 10000;
	if (p->request.port == 0)
		p->request.port = 25;
	p->envelope = r->envelope != NULL ? r->envelope
		      : r->bounce != NULL ? r->bounce
					  : r->domain;
	LIST_INIT(&p->jobs);
	p->each = each;
	p->done = done;
	p->arg = arg;
	p->start = event_new(resolver_base(resolver), -1, 0, on_start, p);
	if (p->start == NULL)
		abort();
	event_active(p->start, EV_TIMEOUT, 0);
	return p;
}

void
preflight_free(struct preflight **p)
{
	if (*p == NULL)
		return;
	run_free(*p);
	*p = NULL;
}

/* ------ findings */

/* Records come from outside, and findings go to terminals, JSON and logs. */
static void
make_printable(char *text, bool lines)
{
	for (; *text != '\0'; text++)
		if ((*text < ' ' || *text > '~') && !(lines && *text == '\n'))
			*text = '?';
}

void
preflight_tell(struct preflight *p, enum finding_level level, const char *check,
    const char *subject, unsigned carriers, const char *mend, const char *what,
    ...)
{
	struct str text = STR_INIT, mends = STR_INIT, of = STR_INIT;
	struct finding f = {
		.level = level, .check = check, .carriers = carriers
	};
	va_list ap;

	va_start(ap, what);
	str_vaddf(&text, what, ap);
	va_end(ap);
	str_adds(&mends, mend != NULL ? mend : "");
	str_adds(&of, subject);
	make_printable(text.data, false);
	make_printable(of.data, false);
	make_printable(mends.data, true);
	f.subject = of.data;
	f.what = text.data;
	f.why = level == FINDING_GOOD ? "" : why_of(check);
	f.mend = mends.data;
	p->each(p->arg, &f);
	str_release(&text);
	str_release(&mends);
	str_release(&of);
}

void
preflight_tell_unknown(struct preflight *p, const char *check,
    const char *subject, const char *name, const char *why)
{
	preflight_tell(p, FINDING_UNKNOWN, check, subject, PREFLIGHT_ALL, NULL,
	    "cannot be checked now: the DNS does not answer for '%s': %s", name,
	    why);
}
