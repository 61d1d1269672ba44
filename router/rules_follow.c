/*
 * rules_follow.c - rules that another node has put in force are put in force
 * here.
 *
 *	reading thread  what is the newest? its files are written (rules_take.c)
 *	core thread     reload, without a word in the history: it is there
 *	reading thread  when that is refused: the old files again
 *
 * A set that does not fit here is tried again when there is another one, after
 * a reload, and now and then.
 */
#include "router/rules_follow.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/core_int.h"
#include "router/core_nodes.h"
#include "router/rules_take.h"
#include "rules/rules.h"

#define LOOK_EVERY INT64_C(10000) /* ms */
#define LATER	   INT64_C(1000)

struct rules_follow {
	struct core *core;
	struct store_query query;
	struct rules_take take;
	struct config *config; /* that runs; a reference while it is asked */
	bool asked, again;
	bool starting;	       /* nothing is known of the newest yet */
	unsigned recording;
	char *owed;	       /* who wanted what runs, and it is not in the history; NULL */
	int64_t at;	       /* mono ms: the next look */
};

static void run_take(struct store_query *, struct store_reader *);
static void on_taken(struct store_query *);

static void
ask(struct rules_follow *f,
    void (*run)(struct store_query *, struct store_reader *),
    void (*done)(struct store_query *))
{
	f->core->edits++;
	f->query = (struct store_query){ .reply_to = f->core->inbox,
		.run = run,
		.done = done };
	store_query(f->core->store, &f->query);
}

static void
finish(struct rules_follow *f)
{
	rules_take_clear(&f->take);
	config_unref(&f->config);
	f->asked = false;
	core_wake(f->core);
	if (f->again)
		f->at = 0;
	f->again = false;
}

void
rules_follow_look(struct rules_follow *f)
{
	if (f == NULL || core_is_stopping(f->core))
		return;
	f->again = f->asked;
	if (f->asked || f->recording > 0 || f->owed != NULL)
		return;
	f->asked = true;
	f->at = clock_mono() + LOOK_EVERY;
	f->config = config_ref(f->core->config);
	rules_take_init(&f->take, f->config, store_epoch(f->core->store),
	    f->starting);
	ask(f, run_take, on_taken);
}

static void
run_take(struct store_query *query, struct store_reader *reader)
{
	rules_take_read(
	    &container_of(query, struct rules_follow, query)->take, reader);
}

/* -- the reload ------------------------------------------------------------ */

static void
run_undo(struct store_query *query, struct store_reader *reader)
{
	(void)reader;
	rules_take_undo(&container_of(query, struct rules_follow, query)->take);
}

static void
on_undone(struct store_query *query)
{
	struct rules_follow *f =
	    container_of(query, struct rules_follow, query);

	f->core->edits--;
	finish(f);
}

static void
undo(struct rules_follow *f)
{
	ask(f, run_undo, on_undone);
}

static void
reload(struct rules_follow *f)
{
	struct str report = STR_INIT, who = STR_INIT;

	str_addf(&who, "%s, on another node", f->take.who);
	if (core_reload_stored(f->core, who.data, &report) == 0) {
		nodes_trouble(f->core->nodes, NODE_TROUBLE_RULES, "");
		finish(f);
	} else {
		undo(f);
	}
	str_release(&report);
	str_release(&who);
}

/* What runs has been changed meanwhile, by somebody here. */
static bool
is_overtaken(const struct rules_follow *f)
{
	return f->core->config != f->config || f->recording > 0 ||
	       f->owed != NULL || core_is_stopping(f->core);
}

static void
act(struct rules_follow *f)
{
	struct nodes *nodes = f->core->nodes;

	switch (f->take.result) {
	case RULES_RECORD:
		core_record_rules(f->core, "start");
		nodes_trouble(nodes, NODE_TROUBLE_RULES, "");
		break;
	case RULES_SAME:
		nodes_trouble(nodes, NODE_TROUBLE_RULES, "");
		break;
	case RULES_KEPT:
		nodes_trouble(nodes, NODE_TROUBLE_RULES, f->take.why);
		break;
	case RULES_LATER:
		f->at = clock_mono() + LATER;
		break;
	case RULES_WRITTEN:
		reload(f);
		return;
	}
	finish(f);
}

static void
on_taken(struct store_query *query)
{
	struct rules_follow *f =
	    container_of(query, struct rules_follow, query);

	f->core->edits--;
	if (is_overtaken(f) && f->take.result == RULES_WRITTEN) {
		undo(f);
		return;
	}
	if (query->incomplete || is_overtaken(f)) {
		f->again = true;
		finish(f);
		f->at = clock_mono() + LATER;
		return;
	}
	f->starting = f->starting && f->take.result == RULES_KEPT;
	act(f);
}

/* -- the history ----------------------------------------------------------- */

void
rules_follow_recording(struct rules_follow *f)
{
	if (f == NULL)
		return;
	f->recording++;
	free(f->owed);
	f->owed = NULL;
}

void
rules_follow_recorded(struct rules_follow *f, const char *who, bool away)
{
	if (f == NULL)
		return;
	f->recording--;
	if (away && f->recording == 0 && store_is_shared(f->core->store))
		f->owed = xstrdup(who);
	f->at = away ? clock_mono() + LATER : 0;
}

/* -- time ------------------------------------------------------------------ */

void
rules_follow_tick(struct rules_follow *f)
{
	char *who;

	if (f == NULL || clock_mono() < f->at || core_is_stopping(f->core))
		return;
	if (f->owed != NULL && f->core->store_away == 0) {
		who = f->owed;
		f->owed = NULL;
		core_record_rules(f->core, who);
		free(who);
	}
	rules_follow_look(f);
}

void
rules_follow_start(struct rules_follow *f)
{
	if (f == NULL)
		return;
	if (store_is_shared(f->core->store))
		rules_follow_look(f);
	else
		core_record_rules(f->core, "start");
}

struct rules_follow *
rules_follow_new(struct core *c)
{
	struct rules_follow *f = xcalloc(1, sizeof(*f));

	f->core = c;
	f->starting = true;
	return f;
}

void
rules_follow_free(struct rules_follow **fp)
{
	struct rules_follow *f = *fp;

	if (f == NULL)
		return;
	if (f->asked)
		rules_take_clear(&f->take);
	config_unref(&f->config);
	free(f->owed);
	free(f);
	*fp = NULL;
}
