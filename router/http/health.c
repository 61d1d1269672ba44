/*
 * health.c - GET /healthz and /readyz: for whoever restarts daemons and
 * balances load.
 *
 * Who is answered at all is alive: the answer comes from the core thread.
 */
#include "router/http/health.h"

#include "router/http/metrics_int.h"
#include "router/http/web.h"
#include "router/node.h"

const char *
health_trouble(struct core *core)
{
	struct core_totals t;

	core_totals(core, &t);
	if (t.stopping)
		return "the daemon is stopping";
	if (core_is_draining(core))
		return "this node is drained";
	if (t.store_failed)
		return "the store has failed: see the log";
	if (t.store_away != 0)
		return "the database is away: see the log";
	if (store_is_low(core_store(core)))
		return "there is no space left for new mail";
	return NULL;
}

static void
on_alive(struct evhttp_request *http, void *arg)
{
	(void)arg;
	web_reply(http, 200, "alive");
}

static void
on_ready(struct evhttp_request *http, void *arg)
{
	const char *trouble = health_trouble(arg);

	web_reply(http, trouble == NULL ? 200 : 503,
	    trouble == NULL ? "accepting" : trouble);
}

void
health_serve(struct web *web, struct core *core)
{
	web_handle(web, "/healthz", EVHTTP_REQ_GET, on_alive, core);
	web_handle(web, "/readyz", EVHTTP_REQ_GET, on_ready, core);
}
