/*
 * admin_who.c - who asks for a change.
 *
 * At the Unix socket that is who stands at its other end, by the kernel's word
 * and not by the client's; in the console who has signed in.
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

#define TEXT_MAX    200	  /* bytes of a client's words */
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

/* What a log line and a table may hold, and no more than TEXT_MAX bytes. */
void
admin_add_clean(struct str *out, const char *text)
{
	size_t len = strlen(text), end = out->len;

	if (len > TEXT_MAX)
		len = TEXT_MAX;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--; /* not within a character */
	str_add(out, text, len);
	for (; end < out->len; end++)
		if ((unsigned char)out->data[end] < ' ' ||
		    out->data[end] == 0x7f)
			out->data[end] = '?';
}

void
admin_find_who(struct admin_request *r, void (*then)(struct admin_request *))
{
	if (r->user != NULL) {
		then(r);
		return;
	}
	r->uid = peer_uid(r);
	admin_query(r, find_name, then);
}

void
admin_add_who(const struct admin_request *r, struct str *who)
{
	if (r->user != NULL) {
		admin_add_clean(who, r->user);
		str_adds(who, " by console");
	} else if (r->text != NULL)
		admin_add_clean(who, r->text);
	else if (r->uid == (uid_t)-1)
		str_adds(who, "somebody");
	else
		str_addf(who, "uid %u", (unsigned)r->uid);
}
