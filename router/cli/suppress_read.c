/*
 * suppress_read.c - one entry after another out of a file: CSV, or JSON as SES
 * gives it.
 *
 * Only its form is looked at here; what an entry may say is the daemon's to
 * judge. A line of CSV is an entry: address,REASON as SES imports it, or under
 * a first line that names the columns. Of JSON every innermost object is one,
 * whatever it is wrapped in: a page of SES's list, several, or a line each.
 */
#include "router/cli/suppress_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/str.h"

#define FIELDS_MOST 32

static const char *const columns[] = { "address", "cause", "scope", "source",
	"expires", "at", "who", "evidence" };

#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

enum form { FORM_UNKNOWN, FORM_CSV, FORM_JSON };

struct suppress_reader {
	FILE *in;
	enum form form;
	bool begun;		    /* CSV: the first line has been read */
	unsigned long line;	    /* of the next byte */
	struct str text;	    /* the line, or the object */
	size_t column[FIELDS_MOST]; /* which of ours; NCOLUMNS: none of them */
	size_t ncolumns;	    /* 0: there was no first line */
	int depth;		    /* of brackets around what is read */
};

struct suppress_reader *
suppress_reader_new(FILE *in)
{
	struct suppress_reader *r = xcalloc(1, sizeof(*r));

	r->in = in;
	r->line = 1;
	str_init(&r->text);
	return r;
}

void
suppress_reader_free(struct suppress_reader **rp)
{
	str_release(&(*rp)->text);
	free(*rp);
	*rp = NULL;
}

static int
next_byte(struct suppress_reader *r)
{
	int c = getc(r->in);

	r->line += c == '\n';
	return c;
}

/* -- what an entry says ---------------------------------------------------- */

/* SES's two reasons in our words. */
static const char *
cause_of(const char *text)
{
	if (strcmp(text, "BOUNCE") == 0)
		return "userunknown";
	return strcmp(text, "COMPLAINT") == 0 ? "complaint" : text;
}

static int
put(json_t *row, const char *name, const char *text, struct err *e)
{
	if (text[0] == '\0')
		return 0;
	if (strcmp(name, "cause") == 0)
		text = cause_of(text);
	if (json_object_set_new(row, name, json_string(text)) != 0)
		return err_set(e, "%s is not UTF-8", name);
	return 0;
}

/* -- CSV ------------------------------------------------------------------- */

/* The next line, without its end. False: there is none. */
static bool
read_line(struct suppress_reader *r)
{
	bool any = false;
	int c;

	str_clear(&r->text);
	while ((c = next_byte(r)) != EOF) {
		any = true;
		if (c == '\n')
			break;
		/* One byte more than is allowed tells that it is too long. */
		if (r->text.len <= SUPPRESS_LINE_MAX)
			str_addc(&r->text, (char)c);
	}
	while (r->text.len > 0 && r->text.data[r->text.len - 1] == '\r')
		r->text.data[--r->text.len] = '\0';
	return any;
}

/* Behind the quote that ends the field. NULL: none does. */
static char *
quoted_end(char *begin)
{
	for (char *p = begin + 1; (p = strchr(p, '"')) != NULL; p += 2)
		if (p[1] != '"')
			return p + 1;
	return NULL;
}

static void
unquote(char *begin, const char *end)
{
	char *out = begin;

	for (const char *in = begin + 1; in < end - 1; in++) {
		*out++ = *in;
		in += *in == '"';
	}
	*out = '\0';
}

/*
 * A field within the line, taken out of its quotes in place. NULL: they do not
 * end. *p is behind it: at the comma, or at the end. "a..b"@docomo.ne.jp is an
 * address with quotes of its own.
 */
static char *
take_field(char **p)
{
	char *begin = *p, *end = *begin == '"' ? quoted_end(begin) : begin;

	if (end == NULL)
		return NULL;
	if (end == begin || *end == '@') {
		*p = end + strcspn(end, ",");
		return begin;
	}
	if (*end != ',' && *end != '\0')
		return NULL;
	*p = end;
	unquote(begin, end);
	return begin;
}

/* Their number; -1 with *e. */
static int
split(char *line, char *field[FIELDS_MOST], struct err *e)
{
	char *p = line;
	int n = 0;

	for (;;) {
		char *text = take_field(&p);
		bool last = *p == '\0';

		if (text == NULL) {
			err_set(e, "a quoted field does not end");
			return -1;
		}
		if (n == FIELDS_MOST)
			return err_set(e, "more than %d fields", FIELDS_MOST);
		field[n++] = text;
		*p++ = '\0';
		if (last)
			return n;
	}
}

static size_t
column_named(const char *name)
{
	size_t i = 0;

	while (i < NCOLUMNS && strcasecmp(columns[i], name) != 0)
		i++;
	return i;
}

/* The first line names the columns if it has one "address". */
static bool
is_head(struct suppress_reader *r, char *const *field, int n)
{
	bool head = false;

	for (int i = 0; i < n; i++) {
		r->column[i] = column_named(field[i]);
		head |= r->column[i] == 0;
	}
	r->ncolumns = head ? (size_t)n : 0;
	return head;
}

static int
fields_row(const struct suppress_reader *r, char *const *field, int n,
    json_t *row, struct err *e)
{
	/* As SES has it: the address, and its reason. */
	size_t most = r->ncolumns > 0 ? r->ncolumns : 2;

	if ((size_t)n > most)
		return err_set(e,
		    r->ncolumns > 0 ? "more fields than columns"
				    : "more than an address and a reason, and "
				      "no first line that names the columns");
	for (int i = 0; i < n; i++) {
		size_t at = r->ncolumns > 0 ? r->column[i] : (size_t)i;

		if (at < NCOLUMNS && put(row, columns[at], field[i], e) != 0)
			return -1;
	}
	return 0;
}

static int
read_csv(
    struct suppress_reader *r, json_t *row, unsigned long *line, struct err *e)
{
	char *field[FIELDS_MOST] = { NULL };
	int n;

	for (;;) {
		bool first = !r->begun;

		*line = r->line;
		if (!read_line(r))
			return 0;
		if (r->text.len == 0)
			continue;
		if (r->text.len > SUPPRESS_LINE_MAX)
			return err_set(
			    e, "longer than %d bytes", SUPPRESS_LINE_MAX);
		if (strlen(r->text.data) != r->text.len)
			return err_set(e, "a NUL byte");
		n = split(r->text.data, field, e);
		if (n < 0)
			return -1;
		r->begun = true;
		if (first && is_head(r, field, n))
			continue;
		return fields_row(r, field, n, row, e) == 0 ? 1 : -1;
	}
}

/* -- JSON ------------------------------------------------------------------ */

/* Bytes up to the end of a string, its first quote taken; those of an object
 * are kept. */
static int
read_string(struct suppress_reader *r, bool keep)
{
	int c, before = 0;

	while ((c = next_byte(r)) != EOF) {
		if (keep && r->text.len <= SUPPRESS_LINE_MAX)
			str_addc(&r->text, (char)c);
		if (c == '"' && before != '\\')
			return 0;
		before = before == '\\' ? 0 : c;
	}
	return -1;
}

/* The next object that holds no other. 1, 0 at the end, -1 when that comes too
 * early. */
static int
read_object(struct suppress_reader *r, unsigned long *line)
{
	bool inside = false;
	int c;

	while ((c = next_byte(r)) != EOF) {
		if (c == '{') {
			str_clear(&r->text);
			*line = r->line;
			inside = true;
		}
		r->depth += (c == '{' || c == '[') - (c == '}' || c == ']');
		if (inside && r->text.len <= SUPPRESS_LINE_MAX)
			str_addc(&r->text, (char)c);
		if (c == '}' && inside)
			return 1;
		if (c == '"' && read_string(r, inside) != 0)
			break;
	}
	*line = r->line;
	return r->depth == 0 && c == EOF && !inside ? 0 : -1;
}

/* Seconds since 1970, as the API has it, or a time as text. */
static int
put_time(json_t *row, const json_t *value, struct err *e)
{
	double s = json_number_value(value);
	char iso[25];

	if (json_is_string(value))
		return put(row, "at", json_string_value(value), e);
	if (!json_is_number(value))
		return 0;
	if (s < 0 || s > 4e9)
		return err_set(e, "LastUpdateTime is no time");
	return put(row, "at", clock_iso((int64_t)(s * 1000), iso), e);
}

static int
object_row(const json_t *o, json_t *row, struct err *e)
{
	const char *address =
	    json_string_value(json_object_get(o, "EmailAddress"));

	for (size_t i = 0; i < NCOLUMNS; i++)
		if (put(row, columns[i], cli_text(o, columns[i]), e) != 0)
			return -1;
	if (json_is_true(json_object_get(o, "soft")))
		json_object_set_new(row, "soft", json_true());
	if (address == NULL)
		return 0;
	if (put(row, "address", address, e) != 0 ||
	    put(row, "cause", cli_text(o, "Reason"), e) != 0)
		return -1;
	return put_time(row, json_object_get(o, "LastUpdateTime"), e);
}

/* A page of SES's list that is empty holds no other object either. */
static bool
is_wrapper(const json_t *o)
{
	return json_object_get(o, "SuppressedDestinationSummaries") != NULL;
}

static int
read_json(
    struct suppress_reader *r, json_t *row, unsigned long *line, struct err *e)
{
	json_error_t why;
	json_t *o = NULL;
	int rc;

	do {
		json_decref(o);
		rc = read_object(r, line);
		if (rc < 0)
			return err_set(e, "the file ends too early");
		if (rc == 0)
			return 0;
		if (r->text.len > SUPPRESS_LINE_MAX)
			return err_set(e, "an entry is longer than %d bytes",
			    SUPPRESS_LINE_MAX);
		o = json_loadb(
		    r->text.data, r->text.len, JSON_REJECT_DUPLICATES, &why);
		if (o == NULL)
			return err_set(e, "no JSON: %s", why.text);
	} while (is_wrapper(o));
	rc = object_row(o, row, e) == 0 ? 1 : -1;
	json_decref(o);
	return rc;
}

/* -- either ---------------------------------------------------------------- */

/* By its first byte that is no space; a byte order mark is passed over. */
static enum form
look(struct suppress_reader *r)
{
	static const unsigned char mark[] = { 0xef, 0xbb, 0xbf };
	size_t i = 0;
	int c = getc(r->in);

	for (; i < sizeof(mark) && c == mark[i]; i++)
		c = getc(r->in);
	while (c != EOF && isspace(c)) {
		r->line += c == '\n';
		c = getc(r->in);
	}
	ungetc(c, r->in);
	return c == '{' || c == '[' ? FORM_JSON : FORM_CSV;
}

int
suppress_reader_next(
    struct suppress_reader *r, json_t **row, unsigned long *line, struct err *e)
{
	int rc;

	if (r->form == FORM_UNKNOWN)
		r->form = look(r);
	*row = json_object();
	rc = r->form == FORM_CSV ? read_csv(r, *row, line, e)
				 : read_json(r, *row, line, e);
	if (rc != 1) {
		json_decref(*row);
		*row = NULL;
	}
	return rc;
}
