/*
 * print.c - text for a terminal: cleaned, and in columns.
 *
 * Addresses, replies and names come from strangers. What could move the cursor,
 * end the line or turn the direction of text is printed as '?'.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/cli/cli.h"

/* One UTF-8 sequence: its length, 0 when it is none; the code point in *cp. */
static size_t
decode(const char *text, unsigned *cp)
{
	const unsigned char *p = (const unsigned char *)text;
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *p < 0x80		   ? 1
		     : (*p & 0xe0) == 0xc0 ? 2
		     : (*p & 0xf0) == 0xe0 ? 3
		     : (*p & 0xf8) == 0xf0 ? 4
					   : 0;

	*cp = len < 2 ? *p : *p & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	if (len > 1 && (*cp < least[len] || *cp > 0x10ffff ||
			   (*cp >= 0xd800 && *cp <= 0xdfff)))
		return 0;
	return len;
}

/* Controls, line and paragraph separators, and signs that turn direction. */
static bool
is_unsafe(unsigned cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ||
	       (cp >= 0x200b && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

static char *
clean(const char *text, const char *allowed)
{
	struct str out = STR_INIT;

	while (*text != '\0') {
		unsigned cp;
		size_t len = decode(text, &cp);
		bool good = len > 0 &&
			    (!is_unsafe(cp) || strchr(allowed, *text) != NULL);

		str_add(&out, good ? text : "?", good ? len : 1);
		text += len ? len : 1;
	}
	return str_detach(&out);
}

static void
print_clean(FILE *out, const char *text, const char *allowed)
{
	char *cleaned = clean(text, allowed);

	fputs(cleaned, out);
	free(cleaned);
}

void
cli_print(FILE *out, const char *text)
{
	print_clean(out, text, "");
}

void
cli_print_lines(FILE *out, const char *text)
{
	print_clean(out, text, "\n\t");
}

void
cli_print_json(json_t *object)
{
	/* Escapes whatever is not ASCII only where somebody looks at it. */
	size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15) |
		       (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0);

	if (object == NULL) {
		cli_fail("a name that is no UTF-8 cannot be shown as JSON");
		return;
	}
	json_dumpf(object, stdout, flags);
	putchar('\n');
	json_decref(object);
}

void
cli_print_json_rows(const json_t *rows)
{
	json_t *row;

	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++)
		cli_print_json(json_incref(row));
}

void
cli_print_event(const char *before, const json_t *event, bool id)
{
	static const char *const parts[] = { "at", "event", "id", "path",
		"peer", "stage", "reason", "enhanced", "text" };
	json_int_t code = json_integer_value(json_object_get(event, "code"));

	fputs(before, stdout);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *text = cli_text(event, parts[i]);

		if (strcmp(parts[i], "enhanced") == 0 && code != 0)
			printf(" %" JSON_INTEGER_FORMAT, code);
		if (*text == '\0' || (strcmp(parts[i], "id") == 0 && !id))
			continue;
		putchar(' ');
		cli_print(stdout, text);
	}
	putchar('\n');
}

const char *
cli_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* -- columns
 * --------------------------------------------------------------------- */

struct cli_table {
	size_t columns, n, room;
	bool *right;
	char **cells; /* row by row */
};

struct cli_table *
cli_table_new(size_t columns)
{
	struct cli_table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	t->right = xcalloc(columns, sizeof(bool));
	return t;
}

void
cli_table_add(struct cli_table *t, const char *text)
{
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->cells = xrealloc(t->cells, t->room * sizeof(char *));
	}
	t->cells[t->n++] = clean(text, "");
}

void
cli_table_add_number(struct cli_table *t, const json_t *row, const char *key)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%" JSON_INTEGER_FORMAT,
	    json_integer_value(json_object_get(row, key)));
	cli_table_add(t, buf);
}

void
cli_table_right(struct cli_table *t, size_t column)
{
	t->right[column] = true;
}

/* In characters; the few double-width ones only cost alignment. */
static size_t
width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void
print_cell(const struct cli_table *t, size_t i, size_t wide, FILE *out)
{
	const char *text = t->cells[i];
	size_t column = i % t->columns;
	int pad = (int)(wide - width(text));
	bool last = column == t->columns - 1;

	if (t->right[column])
		fprintf(out, "%*s%s", pad, "", text);
	else
		fprintf(out, "%s%*s", text, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", out);
}

void
cli_table_print(struct cli_table **p, FILE *out)
{
	struct cli_table *t = *p;
	size_t *wide = xcalloc(t->columns, sizeof(*wide));

	*p = NULL;
	for (size_t i = 0; i < t->n; i++)
		if (width(t->cells[i]) > wide[i % t->columns])
			wide[i % t->columns] = width(t->cells[i]);
	for (size_t i = 0; i < t->n; i++)
		print_cell(t, i, wide[i % t->columns], out);
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->right);
	free(t);
	free(wide);
}
