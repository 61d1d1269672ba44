/*
 * pg_tables.h - the steps that make PostgreSQL's tables; what pg_tables.c and pg_schema.c share.
 */
#ifndef ROUTER_STORE_PG_TABLES_H
#define ROUTER_STORE_PG_TABLES_H

/* The step at [n] makes version n + 1 of version n: scripts, to be run one after the other, NULL behind the last.
 * NULL behind the last step. */
extern const char *const *const pg_steps[];

#endif
