/*
 * json.h - JSON text, written member by member into a str.
 *
 * A key of NULL stands for an element of a list. Commas are seen to. Bytes that are not UTF-8
 * are written as \u0080 to \u00ff, so that a reader gets them back as Latin-1.
 */
#ifndef TESTS_SANDBOX_JSON_H
#define TESTS_SANDBOX_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/str.h"

void json_open(struct str *, const char *key, char bracket); /* '{' or '[' */
void json_close(struct str *, char bracket);                 /* '}' or ']' */
void json_str(struct str *, const char *key, const char *value); /* NULL: null */
void json_mem(struct str *, const char *key, const char *value, size_t len);
void json_int(struct str *, const char *key, int64_t value);
void json_number(struct str *, const char *key, double value); /* "1585761795.25", never an exponent */
void json_bool(struct str *, const char *key, bool value);

#endif
