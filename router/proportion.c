/*
 * proportion.c - what may be said of a share of so many, and of two of them.
 */
#include "router/proportion.h"

#include <assert.h>
#include <math.h>

/* Of the normal distribution: two-sided 95 %, and 80 %. */
#define Z95 1.959963984540054
#define Z80 0.8416212335729143

void
proportion_interval(int64_t hits, int64_t volume, double *low, double *high)
{
	double n = (double)volume, p = (double)hits / n;
	double z2 = Z95 * Z95;
	double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
	double half =
	    Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));

	assert(volume > 0 && hits >= 0 && hits <= volume);
	/* At the ends it is exact; rounding may not put the share outside. */
	*low = hits == 0 || middle - half < 0 ? 0 : middle - half;
	*high = hits == volume || middle + half > 1 ? 1 : middle + half;
}

static double
share(struct proportion p)
{
	return (double)p.hits / (double)p.volume;
}

void
proportion_difference(
    struct proportion a, struct proportion b, double *low, double *high)
{
	double pa = share(a), pb = share(b), la, ha, lb, hb;

	proportion_interval(a.hits, a.volume, &la, &ha);
	proportion_interval(b.hits, b.volume, &lb, &hb);
	*low = pa - pb - hypot(pa - la, hb - pb);
	*high = pa - pb + hypot(ha - pa, pb - lb);
}

double
proportion_p_value(struct proportion a, struct proportion b)
{
	double na = (double)a.volume, nb = (double)b.volume;
	double pooled = (double)(a.hits + b.hits) / (na + nb);
	double variance = pooled * (1 - pooled) * (1 / na + 1 / nb);

	if (!(variance > 0))
		return 1; /* all hit, or none */
	return erfc(fabs(share(a) - share(b)) / sqrt(variance) / sqrt(2));
}

double
proportion_needed(double a, double b, double ratio)
{
	double both = (a + ratio * b) / (1 + ratio);
	double root = Z95 * sqrt((1 + 1 / ratio) * both * (1 - both)) +
		      Z80 * sqrt(a * (1 - a) + b * (1 - b) / ratio);
	double apart = fabs(a - b);

	return apart > 0 ? (1 + ratio) * (root / apart) * (root / apart)
			 : HUGE_VAL;
}
