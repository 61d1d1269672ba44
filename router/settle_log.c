/*
 * settle_log.c - the line that a settlement leaves in the log.
 */
#include "router/settle_int.h"

#include "mta/base/log.h"

static void
log_event(const struct job *j, const char *event)
{
	const struct recipient *r = j->r;
	char id[RECIPIENT_ID_TEXT];
	struct logline l;

	if (!log_start(&l, LOG_INFO, event))
		return;
	log_str(&l, "id", recipient_id_text(r->message->id, r->index, id));
	log_str(&l, "from", r->message->from);
	log_str(&l, "to", r->address);
	log_str(&l, "rule", r->route.rule);
	log_str(&l, "ruleset", r->route.ruleset);
	log_str(&l, "path", r->route.path);
	if (r->route.instead != NULL)
		log_str(&l, "fallback", r->route.instead);
	if (r->route.carrier[0] != '\0')
		log_str(&l, "carrier", r->route.carrier);
	if (r->route.source[0] != '\0')
		log_str(&l, "source", r->route.source);
	if (j->peer[0] != '\0')
		log_str(&l, "relay", j->peer);
	if (j->tls[0] != '\0')
		log_str(&l, "tls", j->tls);
	log_ms(&l, "delay", j->s.at - r->message->received);
	log_ms(&l, "queued", j->queued);
	log_ms(&l, "connecting", j->connecting);
	log_ms(&l, "talking", j->talking);
	log_int(&l, "attempts", r->attempts);
	if (j->s.as == SETTLE_RETRY)
		log_ms(&l, "next", j->s.due - j->s.at);
	log_str(&l, "stage", stage_name(j->outcome.stage));
	if (j->status[0] != '\0')
		log_str(&l, "status", j->status);
	if (j->reason[0] != '\0')
		log_str(&l, "reason", j->reason);
	if (j->outcome.code != 0)
		log_int(&l, "code", j->outcome.code);
	if (j->remote_id[0] != '\0')
		log_str(&l, "remote_id", j->remote_id);
	log_str(&l, "reply", j->outcome.text);
	log_end(&l);
}

/* The final line of a recipient, or of one attempt; of both when it ended unread. */
void
job_log(const struct job *j)
{
	if (j->s.before == EVENT_UNREAD)
		log_event(j, "unread");
	if (j->event != NULL)
		log_event(j, j->event);
}
