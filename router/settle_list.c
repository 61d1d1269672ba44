/*
 * settle_list.c - what the end of a recipient does to the suppression list, and
 * how long it is remembered for what comes back later.
 */
#include "router/settle_int.h"

#include "router/config.h"
#include "router/suppress.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/*
 * Said for good, of the recipient that was named, or by DNS of his domain. What
 * is said of the message or of the session names nobody, and an end of patience
 * is no word of an address at all: only soft entries come of those.
 */
static bool
is_about_address(const struct outcome *o)
{
	return outcome_class(o) == 5 &&
	       (o->stage == STAGE_RCPT || o->stage == STAGE_DNS);
}

/* SES takes mail for others and knows nothing of them when it does. */
void
job_suppress(struct job *j, enum path_kind kind)
{
	const struct recipient *r = j->r;
	const struct suppress_ask ask = {
		.path = r->route.path,
		.carrier = r->route.carrier,
		.reason = j->reason,
		.outcome = &j->outcome,
		.soft = !is_about_address(&j->outcome),
		.at = j->s.at,
	};

	if (kind != PATH_MTA ||
	    !suppress_by_outcome(j->settler->core->config, &ask, &j->suppress))
		return;
	j->evidence = outcome_reply(&j->outcome);
	j->suppress.source = "smtp";
	j->suppress.evidence = j->evidence;
	j->s.suppress = &j->suppress;
}

/* It was tried by a path that tells later: whatever it seems to have come to
 * here. */
static bool
is_told_of(const struct job *j, const struct config_path *path)
{
	return path->kind == PATH_SES && j->r->attempts > 0;
}

/* It went out, or may have, under an address of ours that its bounce comes to.
 */
static bool
may_bounce(const struct job *j, const struct config_path *path)
{
	return path->kind == PATH_MTA && j->r->message->returns &&
	       (j->s.event == EVENT_DELIVERY || j->r->unread);
}

void
job_remember(struct job *j)
{
	const struct config *config = j->settler->core->config;
	const struct config_path *path =
	    config_path_find(config, j->r->route.path);
	int64_t keep = config->sent_keep;

	if (j->s.as != SETTLE_FINAL || path == NULL)
		return;
	/* A bounce address is good to the end of its last day. */
	if (may_bounce(j, path) && keep < config->return_path.expires + DAY_MS)
		keep = config->return_path.expires + DAY_MS;
	else if (!may_bounce(j, path) && !is_told_of(j, path))
		return;
	j->s.remember = j->s.at + keep;
}
