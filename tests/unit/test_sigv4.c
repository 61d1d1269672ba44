/*
 * test_sigv4.c - requests of AWS's own clients verify, and nothing near them
 * does; what we sign verifies.
 *
 * one thread; time limit: 180 s
 */
#include "router/ses/sigv4.h"

#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "mta/base/alloc.h"
#include "mta/base/clock.h"
#include "router/ses/smtp_password.h"

#define ACCESS_KEY "AKIDEXAMPLE"
#define SECRET	   "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define REGION	   "ap-northeast-1"
#define FOLDER	   "tests/unit/aws_requests"
#define REQUESTS   42
#define WINDOW	   (INT64_C(15) * 60 * 1000)

/* -- a captured request ------------------------------------------------ */

enum { HEADERS_MAX = 32 };

struct captured {
	const char *method, *path, *query;
	char *body;
	size_t body_len;
	struct sigv4_header headers[HEADERS_MAX];
	size_t nheaders;
	char *texts[3 + 2 * HEADERS_MAX]; /* what all these point to */
	const char *token;
	int64_t at;
};

static char *
read_file(const char *name, size_t *len)
{
	char path[512], *data = xmalloc(65536);
	FILE *fp;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	fp = fopen(path, "rb");
	assert_non_null(fp);
	*len = fread(data, 1, 65535, fp);
	assert_true(*len > 0 && *len < 65535);
	data[*len] = '\0';
	fclose(fp);
	return data;
}

static char *
trimmed(const char *text, size_t len)
{
	while (len > 0 && strchr(" \t", text[0]) != NULL) {
		text++;
		len--;
	}
	while (len > 0 && strchr(" \t", text[len - 1]) != NULL)
		len--;
	return xstrndup(text, len);
}

static const char *
header(const struct captured *c, const char *name)
{
	for (size_t i = 0; i < c->nheaders; i++)
		if (strcasecmp(c->headers[i].name, name) == 0)
			return c->headers[i].value;
	return NULL;
}

static void
take_header(struct captured *c, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	char **texts = c->texts + 3 + 2 * c->nheaders;

	assert_non_null(colon);
	assert_true(c->nheaders < HEADERS_MAX);
	texts[0] = xstrndup(line, (size_t)(colon - line));
	texts[1] = trimmed(colon + 1, len - (size_t)(colon - line) - 1);
	c->headers[c->nheaders++] = (struct sigv4_header){ texts[0], texts[1] };
}

/* "20261122T050426Z" */
static int64_t
time_of(const char *date)
{
	char iso[32];
	int64_t at;

	snprintf(iso, sizeof(iso), "%.4s-%.2s-%.2sT%.2s:%.2s:%s", date,
	    date + 4, date + 6, date + 9, date + 11, date + 13);
	assert_int_equal(clock_iso_read(iso, &at), 0);
	return at;
}

static void
load(struct captured *c, const char *name)
{
	size_t len, line;
	char *data = read_file(name, &len), *at = data;

	memset(c, 0, sizeof(*c));
	c->method = c->texts[0] = xstrndup(at, strcspn(at, " "));
	at += strcspn(at, " ") + 1;
	line = strcspn(at, "? ");
	c->path = c->texts[1] = xstrndup(at, line);
	at += line + (at[line] == '?');
	line = strcspn(at, " ");
	c->query = c->texts[2] = xstrndup(at, line);
	at += strcspn(at, "\r") + 2;
	while ((line = strcspn(at, "\r")) > 0) {
		take_header(c, at, line);
		at += line + 2;
	}
	at += 2;
	c->body_len = len - (size_t)(at - data);
	c->body = xmalloc(c->body_len + 1);
	memcpy(c->body, at, c->body_len + 1);
	c->token = header(c, "x-amz-security-token");
	c->at = time_of(header(c, "x-amz-date"));
	free(data);
}

static void
unload(struct captured *c)
{
	free(c->body);
	for (size_t i = 0; i < 3 + 2 * c->nheaders; i++)
		free(c->texts[i]);
}

/* -- verifying one ----------------------------------------------------- */

static const struct sigv4_key *
find_key(void *arg, const char *access_key)
{
	return strcmp(access_key, ACCESS_KEY) == 0 ? arg : NULL;
}

static enum sigv4_verdict
verify_at(const struct captured *c, int64_t now, struct err *e)
{
	struct sigv4_key key = { ACCESS_KEY, SECRET, c->token };
	char hash[SIGV4_HASH_TEXT];
	const struct sigv4_request r = { c->method, c->path, c->query,
		c->headers, c->nheaders, hash };
	const struct sigv4_terms terms = { .find = find_key,
		.arg = &key,
		.region = REGION,
		.now = now,
		.window = WINDOW };

	sigv4_hash(c->body, c->body_len, hash);
	return sigv4_verify(&r, &terms, NULL, 0, e);
}

static enum sigv4_verdict
verify(const struct captured *c, struct err *e)
{
	return verify_at(c, c->at, e);
}

/* curl 7.88.1's that AWS refuses: the path is not encoded again, the query not
 * sorted, the body not hashed; the last lists a header without a name. */
static const struct {
	const char *name;
	enum sigv4_verdict verdict;
} wrong[] = {
	{ "curl788_path-encoded.txt", SIGV4_FORGED },
	{ "curl788_path-at.txt", SIGV4_FORGED },
	{ "curl788_query-unsorted.txt", SIGV4_FORGED },
	{ "curl788_upload.txt", SIGV4_FORGED },
	{ "curl788_hdr-empty.txt", SIGV4_MALFORMED },
};

static enum sigv4_verdict
expected(const char *name)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (strcmp(wrong[i].name, name) == 0)
			return wrong[i].verdict;
	return SIGV4_GOOD;
}

static size_t
each_captured(void (*look)(const char *name, struct captured *))
{
	DIR *folder = opendir(FOLDER);
	struct dirent *entry;
	struct captured c;
	size_t n = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL) {
		if (strstr(entry->d_name, ".txt") == NULL)
			continue;
		load(&c, entry->d_name);
		look(entry->d_name, &c);
		unload(&c);
		n++;
	}
	closedir(folder);
	return n;
}

static void
look_whole(const char *name, struct captured *c)
{
	struct err e = ERR_INIT;
	enum sigv4_verdict verdict = verify(c, &e);

	if (verdict != expected(name))
		fail_msg("%s: verdict %d: %s", name, (int)verdict, e.text);
	assert_int_equal(e.text[0] == '\0', verdict == SIGV4_GOOD);
}

static void
test_captured(void **state)
{
	(void)state;
	assert_int_equal(each_captured(look_whole), REQUESTS);
}

/* -- every change of one byte ------------------------------------------ */

/* A part of a request as text, and how it may change without a change of
 * meaning. */
enum kind {
	EXACT,	 /* not at all */
	PATH,	 /* none is "/" */
	NAME,	 /* of a header: in its case */
	VALUE,	 /* of a signed header: in the number and kind of its blanks */
	QUERY,	 /* in the case of the digits of %3A */
	CLAIM,	 /* Authorization: in the number of blanks behind its commas */
	UNSIGNED /* as it likes */
};

/* Blanks at its ends out, others as one. */
static void
squeeze(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		bool blank = *text == ' ' || *text == '\t';

		if (!blank)
			str_addc(out, *text);
		else if (out->len > 0 && text[1] != '\0' &&
			 strchr(" \t", text[1]) == NULL)
			str_addc(out, ' ');
	}
}

static void
raise_digits(struct str *out, const char *text)
{
	while (*text != '\0') {
		bool escape = *text == '%' &&
			      isxdigit((unsigned char)text[1]) &&
			      isxdigit((unsigned char)text[2]);

		str_addc(out, *text++);
		for (int i = 0; escape && i < 2; i++)
			str_addc(out, (char)toupper((unsigned char)*text++));
	}
}

static void
drop_blanks_behind_commas(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		str_addc(out, *text);
		if (*text == ',')
			text += strspn(text + 1, " ");
	}
}

static void
drop_case(struct str *out, const char *text)
{
	for (; *text != '\0'; text++)
		str_addc(out, (char)tolower((unsigned char)*text));
}

static void
fill_in_root(struct str *out, const char *text)
{
	str_adds(out, text[0] != '\0' ? text : "/");
}

/* What of a text must change for its meaning to change. */
static char *
essence(enum kind kind, const char *text)
{
	static void (*const reduce[])(struct str *, const char *) = {
		[EXACT] = str_adds,
		[PATH] = fill_in_root,
		[NAME] = drop_case,
		[VALUE] = squeeze,
		[QUERY] = raise_digits,
		[CLAIM] = drop_blanks_behind_commas,
	};
	struct str s = STR_INIT;

	if (kind != UNSIGNED)
		reduce[kind](&s, text);
	return str_detach(&s);
}

struct tally {
	size_t refused, same[UNSIGNED + 1];
};
static struct tally tally;

static void
check_change(const char *name, const struct captured *c, enum kind kind,
    const char *before, const char *after)
{
	struct err e = ERR_INIT;
	char *was = essence(kind, before), *is = essence(kind, after);
	bool same = strcmp(was, is) == 0;
	enum sigv4_verdict verdict = verify(c, &e);

	if ((verdict == SIGV4_GOOD) != same)
		fail_msg("%s: '%s' for '%s' gives %d: %s", name, after, before,
		    (int)verdict, e.text);
	if (same)
		tally.same[kind]++;
	else
		tally.refused++;
	free(was);
	free(is);
}

/* Of bytes that mean something somewhere, the turn of this place. */
static char
telling(size_t at, size_t turn)
{
	static const char bytes[] = "aZ0 \t%&=+;,:/?.-\n\r\x80";

	return bytes[(2 * at + turn) % (sizeof(bytes) - 1)];
}

/* Each byte flipped in each bit, replaced by telling ones, left out, and
 * telling ones put in before it. */
static void
change_text(const char *name, const struct captured *c, enum kind kind,
    const char **text)
{
	const char *before = *text;
	size_t len = strlen(before);
	char *after = xmalloc(len + 2);

	*text = after;
	for (size_t i = 0; i < 13 * len; i++) {
		size_t at = i / 13, turn = i % 13;

		memcpy(after, before, len + 1);
		if (turn < 8)
			after[at] ^= (char)(1 << turn);
		else if (turn < 10)
			after[at] = telling(at, turn);
		else if (turn < 11)
			memcpy(after + at, before + at + 1, len - at);
		else {
			after[at] = telling(at, turn);
			memcpy(after + at + 1, before + at, len - at + 1);
		}
		if (strcmp(after, before) != 0)
			check_change(name, c, kind, before, after);
	}
	for (size_t turn = 0; turn < 20; turn++) {
		after[len] = telling(0, turn);
		after[len + 1] = '\0';
		check_change(name, c, kind, before, after);
	}
	free(after);
	*text = before;
}

static void
change_body(const char *name, struct captured *c)
{
	struct err e = ERR_INIT;
	size_t len = c->body_len;

	for (size_t i = 0; i < 8 * len; i++) {
		c->body[i / 8] ^= (char)(1 << i % 8);
		if (verify(c, &e) == SIGV4_GOOD)
			fail_msg("%s: its body is not signed", name);
		c->body[i / 8] ^= (char)(1 << i % 8);
		tally.refused++;
	}
	c->body_len = len > 0 ? len - 1 : 1; /* one less, or its NUL */
	assert_int_not_equal(verify(c, &e), SIGV4_GOOD);
	c->body_len = len;
}

static bool
is_signed(const struct captured *c, const char *name)
{
	char list[1024], *word, *rest;
	const char *at = strstr(header(c, "authorization"), "SignedHeaders=");

	snprintf(list, sizeof(list), "%s", strchr(at, '=') + 1);
	list[strcspn(list, ",")] = '\0';
	for (word = strtok_r(list, ";", &rest); word != NULL;
	     word = strtok_r(NULL, ";", &rest))
		if (strcasecmp(word, name) == 0)
			return true;
	return false;
}

/* What Oiwake reads itself must be as it should be to the byte. */
static enum kind
kind_of(const struct captured *c, const char *name)
{
	static const struct {
		const char *name;
		enum kind kind;
	} own[] = {
		{ "authorization", CLAIM },
		{ "x-amz-date", EXACT },
		{ "x-amz-content-sha256", EXACT },
		{ "x-amz-security-token", EXACT },
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcasecmp(own[i].name, name) == 0)
			return own[i].kind;
	return is_signed(c, name) ? VALUE : UNSIGNED;
}

static void
change_headers(const char *name, struct captured *c)
{
	for (size_t i = 0; i < c->nheaders; i++) {
		struct sigv4_header *h = &c->headers[i];
		enum kind kind = kind_of(c, h->name);

		change_text(name, c, kind, &h->value);
		if (kind != UNSIGNED)
			change_text(name, c, NAME, &h->name);
	}
}

static void
look_near(const char *name, struct captured *c)
{
	if (expected(name) != SIGV4_GOOD)
		return;
	change_text(name, c, EXACT, &c->method);
	change_text(name, c, PATH, &c->path);
	change_text(name, c, QUERY, &c->query);
	change_headers(name, c);
	change_body(name, c);
}

static void
test_near_captured(void **state)
{
	(void)state;
	memset(&tally, 0, sizeof(tally));
	each_captured(look_near);
	assert_int_equal(tally.same[EXACT], 0);
	assert_true(tally.same[PATH] > 0);
	assert_true(tally.same[NAME] > 0);
	assert_true(tally.same[VALUE] > 0);
	assert_true(tally.same[QUERY] > 0);
	assert_true(tally.same[CLAIM] > 0);
	assert_true(tally.same[UNSIGNED] > 0);
	assert_true(tally.refused > 200000);
}

/* -- the verdicts ------------------------------------------------------ */

static void
test_clock(void **state)
{
	struct captured c;
	struct err e = ERR_INIT;

	(void)state;
	load(&c, "sesv2_get-account.txt");
	assert_int_equal(verify_at(&c, c.at + WINDOW, &e), SIGV4_GOOD);
	assert_int_equal(verify_at(&c, c.at - WINDOW, &e), SIGV4_GOOD);
	assert_string_equal(e.text, "");
	assert_int_equal(verify_at(&c, c.at + WINDOW + 1, &e), SIGV4_SKEWED);
	assert_string_equal(e.text,
	    "it was signed 900 s ago by our clock, more than 900 s are too "
	    "many");
	assert_int_equal(
	    verify_at(&c, c.at - WINDOW - 100 * 1000, &e), SIGV4_SKEWED);
	assert_string_equal(e.text,
	    "it was signed 1000 s ahead by our clock, more than 900 s are too "
	    "many");
	unload(&c);
}

/* Changes of a request that is signed as it should be, and what is said. */
static const struct {
	const char *header, *value; /* NULL: taken out */
	enum sigv4_verdict verdict;
} changes[] = {
	{ "Authorization", NULL, SIGV4_MISSING },
	{ "Authorization", "", SIGV4_MISSING },
	{ "Authorization", "Bearer abc", SIGV4_MISSING },
	{ "Authorization", "AWS4-HMAC-SHA256", SIGV4_MISSING },
	{ "Authorization", "AWS4-HMAC-SHA256 ", SIGV4_MALFORMED },
	{ "Authorization", "AWS4-HMAC-SHA256 ,,", SIGV4_MALFORMED },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 Credential=" ACCESS_KEY "/20261122/" REGION
	    "/ses/aws4_request, SignedHeaders=host, "
	    "Signature="
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    SIGV4_MALFORMED }, /* no date */
	{ "Authorization",
	    "AWS4-HMAC-SHA256 Credential=" ACCESS_KEY "/20261122/" REGION
	    "/ses/aws4_request, SignedHeaders="
	    "x-amz-date;host, Signature="
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    SIGV4_MALFORMED }, /* not in order */
	{ "Authorization",
	    "AWS4-HMAC-SHA256 Credential=" ACCESS_KEY "/20261122/" REGION
	    "/ses/aws4_request, SignedHeaders="
	    "host;x-absent;x-amz-date, Signature="
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    SIGV4_MALFORMED },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 Credential=" ACCESS_KEY "/20261122/" REGION
	    "/ses/aws4_request, SignedHeaders="
	    "host;x-amz-date, Signature="
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    SIGV4_FORGED },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 Credential=OTHER"
	    "/20261122/" REGION "/ses/aws4_request, SignedHeaders="
	    "host;x-amz-date, Signature="
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    SIGV4_UNKNOWN_KEY },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 Credential=" ACCESS_KEY "/20261123/" REGION
	    "/ses/aws4_request, SignedHeaders="
	    "host;x-amz-date, Signature="
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    SIGV4_WRONG_SCOPE },
	{ "Authorization",
	    "AWS4-HMAC-SHA256 Credential=" ACCESS_KEY
	    "/20261122/us-east-1/ses/aws4_request, SignedHeaders="
	    "host;x-amz-date, Signature="
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    SIGV4_WRONG_SCOPE },
	{ "X-Amz-Date", "20261122T050427", SIGV4_MALFORMED },
	{ "X-Amz-Date", "20261322T050427Z", SIGV4_MALFORMED },
	{ "X-Amz-Date", "Sun, 22 Nov 2026", SIGV4_MALFORMED },
	{ "X-Amz-Date", "20251122T050427Z", SIGV4_SKEWED },
	{ "X-Amz-Date", NULL, SIGV4_MALFORMED },
	{ "Host", NULL, SIGV4_MALFORMED },
	{ "Host", "127.0.0.1:18321\nx-amz-date:x", SIGV4_MALFORMED },
	{ "Host", "localhost:18321", SIGV4_FORGED },
};

static void
apply_change(struct captured *c, const char *name, const char *value)
{
	for (size_t i = 0; i < c->nheaders; i++)
		if (strcasecmp(c->headers[i].name, name) == 0) {
			if (value != NULL)
				c->headers[i].value = value;
			else
				c->headers[i].name = "X-Else";
			return;
		}
	fail_msg("no header '%s'", name);
}

static void
test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct captured c;
		struct err e = ERR_INIT;

		load(&c, "sesv2_get-account.txt");
		assert_int_equal(verify(&c, &e), SIGV4_GOOD);
		apply_change(&c, changes[i].header, changes[i].value);
		if (verify(&c, &e) != changes[i].verdict)
			fail_msg("change %zu: %s", i, e.text);
		assert_string_not_equal(e.text, "");
		unload(&c);
	}
}

/* A header put in, at either end. */
static enum sigv4_verdict
verify_with(const char *file, const char *name, const char *value, bool first)
{
	struct captured c;
	struct err e = ERR_INIT;
	enum sigv4_verdict verdict;

	load(&c, file);
	if (first)
		memmove(c.headers + 1, c.headers,
		    c.nheaders * sizeof(c.headers[0]));
	c.headers[first ? 0 : c.nheaders] =
	    (struct sigv4_header){ name, value };
	c.nheaders++;
	verdict = verify(&c, &e);
	c.nheaders--;
	unload(&c);
	return verdict;
}

static void
test_headers_put_in(void **state)
{
	static const struct {
		const char *name, *value;
		enum sigv4_verdict verdict;
	} cases[] = {
		{ "X-Else", "unsigned", SIGV4_GOOD },
		{ "Host", "another.example", SIGV4_FORGED },
		{ "HOST", "", SIGV4_FORGED },
		{ "X-Amz-Target", "Service.Other", SIGV4_MALFORMED },
		{ "x-amz-date", "20261122T050427Z", SIGV4_MALFORMED },
		{ "x-amz-security-token", "token", SIGV4_MALFORMED },
		{ "authorization",
		    "AWS4-HMAC-SHA256 Credential=", SIGV4_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int first = 0; first <= 1; first++)
			if (verify_with("sesv2_get-account.txt", cases[i].name,
				cases[i].value, first) != cases[i].verdict)
				fail_msg("'%s' put in", cases[i].name);
}

/* The token is part of who it is: signed or not, another one is refused. */
static void
test_token(void **state)
{
	struct captured c;
	struct err e = ERR_INIT;
	const char *token;

	(void)state;
	load(&c, "sesv2_get-account_sessiontoken.txt");
	token = c.token;
	assert_non_null(token);
	c.token = "another";
	assert_int_equal(verify(&c, &e), SIGV4_UNKNOWN_KEY);
	assert_string_equal(
	    e.text, "the session token is not that of its access key");
	c.token = NULL;
	assert_int_equal(verify(&c, &e), SIGV4_UNKNOWN_KEY);
	assert_string_equal(e.text, "its access key has no session token");
	unload(&c);
	load(&c, "sesv2_get-account.txt");
	c.token = "some";
	assert_int_equal(verify(&c, &e), SIGV4_UNKNOWN_KEY);
	unload(&c);
}

static void
test_payload(void **state)
{
	struct captured c;
	struct err e = ERR_INIT;

	(void)state;
	load(&c, "jsv3_sesv2_SendEmail.txt");
	c.body[0] ^= 1;
	assert_int_equal(verify(&c, &e), SIGV4_BAD_PAYLOAD);
	c.body[0] ^= 1;
	apply_change(&c, "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD");
	assert_int_equal(verify(&c, &e), SIGV4_BAD_PAYLOAD);
	unload(&c);
}

static void
test_who(void **state)
{
	struct captured c;
	struct err e = ERR_INIT;
	char who[6], hash[SIGV4_HASH_TEXT];

	(void)state;
	load(&c, "sesv2_get-account.txt");
	sigv4_hash("", 0, hash);
	{
		const struct sigv4_request r = { c.method, c.path, c.query,
			c.headers, c.nheaders, hash };
		struct sigv4_key key = { ACCESS_KEY, "another", NULL };
		const struct sigv4_terms terms = { .find = find_key,
			.arg = &key,
			.service = "ses",
			.now = c.at,
			.window = 0 };

		assert_int_equal(sigv4_verify(&r, &terms, who, sizeof(who), &e),
		    SIGV4_FORGED);
		assert_string_equal(who, "AKIDE");
		c.headers[0].name = "X-Else";
		for (size_t i = 0; i < c.nheaders; i++)
			if (strcmp(c.headers[i].name, "Authorization") == 0)
				c.headers[i].name = "X-Else";
		sigv4_verify(&r, &terms, who, sizeof(who), &e);
		assert_string_equal(who, "");
	}
	unload(&c);
}

/* -- signing ----------------------------------------------------------- */

/* AWS's own example, "get-vanilla" of its test suite. */
static void
test_known_signature(void **state)
{
	static const struct sigv4_header host = { "Host",
		"example.amazonaws.com" };
	const struct sigv4_key key = { ACCESS_KEY,
		"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL };
	char date[SIGV4_DATE_TEXT], hash[SIGV4_HASH_TEXT];
	struct sigv4_request r = { "GET", "/", "", &host, 1, hash };
	struct str s = STR_INIT;

	(void)state;
	sigv4_hash("", 0, hash);
	assert_string_equal(hash,
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (int i = 0; i < 2; i++) {
		r.path = i == 0 ? "/" : "";
		str_clear(&s);
		sigv4_sign(&r, &key, "us-east-1", "service",
		    INT64_C(1440938160000), date, &s);
		assert_string_equal(date, "20150830T123600Z");
		assert_string_equal(s.data,
		    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/"
		    "us-east-1/service/aws4_request, "
		    "SignedHeaders=host;x-amz-date, Signature="
		    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d76"
		    "3fbf31");
	}
	str_release(&s);
}

/* A captured request signed by us has the signature it came with, where the
 * client signed all headers that we are given. */
static void
look_again(const char *name, struct captured *c)
{
	struct sigv4_header headers[HEADERS_MAX];
	const struct sigv4_key key = { ACCESS_KEY, SECRET, c->token };
	const char *claim = header(c, "authorization"), *service;
	char hash[SIGV4_HASH_TEXT], date[SIGV4_DATE_TEXT];
	struct sigv4_request r = { c->method, c->path, c->query, headers, 0,
		hash };
	struct str s = STR_INIT;

	if (expected(name) != SIGV4_GOOD)
		return;
	for (size_t i = 0; i < c->nheaders; i++)
		if (is_signed(c, c->headers[i].name) &&
		    strcasecmp(c->headers[i].name, "x-amz-date") != 0 &&
		    strcasecmp(c->headers[i].name, "x-amz-security-token") != 0)
			headers[r.nheaders++] = c->headers[i];
	sigv4_hash(c->body, c->body_len, hash);
	service = strstr(claim, "/sqs/") != NULL ? "sqs" : "ses";
	sigv4_sign(&r, &key, REGION, service, c->at + 999, date, &s);
	assert_string_equal(date, header(c, "x-amz-date"));
	assert_string_equal(
	    strstr(s.data, "Signature="), strstr(claim, "Signature="));
	str_release(&s);
}

static void
test_signs_as_clients_do(void **state)
{
	(void)state;
	each_captured(look_again);
}

/* A request of random parts, that a signature is to hold for. */
struct drawn {
	char texts[10][40];
	struct sigv4_header headers[8];
	struct sigv4_request request;
	struct sigv4_key key;
	char hash[SIGV4_HASH_TEXT];
};

static unsigned seed = 5;

static unsigned
draw(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static const char *
draw_text(char text[static 40], const char *letters)
{
	size_t len = draw(39);

	for (size_t i = 0; i < len; i++)
		text[i] = letters[draw((unsigned)strlen(letters))];
	text[len] = '\0';
	return text;
}

static void
draw_request(struct drawn *d)
{
	static const char path[] = "abcXYZ019-._~/%@+ &=?:\xe8\xbf\xbd";
	static const char query[] = "abAB01%&&&==2f3D+ -~\xe5";
	static const char value[] = "ab  \t,;:=/\"%\xe5";
	static const char *const names[] = { "X-Amz-Target", "content-type",
		"X-B", "x-b", "Accept", "x-amz-meta" };

	draw_text(d->texts[0], path);
	d->texts[0][0] = '/';
	d->headers[0] = (struct sigv4_header){ "Host", "a.example" };
	d->request =
	    (struct sigv4_request){ draw(2) ? "POST" : "GET", d->texts[0],
		    draw_text(d->texts[1], query), d->headers, 1, d->hash };
	for (unsigned i = draw(6); i > 0; i--) {
		size_t n = d->request.nheaders++;

		d->headers[n] = (struct sigv4_header){ names[draw(6)],
			draw_text(d->texts[1 + n], value) };
	}
	d->key = (struct sigv4_key){ ACCESS_KEY, SECRET,
		draw(2) ? "IQoJb3JpZ2luX2Vj//" : NULL };
	sigv4_hash(d->texts, draw(40), d->hash);
}

static void
test_signed_verifies(void **state)
{
	struct drawn d;
	struct sigv4_header all[12];
	char date[SIGV4_DATE_TEXT];
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct str claim = STR_INIT;
		const int64_t now =
		    INT64_C(1795323600000) + (int64_t)draw(1u << 24) * 1000;
		const struct sigv4_terms terms = { .find = find_key,
			.arg = &d.key,
			.region = "eu-west-1",
			.service = "sqs",
			.now = now };
		struct sigv4_request r;

		draw_request(&d);
		sigv4_sign(
		    &d.request, &d.key, "eu-west-1", "sqs", now, date, &claim);
		r = d.request;
		memcpy(all, d.headers, sizeof(d.headers));
		all[r.nheaders++] = (struct sigv4_header){ "X-Amz-Date", date };
		all[r.nheaders++] =
		    (struct sigv4_header){ "Authorization", claim.data };
		if (d.key.token != NULL)
			all[r.nheaders++] =
			    (struct sigv4_header){ "x-amz-security-token",
				    d.key.token };
		r.headers = all;
		if (sigv4_verify(&r, &terms, NULL, 0, &e) != SIGV4_GOOD)
			fail_msg(
			    "%s %s?%s: %s", r.method, r.path, r.query, e.text);
		d.hash[draw(64)] ^= 1;
		assert_int_equal(
		    sigv4_verify(&r, &terms, NULL, 0, &e), SIGV4_FORGED);
		str_release(&claim);
	}
}

/* -- the SMTP password ------------------------------------------------- */

static void
test_smtp_password(void **state)
{
	static const struct {
		const char *region, *secret, *password;
	} cases[] = {
		{ "eu-central-1", "some+secret+key",
		    "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2" },
		{ "eu-central-1", "another+secret+key",
		    "BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh" },
		{ "us-west-1", "some+secret+key",
		    "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj" },
		{ "us-west-1", "another+secret+key",
		    "BKVmjjMDFk/qqw8EROW99bjCS65PF8WKvK5bSr4Y6EqF" },
		{ "us-west-2", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		    "BF2PynzbSCAjX08zhZZnP/kW+T9P5zs/1Er0pi5vTEmd" },
		{ "ap-northeast-1", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		    "BEBMrlH2tcrvRtSfkd6WbOlpfHSCPAV60ZayJ9ZqHS5c" },
	};
	char password[SES_SMTP_PASSWORD_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ses_smtp_password(cases[i].secret, cases[i].region, password);
		assert_string_equal(password, cases[i].password);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured),
		cmocka_unit_test(test_near_captured),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_headers_put_in),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_known_signature),
		cmocka_unit_test(test_signs_as_clients_do),
		cmocka_unit_test(test_signed_verifies),
		cmocka_unit_test(test_smtp_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
