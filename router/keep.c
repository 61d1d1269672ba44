/*
 * keep.c - small things of the core's that must outlive a restart.
 */
#include "router/keep.h"

#include "mta/base/alloc.h"
#include "router/core_int.h"

#include <stdlib.h>

struct keeping {
	struct store_keep op;
	struct kept kept;
	struct core *core;
	char *kind, *key, *value;
	void (*done)(void *arg, const char *why);
	void *arg;
};

static void
on_kept(struct store_request *req)
{
	struct store_keep *op = container_of(req, struct store_keep, req);
	struct keeping *k = container_of(op, struct keeping, op);

	k->core->edits--;
	if (k->done != NULL)
		k->done(k->arg, req->status == STORE_OK ? NULL : req->err.text);
	core_wake(k->core);
	free(k->kind);
	free(k->key);
	free(k->value);
	free(k);
}

void
keep_put(struct core *c, const char *kind, const char *key, const char *value,
    int64_t expires, void (*done)(void *, const char *), void *arg)
{
	struct keeping *k = xcalloc(1, sizeof(*k));

	k->core = c;
	k->done = done;
	k->arg = arg;
	k->kind = xstrdup(kind);
	k->key = xstrdup(key);
	k->value = value != NULL ? xstrdup(value) : NULL;
	k->kept = (struct kept){ k->kind, k->key, k->value, expires };
	k->op.n = 1;
	k->op.kept = &k->kept;
	k->op.req.reply_to = c->inbox;
	k->op.req.done = on_kept;
	c->edits++;
	store_keep(c->store, &k->op);
}
