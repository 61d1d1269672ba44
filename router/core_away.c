/*
 * core_away.c - the database is away for a while, and comes back.
 *
 * What is in memory stays there: sessions finish, and what became of them waits in the store until it can be written.
 * Nothing new begins. People are told once, with the reason (core_totals, /readyz).
 */
#include "router/core_int.h"

#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/keep.h"

static void
tell(const char *state, enum log_level level, const char *why, int64_t since)
{
	struct logline l;

	if (!log_start(&l, level, "store"))
		return;
	log_str(&l, "state", state);
	if (since != 0)
		log_ms(&l, "for", clock_wall() - since);
	if (why[0] != '\0')
		log_str(&l, "why", why);
	log_end(&l);
}

void
core_store_went(struct core *c, const char *why)
{
	if (c->store_away != 0)
		return;
	c->store_away = clock_wall();
	err_set(&c->store_why, "%s", why);
	tell("away", LOG_ERROR, why, 0);
}

void
core_store_came(struct core *c)
{
	if (c->store_away == 0)
		return;
	tell("back", LOG_WARN, "", c->store_away);
	c->store_away = 0;
	queue_go_on(c->queue);
	keep_go_on(c);
	core_wake(c);
}

void
core_store_answered(struct core *c, const struct store_request *req)
{
	switch (req->status) {
	case STORE_OK:
		core_store_came(c);
		break;
	case STORE_AWAY:
		core_store_went(c, req->err.text);
		break;
	case STORE_FULL:
	case STORE_REJECTED:
	case STORE_FAILED:
	case STORE_FENCED: /* another process takes over: router/node.h */
		break;
	}
}
