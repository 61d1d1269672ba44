/*
 * rules_recover.h - a change of the rules that was cut off by a kill, ended before they are read.
 */
#ifndef ROUTER_RULES_RECOVER_H
#define ROUTER_RULES_RECOVER_H

struct str;

/* At the start of the daemon with that settings file, before its rules are loaded. What was done is in
 * *report, a line each for people; mostly it stays as it is. Settings that do not load are nobody's
 * fault here. */
void rules_recover(const char *config_file, struct str *report);

/* The name of the journal (rules_change.h) for that state directory. The caller frees. */
char *rules_change_journal(const char *state_directory);

#endif
