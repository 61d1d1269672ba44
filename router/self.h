/*
 * self.h - whether a mail host is ourselves: mail sent there would come back (RFC 5321 5.1).
 */
#ifndef ROUTER_SELF_H
#define ROUTER_SELF_H

#include <stdbool.h>

struct sockaddr;

/* For struct mx_policy; `config` is a struct config. By name: its host name and those of its sources. By
 * address: those that its sources send from, and where its listeners listen. */
bool self_is_us(const void *config, const char *host, const struct sockaddr *address);

#endif
