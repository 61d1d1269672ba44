/*
 * feedback.h - what SES tells, on its way into the store: read, settled in one transaction, or kept in the
 * table of dead letters; never lost.
 *
 * Who brought it (sqs.c, sns_web.c) is told only after the transaction is on disk, and only then takes it
 * from the queue or answers 200. Amazon thread only.
 */
#ifndef ROUTER_SES_FEEDBACK_H
#define ROUTER_SES_FEEDBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amazon;
struct feedback_intake;

struct feedback_intake *feedback_intake_new(struct amazon *);
/* All that was taken has been answered. */
void feedback_intake_free(struct feedback_intake **);

enum feedback_end {
	FEEDBACK_SETTLED, /* or known already, or a control message: it need not come again */
	FEEDBACK_LETTERED,/* it is a dead letter now: need not come again */
	FEEDBACK_EARLY,   /* about a message that nobody knows yet, and young: let it come again later */
	FEEDBACK_TROUBLE, /* the store has no room or is broken: let it come again later */
};

struct feedback_source {
	const char *name;         /* of the sqs section, or "sns": for the log and the letter */
	const char *id;           /* MessageId of SNS or SQS; "" */
	unsigned receipts;        /* how often it has been brought, this time included; 0: not known */
};

/*
 * One message as it was delivered: an SES event, bare. `letter` is what a dead letter keeps, the whole as it came.
 * Copies. What nobody knows is early for ten minutes from its mail's time and for its first five receipts.
 */
void feedback_take(struct feedback_intake *, const struct feedback_source *, const char *event,
    size_t len, const char *letter, size_t letter_len,
    void (*done)(void *arg, enum feedback_end), void *arg);
/* What is no event from the beginning: to the dead letters, with the reason. */
void feedback_bury(struct feedback_intake *, const struct feedback_source *, const char *letter,
    size_t letter_len, const char *why, void (*done)(void *arg, enum feedback_end), void *arg);
/* How many are not answered yet: who brings more should wait beyond FEEDBACK_MOST. */
#define FEEDBACK_MOST 2000
unsigned feedback_pending(const struct feedback_intake *);

struct feedback_counts {
	uint64_t taken, settled, known, control, early, lettered, trouble;
};
void feedback_counts(const struct feedback_intake *, struct feedback_counts *);

#endif
