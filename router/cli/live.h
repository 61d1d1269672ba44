/*
 * live.h - a command that shows the same again and again, until it is stopped.
 */
#ifndef ROUTER_CLI_LIVE_H
#define ROUTER_CLI_LIVE_H

#include <stdint.h>
#include <stdio.h>

/*
 * Calls `show` at once and then every `seconds`, until SIGINT or SIGTERM, which end it well. On a terminal each
 * time takes the place of the last, cut to the terminal's size; elsewhere one follows the other. `show` returns
 * CLI_GOOD, or CLI_BAD when it has told what is wrong: the first time that ends it, later it is tried again.
 * Returns the exit status.
 */
int cli_live(int64_t seconds, int (*show)(void *arg, FILE *out), void *arg);
/* Of a command that takes "[SECONDS]" as its only argument: 0, or -1 when it is no number from 1 to 86,400. */
int cli_live_seconds(const char *text, int64_t *seconds);

#endif
