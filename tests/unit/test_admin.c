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
#include "mta/base/str.h"
#include "router/config.h"
#include "router/core.h"
#include "router/http/admin.h"
#include "router/http/admin_int.h"
#include "mta/preflight/preflight.h"
#include "router/gate.h"
#include "router/pause.h"
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
	struct tls_results *tls;
	const char *drained, *paused; /* sources */
	unsigned checks;
	struct task kept_task;
	void (*kept)(void *);
	void *kept_arg;
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
		"drain" };

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
	core.unkept = false;
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
	tls_results_count(core.tls, "docomo.ne.jp", TLS_POLICY_STS, 0, 86400000);
	a = http(200, "GET", "/v1/tls", "");
	assert_int_equal(json_array_size(json_object_get(a, "rows")), 1);
	row = json_array_get(json_object_get(a, "rows"), 0);
	assert_string_equal(text(row, "domain"), "docomo.ne.jp");
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
	http(413, "POST", "/v1/reload", long_text);
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
		TEST(edits_and_reload),
		TEST(rules),
		TEST(large_rules),
		TEST(few_large_answers),
		TEST(traffic),
		TEST(who_reloads),
		TEST(pauses),
		TEST(doctor),
		TEST(sources),
		TEST(tls),
		TEST(refusals),
		TEST(too_large),
		TEST(client_leaves),
		TEST(server_leaves),
		TEST(one_at_a_socket),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
