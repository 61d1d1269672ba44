/*
 * meaning.c - what one part of a report means.
 *
 * judge.c and cli/classify.c ask here, so that what an operator is shown is
 * what the daemon does.
 */
#include "router/feedback/meaning.h"

#include "router/feedback/report.h"

#include <string.h>
#include <strings.h>

bool
meaning_is_complaint(const char *type)
{
	return strcasecmp(type, "not-spam") != 0 &&
	       strcasecmp(type, "auth-failure") != 0;
}

bool
meaning_is_no_end(const char *reason)
{
	return strcmp(reason, "vacation") == 0 ||
	       strcmp(reason, "delivered") == 0 ||
	       strcmp(reason, "feedback") == 0;
}

static void
ask(const struct reasons *reasons, const struct report *r,
    const struct report_part *p, const char *domain, const char *group,
    struct meaning *m)
{
	const struct reasons_query q = {
		.group = group,
		.host = p->host,
		.domain = domain,
		.stage = p->outcome.stage,
		.code = p->outcome.code,
		.enhanced = p->outcome.enhanced,
		.text = p->outcome.text,
		.reporter = r->form,
	};

	reasons_find(reasons, &q, &m->answer);
	m->reason = m->answer.reason;
	m->hard = m->answer.hard;
	/* A report that says something, and nothing that any line knows. */
	if (m->answer.line == 0 && r->form[0] != '\0' &&
	    p->outcome.text[0] != '\0')
		m->reason = "onhold";
	/* au: the subscriber's filter refused it (facts/carriers.md). */
	if (p->spasign) {
		m->reason = "filtered";
		m->hard = false;
	}
}

/* It waits, and says no more. */
static bool
only_waits(const char *reason)
{
	return strcmp(reason, "undefined") == 0 ||
	       strcmp(reason, "onhold") == 0;
}

void
meaning_find(const struct reasons *reasons, const struct report *r,
    const struct report_part *p, const char *domain, const char *group,
    struct meaning *m)
{
	*m = (struct meaning){ .hard = false };
	switch (p->kind) {
	case REPORT_BOUNCE:
		ask(reasons, r, p, domain, group, m);
		break;
	case REPORT_DELAYED:
		ask(reasons, r, p, domain, group, m);
		m->hard = false;
		if (only_waits(m->reason))
			m->reason = "expired";
		break;
	case REPORT_COMPLAINT:
		m->reason = "feedback";
		break;
	case REPORT_DELIVERED:
		m->reason = "delivered";
		break;
	case REPORT_REPLY:
	case REPORT_NONE:
		m->reason = "vacation";
		break;
	}
}
