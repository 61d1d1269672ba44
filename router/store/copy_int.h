/*
 * copy_int.h - which tables there are, for copy.c.
 */
#ifndef ROUTER_STORE_COPY_INT_H
#define ROUTER_STORE_COPY_INT_H

#include <stddef.h>

#include "mta/base/str.h"
#include "router/store/copy.h"
#include "router/store/sql.h"

#define COPY_COLUMNS_MAX 32

enum copy_type { COPY_INT, COPY_TEXT, COPY_BLOB };

struct copy_table {
	const char *name;
	const char *columns;   /* in words, the key's first; ":t" behind texts, ":b" behind blobs */
	unsigned nkey;
	unsigned batch;        /* rows in a transaction */
	const char *numbers;   /* the column that the database itself goes on counting; NULL: none */
	const char *near;      /* SQLite: from what to read, instead of the table; NULL: from it */
	const char *far;       /* PostgreSQL: likewise */
	struct copy_more {
		const char *names, *values; /* NULL: none */
		bool key;                   /* and, last, what the address has on the suppression list */
	} near_more, far_more; /* columns that are written besides, in SQLite and in PostgreSQL */
};
extern const struct copy_table copy_tables[]; /* ended by one without a name */

struct copy_columns {
	unsigned n;
	char name[COPY_COLUMNS_MAX][24];
	enum copy_type type[COPY_COLUMNS_MAX];
};
void copy_columns_of(const struct copy_table *, struct copy_columns *);

/* Where a body was is read and not written. */
unsigned copy_columns_written(const struct copy_table *, const struct copy_columns *);

/* "SELECT ... WHERE key > parameters ORDER BY key LIMIT parameter"; `first`: without the condition. */
void copy_write_select(struct str *to, const struct copy_table *, const struct copy_columns *,
    char parameter, bool first);
void copy_write_insert(struct str *to, const struct copy_table *, const struct copy_columns *,
    char parameter);
void copy_write_last(struct str *to, const struct copy_table *, const struct copy_columns *);

#endif
