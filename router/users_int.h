/*
 * users_int.h - the users file in memory, shared by users.c and users_file.c.
 */
#ifndef ROUTER_USERS_INT_H
#define ROUTER_USERS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mta/base/err.h"
#include "router/users.h"

#define USERS_FILE_MAX     (4u << 20) /* bytes */
#define USERS_NAME_MAX     255
#define USERS_PASSWORD_MAX 511 /* CRYPT_MAX_PASSPHRASE_SIZE with its NUL */

struct user {
	char *name, *hash;
	enum user_role role;
	int line;
};

struct user_table {
	struct user *users; /* by name */
	size_t n;
	mode_t mode;
};

/* -1 with *e set: missing, unreadable, readable by others, a line that is no `name:hash[:role]`, a
 * name twice. The table is empty then. */
int user_table_read(struct user_table *, const char *file, struct err *e);
const struct user *user_table_find(const struct user_table *, const char *name); /* NULL: unknown */
void user_table_clear(struct user_table *);

/* A new yescrypt hash, to be freed; NULL with *e set. Takes tens of milliseconds. */
char *user_hash(const char *password, struct err *e);
bool user_hash_matches(const char *hash, const char *password); /* takes as long */

#endif
