/*
 * data.h - from 354 to the reply after the final dot.
 */
#ifndef TESTS_SANDBOX_DATA_H
#define TESTS_SANDBOX_DATA_H

#include <stdbool.h>

struct session;

/* The DATA command. */
void data_command(struct session *);
/* Takes what is in the input; false when more must come. */
bool data_read(struct session *);
/* Writes down that the data never ended. */
void data_aborted(struct session *, const char *how);

#endif
