/*
 * spf_int.h - what mta/spf/ shares with itself, and with its tests.
 */
#ifndef MTA_SPF_SPF_INT_H
#define MTA_SPF_SPF_INT_H

#include "mta/base/err.h"
#include "mta/spf/spf.h"

#define SPF_PROGRAM "/proc/self/exe"

/* As spf_check_new, with another program as the child: tests bring their own that misbehave. */
struct spf_check *spf_check_new_with(const char *program, struct resolver *, const char *address,
    const char *helo, const char *mail_from, int64_t timeout,
    void (*done)(void *arg, const struct spf_answer *), void *arg);

/*
 * Gives up for good everything but reading standard input, writing standard output and memory: what
 * else is tried kills the process. -1 when the kernel cannot; then nothing hostile may be touched.
 */
int spf_confine(struct err *);

#endif
