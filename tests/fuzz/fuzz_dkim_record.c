/*
 * fuzz_dkim_record.c - TXT records as they come out of DNS, judged for a
 * signer.
 *
 * The input is the rdata of one record. What is said of it must be printable,
 * blanks around the list must not matter, and the line for a zone file must
 * give the same text back.
 */
#include "mta/dkim_record.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/dkim.h"
#include "mta/dkim_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same key in every run: else nothing found could be found again. */
static const char pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

static struct dkim_signer *
make_signer(void)
{
	char path[] = "/tmp/fuzz_dkim_record.XXXXXX";
	struct dkim_signer *s;
	struct err e = ERR_INIT;
	int fd = mkstemp(path);

	assert(fd >= 0);
	assert(write(fd, pem, sizeof(pem) - 1) == sizeof(pem) - 1);
	close(fd);
	s = dkim_signer_new("example.jp", "s", path, &e);
	unlink(path);
	if (s == NULL)
		fprintf(stderr, "%s\n", e.text);
	assert(s != NULL);
	return s;
}

static enum dkim_record_state
judge(const struct dkim_signer *s, const char *text)
{
	char what[DKIM_RECORD_WHAT] = "";
	enum dkim_record_state state = dkim_record_check(s, &text, 1, what);

	assert(what[0] != '\0' && memchr(what, '\0', sizeof(what)) != NULL);
	for (const char *p = what; *p != '\0'; p++)
		assert(*p >= ' ' && *p <= '~');
	assert(state != DKIM_RECORD_MISSING && state != DKIM_RECORD_SEVERAL);
	assert(dkim_record_state_name(state) != NULL);
	return state;
}

/* Reads the strings of a zone-file line back. */
static void
read_line(const char *p, struct str *text)
{
	bool inside = false;

	for (; *p != '\0'; p++) {
		assert(*p >= ' ' && *p <= '~');
		if (*p == '"')
			inside = !inside;
		else if (*p != '\\')
			str_add(text, p, inside);
		else if (p[1] == '"' || p[1] == '\\')
			str_addc(text, *++p);
		else {
			str_addc(text, (char)((p[1] - '0') * 100 +
					      (p[2] - '0') * 10 + p[3] - '0'));
			p += 3;
		}
	}
}

static void
check_line(const char *text)
{
	struct str line = STR_INIT, again = STR_INIT;

	dkim_record_zone_line(&line, "n", text);
	assert(line.len > 10 && line.data[line.len - 1] == '\n');
	line.data[line.len - 1] = '\0';
	read_line(line.data + 10, &again);
	assert(strcmp(again.data, text) == 0);
	str_release(&line);
	str_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dkim_signer *signer;
	struct str spaced = STR_INIT;
	char *text;

	if (signer == NULL)
		signer = make_signer();
	text = dkim_record_text(data, size);
	if (text == NULL)
		return 0;
	str_addf(&spaced, " \t%s\r\n", text);
	assert(judge(signer, text) == judge(signer, spaced.data));
	check_line(text);
	str_release(&spaced);
	free(text);
	return 0;
}
