/*
 * process.h - which process this is, so that a later one on the same machine can tell whether it still runs.
 */
#ifndef ROUTER_STORE_PROCESS_H
#define ROUTER_STORE_PROCESS_H

#include <stdbool.h>

/* "BOOT NAMESPACE PID START", to be freed; "" when it cannot be told. */
char *process_identity(void);
/* It certainly runs no more: it was one of this boot and this namespace of processes, and is not there, or is this very
 * one under an earlier program. */
bool process_is_gone(const char *identity);

#endif
