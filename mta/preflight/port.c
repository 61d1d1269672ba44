/*
 * port.c - is port 25 open from a source to the carriers?
 *
 * The best hosts of each carrier's MX are tried, one after the other until one
 * says anything. Nobody heard from anywhere: on EC2 that is AWS's block. Some
 * heard and others cut off: those carriers block this source.
 */
#include "mta/preflight/preflight_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/dns/mx.h"
#include "mta/preflight/probe.h"

#define TARGETS_MAX 3

struct port_host {
	struct port_job *owner;
	const char *domain;
	struct mx_lookup *lookup;
	struct probe *probe;
	struct smtp_client_target targets[TARGETS_MAX];
	size_t ntargets, next;
	bool tried; /* a connection, that is: false when the DNS failed */
	enum probe_result result;
	char said[160]; /* by or about the best one tried */
};

struct port_job {
	struct job job;
	const struct preflight_source *source;
	struct str subject;
	struct port_host *hosts;
	size_t nhosts, unanswered;
};

static void
port_free(struct job *j)
{
	struct port_job *p = job_of(j, struct port_job);

	for (size_t i = 0; i < p->nhosts; i++) {
		mx_lookup_free(&p->hosts[i].lookup);
		probe_free(&p->hosts[i].probe);
	}
	free(p->hosts);
	str_release(&p->subject);
	free(p);
}

/* Somebody did: the port is open. */
static bool
answered(const struct port_host *h)
{
	return h->tried && h->result >= PROBE_MUTE;
}

static bool
greets(const struct port_host *h, bool heard)
{
	(void)heard;
	return h->tried && h->result == PROBE_GREETED;
}

/* au answers connections it does not want with resets. */
static bool
refuses(const struct port_host *h, bool heard)
{
	return h->tried && heard &&
	       (h->result == PROBE_REFUSED || h->result == PROBE_RESET ||
		   h->result == PROBE_CLOSED);
}

static bool
is_unbound(const struct port_host *h, bool heard)
{
	(void)heard;
	return h->tried && h->result == PROBE_UNBOUND;
}

static bool
is_untried(const struct port_host *h, bool heard)
{
	(void)heard;
	return !h->tried;
}

static bool
is_silent(const struct port_host *h, bool heard)
{
	return h->tried && heard &&
	       (h->result == PROBE_SILENT || h->result == PROBE_MUTE);
}

static bool
is_shut(const struct port_host *h, bool heard)
{
	return h->tried && !heard &&
	       (h->result == PROBE_SILENT || h->result == PROBE_CLOSED);
}

static const char blocked_mend[] =
    "let this source rest towards them for some hours; look for unknown users "
    "in what it sent, and write to them slowly\n"
    "if it lasts, ask the carrier's help desk for senders to lift the block\n";

static const char unbound_mend[] =
    "give this machine the address, or change 'address' of the source\n";

static const struct row {
	bool (*wanted)(const struct port_host *, bool heard);
	enum finding_level level;
	const char *check, *what, *mend; /* mend NULL: AWS's form */
} rows[] = {
	{ greets, FINDING_GOOD, "port-25", "mail servers answer", "" },
	{ refuses, FINDING_BAD, "port-25-blocked",
	    "the port is open, but this source is refused", blocked_mend },
	{ is_unbound, FINDING_BAD, "port-25",
	    "the source's address cannot be used on this machine",
	    unbound_mend },
	{ is_shut, FINDING_BAD, "port-25",
	    "no mail server of any carrier can be reached from here, as "
	    "where EC2 blocks port 25",
	    NULL },
	{ is_untried, FINDING_UNKNOWN, "port-25",
	    "cannot be checked now: the DNS does not lead to the servers", "" },
	{ is_silent, FINDING_UNKNOWN, "port-25",
	    "does not answer now, though the port is open", "" },
};

static bool
is_heard(const struct port_job *p)
{
	for (size_t i = 0; i < p->nhosts; i++)
		if (answered(&p->hosts[i]))
			return true;
	return false;
}

/* One finding for all hosts that the row wants. */
static void
tell_row(struct port_job *p, const struct row *row, bool heard)
{
	struct preflight *run = p->job.preflight;
	struct str hosts = STR_INIT, mend = STR_INIT;
	unsigned carriers = 0;

	for (size_t i = 0; i < p->nhosts; i++) {
		const struct port_host *h = &p->hosts[i];

		if (!row->wanted(h, heard))
			continue;
		str_addf(&hosts, "%s%s (%s)", hosts.len > 0 ? ", " : "",
		    h->domain, h->said);
		carriers |= why_domain_carriers(h->domain);
	}
	if (row->mend != NULL)
		str_adds(&mend, row->mend);
	else if (hosts.len > 0)
		record_port_form(&mend, &run->request);
	if (hosts.len > 0)
		preflight_tell(run, row->level, row->check, p->subject.data,
		    carriers, mend.data, "%s: %s", row->what, hosts.data);
	str_release(&hosts);
	str_release(&mend);
}

static void
conclude(struct port_job *p)
{
	bool heard = is_heard(p);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tell_row(p, &rows[i], heard);
	job_end(&p->job);
}

static void
host_ends(struct port_host *h)
{
	if (--h->owner->unanswered == 0)
		conclude(h->owner);
}

static void try_next(struct port_host *);

static void
on_probe(void *arg, enum probe_result result, const char *text)
{
	struct port_host *h = arg;

	h->probe = NULL;
	if (!h->tried || result >= h->result)
		snprintf(h->said, sizeof(h->said), "%.60s: %.90s",
		    h->targets[h->next - 1].host, text);
	h->result = h->tried && h->result > result ? h->result : result;
	h->tried = true;
	if (result <= PROBE_MUTE && h->next < h->ntargets)
		try_next(h);
	else
		host_ends(h);
}

static void
try_next(struct port_host *h)
{
	struct port_job *p = h->owner;
	struct preflight *run = p->job.preflight;

	h->probe = probe_new(resolver_base(run->resolver), p->source->bind,
	    p->source->bind_len, &h->targets[h->next++], run->request.timeout,
	    on_probe, h);
}

static void
on_lookup(void *arg, const struct mx_result *r)
{
	struct port_host *h = arg;

	h->lookup = NULL;
	h->ntargets = r->ntargets < TARGETS_MAX ? r->ntargets : TARGETS_MAX;
	if (h->ntargets == 0) {
		snprintf(h->said, sizeof(h->said), "%.150s", r->why.text);
		host_ends(h);
		return;
	}
	memcpy(h->targets, r->targets, h->ntargets * sizeof(*h->targets));
	try_next(h);
}

static int
family(const struct preflight_source *s)
{
	return s->bind != NULL ? s->bind->sa_family : AF_UNSPEC;
}

void
port_check(struct preflight *run, const struct preflight_source *source)
{
	const struct preflight_request *r = &run->request;
	const struct mx_policy policy = { .allow_private = r->allow_private,
		.ipv4 = family(source) != AF_INET6,
		.ipv6 = family(source) == AF_INET6,
		.port = r->port,
		.max_targets = TARGETS_MAX };
	struct port_job *p = xcalloc(1, sizeof(*p));

	job_start(run, &p->job, port_free);
	p->source = source;
	str_init(&p->subject);
	source_subject(&p->subject, source);
	p->hosts = xcalloc(r->nport_hosts, sizeof(*p->hosts));
	p->nhosts = p->unanswered = r->nport_hosts;
	for (size_t i = 0; i < p->nhosts; i++) {
		p->hosts[i].owner = p;
		p->hosts[i].domain = r->port_hosts[i];
		p->hosts[i].lookup = mx_lookup_new(run->resolver,
		    r->port_hosts[i], &policy, on_lookup, &p->hosts[i]);
	}
}
