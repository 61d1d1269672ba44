/*
 * fuzz_reply.c - replies of any bytes, cut anywhere: bounded, clean, and the
 * same however cut.
 *
 * The first byte is the size of the pieces.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mta/smtp/capability.h"
#include "mta/smtp/reply.h"

#define MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_text(const char *text, size_t len, bool lines)
{
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)text[i] >= ' ' ||
		       (lines && text[i] == '\n'));
}

static void
check(const struct reply *r, struct str *log)
{
	struct capabilities offers;
	struct outcome o;

	assert(r->code >= 200 && r->code <= 599);
	assert_text(r->text.data, r->text.len, true);
	reply_outcome(r, SCOPE_SESSION, STAGE_DOT, &o);
	assert(memchr(o.text, '\0', sizeof(o.text)) != NULL);
	assert(memchr(o.enhanced, '\0', sizeof(o.enhanced)) != NULL);
	assert_text(o.text, strlen(o.text), false);
	capability_parse(&offers, r->text.data);
	str_addf(log, "%d %s %s|", o.code, o.enhanced, o.text);
}

static void
read_all(const char *data, size_t size, size_t piece, struct str *log)
{
	enum reply_progress progress = REPLY_MORE;
	struct reply r;
	size_t n, used;

	reply_init(&r, MAX);
	for (; size > 0 && progress != REPLY_BAD; data += used, size -= used) {
		n = piece < size ? piece : size;
		progress = reply_feed(&r, data, n, &used);
		assert(used <= n);
		assert(r.text.len + r.line.len <= MAX);
		if (progress == REPLY_DONE)
			check(&r, log);
		else if (progress == REPLY_MORE)
			assert(used == n);
		else
			str_adds(log, r.bad);
	}
	reply_release(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str whole = STR_INIT, pieces = STR_INIT;

	if (size == 0)
		return 0;
	read_all((const char *)data + 1, size - 1, size, &whole);
	read_all((const char *)data + 1, size - 1, 1 + data[0] % 100, &pieces);
	assert(strcmp(whole.data, pieces.data) == 0);
	str_release(&whole);
	str_release(&pieces);
	return 0;
}
