/*
 * rules_change_int.h - a change of rules as it is kept: rules_change.c makes it, rules_journal.c
 * writes it down and ends it after a kill.
 */
#ifndef ROUTER_RULES_CHANGE_INT_H
#define ROUTER_RULES_CHANGE_INT_H

#include "router/rules_change.h"
#include "router/rules_files.h"

struct changed {
	struct rules_place place;
	char *beside;   /* where the new text lies until it takes its place */
	char *old;      /* NULL: there was no such file */
	size_t old_len;
	bool made;
};

struct rules_change {
	char *journal;
	struct changed *file; /* n of them */
	size_t n;
};

/* Says what is about to be done. `ready`: the new texts are on disk, and are to take their places;
 * then this is on disk as well when it returns 0. */
int rules_journal_write(const struct rules_change *, bool ready, struct err *e);
void rules_journal_remove(const struct rules_change *);

#endif
