/*
 * stats_int.h - the columns of `oiwake stats`, for its table and its CSV.
 */
#ifndef ROUTER_CLI_STATS_INT_H
#define ROUTER_CLI_STATS_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* The rows of the daemon's answer; `by`: bits of enum stats_dimension. */
void stats_print_table(const json_t *reply, unsigned by, bool wide, FILE *);
/* As RFC 4180 has it, all columns, a heading first. */
void stats_print_csv(const json_t *reply, unsigned by, FILE *);

/* "250ms", "12.3s", "4.1min" of milliseconds; "-" of null. */
const char *stats_time_text(const json_t *ms, char buf[static 32]);
/* "97.9%"; "-" of null. */
const char *stats_percent_text(const json_t *share, char buf[static 32]);

#endif
