/*
 * space.c - what to do before and when the disk is full.
 *
 * New mail is refused while less than the reserve is free, so that settling
 * what is queued has room. Should others fill the disk all the same, the
 * ballast file, as large as the reserve, is given up once; it comes back when
 * there is room for it twice.
 */
#include "router/store/store_int.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CHECK_EVERY 100 /* ms */

void
space_init(struct space *s, const char *directory, uint64_t reserve)
{
	size_t len = strlen(directory) + sizeof("/ballast");
	struct stat st;

	pthread_mutex_init(&s->lock, NULL);
	s->directory = xstrdup(directory);
	s->ballast = xmalloc(len);
	snprintf(s->ballast, len, "%s/ballast", directory);
	s->reserve = reserve;
	s->low = false;
	s->checked = INT64_MIN;
	s->has_ballast = stat(s->ballast, &st) == 0 &&
			 (uint64_t)st.st_size == reserve && st.st_blocks > 0;
}

void
space_release(struct space *s)
{
	pthread_mutex_destroy(&s->lock);
	free(s->directory);
	free(s->ballast);
}

/* Bytes free for us; UINT64_MAX when the file system does not say. */
static uint64_t
free_bytes(const struct space *s)
{
	struct statvfs v;

	if (statvfs(s->directory, &v) < 0)
		return UINT64_MAX;
	return (uint64_t)v.f_bavail * v.f_frsize;
}

bool
space_is_low(struct space *s)
{
	int64_t now = clock_mono();
	bool low;

	pthread_mutex_lock(&s->lock);
	if (s->checked == INT64_MIN || now - s->checked >= CHECK_EVERY) {
		low = free_bytes(s) < s->reserve;
		if (low != s->low)
			log_text(low ? LOG_WARN : LOG_INFO, "store-space",
			    low ? "little space left in '%s': new mail is "
				  "refused"
				: "space again in '%s': new mail is taken",
			    s->directory);
		s->low = low;
		s->checked = now;
	}
	low = s->low;
	pthread_mutex_unlock(&s->lock);
	return low;
}

bool
space_has_room(struct space *s, uint64_t bytes)
{
	uint64_t left = free_bytes(s);

	return left >= bytes && left - bytes >= s->reserve;
}

bool
space_give_up_ballast(struct space *s)
{
	bool given;

	pthread_mutex_lock(&s->lock);
	given = s->has_ballast && unlink(s->ballast) == 0;
	if (given) {
		s->has_ballast = false;
		s->low = true;
		s->checked = clock_mono();
		log_text(LOG_WARN, "store-ballast",
		    "no space left in '%s': ballast given up", s->directory);
	}
	pthread_mutex_unlock(&s->lock);
	return given;
}

static bool
create_ballast(const struct space *s)
{
	int fd =
	    open(s->ballast, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0)
		return false;
	ok = posix_fallocate(fd, 0, (off_t)s->reserve) == 0;
	close(fd);
	if (!ok)
		unlink(s->ballast);
	return ok;
}

void
space_restore_ballast(struct space *s)
{
	pthread_mutex_lock(&s->lock);
	if (!s->has_ballast && s->reserve > 0 &&
	    free_bytes(s) / 2 >= s->reserve)
		s->has_ballast = create_ballast(s);
	pthread_mutex_unlock(&s->lock);
}
