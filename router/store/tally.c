/*
 * tally.c - what was counted: adding it up, times in buckets, the packed form.
 *
 * Reasons are few and lie in one array, sorted, so that equal tallies pack to
 * equal bytes. Nothing here overflows: a count that would stays at the end of
 * its range, as only a store that was tampered with can have it.
 */
#include "router/store/tally.h"

#include "mta/base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define SUB_BITS 4 /* buckets of an octave, as a power of two */
#define SUBS	 (1u << SUB_BITS)
#define OTHER	 "other"
#define UNNAMED	 "undefined"

static const char *const names[COUNT_MAX] = {
	[COUNT_ACCEPTED] = "accepted",
	[COUNT_SENT] = "sent",
	[COUNT_DELIVERED] = "delivered",
	[COUNT_BOUNCED] = "bounced",
	[COUNT_FILTERED] = "filtered",
	[COUNT_DEFERRED] = "deferred",
	[COUNT_EXPIRED] = "expired",
	[COUNT_COMPLAINED] = "complained",
	[COUNT_SUPPRESSED] = "suppressed",
	[COUNT_REMOVED] = "removed",
	[COUNT_UNREAD] = "unread",
	[COUNT_RETURNED] = "returned",
	[COUNT_ATTEMPTED] = "attempted",
	[COUNT_HARD] = "hard",
	[COUNT_UNKNOWN] = "unknown",
	[COUNT_EXEMPT] = "exempt",
};

const char *
counter_name(enum counter c)
{
	return names[c];
}

int64_t
tally_sum(int64_t a, int64_t b)
{
	int64_t n;

	if (!__builtin_add_overflow(a, b, &n))
		return n;
	return b < 0 ? INT64_MIN : INT64_MAX;
}

void
tally_clear(struct tally *t)
{
	free(t->reason);
	free(t->times.n);
	*t = (struct tally)TALLY_INIT;
}

bool
tally_is_empty(const struct tally *t)
{
	for (size_t c = 0; c < COUNT_MAX; c++)
		if (t->n[c] != 0)
			return false;
	return t->nreason == 0 && t->times.n == NULL;
}

/* -- reasons --------------------------------------------------------------- */

/* Cut, and nothing in it that a log or a label could not bear. */
static void
clean_name(char to[static TALLY_REASON_MAX], const char *from)
{
	size_t i = 0;

	if (from == NULL || from[0] == '\0')
		from = UNNAMED;
	for (; i < TALLY_REASON_MAX - 1 && from[i] != '\0'; i++)
		to[i] = from[i] > ' ' && from[i] < 0x7f ? from[i] : '?';
	to[i] = '\0';
}

static int
compare(const struct tally_reason *r, enum counter c, const char *name)
{
	if (r->counter != c)
		return r->counter < c ? -1 : 1;
	return strcmp(r->name, name);
}

/* Where it is, or is to be. */
static size_t
find(const struct tally *t, enum counter c, const char *name, bool *found)
{
	size_t i = 0;
	int way = 1;

	while (
	    i < t->nreason && (way = compare(&t->reason[i], c, name)) < 0)
		i++;
	*found = i < t->nreason && way == 0;
	return i;
}

static void
add_found(struct tally *t, size_t i, int64_t n)
{
	struct tally_reason *r = &t->reason[i];

	r->n = tally_sum(r->n, n);
	if (r->n != 0)
		return;
	t->nreason--;
	memmove(r, r + 1, (t->nreason - i) * sizeof(*r));
	if (t->nreason == 0) {
		free(t->reason);
		t->reason = NULL;
	}
}

static void
insert(struct tally *t, size_t i, enum counter c, const char *name, int64_t n)
{
	struct tally_reason *r;

	/* Room is a power of two, and full when their number is. */
	if ((t->nreason & (t->nreason - 1)) == 0)
		t->reason = xrealloc(t->reason,
		    (t->nreason == 0 ? 1 : t->nreason * 2) * sizeof(*r));
	r = &t->reason[i];
	memmove(r + 1, r, (t->nreason - i) * sizeof(*r));
	t->nreason++;
	*r = (struct tally_reason){ .counter = c, .n = n };
	strcpy(r->name, name);
}

/* The last places are for "other", of each counter once. */
static void
add_clean(struct tally *t, enum counter c, const char *name, int64_t n)
{
	bool found;
	size_t i = find(t, c, name, &found);

	if (!found && t->nreason >= TALLY_REASONS_MAX - COUNT_MAX)
		i = find(t, c, name = OTHER, &found);
	if (found)
		add_found(t, i, n);
	else
		insert(t, i, c, name, n);
}

void
tally_add_reason(struct tally *t, enum counter c, const char *reason, int64_t n)
{
	char name[TALLY_REASON_MAX];

	if (n == 0)
		return;
	clean_name(name, reason);
	add_clean(t, c, name, n);
}

/* -- times ----------------------------------------------------------------- */

/* Up to 2 * SUBS ms each is its own bucket; from there SUBS to the octave. */
unsigned
tally_bucket(int64_t ms)
{
	unsigned octave, bucket;

	if (ms < SUBS)
		return ms < 0 ? 0 : (unsigned)ms;
	octave = 63u - (unsigned)__builtin_clzll((uint64_t)ms) - SUB_BITS;
	bucket = octave * SUBS + (unsigned)(ms >> octave);
	return bucket < TALLY_BUCKETS ? bucket : TALLY_BUCKETS - 1;
}

void
tally_bucket_range(unsigned bucket, int64_t *low, int64_t *high)
{
	unsigned octave = bucket < 2 * SUBS ? 0 : bucket / SUBS - 1;

	*low = (int64_t)(bucket - octave * SUBS) << octave;
	*high = bucket >= TALLY_BUCKETS - 1 ? INT64_MAX
					    : *low + (INT64_C(1) << octave);
}

/* Until it holds that bucket, an octave at a time. */
static void
stretch(struct tally_times *of, unsigned bucket)
{
	unsigned from = bucket - bucket % SUBS;
	struct tally_times more = { .from = from, .to = from + SUBS };

	if (of->n != NULL && of->from < more.from)
		more.from = of->from;
	if (of->n != NULL && of->to > more.to)
		more.to = of->to;
	more.n = xcalloc(more.to - more.from, sizeof(*more.n));
	if (of->n != NULL)
		memcpy(more.n + (of->from - more.from), of->n,
		    (of->to - of->from) * sizeof(*of->n));
	free(of->n);
	*of = more;
}

static void
add_bucket(struct tally *t, unsigned bucket, int64_t n)
{
	struct tally_times *of = &t->times;

	if (of->n == NULL || bucket < of->from || bucket >= of->to)
		stretch(of, bucket);
	of->n[bucket - of->from] = tally_sum(of->n[bucket - of->from], n);
}

void
tally_add_time(struct tally *t, int64_t ms, int64_t n)
{
	if (n > 0)
		add_bucket(t, tally_bucket(ms), n);
}

bool
tally_quantile(const struct tally *t, double share, int64_t *ms)
{
	const struct tally_times *of = &t->times;
	int64_t total = 0, seen = 0, low, high;
	unsigned bucket;

	for (unsigned i = of->from; i < of->to; i++)
		total = tally_sum(total, of->n[i - of->from]);
	if (total <= 0)
		return false;
	for (bucket = of->from; bucket < of->to - 1; bucket++) {
		seen = tally_sum(seen, of->n[bucket - of->from]);
		if (seen > 0 && (double)seen >= share * (double)total)
			break;
	}
	tally_bucket_range(bucket, &low, &high);
	*ms = high == INT64_MAX ? low : high - 1;
	return true;
}

void
tally_merge(struct tally *to, const struct tally *from)
{
	for (size_t c = 0; c < COUNT_MAX; c++)
		to->n[c] = tally_sum(to->n[c], from->n[c]);
	for (size_t i = 0; i < from->nreason; i++)
		add_clean(to, from->reason[i].counter, from->reason[i].name,
		    from->reason[i].n);
	for (unsigned i = from->times.from; i < from->times.to; i++)
		add_bucket(to, i, from->times.n[i - from->times.from]);
}

/* -- packed ----------------------------------------------------------------
 *
 *	format = %x01 bits *count reasons *reason buckets *bucket
 *	bits      which counters follow, by their bits
 *	count     zigzag
 *	reason    counter, length, that many bytes, count
 *	bucket    how many buckets further on than the last, count
 *
 * Numbers are little-endian in groups of seven bits.
 */

#define FORMAT 1

static void
put(struct str *out, uint64_t n)
{
	for (; n > 127; n >>= 7)
		str_addc(out, (char)(n | 128));
	str_addc(out, (char)n);
}

static void
put_signed(struct str *out, int64_t n)
{
	put(out, (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0));
}

static void
pack_counters(const struct tally *t, struct str *out)
{
	uint64_t bits = 0;

	for (size_t c = 0; c < COUNT_MAX; c++)
		bits |= (uint64_t)(t->n[c] != 0) << c;
	put(out, bits);
	for (size_t c = 0; c < COUNT_MAX; c++)
		if (t->n[c] != 0)
			put_signed(out, t->n[c]);
}

static void
pack_times(const struct tally *t, struct str *out)
{
	const struct tally_times *of = &t->times;
	unsigned last = 0;
	uint64_t n = 0;

	for (unsigned i = 0; i < of->to - of->from; i++)
		n += of->n[i] != 0;
	put(out, n);
	for (unsigned i = of->from; i < of->to; i++) {
		if (of->n[i - of->from] == 0)
			continue;
		put(out, i - last);
		put_signed(out, of->n[i - of->from]);
		last = i;
	}
}

void
tally_pack(const struct tally *t, struct str *out)
{
	put(out, FORMAT);
	pack_counters(t, out);
	put(out, t->nreason);
	for (size_t i = 0; i < t->nreason; i++) {
		const struct tally_reason *r = &t->reason[i];
		size_t len = strlen(r->name);

		put(out, r->counter);
		put(out, len);
		str_add(out, r->name, len);
		put_signed(out, r->n);
	}
	pack_times(t, out);
}

/* -- unpacked --------------------------------------------------------------- */

struct packed {
	const unsigned char *p, *end;
	bool bad;
};

/* What was read, before any of it is added: of one that is damaged nothing is.
 * Only the beginnings of the lists are filled. */
struct unpacked {
	int64_t n[COUNT_MAX];
	struct tally_reason reason[TALLY_REASONS_MAX];
	size_t nreason;
	struct {
		unsigned bucket;
		int64_t n;
	} time[TALLY_BUCKETS];
	size_t ntime;
};

static uint64_t
get_long(struct packed *in, uint64_t most)
{
	uint64_t n = 0;

	for (unsigned shift = 0; in->p < in->end && shift < 64; shift += 7) {
		unsigned char byte = *in->p++;

		n |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) {
			in->bad = in->bad || n > most;
			return in->bad ? 0 : n;
		}
	}
	in->bad = true;
	return 0;
}

/* Most are short. */
static inline uint64_t
get(struct packed *in, uint64_t most)
{
	if (in->p < in->end && *in->p < 128 && *in->p <= most)
		return *in->p++;
	return get_long(in, most);
}

static int64_t
get_signed(struct packed *in)
{
	uint64_t n = get(in, UINT64_MAX);

	return (int64_t)(n >> 1 ^ (n & 1 ? UINT64_MAX : 0));
}

static void
unpack_counters(struct packed *in, struct unpacked *u)
{
	uint64_t bits = get(in, (UINT64_C(1) << COUNT_MAX) - 1);

	for (size_t c = 0; c < COUNT_MAX; c++)
		u->n[c] = bits >> c & 1 ? get_signed(in) : 0;
}

static bool
is_clean(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f)
			return false;
	return len > 0;
}

/* r NULL: it is passed over. */
static void
unpack_reason(struct packed *in, struct tally_reason *r)
{
	enum counter c = (enum counter)get(in, COUNT_MAX - 1);
	size_t len = get(in, TALLY_REASON_MAX - 1);

	if (in->bad || len > (size_t)(in->end - in->p) ||
	    (r != NULL && !is_clean((const char *)in->p, len))) {
		in->bad = true;
		return;
	}
	if (r != NULL) {
		r->counter = c;
		memcpy(r->name, in->p, len);
		r->name[len] = '\0';
	}
	in->p += len;
	if (r != NULL)
		r->n = get_signed(in);
	else
		get_signed(in);
}

static void
unpack_reasons(struct packed *in, struct unpacked *u, bool wanted)
{
	uint64_t n = get(in, TALLY_REASONS_MAX), i;

	for (i = 0; i < n && !in->bad; i++)
		unpack_reason(in, wanted ? &u->reason[i] : NULL);
	u->nreason = wanted ? i : 0;
}

static void
unpack_times(struct packed *in, struct unpacked *u)
{
	uint64_t n = get(in, TALLY_BUCKETS), bucket = 0;

	for (u->ntime = 0; u->ntime < n && !in->bad; u->ntime++) {
		bucket += get(in, TALLY_BUCKETS - 1);
		u->time[u->ntime].bucket = (unsigned)bucket;
		u->time[u->ntime].n = get_signed(in);
		if (bucket >= TALLY_BUCKETS || u->time[u->ntime].n <= 0)
			in->bad = true;
	}
}

static bool
unpack(struct packed *in, struct unpacked *u, bool reasons)
{
	in->bad = get(in, UINT64_MAX) != FORMAT;
	if (!in->bad)
		unpack_counters(in, u);
	if (!in->bad)
		unpack_reasons(in, u, reasons);
	if (!in->bad)
		unpack_times(in, u);
	return !in->bad && in->p == in->end;
}

static void
add_unpacked(struct tally *to, const struct unpacked *u)
{
	for (size_t c = 0; c < COUNT_MAX; c++)
		to->n[c] = tally_sum(to->n[c], u->n[c]);
	for (size_t i = 0; i < u->nreason; i++)
		if (u->reason[i].n != 0)
			add_clean(to, u->reason[i].counter, u->reason[i].name,
			    u->reason[i].n);
	for (size_t i = 0; i < u->ntime; i++)
		add_bucket(to, u->time[i].bucket, u->time[i].n);
}

static int
unpack_into(struct tally *to, const void *data, size_t len, bool reasons,
    struct err *e)
{
	struct packed in = { .p = data, .end = (const unsigned char *)data };
	struct unpacked u;

	in.end += len;
	if (len == 0 || !unpack(&in, &u, reasons))
		return err_set(e, "a tally of %zu bytes is damaged", len);
	add_unpacked(to, &u);
	return 0;
}

int
tally_unpack(struct tally *to, const void *data, size_t len, struct err *e)
{
	return unpack_into(to, data, len, true, e);
}

int
tally_unpack_counts(
    struct tally *to, const void *data, size_t len, struct err *e)
{
	return unpack_into(to, data, len, false, e);
}
