/*
 * test_rules_change.c - several files of rules that are replaced together: what
 * is left when it goes wrong, or is killed, at each step.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "router/rules_change.h"
#include "router/rules_files.h"

static char folder[] = "/tmp/oiwake-change-XXXXXX";
#define JOURNAL "state/rules.change"

/* -- a rename that ends the process, or fails, in the place of the real one
 * ------------ */

static int renames;	 /* so far */
static int kill_at = -1; /* before this one */
static int fail_at = -1;

int
rename(const char *from, const char *to)
{
	int n = renames++;

	if (n == kill_at)
		_exit(9);
	if (n == fail_at) {
		errno = EIO;
		return -1;
	}
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* -- files
 * ----------------------------------------------------------------------- */

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
assert_text(const char *name, const char *want)
{
	struct err e = ERR_INIT;
	size_t len = 0;
	char *text = rules_file_read(name, &len, &e);

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static void
assert_nothing_left(void)
{
	assert_int_equal(access(JOURNAL, F_OK), -1);
	assert_int_equal(access(".a.oiwake-new", F_OK), -1);
	assert_int_equal(access("in/.b.oiwake-new", F_OK), -1);
}

static int
start(void **state)
{
	(void)state;
	renames = 0;
	kill_at = fail_at = -1;
	put("a", "old a\n");
	put("in/b", "old b\n");
	unlink("link");
	assert_int_equal(symlink("in/b", "link"), 0);
	unlink(JOURNAL);
	return 0;
}

/* Both files get new texts, the second one through its link. */
static int
change_both(bool undo, struct err *e)
{
	struct rules_change *c = rules_change_new(JOURNAL);
	int rc = rules_change_add(c, "a", "new a\n", 6, e);

	if (rc == 0)
		rc = rules_change_add(c, "link", "new b\n", 6, e);
	if (rc == 0)
		rc = rules_change_make(c, e);
	if (rc == 0 && undo)
		rc = rules_change_undo(c, e);
	rules_change_free(&c);
	return rc;
}

/* -- what should be
 * -------------------------------------------------------------- */

static void
both_change(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(chmod("a", 0604), 0);
	assert_int_equal(change_both(false, &e), 0);
	assert_text("a", "new a\n");
	assert_text("in/b", "new b\n");
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0604);
	assert_nothing_left();
}

static void
both_go_back(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(change_both(true, &e), 0);
	assert_text("a", "old a\n");
	assert_text("in/b", "old b\n");
	assert_nothing_left();
}

static void
a_new_file_goes_away_again(void **state)
{
	struct rules_change *c = rules_change_new(NULL);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(rules_change_add(c, "in/new", "x\n", 2, &e), 0);
	assert_int_equal(access("in/new", F_OK), -1);
	assert_int_equal(rules_change_make(c, &e), 0);
	assert_text("in/new", "x\n");
	assert_int_equal(rules_change_undo(c, &e), 0);
	assert_int_equal(access("in/new", F_OK), -1);
	rules_change_free(&c);
}

static void
what_is_not_made_is_removed(void **state)
{
	struct rules_change *c = rules_change_new(JOURNAL);
	struct err e = ERR_INIT;

	(void)state;
	put(".a.oiwake-new", "of a process that was killed");
	assert_int_equal(rules_change_add(c, "a", "new a\n", 6, &e), 0);
	assert_text(".a.oiwake-new", "new a\n");
	assert_text("a", "old a\n");
	rules_change_free(&c);
	assert_nothing_left();
}

/* -- what goes wrong
 * ------------------------------------------------------------- */

static void
no_file_that_can_be_replaced(void **state)
{
	static const char *const bad[] = { "in", "nowhere/x", "a/b", "fifo",
		"loop" };
	struct rules_change *c = rules_change_new(JOURNAL);

	(void)state;
	unlink("fifo");
	unlink("loop");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(rules_change_add(c, bad[i], "x\n", 2, &e), -1);
		assert_non_null(strstr(e.text, "cannot"));
	}
	rules_change_free(&c);
	unlink("fifo");
	unlink("loop");
	assert_nothing_left();
}

static void
one_file_by_two_names(void **state)
{
	struct rules_change *c = rules_change_new(JOURNAL);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(rules_change_add(c, "link", "x\n", 2, &e), 0);
	assert_int_equal(rules_change_add(c, "in/b", "y\n", 2, &e), -1);
	assert_non_null(strstr(e.text, "another name"));
	rules_change_free(&c);
	assert_text("in/b", "old b\n");
}

/* Each rename in turn: the journal three times, a, b. */
static void
a_rename_that_fails_changes_nothing(void **state)
{
	for (int n = 0; n < 5; n++) {
		struct err e = ERR_INIT;

		start(state);
		fail_at = n;
		assert_int_equal(change_both(false, &e), -1);
		assert_non_null(strstr(e.text, "cannot write"));
		assert_text("a", "old a\n");
		assert_text("in/b", "old b\n");
		assert_nothing_left();
	}
}

/* -- kills
 * ----------------------------------------------------------------------- */

/* True: the process was killed before that rename. */
static bool
is_killed(int n, bool undo)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct err e = ERR_INIT;

		renames = 0;
		kill_at = n;
		_exit(change_both(undo, &e) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
	return WEXITSTATUS(status) == 9;
}

static bool
is_new(const char *name)
{
	struct err e = ERR_INIT;
	size_t len = 0;
	char *text = rules_file_read(name, &len, &e);
	bool new = text != NULL &&strncmp(text, "new", 3) == 0;

	free(text);
	return new;
}

/* Both old or both new once the next start has looked. */
static void
kill_everywhere(void **state, bool undo)
{
	bool more = true;
	int ended = 0;

	for (int n = 0; more; n++) {
		struct str report = STR_INIT;

		start(state);
		more = is_killed(n, undo);
		rules_change_recover(JOURNAL, &report);
		assert_int_equal(is_new("a"), is_new("in/b"));
		assert_nothing_left();
		ended += report.len > 0;
		str_release(&report);
		assert_true(n < 20);
	}
	assert_true(ended >= (undo ? 6 : 3));
}

static void
killed_in_a_change(void **state)
{
	kill_everywhere(state, false);
}

static void
killed_while_it_is_undone(void **state)
{
	kill_everywhere(state, true);
}

static void
an_edit_since_stays(void **state)
{
	struct str report = STR_INIT;

	start(state);
	assert_true(is_killed(3, false)); /* before the first file */
	put("in/b", "by hand\n");
	rules_change_recover(JOURNAL, &report);
	assert_text("a", "new a\n");
	assert_text("in/b", "by hand\n");
	assert_non_null(strstr(report.data, "has been edited since"));
	assert_nothing_left();
	str_release(&report);
}

static void
a_journal_that_is_none(void **state)
{
	static const char *const texts[] = {
		"", "x", "[]", "{}", "null", "{\"ready\":true,\"files\":7}",
		"{\"ready\":true,\"files\":[{},{\"name\":1,\"new\":2}]}",
		"{\"ready\":true,\"files\":[{\"name\":\"no\",\"new\":\"no\"}]}"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct str report = STR_INIT;

		put(JOURNAL, texts[i]);
		rules_change_recover(JOURNAL, &report);
		assert_true(report.len > 0);
		assert_nothing_left();
		str_release(&report);
	}
	assert_text("a", "old a\n");
}

/* -- the whole
 * ------------------------------------------------------------------- */

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL && chdir(folder) == 0 &&
		       mkdir("in", 0700) == 0 && mkdir("state", 0700) == 0
		   ? 0
		   : -1;
}

static int
remove_one(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(name);
}

static int
tear_down(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define T(f) cmocka_unit_test_setup(f, start)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(both_change),
		T(both_go_back),
		T(a_new_file_goes_away_again),
		T(what_is_not_made_is_removed),
		T(no_file_that_can_be_replaced),
		T(one_file_by_two_names),
		T(a_rename_that_fails_changes_nothing),
		T(killed_in_a_change),
		T(killed_while_it_is_undone),
		T(an_edit_since_stays),
		T(a_journal_that_is_none),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
