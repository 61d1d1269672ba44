/*
 * console_files.c - finds one of the console's files.
 */
#include "router/http/console_files.h"

#include <string.h>

const struct console_file *
console_file_find(const char *path)
{
	if (strcmp(path, "/") == 0)
		path = "/index.html";
	for (size_t i = 0; i < console_nfiles; i++)
		if (strcmp(path, console_files[i].path) == 0)
			return &console_files[i];
	return NULL;
}
