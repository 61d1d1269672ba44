/*
 * doctor_int.h - `oiwake doctor`: doctor.c asks, doctor_print.c keeps and prints what was found.
 */
#ifndef ROUTER_CLI_DOCTOR_INT_H
#define ROUTER_CLI_DOCTOR_INT_H

#include <stdbool.h>
#include <stddef.h>

struct finding;

/* All findings, copied; zeroed at first. */
struct doctor_findings {
	struct doctor_finding *list;
	size_t n;
	size_t count[4]; /* by level */
};

void doctor_keep(struct doctor_findings *, const struct finding *);
/* Subject by subject, in the order in which each was first seen; what is worst comes first. */
void doctor_print(struct doctor_findings *, bool json);
void doctor_release(struct doctor_findings *);

#endif
