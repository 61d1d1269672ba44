/*
 * parse_number.c - words with digits: numbers, shares, sizes, times, rates.
 */
#include "rules/parse_int.h"

#include <ctype.h>
#include <string.h>

#define BYTES_MAX   (UINT64_C(1) << 50)
#define SECONDS_MAX (365u * 86400)

struct unit {
	const char *name;
	unsigned seconds;
};

static const struct unit rates[] = {
	{ "/s", 1 },
	{ "/min", 60 },
	{ "/h", 3600 },
	{ "/day", 86400 },
};

static const struct unit times[] = {
	{ "s", 1 },
	{ "min", 60 },
	{ "h", 3600 },
	{ "d", 86400 },
};

#define UNITS 4

/* Splits "5min" after its digits; the unit's seconds, or 0 when it is none of
 * the table. */
static unsigned
read_unit(
    const char *text, size_t len, const struct unit *units, size_t *digits)
{
	size_t n = 0;

	while (n < len && isdigit((unsigned char)text[n]))
		n++;
	*digits = n;
	for (size_t i = 0; i < UNITS; i++)
		if (strlen(units[i].name) == len - n &&
		    memcmp(units[i].name, text + n, len - n) == 0)
			return units[i].seconds;
	return 0;
}

int
read_number(struct words *w, const struct token *t, const char *text,
    size_t len, unsigned max, unsigned *out)
{
	unsigned long n = 0;
	size_t i;

	for (i = 0; i < len && isdigit((unsigned char)text[i]); i++)
		if (n <= max)
			n = n * 10 + (unsigned long)(text[i] - '0');
	if (len == 0 || i < len || n == 0 || n > max) {
		problem_at(w->parse->report, t,
		    "expected a number from 1 to %u, got '%s'", max,
		    word_show(w, t));
		return -1;
	}
	*out = (unsigned)n;
	return 0;
}

int
read_rate(struct words *w, const struct token *t, unsigned max, unsigned *count,
    unsigned *per)
{
	size_t digits;

	*per = read_unit(t->text, t->len, rates, &digits);
	if (*per == 0)
		return -1;
	return read_number(w, t, t->text, digits, max, count);
}

int
read_time(struct words *w, const struct token *t, const char *text, size_t len,
    unsigned *out)
{
	size_t digits;
	unsigned unit = read_unit(text, len, times, &digits), n = 0;

	if (unit == 0 || digits == 0) {
		problem_at(w->parse->report, t,
		    "expected a time such as '30s', '5min', '1h' or '5d', got "
		    "'%.*s'",
		    (int)(len < 40 ? len : 40), text);
		return -1;
	}
	if (read_number(w, t, text, digits, SECONDS_MAX / unit, &n) < 0)
		return -1;
	*out = n * unit;
	return 0;
}

/* "12.5" as 1250, with two decimals at most. Returns how many bytes that is; 0
 * when it is none. */
static size_t
read_hundredths(const char *text, size_t len, unsigned *out)
{
	unsigned whole = 0, part = 0, digits = 0;
	size_t i = 0;

	for (; i < len && i < 3 && isdigit((unsigned char)text[i]); i++)
		whole = whole * 10 + (unsigned)(text[i] - '0');
	if (i == 0)
		return 0;
	if (i < len && text[i] == '.') {
		for (i++;
		     digits < 2 && i < len && isdigit((unsigned char)text[i]);
		     i++, digits++)
			part = part * 10 + (unsigned)(text[i] - '0');
		if (digits == 0)
			return 0;
	}
	*out = whole * 100 + (digits == 1 ? part * 10 : part);
	return i;
}

int
read_percent(struct words *w, const struct token *t, unsigned *out)
{
	unsigned share;
	size_t n = read_hundredths(t->text, t->len, &share);

	if (n == 0 || n + 1 != t->len || t->text[n] != '%' || t->string ||
	    share > 10000) {
		problem_at(w->parse->report, t,
		    "expected a share from 0%% to 100%%, such as '95%%' or "
		    "'2.5%%', got '%s'",
		    word_show(w, t));
		return -1;
	}
	*out = share;
	return 0;
}

int
read_growth(struct words *w, const struct token *t, unsigned *out)
{
	unsigned growth;

	if (t->string || read_hundredths(t->text, t->len, &growth) != t->len ||
	    growth <= 100 || growth > 1000) {
		problem_at(w->parse->report, t,
		    "expected a growth above 1 and up to 10, such as '1.5' or "
		    "'2', got '%s'",
		    word_show(w, t));
		return -1;
	}
	*out = growth;
	return 0;
}

static const struct {
	const char *name;
	unsigned shift;
} sizes[] = {
	{ "", 0 },
	{ "B", 0 },
	{ "KB", 10 },
	{ "MB", 20 },
	{ "GB", 30 },
	{ "KiB", 10 },
	{ "MiB", 20 },
	{ "GiB", 30 },
};

int
read_bytes(struct words *w, const struct token *t, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < t->len && i < 18 && isdigit((unsigned char)t->text[i]); i++)
		n = n * 10 + (uint64_t)(t->text[i] - '0');
	for (size_t u = 0; i > 0 && u < sizeof(sizes) / sizeof(*sizes); u++)
		if (strlen(sizes[u].name) == t->len - i &&
		    memcmp(sizes[u].name, t->text + i, t->len - i) == 0) {
			if (n > BYTES_MAX >> sizes[u].shift) {
				problem_at(w->parse->report, t,
				    "size '%s' is too large", word_show(w, t));
				return -1;
			}
			*out = n << sizes[u].shift;
			return 0;
		}
	problem_at(w->parse->report, t,
	    "expected a size such as '500KB' or '1MB', got '%s'",
	    word_show(w, t));
	return -1;
}
