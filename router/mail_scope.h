/*
 * mail_scope.h - which mail something is about: of a path, to a carrier, from a sender's domain, of a user.
 *
 * As text "path=mta carrier=docomo sender=news.example.jp user=shop", in this order, what is any left out; that
 * text is the name of a pause, the key it is kept under and what people type. Pure, any thread.
 */
#ifndef ROUTER_MAIL_SCOPE_H
#define ROUTER_MAIL_SCOPE_H

#include <stdbool.h>

#include "mta/base/err.h"
#include "mta/base/str.h"

struct mail_scope {
	const char *path, *carrier, *sender, *user; /* "": any */
};

/* In any order; domains in lower case. Its strings are in *text, which the caller releases. -1 with *e: an
 * unknown word, one twice, none at all, or what no name may hold. */
int mail_scope_read(const char *from, struct mail_scope *, struct str *text, struct err *e);
void mail_scope_add(struct str *, const struct mail_scope *);
/* Whether the mail that is described in full is in the scope. Domains match in any case. */
bool mail_scope_holds(const struct mail_scope *scope, const struct mail_scope *mail);

#endif
