/*
 * spf.h - would a receiver's SPF check pass? (RFC 7208, by libspf2)
 *
 * Asked about domains of our own only. libspf2 has had memory errors, so it never runs in this
 * process: each question is answered by a short-lived child (spf_child.c) that has no network, no
 * files, little memory and little time, and asks for its DNS records over a pipe; we look them up with
 * our own resolver. A child that crashes, hangs or babbles is a result (SPF_CRASHED), nothing worse.
 */
#ifndef MTA_SPF_SPF_H
#define MTA_SPF_SPF_H

#include <stdbool.h>
#include <stdint.h>

struct resolver;
struct spf_check;

enum spf_result {
	SPF_NONE,      /* no record */
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR, /* DNS did not answer */
	SPF_PERMERROR, /* the record cannot be used: syntax, two records, more than 10 look-ups */
	SPF_CRASHED,   /* the library died of it, or took too long */
};
const char *spf_result_name(enum spf_result); /* "pass", "softfail", ... */

struct spf_answer {
	enum spf_result result;
	char why[256]; /* the library's words, printable; "" */
};

/*
 * Checks address (canonical text, IPv4 or IPv6) for that identity: `mail_from` local@domain, or "" for
 * the null reverse-path, when `helo` alone counts. `done` comes once from the event loop of the
 * resolver's base, and the check frees itself after it. spf_check_free before that cancels it (the
 * child is killed). Time limit: `timeout` ms.
 */
struct spf_check *spf_check_new(struct resolver *, const char *address, const char *helo,
    const char *mail_from, int64_t timeout,
    void (*done)(void *arg, const struct spf_answer *), void *arg);
void spf_check_free(struct spf_check **);

/*
 * main() calls this first: when the process was started as the child (by spf_check_new, which runs
 * /proc/self/exe again with argv[0] SPF_CHILD), it does its one check and never returns.
 */
#define SPF_CHILD "oiwake-spf"
void spf_child_main(int argc, char **argv);

#endif
