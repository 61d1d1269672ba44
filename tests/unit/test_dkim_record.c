/*
 * test_dkim_record.c - new keys, their files, and what is said of their
 * published records.
 */
#include "mta/dkim_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/dkim.h"
#include "mta/dkim_key.h"
#include "mta/dkim_tags.h"

struct fixture {
	char dir[64];
	struct dkim_signer *rsa, *ed25519, *other, *weak;
};

static char *
path_in(const struct fixture *f, const char *name, char path[static 128])
{
	snprintf(path, 128, "%s/%s", f->dir, name);
	return path;
}

static struct dkim_signer *
new_signer(const struct fixture *f, const char *type, unsigned bits,
    const char *selector)
{
	struct err e = ERR_INIT;
	EVP_PKEY *key = dkim_key_new(type, bits, &e);
	struct dkim_signer *s;
	char path[128];

	assert_non_null(key);
	assert_int_equal(
	    dkim_key_write(key, path_in(f, selector, path), &e), 0);
	EVP_PKEY_free(key);
	s = dkim_signer_new("example.jp", selector, path, &e);
	assert_string_equal(e.text, "");
	return s;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_dkim_record.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->rsa = new_signer(f, "rsa", 2048, "rsa");
	f->other = new_signer(f, "rsa", 2048, "other");
	f->weak = new_signer(f, "rsa", 1024, "weak");
	f->ed25519 = new_signer(f, "ed25519", 0, "ed25519");
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	dkim_signer_free(&f->rsa);
	dkim_signer_free(&f->other);
	dkim_signer_free(&f->weak);
	dkim_signer_free(&f->ed25519);
	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* -- records
 * ---------------------------------------------------------------------- */

static const char *
p_of(const struct dkim_signer *s, char p[static 1024])
{
	char *record = dkim_signer_record(s), *at = strstr(record, "; p=");

	assert_non_null(at);
	snprintf(p, 1024, "%s", at + 4);
	free(record);
	return p;
}

static void
expect(const struct dkim_signer *s, const char *record,
    enum dkim_record_state state, const char *words)
{
	char what[DKIM_RECORD_WHAT] = "";

	if (dkim_record_check(s, &record, 1, what) != state)
		fail_msg("'%s' is not %s: %s", record,
		    dkim_record_state_name(state), what);
	if (strstr(what, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, what);
}

/* %s: the p= of our RSA key. */
static const struct {
	const char *format;
	enum dkim_record_state state;
	const char *words;
} cases[] = {
	{ "v=DKIM1; k=rsa; p=%s", DKIM_RECORD_GOOD, "our key" },
	{ "p=%s", DKIM_RECORD_GOOD, "" },
	{ "p=%s;", DKIM_RECORD_GOOD, "" },
	{ " v = DKIM1 ;\tk\r\n = RSA; p = %s ; ", DKIM_RECORD_GOOD, "" },
	{ "v=DKIM1;p=%s;n=a note; x-new=1;;=", DKIM_RECORD_INVALID, "is no" },
	{ "v=DKIM1;p=%s;n=a=b; g=; x_1=;", DKIM_RECORD_GOOD, "" },
	{ "v=DKIM1; h=sha1:sha256; s=email; t=s; p=%s", DKIM_RECORD_GOOD, "" },
	{ "v=DKIM1; h=sha1 : SHA256; s=other:*; p=%s", DKIM_RECORD_GOOD, "" },
	{ "v=DKIM1; t=s:y; p=%s", DKIM_RECORD_WEAK, "t=y" },
	{ "v=DKIM1; t=Y; p=%s", DKIM_RECORD_WEAK, "t=y" },
	{ "v=DKIM1; t=yes; p=%s", DKIM_RECORD_GOOD, "" },
	{ "v=DKIM1; k=rsa; p=", DKIM_RECORD_REVOKED, "revoked" },
	{ "p= ", DKIM_RECORD_REVOKED, "revoked" },
	{ "", DKIM_RECORD_INVALID, "no tag" },
	{ ";", DKIM_RECORD_INVALID, "no tag" },
	{ "v=DKIM1", DKIM_RECORD_INVALID, "p= is missing" },
	{ "v=DKIM1 k=rsa p=%s", DKIM_RECORD_INVALID, "v= is" },
	{ "v=DKIM1\\; k=rsa\\; p=%s", DKIM_RECORD_INVALID, "v= is 'DKIM1\\'" },
	{ "v=dkim1; p=%s", DKIM_RECORD_INVALID, "v= is 'dkim1'" },
	{ "v=\033[2J\n; p=%s", DKIM_RECORD_INVALID, "v= is '?[2J'" },
	{ "k=rsa; v=DKIM1; p=%s", DKIM_RECORD_INVALID, "not the first" },
	{ "v=DKIM1; p=%s; p=", DKIM_RECORD_INVALID, "p= is there twice" },
	{ "v=DKIM1; k=rsa; MIIB", DKIM_RECORD_INVALID, "'MIIB' is no tag" },
	{ "v=DKIM1; 1k=rsa; p=%s", DKIM_RECORD_INVALID, "no name of a tag" },
	{ "v=DKIM1; k-k=rsa; p=%s", DKIM_RECORD_INVALID, "no name of a tag" },
	{ "v=spf1 -all", DKIM_RECORD_INVALID, "v= is 'spf1 -all'" },
	{ "any text at all", DKIM_RECORD_INVALID, "no tag" },
	{ "v=DKIM1; h=sha1; p=%s", DKIM_RECORD_INVALID, "sha256" },
	{ "v=DKIM1; h=sha25; p=%s", DKIM_RECORD_INVALID, "sha256" },
	{ "v=DKIM1; h=sha2567; p=%s", DKIM_RECORD_INVALID, "sha256" },
	{ "v=DKIM1; h=; p=%s", DKIM_RECORD_INVALID, "sha256" },
	{ "v=DKIM1; s=tlsrpt; p=%s", DKIM_RECORD_INVALID, "email" },
	{ "v=DKIM1; s=emails; p=%s", DKIM_RECORD_INVALID, "email" },
	{ "v=DKIM1; k=dsa; p=%s", DKIM_RECORD_INVALID, "k=dsa" },
	{ "v=DKIM1; k=; p=%s", DKIM_RECORD_INVALID, "k= is no type" },
	{ "v=DKIM1; k=ed25519; p=%s", DKIM_RECORD_INVALID, "32 bytes" },
	{ "v=DKIM1; k=rsa; p=%sA", DKIM_RECORD_INVALID, "base64" },
	{ "v=DKIM1; k=rsa; p=%sAAAA", DKIM_RECORD_INVALID, "base64" },
	{ "v=DKIM1; k=rsa; p=!%s", DKIM_RECORD_INVALID, "base64" },
	{ "v=DKIM1; k=rsa; p=-%s", DKIM_RECORD_INVALID, "base64" },
	{ "v=DKIM1; k=rsa; p=\"%s\"", DKIM_RECORD_INVALID, "base64" },
	{ "v=DKIM1; k=rsa; p====", DKIM_RECORD_INVALID, "base64" },
	{ "v=DKIM1; k=rsa; p=A===", DKIM_RECORD_INVALID, "base64" },
	{ "v=DKIM1; k=rsa; p=AAA=AAAA", DKIM_RECORD_INVALID, "base64" },
	{ "v=DKIM1; k=rsa; p=QUJD", DKIM_RECORD_INVALID, "RSA public key" },
};

static void
test_records(void **state)
{
	const struct fixture *f = *state;
	char p[1024], record[2048];

	p_of(f->rsa, p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *at = strstr(cases[i].format, "%s");
		int head = at != NULL ? (int)(at - cases[i].format)
				      : (int)strlen(cases[i].format);

		snprintf(record, sizeof(record), "%.*s%s%s", head,
		    cases[i].format, at != NULL ? p : "",
		    at != NULL ? at + 2 : "");
		expect(f->rsa, record, cases[i].state, cases[i].words);
	}
}

/* A key that is broken by blanks is whole, one that is cut is none. */
static void
test_keys_in_pieces(void **state)
{
	const struct fixture *f = *state;
	char p[1024], record[4096];
	size_t n, len;

	p_of(f->rsa, p);
	n = (size_t)snprintf(record, sizeof(record), "v=DKIM1; p=");
	for (size_t i = 0; p[i] != '\0'; i++) {
		record[n++] = p[i];
		if (i % 7 == 0)
			record[n++] = " \t\r\n"[i % 4];
	}
	record[n] = '\0';
	expect(f->rsa, record, DKIM_RECORD_GOOD, "");
	len = strlen(p);
	for (size_t cut = 1; cut < len; cut++) {
		snprintf(record, sizeof(record), "v=DKIM1; p=%.*s",
		    (int)(len - cut), p);
		expect(f->rsa, record, DKIM_RECORD_INVALID, "p= is not");
	}
}

static void
test_whose_key(void **state)
{
	const struct fixture *f = *state;
	const struct dkim_signer *all[] = { f->rsa, f->other, f->weak,
		f->ed25519 };

	for (size_t i = 0; i < 4; i++) {
		char *record = dkim_signer_record(all[i]);

		for (size_t j = 0; j < 4; j++)
			expect(all[j], record,
			    i != j		? DKIM_RECORD_OTHER_KEY
			    : all[j] == f->weak ? DKIM_RECORD_WEAK
						: DKIM_RECORD_GOOD,
			    i != j		? "another key"
			    : all[j] == f->weak ? "1024 bits"
						: "our key");
		free(record);
	}
}

static void
test_how_many(void **state)
{
	const struct fixture *f = *state;
	char *record = dkim_signer_record(f->rsa);
	const char *const twice[] = { record, "v=spf1 -all" };
	char what[DKIM_RECORD_WHAT];

	assert_int_equal(
	    dkim_record_check(f->rsa, NULL, 0, what), DKIM_RECORD_MISSING);
	assert_int_equal(
	    dkim_record_check(f->rsa, twice, 2, what), DKIM_RECORD_SEVERAL);
	assert_non_null(strstr(what, "2 TXT records"));
	assert_true(dkim_record_works(DKIM_RECORD_GOOD));
	assert_true(dkim_record_works(DKIM_RECORD_WEAK));
	assert_false(dkim_record_works(DKIM_RECORD_SEVERAL));
	free(record);
}

/* The long form of an Ed25519 key, and the short form of an RSA key that RFC
 * 6376 describes: only some verifiers take them. */
static void
test_wrong_forms(void **state)
{
	const struct fixture *f = *state;
	char path[128], record[2048];
	unsigned char *der = NULL, base64[1024];
	EVP_PKEY *key;
	int len;

	key = dkim_key_read(path_in(f, "ed25519", path), NULL);
	assert_non_null(key);
	len = i2d_PUBKEY(key, &der);
	EVP_EncodeBlock(base64, der, len);
	snprintf(record, sizeof(record), "k=ed25519; p=%s", (char *)base64);
	expect(f->ed25519, record, DKIM_RECORD_INVALID, "32 bytes");
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	key = dkim_key_read(path_in(f, "rsa", path), NULL);
	assert_non_null(key);
	der = NULL;
	len = i2d_PublicKey(key, &der);
	EVP_EncodeBlock(base64, der, len);
	snprintf(record, sizeof(record), "v=DKIM1; p=%s", (char *)base64);
	expect(f->rsa, record, DKIM_RECORD_INVALID, "RSA public key");
	OPENSSL_free(der);
	EVP_PKEY_free(key);
}

/* -- text
 * ------------------------------------------------------------------------- */

static void
test_zone_line(void **state)
{
	const struct fixture *f = *state;
	struct str out = STR_INIT;
	char *name = dkim_record_name(f->rsa), text[511];

	assert_string_equal(name, "rsa._domainkey.example.jp");
	dkim_record_zone_line(&out, name, "");
	assert_string_equal(
	    out.data, "rsa._domainkey.example.jp. IN TXT \"\"\n");
	str_clear(&out);
	dkim_record_zone_line(&out, "a", "x\"y\\z\001\377; k");
	assert_string_equal(
	    out.data, "a. IN TXT \"x\\\"y\\\\z\\001\\255; k\"\n");
	for (size_t len = 254; len <= 510; len++) {
		size_t quotes = 0;

		memset(text, 'p', len);
		text[len] = '\0';
		str_clear(&out);
		dkim_record_zone_line(&out, "a", text);
		for (size_t i = 0; i < out.len; i++)
			quotes += out.data[i] == '"';
		assert_int_equal(quotes, len > 255 ? 4 : 2);
		if (len > 255)
			assert_memory_equal(
			    out.data + strlen("a. IN TXT \"") + 255, "\" \"",
			    3);
	}
	str_release(&out);
	free(name);
}

static void
test_text(void **state)
{
	static const struct {
		const char *rdata;
		size_t len;
		const char *text; /* NULL: malformed */
	} rows[] = {
		{ "", 0, "" },
		{ "\0", 1, "" },
		{ "\3abc", 4, "abc" },
		{ "\3abc\0\2de", 8, "abcde" },
		{ "\3a\0c", 4, "a?c" },
		{ "\3ab", 3, NULL },
		{ "\3abc\1", 5, NULL },
		{ "\377abc", 4, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Exactly as long as it says, for AddressSanitizer. */
		uint8_t *rdata = malloc(rows[i].len + 1);
		char *text;

		memcpy(rdata + 1, rows[i].rdata, rows[i].len);
		text = dkim_record_text(rdata + 1, rows[i].len);
		if (rows[i].text == NULL)
			assert_null(text);
		else
			assert_string_equal(text, rows[i].text);
		free(text);
		free(rdata);
	}
}

/* -- keys
 * ------------------------------------------------------------------------- */

static void
test_new_keys(void **state)
{
	const struct fixture *f = *state;
	struct err e = ERR_INIT;
	unsigned bits;

	assert_string_equal(dkim_signer_algorithm(f->rsa, &bits), "rsa");
	assert_int_equal(bits, 2048);
	assert_string_equal(dkim_signer_algorithm(f->weak, &bits), "rsa");
	assert_int_equal(bits, 1024);
	assert_string_equal(
	    dkim_signer_algorithm(f->ed25519, &bits), "ed25519");
	assert_string_equal(dkim_signer_selector(f->rsa), "rsa");
	assert_null(dkim_key_new("dsa", 2048, &e));
	assert_non_null(strstr(e.text, "'dsa'"));
	assert_null(dkim_key_new("rsa", 1023, &e));
	assert_null(dkim_key_new("rsa", 4097, &e));
	assert_non_null(strstr(e.text, "1024 to 4096 bits, not 4097"));
}

static void
test_key_files(void **state)
{
	const struct fixture *f = *state;
	EVP_PKEY *key = dkim_key_new("ed25519", 0, NULL), *again;
	char path[128], link[128];
	struct err e = ERR_INIT;
	struct stat st;
	mode_t mask = umask(0);

	assert_int_equal(dkim_key_write(key, path_in(f, "new", path), &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	again = dkim_key_read(path, &e);
	assert_non_null(again);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
	EVP_PKEY_free(again);
	assert_int_equal(dkim_key_write(key, path, &e), -1);
	assert_non_null(strstr(e.text, "is there already"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_not_equal(st.st_size, 0);
	assert_int_equal(
	    symlink(path_in(f, "target", path), path_in(f, "link", link)), 0);
	assert_int_equal(dkim_key_write(key, link, &e), -1);
	assert_int_equal(access(path, F_OK), -1);
	path_in(f, "missing/key", path);
	assert_int_equal(dkim_key_write(key, path, &e), -1);
	assert_non_null(strstr(e.text, "No such file"));
	umask(mask);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_keys_in_pieces),
		cmocka_unit_test(test_whose_key),
		cmocka_unit_test(test_how_many),
		cmocka_unit_test(test_wrong_forms),
		cmocka_unit_test(test_zone_line),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_new_keys),
		cmocka_unit_test(test_key_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
