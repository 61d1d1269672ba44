/*
 * pg_url.h - where a database is, as the settings say it, and as people may see it.
 */
#ifndef ROUTER_STORE_PG_URL_H
#define ROUTER_STORE_PG_URL_H

#include <stdbool.h>

#include "mta/base/err.h"

/* A URL of PostgreSQL (its manual, 34.1.1.2). 0, or -1 with *e, which shows nothing of it that may be a password. */
int pg_url_check(const char *url, struct err *e);
/* Of one that pg_url_check is content with. */
bool pg_url_has_password(const char *url);
/* The same without password and options: "postgresql://oiwake@db.example.jp:5432/oiwake". The caller frees. */
char *pg_url_text(const char *url);

#endif
