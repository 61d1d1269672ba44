/*
 * test_log.c - lines of the log are read back as written, and no value can end
 * one, add to one or hide in one.
 */
#include "mta/base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_log.XXXXXX";
static char path[64];

static int
set_up(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	return log_open(path, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	return log_open("-", NULL) != 0 || rmdir(dir) != 0;
}

/* What has been written since the last call. */
static void
take_log(struct str *out)
{
	char buf[4096];
	ssize_t n;
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		str_add(out, buf, (size_t)n);
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
}

/* -- a reader */

/* One value, quoted or not; returns what follows it, or NULL when it is none.
 */
static const char *
read_value(const char *p, struct str *out)
{
	unsigned byte;

	if (*p != '"') {
		size_t n = strcspn(p, " \n");
		if (n == 0 || memchr(p, '=', n) != NULL ||
		    memchr(p, '"', n) != NULL || memchr(p, '\\', n) != NULL)
			return NULL;
		str_add(out, p, n);
		return p + n;
	}
	for (p++; *p != '"'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return NULL;
		if (*p == '\\' && sscanf(p, "\\x%2x", &byte) == 1) {
			str_addc(out, (char)byte);
			p += 3;
		} else {
			str_addc(out, *p == '\\' ? *++p : *p);
		}
	}
	return p + 1;
}

/* The line must be: time, level, event, a=VALUE, b=end. */
static bool
reads_back(const char *line, const char *value, size_t len)
{
	struct str got = STR_INIT;
	const char *p = strstr(line, " info event a=");
	bool same;

	if (p == NULL || p - line != 24)
		return false;
	p = read_value(p + strlen(" info event a="), &got);
	same = p != NULL && strcmp(p, " b=end\n") == 0 && got.len == len &&
	       memcmp(got.data, value, len) == 0;
	str_release(&got);
	return same;
}

static void
check_value(const char *value, size_t len)
{
	struct str text = STR_INIT;
	struct logline l;

	assert_true(log_start(&l, LOG_INFO, "event"));
	log_mem(&l, "a", value, len);
	log_str(&l, "b", "end");
	log_str(&l, "c", NULL);
	log_end(&l);
	take_log(&text);
	if (!reads_back(text.data, value, len))
		fail_msg("written as: %s", text.data);
	str_release(&text);
}

/* -- values */

static void
hostile_values(void **state)
{
	static const char *const values[] = { "", " ", "=", "\"", "\\", "\n",
		"\r\n2026-11-22T10:35:07.123Z info event a=b",
		"x\" b=forged c=\"", "x\\\" b=forged", "x\\", "\\x0a",
		"\x1b[2J\x1b[31m", "\x7f", "\t", "plain", "a@b.example",
		"\xe6\x9c\xac@example.jp", "\xff\xfe", "\xc2", "\xe2\x80",
		("\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xc2\x9b"
		 "31m") };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check_value(values[i], strlen(values[i]));
	check_value("a\0b", 3);
}

static void
every_byte_and_many_pairs(void **state)
{
	static const char special[] = "\0\n\r \"=\\\x7f\xc2\x85\xe2\x80\xa8x0a";
	uint32_t x = 1;
	char value[24];

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		check_value(&(char){ (char)c }, 1);
	for (unsigned i = 0; i < 3000; i++) {
		x = x * 1664525 + 1013904223;
		size_t n = x >> 27 & 15;
		for (size_t k = 0; k < n; k++) {
			x = x * 1664525 + 1013904223;
			value[k] = special[(x >> 16) % (sizeof(special) - 1)];
		}
		check_value(value, n);
	}
}

/* What some readers take for the end of a line, or a terminal for a command. */
static void
controls_of_unicode_are_escaped(void **state)
{
	static const char *const values[] = { "a\xc2\x85"
					      "b",
		"\xe2\x80\xa8", "\xe2\x80\xa9",
		"\xc2\x9b"
		"2J" };
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		log_text(LOG_INFO, "event", "%s", values[i]);
	take_log(&text);
	for (size_t i = 0; i < text.len; i++)
		assert_true((unsigned char)text.data[i] < 0x80);
	str_release(&text);
	log_text(LOG_INFO, "event", "\xc2\xa0\xe2\x80\xa6");
	take_log(&text);
	assert_non_null(strstr(text.data, "text=\xc2\xa0\xe2\x80\xa6\n"));
	str_release(&text);
}

static void
numbers_and_times(void **state)
{
	struct str text = STR_INIT;
	struct logline l;

	(void)state;
	assert_true(log_start(&l, LOG_ERROR, "event"));
	log_int(&l, "least", INT64_MIN);
	log_ms(&l, "none", 0);
	log_ms(&l, "some", 61007);
	log_ms(&l, "back", -5);
	log_end(&l);
	take_log(&text);
	assert_string_equal(text.data + 24,
	    " error event least=-9223372036854775808 none=0.000 some=61.007 "
	    "back=0.000\n");
	str_release(&text);
}

/* -- levels and files */

static void
levels(void **state)
{
	struct str text = STR_INIT;
	enum log_level level;

	(void)state;
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		assert_int_equal(
		    log_level_parse(log_level_name((enum log_level)i), &level),
		    0);
		assert_int_equal(level, i);
	}
	assert_int_equal(log_level_parse("loud", &level), -1);
	log_set_level(LOG_WARN);
	log_text(LOG_INFO, "event", "no");
	log_text(LOG_WARN, "event", "yes");
	log_set_level(LOG_INFO);
	take_log(&text);
	assert_string_equal(text.data + 24, " warn event text=yes\n");
	str_release(&text);
}

static void
rotation(void **state)
{
	struct str text = STR_INIT;
	struct err e = ERR_INIT;
	char old[80];

	(void)state;
	snprintf(old, sizeof(old), "%s.1", path);
	assert_int_equal(rename(path, old), 0);
	assert_int_equal(log_open(path, &e), 0);
	log_text(LOG_INFO, "event", "new");
	take_log(&text);
	assert_non_null(strstr(text.data, "text=new\n"));
	str_release(&text);
	assert_int_equal(log_open("/nonexistent/log", &e), -1);
	assert_int_not_equal(e.text[0], '\0');
	log_text(LOG_INFO, "event", "still");
	take_log(&text);
	assert_non_null(strstr(text.data, "text=still\n"));
	str_release(&text);
	assert_int_equal(unlink(old), 0);
}

#define THREADS 4
#define LINES	500

static void *
write_lines(void *arg)
{
	for (unsigned i = 0; i < LINES; i++) {
		if (i % 100 == 50)
			log_open(path, NULL); /* rotated meanwhile */
		log_text(LOG_INFO, "event", "%s %s", (const char *)arg,
		    "a long line that would show if another one cut it");
	}
	return NULL;
}

static void
lines_of_threads_do_not_mix(void **state)
{
	static char names[THREADS][2] = { "a", "b", "c", "d" };
	pthread_t thread[THREADS];
	struct str text = STR_INIT;
	char *line, *rest;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, write_lines, names[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	take_log(&text);
	for (line = text.data; *line != '\0'; line = rest, n++) {
		rest = line + strcspn(line, "\n") + 1;
		assert_int_equal(rest - line,
		    strcspn(text.data, "\n") + 1);
		assert_int_equal(
		    strncmp(line + 24, " info event text=\"", 18), 0);
	}
	assert_int_equal(n, THREADS * LINES);
	str_release(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_values),
		cmocka_unit_test(every_byte_and_many_pairs),
		cmocka_unit_test(controls_of_unicode_are_escaped),
		cmocka_unit_test(numbers_and_times),
		cmocka_unit_test(levels),
		cmocka_unit_test(rotation),
		cmocka_unit_test(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
