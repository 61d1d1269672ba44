/*
 * classify_print.c - a finding of `oiwake classify`, for people and programs.
 */
#include "router/cli/classify_int.h"

#include <string.h>

static void
explain_json(const struct finding *f, json_t *row)
{
	const struct report_part *p = f->part;
	json_t *more = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s}",
	    "table",
	    f->meaning.answer.file != NULL ? f->meaning.answer.file : "",
	    "line", (int)f->meaning.answer.line, "source",
	    f->meaning.answer.source != NULL ? f->meaning.answer.source : "",
	    "form", f->report->form, "stage", stage_name(p->outcome.stage),
	    "host", p->host, "action", p->action, "diagnostic",
	    p->outcome.text);

	json_object_update(row, more);
	json_decref(more);
}

/* Bytes that are no UTF-8 can be in no JSON. */
static json_t *
text_json(const char *text)
{
	json_t *json = json_string(text);

	return json != NULL ? json : json_string("?");
}

static void
print_json(const struct classifier *c, const struct finding *f)
{
	char code[8] = "";
	json_t *row;

	if (f->part->outcome.code != 0)
		snprintf(code, sizeof(code), "%d", f->part->outcome.code);
	row = json_pack("{s:o, s:o, s:s, s:s, s:s, s:b, s:o, s:b}", "file",
	    text_json(f->file), "recipient", text_json(f->part->recipient),
	    "status", f->status, "replycode", code, "reason", f->meaning.reason,
	    "hard", f->meaning.hard, "feedbacktype",
	    text_json(f->feedback_type), "suppress", f->suppress);
	if (c->args->value[CLASSIFY_EXPLAIN] != NULL)
		explain_json(f, row);
	cli_print_json(row);
}

static void
line(const char *name, const char *text)
{
	if (*text == '\0')
		return;
	printf("  %-9s ", name);
	cli_print(stdout, text);
	putchar('\n');
}

static void
explain_text(const struct finding *f)
{
	struct str text = STR_INIT;

	if (f->meaning.answer.line > 0)
		str_addf(&text, "%s:%u (%s)", f->meaning.answer.file,
		    f->meaning.answer.line, f->meaning.answer.source);
	line("line", text.data);
	line("form", f->report->form);
	line("stage", stage_name(f->part->outcome.stage));
	line("host", f->part->host);
	line("action", f->part->action);
	str_release(&text);
}

static void
print_text(const struct classifier *c, const struct finding *f)
{
	const struct outcome *o = &f->part->outcome;
	struct str text = STR_INIT;

	str_addf(&text, "%s%s%s", f->file, *f->file ? ": " : "",
	    *f->part->recipient ? f->part->recipient : "nobody named");
	cli_print(stdout, text.data);
	putchar('\n');
	str_clear(&text);
	str_addf(&text, "%s%s%s%s%s", f->meaning.reason,
	    f->meaning.hard ? ", hard" : "",
	    f->suppress ? ", suppresses the address" : "",
	    *f->feedback_type ? ", " : "", f->feedback_type);
	line("reason", text.data);
	str_clear(&text);
	if (o->code != 0)
		str_addf(&text, "%d ", o->code);
	str_addf(&text, "%s%s%s", f->status, *f->status ? " " : "", o->text);
	line("reply", text.data);
	if (c->args->value[CLASSIFY_EXPLAIN] != NULL)
		explain_text(f);
	str_release(&text);
}

void
classify_print(const struct classifier *c, const struct finding *f)
{
	if (c->args->json)
		print_json(c, f);
	else
		print_text(c, f);
}
