/*
 * report_fields.c - the fields of a delivery-status or feedback-report part:
 * groups of "Name: value" with empty lines between them, as RFC 3464 2.1.2 and
 * RFC 5965 3 have them and as they really come: blanks before the colon, values
 * that go on without a blank at the line's start, empty lines in wrong places.
 */
#include <gmime/gmime.h>
#include <string.h>
#include <strings.h>

#include "router/feedback/report_int.h"

/* How names of such fields begin; other words before a colon are a value that
 * goes on. */
static const char *const beginnings[] = { "action", "arrival-", "auth",
	"authentication-", "delivery-", "diagnostic-", "dkim-", "dsn-",
	"expiry", "feedback-", "final-", "identity-", "incidents", "last-",
	"original-", "received-", "remote-", "removal-", "reported-",
	"reporting-", "source-", "spf-", "status", "user-agent", "version",
	"will-", "x-" };

bool
span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.data, text, s.len) == 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
is_name(const char *p, size_t len)
{
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]);
	     i++) {
		size_t n;

		if (len == 0 || beginnings[i][0] != (*p | 0x20))
			continue;
		n = strlen(beginnings[i]);
		if (len >= n && strncasecmp(p, beginnings[i], n) == 0)
			return memchr(p, ' ', len) == NULL;
	}
	return false;
}

static const char *
line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf != NULL ? lf : end;
}

/* The colon of the field that begins here, its name's length; NULL: none does.
 */
static const char *
field_colon(const char *p, const char *stop, size_t *name)
{
	const char *colon = memchr(p, ':', (size_t)(stop - p)), *end = colon;

	if (colon == NULL)
		return NULL;
	while (end > p && is_blank(end[-1]))
		end--;
	*name = (size_t)(end - p);
	return is_name(p, *name) ? colon : NULL;
}

static bool
is_empty(const char *p, const char *stop)
{
	while (p < stop && is_blank(*p))
		p++;
	return p == stop;
}

static struct span
trimmed(const char *p, const char *end)
{
	while (p < end && (is_blank(*p) || *p == '\n'))
		p++;
	while (end > p && (is_blank(end[-1]) || end[-1] == '\n'))
		end--;
	return (struct span){ p, (size_t)(end - p) };
}

bool
group_next(struct group_field *f, struct span *rest)
{
	const char *p = rest->data, *end = p + rest->len, *stop, *colon, *next;
	size_t name;

	f->first = false;
	for (colon = NULL; p < end && colon == NULL; p = next) {
		stop = line_end(p, end);
		next = stop < end ? stop + 1 : end;
		f->first |= is_empty(p, stop);
		colon = field_colon(p, stop, &name);
		if (colon != NULL)
			f->name = (struct span){ p, name };
	}
	if (colon == NULL)
		return false;
	for (; p < end; p = next) {
		stop = line_end(p, end);
		next = stop < end ? stop + 1 : end;
		if (is_empty(p, stop) ||
		    (!is_blank(*p) && field_colon(p, stop, &name) != NULL))
			break;
	}
	f->value = trimmed(colon + 1, p);
	rest->data = p;
	rest->len = (size_t)(end - p);
	return true;
}

int64_t
date_of_field(struct span value)
{
	struct str text = STR_INIT;
	GDateTime *date;
	int64_t at = 0;

	if (value.data == NULL || value.len > 200)
		return 0;
	field_unfold(&text, value);
	date = g_mime_utils_header_decode_date(text.data);
	if (date != NULL) {
		at = g_date_time_to_unix(date) * 1000;
		g_date_time_unref(date);
	}
	str_release(&text);
	return at > 0 ? at : 0;
}
