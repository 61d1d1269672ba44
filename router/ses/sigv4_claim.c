/*
 * sigv4_claim.c - the Authorization of a request signed with version 4, in its
 * parts.
 */
#include "router/ses/sigv4_claim.h"

#include <string.h>

#include "router/ses/sigv4.h"

enum { SIGNED_MAX = 4096 }; /* bytes of a list of signed headers */

/* Up to the next '/' of *rest, which moves behind it. */
static struct sigv4_part
take_step(struct sigv4_part *rest)
{
	const char *slash = memchr(rest->text, '/', rest->len);
	size_t len = slash != NULL ? (size_t)(slash - rest->text) : rest->len;
	struct sigv4_part step = { rest->text, len };

	rest->text += len + (slash != NULL);
	rest->len -= len + (slash != NULL);
	return step;
}

bool
sigv4_part_is(const struct sigv4_part *p, const char *text)
{
	return p->len == strlen(text) && memcmp(p->text, text, p->len) == 0;
}

static int
read_credential(struct sigv4_part rest, struct sigv4_claim *c)
{
	struct sigv4_part day, region, service;

	c->access_key = take_step(&rest);
	day = take_step(&rest);
	region = take_step(&rest);
	service = take_step(&rest);
	c->scope = (struct sigv4_scope){ day.text, region.text, service.text,
		region.len, service.len };
	return c->access_key.len > 0 && day.len == SIGV4_DAY_LEN &&
		       region.len > 0 && service.len > 0 &&
		       sigv4_part_is(&rest, SIGV4_SCOPE_END)
		   ? 0
		   : -1;
}

/* The value of NAME= in a list with commas, when it is there exactly once. */
static int
find_part(const char *list, const char *name, struct sigv4_part *out)
{
	size_t len, name_len = strlen(name), n = 0;

	for (; *list != '\0'; list += len + (list[len] != '\0')) {
		list += strspn(list, " ");
		len = strcspn(list, ",");
		if (len <= name_len || strncmp(list, name, name_len) != 0)
			continue;
		*out = (struct sigv4_part){ list + name_len, len - name_len };
		n++;
	}
	return n == 1 ? 0 : -1;
}

static size_t
count_parts(const char *list)
{
	size_t n = 1;

	while ((list = strchr(list, ',')) != NULL) {
		list++;
		n++;
	}
	return n;
}

int
sigv4_claim_read(const char *list, struct sigv4_claim *c, struct err *e)
{
	struct sigv4_part credential;

	if (list[0] == ' ' || count_parts(list) != 3 ||
	    find_part(list, "Credential=", &credential) != 0 ||
	    find_part(list, "SignedHeaders=", &c->headers) != 0 ||
	    find_part(list, "Signature=", &c->signature) != 0)
		return err_set(e,
		    "Authorization needs Credential, SignedHeaders and "
		    "Signature, each once");
	if (read_credential(credential, c) != 0)
		return err_set(e, "its Credential is not "
				  "KEY/DAY/REGION/SERVICE/" SIGV4_SCOPE_END);
	if (c->signature.len != SIGV4_HASH_TEXT - 1)
		return err_set(e, "its Signature has not 64 digits");
	if (c->headers.len > SIGNED_MAX)
		return err_set(e, "its SignedHeaders are too many");
	return 0;
}
