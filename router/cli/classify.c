/*
 * classify.c - `oiwake classify`: what a message that came back means, or one
 * reply, and what the daemon would make of it.
 *
 * No daemon is asked. Settings are used where there are any: their rules know
 * the group of a domain, and they may name a table of reasons.
 */
#include "router/cli/classify_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "router/classify.h"
#include "router/feedback/form.h"
#include "router/reasons.h"
#include "router/store/store.h"
#include "router/suppress.h"
#include "rules/rules.h"

#define FILE_MAX ((size_t)256 << 20) /* bytes of a file that are read */

static const struct cli_option options[] = {
	{ "explain", NULL, "name the table's line that has answered" },
	{ "table", "FILE", "by this table of reasons" },
	{ "reply", "TEXT", "of one reply, not of messages" },
	{ "group", "NAME", "of the recipient that the reply is about" },
	{ "stage", "NAME", "where it was said: mail, rcpt, data, dot ..." },
	{ "host", "NAME", "that said it" },
	{ NULL, NULL, NULL },
};

/* -- what it means -------------------------------------------------------- */

static const char *
domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : "";
}

static const char *
group_of(const struct classifier *c, const char *domain)
{
	const char *group = c->args->value[CLASSIFY_GROUP];

	if (group == NULL && c->config != NULL && c->config->rules != NULL)
		group = ruleset_group_of(c->config->rules, domain);
	return group != NULL ? group : "";
}

static const char *
status_of(const struct finding *f)
{
	struct outcome o = f->part->outcome;
	struct verdict v = { .reason = f->meaning.reason };

	o.permanent = f->part->kind == REPORT_BOUNCE;
	if (f->part->kind == REPORT_REPLY || f->part->kind == REPORT_COMPLAINT)
		return o.enhanced[0] != '\0' ? f->part->outcome.enhanced : "";
	if (o.enhanced[0] != '\0')
		return f->part->outcome.enhanced;
	v.action = outcome_class(&o) == 5 ? VERDICT_BOUNCE : VERDICT_RETRY;
	if (f->part->kind == REPORT_DELIVERED)
		v.action = VERDICT_SENT;
	return classify_status(&o, &v);
}

/* As the daemon would, were the report proved; not what only many do. */
static bool
suppresses(const struct classifier *c, const struct finding *f)
{
	static const struct config none = { .hostname = NULL };
	const struct config *config = c->config != NULL ? c->config : &none;
	bool complaint = f->part->kind == REPORT_COMPLAINT;
	const struct suppress_ask ask = {
		.path = "",
		.carrier = "",
		.reason = complaint ? SUPPRESS_COMPLAINT : f->meaning.reason,
		.outcome = complaint ? NULL : &f->part->outcome,
		.soft = !complaint && !f->meaning.hard,
	};
	struct suppress_cause cause;

	if (complaint ? !meaning_is_complaint(f->feedback_type)
		      : f->part->kind != REPORT_BOUNCE)
		return false;
	return suppress_by_outcome(config, &ask, &cause) && cause.strikes <= 1;
}

static void
judge(const struct classifier *c, struct finding *f)
{
	const char *domain = domain_of(f->part->recipient);

	f->feedback_type = "";
	if (f->part->kind == REPORT_COMPLAINT)
		f->feedback_type = f->report->feedback_type[0] != '\0'
				       ? f->report->feedback_type
				       : "abuse";
	meaning_find(c->reasons, f->report, f->part, domain,
	    group_of(c, domain), &f->meaning);
	f->suppress = suppresses(c, f);
	f->status = status_of(f);
}

static void
tell(const struct classifier *c, const char *file, const struct report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct finding f = {
			.file = file, .report = r, .part = &r->part[i]
		};

		judge(c, &f);
		classify_print(c, &f);
	}
}

/* -- messages ------------------------------------------------------------- */

static int
read_all(int fd, struct str *text)
{
	ssize_t n = 1;

	while (n > 0 && text->len < FILE_MAX) {
		size_t left = FILE_MAX - text->len;

		str_reserve(text, left < 65536 ? left : 65536);
		n = read(
		    fd, text->data + text->len, left < 65536 ? left : 65536);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n < 0)
			return -1;
		text->len += (size_t)n;
	}
	text->data[text->len] = '\0';
	return 0;
}

static int
slurp(const char *file, struct str *text)
{
	int fd = strcmp(file, "-") == 0 ? STDIN_FILENO
					: open(file, O_RDONLY | O_CLOEXEC);
	int rc = fd == -1 ? -1 : read_all(fd, text);
	int error = errno;

	if (fd > STDIN_FILENO)
		close(fd);
	if (rc != 0)
		return cli_fail("cannot read '%s': %s", file, strerror(error));
	return CLI_GOOD;
}

static bool
classify_message(
    const struct classifier *c, const char *file, const char *data, size_t len)
{
	struct report r;
	bool known;

	report_read(&r, data, len);
	known = r.kind != REPORT_NONE;
	if (known)
		tell(c, file, &r);
	report_clear(&r);
	return known;
}

/* "From a@example.jp  Thu Apr 29 23:34:45 2010": a time of day, and a year at
 * the end. */
static bool
is_from_line(const char *p, size_t len)
{
	const char *colon;

	while (len > 0 && (unsigned char)p[len - 1] <= ' ')
		len--;
	colon = memchr(p, ':', len);
	if (colon == NULL || len < 10)
		return false;
	for (size_t i = len - 4; i < len; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	return memchr(colon + 1, ':', (size_t)(p + len - colon) - 1) != NULL;
}

/* Where the next message of a mailbox file begins; the end when there is none.
 */
static const char *
next_message(const char *data, const char *end)
{
	const char *p = data, *lf;

	while ((p = memmem(p, (size_t)(end - p), "\nFrom ", 6)) != NULL) {
		p++;
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf != NULL && is_from_line(p, (size_t)(lf - p)))
			return p;
	}
	return end;
}

/* One message, or all of a mailbox file. */
static bool
classify_text(
    const struct classifier *c, const char *file, const struct str *text)
{
	const char *p = text->data, *end = p + text->len, *next;
	bool mailbox = text->len > 5 && memcmp(p, "From ", 5) == 0;
	bool known = false;

	for (; p < end; p = next) {
		next = mailbox ? next_message(p, end) : end;
		if (classify_message(c, file, p, (size_t)(next - p)))
			known = true;
	}
	return known;
}

static int
classify_file(const struct classifier *c, const char *file)
{
	struct str text = STR_INIT;
	int rc = slurp(file, &text);

	if (rc == CLI_GOOD && !classify_text(c, file, &text) && !c->args->json)
		cli_fail("no bounce, complaint or automatic reply: '%s'", file);
	str_release(&text);
	return rc;
}

/* -- one reply ------------------------------------------------------------ */

/* The first address in angle brackets; "" when there is none. */
static char *
address_in(const char *reply)
{
	const char *open = strchr(reply, '<');
	const char *close = open != NULL ? strchr(open, '>') : NULL;
	const char *at = open != NULL ? strchr(open, '@') : NULL;

	if (close == NULL || at == NULL || at > close)
		return xstrdup("");
	return xstrndup(open + 1, (size_t)(close - open) - 1);
}

static int
classify_reply(
    const struct classifier *c, const char *reply, const enum smtp_stage *stage)
{
	const char *host = c->args->value[CLASSIFY_HOST];
	char *address = address_in(reply);
	struct report_part *p;
	struct report r;

	report_read(&r, "", 0);
	p = report_add(&r, REPORT_BOUNCE, address);
	report_diagnose(p, reply, strlen(reply));
	if (stage != NULL)
		p->outcome.stage = *stage;
	if (host != NULL)
		report_set(&p->host, host, strlen(host));
	if (p->outcome.code / 100 == 2)
		p->kind = REPORT_DELIVERED;
	tell(c, "", &r);
	report_clear(&r);
	free(address);
	return CLI_GOOD;
}

/* -- what it is done by --------------------------------------------------- */

/* Settings that were not asked for may be missing. */
static int
load_settings(struct classifier *c)
{
	bool asked = strcmp(c->args->config, CLI_CONFIG_DEFAULT) != 0;

	if (!asked && access(c->args->config, R_OK) != 0)
		return CLI_GOOD;
	c->config = cli_config(c->args, CONFIG_RULES);
	return c->config != NULL ? CLI_GOOD : CLI_BAD;
}

static int
load_table(struct classifier *c)
{
	const char *file = c->args->value[CLASSIFY_TABLE];
	struct str report = STR_INIT;

	if (file == NULL && c->config != NULL)
		c->reasons = reasons_ref(c->config->reasons);
	else if (file == NULL)
		c->reasons = reasons_builtin();
	else if ((c->reasons = reasons_load(file, &report)) == NULL)
		cli_print_lines(stderr, report.data);
	str_release(&report);
	return c->reasons != NULL ? CLI_GOOD : CLI_BAD;
}

static int
classify_all(struct classifier *c, const enum smtp_stage *stage)
{
	const char *reply = c->args->value[CLASSIFY_REPLY];
	int rc = load_settings(c);

	if (rc == CLI_GOOD)
		rc = load_table(c);
	if (rc == CLI_GOOD && reply != NULL)
		rc = classify_reply(c, reply, stage);
	else if (rc == CLI_GOOD)
		for (int i = 0; i < c->args->argc; i++)
			if (classify_file(c, c->args->argv[i]) != CLI_GOOD)
				rc = CLI_BAD;
	reasons_unref(&c->reasons);
	config_unref(&c->config);
	return rc;
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	struct cli_args args;
	struct classifier c = { .args = &args };
	const char *name;
	enum smtp_stage stage = STAGE_NONE;
	int rc = cli_parse(cmd, &args, argc, argv);

	if (rc >= 0)
		return rc;
	name = args.value[CLASSIFY_STAGE];
	if (name != NULL && !reasons_stage(name, &stage))
		return cli_usage(cmd, "unknown stage '%s'", name);
	if (args.value[CLASSIFY_REPLY] != NULL && args.argc > 0)
		return cli_usage(cmd, "either a reply or files");
	if (args.value[CLASSIFY_REPLY] == NULL && args.argc == 0)
		return cli_usage(
		    cmd, "expected a file, or - for standard input");
	if (args.value[CLASSIFY_REPLY] == NULL &&
	    (name != NULL || args.value[CLASSIFY_GROUP] != NULL ||
		args.value[CLASSIFY_HOST] != NULL))
		return cli_usage(
		    cmd, "--group, --stage and --host are about a --reply");
	return classify_all(&c, name != NULL ? &stage : NULL);
}

const struct cli_command cli_classify = { "classify",
	"[--explain] [--table FILE] {FILE...|- | --reply TEXT [--group G] "
	"[--stage S] [--host H]}",
	"show what mail that came back means", run, options };
