/*
 * utf8.h - whether bytes from outside are UTF-8 (RFC 3629, RFC 6532 3.2).
 */
#ifndef MTA_SMTP_UTF8_H
#define MTA_SMTP_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* False when a byte of it is malformed, overlong, a surrogate, beyond U+10FFFF or a C1 control.
 * Sets *beyond when it holds anything but ASCII, else leaves it. Any thread. */
bool utf8_check(const char *text, size_t len, bool *beyond);

#endif
