/*
 * base64.h - RFC 4648, both ways.
 */
#ifndef TESTS_SANDBOX_BASE64_H
#define TESTS_SANDBOX_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"

/* Replaces `out`. False when the text is not base64. */
bool base64_decode(const char *text, size_t len, struct str *out);
void base64_encode(const void *data, size_t len, struct str *out);

#endif
