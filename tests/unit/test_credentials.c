/*
 * test_credentials.c - keys from settings, environment, file and the metadata
 * service of a fake instance, kept fresh.
 */
#include "router/ses/credentials.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "mta/base/https.h"
#include "mta/base/str.h"
#include "router/config.h"
#include "router/ses/credentials_int.h"

#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"

/* -- a file ------------------------------------------------------------ */

static const struct {
	const char *text, *profile;
	const char *access_key, *secret, *token; /* or */
	const char *problem;
} files[] = {
	{ "[default]\naws_access_key_id = AK\naws_secret_access_key=a/b+c=\n",
	    "default", "AK", "a/b+c=", NULL, NULL },
	{ "# ours\n\n[ other ]\r\naws_access_key_id\t=\tAK2  \r\n"
	  "; not this\r\nregion = x\r\naws_secret_access_key = s3\r\n"
	  "  aws_session_token = t/t==\r\n[default]\naws_access_key_id=AK\n",
	    "other", "AK2", "s3", "t/t==", NULL },
	{ "[a]\nnonsense\n[b]\naws_access_key_id=AK\n"
	  "aws_secret_access_key=s", /* no end of line */
	    "b", "AK", "s", NULL, NULL },
	{ "[b]\naws_access_key_id=AK\naws_secret_access_key=s\n"
	  "aws_session_token=\n",
	    "b", "AK", "s", NULL, NULL },
	{ "", "default", NULL, NULL, NULL, "file: no profile 'default'" },
	{ "aws_access_key_id=AK\naws_secret_access_key=s\n", "default", NULL,
	    NULL, NULL, "file: no profile 'default'" },
	{ "[default]\n", "default", NULL, NULL, NULL,
	    "file: the profile 'default' has no access key" },
	{ "[default]\naws_access_key_id=AK\n", "default", NULL, NULL, NULL,
	    "file: the profile 'default' has no secret key" },
	{ "[default]\naws_access_key_id=AK\naws_secret_access_key=\n",
	    "default", NULL, NULL, NULL,
	    "file: the profile 'default' has no secret key" },
	{ "[default]\naws_access_key_id=A/K\naws_secret_access_key=s\n",
	    "default", NULL, NULL, NULL,
	    "file: the profile 'default' has an access key that is none" },
	{ "[default]\naws_access_key_id=AK\naws_secret_access_key=s s\n",
	    "default", NULL, NULL, NULL,
	    "file: the profile 'default' has a secret key that is none" },
	{ "[default]\naws_access_key_id=AK\naws_secret_access_key=s\n"
	  "aws_session_token=\x01\n",
	    "default", NULL, NULL, NULL,
	    "file: the profile 'default' has a session token that is none" },
	{ "\n[default]\nsecret", "default", NULL, NULL, NULL,
	    "file:3: expected 'name = value'" },
	{ "[x]\n[default\n", "default", NULL, NULL, NULL,
	    "file:2: ']' missing behind a profile" },
	{ "[", "default", NULL, NULL, NULL,
	    "file:1: ']' missing behind a profile" },
	{ "[default]\naws_access_key_id=A\naws_access_key_id=B\n", "default",
	    NULL, NULL, NULL, "file:3: aws_access_key_id is there twice" },
};

static void
assert_text(const char *is, const char *expected)
{
	if (expected == NULL)
		assert_null(is);
	else
		assert_string_equal(is, expected);
}

static void
test_file_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct err e = ERR_INIT;
		struct credentials *c = credentials_read_text("file",
		    files[i].text, strlen(files[i].text), files[i].profile, &e);

		assert_text(e.text, files[i].problem ? files[i].problem : "");
		assert_int_equal(c != NULL, files[i].problem == NULL);
		if (c == NULL)
			continue;
		assert_string_equal(c->access_key, files[i].access_key);
		assert_string_equal(c->secret, files[i].secret);
		assert_text(c->token, files[i].token);
		assert_int_equal(c->expires, 0);
		assert_string_equal(c->from, "file");
		credentials_unref(&c);
	}
}

static void
test_file_with_nul(void **state)
{
	static const char text[] = "[default]\naws_access_key_id=A\0K\n";
	struct err e = ERR_INIT;

	(void)state;
	assert_null(credentials_read_text(
	    "file", text, sizeof(text) - 1, "default", &e));
	assert_string_equal(e.text, "not a text: 'file'");
}

/* -- the world: a folder, an instance, an event loop -------------------- */

enum { ASKED_MAX = 64 };

struct world {
	char folder[64], file[96];
	struct event_base *base;
	struct https *https;
	struct evhttp *server;
	char url[64];

	/* the instance */
	int tokens;	  /* given out so far: "token-1" ... */
	int good_token;	  /* of which this one is taken; 0: the last */
	int status;	  /* 0: as it should be */
	bool silent;	  /* it takes a request and says nothing */
	const char *role; /* NULL: none */
	int64_t lifetime; /* ms of the keys it gives out */
	int keys_given;
	const char *answer; /* instead of keys */
	char asked[ASKED_MAX][128];
	size_t nasked;
	bool forwarded; /* a request came by a proxy */

	struct credentials_provider *provider;
	int changes, wanted; /* of them, before the loop ends */
};

static void
answer(struct evhttp_request *r, int status, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	evbuffer_add(body, text, strlen(text));
	evhttp_send_reply(r, status, NULL, body);
	evbuffer_free(body);
}

static void
give_token(struct world *w, struct evhttp_request *r)
{
	const char *ttl =
	    evhttp_find_header(evhttp_request_get_input_headers(r),
		"X-aws-ec2-metadata-token-ttl-seconds");
	char token[32];

	assert_int_equal(evhttp_request_get_command(r), EVHTTP_REQ_PUT);
	assert_string_equal(ttl, "21600");
	assert_int_equal(
	    evbuffer_get_length(evhttp_request_get_input_buffer(r)), 0);
	snprintf(token, sizeof(token), "token-%d==", ++w->tokens);
	answer(r, 200, token);
}

static bool
has_token(const struct world *w, struct evhttp_request *r)
{
	const char *token = evhttp_find_header(
	    evhttp_request_get_input_headers(r), "X-aws-ec2-metadata-token");
	char good[32];

	snprintf(good, sizeof(good),
	    "token-%d==", w->good_token != 0 ? w->good_token : w->tokens);
	return token != NULL && strcmp(token, good) == 0;
}

static void
give_keys(struct world *w, struct evhttp_request *r)
{
	char text[512], until[25];

	w->keys_given++;
	clock_iso(clock_wall() + w->lifetime, until);
	snprintf(text, sizeof(text),
	    "{\"Code\":\"Success\",\"LastUpdated\":\"2026-11-22T00:00:00Z\","
	    "\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIA%d\","
	    "\"SecretAccessKey\":\"secret/%d\",\"Token\":\"IQoJ/%d==\","
	    "\"Expiration\":\"%s\"}",
	    w->keys_given, w->keys_given, w->keys_given, until);
	answer(r, 200, w->answer != NULL ? w->answer : text);
}

static void
on_request(struct evhttp_request *r, void *arg)
{
	struct world *w = arg;
	const char *path = evhttp_request_get_uri(r);
	char keys[128];

	assert_true(w->nasked < ASKED_MAX);
	snprintf(w->asked[w->nasked++], sizeof(w->asked[0]), "%s", path);
	w->forwarded |= evhttp_find_header(evhttp_request_get_input_headers(r),
			    "X-Forwarded-For") != NULL;
	snprintf(
	    keys, sizeof(keys), ROLE_PATH "%s", w->role != NULL ? w->role : "");
	if (w->silent)
		event_base_loopbreak(w->base);
	else if (w->status != 0)
		answer(r, w->status, "no");
	else if (strcmp(path, "/latest/api/token") == 0)
		give_token(w, r);
	else if (!has_token(w, r))
		answer(r, 401, "");
	else if (strcmp(path, ROLE_PATH) == 0)
		answer(r, w->role != NULL ? 200 : 404,
		    w->role != NULL ? w->role : "");
	else if (w->role != NULL && strcmp(path, keys) == 0)
		give_keys(w, r);
	else
		answer(r, 404, "");
}

static void
start_instance(struct world *w)
{
	struct evhttp_bound_socket *bound;
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	w->server = evhttp_new(w->base);
	evhttp_set_gencb(w->server, on_request, w);
	bound = evhttp_bind_socket_with_handle(w->server, "127.0.0.1", 0);
	assert_non_null(bound);
	assert_int_equal(getsockname(evhttp_bound_socket_get_fd(bound),
			     (struct sockaddr *)&addr, &len),
	    0);
	snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u",
	    net_port((struct sockaddr *)&addr));
}

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	snprintf(w->folder, sizeof(w->folder), "/tmp/test_credentials.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->file, sizeof(w->file), "%s/credentials", w->folder);
	w->base = event_base_new();
	w->https = https_new(w->base);
	w->role = "mailer";
	w->lifetime = INT64_C(6) * 3600 * 1000;
	start_instance(w);
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	unsetenv("AWS_SESSION_TOKEN");
	unsetenv("AWS_PROFILE");
	unsetenv("AWS_SHARED_CREDENTIALS_FILE");
	setenv("HOME", w->folder, 1);
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* which is not used */
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	assert_false(w->forwarded);
	credentials_provider_free(&w->provider);
	assert_null(w->provider);
	if (w->server != NULL)
		evhttp_free(w->server);
	https_free(&w->https);
	event_base_free(w->base);
	unlink(w->file);
	assert_int_equal(rmdir(w->folder), 0);
	free(w);
	return 0;
}

static void
on_change(void *arg)
{
	struct world *w = arg;

	if (++w->changes == w->wanted)
		event_base_loopbreak(w->base);
}

/* Until the provider has told so many times what it found. */
static void
run(struct world *w, int changes)
{
	w->wanted = w->changes + changes;
	event_base_dispatch(w->base);
	assert_int_equal(w->changes, w->wanted);
}

static char *
own(const char *text, char buf[static 128])
{
	snprintf(buf, 128, "%s", text);
	return buf;
}

static void
start(struct world *w, enum credentials_kind kind)
{
	char access_key[128], secret[128], url[128];
	struct config_credentials config = {
		.kind = kind,
		.access_key = own("AKstatic", access_key),
		.secret_key = { own("secret/static", secret) },
		.imds = own(w->url, url),
	};

	w->provider = credentials_provider_new(w->https, &config, on_change, w);
	assert_int_equal(w->changes, 0); /* not from inside */
	memset(access_key, 'x', sizeof(access_key));
	memset(secret, 'x', sizeof(secret));
	memset(url, 'x', sizeof(url));
}

static void
write_file(const struct world *w, const char *text, mode_t mode)
{
	FILE *fp = fopen(w->file, "w");

	assert_non_null(fp);
	assert_true(fputs(text, fp) >= 0);
	assert_int_equal(fclose(fp), 0);
	assert_int_equal(chmod(w->file, mode), 0);
}

static void
assert_keys(struct world *w, const char *access_key, const char *secret,
    const char *token, const char *from)
{
	struct err e = ERR_INIT;
	struct credentials *c = credentials_now(w->provider, &e);

	if (c == NULL)
		fail_msg("no keys: %s", e.text);
	assert_string_equal(c->access_key, access_key);
	assert_string_equal(c->secret, secret);
	assert_text(c->token, token);
	assert_string_equal(c->from, from);
	credentials_unref(&c);
	assert_null(c);
}

static void
assert_none(struct world *w, const char *why)
{
	struct err e = ERR_INIT;

	assert_null(credentials_now(w->provider, &e));
	assert_string_equal(e.text, why);
	assert_null(credentials_now(w->provider, NULL));
}

/* -- from here --------------------------------------------------------- */

static void
test_static(void **state)
{
	struct world *w = *state;

	start(w, CREDENTIALS_STATIC);
	assert_keys(w, "AKstatic", "secret/static", NULL, "settings");
	run(w, 1);
	credentials_refresh(w->provider);
	assert_keys(w, "AKstatic", "secret/static", NULL, "settings");
	assert_int_equal(w->nasked, 0);
}

static void
test_environment(void **state)
{
	struct world *w = *state;

	setenv("AWS_ACCESS_KEY_ID", "AKenv", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret/env", 1);
	setenv("AWS_SESSION_TOKEN", "token/env", 1);
	start(w, CREDENTIALS_ENVIRONMENT);
	assert_keys(w, "AKenv", "secret/env", "token/env", "environment");
	run(w, 1);
}

static void
test_environment_lacking(void **state)
{
	struct world *w = *state;

	start(w, CREDENTIALS_ENVIRONMENT);
	run(w, 1);
	assert_none(w, "AWS_ACCESS_KEY_ID is not set");
	credentials_provider_free(&w->provider);
	setenv("AWS_ACCESS_KEY_ID", "AKenv", 1);
	w->changes = 0;
	start(w, CREDENTIALS_ENVIRONMENT);
	run(w, 1);
	assert_none(w, "the environment has no secret key");
}

static const char usual_file[] =
    "[default]\naws_access_key_id=AKfile\naws_secret_access_key=secret/file\n"
    "[two]\naws_access_key_id=AKtwo\naws_secret_access_key=secret/two\n";

static void
test_file(void **state)
{
	struct world *w = *state;

	write_file(w, usual_file, 0600);
	setenv("AWS_SHARED_CREDENTIALS_FILE", w->file, 1);
	start(w, CREDENTIALS_FILE);
	assert_keys(w, "AKfile", "secret/file", NULL, "file");
	credentials_provider_free(&w->provider);
	setenv("AWS_PROFILE", "two", 1);
	start(w, CREDENTIALS_FILE);
	assert_keys(w, "AKtwo", "secret/two", NULL, "file");
}

static void
test_file_trouble(void **state)
{
	struct world *w = *state;
	struct err e = ERR_INIT;
	struct str expected = STR_INIT;

	assert_null(credentials_read(w->file, "two", &e));
	str_addf(
	    &expected, "cannot open '%s': No such file or directory", w->file);
	assert_string_equal(e.text, expected.data);
	write_file(w, usual_file, 0644);
	assert_null(credentials_read(w->file, "two", &e));
	str_clear(&expected);
	str_addf(&expected,
	    "others have access to '%s' (mode 644, expected 600 or 640)",
	    w->file);
	assert_string_equal(e.text, expected.data);
	unsetenv("HOME");
	assert_null(credentials_read(NULL, NULL, &e));
	assert_string_equal(
	    e.text, "there is no HOME to find .aws/credentials in");
	str_release(&expected);
}

/* A file that comes, or is put right, while we wait for it. */
static void
test_file_comes(void **state)
{
	struct world *w = *state;

	setenv("AWS_SHARED_CREDENTIALS_FILE", w->file, 1);
	start(w, CREDENTIALS_FILE);
	run(w, 1);
	assert_null(credentials_now(w->provider, NULL));
	write_file(w, usual_file, 0600);
	run(w, 1); /* tried again by itself */
	assert_keys(w, "AKfile", "secret/file", NULL, "file");
}

/* -- the instance's role ------------------------------------------------ */

static const char good_role[] =
    "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s\","
    "\"Token\":\"t\",\"Expiration\":\"2017-05-17T15:09:54Z\",\"More\":[1]}";

static void
test_role_text(void **state)
{
	struct err e = ERR_INIT;
	struct credentials *c =
	    credentials_parse_role(good_role, strlen(good_role), &e);

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->access_key, "ASIA");
	assert_string_equal(c->secret, "s");
	assert_string_equal(c->token, "t");
	assert_int_equal(c->expires, INT64_C(1495033794000));
	assert_string_equal(c->from, "instance role");
	credentials_unref(&c);
}

static void
test_role_text_trouble(void **state)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{ "", "what the metadata service says is no JSON object" },
		{ "[]", "what the metadata service says is no JSON object" },
		{ "{}", "the role has no keys: no code: " },
		{ "{\"Code\":7}", "the role has no keys: no code: " },
		{ "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":"
		  "\"EC2 cannot assume it\"}",
		    "the role has no keys: AssumeRoleUnauthorizedAccess: EC2 "
		    "cannot assume it" },
		{ "{\"Code\":\"Success\"}",
		    "the keys of the role have no Expiration" },
		{ "{\"Code\":\"Success\",\"Expiration\":\"soon\"}",
		    "the keys of the role have no Expiration" },
		{ "{\"Code\":\"Success\",\"Expiration\":"
		  "\"2017-05-17T15:09:54Z\",\"AccessKeyId\":\"A\"}",
		    "the role has no secret key" },
		{ "{\"Code\":\"Success\",\"Expiration\":"
		  "\"2017-05-17T15:09:54Z\",\"AccessKeyId\":\"A\\r\\nB\","
		  "\"SecretAccessKey\":\"s\"}",
		    "the role has an access key that is none" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;

		assert_null(credentials_parse_role(
		    cases[i].text, strlen(cases[i].text), &e));
		assert_string_equal(e.text, cases[i].problem);
	}
}

static void
assert_asked(const struct world *w, size_t from, const char *const *paths)
{
	for (; *paths != NULL; paths++, from++) {
		assert_true(from < w->nasked);
		assert_string_equal(w->asked[from], *paths);
	}
	assert_int_equal(from, w->nasked);
}

static const char *const all_paths[] = { "/latest/api/token", ROLE_PATH,
	ROLE_PATH "mailer", NULL };

static void
test_role(void **state)
{
	struct world *w = *state;

	start(w, CREDENTIALS_ROLE);
	assert_none(w, "the keys are not there yet");
	run(w, 1);
	assert_keys(w, "ASIA1", "secret/1", "IQoJ/1==", "instance role");
	assert_asked(w, 0, all_paths);
	credentials_refresh(w->provider); /* that was just done */
	assert_false(event_base_loop(w->base, EVLOOP_NONBLOCK) < 0);
	assert_int_equal(w->nasked, 3);
}

/* Five minutes before they end; the token is good still. */
static void
test_role_refreshed_early(void **state)
{
	struct world *w = *state;
	int64_t began = clock_mono();

	w->lifetime = 5 * 60 * 1000 + 300;
	start(w, CREDENTIALS_ROLE);
	run(w, 1);
	w->lifetime = 3600 * 1000;
	run(w, 1);
	assert_true(clock_mono() - began >= 300);
	assert_keys(w, "ASIA2", "secret/2", "IQoJ/2==", "instance role");
	assert_asked(w, 3, all_paths + 1);
}

static void
test_role_token_refused(void **state)
{
	struct world *w = *state;

	w->lifetime = 5 * 60 * 1000 + 50;
	start(w, CREDENTIALS_ROLE);
	run(w, 1);
	w->good_token = 2; /* the one that comes next */
	run(w, 1);
	assert_keys(w, "ASIA2", "secret/2", "IQoJ/2==", "instance role");
	assert_string_equal(w->asked[3], ROLE_PATH);
	assert_asked(w, 4, all_paths);
}

/* An instance that refuses every token is not asked for ever. */
static void
test_role_all_tokens_refused(void **state)
{
	struct world *w = *state;

	w->good_token = 99;
	start(w, CREDENTIALS_ROLE);
	run(w, 1);
	assert_none(w, "the metadata service answers 401");
	assert_int_equal(w->tokens, 2);
	assert_int_equal(w->nasked, 4);
}

/* What we have stays while it is good; then there is nothing, and why. */
static void
test_role_old_kept(void **state)
{
	struct world *w = *state;

	w->lifetime = 5 * 60 * 1000 + 50;
	start(w, CREDENTIALS_ROLE);
	run(w, 1);
	w->status = 500;
	run(w, 2); /* it is tried again, and fails again */
	assert_keys(w, "ASIA1", "secret/1", "IQoJ/1==", "instance role");
	w->status = 0;
	run(w, 1);
	assert_keys(w, "ASIA2", "secret/2", "IQoJ/2==", "instance role");
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static void
test_role_expired(void **state)
{
	struct world *w = *state;
	const struct timeval later = { .tv_sec = 3, .tv_usec = 250000 };

	w->lifetime = 3000; /* longer than a slow machine takes to ask */
	start(w, CREDENTIALS_ROLE);
	run(w, 1);
	assert_keys(w, "ASIA1", "secret/1", "IQoJ/1==", "instance role");
	event_base_once(w->base, -1, EV_TIMEOUT, on_later, w->base, &later);
	event_base_dispatch(w->base);
	assert_none(w, "the keys of the instance role have expired");
	w->lifetime = -1000;
	credentials_provider_free(&w->provider);
	w->changes = 0;
	start(w, CREDENTIALS_ROLE);
	run(w, 1);
	assert_none(w, "the keys of the role have expired already");
}

static void
test_role_trouble(void **state)
{
	static const struct {
		int status;
		const char *role, *answer, *why;
	} cases[] = {
		{ 0, NULL, NULL, "this instance has no role" },
		{ 403, "mailer", NULL, "the metadata service answers 403" },
		{ 302, "mailer", NULL, "the metadata service answers 302" },
		{ 0, "../../user-data", NULL,
		    "the metadata service names a role that is none" },
		{ 0, "", NULL,
		    "the metadata service names a role that is none" },
		{ 0, "mailer", "<html>",
		    "what the metadata service says is no JSON object" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w->status = cases[i].status;
		w->role = cases[i].role;
		w->answer = cases[i].answer;
		w->changes = 0;
		w->nasked = 0;
		start(w, CREDENTIALS_ROLE);
		run(w, 1);
		assert_none(w, cases[i].why);
		credentials_provider_free(&w->provider);
	}
}

static void
test_role_nobody_there(void **state)
{
	struct world *w = *state;
	struct err e = ERR_INIT;

	evhttp_free(w->server);
	w->server = NULL;
	start(w, CREDENTIALS_ROLE);
	run(w, 1);
	assert_null(credentials_now(w->provider, &e));
	assert_non_null(
	    strstr(e.text, "the metadata service does not answer: "));
}

static void
test_role_silent(void **state)
{
	struct world *w = *state;
	struct err e = ERR_INIT;
	int64_t began = clock_mono();

	w->silent = true;
	start(w, CREDENTIALS_ROLE);
	event_base_dispatch(w->base); /* until it is asked */
	run(w, 1);
	assert_true(clock_mono() - began >= 1000);
	assert_null(credentials_now(w->provider, &e));
	assert_non_null(
	    strstr(e.text, "the metadata service does not answer: "));
}

/* Freed while it waits: nobody is called. */
static void
test_freed_while_asking(void **state)
{
	struct world *w = *state;

	w->silent = true;
	start(w, CREDENTIALS_ROLE);
	event_base_dispatch(w->base);
	assert_int_equal(w->nasked, 1);
	credentials_provider_free(&w->provider);
	event_base_loop(w->base, EVLOOP_NONBLOCK);
	assert_int_equal(w->changes, 0);
}

/* -- other threads ------------------------------------------------------ */

struct reader {
	struct world *w;
	_Atomic bool stop;
	unsigned taken;
};

static void *
read_keys(void *arg)
{
	struct reader *r = arg;

	while (!r->stop) {
		struct credentials *c = credentials_now(r->w->provider, NULL);

		/* Where all processors are busy, two that only take the lock
		 * keep the one that changes the keys from it for long. */
		usleep(10);
		if (c == NULL)
			continue;
		/* Of one set: its parts bear the same number. */
		assert(
		    strcmp(c->access_key + 4, strchr(c->secret, '/') + 1) == 0);
		r->taken++;
		credentials_unref(&c);
	}
	return NULL;
}

static void
test_taken_by_other_threads(void **state)
{
	struct world *w = *state;
	struct reader readers[2] = { { .w = w }, { .w = w } };
	pthread_t threads[2];

	w->lifetime = 5 * 60 * 1000 + 30;
	start(w, CREDENTIALS_ROLE);
	run(w, 1);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, read_keys, &readers[i]);
	run(w, 10);
	for (int i = 0; i < 2; i++) {
		readers[i].stop = true;
		pthread_join(threads[i], NULL);
		assert_true(readers[i].taken > 0);
	}
	assert_keys(w, "ASIA11", "secret/11", "IQoJ/11==", "instance role");
}

/* -- auto: one after the other ------------------------------------------ */

static void
test_auto(void **state)
{
	struct world *w = *state;

	start(w, CREDENTIALS_AUTO);
	run(w, 1);
	assert_keys(w, "ASIA1", "secret/1", "IQoJ/1==", "instance role");
	credentials_provider_free(&w->provider);

	setenv("AWS_SHARED_CREDENTIALS_FILE", w->file, 1);
	write_file(w, usual_file, 0640);
	w->changes = 0;
	start(w, CREDENTIALS_AUTO);
	assert_keys(w, "AKfile", "secret/file", NULL, "file");
	credentials_provider_free(&w->provider);

	setenv("AWS_ACCESS_KEY_ID", "AKenv", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret/env", 1);
	start(w, CREDENTIALS_AUTO);
	assert_keys(w, "AKenv", "secret/env", NULL, "environment");
}

static void
test_auto_finds_none(void **state)
{
	struct world *w = *state;
	struct str why = STR_INIT;

	w->role = NULL;
	start(w, CREDENTIALS_AUTO);
	run(w, 1);
	str_addf(&why,
	    "AWS_ACCESS_KEY_ID is not set; cannot open "
	    "'%s/.aws/credentials': No such file or directory; this instance "
	    "has no role",
	    w->folder);
	assert_none(w, why.data);
	str_release(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_text),
		cmocka_unit_test(test_file_with_nul),
		cmocka_unit_test(test_role_text),
		cmocka_unit_test(test_role_text_trouble),
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_static),
		T(test_environment),
		T(test_environment_lacking),
		T(test_file),
		T(test_file_trouble),
		T(test_file_comes),
		T(test_role),
		T(test_role_refreshed_early),
		T(test_role_token_refused),
		T(test_role_all_tokens_refused),
		T(test_role_old_kept),
		T(test_role_expired),
		T(test_role_trouble),
		T(test_role_nobody_there),
		T(test_role_silent),
		T(test_freed_while_asking),
		T(test_taken_by_other_threads),
		T(test_auto),
		T(test_auto_finds_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
