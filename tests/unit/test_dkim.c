/*
 * test_dkim.c - signatures, judged by another implementation (dkimpy).
 */
#include "mta/dkim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>
#include <dkim.h>

#include "mta/dkim_key.h"
#include "mta/dkim_loan.h"

struct fixture {
	char dir[64];
	struct dkim_signer *rsa, *ed25519;
};

static char *
path_in(const struct fixture *f, const char *name, char path[static 128])
{
	snprintf(path, 128, "%s/%s", f->dir, name);
	return path;
}

static void
write_file(const char *path, const void *data, size_t len)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

/* Writes the private key, and its public half for the verifier's DNS. */
static void
write_key(const struct fixture *f, const char *name, EVP_PKEY *key, mode_t mode)
{
	char path[128], record[160];
	FILE *out;

	assert_non_null(key);
	out = fopen(path_in(f, name, path), "w");
	assert_int_equal(
	    PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(out);
	assert_int_equal(chmod(path, mode), 0);
	snprintf(record, sizeof(record), "%s.pub", path);
	out = fopen(record, "w");
	assert_int_equal(PEM_write_PUBKEY(out, key), 1);
	fclose(out);
	EVP_PKEY_free(key);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[128];
	struct err e = ERR_INIT;

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_dkim.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	write_key(f, "rsa", EVP_RSA_gen(2048), 0600);
	write_key(f, "ed25519", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), 0640);
	f->rsa =
	    dkim_signer_new("example.jp", "rsa", path_in(f, "rsa", path), &e);
	assert_string_equal(e.text, "");
	f->ed25519 = dkim_signer_new(
	    "example.jp", "ed25519", path_in(f, "ed25519", path), &e);
	assert_string_equal(e.text, "");
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	dkim_signer_free(&f->rsa);
	dkim_signer_free(&f->ed25519);
	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

struct memory {
	const char *data;
	size_t len;
	int reads;
};

static ssize_t
read_memory(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct memory *m = arg;
	size_t n = offset < m->len ? m->len - offset : 0;

	m->reads++;
	n = n < len ? n : len;
	memcpy(buf, m->data + offset, n);
	return (ssize_t)n;
}

static ssize_t
read_nothing(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg;
	(void)offset;
	(void)buf;
	(void)len;
	errno = EIO;
	return -1;
}

static int
sign(const struct dkim_signer *s, const char *head, const char *data,
    size_t len, struct str *out, struct err *e)
{
	struct memory m = { .data = data, .len = len };
	struct smtp_content c = { .head = head,
		.head_len = head ? strlen(head) : 0,
		.read = read_memory,
		.arg = &m,
		.length = len };

	return dkim_signer_sign(s, &c, out, e);
}

#define FROM "From: a@example.jp\r\n"
#define BASIC                                                                  \
	FROM "To: b@docomo.ne.jp\r\nSubject: x\r\n"                            \
	     "Date: Sun, 22 Nov 2026 10:35:07 +0000\r\nMessage-ID: "           \
	     "<1@example.jp>\r\n"

#define LONG_NAME                                                              \
	"-0123456789012345678901234567890123456789012345678901234567890123"    \
	"-0123456789012345678901234567890123456789012345678901234567890123"

static const struct message {
	const char *name, *head, *text;
} messages[] = {
	{ "plain", NULL, BASIC "\r\nhello\r\n" },
	{ "head", "To: c@example.jp\r\n", FROM "\r\nhello\r\n" },
	{ "trailing-blank", NULL, BASIC "\r\nhello  \t \r\n\r\n\r\n\r\n" },
	{ "only-blank", NULL, BASIC "\r\n\r\n\r\n" },
	{ "empty", NULL, BASIC "\r\n" },
	{ "no-body", NULL, BASIC },
	{ "dots", NULL, BASIC "\r\n.\r\n..\r\n.x\r\n" },
	{ "8bit", NULL,
	    BASIC "Content-Type: text/plain; charset=utf-8\r\n\r\n"
		  "\343\201\202\343\201\204\r\n\377\376\r\n" },
	{ "8bit-header", NULL,
	    FROM "Subject: \346\227\245\346\234\254\r\n\r\n\343\201\202\r\n" },
	{ "iso-2022-jp", NULL,
	    BASIC "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
		  "\033$B$3$s$K$A$O\033(B\r\n" },
	{ "folded", NULL,
	    "From: \"A\"\r\n\t <a@example.jp>\r\nSubject: one\r\n two\r\n"
	    "\tthree  four\r\nTo: b@example.jp,\r\n "
	    "c@example.jp\r\n\r\nx\r\n" },
	{ "odd-names", NULL,
	    "fRoM: a@example.jp\r\nSUBJECT:no "
	    "space\r\nX-:\r\nTo:\r\n\r\nx\r\n" },
	{ "many-received", NULL,
	    "Received: from a\r\n\tby b\r\nReceived: from c by d\r\n"
	    "X-SES-CONFIGURATION-SET: secret\r\nX-Mailer: m\r\nBcc: "
	    "d@example.jp\r\n"
	    "Return-Path: <>\r\nFeedback-ID: 1\r\n"
	    "List-Unsubscribe: <https://example.jp/u>\r\n"
	    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" BASIC
	    "\r\nx\r\n" },
	{ "twice", NULL,
	    "Subject: first\r\nTo: c@example.jp\r\n" BASIC "\r\nx\r\n" },
	{ "signed-already", NULL,
	    "DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=x; b=; bh=; "
	    "h=from\r\n" BASIC "\r\nx\r\n" },
	{ "bad-signature-field", NULL,
	    "DKIM-Signature: =;;\r\nDKIM-Signature:\r\nX-Junk" LONG_NAME
	    ":\r\n" BASIC "\r\nx\r\n" },
	{ "mime", NULL,
	    BASIC "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n "
		  "boundary=\"b\"\r\n"
		  "\r\n--b\r\n\r\nx\r\n--b--\r\n" },
	{ "spaces", NULL, BASIC "\r\n  a \t b  \r\n\t\r\n \r\nend\r\n \r\n" },
};

static void
check_field(const struct str *out)
{
	const char *line = out->data, *end;

	assert_memory_equal(out->data, "DKIM-Signature: v=1; a=", 23);
	assert_memory_equal(out->data + out->len - 2, "\r\n", 2);
	assert_int_equal(strlen(out->data), out->len);
	/* One field: every further line begins with space, CR and LF pair. */
	for (; *line != '\0'; line = end + 2) {
		end = strstr(line, "\r\n");
		assert_non_null(end);
		assert_null(memchr(line, '\n', (size_t)(end - line)));
		assert_null(memchr(line, '\r', (size_t)(end - line)));
		assert_in_range(end - line, 1, 78);
		if (line != out->data)
			assert_true(*line == ' ' || *line == '\t');
	}
	assert_non_null(strstr(out->data, "c=relaxed/relaxed"));
	assert_non_null(strstr(out->data, "d=example.jp"));
}

static void
save(const struct fixture *f, const char *name, const char *field,
    const char *head, const char *text, size_t len)
{
	char path[128], file[64];
	struct str whole = STR_INIT;

	snprintf(file, sizeof(file), "%s.eml", name);
	str_adds(&whole, field);
	if (head != NULL)
		str_adds(&whole, head);
	str_add(&whole, text, len);
	write_file(path_in(f, file, path), whole.data, whole.len);
	str_release(&whole);
}

/* Prints OK n when all n messages are good. */
static const char verifier[] =
    "import sys, glob, base64, dkim\n"
    "d = sys.argv[1]\n"
    "def txt(name, timeout=5):\n"
    "    s = name.split(b'.')[0].decode()\n"
    "    b = ''.join(open(d + '/' + s + '.pub').read().split('\\n')[1:-2])\n"
    "    if s == 'ed25519': b = "
    "base64.b64encode(base64.b64decode(b)[-32:]).decode()\n"
    "    return ('v=DKIM1; k=' + ('ed25519' if s == 'ed25519' else 'rsa') + '; "
    "p=' + b).encode()\n"
    "n = 0\n"
    "for f in sorted(glob.glob(d + '/*.eml')):\n"
    "    m = open(f, 'rb').read()\n"
    "    v = dkim.DKIM(m)\n"
    "    assert v.verify(dnsfunc=txt), f\n"
    "    for name in sys.argv[2].split():\n"
    "        bad = name.encode() + b': forger@example.net\\r\\n' + m\n"
    "        assert not dkim.DKIM(bad).verify(dnsfunc=txt), name + ' in ' + f\n"
    "    n += 1\n"
    "print('OK', n)\n";

/* Signed once more than they occur. */
#define OVERSIGNED                                                             \
	"from sender reply-to to cc subject date message-id mime-version "     \
	"content-type content-transfer-encoding"

static void
verify_saved(const struct fixture *f, int count)
{
	char path[128], command[400], answer[64] = "", wanted[64];
	FILE *p;

	write_file(
	    path_in(f, "verify.py", path), verifier, sizeof(verifier) - 1);
	snprintf(command, sizeof(command), "/usr/bin/python3 '%s' '%s' '%s'",
	    path, f->dir, OVERSIGNED);
	p = popen(command, "r");
	assert_non_null(p);
	if (fgets(answer, sizeof(answer), p) == NULL)
		answer[0] = '\0';
	assert_int_equal(pclose(p), 0);
	snprintf(wanted, sizeof(wanted), "OK %d\n", count);
	assert_string_equal(answer, wanted);
}

static void
test_signatures_verify(void **state)
{
	struct fixture *f = *state;
	const struct dkim_signer *signers[] = { f->rsa, f->ed25519 };
	struct str out = STR_INIT;
	struct err e = ERR_INIT;
	char name[64];
	int n = 0;

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		const struct message *m = &messages[i];

		for (int k = 0; k < 2; k++) {
			str_clear(&out);
			sign(signers[k], m->head, m->text, strlen(m->text),
			    &out, &e);
			assert_string_equal(e.text, "");
			check_field(&out);
			snprintf(name, sizeof(name), "%s-%d", m->name, k);
			save(f, name, out.data, m->head, m->text,
			    strlen(m->text));
			n++;
		}
	}
	str_release(&out);
	verify_saved(f, n);
}

/* Large ones, with a line end across every border of the pieces read. */
static void
test_pieces(void **state)
{
	struct fixture *f = *state;
	struct str text = STR_INIT, out = STR_INIT;
	struct err e = ERR_INIT;
	char name[64];

	for (int shift = 0; shift < 4; shift++) {
		str_clear(&text);
		str_clear(&out);
		str_adds(&text, FROM "References:");
		while (text.len < 65536 - 40)
			str_adds(&text, "\r\n <id@example.jp>");
		str_adds(&text, "\r\nSubject: ");
		while (text.len < 65536 - 5 + (size_t)shift)
			str_addc(&text, 's');
		str_adds(&text, "\r\n\r\n\r\n");
		while (text.len < 3 * 65536 - 2 + (size_t)shift)
			str_addc(&text, 'b');
		while (text.len < 300000)
			str_adds(&text, "\r\n\r\n x  y ");
		str_adds(&text, "\r\n\r\n");
		sign(f->rsa, NULL, text.data, text.len, &out, &e);
		assert_string_equal(e.text, "");
		snprintf(name, sizeof(name), "pieces-%d", shift);
		save(f, name, out.data, NULL, text.data, text.len);
	}
	str_release(&text);
	str_release(&out);
	verify_saved(f, 4);
}

/* The list of names in h=, folding removed. */
static void
signed_names(const char *field, char names[static 1024])
{
	const char *p = strstr(field, "h=");
	size_t n = 0;

	assert_non_null(p);
	while (p != NULL && p > field && strchr(" \t\n;", p[-1]) == NULL)
		p = strstr(p + 1, "h=");
	assert_non_null(p);
	for (p += 2; *p != ';' && *p != '\0' && n < 1000; p++)
		if (strchr(" \t\r\n", *p) == NULL)
			names[n++] = *p;
	names[n] = '\0';
}

/* How often a name is in a list "a:b:c" (both in any case). */
static size_t
count_name(const char *names, const char *name, size_t len)
{
	size_t count = 0;

	for (const char *p = names; *p != '\0';) {
		size_t n = strcspn(p, ":");

		count += n == len && strncasecmp(p, name, n) == 0;
		p += n + (p[n] == ':');
	}
	return count;
}

static size_t
count_field(const char *text, const char *name, size_t len)
{
	size_t count = 0;

	for (const char *p = text; p != NULL && memcmp(p, "\r\n", 2) != 0;) {
		count += strncasecmp(p, name, len) == 0 && p[len] == ':';
		p = strchr(p, '\n');
		p += p != NULL;
	}
	return count;
}

static const char *
find_message(const char *name)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (strcmp(messages[i].name, name) == 0)
			return messages[i].text;
	fail();
	return NULL;
}

static void
test_what_is_signed(void **state)
{
	struct fixture *f = *state;
	static const char *const never[] = { "x-ses", "received", "return-path",
		"bcc", "dkim-signature", "x-mailer" };
	static const char *const as_often[] = { "feedback-id",
		"list-unsubscribe", "list-unsubscribe-post", "in-reply-to",
		"references" };
	const char *text = find_message("many-received");
	struct str out = STR_INIT;
	char names[1024];

	sign(f->rsa, NULL, text, strlen(text), &out, NULL);
	signed_names(out.data, names);
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert_null(strcasestr(names, never[i]));
	for (size_t i = 0; i < sizeof(as_often) / sizeof(as_often[0]); i++) {
		size_t len = strlen(as_often[i]);

		assert_int_equal(count_name(names, as_often[i], len),
		    count_field(text, as_often[i], len));
	}
	str_release(&out);
}

static void
test_what_is_over_signed(void **state)
{
	struct fixture *f = *state;
	static const char *const some[] = { "many-received", "twice", "mime",
		"odd-names" };
	struct str out = STR_INIT;
	char names[1024];

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		const char *text = find_message(some[i]), *name;
		size_t len;

		str_clear(&out);
		sign(f->rsa, NULL, text, strlen(text), &out, NULL);
		signed_names(out.data, names);
		for (name = OVERSIGNED; *name != '\0'; name += len) {
			name += *name == ' ';
			len = strcspn(name, " ");
			assert_int_equal(count_name(names, name, len),
			    count_field(text, name, len) + 1);
		}
	}
	str_release(&out);
}

/* The published key is the public half of what signs, in OpenSSL's words. */
static void
test_record_of_a_signer(void **state)
{
	struct fixture *f = *state;
	char path[128], pem[1000] = "", line[128], wanted[1024], *record;
	FILE *in = fopen(path_in(f, "rsa.pub", path), "r");

	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL)
		if (line[0] != '-')
			strncat(pem, line, strcspn(line, "\n"));
	fclose(in);
	record = dkim_signer_record(f->rsa);
	snprintf(wanted, sizeof(wanted), "v=DKIM1; k=rsa; p=%s", pem);
	assert_string_equal(record, wanted);
	free(record);
	record = dkim_signer_record(f->ed25519);
	assert_memory_equal(record, "v=DKIM1; k=ed25519; p=", 22);
	assert_int_equal(strlen(record), 22 + 44);
	free(record);
}

static void
test_messages_that_cannot_be_signed(void **state)
{
	struct fixture *f = *state;
	struct smtp_content unreadable = { .read = read_nothing, .length = 10 };
	struct memory m = { .data = BASIC, .len = 10 };
	struct smtp_content cut = {
		.read = read_memory, .arg = &m, .length = 100
	};
	static const char *const bad[] = {
		"",
		"Subject: no from\r\n\r\nx\r\n",
		"no field at all\r\n\r\n",
		FROM "\r\nno end of line",
		" folded\r\n" FROM "\r\n",
		FROM "Subject: cut",
		FROM "Subject: x\nTo: y\r\n\r\n",
	};
	struct str out = STR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(
		    sign(f->rsa, NULL, bad[i], strlen(bad[i]), &out, &e), -1);
		assert_memory_equal(e.text, "cannot sign message: ", 21);
		assert_int_equal(out.len, 0);
	}
	assert_int_equal(dkim_signer_sign(f->rsa, &unreadable, &out, NULL), -1);
	assert_int_equal(dkim_signer_sign(f->rsa, &cut, &out, NULL), -1);
	assert_int_equal(out.len, 0);
	str_release(&out);
}

static void
expect_refused(
    const char *domain, const char *selector, const char *path, const char *why)
{
	struct err e = ERR_INIT;

	assert_null(dkim_signer_new(domain, selector, path, &e));
	assert_non_null(strstr(e.text, why));
	assert_null(strstr(e.text, "PRIVATE"));
}

static void
test_bad_keys(void **state)
{
	struct fixture *f = *state;
	char path[128];
	FILE *out;
	EVP_PKEY *key;

	expect_refused(
	    "example.jp", "s", path_in(f, "missing", path), "No such file");
	expect_refused("example.jp", "s", f->dir, "not a regular file");
	write_file(path_in(f, "text", path), "not a key\n", 10);
	chmod(path, 0600);
	expect_refused("example.jp", "s", path, "cannot load private key");
	write_key(f, "open", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), 0644);
	expect_refused(
	    "example.jp", "s", path_in(f, "open", path), "others have access");
	write_key(f, "group", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), 0660);
	expect_refused(
	    "example.jp", "s", path_in(f, "group", path), "others have access");
	write_key(f, "ec", EVP_EC_gen("P-256"), 0600);
	expect_refused("example.jp", "s", path_in(f, "ec", path),
	    "neither an RSA nor an Ed25519");
	write_key(f, "short", EVP_RSA_gen(768), 0600);
	expect_refused("example.jp", "s", path_in(f, "short", path),
	    "768 bits is too short");
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	out = fopen(path_in(f, "locked", path), "w");
	PEM_write_PKCS8PrivateKey(
	    out, key, EVP_aes_128_cbc(), "pass", 4, NULL, NULL);
	fclose(out);
	EVP_PKEY_free(key);
	chmod(path, 0600);
	expect_refused("example.jp", "s", path, "cannot load private key");
	path_in(f, "rsa", path);
	expect_refused("example jp", "s", path, "not a domain name");
	expect_refused("example.jp", "s\r\n", path, "not a DKIM selector");
}

/* What libopendkim parses is answered with the key that is parsed already: the
 * text here is none. */
static void
test_a_key_is_lent(void **state)
{
	struct fixture *f = *state;
	static unsigned char text[] = "----- no key at all",
			     from[] = "From: a@example.jp";
	char path[128];
	EVP_PKEY *key = dkim_key_read(path_in(f, "rsa", path), NULL);
	DKIM_LIB *lib = dkim_init(NULL, NULL);
	DKIM_STAT status;
	DKIM *dkim = dkim_sign(lib, (const unsigned char *)"id", NULL, text,
	    (const unsigned char *)"s", (const unsigned char *)"example.jp",
	    DKIM_CANON_RELAXED, DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256, -1,
	    &status);

	assert_non_null(dkim);
	assert_int_equal(
	    dkim_header(dkim, from, sizeof(from) - 1), DKIM_STAT_OK);
	assert_int_equal(dkim_eoh(dkim), DKIM_STAT_OK);
	dkim_loan_begin(key);
	assert_int_equal(dkim_privkey_load(dkim), DKIM_STAT_OK);
	dkim_loan_end();
	assert_int_equal(dkim_eom(dkim, NULL), DKIM_STAT_OK);
	dkim_free(dkim);
	dkim_close(lib);
	EVP_PKEY_free(key);
}

/* Nor does a loan reach further than it should. */
static void
test_without_a_loan(void **state)
{
	struct fixture *f = *state;
	char path[128];
	EVP_PKEY *key = dkim_key_read(path_in(f, "rsa", path), NULL), *other;
	BIO *in = BIO_new_file(path_in(f, "ed25519", path), "r");

	dkim_loan_begin(key);
	dkim_loan_end();
	other = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	assert_non_null(other);
	assert_int_equal(EVP_PKEY_get_base_id(other), EVP_PKEY_ED25519);
	assert_null(PEM_read_bio_PrivateKey(in, NULL, NULL, NULL));
	BIO_free(in);
	EVP_PKEY_free(other);
	EVP_PKEY_free(key);
}

#define PER_THREAD 100

static void *
sign_many(void *arg)
{
	struct fixture *f = arg;
	struct str out = STR_INIT;
	intptr_t failed = 0;

	for (int i = 0; i < PER_THREAD; i++) {
		const struct message *m = &messages[i % 8];

		str_clear(&out);
		failed += sign(i % 2 ? f->rsa : f->ed25519, m->head, m->text,
			      strlen(m->text), &out, NULL) != 0;
	}
	str_release(&out);
	return (void *)failed;
}

static void
test_threads(void **state)
{
	pthread_t threads[2];
	void *failed;

	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, sign_many, *state), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_signatures_verify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_is_signed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_is_over_signed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_record_of_a_signer, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_messages_that_cannot_be_signed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_key_is_lent, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_without_a_loan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
