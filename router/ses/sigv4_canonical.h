/*
 * sigv4_canonical.h - the canonical form of a request that a signature of version 4 is made over.
 *
 * Pure.
 */
#ifndef ROUTER_SES_SIGV4_CANONICAL_H
#define ROUTER_SES_SIGV4_CANONICAL_H

#include <stddef.h>

#include "router/ses/sigv4.h"

/*
 * Appends the canonical form of method, path, query, payload and those n headers, which it sorts by
 * name; all pointers are into one array, and headers of the same name keep their order there. *names,
 * empty before, becomes the list of their names: "host;x-amz-date".
 */
void sigv4_canonical(const struct sigv4_request *, const struct sigv4_header **, size_t n,
    struct str *out, struct str *names);

#endif
