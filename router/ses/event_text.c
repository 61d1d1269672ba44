/*
 * event_text.c - texts of an SES event: cut, cleaned, taken apart.
 *
 * jansson lets no text through that is not UTF-8; what is left to fear is
 * control bytes and length.
 */
#include "router/ses/event_int.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

const char *
event_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

/* C0, DEL and, as UTF-8 has them, C1: what a terminal may obey. */
static size_t
control_length(const unsigned char *p)
{
	if (p[0] < ' ' || p[0] == 0x7f)
		return 1;
	return p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0 ? 2 : 0;
}

static size_t
character_length(const unsigned char *p)
{
	size_t n = 1;

	while ((p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

void
event_copy(char *out, size_t size, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t at = 0, n;

	for (; *p != '\0'; p += n) {
		n = control_length(p);
		if (n > 0 && at + 1 < size) {
			out[at++] = ' ';
			continue;
		}
		n = character_length(p);
		if (at + n >= size)
			break;
		memcpy(out + at, p, n);
		at += n;
	}
	while (at > 0 && out[at - 1] == ' ')
		at--;
	out[at] = '\0';
}

/* One to three digits. */
static size_t
number_length(const char *p)
{
	size_t n = 0;

	while (n < 3 && isdigit((unsigned char)p[n]))
		n++;
	return n;
}

size_t
event_status_length(const char *p)
{
	size_t subject, detail, n;

	if (*p < '2' || *p > '5' || *p == '3' || p[1] != '.' ||
	    (subject = number_length(p + 2)) == 0 || p[2 + subject] != '.' ||
	    (detail = number_length(p + 3 + subject)) == 0)
		return 0;
	n = 3 + subject + detail;
	return isalnum((unsigned char)p[n]) || p[n] == '.' ? 0 : n;
}

/* "smtp; " and "dns; ": the types of RFC 3464 2.3.6 and 2.2.2. */
static const char *
skip_type(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '-')
		n++;
	if (n > 0 && p[n] == ';')
		p += n + 1;
	return p + strspn(p, " \t\r\n");
}

/* A refusal's code; a reply that is none says nothing of a bounce. */
static int
code_at(const char *p)
{
	if ((p[0] != '4' && p[0] != '5') || number_length(p) != 3 ||
	    isalnum((unsigned char)p[3]))
		return 0;
	return (p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0';
}

/*
 * What some gateways make of a reply: `5.3.0 - Other mail system problem
 * 550-'Unknown user a@b' (delivery attempts: 0)`. The status is their guess, so
 * the quoted reply is all that counts.
 */
static const char *
find_quoted(const char *p)
{
	const char *q;

	if (event_status_length(p) == 0)
		return NULL;
	for (q = strstr(p, "-'"); q != NULL; q = strstr(q + 1, "-'"))
		if (q - p >= 4 && q[-4] == ' ' && code_at(q - 3) != 0)
			return q - 3;
	return NULL;
}

void
event_reply(struct outcome *o, const char *p)
{
	size_t n = event_status_length(p);

	if (n > 0 && n < sizeof(o->enhanced)) {
		memcpy(o->enhanced, p, n);
		o->enhanced[n] = '\0';
		p += n;
		p += strspn(p, " \t");
	}
	event_copy(o->text, sizeof(o->text), p);
}

void
event_diagnostic(struct outcome *o, const char *text)
{
	const char *p = skip_type(text), *quoted = find_quoted(p);
	char *end;

	if (quoted != NULL) {
		p = quoted;
		o->enhanced[0] = '\0';
	}
	if ((o->code = code_at(p)) != 0) {
		p += quoted != NULL ? 5 : p[3] == '\0' ? 3 : 4;
		p += strspn(p, " \t");
	}
	event_reply(o, p);
	if (quoted != NULL && (end = strrchr(o->text, '\'')) != NULL)
		*end = '\0';
}
