/*
 * metrics.c - GET /metrics: one text of all there is to know, made anew each
 * time.
 */
#include "router/http/metrics_int.h"

#include <event2/buffer.h>
#include <stdlib.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"
#include "router/http/web.h"

const char *
metrics_only(struct metrics *m, const char *name, const char *value)
{
	str_clear(&m->labels);
	metrics_label(&m->labels, name, value);
	return m->labels.data;
}

const char *
metrics_or_none(const char *text)
{
	return text != NULL && *text != '\0' ? text : "none";
}

/* -- folded ---------------------------------------------------------------- */

static void
add_folded(struct metrics *m)
{
	static const struct metric family = {
		"oiwake_metrics_folded_total", METRIC_COUNTER,
		"What went to the label value other, for there were too many."
	};
	const struct {
		const char *name;
		const struct metrics_rows *rows;
	} all[] = { { "mail", &m->mail.series },
		{ "reasons", &m->mail.reasons }, { "lanes", &m->lanes },
		{ "warm_up", &m->warm }, { "guard", &m->guard } };

	metrics_family(m->out, &family);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		metrics_sample(m->out, &family,
		    metrics_only(m, "group", all[i].name),
		    (int64_t)all[i].rows->folded);
}

/* -- the answer ------------------------------------------------------------ */

static void
write_all(struct metrics *m, struct str *out)
{
	m->out = out;
	m->config = core_config(m->core);
	metrics_add_mail(m);
	metrics_add_queue(m);
	metrics_add_lanes(m);
	metrics_add_paths(m);
	metrics_add_ses(m);
	metrics_add_guard(m);
	metrics_add_doors(m);
	metrics_add_process(m);
	add_folded(m);
	config_unref(&m->config);
	m->out = NULL;
}

static void
free_text(const void *text, size_t len, void *arg)
{
	(void)len;
	(void)arg;
	free((void *)(uintptr_t)text);
}

static void
on_metrics(struct evhttp_request *http, void *arg)
{
	struct str out = STR_INIT;
	size_t len;
	char *text;

	write_all(arg, &out);
	len = out.len;
	text = str_detach(&out);
	if (evbuffer_add_reference(evhttp_request_get_output_buffer(http), text,
		len, free_text, NULL) != 0)
		abort(); /* out of memory */
	evhttp_add_header(evhttp_request_get_output_headers(http),
	    "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	evhttp_send_reply(http, 200, "OK", NULL);
}

void
metrics_serve(struct web *web, struct metrics *m)
{
	web_handle(web, "/metrics", EVHTTP_REQ_GET, on_metrics, m);
}

/* -- its life -------------------------------------------------------------- */

struct metrics *
metrics_new(struct core *core, struct listener *const *listeners, size_t n)
{
	struct metrics *m = xcalloc(1, sizeof(*m));

	m->core = core;
	m->listeners = listeners;
	m->nlisteners = n;
	m->began = clock_wall();
	str_init(&m->labels);
	metrics_mail_start(m);
	metrics_lanes_start(m);
	metrics_paths_start(m);
	metrics_guard_start(m);
	metrics_queue_start(m);
	return m;
}

void
metrics_free(struct metrics **mp)
{
	struct metrics *m = *mp;

	*mp = NULL;
	if (m == NULL)
		return;
	metrics_queue_end(m);
	metrics_guard_end(m);
	metrics_paths_end(m);
	metrics_lanes_end(m);
	metrics_mail_end(m);
	str_release(&m->labels);
	free(m);
}
