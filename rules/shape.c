/*
 * shape.c - how a destination is to be treated: the most specific line for each
 * key, and its origin.
 */
#include "rules/ruleset_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const unsigned built_in_retry[] = { 300, 900, 1800, 3600, 7200, 14400 };

static const struct rules_shape built_in = {
	.connections = 20,
	.messages = 100,
	.recipients_per_session = 1000,
	.recipients_per_message = 50,
	.rate_count = 0,
	.rate_seconds = 1,
	.retry = built_in_retry,
	.nretry = sizeof(built_in_retry) / sizeof(*built_in_retry),
	.expiry = 5 * 86400,
	.unfit = RULES_UNFIT_REFUSE,
};

/* ---- one row per key ---- */

static void
copy_connections(struct rules_shape *to, const struct rules_shape *from)
{
	to->connections = from->connections;
}

static void
copy_messages(struct rules_shape *to, const struct rules_shape *from)
{
	to->messages = from->messages;
}

static void
copy_session(struct rules_shape *to, const struct rules_shape *from)
{
	to->recipients_per_session = from->recipients_per_session;
}

static void
copy_message(struct rules_shape *to, const struct rules_shape *from)
{
	to->recipients_per_message = from->recipients_per_message;
}

static void
copy_rate(struct rules_shape *to, const struct rules_shape *from)
{
	to->rate_count = from->rate_count;
	to->rate_seconds = from->rate_seconds;
}

static void
copy_retry(struct rules_shape *to, const struct rules_shape *from)
{
	to->retry = from->retry;
	to->nretry = from->nretry;
}

static void
copy_expiry(struct rules_shape *to, const struct rules_shape *from)
{
	to->expiry = from->expiry;
}

static void
copy_local_part(struct rules_shape *to, const struct rules_shape *from)
{
	to->raw = from->raw;
}

static void
copy_unknown_users(struct rules_shape *to, const struct rules_shape *from)
{
	to->unknown_users = from->unknown_users;
}

static void
copy_warm_up(struct rules_shape *to, const struct rules_shape *from)
{
	to->warm_up = from->warm_up;
}

static void
copy_max_size(struct rules_shape *to, const struct rules_shape *from)
{
	to->max_size = from->max_size;
}

static void
copy_max_header(struct rules_shape *to, const struct rules_shape *from)
{
	to->max_header = from->max_header;
}

static void
copy_max_line(struct rules_shape *to, const struct rules_shape *from)
{
	to->max_line = from->max_line;
}

static void
copy_unfit(struct rules_shape *to, const struct rules_shape *from)
{
	to->unfit = from->unfit;
}

static void
copy_require_tls(struct rules_shape *to, const struct rules_shape *from)
{
	to->require_tls = from->require_tls;
}

static void
show_connections(const struct rules_shape *s, FILE *out)
{
	fprintf(out, "%u", s->connections);
}

static void
show_messages(const struct rules_shape *s, FILE *out)
{
	fprintf(out, "%u", s->messages);
}

static void
show_session(const struct rules_shape *s, FILE *out)
{
	fprintf(out, "%u/session", s->recipients_per_session);
}

static void
show_message(const struct rules_shape *s, FILE *out)
{
	fprintf(out, "%u/message", s->recipients_per_message);
}

static void
show_rate(const struct rules_shape *s, FILE *out)
{
	if (s->rate_count == 0)
		fputs("no limit", out);
	else
		fprintf(out, "%u/%s", s->rate_count,
		    s->rate_seconds == 1      ? "s"
		    : s->rate_seconds == 60   ? "min"
		    : s->rate_seconds == 3600 ? "h"
					      : "day");
}

static void
show_time(unsigned seconds, FILE *out)
{
	if (seconds % 86400 == 0)
		fprintf(out, "%ud", seconds / 86400);
	else if (seconds % 3600 == 0)
		fprintf(out, "%uh", seconds / 3600);
	else if (seconds % 60 == 0)
		fprintf(out, "%umin", seconds / 60);
	else
		fprintf(out, "%us", seconds);
}

static void
show_retry(const struct rules_shape *s, FILE *out)
{
	for (size_t i = 0; i < s->nretry; i++) {
		if (i > 0)
			fputc(',', out);
		show_time(s->retry[i], out);
	}
}

static void
show_expiry(const struct rules_shape *s, FILE *out)
{
	show_time(s->expiry, out);
}

static void
show_local_part(const struct rules_shape *s, FILE *out)
{
	fputs(s->raw ? "raw" : "quote", out);
}

static void
show_unknown_users(const struct rules_shape *s, FILE *out)
{
	unsigned part = s->unknown_users % 100;

	if (s->unknown_users == 0)
		fputs("no limit", out);
	else if (part == 0)
		fprintf(out, "%u%%", s->unknown_users / 100);
	else
		fprintf(out, "%u.%02u%%", s->unknown_users / 100, part);
}

static void
show_warm_up(const struct rules_shape *s, FILE *out)
{
	fputs(s->warm_up != NULL ? s->warm_up : "none", out);
}

static void
show_bytes(uint64_t bytes, FILE *out)
{
	static const char *const units[] = { "", "KB", "MB", "GB" };
	size_t unit = 0;

	if (bytes == 0) {
		fputs("none", out);
		return;
	}
	for (; bytes % 1024 == 0 && unit < 3; unit++)
		bytes /= 1024;
	fprintf(out, "%" PRIu64 "%s", bytes, units[unit]);
}

static void
show_max_size(const struct rules_shape *s, FILE *out)
{
	show_bytes(s->max_size, out);
}

static void
show_max_header(const struct rules_shape *s, FILE *out)
{
	show_bytes(s->max_header, out);
}

static void
show_max_line(const struct rules_shape *s, FILE *out)
{
	show_bytes(s->max_line, out);
}

static void
show_unfit(const struct rules_shape *s, FILE *out)
{
	static const char *const names[] = {
		[RULES_UNFIT_SEND] = "send",
		[RULES_UNFIT_REFUSE] = "refuse",
		[RULES_UNFIT_HOLD] = "hold",
	};

	fputs(names[s->unfit], out);
}

static void
show_require_tls(const struct rules_shape *s, FILE *out)
{
	fputs(s->require_tls ? "yes" : "no", out);
}

/* clang-format off */
static const struct {
	const char *name;
	void (*copy)(struct rules_shape *, const struct rules_shape *);
	void (*show)(const struct rules_shape *, FILE *);
} keys[SHAPE_KEYS] = {
	[SHAPE_CONNECTIONS]        = { "connections", copy_connections, show_connections },
	[SHAPE_MESSAGES]           = { "messages", copy_messages, show_messages },
	[SHAPE_RECIPIENTS_SESSION] = { "recipients/session", copy_session, show_session },
	[SHAPE_RECIPIENTS_MESSAGE] = { "recipients/message", copy_message, show_message },
	[SHAPE_RATE]               = { "rate", copy_rate, show_rate },
	[SHAPE_RETRY]              = { "retry", copy_retry, show_retry },
	[SHAPE_EXPIRY]             = { "expiry", copy_expiry, show_expiry },
	[SHAPE_LOCAL_PART]         = { "local-part", copy_local_part, show_local_part },
	[SHAPE_UNKNOWN_USERS]      = { "unknown-users", copy_unknown_users, show_unknown_users },
	[SHAPE_WARM_UP]            = { "warm-up", copy_warm_up, show_warm_up },
	[SHAPE_MAX_SIZE]           = { "max-size", copy_max_size, show_max_size },
	[SHAPE_MAX_HEADER]         = { "max-header", copy_max_header, show_max_header },
	[SHAPE_MAX_LINE]           = { "max-line", copy_max_line, show_max_line },
	[SHAPE_UNFIT]              = { "unfit", copy_unfit, show_unfit },
	[SHAPE_REQUIRE_TLS]        = { "require-tls", copy_require_tls, show_require_tls },
};
/* clang-format on */

const char *
rules_shape_key_name(enum rules_shape_key key)
{
	return keys[key].name;
}

char *
rules_shape_value(const struct rules_shape *s, enum rules_shape_key key)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		abort();
	keys[key].show(s, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

/* ---- which line wins ---- */

/* What `over` sets replaces what *out has. */
static void
lay(struct rules_shape *out, const struct rules_shape *over)
{
	if (over == NULL)
		return;
	for (int i = 0; i < SHAPE_KEYS; i++) {
		if (over->origin[i].file == NULL)
			continue;
		keys[i].copy(out, over);
		out->origin[i] = over->origin[i];
	}
}

static void
lay_named(const struct ruleset *rs, const char *path, const char *carrier,
    const char *group, struct rules_shape *out)
{
	uint32_t i;

	if (path != NULL &&
	    (i = table_get(&rs->paths, path, strlen(path))) != TABLE_NONE)
		lay(out, rs->path[i].shape);
	if (carrier != NULL && (i = table_get(&rs->carriers, carrier,
				    strlen(carrier))) != TABLE_NONE)
		lay(out, rs->carrier[i].shape);
	if (group != NULL &&
	    (i = table_get(&rs->groups, group, strlen(group))) != TABLE_NONE)
		lay(out, rs->group[i].shape);
}

void
ruleset_shape(const struct ruleset *rs, const char *carrier, const char *group,
    const char *domain, const char *path, struct rules_shape *out)
{
	const struct spot *spot[ATOMS_MAX];
	uint32_t hash;
	bool self;
	size_t n;

	*out = built_in;
	lay(out, &rs->default_shape);
	lay_named(rs, path, carrier, group, out);
	if (domain == NULL)
		return;
	n = domain_spots(rs, domain, spot, &self, &hash);
	for (size_t i = 0; i < n; i++) {
		const struct domain *d = &rs->domain[spot[i]->number - 1];

		lay(out, self && i == n - 1 ? d->self.shape : d->below.shape);
	}
}
