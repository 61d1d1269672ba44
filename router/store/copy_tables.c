/*
 * copy_tables.c - the tables that are copied, and what is said to a database
 * about them.
 *
 * What is missing here is made from others, or is about nodes, or, as the
 * envelopes of the latest mail, only for trying rules on.
 */
#include "router/store/copy_int.h"

#include <string.h>

#define KEY                                                                    \
	"path:t carrier:t grp:t sender:t source:t rule:t configuration_set:t"

#define COUNTS                                                                 \
	" accepted sent delivered bounced filtered deferred expired "          \
	"complained suppressed removed unread returned attempted hard "        \
	"unknown exempt"

const struct copy_table copy_tables[] = {
	{ "kept", "kind:t key:t value:t expires", .nkey = 2, .batch = 1000 },
	{ "ruleset", "number at version:t who:t files bytes", .nkey = 1,
	    .batch = 1000, .numbers = "number" },
	{ "rules_file", "version:t idx name:t text:t", .nkey = 2, .batch = 10 },
	{ "suppression",
	    "id scope:t address:t cause:t who:t state at source:t evidence:t "
	    "path:t message idx expires soft",
	    .nkey = 1, .batch = 5000, .numbers = "id" },
	{ "strike", "address:t cause:t message idx at expires", .nkey = 4,
	    .batch = 5000 },
	{ "counter", KEY COUNTS, .nkey = 7, .batch = 1000 },
	{ "tally_key", "id day " KEY, .nkey = 1, .batch = 1000,
	    .numbers = "id" },
	{ "tally", "level at key data:b", .nkey = 3, .batch = 2000 },
	{ "counted", "seq node at queued data:b", .nkey = 1, .batch = 100 },
	{ "tally_state", "folded folded_key since counted", .nkey = 0,
	    .batch = 1 },
	{ "sent_key", "id " KEY, .nkey = 1, .batch = 1000, .numbers = "id" },
	{ "sent",
	    "message idx at remember key state address:t remote_id:t notes:b "
	    "reason:t",
	    .nkey = 2, .batch = 5000 },
	{ "event",
	    "seq at message idx type sender:t recipient:t path:t carrier:t "
	    "grp:t source:t rule:t code enhanced:t stage:t reason:t text:t "
	    "peer:t remote_id:t ruleset:t",
	    .nkey = 1, .batch = 5000 },
	{ "dead_letter", "seq at source:t id:t why:t body:b", .nkey = 1,
	    .batch = 100, .numbers = "seq" },
	{ "mail", "message at message_id json:t", .nkey = 1, .batch = 5000 },
	/* A body is a row wherever it goes, whether it was in a file or not:
	 * the last column is that file's name. */
	{ "body", "message data:b spool:t", .nkey = 1, .batch = 16,
	    .near = "SELECT m.id AS message, b.data AS data, m.spool AS spool"
		    " FROM message m LEFT JOIN body b ON b.message = m.id",
	    .far = "SELECT message, data, '' AS spool FROM body" },
	{ "message",
	    "id received reverse_path:t envid:t ret flags user:t listener:t "
	    "client:t header_from:t message_id:t size header_size nrcpt tags:t",
	    .nkey = 1, .batch = 5000,
	    .near_more = { ", spool", ", ''", false } },
	{ "recipient",
	    "message idx state shelf due expires attempts notify flags unread "
	    "delay_told address:t orcpt:t last:t path:t pool:t source:t "
	    "carrier:t grp:t rule:t ruleset:t configuration_set:t sender:t "
	    "held_at held:t",
	    .nkey = 2, .batch = 5000,
	    .far_more = { ", holder, skey", ", 0", true } },
	{ 0 },
};

void
copy_columns_of(const struct copy_table *t, struct copy_columns *c)
{
	const char *p = t->columns;
	size_t len;

	for (c->n = 0; *p != '\0'; c->n++) {
		len = strcspn(p, " :");
		memcpy(c->name[c->n], p, len);
		c->name[c->n][len] = '\0';
		p += len;
		c->type[c->n] = COPY_INT;
		if (*p == ':') {
			c->type[c->n] = p[1] == 't' ? COPY_TEXT : COPY_BLOB;
			p += 2;
		}
		p += strspn(p, " ");
	}
}

/* "a, b, c", of the first n. */
static void
write_names(
    struct str *to, const struct copy_columns *c, unsigned n, const char *after)
{
	for (unsigned i = 0; i < n; i++)
		str_addf(
		    to, "%s\"%s\"%s", i > 0 ? ", " : "", c->name[i], after);
}

static void
write_parameters(
    struct str *to, const struct copy_columns *c, unsigned n, char parameter)
{
	static const char *const cast[] = { [COPY_INT] = "bigint",
		[COPY_TEXT] = "text",
		[COPY_BLOB] = "blob" };

	for (unsigned i = 0; i < n; i++) {
		str_addf(to, "%s%c%u", i > 0 ? ", " : "", parameter, i + 1);
		if (parameter == '$' && c->type[i] != COPY_BLOB)
			str_addf(to, "::%s", cast[c->type[i]]);
	}
}

static void
write_source(struct str *to, const struct copy_table *t,
    const struct copy_columns *c, char parameter)
{
	const char *instead = parameter == '$' ? t->far : t->near;

	str_adds(to, "SELECT ");
	write_names(to, c, c->n, "");
	if (instead != NULL)
		str_addf(to, " FROM (%s) x", instead);
	else
		str_addf(to, " FROM %s", t->name);
}

void
copy_write_select(struct str *to, const struct copy_table *t,
    const struct copy_columns *c, char parameter, bool first)
{
	str_clear(to);
	write_source(to, t, c, parameter);
	if (!first && t->nkey > 0) {
		str_adds(to, " WHERE (");
		write_names(to, c, t->nkey, "");
		str_adds(to, ") > (");
		write_parameters(to, c, t->nkey, parameter);
		str_addc(to, ')');
	}
	if (t->nkey > 0) {
		str_adds(to, " ORDER BY ");
		write_names(to, c, t->nkey, "");
	}
	str_addf(to, " LIMIT %u", t->batch);
}

unsigned
copy_columns_written(const struct copy_table *t, const struct copy_columns *c)
{
	return t->near != NULL ? c->n - 1 : c->n;
}

void
copy_write_insert(struct str *to, const struct copy_table *t,
    const struct copy_columns *c, char parameter)
{
	const struct copy_more *more =
	    parameter == '$' ? &t->far_more : &t->near_more;
	unsigned n = copy_columns_written(t, c);

	str_clear(to);
	str_addf(to, "INSERT INTO %s(", t->name);
	write_names(to, c, n, "");
	str_addf(to, "%s) VALUES(", more->names != NULL ? more->names : "");
	write_parameters(to, c, n, parameter);
	if (more->values != NULL)
		str_adds(to, more->values);
	if (more->key)
		str_addf(to, ", %c%u::text", parameter, n + 1);
	str_addc(to, ')');
}

/* The key of the last row there. */
void
copy_write_last(
    struct str *to, const struct copy_table *t, const struct copy_columns *c)
{
	str_clear(to);
	str_adds(to, "SELECT ");
	write_names(to, c, t->nkey, "");
	str_addf(to, " FROM %s ORDER BY ", t->name);
	write_names(to, c, t->nkey, " DESC");
	str_adds(to, " LIMIT 1");
}
