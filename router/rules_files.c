/*
 * rules_file.c - reads a file of rules as what it is: anybody's bytes, of
 * bounded size; and replaces one so that nobody ever reads half of it.
 */
#include "router/rules_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "rules/rules.h"

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
rules_file_read(const char *name, size_t *len, struct err *e)
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

/* -- folders
 * --------------------------------------------------------------------- */

static char *
folder_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? xstrndup(name, (size_t)(slash - name) + 1)
		     : xstrdup("./");
}

/* A new name lasts only when its folder is on disk as well. */
int
rules_folder_sync(const char *name)
{
	char *folder = folder_of(name);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	free(folder);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

int
rules_folder_lock(const char *rules_file, struct err *e)
{
	char *folder = folder_of(rules_file);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		err_sys(e, "cannot open '%s'", folder);
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		err_sys(e, "cannot lock '%s'", folder);
		close(fd);
		fd = -1;
	}
	free(folder);
	return fd;
}

char *
rules_file_beside(const char *name, const char *suffix)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	struct str beside = STR_INIT;

	str_addf(&beside, "%.*s.%s%s", (int)(base - name), name, base, suffix);
	return str_detach(&beside);
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

/* The daemon may read it as another user than the one who writes. An owner
 * that cannot be kept is no reason to stop. */
static int
keep_mode(int fd, const struct stat *old)
{
	if (fchown(fd, old->st_uid, old->st_gid) != 0 && errno != EPERM)
		return -1;
	return fchmod(fd, old->st_mode & 0777);
}

int
rules_file_create(const char *name, const struct stat *like, const char *text,
    size_t len, struct err *e)
{
	mode_t mode = like != NULL ? 0600 : 0644;
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int rc = 0;

	if (fd < 0)
		return err_sys(e, "cannot create '%s'", name);
	if ((like != NULL && keep_mode(fd, like) != 0) ||
	    write_all(fd, text, len) != 0) {
		rc = err_sys(e, "cannot write '%s'", name);
		unlink(name);
	}
	close(fd);
	return rc;
}

int
rules_file_keep(const char *name, const char *like, const char *text,
    size_t len, struct err *e)
{
	struct stat st;

	if (stat(like, &st) != 0)
		return err_sys(e, "cannot read '%s'", like);
	if (rules_file_create(name, &st, text, len, e) != 0)
		return -1;
	if (rules_folder_sync(name) == 0)
		return 0;
	err_sys(e, "cannot write '%s'", name);
	unlink(name);
	return -1;
}

int
rules_place_find(struct rules_place *place, const char *name, struct err *e)
{
	*place = (struct rules_place){ .real = realpath(name, NULL) };
	place->exists = place->real != NULL;
	if (place->real == NULL && errno == ENOENT) {
		place->real = xstrdup(name);
		return 0;
	}
	if (place->real == NULL || stat(place->real, &place->st) != 0)
		return err_sys(e, "cannot write '%s'", name);
	if (!S_ISREG(place->st.st_mode))
		return err_set(
		    e, "cannot write '%s': not a regular file", name);
	return 0;
}

/* What a process of the same number has left behind is nobody's. */
static char *
own_beside(const char *name)
{
	struct str suffix = STR_INIT;
	char *beside;

	str_addf(&suffix, ".%ld", (long)getpid());
	beside = rules_file_beside(name, suffix.data);
	str_release(&suffix);
	unlink(beside);
	return beside;
}

static int
replace(const struct rules_place *place, const char *text, size_t len,
    struct err *e)
{
	char *beside = own_beside(place->real);
	int rc = rules_file_create(
	    beside, place->exists ? &place->st : NULL, text, len, e);

	if (rc == 0 && (rename(beside, place->real) != 0 ||
			   rules_folder_sync(place->real) != 0)) {
		rc = err_sys(e, "cannot write '%s'", place->real);
		unlink(beside);
	}
	free(beside);
	return rc;
}

int
rules_file_replace(
    const char *name, const char *text, size_t len, struct err *e)
{
	struct rules_place place;
	int rc = rules_place_find(&place, name, e);

	if (rc == 0)
		rc = replace(&place, text, len, e);
	free(place.real);
	return rc;
}
