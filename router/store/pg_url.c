/*
 * pg_url.c - where a database is, as the settings say it, and as people may see
 * it.
 *
 * libpq takes a URL apart; what it says of a bad one quotes it, password and
 * all, so that only the name of an option that it does not know is taken from
 * there.
 */
#include "router/store/pg_url.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"

#define UNKNOWN "invalid URI query parameter: "

static bool
is_url(const char *text)
{
	return strncmp(text, "postgresql://", 13) == 0 ||
	       strncmp(text, "postgres://", 11) == 0;
}

/* "" when it is not given. */
static const char *
option(const PQconninfoOption *all, const char *name)
{
	for (; all->keyword != NULL; all++)
		if (strcmp(all->keyword, name) == 0 && all->val != NULL)
			return all->val;
	return "";
}

/* "5432", or one for each host: "5432,5433". */
static bool
is_port(const char *text)
{
	return text[strspn(text, "0123456789,")] == '\0';
}

static int
refuse(const char *why, struct err *e)
{
	if (why != NULL && strncmp(why, UNKNOWN, strlen(UNKNOWN)) == 0)
		return err_set(e, "not an option of a database's URL: %.*s",
		    (int)strcspn(why + strlen(UNKNOWN), "\n"),
		    why + strlen(UNKNOWN));
	return err_set(e,
	    "not the URL of a database: expected "
	    "postgresql://USER@HOST/DATABASE, with special characters of a "
	    "password written as %%2F and the like");
}

int
pg_url_check(const char *url, struct err *e)
{
	PQconninfoOption *all = NULL;
	char *why = NULL;
	int rc = 0;

	if (is_url(url))
		all = PQconninfoParse(url, &why);
	if (all == NULL || !is_port(option(all, "port")))
		rc = refuse(why, e);
	PQconninfoFree(all);
	PQfreemem(why);
	return rc;
}

bool
pg_url_has_password(const char *url)
{
	PQconninfoOption *all = PQconninfoParse(url, NULL);
	bool has = all != NULL && *option(all, "password") != '\0';

	PQconninfoFree(all);
	return has;
}

/* An option with what stands before it. */
static void
add(struct str *out, const char *before, const char *value, const char *after)
{
	if (*value != '\0')
		str_addf(out, "%s%s%s", before, value, after);
}

char *
pg_url_text(const char *url)
{
	PQconninfoOption *all = PQconninfoParse(url, NULL);
	struct str out = STR_INIT;
	bool socket;

	str_adds(&out, "postgresql://");
	if (all != NULL) {
		socket = *option(all, "host") == '/';
		add(&out, "", option(all, "user"), "@");
		if (!socket)
			add(&out, "", option(all, "host"), "");
		add(&out, ":", option(all, "port"), "");
		add(&out, "/", option(all, "dbname"), "");
		if (socket)
			add(&out, "?host=", option(all, "host"), "");
	}
	PQconninfoFree(all);
	return str_detach(&out);
}
