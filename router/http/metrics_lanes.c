/*
 * metrics_lanes.c - lanes: who waits, who sends, what the peer bears.
 *
 * A lane of a group that rules name has a row of its own, and so have the
 * first thousand of plain domains; all others of a path and source are one row.
 */
#include "router/http/metrics_int.h"

enum value { WAITING, SENDING, CONNECTIONS, CONNECTIONS_MAX, BLOCKED, VALUES };

/* clang-format off */
static const struct metric families[VALUES] = {
	[WAITING] = { "oiwake_lane_waiting_recipients", METRIC_GAUGE,
		"Recipients in memory that wait in the lane." },
	[SENDING] = { "oiwake_lane_sending_recipients", METRIC_GAUGE,
		"Recipients of the lane on their way." },
	[CONNECTIONS] = { "oiwake_lane_connections", METRIC_GAUGE,
		"Open connections." },
	[CONNECTIONS_MAX] = { "oiwake_lane_connections_max", METRIC_GAUGE,
		"Connections that the receiving system bears, at most the shape's." },
	[BLOCKED] = { "oiwake_lanes_blocked", METRIC_GAUGE,
		"Lanes that rest until a time that is known: 0 or 1, more in other." },
};
static const struct metric rate = { "oiwake_lane_rate_ratio", METRIC_GAUGE,
	"Share of the shape's rate that the receiving system bears; in other the lowest." };
/* clang-format on */

struct lane_sum {
	struct metrics_row row;
	int64_t n[VALUES];
	double rate;
	unsigned lanes; /* there are; 0: it is not shown */
};

static struct lane_sum *
sum_of(struct metrics *m, const struct lane_row *lane)
{
	struct str shared = STR_INIT;
	struct lane_sum *s;

	str_clear(&m->labels);
	metrics_label(&m->labels, "path", metrics_or_none(lane->path));
	metrics_label(&m->labels, "source", metrics_or_none(lane->source));
	str_add(&shared, m->labels.data, m->labels.len);
	metrics_label(&shared, "group", "other");
	metrics_label(&m->labels, "group", metrics_or_none(lane->group));
	s = metrics_rows_get(&m->lanes,
	    lane->carrier[0] != '\0' ? METRICS_LANES_MAX : METRICS_DOMAINS_MAX,
	    m->labels.data, shared.data);
	str_release(&shared);
	return s;
}

static void
add_lane(void *arg, const struct lane_row *lane)
{
	struct lane_sum *s = sum_of(arg, lane);

	s->n[WAITING] += lane->waiting;
	s->n[SENDING] += lane->sending;
	s->n[CONNECTIONS] += lane->connections;
	s->n[CONNECTIONS_MAX] += lane->max_connections;
	s->n[BLOCKED] += lane->blocked_until != 0;
	if (s->lanes++ == 0 || lane->rate < s->rate)
		s->rate = lane->rate;
}

static void
forget(struct metrics *m)
{
	struct metrics_row *row;

	TAILQ_FOREACH(row, &m->lanes.list, link)
	{
		struct lane_sum *s = container_of(row, struct lane_sum, row);

		*s = (struct lane_sum){ .row = s->row };
	}
}

static void
add_value(struct metrics *m, enum value v)
{
	struct metrics_row *row;

	metrics_family(m->out, &families[v]);
	TAILQ_FOREACH(row, &m->lanes.list, link)
	{
		const struct lane_sum *s =
		    container_of(row, struct lane_sum, row);

		if (s->lanes > 0)
			metrics_sample(
			    m->out, &families[v], row->labels, s->n[v]);
	}
}

static void
add_rate(struct metrics *m)
{
	struct metrics_row *row;

	metrics_family(m->out, &rate);
	TAILQ_FOREACH(row, &m->lanes.list, link)
	{
		const struct lane_sum *s =
		    container_of(row, struct lane_sum, row);

		if (s->lanes > 0)
			metrics_sample_real(
			    m->out, &rate, row->labels, s->rate);
	}
}

void
metrics_lanes_start(struct metrics *m)
{
	metrics_rows_init(&m->lanes, sizeof(struct lane_sum));
}

void
metrics_lanes_end(struct metrics *m)
{
	metrics_rows_clear(&m->lanes, NULL);
}

void
metrics_add_lanes(struct metrics *m)
{
	forget(m);
	core_each_lane(m->core, add_lane, m);
	for (size_t v = 0; v < VALUES; v++)
		add_value(m, (enum value)v);
	add_rate(m);
}
