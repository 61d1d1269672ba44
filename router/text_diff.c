/*
 * text_diff.c - two texts as lines, what stays between them, and the pieces
 * that do not.
 *
 * Lines are compared as numbers: equal lines have the same. The walk of Myers
 * keeps, for each number of edits d, how far each diagonal came; the way is
 * then followed back from the end.
 */
#include "router/text_diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"

#define CONTEXT	  3
#define EDITS_MAX 1000	      /* beyond them it is one piece */
#define STEPS_MAX (10u << 20) /* lines compared in all */

struct line {
	const char *text;
	size_t len;
	uint32_t number;
};

struct side {
	struct line *line;
	size_t n;
	bool *kept;
};

struct diff {
	struct side a, b;
	size_t head, tail; /* lines that both begin and end with */
};

/* -- lines
 * ----------------------------------------------------------------------- */

static void
split(struct side *s, const char *text, size_t len)
{
	const char *end = text + len;
	size_t room = 64;

	/* Of no lines, too: it is added to. */
	s->line = xcalloc(room, sizeof(*s->line));
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop + 1 : end) - text);

		if (s->n == room) {
			room *= 2;
			s->line = xrealloc(s->line, room * sizeof(*s->line));
		}
		s->line[s->n++] = (struct line){ text, n, 0 };
		text += n;
	}
	s->kept = xcalloc(s->n + 1, sizeof(*s->kept));
}

static bool
same(const struct line *a, const struct line *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static int
by_text(const void *x, const void *y)
{
	const struct line *a = *(struct line *const *)x;
	const struct line *b = *(struct line *const *)y;
	int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

/* The lines between head and tail, of both, get their numbers. */
static void
number_lines(struct diff *d)
{
	size_t na = d->a.n - d->head - d->tail, n = 0;
	size_t nb = d->b.n - d->head - d->tail;
	struct line **all = xcalloc(na + nb + 1, sizeof(struct line *));
	uint32_t number = 0;

	for (size_t i = 0; i < na; i++)
		all[n++] = &d->a.line[d->head + i];
	for (size_t i = 0; i < nb; i++)
		all[n++] = &d->b.line[d->head + i];
	qsort(all, n, sizeof(struct line *), by_text);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && !same(all[i - 1], all[i]))
			number++;
		all[i]->number = number;
	}
	free(all);
}

static void
keep_ends(struct diff *d)
{
	size_t most = d->a.n < d->b.n ? d->a.n : d->b.n;

	while (
	    d->head < most && same(&d->a.line[d->head], &d->b.line[d->head])) {
		d->a.kept[d->head] = d->b.kept[d->head] = true;
		d->head++;
	}
	while (
	    d->tail < most - d->head && same(&d->a.line[d->a.n - d->tail - 1],
					    &d->b.line[d->b.n - d->tail - 1])) {
		d->tail++;
		d->a.kept[d->a.n - d->tail] = true;
		d->b.kept[d->b.n - d->tail] = true;
	}
}

/* -- the shortest way
 * ------------------------------------------------------------ */

struct walk {
	const struct line *a, *b;
	long na, nb, steps;
	int32_t *v[EDITS_MAX + 1]; /* of d: how far diagonals -d to d came */
	long edits;
};

static int32_t
reach(const struct walk *w, long d, long k)
{
	return w->v[d][k + d];
}

/* True: diagonal k is entered by a line of b. Of those outside none came. */
static bool
goes_down(const struct walk *w, long d, long k)
{
	return k == -d ||
	       (k != d && reach(w, d - 1, k - 1) < reach(w, d - 1, k + 1));
}

static long
enter(const struct walk *w, long d, long k)
{
	if (d == 0)
		return 0;
	return goes_down(w, d, k) ? reach(w, d - 1, k + 1)
				  : reach(w, d - 1, k - 1) + 1;
}

/* True: the end is reached with d edits. */
static bool
walk_on(struct walk *w, long d)
{
	w->v[d] = xcalloc((size_t)(2 * d + 1), sizeof(int32_t));
	for (long k = -d; k <= d; k += 2) {
		long x = enter(w, d, k), y = x - k;

		while (x < w->na && y >= 0 && y < w->nb &&
		       w->a[x].number == w->b[y].number) {
			x++;
			y++;
			w->steps++;
		}
		w->v[d][k + d] = (int32_t)x;
		w->steps++;
		if (x >= w->na && y >= w->nb)
			return true;
	}
	return false;
}

/* What lies on diagonals of the way stays. */
static void
follow_back(const struct walk *w, bool *a_kept, bool *b_kept)
{
	long x = w->na, y = w->nb;

	for (long d = w->edits; d >= 0; d--) {
		long k = x - y, from = enter(w, d, k);

		while (x > from) {
			a_kept[--x] = true;
			b_kept[--y] = true;
		}
		if (d > 0 && goes_down(w, d, k))
			y--;
		else
			x--;
	}
}

static void
find_kept(struct diff *d)
{
	struct walk w = {
		.a = d->a.line + d->head,
		.b = d->b.line + d->head,
		.na = (long)(d->a.n - d->head - d->tail),
		.nb = (long)(d->b.n - d->head - d->tail),
	};
	bool found = false;

	for (; !found && w.edits <= EDITS_MAX && w.steps < STEPS_MAX; w.edits++)
		found = walk_on(&w, w.edits);
	w.edits--;
	if (found)
		follow_back(&w, d->a.kept + d->head, d->b.kept + d->head);
	for (long i = 0; i <= w.edits; i++)
		free(w.v[i]);
}

/* -- the pieces
 * ------------------------------------------------------------------ */

/* One line of the result: of a where it is out, of b where it is in. */
struct shown {
	char sign; /* ' ', '-' or '+' */
	const struct line *line;
	bool near; /* within CONTEXT of a change */
};

static size_t
list_lines(const struct diff *d, struct shown *list)
{
	size_t n = 0, a = 0, b = 0;

	while (a < d->a.n || b < d->b.n) {
		if (a < d->a.n && !d->a.kept[a])
			list[n++] = (struct shown){ '-', &d->a.line[a++], 0 };
		else if (b < d->b.n && !d->b.kept[b])
			list[n++] = (struct shown){ '+', &d->b.line[b++], 0 };
		else {
			list[n++] = (struct shown){ ' ', &d->a.line[a++], 0 };
			b++;
		}
	}
	return n;
}

static void
mark_near(struct shown *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t from = i > CONTEXT ? i - CONTEXT : 0;
		size_t to = n - i > CONTEXT ? i + CONTEXT : n - 1;

		if (list[i].sign == ' ')
			continue;
		while (from <= to)
			list[from++].near = true;
	}
}

/* "3,2": from the third line on, two. Of none: the line before. */
static void
add_range(struct str *out, char sign, size_t before, size_t n)
{
	str_addf(out, "%c%zu", sign, n == 0 ? before : before + 1);
	if (n != 1)
		str_addf(out, ",%zu", n);
}

static void
add_line(struct str *out, const struct shown *s)
{
	str_addc(out, s->sign);
	str_add(out, s->line->text, s->line->len);
	if (s->line->text[s->line->len - 1] != '\n')
		str_adds(out, "\n\\ No newline at end of file\n");
}

/* a and b: lines before it. */
static void
add_piece(
    struct str *out, const struct shown *list, size_t n, size_t a, size_t b)
{
	size_t in_a = 0, in_b = 0;

	for (size_t i = 0; i < n; i++) {
		in_a += list[i].sign != '+';
		in_b += list[i].sign != '-';
	}
	str_adds(out, "@@ ");
	add_range(out, '-', a, in_a);
	str_addc(out, ' ');
	add_range(out, '+', b, in_b);
	str_adds(out, " @@\n");
	for (size_t i = 0; i < n; i++)
		add_line(out, &list[i]);
}

static void
add_pieces(struct str *out, const struct shown *list, size_t n)
{
	size_t a = 0, b = 0, until;

	for (size_t i = 0; i < n; i = until) {
		for (until = i; until < n && list[until].near == list[i].near;)
			until++;
		if (list[i].near)
			add_piece(out, &list[i], until - i, a, b);
		for (size_t j = i; j < until; j++) {
			a += list[j].sign != '+';
			b += list[j].sign != '-';
		}
	}
}

static void
add_diff(struct str *out, const char *name, const struct diff *d)
{
	struct shown *list = xcalloc(d->a.n + d->b.n + 1, sizeof(*list));
	size_t n = list_lines(d, list);

	mark_near(list, n);
	str_addf(out, "--- %s\n+++ %s\n", name, name);
	add_pieces(out, list, n);
	free(list);
}

void
text_diff(struct str *out, const char *name, const char *from, size_t from_len,
    const char *to, size_t to_len)
{
	struct diff d = { .head = 0 };

	if (from_len == to_len && memcmp(from, to, to_len) == 0)
		return;
	split(&d.a, from, from_len);
	split(&d.b, to, to_len);
	keep_ends(&d);
	number_lines(&d);
	find_kept(&d);
	add_diff(out, name, &d);
	free(d.a.line);
	free(d.a.kept);
	free(d.b.line);
	free(d.b.kept);
}
