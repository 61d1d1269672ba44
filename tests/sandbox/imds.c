/*
 * imds.c - the sandbox's EC2 instance metadata, version 2.
 *
 * A session token first, by PUT; then the role and its keys. New keys are to
 * be had within five minutes of the old ones' end, as at AWS; aws.c asks here
 * whether keys are good.
 */
#include "tests/sandbox/imds.h"

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "tests/sandbox/aws.h"
#include "tests/sandbox/json.h"
#include "tests/sandbox/sandbox.h"
#include "tests/sandbox/value.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#define TOKEN_PATH "/latest/api/token"
#define META	   "/latest/meta-data/"
#define ROLES	   META "iam/security-credentials/"
#define TTL_MOST   21600 /* seconds */
#define EXPIRES_S  3600
#define SECRET_LEN 40
#define TOKEN_LEN  240
#define AHEAD_MS   (5 * 60 * INT64_C(1000)) /* new keys come before the end */
#define HTML	   "text/html"

struct token {
	LIST_ENTRY(token) link;
	char text[57];
	int64_t expires; /* monotonic ms */
};

struct keys {
	LIST_ENTRY(keys) link;
	struct imds_key key;
};

enum imds_mood {
	MOOD_NORMAL,
	MOOD_NO_ROLE,
	MOOD_FAILED,
	MOOD_EXPIRED,
	MOOD_GARBAGE
};
static const char *const moods[] = { "normal", "norole", "failed", "expired",
	"garbage", NULL };

struct imds {
	LIST_HEAD(, token) tokens;
	LIST_HEAD(, keys) given_out; /* the newest first */
	const struct imds_key *now;  /* NULL: new ones are due */
	unsigned given;		     /* how many keys so far */
	unsigned lifetime, mood;
	bool spoilt; /* by a mood that is aws.c's */
};

struct imds *
imds_new(struct sandbox *b)
{
	struct imds *m = xcalloc(1, sizeof(*m));

	(void)b;
	LIST_INIT(&m->tokens);
	LIST_INIT(&m->given_out);
	m->lifetime = EXPIRES_S;
	return m;
}

static void
fill(char *to, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				     "pqrstuvwxyz0123456789+/";
	unsigned char r;
	size_t i;

	for (i = 0; i + 1 < size; i++) {
		RAND_bytes(&r, 1);
		to[i] = digits[r % 64];
	}
	to[i] = '\0';
}

static void
reply(struct aws_exchange *x, int status, const char *type, const char *text)
{
	aws_reply(x, status, type, text, strlen(text));
}

static void
refuse(struct aws_exchange *x, int status, const char *title)
{
	struct str o = STR_INIT;

	str_addf(&o,
	    "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<html><head>"
	    "<title>%d - %s</title></head><body><h1>%d - %s</h1></body>"
	    "</html>\n",
	    status, title, status, title);
	reply(x, status, HTML, o.data);
	str_release(&o);
}

/* --- session tokens --- */

static void
give_token(struct imds *m, struct aws_exchange *x)
{
	const char *ttl = aws_header(x, "X-aws-ec2-metadata-token-ttl-seconds");
	unsigned seconds = 0;
	struct token *t;

	if (aws_header(x, "X-Forwarded-For") != NULL) {
		refuse(x, 403, "Forbidden");
		return;
	}
	if (ttl == NULL || value_number(ttl, &seconds, NULL) < 0 ||
	    seconds < 1 || seconds > TTL_MOST) {
		refuse(x, 400, "Bad Request");
		return;
	}
	t = xcalloc(1, sizeof(*t));
	fill(t->text, sizeof(t->text));
	t->expires = clock_mono() + (int64_t)seconds * 1000;
	LIST_INSERT_HEAD(&m->tokens, t, link);
	reply(x, 200, "text/plain", t->text);
}

static bool
has_token(struct imds *m, const struct aws_exchange *x)
{
	const char *given = aws_header(x, "X-aws-ec2-metadata-token");
	const struct token *t;

	if (given == NULL)
		return false;
	LIST_FOREACH(t, &m->tokens, link)
	if (strcmp(t->text, given) == 0)
		return clock_mono() < t->expires;
	return false;
}

/* --- the role and its keys --- */

static void
renew(struct imds *m, struct sandbox *b)
{
	struct keys *k;

	if (m->now != NULL && m->now->expires - AHEAD_MS > aws_now(b))
		return;
	k = xcalloc(1, sizeof(*k));
	snprintf(k->key.access_key, sizeof(k->key.access_key),
	    "ASIASANDBOX%09u", ++m->given);
	fill(k->key.secret, SECRET_LEN + 1);
	fill(k->key.token, TOKEN_LEN + 1);
	/* Whole seconds, as Expiration has them. */
	k->key.expires = (aws_now(b) / 1000 + m->lifetime) * 1000;
	LIST_INSERT_HEAD(&m->given_out, k, link);
	m->now = &k->key;
}

const struct imds_key *
imds_key(const struct sandbox *b, const char *access_key)
{
	const struct keys *k;

	LIST_FOREACH(k, &b->imds->given_out, link)
	if (strcmp(k->key.access_key, access_key) == 0)
		return &k->key;
	return NULL;
}

static void
add_time(struct str *o, const char *key, int64_t wall)
{
	time_t t = (time_t)(wall / 1000);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	json_str(o, key, text);
}

static void
give_keys(struct imds *m, struct aws_exchange *x)
{
	struct str o = STR_INIT;
	const struct imds_key *k;
	int64_t now = aws_now(x->sandbox);

	renew(m, x->sandbox);
	k = m->now;
	json_open(&o, NULL, '{');
	if (m->mood == MOOD_FAILED) {
		json_str(&o, "Code", "AssumeRoleUnauthorizedAccess");
		json_str(&o, "Message", "EC2 cannot assume the role.");
		add_time(&o, "LastUpdated", now);
	} else {
		json_str(&o, "Code", "Success");
		add_time(&o, "LastUpdated", now);
		json_str(&o, "Type", "AWS-HMAC");
		json_str(&o, "AccessKeyId", k->access_key);
		json_str(&o, "SecretAccessKey", k->secret);
		json_str(&o, "Token", k->token);
		add_time(&o, "Expiration",
		    m->mood == MOOD_EXPIRED ? now - 60000 : k->expires);
	}
	json_close(&o, '}');
	if (m->mood == MOOD_GARBAGE)
		reply(x, 200, HTML, "<html>Welcome to the network</html>");
	else
		aws_reply(x, 200, "application/json", o.data, o.len);
	str_release(&o);
}

static void
give(struct imds *m, struct aws_exchange *x)
{
	bool role = m->mood != MOOD_NO_ROLE;

	if (role && strcmp(x->path, ROLES) == 0)
		reply(x, 200, "text/plain", IMDS_ROLE);
	else if (role && strcmp(x->path, ROLES IMDS_ROLE) == 0)
		give_keys(m, x);
	else if (strcmp(x->path, META "placement/region") == 0)
		reply(x, 200, "text/plain", AWS_REGION);
	else
		refuse(x, 404, "Not Found");
}

void
imds_handle(struct aws_exchange *x)
{
	struct imds *m = x->sandbox->imds;

	if (strcmp(x->method, "PUT") == 0 && strcmp(x->path, TOKEN_PATH) == 0)
		give_token(m, x);
	else if (strcmp(x->method, "GET") != 0)
		refuse(x, 405, "Not Allowed");
	else if (!has_token(m, x))
		refuse(x, 401, "Unauthorized");
	else
		give(m, x);
}

/* --- controls --- */

/* What is not IMDS's own is a mood of the whole server, for IMDS only. */
static int
set_mood(struct sandbox *b, const char *value, struct err *e)
{
	struct imds *m = b->imds;
	struct str words = STR_INIT;
	int rc = 0;

	if (value_word(value, moods, &m->mood, NULL) < 0) {
		str_addf(&words, "%s imds", value);
		rc = aws_set(b, "mood", words.data, e);
		m->mood = rc == 0 ? MOOD_NORMAL : m->mood;
		m->spoilt = m->spoilt || rc == 0;
	} else if (m->spoilt) {
		rc = aws_set(b, "mood", "normal", e);
		m->spoilt = false;
	}
	str_release(&words);
	return rc;
}

int
imds_set(struct sandbox *b, const char *key, const char *value, struct err *e)
{
	if (strcmp(key, "mood") == 0)
		return set_mood(b, value, e);
	if (strcmp(key, "expires") != 0)
		return err_set(e, "imds has no setting '%s'", key);
	if (value_number(value, &b->imds->lifetime, e) < 0)
		return -1;
	b->imds->now = NULL;
	return 0;
}
