/*
 * sql_ahead.c - what a group of requests needs of a database that is far, asked
 * for all at once.
 *
 * What most requests need is one answer or two for each recipient, and those
 * are known before anything has been done: the statements that begin or end an
 * attempt when it is as usual, what is remembered, and what the suppression
 * list says. A lease is not announced: it is to see what the requests in front
 * of it have put back.
 */
#include "router/store/sql_int.h"

void
sql_announce(struct engine *base, struct store_request *req)
{
	static void (*const announce[])(
	    struct engine *, struct store_request *) = {
		[STORE_ENQUEUE] = sql_announce_enqueue,
		[STORE_BEGIN] = sql_announce_begin,
		[STORE_SETTLE] = sql_announce_settle,
		[STORE_FEEDBACK] = sql_announce_feedback,
		[STORE_BURY] = NULL,
	};

	if (announce[req->kind] != NULL)
		announce[req->kind](base, req);
}
