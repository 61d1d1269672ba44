/*
 * bench_rules.c - what a rule set costs: to load, to keep, to ask.
 *
 * `bench_rules RULES [ADDRESSES...]` loads the set, then decides the addresses
 * of each file over and over, one thread, and prints a line of JSON for each:
 * CPU time of the process, bytes, and how many were decided by `default`, for
 * the caller to see that it measured what it meant to. One run is one round;
 * rules.py writes the files, runs it and says what it means.
 *
 * `bench_rules --sieve PATTERNS ADDRESSES` says how many of the patterns, given
 * as /text/flags, are left to be tried on an address, on average.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rules/rules.h"

#include "rules/pattern_int.h"

#include <malloc.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENOUGH 0.4 /* seconds of deciding in a round, at least */
#define AHEAD  4   /* addresses */

struct list {
	char *text;
	struct rules_query *query;
	size_t n;
};

static void
die(const char *what, const char *name)
{
	fprintf(stderr, "bench_rules: %s '%s'\n", what, name);
	exit(1);
}

static void *
need(void *p)
{
	if (p == NULL)
		die("out of", "memory");
	return p;
}

static double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Bytes of a line of /proc/self/status, such as "VmRSS". */
static long
status(const char *key)
{
	FILE *f = need(fopen("/proc/self/status", "re"));
	char *line = NULL;
	size_t room = 0, len = strlen(key);
	long kb = 0;

	while (getline(&line, &room, f) > 0)
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			kb = strtol(line + len + 1, NULL, 10);
	free(line);
	fclose(f);
	return kb * 1024;
}

static long
allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return (long)(m.uordblks + m.hblkhd);
}

/* What PCRE2 really does here: a hardened kernel may refuse it the pages. */
static const char *
jit_target(void)
{
	static char target[64];
	size_t offset;
	int error;
	pcre2_code *code =
	    need(pcre2_compile((PCRE2_SPTR) "a+", 2, 0, &error, &offset, NULL));

	if (pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) != 0 ||
	    pcre2_config(PCRE2_CONFIG_JITTARGET, target) < 0)
		strcpy(target, "off");
	pcre2_code_free(code);
	return target;
}

static void
print_versions(void)
{
	char pcre2[64];

	if (pcre2_config(PCRE2_CONFIG_VERSION, pcre2) < 0)
		strcpy(pcre2, "unknown");
#ifdef __clang__
	printf("{\"compiler\": \"%s\"", __VERSION__);
#else
	printf("{\"compiler\": \"gcc %s\"", __VERSION__);
#endif
	printf(", \"pcre2\": \"%s\", \"jit\": \"%s\"}\n", pcre2, jit_target());
}

static struct ruleset *
measure_load(const char *path)
{
	static const char *const regular_only[] = { "ses" };
	const struct rules_options options = {
		.regular_only = regular_only,
		.nregular_only = 1,
	};
	const struct rule *const *rules;
	struct rules_report report;
	struct ruleset *rs;
	long rss = status("VmRSS"), heap = allocated();
	double start = cpu(), took;

	rules_report_init(&report);
	rs = ruleset_load(path, &options, &report);
	took = cpu() - start;
	rules_report_print(&report, stderr);
	if (rs == NULL)
		die("cannot load", path);
	rules_report_clear(&report);
	printf("{\"rules\": %zu, \"seconds\": %.6f, \"heap\": %ld, "
	       "\"resident\": %ld, \"peak\": %ld}\n",
	    ruleset_rules(rs, &rules), took, allocated() - heap,
	    status("VmRSS") - rss, status("VmHWM") - rss);
	return rs;
}

static char *
read_whole(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;

	if (f == NULL)
		die("cannot open", path);
	if (getdelim(&text, &room, '\0', f) <= 0)
		die("cannot read", path);
	fclose(f);
	return text;
}

/* One address a line. */
static struct list
read_list(const char *path)
{
	struct list l = { .text = read_whole(path) };
	size_t room = 0;
	char *rest = NULL;

	for (char *a = strtok_r(l.text, "\n", &rest); a != NULL;
	     a = strtok_r(NULL, "\n", &rest)) {
		char *at = strrchr(a, '@');

		if (at == NULL)
			die("no address", a);
		*at = '\0';
		if (l.n == room) {
			room = room > 0 ? room * 2 : 1024;
			l.query =
			    need(realloc(l.query, room * sizeof(*l.query)));
		}
		l.query[l.n++] = (struct rules_query){
			.from_local = "info",
			.from_domain = "news.example.jp",
			.to_local = a,
			.to_domain = at + 1,
		};
	}
	if (l.n == 0)
		die("no addresses in", path);
	return l;
}

/*
 * Decides each address once; returns how many came to the last rule. Who asks
 * has just parsed the address, so it is in the cache; the tables need not be.
 */
static size_t
pass(const struct ruleset *rs, const struct list *l, unsigned long *limited)
{
	const struct rule *const *rules;
	const struct rule *last = NULL;
	size_t n = ruleset_rules(rs, &rules), others = 0;

	last = rules[n - 1];
	for (size_t i = 0; i < l->n; i++) {
		struct rules_decision d;

		if (i + AHEAD < l->n)
			__builtin_prefetch(l->query[i + AHEAD].to_local);
		ruleset_decide(rs, &l->query[i], &d);
		others += d.rule == last;
		*limited += d.limited;
	}
	return others;
}

static void
measure_decisions(const struct ruleset *rs, const char *path)
{
	struct list l = read_list(path);
	unsigned long passes = 0, limited = 0;
	size_t others = pass(rs, &l, &limited); /* and warms the caches */
	double start = cpu(), took;

	do {
		pass(rs, &l, &limited);
		passes++;
		took = cpu() - start;
	} while (took < ENOUGH);
	printf("{\"addresses\": %zu, \"default\": %zu, \"limited\": %lu, "
	       "\"ns\": %.2f}\n",
	    l.n, others, limited, took * 1e9 / ((double)passes * (double)l.n));
	free(l.query);
	free(l.text);
}

static struct pattern *
pattern_of(const char *word)
{
	const char *flags = strrchr(word, '/') + 1;
	struct pattern_fault fault;
	struct pattern *p = pattern_new(
	    word + 1, (size_t)(flags - word - 2), flags, strlen(flags), &fault);

	if (p == NULL)
		die(fault.text, word);
	return p;
}

static struct sieve *
read_sieve(const char *path, size_t *n)
{
	char *text = read_whole(path), *rest = NULL;
	struct pattern *all[RULES_PATTERNS_MAX];
	struct sieve *sieve;

	*n = 0;
	for (char *word = strtok_r(text, "\n", &rest);
	     word != NULL && *n < RULES_PATTERNS_MAX;
	     word = strtok_r(NULL, "\n", &rest))
		all[(*n)++] = pattern_of(word);
	sieve = sieve_new((const struct pattern *const *)all, *n);
	for (size_t i = 0; i < *n; i++)
		pattern_free(all[i]);
	free(text);
	return sieve;
}

static void
count_tries(const char *patterns, const char *addresses)
{
	uint64_t bits[SIEVE_WORDS(RULES_PATTERNS_MAX)];
	char *text = read_whole(addresses), *rest = NULL;
	unsigned long tries = 0, asked = 0;
	size_t n;
	struct sieve *sieve = read_sieve(patterns, &n);

	for (char *a = strtok_r(text, "\n", &rest); a != NULL;
	     a = strtok_r(NULL, "\n", &rest)) {
		sieve_pass(sieve, a, strlen(a), bits);
		for (size_t w = 0; w < SIEVE_WORDS(n); w++)
			tries += (unsigned)__builtin_popcountll(bits[w]);
		asked++;
	}
	printf("{\"patterns\": %zu, \"tried\": %.2f}\n", n,
	    (double)tries / (double)asked);
	sieve_free(sieve);
	free(text);
}

int
main(int argc, char **argv)
{
	struct ruleset *rs;

	if (argc < 2)
		die("no rules given to", argv[0]);
	if (strcmp(argv[1], "--sieve") == 0 && argc == 4) {
		count_tries(argv[2], argv[3]);
		return 0;
	}
	print_versions();
	rs = measure_load(argv[1]);
	for (int i = 2; i < argc; i++)
		measure_decisions(rs, argv[i]);
	ruleset_unref(rs);
	return 0;
}
