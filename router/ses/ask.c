/*
 * ask.c - what operators ask of the Amazon thread, by name, and how they are
 * answered.
 *
 * An ask comes from the core's inbox and goes back to it. Its asker waits for
 * it however long it takes; whether an operator still waits for the asker is
 * none of our business.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/config.h"
#include "router/ses/amazon_int.h"
#include "router/ses/feedback.h"
#include "router/ses/sqs.h"

/* ------ answers */

static void
run_done(struct task *task)
{
	struct amazon_ask *ask = container_of(task, struct amazon_ask, task);

	ask->done(ask);
}

void
amazon_answer(struct amazon_ask *ask, int status, json_t *reply)
{
	ask->status = status;
	ask->reply = reply;
	ask->task.run = run_done;
	inbox_post(ask->reply_to, &ask->task);
}

/* What AWS says need not be UTF-8: then it is null, as what there is none of.
 */
static void
put_text(json_t *o, const char *key, const char *text)
{
	json_t *v = text != NULL && text[0] != '\0' ? json_string(text) : NULL;

	json_object_set_new(o, key, v != NULL ? v : json_null());
}

void
amazon_refuse(struct amazon_ask *ask, int status, const char *fmt, ...)
{
	struct str s = STR_INIT;
	json_t *reply = json_object();
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	put_text(reply, "error", s.data);
	str_release(&s);
	amazon_answer(ask, status, reply);
}

/* ------ status */

static void
put_time(json_t *o, const char *key, int64_t wall)
{
	char buf[25];

	put_text(o, key, wall > 0 ? clock_iso(wall, buf) : NULL);
}

static void
put_count(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *
account_json(const struct ses_account *a)
{
	json_t *o = json_object();

	if (a->at != 0) {
		put_time(o, "at", a->at);
		json_object_set_new(o, "quota", json_real(a->max_24_hours));
		json_object_set_new(o, "rate", json_real(a->rate));
		json_object_set_new(
		    o, "sent_24_hours", json_real(a->sent_24_hours));
		put_text(o, "enforcement", a->enforcement_text);
		json_object_set_new(
		    o, "sending_enabled", json_boolean(a->sending_enabled));
		json_object_set_new(
		    o, "production", json_boolean(a->production));
		json_object_set_new(
		    o, "suppress_bounces", json_boolean(a->suppress_bounces));
		json_object_set_new(o, "suppress_complaints",
		    json_boolean(a->suppress_complaints));
		put_text(o, "closed", ses_account_closed(a));
	}
	put_text(o, "trouble", a->trouble);
	put_time(o, "trouble_at", a->trouble_at);
	json_object_set_new(o, "refused", json_boolean(a->refused));
	return o;
}

static json_t *
credentials_json(struct credentials_provider *provider)
{
	struct err why = ERR_INIT;
	struct credentials *c = credentials_now(provider, &why);
	json_t *o = json_object();

	if (c != NULL) {
		put_text(o, "from", c->from);
		put_text(o, "access_key", c->access_key);
		put_time(o, "expires", c->expires);
	}
	put_text(o, "trouble", c == NULL ? why.text : NULL);
	credentials_unref(&c);
	return o;
}

static void
put_site(json_t *o, struct aws_site *site)
{
	put_text(o, "region", site->region);
	put_text(o, "endpoint", site->endpoint);
	json_object_set_new(
	    o, "credentials", credentials_json(site->credentials));
	json_object_set_new(o, "clock_skew",
	    json_real((double)atomic_load(&site->skew) / 1000));
	json_object_set_new(
	    o, "clock_wrong", json_boolean(atomic_load(&site->skewed)));
}

static json_t *
path_json(struct amazon *a, const struct config_path *c)
{
	struct aws_site *site = amazon_site(a, c->name);
	struct ses_watch *w = ses_watch_find(a, c->name);
	json_t *o = json_object();

	put_text(o, "path", c->name);
	put_text(o, "transport", c->transport == SES_API ? "api" : "smtp");
	if (site != NULL)
		put_site(o, site);
	json_object_set_new(o, "account",
	    w != NULL ? account_json(ses_watch_account(w)) : json_null());
	return o;
}

static json_t *
paths_json(struct amazon *a)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < a->config->npaths; i++)
		if (a->config->paths[i].kind == PATH_SES)
			json_array_append_new(
			    rows, path_json(a, &a->config->paths[i]));
	return rows;
}

static json_t *
queues_json(struct amazon *a)
{
	json_t *rows = json_array(), *o;
	struct sqs_poller *p = LIST_FIRST(&a->pollers);
	struct sqs_state state;

	for (; p != NULL; p = sqs_poller_next(p)) {
		sqs_poller_state(p, &state);
		o = json_object();
		put_text(o, "name", state.name);
		put_text(o, "queue", state.queue);
		put_count(o, "received", state.received);
		put_count(o, "deleted", state.deleted);
		put_time(o, "received_at", state.received_at);
		put_text(o, "trouble", state.trouble);
		put_time(o, "trouble_at", state.trouble_at);
		json_array_append_new(rows, o);
	}
	return rows;
}

static json_t *
sns_json(const struct amazon *a)
{
	json_t *o = json_object(), *listeners = json_array();
	json_t *topics = json_array();

	for (size_t i = 0; i < a->config->nwebs; i++)
		if (a->config->webs[i].sns)
			json_array_append_new(listeners,
			    json_string(a->config->webs[i].address_text));
	for (size_t i = 0; i < a->config->sns.ntopics; i++)
		json_array_append_new(
		    topics, json_string(a->config->sns.topics[i]));
	json_object_set_new(o, "listeners", listeners);
	json_object_set_new(o, "topics", topics);
	return o;
}

static json_t *
feedback_json(const struct amazon *a)
{
	struct feedback_counts n;
	json_t *o = json_object();

	feedback_counts(a->feedback, &n);
	put_count(o, "taken", n.taken);
	put_count(o, "settled", n.settled);
	put_count(o, "known", n.known);
	put_count(o, "control", n.control);
	put_count(o, "early", n.early);
	put_count(o, "lettered", n.lettered);
	put_count(o, "trouble", n.trouble);
	put_count(o, "pending", feedback_pending(a->feedback));
	return o;
}

static void
answer_status(struct amazon *a, struct amazon_ask *ask)
{
	json_t *reply = json_object();

	json_object_set_new(reply, "paths", paths_json(a));
	json_object_set_new(reply, "queues", queues_json(a));
	json_object_set_new(reply, "sns", sns_json(a));
	json_object_set_new(reply, "feedback", feedback_json(a));
	json_object_set_new(reply, "operations", ses_suppression_state(a));
	amazon_answer(ask, 200, reply);
}

/* ------ check */

struct check {
	struct ses_waiter waiter;
	struct checks *all;
};

/* One ask; answered as `status` once all its watches have looked. */
struct checks {
	struct amazon_ask *ask;
	size_t left;
	struct check each[];
};

static void
on_looked(struct ses_waiter *waiter)
{
	struct checks *all = container_of(waiter, struct check, waiter)->all;

	if (--all->left > 0)
		return;
	if (all->ask->amazon->stopping)
		amazon_refuse(all->ask, 503, "stopping");
	else
		answer_status(all->ask->amazon, all->ask);
	free(all);
}

/* {"path": NAME}, or all. */
static void
check_accounts(struct amazon *a, struct amazon_ask *ask)
{
	const char *path =
	    json_string_value(json_object_get(ask->args, "path"));
	struct ses_watch *w =
	    path != NULL ? ses_watch_find(a, path) : LIST_FIRST(&a->watches);
	struct checks *all;

	if (w == NULL) {
		amazon_refuse(ask, 404,
		    path != NULL ? "the account of that path is not watched"
				 : "no account is watched");
		return;
	}
	all =
	    xcalloc(1, sizeof(*all) + a->config->npaths * sizeof(struct check));
	all->ask = ask;
	for (; w != NULL; w = path != NULL ? NULL : ses_watch_next(w)) {
		struct check *c = &all->each[all->left++];

		c->all = all;
		c->waiter.run = on_looked;
		ses_watch_wait(w, &c->waiter);
		ses_watch_now(w);
	}
}

/* ------ the table */

static const struct {
	const char *what;
	void (*run)(struct amazon *, struct amazon_ask *);
} asks[] = {
	{ "status", answer_status },
	{ "check", check_accounts },
	{ "suppression list", ses_suppression_list },
	{ "suppression show", ses_suppression_show },
	{ "suppression add", ses_suppression_add },
	{ "suppression remove", ses_suppression_remove },
	{ "suppression sync", ses_suppression_sync },
	{ "suppression prune-carriers", ses_suppression_prune },
};

void
amazon_take_ask(struct task *task)
{
	struct amazon_ask *ask = container_of(task, struct amazon_ask, task);
	struct amazon *a = ask->amazon;

	if (a->stopping) {
		amazon_refuse(ask, 503, "stopping");
		return;
	}
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
		if (strcmp(ask->what, asks[i].what) == 0) {
			asks[i].run(a, ask);
			return;
		}
	amazon_refuse(ask, 404, "nothing is known by the name '%s'", ask->what);
}

void
amazon_put(struct amazon *a, struct amazon_ask *ask)
{
	ask->amazon = a;
	ask->task.run = amazon_take_ask;
	inbox_post(a->inbox, &ask->task);
}
