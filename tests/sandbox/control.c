/*
 * control.c - the sandbox's controls: one line in, one line out, on a Unix
 * socket.
 *
 * The commands are listed in main.c. An answer is "ok", JSON, or "error:
 * sentence".
 */
#include "tests/sandbox/control.h"

#include "mta/base/alloc.h"
#include "tests/sandbox/aws.h"
#include "tests/sandbox/dns.h"
#include "tests/sandbox/events.h"
#include "tests/sandbox/host.h"
#include "tests/sandbox/imds.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/returns.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/ses.h"
#include "tests/sandbox/sns.h"
#include "tests/sandbox/sqs.h"
#include "tests/sandbox/zone.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MOST 20000

static char *
next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " ");
	size_t n = strcspn(word, " ");

	*rest = word + n;
	if (**rest != '\0')
		*(*rest)++ = '\0';
	*rest += strspn(*rest, " ");
	return word;
}

static int
set_dns(struct sandbox *b, const char *key, const char *value, struct err *e)
{
	static const struct {
		const char *name;
		enum dns_mood mood;
	} rows[] = { { "normal", DNS_NORMAL }, { "dead", DNS_DEAD },
		{ "servfail", DNS_SERVFAIL } };
	size_t i;

	for (i = 0; strcmp(key, "mood") == 0 && i < 3; i++) {
		if (strcmp(rows[i].name, value) == 0) {
			dns_set_mood(b->dns, rows[i].mood);
			return 0;
		}
	}
	return err_set(e, "dns has no %s '%s'", key, value);
}

static int
set_host(struct host *h, const char *key, const char *value, struct err *e)
{
	int rc = 0;

	if (strcmp(key, "mood") == 0)
		return host_set_mood(h, value, e);
	if (h->system->ses && ses_set(h->sandbox->ses, key, value, &rc, e))
		return rc;
	return host_set(h, key, value, e);
}

/* "all" means the mail hosts, not ses. */
static int
set_all(struct sandbox *b, const char *key, const char *value, struct err *e)
{
	struct host **h;

	for (h = b->hosts; *h != NULL; h++)
		if (!(*h)->system->ses && set_host(*h, key, value, e) < 0)
			return -1;
	return 0;
}

/* What is no host. */
static const struct {
	const char *name;
	int (*set)(struct sandbox *, const char *key, const char *value,
	    struct err *);
	void (*show)(const struct sandbox *, struct str *); /* may be NULL */
} services[] = {
	{ "dns", set_dns, NULL },
	{ "all", set_all, NULL },
	{ "aws", aws_set, aws_show },
	{ "events", events_set, NULL },
	{ "sqs", sqs_set, sqs_show },
	{ "sns", sns_set, sns_show },
	{ "imds", imds_set, NULL },
	{ "returns", returns_set, returns_show },
};
#define N_SERVICES (sizeof(services) / sizeof(services[0]))

static int
do_set(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	const char *name = next_word(&args), *key = next_word(&args);
	struct host *h = host_find(b, name);
	size_t i;

	(void)out;
	for (i = 0; i < N_SERVICES; i++)
		if (strcmp(services[i].name, name) == 0)
			return services[i].set(b, key, args, e);
	if (h == NULL)
		return err_set(e, "no host '%s'", name);
	return set_host(h, key, args, e);
}

static int
do_get(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	const char *name = next_word(&args);
	struct host *h = host_find(b, name);
	size_t i;

	for (i = 0; i < N_SERVICES; i++) {
		if (services[i].show == NULL ||
		    strcmp(services[i].name, name) != 0)
			continue;
		services[i].show(b, out);
		return 0;
	}
	if (h == NULL)
		return err_set(e, "no host '%s'", name);
	host_show(h, out);
	return 0;
}

static int
do_count(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	struct counts t = { 0 };
	unsigned open = 0;
	struct host **h;

	(void)args;
	(void)e;
	for (h = b->hosts; *h != NULL; h++) {
		open += (*h)->open;
		t.connections += (*h)->counts.connections;
		t.messages += (*h)->counts.messages;
		t.recipients += (*h)->counts.recipients;
		t.refused += (*h)->counts.refused;
		t.rejected += (*h)->counts.rejected;
		t.withdrawn += (*h)->counts.withdrawn;
	}
	json_open(out, NULL, '{');
	json_int(out, "open", open);
	json_int(out, "connections", (int64_t)t.connections);
	json_int(out, "messages", (int64_t)t.messages);
	json_int(out, "recipients", (int64_t)t.recipients);
	json_int(out, "refused", (int64_t)t.refused);
	json_int(out, "rejected", (int64_t)t.rejected);
	json_int(out, "withdrawn", (int64_t)t.withdrawn);
	json_int(out, "ses_sent", (int64_t)b->ses->sent);
	json_int(out, "ses_in_window", (int64_t)ses_in_window(b->ses));
	json_int(out, "dns_queries", (int64_t)dns_queries(b->dns));
	json_close(out, '}');
	return 0;
}

static int
do_zone(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	(void)out;
	return zone_add(b->zone, args, e);
}

static int
do_unzone(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	(void)out;
	(void)e;
	zone_delete(b->zone, next_word(&args));
	return 0;
}

static int
for_hosts(struct sandbox *b, const char *name, void (*call)(struct host *),
    struct err *e)
{
	struct host **h;
	bool found = false;

	for (h = b->hosts; *h != NULL; h++) {
		if (strcmp(name, "all") != 0 &&
		    strcmp(name, (*h)->system->name) != 0)
			continue;
		call(*h);
		found = true;
	}
	return found ? 0 : err_set(e, "no host '%s'", name);
}

static int
do_cut(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	(void)out;
	return for_hosts(b, next_word(&args), host_cut, e);
}

static int
do_forget(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	(void)out;
	return for_hosts(b, next_word(&args), host_forget, e);
}

static int
do_quit(struct sandbox *b, char *args, struct str *out, struct err *e)
{
	struct timeval soon = { .tv_usec = 20000 }; /* for the answer */

	(void)args;
	(void)out;
	(void)e;
	event_base_loopexit(b->base, &soon);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct sandbox *, char *, struct str *, struct err *);
} commands[] = {
	{ "set", do_set },
	{ "get", do_get },
	{ "count", do_count },
	{ "zone", do_zone },
	{ "unzone", do_unzone },
	{ "cut", do_cut },
	{ "forget", do_forget },
	{ "sqs", sqs_command },
	{ "sns", sns_command },
	{ "quit", do_quit },
};

static void
run_line(struct sandbox *b, char *line, struct str *out)
{
	const char *name = next_word(&line);
	struct err e = ERR_INIT;
	int rc = -1;
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			break;
	if (i == sizeof(commands) / sizeof(commands[0]))
		err_set(&e, "unknown command '%s'", name);
	else
		rc = commands[i].run(b, line, out, &e);
	if (rc < 0) {
		str_clear(out);
		str_addf(out, "error: %s", e.text);
	} else if (out->len == 0) {
		str_adds(out, "ok");
	}
	str_addc(out, '\n');
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct str out = STR_INIT;
	char *line;

	while ((line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF)) != NULL) {
		str_clear(&out);
		run_line(arg, line, &out);
		bufferevent_write(bev, out.data, out.len);
		free(line);
	}
	str_release(&out);
	if (evbuffer_get_length(in) > LINE_MOST)
		bufferevent_free(bev);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(bev);
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer,
    int len, void *arg)
{
	struct sandbox *b = arg;
	struct bufferevent *bev;

	(void)l;
	(void)peer;
	(void)len;
	bev = bufferevent_socket_new(b->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(bev, on_read, NULL, on_event, b);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static int
set_address(struct sockaddr_un *sun, const char *path, struct err *e)
{
	if (strlen(path) >= sizeof(sun->sun_path))
		return err_set(e, "path too long: '%s'", path);
	sun->sun_family = AF_UNIX;
	strcpy(sun->sun_path, path);
	return 0;
}

int
control_listen(struct sandbox *b, const char *path, struct err *e)
{
	struct sockaddr_un sun = { 0 };

	if (set_address(&sun, path, e) < 0)
		return -1;
	(void)unlink(path);
	if (evconnlistener_new_bind(b->base, on_accept, b,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16,
		(struct sockaddr *)&sun, sizeof(sun)) == NULL)
		return err_sys(e, "cannot listen on '%s'", path);
	return 0;
}

static int
exchange(FILE *f, const char *line, struct err *e)
{
	char *answer = NULL;
	size_t room = 0;
	int rc = -1;

	if (fprintf(f, "%s\n", line) < 0 || fflush(f) != 0 ||
	    getline(&answer, &room, f) <= 0)
		err_set(e, "the sandbox does not answer");
	else if (strncmp(answer, "error: ", 7) == 0)
		err_set(e, "%.*s", (int)strcspn(answer + 7, "\n"), answer + 7);
	else
		rc = printf("%s", answer) < 0 ? -1 : 0;
	free(answer);
	return rc;
}

int
control_tell(const char *path, const char *line, struct err *e)
{
	struct sockaddr_un sun = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;
	FILE *f;

	if (set_address(&sun, path, e) < 0)
		return -1;
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return err_sys(e, "cannot connect to '%s'", path);
	f = fdopen(fd, "r+");
	if (f == NULL)
		return err_sys(e, "cannot talk to '%s'", path);
	rc = exchange(f, line, e);
	fclose(f);
	return rc;
}
