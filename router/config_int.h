/*
 * config_int.h - inside the settings reader: from text to sections, from sections to struct config.
 *
 *	config_scan.c    comments out, where sections begin, cutting out one statement
 *	config_read.c    libconfuse and includes -> raw sections, every entry with its place
 *	config_raw.c     looking into raw sections, problems and their report
 *	config_schema.c  which sections and keys there are, and storing a value by its row
 *	config_value.c   durations, sizes, names
 *	config_build.c   raw sections -> listeners, signers and the rest
 *	config_paths.c   raw sections -> sources, pools, paths
 *	config_store.c   where the queue is, and what this node is there
 *	config_ses.c     raw sections -> ses paths
 *	config_credentials.c  as whom AWS is called, and where
 *	config_feedback.c  raw sections -> SQS queues, SNS topics
 *	config_web.c     raw sections -> web listeners
 *	config_hooks.c   raw sections -> hooks: where the application is told
 *	config_secret.c  secrets, and files that hold them
 *	config_suppression.c  what suppresses an address, and for how long
 *	config_guard.c   when mail that harms its path is stopped
 *	config_free.c    all of it taken apart
 *	config_identity.c raw sections -> DKIM keys, return path, preflight
 *	config_check.c   what must agree with what: rules, users, files
 *
 * A mistake never ends the reading: it becomes a problem, and all of them are printed at the end.
 */
#ifndef ROUTER_CONFIG_INT_H
#define ROUTER_CONFIG_INT_H

#include "mta/base/err.h"
#include "router/config.h"

/* -- places and problems ------------------------------------------------------------------------ */

struct config_place {
	const char *file; /* one of raw_config.files: compared by address */
	int line;         /* 0: the file as a whole */
};

struct config_problem {
	struct config_place at;
	size_t seq; /* in the order found, for a stable sort */
	char *text;
};

/* -- raw sections --------------------------------------------------------------------------------- */

struct config_key;
struct config_kind;

struct raw_entry {
	const struct config_key *key;
	struct config_place at;
	char *value;
};

struct raw_section {
	const struct config_kind *kind;
	char *title; /* "" when the kind has none */
	struct config_place at;
	struct raw_entry *entries; /* a list has one entry per element */
	size_t nentries;
};

struct raw_config {
	struct raw_section *sections; /* the first holds what stands outside of sections */
	size_t nsections;
	char **files; /* the first is the main one */
	size_t nfiles;
	struct config_problem *problems;
	size_t nproblems;
	char *rules_report; /* what the rules' own report says; NULL: nothing */
	bool broken; /* a syntax error: what is missing may just be unread */
};

#define CONFIG_FILE_MAX     (1u << 20) /* bytes */
#define CONFIG_INCLUDES_MAX 64u        /* files in all, so that they cannot include each other for ever */
#define CONFIG_THREADS_MAX  64u
#define CONFIG_PROBLEMS_MAX 200u

void config_problem(struct raw_config *, struct config_place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads `file` and what it includes. */
void config_read(struct raw_config *, const char *file);
/* The same from memory, without includes. */
void config_read_text(struct raw_config *, const char *name, const char *text, size_t len);
void config_raw_clear(struct raw_config *);
/* Problems in the order of files and lines, then those of the rules. */
void config_raw_report(struct raw_config *, struct str *report);

const struct raw_entry *raw_find(const struct raw_section *, const char *key);
/* Elements of a list, or the one value: the index-th, NULL past the last. */
const struct raw_entry *raw_find_nth(const struct raw_section *, const char *key, size_t index);
const struct raw_section *raw_section_first(const struct raw_config *, const char *kind);
/* A file name relative to the folder of the file that names it. The caller frees. */
char *config_path_relative(const char *from_file, const char *name);

/* -- scanning --------------------------------------------------------------------------------------- */

struct config_mark { /* where a section begins */
	const struct config_kind *kind;
	char *title;
	int line;
};

/* Blanks comments, in place, keeping every line end. -1 with *e and *line at what cannot be read: a
 * string or comment that does not end, a control character. */
int config_scan_clean(char *text, size_t len, int *line, struct err *e);
/* The sections in a clean text. The caller frees titles and array. */
struct config_mark *config_scan_sections(const char *text, size_t *n);
/* Blanks the statement or section that begins with `name` on that line: true when found. */
bool config_scan_cut(char *text, int line, const char *name);

/* -- schema ------------------------------------------------------------------------------------------ */

enum config_type {
	CONFIG_WORD, /* kept as text, checked by config_build.c */
	CONFIG_TEXT, /* char * */
	CONFIG_FILE, /* char *, made absolute */
	CONFIG_HOST, /* char *, a host name */
	CONFIG_FLAG, /* bool */
	CONFIG_UINT, /* unsigned */
	CONFIG_PORT, /* uint16_t */
	CONFIG_SIZE, /* size_t, bytes or a count */
	CONFIG_SIZE64, /* uint64_t, bytes */
	CONFIG_MS,   /* int64_t */
	CONFIG_REAL, /* double */
};

struct config_key {
	const char *name;
	enum config_type type;
	size_t offset;   /* in the section's structure; not used by CONFIG_WORD */
	double min, max; /* of numbers; in ms for CONFIG_MS */
	bool list;
};

struct config_kind {
	const char *name; /* "" for what stands outside of sections */
	bool titled;
	const struct config_key *keys;
	size_t nkeys;
};

extern const struct config_kind config_kinds[];
extern const size_t config_nkinds;

const struct config_kind *config_kind_find(const char *name);
const struct config_key *config_key_find(const struct config_kind *, const char *name);
/* Stores every entry of the section that its row says how to store. */
void config_store(struct raw_config *, const struct raw_section *, void *out);

/* -- values ------------------------------------------------------------------------------------------ */

int config_value_flag(const char *, bool *, struct err *);
int config_value_number(const char *, double *, struct err *); /* plain, not negative */
int config_value_size(const char *, double *, struct err *);   /* "10MB", "128KiB", "4096" */
int config_value_ms(const char *, double *, struct err *);     /* "30s", "5min", "4h", "1h30min" */
bool config_value_host(const char *);                          /* RFC 1123 labels */
bool config_value_name(const char *);                          /* what a section may be called */

/* -- building and checking ---------------------------------------------------------------------------- */

void config_build(struct raw_config *, struct config *, enum config_part);
void config_build_identity(struct raw_config *, struct config *, enum config_part);
void config_build_ways_out(struct raw_config *, struct config *, enum config_part);
/* The index of the section's word among n names; `fallback` when it is not given, or not known and
 * told so. */
int config_word_index(struct raw_config *, const struct raw_section *, const char *key,
    const char *const *names, size_t n, int fallback);
#define CONFIG_WORD_INDEX(raw, s, key, names, fallback) \
	config_word_index(raw, s, key, names, sizeof(names) / sizeof((names)[0]), fallback)
/* The file that a key of the section (NULL: none) names; NULL when it does not. The caller frees. */
char *config_file_of(const struct raw_section *, const char *key);
/* The first line of the private file that the entry names. */
void config_read_secret(struct raw_config *, const struct raw_entry *, struct secret *);
/* From either of two keys, one for the secret, one for a file. False: neither is given. */
bool config_find_secret(struct raw_config *, const struct raw_section *, const char *key,
    const char *file_key, struct secret *, enum config_part);
void config_secret_clear(struct secret *);
/* The client's side of TLS; an unusable CA file is the only mistake there. s NULL: a path that no
 * section names. */
void config_path_tls(struct raw_config *, const struct raw_section *, struct config_path *);
/* The source that the entry names; NULL, and reported, when there is none. */
struct config_source *config_find_source(struct raw_config *, struct config *, const struct raw_entry *);
/* After sources are built. */
void config_build_store(struct raw_config *, struct config *, enum config_part);
void config_free_store(struct config_store *);
void config_path_ses(struct raw_config *, const struct raw_section *, struct config_path *,
    enum config_part);
/* Of the key that names one: "https://host", or in clear on loopback. */
void config_check_endpoint(struct raw_config *, const struct raw_section *, const char *key);
/* After config_store. `otherwise`: where the section says nothing of them. */
void config_build_credentials(struct raw_config *, const struct raw_section *,
    struct config_credentials *, enum credentials_kind otherwise, enum config_part);
void config_copy_credentials(struct config_credentials *, const struct config_credentials *);
const char *config_credentials_name(enum credentials_kind); /* "instance-role" */
void config_build_feedback(struct raw_config *, struct config *, enum config_part);
void config_build_webs(struct raw_config *, struct config *, enum config_part);
void config_build_suppression(struct raw_config *, struct config *);
void config_free_suppression(struct config_suppression *);
void config_build_guard(struct raw_config *, struct config *);
void config_build_hooks(struct raw_config *, struct config *, enum config_part);
void config_free_hooks(struct config *);
void config_free_contents(struct config *);
size_t config_count(const struct raw_config *, const char *kind); /* sections of that kind */
bool config_is_kind(const struct raw_section *, const char *kind);
void config_check(struct raw_config *, struct config *, enum config_part);
const struct config_listener *config_listener_defaults(void);
/* CONFIG_SETTINGS from memory; touches no file. NULL when anything is wrong. */
struct config *config_parse(const char *name, const char *text, size_t len, struct str *report);
/* An array of one more element, zeroed; sets *n. */
void *config_grow(void *array, size_t *n, size_t size);

#endif
