/*
 * body.h - the bytes of one message, in memory or in a spool file.
 *
 * A body is written once by the I/O thread that receives it, then never changes. Small bodies are
 * in memory (and inline in the store), larger ones in a spool file, so that a message of 40 MB
 * costs no more memory than one of 1 MB. Bytes are wire form: CRLF line ends, no dot-stuffing, our
 * Received field first.
 */
#ifndef ROUTER_BODY_H
#define ROUTER_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mta/base/err.h"
#include "mta/smtp/client.h"

struct body; /* reference counted, atomically: any thread */

#define BODY_INLINE_MAX (128 * 1024) /* bytes; beyond: spool file (DESIGN.md, section 6) */

/* An empty body to be written. The spool file, should it come to one, is spool_dir/NAME; with spool_dir NULL all of it
 * stays in memory: the store is a database, and takes it as a whole. */
struct body *body_new(const char *spool_dir, const char *name);
/* One of known content: takes over data (malloc'd). */
struct body *body_take(char *data, size_t len);
/* One that lies in a spool file of `size` bytes already. Nothing is opened before body_read. */
struct body *body_spooled(const char *spool_dir, const char *name, uint64_t size);
struct body *body_ref(struct body *);
void body_unref(struct body **); /* the last one closes; it never removes the spool file */

/* Writing: one thread, before the body is handed on. -1 with *e (code ENOSPC when full). */
int body_add(struct body *, const void *data, size_t len, struct err *e);
/* Puts the spool file on disk for good: fsync of the file and of its directory. Nothing to do for
 * one in memory. Blocks; called by the store. Once an fsync has failed it never succeeds again. */
int body_sync(struct body *, struct err *e);
/* Removes the spool file of a body that was not taken on. */
void body_discard(struct body *);

uint64_t body_size(const struct body *);
bool body_is_spooled(const struct body *);
const char *body_name(const struct body *); /* of the spool file, without directory; in memory: "" */
const char *body_data(const struct body *); /* in memory: all bytes; spooled: NULL */

/* Reads at an offset; short only at the end; -1 with errno. Any thread. */
ssize_t body_read(struct body *, uint64_t offset, void *buf, size_t len);
/* smtp_content over the whole body; `read` is set, head is empty. Borrows the body. */
void body_content(struct body *, struct smtp_content *);

/* Bytes of all bodies now in memory, for the cache limit. Any thread. */
size_t body_bytes_in_memory(void);

#endif
