/*
 * fronts.c - opens the web listeners of the core thread.
 */
#include "router/http/fronts.h"

#include <stdlib.h>

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/core_run.h"
#include "router/http/console.h"
#include "router/http/metrics.h"
#include "router/http/web.h"

struct front {
	struct web *web;
	struct console *console;
};

struct fronts {
	struct config *config; /* as it was at the start: listeners stay */
	struct front *list;
	size_t n;
};

static void
log_front(const struct config_web *w)
{
	struct logline l;

	if (!log_start(&l, LOG_INFO, "web"))
		return;
	log_str(&l, "name", w->name);
	log_str(&l, "address", w->address_text);
	log_str(&l, "tls", w->tls_ctx != NULL ? "yes" : "no");
	log_str(&l, "console", w->console ? "yes" : "no");
	log_str(&l, "metrics", w->metrics ? "yes" : "no");
	log_end(&l);
}

static int
open_front(struct front *front, const struct config_web *w, struct core *core,
    struct admin *admin, struct metrics *metrics, struct err *e)
{
	front->web = web_new(core_base(core), w, e);
	if (front->web == NULL)
		return -1;
	if (w->metrics) {
		metrics_serve(front->web, metrics);
		health_serve(front->web, core);
	}
	if (w->console)
		front->console = console_new(front->web, w, core, admin);
	log_front(w);
	return 0;
}

struct fronts *
fronts_new(struct core *core, struct admin *admin, struct metrics *metrics,
    struct config *config, struct err *e)
{
	struct fronts *f = xcalloc(1, sizeof(*f));

	f->config = config_ref(config);
	f->list = xcalloc(config->nwebs + 1, sizeof(*f->list));
	for (size_t i = 0; i < config->nwebs; i++) {
		const struct config_web *w = &config->webs[i];

		if (!w->console && !w->metrics)
			continue;
		if (open_front(&f->list[f->n++], w, core, admin, metrics, e) !=
		    0) {
			fronts_free(&f);
			return NULL;
		}
	}
	return f;
}

void
fronts_free(struct fronts **p)
{
	struct fronts *f = *p;

	*p = NULL;
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n; i++) {
		web_free(&f->list[i].web);
		console_free(&f->list[i].console);
	}
	free(f->list);
	config_unref(&f->config);
	free(f);
}
