/*
 * spf_confine.c - what the child of an SPF check gives up before it touches a
 * byte from outside.
 *
 * Three walls, each enough for most of it: limits on resources, Landlock (no
 * path can be opened) and seccomp (no system call but the few below). The
 * first two may be weaker than wished, on an old kernel or as root; without
 * the last the child does not run.
 */
#include "mta/spf/spf_int.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The sanitizers map terabytes, and their runtimes yield and sleep on locks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define MEMORY	    (64u << 20) /* 27 of them are the program itself */
#define CPU_SECONDS 2
/* Every right of Landlock's first version: nothing can be opened without. */
#define LANDLOCK_RIGHTS ((1u << 13) - 1)

static const struct limit {
	int resource;
	rlim_t most;
} limits[] = {
	{ RLIMIT_CPU, CPU_SECONDS },
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_FSIZE, 0 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_NOFILE, 0 }, /* those that are open stay so */
#if !SANITIZED
	{ RLIMIT_AS, MEMORY },
#endif
};

static int
limit_resources(struct err *e)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit r = { limits[i].most, limits[i].most };

		if (setrlimit(limits[i].resource, &r) != 0)
			return err_sys(e, "cannot limit resources");
	}
	return 0;
}

/* Kernels without Landlock, or started without it, leave this to seccomp. */
static void
forbid_paths(void)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs =
						  LANDLOCK_RIGHTS };
	int fd =
	    (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (fd < 0)
		return;
	syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
}

/* What is left. Nothing is made executable, and no descriptor but the pipe is
 * of use. */
static const struct rule {
	int call;
	unsigned conditions;
	struct scmp_arg_cmp condition;
} rules[] = {
	{ SCMP_SYS(read), 1, { 0, SCMP_CMP_EQ, STDIN_FILENO, 0 } },
	{ SCMP_SYS(write), 1, { 0, SCMP_CMP_EQ, STDOUT_FILENO, 0 } },
	{ SCMP_SYS(mmap), 1, { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	{ SCMP_SYS(mprotect), 1, { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	{ .call = SCMP_SYS(exit) },
	{ .call = SCMP_SYS(exit_group) },
	{ .call = SCMP_SYS(brk) },
	{ .call = SCMP_SYS(munmap) },
	{ .call = SCMP_SYS(mremap) },
	{ .call = SCMP_SYS(madvise) },
	{ .call = SCMP_SYS(futex) },
	{ .call = SCMP_SYS(clock_gettime) },
	{ .call = SCMP_SYS(gettimeofday) },
	{ .call = SCMP_SYS(time) },
	{ .call = SCMP_SYS(getrandom) },
	{ .call = SCMP_SYS(rt_sigprocmask) },
	{ .call = SCMP_SYS(rt_sigreturn) },
#if SANITIZED
	{ .call = SCMP_SYS(sched_yield) },
	{ .call = SCMP_SYS(nanosleep) },
	{ .call = SCMP_SYS(clock_nanosleep) },
	{ .call = SCMP_SYS(sigaltstack) },
	{ .call = SCMP_SYS(getpid) },
	{ .call = SCMP_SYS(gettid) },
#endif
};

static int
load_rules(scmp_filter_ctx ctx)
{
	int rc;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, rules[i].call,
		    rules[i].conditions, &rules[i].condition);
		if (rc != 0)
			return rc;
	}
	return seccomp_load(ctx);
}

static int
forbid_calls(struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (ctx == NULL)
		return err_set(e, "cannot make a seccomp filter");
	rc = load_rules(ctx);
	seccomp_release(ctx);
	if (rc != 0)
		return err_set(
		    e, "cannot load a seccomp filter: %s", strerror(-rc));
	return 0;
}

int
spf_confine(struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_sys(e, "cannot give up privileges");
	forbid_paths();
	if (limit_resources(e) != 0)
		return -1;
	return forbid_calls(e);
}
