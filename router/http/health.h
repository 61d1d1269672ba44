/*
 * health.h - whether new mail is taken, and why not.
 */
#ifndef ROUTER_HTTP_HEALTH_H
#define ROUTER_HTTP_HEALTH_H

struct core;

/* Why new mail is not taken; NULL: it is. Core thread. */
const char *health_trouble(struct core *);

#endif
