/*
 * rules_diff.c - `oiwake rules diff NEW`: who would go another way, were NEW in
 * force. Asks the running rules and NEW about the mail of the last hours, or
 * about a list of addresses.
 */
#include "router/cli/rules_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/clock.h"
#include "mta/base/str.h"
#include "mta/smtp/address.h"
#include "router/config_int.h"
#include "router/rules_moves.h"
#include "router/store/store.h"

#define PAGE	      "1000" /* messages asked for at once */
#define SINCE_DEFAULT "24h"
#define ROWS_SHOWN    50
#define ROW_RECIPIENTS                                                         \
	100 /* of struct traffic_row with the same seq, at most */

struct diff {
	const struct cli_args *args;
	struct config *config;
	struct ruleset *running, *new;
	struct moves *moves;
	bool list; /* of addresses; else recorded mail */
	uint64_t messages;
	json_t *last;	/* the row before; NULL: none */
	int64_t since;	/* as asked */
	int64_t until;	/* mail that comes in while we ask is left out */
	int64_t record; /* the oldest there is; 0: none */
};

/* -- the two sets
 * ---------------------------------------------------------------- */

/* Warnings are told of a file that is yet to be put in force. */
static struct ruleset *
load(const struct diff *d, const char *file, const struct cli_set *given,
    const char *what)
{
	struct str report = STR_INIT;
	struct ruleset *rules = config_load_rules(d->config, file,
	    given ? given->set.file : NULL, given ? given->set.n : 0, &report);

	if (rules == NULL || file != NULL)
		cli_print_lines(stderr, report.data);
	if (rules == NULL)
		cli_fail("%s", what);
	str_release(&report);
	return rules;
}

/* Without a daemon, a list can still be tried on what would be loaded. */
static struct ruleset *
load_running(struct diff *d)
{
	bool runs = true;
	json_t *reply =
	    d->list ? cli_ask_if_running(d->args, "/v1/rules/running", &runs)
		    : cli_ask(d->args, "/v1/rules/running", NULL, NULL);
	struct ruleset *rules;
	struct cli_set set;

	if (!runs) {
		fputs("no daemon answers: compared with ", stderr);
		cli_print(stderr, d->config->rules_file);
		fputc('\n', stderr);
		return load(d, NULL, NULL, "the present rules do not load");
	}
	if (reply == NULL || cli_set_init(&set, reply) != 0)
		return NULL;
	rules = load(d, NULL, &set,
	    "the running rules do not load with the present settings");
	cli_set_clear(&set);
	return rules;
}

/* -- the mail
 * -------------------------------------------------------------------- */

/* A row has a hundred recipients at most: the next is of the same message when
 * all else is the same. */
static bool
is_continued(const json_t *last, const json_t *row)
{
	static const char *const keys[] = { "at", "from", "header_from", "user",
		"listener", "tags", "size" };

	if (json_array_size(json_object_get(last, "to")) != ROW_RECIPIENTS)
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!json_equal(json_object_get(last, keys[i]),
			json_object_get(row, keys[i])))
			return false;
	return true;
}

static void
replay_message(struct diff *d, json_t *message)
{
	struct traffic_row row = {
		.from = cli_text(message, "from"),
		.user = cli_text(message, "user"),
		.listener = cli_text(message, "listener"),
		.header_from = cli_text(message, "header_from"),
		.tags = cli_text(message, "tags"),
		.size = (uint64_t)json_integer_value(
		    json_object_get(message, "size")),
	};
	const json_t *list = json_object_get(message, "to"), *to;

	d->messages += !is_continued(d->last, message);
	json_decref(d->last);
	d->last = json_incref(message);
	for (size_t i = 0; (to = json_array_get(list, i)) != NULL; i++) {
		row.address = cli_text(to, "address");
		row.irregular = json_is_true(json_object_get(to, "irregular"));
		moves_add_mail(d->moves, &row);
	}
}

static json_t *
ask_page(const struct diff *d, int64_t since, int64_t after, const char *limit)
{
	struct str url = STR_INIT;
	json_t *reply;

	str_addf(&url, "/v1/traffic?since=%lld&after=%lld&limit=%s",
	    (long long)since, (long long)after, limit);
	reply = cli_ask(d->args, url.data, NULL, NULL);
	str_release(&url);
	return reply;
}

static int64_t
at_of(const json_t *row)
{
	return json_integer_value(json_object_get(row, "at"));
}

/* Where the next page begins; 0: this was the last. */
static int64_t
replay_page(struct diff *d, const json_t *reply)
{
	const json_t *rows = json_object_get(reply, "rows");
	json_t *row;

	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		if (at_of(row) > d->until)
			return 0;
		replay_message(d, row);
	}
	return json_integer_value(json_object_get(reply, "next"));
}

static int
replay(struct diff *d)
{
	json_t *page = ask_page(d, 0, 0, "1");
	int64_t after = 0;

	if (page == NULL)
		return -1;
	d->record = at_of(json_array_get(json_object_get(page, "rows"), 0));
	json_decref(page);
	do {
		if ((page = ask_page(d, d->since, after, PAGE)) == NULL)
			return -1;
		after = replay_page(d, page);
		json_decref(page);
	} while (after > 0);
	return 0;
}

static void
add_listed(void *arg, const struct address *from, const struct address *to)
{
	struct diff *d = arg;
	struct str address = STR_INIT;
	struct rules_query query = {
		.from_local = from->local,
		.from_domain = from->domain,
		.to_local = to->local,
		.to_domain = to->domain,
		.irregular = to->irregular,
	};

	str_addf(&address, "%s@%s", to->local, to->domain);
	moves_add(d->moves, &query, address.data);
	str_release(&address);
}

/* -- for people
 * ------------------------------------------------------------------- */

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void
print_seen(const struct diff *d, const struct moves_total *total)
{
	char asked[25], record[25];

	printf("%llu recipient%s", (unsigned long long)total->recipients,
	    plural(total->recipients));
	if (d->list) {
		puts(" listed");
		return;
	}
	printf(" of %llu message%s since %s\n", (unsigned long long)d->messages,
	    plural(d->messages), clock_iso(d->since, asked));
	if (d->record == 0)
		puts("no mail is on record");
	else if (d->record > d->since)
		printf("the record begins only at %s\n",
		    clock_iso(d->record, record));
}

static void
print_total(const struct diff *d)
{
	const struct moves_total *total = moves_total(d->moves);

	print_seen(d, total);
	if (total->limited > 0) {
		printf("a pattern was given up, and counts as no match, for "
		       "%llu recipient%s: first of rule ",
		    (unsigned long long)total->limited, plural(total->limited));
		cli_print(stdout, total->limited_rule->name);
		putchar('\n');
	}
	if (total->moved == 0) {
		puts("nothing moves");
		return;
	}
	printf("%llu move%s (%.2f %%), %llu of them to another path\n",
	    (unsigned long long)total->moved, total->moved == 1 ? "s" : "",
	    100.0 * (double)total->moved / (double)total->recipients,
	    (unsigned long long)total->other_path);
}

static void
add_cells(struct cli_table *t, const struct move *move)
{
	struct str text = STR_INIT;
	char count[32];

	moves_describe(&text, &move->from, &move->to);
	cli_table_add(t, text.data);
	cli_table_add(t, "->");
	str_clear(&text);
	moves_describe(&text, &move->to, &move->from);
	cli_table_add(t, text.data);
	snprintf(count, sizeof(count), "%llu", (unsigned long long)move->count);
	cli_table_add(t, count);
	cli_table_add(t, move->carrier ? move->carrier : "-");
	cli_table_add(t, *move->domain ? move->domain : "(others)");
	str_clear(&text);
	for (size_t i = 0; i < MOVE_SAMPLES && move->sample[i] != NULL; i++)
		str_addf(&text, "%s%s", i ? ", " : "", move->sample[i]);
	cli_table_add(t, text.data);
	str_release(&text);
}

static void
print_table(struct diff *d)
{
	static const char *const heads[] = { "from", "", "to", "number",
		"carrier", "domain", "samples" };
	size_t columns = sizeof(heads) / sizeof(heads[0]);
	struct cli_table *t = cli_table_new(columns);
	struct move *const *rows;
	size_t n = moves_rows(d->moves, &rows);
	uint64_t rest = moves_total(d->moves)->beyond;

	for (size_t i = 0; i < columns; i++)
		cli_table_add(t, heads[i]);
	cli_table_right(t, 3);
	for (size_t i = 0; i < n && i < ROWS_SHOWN; i++)
		add_cells(t, rows[i]);
	putchar('\n');
	cli_table_print(&t, stdout);
	for (size_t i = ROWS_SHOWN; i < n; i++)
		rest += rows[i]->count;
	if (rest > 0)
		printf("... and %llu recipient%s in %zu more rows\n",
		    (unsigned long long)rest, plural(rest), n - ROWS_SHOWN);
}

/* -- for programs
 * ---------------------------------------------------------------- */

static void
print_move_json(const struct move *move)
{
	cli_print_json(json_pack("{s:o, s:o, s:s?, s:s?, s:I, s:o}", "from",
	    moves_decision_json(&move->from), "to",
	    moves_decision_json(&move->to), "carrier", move->carrier, "domain",
	    *move->domain ? move->domain : NULL, "count",
	    (json_int_t)move->count, "samples", moves_samples_json(move)));
}

static json_t *
time_json(int64_t wall)
{
	char buf[25];

	return wall > 0 ? json_string(clock_iso(wall, buf)) : json_null();
}

static void
print_json(struct diff *d)
{
	const struct moves_total *total = moves_total(d->moves);
	struct move *const *rows;
	size_t n = moves_rows(d->moves, &rows);

	for (size_t i = 0; i < n; i++)
		print_move_json(rows[i]);
	cli_print_json(json_pack(
	    "{s:{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:s, s:s}}", "total",
	    "recipients", (json_int_t)total->recipients, "messages",
	    (json_int_t)d->messages, "moved", (json_int_t)total->moved,
	    "other_path", (json_int_t)total->other_path, "in_no_row",
	    (json_int_t)total->beyond, "limited", (json_int_t)total->limited,
	    "since", time_json(d->list ? 0 : d->since), "record_begins",
	    time_json(d->record), "running", ruleset_version(d->running), "new",
	    ruleset_version(d->new)));
}

/* -- the whole
 * ------------------------------------------------------------------- */

static int
compare(struct diff *d)
{
	const char *file = d->args->value[RULES_AGAINST];
	int rc;

	d->moves = moves_new(d->config, d->running, d->new);
	rc = d->list ? rules_against(file, add_listed, d) : replay(d);
	if (rc == 0 && d->args->json) {
		print_json(d);
	} else if (rc == 0) {
		print_total(d);
		if (moves_total(d->moves)->moved > 0)
			print_table(d);
	}
	if (rc == 0 && d->args->value[RULES_EXPECT_NONE] != NULL &&
	    moves_total(d->moves)->moved > 0)
		rc = -1;
	moves_free(&d->moves);
	json_decref(d->last);
	return rc == 0 ? CLI_GOOD : CLI_BAD;
}

int
rules_diff(const struct cli_command *cmd, const struct cli_args *args)
{
	const char *since = args->value[RULES_SINCE];
	struct diff d = { .args = args,
		.list = args->value[RULES_AGAINST] != NULL,
		.until = clock_wall() };
	struct err e = ERR_INIT;
	double ms;
	int rc = CLI_BAD;

	if (since != NULL && d.list)
		return cli_usage(
		    cmd, "--since and --against exclude each other");
	if (config_value_ms(since ? since : SINCE_DEFAULT, &ms, &e) != 0)
		return cli_usage(cmd, "--since: %s", e.text);
	d.since = ms < (double)d.until ? d.until - (int64_t)ms : 0;
	if ((d.config = cli_config(args, CONFIG_SETTINGS)) == NULL)
		return CLI_BAD;
	d.new = load(&d, args->argv[0], NULL, "the new rules do not load");
	if (d.new != NULL)
		d.running = load_running(&d);
	if (d.running != NULL)
		rc = compare(&d);
	ruleset_unref(d.new);
	ruleset_unref(d.running);
	config_unref(&d.config);
	return rc;
}
