/*
 * metrics_text.c - Prometheus' text format.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/ : in a label's
 * value a backslash and a quote are escaped, all else is UTF-8. It could hold
 * an escaped line feed, too; ours hold no controls.
 */
#include "router/http/metrics_text.h"

#include <inttypes.h>
#include <string.h>

#include "mta/smtp/utf8.h"

static const char *const type_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

/* Length of the well-formed UTF-8 sequence at p (RFC 3629); 0: none. */
static size_t
sequence(const char *p, size_t most)
{
	bool beyond;

	for (size_t len = 1; len <= most && len <= 4; len++)
		if (utf8_check(p, len, &beyond))
			return len;
	return 0;
}

static void
add_value(struct str *labels, const char *p, size_t len)
{
	for (size_t n; len > 0; p += n, len -= n) {
		bool plain = *p >= ' ' && *p < 0x7f;

		n = plain ? 1 : sequence(p, len);
		if (*p == '\\' || *p == '"')
			str_addc(labels, '\\');
		if (n > 1 || plain)
			str_add(labels, p, n);
		else
			str_addc(labels, '?');
		n = n > 0 ? n : 1;
	}
}

void
metrics_label(struct str *labels, const char *name, const char *value)
{
	if (labels->len > 0)
		str_addc(labels, ',');
	str_adds(labels, name);
	str_adds(labels, "=\"");
	add_value(labels, value, strnlen(value, METRICS_LABEL_MAX));
	str_addc(labels, '"');
}

void
metrics_family(struct str *out, const struct metric *m)
{
	str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
	    type_names[m->type]);
}

static void
add_head(struct str *out, const char *name, const char *labels)
{
	str_adds(out, name);
	if (*labels != '\0') {
		str_addc(out, '{');
		str_adds(out, labels);
		str_addc(out, '}');
	}
	str_addc(out, ' ');
}

void
metrics_sample(
    struct str *out, const struct metric *m, const char *labels, int64_t value)
{
	add_head(out, m->name, labels);
	str_addf(out, "%" PRId64 "\n", value);
}

void
metrics_sample_real(
    struct str *out, const struct metric *m, const char *labels, double value)
{
	add_head(out, m->name, labels);
	str_addf(out, "%.15g\n", value);
}

static void
add_bucket(struct str *out, const struct metric *m, const char *labels,
    const char *le, uint64_t count)
{
	str_addf(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", m->name, labels,
	    *labels != '\0' ? "," : "", le, count);
}

void
metrics_histogram(struct str *out, const struct metric *m, const char *labels,
    const double *le, size_t n, const uint64_t *counts, double sum)
{
	struct str text = STR_INIT;
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++) {
		str_clear(&text);
		str_addf(&text, "%.15g", le[i]);
		count += counts[i];
		add_bucket(out, m, labels, text.data, count);
	}
	count += counts[n];
	add_bucket(out, m, labels, "+Inf", count);
	str_clear(&text);
	str_addf(&text, "%s_sum", m->name);
	add_head(out, text.data, labels);
	str_addf(out, "%.15g\n", sum);
	str_clear(&text);
	str_addf(&text, "%s_count", m->name);
	add_head(out, text.data, labels);
	str_addf(out, "%" PRIu64 "\n", count);
	str_release(&text);
}
