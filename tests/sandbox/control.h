/*
 * control.h - the sandbox's controls: one line in, one line out, on a Unix socket.
 */
#ifndef TESTS_SANDBOX_CONTROL_H
#define TESTS_SANDBOX_CONTROL_H

#include "mta/base/err.h"

struct sandbox;

/* Listens on a Unix socket, replacing one that is there. 0 or -1. */
int control_listen(struct sandbox *, const char *path, struct err *);
/* The other end: sends one line to a running sandbox and prints its answer on standard output.
 * 0; -1 when it cannot, or when the answer is an error. */
int control_tell(const char *path, const char *line, struct err *);

#endif
