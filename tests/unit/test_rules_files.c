/*
 * test_rules_files.c - rule files from disk: what they include, and what is
 * refused.
 */
#include "tests/unit/rules_help.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define S "s@sender.example"

static char dir[] = "/tmp/test_rules.XXXXXX";

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int
remove_dir(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *
file(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(file(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* The whole report of a load that must fail, with the directory's name taken
 * out. */
static void
assert_load_fails(const char *name, const char *expected)
{
	struct rules_report r;
	char *text, *at;

	rules_report_init(&r);
	assert_null(ruleset_load(file(name), NULL, &r));
	text = rules_report_string(&r);
	while ((at = strstr(text, dir)) != NULL)
		memmove(
		    at, at + strlen(dir) + 1, strlen(at + strlen(dir) + 1) + 1);
	assert_string_equal(text, expected);
	free(text);
	rules_report_clear(&r);
}

static void
test_include(void **state)
{
	struct ruleset *rs;
	struct rules_shape s;

	(void)state;
	assert_int_equal(mkdir(file("sub"), 0700), 0);
	write_file("main.rules",
	    "\xef\xbb\xbfinclude \"sub/a.rules\" # BOM and CRLF\r\n"
	    "route default to any via ses\r\n"
	    "shape carrier c connections 9\r\n");
	write_file("sub/a.rules", "include \"b.rules\"\n"
				  "route first to carrier c via mta");
	write_file("sub/b.rules", "carrier c c.example\n"
				  "shape carrier c connections 1 rate 2/s\n");
	rs = load(file("main.rules"));
	assert_string_equal(decide(rs, S, "x@c.example").rule->name, "first");
	assert_non_null(
	    strstr(decide(rs, S, "x@c.example").rule->file, "/sub/a.rules"));
	ruleset_shape(rs, "c", "c", "c.example", "mta", &s);
	assert_int_equal(s.connections, 9);
	assert_non_null(strstr(s.origin[SHAPE_CONNECTIONS].file, "main.rules"));
	assert_non_null(strstr(s.origin[SHAPE_RATE].file, "/sub/b.rules"));
	ruleset_unref(rs);
}

static void
test_include_refused(void **state)
{
	char name[16], text[64];

	(void)state;
	write_file("cycle", "include \"cycle2\"\n");
	write_file("cycle2", "include \"cycle\"\n");
	assert_load_fails("cycle",
	    "cycle2:1:9: cannot read 'cycle': it includes itself\n"
	    "    include \"cycle\"\n"
	    "            ^\n");
	write_file("leaf", "");
	write_file("twice", "include \"leaf\"\ninclude \"./leaf\"\n");
	assert_load_fails("twice",
	    "twice:2:9: cannot read './leaf': it is included already\n"
	    "    include \"./leaf\"\n"
	    "            ^\n");
	write_file("absent", "include \"nowhere\"\ninclude \".\"\n");
	assert_load_fails("absent",
	    "absent:1:9: cannot read 'nowhere': No such file or directory\n"
	    "    include \"nowhere\"\n"
	    "            ^\n"
	    "absent:2:9: cannot read '.': not a regular file\n"
	    "    include \".\"\n"
	    "            ^\n");
	for (int i = 0; i < 17; i++) {
		snprintf(name, sizeof(name), "deep%d", i);
		snprintf(text, sizeof(text), "include \"deep%d\"\n", i + 1);
		write_file(name, text);
	}
	assert_load_fails("deep0",
	    "deep15:1:9: cannot read 'deep16': more than 16 files include "
	    "one another\n"
	    "    include \"deep16\"\n"
	    "            ^\n");
}

/* Wildcards: in the order of names, files of a folder or of several, none at
 * all. */
static void
test_include_wildcard(void **state)
{
	static const char *const names[] = { "first", "second", "third",
		"default" };
	const struct rules_file *files;
	const struct rule *const *rule;
	struct rules_report r;
	struct ruleset *rs, *again;

	(void)state;
	assert_int_equal(mkdir(file("rules.d"), 0700), 0);
	write_file("rules.d/20-b.rules", "route second to b.jp via mta\n");
	write_file("rules.d/10-a.rules", "route first to a.jp via mta\n");
	write_file("rules.d/30-c.rules", "route third to c.jp via mta\n");
	write_file("rules.d/.hidden.rules", "no statement\n");
	write_file("rules.d/40-d.rules~", "no statement\n");
	write_file("many.rules", "include \"rules.d/[12]0-?.rules\"\n"
				 "include \"rules.[a-d]/3*.rules\"\n"
				 "include \"rules.d/*.nothing\"\n"
				 "route default any via ses\n");
	rs = load(file("many.rules"));
	assert_int_equal(ruleset_rules(rs, &rule), 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(rule[i]->name, names[i]);
	assert_non_null(strstr(rule[1]->file, "/rules.d/20-b.rules"));
	/* The same from memory, when the disk has forgotten. */
	assert_int_equal(ruleset_files(rs, &files), 4);
	rules_report_init(&r);
	again = ruleset_parse(files, 4, NULL, &r);
	assert_non_null(again);
	assert_string_equal(ruleset_version(again), ruleset_version(rs));
	rules_report_clear(&r);
	ruleset_unref(again);
	ruleset_unref(rs);
}

/* A folder that is not there has nothing in it; one whose name looks like a
 * wildcard is a folder. */
static void
test_odd_folders(void **state)
{
	const struct rules_file *files;
	struct ruleset *rs;

	(void)state;
	mkdir(file("br[1]"), 0700);
	write_file("br[1]/main", "include \"a.rules\"\n"
				 "include \"b.*\"\n"
				 "include \"nowhere/*.rules\"\n"
				 "route z any via ses\n");
	write_file("br[1]/a.rules", "route a to a.jp via mta\n");
	write_file("br[1]/b.rules", "route b to b.jp via mta\n");
	rs = load(file("br[1]/main"));
	assert_int_equal(ruleset_files(rs, &files), 3);
	assert_string_equal(decide(rs, "", "x@a.jp").rule->name, "a");
	assert_string_equal(decide(rs, "", "x@b.jp").rule->name, "b");
	ruleset_unref(rs);
}

static void
test_wildcard_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(file("bad.d"), 0700), 0);
	write_file("bad.d/a.rules", "rout a to a.jp via mta\n");
	write_file("bad.d/b.rules", "include \"../bad.d/*.rules\"\n");
	assert_int_equal(mkdir(file("bad.d/c.rules"), 0700), 0);
	write_file("bad", "include \"bad.d/*.rules\"\n"
			  "route default any via ses\n");
	assert_load_fails("bad",
	    "bad.d/a.rules:1:1: expected 'route', 'carrier', 'shape', "
	    "'reply', 'warm-up', 'expect', 'hint' or 'include', got 'rout', "
	    "did you mean 'route'?\n"
	    "    rout a to a.jp via mta\n"
	    "    ^\n"
	    "bad.d/b.rules:1:9: cannot read 'bad.d/../bad.d/a.rules': it is "
	    "included already\n"
	    "    include \"../bad.d/*.rules\"\n"
	    "            ^\n"
	    "bad.d/b.rules:1:9: cannot read 'bad.d/../bad.d/b.rules': it "
	    "includes itself\n"
	    "    include \"../bad.d/*.rules\"\n"
	    "            ^\n"
	    "bad.d/b.rules:1:9: cannot read 'bad.d/../bad.d/c.rules': not a "
	    "regular file\n"
	    "    include \"../bad.d/*.rules\"\n"
	    "            ^\n"
	    "bad:1:9: cannot read 'bad.d/c.rules': not a regular file\n"
	    "    include \"bad.d/*.rules\"\n"
	    "            ^\n");
}

static void
write_hole(const char *name, off_t size)
{
	FILE *f = fopen(file(name), "w");

	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), size), 0);
	assert_int_equal(fclose(f), 0);
}

/* Each file is as large as one may be; together they are too much. */
static void
test_set_too_large(void **state)
{
	char name[32];

	(void)state;
	assert_int_equal(mkdir(file("large.d"), 0700), 0);
	for (unsigned i = 0; i < RULES_TOTAL_MAX / RULES_FILE_MAX; i++) {
		snprintf(name, sizeof(name), "large.d/%u", i);
		write_hole(name, RULES_FILE_MAX);
	}
	write_file("large", "include \"large.d/*\"\nroute z any via ses\n");
	assert_load_fails("large",
	    "large.d/0:1:1: control character 0x00\n"
	    "large.d/1:1:1: control character 0x00\n"
	    "large.d/2:1:1: control character 0x00\n"
	    "large:1:9: cannot read 'large.d/3': the files of the rule set are "
	    "larger than 64 MB together\n"
	    "    include \"large.d/*\"\n"
	    "            ^\n");
}

static void
test_file_refused(void **state)
{
	FILE *f;

	(void)state;
	assert_load_fails(
	    "gone", "gone: cannot read the file: No such file or directory\n");
	write_hole("huge", (off_t)1 << 30);
	assert_load_fails(
	    "huge", "huge: cannot read the file: larger than 16 MB\n");
	f = fopen(file("nul"), "w");
	assert_non_null(f);
	fwrite("route a\0b", 1, 9, f);
	fclose(f);
	assert_load_fails("nul", "nul:1:8: control character 0x00\n");
	assert_int_equal(mkfifo(file("fifo"), 0600), 0);
	assert_load_fails(
	    "fifo", "fifo: cannot read the file: not a regular file\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_include_refused),
		cmocka_unit_test(test_include_wildcard),
		cmocka_unit_test(test_odd_folders),
		cmocka_unit_test(test_wildcard_refused),
		cmocka_unit_test(test_set_too_large),
		cmocka_unit_test(test_file_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
