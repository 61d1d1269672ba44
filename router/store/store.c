/*
 * store.c - opens and closes the store, and takes requests in.
 *
 * Three threads: the committer (commit.c) owns the engine, the spooler
 * (spool.c) syncs and removes the files of large bodies, the reader answers
 * queries by a connection of its own.
 */
#include "router/store/store_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- queries ------------------------------------------------------------- */

static void
query_done(struct task *t)
{
	struct store_query *q = container_of(t, struct store_query, task);

	q->done(q);
}

static void
answer_query(struct store *s, struct store_query *q)
{
	s->ops->reader_begin(s->reader);
	q->run(q, s->reader);
	s->ops->reader_end(s->reader);
	q->task.run = query_done;
	inbox_post(q->reply_to, &q->task);
}

static void *
read_main(void *arg)
{
	struct store *s = arg;
	struct task_list list = STAILQ_HEAD_INITIALIZER(list);
	struct task *t;

	while (worker_take(&s->reading, &list, 1, INT64_MAX))
		while ((t = STAILQ_FIRST(&list)) != NULL) {
			STAILQ_REMOVE_HEAD(&list, link);
			answer_query(
			    s, container_of(t, struct store_query, task));
		}
	return NULL;
}

void
store_query(struct store *s, struct store_query *q)
{
	worker_post(&s->reading, &q->task);
}

void
store_read_counters(struct store_reader *r,
    void (*each)(void *, const struct counter_row *), void *arg)
{
	r->ops->read_counters(r, each, arg);
}

size_t
store_read_queue(struct store_reader *r, const struct queue_filter *f,
    void (*each)(void *, const struct queue_row *), void *arg)
{
	return r->ops->read_queue(r, f, each, arg);
}

uint64_t
store_read_queue_size(struct store_reader *r)
{
	return r->ops->read_queue_size(r);
}

size_t
store_read_events(struct store_reader *r, int64_t message, int64_t after,
    size_t limit, void (*each)(void *, const struct event_row *), void *arg)
{
	return r->ops->read_events(r, message, after, limit, each, arg);
}

size_t
store_read_rulesets(struct store_reader *r, int64_t number, size_t limit,
    void (*each)(void *, const struct ruleset_row *), void *arg)
{
	return r->ops->read_rulesets(r, number, limit, each, arg);
}

size_t
store_read_ruleset_files(struct store_reader *r, int64_t number,
    void (*each)(void *, const struct rules_file *), void *arg)
{
	return r->ops->read_ruleset_files(r, number, each, arg);
}

size_t
store_read_traffic(struct store_reader *r, int64_t since, int64_t after,
    size_t limit, void (*each)(void *, const struct traffic_row *), void *arg)
{
	return r->ops->read_traffic(r, since, after, limit, each, arg);
}

size_t
store_read_kept(struct store_reader *r, const char *kind, const char *key,
    void (*each)(void *, const struct kept *), void *arg)
{
	return r->ops->read_kept(r, kind, key, clock_wall(), each, arg);
}

/* -- requests ------------------------------------------------------------ */

static void
submit(struct store *s, struct store_request *req, enum store_kind kind)
{
	req->kind = kind;
	req->status = STORE_OK;
	req->err = (struct err)ERR_INIT;
	req->task.run = NULL;
	worker_post(store_has_spooled_body(req) ? &s->spooler : &s->committer,
	    &req->task);
}

void
store_enqueue(struct store *s, struct store_enqueue *r)
{
	submit(s, &r->req, STORE_ENQUEUE);
}

void
store_begin(struct store *s, struct store_begin *r)
{
	r->body = NULL;
	submit(s, &r->req, STORE_BEGIN);
}

void
store_settle(struct store *s, struct store_settle *r)
{
	submit(s, &r->req, STORE_SETTLE);
}

void
store_lease(struct store *s, struct store_lease *r)
{
	TAILQ_INIT(&r->recipients);
	r->n = 0;
	submit(s, &r->req, STORE_LEASE);
}

void
store_queue_edit(struct store *s, struct store_queue_edit *r)
{
	r->changed = 0;
	r->at = (struct edit_progress){ .message = 0, .index = -1 };
	submit(s, &r->req, STORE_QUEUE_EDIT);
}

void
store_ruleset(struct store *s, struct store_ruleset *r)
{
	submit(s, &r->req, STORE_RULESET);
}

void
store_keep(struct store *s, struct store_keep *r)
{
	submit(s, &r->req, STORE_KEEP);
}

/* By the reader's connection: the committer has begun to remove what is old. */
void
store_each_shelf(
    struct store *s, void (*each)(void *, unsigned, int64_t), void *arg)
{
	s->ops->each_shelf(s->reader, each, arg);
}

void
store_each_kept(struct store *s, const char *kind,
    void (*each)(void *, const struct kept *), void *arg)
{
	s->ops->read_kept(s->reader, kind, NULL, clock_wall(), each, arg);
}

/* -- opening and closing ------------------------------------------------- */

const char *
store_spool_directory(const struct store *s)
{
	return s->spool_directory;
}

static char *
path_in(const char *directory, const char *name)
{
	struct str s = STR_INIT;

	str_addf(&s, "%s/%s", directory, name);
	return str_detach(&s);
}

static int
sync_directory(const char *directory, struct err *e)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return err_sys(e, "cannot open directory '%s'", directory);
	if (fsync(fd) < 0)
		ret = err_sys(e, "cannot sync directory '%s'", directory);
	close(fd);
	return ret;
}

/* The lock is the kernel's and goes with the process, however it ends. */
static int
take_lock(struct store *s, struct err *e)
{
	char *path = path_in(s->directory, "lock");
	int ret = 0;

	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		ret = err_sys(e, "cannot open '%s'", path);
	else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		ret =
		    errno == EWOULDBLOCK
			? err_set(e, "store '%s' is locked by another process",
			      s->directory)
			: err_sys(e, "cannot lock '%s'", path);
	free(path);
	return ret;
}

static int
make_spool(struct store *s, struct err *e)
{
	if (mkdir(s->spool_directory, 0700) < 0 && errno != EEXIST)
		return err_sys(
		    e, "cannot create directory '%s'", s->spool_directory);
	return 0;
}

static int
start_threads(struct store *s, struct err *e)
{
	if (worker_start(&s->spooler, spool_main, s, e) < 0 ||
	    worker_start(&s->reading, read_main, s, e) < 0)
		return -1;
	return worker_start(&s->committer, commit_main, s, e);
}

static int
open_all(struct store *s, const struct store_config *config,
    struct store_recovery *recovery, struct err *e)
{
	if (take_lock(s, e) < 0 || make_spool(s, e) < 0)
		return -1;
	s->engine = s->ops->open(config, e);
	if (s->engine == NULL || commit_recovery(s, recovery, e) != STORE_OK ||
	    spool_sweep(s, &recovery->orphans, e) < 0)
		return -1;
	s->reader = s->ops->reader_open(s->directory, e);
	if (s->reader == NULL || sync_directory(s->directory, e) < 0)
		return -1;
	space_restore_ballast(&s->space);
	return start_threads(s, e);
}

struct store *
store_open(const struct store_config *config, struct store_recovery *recovery,
    struct err *e)
{
	struct store *s = xcalloc(1, sizeof(*s));

	s->ops = &sqlite_engine;
	s->directory = xstrdup(config->directory);
	s->spool_directory = path_in(config->directory, "spool");
	s->event_keep = config->event_keep;
	s->trim_at = clock_mono();
	s->lock_fd = -1;
	STAILQ_INIT(&s->stuck);
	str_init(&s->txn.dropped);
	str_init(&s->txn.counters.key);
	space_init(&s->space, config->directory, config->reserve_bytes);
	worker_init(&s->committer);
	worker_init(&s->spooler);
	worker_init(&s->reading);
	*recovery = (struct store_recovery){ 0 };
	if (open_all(s, config, recovery, e) < 0)
		store_close(&s);
	return s;
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;

	if (s == NULL)
		return;
	/* In the order in which they hand work on; the spooler is last because
	 * the committer leaves files for it to remove, and no request is in it
	 * any more. */
	worker_close(&s->reading);
	worker_close(&s->committer);
	worker_close(&s->spooler);
	s->ops->reader_close(&s->reader);
	s->ops->close(&s->engine);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	space_release(&s->space);
	counters_release(&s->txn.counters);
	str_release(&s->txn.dropped);
	free(s->directory);
	free(s->spool_directory);
	free(s);
	*sp = NULL;
}
