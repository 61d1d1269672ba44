/*
 * bounce_keep.c - who sent a message is kept as long as its bounces may come.
 *
 * intake.c calls here before a message is enqueued; bounce_find.c looks it up.
 */
#include "router/bounce_in.h"

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/intake_int.h"
#include "router/io.h"

#include <stdlib.h>

#define DAY (INT64_C(24) * 3600 * 1000)

static bool
goes_by_mx(const struct config *c, const char *name)
{
	const struct config_path *path =
	    name != NULL ? config_path_find(c, name) : NULL;

	return path != NULL && path->kind == PATH_MTA &&
	       path->relay_host == NULL;
}

static bool
may_come_back(const struct intake *in)
{
	const struct config *c = in->io->config;
	const struct recipient *r;

	if (c->return_path.domain == NULL || in->message->from[0] == '\0')
		return false;
	TAILQ_FOREACH (r, &in->recipients, link)
		if (goes_by_mx(c, r->route.path) ||
		    goes_by_mx(c, r->route.fallback))
			return true;
	return false;
}

struct keep {
	struct store_keep op;
	struct kept row;
	char key[MESSAGE_ID_TEXT];
	struct message *message;
	struct intake *in;
};

static void
on_kept(struct store_request *req)
{
	struct store_keep *op = container_of(req, struct store_keep, req);
	struct keep *k = container_of(op, struct keep, op);
	struct intake *in = k->in;

	if (req->status != STORE_OK)
		log_text(LOG_WARN, "bounce_in",
		    "the sender of %s is not kept: %s", k->key, req->err.text);
	message_unref(&k->message);
	free(k);
	in->keeping--;
	intake_release(in);
}

/* A token is good to the end of its day: so much longer. */
int64_t
bounce_in_kept_until(const struct config *config, const struct message *m)
{
	return m->received + config->return_path.expires + DAY;
}

void
bounce_in_keep_sender(struct intake *in)
{
	struct message *m = in->message;
	struct keep *k;

	if (!may_come_back(in))
		return;
	m->returns = true;
	if (!in->io->config->return_path.forward)
		return;
	k = xcalloc(1, sizeof(*k));
	k->in = in;
	k->message = message_ref(m);
	k->row = (struct kept){
		.kind = BOUNCE_KEPT,
		.key = message_id_text(m->id, k->key),
		.value = m->from,
		.expires = bounce_in_kept_until(in->io->config, m),
	};
	k->op = (struct store_keep){
		.req = { .reply_to = in->io->inbox, .done = on_kept },
		.n = 1,
		.kept = &k->row,
	};
	in->keeping++;
	store_keep(in->io->store, &k->op);
}
