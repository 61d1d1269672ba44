/*
 * config_value.c - what people write in a settings file: durations, sizes,
 * names. Numbers are doubles here, exact up to 2^53; config_schema.c checks
 * their bounds and stores them in the type of the field.
 */
#include "router/config_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	double factor;
};

static const struct unit times[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "sec", 1000 },
	{ "min", 60e3 },
	{ "h", 3600e3 },
	{ "d", 86400e3 },
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "kB", 1e3 },
	{ "KB", 1e3 },
	{ "MB", 1e6 },
	{ "GB", 1e9 },
	{ "TB", 1e12 },
	{ "KiB", 1024 },
	{ "MiB", 1048576.0 },
	{ "GiB", 1073741824.0 },
	{ "TiB", 1099511627776.0 },
};

int
config_value_flag(const char *text, bool *out, struct err *e)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false",
		"true" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0) {
			*out = i % 2 != 0;
			return 0;
		}
	return err_set(e, "expected yes or no, not '%s'", text);
}

/* Digits with an optional fraction: no sign, exponent, hexadecimal or "inf".
 * The end of it, or NULL. */
static const char *
number(const char *p, double *out)
{
	double value = 0, scale = 1;
	const char *begin = p;

	for (; isdigit((unsigned char)*p); p++)
		value = value * 10 + (*p - '0');
	if (p == begin || p - begin > 15)
		return NULL;
	if (*p == '.' && isdigit((unsigned char)p[1]))
		for (p++; isdigit((unsigned char)*p); p++)
			value += (*p - '0') * (scale /= 10);
	*out = value;
	return p;
}

int
config_value_number(const char *text, double *out, struct err *e)
{
	double value;
	const char *end = number(text, &value);

	if (end == NULL || *end != '\0')
		return err_set(e, "expected a number, not '%s'", text);
	*out = value;
	return 0;
}

static const struct unit *
find_unit(const struct unit *units, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(units[i].name) == len &&
		    memcmp(units[i].name, name, len) == 0)
			return &units[i];
	return NULL;
}

int
config_value_size(const char *text, double *out, struct err *e)
{
	const struct unit *unit = NULL;
	double value;
	const char *end = number(text, &value);

	if (end != NULL)
		unit = find_unit(
		    sizes, sizeof(sizes) / sizeof(sizes[0]), end, strlen(end));
	if (unit == NULL)
		return err_set(e,
		    "expected a size such as 10MB or 128KiB, not '%s'", text);
	*out = value * unit->factor;
	return 0;
}

int
config_value_ms(const char *text, double *out, struct err *e)
{
	const char *p = text;
	double sum = 0;

	if (strcmp(text, "0") == 0) {
		*out = 0;
		return 0;
	}
	do {
		double value;
		const struct unit *unit = NULL;
		const char *name = number(p, &value);

		for (p = name; p != NULL && isalpha((unsigned char)*p);)
			p++;
		if (name != NULL)
			unit =
			    find_unit(times, sizeof(times) / sizeof(times[0]),
				name, (size_t)(p - name));
		if (unit == NULL)
			return err_set(e,
			    "expected a time such as 30s, 5min, 4h or 5d, "
			    "not '%s'",
			    text);
		sum += value * unit->factor;
	} while (*p != '\0');
	*out = sum;
	return 0;
}

bool
config_value_host(const char *text)
{
	size_t len = strlen(text), label = 0;

	if (len == 0 || len > 253)
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		bool border = p[1] == '.' || p[1] == '\0' || label == 0;

		if (*p == '.') {
			if (label == 0 || p[1] == '\0')
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)*p) && (*p != '-' || border))
			return false;
		if (++label > 63)
			return false;
	}
	return true;
}

bool
config_value_name(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > 63)
		return false;
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) &&
		    strchr("-_.", *text) == NULL)
			return false;
	return true;
}
