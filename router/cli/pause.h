/*
 * pause.h - what the commands that stop something share.
 */
#ifndef ROUTER_CLI_PAUSE_H
#define ROUTER_CLI_PAUSE_H

#include "router/cli/cli.h"

/* The first options of each of them. */
/* clang-format off */
#define PAUSE_OPTIONS \
	{ "for", "TIME", "until then, as 30min, 2h or 7d; else until resumed" }, \
	{ "why", "TEXT", "for whoever finds it" }
/* clang-format on */

int pause_drain_source(const struct cli_command *, const struct cli_args *, const char *name);

#endif
