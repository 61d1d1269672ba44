/*
 * metrics_guard.c - what the guard watches more closely or has stopped, and
 * what is left of what Amazon bears.
 *
 * Scopes whose level is ok are counted, and not shown.
 */
#include "router/http/metrics_int.h"

#include "router/guard.h"

/* clang-format off */
static const struct metric level = { "oiwake_guard_level", METRIC_GAUGE,
	"Of mail that the guard watches: 1 warn, 2 slow, 3 pause, 4 probe; no sample: all is well." };
static const struct metric rate = { "oiwake_guard_rate_ratio", METRIC_GAUGE,
	"The rate by which it is judged." };
static const struct metric volume = { "oiwake_guard_volume_recipients", METRIC_GAUGE,
	"Recipients that the rate is of." };
static const struct metric scopes = { "oiwake_guard_scopes", METRIC_GAUGE,
	"Scopes of mail that are at that level." };
static const struct metric budget = { "oiwake_guard_budget_ratio", METRIC_GAUGE,
	"The rate of the last 24 hours as Amazon computes it." };
static const struct metric left = { "oiwake_guard_budget_left_recipients", METRIC_GAUGE,
	"More bad ones that Amazon bears at that volume until it looks, and until it stops the account." };
/* clang-format on */

#define LEVELS (GUARD_PROBE + 1)

struct watched {
	struct metrics_row row;
	enum guard_level level; /* the highest; OK: it is not shown */
	double rate, volume;
};

struct seen {
	struct metrics *metrics;
	int64_t levels[LEVELS];
};

static struct watched *
watched_of(struct metrics *m, const struct guard_row *from)
{
	struct str shared = STR_INIT;
	struct watched *w;

	metrics_only(m, "kind", rate_name(from->kind));
	metrics_label(&m->labels, "path", from->scope.path);
	metrics_label(&m->labels, "carrier", from->scope.carrier);
	str_add(&shared, m->labels.data, m->labels.len);
	metrics_label(&m->labels, "sender", from->scope.sender);
	metrics_label(&m->labels, "user", from->scope.user);
	metrics_label(&shared, "sender", "other");
	metrics_label(&shared, "user", "other");
	w = metrics_rows_get(
	    &m->guard, METRICS_GUARD_MAX, m->labels.data, shared.data);
	str_release(&shared);
	return w;
}

static void
see(void *arg, const struct guard_row *from)
{
	struct seen *seen = arg;
	struct watched *w = watched_of(seen->metrics, from);

	seen->levels[from->level]++;
	if (from->level < w->level)
		return;
	w->level = from->level;
	w->rate = from->rate.rate;
	w->volume = (double)from->rate.volume;
}

static void
forget(struct metrics *m)
{
	struct metrics_row *row;

	TAILQ_FOREACH(row, &m->guard.list, link)
	{
		struct watched *w = container_of(row, struct watched, row);

		*w = (struct watched){ .row = w->row };
	}
}

static double
level_of(const struct watched *w)
{
	return w->level;
}

static double
rate_of_watched(const struct watched *w)
{
	return w->rate;
}

static double
volume_of(const struct watched *w)
{
	return w->volume;
}

static void
add_watched(struct metrics *m, const struct metric *family,
    double (*of)(const struct watched *))
{
	struct metrics_row *row;

	metrics_family(m->out, family);
	TAILQ_FOREACH(row, &m->guard.list, link)
	{
		const struct watched *w =
		    container_of(row, struct watched, row);

		if (w->level != GUARD_OK)
			metrics_sample_real(m->out, family, row->labels, of(w));
	}
}

static void
add_levels(struct metrics *m, const struct seen *seen)
{
	metrics_family(m->out, &scopes);
	for (int i = GUARD_WARN; i < LEVELS; i++)
		metrics_sample(m->out, &scopes,
		    metrics_only(
			m, "level", guard_level_name((enum guard_level)i)),
		    seen->levels[i]);
}

/* -- the budget ------------------------------------------------------------ */

static void
add_budget(void *arg, const struct guard_budget *b)
{
	struct metrics *m = arg;

	metrics_only(m, "path", b->path);
	metrics_label(&m->labels, "kind", rate_name(b->kind));
	metrics_sample_real(m->out, &budget, m->labels.data, b->rate.rate);
}

static void
add_one_left(struct metrics *m, const struct guard_budget *b, const char *until,
    int64_t n)
{
	metrics_only(m, "path", b->path);
	metrics_label(&m->labels, "kind", rate_name(b->kind));
	metrics_label(&m->labels, "until", until);
	metrics_sample(m->out, &left, m->labels.data, n);
}

static void
add_left(void *arg, const struct guard_budget *b)
{
	add_one_left(arg, b, "review", b->left_review);
	add_one_left(arg, b, "stop", b->left_stop);
}

void
metrics_guard_start(struct metrics *m)
{
	metrics_rows_init(&m->guard, sizeof(struct watched));
}

void
metrics_guard_end(struct metrics *m)
{
	metrics_rows_clear(&m->guard, NULL);
}

void
metrics_add_guard(struct metrics *m)
{
	struct guard *guard = core_guard(m->core);
	struct seen seen = { .metrics = m };

	forget(m);
	guard_each(guard, false, see, &seen);
	add_levels(m, &seen);
	add_watched(m, &level, level_of);
	add_watched(m, &rate, rate_of_watched);
	add_watched(m, &volume, volume_of);
	metrics_family(m->out, &budget);
	guard_each_budget(guard, add_budget, m);
	metrics_family(m->out, &left);
	guard_each_budget(guard, add_left, m);
}
