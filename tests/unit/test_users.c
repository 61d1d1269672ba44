/*
 * test_users.c - the users file and the thread that checks passwords.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ftw.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/log.h"
#include "mta/base/str.h"
#include "router/users.h"

static char folder[] = "/tmp/oiwake-users-XXXXXX";

static void
put(const char *name, mode_t mode, const char *text)
{
	FILE *fp = fopen(name, "w");

	assert_non_null(fp);
	fputs(text, fp);
	fclose(fp);
	assert_int_equal(chmod(name, mode), 0);
}

static int
set_up(void **state)
{
	(void)state;
	evthread_use_pthreads();
	log_set_level(LOG_ERROR + 1);
	return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
add_name(void *arg, const char *name, enum user_role role)
{
	str_addf(arg, "%s:%s ", name, user_role_name(role));
}

static void
file_is_edited(void **state)
{
	struct err e = ERR_INIT;
	struct str names = STR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(users_file_set("u", "bob", "first", ROLE_NONE, &e), 0);
	assert_int_equal(
	    users_file_set("u", "app@example.jp", "pass", ROLE_NONE, &e), 0);
	assert_int_equal(stat("u", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(users_file_verify("u", "bob", "first", &e), 1);
	assert_int_equal(
	    users_file_set("u", "bob", "second", ROLE_NONE, &e), 0);
	assert_int_equal(users_file_verify("u", "bob", "first", &e), 0);
	assert_int_equal(users_file_verify("u", "bob", "second", &e), 1);
	assert_int_equal(users_file_verify("u", "nobody", "second", &e), 0);
	assert_int_equal(users_file_each("u", add_name, &names, &e), 0);
	assert_string_equal(names.data, "app@example.jp:none bob:none ");
	str_release(&names);

	assert_int_equal(chmod("u", 0600), 0);
	assert_int_equal(users_file_remove("u", "app@example.jp", &e), 0);
	assert_int_equal(stat("u", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(users_file_remove("u", "app@example.jp", &e), -1);
	assert_string_equal(e.text, "no such user 'app@example.jp'");
	assert_int_equal(users_file_remove("u", "bob", &e), 0);
	assert_int_equal(users_file_check("u", &e), 0);
}

static void
roles_are_kept(void **state)
{
	struct err e = ERR_INIT;
	struct str names = STR_INIT;

	(void)state;
	assert_int_equal(users_file_set("r", "a", "x", ROLE_ADMIN, &e), 0);
	assert_int_equal(users_file_set("r", "b", "x", ROLE_NONE, &e), 0);
	assert_int_equal(users_file_set("r", "a", "y", ROLE_NONE, &e), 0);
	assert_int_equal(users_file_verify("r", "a", "y", &e), 1);
	assert_int_equal(users_file_set("r", "b", "x", ROLE_VIEW, &e), 0);
	assert_int_equal(users_file_each("r", add_name, &names, &e), 0);
	assert_string_equal(names.data, "a:admin b:view ");
	str_release(&names);
}

/* What the console holds against a session, each time. */
static void
users_are_looked_at(void **state)
{
	struct users_seen first, again;
	struct err e = ERR_INIT;
	struct users *users;

	(void)state;
	users = users_new("l");
	assert_false(users_look(users, "a", &first)); /* no file yet */
	assert_int_equal(users_file_set("l", "a", "x", ROLE_VIEW, &e), 0);
	assert_true(users_look(users, "a", &first));
	assert_false(users_look(users, "b", &again));
	assert_int_equal(first.role, ROLE_VIEW);
	assert_int_equal(users_file_set("l", "b", "x", ROLE_VIEW, &e), 0);
	assert_true(users_look(users, "a", &again));
	assert_memory_equal(first.stamp, again.stamp, USERS_STAMP);

	assert_int_equal(users_file_set("l", "a", "x", ROLE_NONE, &e), 0);
	assert_true(users_look(users, "a", &again)); /* another salt */
	assert_memory_not_equal(first.stamp, again.stamp, USERS_STAMP);
	first = again;
	assert_int_equal(users_file_set("l", "a", "x", ROLE_ADMIN, &e), 0);
	assert_true(users_look(users, "a", &again));
	assert_int_equal(again.role, ROLE_ADMIN);
	assert_memory_not_equal(first.stamp, again.stamp, USERS_STAMP);
	assert_int_equal(users_file_remove("l", "a", &e), 0);
	assert_false(users_look(users, "a", &again));
	assert_int_equal(chmod("l", 0644), 0);
	assert_false(users_look(users, "b", &again));
	assert_int_equal(chmod("l", 0600), 0);
	assert_true(users_look(users, "b", &again));
	users_free(&users);
}

static void
bad_names_and_passwords(void **state)
{
	static const char *const names[] = { "", "a b", "a:b", "a\n", "#a",
		"\033", "a\177" };
	struct err e = ERR_INIT;
	char longest[600];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(
		    users_file_set("n", names[i], "x", ROLE_NONE, &e), -1);
	assert_int_equal(users_file_set("n", "a", "", ROLE_NONE, &e), -1);
	memset(longest, 'x', sizeof(longest));
	longest[512] = '\0';
	assert_int_equal(users_file_set("n", "a", longest, ROLE_NONE, &e), -1);
	longest[511] = '\0';
	assert_int_equal(users_file_set("n", "a", longest, ROLE_NONE, &e), 0);
	assert_int_equal(users_file_verify("n", "a", longest, &e), 1);
	longest[510] = '\0';
	assert_int_equal(users_file_verify("n", "a", longest, &e), 0);
	longest[256] = '\0';
	assert_int_equal(users_file_set("n", longest, "x", ROLE_NONE, &e), -1);
}

static void
bad_files(void **state)
{
	static const struct {
		mode_t mode;
		const char *text, *why;
	} cases[] = {
		{ 0644, "",
		    "others have access to 'f' (mode 644, expected 600 "
		    "or 640)" },
		{ 0640, "# ok\n\na:$y$x\nb\n", "f:4: expected 'name:$y$...'" },
		{ 0640, "a:$6$abc\n", "f:1: expected 'name:$y$...'" },
		{ 0640, "a b:$y$x\n", "f:1: expected 'name:$y$...'" },
		{ 0640, "a:$y$x:view\nb:$y$x:king\n",
		    "f:2: a role is view, operate or admin" },
		{ 0640, "a:$y$x:\n", "f:1: a role is view, operate or admin" },
		{ 0640, "a:$y$x:view:\n",
		    "f:1: a role is view, operate or admin" },
		{ 0640, "b:$y$x\na:$y$x\nb:$y$z\n",
		    "f:3: user 'b' given twice" },
	};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("f", cases[i].mode, cases[i].text);
		assert_int_equal(users_file_check("f", &e), -1);
		assert_string_equal(e.text, cases[i].why);
	}
	assert_int_equal(users_file_check("none", &e), -1);
	assert_string_equal(
	    e.text, "cannot open 'none': No such file or directory");
	assert_int_equal(users_file_check(".", &e), -1);
}

/* -- the checking thread
 * ------------------------------------------------------------- */

struct crowd {
	struct event_base *base;
	struct inbox *inbox;
	struct users *users;
	int waiting, ok, denied, unavailable;
};

struct one {
	struct users_check check;
	struct crowd *crowd;
};

static void
on_done(struct users_check *c)
{
	struct one *one = container_of(c, struct one, check);
	struct crowd *crowd = one->crowd;

	for (size_t i = 0; i < sizeof(c->password); i++)
		assert_int_equal(c->password[i], 0);
	crowd->ok += c->result == USERS_OK;
	crowd->denied += c->result == USERS_DENIED;
	crowd->unavailable += c->result == USERS_UNAVAILABLE;
	if (--crowd->waiting == 0)
		event_base_loopbreak(crowd->base);
	free(one);
}

static void
ask(struct crowd *crowd, const char *name, const char *password)
{
	struct one *one = xcalloc(1, sizeof(*one));

	one->crowd = crowd;
	one->check.reply_to = crowd->inbox;
	one->check.done = on_done;
	snprintf(one->check.name, sizeof(one->check.name), "%s", name);
	snprintf(
	    one->check.password, sizeof(one->check.password), "%s", password);
	crowd->waiting++;
	users_check(crowd->users, &one->check);
}

static void
answers(struct crowd *crowd, int ok, int denied, int unavailable)
{
	event_base_loop(crowd->base, EVLOOP_NO_EXIT_ON_EMPTY);
	assert_int_equal(crowd->ok, ok);
	assert_int_equal(crowd->denied, denied);
	assert_int_equal(crowd->unavailable, unavailable);
	crowd->ok = crowd->denied = crowd->unavailable = 0;
}

static void
thread_checks(void **state)
{
	struct crowd crowd = { .base = event_base_new() };
	struct err e = ERR_INIT;

	(void)state;
	crowd.inbox = inbox_new(crowd.base);
	crowd.users = users_new("t");
	ask(&crowd, "a", "x");
	answers(&crowd, 0, 0, 1); /* no file yet */

	assert_int_equal(users_file_set("t", "a", "secret", ROLE_NONE, &e), 0);
	ask(&crowd, "a", "secret");
	ask(&crowd, "a", "Secret");
	ask(&crowd, "a", "");
	ask(&crowd, "b", "secret");
	ask(&crowd, "b", "no one has this password");
	answers(&crowd, 1, 4, 0);

	/* Read again once it has changed. */
	assert_int_equal(users_file_set("t", "a", "other", ROLE_NONE, &e), 0);
	ask(&crowd, "a", "secret");
	ask(&crowd, "a", "other");
	answers(&crowd, 1, 1, 0);
	put("t", 0644, "");
	ask(&crowd, "a", "other");
	answers(&crowd, 0, 0, 1);
	users_free(&crowd.users);
	assert_null(crowd.users);
	inbox_free(&crowd.inbox);
	event_base_free(crowd.base);
}

static void
crowd_is_bounded(void **state)
{
	struct crowd crowd = { .base = event_base_new() };
	struct users_seen seen;
	struct err e = ERR_INIT;
	int n = 200;

	(void)state;
	assert_int_equal(users_file_set("c", "a", "secret", ROLE_NONE, &e), 0);
	crowd.inbox = inbox_new(crowd.base);
	crowd.users = users_new("c");
	for (int i = 0; i < n; i++) {
		ask(&crowd, "a", "secret");
		/* Nobody who looks waits for those who are checked. */
		assert_true(users_look(crowd.users, "a", &seen));
	}
	event_base_loop(crowd.base, EVLOOP_NO_EXIT_ON_EMPTY);
	assert_int_equal(crowd.ok + crowd.unavailable, n);
	/* 64 wait; some more may be checked while we are still asking. */
	assert_true(crowd.ok >= 64 && crowd.unavailable > 0);
	users_free(&crowd.users);
	inbox_free(&crowd.inbox);
	event_base_free(crowd.base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_is_edited),
		cmocka_unit_test(roles_are_kept),
		cmocka_unit_test(users_are_looked_at),
		cmocka_unit_test(bad_names_and_passwords),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(thread_checks),
		cmocka_unit_test(crowd_is_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
