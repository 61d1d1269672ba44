/*
 * report_text.c - text as UTF-8, whatever was done to it on the way.
 *
 * Transfer encodings and charsets are GMime's. What names the wrong charset or
 * none is taken for what it looks like; ISO-2022-JP is told by its escapes, and
 * read line by line, so that a lost escape harms no more than its line. Nothing
 * fails: what cannot be read becomes '?'.
 */
#include <errno.h>
#include <gmime/gmime.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

#include "mta/base/alloc.h"
#include "mta/smtp/utf8.h"
#include "router/feedback/report_int.h"

/* clang-format off */
static const GMimeContentEncoding decoders[] = {
	[ENCODING_QUOTED] = GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE,
	[ENCODING_BASE64] = GMIME_CONTENT_ENCODING_BASE64,
	[ENCODING_UU]     = GMIME_CONTENT_ENCODING_UUENCODE,
};
/* clang-format on */

#define WINDOWS_LATIN "WINDOWS-1252"
#define JAPANESE_EUC  "EUC-JP-MS"
#define JAPANESE_SJIS "CP932"

/* Converts by iconv; a byte that it does not take is a '?'. False: the charset
 * is not known. */
static bool
convert(struct str *out, struct span in, const char *charset)
{
	iconv_t cd = g_mime_iconv_open("UTF-8", charset);
	char *from = (char *)(uintptr_t)in.data, *to;
	size_t left = in.len, room;

	if (cd == (iconv_t)-1)
		return false;
	while (left > 0) {
		str_reserve(out, left * 3 + 16);
		to = out->data + out->len;
		room = left * 3 + 16;
		if (iconv(cd, &from, &left, &to, &room) == (size_t)-1 &&
		    errno != E2BIG) {
			from++;
			left--;
			*to++ = '?';
		}
		out->len = (size_t)(to - out->data);
		out->data[out->len] = '\0';
	}
	g_mime_iconv_close(cd);
	return true;
}

/* What an escape of ISO-2022-JP turns to: 0 no escape, 'A' one byte, 'B' two,
 * 'I' kana, 'D' the supplement; *len of it. */
static char
escape_kind(const char *p, size_t left, size_t *len)
{
	if (left < 3 || p[0] != '\033')
		return 0;
	*len = 3;
	if (p[1] == '(')
		return p[2] == 'I' ? 'I' : 'A';
	if (p[1] != '$')
		return 0;
	if (p[2] == 'B' || p[2] == '@')
		return 'B';
	*len = 4;
	if (left > 3 && p[2] == '(')
		return p[3] == 'D' ? 'D' : 'B';
	return 0;
}

/* ISO-2022-JP as EUC: its bytes with the high bit set. */
static void
euc_from_escapes(struct str *out, struct span in)
{
	char mode = 'A', kind;
	size_t n;

	str_reserve(out, in.len * 2);
	for (size_t i = 0; i < in.len; i++) {
		const char *p = in.data + i;

		kind = escape_kind(p, in.len - i, &n);
		if (kind != 0) {
			mode = kind;
			i += n - 1;
			continue;
		}
		if (*p == '\n' || *p == '\r')
			mode = 'A';
		if (mode == 'A' || (unsigned char)*p <= ' ') {
			str_addc(out, *p);
			continue;
		}
		if (mode == 'I')
			str_addc(out, (char)0x8e);
		if (mode == 'D')
			str_addc(out, (char)0x8f);
		str_addc(out, (char)(*p | 0x80));
		if (mode != 'I' && in.len - i > 1 && p[1] > ' ') {
			str_addc(out, (char)(p[1] | 0x80));
			i++;
		}
	}
}

/* EUC's high bytes stand in pairs. */
static bool
is_euc(struct span in)
{
	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.data[i];

		if (c < 0x80)
			continue;
		if ((c < 0xa1 && c != 0x8e) || c == 0xff || ++i == in.len ||
		    (unsigned char)in.data[i] < 0xa1)
			return false;
	}
	return true;
}

/* Shift_JIS, with some kana in it: Latin text can look like the rest. */
static bool
is_sjis(struct span in)
{
	bool kana = false;

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.data[i], next;

		if (c < 0x80 || (c >= 0xa1 && c <= 0xdf))
			continue;
		if (c == 0x80 || c == 0xa0 || c > 0xfc || ++i == in.len)
			return false;
		next = (unsigned char)in.data[i];
		if (next < 0x40 || next == 0x7f || next > 0xfc)
			return false;
		kana |= (c == 0x82 && next >= 0x9f) || c == 0x83;
	}
	return kana;
}

/* True for the names that say nothing of bytes above 127. */
static bool
is_unnamed(const char *charset)
{
	return *charset == '\0' || strcasecmp(charset, "us-ascii") == 0 ||
	       strncasecmp(charset, "utf-8", 5) == 0 ||
	       strcasecmp(charset, "utf8") == 0 ||
	       strncasecmp(charset, "unknown", 7) == 0;
}

static const char *
charset_named(const char *name)
{
	if (strcasestr(name, "jis") != NULL ||
	    strcasecmp(name, "windows-31j") == 0)
		return JAPANESE_SJIS;
	if (strncasecmp(name, "euc-jp", 6) == 0)
		return JAPANESE_EUC;
	if (strcasestr(name, "utf-7") != NULL)
		return "UTF-7";
	if (strcasecmp(name, "iso-8859-1") == 0)
		return WINDOWS_LATIN;
	return name;
}

static bool
is_utf16(const char *charset)
{
	return strcasestr(charset, "utf-16") != NULL ||
	       strcasestr(charset, "utf-32") != NULL ||
	       strcasestr(charset, "utf-7") != NULL;
}

static bool
is_ascii(struct span in)
{
	unsigned char high = 0;

	for (size_t i = 0; i < in.len; i++)
		high |= (unsigned char)in.data[i];
	return high < 0x80;
}

/* Opened once and never closed, so that iconv keeps what it had to load from
 * files. */
void
text_prepare(void)
{
	static const char *const names[] = { JAPANESE_EUC, JAPANESE_SJIS,
		WINDOWS_LATIN, "ISO-2022-JP", "ISO-8859-1", "ISO-8859-15",
		"KOI8-R", "GB18030" };
	static iconv_t kept[sizeof(names) / sizeof(names[0])];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (kept[i] == NULL)
			kept[i] = g_mime_iconv_open("UTF-8", names[i]);
}

void
text_to_utf8(struct str *out, struct span bytes, struct span charset)
{
	char name[40] = "";
	struct str euc = STR_INIT;
	bool beyond;

	if (charset.len < sizeof(name))
		memcpy(name, charset.data, charset.len);
	if (memmem(bytes.data, bytes.len, "\033$", 2) != NULL) {
		euc_from_escapes(&euc, bytes);
		convert(out, (struct span){ euc.data, euc.len }, JAPANESE_EUC);
		str_release(&euc);
		return;
	}
	if (!is_utf16(name) &&
	    (is_ascii(bytes) || utf8_check(bytes.data, bytes.len, &beyond))) {
		str_add(out, bytes.data, bytes.len);
		return;
	}
	if (!is_unnamed(name) && convert(out, bytes, charset_named(name)))
		return;
	convert(out, bytes,
	    is_euc(bytes)    ? JAPANESE_EUC
	    : is_sjis(bytes) ? JAPANESE_SJIS
			     : WINDOWS_LATIN);
}

/* LF for CRLF (also CRCRLF) and CR; no NUL. In place, from there on. */
static void
clean_lines(struct str *s, size_t from)
{
	char *to = s->data + from;

	if (memchr(to, '\r', s->len - from) == NULL &&
	    memchr(to, '\0', s->len - from) == NULL)
		return;
	for (const char *p = to, *end = s->data + s->len; p < end; p++) {
		if (*p == '\0' || (*p == '\r' && p + 1 < end &&
				      (p[1] == '\n' || p[1] == '\r')))
			continue;
		*to++ = *p == '\r' ? '\n' : *p;
	}
	s->len = (size_t)(to - s->data);
	*to = '\0';
}

void
text_decode(struct str *out, struct span bytes, enum leaf_encoding encoding,
    struct span charset)
{
	size_t from = out->len, len;
	GMimeEncoding decoder;
	char *plain;

	if (encoding == ENCODING_NONE) {
		text_to_utf8(out, bytes, charset);
		clean_lines(out, from);
		return;
	}
	g_mime_encoding_init_decode(&decoder, decoders[encoding]);
	plain = xmalloc(g_mime_encoding_outlen(&decoder, bytes.len) + 1);
	len = g_mime_encoding_flush(&decoder, bytes.data, bytes.len, plain);
	text_to_utf8(out, (struct span){ plain, len }, charset);
	clean_lines(out, from);
	free(plain);
}

struct entity_name {
	const char *name;
	const char *text;
};

static const struct entity_name entities[] = {
	{ "&lt;", "<" },
	{ "&gt;", ">" },
	{ "&amp;", "&" },
	{ "&quot;", "\"" },
	{ "&nbsp;", " " },
	{ "&#64;", "@" },
	{ "&#39;", "'" },
	{ "&#x27;", "'" },
};

/* The length of the entity that begins here, whose text is added; 0: none does.
 */
static size_t
entity_add(struct str *out, const char *p, size_t left)
{
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
		size_t n = strlen(entities[i].name);

		if (left >= n && strncasecmp(p, entities[i].name, n) == 0) {
			str_adds(out, entities[i].text);
			return n;
		}
	}
	return 0;
}

/* Elements that begin a line of their own. */
static const char *const breaking[] = { "br", "p", "div", "tr", "li", "table",
	"h1", "h2", "h3", "pre", "hr", "ul", "body", "title", "blockquote" };

static bool
is_letter(char c)
{
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c >= '0' && c <= '9');
}

/* The length of the tag that begins here; 0: it is none ("<taro@example.jp>").
 */
static size_t
tag_length(const char *p, size_t left, bool *breaks, bool *hides)
{
	size_t i = left > 1 && p[1] == '/' ? 2 : 1, name = i, n;
	const char *end;

	*breaks = *hides = false;
	if (left > 1 && p[1] == '!')
		i = name = 2;
	while (i < left && is_letter(p[i]))
		i++;
	n = i - name;
	if (i == left || (n == 0 && p[1] != '!') ||
	    strchr(p[1] == '!' ? " \t\n->[" : " \t\n/>", p[i]) == NULL)
		return 0;
	for (size_t b = 0; b < sizeof(breaking) / sizeof(breaking[0]); b++)
		*breaks |= strlen(breaking[b]) == n &&
			   strncasecmp(breaking[b], p + name, n) == 0;
	*hides =
	    name == 1 && ((n == 5 && strncasecmp(p + 1, "style", 5) == 0) ||
			     (n == 6 && strncasecmp(p + 1, "script", 6) == 0));
	end = memchr(p + i, '>', left - i);
	return end == NULL ? left : (size_t)(end + 1 - p);
}

/* Behind the element that is not shown; what does not end hides nothing. */
static const char *
behind_hidden(const char *p, const char *end)
{
	const char *stop = memmem(p, (size_t)(end - p), "</s", 3);

	if (stop == NULL)
		stop = memmem(p, (size_t)(end - p), "</S", 3);
	return stop == NULL ? p : stop;
}

void
text_from_html(struct str *out, const char *html, size_t len)
{
	const char *end = html + len;
	bool breaks, hides, first = true;
	size_t n;

	for (const char *p = html; p < end;) {
		breaks = hides = false;
		n = *p == '<'
			? tag_length(p, (size_t)(end - p), &breaks, &hides)
		    : *p == '&' ? entity_add(out, p, (size_t)(end - p))
				: 0;
		if (n == 0) {
			str_addc(out, *p++);
			continue;
		}
		if (*p == '<' && breaks)
			str_addc(out, '\n');
		p += n;
		if (hides && first) {
			first = behind_hidden(p, end) != p;
			p = behind_hidden(p, end);
		}
	}
}
