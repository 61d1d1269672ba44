/*
 * users.h - who may submit mail or use the console: a file of yescrypt hashes, `name:$y$...[:role]` a line.
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

/* What a user may do in the console; for mail it means nothing. Each role may do what those before it may. */
enum user_role { ROLE_NONE, ROLE_VIEW, ROLE_OPERATE, ROLE_ADMIN };

const char *user_role_name(enum user_role);
enum user_role user_role_of(const char *name); /* ROLE_NONE: no such role */

/* Starts the checking thread. The file is read at the first check. */
struct users *users_new(const char *file);
void users_free(struct users **); /* after all checks are answered */

/* A user as the file has them: the stamp is another one when the password or the role is. */
#define USERS_STAMP 32
struct users_seen {
	enum user_role role;
	unsigned char stamp[USERS_STAMP];
};
/* False: there is no such user, or nobody can be checked. Any thread; as quick as stat(2), but for the first
 * time after the file has changed. */
bool users_look(struct users *, const char *name, struct users_seen *);

/* A check; alive until `done`, which runs in the thread of reply_to. The password is wiped. */
struct users_check {
	struct task task;           /* the checker's */
	struct inbox *reply_to;
	void (*done)(struct users_check *);
	char name[256];
	char password[1024];
	enum { USERS_OK, USERS_DENIED, USERS_UNAVAILABLE } result;
	struct users_seen seen;     /* when OK */
};
/* Any thread. Unknown names take as long as known ones. At most 64 wait; more are UNAVAILABLE. */
void users_check(struct users *, struct users_check *);

/* For `oiwake user`. The file is replaced in one rename, mode 0640 kept. -1 with *e set. */
int users_file_check(const char *file, struct err *e); /* syntax, permissions */
/* A new user has that role; one who is there keeps theirs when it is ROLE_NONE. */
int users_file_set(const char *file, const char *name, const char *password, enum user_role,
    struct err *e);
int users_file_remove(const char *file, const char *name, struct err *e);
/* 1: it is that user's password; 0: it is not, or there is no such user; -1 with *e set. */
int users_file_verify(const char *file, const char *name, const char *password, struct err *e);
int users_file_each(const char *file,
    void (*each)(void *arg, const char *name, enum user_role), void *arg, struct err *e);

#endif
