/*
 * core_edit.c - what an operator changes in a running core: the configuration, queued recipients.
 *
 * What the rules hold is in the store, due at a time that never comes (settle_held). After a reload
 * all of it is made due, in slices; the queue leases it in batches as it has room, core_take decides
 * anew, and what is still held goes back. So a million held costs no memory.
 *
 * What an operator holds is there likewise, and marked: nobody but an operator lets it go.
 */
#include "router/core_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/core_nodes.h"
#include "router/io.h"
#include "router/events/hooks.h"
#include "router/rules_follow.h"
#include "router/ses/amazon.h"
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* -- reload -------------------------------------------------------------------------------------- */

static void
take_again(void *arg, struct recipient *r)
{
	core_take(arg, r);
}

/* A request that borrows the rules' texts: it holds on to their configuration. */
struct record {
	struct store_ruleset op;
	struct core *core;
	struct config *config;
	char *who;
	void (*kept)(void *arg);
	void *arg;
};

static void
on_recorded(struct store_request *req)
{
	struct store_ruleset *op = container_of(req, struct store_ruleset, req);
	struct record *r = container_of(op, struct record, op);

	if (req->status != STORE_OK)
		log_text(LOG_WARN, "reload",
		    "rules %s are not in the history: %s", op->version,
		    req->err.text);
	r->core->edits--;
	core_store_answered(r->core, req);
	rules_follow_recorded(
	    r->core->follow, r->who, req->status == STORE_AWAY);
	core_wake(r->core);
	if (r->kept != NULL)
		r->kept(r->arg);
	config_unref(&r->config);
	free(r->who);
	free(r);
}

static void
record(struct core *c, const char *who, void (*kept)(void *), void *arg)
{
	struct record *r = xcalloc(1, sizeof(*r));

	r->core = c;
	r->config = config_ref(c->config);
	r->who = xstrdup(who);
	r->kept = kept;
	r->arg = arg;
	r->op.req.reply_to = c->inbox;
	r->op.req.done = on_recorded;
	r->op.at = clock_wall();
	r->op.who = r->who;
	r->op.version = ruleset_version(r->config->rules);
	r->op.n = ruleset_files(r->config->rules, &r->op.file);
	c->edits++;
	rules_follow_recording(c->follow);
	store_ruleset(c->store, &r->op);
}

/* A line for each; the lines that show its place, by their indent, are for the one who asked. */
static void
log_warnings(const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, "\n");
		if (len > 0 && *text != ' ' && *text != '\t')
			log_text(LOG_WARN, "rules", "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

void
core_record_rules(struct core *c, const char *who)
{
	log_warnings(c->config->warnings);
	record(c, who, NULL, NULL);
}

static void on_looked_at(void *arg, int64_t changed, const char *why);
/* RETRY leaves what an operator holds; LET_GO does not, and RELEASE lets out what is unfit besides. */
enum edit_kind { EDIT_RETRY, EDIT_LET_GO, EDIT_RELEASE, EDIT_DELETE, EDIT_HOLD };
static void edit_queue(struct core *, const struct queue_filter *,
    enum edit_kind, void (*done)(void *, int64_t, const char *), void *arg);

static void
look_at_held(struct core *c)
{
	static const struct queue_filter held = {
		.index = -1,
		.to = "",
		.domain = "",
		.sender = "",
		.path = RULES_PATH_HOLD,
		.carrier = "",
	};

	c->look_at_held = LOOK_UNDER_WAY;
	edit_queue(c, &held, EDIT_RETRY, on_looked_at, c);
}

static void
on_looked_at(void *arg, int64_t changed, const char *why)
{
	struct core *c = arg;
	bool again = c->look_at_held == LOOK_AGAIN;

	(void)changed;
	if (why != NULL)
		log_text(LOG_WARN, "hold", "not all looked at again: %s", why);
	c->look_at_held = LOOK_NONE;
	if (again && !core_is_stopping(c))
		look_at_held(c);
}

/* Each look goes through the whole queue. Reloads that come faster than that share the next one, or
 * the store would have ever more of them to do. */
void
core_look_at_held(struct core *c)
{
	c->held_from_fallback = false;
	if (c->look_at_held == LOOK_NONE)
		look_at_held(c);
	else
		c->look_at_held = LOOK_AGAIN;
}

/* -- mail that was paused ---------------------------------------------------------------------------- */

struct letting_go {
	void (*done)(void *arg, int64_t changed);
	void *arg;
};

static void
on_let_go(void *arg, int64_t changed, const char *why)
{
	struct letting_go *l = arg;

	if (why != NULL)
		log_text(LOG_WARN, "hold", "not all let go: %s", why);
	if (l->done != NULL)
		l->done(l->arg, changed);
	free(l);
}

/*
 * It is held under the path "hold" (core_take.c). What else is held there by chance, or is another user's, is
 * decided on anew and held again.
 */
void
core_let_go(struct core *c, const struct mail_scope *mail, size_t limit,
    void (*done)(void *, int64_t), void *arg)
{
	struct letting_go *l = xcalloc(1, sizeof(*l));
	const struct queue_filter held = {
		.index = -1,
		.to = "",
		.domain = "",
		.sender = mail->sender,
		.path = RULES_PATH_HOLD,
		.carrier = mail->carrier,
		.limit = limit,
	};

	l->done = done;
	l->arg = arg;
	/* Those that were held a moment ago have to be in the store before they are looked for. */
	settle_flush(c->settler);
	edit_queue(c, &held, EDIT_RETRY, on_let_go, l);
}

static void
put_in_force(struct core *c, struct config *config)
{
	struct config *old = c->config;

	amazon_configure(c->amazon, config);
	if (c->hooks != NULL)
		hooks_configure(c->hooks, config);
	pthread_mutex_lock(&c->config_lock);
	c->config = config;
	pthread_mutex_unlock(&c->config_lock);
	for (unsigned i = 0; i < c->nios; i++)
		io_set_config(c->ios[i], config);
	log_set_level(config->log_level);
	sources_configure(c->sources);
	quotas_configure(c->quotas);
	gate_configure(c->gate);
	guard_configure(c->guard);
	lanes_configure(c->lanes);
	nodes_configure(c->nodes);
	lanes_drain(c->lanes, take_again, c);
	config_unref(&old);
}

static bool
same_listener(const struct config_listener *a, const struct config_listener *b)
{
	return strcmp(a->name, b->name) == 0 && a->kind == b->kind &&
	    strcmp(a->address_text, b->address_text) == 0;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_web(const struct config_web *a, const struct config_web *b)
{
	bool same = strcmp(a->name, b->name) == 0 &&
	    same_text(a->address_text, b->address_text) &&
	    same_text(a->certificate, b->certificate) &&
	    same_text(a->key, b->key) &&
	    same_text(a->users_file, b->users_file) && a->sns == b->sns &&
	    a->console == b->console && a->metrics == b->metrics &&
	    a->max_body == b->max_body &&
	    a->max_connections == b->max_connections &&
	    a->session_idle == b->session_idle &&
	    a->session_life == b->session_life && a->nnames == b->nnames;

	for (size_t i = 0; same && i < a->nnames; i++)
		same = strcmp(a->names[i], b->names[i]) == 0;
	return same;
}

/* What is opened once, at start. */
static void
name_what_stays(const struct config *old, const struct config *new,
    struct str *report)
{
	bool listeners = old->nlisteners == new->nlisteners;
	bool webs = old->nwebs == new->nwebs;

	for (size_t i = 0; listeners && i < old->nlisteners; i++)
		listeners =
		    same_listener(&old->listeners[i], &new->listeners[i]);
	if (!listeners)
		str_adds(report, "listeners: in force after a restart\n");
	for (size_t i = 0; webs && i < old->nwebs; i++)
		webs = same_web(&old->webs[i], &new->webs[i]);
	if (!webs)
		str_adds(report, "web listeners: in force after a restart\n");
	if (!same_text(old->store.url.value, new->store.url.value) ||
	    !same_text(old->store.password_file, new->store.password_file) ||
	    !same_text(old->store.token_command, new->store.token_command) ||
	    !same_text(old->store.node, new->store.node) ||
	    old->store.lease != new->store.lease)
		str_adds(report, "store: in force after a restart\n");
	if (strcmp(old->state_directory, new->state_directory) != 0)
		str_adds(report, "state directory: in force after a restart\n");
	if (old->io_threads != new->io_threads)
		str_adds(report, "threads: in force after a restart\n");
	if (strcmp(old->admin_socket, new->admin_socket) != 0)
		str_adds(report, "admin socket: in force after a restart\n");
}

static int
reload(struct core *c, const char *who, struct str *report)
{
	struct config *config = config_load(c->config->file, report);
	struct err e = ERR_INIT;

	if (config == NULL) {
		log_text(LOG_ERROR, "reload", "refused: %.*s",
		    (int)strcspn(report->data, "\n"), report->data);
		return -1;
	}
	if (log_open(config->log_file, &e) != 0)
		str_addf(report, "%s\n", e.text);
	name_what_stays(c->config, config, report);
	log_text(LOG_INFO, "reload", "rules %s are in force, %s",
	    ruleset_version(config->rules), who);
	if (config->warnings != NULL)
		str_adds(report, config->warnings);
	str_addf(report, "rules %s are in force\n",
	    ruleset_version(config->rules));
	/* Those that were held a moment ago have to be in the store before they are looked for. */
	settle_flush(c->settler);
	put_in_force(c, config);
	log_warnings(config->warnings);
	core_look_at_held(c);
	core_wake(c);
	return 0;
}

int
core_reload(struct core *c, const char *who, void (*kept)(void *), void *arg,
    struct str *report)
{
	if (reload(c, who, report) != 0)
		return -1;
	record(c, who, kept, arg);
	return 0;
}

int
core_reload_stored(struct core *c, const char *who, struct str *report)
{
	return reload(c, who, report);
}

/* -- retry, delete and hold -------------------------------------------------------------------------------- */

struct edit {
	LIST_ENTRY(edit) link; /* in core->holds */
	struct store_queue_edit op;
	struct core *core;
	int64_t changed; /* in memory */
	void (*done)(void *arg, int64_t changed, const char *why);
	void *arg;
};

/* A domain itself or one below it. */
static bool
is_below(const char *domain, const char *of)
{
	size_t n = strlen(domain), m = strlen(of);

	return n >= m && strcasecmp(domain + n - m, of) == 0 &&
	    (n == m || domain[n - m - 1] == '.');
}

static bool
same_or_any(const char *wanted, const char *value)
{
	return wanted == NULL || wanted[0] == '\0' ||
	    strcasecmp(wanted, value) == 0;
}

bool
core_is_wanted(const struct queue_filter *f, const struct recipient *r)
{
	if (f->message != 0 && f->message != r->message->id)
		return false;
	if (f->index >= 0 && (unsigned)f->index != r->index)
		return false;
	if (f->domain != NULL && f->domain[0] != '\0' &&
	    !is_below(r->domain, f->domain))
		return false;
	if (!same_or_any(f->sender, r->message->from_domain) &&
	    !same_or_any(f->sender, r->message->from))
		return false;
	return same_or_any(f->to, r->address) &&
	    same_or_any(f->path, r->route.path) &&
	    same_or_any(f->carrier, r->route.carrier);
}

static bool
is_wanted(void *arg, const struct recipient *r)
{
	return core_is_wanted(&((const struct edit *)arg)->op.filter, r);
}

static void
remove_one(void *arg, struct recipient *r)
{
	struct edit *e = arg;

	e->changed++;
	settle_removed(e->core->settler, r);
}

/* Those that wait in lanes, and what they wait for. */
static void
retry_in_memory(struct edit *e)
{
	const char *path = e->op.filter.path;

	e->changed = lanes_count(e->core->lanes, is_wanted, e);
	lanes_end_rests(
	    e->core->lanes, path != NULL && path[0] != '\0' ? path : NULL);
}

static void
hold_one(void *arg, struct recipient *r)
{
	struct edit *e = arg;

	e->changed++;
	settle_hold(e->core->settler, r, e->op.hold);
}

bool
core_holds(struct core *c, struct recipient *r)
{
	struct edit *e;

	LIST_FOREACH(e, &c->holds, link)
	if (is_wanted(e, r)) {
		hold_one(e, r);
		return true;
	}
	return false;
}

static void
on_edited(struct store_request *req)
{
	struct store_queue_edit *op =
	    container_of(req, struct store_queue_edit, req);
	struct edit *e = container_of(op, struct edit, op);

	e->core->edits--;
	core_store_answered(e->core, req);
	if (op->hold != NULL)
		LIST_REMOVE(e, link);
	if (req->status == STORE_OK)
		e->done(e->arg, e->changed + (int64_t)op->changed, NULL);
	else
		e->done(e->arg, -1, req->err.text);
	if (op->changed > 0)
		queue_note_all(e->core->queue);
	free((void *)(uintptr_t)op->filter.to);
	free((void *)(uintptr_t)op->filter.domain);
	free((void *)(uintptr_t)op->filter.sender);
	free((void *)(uintptr_t)op->filter.path);
	free((void *)(uintptr_t)op->filter.carrier);
	free((void *)(uintptr_t)op->hold);
	free(e);
}

/* What is told of them comes by SES or to an address of ours, good to the end of its last day. */
static int64_t
keep_of(const struct config *config)
{
	int64_t back = config->return_path.expires + DAY_MS;

	return config->return_path.key != NULL && back > config->sent_keep
	    ? back
	    : config->sent_keep;
}

static struct edit *
edit_new(struct core *c, const struct queue_filter *f, enum edit_kind kind,
    void (*done)(void *, int64_t, const char *), void *arg)
{
	struct edit *e = xcalloc(1, sizeof(*e));

	e->core = c;
	e->done = done;
	e->arg = arg;
	e->op.filter = *f;
	e->op.filter.to = xstrdup(f->to);
	e->op.filter.domain = xstrdup(f->domain);
	e->op.filter.sender = xstrdup(f->sender);
	e->op.filter.path = xstrdup(f->path);
	e->op.filter.carrier = xstrdup(f->carrier);
	e->op.delete = kind == EDIT_DELETE;
	e->op.release = kind == EDIT_RELEASE;
	e->op.leave_held = kind == EDIT_RETRY;
	e->op.never = SETTLE_HELD_UNTIL;
	e->op.now = clock_wall();
	e->op.remember = e->op.now + keep_of(c->config);
	e->op.req.reply_to = c->inbox;
	e->op.req.done = on_edited;
	return e;
}

static void
edit_store(struct edit *e)
{
	e->core->edits++;
	store_queue_edit(e->core->store, &e->op);
	core_wake(e->core);
}

/* Those that wait in memory; those out with a session are too late to change. */
static void
edit_all(void *arg)
{
	struct edit *e = arg;
	struct core *c = e->core;

	if (e->op.delete)
		lanes_take(c->lanes, is_wanted, remove_one, e);
	else if (e->op.hold == NULL)
		retry_in_memory(e);
	edit_store(e);
}

static void
edit_queue(struct core *c, const struct queue_filter *f, enum edit_kind kind,
    void (*done)(void *, int64_t, const char *), void *arg)
{
	edit_all(edit_new(c, f, kind, done, arg));
}

/*
 * Who retries what is held, or this one message, wants it sent whatever its form. A retry of all or
 * of a carrier's mail means other trouble, and lets nothing unfit out.
 */
void
core_queue_edit(struct core *c, const struct queue_filter *f, bool delete,
    void (*done)(void *, int64_t, const char *), void *arg)
{
	bool release = f->message != 0 ||
	    (f->path != NULL && strcmp(f->path, RULES_PATH_HOLD) == 0);
	struct edit *e = edit_new(c, f,
	    delete ? EDIT_DELETE
		: release ? EDIT_RELEASE
			  : EDIT_LET_GO,
	    done, arg);

	core_call_back(c, &e->op.filter, edit_all, e);
}

/* Whoever is told that they are held can rely on it: those from memory are on disk before the others are. */
void
core_queue_hold(struct core *c, const struct queue_filter *f, const char *held,
    void (*done)(void *, int64_t, const char *), void *arg)
{
	struct edit *e = edit_new(c, f, EDIT_HOLD, done, arg);

	e->op.hold = xstrdup(held);
	LIST_INSERT_HEAD(&c->holds, e, link);
	lanes_take(c->lanes, is_wanted, hold_one, e);
	settle_flush(c->settler);
	core_call_back(c, &e->op.filter, edit_all, e);
}
