/*
 * spool.c - the files of large bodies: on disk before their row, gone after it.
 *
 * The spooler syncs the body of a request before the request goes on to the
 * committer, so that the fsync of 40 MB holds up nobody else, and removes the
 * files that committed transactions left without a message. A file is synced
 * before its row is committed and removed after its row is gone; whatever a
 * crash leaves in between is a file without a row, and swept at the next start.
 */
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"
#include "router/body.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE 500 /* ms between attempts while there is no space */

bool
store_has_spooled_body(struct store_request *req)
{
	const struct settlement *s;

	if (req->kind == STORE_ENQUEUE)
		return body_is_spooled(
		    container_of(req, struct store_enqueue, req)
			->message->body);
	if (req->kind == STORE_SETTLE)
		STAILQ_FOREACH(s,
		    &container_of(req, struct store_settle, req)->settlements,
		    link)
	if (s->notice != NULL && body_is_spooled(s->notice->body))
		return true;
	return false;
}

static int
sync_bodies(struct store_request *req, struct err *e)
{
	const struct settlement *s;

	if (req->kind == STORE_ENQUEUE)
		return body_sync(
		    container_of(req, struct store_enqueue, req)->message->body,
		    e);
	STAILQ_FOREACH(
	    s, &container_of(req, struct store_settle, req)->settlements, link)
	if (s->notice != NULL && body_sync(s->notice->body, e) < 0)
		return -1;
	return 0;
}

/* What an errno of writing or syncing means for the store. */
static enum store_status
status_of(int code)
{
	static const int passing[] = { ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM };

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (code == passing[i])
			return STORE_FULL;
	return STORE_FAILED;
}

static void
answer_one(struct store_request *req, enum store_status st)
{
	struct task_list one = STAILQ_HEAD_INITIALIZER(one);

	req->status = st;
	STAILQ_INSERT_TAIL(&one, &req->task, link);
	store_answer(&one);
}

/* A settlement is kept for another attempt, everything else is told. */
static void
sync_request(struct store *s, struct store_request *req, struct task_list *keep)
{
	if (sync_bodies(req, &req->err) == 0) {
		worker_post(&s->committer, &req->task);
		return;
	}
	if (status_of(req->err.code) == STORE_FAILED) {
		store_fail(s, "spooling a body", &req->err);
		answer_one(req, STORE_FAILED);
		return;
	}
	space_give_up_ballast(&s->space);
	if (req->kind == STORE_SETTLE)
		STAILQ_INSERT_TAIL(keep, &req->task, link);
	else
		answer_one(req, STORE_FULL);
}

/* -- removal ------------------------------------------------------------- */

struct removal {
	struct task task;
	struct str paths; /* each with its NUL */
};

static void
remove_files(struct task *t)
{
	struct removal *r = container_of(t, struct removal, task);
	const char *p = r->paths.data, *end = p + r->paths.len;

	for (; p < end; p += strlen(p) + 1)
		if (unlink(p) < 0 && errno != ENOENT)
			log_text(LOG_WARN, "spool", "cannot remove '%s': %s", p,
			    strerror(errno));
	str_release(&r->paths);
	free(r);
}

void
spool_remove(struct store *s, const struct str *names)
{
	const char *p = names->data, *end = p + names->len;
	struct removal *r;

	if (names->len == 0)
		return;
	r = xcalloc(1, sizeof(*r));
	r->task.run = remove_files;
	str_init(&r->paths);
	for (; p < end; p += strlen(p) + 1) {
		str_addf(&r->paths, "%s/%s", s->spool_directory, p);
		str_add(&r->paths, "", 1);
	}
	worker_post(&s->spooler, &r->task);
}

/* -- the thread ---------------------------------------------------------- */

/* A task that can run by itself is a removal, the others are requests. */
static void
work_on(struct store *s, struct task_list *list)
{
	struct task_list keep = STAILQ_HEAD_INITIALIZER(keep);
	struct task *t;

	while ((t = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		if (t->run != NULL)
			t->run(t);
		else
			sync_request(s, request_of(t), &keep);
	}
	STAILQ_CONCAT(list, &keep);
}

void *
spool_main(void *arg)
{
	struct store *s = arg;
	struct task_list list = STAILQ_HEAD_INITIALIZER(list);
	int64_t until = INT64_MAX;

	while (worker_take(&s->spooler, &list, SIZE_MAX, until)) {
		work_on(s, &list);
		until = STAILQ_EMPTY(&list) ? INT64_MAX : clock_mono() + PAUSE;
	}
	while (!STAILQ_EMPTY(&list)) {
		struct store_request *req = request_of(STAILQ_FIRST(&list));

		STAILQ_REMOVE_HEAD(&list, link);
		answer_one(req, STORE_FULL);
	}
	return NULL;
}

/* -- at the start -------------------------------------------------------- */

static int
sweep_one(struct store *s, int dir, const char *name, uint64_t *removed,
    struct err *e)
{
	int known;

	if (name[0] == '.')
		return 0;
	known = sql_knows_spool(s->engine, name, e);
	if (known == 0) {
		if (unlinkat(dir, name, 0) < 0)
			return err_sys(e, "cannot remove orphan '%s/%s'",
			    s->spool_directory, name);
		++*removed;
	}
	return known < 0 ? -1 : 0;
}

int
spool_sweep(struct store *s, uint64_t *removed, struct err *e)
{
	DIR *d = opendir(s->spool_directory);
	struct dirent *entry;
	int ret = 0;

	if (d == NULL)
		return err_sys(
		    e, "cannot read directory '%s'", s->spool_directory);
	while (ret == 0 && (entry = readdir(d)) != NULL)
		ret = sweep_one(s, dirfd(d), entry->d_name, removed, e);
	closedir(d);
	return ret;
}
