/*
 * classify_int.h - what `oiwake classify` is asked, and what it answers.
 *
 *	classify.c         messages and replies into findings
 *	classify_print.c   a finding as text and as JSON
 */
#ifndef ROUTER_CLI_CLASSIFY_INT_H
#define ROUTER_CLI_CLASSIFY_INT_H

#include "router/cli/cli.h"
#include "router/feedback/meaning.h"
#include "router/feedback/report.h"

enum classify_option {
	CLASSIFY_EXPLAIN,
	CLASSIFY_TABLE,
	CLASSIFY_REPLY,
	CLASSIFY_GROUP,
	CLASSIFY_STAGE,
	CLASSIFY_HOST,
};

struct classifier {
	const struct cli_args *args;
	struct config *config;   /* NULL: there are no settings, and it does without */
	struct reasons *reasons;
};

/* One recipient's part of one message. */
struct finding {
	const char *file;
	const struct report *report;
	const struct report_part *part;
	struct meaning meaning;
	const char *status, *feedback_type;
	bool suppress; /* by itself, if it is believed */
};

void classify_print(const struct classifier *, const struct finding *);

#endif
