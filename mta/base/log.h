/*
 * log.h - one key=value line per fact, on standard error or in a file.
 *
 * A line is `time level event key=value ...`. Values that hold a space, a quote, '=' or a control
 * byte are quoted and escaped here and only here, so nothing from outside can forge a line.
 * Any thread; a line is written with one write(2).
 *
 *	struct logline l;
 *	if (log_start(&l, LOG_INFO, "settled")) {
 *		log_str(&l, "to", address);
 *		log_int(&l, "attempts", n);
 *		log_end(&l);
 *	}
 */
#ifndef MTA_BASE_LOG_H
#define MTA_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct logline {
	struct str text;
};

/* The name of a level, or -1 in log_level_parse when the name is unknown. */
const char *log_level_name(enum log_level);
int log_level_parse(const char *name, enum log_level *);

void log_set_level(enum log_level);
/* Lines go to the end of this file from now on; NULL or "-" means standard error. Reopens when
 * called again with the same path (log rotation). */
int log_open(const char *path, struct err *);

/* False when the level is not wanted: then add nothing and do not end it. */
bool log_start(struct logline *, enum log_level, const char *event);
void log_str(struct logline *, const char *key, const char *value); /* NULL value: nothing added */
void log_mem(struct logline *, const char *key, const char *value, size_t len);
void log_int(struct logline *, const char *key, int64_t value);
/* Seconds with three decimals from milliseconds. */
void log_ms(struct logline *, const char *key, int64_t ms);
void log_end(struct logline *);

/* One sentence: level=..., event, `text="..."`. */
void log_text(enum log_level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
