/*
 * credentials.c - a set of keys that calls to AWS are signed with.
 *
 * They come from files and the environment (credentials_read.c) or from the
 * instance's role (credentials_imds.c); credentials_provider.c keeps them
 * fresh.
 */
#include "router/ses/credentials.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/ses/credentials_int.h"

struct credentials *
credentials_new(const char *access_key, const char *secret, const char *token,
    int64_t expires, const char *from)
{
	struct credentials *c = xcalloc(1, sizeof(*c));

	c->refs = 1;
	c->access_key = xstrdup(access_key);
	c->secret = xstrdup(secret);
	c->token = xstrdup(token);
	c->expires = expires;
	c->from = from;
	return c;
}

struct credentials *
credentials_ref(struct credentials *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void
credentials_wipe(char **text)
{
	if (*text != NULL)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void
credentials_unref(struct credentials **cp)
{
	struct credentials *c = *cp;

	*cp = NULL;
	if (c == NULL ||
	    atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
		return;
	free(c->access_key);
	credentials_wipe(&c->secret);
	credentials_wipe(&c->token);
	free(c);
}

/* -- what may be keys -------------------------------------------------- */

/* Printable ASCII without blanks and without those of `but`. */
static bool
is_word(const char *text, const char *but)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~' || strchr(but, *text) != NULL)
			return false;
	return true;
}

struct credentials *
credentials_take(const char *access_key, const char *secret, const char *token,
    int64_t expires, const char *from, const char *what, struct err *e)
{
	if (token != NULL && token[0] == '\0')
		token = NULL;
	if (access_key == NULL || access_key[0] == '\0')
		err_set(e, "%s has no access key", what);
	else if (secret == NULL || secret[0] == '\0')
		err_set(e, "%s has no secret key", what);
	else if (!is_word(access_key, "/,"))
		err_set(e, "%s has an access key that is none", what);
	else if (!is_word(secret, ""))
		err_set(e, "%s has a secret key that is none", what);
	else if (token != NULL && !is_word(token, ""))
		err_set(e, "%s has a session token that is none", what);
	else
		return credentials_new(
		    access_key, secret, token, expires, from);
	return NULL;
}
