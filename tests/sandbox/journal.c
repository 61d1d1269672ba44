/*
 * journal.c - what the sandbox received, one JSON object per line.
 */
#include "tests/sandbox/journal.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "tests/sandbox/json.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct journal {
	int fd; /* -1: none */
	char *keep;
	uint64_t next;
	struct str line;
};

struct journal *
journal_new(const char *path, const char *keep, struct err *e)
{
	struct journal *j = xcalloc(1, sizeof(*j));

	j->fd = -1;
	j->next = 1;
	j->keep = xstrdup(keep);
	str_init(&j->line);
	if (path != NULL)
		j->fd =
		    open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (path != NULL && j->fd < 0)
		err_sys(e, "cannot open '%s'", path);
	else if (keep == NULL || access(keep, W_OK) == 0 ||
		 mkdir(keep, 0755) == 0)
		return j;
	else
		err_sys(e, "cannot make folder '%s'", keep);
	free(j->keep);
	free(j);
	return NULL;
}

uint64_t
journal_next(const struct journal *j)
{
	return j->next;
}

struct str *
journal_start(struct journal *j, const char *event)
{
	int64_t now = clock_wall();
	char iso[25];

	str_clear(&j->line);
	json_open(&j->line, NULL, '{');
	json_int(&j->line, "seq", (int64_t)j->next);
	json_str(&j->line, "time", clock_iso(now, iso));
	json_int(&j->line, "ms", now);
	json_str(&j->line, "event", event);
	return &j->line;
}

struct str *
journal_line(struct journal *j)
{
	return &j->line;
}

static void
write_or_die(int fd, const struct str *s)
{
	if (write(fd, s->data, s->len) == (ssize_t)s->len)
		return;
	perror("oiwake-sandbox: journal");
	exit(1);
}

void
journal_end(struct journal *j)
{
	j->next++;
	if (j->fd < 0)
		return;
	json_close(&j->line, '}');
	str_addc(&j->line, '\n');
	write_or_die(j->fd, &j->line);
}

bool
journal_keeps(const struct journal *j)
{
	return j->keep != NULL;
}

void
journal_keep(struct journal *j, const char *data, size_t len)
{
	struct str path = STR_INIT;
	FILE *f;

	str_addf(&path, "%s/%" PRIu64 ".eml", j->keep, j->next);
	f = fopen(path.data, "w");
	if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
		perror(path.data);
		exit(1);
	}
	str_release(&path);
}
