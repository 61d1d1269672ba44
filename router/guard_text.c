/*
 * guard_text.c - what the guard has found, in words.
 */
#include "router/guard_int.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *rate, *hits, *hits_ja;
} kinds[RATE_KINDS] = {
	[RATE_DELIVERED] = { "delivery", "deliveries", "配信" },
	[RATE_BOUNCE] = { "hard bounce", "hard bounces", "ハードバウンス" },
	[RATE_COMPLAINT] = { "complaint", "complaints", "苦情" },
	[RATE_UNKNOWN] = { "unknown-user", "unknown users", "宛先不明" },
};

static const struct {
	const char *until, *until_ja;
} levels[] = {
	[GUARD_OK] = { "", "" },
	[GUARD_WARN] = { "a warning", "警告" },
	[GUARD_SLOW] = { "it is slowed", "減速" },
	[GUARD_PAUSE] = { "it is paused", "停止" },
};

static const struct {
	const char *name, *in;
} windows[GUARD_WINDOWS + 1] = {
	[GUARD_HOUR] = { "1h", " in 1 h" },
	[GUARD_DAY] = { "24h", " in 24 h" },
	[GUARD_LAST] = { "last:", "" },
	[GUARD_PROBED] = { "probe", " in the probe" },
};

/* "1,024" */
void
guard_text_number(struct str *out, int64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%lld", (long long)n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
			str_addc(out, ',');
		str_addc(out, digits[i]);
	}
}

/* "9.8", "0.05", "2" */
static void
add_percent(struct str *out, double share)
{
	double percent = share * 100;
	char text[32];
	size_t len;

	snprintf(text, sizeof(text), "%.*f",
	    percent >= 1     ? 1
	    : percent >= 0.1 ? 2
			     : 3,
	    percent);
	len = strlen(text);
	while (text[len - 1] == '0')
		text[--len] = '\0';
	if (text[len - 1] == '.')
		text[--len] = '\0';
	str_adds(out, text);
}

void
guard_text_percent(struct str *out, double share)
{
	add_percent(out, share);
	str_adds(out, " %");
}

static void
add_word(struct str *out, const char *before, const char *value)
{
	if (value[0] != '\0')
		str_addf(out, "%s%s", before, value);
}

void
guard_text_rate(struct str *out, const struct mail_scope *of,
    enum rate_kind kind, enum guard_window window, const struct rate *rate)
{
	str_addf(out, "%s rate", kinds[kind].rate);
	add_word(out, " of ", of->sender);
	add_word(out, " of user ", of->user);
	add_word(out, " to ", of->carrier);
	add_word(out, " by ", of->path);
	str_addc(out, ' ');
	guard_text_percent(out, rate->rate);
	str_adds(out, " (");
	add_percent(out, rate->low);
	str_addc(out, '-');
	add_percent(out, rate->high);
	str_adds(out, window == GUARD_LAST ? " %) of the last " : " %) of ");
	guard_text_number(out, rate->volume);
	str_adds(out, windows[window].in);
}

void
guard_text_window(struct str *out, enum guard_window window, int64_t last)
{
	str_adds(out, windows[window].name);
	if (window == GUARD_LAST)
		str_addf(out, "%lld", (long long)last);
}

static void
add_left(struct str *out, struct str *ja, enum rate_kind kind, int64_t left,
    const char *until, const char *until_ja)
{
	guard_text_number(out, left);
	str_addf(out, " more %s until %s", kinds[kind].hits, until);
	str_adds(ja, "あと");
	guard_text_number(ja, left);
	str_addf(ja, "件の%sで%s", kinds[kind].hits_ja, until_ja);
}

void
guard_text_left(struct str *out, struct str *ja, enum rate_kind kind,
    int64_t left, enum guard_level level)
{
	str_adds(out, "at today's volume ");
	str_adds(ja, "本日の件数のままなら、");
	add_left(
	    out, ja, kind, left, levels[level].until, levels[level].until_ja);
}

/* What has come is told as that. */
void
guard_text_budget(struct str *out, struct str *ja, const struct guard_budget *b)
{
	if (!b->rate.known) {
		str_adds(out, "nothing was sent in 24 h");
		str_adds(ja, "直近24時間の送信はありません");
	} else if (b->left_stop == 0) {
		str_addf(out, "Amazon may stop sending: %s rate above ",
		    kinds[b->kind].rate);
		guard_text_percent(out, b->stop);
		str_addf(ja, "%s率が", kinds[b->kind].hits_ja);
		guard_text_percent(ja, b->stop);
		str_adds(ja, "を超え、Amazonが送信を停止する可能性があります");
	} else if (b->left_review == 0) {
		str_adds(out, "under review by Amazon's rules: ");
		str_adds(ja, "Amazonの審査基準を超えています。");
		add_left(out, ja, b->kind, b->left_stop, "Amazon stops sending",
		    "送信停止");
	} else {
		str_adds(out, "at today's volume ");
		str_adds(ja, "本日の件数のままなら、");
		add_left(out, ja, b->kind, b->left_review, "review", "審査");
	}
}
