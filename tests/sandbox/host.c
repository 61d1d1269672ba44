/*
 * host.c - a receiving system at run time: its listeners, mood, switches and
 * counts.
 *
 * session.c serves the connections; this file decides whether there is a port
 * at all.
 */
#include "tests/sandbox/host.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/map.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/session.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 1024

/* clang-format off */
static const struct {
	const char *name;
	size_t offset;
} limit_rows[] = {
	{ "rcpts-message", offsetof(struct limits, rcpts_message) },
	{ "rcpts-session", offsetof(struct limits, rcpts_session) },
	{ "messages",      offsetof(struct limits, messages) },
	{ "connections",   offsetof(struct limits, connections) },
};
/* clang-format on */
#define N_LIMITS (sizeof(limit_rows) / sizeof(limit_rows[0]))

struct host *
host_new(struct sandbox *sandbox, const struct system *system)
{
	struct host *h = xcalloc(1, sizeof(*h));

	h->sandbox = sandbox;
	h->system = system;
	h->features = system->features;
	h->limits = system->limits;
	h->happened = map_new();
	LIST_INIT(&h->sessions);
	return h;
}

struct host *
host_find(struct sandbox *sandbox, const char *name)
{
	struct host **h;

	for (h = sandbox->hosts; *h != NULL; h++)
		if (strcmp((*h)->system->name, name) == 0)
			return *h;
	return NULL;
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer,
    int len, void *arg)
{
	(void)l;
	(void)len;
	session_new(arg, fd, peer);
}

static int
port_open(struct port *p, struct err *e)
{
	const char *address = p->host->system->address;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);

	sin.sin_port = htons((uint16_t)p->number);
	(void)inet_pton(AF_INET, address, &sin.sin_addr);
	p->listener = evconnlistener_new_bind(p->host->sandbox->base, on_accept,
	    p,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
	    BACKLOG, (struct sockaddr *)&sin, sizeof(sin));
	if (p->listener == NULL)
		return err_sys(
		    e, "cannot listen on %s port %u", address, p->number);
	(void)getsockname(
	    evconnlistener_get_fd(p->listener), (struct sockaddr *)&sin, &len);
	p->number = ntohs(sin.sin_port);
	return 0;
}

int
host_listen(struct host *h, unsigned number, bool tls_first, struct err *e)
{
	struct port *p = &h->ports[h->n_ports];

	p->host = h;
	p->number = number;
	p->tls_first = tls_first;
	if (port_open(p, e) < 0)
		return -1;
	h->n_ports++;
	return 0;
}

static void
close_ports(struct host *h)
{
	unsigned i;

	for (i = 0; i < h->n_ports; i++) {
		if (h->ports[i].listener != NULL)
			evconnlistener_free(h->ports[i].listener);
		h->ports[i].listener = NULL;
	}
}

void
host_unlisten(struct host *h)
{
	close_ports(h);
	h->n_ports = 0;
}

static int
open_ports(struct host *h, struct err *e)
{
	unsigned i;

	for (i = 0; i < h->n_ports; i++)
		if (h->ports[i].listener == NULL &&
		    port_open(&h->ports[i], e) < 0)
			return -1;
	return 0;
}

int
host_set_mood(struct host *h, const char *name, struct err *e)
{
	bool known;
	const struct mood *m = mood_find(h->system->name, name, &known);

	if (!known)
		return err_set(
		    e, "%s knows no mood '%s'", h->system->name, name);
	h->mood = m;
	if (m != NULL && m->action == DO_DOWN) {
		close_ports(h);
		return 0;
	}
	return open_ports(h, e);
}

static int
set_feature(struct host *h, const struct feature_row *f, const char *value,
    struct err *e)
{
	if (strcmp(value, "on") == 0)
		h->features |= f->bit;
	else if (strcmp(value, "off") == 0)
		h->features &= ~(unsigned)f->bit;
	else
		return err_set(e, "expected 'on' or 'off', not '%s'", value);
	return 0;
}

static unsigned *
limit_at(struct host *h, const char *key)
{
	size_t i;

	for (i = 0; i < N_LIMITS; i++)
		if (strcmp(limit_rows[i].name, key) == 0)
			return (unsigned *)(void *)((char *)&h->limits +
						    limit_rows[i].offset);
	return strcmp(key, "delay") == 0 ? &h->delay : NULL;
}

int
host_set(struct host *h, const char *key, const char *value, struct err *e)
{
	const struct feature_row *f;
	unsigned *limit = limit_at(h, key);
	size_t *size = strcmp(key, "max-size") == 0   ? &h->limits.size
		       : strcmp(key, "max-line") == 0 ? &h->limits.line
						      : NULL;
	unsigned long n;
	char *end;

	for (f = features; f->name != NULL; f++)
		if (strcmp(f->name, key) == 0)
			return set_feature(h, f, value, e);
	if (limit == NULL && size == NULL)
		return err_set(e, "unknown setting '%s'", key);
	n = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end != '\0' || n > 1u << 31)
		return err_set(e, "expected a number, not '%s'", value);
	if (limit != NULL)
		*limit = (unsigned)n;
	else
		*size = n;
	return 0;
}

static void
show_limits(const struct host *h, struct str *o)
{
	size_t i;

	for (i = 0; i < N_LIMITS; i++)
		json_int(o, limit_rows[i].name,
		    *(const unsigned *)(const void *)((const char *)&h->limits +
						      limit_rows[i].offset));
	json_int(o, "max-size", (int64_t)h->limits.size);
	json_int(o, "max-line", (int64_t)h->limits.line);
	json_int(o, "delay", h->delay);
}

static void
show_counts(const struct host *h, struct str *o)
{
	json_int(o, "open", h->open);
	json_int(o, "peak", h->peak);
	json_int(o, "connections", (int64_t)h->counts.connections);
	json_int(o, "messages", (int64_t)h->counts.messages);
	json_int(o, "recipients", (int64_t)h->counts.recipients);
	json_int(o, "refused", (int64_t)h->counts.refused);
	json_int(o, "rejected", (int64_t)h->counts.rejected);
	json_int(o, "withdrawn", (int64_t)h->counts.withdrawn);
}

void
host_show(const struct host *h, struct str *o)
{
	const struct feature_row *f;

	json_open(o, NULL, '{');
	json_str(o, "host", h->system->name);
	json_str(o, "name", h->system->host);
	json_str(o, "address", h->system->address);
	json_str(o, "mood", h->mood != NULL ? h->mood->name : "normal");
	for (f = features; f->name != NULL; f++)
		json_bool(o, f->name, (h->features & f->bit) != 0);
	show_limits(h, o);
	show_counts(h, o);
	json_close(o, '}');
}

void
host_cut(struct host *h)
{
	while (!LIST_EMPTY(&h->sessions))
		session_cut(LIST_FIRST(&h->sessions));
}

void
host_forget(struct host *h)
{
	map_clear(h->happened);
}

static void
happened_key(const struct scenario *s, const char *address, struct str *key)
{
	str_addf(key, "%s %s", s->word, address);
}

bool
host_spent(const struct host *h, const struct scenario *s, unsigned times,
    const char *address)
{
	struct str key = STR_INIT;
	uintptr_t n;

	if (s->number != NUM_TIMES || times == 0)
		return false;
	happened_key(s, address, &key);
	n = (uintptr_t)map_get(h->happened, key.data);
	str_release(&key);
	return n >= times;
}

void
host_happened(struct host *h, const struct scenario *s, const char *address)
{
	struct str key = STR_INIT;
	void **at;

	if (s->number != NUM_TIMES)
		return;
	happened_key(s, address, &key);
	at = map_at(h->happened, key.data);
	*at = (void *)((uintptr_t)*at + 1);
	str_release(&key);
}
