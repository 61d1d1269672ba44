/*
 * format_width.c - how many columns a terminal gives to a text.
 *
 * After Unicode's East Asian Width: W and F are two columns. wcwidth(3) would
 * depend on the locale, and the canonical form of a file must not.
 */
#include "rules/format_int.h"

#include <stdint.h>

#define TAB_WIDTH 8

static const struct {
	uint32_t first, last;
	unsigned width;
} ranges[] = {
	{ 0x0300, 0x036f, 0 },	 /* combining marks */
	{ 0x1100, 0x115f, 2 },	 /* Hangul Jamo */
	{ 0x200b, 0x200f, 0 },	 /* zero width space, joiners, marks */
	{ 0x2e80, 0x303e, 2 },	 /* radicals, CJK punctuation */
	{ 0x3041, 0x3098, 2 },	 /* Hiragana */
	{ 0x3099, 0x309a, 0 },	 /* combining (semi-)voiced sound marks */
	{ 0x309b, 0xa4cf, 2 },	 /* Hiragana, Katakana ... Yi */
	{ 0xac00, 0xd7a3, 2 },	 /* Hangul */
	{ 0xf900, 0xfaff, 2 },	 /* compatibility ideographs */
	{ 0xfe00, 0xfe0f, 0 },	 /* variation selectors */
	{ 0xfe30, 0xfe6f, 2 },	 /* compatibility forms */
	{ 0xfeff, 0xfeff, 0 },	 /* byte order mark */
	{ 0xff01, 0xff60, 2 },	 /* full-width forms; half-width ones follow */
	{ 0xffe0, 0xffe6, 2 },	 /* full-width signs */
	{ 0x1f300, 0x1f64f, 2 }, /* pictographs, emoticons */
	{ 0x1f900, 0x1f9ff, 2 }, /* more of them */
	{ 0x20000, 0x3fffd, 2 }, /* ideographs */
};

static unsigned
char_width(uint32_t c)
{
	if (c == '\t')
		return TAB_WIDTH;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return ranges[i].width;
	return 1;
}

/* The character at *p, which lex_check_text has found good; *p goes on to the
 * next one. */
static uint32_t
next_char(const char **p)
{
	unsigned char lead = (unsigned char)*(*p)++;
	uint32_t c = lead;

	if (lead >= 0xc0)
		c = lead & (lead >= 0xf0 ? 0x07 : lead >= 0xe0 ? 0x0f : 0x1f);
	while (((unsigned char)**p & 0xc0) == 0x80)
		c = c << 6 | ((unsigned char)*(*p)++ & 0x3f);
	return c;
}

unsigned
text_width(const char *s, size_t len)
{
	const char *end = s + len;
	unsigned width = 0;

	while (s < end)
		width += char_width(next_char(&s));
	return width;
}
