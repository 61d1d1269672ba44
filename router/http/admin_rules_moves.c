/*
 * admin_rules_moves.c - who of the latest mail would go another way under other
 * rules.
 *
 * Bounded in recipients and in time: a pattern has its limits, but a set may
 * have many of them. What was not asked about is not told of.
 */
#include <string.h>

#include "mta/base/clock.h"
#include "mta/base/map.h"
#include "router/http/admin_rules_edit_int.h"
#include "router/rules_moves.h"

#define PATIENCE_MS 3000
#define ROWS_TOLD   100
#define PAGE	    1000 /* messages read at once */
#define GLANCE	    64	 /* recipients between two looks at the clock */

struct walk {
	struct moves *moves;
	size_t left;   /* recipients that may still be asked about */
	int64_t until; /* by the clock that never jumps */
	int64_t after, since;
	bool late;
};

static void
ask(void *arg, const struct traffic_row *row)
{
	struct walk *w = arg;

	w->after = row->seq;
	if (w->left == 0 || w->late)
		return;
	if (w->left % GLANCE == 0)
		w->late = clock_mono() > w->until;
	if (w->since == 0)
		w->since = row->at;
	w->left--;
	moves_add_mail(w->moves, row);
}

/* The latest, from the older to the newer. */
static void
walk(struct walk *w, struct store_reader *reader)
{
	int64_t end = store_read_traffic_end(reader);

	w->after = end > (int64_t)w->left ? end - (int64_t)w->left : 0;
	while (w->left > 0 && !w->late &&
	       store_read_traffic(reader, 0, w->after, PAGE, ask, w) == PAGE)
		;
}

/* -- what is told
 * ---------------------------------------------------------------- */

static json_t *
move_json(const struct move *move)
{
	json_t *o = json_object();

	json_object_set_new(o, "from", moves_decision_json(&move->from));
	json_object_set_new(o, "to", moves_decision_json(&move->to));
	json_object_set_new(o, "carrier",
	    move->carrier != NULL ? json_string(move->carrier) : json_null());
	json_object_set_new(o, "domain",
	    *move->domain ? json_string(move->domain) : json_null());
	json_object_set_new(o, "n", json_integer((json_int_t)move->count));
	json_object_set_new(o, "examples", moves_samples_json(move));
	return o;
}

/* The sum of all rows that go from one path to another: there are few of them,
 * however many rows there are. */
static void
add_to_pair(json_t *pairs, const struct move *move)
{
	json_t *pair;
	size_t i;

	json_array_foreach(pairs, i, pair)
	{
		json_t *n = json_object_get(pair, "n");

		if (strcmp(json_string_value(json_object_get(pair, "from")),
			move->from.path) != 0 ||
		    strcmp(json_string_value(json_object_get(pair, "to")),
			move->to.path) != 0)
			continue;
		json_integer_set(
		    n, json_integer_value(n) + (json_int_t)move->count);
		return;
	}
	json_array_append_new(
	    pairs, json_pack("{s:s, s:s, s:I}", "from", move->from.path, "to",
		       move->to.path, "n", (json_int_t)move->count));
}

static void
put_rows(json_t *object, struct moves *moves)
{
	json_t *told = json_array(), *pairs = json_array();
	uint64_t beyond = moves_total(moves)->beyond;
	struct move *const *rows;
	size_t n = moves_rows(moves, &rows);

	for (size_t i = 0; i < n; i++) {
		add_to_pair(pairs, rows[i]);
		if (i < ROWS_TOLD)
			json_array_append_new(told, move_json(rows[i]));
		else
			beyond += rows[i]->count;
	}
	json_object_set_new(object, "moves", told);
	json_object_set_new(object, "paths", pairs);
	json_object_set_new(
	    object, "in_no_row", json_integer((json_int_t)beyond));
}

static void
put_total(json_t *object, const struct moves_total *total)
{
	json_object_set_new(
	    object, "recipients", json_integer((json_int_t)total->recipients));
	json_object_set_new(
	    object, "changed", json_integer((json_int_t)total->moved));
	json_object_set_new(
	    object, "other_path", json_integer((json_int_t)total->other_path));
	json_object_set_new(
	    object, "limited", json_integer((json_int_t)total->limited));
	json_object_set_new(object, "limited_rule",
	    total->limited_rule != NULL ? json_string(total->limited_rule->name)
					: json_null());
}

void
admin_put_moves(json_t *object, struct store_reader *reader,
    const struct config *config, const struct ruleset *from,
    const struct ruleset *to, size_t limit)
{
	struct walk w = {
		.moves = moves_new(config, from, to),
		.left = limit,
		.until = clock_mono() + PATIENCE_MS,
	};

	walk(&w, reader);
	put_total(object, moves_total(w.moves));
	put_rows(object, w.moves);
	admin_put_time(object, "since", w.since);
	json_object_set_new(object, "complete", json_boolean(!w.late));
	moves_free(&w.moves);
}
