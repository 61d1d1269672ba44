/*
 * reasons_words.c - the vocabulary: Sisimai's, which mail operators know.
 */
#include "router/reasons_int.h"

#include <string.h>

#include "rules/report.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format off */
static const struct reason_word words[] = {
	{ "authfailure",     false, SCOPE_MESSAGE },
	{ "badreputation",   false, SCOPE_LANE },
	{ "blocked",         false, SCOPE_LANE },
	{ "contenterror",    false, SCOPE_MESSAGE },
	{ "delivered",       false, SCOPE_RECIPIENT },
	{ "emailtoolarge",   false, SCOPE_MESSAGE },
	{ "exceedlimit",     false, SCOPE_MESSAGE },
	{ "expired",         false, SCOPE_RECIPIENT },
	{ "failedstarttls",  false, SCOPE_LANE },
	{ "feedback",        false, SCOPE_RECIPIENT },
	{ "filtered",        false, SCOPE_RECIPIENT },
	{ "hasmoved",        true,  SCOPE_RECIPIENT },
	{ "hostunknown",     true,  SCOPE_RECIPIENT },
	{ "mailboxfull",     false, SCOPE_RECIPIENT },
	{ "mailererror",     false, SCOPE_RECIPIENT },
	{ "mesgtoobig",      false, SCOPE_MESSAGE },
	{ "networkerror",    false, SCOPE_LANE },
	{ "norelaying",      false, SCOPE_LANE },
	{ "notaccept",       false, SCOPE_RECIPIENT },
	{ "notcompliantrfc", false, SCOPE_MESSAGE },
	{ "onhold",          false, SCOPE_RECIPIENT },
	{ "policyviolation", false, SCOPE_MESSAGE },
	{ "ratelimited",     false, SCOPE_LANE },
	{ "rejected",        false, SCOPE_MESSAGE },
	{ "requireptr",      false, SCOPE_LANE },
	{ "securityerror",   false, SCOPE_LANE },
	{ "spamdetected",    false, SCOPE_MESSAGE },
	{ "speeding",        false, SCOPE_LANE },
	{ "suppressed",      false, SCOPE_RECIPIENT },
	{ "suspend",         false, SCOPE_RECIPIENT },
	{ "syntaxerror",     false, SCOPE_MESSAGE },
	{ "systemerror",     false, SCOPE_LANE },
	{ "systemfull",      false, SCOPE_LANE },
	{ "toomanyconn",     false, SCOPE_LANE },
	{ "undefined",       false, SCOPE_RECIPIENT },
	{ "userunknown",     true,  SCOPE_RECIPIENT },
	{ "vacation",        false, SCOPE_RECIPIENT },
	{ "virusdetected",   false, SCOPE_MESSAGE },
};
/* clang-format on */

const struct reason_word *
reason_word_find(const char *name)
{
	for (size_t i = 0; i < N(words); i++)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

const struct reason_word *
reason_word_nearest(const char *name)
{
	const char *names[N(words)], *near;

	for (size_t i = 0; i < N(words); i++)
		names[i] = words[i].name;
	near = rules_suggest(name, names, N(words));
	return near != NULL ? reason_word_find(near) : NULL;
}

bool
reason_is_known(const char *reason)
{
	return reason_word_find(reason) != NULL;
}

bool
reason_is_hard(const char *reason)
{
	const struct reason_word *word = reason_word_find(reason);

	return word != NULL && word->hard;
}
