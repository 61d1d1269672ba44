/*
 * bounce_find.c - whom a report may be about, as the store remembers it.
 *
 * Runs in the store's reading thread, while bounce_in.c waits. A recipient that
 * left is among those remembered; a carrier may also be quicker than our own
 * record of it, so that it is in the queue yet.
 */
#include "router/bounce_int.h"

#include "mta/base/alloc.h"
#include "router/config.h"
#include "router/message.h"

#include <stdlib.h>
#include <string.h>

/* Recipients of one message that are kept though the report does not name
 * them: they only matter while they are few. */
#define UNNAMED_MOST 100

static bool
is_known(const struct report_in *r, int64_t message, unsigned index)
{
	for (size_t i = 0; i < r->nknown; i++)
		if (r->known[i].message == message &&
		    r->known[i].index == index)
			return true;
	return false;
}

static bool
may_be_meant(const struct report_in *r, const char *address)
{
	if (r->claim.index != RETURN_PATH_MESSAGE ||
	    judge_names(&r->report, address))
		return true;
	return judge_is_proved(r->claim.proof) && r->nknown < UNNAMED_MOST;
}

static void
know(struct report_in *r, int64_t message, unsigned index, const char *address,
    const struct route *route)
{
	if (!may_be_meant(r, address) || is_known(r, message, index))
		return;
	if (r->nknown == r->room) {
		r->room = r->room > 0 ? 2 * r->room : 8;
		r->known = xrealloc(r->known, r->room * sizeof(*r->known));
	}
	r->known[r->nknown++] = (struct judge_known){
		.message = message,
		.index = index,
		.address = xstrdup(address),
		.path = xstrdup(route->path),
		.carrier = xstrdup(route->carrier),
		.group = xstrdup(route->group),
	};
}

static void
on_sent(void *arg, const struct sent_row *row)
{
	const struct route route = {
		.path = row->path,
		.carrier = row->carrier,
		.group = row->group,
	};

	know(arg, row->message, row->index, row->address, &route);
}

static void
on_queued(void *arg, const struct queue_row *row)
{
	const struct recipient *to = row->recipient;

	know(arg, to->message->id, to->index, to->address, &to->route);
}

static void
look(struct report_in *r, struct store_reader *reader, int64_t message)
{
	int index =
	    r->claim.index == RETURN_PATH_MESSAGE ? -1 : (int)r->claim.index;
	struct queue_filter queued = {
		.message = message,
		.index = index,
		.to = "",
		.domain = "",
		.sender = "",
		.path = "",
		.carrier = "",
	};

	store_read_sent(reader, message, index, on_sent, r);
	if (index == -1 || r->nknown == 0)
		store_read_queue(reader, &queued, on_queued, r);
}

static void
on_kept(void *arg, const struct kept *row)
{
	struct report_in *r = arg;

	free(r->sender);
	r->sender = xstrdup(row->value);
}

void
bounce_find(struct store_query *query, struct store_reader *reader)
{
	struct report_in *r = container_of(query, struct report_in, query);
	char id[MESSAGE_ID_TEXT];
	int64_t ids[10];
	size_t n;

	if (r->claim.proof == PROOF_ADDRESS && r->config->return_path.forward)
		store_read_kept(reader, BOUNCE_KEPT,
		    message_id_text(r->claim.message, id), on_kept, r);
	if (r->claim.proof != PROOF_MESSAGE_ID) {
		look(r, reader, r->claim.message);
		return;
	}
	n = store_read_by_message_id(reader, r->report.message_id, ids);
	for (size_t i = 0; i < n; i++)
		look(r, reader, ids[i]);
}

void
bounce_known_clear(struct report_in *r)
{
	for (size_t i = 0; i < r->nknown; i++) {
		free(r->known[i].address);
		free(r->known[i].path);
		free(r->known[i].carrier);
		free(r->known[i].group);
	}
	free(r->known);
	r->known = NULL;
	r->nknown = r->room = 0;
}
