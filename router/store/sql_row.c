/*
 * sql_row.c - columns of rows, and rows of the queue as messages and
 * recipients.
 */
#include "router/store/sql_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>
#include <string.h>

void
sql_bind_route(struct stmt *st, int i, const struct route *r)
{
	const char *column[] = { r->path, r->pool, r->source, r->carrier,
		r->group, r->rule, r->ruleset, r->configuration_set };

	for (size_t k = 0; k < sizeof(column) / sizeof(column[0]); k++)
		bind_text(st, i + (int)k, column[k]);
}

void
sql_copy_columns(struct str *text, struct stmt *st, int first,
    const char **const field[], int n)
{
	size_t need = 0;

	for (int i = 0; i < n; i++)
		need += column_bytes(st, first + i) + 1;
	str_clear(text);
	str_reserve(text, need);
	for (int i = 0; i < n; i++) {
		*field[i] = text->data + text->len;
		str_add(text, column_text(st, first + i),
		    column_bytes(st, first + i) + 1);
	}
}

static void
set(char **field, struct stmt *st, int column)
{
	free(*field);
	*field = xstrdup(column_text(st, column));
}

struct message *
sql_row_message(struct stmt *st, int i)
{
	struct message *m = message_new(column_int(st, i++));
	int flags;

	m->received = column_int(st, i++);
	message_set_from(m, column_text(st, i++));
	set(&m->envid, st, i++);
	m->ret = (char)column_int(st, i++);
	flags = column_int(st, i++);
	m->body_8bit = (flags & FLAG_8BIT) != 0;
	m->smtputf8 = (flags & FLAG_SMTPUTF8) != 0;
	m->returns = (flags & FLAG_RETURNS) != 0;
	set(&m->user, st, i++);
	set(&m->listener, st, i++);
	set(&m->client, st, i++);
	set(&m->header_from, st, i++);
	set(&m->message_id, st, i++);
	m->size = (uint64_t)column_int(st, i++);
	m->header_size = (uint64_t)column_int(st, i++);
	m->nrcpt = (unsigned)column_int(st, i++);
	set(&m->tags, st, i);
	return m;
}

static const char *
interned(struct stmt *st, int column)
{
	return intern(column_text(st, column));
}

static void
set_route(struct recipient *r, struct stmt *st)
{
	const char *group = column_text(st, R_GROUP);

	r->route.path = interned(st, R_PATH);
	r->route.pool = interned(st, R_POOL);
	r->route.source = interned(st, R_SOURCE);
	r->route.carrier = interned(st, R_CARRIER);
	/* A group that is just the domain comes from outside. */
	r->route.group =
	    strcmp(group, r->domain) == 0 ? r->domain : intern(group);
	r->route.rule = interned(st, R_RULE);
	r->route.ruleset = interned(st, R_RULESET);
	r->route.configuration_set = interned(st, R_CONFIGURATION_SET);
}

struct recipient *
sql_row_recipient(struct stmt *st, struct message *m)
{
	struct recipient *r = recipient_new(
	    m, (unsigned)column_int(st, R_INDEX), column_text(st, R_ADDRESS));
	int flags = column_int(st, R_FLAGS);

	r->shelf = (unsigned)column_int(st, R_SHELF);
	r->due = column_int(st, R_DUE);
	r->expires = column_int(st, R_EXPIRES);
	r->attempts = (unsigned)column_int(st, R_ATTEMPTS);
	r->notify = (unsigned)column_int(st, R_NOTIFY);
	r->irregular = (flags & FLAG_IRREGULAR) != 0;
	r->utf8 = (flags & FLAG_UTF8) != 0;
	r->unfit = (enum unfit)((flags & FLAGS_UNFIT) >> FLAGS_UNFIT_AT);
	r->requoted = (flags & FLAG_REQUOTED) != 0;
	r->unread = column_int(st, R_UNREAD) != 0;
	r->delay_told = column_int(st, R_DELAY_TOLD) != 0;
	set(&r->orcpt, st, R_ORCPT);
	set(&r->last, st, R_LAST);
	set(&r->held, st, R_HELD);
	r->held_at = column_int(st, R_HELD_AT);
	set_route(r, st);
	return r;
}
