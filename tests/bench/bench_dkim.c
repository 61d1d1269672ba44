/*
 * bench_dkim.c - what a DKIM signature of a small message costs.
 *
 * usage: bench_dkim SIGNATURES
 *
 * For RSA-2048 and for Ed25519: our signer, libopendkim as its manual uses it,
 * and the private-key operation alone, in turn, one signature each, so that
 * whatever else the machine does meets all three. Prints a JSON object per line
 * with the processor's microseconds for each, the median of all signatures.
 */
#include <dkim.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/dkim.h"
#include "mta/dkim_key.h"

#define BODY 5120

struct bench {
	const char *type;
	EVP_PKEY *key;
	char *pem;
	struct dkim_signer *signer;
	DKIM_LIB *lib;
	char *message;
	size_t len, header_len;
};

static void
must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_dkim: %s\n", what);
	exit(1);
}

static double
cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* -- the three of them
 * ------------------------------------------------------------ */

static ssize_t
read_body(void *arg, uint64_t offset, void *buf, size_t len)
{
	const struct bench *b = arg;

	memcpy(buf, b->message + offset, len);
	return (ssize_t)len;
}

static void
sign_ours(struct bench *b)
{
	struct smtp_content content = {
		.read = read_body, .arg = b, .length = b->len
	};
	struct str out = STR_INIT;
	struct err e = ERR_INIT;

	must(dkim_signer_sign(b->signer, &content, &out, &e) == 0, e.text);
	str_release(&out);
}

static void
feed_header(const struct bench *b, DKIM *dkim)
{
	char *p = b->message, *end;

	for (; memcmp(p, "\r\n", 2) != 0; p = end + 2) {
		end = strstr(p, "\r\n");
		while (end[2] == '\t')
			end = strstr(end + 2, "\r\n");
		must(dkim_header(dkim, (unsigned char *)p, (size_t)(end - p)) ==
			 DKIM_STAT_OK,
		    "dkim_header");
	}
}

static void
sign_plain(struct bench *b)
{
	bool rsa = strcmp(b->type, "rsa") == 0;
	unsigned char *field;
	DKIM_STAT status;
	size_t len;
	DKIM *dkim = dkim_sign(b->lib, (const unsigned char *)"bench", NULL,
	    (unsigned char *)b->pem, (const unsigned char *)"s",
	    (const unsigned char *)"example.jp", DKIM_CANON_RELAXED,
	    DKIM_CANON_RELAXED,
	    rsa ? DKIM_SIGN_RSASHA256 : DKIM_SIGN_ED25519SHA256, -1, &status);

	must(dkim != NULL, "dkim_sign");
	feed_header(b, dkim);
	must(dkim_eoh(dkim) == DKIM_STAT_OK, "dkim_eoh");
	must(dkim_body(dkim, (unsigned char *)b->message + b->header_len,
		 b->len - b->header_len) == DKIM_STAT_OK,
	    "dkim_body");
	must(dkim_eom(dkim, NULL) == DKIM_STAT_OK, "dkim_eom");
	must(dkim_getsighdr_d(dkim, 16, &field, &len) == DKIM_STAT_OK,
	    "dkim_getsighdr_d");
	dkim_free(dkim);
}

static void
sign_bare(struct bench *b)
{
	static const unsigned char digest[32];
	unsigned char signature[512];
	size_t len = sizeof(signature);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool rsa = strcmp(b->type, "rsa") == 0;

	must(EVP_DigestSignInit(
		 md, NULL, rsa ? EVP_sha256() : NULL, NULL, b->key) == 1 &&
		 EVP_DigestSign(md, signature, &len, digest, sizeof(digest)) ==
		     1,
	    "EVP_DigestSign");
	EVP_MD_CTX_free(md);
}

static const struct way {
	const char *name;
	void (*sign)(struct bench *);
} ways[] = {
	{ "ours", sign_ours },
	{ "libopendkim", sign_plain },
	{ "key", sign_bare },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* -- in turn
 * ---------------------------------------------------------------------- */

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(struct bench *b, size_t count)
{
	double *took[WAYS], start;

	for (size_t w = 0; w < WAYS; w++)
		took[w] = xcalloc(count, sizeof(double));
	for (size_t i = 0; i < count; i++)
		for (size_t w = 0; w < WAYS; w++) {
			start = cpu_now();
			ways[w].sign(b);
			took[w][i] = cpu_now() - start;
		}
	printf("{\"type\": \"%s\"", b->type);
	for (size_t w = 0; w < WAYS; w++) {
		qsort(took[w], count, sizeof(double), by_size);
		printf(", \"%s\": %.1f", ways[w].name, took[w][count / 2]);
		free(took[w]);
	}
	printf("}\n");
	fflush(stdout);
}

static void
make_message(struct bench *b)
{
	struct str m = STR_INIT;

	str_adds(&m, "Received: from app.example.jp (app.example.jp "
		     "[192.0.2.1])\r\n\tby mail.example.jp with ESMTP id 1;\r\n"
		     "\tSun, 22 Nov 2026 10:00:00 +0900\r\n"
		     "From: News <news@example.jp>\r\nTo: taro@docomo.ne.jp\r\n"
		     "Subject: news of the day\r\n"
		     "Date: Sun, 22 Nov 2026 10:00:00 +0900\r\n"
		     "Message-ID: <1@example.jp>\r\nMIME-Version: 1.0\r\n"
		     "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	b->header_len = m.len;
	while (m.len < b->header_len + BODY)
		str_adds(&m, "A line of text, and a few words more to fill it, "
			     "as in mail.\r\n");
	b->len = m.len;
	b->message = str_detach(&m);
}

static void
bench_type(const char *type, size_t count)
{
	char path[] = "/tmp/bench_dkim.XXXXXX/key";
	struct bench b = { .type = type, .lib = dkim_init(NULL, NULL) };
	struct err e = ERR_INIT;
	char *slash = strrchr(path, '/');

	*slash = '\0';
	must(mkdtemp(path) != NULL, "cannot make a folder");
	*slash = '/';
	b.key = dkim_key_new(type, 2048, &e);
	must(b.key != NULL && dkim_key_write(b.key, path, &e) == 0, e.text);
	b.signer = dkim_signer_new("example.jp", "s", path, &e);
	must(b.signer != NULL, e.text);
	unlink(path);
	*slash = '\0';
	rmdir(path);
	b.pem = dkim_key_pem(b.key);
	make_message(&b);
	measure(&b, count);
	free(b.message);
	free(b.pem);
	dkim_signer_free(&b.signer);
	dkim_close(b.lib);
	EVP_PKEY_free(b.key);
}

int
main(int argc, char **argv)
{
	int count = argc == 2 ? atoi(argv[1]) : 0;

	if (count < 1) {
		fputs("usage: bench_dkim SIGNATURES\n", stderr);
		return 2;
	}
	bench_type("rsa", (size_t)count);
	bench_type("ed25519", (size_t)count);
	return 0;
}
