/*
 * control.h - the sandbox's controls: one line in, one line out, on a Unix socket.
 */
#ifndef TESTS_SANDBOX_CONTROL_H
#define TESTS_SANDBOX_CONTROL_H

#include "mta/base/err.h"

struct sandbox;

/* Listens on a Unix socket, replacing one that is there. 0 or -1. */
int control_listen(struct sandbox *, const char *path, struct err *);

#endif
