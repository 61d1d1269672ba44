/*
 * doctor_print.c - findings of `oiwake doctor` for people and for programs.
 */
#include "router/cli/doctor_int.h"

#include <stdlib.h>
#include <string.h>

#include "mta/base/alloc.h"
#include "mta/preflight/preflight.h"
#include "router/cli/cli.h"

struct doctor_finding {
	enum finding_level level;
	char *check, *subject, *what, *why, *mend;
	unsigned carriers;
	size_t subject_at; /* where its subject was first seen */
	size_t at;
};

/* How a level is called, and its place in the listing. */
static const struct level {
	const char *name, *label;
	int rank;
} levels[] = {
	[FINDING_GOOD] = { "good", "good", 3 },
	[FINDING_NOTE] = { "note", "note", 2 },
	[FINDING_UNKNOWN] = { "unknown", "unknown", 1 },
	[FINDING_BAD] = { "bad", "BAD", 0 },
};

static const struct {
	unsigned bit;
	const char *name;
} carriers[] = {
	{ PREFLIGHT_DOCOMO, "docomo" },
	{ PREFLIGHT_AU, "au" },
	{ PREFLIGHT_SOFTBANK, "softbank" },
};

#define INDENT	  12 /* of what stands below a finding's first line */
#define NCARRIERS (sizeof(carriers) / sizeof(carriers[0]))

void
doctor_keep(struct doctor_findings *d, const struct finding *f)
{
	struct doctor_finding *kept;
	size_t first = 0;

	while (first < d->n && strcmp(d->list[first].subject, f->subject) != 0)
		first++;
	d->list = xrealloc(d->list, (d->n + 1) * sizeof(*d->list));
	kept = &d->list[d->n];
	*kept = (struct doctor_finding){ .level = f->level,
		.check = xstrdup(f->check),
		.subject = xstrdup(f->subject),
		.what = xstrdup(f->what),
		.why = xstrdup(f->why),
		.mend = xstrdup(f->mend),
		.carriers = f->carriers,
		.subject_at = first < d->n ? d->list[first].subject_at : d->n,
		.at = d->n };
	d->n++;
	d->count[f->level]++;
}

void
doctor_release(struct doctor_findings *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->list[i].check);
		free(d->list[i].subject);
		free(d->list[i].what);
		free(d->list[i].why);
		free(d->list[i].mend);
	}
	free(d->list);
}

static int
compare(const void *left, const void *right)
{
	const struct doctor_finding *a = left, *b = right;

	if (a->subject_at != b->subject_at)
		return a->subject_at < b->subject_at ? -1 : 1;
	if (a->level != b->level)
		return levels[a->level].rank - levels[b->level].rank;
	return a->at < b->at ? -1 : 1;
}

static void
print_json(const struct doctor_finding *f)
{
	json_t *names = json_array();

	for (size_t i = 0; i < NCARRIERS; i++)
		if (f->carriers & carriers[i].bit)
			json_array_append_new(
			    names, json_string(carriers[i].name));
	cli_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "level",
	    levels[f->level].name, "check", f->check, "subject", f->subject,
	    "what", f->what, "why", f->why, "mend", f->mend, "carriers",
	    names));
}

/* Whom it matters to, unless that is everybody. */
static void
print_why(const struct doctor_finding *f)
{
	const char *separator = "";

	if (*f->why == '\0')
		return;
	printf("%*swhy: ", INDENT, "");
	cli_print(stdout, f->why);
	if (f->carriers != PREFLIGHT_ALL && f->carriers != 0) {
		printf(" [");
		for (size_t i = 0; i < NCARRIERS; i++) {
			if (!(f->carriers & carriers[i].bit))
				continue;
			printf("%s%s", separator, carriers[i].name);
			separator = ", ";
		}
		putchar(']');
	}
	putchar('\n');
}

static void
print_mend(const struct doctor_finding *f, const struct doctor_finding *before)
{
	const char *line = f->mend;

	if (*line == '\0')
		return;
	if (before != NULL && strcmp(before->mend, f->mend) == 0) {
		printf("%*smend: as above\n", INDENT, "");
		return;
	}
	printf("%*smend:\n", INDENT, "");
	while (*line != '\0') {
		size_t len = strcspn(line, "\n");
		char *copy = xstrndup(line, len);

		printf("%*s", INDENT + 4, "");
		cli_print(stdout, copy);
		putchar('\n');
		free(copy);
		line += len + (line[len] == '\n');
	}
}

static void
print_text(const struct doctor_finding *f, const struct doctor_finding *before)
{
	if (before == NULL || before->subject_at != f->subject_at) {
		printf("%s", before != NULL ? "\n" : "");
		cli_print(stdout, f->subject);
		putchar('\n');
	}
	printf(
	    "%*s%-8s%-17s", INDENT / 3, "", levels[f->level].label, f->check);
	cli_print(stdout, f->what);
	putchar('\n');
	print_why(f);
	print_mend(f, before);
}

void
doctor_print(struct doctor_findings *d, bool json)
{
	if (d->n > 0)
		qsort(d->list, d->n, sizeof(*d->list), compare);
	for (size_t i = 0; i < d->n; i++) {
		if (json)
			print_json(&d->list[i]);
		else
			print_text(&d->list[i], i > 0 ? &d->list[i - 1] : NULL);
	}
	if (!json)
		printf("\n%zu good, %zu to note, %zu unknown, %zu bad\n",
		    d->count[FINDING_GOOD], d->count[FINDING_NOTE],
		    d->count[FINDING_UNKNOWN], d->count[FINDING_BAD]);
}
