/*
 * config.c - the settings file as one immutable structure.
 *
 * config_int.h says which file does what. A configuration is a generation: it
 * is loaded whole, shared by reference and freed whole.
 */
#include "router/config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "router/config_int.h"
#include "rules/rules.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* The count stands beside what is shared, out of readers' sight. */
struct counted_config {
	struct config config; /* first: a config is its counted one */
	_Atomic unsigned refs;
};

static char *
system_hostname(void)
{
	char name[256];

	if (gethostname(name, sizeof(name)) != 0)
		return xstrdup("");
	name[sizeof(name) - 1] = '\0';
	return xstrdup(name);
}

static unsigned
processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1			? 1
	       : n > CONFIG_THREADS_MAX ? CONFIG_THREADS_MAX
					: (unsigned)n;
}

static struct config *
config_new(const char *file)
{
	struct counted_config *counted = xcalloc(1, sizeof(*counted));
	struct config *cfg = &counted->config;

	atomic_init(&counted->refs, 1);
	cfg->file = xstrdup(file);
	cfg->hostname = system_hostname();
	cfg->state_directory = xstrdup("/var/lib/oiwake");
	cfg->rules_file = config_path_relative(file, "oiwake.rules");
	cfg->admin_socket = xstrdup("/run/oiwake/admin.sock");
	cfg->delay_notice = DAY_MS / 6;
	cfg->queue_memory = 20000;
	cfg->body_memory = (size_t)32 << 20;
	cfg->reserve = (uint64_t)64 << 20;
	cfg->event_keep = 30 * DAY_MS;
	cfg->sent_keep = 15 * DAY_MS;
	cfg->stats_keep = 90 * DAY_MS;
	cfg->traffic_keep = 200000;
	cfg->store.lease = 30000;
	cfg->probe = 60000;
	cfg->idle_session = 5000;
	cfg->stop_timeout = 30000;
	cfg->return_path.expires = 14 * DAY_MS;
	cfg->return_path.forward = true;
	cfg->return_path.rate = 10;
	cfg->preflight_interval = 600000;
	cfg->preflight_port_check = true;
	return cfg;
}

/* Takes over raw. */
static struct config *
finish(struct raw_config *raw, enum config_part part, struct str *report)
{
	struct config *cfg = config_new(raw->files[0]);
	bool good;

	config_build(raw, cfg, part);
	if (cfg->io_threads == 0)
		cfg->io_threads = processors();
	config_check(raw, cfg, part);
	good = raw->nproblems == 0 && raw->rules_report == NULL;
	config_raw_report(raw, report);
	config_raw_clear(raw);
	if (!good)
		config_unref(&cfg);
	return cfg;
}

struct config *
config_load_part(const char *file, enum config_part part, struct str *report)
{
	struct raw_config raw = { 0 };

	config_read(&raw, file);
	return finish(&raw, part, report);
}

char *
config_admin_socket(const char *file, struct str *report)
{
	struct raw_config raw = { 0 };
	struct config *cfg = config_new(file);
	char *path = NULL;

	config_read(&raw, file);
	if (raw.sections[0].nentries == 0 && raw.broken) {
		config_raw_report(&raw, report);
	} else {
		config_store(&raw, &raw.sections[0], cfg);
		path = xstrdup(cfg->admin_socket);
	}
	config_raw_clear(&raw);
	config_unref(&cfg);
	return path;
}

struct config *
config_parse(const char *name, const char *text, size_t len, struct str *report)
{
	struct raw_config raw = { 0 };

	config_read_text(&raw, name, text, len);
	return finish(&raw, CONFIG_SETTINGS, report);
}

struct config *
config_load(const char *file, struct str *report)
{
	return config_load_part(file, CONFIG_ALL, report);
}

struct config *
config_ref(struct config *cfg)
{
	struct counted_config *counted = (struct counted_config *)(void *)cfg;

	atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
	return cfg;
}

void
config_unref(struct config **p)
{
	struct config *cfg = *p;
	struct counted_config *counted = (struct counted_config *)(void *)cfg;

	*p = NULL;
	if (cfg == NULL || atomic_fetch_sub_explicit(
			       &counted->refs, 1, memory_order_acq_rel) != 1)
		return;
	config_free_contents(cfg);
	free(counted);
}

/* -- finding
 * ---------------------------------------------------------------------- */

const struct config_path *
config_path_find(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->npaths; i++)
		if (strcmp(cfg->paths[i].name, name) == 0)
			return &cfg->paths[i];
	return NULL;
}

const struct config_pool *
config_pool_find(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->npools; i++)
		if (strcmp(cfg->pools[i].name, name) == 0)
			return &cfg->pools[i];
	return NULL;
}

const struct config_source *
config_source_find(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->nsources; i++)
		if (strcmp(cfg->sources[i].name, name) == 0)
			return &cfg->sources[i];
	return NULL;
}

/* The active ones of exactly that domain. */
static size_t
signers_of(const struct config *cfg, const char *domain,
    const struct dkim_signer *out[static CONFIG_SIGNERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < cfg->ndkim && n < CONFIG_SIGNERS_MAX; i++)
		if (cfg->dkim[i].active &&
		    strcmp(cfg->dkim[i].domain, domain) == 0)
			out[n++] = cfg->dkim[i].signer;
	return n;
}

size_t
config_dkim_find(const struct config *cfg, const char *domain,
    const struct dkim_signer *out[static CONFIG_SIGNERS_MAX])
{
	size_t n = 0;

	while (n == 0 && domain != NULL && *domain != '\0') {
		n = signers_of(cfg, domain, out);
		domain = strchr(domain, '.');
		if (domain != NULL)
			domain++;
	}
	return n;
}
