/*
 * explain_int.h - one address and what the rules say of it.
 *
 *	explain.c          options into a query; the decision and the notes on it
 *	explain_print.c    the answer as text and as JSON
 *	explain_options.c  what the options say of the message
 */
#ifndef ROUTER_CLI_EXPLAIN_INT_H
#define ROUTER_CLI_EXPLAIN_INT_H

#include "mta/base/err.h"
#include "mta/base/str.h"
#include "mta/smtp/address.h"
#include "router/cli/cli.h"
#include "rules/rules.h"

enum explain_option {
	EXPLAIN_FROM,
	EXPLAIN_USER,
	EXPLAIN_TAG,
	EXPLAIN_HEADER_FROM,
	EXPLAIN_LISTENER,
	EXPLAIN_SIZE,
	EXPLAIN_RULES,
};

/* What is the same for all addresses asked about. */
struct asked {
	const struct cli_args *args;
	const struct config *config;
	const struct ruleset *rules;
	struct address from;
	struct str tags, header_from;
	struct rules_query query; /* all but the recipient; points into the above */
};

struct answer {
	const struct asked *asked;
	const char *text;              /* the address as asked */
	struct address to;
	struct rules_decision decision;
	const struct config_path *path; /* NULL: the action has none */
	const char *group, *pool;
	bool transactional;
	json_t *notes;                 /* texts */
	json_t *near;                  /* {rule, file, line, why} */
};

/* Reads the options into the query. 0, or the exit status: it was told. */
int explain_options(struct asked *, const struct cli_command *);
/* Whether the settings know what the options name. */
int explain_check(const struct asked *);
void explain_print(const struct answer *);
void explain_print_json(const struct answer *);
const char *explain_action(enum rules_action);

#endif
