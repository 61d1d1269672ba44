/*
 * credentials_imds.c - keys of the role of the EC2 instance we run on, from
 * its metadata service (IMDSv2: facts/aws.md, section 6).
 *
 * A session token is fetched first and kept for its hours, then the role's
 * name, then its keys. 401 says that the token is good no longer: once per
 * fetch another is asked for. The service answers the instance only, over one
 * hop, in the clear.
 */
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"
#include "mta/base/str.h"
#include "router/ses/credentials_int.h"

#define TOKEN_PATH   "/latest/api/token"
#define ROLE_PATH    "/latest/meta-data/iam/security-credentials/"
#define TTL_HEADER   "X-aws-ec2-metadata-token-ttl-seconds: 21600"
#define TOKEN_HEADER "X-aws-ec2-metadata-token: "

enum {
	TOKEN_TIME = 21600 * 1000 - 60 * 1000, /* ms, a minute before its end */
	CONNECT_TIMEOUT = 1000,
	TIMEOUT = 2000,
	ANSWER_MAX = 16 << 10,
	TOKEN_MAX = 1024,
	ROLE_MAX = 128,
};

enum step { STEP_TOKEN, STEP_ROLE, STEP_KEYS };

struct imds {
	struct https *https;
	char *url;
	char *token;	    /* of the session with it; NULL: none */
	int64_t token_ends; /* monotonic ms */
	char *role;
	enum step step;
	bool renewed; /* the token, in this fetch */
	struct https_call *call;
	void (*done)(void *, struct credentials *, const struct err *);
	void *arg;
};

/* -- what it answers with ---------------------------------------------- */

/* Wiped, for jansson frees them as they are. */
static void
wipe_texts(json_t *json)
{
	const char *name;
	json_t *value;

	json_object_foreach(json, name, value) if (json_is_string(value))
	    OPENSSL_cleanse((void *)(uintptr_t)json_string_value(value),
		json_string_length(value));
}

static const char *
member(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static struct credentials *
take_role(const json_t *json, struct err *e)
{
	const char *code = member(json, "Code");
	int64_t expires;

	if (strcmp(code, "Success") != 0) {
		err_set(e, "the role has no keys: %.80s: %.200s",
		    code[0] != '\0' ? code : "no code",
		    member(json, "Message"));
		return NULL;
	}
	if (clock_iso_read(member(json, "Expiration"), &expires) != 0) {
		err_set(e, "the keys of the role have no Expiration");
		return NULL;
	}
	return credentials_take(member(json, "AccessKeyId"),
	    member(json, "SecretAccessKey"), member(json, "Token"), expires,
	    "instance role", "the role", e);
}

struct credentials *
credentials_parse_role(const char *text, size_t len, struct err *e)
{
	struct credentials *c;
	json_t *json = json_loadb(text, len, 0, NULL);

	if (!json_is_object(json)) {
		err_set(e, "what the metadata service says is no JSON object");
		json_decref(json);
		return NULL;
	}
	c = take_role(json, e);
	wipe_texts(json);
	json_decref(json);
	return c;
}

/* Characters that may stand in a header or a path as they are. */
static bool
is_plain(const char *text, size_t len, const char *others)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z') &&
		    (c < '0' || c > '9') &&
		    (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return len > 0;
}

/* -- the three requests ------------------------------------------------ */

static void ask(struct imds *);

static void
finish(struct imds *m, struct credentials *c, const struct err *why)
{
	void (*done)(void *, struct credentials *, const struct err *) =
	    m->done;

	m->done = NULL;
	done(m->arg, c, why);
}

static void
fail(struct imds *m, const char *problem)
{
	struct err e = ERR_INIT;

	err_set(&e, "%s", problem);
	finish(m, NULL, &e);
}

static void
take_token(struct imds *m, const struct https_answer *a)
{
	if (a->len > TOKEN_MAX || !is_plain(a->body, a->len, "+/=-_.~")) {
		fail(m, "the metadata service gives a token that is none");
		return;
	}
	m->token = xstrndup(a->body, a->len);
	m->token_ends = clock_mono() + TOKEN_TIME;
	m->step = STEP_ROLE;
	ask(m);
}

/* The first of its lines. */
static void
take_role_name(struct imds *m, const struct https_answer *a)
{
	size_t len = strcspn(a->body, "\r\n");

	if (len > ROLE_MAX || !is_plain(a->body, len, "+=,.@_-")) {
		fail(m, "the metadata service names a role that is none");
		return;
	}
	free(m->role);
	m->role = xstrndup(a->body, len);
	m->step = STEP_KEYS;
	ask(m);
}

static void
take_keys(struct imds *m, const struct https_answer *a)
{
	struct err e = ERR_INIT;
	struct credentials *c = credentials_parse_role(a->body, a->len, &e);

	finish(m, c, c == NULL ? &e : NULL);
}

static void
take_refusal(struct imds *m, const struct https_answer *a)
{
	struct err e = ERR_INIT;

	if (a->status == 401 && m->step != STEP_TOKEN && !m->renewed) {
		credentials_wipe(&m->token);
		m->renewed = true;
		m->step = STEP_TOKEN;
		ask(m);
		return;
	}
	if (a->status == 0)
		err_set(&e, "the metadata service does not answer: %s",
		    a->why.text);
	else if (a->status == 404 && m->step == STEP_ROLE)
		err_set(&e, "this instance has no role");
	else
		err_set(&e, "the metadata service answers %d", a->status);
	finish(m, NULL, &e);
}

static void
on_answer(void *arg, const struct https_answer *a)
{
	static void (*const take[])(
	    struct imds *, const struct https_answer *) = {
		[STEP_TOKEN] = take_token,
		[STEP_ROLE] = take_role_name,
		[STEP_KEYS] = take_keys,
	};
	struct imds *m = arg;

	m->call = NULL;
	if (a->status == 200)
		take[m->step](m, a);
	else
		take_refusal(m, a);
}

static void
send_request(struct imds *m, const char *url, const char *header)
{
	const struct https_request r = {
		.method = m->step == STEP_TOKEN ? "PUT" : "GET",
		.url = url,
		.headers = &header,
		.nheaders = 1,
		.connect_timeout = CONNECT_TIMEOUT,
		.timeout = TIMEOUT,
		.max_answer = ANSWER_MAX,
		.fresh = true,
	};

	m->call = https_call_new(m->https, &r, on_answer, m);
}

static void
ask(struct imds *m)
{
	struct str url = STR_INIT, header = STR_INIT;
	bool token = m->step == STEP_TOKEN;

	str_addf(&url, "%s%s%s", m->url, token ? TOKEN_PATH : ROLE_PATH,
	    m->step == STEP_KEYS ? m->role : "");
	str_reserve(&header, TOKEN_MAX + sizeof(TOKEN_HEADER));
	str_adds(&header, token ? TTL_HEADER : TOKEN_HEADER);
	if (!token)
		str_adds(&header, m->token);
	send_request(m, url.data, header.data);
	OPENSSL_cleanse(header.data, header.len);
	str_release(&header);
	str_release(&url);
}

void
imds_fetch(struct imds *m,
    void (*done)(void *arg, struct credentials *, const struct err *why),
    void *arg)
{
	m->done = done;
	m->arg = arg;
	m->renewed = false;
	if (m->token != NULL && clock_mono() >= m->token_ends)
		credentials_wipe(&m->token);
	m->step = m->token != NULL ? STEP_ROLE : STEP_TOKEN;
	ask(m);
}

struct imds *
imds_new(struct https *https, const char *url)
{
	struct imds *m = xcalloc(1, sizeof(*m));
	size_t len = strlen(url);

	m->https = https;
	m->url = xstrndup(url, len - (len > 0 && url[len - 1] == '/'));
	return m;
}

void
imds_free(struct imds **mp)
{
	struct imds *m = *mp;

	if (m == NULL)
		return;
	https_call_free(&m->call);
	credentials_wipe(&m->token);
	free(m->role);
	free(m->url);
	free(m);
	*mp = NULL;
}
