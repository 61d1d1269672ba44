/*
 * test_metrics.c - Prometheus' text format, and the rows that bound it. One thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "router/http/metrics_rows.h"
#include "router/http/metrics_text.h"

/* -- labels ---------------------------------------------------------------- */

static void
label_values_are_escaped(void **state)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ "docomo", "n=\"docomo\"" },
		{ "", "n=\"\"" },
		{ "a b{c=d},#", "n=\"a b{c=d},#\"" },
		{ "say \"no\"", "n=\"say \\\"no\\\"\"" },
		{ "back\\slash", "n=\"back\\\\slash\"" },
		{ "end\\", "n=\"end\\\\\"" },
		{ "two\nlines\r\n", "n=\"two?lines??\"" },
		{ "tab\tbell\a\x7f", "n=\"tab?bell??\"" },
		{ "\xe8\xbf\xbd\xe5\x88\x86", "n=\"\xe8\xbf\xbd\xe5\x88\x86\"" },
		{ "\xf0\x9f\x93\xae!", "n=\"\xf0\x9f\x93\xae!\"" },
		{ "half \xe8\xbf", "n=\"half ??\"" },
		{ "\xc0\xaf\xed\xa0\x80", "n=\"?????\"" }, /* overlong, a surrogate */
		{ "\xc2\x85", "n=\"??\"" },		  /* a C1 control */
	};
	struct str s = STR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		str_clear(&s);
		metrics_label(&s, "n", rows[i].value);
		assert_string_equal(s.data, rows[i].want);
	}
	str_release(&s);
}

static void
label_values_are_cut(void **state)
{
	char value[4 * METRICS_LABEL_MAX];
	struct str s = STR_INIT;

	(void)state;
	memset(value, 'a', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	metrics_label(&s, "n", value);
	assert_int_equal(s.len, METRICS_LABEL_MAX + strlen("n=\"\""));
	str_clear(&s);
	/* The last character does not fit any more. */
	memcpy(value + METRICS_LABEL_MAX - 2, "\xe8\xbf\xbd", 3);
	metrics_label(&s, "n", value);
	assert_string_equal(s.data + s.len - 5, "aa??\"");
	str_release(&s);
}

static void
labels_are_joined(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	metrics_label(&s, "path", "mta");
	metrics_label(&s, "carrier", "au");
	assert_string_equal(s.data, "path=\"mta\",carrier=\"au\"");
	str_release(&s);
}

/* -- families -------------------------------------------------------------- */

static void
a_family_with_samples(void **state)
{
	static const struct metric m = { "oiwake_things_total", METRIC_COUNTER,
		"What there was." };
	struct str s = STR_INIT;

	(void)state;
	metrics_family(&s, &m);
	metrics_sample(&s, &m, "", 3);
	metrics_sample(&s, &m, "path=\"mta\"", INT64_MAX);
	metrics_sample_real(&s, &m, "path=\"ses\"", 0.25);
	metrics_sample_real(&s, &m, "", 1764000000.125);
	assert_string_equal(s.data,
	    "# HELP oiwake_things_total What there was.\n"
	    "# TYPE oiwake_things_total counter\n"
	    "oiwake_things_total 3\n"
	    "oiwake_things_total{path=\"mta\"} 9223372036854775807\n"
	    "oiwake_things_total{path=\"ses\"} 0.25\n"
	    "oiwake_things_total 1764000000.125\n");
	str_release(&s);
}

static void
a_histogram_adds_up(void **state)
{
	static const struct metric m = { "oiwake_wait_seconds",
		METRIC_HISTOGRAM, "Waits." };
	static const double le[] = { 0.5, 10 };
	static const uint64_t counts[] = { 2, 0, 5 };
	struct str s = STR_INIT;

	(void)state;
	metrics_histogram(&s, &m, "path=\"mta\"", le, 2, counts, 61.5);
	assert_string_equal(s.data,
	    "oiwake_wait_seconds_bucket{path=\"mta\",le=\"0.5\"} 2\n"
	    "oiwake_wait_seconds_bucket{path=\"mta\",le=\"10\"} 2\n"
	    "oiwake_wait_seconds_bucket{path=\"mta\",le=\"+Inf\"} 7\n"
	    "oiwake_wait_seconds_sum{path=\"mta\"} 61.5\n"
	    "oiwake_wait_seconds_count{path=\"mta\"} 7\n");
	str_clear(&s);
	metrics_histogram(&s, &m, "", le, 2, counts, 0);
	assert_non_null(strstr(s.data, "_bucket{le=\"+Inf\"} 7\n"));
	assert_non_null(strstr(s.data, "oiwake_wait_seconds_count 7\n"));
	str_release(&s);
}

/* -- rows ------------------------------------------------------------------ */

struct counted {
	struct metrics_row row;
	int64_t n;
};

static struct counted *
get(struct metrics_rows *rows, size_t max, const char *labels)
{
	return metrics_rows_get(rows, max, labels, "group=\"other\"");
}

static void
rows_are_so_many_at_most(void **state)
{
	struct metrics_rows rows;
	struct counted *first, *last, *other;
	const struct metrics_row *row;
	char labels[32];
	size_t n = 0;

	(void)state;
	metrics_rows_init(&rows, sizeof(struct counted));
	first = get(&rows, 100, "group=\"0\"");
	assert_int_equal(first->n, 0);
	for (int i = 0; i < 1000000; i++) {
		snprintf(labels, sizeof(labels), "group=\"%d\"", i);
		get(&rows, 100, labels)->n++;
	}
	TAILQ_FOREACH (row, &rows.list, link)
		n++;
	assert_int_equal(n, 101);
	assert_int_equal(rows.folded, 1000000 - 100);
	last = get(&rows, 100, "group=\"99\"");
	other = get(&rows, 100, "group=\"100\"");
	assert_ptr_equal(first, get(&rows, 100, "group=\"0\""));
	assert_int_equal(first->n, 1);
	assert_int_equal(last->n, 1);
	assert_int_equal(other->n, 1000000 - 100);
	assert_string_equal(other->row.labels, "group=\"other\"");
	metrics_rows_clear(&rows, NULL);
}

/* What rules name finds room that plain domains do not. */
static void
some_find_more_room(void **state)
{
	struct metrics_rows rows;
	struct counted *a, *b, *c;

	(void)state;
	metrics_rows_init(&rows, sizeof(struct counted));
	a = get(&rows, 1, "group=\"a.example\"");
	b = get(&rows, 1, "group=\"b.example\"");
	c = get(&rows, 2, "group=\"docomo\"");
	assert_string_equal(a->row.labels, "group=\"a.example\"");
	assert_string_equal(b->row.labels, "group=\"other\"");
	assert_string_equal(c->row.labels, "group=\"docomo\"");
	/* No two rows have the same labels, whatever somebody is called. */
	assert_ptr_equal(b, get(&rows, 9, "group=\"other\""));
	metrics_rows_clear(&rows, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(label_values_are_cut),
		cmocka_unit_test(labels_are_joined),
		cmocka_unit_test(a_family_with_samples),
		cmocka_unit_test(a_histogram_adds_up),
		cmocka_unit_test(rows_are_so_many_at_most),
		cmocka_unit_test(some_find_more_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
