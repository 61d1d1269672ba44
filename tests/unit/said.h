/*
 * said.h - outcomes as they come from a reply, through the real parser.
 */
#ifndef TESTS_UNIT_SAID_H
#define TESTS_UNIT_SAID_H

#include "mta/smtp/reply.h"

#include <string.h>

static struct outcome
said(enum outcome_scope scope, enum smtp_stage stage, const char *line)
{
	struct outcome o;
	struct reply r;
	size_t used;

	reply_init(&r, 65536);
	assert_int_equal(
	    reply_feed(&r, line, strlen(line), &used), REPLY_MORE);
	assert_int_equal(reply_feed(&r, "\r\n", 2, &used), REPLY_DONE);
	reply_outcome(&r, scope, stage, &o);
	reply_release(&r);
	return o;
}

#endif
