/*
 * compare_words.c - which of two paths delivers better, in plain words.
 */
#include "router/compare_int.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mta/base/clock.h"

#define PERIOD_TEXT 17 /* "2026-11-22T10:35" and NUL */

/* -- numbers --------------------------------------------------------------- */

/* "4.1", of points; a smaller one is no zero. */
static const char *
points(double share, char buf[static 16])
{
	double n = fabs(share) * 100;

	snprintf(buf, 16, n < 0.05 ? "%.2f" : "%.1f", n);
	return buf;
}

static const char *
signed_points(double share, char buf[static 16])
{
	snprintf(buf, 16, "%+.1f", share * 100);
	return buf;
}

/* To two digits: an estimate is no better. "1,900" */
static const char *
about(int64_t n, char buf[static 32])
{
	char plain[24];
	int64_t unit = 1;
	int len, at = 0;

	while (n / unit >= 100)
		unit *= 10;
	n = (n + unit / 2) / unit * unit;
	len = snprintf(plain, sizeof(plain), "%lld", (long long)n);
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = plain[i];
	}
	buf[at] = '\0';
	return buf;
}

/* -- the verdict ----------------------------------------------------------- */

struct who {
	const char *more, *less; /* paths, by their rates */
	const char *to, *to_ja;	 /* the carrier */
};

static struct who
who_of(const struct compare_row *row)
{
	int more = row->difference < 0 ? 1 : 0;
	bool any = *row->carrier == '\0';

	return (struct who){ row->side[more].path, row->side[!more].path,
		any ? "other domains" : row->carrier,
		any ? "その他のドメイン" : row->carrier };
}

static void
say_sure(struct compare_words *words, const struct compare_row *row)
{
	struct who who = who_of(row);
	char d[16], from[16], to[16];
	double low = fmin(fabs(row->low), fabs(row->high));
	double high = fmax(fabs(row->low), fabs(row->high));

	points(row->difference, d);
	points(low, from);
	points(high, to);
	str_addf(&words->en,
	    "%s delivers %s points more to %s than %s, 95 %% sure (%s to %s)",
	    who.more, d, who.to, who.less, from, to);
	str_addf(&words->ja,
	    "%s宛の到達率は%sが%sより%sポイント高い（信頼度95 "
	    "%%、%s～%sポイント）",
	    who.to_ja, who.more, who.less, d, from, to);
}

static void
say_same(struct compare_words *words, const struct compare_row *row)
{
	struct who who = who_of(row);
	char d[16];

	points(fmax(fabs(row->low), fabs(row->high)), d);
	str_addf(&words->en,
	    "%s and %s deliver the same to %s, within %s points, 95 %% sure",
	    row->side[0].path, row->side[1].path, who.to, d);
	str_addf(&words->ja,
	    "%s宛の到達率は%sと%sで変わらない（差は%sポイント以内、信頼度95 "
	    "%%）",
	    who.to_ja, row->side[0].path, row->side[1].path, d);
}

static void
say_even(struct compare_words *words, const struct compare_row *row)
{
	struct who who = who_of(row);
	char low[16], high[16];

	signed_points(row->low, low);
	signed_points(row->high, high);
	str_addf(&words->en,
	    "%s and %s deliver about the same to %s so far: the difference is "
	    "between %s and %s points, 95 %% sure",
	    row->side[0].path, row->side[1].path, who.to, low, high);
	str_addf(&words->ja,
	    "%s宛の到達率は今のところ%sと%sでほぼ同じ"
	    "（差は%s～%sポイント、信頼度95 %%）",
	    who.to_ja, row->side[0].path, row->side[1].path, low, high);
}

static void
say_open(struct compare_words *words, const struct compare_row *row)
{
	struct who who = who_of(row);
	char d[16], n[32];

	points(row->difference, d);
	about(row->needed, n);
	str_addf(&words->en,
	    "%s delivers %s points more to %s than %s so far, which may be "
	    "chance; %s more messages would settle it",
	    who.more, d, who.to, who.less, n);
	str_addf(&words->ja,
	    "%s宛の到達率は今のところ%sが%sより%sポイント高いが、"
	    "偶然かもしれない。あと約%s通で決着する見込み",
	    who.to_ja, who.more, who.less, d, n);
}

static void
say_unknown(struct compare_words *words, const struct compare_row *row)
{
	const struct compare_side *side = row->side;
	const char *path = side[side[0].rate.known ? 1 : 0].path;
	struct who who = who_of(row);

	str_addf(&words->en, "nothing is known yet of what %s delivered to %s",
	    path, who.to);
	str_addf(&words->ja, "%s宛に%sで届いたかどうかはまだ何もわからない",
	    who.to_ja, path);
}

void
compare_say(struct compare_row *row)
{
	if (!row->known) {
		say_unknown(&row->text, row);
		return;
	}
	switch (row->verdict) {
	case COMPARE_BETTER:
	case COMPARE_WORSE:
		say_sure(&row->text, row);
		break;
	case COMPARE_EQUAL:
		say_same(&row->text, row);
		break;
	case COMPARE_OPEN:
		if (row->needed < 0)
			say_even(&row->text, row);
		else
			say_open(&row->text, row);
		break;
	}
}

/* -- warnings -------------------------------------------------------------- */

static struct compare_words *
next_warning(struct compare_row *row)
{
	assert(row->nwarnings < COMPARE_WARNINGS);
	return &row->warning[row->nwarnings++];
}

void
compare_warn_split(struct compare_row *row, const char *path)
{
	struct compare_words *words = next_warning(row);

	str_addf(&words->en,
	    "%s is not in the split of rule %s: what went there, as by a "
	    "fallback or an earlier rule, is no fair sample",
	    path, row->rule);
	str_addf(&words->ja,
	    "%sはルール%sの振り分け先ではない。フォールバックや以前のルールで"
	    "流れたメールは公平な標本ではない",
	    path, row->rule);
}

void
compare_warn_senders(
    struct compare_row *row, const char *sender, const double share[static 2])
{
	struct compare_words *words = next_warning(row);
	const char *name = *sender != '\0' ? sender : "<>";

	str_addf(&words->en,
	    "the senders differ: %s is %.0f %% of %s's mail and %.0f %% of "
	    "%s's",
	    name, share[0] * 100, row->side[0].path, share[1] * 100,
	    row->side[1].path);
	str_addf(&words->ja,
	    "差出人の構成が違う: %sは%sの%.0f %%、%sの%.0f %%を占める", name,
	    row->side[0].path, share[0] * 100, row->side[1].path,
	    share[1] * 100);
}

/* "2026-11-22", or "2026-11-22 10:00" */
static void
period_text(int64_t at, bool day, char buf[static PERIOD_TEXT])
{
	char iso[25];

	clock_iso(at, iso);
	memcpy(buf, iso, PERIOD_TEXT - 1);
	buf[10] = day ? '\0' : ' ';
	buf[PERIOD_TEXT - 1] = '\0';
}

void
compare_warn_periods(struct compare_row *row, int64_t at, bool days,
    const double share[static 2])
{
	struct compare_words *words = next_warning(row);
	char when[PERIOD_TEXT];

	period_text(at, days, when);
	str_addf(&words->en,
	    "the times differ: %s (UTC) is %.0f %% of %s's mail and %.0f %% "
	    "of %s's",
	    when, share[0] * 100, row->side[0].path, share[1] * 100,
	    row->side[1].path);
	str_addf(&words->ja,
	    "送った時期が違う: %s（UTC）は%sの%.0f %%、%sの%.0f %%を占める",
	    when, row->side[0].path, share[0] * 100, row->side[1].path,
	    share[1] * 100);
}

void
compare_warn_pending(struct compare_row *row)
{
	struct compare_words *words = next_warning(row);
	const struct compare_side *a = &row->side[0], *b = &row->side[1];
	char from[16], to[16];
	double low, high;

	compare_bounds(row, &low, &high);
	signed_points(low, from);
	signed_points(high, to);
	str_addf(&words->en,
	    "%.1f %% of %s's mail and %.1f %% of %s's is neither delivered nor "
	    "failed yet (unconfirmed or waiting): whatever becomes of it, the "
	    "difference ends between %s and %s points",
	    compare_pending(a) * 100, a->path, compare_pending(b) * 100,
	    b->path, from, to);
	str_addf(&words->ja,
	    "%sの%.1f %%、%sの%.1f %%はまだ届いたとも失敗したともわからない"
	    "（未確認または待機中）。結果がどうなっても、差は%s～%"
	    "sポイントに収まる",
	    a->path, compare_pending(a) * 100, b->path,
	    compare_pending(b) * 100, from, to);
}
