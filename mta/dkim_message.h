/*
 * dkim_message.h - feeds a message to libopendkim, in pieces of any size.
 *
 * Only the fields that are to be signed reach the library. Others do not count for the signature,
 * but could make it fail: libopendkim would parse an old DKIM-Signature even when it signs.
 */
#ifndef MTA_DKIM_MESSAGE_H
#define MTA_DKIM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <dkim.h>

#include "mta/base/err.h"
#include "mta/base/str.h"

/* Their names in lower case, NULL at the end: what libopendkim's options want. */
extern const unsigned char *dkim_message_fields[];
/* Of these the ones signed once more than they occur: added ones break the signature. */
extern const unsigned char *dkim_message_oversigned[];

struct dkim_message {
	DKIM *dkim;        /* borrowed */
	struct str line;   /* unfinished line of the header */
	struct str field;  /* unfinished field that is signed; empty otherwise */
	bool any;          /* a field was seen */
	bool body;         /* the header has ended */
	char last[2];      /* of the message so far */
};

void dkim_message_init(struct dkim_message *, DKIM *);
void dkim_message_clear(struct dkim_message *);
/* Each returns 0, or -1 with *e set. */
int dkim_message_add(struct dkim_message *, const char *data, size_t len, struct err *e);
int dkim_message_end(struct dkim_message *, struct err *e);

/* 0 when status is good; else -1 with *e set to what the library says. dkim may be NULL. */
int dkim_message_check(DKIM *dkim, DKIM_STAT status, struct err *e);

#endif
