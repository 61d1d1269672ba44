/*
 * test_send_email.c - the body of a SendEmail request, byte for byte: small
 * and at once, large and in pieces, its hash, a message that goes away.
 */
#include "router/ses/send_email.h"

#include "mta/base/alloc.h"
#include "router/body.h"
#include "router/ses/call.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct ses_content content;
static struct send_email email;
static struct body *body;

static int
set_up(void **state)
{
	(void)state;
	memset(&content, 0, sizeof(content));
	str_init(&content.head);
	str_init(&content.store);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	send_email_clear(&email);
	ses_content_clear(&content);
	body_unref(&body);
	return 0;
}

static void
set_body(const char *text, size_t len)
{
	char *copy = xmalloc(len + 1);

	memcpy(copy, text, len);
	body_unref(&body);
	body = body_take(copy, len);
	body_content(body, &content.content);
	content.content.head = content.head.data;
	content.content.head_len = content.head.len;
}

static void
make(const char *from, const char *to)
{
	struct err e = ERR_INIT;

	assert_int_equal(send_email_make(&email, &content, from, to, &e), 0);
}

static unsigned
hash(void)
{
	struct err e = ERR_INIT;
	unsigned steps = 1;
	int rc;

	while ((rc = send_email_hash(&email, &e)) > 0)
		steps++;
	assert_int_equal(rc, 0);
	return steps;
}

/* As a transport reads it, `room` bytes at a time; the caller frees. */
static char *
read_all(size_t room, size_t *len)
{
	char *all = xmalloc(email.length + 1), *buf = xmalloc(room);

	*len = 0;
	while (*len < email.length) {
		ssize_t n = send_email_read(&email, buf, room);
		assert_true(n > 0 && (size_t)n <= room);
		assert_true(*len + (size_t)n <= email.length);
		memcpy(all + *len, buf, (size_t)n);
		*len += (size_t)n;
	}
	all[*len] = '\0';
	free(buf);
	return all;
}

static void
a_small_message(void **state)
{
	struct aws_request r;
	char sum[SIGV4_HASH_TEXT];
	static const char expected[] =
	    "{\"FeedbackForwardingEmailAddress\":\"info@example.jp\","
	    "\"Destination\":{\"ToAddresses\":[\"taro@example.com\"]},"
	    "\"EmailTags\":[{\"Name\":\"oiwake-id\",\"Value\":\"X-0\"},"
	    "{\"Name\":\"a\",\"Value\":\"b\"}],"
	    "\"ConfigurationSetName\":\"news\","
	    "\"Content\":{\"Raw\":{\"Data\":\"QTogYg0KDQpIZWxsby4NCg==\"}}}";

	(void)state;
	str_adds(&content.head, "A: b\r\n\r\n");
	set_body("Hello.\r\n", 8);
	content.tag[0] = (struct ses_tag){ "oiwake-id", "X-0" };
	content.tag[1] = (struct ses_tag){ "a", "b" };
	content.ntags = 2;
	content.configuration_set = xstrdup("news");
	make("info@example.jp", "taro@example.com");
	assert_int_equal(hash(), 1);
	send_email_request(&email, &r);
	assert_string_equal(r.method, "POST");
	assert_string_equal(r.path, "/v2/email/outbound-emails");
	assert_string_equal(r.content_type, "application/json");
	assert_string_equal(r.body, expected);
	assert_int_equal(r.body_len, strlen(expected));
	sigv4_hash(expected, strlen(expected), sum);
	assert_string_equal(r.body_hash, sum);
}

static void
without_tags_and_set(void **state)
{
	(void)state;
	set_body("", 0);
	make("a@b", "c@d");
	assert_string_equal(email.head.data,
	    "{\"FeedbackForwardingEmailAddress\":\"a@b\","
	    "\"Destination\":{\"ToAddresses\":[\"c@d\"]},"
	    "\"Content\":{\"Raw\":{\"Data\":\"\"}}}");
}

/* What an address may hold must not end the string it stands in. */
static void
addresses_are_escaped(void **state)
{
	static const char *const addresses[] = { "\"a b\"@c", "\"a\\\"b\"@c",
		"\"a\\\\\"@c", "\343\201\202@c", "\x01\x1f\x7f@c",
		"a@b\"],\"BccAddresses\":[\"x@y", "" };
	json_error_t why;

	(void)state;
	set_body("x", 1);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		json_t *j, *to;

		make(addresses[i], addresses[i]);
		j = json_loads(email.head.data, 0, &why);
		if (j == NULL)
			fail_msg("%s: %s", addresses[i], why.text);
		assert_string_equal(json_string_value(json_object_get(
					j, "FeedbackForwardingEmailAddress")),
		    addresses[i]);
		to = json_object_get(
		    json_object_get(j, "Destination"), "ToAddresses");
		assert_int_equal(json_array_size(to), 1);
		assert_string_equal(
		    json_string_value(json_array_get(to, 0)), addresses[i]);
		assert_int_equal(
		    json_object_size(json_object_get(j, "Destination")), 1);
		json_decref(j);
		send_email_clear(&email);
	}
}

/* The message in a request, decoded; the caller frees. */
static unsigned char *
decode(const char *request, size_t *len)
{
	json_t *j = json_loads(request, 0, NULL);
	const char *data = json_string_value(json_object_get(
	    json_object_get(json_object_get(j, "Content"), "Raw"), "Data"));
	size_t n;
	unsigned char *out;

	assert_non_null(data);
	n = strlen(data);
	out = xmalloc(n / 4 * 3 + 1);
	assert_int_equal(
	    EVP_DecodeBlock(out, (const unsigned char *)data, (int)n),
	    n / 4 * 3);
	*len = n / 4 * 3;
	if (n > 0)
		*len -=
		    (size_t)(data[n - 1] == '=') + (size_t)(data[n - 2] == '=');
	json_decref(j);
	return out;
}

/* Around every border: of Base64's threes, of a piece, of what goes at once. */
static void
messages_of_all_sizes(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, SEND_EMAIL_RAW - 1,
		SEND_EMAIL_RAW, SEND_EMAIL_RAW + 1, SEND_EMAIL_AT_ONCE - 9,
		SEND_EMAIL_AT_ONCE - 8, SEND_EMAIL_AT_ONCE - 7,
		SEND_EMAIL_AT_ONCE + SEND_EMAIL_RAW, 500000 };
	char sum[SIGV4_HASH_TEXT];

	(void)state;
	str_adds(&content.head, "A: b\r\n\r\n");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *text = xmalloc(sizes[i]), *all;
		unsigned char *back;
		size_t n;

		for (size_t k = 0; k < sizes[i]; k++)
			text[k] = (char)(k * 7 + k / 251);
		set_body(text, sizes[i]);
		make("a@b", "c@d");
		hash();
		assert_int_equal(
		    email.whole, sizes[i] + 8 <= SEND_EMAIL_AT_ONCE);
		if (email.whole)
			all = xstrndup(email.head.data, n = email.head.len);
		else
			all = read_all(i % 2 == 0 ? 1000 : 65536, &n);
		assert_int_equal(n, email.length);
		sigv4_hash(all, n, sum);
		assert_string_equal(email.hash, sum);
		back = decode(all, &n);
		assert_int_equal(n, sizes[i] + 8);
		assert_memory_equal(back, "A: b\r\n\r\n", 8);
		assert_memory_equal(back + 8, text, sizes[i]);
		free(back);
		free(all);
		free(text);
		send_email_clear(&email);
	}
}

static void
begun_anew_it_is_the_same(void **state)
{
	char text[200000], *first, *second;
	char buf[777];
	size_t n;

	(void)state;
	memset(text, 'x', sizeof(text));
	set_body(text, sizeof(text));
	make("a@b", "c@d");
	hash();
	first = read_all(4096, &n);
	send_email_rewind(&email);
	for (unsigned i = 0; i < 100; i++)
		assert_true(send_email_read(&email, buf, sizeof(buf)) > 0);
	send_email_rewind(&email);
	second = read_all(100, &n);
	assert_string_equal(first, second);
	free(first);
	free(second);
}

/* -- from a spool file ---------------------------------------------------- */

static char dir[] = "/tmp/test_send_email.XXXXXX";

static struct body *
spool(size_t size)
{
	struct err e = ERR_INIT;
	struct body *b;
	char block[10000];

	if (dir[sizeof(dir) - 2] == 'X')
		assert_non_null(mkdtemp(dir));
	b = body_new(dir, "m");
	memset(block, 'y', sizeof(block));
	while (body_size(b) < size)
		assert_int_equal(body_add(b, block, sizeof(block), &e), 0);
	assert_true(body_is_spooled(b));
	return b;
}

/* Bytes of memory in use. */
static size_t
memory(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long all = 0, resident = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &all, &resident), 2);
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* 30 MB, 40 of Base64: no more of it in memory than a piece. */
static void
a_large_message_takes_no_memory(void **state)
{
	size_t before, seen = 0;
	char buf[16384];

	(void)state;
	body = spool(30 * 1000 * 1000);
	body_content(body, &content.content);
	assert_int_equal(body_read(body, 0, buf, 1), 1);
	before = memory();
	make("a@b", "c@d");
	assert_true(hash() >= 30);
	assert_true(email.length > 40 * 1000 * 1000);
	while (seen < email.length) {
		ssize_t n = send_email_read(&email, buf, sizeof(buf));
		assert_true(n > 0);
		seen += (size_t)n;
	}
	assert_int_equal(seen, email.length);
	assert_true(memory() < before + 4 * 1000 * 1000);
	body_discard(body);
	rmdir(dir);
}

static ssize_t
read_nothing(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg;
	memset(buf, 'x', len);
	return offset > 150000 ? 0 : (ssize_t)len;
}

static ssize_t
read_error(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg;
	(void)offset;
	(void)buf;
	(void)len;
	return -1;
}

static void
a_message_that_goes_away(void **state)
{
	struct err e = ERR_INIT;
	char buf[65536];
	ssize_t n;
	int rc;

	(void)state;
	content.content.read = read_nothing;
	content.content.length = 5000000;
	make("a@b", "c@d");
	while ((rc = send_email_hash(&email, &e)) > 0)
		;
	assert_int_equal(rc, -1);
	assert_string_not_equal(e.text, "");
	send_email_rewind(&email);
	while ((n = send_email_read(&email, buf, sizeof(buf))) > 0)
		;
	assert_int_equal(n, -1);
	send_email_clear(&email);
	/* and one that is read at once */
	content.content.read = read_error;
	content.content.length = 1000;
	e = (struct err)ERR_INIT;
	assert_int_equal(
	    send_email_make(&email, &content, "a@b", "c@d", &e), -1);
	assert_string_not_equal(e.text, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_small_message),
		TEST(without_tags_and_set),
		TEST(addresses_are_escaped),
		TEST(messages_of_all_sizes),
		TEST(begun_anew_it_is_the_same),
		TEST(a_large_message_takes_no_memory),
		TEST(a_message_that_goes_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
