/*
 * bounce_int.h - a report on its way through bounce_*.c.
 */
#ifndef ROUTER_BOUNCE_INT_H
#define ROUTER_BOUNCE_INT_H

#include "router/bounce_in.h"
#include "router/feedback/judge.h"
#include "router/feedback/report.h"
#include "router/store/store.h"

struct report_in {
	struct intake *in;
	struct config *config;     /* a reference */
	struct report report;
	char *copy;                /* the beginning of a spooled body, for the letter; NULL */
	struct dead_letter letter;
	struct judge_claim claim;

	/* Found in the store. */
	struct store_query query;
	char *sender;              /* of the message: its bounce goes on to him; NULL: nobody */
	struct judge_known *known; /* n of them, with room for `room` */
	size_t nknown, room;

	struct judgement judgement;
	struct store_feedback op;
	struct err refused;        /* why the store would not have it */
};

/* bounce_find.c: store_query.run: the sender, and the recipients that may be meant. In the reading thread. */
void bounce_find(struct store_query *, struct store_reader *);
void bounce_known_clear(struct report_in *);

/* bounce_log.c: what the store made of it. */
void bounce_log(const struct report_in *, const char *why);

#endif
