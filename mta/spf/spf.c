/*
 * spf.c - runs an SPF check: starts the child, answers its questions, judges.
 *
 * Everything that comes from the child is hostile. One question is open at a
 * time, and the pipe is not read meanwhile; whatever ends the check, the child
 * is killed and reaped in the same breath. The limits of RFC 7208 on look-ups
 * are kept here (spf_limits.h), since the library does not keep them all.
 */
#include "mta/spf/spf_int.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/spf/spf_limits.h"
#include "mta/spf/spf_pipe.h"
#include "mta/spf/spf_records.h"

struct spf_check {
	struct resolver *resolver;
	pid_t pid;		/* 0: there is no child */
	int fd;			/* our end of the pipe; -1 without a child */
	struct event *readable; /* pending while no question is open */
	struct event *end; /* time limit; brings what failed at the start */
	struct resolver_query *query;
	struct spf_question question;
	struct spf_limits limits;
	struct spf_answer answer;
	void (*done)(void *, const struct spf_answer *);
	void *arg;
};

const char *
spf_result_name(enum spf_result result)
{
	static const char *const names[] = {
		[SPF_NONE] = "none",
		[SPF_NEUTRAL] = "neutral",
		[SPF_PASS] = "pass",
		[SPF_FAIL] = "fail",
		[SPF_SOFTFAIL] = "softfail",
		[SPF_TEMPERROR] = "temperror",
		[SPF_PERMERROR] = "permerror",
		[SPF_CRASHED] = "crashed",
	};

	return names[result];
}

/* Returns its wait status. SIGKILL takes effect at once and the child holds
 * nothing that could keep it, so waiting here is short. */
static int
end_child(struct spf_check *c)
{
	int status = 0;

	if (c->pid == 0)
		return 0;
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	event_del(c->readable);
	close(c->fd);
	c->fd = -1;
	return status;
}

void
spf_check_free(struct spf_check **check)
{
	struct spf_check *c = *check;

	if (c == NULL)
		return;
	end_child(c);
	resolver_query_free(&c->query);
	if (c->readable != NULL)
		event_free(c->readable);
	event_free(c->end);
	free(c);
	*check = NULL;
}

static void
set_answer(struct spf_check *c, enum spf_result result, const char *why)
{
	c->answer.result = result;
	snprintf(c->answer.why, sizeof(c->answer.why), "%s", why);
}

static void
finish(struct spf_check *c)
{
	end_child(c);
	c->done(c->arg, &c->answer);
	spf_check_free(&c);
}

static void
finish_with(struct spf_check *c, enum spf_result result, const char *why)
{
	set_answer(c, result, why);
	finish(c);
}

/* The child is gone, or as good as: it no longer takes part. */
static void
finish_dead(struct spf_check *c)
{
	char why[sizeof(c->answer.why)];
	int status = end_child(c);

	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "the check died (signal %d)",
		    WTERMSIG(status));
	else
		snprintf(why, sizeof(why), "the check ended early (status %d)",
		    WEXITSTATUS(status));
	finish_with(c, SPF_CRASHED, why);
}

static bool
send_frame(struct spf_check *c, const struct str *frame)
{
	return send(c->fd, frame->data, frame->len, MSG_NOSIGNAL) ==
	       (ssize_t)frame->len;
}

static void
on_records(void *arg, const struct dns_answer *a)
{
	struct spf_check *c = arg;
	struct str frame = STR_INIT;
	const char *why = NULL;
	bool sent;

	spf_pipe_put_answer(&frame, a->status);
	if (a->status == DNS_OK)
		why = spf_records_put(&frame, c->question.type, a, &c->limits);
	else if (a->status != DNS_TEMPFAIL)
		why = spf_limits_void(&c->limits);
	resolver_query_free(&c->query);
	sent = why == NULL && send_frame(c, &frame);
	str_release(&frame);
	if (why != NULL)
		finish_with(c, SPF_PERMERROR, why);
	else if (!sent)
		finish_dead(c);
	else
		event_add(c->readable, NULL);
}

static void
take_question(struct spf_check *c)
{
	const char *why = spf_limits_ask(&c->limits, &c->question);

	if (why != NULL) {
		finish_with(c, SPF_PERMERROR, why);
		return;
	}
	event_del(c->readable);
	c->query = resolver_query_new(
	    c->resolver, c->question.name, c->question.type, on_records, c);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct spf_check *c = arg;
	uint8_t frame[SPF_CHILD_FRAME_MAX];
	ssize_t n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT | MSG_TRUNC);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		finish_dead(c);
	else if ((size_t)n > sizeof(frame))
		finish_with(c, SPF_CRASHED, "the check babbles");
	else if (spf_pipe_read_result(&c->answer, frame, (size_t)n) == 0)
		finish(c);
	else if (spf_pipe_read_question(&c->question, frame, (size_t)n) == 0)
		take_question(c);
	else
		finish_with(c, SPF_CRASHED, "the check babbles");
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct spf_check *c = arg;

	(void)fd;
	(void)what;
	if (c->pid == 0)
		finish(c);
	else if (c->query != NULL)
		finish_with(c, SPF_TEMPERROR, "DNS did not answer in time");
	else
		finish_with(c, SPF_CRASHED, "the check took too long");
}

/* The child gets no signal mask, no descriptor but the pipe and no
 * environment: this is the only thing it inherits. */
static int
spawn(struct spf_check *c, const char *program, int theirs)
{
	char name[] = SPF_CHILD, *argv[] = { name, NULL }, *env[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(
	    &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, theirs, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO);
	error = posix_spawn(&c->pid, program, &actions, &attr, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	if (error != 0)
		c->pid = 0;
	return error;
}

static int
start_child(struct spf_check *c, const char *program)
{
	int fds[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return errno;
	error = spawn(c, program, fds[1]);
	close(fds[1]);
	if (error != 0) {
		close(fds[0]);
		return error;
	}
	c->fd = fds[0];
	c->readable = event_new(resolver_base(c->resolver), c->fd,
	    EV_READ | EV_PERSIST, on_readable, c);
	if (c->readable == NULL || event_add(c->readable, NULL) != 0 ||
	    fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0)
		abort();
	return 0;
}

/* A child that is dead already shows when the pipe is read. */
static void
send_request(struct spf_check *c, const struct spf_request *r)
{
	struct str frame = STR_INIT;

	spf_pipe_put_request(&frame, r);
	(void)send_frame(c, &frame);
	str_release(&frame);
}

static void
fail_to_start(struct spf_check *c, int error)
{
	char text[sizeof(c->answer.why)], why[128];

	snprintf(text, sizeof(text), "cannot start the check: %s",
	    strerror_r(error, why, sizeof(why)));
	set_answer(c, SPF_CRASHED, text);
	event_active(c->end, EV_TIMEOUT, 0);
}

struct spf_check *
spf_check_new_with(const char *program, struct resolver *resolver,
    const char *address, const char *helo, const char *mail_from,
    int64_t timeout, void (*done)(void *arg, const struct spf_answer *),
    void *arg)
{
	struct spf_check *c = xcalloc(1, sizeof(*c));
	int error;

	c->resolver = resolver;
	c->fd = -1;
	c->done = done;
	c->arg = arg;
	c->end = event_new(resolver_base(resolver), -1, 0, on_end, c);
	if (c->end == NULL)
		abort();
	event_add(c->end, &(struct timeval){ .tv_sec = timeout / 1000,
			      .tv_usec = timeout % 1000 * 1000 });
	error = start_child(c, program);
	if (error != 0)
		fail_to_start(c, error);
	else
		send_request(
		    c, &(struct spf_request){ address, helo, mail_from });
	return c;
}

struct spf_check *
spf_check_new(struct resolver *resolver, const char *address, const char *helo,
    const char *mail_from, int64_t timeout,
    void (*done)(void *arg, const struct spf_answer *), void *arg)
{
	return spf_check_new_with(SPF_PROGRAM, resolver, address, helo,
	    mail_from, timeout, done, arg);
}
