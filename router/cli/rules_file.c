/*
 * rules_file.c - reads a file of rules as what it is: anybody's bytes, of
 * bounded size; and replaces one so that nobody ever reads half of it.
 */
#include "router/cli/rules_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"

/* -- reading
 * --------------------------------------------------------------------- */

static char *
read_fd(int fd, const char *name, size_t *len, struct err *e)
{
	struct str text = STR_INIT;
	ssize_t n;

	do {
		str_reserve(&text, 65536);
		n = read(fd, text.data + text.len, 65536);
		text.len += n > 0 ? (size_t)n : 0;
	} while (
	    text.len <= RULES_FILE_MAX && (n > 0 || (n < 0 && errno == EINTR)));
	text.data[text.len] = '\0';
	if (n < 0)
		err_sys(e, "cannot read '%s'", name);
	else if (text.len > RULES_FILE_MAX)
		err_set(e, "cannot read '%s': larger than 16 MB", name);
	else {
		*len = text.len;
		return str_detach(&text);
	}
	str_release(&text);
	return NULL;
}

char *
cli_file_read(const char *name, size_t *len, struct err *e)
{
	char *text = NULL;
	struct stat st;
	int fd;

	if (strcmp(name, "-") == 0)
		return read_fd(STDIN_FILENO, "standard input", len, e);
	/* O_NONBLOCK: a FIFO is refused, not waited for. */
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0)
		err_sys(e, "cannot read '%s'", name);
	else if (!S_ISREG(st.st_mode))
		err_set(e, "cannot read '%s': not a regular file", name);
	else
		text = read_fd(fd, name, len, e);
	if (fd >= 0)
		close(fd);
	return text;
}

/* -- writing
 * --------------------------------------------------------------------- */

static int
write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -1;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd);
}

/* A new name lasts only when its folder is on disk as well. */
static int
sync_folder(const char *name)
{
	const char *slash = strrchr(name, '/');
	char *folder =
	    slash ? xstrndup(name, (size_t)(slash - name) + 1) : xstrdup(".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	free(folder);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* ".NAME.XXXXXX" beside it: no wildcard of an include finds it. */
static char *
temporary_name(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	struct str temporary = STR_INIT;

	str_addf(&temporary, "%.*s.%s.XXXXXX", (int)(base - name), name, base);
	return str_detach(&temporary);
}

/* The daemon may read it as another user than the one who writes. An owner
 * that cannot be kept is no reason to stop. */
static int
keep_mode(int fd, const struct stat *old)
{
	if (fchown(fd, old->st_uid, old->st_gid) != 0 && errno != EPERM)
		return -1;
	return fchmod(fd, old->st_mode & 0777);
}

static int
replace(const char *name, const struct stat *old, const char *text, size_t len,
    struct err *e)
{
	char *temporary = temporary_name(name);
	int fd = mkostemp(temporary, O_CLOEXEC), rc = 0;

	if (fd < 0) {
		rc = err_sys(e, "cannot create '%s'", temporary);
	} else if (keep_mode(fd, old) != 0 || write_all(fd, text, len) != 0 ||
		   rename(temporary, name) != 0 || sync_folder(name) != 0) {
		rc = err_sys(e, "cannot write '%s'", name);
		unlink(temporary);
	}
	if (fd >= 0)
		close(fd);
	free(temporary);
	return rc;
}

/* As the shell would make it. */
static void
new_file(struct stat *st)
{
	mode_t mask = umask(0);

	umask(mask);
	*st = (struct stat){ .st_mode = 0644 & ~mask,
		.st_uid = geteuid(),
		.st_gid = getegid() };
}

int
cli_file_replace(const char *name, const char *text, size_t len, struct err *e)
{
	char *real = realpath(name, NULL);
	struct stat st;
	int rc;

	if (real == NULL && errno == ENOENT) {
		new_file(&st);
		rc = replace(name, &st, text, len, e);
	} else if (real == NULL || stat(real, &st) != 0)
		rc = err_sys(e, "cannot write '%s'", name);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(e, "cannot write '%s': not a regular file", name);
	else
		rc = replace(real, &st, text, len, e);
	free(real);
	return rc;
}

int
cli_file_keep(const char *name, const char *like, const char *text, size_t len,
    struct err *e)
{
	struct stat st;
	int fd, rc = 0;

	if (stat(like, &st) != 0)
		return err_sys(e, "cannot read '%s'", like);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "cannot create '%s'", name);
	if (keep_mode(fd, &st) != 0 || write_all(fd, text, len) != 0 ||
	    sync_folder(name) != 0) {
		rc = err_sys(e, "cannot write '%s'", name);
		unlink(name);
	}
	close(fd);
	return rc;
}
