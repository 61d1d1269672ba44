/*
 * utf8.c - whether bytes from outside are UTF-8.
 */
#include "mta/smtp/utf8.h"

/* Length of the character at p, 0 when it is none. */
static size_t
utf8_length(const unsigned char *p, const unsigned char *end)
{
	/* Per range of lead bytes: length, and the range of the second byte. */
	static const struct {
		unsigned char first, last, len, low, high;
	} rows[] = {
		{ 0x00, 0x7f, 1, 0, 0 },
		{ 0xc2, 0xc2, 2, 0xa0, 0xbf },
		{ 0xc3, 0xdf, 2, 0x80, 0xbf },
		{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
		{ 0xe1, 0xec, 3, 0x80, 0xbf },
		{ 0xed, 0xed, 3, 0x80, 0x9f },
		{ 0xee, 0xef, 3, 0x80, 0xbf },
		{ 0xf0, 0xf0, 4, 0x90, 0xbf },
		{ 0xf1, 0xf3, 4, 0x80, 0xbf },
		{ 0xf4, 0xf4, 4, 0x80, 0x8f },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (*p < rows[i].first || *p > rows[i].last)
			continue;
		if (end - p < rows[i].len)
			return 0;
		if (rows[i].len > 1 &&
		    (p[1] < rows[i].low || p[1] > rows[i].high))
			return 0;
		for (unsigned k = 2; k < rows[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].len;
	}
	return 0;
}

bool
utf8_check(const char *text, size_t len, bool *beyond)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;

	while (p < end) {
		size_t n = utf8_length(p, end);

		if (n == 0)
			return false;
		if (n > 1)
			*beyond = true;
		p += n;
	}
	return true;
}
