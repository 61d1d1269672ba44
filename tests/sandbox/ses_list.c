/*
 * ses_list.c - the suppression list of the account, in the order of addresses.
 */
#include "tests/sandbox/ses.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Where the address is, or would be. */
static size_t
place_of(const struct ses *x, const char *address, bool *there)
{
	size_t low = 0, high = x->n_suppressed, middle;
	int order;

	*there = false;
	while (low < high) {
		middle = (low + high) / 2;
		order = strcasecmp(x->suppressed[middle].address, address);
		if (order == 0) {
			*there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct ses_suppressed *
ses_suppressed(const struct ses *x, const char *address)
{
	bool there;
	size_t at = place_of(x, address, &there);

	return there ? &x->suppressed[at] : NULL;
}

static void
insert(struct ses *x, size_t at, const char *address)
{
	char *p;

	x->suppressed = xrealloc(
	    x->suppressed, (x->n_suppressed + 1) * sizeof(*x->suppressed));
	memmove(x->suppressed + at + 1, x->suppressed + at,
	    (x->n_suppressed - at) * sizeof(*x->suppressed));
	x->n_suppressed++;
	x->suppressed[at] =
	    (struct ses_suppressed){ .address = xstrdup(address) };
	for (p = x->suppressed[at].address; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
}

void
ses_suppress(struct ses *x, const char *address, const char *reason,
    const char *message_id, const char *feedback_id)
{
	struct ses_suppressed *row;
	bool there;
	size_t at = place_of(x, address, &there);

	if (!there)
		insert(x, at, address);
	row = &x->suppressed[at];
	row->reason = strcmp(reason, "COMPLAINT") == 0 ? "COMPLAINT" : "BOUNCE";
	row->updated = clock_wall();
	free(row->message_id);
	free(row->feedback_id);
	row->message_id = xstrdup(message_id);
	row->feedback_id = xstrdup(feedback_id);
}

bool
ses_unsuppress(struct ses *x, const char *address)
{
	bool there;
	size_t at = place_of(x, address, &there);

	if (!there)
		return false;
	free(x->suppressed[at].address);
	free(x->suppressed[at].message_id);
	free(x->suppressed[at].feedback_id);
	x->n_suppressed--;
	memmove(x->suppressed + at, x->suppressed + at + 1,
	    (x->n_suppressed - at) * sizeof(*x->suppressed));
	return true;
}
