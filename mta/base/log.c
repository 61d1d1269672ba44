/*
 * log.c - one key=value line per fact.
 */
#include "mta/base/log.h"

#include "mta/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static _Atomic int out = STDERR_FILENO;
static _Atomic int threshold = LOG_INFO;

static const char *const names[] = { "debug", "info", "warn", "error" };

const char *
log_level_name(enum log_level level)
{
	return names[level];
}

int
log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	return -1;
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

int
log_open(const char *path, struct err *e)
{
	int fd, old;

	if (path == NULL || strcmp(path, "-") == 0) {
		atomic_store(&out, STDERR_FILENO);
		return 0;
	}
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_sys(e, "cannot open log '%s'", path);
	old = atomic_load(&out);
	if (old == STDERR_FILENO) {
		atomic_store(&out, fd);
		return 0;
	}
	/* Another thread may be writing to the old descriptor: swap the file under its number. */
	if (dup3(fd, old, O_CLOEXEC) < 0) {
		err_sys(e, "cannot reopen log '%s'", path);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

bool
log_start(struct logline *l, enum log_level level, const char *event)
{
	char when[25];

	if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed))
		return false;
	str_init(&l->text);
	str_reserve(&l->text, 500);
	str_adds(&l->text, clock_iso(clock_wall(), when));
	str_addc(&l->text, ' ');
	str_adds(&l->text, names[level]);
	str_addc(&l->text, ' ');
	str_adds(&l->text, event);
	return true;
}

/*
 * How many bytes from p on must be escaped: a control, or in UTF-8 a C1 control or a line or paragraph
 * separator, at which some readers end a line.
 */
static size_t
control_length(const unsigned char *p, size_t left)
{
	if (*p < ' ' || *p == 0x7f)
		return 1;
	if (left >= 2 && p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
		return 2;
	if (left >= 3 && memcmp(p, "\xe2\x80", 2) == 0 &&
	    (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return 0;
}

static bool
is_plain(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] == ' ' || p[i] == '"' || p[i] == '=' || p[i] == '\\' ||
		    control_length(p + i, len - i) > 0)
			return false;
	return len > 0;
}

static void
add_quoted(struct str *s, const unsigned char *p, size_t len)
{
	size_t control = 0;

	str_addc(s, '"');
	for (size_t i = 0; i < len; i++) {
		if (control == 0)
			control = control_length(p + i, len - i);
		if (control > 0) {
			str_addf(s, "\\x%02x", p[i]);
			control--;
			continue;
		}
		if (p[i] == '"' || p[i] == '\\')
			str_addc(s, '\\');
		str_addc(s, (char)p[i]);
	}
	str_addc(s, '"');
}

void
log_mem(struct logline *l, const char *key, const char *value, size_t len)
{
	str_addc(&l->text, ' ');
	str_adds(&l->text, key);
	str_addc(&l->text, '=');
	if (is_plain((const unsigned char *)value, len))
		str_add(&l->text, value, len);
	else
		add_quoted(&l->text, (const unsigned char *)value, len);
}

void
log_str(struct logline *l, const char *key, const char *value)
{
	if (value != NULL)
		log_mem(l, key, value, strlen(value));
}

void
log_int(struct logline *l, const char *key, int64_t value)
{
	str_addf(&l->text, " %s=%" PRId64, key, value);
}

void
log_ms(struct logline *l, const char *key, int64_t ms)
{
	if (ms < 0)
		ms = 0;
	str_addf(&l->text, " %s=%" PRId64 ".%03d", key, ms / 1000,
	    (int)(ms % 1000));
}

void
log_end(struct logline *l)
{
	ssize_t n;

	str_addc(&l->text, '\n');
	do
		n = write(atomic_load(&out), l->text.data, l->text.len);
	while (n < 0 && errno == EINTR);
	str_release(&l->text);
}

void
log_text(enum log_level level, const char *event, const char *fmt, ...)
{
	struct str text = STR_INIT;
	struct logline l;
	va_list ap;

	if (!log_start(&l, level, event))
		return;
	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	log_mem(&l, "text", text.data, text.len);
	log_end(&l);
	str_release(&text);
}
