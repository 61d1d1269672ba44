/*
 * config_secret.c - secrets of the settings: given in the file itself, or in a
 * private file of their own.
 */
#include "router/config_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/private_file.h"

#define SECRET_MAX 1024

void
config_read_secret(struct raw_config *raw, const struct raw_entry *entry,
    struct secret *secret)
{
	const char *key = entry->key->name;
	char *file = config_path_relative(entry->at.file, entry->value);
	struct err e = ERR_INIT;
	char buf[SECRET_MAX] = "";
	struct stat st;
	FILE *fp = private_file_open(file, &st, &e);

	if (fp == NULL) {
		config_problem(raw, entry->at, "%s: %s", key, e.text);
	} else {
		/* Unbuffered, so that no copy of it is left in the heap. */
		setvbuf(fp, NULL, _IONBF, 0);
		if (fgets(buf, sizeof(buf), fp) != NULL)
			buf[strcspn(buf, "\r\n")] = '\0';
		if (*buf == '\0')
			config_problem(raw, entry->at,
			    "%s: first line of '%s' is empty", key, file);
		secret->value = xstrdup(buf);
		explicit_bzero(buf, sizeof(buf));
		fclose(fp);
	}
	free(file);
}

bool
config_find_secret(struct raw_config *raw, const struct raw_section *s,
    const char *key, const char *file_key, struct secret *secret,
    enum config_part part)
{
	const struct raw_entry *text = raw_find(s, key);
	const struct raw_entry *file = raw_find(s, file_key);

	if (text != NULL && file != NULL)
		config_problem(raw, file->at, "both %s and %s in %s '%s'", key,
		    file_key, s->kind->name, s->title);
	else if (text != NULL)
		secret->value = xstrdup(text->value);
	else if (file != NULL && part == CONFIG_ALL)
		config_read_secret(raw, file, secret);
	return text != NULL || file != NULL;
}

void
config_secret_clear(struct secret *secret)
{
	if (secret->value != NULL)
		explicit_bzero(secret->value, strlen(secret->value));
	free(secret->value);
	secret->value = NULL;
}
