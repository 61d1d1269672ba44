/*
 * content.h - what of a message goes to SES, whichever transport carries it.
 *
 * Every DKIM-Signature and Return-Path is taken out: SES signs itself and refuses two. X-Oiwake-* are the
 * application's word to us and go. X-SES-CONFIGURATION-SET and X-SES-MESSAGE-TAGS are read here and taken out;
 * what they and the settings come to is in the result, for headers (SMTP) or members (API). Other X-SES-* stay.
 * Fields that SES takes once only, found twice, are repaired (the first one stays, what may be joined is
 * joined) or are why the message is refused. I/O threads.
 */
#ifndef ROUTER_SES_CONTENT_H
#define ROUTER_SES_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "mta/outcome.h"
#include "mta/smtp/client.h"

struct delivery;
struct session;

#define SES_MESSAGE_MAX 41943040 /* bytes, after base64 where the transport encodes (40 MB) */
#define SES_TAGS_MAX 50

struct ses_tag {
	const char *name, *value; /* inside `store` */
};

struct ses_content {
	struct smtp_content content;  /* head and the rest of the body; head is in `head` */
	struct str head;              /* the header as it goes out, its empty line included when it was rewritten */
	char *configuration_set;      /* NULL: none */
	struct ses_tag tag[SES_TAGS_MAX]; /* ours (SES_TAG_ID) first, then the application's, then the path's */
	size_t ntags;
	struct str store;
	unsigned repaired;            /* fields taken out or joined because of SES's rule */
};

/*
 * 0; 1: SES would refuse the message, *why says so (permanent, of the message); -1 with *e: it cannot be read now.
 */
int ses_content_make(const struct session *, const struct delivery *, struct ses_content *,
    struct outcome *why, struct err *e);
void ses_content_clear(struct ses_content *);
/* Bytes of the whole message as it goes out, before any encoding. */
uint64_t ses_content_size(const struct ses_content *);

#endif
