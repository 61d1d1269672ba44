/*
 * test_store_trouble.c - the store when its files, its disk or its system fail
 * it. SQLite alone: a database has trouble of its own
 * (tests/e2e/test_store_postgres.py).
 */
#include "tests/unit/feedback_fixture.h"

#include "rules/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#define DUE INT64_C(1767225600000)

/* -- files that are not a store ------------------------------------------ */

static void
write_file(const char *name, const void *data, size_t len, off_t at)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", the->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), len);
	close(fd);
}

static void
sql(const char *text)
{
	char path[200];
	sqlite3 *db;

	store_close(&the->store);
	snprintf(path, sizeof(path), "%s/oiwake.db", the->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
assert_refused(const char *format)
{
	char file[200], expected[512];
	struct err e = ERR_INIT;

	snprintf(file, sizeof(file), "%s/oiwake.db", the->dir);
	snprintf(expected, sizeof(expected), "store '%s' %s", file, format);
	assert_int_equal(fixture_reopen(&e), -1);
	assert_int_equal(strncmp(e.text, expected, strlen(expected)), 0);
	assert_null(strchr(e.text, '\n'));
}

static void
a_newer_schema_is_refused(void **state)
{
	(void)state;
	sql("PRAGMA user_version = 8");
	assert_refused("has schema 8, this program knows up to 7");
}

static void
another_programs_database_is_refused(void **state)
{
	(void)state;
	sql("PRAGMA application_id = 5");
	assert_refused("is a database of another program");
}

static void
a_store_without_its_tables_is_refused(void **state)
{
	(void)state;
	sql("DROP TABLE event");
	assert_refused("is damaged: no such table: event");
}

static void
garbage_is_refused(void **state)
{
	static char garbage[40000];

	(void)state;
	store_close(&the->store);
	memset(garbage, 'g', sizeof(garbage));
	write_file("oiwake.db", garbage, sizeof(garbage), 0);
	assert_refused("is not a database");
}

static void
a_damaged_page_is_refused(void **state)
{
	static char garbage[4096 * 6];

	(void)state;
	for (int i = 0; i < 30; i++)
		put(1, DUE, false);
	store_close(&the->store);
	memset(garbage, 0xa5, sizeof(garbage));
	write_file("oiwake.db", garbage, sizeof(garbage), 4096 * 8);
	assert_refused("is corrupt: ");
}

static void
an_empty_file_is_a_new_store(void **state)
{
	struct err e = ERR_INIT;
	char path[200];

	(void)state;
	store_close(&the->store);
	snprintf(path, sizeof(path), "%s/oiwake.db", the->dir);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(fixture_reopen(&e), 0);
	put(1, DUE, false);
}

static void
a_store_is_private(void **state)
{
	static const char *const name[] = { "oiwake.db", "oiwake.db-wal",
		"lock" };
	char path[200];
	struct stat st;

	(void)state;
	put(1, DUE, false);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", the->dir, name[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void
a_second_process_is_refused(void **state)
{
	struct store_recovery recovery;
	struct err e = ERR_INIT;
	char expected[200];

	(void)state;
	assert_null(store_open(&the->config, &recovery, &e));
	snprintf(expected, sizeof(expected),
	    "store '%s' is locked by another process", the->dir);
	assert_string_equal(e.text, expected);
	put(1, DUE, false);
}

static void
a_missing_directory_is_refused(void **state)
{
	struct store_config config = { .directory = "/nonexistent/store" };
	struct store_recovery recovery;
	struct err e = ERR_INIT;

	(void)state;
	assert_null(store_open(&config, &recovery, &e));
	assert_int_equal(e.code, ENOENT);
}

/* -- a disk that fails: SQLite's own files behind a shim ------------------ */

static atomic_int fail_sync,
    fail_write; /* SQLITE_IOERR_FSYNC, SQLITE_FULL or 0 */

static sqlite3_vfs shim_vfs;

/* The methods of a kind of file, and a copy with two of them replaced. */
struct methods {
	sqlite3_io_methods own;
	const sqlite3_io_methods *real;
};

static const sqlite3_io_methods *
real_of(sqlite3_file *f)
{
	return ((const struct methods *)(const void *)f->pMethods)->real;
}

static int
shim_sync(sqlite3_file *f, int flags)
{
	int rc = atomic_load(&fail_sync);

	return rc != 0 ? rc : real_of(f)->xSync(f, flags);
}

static int
shim_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	int rc = atomic_load(&fail_write);

	return rc != 0 ? rc : real_of(f)->xWrite(f, data, n, at);
}

static int
shim_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	static struct methods kind[8];
	sqlite3_vfs *real = vfs->pAppData;
	int rc = real->xOpen(real, name, f, flags, out);
	struct methods *m = kind;

	if (rc != SQLITE_OK || f->pMethods == NULL)
		return rc;
	while (m->real != NULL && m->real != f->pMethods)
		m++;
	assert_true(m < kind + 8);
	m->real = f->pMethods;
	m->own = *f->pMethods;
	m->own.xSync = shim_sync;
	m->own.xWrite = shim_write;
	f->pMethods = &m->own;
	return rc;
}

static int
set_up_shim(void **state)
{
	atomic_store(&fail_sync, 0);
	atomic_store(&fail_write, 0);
	shim_vfs = *sqlite3_vfs_find(NULL);
	shim_vfs.pAppData = sqlite3_vfs_find(NULL);
	shim_vfs.zName = "shim";
	shim_vfs.pNext = NULL;
	shim_vfs.xOpen = shim_open;
	sqlite3_vfs_register(&shim_vfs, 1);
	return set_up(state);
}

static int
tear_down_shim(void **state)
{
	atomic_store(&fail_sync, 0);
	atomic_store(&fail_write, 0);
	tear_down(state);
	sqlite3_vfs_unregister(&shim_vfs);
	return 0;
}

static enum store_status
try_put(void)
{
	struct store_enqueue *r = new_message(1, DUE, 5000);
	enum store_status st = ask_enqueue(r);

	if (st != STORE_OK)
		assert_string_not_equal(r->req.err.text, "");
	free_message(r);
	return st;
}

static enum store_status
try_ruleset(const char *version, const char *text, size_t len)
{
	const struct rules_file file = { "a.rules", text, len };
	struct store_ruleset r = {
		.who = "start", .version = version, .n = 1, .file = &file
	};

	prepare_request(&r.req);
	store_ruleset(the->store, &r);
	await(1);
	if (r.req.status != STORE_OK)
		assert_string_not_equal(r.req.err.text, "");
	return r.req.status;
}

struct found {
	struct store_query query;
	size_t rulesets, files, traffic;
	int64_t seq;
};

static void
see_kept_ruleset(void *arg, const struct ruleset_row *row)
{
	struct found *k = arg;

	k->rulesets++;
	assert_true(row->number > 0);
}

static void
see_kept_file(void *arg, const struct rules_file *f)
{
	struct found *k = arg;

	k->files++;
	assert_string_equal(f->name, "a.rules");
	assert_int_equal(strlen(f->text), f->len);
}

static void
see_kept_traffic(void *arg, const struct traffic_row *row)
{
	struct found *k = arg;

	k->traffic++;
	k->seq = row->seq;
}

static enum store_status
try_keep(const char *value)
{
	const struct kept kept = { "test", "key", value, 0 };
	struct store_keep r = { .n = 1, .kept = &kept };

	prepare_request(&r.req);
	store_keep(the->store, &r);
	await(1);
	if (r.req.status != STORE_OK)
		assert_string_not_equal(r.req.err.text, "");
	return r.req.status;
}

static void
read_kept(struct store_query *q, struct store_reader *r)
{
	struct found *k = container_of(q, struct found, query);

	store_read_rulesets(r, 0, 100, see_kept_ruleset, k);
	store_read_ruleset_files(r, 1, see_kept_file, k);
	store_read_traffic(r, 0, 0, 10000, see_kept_traffic, k);
}

/* So much and no more is kept, and traffic is numbered without a gap. */
static void
assert_kept(size_t rulesets, size_t files, size_t traffic)
{
	struct found k = { .query = { .reply_to = the->inbox,
			      .run = read_kept,
			      .done = on_query_answer } };

	store_query(the->store, &k.query);
	await(1);
	assert_int_equal(k.rulesets, rulesets);
	assert_int_equal(k.files, files);
	assert_int_equal(k.traffic, traffic);
	assert_int_equal(k.seq, traffic);
}

static enum store_status
try_suppress(void)
{
	static const struct suppression one = { .scope = "ses",
		.address = "a@x.jp",
		.cause = "manual",
		.who = "root",
		.state = SUPPRESSION_LOCAL,
		.at = 1 };
	struct store_suppress r = { .n = 1, .list = &one };

	prepare_request(&r.req);
	store_suppress(the->store, &r);
	await(1);
	return r.req.status;
}

static enum store_status
try_unsuppress(uint64_t *changed)
{
	struct store_unsuppress r = { .filter = { .cause = "" } };

	prepare_request(&r.req);
	store_unsuppress(the->store, &r);
	await(1);
	*changed = r.changed;
	return r.req.status;
}

static enum store_status
try_remove_letters(void)
{
	struct store_letters r = { .seq = 0 };

	prepare_request(&r.req);
	store_remove_letters(the->store, &r);
	await(1);
	return r.req.status;
}

static void
a_failed_fsync_is_final(void **state)
{
	int64_t id = put(1, DUE, true);
	struct settlement s = settlement(id, 0, SETTLE_FINAL, 1u << COUNT_SENT);
	struct store_lease l = { .shelf = 7, .now = DUE, .max = 10 };
	struct feedback f = feedback(id, 0, FEEDBACK_SENT);
	struct view *v;
	uint64_t n;

	(void)state;
	log_open("/dev/null", NULL);
	atomic_store(&fail_sync, SQLITE_IOERR_FSYNC);
	assert_int_equal(try_put(), STORE_FAILED);
	atomic_store(&fail_sync, 0);
	assert_int_equal(try_put(), STORE_FAILED);
	assert_int_equal(ask_begin(id, 0, &to_docomo, NULL), STORE_FAILED);
	assert_int_equal(ask_settle(&s, NULL), STORE_FAILED);
	assert_int_equal(try_ruleset("v1", "#", 1), STORE_FAILED);
	assert_int_equal(try_keep("1"), STORE_FAILED);
	assert_int_equal(ask_feedback(&f), STORE_FAILED);
	assert_int_equal(try_suppress(), STORE_FAILED);
	assert_int_equal(try_unsuppress(&n), STORE_FAILED);
	assert_int_equal(try_remove_letters(), STORE_FAILED);
	prepare_request(&l.req);
	store_lease(the->store, &l);
	await(1);
	assert_int_equal(l.req.status, STORE_FAILED);
	assert_int_equal(l.n, 0);
	/* What is there can still be read, and a restart may go on. */
	v = look();
	assert_int_equal(v->nrecipients, 1);
	look_away(v);
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_int_equal(the->recovery.queued, 1);
	assert_int_equal(try_put(), STORE_OK);
	log_open(NULL, NULL);
}

static void
without_space_only_settlements_are_kept(void **state)
{
	int64_t id = put(2, DUE, true), waiting = put(1, DUE, false);
	struct settlement s = settlement(id, 0, SETTLE_FINAL, 1u << COUNT_SENT);
	struct store_settle r = { .skipped = 99 };
	struct store_lease l = { .shelf = 7, .now = DUE, .max = 10 };
	struct view *v;

	(void)state;
	(void)waiting;
	atomic_store(&fail_write, SQLITE_FULL);
	assert_int_equal(try_put(), STORE_FULL);
	assert_int_equal(ask_begin(id, 0, &to_docomo, NULL), STORE_FULL);
	prepare_request(&l.req);
	store_lease(the->store, &l);
	await(1);
	assert_int_equal(l.req.status, STORE_FULL);
	assert_int_equal(l.n, 0);
	assert_true(TAILQ_EMPTY(&l.recipients));

	STAILQ_INIT(&r.settlements);
	STAILQ_INSERT_TAIL(&r.settlements, &s, link);
	prepare_request(&r.req);
	store_settle(the->store, &r);
	/* It comes first, so when this one is refused that one is stuck. */
	assert_int_equal(ask_begin(id, 1, &to_docomo, NULL), STORE_FULL);
	assert_int_equal(try_put(), STORE_FULL);
	atomic_store(&fail_write, 0);
	await(1);
	assert_int_equal(r.req.status, STORE_OK);
	assert_int_equal(r.skipped, 0);
	assert_int_equal(try_put(), STORE_OK);
	assert_int_equal(ask_begin(id, 1, &to_docomo, NULL), STORE_OK);
	v = look();
	assert_int_equal(v->nrecipients, 3);
	assert_int_equal(count_of(v, "mta", COUNT_SENT), 1);
	assert_equation(v);
	look_away(v);
}

static void
see_value(void *arg, const struct kept *k)
{
	copy(arg, 8, k->value);
}

static void
without_space_what_is_kept_stays_as_it_was(void **state)
{
	char value[8] = "";

	(void)state;
	assert_int_equal(try_keep("old"), STORE_OK);
	atomic_store(&fail_write, SQLITE_FULL);
	assert_int_equal(try_keep("new"), STORE_FULL);
	assert_int_equal(try_keep(NULL), STORE_FULL);
	atomic_store(&fail_write, 0);
	assert_int_equal(fixture_reopen(NULL), 0);
	store_each_kept(the->store, "test", see_value, value);
	assert_string_equal(value, "old");
	assert_int_equal(try_keep("new"), STORE_OK);
}

static void
without_space_nothing_is_told(void **state)
{
	int64_t id = put(2, DUE, true);
	struct feedback f = feedback(id, 0, FEEDBACK_ENDED);
	struct settlement s = settlement(id, 1, SETTLE_RETRY, 0);
	struct suppress_cause hard = { .scope = "",
		.cause = "userunknown",
		.source = "dsn",
		.evidence = "" };
	struct view *v;
	uint64_t n;

	(void)state;
	f.suppress = &hard;
	s.unread = true;
	assert_int_equal(ask_settle(&s, NULL), STORE_OK);
	atomic_store(&fail_write, SQLITE_FULL);
	assert_int_equal(ask_feedback(&f), STORE_FULL);
	f.index = 1;
	assert_int_equal(ask_feedback(&f), STORE_FULL);
	assert_int_equal(try_suppress(), STORE_FULL);
	atomic_store(&fail_write, 0);
	v = look();
	assert_int_equal(v->nrecipients, 2);
	assert_int_equal(v->nevents, 0);
	assert_int_equal(count_of(v, "mta", COUNT_RETURNED), 0);
	look_away(v);
	assert_int_equal(try_unsuppress(&n), STORE_OK);
	assert_int_equal(n, 0);
	assert_int_equal(ask_feedback(&f), STORE_OK);
	assert_int_equal(f.result, FEEDBACK_DONE);
	assert_int_equal(try_suppress(), STORE_OK);
	atomic_store(&fail_write, SQLITE_FULL);
	assert_int_equal(try_unsuppress(&n), STORE_FULL);
	atomic_store(&fail_write, 0);
	assert_int_equal(try_unsuppress(&n), STORE_OK);
	assert_int_equal(n, 2);
	v = look();
	assert_equation(v);
	assert_int_equal(v->nrecipients, 1);
	assert_int_equal(count_of(v, "mta", COUNT_RETURNED), 1);
	look_away(v);
}

static void
without_space_nothing_of_rules_or_traffic_is_kept(void **state)
{
	(void)state;
	put(1, DUE, false);
	assert_int_equal(try_ruleset("v1", "#", 1), STORE_OK);
	atomic_store(&fail_write, SQLITE_FULL);
	assert_int_equal(try_ruleset("v2", "# 2", 3), STORE_FULL);
	assert_int_equal(try_put(), STORE_FULL);
	assert_kept(1, 1, 1);
	atomic_store(&fail_write, 0);
	assert_kept(1, 1, 1);
	assert_int_equal(try_put(), STORE_OK);
	assert_int_equal(try_ruleset("v2", "# 2", 3), STORE_OK);
	assert_kept(2, 1, 2);
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_int_equal(try_put(), STORE_OK);
	assert_kept(2, 1, 3);
}

/* -- a disk that is really full ------------------------------------------ */

static char disk[] = "/tmp/test_store_disk.XXXXXX";

static int
set_up_disk(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	strcpy(disk + sizeof(disk) - 7, "XXXXXX");
	if (mkdtemp(disk) == NULL)
		return -1;
	if (mount("tmpfs", disk, "tmpfs", 0, "size=80m") < 0) {
		rmdir(disk);
		the = NULL;
		return 0;
	}
	fixture_open(disk, 16 << 20);
	return 0;
}

static int
tear_down_disk(void **state)
{
	(void)state;
	if (the == NULL)
		return 0;
	fixture_close();
	umount(disk);
	return rmdir(disk);
}

static uint64_t
bytes_free(void)
{
	struct statvfs v;

	assert_int_equal(statvfs(disk, &v), 0);
	return (uint64_t)v.f_bavail * v.f_frsize;
}

static bool
has_ballast(void)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/ballast", the->dir);
	return access(path, F_OK) == 0;
}

/* Somebody else's file takes all but `leave` bytes, while the store may be
 * writing. */
static void
fill_disk(uint64_t leave)
{
	char path[200], page[4096] = "";
	uint64_t taken = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/other", disk);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (bytes_free() > leave &&
	       pwrite(fd, page, sizeof(page), (off_t)taken) == sizeof(page))
		taken += sizeof(page);
	assert_true(taken > 0);
	close(fd);
}

static void
empty_disk(void)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/other", disk);
	unlink(path);
}

static void
a_full_disk_refuses_new_mail_and_loses_none(void **state)
{
	int64_t id[200];
	size_t n = 0, settled = 0, refused_late = 0;
	enum store_status st;
	struct view *v;

	(void)state;
	if (the == NULL)
		skip();
	assert_true(has_ballast());
	for (; n < 200; n++) {
		struct store_enqueue *r = new_message(1, DUE, 60000);

		id[n] = r->message->id;
		r->leased = true;
		assert_int_equal(ask_enqueue(r), STORE_OK);
		free_message(r);
	}
	/* Less than the reserve: refused as soon as it is noticed. */
	fill_disk(10 << 20);
	while ((st = try_put()) == STORE_OK)
		refused_late++;
	assert_int_equal(st, STORE_FULL);
	assert_int_equal(try_keep("1"), STORE_OK);
	fill_disk(0);
	assert_int_equal(try_put(), STORE_FULL);
	/* What is queued goes on, from the ballast when need be. */
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(
		    ask_begin(id[i], 0, &to_docomo, NULL), STORE_OK);
		settle_final(id[i], 0);
		if (++settled == 150)
			break;
	}
	assert_int_equal(try_put(), STORE_FULL);
	empty_disk();
	while (try_put() != STORE_OK)
		usleep(20000);
	v = look();
	assert_int_equal(v->nrecipients, n - settled + refused_late + 1);
	assert_int_equal(count_of(v, "mta", COUNT_SENT), settled);
	assert_equation(v);
	look_away(v);
}

static void
the_ballast_pays_for_settling(void **state)
{
	int64_t id;

	(void)state;
	if (the == NULL)
		skip();
	assert_true(has_ballast());
	id = put(1, DUE, true);
	fill_disk(0);
	assert_int_equal(ask_begin(id, 0, &to_docomo, NULL), STORE_OK);
	assert_false(has_ballast());
	assert_int_equal(try_put(), STORE_FULL);
	settle_final(id, 0);
	empty_disk();
	while (try_put() != STORE_OK)
		usleep(20000);
	put(1, DUE, true);
	assert_int_equal(fixture_reopen(NULL), 0);
	assert_true(has_ballast());
}

/* Refused before it is begun: neither the ballast nor anybody's mail pays for
 * it. */
static void
rules_too_large_for_the_disk_are_refused_alone(void **state)
{
	size_t len = 30 << 20;
	char *text;

	(void)state;
	if (the == NULL)
		skip();
	text = xmalloc(len + 1);
	memset(text, '#', len);
	text[len] = '\0';
	assert_int_equal(try_ruleset("v1", text, 1 << 20), STORE_OK);
	assert_int_equal(try_ruleset("v2", text, len), STORE_FULL);
	assert_true(has_ballast());
	put(1, DUE, false);
	fill_disk(10 << 20);
	while (try_put() != STORE_FULL)
		;
	assert_int_equal(try_ruleset("v3", text, 1), STORE_FULL);
	empty_disk();
	while (try_ruleset("v3", text, 1) != STORE_OK)
		usleep(20000);
	free(text);
}

static void
a_large_body_on_a_full_disk_is_refused_too(void **state)
{
	struct err e = ERR_INIT;
	struct body *b;
	char *data;

	(void)state;
	if (the == NULL)
		skip();
	data = xcalloc(1, 1 << 20);
	fill_disk(300000);
	b = body_new(store_spool_directory(the->store), "1");
	assert_int_equal(body_add(b, data, 1 << 20, &e), -1);
	assert_int_equal(e.code, ENOSPC);
	body_discard(b);
	body_unref(&b);
	free(data);
	assert_true(bytes_free() >= 200000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define SHIM(name)                                                             \
	cmocka_unit_test_setup_teardown(name, set_up_shim, tear_down_shim)
#define DISK_TEST(name)                                                        \
	cmocka_unit_test_setup_teardown(name, set_up_disk, tear_down_disk)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_newer_schema_is_refused),
		T(another_programs_database_is_refused),
		T(a_store_without_its_tables_is_refused),
		T(garbage_is_refused),
		T(a_damaged_page_is_refused),
		T(an_empty_file_is_a_new_store),
		T(a_store_is_private),
		T(a_second_process_is_refused),
		T(a_missing_directory_is_refused),
		SHIM(a_failed_fsync_is_final),
		SHIM(without_space_only_settlements_are_kept),
		SHIM(without_space_what_is_kept_stays_as_it_was),
		SHIM(without_space_nothing_is_told),
		SHIM(without_space_nothing_of_rules_or_traffic_is_kept),
		DISK_TEST(a_full_disk_refuses_new_mail_and_loses_none),
		DISK_TEST(the_ballast_pays_for_settling),
		DISK_TEST(rules_too_large_for_the_disk_are_refused_alone),
		DISK_TEST(a_large_body_on_a_full_disk_is_refused_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
