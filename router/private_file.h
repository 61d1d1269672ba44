/*
 * private_file.h - opens a file that holds a secret, and only if it has been kept.
 */
#ifndef ROUTER_PRIVATE_FILE_H
#define ROUTER_PRIVATE_FILE_H

#include <stdio.h>
#include <sys/stat.h>

#include "mta/base/err.h"

/* For reading. NULL with *e set: missing, not regular, or open to others (group may read). *st is
 * of the file that was opened. */
FILE *private_file_open(const char *file, struct stat *st, struct err *e);

#endif
