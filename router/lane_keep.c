/*
 * lane_keep.c - what of a lane's pace outlives a restart.
 *
 * A rate per minute or longer is written to the store whenever a slot of its
 * pace begins (pace.h), so after a restart a day's limit is still a day's. One
 * per second is over sooner than it is written: after a restart it counts as
 * used up when the process began. Where other nodes share the lane, the store
 * has all of it already (share.h).
 */
#include "router/lane_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/map.h"
#include "router/keep.h"

#include <stdlib.h>
#include <string.h>

#define KIND "pace"
#define START                                                                  \
	"start"	   /* the kind of our own mark that the store has been used */
#define LONG 60000 /* ms */

/* -- before the restart
 * -------------------------------------------------------------------------- */

struct kept_pace {
	STAILQ_ENTRY(kept_pace) link;
	char *text;
	char key[];
};

static void
take_kept(void *arg, const struct kept *k)
{
	struct lanes *ls = arg;
	size_t len = strlen(k->key) + 1;
	struct kept_pace *p = xmalloc(sizeof(*p) + len);

	memcpy(p->key, k->key, len);
	p->text = xstrdup(k->value);
	STAILQ_INSERT_TAIL(&ls->kept_list, p, link);
	map_put(ls->kept, p->key, p);
}

static void
note_start(void *arg, const struct kept *k)
{
	struct lanes *ls = arg;

	(void)k;
	ls->began = clock_mono();
}

void
lanes_load(struct lanes *ls)
{
	store_each_kept(ls->core->store, START, note_start, ls);
	store_each_kept(ls->core->store, KIND, take_kept, ls);
	keep_put(ls->core, START, "store", "used", 0, NULL, NULL);
}

void
lanes_forget_kept(struct lanes *ls)
{
	struct kept_pace *p;

	while ((p = STAILQ_FIRST(&ls->kept_list)) != NULL) {
		STAILQ_REMOVE_HEAD(&ls->kept_list, link);
		free(p->text);
		free(p);
	}
	map_free(&ls->kept);
}

/* -- a lane
 * ----------------------------------------------------------------------------------------
 */

void
lane_restore(struct lane *l)
{
	int64_t now = clock_mono();
	const struct kept_pace *p = map_remove(l->lanes->kept, l->key);

	/* What was reserved for this node counts still: lane_share.c. */
	if (l->rate != NULL)
		return;
	if (l->pace.period < LONG && l->lanes->began > 0 &&
	    now < l->lanes->began + l->pace.period)
		pace_fill(&l->pace, l->lanes->began);
	else if (l->pace.period >= LONG && p != NULL)
		pace_read(&l->pace, p->text, now, clock_wall() - now);
}

void
lane_keep(struct lane *l, int64_t now)
{
	int64_t wall = clock_wall();
	struct str text = STR_INIT;

	if (l->rate != NULL || !pace_opened(&l->pace) || l->pace.period < LONG)
		return;
	pace_write(&l->pace, wall - now, &text);
	keep_put(l->lanes->core, KIND, l->key, text.data,
	    wall + 2 * l->pace.period, NULL, NULL);
	str_release(&text);
}
