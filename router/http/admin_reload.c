/*
 * admin_reload.c - POST /v1/reload: settings and rules are read again.
 *
 * The history of rule sets keeps who asked for it. That is who stands at the
 * other end of the socket, by the kernel's word and not by the client's; the
 * client may only say why.
 */
#include <event2/bufferevent.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/http/admin_int.h"

#define WHY_MAX	    200	  /* bytes */
#define PASSWD_ROOM 16384 /* bytes, for a line of passwd(5) */

static uid_t
peer_uid(struct admin_request *r)
{
	struct evhttp_connection *connection =
	    evhttp_request_get_connection(r->http);
	int fd =
	    bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return (uid_t)-1;
	return peer.uid;
}

/* Not in the core thread: names of users may come over the network. */
static void
find_name(struct store_query *query, struct store_reader *reader)
{
	struct admin_request *r = admin_of_query(query);
	char *room = xmalloc(PASSWD_ROOM);
	struct passwd entry, *found = NULL;

	(void)reader;
	if (getpwuid_r(r->uid, &entry, room, PASSWD_ROOM, &found) == 0 &&
	    found != NULL)
		r->text = xstrdup(found->pw_name);
	free(room);
}

/* What a log line and a table may hold, and no more than WHY_MAX bytes. */
static void
add_clean(struct str *out, const char *text)
{
	size_t len = strlen(text), end = out->len;

	if (len > WHY_MAX)
		len = WHY_MAX;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--; /* not within a character */
	str_add(out, text, len);
	for (; end < out->len; end++)
		if ((unsigned char)out->data[end] < ' ' ||
		    out->data[end] == 0x7f)
			out->data[end] = '?';
}

static void
add_who(struct admin_request *r, struct str *who)
{
	const char *why = json_string_value(json_object_get(r->body, "why"));

	if (r->text != NULL)
		add_clean(who, r->text);
	else if (r->uid == (uid_t)-1)
		str_adds(who, "somebody");
	else
		str_addf(who, "uid %u", (unsigned)r->uid);
	str_adds(who, " by ");
	add_clean(who, why && *why ? why : "reload");
}

/* Whoever reads the history after this answer finds the new set in it. */
static void
on_kept(void *arg)
{
	struct admin_request *r = arg;
	json_t *reply = json_object();

	admin_put(reply, "report", r->text);
	admin_reply(r, 200, reply);
}

static void
reload(struct admin_request *r)
{
	struct str report = STR_INIT, who = STR_INIT;
	int rc;

	add_who(r, &who);
	rc = core_reload(r->core, who.data, on_kept, r, &report);
	free(r->text);
	r->text = str_detach(&report);
	str_release(&who);
	if (rc != 0)
		admin_error(r, 409, "%s", r->text);
}

void
admin_reload(struct admin_request *r)
{
	json_t *why = json_object_get(r->body, "why");

	if (json_object_size(r->body) != (why ? 1 : 0) ||
	    (why != NULL && !json_is_string(why))) {
		admin_error(r, 400, "expected nothing, or \"why\": a text");
		return;
	}
	r->uid = peer_uid(r);
	admin_query(r, find_name, reload);
}
