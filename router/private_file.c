/*
 * private_file.c - opens a file that holds a secret, and only if it has been
 * kept.
 */
#include "router/private_file.h"

#include <fcntl.h>
#include <unistd.h>

FILE *
private_file_open(const char *file, struct stat *st, struct err *e)
{
	/* Not to hang on a FIFO, which is refused below. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *fp = NULL;

	if (fd == -1) {
		err_sys(e, "cannot open '%s'", file);
		return NULL;
	}
	if (fstat(fd, st) != 0)
		err_sys(e, "cannot stat '%s'", file);
	else if (!S_ISREG(st->st_mode))
		err_set(e, "not a regular file: '%s'", file);
	else if (st->st_mode & (S_IRWXO | S_IWGRP))
		err_set(e,
		    "others have access to '%s' (mode %03o, expected 600 or "
		    "640)",
		    file, (unsigned)(st->st_mode & 0777));
	else if ((fp = fdopen(fd, "r")) == NULL)
		err_sys(e, "cannot open '%s'", file);
	if (fp == NULL)
		close(fd);
	return fp;
}
