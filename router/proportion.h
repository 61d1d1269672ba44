/*
 * proportion.h - what may be said of a share of so many, and of two of them.
 *
 * All at 95 %, two-sided. Intervals hold for small numbers and for shares near 0 and 1, where the plain
 * "plus or minus" does not. Pure, any thread.
 */
#ifndef ROUTER_PROPORTION_H
#define ROUTER_PROPORTION_H

#include <stdint.h>

/* The score interval (E. B. Wilson, 1927) of hits of volume; 0 <= hits <= volume, volume > 0. */
void proportion_interval(int64_t hits, int64_t volume, double *low, double *high);

struct proportion {
	int64_t hits, volume; /* as above */
};

/* The interval of a's share less b's: the hybrid score, method 10 of R. G. Newcombe (Statistics in Medicine 17,
 * 1998, 873-890). */
void proportion_difference(struct proportion a, struct proportion b, double *low, double *high);
/* How likely shares that differ so much are when there is no difference: the two-proportion z test, pooled. */
double proportion_p_value(struct proportion a, struct proportion b);
/*
 * How large both samples together must be, for shares of a and b, b's sample being `ratio` times a's, for
 * that test to find the difference in four cases of five (power 80 %: J. L. Fleiss, Statistical Methods for
 * Rates and Proportions, without correction for continuity). HUGE_VAL when the shares are the same.
 */
double proportion_needed(double a, double b, double ratio);

#endif
