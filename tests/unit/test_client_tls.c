/*
 * test_client_tls.c - STARTTLS, implicit TLS and AUTH of the SMTP client.
 */
#include "client_script.h"

#include <signal.h>

#include "mta/tlsa.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define PLAIN_START "S 220 mx\nC EHLO out.example.jp\n"
#define STARTTLS                                                               \
	PLAIN_START "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\ntls\n"
#define EHLO_AGAIN "C EHLO out.example.jp\n"
#define DELIVERY                                                               \
	"C MAIL FROM:<a@example.jp>\nS 250 ok\nC RCPT TO:<b@example.com>\nS "  \
	"250 ok\n"                                                             \
	"C RCPT TO:<c@example.com>\nS 250 ok\nC DATA\nS 354 go\nB\nS 250 "     \
	"queued\nC QUIT\n"                                                     \
	"S 221 bye\nclose\n"

static SSL_CTX *client_ctx, *good_ctx, *self_signed_ctx, *expired_ctx;
static unsigned char good_hash[32], ca_hash[32], expired_hash[32], no_hash[32];

/* ------ certificates */

static X509 *
certificate_until(EVP_PKEY *key, const char *name, const char *alt,
    X509 *issuer, EVP_PKEY *issuer_key, long seconds)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	X509_EXTENSION *extension;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), rand());
	X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(cert), seconds);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(
	    cert, X509_get_subject_name(issuer != NULL ? issuer : cert));
	extension = X509V3_EXT_conf_nid(NULL, NULL,
	    alt != NULL ? NID_subject_alt_name : NID_basic_constraints,
	    alt != NULL ? alt : "critical,CA:TRUE");
	assert_non_null(extension);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
	return cert;
}

static X509 *
certificate(EVP_PKEY *key, const char *name, const char *alt, X509 *issuer,
    EVP_PKEY *issuer_key)
{
	return certificate_until(key, name, alt, issuer, issuer_key, 3600);
}

static void
hash(X509 *cert, unsigned char out[static 32])
{
	unsigned len = 32;

	assert_int_equal(X509_digest(cert, EVP_sha256(), out, &len), 1);
}

static SSL_CTX *
server_context(EVP_PKEY *key, X509 *cert)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	return ctx;
}

static int
make_certificates(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *ca = certificate(key, "test CA", NULL, NULL, key);
	X509 *good =
	    certificate(key, "mx", "DNS:mx.example.com,IP:127.0.0.1", ca, key);
	X509 *self_signed, *expired;

	(void)state;
	expired = certificate_until(
	    key, "mx", "DNS:mx.example.com", ca, key, -3600);
	expired_ctx = server_context(key, expired);
	hash(expired, expired_hash);
	hash(ca, ca_hash);
	hash(good, good_hash);
	X509_free(expired);
	self_signed =
	    certificate(key, "mx.example.com", "DNS:mx.example.com", NULL, key);
	good_ctx = server_context(key, good);
	/* Whom a TLSA record vouches for must be in the chain. */
	X509_up_ref(ca);
	SSL_CTX_add_extra_chain_cert(good_ctx, ca);
	self_signed_ctx = server_context(key, self_signed);
	client_ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_dane_enable(client_ctx), 1);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(client_ctx), ca);
	X509_free(ca);
	X509_free(good);
	X509_free(self_signed);
	EVP_PKEY_free(key);
	return 0;
}

static int
free_certificates(void **state)
{
	(void)state;
	SSL_CTX_free(good_ctx);
	SSL_CTX_free(self_signed_ctx);
	SSL_CTX_free(expired_ctx);
	SSL_CTX_free(client_ctx);
	return 0;
}

static void
play_tls(struct play *p, const char *script, enum smtp_tls tls, SSL_CTX *server)
{
	play_init(p, script);
	p->config.tls = tls;
	p->config.tls_ctx = client_ctx;
	p->server_ctx = server;
	p->implicit_tls = tls == TLS_IMPLICIT;
}

/* ------ whom to trust */

static void
test_certificates(void **state)
{
	static const struct {
		enum smtp_tls tls;
		SSL_CTX **server;
		const char *host;
		const char *problem; /* NULL: delivered */
	} rows[] = {
		{ TLS_OPPORTUNISTIC, &good_ctx, "mx.example.com", NULL },
		{ TLS_OPPORTUNISTIC, &self_signed_ctx, "mx.example.com", NULL },
		{ TLS_OPPORTUNISTIC, &self_signed_ctx, "other.example.com",
		    NULL },
		{ TLS_OPPORTUNISTIC, &self_signed_ctx, "", NULL },
		{ TLS_REQUIRED, &good_ctx, "mx.example.com", NULL },
		{ TLS_REQUIRED, &good_ctx, "mx.example.com.", NULL },
		{ TLS_REQUIRED, &good_ctx, "127.0.0.1", NULL },
		{ TLS_REQUIRED, &good_ctx, "127.0.0.2", "IP address mismatch" },
		{ TLS_REQUIRED, &good_ctx, "other.example.com",
		    "hostname mismatch" },
		{ TLS_REQUIRED, &good_ctx, "",
		    "no name to verify the certificate against" },
		{ TLS_REQUIRED, &self_signed_ctx, "mx.example.com",
		    "self-signed certificate" },
		{ TLS_IMPLICIT, &good_ctx, "mx.example.com", NULL },
		{ TLS_IMPLICIT, &good_ctx, "other.example.com",
		    "hostname mismatch" },
		{ TLS_IMPLICIT, &self_signed_ctx, "mx.example.com",
		    "self-signed certificate" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool implicit = rows[i].tls == TLS_IMPLICIT;
		struct play p;

		play_tls(&p,
		    implicit ? PLAIN_START "S 250 mx\n" DELIVERY
			     : STARTTLS EHLO_AGAIN "S 250 mx\n" DELIVERY,
		    rows[i].tls, *rows[i].server);
		strcpy(p.target.host, rows[i].host);
		play_run(&p);
		if (rows[i].problem == NULL) {
			assert_int_equal(p.rcpt[0].outcome.code, 250);
			assert_string_equal(p.why.text, "");
			assert_int_equal(strncmp(p.tls, "TLSv1.3 TLS_", 12), 0);
		} else {
			assert_int_equal(p.ready, 0);
			assert_int_equal(p.why.stage, STAGE_TLS);
			assert_int_equal(p.why.scope, SCOPE_LANE);
			assert_non_null(strstr(p.why.text, rows[i].problem));
		}
		play_clear(&p);
	}
}

/* ------ policies of targets */

static struct tlsa_set *
records(unsigned char usage, const unsigned char *sha256)
{
	unsigned char rdata[35] = { usage, TLSA_CERTIFICATE, TLSA_SHA256 };
	const uint8_t *list[] = { rdata };

	memcpy(rdata + 3, sha256, 32);
	return tlsa_set_new(list, (size_t[]){ sizeof(rdata) }, 1);
}

static void
test_policies(void **state)
{
	static const struct {
		enum smtp_tls tls;
		bool judge;
		SSL_CTX **server;
		const char *host;
		unsigned char usage; /* TLS_DANE */
		const unsigned char *hash;
		enum tls_result result;
		const char *label;   /* delivered, with this behind the cipher */
		const char *problem; /* else NULL */
	} rows[] = {
		{ TLS_DANE, false, &good_ctx, "mx.example.com", TLSA_DANE_EE,
		    good_hash, TLS_SUCCESS, " label", NULL },
		{ TLS_DANE, false, &good_ctx, "other.example.com", TLSA_DANE_EE,
		    good_hash, TLS_SUCCESS, " label", NULL },
		{ TLS_DANE, false, &expired_ctx, "mx.example.com", TLSA_DANE_EE,
		    expired_hash, TLS_SUCCESS, " label", NULL },
		{ TLS_DANE, false, &good_ctx, "mx.example.com", TLSA_DANE_EE,
		    no_hash, TLS_FAILED, NULL, "no matching DANE TLSA records" },
		{ TLS_DANE, false, &good_ctx, "mx.example.com", TLSA_DANE_TA,
		    ca_hash, TLS_SUCCESS, " label", NULL },
		{ TLS_DANE, false, &good_ctx, "other.example.com", TLSA_DANE_TA,
		    ca_hash, TLS_HOST_MISMATCH, NULL, "hostname mismatch" },
		{ TLS_DANE, false, &self_signed_ctx, "mx.example.com",
		    TLSA_DANE_TA, ca_hash, TLS_FAILED, NULL,
		    "no matching DANE TLSA records" },
		{ TLS_REQUIRED, false, &good_ctx, "mx.example.com", 0, NULL,
		    TLS_SUCCESS, " label", NULL },
		{ TLS_REQUIRED, false, &good_ctx, "other.example.com", 0, NULL,
		    TLS_HOST_MISMATCH, NULL, "hostname mismatch" },
		/* Its subject's common name: none that counts. */
		{ TLS_REQUIRED, false, &good_ctx, "mx", 0, NULL,
		    TLS_HOST_MISMATCH, NULL, "hostname mismatch" },
		{ TLS_REQUIRED, false, &expired_ctx, "mx.example.com", 0, NULL,
		    TLS_EXPIRED, NULL, "certificate has expired" },
		{ TLS_REQUIRED, false, &self_signed_ctx, "mx.example.com", 0,
		    NULL, TLS_NOT_TRUSTED, NULL, "self-signed certificate" },
		{ TLS_ENCRYPTED, false, &self_signed_ctx, "other.example.com",
		    0, NULL, TLS_SUCCESS, "", NULL },
		{ TLS_OPPORTUNISTIC, false, &self_signed_ctx, "mx.example.com",
		    0, NULL, TLS_SUCCESS, "", NULL },
		{ TLS_OPPORTUNISTIC, true, &self_signed_ctx, "mx.example.com",
		    0, NULL, TLS_NOT_TRUSTED, "", NULL },
		{ TLS_OPPORTUNISTIC, true, &good_ctx, "other.example.com", 0,
		    NULL, TLS_HOST_MISMATCH, "", NULL },
		{ TLS_OPPORTUNISTIC, true, &good_ctx, "mx.example.com", 0, NULL,
		    TLS_SUCCESS, "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tlsa_set *set = rows[i].hash != NULL
					   ? records(rows[i].usage, rows[i].hash)
					   : NULL;
		struct smtp_client_policy policy = {
			.tls = rows[i].tls,
			.judge = rows[i].judge,
			.cause = "the test",
			.label = "label",
			.tlsa = set,
			.names = { rows[i].host, "next.example.com" },
		};
		struct play p;

		play_tls(&p, STARTTLS EHLO_AGAIN "S 250 mx\n" DELIVERY,
		    TLS_NONE, *rows[i].server);
		strcpy(p.target.host, rows[i].host);
		p.target.policy = &policy;
		play_run(&p);
		for (int r = 0; r < TLS_RESULTS; r++)
			assert_int_equal(
			    p.tls_results[r], r == (int)rows[i].result);
		if (rows[i].problem == NULL) {
			assert_int_equal(p.rcpt[0].outcome.code, 250);
			assert_non_null(strchr(p.tls, ' '));
			assert_string_equal(
			    p.tls + strcspn(p.tls, " ") + 1 +
				strcspn(strchr(p.tls, ' ') + 1, " "),
			    rows[i].label);
		} else {
			assert_int_equal(p.ready, 0);
			assert_int_equal(p.why.stage, STAGE_TLS);
			assert_int_equal(p.why.scope, SCOPE_LANE);
			assert_non_null(strstr(p.why.text, rows[i].problem));
			assert_non_null(
			    strstr(p.why.text, "required by the test"));
		}
		play_clear(&p);
		tlsa_set_unref(&set);
	}
}

/* One that must have TLS and has not is passed over; the next has its own
 * policy. */
static void
test_passed_over(void **state)
{
	static const struct {
		const char *first;
		enum tls_result result;
	} rows[] = {
		{ PLAIN_START "S 250 mx\n", TLS_NOT_OFFERED },
		{ PLAIN_START "S 500 what\nC HELO out.example.jp\nS 250 mx\n",
		    TLS_NOT_OFFERED },
		{ PLAIN_START
		    "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 454 later\n",
		    TLS_FAILED },
		{ PLAIN_START
		    "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 421 no\n",
		    TLS_FAILED },
		{ PLAIN_START "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nclose\n",
		    TLS_FAILED },
		{ PLAIN_START "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 "
			      "go\nbytes\nS 250 what\n",
		    TLS_FAILED },
		{ PLAIN_START "S 250-mx\nS 250 STARTTLS\nC STARTTLS\n"
			      "R 220 go\\r\\n250 x\\r\\n\n",
		    TLS_FAILED },
	};
	static const struct smtp_client_policy must = { .tls = TLS_REQUIRED,
		.cause = "the test",
		.label = "label" };
	static const struct smtp_client_policy none = { .tls = TLS_NONE };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_client_target targets[2];
		struct str script = STR_INIT;
		struct play p;

		str_addf(&script, "%snext\n%s", rows[i].first,
		    PLAIN_START "S 250 mx\n" DELIVERY);
		play_tls(&p, script.data, TLS_NONE, good_ctx);
		targets[0] = targets[1] = p.target;
		targets[0].policy = &must;
		targets[1].policy = &none;
		p.config.targets = targets;
		p.config.ntargets = 2;
		play_run(&p);
		assert_int_equal(p.rcpt[0].outcome.code, 250);
		assert_string_equal(p.tls, "");
		assert_int_equal(p.tls_results[rows[i].result], 1);
		play_clear(&p);
		str_release(&script);
	}
}

/* ------ STARTTLS */

static void
test_starttls(void **state)
{
	static const struct {
		const char *script;
		enum smtp_tls tls;
		enum smtp_stage stage; /* of the end; STAGE_QUIT: delivered */
		enum outcome_scope scope;
		int code;
		const char *text;
	} rows[] = {
		/* Not offered, or refused. */
		{ PLAIN_START "S 250 mx\n" DELIVERY, TLS_OPPORTUNISTIC,
		    STAGE_QUIT, 0, 0, "" },
		{ PLAIN_START "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 454 "
			      "later\n" DELIVERY,
		    TLS_OPPORTUNISTIC, STAGE_QUIT, 0, 0, "" },
		{ PLAIN_START "S 250-mx\nS 250 STARTTLS\n" DELIVERY, TLS_NONE,
		    STAGE_QUIT, 0, 0, "" },
		{ PLAIN_START "S 250 mx\n", TLS_REQUIRED, STAGE_TLS, SCOPE_LANE,
		    0,
		    "TLS is required, but the peer does not offer STARTTLS" },
		{ PLAIN_START "S 500 what\nC HELO out.example.jp\nS 250 mx\n",
		    TLS_REQUIRED, STAGE_TLS, SCOPE_LANE, 0,
		    "TLS is required, but the peer does not offer STARTTLS" },
		{ PLAIN_START
		    "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 454 4.7.0 later\n",
		    TLS_REQUIRED, STAGE_TLS, SCOPE_LANE, 454, "later" },
		/* Words slipped in before the handshake. */
		{ PLAIN_START
		    "S 250-mx\nS 250 STARTTLS\nC STARTTLS\n"
		    "R 220 go\\r\\n250-mx\\r\\n250 AUTH PLAIN\\r\\n\n",
		    TLS_OPPORTUNISTIC, STAGE_TLS, SCOPE_SESSION, 0,
		    "peer went on in plain text while sending STARTTLS" },
		/* What was offered before it counts no more. */
		{ PLAIN_START "S 250-mx\nS 250-PIPELINING\nS 250 STARTTLS\nC "
			      "STARTTLS\nS 220 go\n"
			      "tls\n" EHLO_AGAIN
			      "S 250-mx\nS 250 STARTTLS\n" DELIVERY,
		    TLS_OPPORTUNISTIC, STAGE_QUIT, 0, 0, "" },
		{ PLAIN_START
		    "S 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 421 no\nclose\n",
		    TLS_OPPORTUNISTIC, STAGE_TLS, SCOPE_SESSION, 421, "no" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct play p;

		play_tls(&p, rows[i].script, rows[i].tls, good_ctx);
		play_run(&p);
		assert_string_equal(p.why.text, rows[i].text);
		assert_int_equal(p.why.stage, rows[i].stage);
		assert_int_equal(p.why.code, rows[i].code);
		assert_int_equal(p.done, rows[i].stage == STAGE_QUIT);
		if (rows[i].stage == STAGE_QUIT)
			assert_int_equal(p.rcpt[0].outcome.code, 250);
		else
			assert_int_equal(p.why.scope, rows[i].scope);
		play_clear(&p);
	}
}

/* No handshake: garbage, a cut, silence. The owner may try again without TLS.
 */
static void
test_handshake_fails(void **state)
{
	static const struct {
		const char *then;
		const char *text;
		bool reset;
	} rows[] = {
		{ "S 220 go\nbytes\nS 250 what is this\n",
		    "wrong version number", false },
		{ "S 220 go\nbytes\nclose\n", "connection closed by peer",
		    false },
		{ "S 220 go\nbytes\nreset\n", "Connection reset by peer",
		    true },
		{ "S 220 go\nsilent\n",
		    "timed out while performing the TLS handshake", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str script = STR_INIT;
		struct play p;

		str_addf(&script, "%s%s",
		    PLAIN_START "S 250-mx\nS 250 STARTTLS\nC STARTTLS\n",
		    rows[i].then);
		play_tls(&p, script.data, TLS_OPPORTUNISTIC, good_ctx);
		if (strstr(rows[i].then, "silent") != NULL)
			play_hurry(&p, 50);
		play_run(&p);
		assert_int_equal(p.why.stage, STAGE_TLS);
		assert_int_equal(p.why.scope, SCOPE_SESSION);
		assert_non_null(strstr(p.why.text, rows[i].text));
		assert_int_equal(p.why.reset, rows[i].reset);
		play_clear(&p);
		str_release(&script);
	}
}

/* Stages under TLS fail as they do without it. */
static void
test_lost_under_tls(void **state)
{
	static const struct {
		const char *after;
		enum smtp_stage stage;
		bool unread;
	} rows[] = {
		{ "C MAIL FROM:<a@example.jp>\nclose\n", STAGE_MAIL, false },
		{ "C MAIL FROM:<a@example.jp>\nreset\n", STAGE_MAIL, false },
		{ "C MAIL FROM:<a@example.jp>\nS 250 ok\nC RCPT "
		  "TO:<b@example.com>\nS 250 ok\n"
		  "C RCPT TO:<c@example.com>\nS 250 ok\nC DATA\nS 354 "
		  "go\nB\nreset\n",
		    STAGE_DOT, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str script = STR_INIT;
		struct play p;

		str_addf(&script, "%s%s", STARTTLS EHLO_AGAIN "S 250 mx\n",
		    rows[i].after);
		play_tls(&p, script.data, TLS_REQUIRED, good_ctx);
		play_run(&p);
		assert_int_equal(p.rcpt[1].outcome.stage, rows[i].stage);
		assert_int_equal(p.rcpt[1].outcome.unread, rows[i].unread);
		assert_int_equal(p.rcpt[1].outcome.scope, SCOPE_SESSION);
		assert_int_equal(p.rcpt[1].outcome.reset,
		    strstr(rows[i].after, "reset") != NULL);
		play_clear(&p);
		str_release(&script);
	}
}

static void
test_large_under_tls(void **state)
{
	size_t len = 3 * 1000 * 1000 - 1;
	char *message = malloc(len);
	struct play p;

	(void)state;
	for (size_t i = 0; i < len; i++)
		message[i] = "x\r\n."[i % 100 < 97 ? 0 : i % 100 - 96];
	play_tls(&p, STARTTLS EHLO_AGAIN "S 250 mx\n" DELIVERY, TLS_REQUIRED,
	    good_ctx);
	p.message = message;
	p.message_len = len;
	play_run(&p);
	assert_int_equal(p.rcpt[0].outcome.code, 250);
	assert_int_equal(p.received.len, len + len / 100);
	play_clear(&p);
	free(message);
}

/* ------ AUTH */

/* base64 of \0user\0pass word, of user, of pass word */
#define PLAIN_TOKEN    "AHVzZXIAcGFzcyB3b3Jk"
#define LOGIN_USER     "dXNlcg=="
#define LOGIN_PASSWORD "cGFzcyB3b3Jk"

static void
test_auth(void **state)
{
	static const struct {
		const char *offer; /* after STARTTLS; NULL: no TLS */
		int code;	   /* of the refusal */
		const char *text;  /* "": delivered */
	} rows[] = {
		{ "S 250-mx\nS 250 AUTH LOGIN PLAIN\nC AUTH PLAIN " PLAIN_TOKEN
		  "\nS 235 ok\n",
		    0, "" },
		{ "S 250-mx\nS 250 AUTH LOGIN\nC AUTH LOGIN\nS 334 "
		  "VXNlcm5hbWU6\nC " LOGIN_USER
		  "\nS 334 UGFzc3dvcmQ6\nC " LOGIN_PASSWORD
		  "\nS 235 2.7.0 ok\n",
		    0, "" },
		{ "S 250-mx\nS 250 AUTH PLAIN\nC AUTH PLAIN " PLAIN_TOKEN
		  "\nS 535 Authentication Credentials Invalid\n",
		    535, "Authentication Credentials Invalid" },
		{ "S 250-mx\nS 250 AUTH PLAIN\nC AUTH PLAIN " PLAIN_TOKEN
		  "\nS 454 Temporary authentication failure\n",
		    454, "Temporary authentication failure" },
		{ "S 250-mx\nS 250 AUTH LOGIN\nC AUTH LOGIN\nS 334 "
		  "x\nC " LOGIN_USER "\nS 535 5.7.8 no such user\n",
		    535, "no such user" },
		{ "S 250-mx\nS 250 AUTH LOGIN\nC AUTH LOGIN\nS 235 come in\n",
		    0, "unexpected reply '235 come in' while authenticating" },
		{ "S 250-mx\nS 250 AUTH PLAIN\nC AUTH PLAIN " PLAIN_TOKEN
		  "\nS 334 more\n",
		    0, "unexpected reply '334 more' while authenticating" },
		{ "S 250-mx\nS 250 AUTH CRAM-MD5\n", 0,
		    "credentials are set, but the peer offers neither AUTH "
		    "PLAIN nor LOGIN" },
		{ NULL, 0,
		    "credentials are set, but the session has no TLS to "
		    "protect them" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str script = STR_INIT;
		struct play p;

		if (rows[i].offer != NULL)
			str_addf(&script, "%s%s%s", STARTTLS EHLO_AGAIN,
			    rows[i].offer,
			    rows[i].text[0] == '\0' ? DELIVERY : "");
		else
			str_adds(&script,
			    PLAIN_START "S 250-mx\nS 250 AUTH PLAIN\n");
		play_tls(&p, script.data,
		    rows[i].offer != NULL ? TLS_REQUIRED : TLS_OPPORTUNISTIC,
		    good_ctx);
		p.config.auth_user = "user";
		p.config.auth_password = "pass word";
		play_run(&p);
		assert_string_equal(p.why.text, rows[i].text);
		assert_int_equal(p.why.code, rows[i].code);
		if (rows[i].text[0] != '\0')
			assert_int_equal(p.why.stage, STAGE_AUTH);
		if (rows[i].code != 0 || strncmp(rows[i].text, "cred", 4) == 0)
			assert_int_equal(p.why.scope, SCOPE_PATH);
		play_clear(&p);
		str_release(&script);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_handshake_fails),
		cmocka_unit_test(test_lost_under_tls),
		cmocka_unit_test(test_large_under_tls),
		cmocka_unit_test(test_auth),
	};

	signal(SIGPIPE, SIG_IGN); /* as client.h asks */
	return cmocka_run_group_tests(
	    tests, make_certificates, free_certificates);
}
