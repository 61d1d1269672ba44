/*
 * admin_socket.c - the admin API's first door: a Unix socket, for the command
 * line.
 *
 * Who may connect is the mode and the group of the socket; who that is, the
 * kernel says (admin_who.c).
 */
#include "router/http/admin_socket.h"

#include <errno.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "router/http/admin_int.h"

#define HEADER_MAX 16384
#define TIMEOUT_S  30

struct admin_socket {
	struct evhttp *http;
	char *path;
	struct stat made; /* of our socket, not to remove another's */
};

static int
socket_address(const char *path, struct sockaddr_un *sun, struct err *e)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun->sun_path))
		return err_set(e, "name of the admin socket is too long");
	memcpy(sun->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Removes the socket of a daemon that is no more; leaves all else alone. */
static int
remove_stale(const struct sockaddr_un *sun, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, "not a socket: '%s'", sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_sys(e, "cannot make a socket");
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	if (rc == 0 || errno != ECONNREFUSED)
		rc =
		    err_set(e, "another daemon answers at '%s'", sun->sun_path);
	else if ((rc = unlink(sun->sun_path)) != 0)
		rc = err_sys(e, "cannot remove '%s'", sun->sun_path);
	close(fd);
	return rc;
}

/* Nobody can connect before listen(2), so the mode is right from the start. */
static int
listen_on(const char *path, struct err *e)
{
	struct sockaddr_un sun;
	int fd;

	if (socket_address(path, &sun, e) != 0 || remove_stale(&sun, e) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_sys(e, "cannot make a socket");
	if (bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0 &&
	    chmod(path, 0660) == 0 && listen(fd, 64) == 0)
		return fd;
	err_sys(e, "cannot listen at '%s'", path);
	close(fd);
	return -1;
}

static void
set_limits(struct evhttp *http)
{
	evhttp_set_max_headers_size(http, HEADER_MAX);
	evhttp_set_max_body_size(http, ADMIN_BODY_LARGE);
	evhttp_set_timeout(http, TIMEOUT_S);
	/* All of them: what an address does not know is its own 405. */
	evhttp_set_allowed_methods(
	    http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
		      EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
		      EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
}

static void
on_request(struct evhttp_request *http, void *arg)
{
	admin_ask(arg, http, NULL);
}

struct admin_socket *
admin_socket_new(struct event_base *base, struct admin *admin, const char *path,
    struct err *e)
{
	struct admin_socket *s;
	int fd = listen_on(path, e);

	if (fd == -1)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->path = xstrdup(path);
	if (lstat(path, &s->made) != 0)
		memset(&s->made, 0, sizeof(s->made));
	s->http = evhttp_new(base);
	if (s->http == NULL || evhttp_accept_socket(s->http, fd) != 0) {
		err_set(e, "cannot serve '%s'", path);
		close(fd);
		admin_socket_free(&s);
		return NULL;
	}
	set_limits(s->http);
	evhttp_set_gencb(s->http, on_request, admin);
	return s;
}

void
admin_socket_free(struct admin_socket **p)
{
	struct admin_socket *s = *p;
	struct stat st;

	*p = NULL;
	if (s == NULL)
		return;
	if (s->http != NULL)
		evhttp_free(s->http); /* closes: requests lose their http */
	if (lstat(s->path, &st) == 0 && st.st_ino == s->made.st_ino &&
	    st.st_dev == s->made.st_dev)
		unlink(s->path);
	free(s->path);
	free(s);
}
