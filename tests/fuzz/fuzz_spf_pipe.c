/*
 * fuzz_spf_pipe.c - the frames between an SPF check and its child, both ways,
 * and the DNS answers that are turned into such frames.
 *
 * The first byte chooses the type of record, the second the use of the rest: a
 * frame for each reader, or an answer of records with a length in front.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mta/spf/spf_pipe.h"
#include "mta/spf/spf_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int types[] = { DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TXT };

static void
check_request(const uint8_t *frame, size_t len)
{
	struct spf_request r;
	struct str again = STR_INIT;

	if (spf_pipe_read_request(&r, frame, len) != 0)
		return;
	spf_pipe_put_request(&again, &r);
	assert(again.len == len && memcmp(again.data, frame, len) == 0);
	str_release(&again);
}

static void
check_question(const uint8_t *frame, size_t len)
{
	struct spf_question q;
	struct str again = STR_INIT;

	if (spf_pipe_read_question(&q, frame, len) != 0)
		return;
	assert(strlen(q.name) <= SPF_NAME_MAX);
	spf_pipe_put_question(&again, &q);
	assert(again.len == len && memcmp(again.data, frame, len) == 0);
	str_release(&again);
}

static void
check_result(const uint8_t *frame, size_t len)
{
	struct spf_answer a;

	if (spf_pipe_read_result(&a, frame, len) != 0)
		return;
	assert(strlen(a.why) == len - 2 && spf_result_name(a.result) != NULL);
	for (const char *p = a.why; *p != '\0'; p++)
		assert(*p >= ' ' && *p <= '~');
}

static void
check_answer(int type, const uint8_t *frame, size_t len)
{
	struct spf_values v;
	const uint8_t *value;
	size_t n, sum = 0;

	if (spf_pipe_read_answer(&v, type, frame, len) != 0)
		return;
	while ((value = spf_pipe_next(&v, &n)) != NULL) {
		assert(value >= frame && value + n <= frame + len);
		for (size_t i = 0; i < n; i++)
			sum += value[i];
	}
	assert(v.count == 0 && sum <= 255 * len);
}

/* What is made of any records, the child can read. */
static void
check_records(int type, const uint8_t *data, size_t size)
{
	const uint8_t *rdata[DNS_MAX_RECORDS];
	size_t rdata_len[DNS_MAX_RECORDS], at = 0;
	struct dns_answer a = {
		.status = DNS_OK, .rdata = rdata, .rdata_len = rdata_len
	};
	struct spf_limits limits = { .questions = 0 };
	struct str frame = STR_INIT;

	while (at < size && a.nrdata < DNS_MAX_RECORDS) {
		size_t n = data[at++];

		if (n > size - at)
			n = size - at;
		rdata[a.nrdata] = data + at;
		rdata_len[a.nrdata++] = n;
		at += n;
	}
	spf_pipe_put_answer(&frame, DNS_OK);
	if (spf_records_put(&frame, type, &a, &limits) == NULL) {
		struct spf_values v;

		assert(frame.len <= SPF_FRAME_MAX);
		assert(spf_pipe_read_answer(&v, type,
			   (const uint8_t *)frame.data, frame.len) == 0);
		assert(v.count <= a.nrdata && limits.nhosts <= v.count);
	}
	str_release(&frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int type;

	if (size < 2)
		return 0;
	type = types[data[0] % 5];
	if (data[1] % 2 == 0) {
		check_records(type, data + 2, size - 2);
		return 0;
	}
	check_request(data + 2, size - 2);
	check_question(data + 2, size - 2);
	check_result(data + 2, size - 2);
	check_answer(type, data + 2, size - 2);
	return 0;
}
