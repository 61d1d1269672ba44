/*
 * sqlite_row.c - rows of the queue as messages and recipients.
 */
#include "router/store/sqlite_int.h"

#include "mta/base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void
set(char **field, sqlite3_stmt *st, int column)
{
	free(*field);
	*field = xstrdup(column_text(st, column));
}

struct message *
sqlite_row_message(sqlite3_stmt *st, int i)
{
	struct message *m = message_new(sqlite3_column_int64(st, i++));
	int flags;

	m->received = sqlite3_column_int64(st, i++);
	message_set_from(m, column_text(st, i++));
	set(&m->envid, st, i++);
	m->ret = (char)sqlite3_column_int(st, i++);
	flags = sqlite3_column_int(st, i++);
	m->body_8bit = (flags & FLAG_8BIT) != 0;
	m->smtputf8 = (flags & FLAG_SMTPUTF8) != 0;
	m->returns = (flags & FLAG_RETURNS) != 0;
	set(&m->user, st, i++);
	set(&m->listener, st, i++);
	set(&m->client, st, i++);
	set(&m->header_from, st, i++);
	set(&m->message_id, st, i++);
	m->size = (uint64_t)sqlite3_column_int64(st, i++);
	m->header_size = (uint64_t)sqlite3_column_int64(st, i++);
	m->nrcpt = (unsigned)sqlite3_column_int(st, i++);
	set(&m->tags, st, i);
	return m;
}

static const char *
interned(sqlite3_stmt *st, int column)
{
	return intern(column_text(st, column));
}

static void
set_route(struct recipient *r, sqlite3_stmt *st)
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
sqlite_row_recipient(sqlite3_stmt *st, struct message *m)
{
	struct recipient *r =
	    recipient_new(m, (unsigned)sqlite3_column_int64(st, R_INDEX),
		column_text(st, R_ADDRESS));
	int flags = sqlite3_column_int(st, R_FLAGS);

	r->shelf = (unsigned)sqlite3_column_int64(st, R_SHELF);
	r->due = sqlite3_column_int64(st, R_DUE);
	r->expires = sqlite3_column_int64(st, R_EXPIRES);
	r->attempts = (unsigned)sqlite3_column_int64(st, R_ATTEMPTS);
	r->notify = (unsigned)sqlite3_column_int64(st, R_NOTIFY);
	r->irregular = (flags & FLAG_IRREGULAR) != 0;
	r->utf8 = (flags & FLAG_UTF8) != 0;
	r->unfit = (enum unfit)((flags & FLAGS_UNFIT) >> FLAGS_UNFIT_AT);
	r->requoted = (flags & FLAG_REQUOTED) != 0;
	r->unread = sqlite3_column_int(st, R_UNREAD) != 0;
	r->delay_told = sqlite3_column_int(st, R_DELAY_TOLD) != 0;
	set(&r->orcpt, st, R_ORCPT);
	set(&r->last, st, R_LAST);
	set_route(r, st);
	return r;
}
