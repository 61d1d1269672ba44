/*
 * source.c - rule files from disk or memory: bounded, regular, and none twice.
 */
#include "rules/parse_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/hash_int.h"

/* A problem with a file: where it is asked for, or with the file itself when
 * nothing asks. */
static void
file_problem(struct parse *p, const char *path, const struct token *where,
    const char *what)
{
	if (where != NULL)
		problem_at(
		    p->report, where, "cannot read '%s': %s", path, what);
	else
		rules_report_add(p->report, path, 0, 0, NULL, 0,
		    "cannot read the file: %s", what);
}

static struct source *
source_add(struct parse *p, const char *name, const char *text, size_t len,
    const struct token *where)
{
	struct ruleset *rs = p->rs;
	struct source *s = arena_alloc(&rs->arena, sizeof(*s));

	s->name = arena_strndup(&rs->arena, name, strlen(name));
	s->text = arena_strndup(&rs->arena, text, len);
	s->len = len;
	s->depth = where != NULL ? where->source->depth + 1 : 0;
	p->total += len;
	rs->source = rules_grow(rs->source, &rs->source_room, rs->nsource + 1,
	    sizeof(struct source *));
	rs->source[rs->nsource++] = s;
	return s;
}

static const struct source *
same_file(const struct ruleset *rs, const struct stat *st)
{
	for (size_t i = 0; i < rs->nsource; i++)
		if (rs->source[i]->dev == st->st_dev &&
		    rs->source[i]->ino == st->st_ino)
			return rs->source[i];
	return NULL;
}

static const struct source *
same_name(const struct ruleset *rs, const char *name)
{
	for (size_t i = 0; i < rs->nsource; i++)
		if (strcmp(rs->source[i]->name, name) == 0)
			return rs->source[i];
	return NULL;
}

/* Why that file will not be read, or NULL. `same` is what it has been read as.
 */
static const char *
refusal(const struct parse *p, const struct source *same, uintmax_t size,
    const struct token *where)
{
	if (same != NULL)
		return same->open ? "it includes itself"
				  : "it is included already";
	if (where != NULL && where->source->depth + 1 >= RULES_DEPTH_MAX)
		return "more than 16 files include one another";
	if (p->rs->nsource == RULES_INCLUDED_MAX)
		return "more than 1000 files in a rule set";
	if (size > RULES_FILE_MAX)
		return "larger than 16 MB";
	if (p->total + size > RULES_TOTAL_MAX)
		return "the files of the rule set are larger than 64 MB "
		       "together";
	return NULL;
}

static const char *
refusal_on_disk(
    const struct parse *p, const struct stat *st, const struct token *where)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	return refusal(p, same_file(p->rs, st), (uintmax_t)st->st_size, where);
}

/* Reads at most max bytes. Returns how many, or -1 with errno. */
static ssize_t
read_all(int fd, char *buf, size_t max)
{
	size_t n = 0;
	ssize_t got;

	while (n < max) {
		got = read(fd, buf + n, max - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* What a file that grows meanwhile has more than st_size belongs to its next
 * version. */
static struct source *
source_read(struct parse *p, int fd, const char *path, const struct stat *st,
    const struct token *where)
{
	char *buf = rules_alloc((size_t)st->st_size);
	ssize_t len = read_all(fd, buf, (size_t)st->st_size);
	struct source *s = NULL;

	if (len < 0) {
		file_problem(p, path, where, strerror(errno));
	} else {
		s = source_add(p, path, buf, (size_t)len, where);
		s->dev = st->st_dev;
		s->ino = st->st_ino;
	}
	free(buf);
	return s;
}

static struct source *
open_on_disk(struct parse *p, const char *path, const struct token *where)
{
	struct source *s = NULL;
	const char *why;
	struct stat st;
	int fd;

	/* O_NONBLOCK: a FIFO must be refused, not waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		file_problem(p, path, where, strerror(errno));
	else if ((why = refusal_on_disk(p, &st, where)) != NULL)
		file_problem(p, path, where, why);
	else
		s = source_read(p, fd, path, &st, where);
	if (fd >= 0)
		close(fd);
	return s;
}

static struct source *
open_given(struct parse *p, const char *name, const struct token *where)
{
	const struct rules_file *f = p->given;
	const char *why;

	while (f < p->given + p->ngiven && strcmp(f->name, name) != 0)
		f++;
	if (f == p->given + p->ngiven)
		why = "it is not among the files given";
	else
		why = refusal(p, same_name(p->rs, name), f->len, where);
	if (why == NULL)
		return source_add(p, name, f->text, f->len, where);
	file_problem(p, name, where, why);
	return NULL;
}

struct source *
source_open(struct parse *p, const char *path, const struct token *where)
{
	return p->given != NULL ? open_given(p, path, where)
				: open_on_disk(p, path, where);
}

void
source_seal(struct ruleset *rs)
{
	uint64_t h = HASH64_START;

	rs->file = rules_alloc(rs->nsource * sizeof(*rs->file));
	for (size_t i = 0; i < rs->nsource; i++) {
		const struct source *s = rs->source[i];

		rs->file[i] = (struct rules_file){ s->name, s->text, s->len };
		/* NUL, which no file holds, keeps the files apart. */
		h = hash64(h, s->text, s->len + 1);
	}
	snprintf(rs->version, sizeof(rs->version), "%012llx",
	    (unsigned long long)(hash64_mix(h) >> 16));
}
