/*
 * users.c - checks passwords on a thread of its own.
 *
 * yescrypt takes tens of milliseconds and megabytes on purpose. One thread does
 * it, so a crowd of guessers waits in a short line, or is told to come back,
 * and never slows the sessions. An unknown name is hashed against a dummy, so
 * that the time tells nothing about who exists.
 *
 * The table of users is also looked at by other threads (users_look), so that
 * it is under a lock, which is never held while something is hashed.
 */
#include "router/users.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "mta/base/str.h"
#include "router/users_int.h"

#define WAITING_MAX 64

struct users {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct task_list waiting; /* under lock, as are the next two */
	unsigned nwaiting;
	bool stopping;

	char *file;

	pthread_mutex_t table_lock; /* what follows is under it */
	struct stat seen;	    /* of the file as it was read */
	bool loaded, told;	    /* that it cannot be read */
	struct user_table table;

	char *dummy; /* of nobody's password; the checking thread's own */
};

static bool
is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_dev == b->st_dev &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The file as it is now; -1: nobody can be checked. */
static int
refresh(struct users *u)
{
	struct stat now;
	struct err e = ERR_INIT;

	memset(&now, 0, sizeof(now));
	if (stat(u->file, &now) == 0 && u->loaded &&
	    is_unchanged(&now, &u->seen))
		return 0;
	user_table_clear(&u->table);
	/* Stamped before it is read: a change in between is seen next time. */
	u->seen = now;
	u->loaded = user_table_read(&u->table, u->file, &e) == 0;
	if (!u->loaded && !u->told)
		log_text(LOG_ERROR, "users", "%s", e.text);
	u->told = !u->loaded; /* once: the console asks again and again */
	return u->loaded ? 0 : -1;
}

static void
see(const struct user *user, struct users_seen *seen)
{
	struct str text = STR_INIT;

	str_addf(&text, "%s:%s", user_role_name(user->role), user->hash);
	seen->role = user->role;
	if (EVP_Digest(text.data, text.len, seen->stamp, NULL, EVP_sha256(),
		NULL) != 1)
		abort(); /* out of memory */
	explicit_bzero(text.data, text.len);
	str_release(&text);
}

/* What the file has now; *hash, to be freed, is NULL when it is unknown. */
static int
look(struct users *u, const char *name, struct users_seen *seen, char **hash)
{
	const struct user *user = NULL;
	int rc;

	pthread_mutex_lock(&u->table_lock);
	if ((rc = refresh(u)) == 0)
		user = user_table_find(&u->table, name);
	if (user != NULL) {
		see(user, seen);
		*hash = xstrdup(user->hash);
	}
	pthread_mutex_unlock(&u->table_lock);
	return rc;
}

static void
forget(char **hash)
{
	if (*hash != NULL)
		explicit_bzero(*hash, strlen(*hash));
	free(*hash);
	*hash = NULL;
}

bool
users_look(struct users *u, const char *name, struct users_seen *seen)
{
	char *hash = NULL;
	bool found;

	found = look(u, name, seen, &hash) == 0 && hash != NULL;
	forget(&hash);
	return found;
}

static void
check(struct users *u, struct users_check *c)
{
	char *hash = NULL;
	bool match;

	if (u->dummy == NULL || look(u, c->name, &c->seen, &hash) != 0) {
		c->result = USERS_UNAVAILABLE;
		return;
	}
	match = user_hash_matches(hash ? hash : u->dummy, c->password);
	c->result = match && hash != NULL ? USERS_OK : USERS_DENIED;
	forget(&hash);
}

static void
answer(struct task *task)
{
	struct users_check *c = container_of(task, struct users_check, task);

	c->done(c);
}

static void
give_back(struct users_check *c)
{
	explicit_bzero(c->password, sizeof(c->password));
	c->task.run = answer;
	inbox_post(c->reply_to, &c->task);
}

static struct users_check *
next_check(struct users *u)
{
	struct task *task;

	pthread_mutex_lock(&u->lock);
	while ((task = STAILQ_FIRST(&u->waiting)) == NULL && !u->stopping)
		pthread_cond_wait(&u->wake, &u->lock);
	if (task != NULL) {
		STAILQ_REMOVE_HEAD(&u->waiting, link);
		u->nwaiting--;
	}
	pthread_mutex_unlock(&u->lock);
	return task ? container_of(task, struct users_check, task) : NULL;
}

static void *
run(void *arg)
{
	struct users *u = arg;
	struct users_check *c;
	struct err e = ERR_INIT;

	if ((u->dummy = user_hash("no one has this password", &e)) == NULL)
		log_text(LOG_ERROR, "users", "%s", e.text);
	while ((c = next_check(u)) != NULL) {
		check(u, c);
		give_back(c);
	}
	return NULL;
}

struct users *
users_new(const char *file)
{
	struct users *u = xcalloc(1, sizeof(*u));

	u->file = xstrdup(file);
	STAILQ_INIT(&u->waiting);
	pthread_mutex_init(&u->lock, NULL);
	pthread_mutex_init(&u->table_lock, NULL);
	pthread_cond_init(&u->wake, NULL);
	if (pthread_create(&u->thread, NULL, run, u) != 0)
		abort(); /* no thread, no daemon: only at start-up */
	return u;
}

void
users_check(struct users *u, struct users_check *c)
{
	bool full;

	pthread_mutex_lock(&u->lock);
	full = u->nwaiting >= WAITING_MAX || u->stopping;
	if (!full) {
		STAILQ_INSERT_TAIL(&u->waiting, &c->task, link);
		u->nwaiting++;
		pthread_cond_signal(&u->wake);
	}
	pthread_mutex_unlock(&u->lock);
	if (full) {
		c->result = USERS_UNAVAILABLE;
		give_back(c);
	}
}

void
users_free(struct users **p)
{
	struct users *u = *p;

	*p = NULL;
	if (u == NULL)
		return;
	pthread_mutex_lock(&u->lock);
	u->stopping = true;
	pthread_cond_signal(&u->wake);
	pthread_mutex_unlock(&u->lock);
	pthread_join(u->thread, NULL);
	pthread_cond_destroy(&u->wake);
	pthread_mutex_destroy(&u->lock);
	pthread_mutex_destroy(&u->table_lock);
	user_table_clear(&u->table);
	free(u->dummy);
	free(u->file);
	free(u);
}
