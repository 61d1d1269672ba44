/*
 * test_store_kept.c - what the store keeps under a kind and a key: pauses,
 * warm-ups, policies.
 */
#include "tests/unit/store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define EVER INT64_C(0)

/* -- asking -------------------------------------------------------------- */

static enum store_status
keep_all(const struct kept *kept, size_t n)
{
	struct store_keep r = { .n = n, .kept = kept };

	prepare_request(&r.req);
	store_keep(the->store, &r);
	await(1);
	return r.req.status;
}

static void
keep(const char *kind, const char *key, const char *value, int64_t expires)
{
	const struct kept k = { kind, key, value, expires };

	assert_int_equal(keep_all(&k, 1), STORE_OK);
}

/* "key=value@expires " each, in the order given. */
struct listing {
	struct store_query query;
	const char *kind, *key;
	size_t n;
	struct str text;
};

static void
see_kept(void *arg, const struct kept *k)
{
	struct listing *l = arg;

	assert_string_equal(k->kind, l->kind);
	str_addf(
	    &l->text, "%s=%s@%lld ", k->key, k->value, (long long)k->expires);
	l->n++;
}

static void
read_listing(struct store_query *q, struct store_reader *r)
{
	struct listing *l = container_of(q, struct listing, query);
	size_t n = store_read_kept(r, l->kind, l->key, see_kept, l);

	assert_int_equal(n, l->n);
}

static void
assert_reads(const char *kind, const char *key, const char *expected)
{
	struct listing l = { .query = { .reply_to = the->inbox,
				 .run = read_listing,
				 .done = on_query_answer },
		.kind = kind,
		.key = key };

	str_init(&l.text);
	store_query(the->store, &l.query);
	await(1);
	assert_string_equal(l.text.data, expected);
	str_release(&l.text);
}

/* As the next process finds it. */
static void
assert_finds(const char *kind, const char *expected)
{
	struct listing l = { .kind = kind };
	struct err e = ERR_INIT;

	str_init(&l.text);
	if (fixture_reopen(&e) < 0)
		fail_msg("%s", e.text);
	store_each_kept(the->store, kind, see_kept, &l);
	assert_string_equal(l.text.data, expected);
	str_release(&l.text);
}

static int64_t
rows(void)
{
	return fixture_sql("SELECT count(*) FROM kept");
}

/* -- tests --------------------------------------------------------------- */

static void
nothing_is_kept_at_first(void **state)
{
	(void)state;
	assert_reads("pause", NULL, "");
	assert_reads("pause", "a", "");
	assert_finds("pause", "");
}

static void
what_is_kept_outlives_the_process(void **state)
{
	(void)state;
	keep("pause", "path mta", "until \xe6\x98\x8e\xe6\x97\xa5\n'--", EVER);
	assert_finds(
	    "pause", "path mta=until \xe6\x98\x8e\xe6\x97\xa5\n'--@0 ");
	assert_reads("pause", "path mta",
	    "path mta=until \xe6\x98\x8e\xe6\x97\xa5\n'--@0 ");
}

static void
the_last_word_counts(void **state)
{
	const struct kept three[] = { { "w", "k", "2", EVER },
		{ "w", "k", NULL, EVER }, { "w", "k", "3", EVER } };

	(void)state;
	keep("w", "k", "a long value that was there first", EVER);
	keep("w", "k", "1", INT64_MAX);
	assert_reads("w", "k", "k=1@9223372036854775807 ");
	assert_int_equal(keep_all(three, 3), STORE_OK);
	assert_finds("w", "k=3@0 ");
	assert_int_equal(keep_all(NULL, 0), STORE_OK);
}

static void
what_is_forgotten_is_gone(void **state)
{
	(void)state;
	keep("w", "k", "1", EVER);
	keep("w", "l", "", EVER);
	keep("w", "k", NULL, EVER);
	keep("w", "never there", NULL, EVER);
	assert_reads("w", NULL, "l=@0 ");
	assert_finds("w", "l=@0 ");
	keep("w", "l", NULL, EVER);
	assert_finds("w", "");
}

static void
kinds_do_not_meet(void **state)
{
	(void)state;
	keep("a", "k", "1", EVER);
	keep("b", "k", "2", EVER);
	keep("a", "k", NULL, EVER);
	assert_reads("a", NULL, "");
	assert_reads("b", NULL, "k=2@0 ");
	assert_reads("", NULL, "");
}

static void
keys_come_in_the_order_of_their_bytes(void **state)
{
	static const char *const key[] = { "b", "\xe3\x81\x82", "B", "a b", "",
		"a" };

	(void)state;
	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		keep("w", key[i], "", EVER);
	assert_reads("w", NULL, "=@0 B=@0 a=@0 a b=@0 b=@0 \xe3\x81\x82=@0 ");
	assert_finds("w", "=@0 B=@0 a=@0 a b=@0 b=@0 \xe3\x81\x82=@0 ");
}

static void
what_has_expired_is_not_found_and_then_removed(void **state)
{
	int64_t later = clock_wall() + 3600000;
	char expected[80];

	(void)state;
	keep("w", "forever", "1", EVER);
	keep("w", "later", "1", later);
	keep("w", "long ago", "1", 1);
	keep("w", "past", "1", clock_wall());
	snprintf(expected, sizeof(expected), "forever=1@0 later=1@%lld ",
	    (long long)later);
	assert_reads("w", NULL, expected);
	assert_reads("w", "past", "");
	assert_finds("w", expected);
	/* The committer removes them as soon as it is there. */
	while (rows() != 2)
		usleep(1000);
	assert_finds("w", expected);
}

static void
many_that_have_expired_go_in_slices(void **state)
{
	enum { MANY = 1300 };
	struct kept *kept = xcalloc(MANY, sizeof(*kept));
	char(*key)[16] = xcalloc(MANY, sizeof(*key));

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		snprintf(key[i], sizeof(key[i]), "%zu", i);
		kept[i] = (struct kept){ "w", key[i], "", i > 0 };
	}
	assert_int_equal(keep_all(kept, MANY), STORE_OK);
	assert_reads("w", NULL, "0=@0 ");
	assert_int_equal(fixture_reopen(NULL), 0);
	while (rows() != 1)
		usleep(1000);
	assert_reads("w", NULL, "0=@0 ");
	free(key);
	free(kept);
}

/* -- kill -9 ------------------------------------------------------------- */

struct told {
	int64_t asked, answered;
};

/* The child's: the same number under two keys, then the next. */
static void
keep_counting(int fd, int64_t from)
{
	struct told t = { from, from };

	if (fixture_reopen(NULL) < 0)
		_exit(1);
	for (;;) {
		char value[24];
		struct kept two[] = { { "n", "a", value, EVER },
			{ "n", "b", value, EVER } };

		snprintf(value, sizeof(value), "%lld", (long long)++t.asked);
		if (write(fd, &t, sizeof(t)) != sizeof(t) ||
		    keep_all(two, 2) != STORE_OK)
			_exit(1);
		t.answered = t.asked;
		if (write(fd, &t, sizeof(t)) != sizeof(t))
			_exit(1);
	}
}

/* Kills it after it has told so many things. */
static struct told
count_until_killed(int64_t from, unsigned things)
{
	struct told t = { from, from };
	int fd[2], status;
	pid_t pid;

	store_close(&the->store);
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fd[0]);
		keep_counting(fd[1], from);
	}
	close(fd[1]);
	while (things-- > 0)
		assert_int_equal(read(fd[0], &t, sizeof(t)), sizeof(t));
	kill(pid, SIGKILL);
	while (read(fd[0], &t, sizeof(t)) == sizeof(t))
		;
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return t;
}

static void
see_number(void *arg, const struct kept *k)
{
	int64_t *n = arg;

	n[k->key[0] - 'a'] = atoll(k->value);
}

static void
what_was_answered_survives_kill_9(void **state)
{
	int64_t n[2] = { 0, 0 };
	struct err e = ERR_INIT;

	(void)state;
	for (unsigned i = 0; i < 15; i++) {
		struct told t = count_until_killed(n[0], 1 + i * 7 % 20);

		if (fixture_reopen(&e) < 0)
			fail_msg("%s", e.text);
		store_each_kept(the->store, "n", see_number, n);
		assert_int_equal(n[0], n[1]);
		assert_in_range(n[0], t.answered, t.asked);
	}
	assert_true(n[0] > 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_is_kept_at_first),
		T(what_is_kept_outlives_the_process),
		T(the_last_word_counts),
		T(what_is_forgotten_is_gone),
		T(kinds_do_not_meet),
		T(keys_come_in_the_order_of_their_bytes),
		T(what_has_expired_is_not_found_and_then_removed),
		T(many_that_have_expired_go_in_slices),
		T(what_was_answered_survives_kill_9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
