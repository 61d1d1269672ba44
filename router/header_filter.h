/*
 * header_filter.h - a message's header without the fields that must not leave by a path.
 */
#ifndef ROUTER_HEADER_FILTER_H
#define ROUTER_HEADER_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "router/body.h"

/*
 * Reads header_size bytes of the body and adds them to *out without the fields whose names begin
 * with one of `drop` (lower case; a trailing ':' makes it the whole name), folded lines included; one
 * that begins with '!' stays, whatever follows it in the list.
 * *dropped says whether any was left out, and *out is untouched when none was. 0, or -1 with *e set.
 */
int header_filter(struct body *, size_t header_size, const char *const *drop, size_t ndrop,
    struct str *out, bool *dropped, struct err *e);

/* The end of the field at p: past its last folded line. */
const char *header_field_end(const char *p, const char *end);

/* The header's bytes: the body's own while it is in memory, else read into *copy, which the caller frees
 * (NULL in the first case). NULL with *e set. */
const char *header_borrow(struct body *, size_t header_size, char **copy, struct err *e);

#endif
