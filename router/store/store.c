/*
 * store.c - opens and closes the store, and takes requests in.
 *
 * Three threads: the committer (commit.c) owns the engine, the spooler
 * (spool.c) syncs and removes the files of large bodies, the reader answers
 * queries by a connection of its own.
 */
#include "router/store/sql_int.h"

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
	struct sql *sql = sql_of_reader(s->reader);

	store_end_loading(s);
	sql->unread = false;
	s->ops->reader_begin(s->reader);
	q->run(q, s->reader);
	s->ops->reader_end(s->reader);
	q->incomplete = sql->unread;
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

size_t
store_read_tallies(struct store_reader *r, const struct tally_filter *f,
    void (*each)(void *, const struct tally_row *), void *arg)
{
	return sql_read_tallies(r, f, clock_wall(), each, arg);
}

size_t
store_sum_tallies(struct store_reader *r, const struct tally_filter *f,
    struct tally *(*into)(void *, const struct tally_key *), void *arg)
{
	return sql_sum_tallies(r, f, clock_wall(), into, arg);
}

size_t
store_read_kept(struct store_reader *r, const char *kind, const char *key,
    void (*each)(void *, const struct kept *), void *arg)
{
	return sql_read_kept(r, kind, key, clock_wall(), each, arg);
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

void
store_feedback(struct store *s, struct store_feedback *r)
{
	submit(s, &r->req, STORE_FEEDBACK);
}

void
store_remove_letters(struct store *s, struct store_letters *r)
{
	submit(s, &r->req, STORE_LETTERS);
}

void
store_suppress(struct store *s, struct store_suppress *r)
{
	submit(s, &r->req, STORE_SUPPRESS);
}

void
store_unsuppress(struct store *s, struct store_unsuppress *r)
{
	r->changed = 0;
	r->progress = xcalloc(1, sizeof(*r->progress));
	submit(s, &r->req, STORE_UNSUPPRESS);
}

void
store_drain(struct store *s, struct store_drain *r)
{
	submit(s, &r->req, STORE_DRAIN);
}

void
store_share(struct store *s, struct store_share *r)
{
	submit(s, &r->req, STORE_SHARE);
}

/* By the reader's connection: the committer has begun to remove what is old. */
void
store_each_shelf(
    struct store *s, void (*each)(void *, unsigned, int64_t), void *arg)
{
	store_begin_reading(s);
	sql_each_shelf(s->reader, each, arg);
	store_end_reading(s);
}

void
store_each_kept(struct store *s, const char *kind,
    void (*each)(void *, const struct kept *), void *arg)
{
	store_begin_reading(s);
	sql_read_kept(s->reader, kind, NULL, clock_wall(), each, arg);
	store_end_reading(s);
}

bool
store_is_low(struct store *s)
{
	return space_is_low(&s->space);
}

struct store_asked
store_asked(const struct store *s)
{
	struct store_asked a = { 0 };

	if (s->ops->asked != NULL)
		s->ops->asked(s->engine, s->reader, &a);
	return a;
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
int
store_lock(const char *directory, struct err *e)
{
	char *path = path_in(directory, "lock");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		err_sys(e, "cannot open '%s'", path);
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			err_set(e, "store '%s' is locked by another process",
			    directory);
		else
			err_sys(e, "cannot lock '%s'", path);
		close(fd);
		fd = -1;
	}
	free(path);
	return fd;
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

/* What the last process left in a directory of which it was the only one. */
static int
recover(struct store *s, struct store_recovery *recovery, struct err *e)
{
	return commit_recovery(s, recovery, e) != STORE_OK ||
		       spool_sweep(s, &recovery->orphans, e) < 0
		   ? -1
		   : 0;
}

static int
open_all(struct store *s, const struct store_config *config,
    struct store_recovery *recovery, struct err *e)
{
	bool alone = config->url == NULL;

	s->lock_fd = store_lock(s->directory, e);
	if (s->lock_fd < 0 || (alone && make_spool(s, e) < 0))
		return -1;
	s->engine = s->ops->open(config, e);
	if (s->engine == NULL)
		return -1;
	s->txn.counters.since = s->engine->counted_since;
	if ((alone ? recover(s, recovery, e)
		   : node_join(s, config, recovery, e)) < 0)
		return -1;
	s->reader = s->ops->reader_open(config, e);
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

	s->ops = config->url != NULL ? &pg_engine : &sqlite_engine;
	s->directory = xstrdup(config->directory);
	if (config->url == NULL)
		s->spool_directory = path_in(config->directory, "spool");
	s->event_keep = config->event_keep;
	s->trim_at = clock_mono();
	s->lock_fd = -1;
	STAILQ_INIT(&s->stuck);
	STAILQ_INIT(&s->doubt);
	str_init(&s->txn.dropped);
	counters_init(&s->txn.counters);
	/* Of a database elsewhere the space is not ours to keep. */
	space_init(&s->space, config->directory,
	    config->url != NULL ? 0 : config->reserve_bytes);
	pthread_mutex_init(&s->watching, NULL);
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
	if (s->node != NULL)
		node_leave(s);
	worker_close(&s->spooler);
	s->ops->reader_close(&s->reader);
	s->ops->close(&s->engine);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	space_release(&s->space);
	pthread_mutex_destroy(&s->watching);
	counters_release(&s->txn.counters);
	str_release(&s->txn.dropped);
	free(s->directory);
	free(s->spool_directory);
	free(s);
	*sp = NULL;
}
