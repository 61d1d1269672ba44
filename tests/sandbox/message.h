/*
 * message.h - the header of a received message, looked at from outside.
 */
#ifndef TESTS_SANDBOX_MESSAGE_H
#define TESTS_SANDBOX_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "mta/base/str.h"

/* Bytes of the header, the empty line not counted. */
size_t message_header_size(const char *data, size_t len);
/* How often a field occurs. */
size_t message_count(const char *data, size_t len, const char *field);
/* The nth (from 0) value of a field, unfolded and without outer spaces, replaces `out`. */
bool message_field(const char *data, size_t len, const char *field, size_t nth, struct str *out);
/* The value of a tag ("d") in a tag list (RFC 6376 3.2) replaces `out`. */
bool message_tag(const char *list, const char *tag, struct str *out);
/* The address in the value of From or Sender; replaces `out`. */
void message_address(const char *value, struct str *out);

#endif
