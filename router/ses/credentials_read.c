/*
 * credentials_read.c - keys from the environment and from the credentials file
 * that all of AWS's tools share.
 *
 *	[default]
 *	aws_access_key_id = AKIA...
 *	aws_secret_access_key = ...
 *	aws_session_token = ...
 *
 * Profiles that nobody asked for and keys we do not know are passed over: the
 * file is not ours.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/private_file.h"
#include "router/ses/credentials_int.h"

#define FILE_MAX   (1u << 20) /* bytes */
#define WHAT_MAX   300	      /* a profile as messages name it */
#define IN_HOME	   "/.aws/credentials"
#define OF_PROFILE "%.100s: the profile '%.100s'"

/* -- the environment --------------------------------------------------- */

struct credentials *
credentials_of_environment(struct err *e)
{
	const char *key = getenv("AWS_ACCESS_KEY_ID");

	if (key == NULL || key[0] == '\0') {
		err_set(e, "AWS_ACCESS_KEY_ID is not set");
		return NULL;
	}
	return credentials_take(key, getenv("AWS_SECRET_ACCESS_KEY"),
	    getenv("AWS_SESSION_TOKEN"), 0, "environment", "the environment",
	    e);
}

/* -- the text of a file ------------------------------------------------ */

enum { ACCESS_KEY, SECRET, TOKEN, KEYS };

static const char *const key_names[KEYS] = {
	[ACCESS_KEY] = "aws_access_key_id",
	[SECRET] = "aws_secret_access_key",
	[TOKEN] = "aws_session_token",
};

struct reading {
	const char *file, *profile;
	unsigned line;
	bool found, inside; /* the profile; and we are in it */
	char *values[KEYS];
};

/* A line without its blanks at both ends. */
static void
trim(const char **text, size_t *len)
{
	while (*len > 0 && strchr(" \t\r", **text) != NULL) {
		++*text;
		--*len;
	}
	while (*len > 0 && strchr(" \t\r", (*text)[*len - 1]) != NULL)
		--*len;
}

static int
read_section(struct reading *r, const char *text, size_t len, struct err *e)
{
	if (text[len - 1] != ']')
		return err_set(
		    e, "%s:%u: ']' missing behind a profile", r->file, r->line);
	text++;
	len -= 2;
	trim(&text, &len);
	r->inside =
	    len == strlen(r->profile) && memcmp(text, r->profile, len) == 0;
	r->found |= r->inside;
	return 0;
}

static int
read_value(struct reading *r, const char *text, size_t len, struct err *e)
{
	const char *value, *equals = memchr(text, '=', len);
	size_t name_len, value_len;

	if (equals == NULL)
		return err_set(
		    e, "%s:%u: expected 'name = value'", r->file, r->line);
	name_len = (size_t)(equals - text);
	value = equals + 1;
	value_len = len - name_len - 1;
	trim(&text, &name_len);
	trim(&value, &value_len);
	for (size_t i = 0; i < KEYS; i++) {
		if (name_len != strlen(key_names[i]) ||
		    memcmp(text, key_names[i], name_len) != 0)
			continue;
		if (r->values[i] != NULL)
			return err_set(e, "%s:%u: %s is there twice", r->file,
			    r->line, key_names[i]);
		r->values[i] = xstrndup(value, value_len);
	}
	return 0;
}

static int
read_line(struct reading *r, const char *text, size_t len, struct err *e)
{
	trim(&text, &len);
	if (len == 0 || text[0] == '#' || text[0] == ';')
		return 0;
	if (text[0] == '[')
		return read_section(r, text, len, e);
	return r->inside ? read_value(r, text, len, e) : 0;
}

static int
read_lines(struct reading *r, const char *text, size_t len, struct err *e)
{
	const char *end = text + len;

	if (memchr(text, '\0', len) != NULL)
		return err_set(e, "not a text: '%s'", r->file);
	while (text < end) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((lf != NULL ? lf : end) - text);

		r->line++;
		if (read_line(r, text, line, e) != 0)
			return -1;
		text += line + (lf != NULL);
	}
	if (!r->found)
		return err_set(e, "%s: no profile '%s'", r->file, r->profile);
	return 0;
}

struct credentials *
credentials_read_text(const char *file, const char *text, size_t len,
    const char *profile, struct err *e)
{
	struct reading r = { .file = file, .profile = profile };
	struct credentials *c = NULL;
	struct str what = STR_INIT;

	str_addf(&what, OF_PROFILE, file, profile);
	if (read_lines(&r, text, len, e) == 0)
		c = credentials_take(r.values[ACCESS_KEY], r.values[SECRET],
		    r.values[TOKEN], 0, "file", what.data, e);
	for (size_t i = 0; i < KEYS; i++)
		credentials_wipe(&r.values[i]);
	str_release(&what);
	return c;
}

/* -- the file ---------------------------------------------------------- */

static struct credentials *
read_stream(FILE *fp, const char *file, const char *profile, struct err *e)
{
	struct credentials *c = NULL;
	char *text = xmalloc(FILE_MAX + 1);
	size_t len;

	setvbuf(fp, NULL, _IONBF, 0); /* no copy that nobody wipes */
	len = fread(text, 1, FILE_MAX + 1, fp);
	if (ferror(fp))
		err_sys(e, "cannot read '%s'", file);
	else if (len > FILE_MAX)
		err_set(e, "'%s' is longer than %u bytes", file, FILE_MAX);
	else
		c = credentials_read_text(file, text, len, profile, e);
	OPENSSL_cleanse(text, len);
	free(text);
	return c;
}

/* The first that says something, or NULL. */
static const char *
first_of(const char *a, const char *b)
{
	return a != NULL && a[0] != '\0' ? a : b;
}

struct credentials *
credentials_read(const char *file, const char *profile, struct err *e)
{
	const char *home = first_of(getenv("HOME"), NULL);
	struct credentials *c = NULL;
	struct str name = STR_INIT;
	struct stat st;
	FILE *fp = NULL;

	file = first_of(
	    file, first_of(getenv("AWS_SHARED_CREDENTIALS_FILE"), NULL));
	profile = first_of(profile, first_of(getenv("AWS_PROFILE"), "default"));
	if (file != NULL)
		str_adds(&name, file);
	else if (home != NULL)
		str_addf(&name, "%s" IN_HOME, home);
	if (name.len == 0)
		err_set(e, "there is no HOME to find .aws/credentials in");
	else
		fp = private_file_open(name.data, &st, e);
	if (fp != NULL) {
		c = read_stream(fp, name.data, profile, e);
		fclose(fp);
	}
	str_release(&name);
	return c;
}
