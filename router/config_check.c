/*
 * config_check.c - what must agree with what: listeners among each other, the
 * rules with the paths and pools, the files with what is on disk.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "router/users.h"
#include "rules/rules.h"

/* -- listeners
 * ----------------------------------------------------------------- */

static struct config_place
listener_place(const struct raw_config *raw, const struct config_listener *l)
{
	struct config_place at = { raw->files[0], l->line };

	for (size_t i = 0; i < raw->nsections; i++)
		if (strcmp(raw->sections[i].kind->name, "listener") == 0 &&
		    strcmp(raw->sections[i].title, l->name) == 0)
			at.file = raw->sections[i].at.file;
	return at;
}

static bool
same_address(const struct config_listener *a, const struct config_listener *b)
{
	return a->addr_len != 0 && a->addr_len == b->addr_len &&
	       net_port((const struct sockaddr *)&a->addr) != 0 &&
	       memcmp(&a->addr, &b->addr, a->addr_len) == 0;
}

static void
check_listeners(struct raw_config *raw, const struct config *cfg)
{
	for (size_t i = 0; i < cfg->nlisteners; i++)
		for (size_t j = 0; j < i; j++) {
			const struct config_listener *l = &cfg->listeners[i];

			if (!same_address(l, &cfg->listeners[j]))
				continue;
			config_problem(raw, listener_place(raw, l),
			    "listeners '%s' and '%s' have the same address %s",
			    cfg->listeners[j].name, l->name, l->address_text);
			break;
		}
	if (cfg->nlisteners == 0)
		config_problem(raw, (struct config_place){ raw->files[0], 0 },
		    "no listener: nothing could come in");
}

/* -- files
 * ------------------------------------------------------------------------- */

static struct config_place
place_of(const struct raw_config *raw, const char *key)
{
	const struct raw_entry *entry = raw_find(&raw->sections[0], key);

	return entry ? entry->at : (struct config_place){ raw->files[0], 0 };
}

static void
check_directory(
    struct raw_config *raw, const char *key, const char *name, int mode)
{
	struct err e = ERR_INIT;
	struct stat st;

	if (stat(name, &st) != 0)
		err_sys(&e, "cannot use '%s'", name);
	else if (!S_ISDIR(st.st_mode))
		err_set(&e, "not a directory: '%s'", name);
	else if (access(name, mode) != 0)
		err_sys(&e, "cannot use '%s'", name);
	else
		return;
	config_problem(raw, place_of(raw, key), "%s: %s", key, e.text);
}

static void
check_parent(struct raw_config *raw, const char *key, const char *name)
{
	const char *slash = strrchr(name, '/');
	char *parent = xstrndup(name, slash ? (size_t)(slash - name) + 1 : 0);

	check_directory(raw, key, *parent ? parent : ".", W_OK | X_OK);
	free(parent);
}

static void
check_files(struct raw_config *raw, const struct config *cfg)
{
	struct err e = ERR_INIT;

	check_directory(
	    raw, "state-directory", cfg->state_directory, R_OK | W_OK | X_OK);
	if (cfg->log_file != NULL)
		check_parent(raw, "log", cfg->log_file);
	if (strlen(cfg->admin_socket) > 107) /* sun_path, unix(7) */
		config_problem(raw, place_of(raw, "admin-socket"),
		    "admin-socket: name is longer than 107 bytes");
	else
		check_parent(raw, "admin-socket", cfg->admin_socket);
	if (cfg->users_file != NULL &&
	    users_file_check(cfg->users_file, &e) != 0)
		config_problem(
		    raw, place_of(raw, "users"), "users: %s", e.text);
}

/* -- rules
 * -------------------------------------------------------------------------- */

static const char **
path_names(const struct config *cfg)
{
	const char **names = xcalloc(cfg->npaths + 1, sizeof(*names));

	for (size_t i = 0; i < cfg->npaths; i++)
		names[i] = cfg->paths[i].name;
	return names;
}

static const char **
pool_names(const struct config *cfg)
{
	const char **names = xcalloc(cfg->npools + 1, sizeof(*names));

	for (size_t i = 0; i < cfg->npools; i++)
		names[i] = cfg->pools[i].name;
	return names;
}

static void
check_use_kind(const struct config *cfg, const struct rules_use *use,
    enum path_kind wanted, struct rules_report *report)
{
	const struct config_path *path = config_path_find(cfg, use->path);

	if (path == NULL || path->kind == wanted)
		return;
	rules_report_add(report, use->file, use->line, use->col, NULL, 0,
	    "path '%s' has no %s", use->path,
	    wanted == PATH_MTA ? "pools: it is not of type mta"
			       : "configuration sets: it is not of type ses");
}

static void
check_use(const struct config *cfg, const struct rules_use *use,
    struct rules_report *report)
{
	const char **names = NULL;

	switch (use->kind) {
	case RULES_USE_PATH:
		names = path_names(cfg);
		if (config_path_find(cfg, use->name) == NULL)
			ruleset_report_unknown(
			    cfg->rules, use, names, cfg->npaths, report);
		break;
	case RULES_USE_POOL:
		names = pool_names(cfg);
		if (config_pool_find(cfg, use->name) == NULL)
			ruleset_report_unknown(
			    cfg->rules, use, names, cfg->npools, report);
		check_use_kind(cfg, use, PATH_MTA, report);
		break;
	case RULES_USE_CONFIGURATION_SET:
		check_use_kind(cfg, use, PATH_SES, report);
		break;
	}
	free(names);
}

/* The rules' own report follows ours, with its lines and carets. */
static void
check_rules(struct raw_config *raw, struct config *cfg)
{
	struct rules_report report;
	const struct rules_use *uses;
	size_t n;

	rules_report_init(&report);
	cfg->rules = ruleset_load(cfg->rules_file, &report);
	if (cfg->rules != NULL) {
		n = ruleset_uses(cfg->rules, &uses);
		for (size_t i = 0; i < n; i++)
			check_use(cfg, &uses[i], &report);
	}
	if (report.n > 0)
		raw->rules_report = rules_report_string(&report);
	else if (cfg->rules == NULL)
		config_problem(raw, place_of(raw, "rules"),
		    "cannot load the rules of '%s'", cfg->rules_file);
	rules_report_clear(&report);
}

void
config_check(struct raw_config *raw, struct config *cfg, enum config_part part)
{
	if (raw->broken)
		return;
	check_listeners(raw, cfg);
	if (part == CONFIG_ALL)
		check_files(raw, cfg);
	if (part >= CONFIG_RULES)
		check_rules(raw, cfg);
}
