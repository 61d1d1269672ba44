/*
 * sqlite_int.h - a SQLite database and its statements; what sqlite.c, sqlite_schema.c and sqlite_sql.c share.
 */
#ifndef ROUTER_STORE_SQLITE_INT_H
#define ROUTER_STORE_SQLITE_INT_H

#include <sqlite3.h>

#include "router/store/sql_int.h"

struct sqlite_stmt {
	struct stmt stmt;
	sqlite3_stmt *s;
};

struct sqlite {
	struct sql sql;
	sqlite3 *db;
	int lock_fd; /* of sqlite_connect */
	struct sqlite_stmt prepared[SQL_MAX];
};

extern const char *const sqlite_sql[SQL_MAX]; /* NULL: there is no need of it here */

/* While opening: an error says "store 'file': ...". sqlite_ask gives the first column of the first row, "" when there
 * is none. 0, or -1 with *e. */
int sqlite_script(struct sqlite *, const char *file, const char *sql, struct err *e);
int sqlite_ask(struct sqlite *, const char *file, const char *sql, struct str *answer,
    struct err *e);

/* Creates the tables in an empty file, brings an older store up to date; refuses what is not ours or newer. 0, or -1
 * with *e. */
int sqlite_schema_check(struct sqlite *, const char *file, struct err *e);

#endif
