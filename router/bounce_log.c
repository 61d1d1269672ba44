/*
 * bounce_log.c - a line for each thing that a report said, or one that it said
 * nothing.
 */
#include "router/bounce_int.h"

#include "mta/base/log.h"
#include "router/intake_int.h"

static const char *const results[] = {
	[FEEDBACK_DONE] = "recorded",
	[FEEDBACK_KNOWN] = "known",
	[FEEDBACK_UNKNOWN] = "unknown",
};

static const char *const ways[] = {
	[BOUNCE_RETURN_PATH] = "bounce",
	[BOUNCE_FEEDBACK] = "feedback",
	[BOUNCE_POSTMASTER] = "postmaster",
};

static bool
start(struct logline *l, const struct report_in *r, enum report_kind kind)
{
	if (!log_start(l, LOG_INFO, "feedback"))
		return false;
	log_str(l, "via", "mail");
	log_str(l, "address", ways[r->in->bounce.kind]);
	log_str(l, "kind", report_kind_name(kind));
	if (r->report.form[0] != '\0')
		log_str(l, "form", r->report.form);
	return true;
}

static void
end(struct logline *l, const struct report_in *r, const char *result)
{
	log_str(l, "client", r->in->message->client);
	if (r->in->message->message_id[0] != '\0')
		log_str(l, "message_id", r->in->message->message_id);
	log_str(l, "result", result);
}

static void
log_part(const struct report_in *r, const struct judged *j)
{
	const struct feedback *f = &j->feedback;
	char id[RECIPIENT_ID_TEXT];
	struct logline l;

	if (!start(&l, r, j->part->kind))
		return;
	if (f->index != FEEDBACK_ANY)
		log_str(&l, "id", recipient_id_text(f->message, f->index, id));
	else
		log_str(&l, "id", message_id_text(f->message, id));
	log_str(&l, "to", f->address);
	log_str(&l, "reason", f->reason);
	log_str(&l, "proved", judge_proof_name(r->claim.proof));
	end(&l, r, results[f->result]);
	if (j->outcome.code != 0)
		log_int(&l, "code", j->outcome.code);
	if (j->outcome.text[0] != '\0')
		log_str(&l, "reply", j->outcome.text);
	log_end(&l);
}

void
bounce_log(const struct report_in *r, const char *why)
{
	struct logline l;

	for (size_t i = 0; i < r->judgement.n; i++)
		log_part(r, &r->judgement.told[i]);
	if (r->judgement.n > 0 && !r->op.buried)
		return;
	if (!start(&l, r, r->report.kind))
		return;
	end(&l, r, r->op.buried ? "dead_letter" : "nothing");
	if (why != NULL)
		log_str(&l, "why", why);
	log_end(&l);
}
