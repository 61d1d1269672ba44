/*
 * test_admin.c - the admin API over its socket, with a core and store that are
 * played by this file: answers, refusals, and clients that misbehave.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ftw.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <jansson.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/core.h"
#include "router/http/admin.h"
#include "router/http/admin_int.h"
#include "mta/preflight/preflight.h"
#include "router/events/hooks.h"
#include "router/events/told.h"
#include "router/core_nodes.h"
#include "router/gate.h"
#include "router/guard.h"
#include "router/node.h"
#include "router/pause.h"
#include "router/ses/amazon.h"
#include "router/ses/quota.h"
#include "router/ses/send_test.h"
#include "router/sources.h"
#include "router/tls_keep.h"
#include "router/tls_results.h"
#include "rules/rules.h"

static char folder[] = "/tmp/oiwake-admin-XXXXXX";
#define SOCKET "sock"

/* -- the core and the store, as far as the admin API asks them
 * ------------------------ */

struct core {
	struct event_base *base;
	struct inbox *inbox;
	struct config *config;
	struct store_query *held; /* a query that is not answered yet */
	bool hold, broken_settings;
	char edited[128];
	char *who;	   /* reloaded last */
	char stopped[300]; /* paused, resumed or said last */
	bool unkept;
	bool shared; /* the store */
	struct tls_results *tls;
	const char *drained, *paused; /* sources */
	size_t of_mail;
	unsigned checks;
	struct task kept_task;
	void (*kept)(void *);
	void *kept_arg;
	int64_t minute; /* the newest that something was counted in */
	size_t big; /* bytes in each of the four files of a kept set */
};

static struct core core;

struct config *
core_config(struct core *c)
{
	return config_ref(c->config);
}

struct store *
core_store(struct core *c)
{
	return (struct store *)(void *)c;
}

struct inbox *
core_inbox(struct core *c)
{
	return c->inbox;
}

static void
reload_kept(struct task *task)
{
	(void)task;
	core.kept(core.kept_arg);
}

/* The history has it in a later turn of the loop, as with the real one. */
int
core_reload(struct core *c, const char *who, void (*kept)(void *), void *arg,
    struct str *report)
{
	assert_non_null(who);
	free(c->who);
	c->who = xstrdup(who);
	str_adds(report,
	    c->broken_settings ? "t.conf:1: it is wrong\n" : "2 rules\n");
	if (c->broken_settings)
		return -1;
	c->kept = kept;
	c->kept_arg = arg;
	c->kept_task.run = reload_kept;
	inbox_post(c->inbox, &c->kept_task);
	return 0;
}

/* Two nodes, this one and one that is lost. */
struct core_node *
core_this_node(struct core *c)
{
	return (struct core_node *)(void *)c;
}

const char *
core_node_name(const struct core_node *n)
{
	(void)n;
	return "a";
}

struct node_row
core_node_row(const struct core_node *n)
{
	(void)n;
	return (struct node_row){ .name = "a",
		.host = "h",
		.version = "1",
		.ruleset = "r",
		.sources = "tokyo1,tokyo2",
		.trouble = "",
		.started = 1,
		.heard = 2,
		.leases = 3 };
}

struct nodes *
core_nodes(struct core *c)
{
	return (struct nodes *)(void *)c;
}

unsigned
nodes_count(const struct nodes *ns)
{
	(void)ns;
	return core.shared ? 2 : 1;
}

bool
nodes_leads(const struct nodes *ns)
{
	(void)ns;
	return true;
}

const char *
nodes_why(const struct nodes *ns)
{
	(void)ns;
	return NULL;
}

const char *
store_node_name(const struct store *s)
{
	(void)s;
	return "a";
}

bool
core_is_draining(const struct core *c)
{
	(void)c;
	return false;
}

void
core_node_drain(struct core_node *n, const char *name, bool undo,
    void (*done)(void *, const char *, bool), void *arg)
{
	bool known = strcmp(name, "b c") == 0;

	(void)n;
	snprintf(core.stopped, sizeof(core.stopped), "%s%s", undo ? "-" : "",
	    name);
	done(arg, known ? NULL : "there is no node", known);
}

bool
store_is_shared(const struct store *s)
{
	(void)s;
	return core.shared;
}

size_t
store_read_nodes(struct store_reader *r,
    void (*each)(void *, const struct node_row *), void *arg)
{
	struct node_row row = core_node_row(NULL);

	(void)r;
	if (!core.shared)
		return 0;
	each(arg, &row);
	row.name = "b c";
	row.sources = "";
	row.trouble = "it rains";
	row.lag = 1234;
	row.draining = true;
	each(arg, &row);
	row.lost = true;
	each(arg, &row);
	row.lost = row.draining = false;
	each(arg, &row);
	return 4;
}

/* Pauses and sources, as far as they go here. */
struct pauses *
core_pauses(struct core *c)
{
	return (struct pauses *)(void *)c;
}

struct sources *
core_sources(struct core *c)
{
	return (struct sources *)(void *)c;
}

const char *
pause_kind_name(enum pause_kind kind)
{
	static const char *const name[] = { "path", "source", "group",
		"drain", "mail" };

	return name[kind];
}

static void
answer_kept(void (*done)(void *, const char *), void *arg)
{
	if (done != NULL)
		done(arg, core.unkept ? "no space" : NULL);
}

void
pauses_set(struct pauses *ps, const struct pause *p,
    void (*done)(void *, const char *), void *arg)
{
	(void)ps;
	snprintf(core.stopped, sizeof(core.stopped), "%s %s %lld '%s'",
	    pause_kind_name(p->kind), p->name,
	    (long long)(p->until != 0 ? p->until - p->at : 0), p->why);
	assert_true(p->who[0] != '\0' && p->at > 0);
	answer_kept(done, arg);
}

bool
pauses_end(struct pauses *ps, enum pause_kind kind, const char *name,
    const char *who, void (*done)(void *, const char *), void *arg)
{
	size_t len = strlen(core.stopped);

	(void)ps;
	if (strcmp(name, "open") == 0 ||
	    (kind == PAUSE_SOURCE && core.paused == NULL))
		return false;
	assert_true(who[0] != '\0');
	snprintf(core.stopped + len, sizeof(core.stopped) - len, "-%s %s",
	    pause_kind_name(kind), name);
	answer_kept(done, arg);
	return true;
}

bool
pauses_rest(const struct pauses *ps, const char *path, const char *source,
    const char *group, int64_t *until, const char **why)
{
	(void)ps;
	assert_string_equal(path, "");
	assert_string_equal(group, "");
	if (core.paused == NULL || strcmp(core.paused, source) != 0)
		return false;
	*until = 1000;
	*why = "source paused by root";
	return true;
}

bool
pauses_drained(const struct pauses *ps, const char *source)
{
	(void)ps;
	return core.drained != NULL && strcmp(core.drained, source) == 0;
}

void
pauses_each(const struct pauses *ps, void (*each)(void *, const struct pause *),
    void *arg)
{
	(void)ps;
	each(arg,
	    &(struct pause){ PAUSE_PATH, "mta", "root", "b\xff", 1000, 0 });
	each(arg,
	    &(struct pause){ PAUSE_GROUP, "a.jp", "root", "", 1000, 2000 });
}

void
sources_each_warm(struct sources *ss,
    void (*each)(void *, const struct warm_row *), void *arg)
{
	(void)ss;
	each(arg, &(struct warm_row){ .source = "tokyo1",
		      .group = "docomo",
		      .plan = "slow",
		      .day = 2,
		      .allowed = 10,
		      .sent = 7,
		      .again = 1000 });
}

void
sources_set_warm(struct sources *ss, const char *source, const char *group,
    bool warm, void (*done)(void *, const char *), void *arg)
{
	(void)ss;
	snprintf(core.stopped, sizeof(core.stopped), "%s '%s' %d", source,
	    group, warm);
	answer_kept(done, arg);
}

size_t
pauses_of_mail(const struct pauses *ps)
{
	(void)ps;
	return core.of_mail;
}

/* The guard, as far as it goes here. */
struct guard *
core_guard(struct core *c)
{
	return (struct guard *)(void *)c;
}

void
guard_each(struct guard *g, bool all,
    void (*each)(void *, const struct guard_row *), void *arg)
{
	static const struct guard_row row = {
		.scope = { "mta", "docomo", "a.jp", "" },
		.name = "path=mta carrier=docomo sender=a.jp",
		.kind = RATE_UNKNOWN,
		.level = GUARD_PAUSE,
		.window = "1h",
		.rate = { 10, 100, true, 0.1, 0.05, 0.2 },
		.warn = 0.01,
		.slow = 0.015,
		.pause = 0.02,
		.since = 1000,
		.evidence = "b\xff",
		.left = -1,
		.left_text = "",
		.left_text_ja = "",
	};
	struct guard_row well = row;

	(void)g;
	each(arg, &row);
	well.level = GUARD_OK;
	well.rate.known = false;
	well.left = 7;
	if (all)
		each(arg, &well);
}

void
guard_each_budget(struct guard *g,
    void (*each)(void *, const struct guard_budget *), void *arg)
{
	(void)g;
	each(arg,
	    &(struct guard_budget){ .path = "ses",
		.kind = RATE_BOUNCE,
		.rate = { 1, 1000, true, 0.001, 0, 0.005 },
		.review = 0.05,
		.stop = 0.1,
		.left_review = 49,
		.left_stop = 99,
		.text = "49 more",
		.text_ja = "あと49件" });
}

/* The gate, as far as it goes here. */
struct gate *
core_gate(struct core *c)
{
	return (struct gate *)(void *)c;
}

void
gate_check_all(struct gate *g)
{
	(void)g;
	core.checks++;
}

void
gate_each(struct gate *g,
    void (*each)(void *, const struct finding *, bool, int64_t), void *arg)
{
	static const struct finding found[] = {
		{ FINDING_BAD, "ptr", "tokyo1 (127.0.20.1)", "no name", "w",
		    "a\nb", PREFLIGHT_ALL },
		{ FINDING_UNKNOWN, "dmarc", "a.jp", "b\xff", "", "",
		    PREFLIGHT_AU },
		{ FINDING_GOOD, "from-dns", "a.jp", "it has an MX", "", "",
		    PREFLIGHT_ALL },
	};

	(void)g;
	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
		each(arg, &found[i], i == 0, 1000);
}

struct tls_keep *
core_tls(struct core *c)
{
	return (struct tls_keep *)(void *)c;
}

struct tls_results *
tls_keep_results(struct tls_keep *k)
{
	(void)k;
	return core.tls;
}

void
core_queue_edit(struct core *c, const struct queue_filter *f, bool delete,
    void (*done)(void *arg, int64_t changed, const char *why), void *arg)
{
	snprintf(c->edited, sizeof(c->edited), "%s %d %s|%s|%s|%s|%s",
	    delete ? "delete" : "retry", f->index, f->to, f->domain, f->sender,
	    f->path, f->carrier);
	if (strcmp(f->domain, "refused.jp") == 0)
		done(arg, -1, "the store is full");
	else
		done(arg, 7, NULL);
}

void
core_queue_hold(struct core *c, const struct queue_filter *f, const char *held,
    void (*done)(void *arg, int64_t changed, const char *why), void *arg)
{
	snprintf(c->edited, sizeof(c->edited), "hold %s %s", f->domain, held);
	done(arg, 7, NULL);
}

void
core_each_lane(
    struct core *c, void (*each)(void *arg, const struct lane_row *), void *arg)
{
	struct lane_row row = { .path = "mta",
		.source = "tokyo1",
		.group = "docomo",
		.state = "waiting: 421 too many",
		.waiting = 3 };

	(void)c;
	each(arg, &row);
}

/* What the server of "other" said closed it; no account knows of that. */
const char *
core_path_closed(struct core *c, const char *path)
{
	(void)c;
	return strcmp(path, "other") == 0 ? "535 credentials" : NULL;
}

void
core_totals(struct core *c, struct core_totals *t)
{
	(void)c;
	*t = (struct core_totals){ .in_memory = 4 };
}

static void
query_back(struct task *task)
{
	struct store_query *q = container_of(task, struct store_query, task);

	q->done(q);
}

static void *
query_thread(void *arg)
{
	struct store_query *q = arg;

	q->run(q, NULL);
	q->task.run = query_back;
	inbox_post(q->reply_to, &q->task);
	return NULL;
}

static void
query_start(struct store_query *q)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, query_thread, q), 0);
	pthread_detach(thread);
}

void
store_query(struct store *store, struct store_query *q)
{
	(void)store;
	if (core.hold)
		__atomic_store_n(&core.held, q, __ATOMIC_RELEASE);
	else
		query_start(q);
}

uint64_t
store_count_queue(struct store_reader *reader, const struct queue_filter *f)
{
	(void)reader;
	return strcmp(f->domain, "a.jp") == 0 ? 12 : 0;
}

/* -- what became of mail, most of which tests/e2e/test_messages.py plays */

size_t
store_search_queue(struct store_reader *reader, struct queue_search *search,
    void (*each)(void *arg, const struct queue_row *), void *arg)
{
	(void)reader;
	(void)search;
	(void)each;
	(void)arg;
	return 0;
}

void
store_search_events(struct store_reader *reader, struct event_search *search,
    bool (*each)(void *arg, const struct event_row *), void *arg)
{
	(void)reader;
	(void)search;
	(void)each;
	(void)arg;
}

size_t
store_read_recipient_events(struct store_reader *reader, int64_t message,
    unsigned index, int64_t after, size_t limit,
    void (*each)(void *arg, const struct event_row *), void *arg)
{
	struct event_row row = { .at = 1,
		.message = 5,
		.index = 2,
		.type = EVENT_DELAY,
		.recipient = "a@docomo.ne.jp",
		.text = "busy" };

	(void)reader;
	(void)after;
	(void)limit;
	if (message != 5 || index != 2)
		return 0;
	each(arg, &row);
	return 1;
}

size_t
store_read_recipients(struct store_reader *reader, int64_t message, int after,
    size_t limit, void (*each)(void *arg, unsigned index), void *arg)
{
	(void)reader;
	(void)message;
	(void)after;
	(void)limit;
	(void)each;
	(void)arg;
	return 0;
}

size_t
store_read_sent(struct store_reader *reader, int64_t message, int index,
    void (*each)(void *arg, const struct sent_row *), void *arg)
{
	(void)reader;
	(void)message;
	(void)index;
	(void)each;
	(void)arg;
	return 0;
}

bool
store_read_mail(struct store_reader *reader, int64_t message,
    void (*each)(void *arg, const char *json), void *arg)
{
	(void)reader;
	(void)message;
	(void)each;
	(void)arg;
	return false;
}

size_t
store_read_by_message_id(struct store_reader *reader, const char *message_id,
    int64_t ids[static STORE_SAME_ID_MAX])
{
	(void)reader;
	(void)message_id;
	(void)ids;
	return 0;
}

bool
store_read_by_remote_id(struct store_reader *reader, const char *remote_id,
    int64_t *message, unsigned *index)
{
	(void)reader;
	(void)remote_id;
	(void)message;
	(void)index;
	return false;
}

void
store_read_counters(struct store_reader *reader,
    void (*each)(void *arg, const struct counter_row *), void *arg)
{
	struct counter_row row = { .path = "mta",
		.carrier = "docomo",
		.group = "docomo",
		.sender = "a\xff.jp",
		.source = "s",
		.rule = "r" };

	(void)reader;
	row.n[COUNT_ACCEPTED] = 3;
	row.n[COUNT_SENT] = row.n[COUNT_DELIVERED] = 1;
	row.n[COUNT_BOUNCED] = 1;
	each(arg, &row);
}

/* Half of each minute's mail fails on mta, none on other; the newest first. */
size_t
store_read_tallies(struct store_reader *reader, const struct tally_filter *f,
    void (*each)(void *arg, const struct tally_row *), void *arg)
{
	static const char *const paths[] = { "mta", "other" };
	int64_t minute = core.minute;
	size_t n = 0;

	(void)reader;
	for (int i = 0; i < 4; i++, minute -= i < 3 ? 60000 : 86400000)
		for (int p = 0; p < 2; p++) {
			struct tally t = TALLY_INIT;
			struct tally_row row = { .at = minute,
				.span = 60000,
				.key = { .path = paths[p],
				    .carrier = "docomo",
				    .group = "docomo",
				    .sender = "a\xff.jp",
				    .source = "",
				    .rule = "r",
				    .configuration_set = "" },
				.tally = &t };

			if (minute < f->since ||
			    (f->path != NULL && strcmp(f->path, paths[p]) != 0))
				continue;
			t.n[COUNT_SENT] = t.n[COUNT_DELIVERED] = 2;
			t.n[COUNT_BOUNCED] = p == 0 ? 2 : 0;
			tally_add_reason(
			    &t, COUNT_BOUNCED, "userunknown", p == 0 ? 2 : 0);
			tally_add_time(&t, 1000, 2);
			each(arg, &row);
			tally_clear(&t);
			n++;
		}
	return n;
}

struct sum {
	struct tally *(*into)(void *, const struct tally_key *);
	void *arg;
};

static void
add_row_to_sum(void *arg, const struct tally_row *row)
{
	struct sum *sum = arg;

	tally_merge(sum->into(sum->arg, &row->key), row->tally);
}

size_t
store_sum_tallies(struct store_reader *reader, const struct tally_filter *f,
    struct tally *(*into)(void *, const struct tally_key *), void *arg)
{
	struct sum sum = { into, arg };

	return store_read_tallies(reader, f, add_row_to_sum, &sum);
}

size_t
store_read_queue(struct store_reader *reader, const struct queue_filter *f,
    void (*each)(void *arg, const struct queue_row *), void *arg)
{
	struct message *m = message_new(5);
	struct recipient *r = recipient_new(m, 2, "a@docomo.ne.jp");
	struct queue_row row = { .recipient = r, .state = RCPT_WAITING };

	(void)reader;
	recipient_set_last(r, "421 busy \xe3\x81");
	r->route = (struct route){
		.path = "mta",
		.pool = "p",
		.source = "",
		.carrier = "docomo",
		.group = "docomo",
		.rule = "r",
		.ruleset = "0123",
		.configuration_set = "",
	};
	if (f->message == 0 || f->message == 5)
		each(arg, &row);
	recipient_free(&r);
	message_unref(&m);
	return 1;
}

uint64_t
store_read_queue_size(struct store_reader *reader)
{
	(void)reader;
	return 1000000;
}

size_t
store_read_events(struct store_reader *reader, int64_t message, int64_t after,
    size_t limit, void (*each)(void *arg, const struct event_row *), void *arg)
{
	struct event_row row = { .at = 1,
		.message = 5,
		.index = 2,
		.type = EVENT_DELAY,
		.recipient = "a@docomo.ne.jp",
		.text = "busy" };

	(void)reader;
	(void)after;
	(void)limit;
	if (message == 5) {
		each(arg, &row);
		row.index = 3;
		each(arg, &row);
	}
	return 0;
}

/* Two kept sets; the newer one is in force. */
size_t
store_read_rulesets(struct store_reader *reader, int64_t number, size_t limit,
    void (*each)(void *arg, const struct ruleset_row *), void *arg)
{
	size_t n = 0;

	(void)reader;
	for (int64_t i = 2; i >= 1 && n < limit; i--) {
		struct ruleset_row row = { .number = i,
			.at = i * 1000,
			.version = i == 2 ? ruleset_version(core.config->rules)
					  : "0123456789ab",
			.who = "root by reload\xff",
			.files = 2,
			.bytes = 20 };

		if (number != 0 && number != i)
			continue;
		each(arg, &row);
		n++;
	}
	return n;
}

size_t
store_read_ruleset_files(struct store_reader *reader, int64_t number,
    void (*each)(void *arg, const struct rules_file *), void *arg)
{
	static const char first[] = "include \"b.rules\"\n# \xe8\xbf\xbd\n";
	static const char second[] = "# not UTF-8: \xff\n";
	struct rules_file file = { "a.rules", first, sizeof(first) - 1 };
	char *lines;

	(void)reader;
	if (number < 1 || number > 2)
		return 0;
	if (core.big > 0) {
		lines = xmalloc(core.big + 1);
		memset(lines, '#', core.big);
		lines[core.big] = '\0';
		file = (struct rules_file){ "a.rules", lines, core.big };
		for (int i = 0; i < 4; i++)
			each(arg, &file);
		free(lines);
		return 4;
	}
	each(arg, &file);
	file = (struct rules_file){ "b.rules", second, sizeof(second) - 1 };
	each(arg, &file);
	return 2;
}

/* 100,000 rows of three recipients, two of them irregular, a second apart. */
#define ROWS 100000

size_t
store_read_traffic(struct store_reader *reader, int64_t since, int64_t after,
    size_t limit, void (*each)(void *arg, const struct traffic_row *),
    void *arg)
{
	int64_t i = after / 3;
	char address[512];
	size_t n = 0;

	(void)reader;
	if (i < (since + 999) / 1000 - 1)
		i = (since + 999) / 1000 - 1;
	for (; i < ROWS && n < limit; i++, n++) {
		struct traffic_row row = { .seq = 3 * (i + 1),
			.at = 1000 * (i + 1),
			.from = "info@news.test",
			.header_from = "news.test",
			.user = "app",
			.listener = "relay",
			.tags = "kind=\xff",
			.size = 300,
			.address = address };

		for (int to = 0; to < 3; to++) {
			snprintf(address, sizeof(address), "u%d..%d@%0250d.jp",
			    (int)i, to, 0);
			row.irregular = to > 0;
			each(arg, &row);
		}
	}
	return n;
}

int64_t
store_read_traffic_end(struct store_reader *reader)
{
	(void)reader;
	return 3 * ROWS;
}

/* -- Amazon, as far as it goes here
 * ----------------------------------------------------- */

struct amazon *
core_amazon(struct core *c)
{
	return (struct amazon *)(void *)c;
}

struct quotas *
core_quotas(struct core *c)
{
	return (struct quotas *)(void *)c;
}

static void
ask_back(struct task *task)
{
	struct amazon_ask *a = container_of(task, struct amazon_ask, task);

	a->done(a);
}

/* Answers with what was asked; of an address that is nobody's, with an error.
 */
void
amazon_put(struct amazon *amazon, struct amazon_ask *a)
{
	json_t *address = json_object_get(a->args, "address");

	(void)amazon;
	a->status = 200;
	a->reply = json_pack("{s:s, s:O, s:[{s:s}, {s:s}]}", "what", a->what,
	    "args", a->args, "paths", "path", "ses", "path", "other");
	if (address != NULL &&
	    strcmp(json_string_value(address), "no@b") == 0) {
		a->status = 404;
		json_object_set_new(
		    a->reply, "error", json_string("not on the list"));
	}
	a->task.run = ask_back;
	inbox_post(a->reply_to, &a->task);
}

void
quotas_each(struct quotas *qs, int64_t now,
    void (*each)(void *, const struct quota_row *), void *arg)
{
	struct quota_row row = {
		.path = "ses", .rate = 14, .used = 7, .closed = "SHUTDOWN"
	};

	(void)qs;
	(void)now;
	each(arg, &row);
	row.path = "other";
	row.closed = NULL;
	each(arg, &row);
}

const struct ses_test_address ses_test_addresses[SES_TESTS] = {
	{ "success", { "Delivery", NULL } },
};

int
ses_send_test(struct core *c, const char *from,
    void (*done)(void *, int64_t, const char *), void *arg, struct err *e)
{
	(void)c;
	if (strcmp(from, "a@b.jp") != 0)
		return err_set(e, "not an address: '%s'", from);
	done(arg, 5, NULL);
	return 0;
}

size_t
store_read_letters(struct store_reader *reader, int64_t after, size_t limit,
    void (*each)(void *arg, const struct letter_row *), void *arg)
{
	struct letter_row row = { .seq = after + 1,
		.at = 1,
		.source = "sns",
		.id = "i",
		.why = "because",
		.body = "\xff{}",
		.len = 3 };

	(void)reader;
	(void)limit;
	each(arg, &row);
	return 1;
}

static void
letters_back(struct task *task)
{
	struct store_request *req =
	    container_of(task, struct store_request, task);

	req->done(req);
}

void
store_remove_letters(struct store *store, struct store_letters *op)
{
	(void)store;
	op->removed = op->seq == 0 ? 3 : 1;
	op->req.status = STORE_OK;
	op->req.task.run = letters_back;
	inbox_post(op->req.reply_to, &op->req.task);
}

/* What the filter and the request came to: "scope address cause ...". */
static char suppressed[4000];

static void
note_filter(const struct suppression_filter *f)
{
	snprintf(suppressed, sizeof(suppressed),
	    "scope=%s address=%s cause=%s path=%s source=%s who=%s %lld-%lld%s",
	    f->scope == NULL	  ? "any"
	    : f->scope[0] == '\0' ? "all"
				  : f->scope,
	    f->address, f->cause, f->path, f->source, f->who,
	    (long long)f->since, (long long)f->until,
	    f->expired ? " expired" : "");
}

size_t
store_read_suppressions(struct store_reader *reader,
    const struct suppression_filter *f, const char *after_scope,
    const char *after_address, size_t limit,
    void (*each)(void *arg, const struct suppression *), void *arg)
{
	size_t len;

	(void)reader;
	note_filter(f);
	len = strlen(suppressed);
	snprintf(suppressed + len, sizeof(suppressed) - len, " after %s,%s",
	    after_scope, after_address);
	each(arg,
	    &(struct suppression){ .scope = "",
		.address = "a b@x.jp",
		.cause = "userunknown",
		.who = "oiwake",
		.at = 1,
		.source = "smtp",
		.evidence = "550 \xff",
		.path = "mta",
		.message = 7,
		.index = 2,
		.expires = 2000 });
	if (limit == 1)
		return 1;
	each(arg,
	    &(struct suppression){ .scope = "mta",
		.address = "b@x.jp",
		.cause = "manual",
		.who = "root",
		.soft = true,
		.state = SUPPRESSION_LOCAL });
	return 2;
}

void
store_suppress(struct store *store, struct store_suppress *op)
{
	size_t len = 0;

	(void)store;
	suppressed[0] = '\0';
	for (size_t i = 0; i < op->n; i++)
		len += (size_t)snprintf(suppressed + len,
		    sizeof(suppressed) - len, "%s|%s|%s|%s|%s|%s|%s\n",
		    op->list[i].scope, op->list[i].address, op->list[i].cause,
		    op->list[i].source, op->list[i].evidence,
		    op->list[i].expires > 0 ? "ends" : "",
		    op->list[i].soft ? "soft" : "");
	op->changed = op->n;
	op->req.status = STORE_OK;
	op->req.task.run = letters_back;
	inbox_post(op->req.reply_to, &op->req.task);
}

void
store_unsuppress(struct store *store, struct store_unsuppress *op)
{
	(void)store;
	note_filter(&op->filter);
	op->changed = 2;
	op->req.status = STORE_OK;
	op->req.task.run = letters_back;
	inbox_post(op->req.reply_to, &op->req.task);
}

/* -- events: of no interest here */

struct hooks *
core_hooks(struct core *c)
{
	(void)c;
	return NULL;
}

void
hooks_each(struct hooks *hooks,
    void (*each)(void *arg, const struct hook_row *), void *arg)
{
	(void)hooks;
	(void)each;
	(void)arg;
}

uint64_t
hooks_commits(struct hooks *hooks)
{
	(void)hooks;
	return 0;
}

int
hooks_replay(struct hooks *hooks, const char *name, int64_t since, struct err *e)
{
	(void)hooks;
	(void)since;
	return err_set(e, "no hook '%s'", name);
}

void
told_read(struct store_reader *reader, struct told_reading *told)
{
	(void)reader;
	(void)told;
}

int64_t
store_read_last_event(struct store_reader *reader)
{
	(void)reader;
	return 0;
}

int64_t
store_read_event_before(struct store_reader *reader, int64_t since)
{
	(void)reader;
	(void)since;
	return 0;
}

/* -- a client, in a thread of its own
 * -------------------------------------------------- */

struct exchange {
	const char *request;
	int status;
	struct str answer; /* body */
};

static int
client_connect(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		abort();
	return fd;
}

static void
stop_loop(struct task *task)
{
	event_base_loopbreak(core.base);
	free(task);
}

static void
client_ended(void)
{
	struct task *task = xcalloc(1, sizeof(*task));

	task->run = stop_loop;
	inbox_post(core.inbox, task);
}

static void *
client(void *arg)
{
	struct exchange *x = arg;
	struct str all = STR_INIT;
	char buf[4096];
	const char *body;
	ssize_t n;
	int fd = client_connect();

	if (send(fd, x->request, strlen(x->request), MSG_NOSIGNAL) < 0)
		abort();
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		str_add(&all, buf, (size_t)n);
	close(fd);
	sscanf(all.data, "HTTP/1.%*d %d", &x->status);
	body = strstr(all.data, "\r\n\r\n");
	str_adds(&x->answer, body ? body + 4 : "");
	str_release(&all);
	client_ended();
	return NULL;
}

static void
run_client(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run, arg), 0);
	event_base_loop(core.base, EVLOOP_NO_EXIT_ON_EMPTY);
	pthread_join(thread, NULL);
}

/* The answer's body into *answer; the status must be this one. */
static void
ask(int status, const char *method, const char *path, const char *body,
    struct str *answer)
{
	struct exchange x = { .answer = STR_INIT };
	struct str request = STR_INIT;

	str_addf(&request,
	    "%s %s HTTP/1.1\r\nHost: oiwake\r\nConnection: close\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    method, path, strlen(body), body);
	x.request = request.data;
	run_client(client, &x);
	if (x.status != status)
		fail_msg("%s %s: %d %s", method, path, x.status, x.answer.data);
	*answer = x.answer;
	str_release(&request);
}

/* The same, to be released. */
static json_t *
http(int status, const char *method, const char *path, const char *body)
{
	struct str text = STR_INIT;
	json_t *answer;

	ask(status, method, path, body, &text);
	answer = json_loads(text.data, 0, NULL);
	str_release(&text);
	return answer;
}

/* A large set is there, in full. */
static void
get_large(const char *path)
{
	struct str text = STR_INIT;

	ask(200, "GET", path, "", &text);
	assert_true(text.len > 4 * core.big);
	assert_memory_equal(text.data + text.len - 5, "\"}]}\n", 5);
	str_release(&text);
}

static const char *
text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

/* -- tests
 * -----------------------------------------------------------------------------
 */

#define RUNNING "# \"all\"\nroute all any discard\n"

static int
set_up(void **state)
{
	struct str report = STR_INIT;
	FILE *fp;

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	evthread_use_pthreads();
	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		return -1;
	fp = fopen("t.conf", "w");
	fputs("hostname = a.jp\nrules = t.rules\nlistener r { type = relay\n"
	      "address = \"127.0.0.1:0\" networks = { 127.0.0.0/8 } }\n"
	      "source tokyo1 { hostname = x.a.jp address = 127.0.20.1 }\n"
	      "source tokyo2 { hostname = y.a.jp weight = 3\n"
	      "public = 203.0.113.9 }\n"
	      "source alone { hostname = z.a.jp }\n"
	      "pool p { sources = { tokyo1, tokyo2 } }\n"
	      "pool q { sources = { alone } }\n"
	      "path mta { type = mta pool = p }\n",
	    fp);
	fclose(fp);
	fp = fopen("t.rules", "w");
	fputs(RUNNING, fp);
	fclose(fp);
	core.config = config_load_part("t.conf", CONFIG_RULES, &report);
	fputs(report.data, stderr);
	str_release(&report);
	core.base = event_base_new();
	core.inbox = inbox_new(core.base);
	core.tls = tls_results_new(0);
	return core.config ? 0 : -1;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	config_unref(&core.config);
	free(core.who);
	inbox_free(&core.inbox);
	tls_results_free(&core.tls);
	event_base_free(core.base);
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int
serve(void **state)
{
	struct err e = ERR_INIT;

	core.hold = core.broken_settings = false;
	core.unkept = core.shared = false;
	core.drained = core.paused = NULL;
	core.big = 0;
	*state = admin_new(core.base, &core, SOCKET, &e);
	return *state ? 0 : -1;
}

static int
unserve(void **state)
{
	struct admin *admin = *state;

	admin_free(&admin);
	return access(SOCKET, F_OK) == 0 ? -1 : 0; /* it is removed */
}

static void
answers(void **state)
{
	json_t *a, *row;

	(void)state;
	a = http(200, "GET", "/v1/status", "");
	assert_int_equal(
	    json_integer_value(json_object_get(a, "queued")), 1000000);
	assert_int_equal(json_array_size(json_object_get(a, "lanes")), 1);
	json_decref(a);

	a = http(200, "GET", "/v1/stats?by=path,sender", "");
	row = json_array_get(json_object_get(a, "rows"), 0);
	assert_string_equal(text(row, "sender"), "a?.jp");
	assert_null(json_object_get(row, "carrier"));
	assert_int_equal(json_integer_value(json_object_get(row, "queued")), 1);
	assert_true(
	    json_real_value(json_object_get(row, "delivery_rate")) == 0.5);
	json_decref(a);

	a = http(200, "GET", "/v1/queue?limit=5&to=a%40b.jp", "");
	row = json_array_get(json_object_get(a, "rows"), 0);
	assert_string_equal(text(row, "id"), "0000000000005.2");
	assert_string_equal(text(row, "last"), "421 busy ??");
	json_decref(a);

	a = http(200, "GET", "/v1/queue/0000000000005", "");
	row = json_array_get(json_object_get(a, "rows"), 0);
	assert_string_equal(text(json_object_get(row, "lane"), "state"),
	    "waiting: 421 too many");
	assert_int_equal(json_array_size(json_object_get(a, "events")), 2);
	json_decref(a);
	a = http(200, "GET", "/v1/queue/0000000000005.2", "");
	assert_int_equal(json_array_size(json_object_get(a, "events")), 1);
	json_decref(a);
}

static json_t *
first_row(const json_t *answer)
{
	return json_array_get(json_object_get(answer, "rows"), 0);
}

static json_int_t
integer(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
counts_of_windows(void **state)
{
	json_t *a, *row;

	(void)state;
	core.minute = clock_wall() / 60000 * 60000;
	a = http(200, "GET", "/v1/stats?by=path,configuration-set&window=1h", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 2);
	row = first_row(a);
	assert_string_equal(text(row, "path"), "mta");
	assert_string_equal(text(row, "configuration-set"), "");
	assert_true(json_is_null(json_object_get(row, "queued")));
	assert_int_equal(integer(row, "sent"), 6);
	assert_int_equal(integer(json_object_get(row, "bounce"), "volume"), 12);
	assert_in_range(integer(row, "p95"), 1000, 1070);
	assert_string_equal(text(a, "window"), "1h");
	assert_int_equal(
	    integer(json_object_get(a, "total"), "delivered"), 12);
	json_decref(a);

	/* Of four that were sent in the newest minute. */
	a = http(200, "GET", "/v1/stats?by=path&window=last:4", "");
	assert_int_equal(integer(json_object_get(a, "total"), "sent"), 4);
	json_decref(a);
	a = http(200, "GET", "/v1/stats?by=path&window=last:5", "");
	assert_int_equal(integer(json_object_get(a, "total"), "sent"), 8);
	json_decref(a);
	a = http(200, "GET", "/v1/stats?by=path&window=last:5&path=mta", "");
	assert_int_equal(integer(json_object_get(a, "total"), "sent"), 6);
	json_decref(a);
	a = http(200, "GET", "/v1/stats?by=path&window=last:100", "");
	assert_int_equal(integer(json_object_get(a, "total"), "sent"), 16);
	assert_true(json_is_null(json_object_get(a, "since")));
	json_decref(a);

	a = http(200, "GET", "/v1/stats?by=path&path=nowhere", "");
	assert_null(first_row(a));
	json_decref(a);
}

static void
series_and_reasons(void **state)
{
	json_t *a, *sent;

	(void)state;
	core.minute = clock_wall() / 60000 * 60000;
	a = http(200, "GET", "/v1/series?window=10min&limit=1", "");
	assert_string_equal(text(a, "step"), "minute");
	assert_int_equal(integer(a, "more"), 1);
	/* Ten minutes and the one that is going on; the next may have begun. */
	sent = json_object_get(first_row(a), "sent");
	assert_int_equal(json_array_size(sent), 11);
	assert_int_equal(
	    json_array_size(json_object_get(a, "periods")), 11);
	assert_int_equal(json_integer_value(json_array_get(sent, 8)), 2);
	json_decref(a);
	a = http(200, "GET", "/v1/series?window=9d", "");
	assert_string_equal(text(a, "step"), "hour");
	json_decref(a);
	a = http(200, "GET", "/v1/series?window=90d", "");
	assert_string_equal(text(a, "step"), "day");
	json_decref(a);

	a = http(200, "GET", "/v1/reasons?window=7d&by=path", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 1);
	assert_string_equal(text(first_row(a), "counter"), "bounced");
	assert_string_equal(text(first_row(a), "reason"), "userunknown");
	assert_int_equal(integer(first_row(a), "n"), 8);
	json_decref(a);
}

static void
two_paths_compared(void **state)
{
	json_t *a, *side;

	(void)state;
	core.minute = clock_wall() / 60000 * 60000;
	a = http(200, "GET", "/v1/compare?carrier=docomo&path=mta", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 1);
	side = json_array_get(json_object_get(first_row(a), "sides"), 1);
	assert_string_equal(text(side, "path"), "other");
	assert_int_equal(integer(side, "volume"), 8);
	assert_string_equal(text(first_row(a), "verdict"), "worse");
	assert_true(json_is_null(json_object_get(first_row(a), "needed")));
	/* No rule splits here. */
	assert_int_equal(
	    json_array_size(json_object_get(first_row(a), "warnings")), 1);
	json_decref(a);
}

static void
edits_and_reload(void **state)
{
	json_t *a;

	(void)state;
	a = http(200, "POST", "/v1/queue/retry", "{\"domain\":\"a.jp\"}");
	assert_int_equal(json_integer_value(json_object_get(a, "changed")), 7);
	assert_string_equal(core.edited, "retry -1 |a.jp|||");
	json_decref(a);
	json_decref(http(200, "POST", "/v1/queue/delete", "{\"all\":true}"));
	assert_string_equal(core.edited, "delete -1 ||||");
	json_decref(http(
	    200, "POST", "/v1/queue/delete", "{\"id\":\"0000000000005.2\"}"));
	assert_string_equal(core.edited, "delete 2 ||||");
	a = http(500, "POST", "/v1/queue/retry", "{\"domain\":\"refused.jp\"}");
	assert_string_equal(text(a, "error"), "the store is full");
	json_decref(a);
	a = http(200, "POST", "/v1/reload", "");
	assert_string_equal(text(a, "report"), "2 rules\n");
	json_decref(a);
	core.broken_settings = true;
	a = http(409, "POST", "/v1/reload", "{}");
	assert_string_equal(text(a, "error"), "t.conf:1: it is wrong\n");
	json_decref(a);
}

static void
holds(void **state)
{
	json_t *a;

	(void)state;
	a = http(200, "POST", "/v1/queue/hold",
	    "{\"domain\":\"a.jp\",\"why\":\"a look\"}");
	assert_int_equal(integer(a, "changed"), 7);
	json_decref(a);
	assert_non_null(strstr(core.edited, "hold a.jp "));
	assert_non_null(strstr(core.edited, "a look"));
	a = http(200, "POST", "/v1/queue/hold",
	    "{\"domain\":\"a.jp\",\"dry_run\":true}");
	assert_int_equal(integer(a, "would_change"), 12);
	json_decref(a);
	json_decref(
	    http(400, "POST", "/v1/queue/hold", "{\"domain\":\"a.jp\"}"));
}

/* Who may only look changes nothing; what two rows would answer is the
 * first's, so that none may hide another. */
static void
routes_have_roles(void **state)
{
	const struct admin_route *route, *found;
	bool exists;
	size_t n;

	(void)state;
	for (n = 0; (route = admin_nth_route(n)) != NULL; n++) {
		bool get = route->method == EVHTTP_REQ_GET;
		char path[100];

		assert_true(get || route->method == EVHTTP_REQ_POST);
		if (get ? route->role != ROLE_VIEW : route->role < ROLE_OPERATE)
			fail_msg("%s", route->path);
		snprintf(path, sizeof(path), "%s%s", route->path,
		    route->flags & ROUTE_PREFIX ? "x" : "");
		found = admin_find_route(path, route->method, &exists);
		if (found != route)
			fail_msg("%s is hidden", path);
	}
	assert_true(n > 30);
	assert_null(admin_find_route("/v1/status", EVHTTP_REQ_POST, &exists));
	assert_true(exists);
	assert_null(admin_find_route("/v1/rules/", EVHTTP_REQ_PUT, &exists));
	assert_false(exists);
	assert_null(admin_find_route("/v1/statu", EVHTTP_REQ_GET, &exists));
	assert_false(exists);
	route = admin_find_route("/v1/reload", EVHTTP_REQ_POST, &exists);
	assert_int_equal(route->role, ROLE_ADMIN);
}

static void
rules(void **state)
{
	json_t *a, *b, *files;

	(void)state;
	a = http(200, "GET", "/v1/rules", "");
	assert_string_equal(
	    text(a, "running"), ruleset_version(core.config->rules));
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 2);
	b = json_array_get(json_object_get(a, "rows"), 0);
	assert_int_equal(json_integer_value(json_object_get(b, "number")), 2);
	assert_true(json_is_true(json_object_get(b, "running")));
	assert_string_equal(text(b, "who"), "root by reload?");
	assert_string_equal(text(b, "at"), "1970-01-01T00:00:02.000Z");
	b = json_array_get(json_object_get(a, "rows"), 1);
	assert_true(json_is_false(json_object_get(b, "running")));
	json_decref(a);
	a = http(200, "GET", "/v1/rules?limit=1", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 1);
	json_decref(a);

	a = http(200, "GET", "/v1/rules/1", "");
	assert_string_equal(
	    text(json_object_get(a, "set"), "version"), "0123456789ab");
	files = json_object_get(a, "files");
	assert_int_equal(json_array_size(files), 2);
	assert_string_equal(text(json_array_get(files, 0), "name"), "a.rules");
	assert_string_equal(text(json_array_get(files, 0), "text"),
	    "include \"b.rules\"\n# \xe8\xbf\xbd\n");
	assert_string_equal(
	    text(json_array_get(files, 1), "text"), "# not UTF-8: ?\n");
	json_decref(a);

	a = http(200, "GET", "/v1/rules/running", "");
	files = json_object_get(a, "files");
	assert_int_equal(json_array_size(files), 1);
	assert_string_equal(text(json_array_get(files, 0), "text"), RUNNING);
	assert_string_equal(text(json_object_get(a, "set"), "version"),
	    ruleset_version(core.config->rules));
	json_decref(a);
}

/* The largest set comes whole. */
static void
large_rules(void **state)
{
	(void)state;
	core.big = RULES_FILE_MAX;
	get_large("/v1/rules/2");
}

/* Asks for a large answer and reads none of it; the connection stays. */
static void *
lazy(void *arg)
{
	static const char request[] =
	    "GET /v1/rules/2 HTTP/1.1\r\nHost: oiwake\r\n\r\n";
	char first;
	int *fd = arg;

	*fd = client_connect();
	if (send(*fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 ||
	    read(*fd, &first, 1) != 1)
		abort();
	client_ended();
	return NULL;
}

static void
few_large_answers(void **state)
{
	int fd[ADMIN_LARGE_MAX];
	struct err e = ERR_INIT;
	json_t *a;

	core.big = 1u << 20;
	for (size_t i = 0; i < ADMIN_LARGE_MAX; i++)
		run_client(lazy, &fd[i]);
	a = http(503, "GET", "/v1/rules/1", "");
	assert_string_equal(
	    text(a, "error"), "too many rule sets are asked for at once");
	json_decref(a);
	json_decref(http(200, "GET", "/v1/rules", ""));
	/* One goes away, and there is room. */
	close(fd[0]);
	for (int i = 0; i < 100; i++)
		event_base_loop(core.base, EVLOOP_NONBLOCK);
	get_large("/v1/rules/1");
	/* The server may go while the other is at it. */
	admin_free((struct admin **)state);
	close(fd[1]);
	*state = admin_new(core.base, &core, SOCKET, &e);
	assert_non_null(*state);
	get_large("/v1/rules/1");
}

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
traffic(void **state)
{
	struct str path = STR_INIT;
	json_int_t next = 0, rows = 0, pages = 0;
	json_t *a, *row, *to;

	(void)state;
	a = http(200, "GET", "/v1/traffic?since=5000&limit=2", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 2);
	row = json_array_get(json_object_get(a, "rows"), 0);
	assert_int_equal(number(row, "at"), 5000);
	assert_int_equal(number(row, "size"), 300);
	assert_string_equal(text(row, "from"), "info@news.test");
	assert_string_equal(text(row, "header_from"), "news.test");
	assert_string_equal(text(row, "user"), "app");
	assert_string_equal(text(row, "listener"), "relay");
	assert_string_equal(text(row, "tags"), "kind=?");
	to = json_object_get(row, "to");
	assert_int_equal(json_array_size(to), 3);
	assert_false(
	    json_is_true(json_object_get(json_array_get(to, 0), "irregular")));
	assert_true(
	    json_is_true(json_object_get(json_array_get(to, 1), "irregular")));
	assert_int_equal(number(a, "next"), 3 * 6);
	json_decref(a);
	/* Pages are bounded, whatever is asked for, and leave nothing out. */
	do {
		str_clear(&path);
		str_addf(&path, "/v1/traffic?limit=10000&after=%d", (int)next);
		a = http(200, "GET", path.data, "");
		row = json_array_get(json_object_get(a, "rows"), 0);
		assert_int_equal(number(row, "seq"), next + 3);
		rows += (json_int_t)json_array_size(json_object_get(a, "rows"));
		assert_true(rows <= ++pages * 2500);
		next = number(a, "next");
		assert_true(next == 0 || next == 3 * rows);
		json_decref(a);
	} while (next != 0 && pages < 3);
	assert_int_equal(pages, 3);
	a = http(200, "GET", "/v1/traffic?limit=10&after=299997", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 1);
	assert_true(json_is_null(json_object_get(a, "next")));
	json_decref(a);
	a = http(200, "GET", "/v1/traffic?since=9000000000", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 0);
	assert_true(json_is_null(json_object_get(a, "next")));
	json_decref(a);
	str_release(&path);
}

/* By the kernel's word for the peer; the client says only why. */
static void
who_reloads(void **state)
{
	static const struct {
		const char *body, *by;
	} cases[] = {
		{ "", " by reload" },
		{ "{}", " by reload" },
		{ "{\"why\":\"\"}", " by reload" },
		{ "{\"why\":\"rollback to 3\"}", " by rollback to 3" },
		{ "{\"why\":\"a\\nb\\r\\u0001\\u007f\"}", " by a?b???" },
	};
	const struct passwd *me = getpwuid(geteuid());
	struct str who = STR_INIT, body = STR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		str_clear(&who);
		if (me != NULL)
			str_adds(&who, me->pw_name);
		else
			str_addf(&who, "uid %u", (unsigned)geteuid());
		str_adds(&who, cases[i].by);
		json_decref(http(200, "POST", "/v1/reload", cases[i].body));
		assert_string_equal(core.who, who.data);
	}
	/* Cut, and not within a character. */
	str_adds(&body, "{\"why\":\"a");
	for (int i = 0; i < 1000; i++)
		str_adds(&body, "\xe8\xbf\xbd");
	str_adds(&body, "\"}");
	json_decref(http(200, "POST", "/v1/reload", body.data));
	assert_true(strlen(strstr(core.who, " by ") + 4) == 199);
	str_release(&who);
	str_release(&body);
}

static void
pauses(void **state)
{
	static const struct {
		const char *path, *body, *stopped;
	} cases[] = {
		{ "/v1/pause", "{\"path\":\"mta\"}", "path mta 0 ''" },
		{ "/v1/pause",
		    "{\"source\":\"tokyo1\",\"seconds\":60,"
		    "\"why\":\"a\\nb\"}",
		    "source tokyo1 60000 'a?b'" },
		{ "/v1/pause", "{\"group\":\"AnyBody.JP\"}",
		    "group anybody.jp 0 ''" },
		{ "/v1/drain", "{\"source\":\"tokyo2\",\"why\":\"new\"}",
		    "drain tokyo2 0 'new'" },
		{ "/v1/resume", "{\"path\":\"gone\"}", "-path gone" },
		{ "/v1/pause",
		    "{\"kind\":\"mail\",\"name\":\"sender=A.jp path=mta\"}",
		    "mail path=mta sender=a.jp 0 ''" },
		{ "/v1/pause", "{\"mail\":\"user=x\",\"seconds\":2}",
		    "mail user=x 2000 ''" },
		{ "/v1/resume", "{\"mail\":\"sender=A.JP\"}",
		    "-mail sender=a.jp" },
		{ "/v1/resume", "{\"kind\":\"path\",\"name\":\"gone\"}",
		    "-path gone" },
		{ "/v1/warm-up", "{\"source\":\"alone\",\"warm\":true}",
		    "alone '' 1" },
		{ "/v1/warm-up",
		    "{\"source\":\"alone\",\"warm\":false,\"group\":\"au\"}",
		    "alone 'au' 0" },
	};
	json_t *a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		core.stopped[0] = '\0';
		json_decref(http(200, "POST", cases[i].path, cases[i].body));
		assert_string_equal(core.stopped, cases[i].stopped);
	}
	/* Both, and either. */
	core.stopped[0] = '\0';
	core.drained = core.paused = "tokyo1";
	json_decref(http(200, "POST", "/v1/resume", "{\"source\":\"tokyo1\"}"));
	assert_string_equal(core.stopped, "-source tokyo1-drain tokyo1");
	core.stopped[0] = '\0';
	core.paused = NULL;
	json_decref(http(200, "POST", "/v1/resume", "{\"source\":\"tokyo1\"}"));
	assert_string_equal(core.stopped, "-drain tokyo1");
	/* The other one is drained already. */
	a = http(409, "POST", "/v1/drain", "{\"source\":\"tokyo2\"}");
	assert_string_equal(text(a, "error"),
	    "pool 'p' has no other source to "
	    "take its mail: pause it instead");
	json_decref(a);
	core.unkept = true;
	a = http(500, "POST", "/v1/pause", "{\"path\":\"mta\"}");
	assert_string_equal(text(a, "error"),
	    "in force, but forgotten at the next start: no space");
	json_decref(a);
	a = http(400, "POST", "/v1/pause", "{\"path\":\"mtb\"}");
	assert_string_equal(text(a, "error"), "there is no path 'mtb' but mta");
	json_decref(a);
	a = http(400, "POST", "/v1/drain", "{\"source\":\"x\"}");
	assert_string_equal(text(a, "error"),
	    "there is no source 'x' but tokyo1, tokyo2, alone");
	json_decref(a);
	a = http(404, "POST", "/v1/resume", "{\"group\":\"open\"}");
	assert_string_equal(text(a, "error"), "group 'open' is not paused");
	json_decref(a);
	a = http(200, "GET", "/v1/pauses", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 2);
	assert_string_equal(
	    text(json_array_get(json_object_get(a, "rows"), 0), "why"), "b?");
	json_decref(a);
}

static void
nodes(void **state)
{
	static const char *const health[] = { "ok", "draining", "lost",
		"trouble" };
	json_t *a, *rows, *row;

	(void)state;
	a = http(200, "GET", "/v1/nodes", "");
	rows = json_object_get(a, "rows");
	assert_string_equal(text(a, "this"), "a");
	assert_int_equal(json_array_size(rows), 1);
	row = json_object_get(json_array_get(rows, 0), "sources");
	assert_int_equal(json_array_size(row), 2);
	assert_string_equal(json_string_value(json_array_get(row, 1)), "tokyo2");
	json_decref(a);
	core.shared = true;
	a = http(200, "GET", "/v1/nodes", "");
	rows = json_object_get(a, "rows");
	assert_int_equal(json_array_size(rows), 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(
		    text(json_array_get(rows, i), "health"), health[i]);
	assert_int_equal(json_integer_value(json_object_get(
			     json_array_get(rows, 1), "lag")), 1234);
	json_decref(a);

	core.stopped[0] = '\0';
	json_decref(http(200, "POST", "/v1/nodes/b%20c/drain", "{}"));
	assert_string_equal(core.stopped, "b c");
	json_decref(
	    http(200, "POST", "/v1/nodes/b%20c/drain", "{\"undo\":true}"));
	assert_string_equal(core.stopped, "-b c");
	json_decref(http(404, "POST", "/v1/nodes/d/drain", "{}"));
	core.stopped[0] = '\0';
	json_decref(http(400, "POST", "/v1/nodes/d/drain", "{\"x\":1}"));
	json_decref(http(400, "POST", "/v1/nodes/d/drain", "{\"undo\":1}"));
	json_decref(http(404, "POST", "/v1/nodes/d", "{}"));
	json_decref(http(404, "POST", "/v1/nodes/d%0a/drain", "{}"));
	assert_string_equal(core.stopped, "");
}

static void
guard(void **state)
{
	json_t *a, *rows, *row;

	(void)state;
	a = http(200, "GET", "/v1/guard", "");
	assert_true(json_is_boolean(json_object_get(a, "enforce")));
	rows = json_object_get(a, "rows");
	assert_int_equal(json_array_size(rows), 2);
	row = json_array_get(rows, 0);
	assert_string_equal(text(row, "level"), "pause");
	assert_string_equal(text(row, "kind"), "unknown");
	assert_string_equal(text(row, "evidence"), "b?");
	assert_string_equal(
	    text(json_object_get(row, "scope"), "sender"), "a.jp");
	assert_true(json_is_null(json_object_get(row, "left")));
	row = json_array_get(rows, 1);
	assert_true(json_is_null(json_object_get(row, "rate")));
	assert_int_equal(json_integer_value(json_object_get(row, "left")), 7);
	row = json_array_get(json_object_get(a, "budget"), 0);
	assert_string_equal(text(row, "text_ja"), "あと49件");
	json_decref(a);
	a = http(200, "GET", "/v1/guard?all=0", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 1);
	json_decref(a);
	core.of_mail = PAUSE_MAIL_MAX;
	json_decref(http(409, "POST", "/v1/pause", "{\"mail\":\"user=x\"}"));
	core.of_mail = 0;
}

static void
doctor(void **state)
{
	json_t *a, *rows, *row;

	(void)state;
	a = http(200, "GET", "/v1/doctor", "");
	rows = json_object_get(a, "rows");
	assert_int_equal(json_array_size(rows), 3);
	row = json_array_get(rows, 0);
	assert_string_equal(text(row, "level"), "bad");
	assert_string_equal(text(row, "check"), "ptr");
	assert_string_equal(text(row, "subject"), "tokyo1 (127.0.20.1)");
	assert_string_equal(text(row, "what"), "no name");
	assert_string_equal(text(row, "why"), "w");
	assert_string_equal(text(row, "mend"), "a\nb");
	assert_string_equal(text(row, "at"), "1970-01-01T00:00:01.000Z");
	assert_true(json_is_true(json_object_get(row, "closes")));
	assert_int_equal(json_array_size(json_object_get(row, "carriers")), 3);
	row = json_array_get(rows, 1);
	assert_string_equal(text(row, "what"), "b?");
	assert_true(json_is_false(json_object_get(row, "closes")));
	assert_string_equal(json_string_value(json_array_get(
				json_object_get(row, "carriers"), 0)),
	    "au");
	json_decref(a);
	a = http(200, "GET", "/v1/doctor?level=good&limit=2", "");
	rows = json_object_get(a, "rows");
	assert_int_equal(json_array_size(rows), 1);
	assert_string_equal(text(json_array_get(rows, 0), "check"), "from-dns");
	json_decref(a);
	a = http(200, "GET", "/v1/doctor?limit=2", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 2);
	json_decref(a);
	json_decref(http(400, "GET", "/v1/doctor?limit=0", ""));
	json_decref(http(400, "GET", "/v1/doctor?level=worse", ""));
	json_decref(http(405, "POST", "/v1/doctor", ""));
	core.checks = 0;
	json_decref(http(200, "POST", "/v1/doctor/check", ""));
	assert_int_equal(core.checks, 1);
}

static void
sources(void **state)
{
	json_t *a, *row;

	(void)state;
	core.drained = "tokyo2";
	core.paused = "alone";
	a = http(200, "GET", "/v1/sources", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 3);
	row = json_array_get(json_object_get(a, "rows"), 0);
	assert_string_equal(text(row, "source"), "tokyo1");
	assert_string_equal(text(row, "hostname"), "x.a.jp");
	assert_string_equal(text(row, "address"), "127.0.20.1");
	assert_string_equal(text(row, "public"), "127.0.20.1");
	assert_string_equal(text(row, "state"), "open");
	assert_int_equal(number(row, "waiting"), 3);
	row = json_array_get(json_object_get(row, "warm_up"), 0);
	assert_string_equal(text(row, "plan"), "slow");
	assert_int_equal(number(row, "sent"), 7);
	assert_string_equal(text(row, "again"), "1970-01-01T00:00:01.000Z");
	row = json_array_get(json_object_get(a, "rows"), 1);
	assert_string_equal(text(row, "public"), "203.0.113.9");
	assert_string_equal(text(row, "state"), "drained");
	assert_int_equal(number(row, "weight"), 3);
	assert_int_equal(number(row, "waiting"), 0);
	row = json_array_get(json_object_get(a, "rows"), 2);
	assert_string_equal(text(row, "state"), "paused");
	assert_string_equal(text(row, "why"), "source paused by root");
	assert_int_equal(json_array_size(json_object_get(row, "warm_up")), 0);
	json_decref(a);
}

static void
tls(void **state)
{
	json_t *a, *row;

	(void)state;
	a = http(200, "GET", "/v1/tls", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 0);
	json_decref(a);
	tls_results_count(
	    core.tls, "docomo.ne.jp", TLS_POLICY_STS, 0, 86400000);
	a = http(200, "GET", "/v1/tls", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 1);
	row = json_array_get(json_object_get(a, "rows"), 0);
	assert_string_equal(text(row, "domain"), "docomo.ne.jp");
	json_decref(a);
}

static void
ses(void **state)
{
	json_t *a, *path, *sending;

	(void)state;
	a = http(200, "GET", "/v1/ses", "");
	path = json_array_get(json_object_get(a, "paths"), 0);
	sending = json_object_get(path, "sending");
	assert_string_equal(text(sending, "closed"), "SHUTDOWN");
	assert_int_equal(
	    json_integer_value(json_object_get(sending, "used")), 7);
	assert_true(json_is_null(json_object_get(sending, "quota")));
	path = json_array_get(json_object_get(a, "paths"), 1);
	sending = json_object_get(path, "sending");
	assert_string_equal(text(sending, "closed"), "535 credentials");
	json_decref(a);
	a = http(200, "POST", "/v1/ses/suppression/add",
	    "{\"address\": \"a@b\", \"path\": \"ses\"}");
	assert_string_equal(text(a, "what"), "suppression add");
	assert_string_equal(text(json_object_get(a, "args"), "address"), "a@b");
	assert_string_not_equal(text(json_object_get(a, "args"), "who"), "");
	json_decref(a);
	a = http(
	    404, "POST", "/v1/ses/suppression/show", "{\"address\": \"no@b\"}");
	assert_string_equal(text(a, "error"), "not on the list");
	json_decref(a);
	json_decref(http(404, "POST", "/v1/ses/suppression/burn", "{}"));
	json_decref(http(404, "POST", "/v1/ses/", "{}"));
	a = http(200, "POST", "/v1/ses/send-test", "{\"from\": \"a@b.jp\"}");
	assert_string_equal(text(a, "id"), "0000000000005");
	assert_int_equal(
	    json_array_size(json_object_get(a, "rows")), SES_TESTS);
	json_decref(a);
	json_decref(
	    http(400, "POST", "/v1/ses/send-test", "{\"from\": \"x\"}"));
	json_decref(http(400, "POST", "/v1/ses/send-test", "{}"));
}

static void
dead_letters(void **state)
{
	json_t *a, *row;

	(void)state;
	a = http(200, "GET", "/v1/ses/letters?after=6&limit=5", "");
	row = json_array_get(json_object_get(a, "rows"), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "seq")), 7);
	assert_string_equal(text(row, "body"), "?{}");
	json_decref(a);
	json_decref(http(400, "GET", "/v1/ses/letters?limit=0", ""));
	json_decref(http(400, "GET", "/v1/ses/letters?after=x", ""));
	a = http(200, "POST", "/v1/ses/letters/remove", "{\"seq\": 0}");
	assert_int_equal(json_integer_value(json_object_get(a, "removed")), 3);
	json_decref(a);
	json_decref(
	    http(400, "POST", "/v1/ses/letters/remove", "{\"seq\": -1}"));
	json_decref(http(400, "POST", "/v1/ses/letters/remove", "{}"));
}

static void
suppression_is_shown(void **state)
{
	json_t *a, *row;

	(void)state;
	a = http(200, "GET",
	    "/v1/suppression?scope=all&cause=userunknown&path=mta&source=smtp"
	    "&who=oiwake&since=1970-01-01T00:00:01Z&until=1970-01-01T00:00:02Z"
	    "&address=%22A..b%22@X.jp&expired=1&after=mta%20b@x.jp",
	    "");
	assert_string_equal(suppressed,
	    "scope=all address=a..b@x.jp cause=userunknown path=mta "
	    "source=smtp who=oiwake 1000-2000 expired after mta,b@x.jp");
	row = json_array_get(json_object_get(a, "rows"), 0);
	assert_string_equal(text(row, "address"), "\"a b\"@x.jp");
	assert_string_equal(text(row, "scope"), "all");
	assert_string_equal(text(row, "evidence"), "550 ?");
	assert_string_equal(text(row, "expires"), "1970-01-01T00:00:02.000Z");
	assert_null(json_object_get(row, "soft"));
	row = json_array_get(json_object_get(a, "rows"), 1);
	assert_string_equal(text(row, "scope"), "mta");
	assert_true(json_is_null(json_object_get(row, "expires")));
	assert_true(json_is_true(json_object_get(row, "soft")));
	assert_null(json_object_get(a, "next"));
	json_decref(a);
	a = http(200, "GET", "/v1/suppression?limit=1&address=@X.jp", "");
	assert_string_equal(text(a, "next"), " a b@x.jp");
	assert_string_equal(suppressed,
	    "scope=any address=@x.jp cause= path= source= who= 0-0 after ,");
	json_decref(a);
	json_decref(
	    http(200, "GET", "/v1/suppression/show?address=B@x.jp", ""));
	assert_string_equal(suppressed,
	    "scope=any address=b@x.jp cause= path= source= who= 0-0 expired "
	    "after ,");
	json_decref(http(400, "GET", "/v1/suppression/show", ""));
	json_decref(http(400, "GET", "/v1/suppression/show?address=x", ""));
	json_decref(http(400, "GET", "/v1/suppression?limit=0", ""));
	json_decref(http(400, "GET", "/v1/suppression?since=soon", ""));
	json_decref(http(400, "GET", "/v1/suppression?address=x", ""));
}

static void
suppression_is_changed(void **state)
{
	static const struct {
		int status;
		const char *verb, *body, *want; /* of the store; NULL: nothing */
	} cases[] = {
		{ 200, "add", "{\"addresses\":[\"A@x.jp\",\"\\\"b c\\\"@x.jp\"]}",
		    "|a@x.jp|manual|cli|||\n|b c@x.jp|manual|cli|||\n" },
		{ 200, "add",
		    "{\"addresses\":[\"a@x.jp\"],\"scope\":\"mta\","
		    "\"cause\":\"complaint\",\"why\":\"asked\",\"expires\":60}",
		    "mta|a@x.jp|complaint|cli|asked|ends|\n" },
		{ 400, "add", "{\"addresses\":[\"a@x.jp\",\"b\"]}", NULL },
		{ 400, "add", "{\"addresses\":[1]}", NULL },
		{ 400, "add", "{\"addresses\":[]}", NULL },
		{ 400, "add", "{}", NULL },
		{ 400, "add",
		    "{\"addresses\":[\"a@x.jp\"],\"cause\":\"filtered\"}", NULL },
		{ 400, "add",
		    "{\"addresses\":[\"a@x.jp\"],\"cause\":\"nonsense\"}", NULL },
		{ 400, "add",
		    "{\"addresses\":[\"a@x.jp\"],\"scope\":\"nowhere\"}", NULL },
		{ 400, "add", "{\"addresses\":[\"a@x.jp\"],\"expires\":0}",
		    NULL },
		{ 400, "add", "{\"addresses\":[\"a@x.jp\"],\"why\":7}", NULL },
		{ 200, "import",
		    "{\"rows\":[{\"address\":\"a@x.jp\",\"cause\":"
		    "\"mailboxfull\",\"soft\":true,\"source\":\"dsn\","
		    "\"expires\":\"2030-01-01T00:00:00Z\",\"evidence\":\"552\"}]}",
		    "|a@x.jp|mailboxfull|dsn|552|ends|soft\n" },
		{ 200, "import",
		    "{\"rows\":[{\"address\":\"a@x.jp\"},{\"address\":\"b\"}]}",
		    NULL },
		{ 200, "import",
		    "{\"skip_bad\":true,\"rows\":[{\"address\":\"a@x.jp\"},"
		    "{\"address\":\"b\"},{},7]}",
		    "|a@x.jp|manual|import|||\n" },
		{ 200, "import",
		    "{\"dry_run\":true,\"rows\":[{\"address\":\"a@x.jp\"}]}",
		    NULL },
		{ 400, "import", "{\"rows\":7}", NULL },
		{ 200, "remove", "{\"addresses\":[\"A@x.jp\"]}",
		    "scope=any address=a@x.jp cause= path= source= who= 0-0 "
		    "expired" },
		{ 200, "remove",
		    "{\"addresses\":[\"A@x.jp\"],\"scope\":\"all\"}",
		    "scope=all address=a@x.jp cause= path= source= who= 0-0 "
		    "expired" },
		{ 200, "remove",
		    "{\"filter\":{\"cause\":\"userunknown\",\"scope\":\"mta\"}}",
		    "scope=mta address= cause=userunknown path= source= who= "
		    "0-0" },
		{ 400, "remove", "{}", NULL },
		{ 400, "remove", "{\"filter\":{}}", NULL },
		{ 400, "remove", "{\"filter\":{\"couse\":\"x\"}}", NULL },
		{ 400, "remove", "{\"filter\":{\"cause\":7}}", NULL },
		{ 400, "remove", "{\"filter\":{\"since\":\"x\"}}", NULL },
		{ 400, "remove",
		    "{\"filter\":{\"cause\":\"x\"},\"addresses\":[\"a@x.jp\"]}",
		    NULL },
		{ 400, "remove", "{\"addresses\":[\"a\"]}", NULL },
		{ 400, "remove", "{\"addresses\":[7]}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str path = STR_INIT;

		suppressed[0] = '\0';
		str_addf(&path, "/v1/suppression/%s", cases[i].verb);
		json_decref(
		    http(cases[i].status, "POST", path.data, cases[i].body));
		if (strcmp(suppressed,
			cases[i].want != NULL ? cases[i].want : "") != 0)
			fail_msg("%s: '%s'", cases[i].body, suppressed);
		str_release(&path);
	}
}

static void
what_would_be_removed_is_counted(void **state)
{
	json_t *a;

	(void)state;
	a = http(200, "POST", "/v1/suppression/remove",
	    "{\"filter\":{\"cause\":\"x\"},\"dry_run\":true}");
	assert_int_equal(
	    json_integer_value(json_object_get(a, "would_remove")), 2);
	json_decref(a);
	a = http(200, "POST", "/v1/suppression/remove",
	    "{\"addresses\":[\"a@x.jp\",\"b@x.jp\"]}");
	assert_int_equal(json_integer_value(json_object_get(a, "removed")), 4);
	json_decref(a);
	a = http(200, "POST", "/v1/suppression/import",
	    "{\"rows\":[{\"address\":\"a@x.jp\"},{\"address\":\"b\"}]}");
	assert_int_equal(json_integer_value(json_object_get(a, "imported")), 0);
	assert_int_equal(
	    json_integer_value(json_object_get(
		json_array_get(json_object_get(a, "bad"), 0), "row")),
	    2);
	json_decref(a);
}

static void
refusals(void **state)
{
	static const struct {
		int status;
		const char *method, *path, *body;
	} cases[] = {
		{ 404, "GET", "/", "" },
		{ 404, "GET", "/v1/queue/", "" },
		{ 404, "GET", "/v1/queue/0000000000006", "" },
		{ 405, "POST", "/v1/stats", "" },
		{ 405, "GET", "/v1/reload", "" },
		{ 405, "PUT", "/v1/status", "" },
		{ 405, "DELETE", "/v1/queue", "" },
		{ 400, "GET", "/v1/stats?by=path,foo", "" },
		{ 400, "GET", "/v1/stats?window=yesterday", "" },
		{ 400, "GET", "/v1/stats?window=last:", "" },
		{ 400, "GET", "/v1/series?window=all", "" },
		{ 400, "GET", "/v1/series?step=week", "" },
		{ 400, "GET", "/v1/series?window=3d&step=minute", "" },
		{ 400, "GET", "/v1/series?window=11d&step=hour", "" },
		{ 400, "GET", "/v1/series?window=3650d", "" },
		{ 400, "GET", "/v1/series?limit=0", "" },
		{ 400, "GET", "/v1/series?limit=101", "" },
		{ 400, "GET", "/v1/reasons?limit=10001", "" },
		{ 400, "GET", "/v1/reasons?by=", "" },
		{ 400, "GET", "/v1/compare?window=x", "" },
		{ 405, "POST", "/v1/compare", "{}" },
		{ 400, "GET", "/v1/queue?limit=0", "" },
		{ 400, "GET", "/v1/queue?limit=10001", "" },
		{ 400, "GET", "/v1/queue?limit=-1", "" },
		{ 400, "GET", "/v1/queue/..%2f", "" },
		{ 400, "GET", "/v1/queue/0000000000005.x", "" },
		{ 400, "POST", "/v1/queue/retry", "" },
		{ 400, "POST", "/v1/queue/retry", "{}" },
		{ 400, "POST", "/v1/queue/retry", "[]" },
		{ 400, "POST", "/v1/queue/retry", "{\"to\":1}" },
		{ 400, "POST", "/v1/queue/retry", "{\"to\":\"\"}" },
		{ 400, "POST", "/v1/queue/retry", "{\"foo\":\"a\"}" },
		{ 400, "POST", "/v1/queue/delete", "{\"all\":false}" },
		{ 404, "GET", "/v1/rules/3", "" },
		{ 404, "GET", "/v1/rules/9223372036854775807", "" },
		{ 400, "GET", "/v1/rules/9223372036854775808", "" },
		{ 400, "GET", "/v1/rules/0", "" },
		{ 400, "GET", "/v1/rules/-1", "" },
		{ 400, "GET", "/v1/rules/1x", "" },
		{ 400, "GET", "/v1/rules/1%00", "" },
		{ 400, "GET", "/v1/rules/running/", "" },
		{ 400, "GET", "/v1/rules?limit=0", "" },
		{ 400, "GET", "/v1/rules?limit=x", "" },
		{ 405, "POST", "/v1/rules/1", "{}" },
		{ 400, "GET", "/v1/traffic?limit=0", "" },
		{ 400, "GET", "/v1/traffic?limit=10001", "" },
		{ 400, "GET", "/v1/traffic?since=-1", "" },
		{ 400, "GET", "/v1/traffic?after=a", "" },
		{ 400, "GET", "/v1/traffic?since=99999999999999999999", "" },
		{ 400, "POST", "/v1/reload", "{\"why\":1}" },
		{ 400, "POST", "/v1/reload", "{\"who\":\"me\"}" },
		{ 400, "POST", "/v1/reload", "{\"why\":\"a\\u0000b\"}" },
		{ 400, "POST", "/v1/reload", "[]" },
		{ 400, "POST", "/v1/pause", "" },
		{ 400, "POST", "/v1/pause", "{\"drain\":\"tokyo1\"}" },
		{ 400, "POST", "/v1/pause", "{\"path\":1}" },
		{ 400, "POST", "/v1/pause", "{\"group\":\"\"}" },
		{ 400, "POST", "/v1/pause", "{\"group\":\"a\\nb\"}" },
		{ 400, "POST", "/v1/pause",
		    "{\"path\":\"mta\",\"group\":\"a\"}" },
		{ 400, "POST", "/v1/pause",
		    "{\"path\":\"mta\",\"seconds\":0}" },
		{ 400, "POST", "/v1/pause",
		    "{\"path\":\"mta\",\"seconds\":31622401}" },
		{ 400, "POST", "/v1/pause", "{\"path\":\"mta\",\"x\":1}" },
		{ 400, "POST", "/v1/pause", "{\"mail\":\"colour=red\"}" },
		{ 400, "POST", "/v1/pause", "{\"mail\":\"path=mtb\"}" },
		{ 400, "POST", "/v1/pause",
		    "{\"kind\":\"mail\",\"mail\":\"path=mta\"}" },
		{ 400, "POST", "/v1/pause",
		    "{\"kind\":\"drain\",\"name\":\"tokyo1\"}" },
		{ 400, "POST", "/v1/pause",
		    "{\"path\":\"mta\",\"until\":\"soon\"}" },
		{ 400, "POST", "/v1/pause",
		    "{\"path\":\"mta\",\"until\":"
		    "\"2020-01-01T00:00:00Z\"}" },
		{ 400, "POST", "/v1/pause",
		    "{\"path\":\"mta\",\"seconds\":1,\"until\":"
		    "\"2030-01-01T00:00:00Z\"}" },
		{ 400, "POST", "/v1/pause", "{\"path\":\"mta\",\"why\":1}" },
		{ 400, "POST", "/v1/drain", "{\"path\":\"mta\"}" },
		{ 409, "POST", "/v1/drain", "{\"source\":\"alone\"}" },
		{ 400, "POST", "/v1/resume",
		    "{\"path\":\"mta\",\"why\":\"\"}" },
		{ 404, "POST", "/v1/resume", "{\"source\":\"tokyo1\"}" },
		{ 405, "GET", "/v1/pause", "" },
		{ 400, "POST", "/v1/warm-up", "{\"source\":\"alone\"}" },
		{ 400, "POST", "/v1/warm-up",
		    "{\"source\":\"nobody\",\"warm\":true}" },
		{ 400, "POST", "/v1/warm-up",
		    "{\"source\":\"alone\",\"warm\":1}" },
		{ 400, "POST", "/v1/warm-up",
		    "{\"source\":\"alone\",\"warm\":true,\"group\":1}" },
		{ 400, "POST", "/v1/queue/delete",
		    "{\"all\":true,\"to\":\"a@b.jp\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *a = http(cases[i].status, cases[i].method,
		    cases[i].path, cases[i].body);

		assert_true(*text(a, "error") != '\0');
		json_decref(a);
	}
}

static void
too_large(void **state)
{
	char *long_text = xmalloc(100001);
	struct exchange x = { .answer = STR_INIT };
	struct str request = STR_INIT;

	(void)state;
	memset(long_text, 'a', 100000);
	long_text[100000] = '\0';
	json_decref(http(413, "POST", "/v1/reload", long_text));
	str_addf(
	    &request, "GET /v1/status HTTP/1.1\r\nX: %s\r\n\r\n", long_text);
	x.request = request.data;
	run_client(client, &x);
	assert_int_not_equal(x.status, 200);
	str_release(&x.answer);
	str_release(&request);
	free(long_text);
}

/* Asks, and goes away while the store is at it. */
static void *
impatient(void *arg)
{
	static const char request[] =
	    "GET /v1/queue HTTP/1.1\r\nHost: oiwake\r\n\r\n";
	int fd = client_connect();

	(void)arg;
	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		abort();
	while (__atomic_load_n(&core.held, __ATOMIC_ACQUIRE) == NULL)
		usleep(1000);
	close(fd);
	client_ended();
	return NULL;
}

static void
client_leaves(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		core.hold = true;
		core.held = NULL;
		run_client(impatient, NULL);
		core.hold = false;
		/* Sometimes the loop notices first, sometimes the answer. */
		if (i % 2 == 0)
			event_base_loop(core.base, EVLOOP_NONBLOCK);
		query_start(core.held);
		/* Its answer comes back to nobody; the next is served. */
		json_decref(http(200, "GET", "/v1/status", ""));
	}
}

static void
server_leaves(void **state)
{
	struct admin *admin = *state;
	struct err e = ERR_INIT;

	core.hold = true;
	core.held = NULL;
	run_client(impatient, NULL);
	admin_free(&admin);
	query_start(core.held);
	core.hold = false;
	*state = admin = admin_new(core.base, &core, SOCKET, &e);
	assert_non_null(admin);
	json_decref(http(200, "GET", "/v1/status", ""));
}

static void
one_at_a_socket(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "stale" };
	struct err e = ERR_INIT;
	struct admin *second;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(stat(SOCKET, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_null(admin_new(core.base, &core, SOCKET, &e));
	assert_string_equal(e.text, "another daemon answers at 'sock'");
	assert_null(admin_new(core.base, &core, "t.conf", &e));
	assert_string_equal(e.text, "not a socket: 't.conf'");
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	second = admin_new(core.base, &core, "stale", &e);
	assert_non_null(second);
	admin_free(&second);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, serve, unserve)
	const struct CMUnitTest tests[] = {
		TEST(answers),
		TEST(counts_of_windows),
		TEST(series_and_reasons),
		TEST(two_paths_compared),
		TEST(edits_and_reload),
		TEST(holds),
		TEST(routes_have_roles),
		TEST(rules),
		TEST(large_rules),
		TEST(few_large_answers),
		TEST(traffic),
		TEST(who_reloads),
		TEST(pauses),
		TEST(nodes),
		TEST(guard),
		TEST(doctor),
		TEST(sources),
		TEST(tls),
		TEST(ses),
		TEST(dead_letters),
		TEST(suppression_is_shown),
		TEST(suppression_is_changed),
		TEST(what_would_be_removed_is_counted),
		TEST(refusals),
		TEST(too_large),
		TEST(client_leaves),
		TEST(server_leaves),
		TEST(one_at_a_socket),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
