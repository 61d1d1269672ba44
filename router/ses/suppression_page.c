/*
 * suppression_page.c - pages of the suppression list, as SES tells them
 * (ListSuppressedDestinations, facts/aws.md, section 2).
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/ses/suppression_int.h"

#define ADDRESS_MAX 320

/* ------ entries */

char *
suppress_lower(const char *address)
{
	char *lower = xstrdup(address);

	for (char *s = lower; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
	return lower;
}

void
suppress_rows_add(struct suppress_rows *rows, const struct suppression *s)
{
	if (rows->n == rows->room) {
		rows->room = rows->room > 0 ? 2 * rows->room : 64;
		rows->list =
		    xrealloc(rows->list, rows->room * sizeof(*rows->list));
	}
	rows->list[rows->n++] = (struct suppression){
		.scope = xstrdup(s->scope),
		.address = suppress_lower(s->address),
		.cause = xstrdup(s->cause),
		.who = xstrdup(s->who),
		.state = s->state,
		.at = s->at,
	};
}

static void
free_text(const char *text)
{
	free((void *)(uintptr_t)text);
}

void
suppress_rows_clear(struct suppress_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		free_text(rows->list[i].scope);
		free_text(rows->list[i].address);
		free_text(rows->list[i].cause);
		free_text(rows->list[i].who);
	}
	free(rows->list);
	*rows = (struct suppress_rows){ .n = 0 };
}

/* ------ pages */

void
suppress_page_clear(struct suppress_page *page)
{
	suppress_rows_clear(&page->rows);
	free(page->next);
	page->next = NULL;
}

void
suppress_ask_page(struct suppress_op *op, const char *reason, const char *after,
    unsigned limit,
    void (*answered)(struct suppress_op *, const struct aws_answer *))
{
	struct str query = STR_INIT;

	str_addf(&query, "PageSize=%u", limit);
	if (reason != NULL) {
		str_adds(&query, "&Reason=");
		aws_encode(&query, reason);
	}
	if (after != NULL) {
		str_adds(&query, "&NextToken=");
		aws_encode(&query, after);
	}
	suppress_ask(op, "GET", NULL, query.data, NULL, answered);
	str_release(&query);
}

static bool
is_address(const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	return len > 0 && len <= ADDRESS_MAX && strchr(text, '@') != NULL &&
	       !str_has_control(text, len);
}

/* What SES calls an entry; one of another kind is a complaint to us, for those
 * are never freed by themselves. */
static const char *
cause_of(const json_t *row)
{
	const char *text = json_string_value(json_object_get(row, "Reason"));

	return text != NULL && strcmp(text, "BOUNCE") == 0 ? "BOUNCE"
							   : "COMPLAINT";
}

static void
read_row(const json_t *row, const char *scope, struct suppress_page *page)
{
	const char *address =
	    json_string_value(json_object_get(row, "EmailAddress"));
	double at = json_number_value(json_object_get(row, "LastUpdateTime"));
	struct suppression s = { .scope = scope,
		.address = address,
		.cause = cause_of(row),
		.who = address,
		.state = SUPPRESSION_SYNCED };

	if (!is_address(address))
		return;
	if (at > 0 && at < 1e11)
		s.at = (int64_t)(at * 1000);
	suppress_rows_add(&page->rows, &s);
}

int
suppress_read_page(const struct aws_answer *a, const char *scope,
    const char *before, struct suppress_page *page, struct err *e)
{
	const json_t *rows =
	    json_object_get(a->json, "SuppressedDestinationSummaries");
	const char *next =
	    json_string_value(json_object_get(a->json, "NextToken"));

	if (!json_is_object(a->json) || (rows != NULL && !json_is_array(rows)))
		return err_set(
		    e, "SES's answer is no page of its suppression list");
	if (next != NULL && before != NULL && strcmp(next, before) == 0)
		return err_set(
		    e, "SES gives the same page of its list for ever");
	for (size_t i = 0; i < json_array_size(rows); i++)
		read_row(json_array_get(rows, i), scope, page);
	if (next != NULL && next[0] != '\0')
		page->next = xstrdup(next);
	return 0;
}
