/*
 * json_read.h - JSON that AWS sends, into jansson's values: what json_loadb does, in a fraction of its time.
 *
 * Every event of SES is read two to three times on its way (an answer of SQS, an envelope of SNS, the event), which
 * with json_loadb is most of what it costs. Any thread.
 */
#ifndef ROUTER_SES_JSON_READ_H
#define ROUTER_SES_JSON_READ_H

#include <jansson.h>
#include <stddef.h>

#include "mta/base/err.h"

#define JSON_READ_DEPTH 512 /* of arrays and objects in each other, at most */

/*
 * An array or object, and nothing behind it; NULL with *e when it is not strictly JSON in UTF-8 (RFC 8259). Flags
 * are jansson's JSON_ALLOW_NUL and JSON_REJECT_DUPLICATES. `without`: names, ended by NULL, of members that nobody
 * reads: wherever they are, they must be JSON but are left out; NULL: none.
 */
json_t *json_read(const char *text, size_t len, size_t flags,
    const char *const *without, struct err *e);

#endif
