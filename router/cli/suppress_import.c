/*
 * suppress_import.c - `oiwake suppress import`: a file goes to the daemon in
 * pieces, twice.
 *
 * First all of it is judged, and every bad line told; only when none is bad, or
 * bad ones are to be skipped, is it sent again to be kept. What comes from
 * standard input is kept in a file meanwhile.
 */
#include "router/cli/suppress_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"

#define ROWS_MOST  4000
#define BYTES_MOST 56000 /* the daemon takes 65,536 in a request */

struct import {
	const struct cli_args *args;
	const char *name;
	FILE *in;
	bool keep; /* the second time */
	json_t *rows;
	unsigned long lines[ROWS_MOST]; /* of the rows */
	size_t bytes;
	uint64_t imported, read, bad;
	bool failed; /* the daemon did not answer well, which has been told */
};

static void
tell(struct import *im, unsigned long line, const char *what)
{
	im->bad++;
	if (im->keep)
		return; /* it was told the first time */
	cli_print(stderr, im->name);
	fprintf(stderr, ":%lu: ", line);
	cli_print(stderr, what);
	fputc('\n', stderr);
}

static void
tell_bad(struct import *im, const json_t *bad)
{
	json_t *one;
	size_t i;

	json_array_foreach(bad, i, one)
	{
		json_int_t row =
		    json_integer_value(json_object_get(one, "row"));

		if (row >= 1 && row <= ROWS_MOST)
			tell(im, im->lines[row - 1], cli_text(one, "error"));
	}
}

/* What has gathered. */
static void
send_rows(struct import *im)
{
	const char *why = im->args->value[SUPPRESS_OPTION_WHY];
	json_t *body, *reply;

	if (json_array_size(im->rows) == 0)
		return;
	body = json_pack("{s:O, s:b, s:b}", "rows", im->rows, "dry_run",
	    !im->keep, "skip_bad", im->keep);
	if (why != NULL)
		json_object_set_new(body, "why", json_string(why));
	reply = cli_ask(im->args, "/v1/suppression/import", body, NULL);
	im->failed = reply == NULL;
	im->imported +=
	    (uint64_t)json_integer_value(json_object_get(reply, "imported"));
	tell_bad(im, json_object_get(reply, "bad"));
	json_decref(reply);
	json_array_clear(im->rows);
	im->bytes = 0;
}

static void
add_row(struct import *im, json_t *row, unsigned long line)
{
	char *text = json_dumps(row, JSON_COMPACT);
	size_t n = text != NULL ? strlen(text) + 1 : 0;

	free(text);
	if (im->bytes + n > BYTES_MOST ||
	    json_array_size(im->rows) == ROWS_MOST)
		send_rows(im);
	im->lines[json_array_size(im->rows)] = line;
	json_array_append_new(im->rows, row);
	im->bytes += n;
}

/* The whole file, once. */
static void
go_through(struct import *im, bool keep)
{
	struct suppress_reader *reader = suppress_reader_new(im->in);
	unsigned long line;
	json_t *row;
	int rc;

	im->keep = keep;
	im->read = im->bad = 0;
	do {
		struct err e = ERR_INIT;

		rc = suppress_reader_next(reader, &row, &line, &e);
		if (rc > 0)
			add_row(im, row, line);
		else if (rc < 0)
			tell(im, line, e.text);
		im->read += rc != 0;
	} while (rc != 0 && !feof(im->in) && !im->failed);
	if (!im->failed && ferror(im->in)) {
		cli_fail("cannot read '%s': %s", im->name, strerror(errno));
		im->failed = true;
	}
	if (!im->failed)
		send_rows(im);
	suppress_reader_free(&reader);
}

static int
copy_input(FILE *out)
{
	char piece[65536];
	size_t n;

	while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0)
		if (fwrite(piece, 1, n, out) != n)
			return -1;
	return ferror(stdin) || fflush(out) != 0 ? -1 : 0;
}

/* A file that can be read twice. NULL: told. */
static FILE *
open_input(const char *name)
{
	struct err e = ERR_INIT;
	bool piped = strcmp(name, "-") == 0;
	FILE *in = piped ? tmpfile() : fopen(name, "re");

	if (in == NULL || (piped && copy_input(in) != 0)) {
		err_sys(&e, "cannot read '%s'", name);
		cli_fail("%s", e.text);
		if (in != NULL)
			fclose(in);
		return NULL;
	}
	rewind(in);
	return in;
}

static void
print_result(const struct import *im)
{
	if (im->args->json)
		cli_print_json(json_pack("{s:I, s:I, s:I}", "read",
		    (json_int_t)im->read, "bad", (json_int_t)im->bad,
		    "imported", (json_int_t)im->imported));
	else
		printf("%llu read, %llu bad, %llu imported\n",
		    (unsigned long long)im->read, (unsigned long long)im->bad,
		    (unsigned long long)im->imported);
}

int
suppress_import(const struct cli_command *cmd, const struct cli_args *args)
{
	bool skip = args->value[SUPPRESS_OPTION_SKIP_BAD] != NULL;
	bool dry = args->value[SUPPRESS_OPTION_DRY_RUN] != NULL;
	const char *name = args->argv[1];
	struct import *im;
	int rc = CLI_BAD;

	(void)cmd;
	im = xcalloc(1, sizeof(*im));
	im->args = args;
	im->name = strcmp(name, "-") == 0 ? "standard input" : name;
	im->in = open_input(name);
	im->rows = json_array();
	if (im->in != NULL) {
		go_through(im, false);
		if (!im->failed && !dry && (im->bad == 0 || skip)) {
			rewind(im->in);
			go_through(im, true);
		}
		print_result(im);
		if (!im->failed && (im->bad == 0 || skip))
			rc = CLI_GOOD;
		fclose(im->in);
	}
	json_decref(im->rows);
	free(im);
	return rc;
}
