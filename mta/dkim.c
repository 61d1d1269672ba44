/*
 * dkim.c - DKIM signatures by libopendkim.
 *
 * One library handle for the process, set up once and only read afterwards; a
 * handle of its own for each message. So any thread may sign at any time.
 */
#include "mta/dkim.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <dkim.h>

#include "mta/base/alloc.h"
#include "mta/dkim_key.h"
#include "mta/dkim_memory.h"
#include "mta/dkim_message.h"
#include "mta/dns/message.h"

#define PIECE (64 * 1024)
#define FIELD "DKIM-Signature: "

struct dkim_signer {
	char *domain, *selector;
	EVP_PKEY *key;
	char *pem; /* the same, as libopendkim wants it */
	char *record;
	const char *algorithm_name;
	unsigned bits;
	dkim_alg_t algorithm;
};

static DKIM_LIB *library;
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void
library_init(void)
{
	library = dkim_init(dkim_memory_alloc, dkim_memory_free);
	if (library == NULL)
		return;
	if (dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_SIGNHDRS,
		dkim_message_fields,
		sizeof(unsigned char **)) == DKIM_STAT_OK &&
	    dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS,
		dkim_message_oversigned,
		sizeof(unsigned char **)) == DKIM_STAT_OK)
		return;
	dkim_close(library);
	library = NULL;
}

static DKIM_LIB *
library_get(struct err *e)
{
	pthread_once(&library_once, library_init);
	if (library == NULL)
		err_set(e, "cannot set up libopendkim");
	return library;
}

/* Of what libopendkim knows. */
static int
choose_algorithm(struct dkim_signer *s, const char *path, struct err *e)
{
	if (strcmp(s->algorithm_name, "rsa") == 0)
		s->algorithm = DKIM_SIGN_RSASHA256;
	else if (dkim_libfeature(library, DKIM_FEATURE_ED25519))
		s->algorithm = DKIM_SIGN_ED25519SHA256;
	else
		return err_set(
		    e, "libopendkim here cannot sign with Ed25519: '%s'", path);
	return 0;
}

static int
load_key(struct dkim_signer *s, const char *path, struct err *e)
{
	s->key = dkim_key_read(path, e);
	if (s->key == NULL)
		return -1;
	s->algorithm_name = dkim_key_algorithm(s->key);
	s->bits = (unsigned)EVP_PKEY_get_bits(s->key);
	s->record = dkim_key_record(s->key);
	s->pem = dkim_key_pem(s->key);
	if (s->pem == NULL)
		return err_set(e, "cannot use private key '%s'", path);
	return choose_algorithm(s, path, e);
}

struct dkim_signer *
dkim_signer_new(const char *domain, const char *selector, const char *key_file,
    struct err *e)
{
	struct dkim_signer *s;

	if (!dns_name_is_host(domain)) {
		err_set(e, "not a domain name: '%s'", domain);
		return NULL;
	}
	if (!dns_name_is_host(selector)) {
		err_set(e, "not a DKIM selector: '%s'", selector);
		return NULL;
	}
	if (library_get(e) == NULL)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->domain = xstrdup(domain);
	s->selector = xstrdup(selector);
	if (load_key(s, key_file, e) != 0)
		dkim_signer_free(&s);
	return s;
}

void
dkim_signer_free(struct dkim_signer **signer)
{
	struct dkim_signer *s = *signer;

	if (s == NULL)
		return;
	if (s->pem != NULL)
		OPENSSL_cleanse(s->pem, strlen(s->pem));
	free(s->pem);
	EVP_PKEY_free(s->key);
	free(s->record);
	free(s->selector);
	free(s->domain);
	free(s);
	*signer = NULL;
}

const char *
dkim_signer_domain(const struct dkim_signer *s)
{
	return s->domain;
}

const char *
dkim_signer_selector(const struct dkim_signer *s)
{
	return s->selector;
}

char *
dkim_signer_record(const struct dkim_signer *s)
{
	return xstrdup(s->record);
}

const char *
dkim_signer_algorithm(const struct dkim_signer *s, unsigned *bits)
{
	*bits = s->bits;
	return s->algorithm_name;
}

static int
add_stored(struct dkim_message *m, const struct smtp_content *c, struct err *e)
{
	uint64_t at = 0;
	size_t size = c->length < PIECE ? (size_t)c->length : PIECE;
	char *piece = xmalloc(size + 1);
	int r = 0;

	while (r == 0 && at < c->length) {
		size_t want =
		    c->length - at < size ? (size_t)(c->length - at) : size;
		ssize_t n = c->read(c->arg, c->offset + at, piece, want);

		if (n < 0)
			r = err_sys(e, "cannot read message");
		else if ((size_t)n < want)
			r = err_set(
			    e, "message is shorter than its record says");
		else
			r = dkim_message_add(m, piece, want, e);
		at += want;
	}
	free(piece);
	return r;
}

/* Adds the field as libopendkim folds it: CRLF and a tab. */
static int
add_field(DKIM *dkim, struct str *out, struct err *e)
{
	unsigned char *value;
	size_t len;

	if (dkim_message_check(dkim,
		dkim_getsighdr_d(dkim, strlen(FIELD), &value, &len), e) != 0)
		return -1;
	str_adds(out, FIELD);
	str_add(out, value, len);
	str_adds(out, "\r\n");
	return 0;
}

/* Ends the message and signs it. */
static int
finish(DKIM *dkim, struct dkim_memory *memory, EVP_PKEY *key,
    struct dkim_message *m, struct err *e)
{
	DKIM_STAT status;

	if (dkim_message_end(m, e) != 0)
		return -1;
	status = dkim_memory_load_key(memory, dkim, key);
	if (status == DKIM_STAT_OK)
		status = dkim_eom(dkim, NULL);
	return dkim_message_check(dkim, status, e);
}

static int
run(DKIM *dkim, struct dkim_memory *memory, EVP_PKEY *key,
    const struct smtp_content *c, struct str *out, struct err *e)
{
	struct dkim_message m;
	int r;

	dkim_message_init(&m, dkim);
	r = dkim_message_add(&m, c->head, c->head_len, e);
	if (r == 0)
		r = add_stored(&m, c, e);
	if (r == 0)
		r = finish(dkim, memory, key, &m, e);
	if (r == 0)
		r = add_field(dkim, out, e);
	dkim_message_clear(&m);
	return r;
}

int
dkim_signer_sign(const struct dkim_signer *s, const struct smtp_content *c,
    struct str *out, struct err *e)
{
	struct dkim_memory memory;
	DKIM_STAT status;
	DKIM *dkim;
	int r;

	dkim_memory_init(&memory);
	dkim = dkim_sign(library, (const unsigned char *)"oiwake", &memory,
	    (unsigned char *)s->pem, (const unsigned char *)s->selector,
	    (const unsigned char *)s->domain, DKIM_CANON_RELAXED,
	    DKIM_CANON_RELAXED, s->algorithm, -1, &status);
	if (dkim == NULL)
		return dkim_message_check(NULL, status, e);
	r = run(dkim, &memory, s->key, c, out, e);
	dkim_free(dkim);
	dkim_memory_clear(&memory);
	return r;
}
