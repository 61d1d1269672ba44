/*
 * test_text_diff.c - unified differences: the form that patch(1) reads, the
 * shortest way, and texts that have nothing in common.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/str.h"
#include "router/text_diff.h"

static char *
diff(const char *from, const char *to)
{
	struct str out = STR_INIT;

	text_diff(&out, "f", from, strlen(from), to, strlen(to));
	return str_detach(&out);
}

static void
forms(void **state)
{
	static const struct {
		const char *from, *to, *want;
	} rows[] = {
		{ "a\nb\n", "a\nb\n", "" },
		{ "", "", "" },
		{ "", "a\n", "@@ -0,0 +1 @@\n+a\n" },
		{ "a\n", "", "@@ -1 +0,0 @@\n-a\n" },
		{ "a\nb\nc\n", "a\nx\nc\n",
		    "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n" },
		{ "a", "a\n",
		    "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n" },
		{ "a\nb", "b",
		    "@@ -1,2 +1 @@\n-a\n b\n\\ No newline at end of file\n" },
		{ "\n\n", "\n", "@@ -1,2 +1 @@\n \n-\n" },
		/* Six lines between two changes are one piece, seven are two.
		 */
		{ "A\n1\n2\n3\n4\n5\n6\nB\n", "x\n1\n2\n3\n4\n5\n6\ny\n",
		    "@@ -1,8 +1,8 @@\n-A\n+x\n 1\n 2\n 3\n 4\n 5\n "
		    "6\n-B\n+y\n" },
		{ "A\n1\n2\n3\n4\n5\n6\n7\nB\n", "x\n1\n2\n3\n4\n5\n6\n7\ny\n",
		    "@@ -1,4 +1,4 @@\n-A\n+x\n 1\n 2\n 3\n"
		    "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-B\n+y\n" },
		/* The one of Myers: five edits. */
		{ "a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = diff(rows[i].from, rows[i].to);
		size_t edits = 0;

		if (rows[i].want == NULL) {
			for (char *p = strstr(got, "@@\n"); p != NULL;
			     p = strchr(p + 1, '\n'))
				edits += p[1] == '-' || p[1] == '+';
			/* The loop counts line starts after the head. */
			assert_int_equal(edits, 5);
		} else if (*rows[i].want == '\0') {
			assert_string_equal(got, "");
		} else {
			assert_int_equal(strncmp(got, "--- f\n+++ f\n", 12), 0);
			assert_string_equal(got + 12, rows[i].want);
		}
		free(got);
	}
}

/* Puts the difference to work: what comes out has to be `to`. */
static char *
apply(const char *from, const char *patch)
{
	struct str out = STR_INIT;
	size_t line = 1, at;

	for (const char *p = patch; *p != '\0'; p += strcspn(p, "\n") + 1) {
		size_t len = strcspn(p, "\n") + 1;
		size_t n = strcspn(from, "\n") + 1;

		if (sscanf(p, "@@ -%zu", &at) == 1) {
			at += strstr(p, ",0 +") != NULL &&
			      strstr(p, ",0 +") < p + len;
			for (; line < at; line++) {
				n = strcspn(from, "\n") + 1;
				str_add(&out, from, n);
				from += n;
			}
			continue;
		}
		if (strncmp(p, "---", 3) == 0 || strncmp(p, "+++", 3) == 0)
			continue;
		if (*p == '+') {
			str_add(&out, p + 1, len - 1);
			continue;
		}
		assert_int_equal(n, len - 1);
		assert_memory_equal(from, p + 1, n);
		if (*p == ' ')
			str_add(&out, from, n);
		from += n;
		line++;
	}
	str_adds(&out, from);
	return str_detach(&out);
}

static uint32_t seed = 1;

static unsigned
draw(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static char *
random_text(unsigned lines, unsigned words)
{
	struct str text = STR_INIT;

	for (unsigned i = 0; i < lines; i++)
		str_addf(&text, "w%u\n", draw(words));
	return str_detach(&text);
}

static void
what_is_applied_is_the_new_text(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		char *from = random_text(draw(30), 1 + draw(8));
		char *to = random_text(draw(30), 1 + draw(8));
		char *patch = diff(from, to), *got = apply(from, patch);

		assert_string_equal(got, to);
		free(from);
		free(to);
		free(patch);
		free(got);
	}
}

/* Beyond the edits that are looked for: still right, and soon. */
static void
nothing_in_common(void **state)
{
	char *from = random_text(60000, 50000);
	char *to = random_text(60000, 50000);
	char *patch = diff(from, to), *got = apply(from, patch);

	(void)state;
	assert_string_equal(got, to);
	free(from);
	free(to);
	free(patch);
	free(got);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(what_is_applied_is_the_new_text),
		cmocka_unit_test(nothing_in_common),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
