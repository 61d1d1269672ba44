/*
 * report_diagnose.c - a diagnosis taken apart: the reply code, the enhanced
 * status, who said it, and the words themselves.
 *
 * Numbers are everywhere in such texts - addresses, ports, sizes, dates,
 * versions - so a code counts only by where it stands, and an enhanced status
 * only by its form and its neighbours.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "router/feedback/form.h"
#include "router/feedback/report_int.h"

#define LOOK_MAX 4096 /* bytes of a diagnosis that are looked at */

/* Words that make the number before or behind them something else than a reply.
 */
static const char *const units[] = { "bytes", "byte", "kb", "mb", "seconds",
	"second", "sec", "minutes", "hours", "hour", "hrs", "days", "day",
	"messages", "recipients", "times", "attempts", "mails", "connections" };
static const char *const owners[] = { "port", "line", "id", "than", "of", "to",
	"over", "is", "postfix", "exim", "sendmail", "version", "ver", "size",
	"after", "last", "rule", "v" };

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool
word_in(const char *p, size_t len, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(words[i]) == len &&
		    strncasecmp(p, words[i], len) == 0)
			return true;
	return false;
}

static bool
has_owner(const char *text, const char *p)
{
	const char *end = p, *word;

	while (end > text && end[-1] == ' ')
		end--;
	for (word = end; word > text && is_alnum(word[-1]);)
		word--;
	return word_in(word, (size_t)(end - word), owners,
	    sizeof(owners) / sizeof(owners[0]));
}

static bool
has_unit(const char *p)
{
	const char *word = p + strspn(p, " ");
	size_t len = 0;

	while (is_alnum(word[len]))
		len++;
	return word_in(word, len, units, sizeof(units) / sizeof(units[0]));
}

/* The length of an enhanced status (RFC 3463 2) that begins here; 0: none does.
 */
static size_t
status_length(const char *text, const char *p)
{
	size_t i = 1, n;

	if ((*p != '2' && *p != '4' && *p != '5') || p[1] != '.' ||
	    (p > text && (is_alnum(p[-1]) || strchr("./[@_", p[-1]) != NULL)))
		return 0;
	for (int part = 0; part < 2; part++) {
		n = p[i] == '.' ? strspn(p + i + 1, "0123456789") : 0;
		if (n < 1 || n > 3)
			return 0;
		i += n + 1;
	}
	if (is_alnum(p[i]) || p[i] == '/' || p[i] == '@' || p[i] == '_' ||
	    (p[i] == '.' && is_alnum(p[i + 1])) ||
	    (p[i] == '-' && is_digit(p[i + 1])))
		return 0;
	return i;
}

static bool
is_code(const char *p)
{
	return (*p == '4' || *p == '5' || *p == '2') && p[1] >= '0' &&
	       p[1] <= '7' && is_digit(p[2]) && !is_alnum(p[3]);
}

/* True when a code that begins here stands as replies have it. */
static bool
stands_as_code(const char *text, const char *p)
{
	char before = p > text ? p[-1] : ' ', after;

	if (!is_code(p) || is_alnum(before) ||
	    strchr(".[/@_%+&?=,", before) != NULL)
		return false;
	after = p[3];
	if (before == '-' && p - text > 1 && is_alnum(p[-2]))
		return false;
	if (before == ':' && p - text > 1 && is_digit(p[-2]))
		return false;
	if (after == '.' || after == ',' || after == ':' || after == ')' ||
	    after == ']')
		return !is_digit(p[4]) && p[4] != '@' && !has_owner(text, p);
	if (after != '\0' && strchr(" -;'\"(<#\t", after) == NULL)
		return false;
	if (after == '-' && !is_alnum(p[4]) && strchr(" <'\"", p[4]) == NULL)
		return false;
	return !has_owner(text, p) && !has_unit(p + 3);
}

/* A reply in angle brackets is what the remote host said, in somebody else's
 * summary: "554 4.4.7 message expired <421 4.4.2 connection timed out>". */
static const char *
inner_reply(const char *text)
{
	const char *p = text;

	while ((p = strchr(p, '<')) != NULL)
		if (is_code(++p) && p[3] == ' ' &&
		    status_length(text, p + 4) > 0)
			return p;
	return NULL;
}

/* Where a reply begins, as far as the words before it tell. */
static const char *
reply_start(const char *text)
{
	static const char *const leads[] = { "<<< ",
		" said: ", "refused to talk to me: ", "smtp; ", "smtp;",
		"responded: ", "response was: ", "server: ", "error was: ",
		"returned: " };
	const char *p = text + strspn(text, " \"'(:;"), *hit;

	if ((hit = inner_reply(text)) != NULL)
		return hit;
	if (is_code(p) && (p == text || stands_as_code(text, p)))
		return p;
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
		hit = strcasestr(text, leads[i]);
		if (hit != NULL && stands_as_code(text, hit + strlen(leads[i])))
			return hit + strlen(leads[i]);
	}
	return NULL;
}

/* A 2xx is a reply only where one begins and no other follows, and not when it
 * is all: an exit status. */
static const char *
find_code(const char *text)
{
	const char *start = reply_start(text);

	if (start != NULL && *start != '2')
		return start;
	for (const char *p = text; *p != '\0'; p++)
		if ((*p == '4' || *p == '5') && stands_as_code(text, p) &&
		    (start == NULL || status_length(text, p + 4) > 0))
			return p;
	return start != NULL && start[3] != '\0' ? start : NULL;
}

/* The status that belongs to the reply, else the first that is one. */
static const char *
find_status(const char *text, const char *code, size_t *len)
{
	const char *p;

	if (code != NULL) {
		p = code + 3 + strspn(code + 3, " -#('\"<");
		if ((*len = status_length(text, p)) > 0)
			return p;
	}
	for (p = text; *p != '\0'; p++) {
		*len = status_length(text, p);
		if (*len > 0 && !has_owner(text, p) &&
		    (code == NULL || *code == '2' || *p != '2'))
			return p;
	}
	return NULL;
}

/* "5.0.0": the reporter knew no better. */
static bool
is_generic(const char *status)
{
	return status[0] == '\0' || strcmp(status + 1, ".0.0") == 0;
}

static void
keep_status(struct outcome *o, const char *status, size_t len)
{
	char found[sizeof(o->enhanced)];

	memcpy(found, status, len);
	found[len] = '\0';
	if (is_generic(found) && !is_generic(o->enhanced))
		return;
	memcpy(o->enhanced, found, len + 1);
}

/* The diagnosis in one line, controls and doubled blanks gone. */
static void
flatten(struct str *out, const char *text, size_t len)
{
	if (len > LOOK_MAX)
		len = LOOK_MAX;
	str_reserve(out, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c == 0x7f)
			c = ' ';
		if (c == ' ' &&
		    (out->len == 0 || out->data[out->len - 1] == ' '))
			continue;
		out->data[out->len++] = (char)c;
	}
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		out->len--;
	out->data[out->len] = '\0';
}

static bool
is_host_char(char c)
{
	return is_alnum(c) || c == '.' || c == '-' || c == '_';
}

/* The host that is named behind one of these. */
static void
keep_host(struct report_part *part, const char *text)
{
	static const char *const leads[] = { "host ", "while talking to ",
		"rejected by host ", "connect to ", "connected to ",
		"response from ", "conversation with ",
		"lost connection with " };
	const char *p;
	size_t n, lead;

	for (size_t i = 0;
	     *part->host == '\0' && i < sizeof(leads) / sizeof(leads[0]); i++) {
		lead = strlen(leads[i]);
		p = strcasestr(text, leads[i]);
		if (p == NULL || (p > text && is_alnum(p[-1])))
			continue;
		for (p += lead, n = 0; is_host_char(p[n]);)
			n++;
		while (n > 0 && (p[n - 1] == '.' || p[n - 1] == '-'))
			n--;
		if (n > 3 && memchr(p, '.', n) != NULL)
			report_set(&part->host, p, n);
	}
}

/* Behind the reporter's words: "host mx.example.jp[192.0.2.1] said: ". */
static const char *
words_start(const char *text)
{
	const char *said = strncasecmp(text, "host ", 5) == 0 ||
				   strncasecmp(text, "mx ", 3) == 0
			       ? strcasestr(text, " said: ")
			       : NULL;

	return said != NULL ? said + 7 : text;
}

/* Behind code and status, where they stand first; text otherwise. */
static const char *
reply_text(const char *words, const char *code)
{
	const char *p = words;
	size_t n;

	p += strspn(p, " \"'<");
	if (p != code)
		return words;
	p += 3 + strspn(p + 3, " -#");
	n = status_length(words, p);
	p += n;
	p += strspn(p, n > 0 ? " -:" : " ");
	return *p != '\0' ? p : words;
}

static void
keep_text(struct outcome *o, const char *text)
{
	const char *tail = strcasestr(text, " (in reply to ");
	size_t len =
	    tail != NULL && tail > text ? (size_t)(tail - text) : strlen(text);

	if (len >= sizeof(o->text)) {
		len = sizeof(o->text) - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(o->text, text, len);
	o->text[len] = '\0';
}

void
words_keep(struct outcome *o, const char *text, size_t len)
{
	struct str flat = STR_INIT;

	flatten(&flat, text, len);
	keep_text(o, flat.data);
	str_release(&flat);
}

void
report_diagnose(struct report_part *part, const char *text, size_t len)
{
	struct outcome *o = &part->outcome;
	struct str flat = STR_INIT;
	const char *code, *status;
	enum smtp_stage stage;
	size_t n;

	flatten(&flat, text, len);
	if (flat.len > 0) {
		code = find_code(flat.data);
		status = find_status(flat.data, code, &n);
		if (code != NULL)
			o->code = (code[0] - '0') * 100 + (code[1] - '0') * 10 +
				  (code[2] - '0');
		if (status != NULL && n < sizeof(o->enhanced))
			keep_status(o, status, n);
		stage = stage_of_text(text, len < LOOK_MAX ? len : LOOK_MAX);
		if (stage != STAGE_NONE)
			o->stage = stage;
		keep_host(part, flat.data);
		keep_text(o, reply_text(words_start(flat.data), code));
	}
	str_release(&flat);
}
