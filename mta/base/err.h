/*
 * err.h - why a call failed, as a sentence for a person.
 *
 * A function that can fail takes `struct err *` last, returns -1 (or NULL) on failure and then has
 * set it; on success it is untouched, so calls chain. Text: lower case, no full stop, problem
 * first, quoted subject: cannot open 'spool/3f': No space left on device.
 */
#ifndef MTA_BASE_ERR_H
#define MTA_BASE_ERR_H

struct err {
	char text[512]; /* cut at the end when longer; never holds CR or LF */
	int code;       /* errno or a library's code; 0 when there is none */
};

#define ERR_INIT { .text = "", .code = 0 }

/* Both return -1, so that `return err_set(e, ...)` reads well. `e` may be NULL. */
int err_set(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* As err_set, with ": " and strerror(errno) added; sets code to errno. */
int err_sys(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
