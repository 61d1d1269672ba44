/*
 * rules_recover.c - at the start: is there a change of the rules to be ended?
 */
#include "router/rules_recover.h"

#include <stdlib.h>
#include <unistd.h>

#include "mta/base/str.h"
#include "router/config.h"
#include "router/rules_change.h"
#include "router/rules_files.h"

char *
rules_change_journal(const char *state_directory)
{
	struct str name = STR_INIT;

	str_addf(&name, "%s/rules.change", state_directory);
	return str_detach(&name);
}

/* Whoever holds the lock is at work on it: another daemon, which keeps us from
 * starting in a moment. */
static void
recover(const struct config *settings, struct str *report)
{
	struct err e = ERR_INIT;
	char *journal = rules_change_journal(settings->state_directory);
	int lock = -1;

	if (access(journal, F_OK) == 0) {
		lock = rules_folder_lock(settings->rules_file, &e);
		if (lock >= 0)
			rules_change_recover(journal, report);
		else
			str_addf(report, "%s\n", e.text);
	}
	if (lock >= 0)
		close(lock);
	free(journal);
}

void
rules_recover(const char *config_file, struct str *report)
{
	struct str mistakes = STR_INIT;
	struct config *settings =
	    config_load_part(config_file, CONFIG_SETTINGS, &mistakes);

	if (settings != NULL)
		recover(settings, report);
	config_unref(&settings);
	str_release(&mistakes);
}
