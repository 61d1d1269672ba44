/*
 * intake_form.c - whether the carriers would take the message in its form.
 *
 * The bytes were read on their way into the store (mta/smtp/lint.h); what is
 * wrong depends on the recipient's shape. Here it is only found and noted:
 * intake_rules.c refuses the message when nobody is left, and core_take.c
 * bounces or holds the single recipient.
 *
 * Limits are those of what leaves: the message as it is stored, with our
 * Received field, and room for our signatures where the path signs.
 */
#include "router/intake_int.h"

#include "mta/base/alloc.h"
#include "mta/smtp/server.h"
#include "router/config.h"
#include "rules/rules.h"

#include <errno.h>
#include <stdlib.h>

#define SIGNATURE_ROOM 1024 /* bytes; an RSA-2048 one takes some 800 */

static uint64_t
signatures(const struct config *c, const struct config_path *path,
    const struct message *m)
{
	const struct dkim_signer *signer[CONFIG_SIGNERS_MAX];

	if (!path->sign || m->header_from[0] == '\0')
		return 0;
	return config_dkim_find(c, m->header_from, signer) * SIGNATURE_ROOM;
}

static void
note(struct recipient *r, const struct err *e)
{
	const struct route *to = &r->route;
	struct str text = STR_INIT;

	str_addf(&text, "%s would refuse it: %s",
	    to->carrier[0] != '\0' ? to->carrier : to->group, e->text);
	recipient_set_last(r, text.data);
	str_release(&text);
	r->unfit = e->code == EMSGSIZE ? UNFIT_SIZE : UNFIT_FORM;
}

/* What comes in as a bounce is not judged: its sender is to have it. */
void
intake_judge_form(const struct intake *in, const struct config *c,
    struct recipient *r, const struct rules_shape *shape)
{
	const struct config_path *path = config_path_find(c, r->route.path);
	struct err e = ERR_INIT;
	struct lint_limits limits = {
		.size = shape->max_size,
		.header = shape->max_header,
		.line = shape->max_line,
	};

	if (path == NULL || path->kind != PATH_MTA ||
	    shape->unfit == RULES_UNFIT_SEND ||
	    in->settings->kind == LISTENER_INBOUND)
		return;
	limits.added = signatures(c, path, in->message);
	if (lint_judge(&in->lint, &limits, &e) != 0)
		note(r, &e);
}
