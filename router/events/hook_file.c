/*
 * hook_file.c - events as lines at the end of a file.
 *
 * A line is on disk before its event counts as told. What of a write has not
 * fitted is taken back, so that no reader sees half a line; the file is looked
 * up again each time, for it may have been renamed away (logrotate).
 */
#include "router/events/hooks_int.h"

#include "mta/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void
hook_file_close(struct hook *h)
{
	if (h->fd != -1)
		close(h->fd);
	h->fd = -1;
}

static bool
is_still_there(const struct hook *h)
{
	struct stat ours, there;

	return h->fd != -1 && fstat(h->fd, &ours) == 0 &&
	       stat(h->config->file, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int
open_file(struct hook *h, struct err *e)
{
	const char *name = h->config->file;
	struct stat st;

	if (is_still_there(h))
		return 0;
	hook_file_close(h);
	/* A pipe that nobody reads must not stop us. */
	h->fd = open(
	    name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
	if (h->fd == -1)
		return err_sys(e, "cannot open '%s'", name);
	if (fstat(h->fd, &st) == 0 && S_ISREG(st.st_mode))
		return 0;
	hook_file_close(h);
	return err_set(e, "not a file: '%s'", name);
}

static int
write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len > 0; data += n, len -= (size_t)n) {
		n = write(fd, data, len);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return -1;
	}
	return 0;
}

static int
append(struct hook *h, const struct str *lines, struct err *e)
{
	const char *name = h->config->file;
	off_t end;

	if (open_file(h, e) != 0)
		return -1;
	end = lseek(h->fd, 0, SEEK_END);
	if (write_all(h->fd, lines->data, lines->len) == 0 && fsync(h->fd) == 0)
		return 0;
	err_sys(e, "cannot write '%s'", name);
	if (end != -1 && ftruncate(h->fd, end) != 0)
		err_sys(e, "cannot take back half a line of '%s'", name);
	return -1;
}

/* But for those on their way to the dead letters, from when it was a webhook.
 */
static struct hook_item *
first_of(const struct hook *h)
{
	struct hook_item *item;

	TAILQ_FOREACH(item, &h->window, link)
	if (!item->flying)
		return item;
	return NULL;
}

void
hook_file_tell(struct hook *h)
{
	struct hook_item *item;
	struct str lines = STR_INIT;
	struct err e = ERR_INIT;
	bool good;

	TAILQ_FOREACH(item, &h->window, link)
	{
		if (item->flying)
			continue;
		str_add(&lines, item->text, item->len);
		str_addc(&lines, '\n');
	}
	good = lines.len == 0 || append(h, &lines, &e) == 0;
	str_release(&lines);
	if (!good) {
		item = first_of(h);
		hook_failed(h, &item, 1, 0, 0, e.text);
		return;
	}
	while ((item = first_of(h)) != NULL)
		hook_told(h, &item);
}
