/*
 * share_divide.h - how what is limited is divided among nodes.
 *
 * Of each budget there is a row per node that uses it, and rows of what was spent, which no node has. All that have not
 * lapsed count, so the sum of `reserved` is at most the limit as long as each asker gets no more than what the others
 * leave; and each comes down to its part when it asks, so that in the end everybody has his.
 *
 * That part is max-min fair: nobody gets more than he wants, and who wants more than he gets has as much as anybody
 * else. What cannot be divided further goes round: a node has it for a turn, then the one that has waited longest.
 * Pure.
 */
#ifndef ROUTER_STORE_SHARE_DIVIDE_H
#define ROUTER_STORE_SHARE_DIVIDE_H

#include <stddef.h>
#include <stdint.h>

#include "router/store/store.h"

/* A window as long as that or longer is kept in the database, see struct share. */
#define SHARE_SPENT_FROM INT64_C(10000) /* ms */

/* Times are the database's, wall ms. */
struct share_row {
	int64_t epoch;     /* of the node; less than 0: it was spent */
	uint64_t reserved; /* nobody else may use it */
	uint64_t held;     /* of it, when it was asked: the node used it */
	uint64_t want, limit;
	int64_t until;     /* the row lapses */
	int64_t asked;
	int64_t since;     /* its turn began, or it has waited since */
};

/* What the asker is given goes into the answer (reserved, others, used, again), what is to be written into *mine; 0
 * reserved: nothing. `rows` may have the asker's own and lapsed ones. */
void share_divide(struct share *ask, const struct share_row *rows, size_t n, int64_t epoch, int64_t now,
    struct share_row *mine);

/* When what is spent now counts no more: many a moment shares a row, 128 in a period. */
int64_t share_lapses(int64_t now, int64_t period);

#endif
