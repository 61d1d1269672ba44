/*
 * form_words.c - a diagnosis as words: where its SMTP reply begins, the moment
 * and the host that the words around it tell, its lines as one.
 */
#include "router/feedback/form_int.h"

#include "mta/base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Moments of failure that report_diagnose does not know: they are words of
 * single systems. */
/* clang-format off */
static const struct {
	const char *words;
	enum smtp_stage stage;
} moments[] = {
	{ "like our final data", STAGE_DOT },
	{ "step: data send", STAGE_DOT },
	{ "[data]", STAGE_DATA },
	{ "[rcpt_to]", STAGE_RCPT },
	{ "following rcpt", STAGE_RCPT },
	{ "progress was rcpt", STAGE_RCPT },
	{ "[mail_from]", STAGE_MAIL },
	{ "following mail", STAGE_MAIL },
	{ NULL, STAGE_NONE },
};
/* clang-format on */

enum smtp_stage
form_stage(struct piece s)
{
	if (s.len > 600)
		s.len = 600;
	for (size_t i = 0; moments[i].words != NULL; i++)
		if (form_has(s, moments[i].words))
			return moments[i].stage;
	return STAGE_NONE;
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* x.y.z at p, its length; 0 when there is none (an IP address, a version). */
size_t
form_status_at(const char *p, const char *end)
{
	const char *q = p;
	int dots = 0, run = 0;

	if (end - p < 5 || *p < '2' || *p > '5' || *p == '3' || p[1] != '.')
		return 0;
	for (; q < end && (digit(*q) || (*q == '.' && dots < 2)); q++) {
		if (*q == '.') {
			dots++;
			run = 0;
		} else if (++run > 3)
			return 0;
	}
	if (dots != 2 || run == 0 || q - p > 9)
		return 0;
	return q < end && (*q == '.' && q + 1 < end && digit(q[1])) ? 0
	       : q < end && isalpha((unsigned char)*q)		    ? 0
						       : (size_t)(q - p);
}

static const char *const said[] = { "said", "code", "error", "status",
	"response", "with", "replied", "smtp", "returned", NULL };

/* True when words that announce a reply end right before p. */
static bool
announced(const char *start, const char *p)
{
	while (p > start && p[-1] == ' ')
		p--;
	for (size_t i = 0; said[i] != NULL; i++) {
		size_t n = strlen(said[i]);

		if ((size_t)(p - start) >= n &&
		    strncasecmp(p - n, said[i], n) == 0)
			return true;
	}
	return p == start || strchr(":;,'\"[(<#", p[-1]) != NULL;
}

/* Where in the line the SMTP reply begins, its length when there is none. */
size_t
form_reply_at(struct piece s)
{
	const char *end = s.at + s.len, *next;

	for (const char *p = s.at; end - p >= 3; p++) {
		if ((*p != '4' && *p != '5' && *p != '2') || p[1] < '0' ||
		    p[1] > '5' || !digit(p[2]) ||
		    (p > s.at &&
			(isalnum((unsigned char)p[-1]) || p[-1] == '.')))
			continue;
		next = p + 3;
		if (next < end && strchr(" -:,'\"])>", *next) == NULL)
			continue;
		while (next < end && (*next == ' ' || *next == '-' ||
					 *next == ':' || *next == '#'))
			next++;
		if ((*p != '2' && announced(s.at, p)) ||
		    (form_status_at(next, end) > 0 && *next == *p))
			return (size_t)(p - s.at);
	}
	return s.len;
}

/* The lines of a diagnosis as one, a reply's code only once. */
void
form_join(struct str *out, struct piece s)
{
	const char *p = s.at, *end;
	size_t code;
	bool line;

	if (s.len == 0)
		return;
	if (out->len > 0)
		str_addc(out, ' ');
	end = s.at + s.len;
	code = form_reply_at(s);
	for (; p < end; p++) {
		if (*p != '\n' && !isspace((unsigned char)*p)) {
			str_addc(out, *p);
			continue;
		}
		line = *p == '\n';
		while (p + 1 < end && isspace((unsigned char)p[1]))
			line |= *++p == '\n';
		if (line && end - p > 8 && strncmp(p + 1, "<<< ", 4) == 0)
			p += 4;
		if (line && code < s.len && end - p > 5 &&
		    memcmp(p + 1, s.at + code, 3) == 0 &&
		    (p[4] == ' ' || p[4] == '-') && p - s.at > (long)code)
			p += 4;
		if (p + 1 < end)
			str_addc(out, ' ');
	}
}

/* A host's name or address at the beginning of that piece. */
struct piece
form_host_word(struct piece s)
{
	size_t n = 0;
	bool dot = false;

	while (n < s.len && n < 255 &&
	       (isalnum((unsigned char)s.at[n]) ||
		   strchr("-._:", s.at[n]) != NULL) &&
	       s.at[n] != '\0') {
		dot |= s.at[n] == '.';
		n++;
	}
	while (n > 0 && strchr(".:", s.at[n - 1]) != NULL)
		n--;
	return (struct piece){ s.at, dot ? n : 0 };
}

/* The host that the words begin with or bracket: "mx.example.jp does not like
 * recipient", "SMTP Server <mx.example.jp> rejected". */
struct piece
form_host(struct piece s)
{
	static const char server[] = "smtp server <";
	static const char *const after[] = { " [", "[", " does ", " failed ",
		" did ", " said", " responded", ">", NULL };
	struct piece host;
	size_t skip = sizeof server - 1;

	if (s.len > skip && strncasecmp(s.at, server, skip) == 0)
		s = (struct piece){ s.at + skip, s.len - skip };
	host = form_host_word(s);
	for (size_t i = 0; host.len > 0 && after[i] != NULL; i++)
		if (s.len - host.len >= strlen(after[i]) &&
		    strncasecmp(
			host.at + host.len, after[i], strlen(after[i])) == 0)
			return host;
	return (struct piece){ s.at, 0 };
}

/* Without quotes at the end, or a bracket that nothing opened. */
struct piece
form_without_brackets(struct piece s)
{
	while (s.len > 0 && strchr("'\" \t", s.at[s.len - 1]) != NULL)
		s.len--;
	if (s.len > 0 && ((s.at[s.len - 1] == ']' && !form_has(s, "[")) ||
			     (s.at[s.len - 1] == ')' && !form_has(s, "("))))
		s.len--;
	return s;
}
