/*
 * users.h - who may submit mail: a file of yescrypt hashes, `name:$y$...` a line.
 *
 * Managed by `oiwake user`; read again when the file has changed. Hashing takes tens of
 * milliseconds on purpose, so checks run on a thread of their own.
 */
#ifndef ROUTER_USERS_H
#define ROUTER_USERS_H

#include <stdbool.h>

#include "mta/base/err.h"
#include "mta/base/inbox.h"

struct users;

/* Starts the checking thread. The file is read at the first check. */
struct users *users_new(const char *file);
void users_free(struct users **); /* after all checks are answered */

/* A check; alive until `done`, which runs in the thread of reply_to. The password is wiped. */
struct users_check {
	struct task task;           /* the checker's */
	struct inbox *reply_to;
	void (*done)(struct users_check *);
	char name[256];
	char password[1024];
	enum { USERS_OK, USERS_DENIED, USERS_UNAVAILABLE } result;
};
/* Any thread. Unknown names take as long as known ones. At most 64 wait; more are UNAVAILABLE. */
void users_check(struct users *, struct users_check *);

/* For `oiwake user`. The file is replaced in one rename, mode 0640 kept. -1 with *e set. */
int users_file_check(const char *file, struct err *e); /* syntax, permissions */
int users_file_set(const char *file, const char *name, const char *password, struct err *e);
int users_file_remove(const char *file, const char *name, struct err *e);
/* 1: it is that user's password; 0: it is not, or there is no such user; -1 with *e set. */
int users_file_verify(const char *file, const char *name, const char *password, struct err *e);
int users_file_each(const char *file, void (*each)(void *arg, const char *name), void *arg,
    struct err *e);

#endif
