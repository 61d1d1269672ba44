/*
 * suppression_prune.c - frees carriers' addresses that the account's
 * suppression list took for dead when a carrier's filter had refused them.
 *
 * What carriers refuse comes back to SES as a bounce, whatever the reason was
 * (DESIGN.md); complaints are the recipients' own will, and stay. Removing
 * while pages are read could skip some: so a round reads up to ROUND addresses,
 * then removes them, and rounds follow until one finds nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/config.h"
#include "router/ses/suppression_int.h"
#include "rules/rules.h"

#define ROUND	 10000
#define EXAMPLES 100 /* addresses in the answer */

struct prune {
	struct suppress_op op;
	struct suppress_rows found;
	size_t at; /* the next of them to be removed */
	char *after;
	json_t *examples;
	bool again; /* the list had more than a round takes */
};

static struct prune *
prune_of(struct suppress_op *op)
{
	return container_of(op, struct prune, op);
}

static void
clear_prune(struct suppress_op *op)
{
	struct prune *p = prune_of(op);

	suppress_rows_clear(&p->found);
	free(p->after);
	json_decref(p->examples);
}

static void begin_round(struct suppress_op *);

/* ------ removing */

static void next_one(struct suppress_op *);

static void
end_round(struct suppress_op *op)
{
	struct prune *p = prune_of(op);

	if (p->again) {
		begin_round(op);
		return;
	}
	json_object_set(op->counts, "addresses", p->examples);
	suppress_op_done(op);
}

static void
removed_here(struct suppress_op *op)
{
	prune_of(op)->at++;
	next_one(op);
}

/* Who was taken from it meanwhile is as good as removed. */
static void
on_removed(struct suppress_op *op, const struct aws_answer *a)
{
	struct prune *p = prune_of(op);

	if (a->status == 200 || a->status == 404) {
		suppress_count(op, "removed", 1);
		suppress_put(op, &p->found.list[p->at], 1, true, removed_here);
	} else if (aws_answer_refuses_us(a) || aws_answer_is_passing(a)) {
		suppress_op_fail_answer(op, a);
	} else {
		suppress_count(op, "failed", 1);
		p->again = false; /* else it is found for ever */
		removed_here(op);
	}
}

static void
next_one(struct suppress_op *op)
{
	struct prune *p = prune_of(op);

	if (op->dry_run || p->at == p->found.n)
		end_round(op);
	else
		suppress_ask(op, "DELETE", p->found.list[p->at].who, NULL, NULL,
		    on_removed);
}

/* ------ looking for them */

static void ask_page(struct suppress_op *);

static bool
is_carriers(const struct suppress_op *op, const struct suppression *row)
{
	const char *at = strrchr(row->address, '@');

	return ruleset_carrier_of(op->amazon->config->rules, at + 1) != NULL;
}

static void
take_row(struct prune *p, const struct suppression *row)
{
	suppress_count(&p->op, "looked_at", 1);
	if (strcmp(row->cause, "BOUNCE") != 0 || !is_carriers(&p->op, row))
		return;
	suppress_count(&p->op, "found", 1);
	if (json_array_size(p->examples) < EXAMPLES)
		json_array_append_new(p->examples, json_string(row->who));
	if (!p->op.dry_run)
		suppress_rows_add(&p->found, row);
}

static void
take_page(struct prune *p, struct suppress_page *page)
{
	for (size_t i = 0; i < page->rows.n; i++)
		take_row(p, &page->rows.list[i]);
	free(p->after);
	p->after = page->next;
	page->next = NULL;
	p->again = p->after != NULL && p->found.n >= ROUND;
	if (p->after != NULL && !p->again)
		ask_page(&p->op);
	else
		next_one(&p->op);
}

static void
on_page(struct suppress_op *op, const struct aws_answer *a)
{
	struct prune *p = prune_of(op);
	struct suppress_page page = { .next = NULL };
	struct err e = ERR_INIT;

	if (a->status != 200)
		suppress_op_fail_answer(op, a);
	else if (suppress_read_page(a, op->path, p->after, &page, &e) != 0)
		suppress_op_fail(op, 502, "%s", e.text);
	else
		take_page(p, &page);
	suppress_page_clear(&page);
}

static void
ask_page(struct suppress_op *op)
{
	suppress_ask_page(
	    op, "BOUNCE", prune_of(op)->after, SUPPRESS_PAGE, on_page);
}

static void
begin_round(struct suppress_op *op)
{
	struct prune *p = prune_of(op);

	suppress_rows_clear(&p->found);
	p->at = 0;
	p->again = false;
	free(p->after);
	p->after = NULL;
	ask_page(op);
}

/* {path, dry_run} */
void
ses_suppression_prune(struct amazon *a, struct amazon_ask *ask)
{
	struct suppress_op *op = suppress_op_new(
	    a, ask, "prune-carriers", sizeof(struct prune), true);

	if (op == NULL)
		return;
	op->clear = clear_prune;
	prune_of(op)->examples = json_array();
	suppress_count(op, "looked_at", 0);
	suppress_count(op, "found", 0);
	suppress_count(op, "removed", 0);
	suppress_count(op, "failed", 0);
	begin_round(op);
}
