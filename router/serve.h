/*
 * serve.h - the daemon: everything is set up in order, run, and taken down in the opposite one.
 */
#ifndef ROUTER_SERVE_H
#define ROUTER_SERVE_H

/* Runs until SIGTERM or SIGINT; SIGHUP reloads. Returns the exit status: 0 after a graceful stop, 1
 * when it could not start (every reason on standard error). */
int serve(const char *config_file);

#endif
