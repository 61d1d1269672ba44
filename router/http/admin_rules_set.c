/*
 * admin_rules_set.c - sets of rules as requests mean them: the running one with
 * some texts of the client's own, or one that was in force before.
 *
 * A client names files only to say which of the running ones it means: no name
 * that it sends is ever opened.
 */
#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "router/config.h"
#include "router/http/admin_rules_edit_int.h"
#include "router/rules_restore.h"
#include "router/text_diff.h"

#define DIFF_MAX (256u << 10) /* bytes of a diff that are told */

void
admin_set_clear(struct admin_set *set)
{
	for (size_t i = 0; i < set->nown; i++)
		free(set->own[i]);
	free(set->own);
	free(set->file);
	free(set->version);
	*set = (struct admin_set){ .n = 0 };
}

const struct rules_file *
admin_file_of(const struct rules_file *file, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(file[i].name, name) == 0)
			return &file[i];
	return NULL;
}

bool
admin_same_text(const struct rules_file *a, const struct rules_file *b)
{
	return a != NULL && b != NULL && a->len == b->len &&
	       memcmp(a->text, b->text, a->len) == 0;
}

/* -- edited
 * ---------------------------------------------------------------------- */

static int
put_text(struct admin_set *set, const struct rules_file *running,
    const json_t *sent, struct err *e)
{
	const char *name = json_string_value(json_object_get(sent, "name"));
	const json_t *text = json_object_get(sent, "text");
	size_t i = 0;

	if (name == NULL || !json_is_string(text) ||
	    json_object_size(sent) != 2)
		return err_set(e, "expected \"files\": a list of "
				  "{\"name\", \"text\"}");
	while (i < set->n && strcmp(set->file[i].name, name) != 0)
		i++;
	if (i == set->n)
		return err_set(
		    e, "not a file of the running rules: '%.200s'", name);
	if (set->file[i].text != running[i].text)
		return err_set(e, "sent twice: '%.200s'", name);
	set->file[i].text = json_string_value(text);
	set->file[i].len = json_string_length(text);
	return 0;
}

int
admin_set_edited(struct admin_set *set, const struct ruleset *running,
    const json_t *files, struct err *e)
{
	const struct rules_file *file;
	size_t n = ruleset_files(running, &file);

	*set = (struct admin_set){ .n = n };
	if (!json_is_array(files) || json_array_size(files) == 0)
		return err_set(e, "expected \"files\": a list of "
				  "{\"name\", \"text\"}");
	set->file = xcalloc(n, sizeof(*set->file));
	memcpy(set->file, file, n * sizeof(*file));
	for (size_t i = 0; i < json_array_size(files); i++)
		if (put_text(set, file, json_array_get(files, i), e) != 0)
			return -1;
	return 0;
}

/* -- kept
 * ------------------------------------------------------------------------ */

static char *
own(struct admin_set *set, char *text)
{
	set->own = xrealloc(set->own, (set->nown + 1) * sizeof(*set->own));
	set->own[set->nown++] = text;
	return text;
}

static void
add_file(void *arg, const struct rules_file *file)
{
	struct admin_set *set = arg;
	struct rules_file *f;

	set->file = xrealloc(set->file, (set->n + 1) * sizeof(*set->file));
	f = &set->file[set->n++];
	f->name = own(set, xstrdup(file->name));
	f->text = own(set, xstrndup(file->text, file->len));
	f->len = file->len;
}

/* The settings may have moved to another folder since. */
static void
name_as_now(struct admin_set *set, const struct ruleset *running)
{
	const struct rules_file *now;
	const char *main = set->file[0].name;

	ruleset_files(running, &now);
	for (size_t i = 0; i < set->n; i++)
		set->file[i].name = own(
		    set, restore_name(set->file[i].name, main, now[0].name));
}

struct wanted {
	const char *version; /* NULL: any */
	int64_t number;	     /* 0: none yet */
	char *found;
};

static void
look_at_row(void *arg, const struct ruleset_row *row)
{
	struct wanted *w = arg;

	if (w->found != NULL ||
	    (w->version != NULL && strcmp(row->version, w->version) != 0))
		return;
	w->number = row->number;
	w->found = xstrdup(row->version);
}

static int
read_kept(struct admin_set *set, struct store_reader *reader, struct wanted *w,
    const struct ruleset *running, struct err *e)
{
	*set = (struct admin_set){ .n = 0 };
	store_read_rulesets(reader, w->number, ADMIN_LIMIT_MAX, look_at_row, w);
	set->version = w->found;
	if (w->found != NULL)
		store_read_ruleset_files(reader, w->number, add_file, set);
	if (set->n == 0)
		return err_set(e, "no such rule set");
	name_as_now(set, running);
	return 0;
}

int
admin_set_kept(struct admin_set *set, struct store_reader *reader,
    int64_t number, const struct ruleset *running, struct err *e)
{
	struct wanted w = { .number = number };

	return read_kept(set, reader, &w, running, e);
}

int
admin_set_of_version(struct admin_set *set, struct store_reader *reader,
    const char *version, const struct ruleset *running, struct err *e)
{
	struct wanted w = { .version = version };

	return read_kept(set, reader, &w, running, e);
}

int
admin_set_asked(struct admin_set *set, struct store_reader *reader,
    const json_t *body, const struct ruleset *running, struct err *e)
{
	const json_t *number = json_object_get(body, "number");

	*set = (struct admin_set){ .n = 0 };
	if (number == NULL)
		return admin_set_edited(
		    set, running, json_object_get(body, "files"), e);
	if (!json_is_integer(number) || json_integer_value(number) < 1 ||
	    json_object_get(body, "files") != NULL)
		return err_set(e, "expected \"number\": of a rule set in the "
				  "history, and no files");
	return admin_set_kept(
	    set, reader, json_integer_value(number), running, e);
}

/* -- as rules
 * -------------------------------------------------------------------- */

/* Nobody edits a file in order to have it left out. */
static void
check_included(const struct admin_set *set, const struct ruleset *running,
    const struct ruleset *new, struct rules_report *report)
{
	const struct rules_file *was, *read;
	size_t nwas = ruleset_files(running, &was);
	size_t nread = ruleset_files(new, &read);

	for (size_t i = 0; i < set->n; i++) {
		const struct rules_file *f = &set->file[i];

		if (admin_same_text(f, admin_file_of(was, nwas, f->name)) ||
		    admin_file_of(read, nread, f->name) != NULL)
			continue;
		rules_report_add(report, f->name, 0, 0, NULL, 0,
		    "is changed, but the new rules do not include it");
	}
}

struct ruleset *
admin_set_load(const struct admin_set *set, const struct config *config,
    const struct ruleset *running, struct rules_report *report)
{
	struct ruleset *rules =
	    config_check_rules(config, NULL, set->file, set->n, report);

	if (rules == NULL)
		return NULL;
	check_included(set, running, rules, report);
	if (report->errors == 0)
		return rules;
	ruleset_unref(rules);
	return NULL;
}

json_t *
admin_report_json(const struct rules_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->n; i++) {
		const struct rules_problem *p = &report->problem[i];
		json_t *o = json_object();

		admin_put(o, "file", p->file);
		json_object_set_new(o, "line", json_integer(p->line));
		json_object_set_new(o, "column", json_integer(p->col));
		admin_put(o, "severity", p->warning ? "warning" : "error");
		admin_put(o, "text", p->text);
		json_array_append_new(list, o);
	}
	return list;
}

/* -- what is different
 * ------------------------------------------------------------ */

static void
add_diff(
    struct str *out, const struct rules_file *from, const struct rules_file *to)
{
	if (out->len > DIFF_MAX)
		return;
	text_diff(out, from != NULL ? from->name : to->name,
	    from != NULL ? from->text : "", from != NULL ? from->len : 0,
	    to != NULL ? to->text : "", to != NULL ? to->len : 0);
}

/* After a whole line. */
static void
cut(struct str *text)
{
	size_t len = DIFF_MAX;

	if (text->len <= DIFF_MAX)
		return;
	while (len > 0 && text->data[len - 1] != '\n')
		len--;
	text->data[len] = '\0';
	text->len = len;
	str_adds(text, "...\n");
}

void
admin_put_diff(json_t *object, const char *key, const struct rules_file *from,
    size_t nfrom, const struct rules_file *to, size_t nto)
{
	struct str text = STR_INIT;

	for (size_t i = 0; i < nfrom; i++)
		add_diff(&text, &from[i], admin_file_of(to, nto, from[i].name));
	for (size_t i = 0; i < nto; i++)
		if (admin_file_of(from, nfrom, to[i].name) == NULL)
			add_diff(&text, NULL, &to[i]);
	cut(&text);
	admin_put(object, key, text.data);
	str_release(&text);
}
