/*
 * fuzz_aws_answer.c - answers of AWS, headers and all, and the account and the
 * suppression list that may be in them.
 *
 * Four lines: error type, request id, date, status; the rest is the body.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/ses/account.h"
#include "router/ses/call_int.h"
#include "router/ses/suppression_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The next line of *s, cut there; NULL: there is none. */
static char *
next_line(char **s)
{
	char *line = *s, *end = strchr(line, '\n');

	if (end == NULL)
		return NULL;
	*end = '\0';
	*s = end + 1;
	return line;
}

static void
check_texts(const struct aws_answer *a)
{
	struct err e = ERR_INIT;

	assert(!str_has_control(a->error, strlen(a->error)));
	assert(!str_has_control(a->message, strlen(a->message)));
	assert(!str_has_control(a->request_id, strlen(a->request_id)));
	aws_answer_say(a, &e);
	assert(e.text[0] != '\0' || a->status == 0);
	aws_answer_refuses_us(a);
	aws_answer_is_passing(a);
	aws_answer_says_skew(a, 1000, 5000000);
}

static void
check_account(const struct aws_answer *a)
{
	struct ses_account account = { .at = 7 };
	struct err e = ERR_INIT;

	if (ses_account_read(a->json, 1, &account, &e) != 0) {
		assert(e.text[0] != '\0' && account.at == 7);
		return;
	}
	assert(account.at == 1 && account.enforcement_text[0] != '\0');
	ses_account_closed(&account);
	ses_enforcement_name(account.enforcement);
}

static void
check_page(const struct aws_answer *a)
{
	struct suppress_page page = { .next = NULL };
	struct err e = ERR_INIT;

	if (suppress_read_page(a, "ses", "token", &page, &e) != 0)
		assert(e.text[0] != '\0');
	for (size_t i = 0; i < page.rows.n; i++) {
		assert(strchr(page.rows.list[i].address, '@') != NULL);
		assert(page.rows.list[i].at >= 0);
	}
	suppress_page_clear(&page);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text;
	struct aws_answer_headers h = { .error_type = next_line(&rest),
		.request_id = next_line(&rest),
		.date = next_line(&rest) };
	const char *status = next_line(&rest);
	struct aws_answer a = { .status = 0 };
	int64_t wall = -1;

	if (h.date != NULL && aws_date_read(h.date, &wall) == 0)
		assert(wall >= 0);
	aws_answer_read(&a, status != NULL ? atoi(status) % 1000 : 200, &h,
	    rest, strlen(rest));
	check_texts(&a);
	check_account(&a);
	check_page(&a);
	json_decref((json_t *)(uintptr_t)a.json);
	free(text);
	return 0;
}
