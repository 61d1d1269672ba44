/*
 * dkim_key.c - private keys for DKIM: made, written, read, and their public
 * halves.
 */
#include "mta/dkim_key.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "mta/base/str.h"
#include "mta/tls.h"

#define ED25519_SIZE 32

static const struct algorithm {
	int id;
	const char *name;
} algorithms[] = {
	{ EVP_PKEY_RSA, "rsa" },
	{ EVP_PKEY_ED25519, "ed25519" },
};

const char *
dkim_key_algorithm(const EVP_PKEY *key)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (EVP_PKEY_get_base_id(key) == algorithms[i].id)
			return algorithms[i].name;
	return NULL;
}

static int
check_wish(const char *algorithm, unsigned bits, struct err *e)
{
	if (strcmp(algorithm, "ed25519") == 0)
		return 0;
	if (strcmp(algorithm, "rsa") != 0)
		return err_set(e, "not a type of DKIM keys: '%s'", algorithm);
	if (bits < DKIM_RSA_BITS_MIN || bits > DKIM_RSA_BITS_MAX)
		return err_set(e,
		    "an RSA key for DKIM has %d to %d bits, not %u",
		    DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX, bits);
	return 0;
}

EVP_PKEY *
dkim_key_new(const char *algorithm, unsigned bits, struct err *e)
{
	EVP_PKEY *key;
	char reason[160];

	if (check_wish(algorithm, bits, e) != 0)
		return NULL;
	if (strcmp(algorithm, "rsa") == 0)
		key = EVP_RSA_gen(bits);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (key == NULL)
		err_set(e, "cannot make a key: %s", tls_last_error(reason));
	return key;
}

/* -- files
 * ------------------------------------------------------------------------ */

static int
write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		left -= (size_t)n;
	}
	return fsync(fd);
}

int
dkim_key_write(const EVP_PKEY *key, const char *path, struct err *e)
{
	char *text;
	int fd, r;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return err_set(
		    e, "'%s' is there already and stays as it is", path);
	if (fd < 0)
		return err_sys(e, "cannot create '%s'", path);
	text = dkim_key_pem(key);
	r = text != NULL ? write_all(fd, text)
			 : err_set(e, "cannot write the key as PEM");
	if (r != 0 && text != NULL)
		err_sys(e, "cannot write '%s'", path);
	if (close(fd) != 0 && r == 0)
		r = err_sys(e, "cannot write '%s'", path);
	if (r != 0)
		unlink(path);
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
	return r;
}

/* OpenSSL would otherwise ask for the passphrase of a key on the terminal. */
static int
refuse_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *
read_any(const char *path, struct err *e)
{
	EVP_PKEY *key = NULL;
	BIO *file;
	char reason[160];

	if (tls_check_key_file(path, e) != 0)
		return NULL;
	file = BIO_new_file(path, "r");
	if (file != NULL)
		key = PEM_read_bio_PrivateKey(
		    file, NULL, refuse_passphrase, NULL);
	if (key == NULL)
		err_set(e, "cannot load private key '%s': %s", path,
		    tls_last_error(reason));
	BIO_free(file);
	return key;
}

EVP_PKEY *
dkim_key_read(const char *path, struct err *e)
{
	EVP_PKEY *key = read_any(path, e);
	int bits;

	if (key == NULL)
		return NULL;
	bits = EVP_PKEY_get_bits(key);
	if (dkim_key_algorithm(key) == NULL)
		err_set(e, "neither an RSA nor an Ed25519 key: '%s'", path);
	else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
		 bits < DKIM_RSA_BITS_MIN)
		err_set(e, "RSA key of %d bits is too short: '%s'", bits, path);
	else
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* -- text
 * ------------------------------------------------------------------------- */

char *
dkim_key_pem(const EVP_PKEY *key)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *text = NULL, *data;
	long len;

	if (memory == NULL)
		return NULL;
	if (PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) ==
	    1) {
		len = BIO_get_mem_data(memory, &data);
		text = xstrndup(data, (size_t)len);
		OPENSSL_cleanse(data, (size_t)len);
	}
	BIO_free(memory);
	return text;
}

/* What p= holds: of RSA the DER form, as everybody publishes it (RFC 6376's
 * erratum 3017); of Ed25519 the bare key. */
static unsigned char *
public_bytes(const EVP_PKEY *key, size_t *size)
{
	unsigned char *bytes = NULL;
	int len, good;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
		*size = ED25519_SIZE;
		bytes = OPENSSL_malloc(ED25519_SIZE);
		assert(bytes != NULL);
		good = EVP_PKEY_get_raw_public_key(key, bytes, size);
		assert(good == 1);
		return bytes;
	}
	len = i2d_PUBKEY(key, &bytes);
	assert(len > 0);
	*size = (size_t)len;
	return bytes;
}

char *
dkim_key_record(const EVP_PKEY *key)
{
	struct str out = STR_INIT;
	unsigned char *bytes, *text;
	size_t size;

	bytes = public_bytes(key, &size);
	text = xmalloc((size + 2) / 3 * 4 + 1);
	EVP_EncodeBlock(text, bytes, (int)size);
	str_addf(&out, "v=DKIM1; k=%s; p=%s", dkim_key_algorithm(key),
	    (const char *)text);
	free(text);
	OPENSSL_free(bytes);
	return str_detach(&out);
}
