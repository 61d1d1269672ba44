/*
 * sns_cert.c - the certificates that SNS signs with: fetched, checked, kept by
 * URL.
 *
 * A forger chooses the last 32 digits of the URL. So what is being fetched,
 * what failed and what is good are counted apart, fetches begin at a bounded
 * rate, and only a certificate that was found good can push another one out.
 */
#include "router/ses/sns_cert.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/ses/sns.h"

#define GOOD_MAX     4
#define BAD_MAX	     16
#define FETCHING_MAX 4
#define CHAIN_MAX    5
#define FILE_MAX     65536
#define TIMEOUT	     10000 /* ms, and so are the next ones */
#define CONNECTING   5000
#define REST	     5000  /* after a failure, of its URL */
#define RECHECK	     60000 /* a good one's dates and authorities */
#define BURST	     5	   /* fetches at once, and then one per SPACING */
#define SPACING	     1000

enum state { FETCHING, GOOD, BAD, STATES };

struct waiter {
	STAILQ_ENTRY(waiter) link;
	void (*done)(void *, X509 *, const struct err *);
	void *arg;
};
STAILQ_HEAD(waiters, waiter);

struct cert {
	TAILQ_ENTRY(cert) link; /* in its state's list, the latest last */
	struct sns_certs *certs;
	char *url;
	enum state state;

	struct https_call *call;
	struct waiters waiters;
	bool issuer_sought;

	X509 *certificate;
	STACK_OF(X509) * chain;
	int64_t checked; /* wall */

	struct err why; /* BAD, */
	int64_t since;	/* then, mono */
};
TAILQ_HEAD(cert_list, cert);

struct sns_certs {
	struct https *https;
	char *ca_file, *connect;
	X509_STORE *authorities;
	struct cert_list lists[STATES];
	unsigned counts[STATES];
	int64_t next; /* mono: when BURST fetches may begin again */
};

static const unsigned most[STATES] = { FETCHING_MAX, GOOD_MAX, BAD_MAX };

/* ------ those we have */

static void
cert_free(struct cert *c)
{
	struct waiter *w;

	TAILQ_REMOVE(&c->certs->lists[c->state], c, link);
	c->certs->counts[c->state]--;
	https_call_free(&c->call);
	while ((w = STAILQ_FIRST(&c->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->waiters, link);
		free(w);
	}
	X509_free(c->certificate);
	sk_X509_pop_free(c->chain, X509_free);
	free(c->url);
	free(c);
}

/* Last of its list, whose first goes when they are too many. */
static void
cert_enter(struct cert *c, enum state state)
{
	struct sns_certs *certs = c->certs;

	TAILQ_REMOVE(&certs->lists[c->state], c, link);
	certs->counts[c->state]--;
	c->state = state;
	TAILQ_INSERT_TAIL(&certs->lists[state], c, link);
	if (++certs->counts[state] > most[state])
		cert_free(TAILQ_FIRST(&certs->lists[state]));
}

static struct cert *
find(struct sns_certs *certs, const char *url)
{
	struct cert *c;

	for (size_t i = 0; i < STATES; i++)
		TAILQ_FOREACH(c, &certs->lists[i], link)
	if (strcmp(c->url, url) == 0)
		return c;
	return NULL;
}

/* It is known now; those who wait may ask for more. */
static void
settle(struct cert *c, enum state state, const struct err *why)
{
	struct waiters waiters = STAILQ_HEAD_INITIALIZER(waiters);
	X509 *certificate = state == GOOD ? c->certificate : NULL;
	struct waiter *w;
	struct err reason = ERR_INIT;

	STAILQ_CONCAT(&waiters, &c->waiters);
	if (why != NULL)
		reason = c->why = *why;
	c->since = clock_mono();
	if (certificate != NULL)
		X509_up_ref(certificate);
	cert_enter(c, state);
	while ((w = STAILQ_FIRST(&waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&waiters, link);
		w->done(
		    w->arg, certificate, certificate != NULL ? NULL : &reason);
		free(w);
	}
	X509_free(certificate);
}

/* ------ fetching */

static void
fetch(struct cert *c, const char *url,
    void (*done)(void *, const struct https_answer *))
{
	const struct https_request request = {
		.method = "GET",
		.url = url,
		.ca_file = c->certs->ca_file,
		.connect = c->certs->connect,
		.connect_timeout = CONNECTING,
		.timeout = TIMEOUT,
		.max_answer = FILE_MAX,
	};

	c->call = https_call_new(c->certs->https, &request, done, c);
}

/* The call has ended; whether it brought anything. */
static bool
came(struct cert *c, const struct https_answer *answer)
{
	struct err why = ERR_INIT;

	c->call = NULL;
	if (answer->status == 200)
		return true;
	if (answer->status == 0)
		err_set(
		    &why, "cannot fetch the certificate: %s", answer->why.text);
	else
		err_set(&why, "cannot fetch the certificate: status %d",
		    answer->status);
	settle(c, BAD, &why);
	return false;
}

/*
 * "http://crt.r2m01.amazontrust.com/r2m01.cer": where Amazon's authority says
 * that its own certificate is (RFC 5280 4.2.2.1), for SNS serves its
 * certificates without those in between. Nothing else is fetched, and what
 * comes must lead to an authority of ours all the same.
 */
static bool
is_issuer_url(const char *url)
{
	static const char start[] = "http://crt.";
	struct str right = STR_INIT;
	size_t len;
	bool is;

	if (strncmp(url, start, sizeof(start) - 1) != 0)
		return false;
	url += sizeof(start) - 1;
	len = strspn(url, "abcdefghijklmnopqrstuvwxyz0123456789");
	str_addf(&right, "%.*s.amazontrust.com/%.*s.cer", (int)len, url,
	    (int)len, url);
	is = len > 0 && len <= 20 && strcmp(url, right.data) == 0;
	str_release(&right);
	return is;
}

/* NULL: it names none that we would ask. The caller frees. */
static char *
issuer_url(X509 *certificate)
{
	AUTHORITY_INFO_ACCESS *infos =
	    X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
	char *url = NULL;

	for (int i = 0; url == NULL && i < sk_ACCESS_DESCRIPTION_num(infos);
	     i++) {
		const ACCESS_DESCRIPTION *info =
		    sk_ACCESS_DESCRIPTION_value(infos, i);
		const ASN1_IA5STRING *uri = info->location->d.ia5;

		if (OBJ_obj2nid(info->method) != NID_ad_ca_issuers ||
		    info->location->type != GEN_URI)
			continue;
		url = xstrndup((const char *)ASN1_STRING_get0_data(uri),
		    (size_t)ASN1_STRING_length(uri));
		if (strlen(url) != (size_t)ASN1_STRING_length(uri) ||
		    !is_issuer_url(url)) {
			free(url);
			url = NULL;
		}
	}
	AUTHORITY_INFO_ACCESS_free(infos);
	return url;
}

static bool
lacks_issuer(const struct err *why)
{
	return why->code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	       why->code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	       why->code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

static void on_issuer(void *, const struct https_answer *);

static void
judge(struct cert *c)
{
	struct err why = ERR_INIT;
	char *url;

	c->checked = clock_wall();
	if (sns_certificate_check(c->certificate, c->chain,
		c->certs->authorities, c->checked, &why) == 0) {
		settle(c, GOOD, NULL);
		return;
	}
	url = c->issuer_sought || !lacks_issuer(&why)
		  ? NULL
		  : issuer_url(c->certificate);
	if (url == NULL) {
		settle(c, BAD, &why);
		return;
	}
	c->issuer_sought = true;
	fetch(c, url, on_issuer);
	free(url);
}

static void
on_issuer(void *arg, const struct https_answer *answer)
{
	const unsigned char *der = (const unsigned char *)answer->body;
	struct cert *c = arg;
	X509 *issuer;

	if (!came(c, answer))
		return;
	issuer = d2i_X509(NULL, &der, (long)answer->len);
	ERR_clear_error();
	if (issuer != NULL && sk_X509_push(c->chain, issuer) == 0)
		abort(); /* out of memory */
	judge(c);
}

/* The first is the signer's, the others are in between. */
static int
read_pem(struct cert *c, const char *pem, size_t len)
{
	BIO *in = BIO_new_mem_buf(pem, (int)len);
	X509 *x = NULL;

	c->chain = sk_X509_new_null();
	if (in == NULL || c->chain == NULL)
		abort(); /* out of memory */
	c->certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
	while (c->certificate != NULL && sk_X509_num(c->chain) < CHAIN_MAX &&
	       (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(c->chain, x) == 0)
			abort(); /* out of memory */
	BIO_free(in);
	ERR_clear_error();
	return c->certificate != NULL ? 0 : -1;
}

static void
on_certificate(void *arg, const struct https_answer *answer)
{
	struct err why = ERR_INIT;
	struct cert *c = arg;

	if (!came(c, answer))
		return;
	if (read_pem(c, answer->body, answer->len) == 0) {
		judge(c);
		return;
	}
	err_set(&why, "what was fetched is no certificate");
	settle(c, BAD, &why);
}

/* ------ asking for one */

/* A forger's URLs are as many as he likes. */
static bool
may_fetch(struct sns_certs *certs)
{
	int64_t now = clock_mono();

	if (certs->counts[FETCHING] >= FETCHING_MAX ||
	    certs->next - now > (BURST - 1) * SPACING)
		return false;
	certs->next = (certs->next > now ? certs->next : now) + SPACING;
	return true;
}

static struct cert *
start(struct sns_certs *certs, const char *url)
{
	struct cert *c = xcalloc(1, sizeof(*c));

	c->certs = certs;
	c->url = xstrdup(url);
	c->state = FETCHING;
	STAILQ_INIT(&c->waiters);
	TAILQ_INSERT_TAIL(&certs->lists[FETCHING], c, link);
	certs->counts[FETCHING]++;
	fetch(c, url, on_certificate);
	return c;
}

static bool
is_still_good(struct cert *c)
{
	int64_t now = clock_wall();

	if (now >= c->checked && now - c->checked < RECHECK)
		return true;
	c->checked = now;
	return sns_certificate_check(c->certificate, c->chain,
		   c->certs->authorities, now, NULL) == 0;
}

/* What we know of the URL, unless it is worth another look. */
static struct cert *
find_fresh(struct sns_certs *certs, const char *url)
{
	struct cert *c = find(certs, url);

	if (c != NULL && c->state == BAD && clock_mono() - c->since >= REST) {
		cert_free(c);
		return NULL;
	}
	if (c != NULL && c->state == GOOD && !is_still_good(c)) {
		cert_free(c);
		return NULL;
	}
	return c;
}

static void
wait_for(
    struct cert *c, void (*done)(void *, X509 *, const struct err *), void *arg)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->done = done;
	w->arg = arg;
	STAILQ_INSERT_TAIL(&c->waiters, w, link);
}

/* At once; it has been asked for latest now. */
static void
tell(
    struct cert *c, void (*done)(void *, X509 *, const struct err *), void *arg)
{
	X509 *certificate = c->certificate;
	struct err why = c->why;

	if (c->state == BAD) {
		done(arg, NULL, &why);
		return;
	}
	cert_enter(c, GOOD);
	X509_up_ref(certificate);
	done(arg, certificate, NULL);
	X509_free(certificate);
}

void
sns_certs_get(struct sns_certs *certs, const char *url,
    void (*done)(void *arg, X509 *, const struct err *why), void *arg)
{
	struct cert *c = find_fresh(certs, url);
	struct err why = ERR_INIT;

	if (c != NULL && c->state != FETCHING) {
		tell(c, done, arg);
		return;
	}
	if (c == NULL && !may_fetch(certs)) {
		err_set(&why, "too many certificates are asked for");
		done(arg, NULL, &why);
		return;
	}
	wait_for(c != NULL ? c : start(certs, url), done, arg);
}

/* ------ */

/* Any certificate in the file vouches, be it a root or not. */
static int
read_authorities(struct sns_certs *certs, struct err *e)
{
	certs->authorities = X509_STORE_new();
	if (certs->authorities == NULL)
		abort(); /* out of memory */
	ERR_clear_error();
	if (certs->ca_file == NULL) {
		if (X509_STORE_set_default_paths(certs->authorities) != 1)
			return err_set(
			    e, "cannot use the system's authorities");
		return 0;
	}
	X509_STORE_set_flags(certs->authorities, X509_V_FLAG_PARTIAL_CHAIN);
	if (X509_STORE_load_file(certs->authorities, certs->ca_file) == 1)
		return 0;
	ERR_clear_error();
	return err_set(e, "cannot read authorities in '%s'", certs->ca_file);
}

struct sns_certs *
sns_certs_new(
    struct https *https, const struct config_sns *config, struct err *e)
{
	struct sns_certs *certs = xcalloc(1, sizeof(*certs));

	certs->https = https;
	certs->ca_file = xstrdup(config->ca_file);
	certs->connect = xstrdup(config->connect);
	for (size_t i = 0; i < STATES; i++)
		TAILQ_INIT(&certs->lists[i]);
	if (read_authorities(certs, e) != 0)
		sns_certs_free(&certs);
	return certs;
}

void
sns_certs_free(struct sns_certs **p)
{
	struct sns_certs *certs = *p;
	struct cert *c;

	*p = NULL;
	if (certs == NULL)
		return;
	for (size_t i = 0; i < STATES; i++)
		while ((c = TAILQ_FIRST(&certs->lists[i])) != NULL)
			cert_free(c);
	X509_STORE_free(certs->authorities);
	free(certs->ca_file);
	free(certs->connect);
	free(certs);
}
