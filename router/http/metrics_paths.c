/*
 * metrics_paths.c - whether paths, sources and what carriers look at are in
 * order, and what operators have stopped.
 */
#include "router/http/metrics_int.h"

#include <string.h>

#include "mta/preflight/preflight.h"
#include "router/config.h"
#include "router/gate.h"
#include "router/pause.h"
#include "router/sources.h"

/* clang-format off */
static const struct metric closed = { "oiwake_path_closed", METRIC_GAUGE,
	"1: a fault of the path itself or of its account has closed it." };
static const struct metric pauses = { "oiwake_pauses", METRIC_GAUGE,
	"Pauses and drains in force." };
static const struct metric ready = { "oiwake_source_ready", METRIC_GAUGE,
	"0: a check of the source has failed, so that it sends nothing to some carrier." };
static const struct metric paused = { "oiwake_source_paused", METRIC_GAUGE,
	"1: an operator has paused or drained the source." };
static const struct metric warm_allowed = { "oiwake_source_warm_up_recipients_max", METRIC_GAUGE,
	"Recipients that a source which warms up may send to the group today." };
static const struct metric warm_sent = { "oiwake_source_warm_up_recipients", METRIC_GAUGE,
	"Recipients that it has sent today." };
static const struct metric findings = { "oiwake_preflight_findings", METRIC_GAUGE,
	"What the last checks of sources and sending domains found." };
static const struct metric closing = { "oiwake_preflight_closing_findings", METRIC_GAUGE,
	"Those of them that hold mail back." };
/* clang-format on */

/* -- paths ----------------------------------------------------------------- */

static void
add_paths(struct metrics *m)
{
	metrics_family(m->out, &closed);
	for (size_t i = 0; i < m->config->npaths; i++) {
		const char *name = m->config->paths[i].name;

		metrics_sample(m->out, &closed, metrics_only(m, "path", name),
		    core_path_closed(m->core, name) != NULL);
	}
}

/* -- pauses ---------------------------------------------------------------- */

static void
count_pause(void *arg, const struct pause *p)
{
	int64_t *n = arg;

	n[p->kind]++;
}

static void
add_pauses(struct metrics *m)
{
	int64_t n[PAUSE_KINDS] = { 0 };

	pauses_each(core_pauses(m->core), count_pause, n);
	metrics_family(m->out, &pauses);
	for (int kind = 0; kind < PAUSE_KINDS; kind++)
		metrics_sample(m->out, &pauses,
		    metrics_only(
			m, "kind", pause_kind_name((enum pause_kind)kind)),
		    n[kind]);
}

/* -- preflight ------------------------------------------------------------- */

struct found {
	int64_t levels[FINDING_BAD + 1], closing;
	const char *source; /* looked for */
	bool shut;	    /* something closes it */
};

/* "tokyo1 (203.0.113.5)" is about the source tokyo1. */
static bool
is_about(const char *subject, const char *source)
{
	size_t len = strlen(source);

	return strncmp(subject, source, len) == 0 &&
	       (subject[len] == '\0' || subject[len] == ' ');
}

static void
look_at_finding(void *arg, const struct finding *f, bool closes, int64_t at)
{
	struct found *found = arg;

	(void)at;
	found->levels[f->level]++;
	found->closing += closes;
	if (closes && found->source != NULL &&
	    is_about(f->subject, found->source))
		found->shut = true;
}

static void
add_findings(struct metrics *m)
{
	static const char *const names[] = { [FINDING_GOOD] = "good",
		[FINDING_NOTE] = "note",
		[FINDING_UNKNOWN] = "unknown",
		[FINDING_BAD] = "bad" };
	struct found found = { .source = NULL };

	gate_each(core_gate(m->core), look_at_finding, &found);
	metrics_family(m->out, &findings);
	for (int i = 0; i <= FINDING_BAD; i++)
		metrics_sample(m->out, &findings,
		    metrics_only(m, "level", names[i]), found.levels[i]);
	metrics_family(m->out, &closing);
	metrics_sample(m->out, &closing, "", found.closing);
}

/* -- sources --------------------------------------------------------------- */

static bool
is_ready(struct metrics *m, const char *source)
{
	struct found found = { .source = source };

	gate_each(core_gate(m->core), look_at_finding, &found);
	return !found.shut;
}

static bool
is_paused(struct metrics *m, const char *source)
{
	const struct pauses *ps = core_pauses(m->core);
	const char *why;
	int64_t until;

	return pauses_drained(ps, source) ||
	       pauses_rest(ps, "", source, "", &until, &why);
}

static void
add_sources(struct metrics *m, const struct metric *family,
    bool (*is)(struct metrics *, const char *source))
{
	metrics_family(m->out, family);
	for (size_t i = 0; i < m->config->nsources; i++) {
		const char *name = m->config->sources[i].name;
		bool yes = is(m, name);

		metrics_sample(
		    m->out, family, metrics_only(m, "source", name), yes);
	}
}

/* -- warm-up --------------------------------------------------------------- */

struct warm {
	struct metrics_row row;
	int64_t allowed, sent;
	bool there;
};

static void
forget_warm(struct metrics *m)
{
	struct metrics_row *row;

	TAILQ_FOREACH(row, &m->warm.list, link)
	{
		struct warm *w = container_of(row, struct warm, row);

		*w = (struct warm){ .row = w->row };
	}
}

static void
take_warm(void *arg, const struct warm_row *from)
{
	struct metrics *m = arg;
	struct str shared = STR_INIT;
	struct warm *w;

	if (from->warm || from->allowed == 0)
		return;
	metrics_only(m, "source", from->source);
	str_add(&shared, m->labels.data, m->labels.len);
	metrics_label(&shared, "group", "other");
	metrics_label(&m->labels, "group", metrics_or_none(from->group));
	w = metrics_rows_get(
	    &m->warm, METRICS_WARM_MAX, m->labels.data, shared.data);
	w->allowed += from->allowed;
	w->sent += from->sent;
	w->there = true;
	str_release(&shared);
}

static void
add_warm(struct metrics *m)
{
	struct metrics_row *row;

	forget_warm(m);
	sources_each_warm(core_sources(m->core), take_warm, m);
	metrics_family(m->out, &warm_allowed);
	TAILQ_FOREACH(row, &m->warm.list, link)
	if (container_of(row, struct warm, row)->there)
		metrics_sample(m->out, &warm_allowed, row->labels,
		    container_of(row, struct warm, row)->allowed);
	metrics_family(m->out, &warm_sent);
	TAILQ_FOREACH(row, &m->warm.list, link)
	if (container_of(row, struct warm, row)->there)
		metrics_sample(m->out, &warm_sent, row->labels,
		    container_of(row, struct warm, row)->sent);
}

void
metrics_paths_start(struct metrics *m)
{
	metrics_rows_init(&m->warm, sizeof(struct warm));
}

void
metrics_paths_end(struct metrics *m)
{
	metrics_rows_clear(&m->warm, NULL);
}

void
metrics_add_paths(struct metrics *m)
{
	add_paths(m);
	add_pauses(m);
	add_sources(m, &ready, is_ready);
	add_sources(m, &paused, is_paused);
	add_warm(m);
	add_findings(m);
}
