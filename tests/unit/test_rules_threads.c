/*
 * test_rules_threads.c - many threads ask while the set is swapped under them
 * and threads come and go; meant for ThreadSanitizer.
 */
#include "tests/unit/rules_help.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define THREADS 8
#define SWAPS	40
#define ROUNDS	3

/* The set in force, as the router keeps one: a reference is taken under a lock,
 * and all else is done without. */
static struct {
	pthread_mutex_t lock;
	struct ruleset *rs;
	atomic_bool stop;
	atomic_uint wrong, asked;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct ruleset *
take(void)
{
	struct ruleset *rs;

	pthread_mutex_lock(&shared.lock);
	rs = ruleset_ref(shared.rs);
	pthread_mutex_unlock(&shared.lock);
	return rs;
}

static void
put(struct ruleset *rs)
{
	struct ruleset *old;

	pthread_mutex_lock(&shared.lock);
	old = shared.rs;
	shared.rs = rs;
	pthread_mutex_unlock(&shared.lock);
	ruleset_unref(old);
}

/* As many seconds of rest as the set's number says, and one. */
static void
ask_for_reply(const struct ruleset *rs, const char *number)
{
	static const struct rules_reply_query q = {
		.group = "docomo",
		.stage = RULES_STAGE_DOT,
		.code = 550,
		.text = "\xff unknown aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
	};
	const struct rules_reply *r = ruleset_reply(rs, &q);

	shared.wrong += r == NULL || r->pause != strtoul(number, NULL, 10) + 1;
}

/* Each set sends by one path, whatever its rules: it must not be mixed. */
static void
ask(const struct ruleset *rs)
{
	static const struct rules_query queries[] = {
		{ .to_local = "taro", .to_domain = "docomo.ne.jp" },
		{ .to_local = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
		    .to_domain = "x.jp" },
		{ .to_local = "qa12", .to_domain = "a.example.jp" },
		{ .to_local = "x", .to_domain = "y.jp", .user = "web" },
	};
	const struct rule *const *rules;
	struct rules_decision d;

	ruleset_rules(rs, &rules);
	for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
		ruleset_decide(rs, &queries[i], &d);
		shared.wrong += strcmp(d.path, rules[0]->name) != 0;
		ruleset_decide_early(rs, &queries[i], &d);
	}
	ask_for_reply(rs, rules[0]->name + 1);
}

static void *
ask_on(void *arg)
{
	(void)arg;
	while (!shared.stop) {
		struct ruleset *rs = take();

		ask(rs);
		ruleset_unref(rs);
		shared.asked++;
	}
	return NULL;
}

static struct ruleset *
make(int number)
{
	struct ruleset *rs;
	char *text;

	assert_true(asprintf(&text,
			"carrier docomo docomo.ne.jp\n"
			"route p%d to carrier docomo tag k=v via p%d\n"
			"route slow to /^(a+)+$/ via p%d\n"
			"route qa to /^qa[0-9]+@/ /(*NO_JIT)^(b+)+$/ via p%d\n"
			"route web user * via p%d\n"
			"route rest any via p%d\n"
			"reply docomo dot 550 /unknown/ retry onhold "
			"pause lane %ds\n"
			"reply docomo dot 550 /^.*(a+)+$/ bounce rejected\n",
			number, number, number, number, number, number,
			number + 1) > 0);
	rs = parse(text);
	free(text);
	return rs;
}

/* New threads in each round, so that what ended ones had is had again. */
static void
sets_are_swapped_under_threads(void **state)
{
	pthread_t thread[THREADS];
	int number = 0;
	unsigned seen;

	(void)state;
	shared.rs = make(number++);
	for (int round = 0; round < ROUNDS; round++) {
		shared.stop = false;
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(
			    pthread_create(&thread[i], NULL, ask_on, NULL), 0);
		for (int i = 0; i < SWAPS; i++) {
			seen = shared.asked;
			put(make(number++));
			while (shared.asked == seen)
				sched_yield();
		}
		shared.stop = true;
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(thread[i], NULL), 0);
	}
	put(NULL);
	assert_int_equal(shared.wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_swapped_under_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
