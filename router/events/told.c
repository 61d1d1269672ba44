/*
 * told.c - the event log, read as the application is told of it.
 *
 * Rows of one message mostly come together, so what was kept of it is fetched
 * once for them.
 */
#include "router/events/told.h"

#include "mta/base/alloc.h"
#include "router/config.h"
#include "router/events/event_json.h"
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct turn {
	struct store_reader *reader;
	struct told_reading *r;
	bool full;
	int64_t message; /* whose `mail` it is */
	char *mail;
};

static bool
is_in(char *const *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(list[i], text) == 0)
			return true;
	return n == 0;
}

static void
keep_mail(void *arg, const char *json)
{
	struct turn *t = arg;

	t->mail = xstrdup(json);
}

static const char *
mail_of(struct turn *t, int64_t message)
{
	if (message == t->message)
		return t->mail;
	free(t->mail);
	t->mail = NULL;
	t->message = message;
	store_read_mail(t->reader, message, keep_mail, t);
	return t->mail;
}

/* How long its path has patience with it, as the rules stand now. */
static int64_t
expiry_of(const struct config *config, const struct event_row *row)
{
	const char *at = strrchr(row->recipient, '@');
	struct rules_shape shape;

	if (config->rules == NULL || row->type != EVENT_DELAY)
		return 0;
	ruleset_shape(config->rules,
	    row->carrier[0] != '\0' ? row->carrier : NULL, row->group,
	    at != NULL ? at + 1 : NULL, row->path, &shape);
	return (int64_t)shape.expiry * 1000;
}

static bool
wants(const struct told_filter *f, enum event_type type)
{
	if (type == EVENT_GUARD && f->nevents == 0)
		return f->guard;
	return is_in(f->events, f->nevents, event_json_name(type));
}

static void
tell(struct turn *t, const struct event_row *row)
{
	const struct told_filter *f = &t->r->filter;
	const struct config_path *path =
	    config_path_find(t->r->config, row->path);
	struct event_json_context ctx = {
		.mail = mail_of(t, row->message),
		.by_ses = path != NULL && path->kind == PATH_SES,
		.hostname = t->r->config->hostname,
		.expiry = expiry_of(t->r->config, row),
	};
	enum event_type types[EVENT_TOLD_MAX];
	unsigned n = event_json_types(row, &ctx, types);
	json_t *event;

	for (unsigned i = 0; i < n; i++) {
		if (!wants(f, types[i]))
			continue;
		event = event_json(row, types[i], &ctx);
		t->r->each(t->r->arg, row, types[i], event);
		t->r->told++;
		json_decref(event);
	}
}

static void
look_at(void *arg, const struct event_row *row)
{
	struct turn *t = arg;
	const struct told_filter *f = &t->r->filter;

	t->full |= t->r->told >= t->r->room ||
		   (t->r->until > 0 && row->seq > t->r->until);
	if (t->full)
		return;
	if (is_in(f->paths, f->npaths, row->path) &&
	    is_in(f->senders, f->nsenders, row->sender))
		tell(t, row);
	t->r->after = row->seq;
}

void
told_read(struct store_reader *reader, struct told_reading *r)
{
	struct turn t = { .reader = reader, .r = r };
	size_t n;

	r->told = 0;
	n = store_read_events(reader, 0, r->after, r->rows, look_at, &t);
	r->more = t.full || n == r->rows;
	free(t.mail);
}
