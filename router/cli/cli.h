/*
 * cli.h - the subcommands of oiwake(8): one const record and one file each.
 *
 * main.c finds the record and calls run with argv[0] the command's name, options given before the
 * command moved behind it. run returns the exit status: CLI_GOOD, CLI_BAD for bad news, CLI_USAGE.
 * A command parses with cli_parse, which knows -c FILE, --json and --help everywhere.
 */
#ifndef ROUTER_CLI_CLI_H
#define ROUTER_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "router/config.h"

#define CLI_CONFIG_DEFAULT "/etc/oiwake/oiwake.conf"
#define CLI_OPTIONS_MAX    16
#define CLI_GIVEN_MAX      64 /* options in one call */

enum { CLI_GOOD = 0, CLI_BAD = 1, CLI_USAGE = 2 };

struct cli_option {
	const char *name; /* of --name; NULL ends the list */
	const char *value; /* what the help calls its value; NULL: a flag */
	const char *help;
};

struct cli_command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;
	int (*run)(const struct cli_command *, int argc, char **argv);
	const struct cli_option *options; /* besides the common ones; NULL: none */
};

extern const struct cli_command cli_check, cli_explain, cli_stats, cli_queue, cli_rules, cli_user,
    cli_dkim, cli_dns, cli_reload, cli_version, cli_help, cli_doctor, cli_tls, cli_ses;
extern const struct cli_command cli_suppress, cli_store;
extern const struct cli_command cli_compare, cli_top;
extern const struct cli_command cli_events;
extern const struct cli_command cli_messages;
extern const struct cli_command cli_sources, cli_pause, cli_drain, cli_resume, cli_pauses;
extern const struct cli_command cli_classify, cli_guard, cli_nodes;
extern const struct cli_command *const cli_commands[]; /* all, ended by NULL */
int cmd_serve(const struct cli_command *, int argc, char **argv);

struct cli_args {
	const char *config;
	bool json;
	const char *value[CLI_OPTIONS_MAX]; /* by the index of the option; "" for a flag; NULL */
	struct {
		int option;
		const char *value;
	} given[CLI_GIVEN_MAX]; /* all of them in their order: see cli_given */
	size_t ngiven;
	int argc; /* what is no option */
	char **argv;
};

/* -1: go on. Else the exit status: help was shown, or the usage is wrong and was told. */
int cli_parse(const struct cli_command *, struct cli_args *, int argc, char **argv);
/* For an option that may stand more than once: its next value, NULL after the last; *at is 0 at first. */
const char *cli_given(const struct cli_args *, int option, size_t *at);
/* A whole number from `least` to `most`, in digits alone: 0, or -1. */
int cli_number(const char *text, int64_t least, int64_t most, int64_t *);
/* Tells what is wrong and how it goes; returns CLI_USAGE. */
int cli_usage(const struct cli_command *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "oiwake: ..." on standard error; returns CLI_BAD. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Loads the settings file, or tells what is wrong with it and returns NULL. */
struct config *cli_config(const struct cli_args *, enum config_part);

/* -- output: everything that was stored or came from outside goes through these ------------------- */

/* Writes text with what could move a terminal's cursor or change its direction as '?'. */
void cli_print(FILE *, const char *text);
/* The same for text of many lines. */
void cli_print_lines(FILE *, const char *text);
void cli_print_json(json_t *object); /* one line; taken over */
void cli_print_json_rows(const json_t *rows); /* a line each */
/* A line of the log of events, behind those words; with the recipient's id or without. */
void cli_print_event(const char *before, const json_t *event, bool id);
const char *cli_text(const json_t *object, const char *key); /* "" when there is none */

/* Columns of text, aligned when all rows are known. */
struct cli_table;
struct cli_table *cli_table_new(size_t columns);
void cli_table_add(struct cli_table *, const char *text); /* the next cell */
void cli_table_add_number(struct cli_table *, const json_t *row, const char *key); /* of a reply's row */
void cli_table_right(struct cli_table *, size_t column);  /* aligned to the right */
void cli_table_print(struct cli_table **, FILE *);        /* and frees */

/* -- the daemon -------------------------------------------------------------------------------------- */

/*
 * Asks the daemon of this configuration. body NULL: GET, else POST (taken over). The answer, or
 * NULL when there was none or it was an error: that has been told then. *refused, when not NULL,
 * gets the daemon's own words instead (to be freed).
 */
json_t *cli_ask(const struct cli_args *, const char *path, json_t *body, char **refused);
/* The same for a GET that can do without a daemon: when none runs, nothing is told and *runs is false. */
json_t *cli_ask_if_running(const struct cli_args *, const char *path, bool *runs);
/* Appends name=value, encoded, with '?' or '&' before it. */
struct str;
void cli_query_add(struct str *url, const char *name, const char *value);
/* Appends a segment of a path, encoded. */
void cli_path_add(struct str *url, const char *name);

#endif
