/*
 * command.h - the SMTP verbs of the sandbox.
 */
#ifndef TESTS_SANDBOX_COMMAND_H
#define TESTS_SANDBOX_COMMAND_H

#include <stdbool.h>

#include "tests/sandbox/carriers.h"

struct session;

void command_greet(struct session *);
/* One line without its line end, in any phase but data. */
void command_line(struct session *, const char *line);
/* Acts out the host's mood if it has one for this stage; false: it has none. */
bool command_mood(struct session *, enum stage);

#endif
