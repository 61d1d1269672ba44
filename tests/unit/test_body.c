/*
 * test_body.c - bodies in memory and in spool files.
 */
#include "router/body.h"

#include "mta/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_body.XXXXXX";

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir); /* fails when a test left a file behind */
}

/* Byte i of every body here. */
static char
byte_at(uint64_t i)
{
	return (char)(i * 7 + i / 251);
}

static struct body *
write_body(size_t size, size_t piece)
{
	struct body *b = body_new(dir, "0001");
	struct err e = ERR_INIT;
	char *buf = xmalloc(piece);

	for (size_t at = 0, n; at < size; at += n) {
		n = size - at < piece ? size - at : piece;
		for (size_t i = 0; i < n; i++)
			buf[i] = byte_at(at + i);
		assert_int_equal(body_add(b, buf, n, &e), 0);
	}
	free(buf);
	return b;
}

static void
assert_bytes(struct body *b, uint64_t offset, size_t len, size_t expected)
{
	char *buf = xmalloc(len + 1);

	assert_int_equal(body_read(b, offset, buf, len), expected);
	for (size_t i = 0; i < expected; i++)
		assert_int_equal(buf[i], byte_at(offset + i));
	free(buf);
}

static void
every_size_reads_back(void **state)
{
	static const struct {
		size_t size, piece;
		bool spooled;
	} row[] = {
		{ 0, 1, false },
		{ 1, 1, false },
		{ 5000, 7, false },
		{ BODY_INLINE_MAX, 1000, false },
		{ BODY_INLINE_MAX + 1, 1000, true },
		{ BODY_INLINE_MAX + 1, BODY_INLINE_MAX + 1, true },
		{ 65536 * 3, 65536, true },
		{ 1000001, 4099, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct body *b = write_body(row[i].size, row[i].piece);
		size_t n = row[i].size;

		assert_int_equal(body_size(b), n);
		assert_int_equal(body_is_spooled(b), row[i].spooled);
		assert_int_equal(body_data(b) == NULL, row[i].spooled);
		assert_string_equal(body_name(b), row[i].spooled ? "0001" : "");
		assert_bytes(b, 0, n, n);
		assert_bytes(b, 0, n + 10, n);
		assert_bytes(b, n / 2, n, n - n / 2);
		assert_bytes(b, n, 10, 0);
		assert_bytes(b, n + 100, 10, 0);
		assert_bytes(b, UINT64_MAX, 10, 0);
		body_discard(b);
		body_unref(&b);
		assert_int_equal(body_bytes_in_memory(), 0);
	}
}

static void
reading_while_writing_loses_nothing(void **state)
{
	struct body *b = write_body(BODY_INLINE_MAX + 100, 999);
	uint64_t size = body_size(b);
	char more[100];

	(void)state;
	assert_bytes(b, 0, 1000, 1000);
	for (size_t i = 0; i < sizeof(more); i++)
		more[i] = byte_at(size + i);
	assert_int_equal(body_add(b, more, sizeof(more), NULL), 0);
	assert_bytes(b, size - 50, 500, 150);
	body_discard(b);
	body_unref(&b);
}

static void
a_synced_body_is_a_private_file(void **state)
{
	struct body *b = write_body(300000, 5000), *again;
	struct err e = ERR_INIT;
	struct stat st;
	char path[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/0001", dir);
	assert_int_equal(body_sync(b, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 300000);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(body_bytes_in_memory(), 0);
	again = body_spooled(dir, "0001", 300000);
	assert_bytes(again, 299990, 100, 10);
	body_unref(&again);
	body_unref(&b);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(unlink(path), 0);
}

static void
memory_is_the_window_and_not_the_message(void **state)
{
	struct body *b = write_body(8 << 20, 10000);

	(void)state;
	assert_true(body_bytes_in_memory() <= 64 * 1024);
	body_discard(b);
	body_unref(&b);
}

static void
without_a_folder_all_of_it_stays_in_memory(void **state)
{
	struct body *b = body_new(NULL, "0001");
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < BODY_INLINE_MAX + 100; i++) {
		char c = byte_at(i);

		assert_int_equal(body_add(b, &c, 1, &e), 0);
	}
	assert_false(body_is_spooled(b));
	assert_non_null(body_data(b));
	assert_int_equal(body_sync(b, &e), 0);
	assert_bytes(b, 0, BODY_INLINE_MAX + 100, BODY_INLINE_MAX + 100);
	assert_true(body_bytes_in_memory() >= BODY_INLINE_MAX + 100);
	body_discard(b);
	body_unref(&b);
	assert_int_equal(body_bytes_in_memory(), 0);
}

static void
an_existing_file_is_never_written_over(void **state)
{
	struct body *first = write_body(200000, 5000), *second;
	static char data[200000];
	struct err e = ERR_INIT;

	(void)state;
	second = body_new(dir, "0001");
	assert_int_equal(body_add(second, data, sizeof(data), &e), -1);
	assert_int_equal(e.code, EEXIST);
	body_unref(&second);
	assert_bytes(first, 0, 1000, 1000);
	body_discard(first);
	body_unref(&first);
}

static void
a_lost_file_is_an_error(void **state)
{
	struct body *b = body_spooled(dir, "none", 100);
	char buf[10];

	(void)state;
	assert_int_equal(body_read(b, 0, buf, sizeof(buf)), -1);
	assert_int_equal(errno, ENOENT);
	body_unref(&b);
}

static void
a_full_disk_says_so(void **state)
{
	static char data[BODY_INLINE_MAX + 1];
	struct body *b;
	struct err e = ERR_INIT;

	(void)state;
	if (access("/dev/full", W_OK) != 0)
		skip();
	/* The name of a body cannot be a link to /dev/full: O_EXCL. So its file
	 * is replaced. */
	b = body_new(dir, "0001");
	assert_int_equal(body_add(b, data, sizeof(data), &e), 0);
	for (int fd = 3; fd < 50; fd++) {
		char link[64], path[200];
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path) - 1);
		if (n > 0 && (path[n] = '\0', strstr(path, "/0001") != NULL)) {
			int full = open("/dev/full", O_RDWR | O_CLOEXEC);

			dup3(full, fd, O_CLOEXEC);
			close(full);
		}
	}
	assert_int_equal(body_sync(b, &e), -1);
	assert_int_equal(e.code, ENOSPC);
	body_discard(b);
	body_unref(&b);
}

static void *
read_all(void *arg)
{
	struct body *b = arg;

	for (uint64_t at = 0; at < body_size(b); at += 50000)
		assert_bytes(b, at, 50000,
		    body_size(b) - at < 50000 ? body_size(b) - at : 50000);
	return NULL;
}

static void
threads_read_one_body(void **state)
{
	struct body *b = write_body(1000000, 5000);
	pthread_t t[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, read_all, b), 0);
	assert_int_equal(body_sync(b, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	body_discard(b);
	body_unref(&b);
}

static void
content_is_the_whole_body(void **state)
{
	struct body *b = body_take(xstrdup("Subject: x\r\n\r\nhi\r\n"), 18);
	struct smtp_content c;
	char buf[20];

	(void)state;
	body_content(b, &c);
	assert_int_equal(c.length, 18);
	assert_int_equal(c.offset, 0);
	assert_null(c.head);
	assert_int_equal(c.read(c.arg, 14, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "hi\r\n", 4);
	body_unref(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_reads_back),
		cmocka_unit_test(reading_while_writing_loses_nothing),
		cmocka_unit_test(a_synced_body_is_a_private_file),
		cmocka_unit_test(memory_is_the_window_and_not_the_message),
		cmocka_unit_test(without_a_folder_all_of_it_stays_in_memory),
		cmocka_unit_test(an_existing_file_is_never_written_over),
		cmocka_unit_test(a_lost_file_is_an_error),
		cmocka_unit_test(a_full_disk_says_so),
		cmocka_unit_test(threads_read_one_body),
		cmocka_unit_test(content_is_the_whole_body),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
