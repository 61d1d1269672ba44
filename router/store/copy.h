/*
 * copy.h - moves all that a store holds into another, of the same or the other kind of database.
 *
 * No process may run on either of them. What a crash left in the one is taken back first, as when it is opened. The
 * other is empty, or one that an earlier call began to fill from the same: then it goes on where that ended, and where
 * it ended when all was done, only compares. Rows are copied table by table in the order of their keys, thousands in a
 * transaction; at the end all of both is read, and counts and checksums are compared.
 *
 * From its beginning to its end both are marked: no process will run on them. The mark of the one that was copied from
 * stays, for whoever ran on both would send what waits twice; store_unmark takes it away.
 */
#ifndef ROUTER_STORE_COPY_H
#define ROUTER_STORE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "router/store/store.h"

struct copied_table {
	const char *name;
	uint64_t rows;
	char checksum[65];     /* SHA-256 over keys and values in the order of keys, in hex */
	bool verified;         /* rows were read again, in both; else they are being copied */
};

/* `each` is called after each batch, and once per table when it has been verified. 0; -1 with *e, which says what is
 * left to do. Blocks. */
int store_copy(const struct store_config *from, const struct store_config *to,
    void (*each)(void *arg, const struct copied_table *), void *arg, struct err *e);

/* It may be run on again. 0; -1 with *e: there was no mark, or it cannot be taken away. */
int store_unmark(const struct store_config *, struct err *e);

#endif
