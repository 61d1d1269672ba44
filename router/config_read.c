/*
 * config_read.c - settings files to raw sections, by libconfuse.
 *
 * libconfuse checks the grammar, escapes and ${NAME}; every value is a string
 * to it and comes here with its line. It stops at a key it does not know:
 * then that statement is cut out of the text (config_scan.c) and the file
 * parsed again, so that one run finds all mistakes. A syntax error does end
 * the file, because nothing behind it can be trusted.
 *
 * libconfuse's scanner is global: one lock around it.
 */
#include "router/config_int.h"

#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "rules/report.h"

/* One parse of one file. There is no argument to libconfuse's callbacks, hence
 * `reader`, under the lock. */
struct reader {
	struct raw_config *raw;
	const char *file;
	char *text;
	struct config_mark *marks;
	size_t nmarks, closed; /* sections begun, ended so far */
	struct raw_section *sections;
	size_t nsections;
	int failed_line; /* of the first error; 0: none */
	char *failed;
	char *unknown;		      /* name of the key it did not know */
	const struct config_kind *in; /* and the section it stood in */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reader *reader;

void *
config_grow(void *array, size_t *n, size_t size)
{
	array = xrealloc(array, (*n + 1) * size);
	memset((char *)array + *n * size, 0, size);
	(*n)++;
	return array;
}

/* -- what libconfuse calls ------------------------------------------------- */

static const struct config_kind *
section_kind(cfg_t *cfg)
{
	bool root = strcmp(cfg_name(cfg), "root") == 0;

	return config_kind_find(root ? "" : cfg_name(cfg));
}

static void on_error(cfg_t *, const char *fmt, va_list)
    __attribute__((format(printf, 2, 0)));

static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct str text = STR_INIT;

	if (reader->failed != NULL)
		return;
	reader->failed_line = cfg->line;
	/* The one error that can be survived, known by its text. */
	if (strcmp(fmt, "no such option '%s'") == 0) {
		reader->unknown = xstrdup(va_arg(ap, const char *));
		reader->in = section_kind(cfg);
	}
	if (reader->unknown == NULL)
		str_vaddf(&text, fmt, ap);
	reader->failed = str_detach(&text);
}

/* The section that an entry stands in: the one begun and not ended. */
static struct raw_section *
section_open(void)
{
	const struct config_mark *mark;
	struct raw_section *s;

	if (reader->nsections > reader->closed + 1)
		return &reader->sections[reader->nsections - 1];
	reader->sections =
	    config_grow(reader->sections, &reader->nsections, sizeof(*s));
	s = &reader->sections[reader->nsections - 1];
	mark = reader->closed < reader->nmarks ? &reader->marks[reader->closed]
					       : NULL;
	s->title = xstrdup(mark ? mark->title : "");
	s->kind = mark ? mark->kind : NULL;
	s->at = (struct config_place){ reader->file, mark ? mark->line : 0 };
	return s;
}

static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	bool root = strcmp(cfg_name(cfg), "root") == 0;
	struct raw_section *s = root ? &reader->sections[0] : section_open();
	struct raw_entry *entry;

	s->kind = section_kind(cfg);
	s->entries = config_grow(s->entries, &s->nentries, sizeof(*s->entries));
	entry = &s->entries[s->nentries - 1];
	entry->key = config_key_find(s->kind, opt->name);
	entry->at = (struct config_place){ reader->file, cfg->line };
	entry->value = xstrdup(value);
	*(const char **)result = "";
	return 0;
}

static int
on_section_end(cfg_t *cfg, cfg_opt_t *opt)
{
	struct raw_section *s = section_open();

	(void)cfg;
	s->kind = config_kind_find(opt->name);
	reader->closed++;
	return 0;
}

/* -- the schema as libconfuse wants it ------------------------------------- */

static size_t
add_keys(cfg_opt_t *opts, const struct config_kind *kind)
{
	size_t n;

	for (n = 0; n < kind->nkeys; n++) {
		const struct config_key *key = &kind->keys[n];
		cfg_opt_t one =
		    CFG_STR_CB(key->name, NULL, CFGF_NODEFAULT, on_value);
		cfg_opt_t list =
		    CFG_STR_LIST_CB(key->name, NULL, CFGF_NODEFAULT, on_value);

		opts[n] = key->list ? list : one;
	}
	return n;
}

static cfg_t *
schema_new(void)
{
	cfg_opt_t *root = NULL, *sub[32] = { NULL };
	cfg_opt_t end = CFG_END();
	size_t n;
	cfg_t *cfg;

	root = xcalloc(config_kinds[0].nkeys + config_nkinds, sizeof(*root));
	n = add_keys(root, &config_kinds[0]);
	for (size_t i = 1; i < config_nkinds; i++) {
		const struct config_kind *kind = &config_kinds[i];
		cfg_flag_t flags = CFGF_MULTI | (kind->titled ? CFGF_TITLE : 0);

		sub[i] = xcalloc(kind->nkeys + 1, sizeof(*root));
		sub[i][add_keys(sub[i], kind)] = end;
		root[n] = (cfg_opt_t)CFG_SEC(kind->name, sub[i], flags);
		root[n++].validcb = on_section_end;
	}
	root[n] = end;
	cfg = cfg_init(root, CFGF_NONE);
	for (size_t i = 1; i < config_nkinds; i++)
		free(sub[i]);
	free(root);
	if (cfg == NULL)
		abort(); /* out of memory */
	cfg_set_error_function(cfg, on_error);
	return cfg;
}

/* -- one file
 * ------------------------------------------------------------------ */

static void
section_clear(struct raw_section *s)
{
	for (size_t i = 0; i < s->nentries; i++)
		free(s->entries[i].value);
	free(s->entries);
	free(s->title);
}

static void
reader_reset(struct reader *r)
{
	for (size_t i = 0; i < r->nsections; i++)
		section_clear(&r->sections[i]);
	for (size_t i = 0; i < r->nmarks; i++)
		free(r->marks[i].title);
	free(r->sections);
	free(r->marks);
	free(r->failed);
	free(r->unknown);
	*r = (struct reader){ .raw = r->raw, .file = r->file, .text = r->text };
}

static int
parse_once(struct reader *r)
{
	FILE *fp;
	cfg_t *cfg;
	int rc;

	reader_reset(r);
	r->marks = config_scan_sections(r->text, &r->nmarks);
	r->sections =
	    config_grow(r->sections, &r->nsections, sizeof(*r->sections));
	r->sections[0].title = xstrdup("");
	r->sections[0].kind = &config_kinds[0];
	r->sections[0].at.file = r->file;
	if (r->text[0] == '\0')
		return 0;
	if ((fp = fmemopen(r->text, strlen(r->text), "r")) == NULL)
		abort(); /* out of memory */
	pthread_mutex_lock(&lock);
	reader = r;
	cfg = schema_new();
	rc = cfg_parse_fp(cfg, fp);
	cfg_free(cfg);
	pthread_mutex_unlock(&lock);
	fclose(fp);
	return rc == CFG_SUCCESS ? 0 : -1;
}

static void
report_unknown(struct reader *r)
{
	const struct config_kind *kind = r->in;
	const char *names[64];
	size_t n = 0;
	const char *near;

	for (size_t i = 0; i < kind->nkeys; i++)
		names[n++] = kind->keys[i].name;
	for (size_t i = 1; kind == &config_kinds[0] && i < config_nkinds; i++)
		names[n++] = config_kinds[i].name;
	near = rules_suggest(r->unknown, names, n);
	config_problem(r->raw, (struct config_place){ r->file, r->failed_line },
	    "unknown key '%s'%s%s%s%s%s", r->unknown, *kind->name ? " in " : "",
	    kind->name, near ? ", did you mean '" : "", near ? near : "",
	    near ? "'?" : "");
}

/* Takes over what the last parse found. */
static void
reader_deliver(struct reader *r)
{
	struct raw_config *raw = r->raw;
	size_t n = r->nsections;

	for (size_t i = 0; i < n; i++) {
		raw->sections = config_grow(
		    raw->sections, &raw->nsections, sizeof(*raw->sections));
		raw->sections[raw->nsections - 1] = r->sections[i];
	}
	r->nsections = 0;
}

/* The text is NUL-terminated and becomes empty of comments. */
static void
read_text(struct reader *r, size_t len)
{
	struct err e = ERR_INIT;
	int line;

	if (config_scan_clean(r->text, len, &line, &e) != 0) {
		config_problem(r->raw, (struct config_place){ r->file, line },
		    "%s", e.text);
		r->raw->broken = true;
		return;
	}
	while (parse_once(r) != 0) {
		if (r->unknown != NULL &&
		    r->raw->nproblems < CONFIG_PROBLEMS_MAX &&
		    config_scan_cut(r->text, r->failed_line, r->unknown)) {
			report_unknown(r);
			continue;
		}
		config_problem(r->raw,
		    (struct config_place){ r->file, r->failed_line }, "%s",
		    r->unknown	? "unexpected text"
		    : r->failed ? r->failed
				: "syntax error");
		r->raw->broken = true;
		break;
	}
	reader_deliver(r);
}

static const char *
add_file(struct raw_config *raw, const char *name)
{
	raw->files = config_grow(raw->files, &raw->nfiles, sizeof(char *));
	return raw->files[raw->nfiles - 1] = xstrdup(name);
}

static char *
slurp(const char *file, size_t *len, struct err *e)
{
	struct stat st;
	ssize_t n = 0;
	char *text;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1) {
		err_sys(e, "cannot open '%s'", file);
		return NULL;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > CONFIG_FILE_MAX) {
		close(fd);
		err_set(e, "no regular file of at most 1 MiB: '%s'", file);
		return NULL;
	}
	text = xmalloc(CONFIG_FILE_MAX + 1);
	for (*len = 0; *len < CONFIG_FILE_MAX; *len += (size_t)n)
		if ((n = read(fd, text + *len, CONFIG_FILE_MAX - *len)) <= 0)
			break;
	if (n < 0)
		err_sys(e, "cannot read '%s'", file);
	close(fd);
	text[*len] = '\0';
	if (n >= 0)
		return text;
	free(text);
	return NULL;
}

/* The index-th include of the file whose first section this is. */
static const struct raw_entry *
included(const struct raw_config *raw, size_t first, size_t index)
{
	if (first >= raw->nsections)
		return NULL; /* it could not be read */
	return raw_find_nth(&raw->sections[first], "include", index);
}

static void
read_file(struct raw_config *raw, const char *name, struct config_place from)
{
	struct reader r = { .raw = raw };
	const struct raw_entry *entry;
	size_t len, first = raw->nsections;
	struct err e = ERR_INIT;

	if (raw->nfiles >= CONFIG_INCLUDES_MAX) {
		config_problem(raw, from, "too many included files");
		return;
	}
	r.file = add_file(raw, name);
	if (from.file == NULL)
		from.file = r.file;
	if ((r.text = slurp(name, &len, &e)) == NULL) {
		config_problem(raw, from, "%s", e.text);
		raw->broken = true;
		return;
	}
	read_text(&r, len);
	free(r.text);
	r.text = NULL;
	reader_reset(&r);
	for (size_t i = 0; (entry = included(raw, first, i)) != NULL; i++) {
		char *path = config_path_relative(name, entry->value);
		struct config_place at = entry->at;

		read_file(raw, path, at); /* entry may have moved after this */
		free(path);
	}
}

/* What stands outside of sections in included files joins the first section. */
static void
join_roots(struct raw_config *raw)
{
	size_t kept = 1;

	for (size_t i = 1; i < raw->nsections; i++) {
		struct raw_section *s = &raw->sections[i];
		struct raw_section *root = &raw->sections[0];

		if (s->kind != root->kind) {
			raw->sections[kept++] = *s;
			continue;
		}
		for (size_t j = 0; j < s->nentries; j++) {
			root->entries = config_grow(root->entries,
			    &root->nentries, sizeof(*root->entries));
			root->entries[root->nentries - 1] = s->entries[j];
		}
		s->nentries = 0;
		section_clear(s);
	}
	raw->nsections = kept;
}

static void
finish(struct raw_config *raw)
{
	if (raw->nsections == 0) {
		raw->sections = config_grow(
		    raw->sections, &raw->nsections, sizeof(*raw->sections));
		raw->sections[0].title = xstrdup("");
		raw->sections[0].kind = &config_kinds[0];
		raw->sections[0].at.file = raw->files[0];
	}
	join_roots(raw);
}

void
config_read(struct raw_config *raw, const char *file)
{
	read_file(raw, file, (struct config_place){ NULL, 0 });
	finish(raw);
}

void
config_read_text(
    struct raw_config *raw, const char *name, const char *text, size_t len)
{
	struct reader r = { .raw = raw };
	const struct raw_entry *entry;

	r.file = add_file(raw, name);
	r.text = xstrndup(text, len);
	read_text(&r, len);
	if ((entry = included(raw, 0, 0)) != NULL)
		config_problem(raw, entry->at, "include is not possible here");
	free(r.text);
	r.text = NULL;
	reader_reset(&r);
	finish(raw);
}

void
config_raw_clear(struct raw_config *raw)
{
	for (size_t i = 0; i < raw->nsections; i++)
		section_clear(&raw->sections[i]);
	for (size_t i = 0; i < raw->nfiles; i++)
		free(raw->files[i]);
	for (size_t i = 0; i < raw->nproblems; i++)
		free(raw->problems[i].text);
	free(raw->sections);
	free(raw->files);
	free(raw->problems);
	free(raw->rules_report);
	*raw = (struct raw_config){ 0 };
}
