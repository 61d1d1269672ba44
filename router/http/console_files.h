/*
 * console_files.h - what the console is made of besides what it asks for: pages, styles, scripts, compiled in.
 *
 * The table is made when the program is built, by router/http/console/embed.
 */
#ifndef ROUTER_HTTP_CONSOLE_FILES_H
#define ROUTER_HTTP_CONSOLE_FILES_H

#include <stddef.h>

struct console_file {
	const char *path, *type, *tag;              /* tag: of its contents (RFC 9110 8.8.3) */
	const unsigned char *text, *zipped, *end;   /* in clear and gzip's, one behind the other */
};

extern const struct console_file console_files[];
extern const size_t console_nfiles;

const struct console_file *console_file_find(const char *path); /* "/" is "/index.html"; NULL: none */

#endif
