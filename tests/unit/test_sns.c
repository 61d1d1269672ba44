/*
 * test_sns.c - the envelope of SNS: what is genuine, and that nothing else is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "router/ses/sns.h"
#include "router/ses/sns_seen.h"
#include "tests/unit/sns_help.h"

#define NOW  1795500000000 /* 2026-11-24T06:00:00Z */
#define DAY  86400000
#define HOST "https://sns.ap-northeast-1.amazonaws.com"

static struct pki pki;

static int
set_up(void **state)
{
	(void)state;
	pki_make(&pki, NOW, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_clear(&pki);
	return 0;
}

/* ------ as the receiver does it, but for what it remembers */

struct ground {
	const char *topic, *cert_url;
	X509 *certificate;
	int64_t now;
};

static bool
accepts(const struct ground *g, const char *json, size_t len)
{
	struct sns_message m;
	bool good;

	if (sns_read(&m, json, len, NULL) != 0)
		return false;
	good = strcmp(m.topic_arn, g->topic) == 0 &&
	       sns_cert_url_is_good(m.signing_cert_url, m.topic_arn) &&
	       strcmp(m.signing_cert_url, g->cert_url) == 0 &&
	       llabs(g->now - m.at) < 3600000 &&
	       sns_verify(&m, g->certificate, NULL) == 0;
	sns_clear(&m);
	return good;
}

static void
check_change(const struct ground *g, const char *changed, size_t len,
    bool allowed, size_t at, const char *what)
{
	if (accepts(g, changed, len) != allowed)
		fail_msg("byte %zu %s: %s", at, what,
		    allowed ? "refused" : "accepted");
}

/* Every byte left out, and replaced by others that hurt. */
static void
change_every_byte(const struct ground *g, const char *text)
{
	size_t len = strlen(text);
	enum byte_kind *kinds = calloc(len, sizeof(*kinds));
	char *changed = malloc(len + 1), label[40];

	mark_bytes(text, kinds);
	for (size_t i = 0; i < len; i++) {
		const char by[] = { (char)(text[i] ^ 1), (char)(text[i] ^ 0x20),
			(char)(text[i] ^ 0x80), ' ', '"', 'A', '\n', '\\', 0 };

		memcpy(changed, text, i);
		memcpy(changed + i, text + i + 1, len - i - 1);
		check_change(
		    g, changed, len - 1, kinds[i] != SEALED, i, "left out");
		memcpy(changed, text, len);
		for (size_t b = 0; b < sizeof(by); b++) {
			if (by[b] == text[i])
				continue;
			changed[i] = by[b];
			snprintf(label, sizeof(label), "becomes 0x%02x",
			    (unsigned char)by[b]);
			check_change(g, changed, len,
			    may_replace(text, kinds, i, by[b]), i, label);
		}
	}
	free(changed);
	free(kinds);
}

/* ------ AWS's own */

static void
test_genuine(void **state)
{
	static const char *const files[] = {
		"notification_sigv1_nosubject.json",
		"notification_sigv1_subject.json",
		"notification_sigv2.json",
		"subscriptionconfirmation_sigv1.json",
		"unsubscribeconfirmation_sigv2.json",
	};
	struct ground g = { SIGNED_TOPIC, SIGNED_URL, NULL, SIGNED_NOW };
	FILE *fp = fopen(SIGNED_PEM, "r");
	char path[200], *text;

	(void)state;
	if (fp == NULL)
		skip();
	g.certificate = PEM_read_X509(fp, NULL, NULL, NULL);
	fclose(fp);
	assert_non_null(g.certificate);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", SIGNED_FOLDER, files[i]);
		text = read_whole(path);
		assert_non_null(text);
		assert_true(accepts(&g, text, strlen(text)));
		change_every_byte(&g, text);
		free(text);
	}
	X509_free(g.certificate);
}

/* The others are envelopes too, though their signatures are none. */
static void
test_examples(void **state)
{
	DIR *folder = opendir(SIGNED_FOLDER "/..");
	struct sns_message m;
	struct dirent *entry;
	char path[600], *text;
	size_t n = 0;

	(void)state;
	if (folder == NULL)
		skip();
	while ((entry = readdir(folder)) != NULL) {
		bool wrapped = strncmp(entry->d_name, "sns_", 4) == 0;

		if (strstr(entry->d_name, ".json") == NULL)
			continue;
		snprintf(
		    path, sizeof(path), SIGNED_FOLDER "/../%s", entry->d_name);
		text = read_whole(path);
		assert_non_null(text);
		assert_int_equal(sns_is_envelope(text, strlen(text)), wrapped);
		assert_int_equal(
		    sns_read(&m, text, strlen(text), NULL), wrapped ? 0 : -1);
		if (wrapped)
			assert_int_equal(sns_verify(&m, pki.cert, NULL), -1);
		sns_clear(&m);
		free(text);
		n++;
	}
	closedir(folder);
	assert_true(n > 50);
}

/* ------ our own */

static const char *const types[] = { "Notification", "SubscriptionConfirmation",
	"UnsubscribeConfirmation" };

static void
test_own(void **state)
{
	const struct ground g = { TOPIC, CERT_URL, pki.cert, NOW };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		const struct note n = {
			.type = types[i / 2],
			.version = 1 + (int)i % 2,
			.id = "b4f9ef0f-576e-5f4d-8af6-1e2718ebe7f7",
			.topic = TOPIC,
			.subject =
			    i == 0 ? "\xe8\xbf\xbd\xe5\x88\x86 \"x\"" : NULL,
			.message = "{\"a\":\"\xe2\x98\x83\\n\"}\n",
			.cert_url = CERT_URL,
			.at = NOW - 1000,
		};
		char *text = make_note(&n, pki.key);

		assert_true(accepts(&g, text, strlen(text)));
		change_every_byte(&g, text);
		free(text);
	}
}

/* The signature of another key, of the other version, of another message. */
static void
test_forged(void **state)
{
	const struct ground g = { TOPIC, CERT_URL, pki.cert, NOW };
	struct note n = { "Notification", 1, "id-1", TOPIC, NULL, "hello",
		CERT_URL, NOW, NULL, NULL };
	char *text = make_note(&n, pki.ca_key), *other;
	json_t *a, *b;

	(void)state;
	assert_false(accepts(&g, text, strlen(text)));
	free(text);
	text = make_note(&n, pki.key);
	n.version = 2;
	other = make_note(&n, pki.key);
	a = json_loads(text, 0, NULL);
	b = json_loads(other, 0, NULL);
	free(text);
	json_object_set(b, "Signature", json_object_get(a, "Signature"));
	text = json_dumps(b, 0);
	assert_true(accepts(&g, other, strlen(other)));
	assert_false(accepts(&g, text, strlen(text)));
	free(text);
	free(other);
	json_decref(a);
	json_decref(b);
}

/* Same bytes, spelled otherwise: a signature has one spelling. */
static void
test_signature_spelling(void **state)
{
	static const struct {
		const char *before, *after;
	} spelled[] = { { "", " " }, { " ", "" }, { "", "\n" }, { "", "=" },
		{ "", "AAAA" }, { "AAAA", "" } };
	const struct note n = { "Notification", 2, "id-1", TOPIC, NULL, "hello",
		CERT_URL, NOW, NULL, NULL };
	char *text = make_note(&n, pki.key), *right, changed[600];
	struct sns_message m;
	size_t len;

	(void)state;
	assert_int_equal(sns_read(&m, text, strlen(text), NULL), 0);
	assert_int_equal(sns_verify(&m, pki.cert, NULL), 0);
	right = m.signature;
	len = strlen(right);
	m.signature = changed;
	assert_string_equal(right + len - 2, "==");
	for (size_t i = 0; i < sizeof(spelled) / sizeof(spelled[0]); i++) {
		snprintf(changed, sizeof(changed), "%s%s%s", spelled[i].before,
		    right, spelled[i].after);
		assert_int_equal(sns_verify(&m, pki.cert, NULL), -1);
	}
	/* The last digit before "==" has four bits that say nothing. */
	for (const char *digit = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
				 "stuvwxyz0123456789+/";
	     *digit != '\0'; digit++) {
		strcpy(changed, right);
		changed[len - 3] = *digit;
		assert_int_equal(sns_verify(&m, pki.cert, NULL),
		    *digit == right[len - 3] ? 0 : -1);
	}
	m.signature = right;
	sns_clear(&m);
	free(text);
}

/* What an envelope must have, and what it must not be. */
static void
test_reading(void **state)
{
	static const struct {
		const char *name, *value; /* NULL: left out */
		bool good;
	} rows[] = {
		{ "Type", NULL, false },
		{ "Type", "notification", false },
		{ "Type", "Notification ", false },
		{ "Type", "", false },
		{ "MessageId", NULL, false },
		{ "MessageId", "", false },
		{ "MessageId", "a b", false },
		{ "MessageId", "a\nb", false },
		{ "TopicArn", NULL, false },
		{ "Message", NULL, false },
		{ "Message", "", true },
		{ "Subject", NULL, true },
		{ "Subject", "", true },
		{ "Timestamp", NULL, false },
		{ "Timestamp", "2026-03-06T19:55:38Z", true },
		{ "Timestamp", "2026-03-06T19:55:38.9Z", true },
		{ "Timestamp", "2026-03-06T19:55:38.903+00:00", true },
		{ "Timestamp", "2026-02-30T19:55:38.903Z", false },
		{ "Timestamp", "2026-03-06T19:55:38.903", false },
		{ "Timestamp", "2026-03-06 19:55:38.903Z", false },
		{ "Timestamp", "2026-03-06T19:55:38.903Zz", false },
		{ "Timestamp", "2026-03-06T19:55:-8.903Z", false },
		{ "Timestamp", "2026-03-06T19:55:38.-03Z", false },
		{ "SignatureVersion", NULL, false },
		{ "SignatureVersion", "3", false },
		{ "SignatureVersion", "0", false },
		{ "SignatureVersion", "12", false },
		{ "SignatureVersion", "", false },
		{ "Signature", NULL, false },
		{ "Signature", "", false },
		{ "SigningCertURL", NULL, false },
		{ "UnsubscribeURL", NULL, true },
		{ "Token", "unsigned, and not read", true },
		{ "SomethingNew", "of next year", true },
	};
	const struct note n = { "Notification", 1, "id-1", TOPIC, "s", "hello",
		CERT_URL, NOW, NULL, NULL };
	char *text = make_note(&n, pki.key), *changed;
	struct err e;
	struct sns_message m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o = json_loads(text, 0, NULL);

		json_object_del(o, rows[i].name);
		put(o, rows[i].name, rows[i].value);
		changed = json_dumps(o, 0);
		memset(&e, 0, sizeof(e));
		if (sns_read(&m, changed, strlen(changed), &e) !=
		    (rows[i].good ? 0 : -1))
			fail_msg("%s: %s", changed, e.text);
		assert_int_equal(e.text[0] == '\0', rows[i].good);
		assert_null(m.token);
		sns_clear(&m);
		/* A number, null or list is no text. */
		json_object_set_new(o, rows[i].name, json_null());
		free(changed);
		changed = json_dumps(o, 0);
		if (strcmp(rows[i].name, "UnsubscribeURL") != 0 &&
		    strcmp(rows[i].name, "Token") != 0 &&
		    strcmp(rows[i].name, "SomethingNew") != 0)
			assert_int_equal(
			    sns_read(&m, changed, strlen(changed), NULL), -1);
		free(changed);
		json_decref(o);
	}
	free(text);
}

static void
test_not_envelopes(void **state)
{
	static const char *const texts[] = { "", " ", "{}", "[]", "null", "1",
		"{\"Type\":\"Notification\"}", "{\"Type\":1}", "nonsense",
		"{\"eventType\":\"Send\",\"mail\":{}}", "{\"Type\":[]}",
		"[\"Type\",\"Message\",\"TopicArn\"]", "{\"Type\":" };
	struct sns_message m;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(
		    sns_read(&m, texts[i], strlen(texts[i]), &e), -1);
		assert_false(sns_is_envelope(texts[i], strlen(texts[i])));
		sns_clear(&m);
	}
}

/* A name given twice, or the rest behind a NUL, is not for us to choose. */
static void
test_twice(void **state)
{
	const struct note n = { "Notification", 1, "id-1", TOPIC, NULL, "hello",
		CERT_URL, NOW, NULL, NULL };
	const struct ground g = { TOPIC, CERT_URL, pki.cert, NOW };
	char *text = make_note(&n, pki.key), *brace = strrchr(text, '}');
	struct str s = STR_INIT;

	(void)state;
	str_add(&s, text, (size_t)(brace - text));
	str_adds(&s, ",\"Message\":\"other\"}");
	assert_false(accepts(&g, s.data, s.len));
	str_clear(&s);
	str_addf(&s, "{\"Message\":\"other\",%s", text + 1);
	assert_false(accepts(&g, s.data, s.len));
	str_clear(&s);
	str_adds(&s, text);
	str_add(&s, "\0{}", 3);
	assert_false(accepts(&g, s.data, s.len));
	str_clear(&s);
	str_add(&s, "\xef\xbb\xbf", 3);
	str_adds(&s, text);
	assert_false(accepts(&g, s.data, s.len));
	str_release(&s);
	free(text);
}

/* ------ addresses */

static void
test_topics(void **state)
{
	static const struct {
		const char *arn, *region; /* NULL: none */
	} rows[] = {
		{ TOPIC, "ap-northeast-1" },
		{ "arn:aws:sns:us-east-1:000000000000:a", "us-east-1" },
		{ "arn:aws:sns:us-east-1:000000000000:A_b-9.fifo",
		    "us-east-1" },
		{ "arn:aws-cn:sns:cn-north-1:123456789012:x", "cn-north-1" },
		{ "arn:aws-us-gov:sns:us-gov-west-1:123456789012:x",
		    "us-gov-west-1" },
		{ "", NULL },
		{ "arn:aws:sns:", NULL },
		{ "arn:aws:sns:us-east-1", NULL },
		{ "arn:aws:sns:us-east-1:", NULL },
		{ "arn:aws:sns:us-east-1:123456789012", NULL },
		{ "arn:aws:sns:us-east-1:123456789012:", NULL },
		{ "arn:aws:sns:us-east-1:12345678901:x", NULL },
		{ "arn:aws:sns:us-east-1:1234567890123:x", NULL },
		{ "arn:aws:sns:us-east-1:12345678901a:x", NULL },
		{ "arn:aws:sns:us-east-1:123456789012:x:y", NULL },
		{ "arn:aws:sns:us-east-1:123456789012:x/y", NULL },
		{ "arn:aws:sns:us-east-1:123456789012:x.fif", NULL },
		{ "arn:aws:sns:us-east-1:123456789012:x\n", NULL },
		{ "arn:aws:sns::123456789012:x", NULL },
		{ "arn:aws:sns:us:123456789012:x", NULL },
		{ "arn:aws:sns:US-EAST-1:123456789012:x", NULL },
		{ "arn:aws:sns:us.east:123456789012:x", NULL },
		{ "arn:aws:sns:-us-east:123456789012:x", NULL },
		{ "arn:aws:sns:us-east-:123456789012:x", NULL },
		{ "arn:aws:sns:evil.com/x:123456789012:x", NULL },
		{ "arn:aws:sns:evil@x:123456789012:x", NULL },
		{ "arn:aws:sqs:us-east-1:123456789012:x", NULL },
		{ "arn:evil:sns:us-east-1:123456789012:x", NULL },
		{ "ARN:aws:sns:us-east-1:123456789012:x", NULL },
		{ " arn:aws:sns:us-east-1:123456789012:x", NULL },
		{ "arn:aws:sns:aaaaaaaaaabbbbbbbbbbccccccccccddd:123456789012:"
		  "x",
		    NULL },
	};
	char region[40], small[10];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = sns_arn_region(rows[i].arn, region, sizeof(region));

		if (rc != (rows[i].region != NULL ? 0 : -1))
			fail_msg("%s", rows[i].arn);
		if (rc == 0)
			assert_string_equal(region, rows[i].region);
	}
	assert_int_equal(sns_arn_region(TOPIC, small, sizeof(small)), -1);
	assert_int_equal(sns_arn_region("arn:aws:sns:us-east-1:000000000000:a",
			     small, sizeof(small)),
	    0);
}

#define NAME "/SimpleNotificationService-"
#define HEX  "0123456789abcdef0123456789abcdef"

static void
test_cert_urls(void **state)
{
	static const char *const bad[] = {
		"",
		"https://",
		"http://sns.ap-northeast-1.amazonaws.com" NAME HEX ".pem",
		"HTTPS://sns.ap-northeast-1.amazonaws.com" NAME HEX ".pem",
		" " HOST NAME HEX ".pem",
		"https://sns.us-east-1.amazonaws.com" NAME HEX ".pem",
		"https://SNS.ap-northeast-1.amazonaws.com" NAME HEX ".pem",
		"https://sns.ap-northeast-1.amazonaws.com." NAME HEX ".pem",
		"https://sns.ap-northeast-1.amazonaws.com.cn" NAME HEX ".pem",
		"https://sns.ap-northeast-1.amazonaws.com.evil.com" NAME HEX
		".pem",
		"https://sns.ap-northeast-1.amazonaws.comevil.com" NAME HEX
		".pem",
		"https://evil.sns.ap-northeast-1.amazonaws.com" NAME HEX ".pem",
		"https://evilsns.ap-northeast-1.amazonaws.com" NAME HEX ".pem",
		"https://sns.amazonaws.com" NAME HEX ".pem",
		"https://bucket.s3.amazonaws.com" NAME HEX ".pem",
		"https://sns.ap-northeast-1.amazonaws.com@evil.com" NAME HEX
		".pem",
		"https://a:b@sns.ap-northeast-1.amazonaws.com" NAME HEX ".pem",
		"https://sns.ap-northeast-1.amazonaws.com:443" NAME HEX ".pem",
		"https://sns.ap-northeast-1.amazonaws.com:8443" NAME HEX ".pem",
		"https://sns.ap-northeast-1.amazonaws.com%2eevil.com" NAME HEX
		".pem",
		"https://169.254.169.254" NAME HEX ".pem",
		"https://[::1]" NAME HEX ".pem",
		"https:\\\\sns.ap-northeast-1.amazonaws.com" NAME HEX ".pem",
		HOST "/" NAME HEX ".pem",
		HOST "/..;" NAME HEX ".pem",
		HOST "/../SimpleNotificationService-" HEX ".pem",
		HOST "/%53impleNotificationService-" HEX ".pem",
		HOST NAME HEX ".pem?",
		HOST NAME HEX ".pem?x=.pem",
		HOST NAME HEX ".pem#",
		HOST NAME HEX ".pem\n",
		HOST NAME HEX ".pem ",
		HOST NAME HEX ".pem/",
		HOST NAME HEX ".pe",
		HOST NAME HEX ".PEM",
		HOST NAME HEX "0.pem",
		HOST NAME "0123456789abcdef0123456789abcde.pem",
		HOST NAME "0123456789ABCDEF0123456789abcdef.pem",
		HOST NAME "0123456789abcdef\n123456789abcdef.pem",
		HOST NAME "0123456789abcdef/../456789abcdef.pem",
		HOST NAME "%30123456789abcdef0123456789abcd.pem",
		HOST "/x?SimpleNotificationService-" HEX ".pem",
		HOST "\r\n" NAME HEX ".pem",
	};

	(void)state;
	assert_true(sns_cert_url_is_good(HOST NAME HEX ".pem", TOPIC));
	assert_true(sns_cert_url_is_good(
	    "https://sns.cn-north-1.amazonaws.com.cn" NAME HEX ".pem",
	    "arn:aws-cn:sns:cn-north-1:123456789012:x"));
	assert_false(sns_cert_url_is_good(
	    "https://sns.cn-north-1.amazonaws.com" NAME HEX ".pem",
	    "arn:aws-cn:sns:cn-north-1:123456789012:x"));
	assert_false(sns_cert_url_is_good(
	    HOST NAME HEX ".pem", "arn:aws:sns:ap-northeast-1:1:x"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sns_cert_url_is_good(bad[i], TOPIC))
			fail_msg("%s", bad[i]);
}

#define ASK  HOST "/?Action=ConfirmSubscription"
#define ARN  "&TopicArn=" TOPIC
#define CODE "&Token=2336412f"

static void
test_confirm_urls(void **state)
{
	static const struct {
		const char *url;
		bool good;
	} rows[] = {
		{ ASK ARN CODE, true },
		{ HOST "/?Token=2336412f&Action=ConfirmSubscription" ARN,
		    true },
		{ ASK CODE "&TopicArn=arn%3Aaws%3asns%3Aap-northeast-1%3A"
			   "123456789012%3Ases-events",
		    true },
		{ ASK ARN CODE "&Version=2010-03-31", true },
		{ ASK ARN CODE "&Action=DeleteTopic", false },
		{ ASK ARN CODE "&TopicArn=arn:aws:sns:x", false },
		{ HOST "/?Action=DeleteTopic" ARN CODE, false },
		{ HOST "/?Action=ConfirmSubscription%00" ARN CODE, false },
		{ HOST "/?xAction=ConfirmSubscription" ARN CODE, false },
		{ HOST "/?" ARN CODE, false },
		{ ASK ARN, false },
		{ ASK CODE, false },
		{ ASK ARN "&Token=2336412", false },
		{ ASK ARN "&Token=2336412f0", false },
		{ ASK ARN "&Token=2336412%6", false },
		{ ASK ARN "&Token=2336412%zz", false },
		{ ASK ARN CODE "#x", false },
		{ ASK ARN CODE " ", false },
		{ ASK ARN CODE "\r\nHost: evil", false },
		{ ASK "&TopicArn=arn:aws:sns:ap-northeast-1:123456789012:"
		      "other" CODE,
		    false },
		{ "http://sns.ap-northeast-1.amazonaws.com/"
		  "?Action=ConfirmSubscription" ARN CODE,
		    false },
		{ "https://sns.us-east-1.amazonaws.com/"
		  "?Action=ConfirmSubscription" ARN CODE,
		    false },
		{ "https://sns.ap-northeast-1.amazonaws.com:443/"
		  "?Action=ConfirmSubscription" ARN CODE,
		    false },
		{ "https://sns.ap-northeast-1.amazonaws.com.evil.com/"
		  "?Action=ConfirmSubscription" ARN CODE,
		    false },
		{ "https://sns.ap-northeast-1.amazonaws.com@evil.com/"
		  "?Action=ConfirmSubscription" ARN CODE,
		    false },
		{ "https://169.254.169.254/latest/"
		  "?Action=ConfirmSubscription" ARN CODE,
		    false },
		{ "http://169.254.169.254/latest/meta-data/", false },
		{ HOST "/x?Action=ConfirmSubscription" ARN CODE, false },
		{ "", false },
	};
	char topic[] = TOPIC, token[] = "2336412f", url[300];
	struct sns_message m = { .topic_arn = topic, .token = token };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str to = STR_INIT;

		snprintf(url, sizeof(url), "%s", rows[i].url);
		m.subscribe_url = url;
		if (sns_confirm_url(&m, &to, NULL) != (rows[i].good ? 0 : -1))
			fail_msg("%s", url);
		assert_string_equal(
		    to.data, rows[i].good ? HOST
				 "/?Action=ConfirmSubscription&TopicArn="
				 "arn%3Aaws%3Asns%3Aap-northeast-1%3A"
				 "123456789012%3Ases-events&Token=2336412f"
					  : "");
		str_release(&to);
	}
}

/* A token is only ever a token. */
static void
test_token(void **state)
{
	char topic[] = TOPIC, token[] = "a&Action=x#\r\n%", url[300];
	struct sns_message m = {
		.topic_arn = topic, .token = token, .subscribe_url = url
	};
	struct str to = STR_INIT;

	(void)state;
	snprintf(
	    url, sizeof(url), "%s", ASK ARN "&Token=a%26Action=x%23%0d%0A%25");
	assert_int_equal(sns_confirm_url(&m, &to, NULL), 0);
	assert_non_null(strstr(to.data, "&Token=a%26Action%3Dx%23%0D%0A%25"));
	str_release(&to);
}

/* ------ certificates */

static X509_STORE *
store_of(X509 *x)
{
	X509_STORE *store = X509_STORE_new();

	X509_STORE_add_cert(store, x);
	return store;
}

static void
test_certificate(void **state)
{
	X509_STORE *ours = store_of(pki.ca), *none = X509_STORE_new();
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct err e = ERR_INIT;

	(void)state;
	sk_X509_push(chain, pki.between);
	assert_int_equal(
	    sns_certificate_check(pki.cert, chain, ours, NOW, &e), 0);
	assert_int_equal(e.text[0], '\0');
	assert_int_equal(
	    sns_certificate_check(pki.cert, NULL, ours, NOW, &e), -1);
	assert_int_equal(e.code, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	assert_int_equal(
	    sns_certificate_check(pki.cert, chain, none, NOW, &e), -1);
	assert_int_equal(
	    sns_certificate_check(pki.cert, chain, ours, NOW + 2 * DAY, &e),
	    -1);
	assert_int_equal(e.code, X509_V_ERR_CERT_HAS_EXPIRED);
	assert_int_equal(
	    sns_certificate_check(pki.cert, chain, ours, NOW - 2 * DAY, &e),
	    -1);
	assert_int_equal(e.code, X509_V_ERR_CERT_NOT_YET_VALID);
	sk_X509_free(chain);
	X509_STORE_free(ours);
	X509_STORE_free(none);
}

static void
test_names(void **state)
{
	static const struct {
		const char *name, *alt;
		bool good;
	} rows[] = {
		{ "sns.amazonaws.com", NULL, true },
		{ "x", "DNS:sns.amazonaws.com", true },
		{ "x", "DNS:a.example.com,DNS:sns.amazonaws.com", true },
		{ "sns.amazonaws.com", "DNS:a.example.com", false },
		{ "x", "DNS:*.amazonaws.com", false },
		{ "x", "DNS:sns.amazonaws.com.example.com", false },
		{ "x", "DNS:amazonaws.com", false },
		{ "sns.us-east-1.amazonaws.com", NULL, false },
		{ "x", "email:sns.amazonaws.com@x", false },
	};
	X509_STORE *store = store_of(pki.ca);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cert_form form = { rows[i].name, rows[i].alt,
			false, NOW - DAY, NOW + DAY, NULL };
		X509 *x = make_cert(&form, pki.key, pki.ca, pki.ca_key);

		if (sns_certificate_check(x, NULL, store, NOW, NULL) !=
		    (rows[i].good ? 0 : -1))
			fail_msg("%s %s", rows[i].name, rows[i].alt);
		X509_free(x);
	}
	X509_STORE_free(store);
}

/* Keys that SNS does not sign with. */
static void
test_keys(void **state)
{
	const struct note n = { "Notification", 2, "id-1", TOPIC, NULL, "hello",
		CERT_URL, NOW, NULL, NULL };
	const struct cert_form form = { "sns.amazonaws.com", NULL, false,
		NOW - DAY, NOW + DAY, NULL };
	EVP_PKEY *keys[] = { EVP_EC_gen("P-256"), EVP_RSA_gen(1024) };
	struct sns_message m;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		X509 *x = make_cert(&form, keys[i], pki.ca, pki.ca_key);
		char *text = make_note(&n, keys[i]);

		assert_int_equal(sns_read(&m, text, strlen(text), NULL), 0);
		assert_int_equal(sns_verify(&m, x, NULL), -1);
		sns_clear(&m);
		free(text);
		X509_free(x);
		EVP_PKEY_free(keys[i]);
	}
}

/* ------ ids */

static void
test_seen(void **state)
{
	struct sns_seen *seen = sns_seen_new(3);
	char id[20];

	(void)state;
	assert_int_equal(sns_seen_look(seen, "a"), SEEN_NEVER);
	sns_seen_take(seen, "a");
	assert_int_equal(sns_seen_look(seen, "a"), SEEN_IN_HAND);
	sns_seen_release(seen, "a");
	assert_int_equal(sns_seen_look(seen, "a"), SEEN_NEVER);
	sns_seen_take(seen, "a");
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		sns_seen_take(seen, id);
		sns_seen_settle(seen, id);
	}
	assert_int_equal(sns_seen_look(seen, "a"), SEEN_IN_HAND);
	assert_int_equal(sns_seen_look(seen, "m1"), SEEN_NEVER);
	assert_int_equal(sns_seen_look(seen, "m2"), SEEN_SETTLED);
	assert_int_equal(sns_seen_look(seen, "m4"), SEEN_SETTLED);
	sns_seen_settle(seen, "a");
	assert_int_equal(sns_seen_look(seen, "m2"), SEEN_NEVER);
	assert_int_equal(sns_seen_look(seen, "a"), SEEN_SETTLED);
	sns_seen_free(&seen);
	assert_null(seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_genuine),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_signature_spelling),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_not_envelopes),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_topics),
		cmocka_unit_test(test_cert_urls),
		cmocka_unit_test(test_confirm_urls),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_seen),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
