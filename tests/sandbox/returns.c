/*
 * returns.c - mail that comes back by mail: when, how often and to whom.
 *
 * Each is written when its message is accepted, waits for its time, then for a
 * free connection (deliver.c), and after a failure for its time again. Nothing
 * happens before `set returns to` has said where the mail goes.
 */
#include "tests/sandbox/returns.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/deliver.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/journal.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/return_text.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/session.h"
#include "tests/sandbox/value.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct coming {
	TAILQ_ENTRY(coming) link;
	struct returns *returns;
	const struct return_kind *kind;
	const struct system *system;
	char *of; /* the recipient that it is about */
	char *to;
	uint64_t about; /* its message in the journal */
	unsigned attempts;
	struct str data;
	struct event *timer;
};
TAILQ_HEAD(coming_list, coming);

struct returns {
	struct sandbox *sandbox;
	struct sockaddr_in server; /* port 0: none */
	char *complaints;	   /* NULL: to the reverse-path */
	unsigned delay, retry;	   /* ms */
	unsigned tries, copies, connections;
	bool late;
	struct coming_list held;  /* until `late` is off */
	struct coming_list ready; /* until a connection is free */
	unsigned waiting, flying;
	uint64_t accepted, refused, lost;
};

struct returns *
returns_new(struct sandbox *b)
{
	struct returns *r = xcalloc(1, sizeof(*r));

	r->sandbox = b;
	r->delay = 5000;
	r->retry = 500;
	r->tries = 600;
	r->connections = 4;
	TAILQ_INIT(&r->held);
	TAILQ_INIT(&r->ready);
	return r;
}

static void pump(struct returns *);

static void
wait_for(struct coming *c, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	evtimer_add(c->timer, &tv);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct coming *c = arg;
	struct returns *r = c->returns;

	(void)fd;
	(void)what;
	TAILQ_INSERT_TAIL(r->late ? &r->held : &r->ready, c, link);
	pump(r);
}

static void
coming_free(struct coming *c)
{
	event_free(c->timer);
	str_release(&c->data);
	free(c->of);
	free(c->to);
	free(c);
}

static void
write_down(const struct coming *c, int code, const char *text)
{
	struct journal *j = c->returns->sandbox->journal;
	struct str *o = journal_start(j, "return");

	json_str(o, "host", c->system->name);
	json_str(o, "kind", c->kind->word);
	json_int(o, "about", (int64_t)c->about);
	json_str(o, "of", c->of);
	json_str(o, "to", c->to);
	json_int(o, "attempt", c->attempts);
	json_bool(o, "accepted", code / 100 == 2);
	json_int(o, "code", code);
	json_str(o, "text", text);
	journal_end(j);
}

static void
on_done(void *arg, int code, const char *text)
{
	struct coming *c = arg;
	struct returns *r = c->returns;
	bool again = code / 100 != 2 && code / 100 != 5;

	r->flying--;
	write_down(c, code, text);
	if (again && c->attempts < r->tries) {
		wait_for(c, r->retry);
	} else {
		r->accepted += code / 100 == 2;
		r->refused += code / 100 == 5;
		r->lost += again;
		r->waiting--;
		coming_free(c);
	}
	pump(r);
}

static void
fly(struct coming *c)
{
	const struct delivery d = { .server = c->returns->server,
		.source = c->system->address,
		.helo = c->system->host,
		.to = c->to,
		.data = c->data.data,
		.len = c->data.len };

	c->attempts++;
	c->returns->flying++;
	deliver(c->returns->sandbox->base, &d, on_done, c);
}

static void
pump(struct returns *r)
{
	struct coming *c;

	while (r->flying < r->connections &&
	       (c = TAILQ_FIRST(&r->ready)) != NULL) {
		TAILQ_REMOVE(&r->ready, c, link);
		fly(c);
	}
}

/* --- what comes --- */

static void
come(struct returns *r, const struct return_kind *k, const struct returned *m)
{
	struct coming *c = xcalloc(1, sizeof(*c));
	bool complaint = return_is_complaint(k) && r->complaints != NULL;

	c->returns = r;
	c->kind = k;
	c->system = m->system;
	c->about = m->number;
	c->of = xstrdup(m->to);
	c->to = xstrdup(complaint ? r->complaints : m->from);
	str_init(&c->data);
	return_text(k, m, c->to, &c->data);
	c->timer = evtimer_new(r->sandbox->base, on_time, c);
	r->waiting++;
	wait_for(c, r->delay);
}

void
returns_mail(struct session *s)
{
	struct returns *r = s->sandbox->returns;
	struct returned m = { .system = s->host->system,
		.from = s->mail.from,
		.peer = s->peer,
		.data = s->body.bytes.data,
		.len = s->body.bytes.len,
		.number = journal_next(s->sandbox->journal) - 1 };
	const struct return_kind *k;
	size_t i;

	/* Mail from <> is never answered. */
	if (r->server.sin_port == 0 || *m.from == '\0')
		return;
	for (i = 0; i < s->mail.n; i++) {
		m.to = s->mail.rcpts[i].to;
		k = s->mail.rcpts[i].accepted ? return_kind_of(m.system, m.to)
					      : NULL;
		for (m.copy = 0; k != NULL && m.copy <= r->copies; m.copy++)
			come(r, k, &m);
	}
}

/* --- controls --- */

static int
set_server(struct returns *r, const char *value, struct err *e)
{
	int len = sizeof(r->server);

	if (evutil_parse_sockaddr_port(
		value, (struct sockaddr *)&r->server, &len) < 0 ||
	    r->server.sin_family != AF_INET || r->server.sin_port == 0)
		return err_set(e, "expected ADDRESS:PORT, not '%s'", value);
	return 0;
}

static void
set_complaints(struct returns *r, const char *value)
{
	free(r->complaints);
	r->complaints = *value != '\0' ? xstrdup(value) : NULL;
}

int
returns_set(
    struct sandbox *b, const char *key, const char *value, struct err *e)
{
	struct returns *r = b->returns;
	const struct value_row rows[] = {
		{ "delay", NULL, &r->delay, NULL },
		{ "retry", NULL, &r->retry, NULL },
		{ "tries", NULL, &r->tries, NULL },
		{ "copies", NULL, &r->copies, NULL },
		{ "connections", NULL, &r->connections, NULL },
		{ "late", &r->late, NULL, NULL },
	};

	if (strcmp(key, "to") == 0)
		return set_server(r, value, e);
	if (strcmp(key, "complaints") == 0) {
		set_complaints(r, value);
		return 0;
	}
	if (value_set(rows, sizeof(rows) / sizeof(rows[0]), key, value, e) < 0)
		return -1;
	if (!r->late)
		TAILQ_CONCAT(&r->ready, &r->held, link);
	pump(r);
	return 0;
}

void
returns_show(const struct sandbox *b, struct str *o)
{
	const struct returns *r = b->returns;

	json_open(o, NULL, '{');
	json_int(o, "waiting", r->waiting);
	json_int(o, "in_flight", r->flying);
	json_int(o, "accepted", (int64_t)r->accepted);
	json_int(o, "refused", (int64_t)r->refused);
	json_int(o, "lost", (int64_t)r->lost);
	json_close(o, '}');
}
