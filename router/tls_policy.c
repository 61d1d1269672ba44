/*
 * tls_policy.c - what TLS each host of a destination must do.
 *
 * mta/dns/mx.c has found the hosts and their TLSA records; the MTA-STS policy is
 * asked for here, and only where DANE does not settle all of it (RFC 8461 2: it
 * never overrides DANE). courier.c calls the targets; the SMTP client holds them
 * to it.
 */
#include "router/tls_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "mta/sts_client.h"
#include "mta/tlsa.h"
#include "router/config.h"
#include "router/io.h"
#include "router/session.h"
#include "router/tls_keep.h"
#include "router/tls_results.h"

struct host {
	char name[256], base[256];
	struct tlsa_set *tlsa;
	enum tls_policy_type type;
	bool banned; /* its domain's MTA-STS policy does not name it */
	struct smtp_client_policy policy;
};

struct tls_policy {
	struct session *session;
	struct smtp_client_target *targets;
	size_t ntargets;
	struct host *hosts; /* one more than there are: for mere addresses */
	size_t nhosts;
	struct outcome why;
	struct sts_query *query;
	void (*ready)(void *);
	void *arg;
};

static void
count(const struct tls_policy *p, enum tls_policy_type type, unsigned report)
{
	tls_results_count(p->session->io->tls_results, p->session->domain,
	    type, report, clock_wall());
}

/* ------ one host */

static const struct smtp_client_policy clear = { .tls = TLS_NONE };
static const struct smtp_client_policy opportunistic = {
	.tls = TLS_OPPORTUNISTIC
};
static const struct smtp_client_policy judged = {
	.tls = TLS_OPPORTUNISTIC,
	.judge = true,
};
static const struct smtp_client_policy encrypted = {
	.tls = TLS_ENCRYPTED,
	.cause = "DANE",
};
static const struct smtp_client_policy dane = {
	.tls = TLS_DANE,
	.cause = "DANE",
	.label = "dane",
};
static const struct smtp_client_policy enforced = {
	.tls = TLS_REQUIRED,
	.cause = "the domain's MTA-STS policy",
	.label = "sts",
};
static const struct smtp_client_policy required = {
	.tls = TLS_REQUIRED,
	.cause = "require-tls in the rules",
	.label = "verified",
};

static bool
has_records(const struct host *h)
{
	return h->tlsa != NULL && h->tlsa->n > 0;
}

/* RFC 7672 3.2.2: the name of the records, and the one that mail is for. */
static void
hold_to_records(const struct tls_policy *p, struct host *h)
{
	const char *relay = p->session->path->relay_host;

	h->policy = dane;
	h->policy.tlsa = h->tlsa;
	h->policy.names[0] = h->base;
	h->policy.names[1] = relay != NULL ? relay : p->session->domain;
}

/* The strictest that anybody asks for. Records of which none is of use demand
 * TLS and prove nothing (RFC 7672 2.2): what proves more goes before. */
static void
decide_host(
    const struct tls_policy *p, struct host *h, const struct sts_policy *sts)
{
	enum sts_mode mode = sts != NULL ? sts->mode : STS_NONE;
	bool listed = mode == STS_NONE || sts_policy_allows(sts, h->name);

	h->type = h->tlsa != NULL    ? TLS_POLICY_TLSA
		  : mode != STS_NONE ? TLS_POLICY_STS
				     : TLS_POLICY_NONE;
	if (h->tlsa != NULL && h->tlsa->n == 0)
		count(p, TLS_POLICY_TLSA, TLS_REPORT_TLSA_INVALID);
	h->banned = mode == STS_ENFORCE && !listed && !has_records(h);
	if (!listed && !has_records(h))
		count(p, TLS_POLICY_STS, TLS_FAILED);
	if (!p->session->path->tls)
		h->policy = clear;
	else if (has_records(h))
		hold_to_records(p, h);
	else if (mode == STS_ENFORCE)
		h->policy = enforced;
	else if (p->session->require_tls)
		h->policy = required;
	else if (h->tlsa != NULL)
		h->policy = encrypted;
	else if (mode == STS_TESTING && listed)
		h->policy = judged;
	else
		h->policy = opportunistic;
}

/* ------ all of them */

static struct host *
host_of(struct tls_policy *p, const struct smtp_client_target *t)
{
	for (size_t i = 0; i < p->nhosts; i++)
		if (strcmp(p->hosts[i].name, t->host) == 0)
			return &p->hosts[i];
	return &p->hosts[p->nhosts];
}

static void
leave_out_banned(struct tls_policy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->ntargets; i++) {
		struct host *h = host_of(p, &p->targets[i]);

		p->targets[i].policy = &h->policy;
		if (!h->banned)
			p->targets[n++] = p->targets[i];
	}
	p->ntargets = n;
	if (n == 0)
		outcome_set(&p->why, SCOPE_LANE, STAGE_TLS, false,
		    "no mail host of domain is in its MTA-STS policy: '%s'",
		    p->session->domain);
}

static void
decide(struct tls_policy *p, const struct sts_policy *sts)
{
	for (size_t i = 0; i <= p->nhosts; i++)
		decide_host(p, &p->hosts[i], i < p->nhosts ? sts : NULL);
	if (p->session->require_tls && !p->session->path->tls) {
		p->ntargets = 0;
		outcome_set(&p->why, SCOPE_PATH, STAGE_TLS, false,
		    "the rules require TLS for domain, but path '%s' does "
		    "none: '%s'",
		    p->session->path->name, p->session->domain);
		return;
	}
	leave_out_banned(p);
}

struct tls_policy *
tls_policy_new(struct session *session, const struct mx_result *result)
{
	struct tls_policy *p = xcalloc(1, sizeof(*p));

	p->session = session;
	p->ntargets = result->ntargets;
	p->targets = xcalloc(result->ntargets, sizeof(*p->targets));
	if (result->ntargets > 0)
		memcpy(p->targets, result->targets,
		    result->ntargets * sizeof(*p->targets));
	p->nhosts = result->nhosts;
	p->hosts = xcalloc(result->nhosts + 1, sizeof(*p->hosts));
	for (size_t i = 0; i < result->nhosts; i++) {
		const struct mx_result_host *from = &result->hosts[i];
		struct host *h = &p->hosts[i];

		snprintf(h->name, sizeof(h->name), "%s", from->name);
		snprintf(h->base, sizeof(h->base), "%s", from->tlsa_base);
		h->tlsa = tlsa_set_ref(from->tlsa);
		if (from->tlsa_failed)
			count(p, TLS_POLICY_TLSA, TLS_REPORT_DNSSEC_INVALID);
	}
	return p;
}

void
tls_policy_free(struct tls_policy **policy)
{
	struct tls_policy *p = *policy;

	if (p == NULL)
		return;
	sts_query_free(&p->query);
	for (size_t i = 0; i < p->nhosts; i++)
		tlsa_set_unref(&p->hosts[i].tlsa);
	free(p->hosts);
	free(p->targets);
	free(p);
	*policy = NULL;
}

/* ------ MTA-STS */

static const unsigned reports[] = {
	[STS_FETCH_ERROR] = TLS_REPORT_STS_FETCH_ERROR,
	[STS_WEBPKI_INVALID] = TLS_REPORT_STS_WEBPKI_INVALID,
	[STS_POLICY_INVALID] = TLS_REPORT_STS_POLICY_INVALID,
};

static void
on_sts(void *arg, const struct sts_answer *answer)
{
	struct tls_policy *p = arg;

	p->query = NULL;
	if (answer->trouble != STS_NO_TROUBLE) {
		count(p, TLS_POLICY_STS, reports[answer->trouble]);
		log_text(LOG_WARN, "mta-sts",
		    "cannot get the policy of '%s'%s: %s", p->session->domain,
		    answer->policy != NULL ? ", an older one is in force" : "",
		    answer->why.text);
	}
	decide(p, answer->policy);
	p->ready(p->arg);
}

static bool
may_have_sts(const struct tls_policy *p)
{
	const struct config_path *path = p->session->path;

	if (!path->mta_sts || !path->tls || path->relay_host != NULL)
		return false;
	for (size_t i = 0; i < p->nhosts; i++)
		if (!has_records(&p->hosts[i]))
			return true;
	return false;
}

bool
tls_policy_ask(struct tls_policy *p, void (*ready)(void *arg), void *arg)
{
	const struct config_path *path = p->session->path;
	struct sts_terms terms = {
		.allow_private = path->allow_private,
		.ipv4 = path->ipv4,
		.ipv6 = path->ipv6,
		.port = path->sts_port,
		.ca_file = path->sts_ca_file,
	};

	if (!may_have_sts(p)) {
		decide(p, NULL);
		return false;
	}
	p->ready = ready;
	p->arg = arg;
	p->query = sts_query_new(
	    p->session->io->sts, p->session->domain, &terms, on_sts, p);
	return true;
}

/* ------ for the courier */

size_t
tls_policy_targets(struct tls_policy *p,
    const struct smtp_client_target **targets, const struct outcome **why)
{
	*targets = p->targets;
	*why = &p->why;
	return p->ntargets;
}

bool
tls_policy_give_up(struct tls_policy *p)
{
	bool any = false;

	for (size_t i = 0; i <= p->nhosts; i++)
		if (p->hosts[i].policy.tls == TLS_OPPORTUNISTIC) {
			p->hosts[i].policy = clear;
			any = true;
		}
	return any;
}

void
tls_policy_note(struct tls_policy *p, size_t target, enum tls_result result)
{
	count(p, host_of(p, &p->targets[target])->type, result);
}
