/*
 * process.c - which process this is: of which boot of which machine, in which
 * namespace, by which number, and begun when, for numbers are used again.
 */
#include "router/store/process.h"

#include "mta/base/alloc.h"
#include "mta/base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A small file of the kernel's, without the newline at its end. */
static bool
read_file(const char *path, char *buf, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, room - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

/* Field 22 of proc(5)'s stat, in ticks since the boot; the second one, a name
 * in parentheses, may hold anything, and the third one says whether it has
 * ended and only waits to be asked how. False: there is no such process. */
static bool
start_of(long pid, unsigned long long *start)
{
	char path[40], stat[1024];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	if (!read_file(path, stat, sizeof(stat)))
		return false;
	at = strrchr(stat, ')');
	if (at == NULL || strchr("ZX", at[1] == ' ' ? at[2] : 'X') != NULL)
		return false;
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at != NULL && sscanf(at, "%llu", start) == 1;
}

/* "BOOT NAMESPACE " */
static bool
add_place(struct str *to)
{
	char boot[64];
	struct stat namespace;

	if (!read_file("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)) ||
	    stat("/proc/self/ns/pid", &namespace) < 0)
		return false;
	str_addf(to, "%s %llu ", boot, (unsigned long long)namespace.st_ino);
	return true;
}

char *
process_identity(void)
{
	struct str s = STR_INIT;
	unsigned long long start;

	if (!add_place(&s) || !start_of(getpid(), &start))
		str_clear(&s);
	else
		str_addf(&s, "%ld %llu", (long)getpid(), start);
	return str_detach(&s);
}

bool
process_is_gone(const char *identity)
{
	struct str place = STR_INIT;
	unsigned long long start, then;
	bool gone = false;
	long pid;

	if (add_place(&place) &&
	    strncmp(identity, place.data, place.len) == 0 &&
	    sscanf(identity + place.len, "%ld %llu", &pid, &then) == 2)
		gone =
		    pid == getpid() || !start_of(pid, &start) || start != then;
	str_release(&place);
	return gone;
}
