/*
 * metrics_process.c - this process: the names that all Prometheus clients give
 * it, and which Oiwake and which rules these are.
 */
#include "router/http/metrics_int.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "router/config.h"
#include "router/version.h"
#include "rules/rules.h"

/* clang-format off */
static const struct metric build = { "oiwake_build_info", METRIC_GAUGE,
	"1, for the version of the program." };
static const struct metric rules = { "oiwake_rules_info", METRIC_GAUGE,
	"1, for the version of the rules in force." };
static const struct metric started = { "process_start_time_seconds", METRIC_GAUGE,
	"When the daemon started." };
static const struct metric cpu = { "process_cpu_seconds_total", METRIC_COUNTER,
	"Processor time, user and system." };
static const struct metric resident = { "process_resident_memory_bytes", METRIC_GAUGE,
	"Memory in use." };
static const struct metric virtual = { "process_virtual_memory_bytes", METRIC_GAUGE,
	"Memory mapped." };
static const struct metric open_fds = { "process_open_fds", METRIC_GAUGE,
	"Open file descriptors." };
static const struct metric max_fds = { "process_max_fds", METRIC_GAUGE,
	"How many there may be." };
/* clang-format on */

static void
add(struct metrics *m, const struct metric *family, double value)
{
	metrics_family(m->out, family);
	metrics_sample_real(m->out, family, "", value);
}

static void
add_info(struct metrics *m, const struct metric *family, const char *version)
{
	metrics_family(m->out, family);
	metrics_sample(m->out, family, metrics_only(m, "version", version), 1);
}

static double
seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void
add_memory(struct metrics *m)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long size = 0, held = 0, page = sysconf(_SC_PAGESIZE);

	if (f == NULL)
		return;
	if (fscanf(f, "%ld %ld", &size, &held) == 2) {
		add(m, &virtual, (double)size * (double)page);
		add(m, &resident, (double)held * (double)page);
	}
	fclose(f);
}

static void
add_fds(struct metrics *m)
{
	DIR *d = opendir("/proc/self/fd");
	struct rlimit limit;
	int n = -3; /* "." and "..", and the one to look with */

	if (d != NULL) {
		while (readdir(d) != NULL)
			n++;
		closedir(d);
		add(m, &open_fds, n);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		add(m, &max_fds, (double)limit.rlim_cur);
}

void
metrics_add_process(struct metrics *m)
{
	struct rusage used;

	add_info(m, &build, OIWAKE_VERSION);
	add_info(m, &rules, ruleset_version(m->config->rules));
	add(m, &started, (double)m->began / 1000);
	if (getrusage(RUSAGE_SELF, &used) == 0)
		add(m, &cpu, seconds(&used.ru_utime) + seconds(&used.ru_stime));
	add_memory(m);
	add_fds(m);
}
