/*
 * hooks_shown.c - hooks for people: how they are, how far behind the log, and
 * going back to tell again.
 */
#include "router/events/hooks_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* -- the end of the log ---------------------------------------------------- */

static void
run_look(struct store_query *query, struct store_reader *reader)
{
	struct hooks *hooks = container_of(query, struct hooks, look);

	hooks->looked = store_read_last_event(reader);
}

static void
on_looked(struct store_query *query)
{
	struct hooks *hooks = container_of(query, struct hooks, look);

	hooks->looking = false;
	pthread_mutex_lock(&hooks->lock);
	if (hooks->looked > hooks->last)
		hooks->last = hooks->looked;
	pthread_mutex_unlock(&hooks->lock);
	hooks_look_for_end(hooks);
}

/* Hooks that have no room do not read on, and do not see it. */
void
hooks_look(struct hooks *hooks)
{
	if (!hooks->news || hooks->looking || LIST_EMPTY(&hooks->list))
		return;
	hooks->news = false;
	hooks->looking = true;
	hooks->look = (struct store_query){
		.reply_to = hooks->inbox, .run = run_look, .done = on_looked
	};
	store_query(hooks->store, &hooks->look);
}

/* -- rows ------------------------------------------------------------------ */

/* At least so many rows of the log it has not read. */
static int64_t
unread(const struct hooks *hooks, const struct hook *h)
{
	if (hooks->last <= h->shown.read_to || !hooks->leads)
		return 0;
	return hooks->shared ? 1 : hooks->last - h->shown.read_to;
}

static void
show(const struct hooks *hooks, const struct hook *h,
    void (*each)(void *arg, const struct hook_row *), void *arg)
{
	static const char *const kinds[] = { [HOOK_WEBHOOK] = "webhook",
		[HOOK_SNS] = "sns",
		[HOOK_FILE] = "file" };
	const struct config_hook *c = hooks_find_config(hooks->config, h->name);

	if (c == NULL)
		return;
	each(arg, &(struct hook_row){ .name = h->name,
		      .kind = kinds[c->kind],
		      .where = c->kind == HOOK_FILE ? c->file : c->url,
		      .cursor = h->shown.cursor,
		      .behind = h->shown.waiting + unread(hooks, h),
		      .told = h->shown.told,
		      .failed = h->shown.failed,
		      .failing_since = h->shown.failing_since,
		      .why = hooks->leads ? h->shown.why
					  : "another node tells" });
}

void
hooks_each(struct hooks *hooks,
    void (*each)(void *arg, const struct hook_row *), void *arg)
{
	const struct hook *h;

	pthread_mutex_lock(&hooks->lock);
	for (size_t i = 0; i < hooks->config->nhooks; i++)
		LIST_FOREACH(h, &hooks->list, link)
	if (!h->gone && strcmp(h->name, hooks->config->hooks[i].name) == 0)
		show(hooks, h, each, arg);
	pthread_mutex_unlock(&hooks->lock);
}

uint64_t
hooks_commits(struct hooks *hooks)
{
	return atomic_load(&hooks->commits);
}

/* -- once more ------------------------------------------------------------- */

struct replay {
	struct task task;
	struct hooks *hooks;
	char *name;
	int64_t since;
};

static void
on_replay(struct task *task)
{
	struct replay *r = container_of(task, struct replay, task);
	struct hook *h = hooks_find(r->hooks, r->name);

	if (h != NULL && !r->hooks->stopping && r->hooks->leads)
		hook_find(h, FIND_SINCE, r->since);
	free(r->name);
	free(r);
}

int
hooks_replay(
    struct hooks *hooks, const char *name, int64_t since, struct err *e)
{
	struct replay *r;
	bool is_there;

	pthread_mutex_lock(&hooks->lock);
	is_there = hooks_find_config(hooks->config, name) != NULL;
	pthread_mutex_unlock(&hooks->lock);
	if (!is_there)
		return err_set(e, "there is no hook '%s'", name);
	if (!hooks->leads)
		return err_set(e, "another node tells the application: ask the "
				  "one that leads");
	r = xcalloc(1, sizeof(*r));
	r->task.run = on_replay;
	r->hooks = hooks;
	r->name = xstrdup(name);
	r->since = since;
	inbox_post(hooks->inbox, &r->task);
	return 0;
}
