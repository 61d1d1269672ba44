/*
 * body.c - the bytes of one message, in memory or in a spool file.
 *
 * Written through one buffer: as long as the body fits BODY_INLINE_MAX the
 * buffer is the body; beyond, it is a window of WINDOW bytes on the end of the
 * spool file. What is still in the window when the writer is done goes to the
 * file with the first read or the sync, whichever comes first.
 */
#include "router/body.h"

#include "mta/base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW	   (64 * 1024) /* bytes per write to the spool file */
#define FIRST_ROOM 8192	       /* most messages need no second allocation */

struct body {
	_Atomic unsigned refs;
	uint64_t size;
	char *data;	  /* the body, or what is not yet in the file */
	size_t len, room; /* bytes in data, bytes counted in in_memory */
	char *dir, *path; /* of the spool file; NULL: there will be none */
	bool stays;	  /* in memory, whatever its size */
	bool spooled;
	bool lost;           /* an fsync failed: what is on disk is unknown */
	pthread_mutex_t
	    lock; /* guards data, len, room and fd of a spooled body */
	int fd;	  /* -1 until it is needed */
};

static _Atomic size_t in_memory;

size_t
body_bytes_in_memory(void)
{
	return atomic_load_explicit(&in_memory, memory_order_relaxed);
}

static void
set_room(struct body *b, size_t room)
{
	if (room >= b->room)
		atomic_fetch_add_explicit(
		    &in_memory, room - b->room, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(
		    &in_memory, b->room - room, memory_order_relaxed);
	b->room = room;
}

static struct body *
new_body(const char *spool_dir, const char *name)
{
	struct body *b = xcalloc(1, sizeof(*b));
	size_t len;

	atomic_init(&b->refs, 1);
	b->fd = -1;
	pthread_mutex_init(&b->lock, NULL);
	if (spool_dir == NULL)
		return b;
	assert(*name != '\0' && *name != '.' && strchr(name, '/') == NULL);
	len = strlen(spool_dir) + 1 + strlen(name) + 1;
	b->dir = xstrdup(spool_dir);
	b->path = xmalloc(len);
	snprintf(b->path, len, "%s/%s", spool_dir, name);
	return b;
}

struct body *
body_new(const char *spool_dir, const char *name)
{
	struct body *b = new_body(spool_dir, name);

	b->stays = spool_dir == NULL;
	return b;
}

struct body *
body_take(char *data, size_t len)
{
	struct body *b = new_body(NULL, NULL);

	b->data = data;
	b->size = b->len = len;
	set_room(b, len);
	return b;
}

struct body *
body_spooled(const char *spool_dir, const char *name, uint64_t size)
{
	struct body *b = new_body(spool_dir, name);

	b->spooled = true;
	b->size = size;
	return b;
}

struct body *
body_ref(struct body *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

static void
drop_data(struct body *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
	set_room(b, 0);
}

void
body_unref(struct body **bp)
{
	struct body *b = *bp;

	*bp = NULL;
	if (b == NULL ||
	    atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	drop_data(b);
	if (b->fd >= 0)
		close(b->fd);
	pthread_mutex_destroy(&b->lock);
	free(b->dir);
	free(b->path);
	free(b);
}

/* Writes data to the end of the file. A failed call leaves data as it was, so
 * that it can be made again and no byte is ever written twice or left out. -1
 * with errno. */
static int
write_window(struct body *b)
{
	uint64_t at = b->size - b->len;
	size_t done = 0;
	ssize_t n;

	while (done < b->len) {
		n = pwrite(
		    b->fd, b->data + done, b->len - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	b->len = 0;
	return 0;
}

static int
begin_spooling(struct body *b, struct err *e)
{
	if (b->path == NULL)
		return err_set(e, "a body of fixed content cannot grow");
	b->fd = open(b->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (b->fd < 0)
		return err_sys(e, "cannot create '%s'", b->path);
	b->spooled = true;
	if (write_window(b) < 0)
		return err_sys(e, "cannot write '%s'", b->path);
	drop_data(b);
	return 0;
}

static void
add_in_memory(struct body *b, const void *data, size_t len)
{
	size_t room = b->room == 0 ? FIRST_ROOM : b->room;

	while (room < b->len + len)
		room *= 2;
	if (room != b->room) {
		b->data = xrealloc(b->data, room);
		set_room(b, room);
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->size += len;
}

static int
add_spooled(struct body *b, const char *data, size_t len, struct err *e)
{
	size_t n;

	while (len > 0) {
		if (b->data == NULL) {
			b->data = xmalloc(WINDOW);
			set_room(b, WINDOW);
		}
		if (b->len == WINDOW && write_window(b) < 0)
			return err_sys(e, "cannot write '%s'", b->path);
		n = WINDOW - b->len < len ? WINDOW - b->len : len;
		memcpy(b->data + b->len, data, n);
		b->len += n;
		b->size += n;
		data += n;
		len -= n;
	}
	return 0;
}

int
body_add(struct body *b, const void *data, size_t len, struct err *e)
{
	int ret;

	if (len == 0)
		return 0;
	if (b->stays || (!b->spooled && b->len + len <= BODY_INLINE_MAX)) {
		add_in_memory(b, data, len);
		return 0;
	}
	pthread_mutex_lock(&b->lock);
	ret = b->spooled ? 0 : begin_spooling(b, e);
	if (ret == 0)
		ret = add_spooled(b, data, len, e);
	pthread_mutex_unlock(&b->lock);
	return ret;
}

/* The file is open and holds every byte. -1 with errno. */
static int
make_readable(struct body *b)
{
	int ret = 0;

	pthread_mutex_lock(&b->lock);
	if (b->fd < 0)
		b->fd = open(b->path, O_RDONLY | O_CLOEXEC);
	if (b->fd < 0)
		ret = -1;
	else if (b->len > 0)
		ret = write_window(b);
	if (ret == 0 && b->data != NULL)
		drop_data(b);
	pthread_mutex_unlock(&b->lock);
	return ret;
}

static int
sync_directory(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return err_sys(e, "cannot open directory '%s'", dir);
	if (fsync(fd) < 0)
		ret = err_sys(e, "cannot sync directory '%s'", dir);
	close(fd);
	return ret;
}

int
body_sync(struct body *b, struct err *e)
{
	if (!b->spooled)
		return 0;
	if (b->lost)
		errno = EIO;
	if (b->lost || make_readable(b) < 0)
		return err_sys(e, "cannot write '%s'", b->path);
	if (fsync(b->fd) < 0) {
		b->lost = true;
		return err_sys(e, "cannot sync '%s'", b->path);
	}
	return sync_directory(b->dir, e);
}

void
body_discard(struct body *b)
{
	if (b->spooled)
		unlink(b->path);
}

uint64_t
body_size(const struct body *b)
{
	return b->size;
}

bool
body_is_spooled(const struct body *b)
{
	return b->spooled;
}

const char *
body_name(const struct body *b)
{
	return b->spooled ? b->path + strlen(b->dir) + 1 : "";
}

const char *
body_data(const struct body *b)
{
	if (b->spooled)
		return NULL;
	return b->data != NULL ? b->data : "";
}

static ssize_t
read_memory(const struct body *b, uint64_t offset, void *buf, size_t len)
{
	if (offset >= b->len)
		return 0;
	if (len > b->len - offset)
		len = b->len - (size_t)offset;
	memcpy(buf, b->data + offset, len);
	return (ssize_t)len;
}

ssize_t
body_read(struct body *b, uint64_t offset, void *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	if (!b->spooled)
		return read_memory(b, offset, buf, len);
	if (offset >= b->size)
		return 0;
	if (make_readable(b) < 0)
		return -1;
	while (done < len) {
		n = pread(b->fd, (char *)buf + done, len - done,
		    (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t
read_content(void *arg, uint64_t offset, void *buf, size_t len)
{
	return body_read(arg, offset, buf, len);
}

void
body_content(struct body *b, struct smtp_content *c)
{
	*c = (struct smtp_content){
		.read = read_content, .arg = b, .length = b->size
	};
}
