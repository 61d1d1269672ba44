/*
 * config_check.c - what must agree with what: listeners among each other, the
 * files with what is on disk, the rules with all the rest (config_rules.c); and
 * the table of reasons.
 */
#include "router/config_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mta/base/alloc.h"
#include "router/reasons.h"
#include "router/users.h"

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

/* Reports with lines of their own follow ours. */
static void
add_report(struct raw_config *raw, struct str *report)
{
	struct str all = STR_INIT;

	if (raw->rules_report != NULL)
		str_adds(&all, raw->rules_report);
	str_add(&all, report->data, report->len);
	free(raw->rules_report);
	raw->rules_report = str_detach(&all);
}

static void
check_reasons(struct raw_config *raw, struct config *cfg)
{
	struct str report = STR_INIT;

	cfg->reasons = cfg->reasons_file != NULL
	    ? reasons_load(cfg->reasons_file, &report)
	    : reasons_builtin();
	if (cfg->reasons == NULL)
		add_report(raw, &report);
	str_release(&report);
}

static void
check_rules(struct raw_config *raw, struct config *cfg)
{
	struct str report = STR_INIT;

	cfg->rules = config_load_rules(cfg, NULL, NULL, 0, &report);
	if (cfg->rules == NULL)
		add_report(raw, &report);
	else if (report.len > 0)
		cfg->warnings = str_detach(&report);
	str_release(&report);
}

void
config_check(struct raw_config *raw, struct config *cfg, enum config_part part)
{
	if (raw->broken)
		return;
	check_listeners(raw, cfg);
	check_reasons(raw, cfg);
	if (part == CONFIG_ALL)
		check_files(raw, cfg);
	if (part >= CONFIG_RULES)
		check_rules(raw, cfg);
}
