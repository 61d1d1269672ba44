/*
 * test_dot.c - dot-stuffing is byte-exact however the message is cut.
 */
#include "mta/smtp/dot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mta/base/str.h"

/* Stuffs in pieces of `piece` bytes, each read to the end of its room as
 * client_body.c does. */
static int
stuff(struct str *out, const char *text, size_t len, size_t piece)
{
	struct dot dot;
	const char *end;
	size_t n, got;

	dot_init(&dot);
	for (; len > 0; text += n, len -= n) {
		n = piece < len ? piece : len;
		/* As large as it says and no larger, for ASan to see. */
		char *room = malloc(DOT_ROOM(n));

		memcpy(room + DOT_ROOM(n) - n, text, n);
		if (dot_stuff(&dot, room, room + DOT_ROOM(n) - n, n, &got) !=
		    0) {
			free(room);
			return -1;
		}
		str_add(out, room, got);
		free(room);
	}
	if (dot_close(&dot, &end) != 0)
		return -1;
	str_adds(out, end);
	return 0;
}

static void
test_table(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} rows[] = {
		{ "", "" },
		{ "a\r\n", "a\r\n" },
		{ "a", "a\r\n" },
		{ ".", "..\r\n" },
		{ ".\r\n", "..\r\n" },
		{ "..\r\n", "...\r\n" },
		{ "a\r\n.\r\n", "a\r\n..\r\n" },
		{ ".\r\n.\r\n.\r\n", "..\r\n..\r\n..\r\n" },
		{ "a.\r\nb\r\n.c", "a.\r\nb\r\n..c\r\n" },
		{ "\r\n\r\n.x\r\n", "\r\n\r\n..x\r\n" },
		{ "a\n", NULL },
		{ "a\n.\r\n", NULL },
		{ "a\r\n.\n", NULL },
		{ "a\rb\r\n", NULL },
		{ "a\r\r\n", NULL },
		{ "\r\r\n", NULL },
		{ "a\r", NULL },
		{ "a\r.\r\n", NULL },
		{ "\n", NULL },
		{ "\r\n\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece < 10; piece++) {
			struct str out = STR_INIT;
			int rc =
			    stuff(&out, rows[i].in, strlen(rows[i].in), piece);

			assert_int_equal(rc, rows[i].out == NULL ? -1 : 0);
			if (rows[i].out != NULL)
				assert_string_equal(out.data, rows[i].out);
			str_release(&out);
		}
}

/* What a strict receiver makes of it. */
static void
unstuff(struct str *out, const struct str *in)
{
	const char *p = in->data, *end = p + in->len;

	while (p < end) {
		const char *crlf = memmem(p, (size_t)(end - p), "\r\n", 2);

		assert_non_null(crlf);
		assert_false(*p == '.' && crlf == p + 1);
		if (*p == '.')
			p++;
		str_add(out, p, (size_t)(crlf + 2 - p));
		p = crlf + 2;
	}
}

static void
test_round_trip(void **state)
{
	static const char *const words[] = { "\r\n", "\r\n", ".", ".", "x",
		"..", "long text" };
	unsigned seed = 20261122;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct str message = STR_INIT, wire = STR_INIT, back = STR_INIT;

		for (int n = rand_r(&seed) % 40; n > 0; n--)
			str_adds(&message, words[rand_r(&seed) % 7]);
		assert_int_equal(stuff(&wire, message.data, message.len,
				     1 + (size_t)rand_r(&seed) % 20),
		    0);
		unstuff(&back, &wire);
		if (message.len > 0 &&
		    memcmp(message.data + message.len - 1, "\n", 1) != 0)
			str_adds(&message, "\r\n");
		assert_int_equal(back.len, message.len);
		assert_memory_equal(back.data, message.data, message.len);
		str_release(&message);
		str_release(&wire);
		str_release(&back);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
