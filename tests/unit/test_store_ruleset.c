/*
 * test_store_ruleset.c - the store remembers which rules were in force, and
 * their text.
 */
#include "tests/unit/store_fixture.h"

#include "rules/rules.h"

#define AT INT64_C(1767225600000)

#define TEXT(t) (t), sizeof(t) - 1

static const struct rules_file one[] = {
	{ "main.rules", TEXT("route a to any via ses\n") },
};
static const struct rules_file two[] = {
	{ "main.rules", TEXT("include \"b.rules\"\n") },
	{ "b.rules", TEXT("# \xe3\x83\x89\n'; DROP TABLE ruleset; --\n") },
	{ "empty.rules", TEXT("") },
};

/* -- asking -------------------------------------------------------------- */

static void
prepare_ruleset(struct store_ruleset *r, int64_t at, const char *version,
    const struct rules_file *file, size_t n)
{
	*r = (struct store_ruleset){ .at = at,
		.who = "root by reload",
		.version = version,
		.n = n,
		.file = file };
	prepare_request(&r->req);
}

static enum store_status
apply(int64_t at, const char *version, const struct rules_file *file, size_t n)
{
	struct store_ruleset r;

	prepare_ruleset(&r, at, version, file, n);
	store_ruleset(the->store, &r);
	await(1);
	if (r.req.status != STORE_OK)
		assert_string_not_equal(r.req.err.text, "");
	return r.req.status;
}

struct history {
	struct store_query query;
	int64_t number;
	size_t limit, n, nfiles;
	struct {
		int64_t number, at;
		char version[16], who[32];
		size_t files, bytes;
	} row[64];
	struct rules_file file[8]; /* of the first row; own copies */
};

static void
see_ruleset(void *arg, const struct ruleset_row *row)
{
	struct history *h = arg;
	size_t i = h->n++;

	assert_true(i < 64);
	h->row[i].number = row->number;
	h->row[i].at = row->at;
	h->row[i].files = row->files;
	h->row[i].bytes = row->bytes;
	copy(h->row[i].version, sizeof(h->row[i].version), row->version);
	copy(h->row[i].who, sizeof(h->row[i].who), row->who);
}

static void
see_file(void *arg, const struct rules_file *f)
{
	struct history *h = arg;

	assert_true(h->nfiles < 8);
	assert_int_equal(f->text[f->len], '\0');
	h->file[h->nfiles++] = (struct rules_file){ xstrdup(f->name),
		xstrndup(f->text, f->len), f->len };
}

static void
read_history(struct store_query *q, struct store_reader *r)
{
	struct history *h = container_of(q, struct history, query);
	size_t n = store_read_rulesets(r, h->number, h->limit, see_ruleset, h);

	assert_int_equal(n, h->n);
	n = store_read_ruleset_files(
	    r, h->n > 0 ? h->row[0].number : h->number, see_file, h);
	assert_int_equal(n, h->nfiles);
}

static struct history *
history(int64_t number, size_t limit)
{
	struct history *h = xcalloc(1, sizeof(*h));

	h->number = number;
	h->limit = limit;
	h->query.reply_to = the->inbox;
	h->query.run = read_history;
	h->query.done = on_query_answer;
	store_query(the->store, &h->query);
	await(1);
	return h;
}

static void
free_history(struct history *h)
{
	for (size_t i = 0; i < h->nfiles; i++) {
		free((void *)(uintptr_t)h->file[i].name);
		free((void *)(uintptr_t)h->file[i].text);
	}
	free(h);
}

static void
assert_files(
    const struct history *h, const struct rules_file *expected, size_t n)
{
	assert_int_equal(h->nfiles, n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(h->file[i].name, expected[i].name);
		assert_int_equal(h->file[i].len, expected[i].len);
		assert_memory_equal(
		    h->file[i].text, expected[i].text, expected[i].len + 1);
	}
}

/* The versions that were put in force, newest first. */
static void
assert_versions(const char *const *version, size_t n)
{
	struct history *h = history(0, 64);

	assert_int_equal(h->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(h->row[i].version, version[i]);
		assert_int_equal(h->row[i].number, n - i);
	}
	free_history(h);
}

static int64_t
count_texts(void)
{
	return fixture_sql("SELECT count(*) FROM rules_file");
}

/* -- tests --------------------------------------------------------------- */

static void
a_rule_set_comes_back_whole(void **state)
{
	struct history *h;

	(void)state;
	assert_int_equal(apply(AT, "v1", two, 3), STORE_OK);
	assert_int_equal(fixture_reopen(NULL), 0);
	h = history(0, 10);
	assert_int_equal(h->n, 1);
	assert_int_equal(h->row[0].number, 1);
	assert_int_equal(h->row[0].at, AT);
	assert_string_equal(h->row[0].version, "v1");
	assert_string_equal(h->row[0].who, "root by reload");
	assert_int_equal(h->row[0].files, 3);
	assert_int_equal(h->row[0].bytes, two[0].len + two[1].len);
	assert_files(h, two, 3);
	free_history(h);
}

static void
a_store_without_rules_has_no_history(void **state)
{
	struct history *h = history(0, 10);

	(void)state;
	assert_int_equal(h->n, 0);
	assert_int_equal(h->nfiles, 0);
	free_history(h);
}

static void
only_a_change_is_remembered(void **state)
{
	static const char *const expected[] = { "v1", "v2", "v1" };

	(void)state;
	assert_int_equal(apply(AT, "v1", one, 1), STORE_OK);
	assert_int_equal(apply(AT + 1, "v1", one, 1), STORE_OK);
	assert_versions(expected, 1);
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_int_equal(apply(AT + 2, "v1", one, 1), STORE_OK);
	assert_versions(expected, 1);
	assert_int_equal(apply(AT + 3, "v2", two, 3), STORE_OK);
	assert_int_equal(apply(AT + 4, "v1", one, 1), STORE_OK);
	assert_versions(expected, 3);
	/* The text of v1 is there once. */
	assert_int_equal(count_texts(), 1 + 3);
}

static void
one_is_found_by_its_number(void **state)
{
	struct history *h;

	(void)state;
	assert_int_equal(apply(AT, "v1", one, 1), STORE_OK);
	assert_int_equal(apply(AT + 1, "v2", two, 3), STORE_OK);
	assert_int_equal(apply(AT + 2, "v3", one, 1), STORE_OK);
	h = history(2, 10);
	assert_int_equal(h->n, 1);
	assert_string_equal(h->row[0].version, "v2");
	assert_files(h, two, 3);
	free_history(h);
	h = history(0, 2);
	assert_int_equal(h->n, 2);
	assert_int_equal(h->row[0].number, 3);
	assert_int_equal(h->row[1].number, 2);
	free_history(h);
	for (int64_t none = 4; none >= -1; none -= 5) {
		h = history(none, 10);
		assert_int_equal(h->n, 0);
		assert_int_equal(h->nfiles, 0);
		free_history(h);
	}
}

static void
one_group_may_hold_several(void **state)
{
	static const char *const version[] = { "v1", "v1", "v2", "v1" };
	static const char *const expected[] = { "v1", "v2", "v1" };
	struct store_enqueue *mail = new_message(1, AT, 100);
	struct store_ruleset r[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		prepare_ruleset(&r[i], AT, version[i], one, 1);
		store_ruleset(the->store, &r[i]);
	}
	store_enqueue(the->store, mail);
	await(5);
	assert_int_equal(mail->req.status, STORE_OK);
	free_message(mail);
	assert_versions(expected, 3);
}

/* As large as a rule set may be. */
static void
sixty_four_megabytes_are_kept(void **state)
{
	struct rules_file file[4];
	char *text = xmalloc(RULES_FILE_MAX + 1);
	struct history *h;

	(void)state;
	fixture_take_time();
	memset(text, '#', RULES_FILE_MAX);
	text[RULES_FILE_MAX] = '\0';
	for (size_t i = 0; i < 4; i++)
		file[i] =
		    (struct rules_file){ "large.rules", text, RULES_FILE_MAX };
	assert_int_equal(apply(AT, "v1", file, 4), STORE_OK);
	h = history(1, 1);
	assert_int_equal(h->row[0].bytes, RULES_TOTAL_MAX);
	assert_files(h, file, 4);
	free_history(h);
	free(text);
	put(1, AT, false);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_rule_set_comes_back_whole),
		T(a_store_without_rules_has_no_history),
		T(only_a_change_is_remembered),
		T(one_is_found_by_its_number),
		T(one_group_may_hold_several),
		T(sixty_four_megabytes_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
