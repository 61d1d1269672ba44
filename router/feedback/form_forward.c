/*
 * form_forward.c - a bounce that somebody passed on by hand.
 *
 * A person who forwards a bounce means it to be read; one who answers or quotes
 * it does not. So the subject must say that it is passed on, the mail program's
 * own line must stand before it, and the header that follows must be a
 * daemon's.
 */
#include "router/feedback/form_int.h"

#include "mta/base/str.h"

#include <string.h>
#include <strings.h>

#define FORWARD_MAX (64 * 1024) /* of it are looked at */

static bool
is_passed_on(const char *subject)
{
	static const char *const before[] = {
		"fwd:", "fw:", "wg:", "tr:", "rv:", "i:", "転送:", "转发", NULL
	};

	for (size_t i = 0; before[i] != NULL; i++)
		if (strncasecmp(subject, before[i], strlen(before[i])) == 0)
			return true;
	return false;
}

/* Behind the line that mail programs put before what they pass on; NULL when
 * there is none. */
static const char *
passed_on(const char *text)
{
	static const char *const lines[] = { "Begin forwarded message:",
		"- Forwarded message", "-----Original Message-----",
		"- Original Message -" };

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		const char *p = strstr(text, lines[i]);

		if (p != NULL)
			return strchrnul(p, '\n');
	}
	return NULL;
}

/* A line without the marks of quotation, which bite into ">>>". */
static struct piece
unquoted(struct piece line)
{
	if (line.len > 4 && memcmp(line.at, ">>>> ", 5) == 0)
		return form_behind(line, 1);
	if (line.len > 1 && line.at[0] == '>' && line.at[1] == ' ')
		return form_behind(line, 2);
	return line.len == 1 && *line.at == '>' ? form_behind(line, 1) : line;
}

bool
form_forwarded(struct str *out, const struct form_input *in)
{
	const char *p = is_passed_on(in->subject) ? passed_on(in->text) : NULL;
	const char *header = NULL;
	struct piece from;

	if (p == NULL)
		return false;
	for (; *p != '\0' && out->len < FORWARD_MAX; p += *p != '\0') {
		const char *end = strchrnul(p, '\n');
		struct piece line = { p, (size_t)(end - p) };

		line = unquoted(line);
		str_add(out, line.at, line.len);
		str_addc(out, '\n');
		p = end;
	}
	header = out->data;
	from = form_field(header, "From");
	return form_is_daemon(from) && from.at - header < 1024;
}
