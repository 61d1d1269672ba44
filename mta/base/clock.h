/*
 * clock.h - what time it is.
 *
 * All times in Oiwake are milliseconds. Wall time (since 1970, UTC) is what is stored and shown;
 * monotonic time measures durations and never jumps. Any thread.
 */
#ifndef MTA_BASE_CLOCK_H
#define MTA_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_wall(void); /* ms since 1970 */
int64_t clock_mono(void); /* ms since some fixed point */

/* Writes "2026-11-22T10:35:07.123Z" (25 bytes with NUL) for a wall time; returns buf. */
char *clock_iso(int64_t wall, char buf[static 25]);
/* Reads such a time, also with another number of decimals or none, or with "+09:00" for the Z. 0, or -1
 * when the text is no time. */
int clock_iso_read(const char *text, int64_t *wall);
/* Writes "Sun, 22 Nov 2026 10:35:07 +0000" (RFC 5322 3.3; 48 bytes with NUL); returns buf. */
char *clock_rfc5322(int64_t wall, char buf[static 48]);

#endif
