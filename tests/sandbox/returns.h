/*
 * returns.h - mail that comes back by mail: what a carrier has accepted and says later.
 *
 * Bounces and vacation replies go to the reverse-path, complaints to the feedback address; all by SMTP from <>, from
 * the carrier's own address, to one server (ours is under test), and again until somebody takes them. What comes back
 * for which recipient says the table in return_text.c.
 */
#ifndef TESTS_SANDBOX_RETURNS_H
#define TESTS_SANDBOX_RETURNS_H

#include "mta/base/err.h"
#include "mta/base/str.h"

struct returns;
struct sandbox;
struct session;

struct returns *returns_new(struct sandbox *);

/* The session's message was accepted just now and is in the journal. Copies. */
void returns_mail(struct session *);
/* `set returns KEY VALUE`: as main.c lists. 0 or -1. */
int returns_set(struct sandbox *, const char *key, const char *value, struct err *);
void returns_show(const struct sandbox *, struct str *); /* one JSON object, for `get returns` */

#endif
